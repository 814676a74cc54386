"""Compiled kernels: cached on disk, and never older than a kernel they call."""

import ast
import getpass
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import IndexDataCacheFile
from numba.core.errors import TypingError

from broadpeak._core import compile as compiling
from broadpeak._indicators._kernels import windowed


def test_a_kernel_keeps_its_plain_twin():
    assert windowed.__name__
    kernels = [one for one in vars(windowed).values() if hasattr(one, "py_func")]
    assert kernels
    assert all(callable(one.py_func) for one in kernels)


def test_cached_code_goes_by_the_state_of_all_kernels():
    kernels = [one for one in vars(windowed).values() if hasattr(one, "py_func")]
    state = compiling._state_of_kernels()
    assert {"windowed.py", "orders.py"} <= {name for name, *_ in state}
    assert all(one._cache._cache_file._source_stamp[1] == state for one in kernels)


def test_kernels_read_nothing_that_the_state_leaves_out():
    home = Path(compiling.__file__).parents[1]
    known = {name for name, *_ in compiling._state_of_kernels()}
    for file in home.glob("*/_kernels/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("broadpeak."):
                module = node.module.rpartition(".")[2]
                assert f"{module}.py" in known or module in {"compile", "types"}, file


def test_a_kernel_is_compiled_again_when_one_it_calls_has_changed(tmp_path):
    folder = tmp_path / "broadpeak" / "part" / "_kernels"
    folder.mkdir(parents=True)
    (folder / "inner.py").write_text("def inner(x):\n    return x + 1.0\n")
    (folder / "outer.py").write_text("def outer(x):\n    return inner(x) * 10.0\n")
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import importlib.util, pathlib, sys
            from broadpeak._core import compile as compiling

            folder = pathlib.Path({str(folder)!r})
            compiling.__file__ = str(folder.parents[1] / "_core" / "compile.py")

            def load(name, **names):
                spec = importlib.util.spec_from_file_location(name, folder / f"{{name}}.py")
                module = importlib.util.module_from_spec(spec)
                vars(module).update(names)
                spec.loader.exec_module(module)
                return compiling.kernel(getattr(module, name))

            print(load("outer", inner=load("inner"))(1.0))
            """
        )
    )

    def run() -> str:
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert run() == "20.0"
    (folder / "inner.py").write_text("def inner(x):\n    return x + 20.0\n")
    assert run() == "210.0"


EVERY_KIND = """
import sys
import numpy as np, broadpeak as bp

data = bp.Data.sample()["2005"]
one = data.select("IBM")
writable = one.close.to_numpy().copy()
entries = one.close > one.close.shift(1)
kinds = one.close, writable, one.array("close")[0], data.close, [1.0, 2.0]
for values in kinds:
    for name in ("sma", "ema", "rma", "wma", "highest", "rsi", "roc", "zscore", "macd", "bbands"):
        getattr(bp, name)(values, 5)
    bp.sma(values, [5, 6])
    bp.atr(values, values, values)
    bp.stoch(values, values, values, 5)
    bp.crossed_above(values, values)
    bp.crossed_below(values, 5.0)
for prices in (data, one):
    for name in ("ma", "macd", "stoch", "atr", "bbands"):
        for length in (5, [5, 6]):
            result = prices.run("bp:" + name, length)
            crossed = getattr(result, result.outputs[0] + "_crossed_above")
            crossed(5.0), crossed([5.0]), crossed(prices.close)
            if len(result.outputs) == 1:
                crossed(prices.run("bp:" + name, 7))
entries.bp.clean(~entries), entries.bp.rank()
for name, module in list(sys.modules.items()):
    if name.startswith(("broadpeak._indicators._kernels.", "broadpeak._signals._kernels.")):
        for kernel in vars(module).values():
            if len(getattr(kernel, "signatures", ())) > 1:
                print(name, kernel.__name__, kernel.signatures)
"""


def test_a_kernel_is_compiled_once_whatever_was_passed():
    done = subprocess.run(
        [sys.executable, "-c", EVERY_KIND], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def two_that_save_at_once(folder, stamps, keys):
    """Return cache files of two processes, of which the first writes its code last.

    Each one has read the index before the other wrote it.
    """
    one, two = (IndexDataCacheFile(str(folder), "kernel", stamp) for stamp in stamps)
    late = []
    one._save_data = lambda *written: late.append(written)
    two._load_index = dict
    compiling._LabelledFile(one).save(keys[0], "code of the first")
    compiling._LabelledFile(two).save(keys[1], "code of the second")
    del one._save_data, two._load_index
    one._save_data(*late[0])
    return one, two


@pytest.mark.parametrize(
    ("stamps", "keys"),
    [(("now", "now"), ("ints", "floats")), (("before", "now"), ("ints", "ints"))],
    ids=["other arguments", "other sources"],
)
def test_code_is_not_taken_for_what_it_is_not(tmp_path, stamps, keys):
    """Two processes that compile a kernel at once may write to one file."""
    _, two = two_that_save_at_once(tmp_path, stamps, keys)
    label, code = two.load(keys[1])
    assert code == "code of the first", "Numba is not mistaken any more"
    assert keys[0] in label
    assert compiling._LabelledFile(two).load(keys[1]) is None
    compiling._LabelledFile(two).save(keys[1], "code of the second")
    assert compiling._LabelledFile(two).load(keys[1]) == "code of the second"


def test_code_without_a_label_is_not_taken(tmp_path):
    file = IndexDataCacheFile(str(tmp_path), "kernel", "now")
    file.save("floats", "code from before there were labels")
    assert compiling._LabelledFile(file).load("floats") is None
    assert compiling._LabelledFile(file).load("ints") is None


def test_kernels_are_found_again_in_another_process():
    script = (
        "import numpy as np, broadpeak as bp; bp.sma(np.arange(9.0), 3); "
        "from broadpeak._indicators._kernels.windowed import mean; "
        "print(sum(mean.stats.cache_hits.values()), sum(mean.stats.cache_misses.values()))"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == ["1", "0"]


NOWHERE = """
import os, sys, tempfile, warnings
import numba.core.caching as caching

tempfile.tempdir = sys.argv[1]
for locator in (caching.InTreeCacheLocator, caching.UserWideCacheLocator):
    locator.from_function = classmethod(lambda cls, func, file: None)
import numpy as np, broadpeak as bp
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    print(bp.sma(np.arange(5.0), 2)[-1], bp.crossed_above(np.arange(5.0), 2.0).sum())
for one in said:
    print(one.message)
from broadpeak._indicators._kernels.windowed import mean
print(sum(mean.stats.cache_hits.values()))
"""


def run_nowhere(folder, **environment):
    done = subprocess.run(
        [sys.executable, "-c", NOWHERE, str(folder)],
        capture_output=True, text=True, check=True, env={**os.environ, **environment},
    )  # fmt: skip
    return done.stdout.splitlines()


def test_without_any_cache_folder_code_is_kept_among_temporary_files_and_that_is_said_once(
    tmp_path,
):
    """Also where the folder that the user chose cannot be made."""
    numbers, said, hits = run_nowhere(tmp_path, NUMBA_CACHE_DIR=os.devnull)
    assert numbers == "3.5 1"
    assert str(tmp_path) in said
    assert "NUMBA_CACHE_DIR" in said
    assert hits == "0"
    assert run_nowhere(tmp_path, NUMBA_CACHE_DIR=os.devnull)[-1] == "1"


def test_temporary_files_that_others_can_write_are_not_run(tmp_path):
    folder = tmp_path / f"broadpeak-kernels-{getpass.getuser()}"
    folder.mkdir()
    folder.chmod(0o777)
    numbers, said, _ = run_nowhere(tmp_path, NUMBA_CACHE_DIR=os.devnull)
    assert numbers == "3.5 1"
    assert "belongs to somebody else" in said
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_written_is_read(tmp_path):
    """As in an image that another user has filled."""
    with_folder = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    fill = "import numpy as np, broadpeak as bp; bp.sma(np.arange(9.0), 3)"
    subprocess.run([sys.executable, "-c", fill], check=True, env=with_folder)
    script = textwrap.dedent(
        """
        import os, warnings
        import numba.core.caching as caching
        warnings.simplefilter("error")
        locator = caching.UserProvidedCacheLocator
        locator.from_function = classmethod(lambda cls, func, file: None)
        may = os.access
        os.access = lambda path, mode: mode != os.W_OK and may(path, mode)
        import numpy as np, broadpeak as bp
        bp.sma(np.arange(9.0), 3)
        from broadpeak._indicators._kernels.windowed import mean
        print(sum(mean.stats.cache_hits.values()))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=with_folder
    )
    assert done.stdout.split() == ["1"]


