"""A file of a stranger: its digests are right, its rows are not. Nothing of it is ever run."""

import pathlib
import pickle
import random
import sqlite3
import struct
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import broadpeak as bp
from broadpeak._cli.app import app
from broadpeak._store.codec import encode
from broadpeak._store.file import NO_DIGESTS, added
from broadpeak._store.rows import RunRow, TrialRow
from broadpeak.errors import BroadpeakError


def quarter(a):
    return a / 4


class Bomb:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("a stranger was here"),)


def _sweep(path):
    return bp.parameterized(quarter, merge_func="concat", store=path)(bp.Param([1, 2]))


def _plant(path, value=None, label=None, **head_changes):
    """Write a row whose digests are right into the store at `path`."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    fields = "id, key, name, data, settings, version, created, trials, seconds, total"
    head = RunRow(*connection.execute(f"SELECT {fields} FROM runs").fetchone())
    rows = [
        TrialRow(*row)
        for row in connection.execute(
            "SELECT key, number, label, value, seconds, created FROM trials ORDER BY number"
        )
    ]
    rows[0] = replace(
        rows[0],
        value=rows[0].value if value is None else value,
        label=rows[0].label if label is None else label,
    )
    total = NO_DIGESTS
    for row in rows:
        total = added(total, row.digest(head.key))
    head = replace(head, total=total, **head_changes)
    connection.execute(
        "UPDATE trials SET value = ?, label = ?, digest = ? WHERE number = 0",
        (rows[0].value, rows[0].label, rows[0].digest(head.key)),
    )
    connection.execute(
        "UPDATE runs SET trials = ?, seconds = ?, total = ?, digest = ?",
        (head.trials, head.seconds, head.total, head.digest()),
    )
    connection.commit()
    connection.close()


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _sweep("a.db")
    return tmp_path / "a.db"


def _ask_everybody(path):
    """Read the store in every way there is; return the texts of the errors."""
    errors = []
    for ask in (
        lambda: bp.Store(path).runs(),
        lambda: bp.Store(path).ledger(),
        lambda: bp.Store(path).trials(1),
        lambda: bp.Store(path).export(path.with_name("out.csv")),
        lambda: _sweep(path),
    ):
        try:
            ask()
        except bp.StoreError as error:
            errors.append(str(error))
    for extra in ([], ["--run", "1"], ["--run", "1", "--json"]):
        result = CliRunner().invoke(app, ["store", str(path), *extra])
        assert result.exception is None or isinstance(result.exception, (SystemExit, bp.StoreError))
    for made in path.parent.glob("out.csv"):
        made.unlink()
    assert {one.name.removeprefix("a.db") for one in path.parent.iterdir()} <= {"", "-wal", "-shm"}
    return errors


VALUES = {
    "a pickle": b"P" + pickle.dumps(Bomb()),
    "no value": b"V~",
    "a name to call": b'V{"$":"record","home":"broadpeak._store.codec:decode","v":{}}',
    "a promise of gigabytes": b"Vl" + struct.pack("<Q", 1 << 40),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_crafted_result_is_reported_by_all_that_read_it(store, value):
    _plant(store, value=value)
    errors = _ask_everybody(store)
    assert len(errors) == 3  # trials, export and the sweep; the others read no results
    assert all("run 1, row 0" in text for text in errors)


@pytest.mark.parametrize(
    "label", [b"P" + pickle.dumps(Bomb()), b"V~", encode([1], trust=False)], ids=["a", "b", "c"]
)
def test_a_crafted_label_is_reported(store, label):
    _plant(store, label=label)
    assert len(_ask_everybody(store)) == 2  # the sweep does not read labels


def test_a_stranger_is_not_trusted_even_where_pickles_may_be(store):
    _plant(store, value=b"P" + pickle.dumps(Bomb()))
    with pytest.raises(bp.StoreError, match=r"row 0.*only on trust.*trust=True"):
        bp.Store(store).trials(1)
    bp.Store(store, trust=True).trials(1)  # the user said so
    assert pathlib.Path("a stranger was here").exists()


ODD = [
    *(10**5000, "\ud800", "[/red]", "[link=x]y", "\x1b[2J", "a\nb\0c", float("nan"), -0.0),
    *(range(10**18), [[]] * 50, {1: {2: {}}}, np.zeros((3, 3)), np.zeros(0), b"\xff", 1j),
    *(bp.NoResult, None, {"value": 1}, np.array([None, [1]], dtype=object), np.float16(1)),
]


@pytest.mark.parametrize("value", ODD, ids=[str(at) for at in range(len(ODD))])
def test_odd_results_are_shown_or_reported_and_never_raw(store, value):
    _plant(store, value=encode(value, trust=False))
    frame = bp.Store(store).trials(1)
    assert len(frame) == 2
    assert type(frame["value"][0]) is type(value) or isinstance(value, float)
    for extra in ([], ["--run", "1"], ["--run", "1", "--json"], ["--export", "x.csv"]):
        result = CliRunner().invoke(app, ["store", str(store), *extra])
        assert result.exit_code == 0 or isinstance(result.exception, bp.StoreError), result.output
    with suppress(bp.StoreError):
        bp.Store(store).export("x.parquet")


@pytest.mark.parametrize(
    "label",
    [{}, {"": 1}, {"value": 1}, {"a": [1, 2]}, {"a": range(10**18)}, {"\ud800": "\ud800"}],
    ids=str,
)
def test_odd_labels_are_shown_or_reported(store, label):
    _plant(store, label=encode(label, trust=False))
    assert len(bp.Store(store).trials(1)) == 2
    _ask_everybody(store)


@pytest.mark.parametrize("changes", [{"trials": 3}, {"trials": 1}, {"trials": 1 << 61}])
def test_a_crafted_count_is_reported(store, changes):
    _plant(store, **changes)
    assert len(_ask_everybody(store)) >= 2


def test_a_training_does_not_take_just_any_tuple(tmp_path):
    from broadpeak._training.evaluation import Evaluation

    good = (0.5, None, False, False, 0, None, None, (0.25, 0.75))
    assert Evaluation.of(good).score == 0.5
    odd = ((*good[:-1], half) for half in ((1.0,), (1.0, "x"), (1.0, 2.0, 3.0)))
    for bad in ((), 1, "abcdefgh", ("x", *good[1:]), (*good, 1), (0.5, (1.0,), *good[2:]), *odd):
        with pytest.raises(bp.StoreError, match="must be evaluations"):
            Evaluation.of(bad)


def test_a_step_of_several_components_does_not_either(tmp_path):
    from broadpeak._training.pooled import PooledEvaluation

    one = (0.5, None, False, False, 0, None, None, None)
    assert PooledEvaluation.of((one, (one, one)), 2).own[1].score == 0.5
    for bad in (1, one, (one,), (one, one), (one, (one,)), (one, (one, 1)), (1, (one, one))):
        with pytest.raises(bp.StoreError, match="must be evaluations"):
            PooledEvaluation.of(bad, 2)


def _fuzz(store, n, seed):
    rng = random.Random(seed)
    seeds = [encode(value, trust=False) for value in ODD] + list(VALUES.values())
    for _ in range(n):
        raw = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        is_label = rng.random() < 0.2
        _plant(store, **{"label" if is_label else "value": bytes(raw)})
        with suppress(bp.StoreError), bp.Store(store) as opened:
            opened.trials(1)
        if rng.random() < 0.1:
            with suppress(BroadpeakError):  # a value of another kind may not fit the merge
                _sweep(store)
        _plant(store, value=seeds[0], label=encode({"a": 1}, trust=False))
    assert not pathlib.Path("a stranger was here").exists()


def test_some_crafted_rows_are_right_or_reported(store):
    _fuzz(store, 60, seed=3)


@pytest.mark.slow
def test_thousands_of_crafted_rows_are_right_or_reported(store):
    _fuzz(store, 5000, seed=4)
