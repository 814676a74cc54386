# SPDX-License-Identifier: BSD-3-Clause
"""Walk-forward runs as views."""

from __future__ import annotations

from broadpeak._report.charts.walk_chart import Cycle
from broadpeak._report.from_training import run_settings, versions
from broadpeak._report.views import RunView
from broadpeak._validation.walked import WalkForward


def cycle_views(walked: WalkForward) -> list[Cycle]:
    """Return the cycles; objectives of several components as their means."""
    cycles = []
    for number, rows in walked.cycles.groupby(level=0):
        tested = rows[rows["test_start"].notna()]
        some = len(tested) > 0
        cycles.append(
            Cycle(
                int(str(number)),
                tested["test_start"].min() if some else None,
                tested["test_end"].max() if some else None,
                float(rows["in_sample"].mean()),
                float(rows["out_of_sample"].astype(float).mean()),
            )
        )
    return cycles


def walked_run_view(walked: WalkForward) -> RunView:
    """Return strategy, settings, versions and warnings of a walk-forward run."""
    settings = run_settings(walked.strategy, walked.settings, walked.seconds)
    environment = versions(walked.trainings[-1].environment) if walked.trainings else {}
    return RunView(walked.name, settings, environment, list(walked.notes))
