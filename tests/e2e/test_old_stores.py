# SPDX-License-Identifier: BSD-3-Clause
"""Stores that released versions wrote are read, searched and continued."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store import codec
from broadpeak._store.claims import Owner
from broadpeak._store.store import Record

sys.path.insert(0, str(Path(__file__).parent))
from store_values import N_HALF, VALUES, third

STORES = Path(__file__).parent / "stores"
RELEASES = sorted(one.name for one in STORES.iterdir())


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _unpacked(release: str, name: str, folder: Path) -> tuple[Path, Any]:
    """Return a copy of a store, and what was in it when it was written."""
    with zipfile.ZipFile(STORES / release / f"{name}.zip") as packed:
        packed.extractall(folder)
    return folder / f"{name}.db", json.loads((STORES / release / f"{name}.json").read_text())


def test_this_version_has_its_stores() -> None:
    assert bp.__version__ in RELEASES, "run: python tools/write_store_fixtures.py"


@pytest.mark.parametrize("name", ["values", "killed", "searched"])
def test_what_was_in_it_is_in_it(tmp_path: Path, release: str, name: str) -> None:
    path, there = _unpacked(release, name, tmp_path)
    with bp.Store(path) as store:
        runs, ledger = store.runs(), store.ledger()
        assert {key: runs[key].tolist() for key in there["runs"]} == there["runs"]
        assert {key: ledger[key].tolist() for key in there["ledger"]} == there["ledger"]
        for run, columns in there["trials"].items():
            trials = store.trials(int(run))
            assert {key: trials[key].tolist() for key in columns} == columns


def test_values_of_each_kind_come_back(tmp_path: Path, release: str) -> None:
    path, _ = _unpacked(release, "values", tmp_path)
    with bp.Store(path) as store:
        trials = store.trials(1)
        for name, value in zip(trials["name"], trials["value"], strict=True):
            # What is equal to the last bit has the same code.
            wanted = codec.encode(VALUES[name], trust=False)
            assert codec.encode(value, trust=False) == wanted, name
        assert set(trials["name"]) <= set(VALUES)
        assert len(trials) >= 27
        store.export(tmp_path / "a.csv")
    assert len(pd.read_csv(tmp_path / "a.csv")) == len(trials)


def test_a_killed_run_is_whole_and_goes_on(tmp_path: Path, release: str) -> None:
    path, _ = _unpacked(release, "killed", tmp_path)
    assert Path(f"{path}-wal").exists()
    with bp.Store(path) as store:
        trials = store.trials(1)
        assert trials["a"].tolist() == list(range(N_HALF))
        assert trials["value"].tolist() == [third(a) for a in range(N_HALF)]
        head = store._file.read(store._rows.heads)[0]
        query = "SELECT keys FROM claims WHERE run = 1"
        claims = store._file.read(lambda connection: connection.execute(query).fetchall())
        assert len(claims) == 1  # of the process that was killed
        keys = store._file.read(lambda connection: store._rows.all_rows(connection, 1))[1]
        # As a run of this version would, if it were the same call.
        assert store.begin(head.key, name="n", data=None, settings={}) == 1
        assert sorted(value for _, value in store.find(1, [row.key for row in keys])) == sorted(
            trials["value"]
        )
        owner = Owner()
        assert store.claim(1, owner.name, [b"new"], [], N_HALF).granted == {b"new"}
        assert store.add(1, [Record(b"new", {"a": 9}, 3.0, 0.1)]) == []
        assert store.add(1, [Record(keys[0].key, {"a": 0}, 7.0, 0.1)]) == [keys[0].key]
        owner.leave()
        store.release(1, owner.name)
    with bp.Store(path) as store:
        assert store.trials(1)["value"].tolist() == [*(third(a) for a in range(N_HALF)), 3.0]


def test_its_searches_are_counted(tmp_path: Path, release: str) -> None:
    path, there = _unpacked(release, "searched", tmp_path)
    data = bp.Data.sample("IBM")["2004":"2006"]  # type: ignore[misc]
    searches = bp.Store(path).searches(data)
    assert searches["name"].tolist() == ["crossing", "_mean"]
    assert searches["trials"].tolist() == there["runs"]["trials"][:2]


def test_it_takes_new_runs(tmp_path: Path, release: str) -> None:
    path, there = _unpacked(release, "values", tmp_path)
    sweep = bp.parameterized(third, merge_func="concat", store=path)
    assert sweep(bp.Param([3, 6])).tolist() == [1.0, 2.0]
    with bp.Store(path) as store:
        assert len(store.runs()) == len(there["runs"]["run"]) + 1
        assert len(store.trials(1)) == there["runs"]["trials"][0]
