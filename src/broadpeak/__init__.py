# SPDX-License-Identifier: BSD-3-Clause
"""Sweep strategy parameters fast, pick the broad peak, and prove the choice out of sample.

Names load on first use: a bare import loads neither pandas nor numba, scipy or plotly.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

# Public name -> module it lives in (under broadpeak). A name that ends in "*" is the module itself.
_HOMES: dict[str, str] = {}
for _module, _names in {
    "errors": (
        "BroadpeakError ConditionError DataError EngineError MissingExtraError NoResultsError "
        "ParamError ParFileError StoreError StrategyError TaskError"
    ),
    "types": "NoResult atomic_dict",
    "_core.caches": "flush",
    "_core.accessor": "register_accessor",
    "space.param": "Param",
    "space.grid": "ParamGrid",
    "space.combine": "combine_params",
    "merge.rules": "MergeFunc resolve_merge_func",
    "engines.base": "Task Outcome",
    "sweep.templates": "Rep RepEval RepFunc Sub",
    "sweep.execute": "execute",
    "sweep.parameterized": "parameterized",
    "sweep.iterated": "iterated",
    "sweep.chunked": "chunked",
    "sweep.wrappers": "Chunked ChunkedArray ChunkedCount ChunkedShape NotChunked",
    "sweep.takers": (
        "ChunkSelector ChunkSlicer CountAdapter ShapeSelector ShapeSlicer ArraySelector "
        "ArraySlicer FlexArraySlicer SequenceTaker MappingTaker ArgsTaker KwargsTaker"
    ),
    "sweep.sizers": "ArgSizer CountSizer LenSizer ShapeSizer ArraySizer",
    "data.data": "Data",
    "indicators.moving": "sma ema wma rma highest lowest",
    "indicators.oscillators": "rsi macd stoch roc zscore",
    "indicators.volatility": "atr bbands",
    "indicators.talib": "talib_func",
    "triggers.cross": "crossed_above crossed_below",
    "portfolio.portfolio": "Portfolio PF",
    "portfolio.costs": "Costs",
    "search.select": "select Hill Plateau Peak Selection",
    "storage.store": "Store",
    "storage.par": "read_par Parameters",
    "training.strategy": "strategy",
    "training.train": "train",
    "training.evaluate": "test signals",
    "training.stats": "Stats",
    "training.result": "Training",
    "training.optimal_f": "optimal_f",
    "validation.splits": "split_walk_forward",
    "validation.walkforward": "walk_forward",
}.items():
    _HOMES.update(dict.fromkeys(_names.split(), _module))

# Public modules that are reached as attributes: bp.engines.available(), bp.objectives["prr"], …
_MODULES = {
    "engines": "engines",
    "testing": "testing",
    "objectives": "training.objectives",
    "searchers": "search.searchers",
    "splits": "validation.splits",
    "stats": "stats",
}

__all__ = sorted([*_HOMES, *_MODULES])  # noqa: PLE0605  # computed from the tables above


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    else:
        hint = importlib.import_module(f"{__name__}._core.check").did_you_mean(name, __all__)
        msg = f"module 'broadpeak' has no attribute {name!r}. {hint}".rstrip()
        raise AttributeError(msg)
    globals()[name] = value
    _register_accessor()
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _register_accessor() -> None:
    """Register `.bp` if pandas is there: then it costs nothing, and `series.bp` works at once."""
    if "pandas" in sys.modules:
        importlib.import_module(f"{__name__}._core.accessor").register()


_register_accessor()
