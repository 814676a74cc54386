# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak doctor`: versions, engines, the cache of compiled kernels, and cores."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import broadpeak as bp
from broadpeak._cli import console, flags
from broadpeak._core import env

REQUIRED = (
    "numpy",
    "pandas",
    "numba",
    "scipy",
    "plotly",
    "tqdm",
    "joblib",
    "loky",
    "typer",
    "rich",
)
OPTIONAL = (
    *("TA-Lib", "pathos", "mpire", "dask", "distributed", "ray"),
    *("optuna", "yfinance", "ccxt", "pyarrow"),
)


def doctor(*, as_json: flags.AsJson = False) -> None:
    """Show what this installation has, and what it could have."""
    found = examine()
    if as_json:
        console.show_json(found)
        return
    console.show_table(
        "Versions", ["package", "version"], list(found["versions"].items()), text_columns=2
    )
    console.show_table(
        "Optional packages",
        ["package", "version"],
        [(name, version or "not installed") for name, version in found["optional"].items()],
        text_columns=2,
    )
    console.show_table(
        "This machine",
        ["what", "state"],
        [
            ("cores", str(found["cores"])),
            ("engines", ", ".join(found["engines"])),
            ("compiled kernels kept on disk", "yes" if found["cache"]["on"] else "no"),
            ("kernel files", str(found["cache"]["files"])),
            ("kernel cache", found["cache"]["folder"]),
            ("kernel cache can be written", "yes" if found["cache"]["writable"] else "no"),
        ],
        text_columns=2,
        wrap=True,
    )


def examine() -> dict[str, Any]:
    """Return versions, engines, cores and the state of the kernel cache."""
    return {
        "versions": {
            "broadpeak": bp.__version__,
            "python": platform.python_version(),
            **{name: _version(name) or "missing" for name in REQUIRED},
        },
        "optional": {name: _version(name) for name in OPTIONAL},
        "engines": list(bp.engines.available()),
        "cores": _cores(),
        "cache": kernel_cache(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    """Return the cores this process may use, which in a container are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kernel_cache() -> dict[str, Any]:
    """Return where compiled kernels are kept: beside their source or in NUMBA_CACHE_DIR."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    spec = importlib.util.find_spec("broadpeak")
    origin = spec.origin if spec is not None else None
    folder = Path(chosen) if chosen else Path(origin or ".").parent
    files = sum(1 for _ in folder.rglob("*.nbc")) if folder.is_dir() else 0
    return {
        "on": env.numba_cache(),
        "folder": str(folder),
        "files": files,
        "writable": os.access(folder, os.W_OK),
    }
