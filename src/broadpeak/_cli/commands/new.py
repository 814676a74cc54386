# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak new`: write a strategy file to start from."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from broadpeak._cli import console, flags
from broadpeak.errors import shown

TEMPLATE = '''\
"""A strategy to start from: two moving averages and a stop. Change everything.

Train it, look at the page, and test it on what follows:

    broadpeak train {file} --data PRICES.csv --cost fees=0.0005 --out runs/{name}
    broadpeak walk-forward {file} --data PRICES.csv --cost fees=0.0005 --out runs/{name}_walk

Every evening, with the new bar in the file:

    broadpeak signals {file} --data PRICES.csv --params runs/{name}/{name}.par

The same from Python:

    python {file} PRICES.csv
"""

import sys

import broadpeak as bp

# What trading costs, charged in every training and test: a share of the money of each fill, and
# the spread in units of the price. `slippage` is a share that every order loses; trainings leave it
# out. A strategy that only works without costs does not work.
COSTS = bp.Costs(fees=0.0005, spread=0.0, slippage=0.0)


# Orders of the first `lookback` bars do not count. It must cover the longest average (25 bars * 4),
# and 40 more in which the mean range settles, so that every step is judged on the same bars.
@bp.strategy(lookback=140)
def {name}(s):
    # Once for each symbol in the data, each with parameters of its own.
    for asset, algo in s.loop():
        # s.optimize(default, min, max, step): a number that training chooses. Few of them, over
        # ranges that make sense, are harder to fool than many.
        fast = s.optimize(10, 5, 25, 5, name="fast")
        factor = s.optimize(3, 2, 4, 0.5, name="factor")
        stop = s.optimize(3, 1, 6, 0.5, name="stop")

        # Prices are whole columns: s.open, s.high, s.low, s.close, s.volume. Write & | ~ instead of
        # and, or, not; nothing may look at later bars, and training refuses what does.
        quick = bp.sma(s.close, fast)
        slow = bp.sma(s.close, fast * factor)

        # The stop is a distance in units of the price, here some mean ranges. Set it before the
        # entries that it belongs to.
        s.stop = stop * bp.atr(s.high, s.low, s.close, 14)

        # Orders are filled at the open of the next bar. To trade both ways, replace s.exit_long by
        # s.enter_short: it closes the long position and opens a short one.
        s.enter_long(bp.crossed_above(quick, slow))
        s.exit_long(bp.crossed_below(quick, slow))

        # What the page shows with the prices.
        s.plot("fast", quick)
        s.plot("slow", slow)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Type: python {file} PRICES.csv")
    data = bp.Data.from_csv(sys.argv[1:])
    training = bp.train({name}, data, costs=COSTS)
    print(training)
    # These bars were trained on: whether it works elsewhere, a walk-forward test says.
    print(bp.test({name}, data, training, costs=COSTS).stats())
    training.to_par("{name}.par")
'''


def new(
    file: Annotated[str, typer.Argument(metavar="FILE.py", help="The file to write.")],
    *,
    as_json: flags.AsJson = False,
) -> None:
    """Write a strategy file to start from: it trains as it is, and says how to change it."""
    path = Path(file)
    name = _checked_name(path)
    text = TEMPLATE.format(file=path.as_posix(), name=name)
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        with path.open("x", encoding="utf-8") as out:  # never over a file that is there
            out.write(text)
    except (OSError, ValueError) as error:  # ValueError: a null in the path
        if isinstance(error, FileExistsError) and path.parent.is_dir():
            msg = f"{shown(file)} is there already and is not overwritten. Choose another name."
            raise typer.BadParameter(msg) from error
        reason = getattr(error, "strerror", None) or error
        msg = f"must be a file that can be written, got {shown(file)}: {reason}."
        raise typer.BadParameter(msg) from error
    if as_json:
        console.show_json({"file": str(path), "strategy": name})
        return
    target = path.as_posix()
    console.show_lines(
        [
            f"{path} holds the strategy {name}. Try it:",
            "",
            f"  broadpeak train {target} --data PRICES.csv --cost fees=0.0005 --out runs/{name}",
        ]
    )


def _checked_name(path: Path) -> str:
    """Return what the strategy in a new file is called, or say what is wrong with its name."""
    if path.suffix != ".py":
        msg = f"must be FILE.py, got {shown(str(path))}. Type: broadpeak new trend.py"
        raise typer.BadParameter(msg)
    if path.stem in sys.stdlib_module_names or _is_installed(path.stem):
        msg = f"must not be the name of a Python module, which {path.name} would hide."
        raise typer.BadParameter(f"{msg} Type: broadpeak new my_{path.name}")
    name = re.sub(r"\W", "_", path.stem)
    if not name.isidentifier() or keyword.iskeyword(name) or name in {"bp", "sys", "COSTS", "data"}:
        return "strategy"
    return name


def _is_installed(name: str) -> bool:
    """Return whether a package of this name is installed; files beside the new one are none."""
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError, AttributeError):
        return False
    return spec is not None and spec.origin is not None and "site-packages" in spec.origin
