# SPDX-License-Identifier: BSD-3-Clause
"""One chart a file; each takes plain values and returns a Plotly figure."""
