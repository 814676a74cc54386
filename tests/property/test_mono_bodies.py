# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: E501  # pieces of bodies, one a line of thought
"""Whatever a body does, ``mono="auto"`` gives what ``mono=False`` gives: bits, labels and errors.

Bodies are drawn as text, from pieces that take lists and from pieces on which lists do something
else: repeat, join, compare, sort, count, aggregate over columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._merge.pieces import same_bits
from broadpeak._sweep import mono as mono_module
from broadpeak._sweep.mono import ListedCalls

LAWS = settings(max_examples=25)
MANY = settings(max_examples=800)
SAMPLE = bp.Data.sample()["2006-01":"2006-09"]
FRAME = pd.DataFrame(
    {name: getattr(SAMPLE.select("IBM"), name) for name in ("open", "high", "low", "close")}
)
DATA = {
    "one": SAMPLE.select("IBM"),
    "a list of one": SAMPLE.select(["IBM"]),
    "two": SAMPLE.select(["MSFT", "AAPL"]),
    "gaps": bp.Data.from_frames(
        {"A": FRAME, "B": FRAME.iloc[40:] * 1.5, "C": FRAME[np.arange(len(FRAME)) % 7 != 3]}
    ),
}

SAFE_WINDOWS = ["a", "b", "a", "b", "7"]
RISKY_WINDOWS = [
    "a * 2", "a + b", "max(a, b)", "min(a, b)", "a // 2 + 1", "a if a > b else b", "a or b", "int(a)",
    "[a, b][0]", "[a, b]", "len(str(a))", "abs(a - b) + 1", "a[0]", "sorted([a, b])[0]", "(a == b) + 1",
    "round(a)", "a % 5 + 2", "-a", "a & 7 | 1", "sum([a, b])", "{3: 4}.get(a, 5)", "f'{a}'", "a ** 1",
    "next(iter([a]))", "np.maximum(a, b)", "np.array(a)", "range(a)", "(a, b)", "list(range(a))[-1] + 1",
]  # fmt: skip
RESULTS = [
    "data.run('bp:ma', {w}{hide}).ma",
    "data.run('bp:ema', window={w}{hide}).ema",
    "data.run('bp:rsi', {w}{hide}).unpack()",
    "data.run('bp:bbands', {w}, 1.5{hide}).upper",
    "data.run('bp:atr', {w}{hide}, unpack=True)",
    "bp.sma(data.close, {w})",
    "bp.bbands(data.close, {w})[0]",
    "data.close",
    "bp.ema(bp.sma(data.close, {w}), {v})",
]
SAFE_SIGNALS = [
    "data.run('bp:ma', {w}{hide}).ma_crossed_above(data.run('bp:ma', {v}{hide}))",
    "data.run('bp:rsi', {w}{hide}).rsi_crossed_below({v})",
    "data.run('bp:ma', {w}{hide}).ma_crossed_below(data.close)",
    "bp.crossed_above(data.close, {r})",
    "({r}).bp.crossed_below({v})",
    "({r} > 30.0)",
    "({r} < {r2})",
]
RISKY_SIGNALS = [
    "({r} > a)", "({r}.rank(axis=1) > 1)", "({r} > {r}.mean())", "({r} > {r}.mean(axis=1))",
    "({r}.rolling(a).mean() > 40)", "({r}.shift(b) < {r2})", "{r}.apply(lambda x: x > x.mean())",
    "({r} ** 2 > {r2})", "pd.concat([{r}, {r2}], axis=1).iloc[:, 0] > 40",
]  # fmt: skip
SAFE_FIGURES = [
    "{pf}.sharpe_ratio", "{pf}.total_return * 100.0", "-{pf}.max_drawdown", "{pf}.num_trades",
    "{pf}.win_rate - 0.5", "{s}.sum()", "{s}.any()", "{s}.mean()", "{r}.iloc[-1]", "{r}.max()",
    "{r}.min()", "{r}.isna().sum()", "{pf}.value.iloc[-1]", "{pf}.total_return > 0.0", "{r}.isna().all()",
]  # fmt: skip
RISKY_FIGURES = [
    "{r}.sum()", "{r}.mean()", "{r}.std()", "float({pf}.sharpe_ratio)", "np.max({pf}.sharpe_ratio)",
    "{pf}.sharpe_ratio / {pf}.total_return", "{pf}.sharpe_ratio.max()", "1.0 / {pf}.total_return",
    "{pf}.num_trades * a", "len({r})", "{r}.shape[-1]", "{pf}.total_return if {pf}.num_trades > 3 else 0.0",
    "a", "1.0", "np.log({r}.iloc[-1])", "{pf}.stats()", "{pf}.metrics('net').iloc[0, 0]", "({r} - {r2}).iloc[-1]",
    "({r} * {r2}).iloc[-1]", "round({pf}.sharpe_ratio, 2)", "max({pf}.sharpe_ratio, 0.0)", "None",
    "{pf}.total_return + {pf}.win_rate", "bp.NoResult", "str(a)", "{r}.iloc[-1] * {pf}.win_rate", "data.symbols",
    "{r}.nunique()", "{r}.iloc[a]", "bool({s}.any())", "PF_OF(a).win_rate", "data.select(data.symbols[0])",
]  # fmt: skip
PATHS = ["{pf}.value", "{pf}.returns", "{s}", "{r}", "{r} * 2.0 - 1.0", "{r}.shift(1)", "~{s}"]
RISKY_PATHS = ["{r} - {r2}", "{r} / {pf}.value", "{r}.to_numpy()", "{r}.values", "{r}.T", "{r}.dropna()",
               "{r}.cumsum()", "{r}.iloc[5:]", "{s} & {s2}", "{s} | {s2}", "{r}.pct_change()"]  # fmt: skip


@st.composite
def bodies(draw: Any) -> str:
    """Return the text of a function; about a third of them have nothing but safe pieces."""
    is_risky = draw(st.integers(0, 2)) > 0

    def pick(safe: list[str], risky: list[str]) -> str:
        return draw(st.sampled_from([*safe, *risky] if is_risky else safe))

    def window() -> str:
        return draw(
            st.sampled_from(
                SAFE_WINDOWS + (RISKY_WINDOWS if is_risky and draw(st.booleans()) else [])
            )
        )

    hide = draw(st.sampled_from(["", ", hide_params=True"]))

    def result() -> str:
        return draw(st.sampled_from(RESULTS)).format(w=window(), v=window(), hide=hide)

    def signals() -> str:
        text = pick(SAFE_SIGNALS, RISKY_SIGNALS)
        filled = text.format(w=window(), v=window(), r=result(), r2=result(), hide=hide)
        return f"({filled})"

    def portfolio() -> str:
        settings_ = draw(
            st.sampled_from(
                [
                    "",
                    ", fees=0.001",
                    ", sl_stop=c",
                    ", fees=c, tp_stop=c",
                    ", size=c",
                    ", group_by=True",
                ]
            )
            if is_risky
            else st.sampled_from(
                ["", ", fees=0.001", ", sl_stop=c", ", fees=c, tp_stop=c", ", size=c"]
            )
        )
        return f"PF.from_signals(data, {signals()}, {signals()}{settings_})"

    def figure() -> str:
        text = draw(st.sampled_from([(SAFE_FIGURES, RISKY_FIGURES), (PATHS, RISKY_PATHS)]))
        return pick(*text).format(
            pf=portfolio(), s=signals(), s2=signals(), r=result(), r2=result()
        )

    lines = []
    if is_risky and draw(st.integers(0, 4)) == 0:
        lines.append(draw(st.sampled_from([
            "if a > b: return 0.0", "if a == 5: return bp.NoResult", "a = max(a, b)", "a = a * 1", "b = b + a",
            "if b: a = 4", "for x in (1, 2): a = x", "SEEN.append(a)", "data = data.select(data.symbols[0])",
            "assert a < 1000", "a, b = b, a", "a = [a]", "if a is None: return 1.0", "del a; a = 3",
        ])))  # fmt: skip
    if draw(st.integers(0, 5)) == 0:
        lines.append("data = data.select(d)")
    n = draw(st.sampled_from([1, 1, 2]))
    lines.append(f"return {', '.join(figure() for _ in range(n))}")
    return "def body(data, a, b, c, d):\n" + "".join(f"    {line}\n" for line in lines)


def PF_OF(window: int) -> Any:  # noqa: N802  # as the text has it
    return bp.PF.from_signals(DATA["one"], DATA["one"].close > window)


def function(text: str) -> Any:
    scope = {"bp": bp, "PF": bp.PF, "np": np, "pd": pd, "PF_OF": PF_OF, "SEEN": []}
    exec(text, scope)
    return scope["body"]


def outcome(body: Any, data: bp.Data, grid: dict[str, bp.Param], **options: Any) -> Any:
    try:
        return bp.parameterized(body, return_param_index=True, **options)(data, **grid)
    except Exception as error:
        return type(error), str(error)


def check_same(one: Any, other: Any) -> None:
    if isinstance(one, (tuple, list)):
        assert type(one) is type(other)
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            check_same(*pair)
    elif isinstance(one, pd.Index):
        pd.testing.assert_index_equal(one, other, exact=True)
    elif isinstance(one, (pd.Series, pd.DataFrame)) and not same_bits(one, other):
        same = pd.testing.assert_series_equal if one.ndim == 1 else pd.testing.assert_frame_equal
        same(one, other, check_exact=True)
    else:
        assert same_bits(one, other) or repr(one) == repr(other)


def check(text: str, kind: str, grid: dict[str, bp.Param], merge: Any) -> None:
    body, data = function(text), DATA[kind]
    symbols = [data.symbols[number % len(data.symbols)] for number in grid["d"]]
    grid = {**grid, "d": bp.Param(symbols)}
    got = outcome(body, data, grid, merge_func=merge)
    want = outcome(body, data, grid, merge_func=merge, mono=False)
    check_same(got, want)


@st.composite
def spaces(draw: Any) -> dict[str, bp.Param]:
    """Return at least sixteen combinations; windows may repeat, and be longer than the prices."""
    windows = st.one_of(st.integers(2, 40), st.sampled_from([1, 2, 5, 60, 200]))
    condition = draw(st.sampled_from([None, None, "a != b"]))
    a = draw(st.lists(windows, min_size=5, max_size=8))
    b = draw(st.lists(windows, min_size=5, max_size=7))
    c = draw(st.sampled_from([[0.01], [0.02, 0.1], [0.05, math.inf]]))
    d = draw(st.lists(st.integers(0, 2), min_size=1, max_size=2))
    return {"a": bp.Param(a), "b": bp.Param(b, condition=condition), "c": bp.Param(c), "d": d}


@LAWS
@given(
    bodies(),
    st.sampled_from(list(DATA)),
    spaces(),
    st.sampled_from([None, "concat", "column_stack"]),
)
def test_no_body_shows_whether_it_ran_as_lists(text, kind, grid, merge):
    check(text, kind, grid, merge)


@LAWS
@given(bodies(), st.sampled_from(list(DATA)), spaces())
def test_what_is_read_is_enough(text, kind, grid):
    """No comparison is needed: they are there for what nobody has thought of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mono_module, "same_bits", lambda one, other: True)
        check(text, kind, grid, None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@MANY
@given(
    bodies(),
    st.sampled_from(list(DATA)),
    spaces(),
    st.sampled_from([None, "concat", "column_stack"]),
)
def test_no_body_of_many_shows_it(text, kind, grid, merge):
    check(text, kind, grid, merge)


@pytest.mark.parametrize("pieces", [SAFE_FIGURES, PATHS], ids=["figures", "paths"])
def test_safe_pieces_do_run_as_lists(pieces, monkeypatch):
    """Else the laws above would hold for nothing."""
    seen: list[int] = []
    monkeypatch.setattr(mono_module, "_SLOWER", math.inf)
    monkeypatch.setattr(mono_module, "_LONGEST", math.inf)
    real = ListedCalls.on_lists
    monkeypatch.setattr(
        ListedCalls, "on_lists", lambda calls: (seen.append(len(calls)), real(calls))[1]
    )
    pf = "PF.from_signals(data, {s}, {s2}, fees=0.001)"
    s = SAFE_SIGNALS[0].format(w="a", v="b", hide=", hide_params=True")
    s2 = SAFE_SIGNALS[1].format(w="a", v="b", hide=", hide_params=True")
    grid = {
        "a": bp.Param([3, 5, 8, 13]),
        "b": bp.Param([4, 9, 30]),
        "c": bp.Param([0.1, 0.2]),
        "d": [0],
    }
    for piece in pieces:
        text = piece.format(pf=pf.format(s=s, s2=s2), s=s, r="data.run('bp:ma', a).ma")
        text = f"def body(data, a, b, c, d):\n    return {text}\n"
        for kind in DATA:
            seen.clear()
            check(text, kind, grid, None)
            assert sum(seen) > 20, text
