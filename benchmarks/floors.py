# SPDX-License-Identifier: BSD-3-Clause
"""The machine's floors: what the same bytes and the same events cost if nothing is done with them.

    python -m benchmarks.floors

Compiled here from C, on all cores. A backtest can be faster than the floor of reading its bars only
if it does not read them.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from benchmarks import cloop, workloads
from benchmarks.cases import Case, Result
from benchmarks.measuring import CORES, best, in_words
from benchmarks.workloads import N_BARS

SOURCE = r"""
#include <stdint.h>

/* Read both series of every pair: on how many bars the first one is above. */
void compare(const double *averages, int64_t bars, const int64_t *fast, const int64_t *slow,
             int64_t first, int64_t last, int64_t *found)
{
    for (int64_t pair = first; pair < last; pair++) {
        const double *a = averages + fast[pair] * bars, *b = averages + slow[pair] * bars;
        int64_t above = 0;
        for (int64_t t = 0; t < bars; t++)
            above += a[t] > b[t];
        found[pair] = above;
    }
}

/* Touch every event once: its bar's price is added to the sum of its pair. */
void touch(const int64_t *starts, const int32_t *bars, const double *prices, int64_t first,
           int64_t last, double *found)
{
    for (int64_t pair = first; pair < last; pair++) {
        double sum = 0.0;
        for (int64_t i = starts[pair]; i < starts[pair + 1]; i++)
            sum += prices[bars[i]];
        found[pair] = sum;
    }
}

/* Read memory from end to end. */
void total(const double *values, int64_t first, int64_t last, double *found)
{
    double sums[8] = {0};
    for (int64_t i = first; i + 8 <= last; i += 8)
        for (int k = 0; k < 8; k++)
            sums[k] += values[i + k];
    *found = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}
"""


def read(quick: bool) -> Result:
    """Read both float64 series of every pair."""
    library, windows = cloop.library(SOURCE), range(2, 62 if quick else 302)
    if library is None:
        return {"failed": "no C compiler"}
    fast, slow = (np.array(side, dtype=np.int64) - 2 for side in workloads.pairs(windows))
    rows = np.cumsum(np.random.default_rng(1).normal(size=(len(windows), N_BARS)), axis=1)
    found = np.zeros(len(fast), dtype=np.int64)

    def part(first: int, last: int) -> None:
        library.compare(
            cloop.pointer(rows), ctypes.c_int64(N_BARS), cloop.pointer(fast), cloop.pointer(slow),
            ctypes.c_int64(first), ctypes.c_int64(last), cloop.pointer(found),
        )  # fmt: skip

    job = cloop.in_threads(part, len(fast))
    job()
    assert found[0] == (rows[0] > rows[1]).sum()
    return {**best(job, 2.0)._asdict(), "n": len(fast)}


def events(quick: bool) -> Result:
    """Touch every event of as many pairs once: 38 a pair, as pairs of 300 averages have."""
    library, pairs, each = cloop.library(SOURCE), 1770 if quick else 44_850, 38
    if library is None:
        return {"failed": "no C compiler"}
    rng = np.random.default_rng(2)
    starts = np.arange(pairs + 1, dtype=np.int64) * each
    bars = np.sort(rng.integers(0, N_BARS, (pairs, each)), axis=1).astype(np.int32).ravel()
    prices, found = workloads.closes(), np.zeros(pairs)

    def part(first: int, last: int) -> None:
        library.touch(
            cloop.pointer(starts), cloop.pointer(bars), cloop.pointer(prices),
            ctypes.c_int64(first), ctypes.c_int64(last), cloop.pointer(found),
        )  # fmt: skip

    job = cloop.in_threads(part, pairs)
    job()
    assert abs(found[0] - prices[bars[:each]].sum()) < 1e-6
    return {**best(job, 2.0)._asdict(), "n": pairs}


def memory(quick: bool) -> Result:
    """Read 400 MB from end to end."""
    library = cloop.library(SOURCE)
    if library is None:
        return {"failed": "no C compiler"}
    values = np.ones(5_000_000 if quick else 50_000_000)
    sums = np.zeros(len(values))[: CORES * 64]

    def part(first: int, last: int) -> None:
        place = first * CORES // len(values) * 64
        library.total(
            cloop.pointer(values), ctypes.c_int64(first), ctypes.c_int64(last),
            ctypes.c_void_p(sums.ctypes.data + 8 * place),
        )  # fmt: skip

    return {**best(cloop.in_threads(part, len(values)), 2.0)._asdict(), "n": values.nbytes}


CASES: dict[str, Case] = {"read": read, "events": events, "memory": memory}


def said(case: str, found: dict[str, Any]) -> str:
    """Say in words what a floor is."""
    if "failed" in found:
        return f"failed: {found['failed']}"
    reached = found["n"] / found["wall"]
    if case == "memory":
        return f"{reached / 1e9:.3g} GB/s"
    text = f"{reached / 1e6:.3g} million pairs/s"
    if case == "read":
        return f"{text}, {CORES * found['wall'] / found['n'] / N_BARS * 1e9:.2g} ns a bar and core"
    return f"{text}, {CORES * found['wall'] / found['n'] / 38 * 1e9:.2g} ns an event and core"


def main() -> None:
    for name, case in CASES.items():
        found = case(False)
        print(f"{(case.__doc__ or name):75}{in_words(found['wall']):>9}  {said(name, found)}")


if __name__ == "__main__":
    main()
