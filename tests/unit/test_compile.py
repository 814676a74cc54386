"""Compiled kernels: cached on disk, and never older than a kernel they call."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

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
