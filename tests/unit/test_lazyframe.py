# SPDX-License-Identifier: BSD-3-Clause
"""pandas objects whose values wait for a look: nobody can tell them from plain ones."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from broadpeak._core import lazyframe
from broadpeak._core.lazyframe import (
    LazyIndex,
    is_frozen,
    labels_of,
    lazy_frame,
    lazy_series,
    recipe_of,
)

INDEX = pd.date_range("2024-01-01", periods=4)
VALUES = np.array([[True, False, True, True], [False, False, True, False]])


class Counted:
    """A recipe that counts how often its values are made."""

    def __init__(self, values=VALUES):
        self.values, self.made = values, 0

    @property
    def shape(self):
        return self.values.shape

    def bools(self):
        self.made += 1
        return self.values.copy()


LABELS = LazyIndex(lambda: pd.Index([10, 20], name="window"))


def frame(recipe=None, labels=LABELS):
    return lazy_frame(recipe or Counted(), INDEX, labels)


def series(recipe=None):
    return lazy_series(recipe or Counted(VALUES[:1]), INDEX, "IBM")


def plain_frame():
    return pd.DataFrame(VALUES.T.copy(), INDEX, pd.Index([10, 20], name="window"))


def plain_series():
    return pd.Series(VALUES[0].copy(), INDEX, name="IBM")


MAKERS = [
    pytest.param(frame, plain_frame, pd.DataFrame, pd.testing.assert_frame_equal, id="frame"),
    pytest.param(series, plain_series, pd.Series, pd.testing.assert_series_equal, id="series"),
]


def test_this_pandas_keeps_its_values_where_they_can_wait() -> None:
    # If pandas has moved them, values are made at once: right, but as slow as ever.
    assert lazyframe.IS_POSSIBLE


@pytest.mark.parametrize(("lazy", "plain", "kind", "same"), MAKERS)
class TestLikePlain:
    def test_equal_either_way_round(self, lazy, plain, kind, same) -> None:
        same(lazy(), plain())
        same(plain(), lazy())
        same(lazy(), lazy())
        assert lazy().equals(plain())
        assert plain().equals(lazy())

    def test_class(self, lazy, plain, kind, same) -> None:
        one = lazy()
        other = pd.Series if kind is pd.DataFrame else pd.DataFrame
        assert isinstance(one, kind)
        assert not isinstance(one, other)
        assert type(one) == kind  # noqa: E721
        assert kind == type(one)  # noqa: E721
        assert {kind: 1}[type(one)] == 1
        assert one.__class__ is kind
        assert isinstance(plain(), type(one))
        assert issubclass(kind, type(one))
        assert repr(type(one)) == repr(kind)
        assert recipe_of(one) is not None
        one.sum()
        assert type(one) is kind
        assert recipe_of(one) is None

    @pytest.mark.parametrize("module", [pickle, cloudpickle])
    def test_travels(self, lazy, plain, kind, same, module) -> None:
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            arrived = module.loads(module.dumps(lazy(), protocol))
            assert type(arrived) is kind
            same(arrived, plain())

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: x.copy()])
    def test_copies(self, lazy, plain, kind, same, copied) -> None:
        one = lazy()
        other = copied(one)
        assert type(other) is kind
        other.iloc[0] = False
        same(one, plain())

    def test_labels_without_a_look(self, lazy, plain, kind, same) -> None:
        one = lazy()
        assert one.index is INDEX
        assert len(one) == 4
        if kind is pd.DataFrame:
            assert one.shape == (4, 2)
            assert one.columns is one.columns
            assert one.columns.equals(plain().columns)
        else:
            assert one.name == "IBM"
        assert recipe_of(one) is not None

    def test_prints(self, lazy, plain, kind, same) -> None:
        assert repr(lazy()) == repr(plain())
        assert str(lazy()) == str(plain())
        assert set(dir(lazy())) == set(dir(plain()))

    def test_has_no_hash_and_can_be_referred_to_weakly(self, lazy, plain, kind, same) -> None:
        one = lazy()
        with pytest.raises(TypeError, match="unhashable"):
            hash(one)
        other = weakref.ref(one)
        assert other() is one
        del one
        gc.collect()
        assert other() is None

    def test_attributes_can_be_set(self, lazy, plain, kind, same) -> None:
        one = lazy()
        one.attrs["source"] = "here"
        assert one.attrs == {"source": "here"}
        assert one.copy().attrs == {"source": "here"}
        one = lazy()
        one.index = list("abcd")
        assert one.index.tolist() == list("abcd")
        one = lazy()
        one.flags.allows_duplicate_labels = False
        assert not one.copy().flags.allows_duplicate_labels
        assert set(vars(one)) == set(vars(plain()))

    def test_can_be_written_to(self, lazy, plain, kind, same) -> None:
        recipe = Counted(VALUES if kind is pd.DataFrame else VALUES[:1])
        one, other = lazy(recipe), plain()
        one.iloc[1] = True
        other.iloc[1] = True
        same(one, other)
        assert recipe.made == 1

    def test_numpy_sees_it(self, lazy, plain, kind, same) -> None:
        assert np.asarray(lazy()).tolist() == np.asarray(plain()).tolist()
        same(lazy() & plain(), plain())
        same(np.logical_not(lazy()), ~plain())

    def test_many_threads_at_once(self, lazy, plain, kind, same) -> None:
        start = threading.Barrier(8)
        recipe = Counted(VALUES if kind is pd.DataFrame else VALUES[:1])
        one = lazy(recipe)
        seen, failed = [], []

        def look() -> None:
            start.wait()
            try:
                seen.append(one.index)
                seen.append(one._mgr)
                same(one, plain())
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        managers = [value for value in seen if value is not INDEX]
        assert len({id(manager) for manager in managers}) == 1
        assert type(one) is kind


def test_a_renamed_series_still_waits() -> None:
    one = series()
    one.name = "MSFT"
    assert recipe_of(one) is not None
    assert one.sum() == 3
    assert one.name == "MSFT"


def test_the_look_happens_once_and_forgets_the_recipe() -> None:
    recipe = Counted()
    gone = weakref.ref(recipe)
    one = frame(recipe)
    assert recipe_of(one) is recipe
    one.sum()
    one.mean()
    assert recipe.made == 1
    assert recipe_of(one) is None
    assert labels_of(one) is None
    del recipe
    gc.collect()
    assert gone() is None


def test_labels_are_shared_and_made_once_but_renamed_alone() -> None:
    made = []
    labels = LazyIndex(lambda: made.append(1) or pd.MultiIndex.from_product([[1, 2], ["a"]]))
    up, down = frame(labels=labels), frame(labels=labels)
    assert made == []
    assert labels_of(up) is labels_of(down) is labels
    assert up.columns.is_(down.columns)
    up.columns.names = ["window", "symbol"]
    assert list(down.columns.names) == [None, None]
    assert made == [1]
    assert list(up.sum().index.names) == ["window", "symbol"]


def test_a_thread_that_comes_late_does_not_undo_a_change() -> None:
    one = frame()
    inside = one.__dict__

    class Slow(Counted):
        def bools(self):
            # While this thread makes the values, another one has, and has changed them.
            if self.made == 0:
                self.made += 1
                del one[10]
            return VALUES.copy()

    inside["_mgr"].recipe = Slow()
    assert one.to_numpy().shape == (4, 1)
    assert one.columns.tolist() == [20]


def test_where_pandas_moves_its_values_they_are_made_at_once(monkeypatch) -> None:
    monkeypatch.setattr(lazyframe, "IS_POSSIBLE", False)
    assert type(frame()) is pd.DataFrame
    assert type(series()) is pd.Series
    pd.testing.assert_frame_equal(frame(), plain_frame())
    pd.testing.assert_series_equal(series(), plain_series())


def test_plain_values_have_no_recipe() -> None:
    for value in (plain_frame(), plain_series(), VALUES, None, 1.0, "x"):
        assert recipe_of(value) is None
        assert labels_of(value) is None


def test_frozen() -> None:
    owner = np.zeros(4)
    view = owner[1:]
    view.setflags(write=False)
    assert not is_frozen(owner)
    assert not is_frozen(view)
    owner.setflags(write=False)
    assert is_frozen(owner)
    assert is_frozen(owner[1:][::2])
    assert not is_frozen([1.0])
