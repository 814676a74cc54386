# SPDX-License-Identifier: BSD-3-Clause
"""Speed claims, each beside a peer in one run."""
