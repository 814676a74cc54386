# SPDX-License-Identifier: BSD-3-Clause
"""The connection to Ray, of which a process has one: found, joined by address, or started here."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

from loky.backend import resource_tracker

import broadpeak
from broadpeak._core import optional
from broadpeak._run import pool as pools
from broadpeak._run.starting import cannot_run, environment, no_interrupt, thread_limits
from broadpeak._run.streams import streams_taken
from broadpeak.errors import EngineError, broken_rule, described

_LOOK_SECONDS = 3.0  # for a port to answer
_JOIN_SECONDS = 9.0  # for Ray to join; by itself it tries for minutes
_ROLL_CALL_SECONDS = 20.0  # for a worker to start on each machine
_MOST_SHARING = 2  # workers a CPU of a cluster for fewer: to start another takes seconds
_LONGEST_FOLDER = 30  # characters: with what Ray adds, names of sockets must stay below 107
_MOST_REASONS = 5
_LOG_BYTES = "10000000"
_STORE_BYTES = 2 * 1024**3
_LEAST_STORE_BYTES = 80 * 1024**2  # Ray refuses less than 75 MiB
_LOOK_EVERY = 2.0
_PATIENCE_SECONDS = 10.0  # for a head that does not answer
_DISCONNECT_SECONDS = 30.0  # after 60 Ray ends this process without a word
# Ray prints it to standard output, with advice for its developers. What died the run itself says.
_KNOWN_NEWS = "A worker died or was killed|Raylet is terminated|The node with node id"
_PROBE = "broadpeak-probe-"

_lock = threading.RLock()
_ours: RayCluster | None = None
_theirs: RayCluster | None = None


def _renew_lock() -> None:
    """Make a new lock in a forked worker, in which the old one may be held for ever."""
    global _lock  # noqa: PLW0603  # one a process
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def load_ray() -> Any:
    """Return the package `ray`, which an extra installs."""
    with ExitStack() as stack:
        if "ray" not in sys.modules and "RAY_DEDUP_LOGS_SKIP_REGEX" not in os.environ:
            # It is read when the package is imported, and there is no other way to say it.
            stack.enter_context(environment({"RAY_DEDUP_LOGS_SKIP_REGEX": _KNOWN_NEWS}))
        return optional.load("ray", extra="ray", purpose="engine='ray'")


@dataclass
class RayCluster:
    """A cluster that this process is connected to.

    Attributes
    ----------
    key : tuple
        What was asked for: the address and the options.
    is_ours : bool
        Connected here, hence to be closed here.
    is_local : bool
        Started here, on this machine.
    identity : tuple
        What tells this connection from another one.
    n_cpus : int
        Tasks that it runs at a time.
    files : bool
        All of it is on this machine and in this environment: it sees the same files and modules.
    head : (str, int) or None
        Where its head listens, if this process depends on it.
    n_users : int
        Runs that are using it.
    is_broken : bool
        Its head is gone, or this machine is no part of it any more.
    """

    key: tuple[object, ...]
    is_ours: bool
    is_local: bool
    identity: tuple[object, ...] = ()
    n_cpus: int = 1
    files: bool = False
    head: tuple[str, int] | None = None
    folder: Path | None = None
    pid: int = field(default_factory=os.getpid)
    n_users: int = 0
    is_broken: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def is_client(self) -> bool:
        """Whether a server on the cluster speaks for this process (``ray://``)."""
        return _uses_client()


def _watch(cluster: RayCluster, head: tuple[str, int]) -> None:
    """Disconnect from a cluster whose head is gone: Ray would end this process because it is."""
    last = time.monotonic()
    while not cluster.ended.wait(_LOOK_EVERY):
        if _answers(head):
            last = time.monotonic()
            continue
        seconds = time.monotonic() - last
        if seconds >= _PATIENCE_SECONDS:
            cluster.is_broken = True  # a run that uses it ends, and then disconnects
        if seconds >= (_DISCONNECT_SECONDS if cluster.n_users else _PATIENCE_SECONDS):
            disconnect(cluster)
            if cluster is not _ours:  # else it did not work, and is tried again
                return


def _watched(cluster: RayCluster) -> RayCluster:
    if cluster.head is not None:
        arguments = (cluster, cluster.head)
        threading.Thread(target=_watch, args=arguments, name="broadpeak-ray", daemon=True).start()
    return cluster


def connected(
    address: str | None, n_workers: int | None, options: Mapping[str, object]
) -> RayCluster:
    """Return the cluster of this process, joined or started as it is asked for.

    Parameters
    ----------
    address : str, optional
        Of a cluster. None: the one this process is connected to, else one on this machine.
    n_workers : int, optional
        How many CPUs a new one is to have, at least.
    options : mapping
        More arguments of `ray.init`.

    Raises
    ------
    EngineError
        If it cannot be reached, or this process is connected to another one.
    """
    global _ours, _theirs  # noqa: PLW0603  # a process has one connection
    ray = load_ray()
    with _lock:
        known = _ours
        if known is not None and known.pid != os.getpid():
            msg = (
                "Ray must be started by the process that uses it, but this process is a fork of "
                f"the one that did, {known.pid}. Pass engine='processpool' or 'serial' here, or "
                "start this process by spawn or forkserver."
            )
            raise EngineError(msg)
        asked = _address(address)
        key = (asked, tuple(sorted((name, repr(value)) for name, value in options.items())))
        identity = _identity(ray)
        if known is not None and (known.is_broken or identity != known.identity):
            _close_now(ray)
            identity = _identity(ray)
            known = None
        if known is not None:
            n_most = _MOST_SHARING * known.n_cpus
            is_enough = not known.is_local or n_workers is None or n_workers <= n_most
            if known.key == key and (is_enough or known.n_users):
                return known
            if known.n_users:
                rule = "be that of the runs that are using Ray now"
                remedy = "Wait for them to end, or pass the same address and options."
                raise EngineError(broken_rule("engine_options", rule, dict(options), remedy))
            _close_now(ray)
        elif identity is not None:
            if _theirs is None or _theirs.identity != identity:
                if _theirs is not None:
                    _theirs.ended.set()
                theirs = RayCluster((None,), is_ours=False, is_local=False, identity=identity)
                _theirs = _watched(_described(ray, theirs))
            _check_same(ray, asked)
            return _theirs
        _ours = _joined(ray, asked, key, options) if asked else _started(ray, n_workers, options)
        _ours.key = key
        return _ours


def enter(address: str | None, n_workers: int, options: Mapping[str, object]) -> RayCluster:
    """Return the same, for a run that `leave`s it at its end."""
    with _lock:
        cluster = connected(address, n_workers, options)
        pools.end_with_child(shutdown)
        cluster.n_users += 1
        return cluster


def leave(cluster: RayCluster) -> None:
    """Note that a run does not need `cluster` any more; it is kept for the next."""
    with _lock:
        cluster.n_users -= 1


def disconnect(cluster: RayCluster) -> None:
    """Leave a cluster that is gone, if the connection is ours."""
    with _lock:
        if _ours is cluster:
            _close(load_ray())


def shutdown() -> None:
    """Leave the cluster that was joined here, or end the one that was started here."""
    with _lock:
        if _ours is not None and _ours.pid == os.getpid() and "ray" in sys.modules:
            _close(sys.modules["ray"])


def shutdown_idle() -> None:
    """Do the same unless a run is using it."""
    with _lock:
        if _ours is not None and not _ours.n_users:
            shutdown()


atexit.register(shutdown)


def _close(ray: Any) -> Exception | None:
    """Disconnect; if that fails keep the cluster, for the next who tries, and return why."""
    global _ours  # noqa: PLW0603  # a process has one connection
    ended = _ours
    if ended is None:
        return None
    if _identity(ray) == ended.identity:
        error = _shut_down(ray)
        if error is not None:
            error = _shut_down(ray)  # it goes on where it stopped
        if error is not None and _identity(ray) == ended.identity:
            ended.is_broken = True
            return error
    _ours = None
    ended.ended.set()
    if ended.folder is not None:
        shutil.rmtree(ended.folder, ignore_errors=True)
        with suppress(Exception):
            resource_tracker.unregister(str(ended.folder), "folder")
    return None


def _shut_down(ray: Any) -> Exception | None:
    """Call `ray.shutdown`; return what it raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.shutdown()
    except Exception as error:  # noqa: BLE001  # of any kind, from any part of Ray
        return error
    return None


def _close_now(ray: Any) -> None:
    """Disconnect, or raise an error: what is connected is not taken for the user's connection."""
    error = _close(ray)
    if error is not None:
        msg = (
            "Ray must let go of the cluster that this process was connected to, but its shutdown "
            f"raised {described(error)}. Call ray.shutdown(), or start this program again."
        )
        raise EngineError(msg) from error


def _uses_client() -> bool:
    client = sys.modules.get("ray.util.client")
    return client is not None and client.ray.is_connected()


def _identity(ray: Any) -> tuple[object, ...] | None:
    """Return what tells the connection of this process from others; None if there is none."""
    if not ray.is_initialized():
        return None
    context = ray.get_runtime_context()
    return context.get_job_id(), "" if _uses_client() else context.get_worker_id()


def _address(address: str | None) -> str | None:
    """Return the address of the cluster to join; None if one is to be started."""
    if address is None or address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    return None if address in {None, "", "local"} else address


def _check_same(ray: Any, asked: str | None) -> None:
    """Refuse another cluster than the one that the user's program is connected to."""
    if asked is None or asked == "auto" or _uses_client():
        return
    here = ray.get_runtime_context().gcs_address
    if "://" in asked or _port(asked) != _port(here):
        rule = f"be that of the cluster that this program is connected to, {here!r}"
        remedy = "Leave it out, or call ray.shutdown() before."
        raise EngineError(broken_rule("address", rule, asked, remedy))


def _port(address: str) -> str:
    return address.rpartition(":")[2]


# --- a cluster of our own ----------------------------------------------------------------------


def _started(ray: Any, n_workers: int | None, options: Mapping[str, object]) -> RayCluster:
    """Start a cluster on this machine, of which nothing is left when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="bp-ray-", dir=_short_folder()))
    # Somebody must remove it should this process be killed.
    with suppress(Exception), streams_taken():
        resource_tracker.register(str(folder), "folder")
    limits = {
        **thread_limits(),
        "RAY_ROTATION_MAX_BYTES": os.environ.get("RAY_ROTATION_MAX_BYTES", _LOG_BYTES),
        "RAY_ROTATION_BACKUP_COUNT": os.environ.get("RAY_ROTATION_BACKUP_COUNT", "1"),
    }
    ours: dict[str, object] = {
        "include_dashboard": False,
        "object_store_memory": _store_bytes(),
        "_temp_dir": str(folder),
    }
    cluster = RayCluster((), is_ours=True, is_local=True, folder=folder, files=True)
    all_options = {**ours, **options, "address": "local", "num_cpus": n_workers or 1}
    with no_interrupt():
        error = _kept_alive(cluster, lambda: _init(ray, all_options), limits)
    if error is not None:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(Exception):
            resource_tracker.unregister(str(folder), "folder")
        raise cannot_run("Ray", error) from error
    cluster.identity = _identity(ray) or ()
    cluster.n_cpus = n_workers or 1
    cluster.head = _split(ray.get_runtime_context().gcs_address)
    return _watched(cluster)


def _kept_alive(
    cluster: RayCluster, work: Callable[[], None], variables: Mapping[str, str]
) -> BaseException | None:
    """Start processes by `work` in a thread that lives as long as `cluster`; return what it raised.

    The system ends them with the thread that started them, and that of the caller may end first.
    """
    errors: list[BaseException] = []
    is_done = threading.Event()

    def run() -> None:
        try:
            with environment(variables):
                work()
        except BaseException as error:  # noqa: BLE001  # carried to who waits
            errors.append(error)
            cluster.ended.set()
        is_done.set()
        cluster.ended.wait()

    threading.Thread(target=run, name="broadpeak-ray-parent", daemon=True).start()
    is_done.wait()
    return errors[0] if errors else None


def _short_folder() -> str | None:
    """Return where a folder with a short name may be made."""
    usual = tempfile.gettempdir()
    is_long = len(usual) > _LONGEST_FOLDER and os.name == "posix"
    return "/tmp" if is_long and os.access("/tmp", os.W_OK) else None  # made by mkdtemp


def _store_bytes() -> int:
    """Return the size of the object store: what is on the way goes through it, and no more.

    What tasks share is in files. Memory is taken as it is used. What does not fit is spilled to the
    folder of the cluster, on disk.
    """
    with suppress(OSError):
        free = shutil.disk_usage("/dev/shm").free
        return max(_LEAST_STORE_BYTES, min(_STORE_BYTES, free // 2))
    return _STORE_BYTES


def _init(ray: Any, options: Mapping[str, object]) -> None:
    """Call `ray.init`, and leave streams, signals and warnings of this program as they are."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if is_main else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(**{**quiet, **options})
    finally:
        if is_main and before is not None:
            signal.signal(signal.SIGTERM, before)


# --- a cluster of others -----------------------------------------------------------------------


def _joined(
    ray: Any, address: str, key: tuple[object, ...], options: Mapping[str, object]
) -> RayCluster:
    """Join the cluster at `address`."""
    _look(address)
    ours: dict[str, object] = {"runtime_env": {"env_vars": thread_limits()}}
    # Ray itself tries for minutes, and cannot be seen otherwise; some versions read a variable.
    patience = {"RAY_gcs_server_port_wait_time_s": "5"}
    with environment(patience):
        all_options = {**ours, **options, "address": address}
        error = _in_time(
            lambda: _init(ray, all_options), _JOIN_SECONDS, undo=lambda: _leave_late(ray)
        )
    if error is not None:
        raise _unreachable(address, _reasons(error)) from error
    cluster = RayCluster(key, is_ours=True, is_local=False, identity=_identity(ray) or ())
    global _ours  # noqa: PLW0603  # a process has one connection
    _ours = cluster  # to be closed should the roll-call fail
    try:
        return _watched(_described(ray, cluster))
    except BaseException:
        _close(ray)
        raise


def _reasons(error: BaseException) -> str:
    """Return what was raised, and on further lines why."""
    texts: list[str] = []
    reason: BaseException | None = error
    while reason is not None and len(texts) < _MOST_REASONS:
        texts.append(described(reason))
        reason = reason.__cause__ or reason.__context__
    return "\n".join(texts)


def _unreachable(address: str, got: str) -> EngineError:
    remedy = "Start one by: ray start --head --port=6379, or correct the address."
    if "AuthenticationError" in got:
        remedy = "It wants a token: set the environment variable RAY_AUTH_MODE=token before."
    elif "ray://" not in address and address.endswith(":10001"):
        remedy = f"10001 is the port of Ray Client: type address='ray://{address}'."
    elif "grpc" in got or "ray[client]" in got:
        remedy = 'Addresses that begin with ray:// need: pip install "ray[client]"'
    first = got.strip().partition("\n")[0].rstrip(".")
    return EngineError(
        f"A Ray cluster must answer at address={address!r} within {_JOIN_SECONDS:g} seconds, got "
        f"{first}. {remedy}"
    )


def _split(address: str) -> tuple[str, int] | None:
    host, _, port = address.rpartition("//")[2].partition("/")[0].rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None


def _look(address: str) -> None:
    """Raise an error if nobody listens at `address`."""
    place = _split(address)
    if place is None:
        if address == "auto" or "://" in address:
            return
        rule = "be 'auto', 'host:port' or 'ray://host:port'"
        raise EngineError(broken_rule("address", rule, address, "Type: address='auto'."))
    try:
        socket.create_connection(place, _LOOK_SECONDS).close()
    except OSError as error:
        raise _unreachable(address, described(error)) from error


def _in_time(
    work: Callable[[], None], seconds: float, undo: Callable[[], None]
) -> BaseException | None:
    """Do `work` in a thread and return what it raised, or a `TimeoutError` if it takes longer.

    What is done after all, when nobody waits for it any more, `undo` takes back.
    """
    errors: list[BaseException] = []
    first = threading.Lock()  # taken by the first of two: the work is done, the time is over

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # carried to who waits
            errors.append(error)
        if not first.acquire(blocking=False) and not errors:
            undo()

    thread = threading.Thread(target=run, name="broadpeak-ray", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive() and first.acquire(blocking=False):
        return TimeoutError("no answer")
    thread.join()
    return errors[0] if errors else None


def _leave_late(ray: Any) -> None:
    """Disconnect from a cluster that answered when it had been given up."""
    with _lock, suppress(Exception):
        if _ours is None:
            ray.shutdown()


def _answers(head: tuple[str, int]) -> bool:
    """Return whether the head of a cluster listens."""
    try:
        socket.create_connection(head, _LOOK_SECONDS).close()
    except OSError:
        return False
    return True


@contextmanager
def _probe_file() -> Iterator[Path]:
    """Make a file that only processes of this machine find."""
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    handle, name = tempfile.mkstemp(prefix=_PROBE, dir=folder)
    try:
        os.write(handle, secrets.token_bytes(16))
        os.close(handle)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _roll_call(path: str, token: bytes) -> tuple[str | None, str, bool]:
    """Say who this is: the version of broadpeak, the environment, whether it sees a file.

    It travels by value, for broadpeak may not be there, and uses nothing from outside of it.
    """
    import sys
    from pathlib import Path

    try:
        import broadpeak

        version = broadpeak.__version__
    except ImportError:
        version = None
    try:
        sees = Path(path).read_bytes() == token
    except OSError:
        sees = False
    return version, sys.prefix, sees


def _described(ray: Any, cluster: RayCluster) -> RayCluster:
    """Note what the machines of `cluster` are, each asked by a task of its own.

    Raises
    ------
    EngineError
        If one of them does not have this version of broadpeak.
    """
    cluster.n_cpus = int(ray.cluster_resources().get("CPU", 0))
    if not _uses_client():
        cluster.head = _split(ray.get_runtime_context().gcs_address)
    strategies = optional.load(
        "ray.util.scheduling_strategies", extra="ray", purpose="engine='ray'"
    )
    by_value = FunctionType(_roll_call.__code__, {"__builtins__": __builtins__}, "roll_call")
    by_value.__module__ = "__main__"
    task = ray.remote(num_cpus=0, max_retries=0)(by_value)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    with _probe_file() as path:
        token = path.read_bytes()
        asked = {}
        for node in nodes:
            there = strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            reference = task.options(scheduling_strategy=there).remote(str(path), token)
            asked[reference] = node["NodeManagerAddress"]
        ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_ROLL_CALL_SECONDS)
        seen = []
        for reference in ready:
            with suppress(ray.exceptions.RayError):  # it is gone already
                seen.append((asked[reference], *ray.get(reference)))
        for reference in late:
            with suppress(Exception):
                ray.cancel(reference, force=True)
    for place, version, _, _ in seen:
        if version != broadpeak.__version__:
            got = "none" if version is None else version
            msg = (
                f"Every machine of the cluster must have broadpeak {broadpeak.__version__}, got "
                f"{got} on {place}. Type there, in the environment of Ray: "
                f'pip install "broadpeak[ray]=={broadpeak.__version__}"'
            )
            raise EngineError(msg)
    cluster.files = len(seen) == len(nodes) and all(
        sees and prefix == sys.prefix for _, _, prefix, sees in seen
    )
    return cluster
