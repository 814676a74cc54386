# SPDX-License-Identifier: BSD-3-Clause
"""What to try: parameters, their lazy grid, conditions, samples and labels. Nothing is run here."""
