# SPDX-License-Identifier: BSD-3-Clause
"""Models that a strategy fits on its training window, and what carries them into tests: `s.fit`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, TypeAlias

from broadpeak._core import check
from broadpeak._run.carried import Carried
from broadpeak._training.components import Bars
from broadpeak.errors import StrategyError

FitFunction: TypeAlias = Callable[[Bars], Any]
"""What a user passes: it gets the bars of the training, and what it returns is the model."""

MOST_RECENT = 32


class ModelKey(NamedTuple):
    """By what a model is known.

    `values` are those of the parameters that the strategy had asked for before it: no other can
    have changed the model.
    """

    component: str
    key: Hashable
    values: tuple[float, ...]


class FittedModels:
    """The models of one training; a search keeps the last few, a result those of its values.

    Parameters
    ----------
    known : mapping of ModelKey to object, optional
        Models that were fitted already.
    lacking : str, optional
        What to say of a model that is not known; None: it is fitted.
    """

    __slots__ = ("_kept", "_known", "_lacking")

    def __init__(
        self, known: Mapping[ModelKey, object] | None = None, lacking: str | None = None
    ) -> None:
        self._known: dict[ModelKey, object] = dict(known or {})
        self._kept: frozenset[ModelKey] = frozenset()
        self._lacking = lacking

    def model(self, key: ModelKey, bars: Bars, func: FitFunction) -> object:
        """Return the model, fitted on `bars` if that is allowed and was not done before.

        Raises
        ------
        StrategyError
            If it must be known and is not.
        """
        if key in self._known:
            return self._known[key]
        if self._lacking is not None:
            msg = f"s.fit({key.key!r}) must find a model that a training fitted, {self._lacking}"
            raise StrategyError(msg)
        # Threads of one search may fit the same model: all of them go on with the first.
        found = self._known.setdefault(key, check.finished(func(bars)))
        if len(self._known) - len(self._kept) > MOST_RECENT:
            oldest = next((one for one in list(self._known) if one not in self._kept), None)
            self._known.pop(oldest, None)  # type: ignore[arg-type]  # None is no key
        return found

    def keep(self) -> None:
        """Keep the models known by now, however many follow."""
        self._kept = frozenset(self._known)

    def held(self) -> FittedModels:
        """Return the same models, to which none can be added."""
        text = "got none of these parameter values. Call it with the same key in every run."
        return FittedModels(self._known, text)

    def items(self) -> Mapping[ModelKey, object]:
        """Return the models by key."""
        return self._known

    def __len__(self) -> int:
        return len(self._known)

    def __reduce__(self) -> tuple[object, ...]:
        if self._lacking is None:
            return FittedModels, ()  # a worker fits its own
        return FittedModels, (Carried(self._known), self._lacking)


def trained_models(known: Mapping[ModelKey, object]) -> FittedModels:
    """Return the models that a training carries into tests and trading."""
    return FittedModels(known, _OTHER_VALUES)


_OTHER_VALUES = (
    "got a training without one of this component, key and these parameter values. Train with "
    "these assets, and call s.fit() with the same key in every run."
)
NO_TRAINING = (
    "got no training. Pass the Training itself, as in bp.test(strategy, data, training): parameter "
    "files and dicts hold numbers only. pickle keeps a training for later."
)


def no_models() -> FittedModels:
    """Return what a run without a training has: no models, and words that say so."""
    return FittedModels(None, NO_TRAINING)
