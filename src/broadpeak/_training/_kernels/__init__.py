# SPDX-License-Identifier: BSD-3-Clause
"""Loops of the training statistics."""
