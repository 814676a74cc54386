# SPDX-License-Identifier: BSD-3-Clause
"""Bar loops of the simulation. What each array position means stands in `layout`."""
