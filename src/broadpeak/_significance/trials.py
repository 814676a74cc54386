# SPDX-License-Identifier: BSD-3-Clause
"""How many independent trials many similar ones are worth."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core import check
from broadpeak._significance.returns import Returns, in_own_units, return_table, varies


def effective_trials(returns: Returns, *, method: str = "eigen") -> float:
    """Return how many independent trials the columns of `returns` are worth.

    Neighbouring cells of a grid are almost copies of each other; counted one by one they would
    make every result look like luck.

    Parameters
    ----------
    returns : frame, array of shape (bars, configurations), Series or Portfolio
        NaN as everywhere in `broadpeak.stats`. Columns that do not vary are not counted.
    method : "eigen" or "correlation"
        "eigen": exponential of the entropy of the normalised eigenvalues of the correlation matrix
        [1]_. "correlation": ``r + (1 - r) * N`` with the mean correlation r, not below 0 [2]_.

    Returns
    -------
    float
        From 1 to the number of columns.

    Raises
    ------
    DataError
        If there are fewer than two bars, or infinite returns.
    ParamError
        For another method.

    References
    ----------
    .. [1] O. Roy, M. Vetterli, "The effective rank: a measure of effective dimensionality", 2007.
    .. [2] D. Bailey, M. López de Prado, "The deflated Sharpe ratio", 2014, appendix 3.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> one = np.random.default_rng(1).normal(size=500)
    >>> bp.stats.effective_trials(np.column_stack([one, 2 * one, one + 1])).__round__(6)
    1.0
    """
    check.one_of("method", method, ("eigen", "correlation"))
    values = return_table(returns).values
    values = in_own_units(values[:, varies(values)])
    n = int(values.shape[1])
    if n < 2:
        return 1.0
    centred = values - values.mean(axis=0)
    standard = centred / np.sqrt((centred**2).sum(axis=0))
    if method == "correlation":
        # The sum of all correlations is the squared length of the sum of the columns.
        mean = (float((standard.sum(axis=1) ** 2).sum()) - n) / (n * (n - 1))
        resemblance = min(max(mean, 0.0), 1.0)
        return resemblance + (1.0 - resemblance) * n
    # The smaller of both products has the same positive eigenvalues.
    small = standard.T @ standard if n <= len(standard) else standard @ standard.T
    eigenvalues = np.linalg.eigvalsh(small)
    shares = eigenvalues[eigenvalues > n * 1e-14] / n
    entropy = -float((shares * np.log(shares)).sum())
    return min(max(math.exp(entropy), 1.0), float(n))
