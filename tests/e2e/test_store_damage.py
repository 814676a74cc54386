"""A store never lies: damage is found, other files are left alone, a lost file is reported."""

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store import file
from broadpeak._store.file import APPLICATION, FORMAT
from broadpeak.errors import ParamTypeError

SMALL_PAGES = 512  # bytes: the least that SQLite has, so that a store of five pages is small


CALLS = []


def third(a):
    CALLS.append(a)
    return a / 3


def _sweep(path, n=4):
    # By a word: what the function counts its calls in is not what this is about.
    sweep = bp.parameterized(third, merge_func="concat", store=path, store_key="third")
    return sweep(bp.Param(range(n)))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Bytes of a small store of two runs, and what it holds."""
    path = tmp_path_factory.mktemp("small") / "a.db"
    _sweep(path)
    data = bp.Data.sample("IBM")["2005-01":"2005-02"]
    bp.parameterized(_mean, merge_func="concat", store=path)(data, bp.Param(["a", "b"]))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA page_size = {SMALL_PAGES}")
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return path.read_bytes(), _content(path)


def _mean(data, name):
    return f"{name}{data.close.mean():.3f}"


def _content(path):
    with bp.Store(path) as store:
        return [store.runs(), store.ledger(), *(store.trials(run) for run in (1, 2))]


def _is_right_or_told(path, right):
    """Return whether reading `path` gives what is right, or a StoreError; never anything else."""
    CALLS.clear()
    for read, wanted in zip(
        [
            lambda store: store.runs(),
            lambda store: store.ledger(),
            lambda store: store.trials(1),
            lambda store: store.trials(2),
        ],
        right,
        strict=True,
    ):
        try:
            with bp.Store(path) as store:
                got = read(store)
        except bp.StoreError:
            continue
        try:
            pd.testing.assert_frame_equal(got, wanted)
        except AssertionError:
            return False
    try:
        again = _sweep(path)
    except bp.StoreError:
        return True
    return again.tolist() == [a / 3 for a in range(4)] and CALLS == []


def _flip(raw, path, place, bits=0xFF):
    flipped = bytearray(raw)
    flipped[place] ^= bits
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    path.write_bytes(flipped)


def _check_flips(small, folder, places, bits):
    raw, right = small
    wrong = []
    folder.mkdir()
    for place in places:
        path = folder / f"{place}.db"
        _flip(raw, path, place, bits)
        if not _is_right_or_told(path, right):
            wrong.append(place)
        shutil.rmtree(folder)
        folder.mkdir()
    assert wrong == []


def test_the_small_store_is_right_as_it_is(small, tmp_path):
    raw, right = small
    (tmp_path / "a.db").write_bytes(raw)
    for got, wanted in zip(_content(tmp_path / "a.db"), right, strict=True):
        pd.testing.assert_frame_equal(got, wanted)
    assert right[2]["value"].tolist() == [0.0, 1 / 3, 2 / 3, 1.0]


def test_some_flipped_bytes_are_found(small, tmp_path):
    _check_flips(small, tmp_path / "x", range(7, len(small[0]), 53), 0xFF)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [0xFF, 0x01])
def test_every_flipped_byte_is_found(small, tmp_path, bits):
    _check_flips(small, tmp_path / "x", range(len(small[0])), bits)


def test_a_flipped_byte_of_a_result_names_run_and_row(tmp_path):
    path = tmp_path / "a.db"
    _sweep(path)
    raw = path.read_bytes()
    place = raw.index(b"Vf") + 5  # the stored number itself
    _flip(raw, path, place, 0x01)
    with pytest.raises(bp.StoreError, match=r"damaged row in run 1, row \d.*Restore it from a cop"):
        bp.Store(path).trials(1)
    with pytest.raises(bp.StoreError, match=r"damaged row in run 1, row \d"):
        _sweep(path)


def test_a_row_that_went_away_is_missed(tmp_path):
    path = tmp_path / "a.db"
    _sweep(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM trials WHERE number = 2")
    connection.close()
    for ask in (lambda: bp.Store(path).trials(1), lambda: _sweep(path)):
        with pytest.raises(bp.StoreError, match="3 rows where 4 were written in run 1"):
            ask()


def test_a_run_that_went_away_is_missed(tmp_path):
    path = tmp_path / "a.db"
    _sweep(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM runs")
    connection.close()
    for ask in (lambda: bp.Store(path).runs(), lambda: _sweep(path), bp.Store(path).ledger):
        with pytest.raises(bp.StoreError, match="0 runs where 1 were written"):
            ask()


def test_two_results_that_were_swapped_are_found(tmp_path):
    path = tmp_path / "a.db"
    _sweep(path)
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT key, value FROM trials WHERE number IN (1, 2)").fetchall()
        (one, first), (two, second) = rows
        sql = "UPDATE trials SET value = ? WHERE key = ?"
        connection.executemany(sql, [(second, one), (first, two)])
    connection.close()
    with pytest.raises(bp.StoreError, match="damaged row in run 1"):
        bp.Store(path).trials(1)


def test_a_store_cut_short_anywhere_is_right_or_reported(small, tmp_path):
    raw, right = small
    wrong = []
    for length in range(0, len(raw), 97):
        path = tmp_path / "x" / f"{length}.db"
        path.parent.mkdir()
        path.write_bytes(raw[:length])
        if not _is_right_or_told(path, right):
            wrong.append(length)
        shutil.rmtree(path.parent)
    assert wrong == []


@pytest.mark.slow
def test_a_store_cut_short_at_any_byte_is_right_or_reported(small, tmp_path):
    raw, right = small
    path = tmp_path / "x" / "a.db"
    for length in range(0, len(raw), 3):
        path.parent.mkdir()
        path.write_bytes(raw[:length])
        assert _is_right_or_told(path, right), length
        shutil.rmtree(path.parent)


def _foreign(path, journal, application=0):
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute(f"PRAGMA application_id = {application}")
    connection.execute("CREATE TABLE mine (x)")
    connection.execute("INSERT INTO mine VALUES (1)")
    connection.commit()
    connection.close()


FOREIGN = {
    "text": lambda path: path.write_text("date,close\n2020-01-01,1\n" * 50),
    "short": lambda path: path.write_bytes(b"SQLite format 3\0"),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(8192)),
    "database": lambda path: _foreign(path, "DELETE"),
    "database with a log": lambda path: _foreign(path, "WAL"),
    "database of a named program": lambda path: _foreign(path, "WAL", 0x0F055112),
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "link to nothing": lambda path: path.symlink_to(path.with_name("not there")),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_store_is_refused_and_left_as_it_was(tmp_path, kind):
    path = tmp_path / "mine.db"
    FOREIGN[kind](path)
    before = path.read_bytes() if path.is_file() else None
    match = {
        "database": "of another program",
        "database with a log": "of another program",
        "database of a named program": "of another program",
        "empty": "got an empty file",
        "folder": "be a file, got a folder",
        "pipe": "be a file, got no plain file",
    }.get(kind, "must be")
    if kind == "link to nothing":
        with bp.Store(path):  # the store is made where the link points to
            pass
        assert path.is_symlink()
        assert path.is_file()
        return
    for ask in (lambda: bp.Store(path), lambda: _sweep(path)):
        with pytest.raises(bp.StoreError, match=match):
            ask()
    assert (path.read_bytes() if path.is_file() else None) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.db"]


def test_a_trigger_in_a_store_is_refused(tmp_path):
    path = tmp_path / "a.db"
    _sweep(path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM runs; END")
    connection.close()
    with pytest.raises(bp.StoreError, match=r"tables that are not those of a store \(t\)"):
        bp.Store(path)


def test_the_format_before_this_one_is_refused_with_a_message(tmp_path):
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    connection.execute("INSERT INTO meta VALUES ('format', '1')")
    connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY)")
    connection.execute("CREATE TABLE trials (run INTEGER)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(bp.StoreError, match=r"an older one kept no digests.*got format 1"):
        bp.Store(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["old.db"]


@pytest.mark.parametrize("further", [1, 97])
def test_a_store_of_a_newer_format_is_refused(tmp_path, further):
    path = tmp_path / "a.db"
    bp.Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + further}")
    connection.close()
    with pytest.raises(bp.StoreError, match=r"format 3 or older, got \d+.*pip install -U broadpea"):
        bp.Store(path)


def test_the_header_says_whose_file_it_is(tmp_path):
    bp.Store(tmp_path / "a.db").close()
    head = (tmp_path / "a.db").read_bytes()[:100]
    assert int.from_bytes(head[68:72], "big") == APPLICATION
    assert [one.name for one in tmp_path.iterdir()] == ["a.db"]


def _delete(path):
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()


def _move(path):
    path.rename(path.with_name("elsewhere.db"))


def _replace(path):
    _delete(path)
    bp.Store(path).close()


@pytest.mark.parametrize("happens", [_delete, _move, _replace])
@pytest.mark.parametrize("when", [1, 3])
def test_a_store_that_goes_away_in_mid_run_ends_the_run(tmp_path, happens, when):
    path = tmp_path / "a.db"

    def half(a):
        if a == when:
            happens(path)
        return a / 2

    tasks = [bp.Task(half, a) for a in range(4)]
    with pytest.raises(bp.StoreError, match=rf"moved, deleted or replaced.*{when} of 4 results"):
        bp.execute(tasks, store=path)


def test_a_store_that_moved_is_reported_by_who_has_it_open(tmp_path):
    path = tmp_path / "a.db"
    _sweep(path)
    store = bp.Store(path)
    path.rename(tmp_path / "b.db")
    with pytest.raises(bp.StoreError, match="moved, deleted or replaced"):
        store.runs()
    assert len(bp.Store(tmp_path / "b.db").trials(1)) == 4


def test_a_changed_working_folder_is_no_other_file(tmp_path, monkeypatch):
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    store = bp.Store("a.db")
    first = _sweep(store)
    monkeypatch.chdir(tmp_path / "x")
    pd.testing.assert_series_equal(_sweep(store), first)
    assert not list((tmp_path / "x").iterdir())


READ_ONLY = textwrap.dedent(
    """
    import sys
    import broadpeak as bp
    path = sys.argv[1]
    print(bp.Store(path).trials(1)["value"].tolist(), bp.Store(path).is_read_only)
    try:
        bp.execute([bp.Task(pow, 2, 2)], store=path)
    except bp.StoreError as error:
        print("told" if "read-only" in str(error) else error)
    """
)


@pytest.mark.skipif(os.name != "posix", reason="the rights of other systems are not these")
@pytest.mark.parametrize("hot", [False, True], ids=["closed", "with a log"])
def test_a_store_that_can_only_be_read_is_read(tmp_path, hot):
    path = tmp_path / "shelf" / "a.db"
    path.parent.mkdir()
    _sweep(path)
    keeper = bp.Store(path)
    if hot:
        keeper.begin(b"another", name="other", data=None, settings={})  # stays in the log
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", tmp_path / f"b.db{suffix}")
        keeper.close()
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        for suffix in ("", "-wal"):
            (tmp_path / f"b.db{suffix}").rename(f"{path}{suffix}")
    keeper.close()
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    for one in path.parent.iterdir():
        one.chmod(0o444)
    path.parent.chmod(0o555)
    code = READ_ONLY
    if os.geteuid() == 0:  # whom no right stops: take the system's word away
        code = "import os\nos.access = lambda *args, **kwargs: False\n" + code
    try:
        run = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
        assert run.stdout.splitlines() == [f"{[0.0, 1 / 3, 2 / 3, 1.0]} True", "told"]
        assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before
    finally:
        path.parent.chmod(0o755)


def test_a_finished_sweep_is_read_from_a_store_that_cannot_be_written(tmp_path, monkeypatch):
    first = _sweep(tmp_path / "a.db")
    monkeypatch.setattr(os, "access", lambda *args, **kwargs: False)
    pd.testing.assert_series_equal(_sweep(tmp_path / "a.db"), first)
    with pytest.raises(bp.StoreError, match=r"read-only.*4 of 5 results|read-only"):
        _sweep(tmp_path / "a.db", n=5)


def test_nothing_of_a_failed_write_stays(tmp_path):
    path = tmp_path / "a.db"
    store = bp.Store(path)
    run = store.begin(b"k", name="n", data=None, settings={})

    def work(connection):
        connection.execute("UPDATE runs SET trials = 7")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._file.write(work)
    assert store.runs()["trials"].tolist() == [0]
    assert store.begin(b"k", name="n", data=None, settings={}) == run  # and the next one works
    store.begin(b"l", name="n", data=None, settings={})
    assert len(store.runs()) == 2


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(bp.StoreError, match="folder that exists"):
        bp.Store(tmp_path / "no" / "a.db")
    with pytest.raises(bp.ParamError, match="path must be the path of a file"):
        bp.Store("a\0b.db")
    with pytest.raises(ParamTypeError, match="path must be a path"):
        bp.Store(5)  # type: ignore[arg-type]


def test_names_that_mean_something_in_addresses_are_names(tmp_path):
    for name in ("a?mode=ro.db", "a#b.db", "a%20b.db", "ü \udcff.db"):
        path = Path(tmp_path / name)
        assert len(_sweep(path)) == 4
        assert path.is_file()
        assert len(bp.Store(path).trials(1)) == 4


def test_a_locked_store_is_reported(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    _sweep(path)
    monkeypatch.setattr(file, "_WAIT", 0.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert len(bp.Store(path).trials(1)) == 4  # reading waits for nobody
    with pytest.raises(bp.StoreError, match="must not be locked"):
        _sweep(path, n=5)
    other.execute("ROLLBACK")
    other.close()
    assert len(_sweep(path, n=5)) == 5


def test_a_full_disk_is_reported_and_what_was_finished_is_kept(tmp_path):
    with bp.Store(tmp_path / "a.db") as store:
        connection = store._file._connected().connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        tasks = [bp.Task(bytes, 3000) for _ in range(20)]
        with pytest.raises(bp.StoreError, match=r"room on its disk.*[1-9] of 20 results"):
            bp.execute(tasks, store=store)
        n_kept = store.runs()["trials"].iloc[0]
        assert n_kept == len(store.trials(1)) > 0
        connection.execute("PRAGMA max_page_count = 1000000")
        assert bp.execute(tasks, store=store) == [bytes(3000)] * 20


@pytest.mark.parametrize("table", ["runs", "trials"])
def test_a_key_that_became_text_is_found(tmp_path, table):
    path = tmp_path / "a.db"
    _sweep(path)
    with sqlite3.connect(path) as connection:  # one bit of the file: the bytes stay the same
        connection.execute(f"UPDATE {table} SET key = CAST(key AS TEXT)")
    connection.close()
    with pytest.raises(bp.StoreError, match="damaged row in"):
        _sweep(path)
