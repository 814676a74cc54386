# SPDX-License-Identifier: BSD-3-Clause
"""Write the stores by which later versions are tested: what this version leaves on a disk.

    python tools/write_store_fixtures.py

They go to ``tests/e2e/stores/VERSION``, with what was in them beside them. Run it once a release,
before the version is tagged, and commit what it writes; what was released stays as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "e2e"
sys.path.insert(0, str(TESTS))

from store_values import VALUES, crossing, value_of  # noqa: E402

import broadpeak as bp  # noqa: E402  # after the folder above
from broadpeak._store.file import FORMAT  # noqa: E402

KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from store_values import N_ALL, N_HALF, third
import broadpeak as bp

def third_or_end(a):
    if a == N_HALF:
        os._exit(9)
    return third(a)

bp.parameterized(third_or_end, merge_func="concat", store=sys.argv[2], store_key="killed")(
    bp.Param(range(N_ALL))
)
"""


def write_values(path: Path) -> None:
    """Write a run with a value of every kind."""
    sweep = bp.parameterized(value_of, merge_func=list, store=path, store_key="values")
    sweep(name=bp.Param(list(VALUES)))


def write_killed(path: Path) -> None:
    """Write a run that was killed, with its log and its claims."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(TESTS), str(path)], check=False)
    if done.returncode != 9:
        raise SystemExit(f"the run was to be killed, got {done.returncode}")


def write_searched(path: Path) -> None:
    """Write two searches on prices, and a run on others."""
    data = bp.Data.sample("IBM")["2004":"2006"]
    bp.train(crossing, data, min_trades=1, store=path)
    bp.parameterized(_mean, merge_func="concat", store=path)(data, bp.Param([1, 2, 3]))
    bp.parameterized(_mean, merge_func="concat", store=path)(
        bp.Data.sample("AAPL")["2005"], bp.Param([4])
    )


def _mean(data: bp.Data, factor: int) -> float:
    return float(data.close.mean()) * factor


def main() -> None:
    """Write all of them."""
    target = TESTS / "stores" / bp.__version__
    target.mkdir(parents=True, exist_ok=True)
    for write in (write_values, write_killed, write_searched):
        name = write.__name__.removeprefix("write_")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.db"
            write(path)
            with zipfile.ZipFile(target / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
                for suffix in ("", "-wal"):
                    part = Path(f"{path}{suffix}")
                    if part.exists():
                        packed.write(part, part.name)
            with bp.Store(path) as store:
                runs, ledger = store.runs(), store.ledger()
                found = {
                    "runs": runs.to_dict("list"),
                    "ledger": ledger.to_dict("list"),
                    "trials": {
                        str(run): store.trials(run)[["seconds", "created"]].to_dict("list")
                        for run in runs["run"]
                    },
                }
        text = json.dumps({"format": FORMAT, **found}, indent=1)
        (target / f"{name}.json").write_text(text + os.linesep)
        print(target / f"{name}.zip")


if __name__ == "__main__":
    main()
