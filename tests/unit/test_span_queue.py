# SPDX-License-Identifier: BSD-3-Clause
"""Tasks that are claimed in stretches: how many are left, whoever had them meanwhile."""

from __future__ import annotations

import pytest

from broadpeak import Task
from broadpeak._core.spans import PositionSpans
from broadpeak._run.chunks import Chunk
from broadpeak._run.spanqueue import SpanQueue
from broadpeak._store.keptstate import pack, unpack


class Granting:
    """Grants all but what another process holds, which is given up after one look."""

    def __init__(self, held: PositionSpans) -> None:
        self.held = held

    def claim_span(
        self, wanted: PositionSpans, *, whole: bool
    ) -> tuple[PositionSpans, PositionSpans]:
        del whole
        return wanted.minus(self.held), PositionSpans()


def taken(queue: SpanQueue, n: int) -> list[int]:
    found: list[int] = []
    while (batch := queue.take(n)) is not None:
        assert queue.n_left is not None
        assert queue.n_left >= 0
        found += batch.positions
        queue.finish(batch, len(batch))
    return found


@pytest.mark.parametrize("n", [1, 3, 50])
def test_tasks_that_come_again_are_counted_as_left(n: int) -> None:
    tasks = [Task(abs, number) for number in range(20)]
    away = PositionSpans([range(5, 9)])
    queue = SpanQueue(tasks, [Chunk(0, range(20))], claims=Granting(away), n_tasks=20)
    first = taken(queue, n)
    assert sorted(first) == [*range(5), *range(9, 20)]
    queue.offer(queue.away())
    assert queue.n_waiting() == 4
    assert taken(queue, n) == [5, 6, 7, 8]
    queue.append(PositionSpans([range(2), range(15, 18)]))  # lost again
    assert queue.n_waiting() == 5
    queue._claims.held = PositionSpans()
    assert taken(queue, n) == [0, 1, 15, 16, 17]
    assert queue.n_waiting() == 0


@pytest.mark.parametrize("items", [[{}, {}], [{"a": {}}, {"a": {}}], [], [{}], [{"a": 1}, {}]])
def test_empty_results_survive_packing(items: list[object]) -> None:
    assert unpack(pack(items)) == items