def test_code_that_cannot_be_saved_runs_and_that_is_said(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    from broadpeak._indicators._kernels.windowed import mean

    fresh = compiling.kernel(mean.py_func)
    monkeypatch.setattr(fresh._cache, "_save_overload", full)
    monkeypatch.setattr(fresh._cache, "load_overload", lambda *_: None)
    compiling._say_once.cache_clear()
    out = np.empty(3)
    with pytest.warns(UserWarning, match="No space left on device.*broadpeak warm"):
        fresh(np.arange(3.0), 1, out)
    assert out.tolist() == [0.0, 1.0, 2.0]


def test_code_whose_handing_over_was_interrupted_runs(monkeypatch):
    def lost(*_):
        raise RuntimeError("no compiled object yet")

    from broadpeak._indicators._kernels.windowed import mean

    fresh = compiling.kernel(mean.py_func)
    monkeypatch.setattr(fresh._cache, "_save_overload", lost)
    monkeypatch.setattr(fresh._cache, "load_overload", lambda *_: None)
    out = np.empty(3)
    fresh(np.arange(3.0), 1, out)
    assert out.tolist() == [0.0, 1.0, 2.0]


def test_kernels_are_compiled_once_for_all_calls_of_one_kind_from_kernels():
    """Numba alone compiles one for the 0 that a counter begins with, and one for all else."""

    def inner(x, at):
        return x + at

    def outer(n):
        total = 0.0
        at = 0
        while at < n:
            total = inner(total, at)
            at += 1
        return total + inner(1.0, 7)

    inner = compiling.kernel(inner)
    assert compiling.kernel(outer)(4) == 14.0
    assert len(inner._called_by_kernels.overloads) == 1
    assert not inner.overloads, "nothing but kernels called it"
    assert inner(1.0, 2) == 3.0


def test_arrays_that_a_kernel_only_reads_may_be_of_both_kinds():
    def inner(values):
        return values[0]

    def outer(fixed):
        return inner(fixed) + inner(np.ones(1))

    inner = compiling.kernel(inner)
    compiling.reads_only(inner, "values")
    fixed = np.arange(1.0, 3.0)
    fixed.flags.writeable = False
    assert compiling.kernel(outer)(fixed) == 2.0
    assert len(inner._called_by_kernels.overloads) == 1


def test_an_array_that_is_said_to_be_only_read_cannot_be_written_to():
    def inner(values):
        values[0] = 1.0

    def outer():
        inner(np.ones(1))

    inner = compiling.kernel(inner)
    compiling.reads_only(inner, "values")
    with pytest.raises(TypingError, match=r"read ?only"):
        compiling.kernel(outer)()
