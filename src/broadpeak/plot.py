# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of any scores: a Series whose index levels are parameters, of any number of levels.

Each function returns a Plotly figure, which notebooks show, and which ``figure.write_html(path)``
or ``figure.write_image(path)`` keeps. Results draw themselves by methods of their own: `Portfolio`
and `Data` with `chart`, `Training` with `chart`, `heatmap` and `surface`, `WalkForward` with
`chart`, `Selection` with `heatmap`.
"""

from __future__ import annotations

from broadpeak._search.pictures import dark, heatmap, parallel, slices, surface, volume

__all__ = ["dark", "heatmap", "parallel", "slices", "surface", "volume"]
