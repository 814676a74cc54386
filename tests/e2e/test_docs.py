# SPDX-License-Identifier: BSD-3-Clause
"""Every Python example in README and docs runs, page by page, in order, in one namespace.

So does every block of shell commands that says so: ``sh run`` runs each line to its end, and
``sh start`` each line in a terminal of its own, as long as the page is read.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from broadpeak._cli.app import main
from broadpeak._run import registry
from broadpeak.engines import shutdown

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A block of text right below an example is what the example prints.
BLOCK = re.compile(
    r"^```(?P<language>python|sh run|sh start)(?P<info>[^\n]*)\n(?P<code>.*?)^```$"
    r"(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)(?P<target>[^)#]+)")
TEST_NAME = re.compile(r"`(?P<file>[a-z_]+/[a-z_]+\.py)?(?P<path>(?:::\w+)+)`")


PORT = re.compile(r"--port[ =](\d+)")
STARTS = re.compile(r"^```sh start", re.MULTILINE)
_PATIENCE_SECONDS = 60.0


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_marks(page: Path) -> object:
    """Return the parameter of a page: one that starts clusters takes long."""
    starts = STARTS.search(page.read_text(encoding="utf-8")) is not None
    return pytest.param(page, marks=[pytest.mark.slow, pytest.mark.engine] if starts else [])


# Examples are honest: some of them warn, as they would at the user's.
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:The Dask cluster at:RuntimeWarning")
@pytest.mark.parametrize("page", [with_marks(page) for page in PAGES], ids=name_of)
def test_examples_run(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminals: Terminals,
) -> None:
    # Examples write files; they do so in a folder of their own.
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as for a script in this folder
    text = with_free_ports(page.read_text(encoding="utf-8"))
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        if "no-run" in block["info"]:
            continue
        if block["language"] == "python":
            # Leading lines keep the line numbers of the page in tracebacks.
            lead = "\n" * text.count("\n", 0, block.start("code"))
            exec(compile(lead + block["code"], str(page), "exec"), namespace)
        elif block["language"] == "sh start":
            terminals.start(block["code"])
        else:
            run_commands(block["code"], monkeypatch)
        printed = capsys.readouterr().out
        if block["printed"] is not None:
            assert without_ends(printed) == without_ends(block["printed"])


@pytest.fixture(autouse=True)
def forget(tmp_path: Path) -> Iterator[None]:
    """What a page imports from its folder, or registers, is unknown to the next page."""
    known = dict(registry._added)
    yield
    registry._added.clear()
    registry._added.update(known)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def run_commands(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the lines of a block as a shell does; each must succeed.

    Commands of this library run in this process, and what is exported is its environment.
    """
    for words in commands_of(code):
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            monkeypatch.setenv(name, value)
        elif words[0] == "broadpeak":
            with pytest.raises(SystemExit) as end:
                main(words[1:])
            assert not end.value.code, words
        else:
            subprocess.run(installed(words), check=True, timeout=_PATIENCE_SECONDS)


def commands_of(code: str) -> list[list[str]]:
    """Return the words of each command in a block."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def installed(words: list[str]) -> list[str]:
    """Return a command whose program is that of this environment."""
    return [str(Path(sys.executable).parent / words[0]), *words[1:]]


def with_free_ports(text: str) -> str:
    """Return a page whose ports are free here: others may use those that readers will type."""
    for port in sorted(set(PORT.findall(text))):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            text = re.sub(rf"\b{port}\b", str(free.getsockname()[1]), text)
    return text


class Terminals:
    """Where the commands of a page run that do not end by themselves."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "terminals.log"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, code: str) -> None:
        """Start each command; wait until those that listen on a port do, and nothing more is said.

        That is what a reader does before typing on: a port is open long before there is a cluster.
        """
        for words in commands_of(code):
            with self._log.open("ab") as log:
                process = subprocess.Popen(
                    installed(words), stdout=log, stderr=log, start_new_session=True
                )
            self._processes.append(process)
            for port in PORT.findall(shlex.join(words)):
                assert self._listens(int(port), process), self._log.read_text(errors="replace")
        pause, size, n_quiet = threading.Event(), -1, 0
        for _ in range(int(_PATIENCE_SECONDS / 0.5)):
            before, size = size, self._log.stat().st_size
            n_quiet = n_quiet + 1 if size == before and size else 0
            if n_quiet == 6:
                return
            pause.wait(0.5)

    def _listens(self, port: int, process: subprocess.Popen[bytes]) -> bool:
        pause = threading.Event()
        for _ in range(int(_PATIENCE_SECONDS / 0.1)):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                return True
            if process.poll() is not None:
                return False
            pause.wait(0.1)
        return False

    def end(self) -> None:
        """Press Ctrl-C in each of them, the last one first; what does not end is killed."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def terminals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminals]:
    """Terminals that are closed at the end of the page, and a folder for what is left in them."""
    short = tempfile.mkdtemp(prefix="r", dir="/tmp" if Path("/tmp").is_dir() else None)
    monkeypatch.setenv("RAY_TMPDIR", short)  # names of sockets are limited to 107 characters
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path))
    made = Terminals(tmp_path)
    try:
        yield made
        shutdown()
    finally:
        made.end()
        shutil.rmtree(short, ignore_errors=True)


def without_ends(printed: str) -> list[str]:
    """Return lines without the blanks at their ends, which tables have and pages have not."""
    return [line.rstrip() for line in printed.strip("\n").splitlines()]


@pytest.mark.parametrize("page", sorted({*PAGES, *ROOT.glob("*.md")}), ids=name_of)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    missing = [
        hit["target"]
        for hit in LINK.finditer(page.read_text(encoding="utf-8"))
        if not (page.parent / hit["target"]).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tests_that_a_page_names_exist(page: Path) -> None:
    missing = []
    for line in page.read_text(encoding="utf-8").splitlines():
        file = ""
        for hit in TEST_NAME.finditer(line):
            file = hit["file"] or file  # what follows on the line is in the same file
            path = ROOT / "tests" / file
            code = path.read_text(encoding="utf-8") if path.is_file() else ""
            names = hit["path"].split("::")[1:]
            missing += [f"{file}::{name}" for name in names if not is_defined(name, code)]
    assert missing == []


def is_defined(name: str, code: str) -> bool:
    return re.search(rf"\b(?:def|class) {name}\b", code) is not None
