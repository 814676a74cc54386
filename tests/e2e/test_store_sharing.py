"""Several processes on one sweep share its work: each combination is run by one of them."""

import subprocess
import sys
import textwrap
import threading

import pytest

import broadpeak as bp
from broadpeak._run import stored
from broadpeak._run.sinks import ResultList
from broadpeak._store import claims

SCRIPT = textwrap.dedent(
    """
    import sys, threading
    import broadpeak as bp

    def half(a):
        role = sys.argv[5]  # no global name: what a function refers to makes it another one
        with open(sys.argv[2], "a") as file:
            file.write(f"{a}\\n")
        if role.startswith("waits") and a == 2:
            print("here", flush=True)
            sys.stdin.readline()
        if role == "hangs" and a == 2:
            threading.Event().wait()  # until it is killed
        if role.startswith("fails") and a == 2:
            print("here", flush=True)
            sys.stdin.readline()
            raise ValueError("not now")
        return a / 7

    if __name__ == "__main__":
        path, log, engine, n, role = sys.argv[1:6]
        print("ready", flush=True)
        sys.stdin.readline()
        on_error = "skip" if role == "fails and goes on" else "raise"
        halves = bp.parameterized(
            half, merge_func="concat", store=path, engine=engine, n_workers=2, on_error=on_error
        )
        print(halves(bp.Param(range(int(n)))).to_numpy().tobytes().hex(), flush=True)
    """
)


