# SPDX-License-Identifier: BSD-3-Clause
"""How Hypothesis draws examples, decided once for all property tests.

``repeatable``, the default, draws the same examples every time, so that a red suite is red for
everybody. ``random`` draws new ones each time and prints what reproduces a failure:
``pytest --hypothesis-profile=random``, as `make test-all` does.
"""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("random", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("repeatable")

# A shell starts background jobs with Ctrl-C ignored; programs that tests start would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
