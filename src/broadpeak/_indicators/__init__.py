# SPDX-License-Identifier: BSD-3-Clause
"""Array functions of prices, and the names under which `Data.run` finds them."""