class Sharer:
    """A process that runs the script, told by lines what to do next."""

    def __init__(self, folder, role="", engine="serial", n=40):
        script, log = folder / "half.py", folder / f"{role or 'log'}-{id(self)}"
        script.write_text(SCRIPT)
        self.log = log
        command = [sys.executable, str(script), str(folder / "a.db"), str(log), engine, str(n)]
        self.process = subprocess.Popen(
            [*command, role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.line() == "ready"

    def line(self):
        return self.process.stdout.readline().strip()

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ran(self):
        return [int(a) for a in self.log.read_text().split()] if self.log.exists() else []

    def end(self):
        errors = self.process.communicate(timeout=120)[1]
        return self.process.returncode, errors


@pytest.fixture
def sharers(tmp_path):
    made = []

    def make(*args, **kwargs):
        made.append(Sharer(tmp_path, *args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.communicate()


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["serial", "threadpool", "processpool"])
def test_each_combination_is_run_once(sharers, engine):
    both = [sharers(engine=engine, n=400) for _ in range(2)]
    for one in both:
        one.go()
    answers = [one.line() for one in both]
    assert answers[0] == answers[1] != ""
    ran = [a for one in both for a in one.ran()]
    assert sorted(ran) == list(range(400))
    assert [one.end()[0] for one in both] == [0, 0]


@pytest.mark.engine
def test_who_has_nothing_left_waits_for_the_other(sharers, tmp_path):
    slow, quick = sharers("waits"), sharers()
    slow.go()
    assert slow.line() == "here"  # at combination 2, which is its own
    quick.go()
    _until_the_rest_is_kept(tmp_path / "a.db", quick.process)
    assert 2 not in quick.ran()
    slow.go()
    assert slow.line() == quick.line() != ""
    assert sorted(slow.ran() + quick.ran()) == list(range(40))
    assert set(quick.ran()) > set(range(10, 40))  # it did not wait for the whole


def _until_the_rest_is_kept(path, process):
    """Wait until what the other process holds, some of it finished, is all that is missing."""
    query = "SELECT keys FROM claims"
    tick = threading.Event()
    while process.poll() is None:
        with bp.Store(path) as store:
            rows = store._file.read(lambda connection: connection.execute(query).fetchall())
            held = sum(len(claims._unpacked(keys)) for (keys,) in rows)
            if len(rows) == 1 and store.runs()["trials"].iloc[0] >= 40 - held:
                return
        tick.wait(0.05)
    raise AssertionError(process.communicate()[1])


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["serial", "processpool"])
def test_the_claims_of_a_killed_process_are_taken_over(sharers, engine):
    killed = sharers("hangs", engine=engine)
    killed.go()
    tick = threading.Event()
    while 2 not in killed.ran():
        tick.wait(0.05)
    killed.process.kill()
    killed.process.wait()
    heir = sharers()
    heir.go()
    assert heir.line() != ""
    assert 2 in heir.ran()
    assert heir.end()[0] == 0


@pytest.mark.engine
def test_a_waiting_process_takes_over_when_the_other_is_killed(sharers, tmp_path):
    slow, quick = sharers("waits"), sharers()
    slow.go()
    assert slow.line() == "here"
    quick.go()
    _until_the_rest_is_kept(tmp_path / "a.db", quick.process)
    slow.process.kill()
    assert quick.line() != ""  # also while nobody has asked how the other one ended
    assert quick.ran().count(2) == 1


@pytest.mark.engine
@pytest.mark.parametrize("role", ["fails", "fails and goes on"])
def test_a_failed_combination_is_tried_by_the_other(sharers, tmp_path, role):
    shaky, sound = sharers(role), sharers()
    shaky.go()
    assert shaky.line() == "here"
    sound.go()
    _until_the_rest_is_kept(tmp_path / "a.db", sound.process)
    shaky.go()
    assert sound.line() != ""
    assert sound.ran().count(2) == 1
    code, errors = shaky.end()
    assert "not now" in errors
    assert (code == 0) is (role == "fails and goes on")
    assert len(bp.Store(tmp_path / "a.db").trials(1)) == 40


@pytest.mark.engine
def test_ctrl_c_lets_go_of_what_was_claimed(sharers, tmp_path):
    stopped = sharers("waits")
    stopped.go()
    assert stopped.line() == "here"
    stopped.process.send_signal(2)
    assert "KeyboardInterrupt" in stopped.end()[1]
    rows = bp.Store(tmp_path / "a.db")._file.read(
        lambda connection: connection.execute("SELECT * FROM claims").fetchall()
    )
    assert rows == []


def test_two_threads_of_one_process_share_as_well(tmp_path):
    ran: list[int] = []
    answers = []
    gate = threading.Barrier(2)

    def third(a):
        ran.extend([a])
        return a / 3

    def sweep():
        gate.wait()
        answers.append(bp.execute([bp.Task(third, a) for a in range(200)], store=path))

    path = tmp_path / "a.db"
    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [[a / 3 for a in range(200)]] * 2
    assert sorted(ran) == list(range(200))


def test_threads_may_share_one_open_store(tmp_path):
    with bp.Store(tmp_path / "a.db") as store:
        answers = []

        def sweep(k):
            answers.append(bp.execute([bp.Task(pow, a, k) for a in range(50)], store=store))

        threads = [threading.Thread(target=sweep, args=[k]) for k in (1, 2, 3)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert sorted(map(sum, answers)) == [1225, 40425, 1500625]
        assert store.runs()["trials"].tolist() == [150]


def test_a_run_inside_of_a_task_does_not_wait_for_its_own_run(tmp_path):
    path = tmp_path / "a.db"

    def steps(n):
        if n == 0:
            return 1
        return sum(bp.execute([bp.Task(steps, k) for k in range(n)], store=path))

    tasks = [bp.Task(steps, n) for n in (3, 2, 1, 0)]  # the first needs what the run has claimed
    assert bp.execute(tasks, store=path) == [4, 2, 1, 1]


def test_tasks_of_chunks_are_shared_and_callbacks_see_their_results(tmp_path):
    seen: list[list[float]] = []
    path = tmp_path / "a.db"

    def note(results):
        seen.append(results)

    with bp.Store(path) as store:
        tasks = [bp.Task(float, a) for a in range(6)]
        other = stored.StoredResults(
            store, tasks, ResultList(), lambda places: [{"call": at} for at in places]
        )
        assert other.claim(range(6), whole=False) == (1, [0])
        assert other.claim([3], whole=True) == (1, [3])
        finishing = threading.Thread(
            target=lambda: (other.put([0, 3], [0.0, 3.0], 0.1), other.close())
        )
        got = bp.execute(
            tasks,
            store=path,
            n_chunks=3,
            pre_chunk_func=lambda at: finishing.start() if at == 0 else None,
            pre_chunk_kwargs={"at": bp.Rep("chunk_idx")},
            post_chunk_func=note,
            post_chunk_kwargs={"results": bp.Rep("chunk_results")},
        )
        finishing.join()
    assert got == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert seen == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]


def test_whole_chunks_that_others_hold_do_not_stop_the_rest(tmp_path):
    path = tmp_path / "a.db"
    ran: list[int] = []

    def note(a):
        ran.extend([a])
        return a

    def finish(at):
        if at == 2:
            other.put([0, 1], [0, 1], 0.1)
            other.close()

    with bp.Store(path) as store:
        tasks = [bp.Task(note, a) for a in range(6)]
        other = stored.StoredResults(
            store, tasks, ResultList(), lambda places: [{"call": at} for at in places]
        )
        assert other.claim([0, 1], whole=True) == (2, [0, 1])
        got = bp.execute(
            tasks,
            store=path,
            distribute="chunks",
            n_chunks=3,
            pre_chunk_func=finish,
            pre_chunk_kwargs={"at": bp.Rep("chunk_idx")},
        )
    assert got == list(range(6))
    assert ran == [2, 3, 4, 5]


def test_quick_tasks_are_claimed_in_batches(tmp_path):
    with bp.Store(tmp_path / "a.db") as store:
        asked: list[int] = []
        claim = store.claim
        store.claim = lambda run, owner, wanted, *rest: (  # type: ignore[method-assign]
            asked.append(len(wanted)) or claim(run, owner, wanted, *rest)
        )
        bp.execute([bp.Task(float, a) for a in range(3000)], store=store)
    assert sum(asked) == 3000
    assert len(asked) < 300


class TestOwners:
    def test_a_living_process_is_alive_whatever_the_time(self):
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            started = claims._seen(other.pid).started
            name = f"{claims._namespace()}|{other.pid}|{started}|x"
            assert claims.is_alive(name, until=0.0)
            assert not claims.is_alive(name.replace(f"|{started}|", "|1|"), until=1e12)
            other.kill()
        assert not claims.is_alive(name, until=1e12)

    def test_where_nobody_sees_it_time_decides(self, monkeypatch):
        monkeypatch.setattr(claims.time, "time", lambda: 1000.0)
        for until, alive in [(999.0, False), (1000.0, False), (1001.0, True), (1e300, False)]:
            assert claims.is_alive("elsewhere|1|1|x", until) is alive
            assert claims.is_alive("|1|1|x", until) is alive

    @pytest.mark.parametrize("name", ["", "x", "a|b|c|d", "|||", "a|-1|c|d", "a|1|2|3|4"])
    def test_a_damaged_claim_is_none(self, name):
        assert not claims.is_alive(name, until=claims.time.time() + 1)

    def test_an_owner_of_this_process_lives_until_it_leaves(self):
        owner = claims.Owner()
        assert claims.is_alive(owner.name, until=0.0)
        owner.leave()
        assert not claims.is_alive(owner.name, until=claims.time.time() + 1)
