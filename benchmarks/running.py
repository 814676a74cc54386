# SPDX-License-Identifier: BSD-3-Clause
"""Runs a case in a fresh process, and knows all of them.

python -m benchmarks.running pairs [--quick]     # in this process: what it found, as JSON
"""

from __future__ import annotations

import argparse
import tempfile

from benchmarks import calls, crossings, engines, floors, given, startup, training
from benchmarks.cases import Case, NotYetError, Result
from benchmarks.measuring import (
    FailedError,
    compilations,
    limit_memory,
    once,
    peak_mb,
    report,
    spawn,
)

CASES: dict[str, Case] = {
    **crossings.CASES, **given.CASES, **training.CASES, **calls.CASES, **startup.CASES,
    **floors.CASES,
}  # fmt: skip
# They start processes themselves, which is where they measure.
OUTSIDE: dict[str, Case] = {"import": lambda _: startup.imported(), **engines.CASES}


def child(case: str, quick: bool) -> None:
    """Measure one case in this process, and report."""
    limit_memory()
    if case in startup.CASES:
        report(CASES[case](quick))
        return
    import numba
    import pandas as pd

    import broadpeak as bp

    # What is imported is no part of the memory of a job.
    _ = numba, pd, bp.PF, bp.Data, bp.Param, bp.train, bp.parameterized, bp.sma
    before, seen = peak_mb(), compilations()
    try:
        result = CASES[case](quick)
    except NotYetError as error:
        report({"not_yet": str(error)})
        return
    except MemoryError:
        report({"failed": "out of memory"})
        return
    report({**result, "mb": result.get("peak", peak_mb()) - before, "compiled": seen()})


def run(case: str, quick: bool = False) -> Result:
    """Run a case in a process of its own; a second time if that one had to compile.

    What failed, or can't be done yet, is returned under `failed` or `not_yet`.
    """
    line = [case, *(["--quick"] if quick else [])]
    try:
        if case in OUTSIDE:
            return OUTSIDE[case](quick)
        if case in startup.CASES:
            return cold(line)
        result = spawn("benchmarks.running", *line)
        if result.get("compiled", 0) > result.get("own", 0):  # LLVM needs memory of its own
            result = spawn("benchmarks.running", *line)
    except FailedError as error:
        return {"failed": str(error)}
    return result


def cold(line: list[str]) -> Result:
    """Run a case where no kernel is compiled; its time is that of the whole process."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        env = {"NUMBA_CACHE_DIR": folder, "BROADPEAK_CACHE": folder}
        times = once(lambda: results.append(spawn("benchmarks.running", *line, env=env)))
    return {**results[0], **times._asdict()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=list(CASES))
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    child(args.case, args.quick)


if __name__ == "__main__":
    main()
