"""`broadpeak warm`: what it has compiled is not compiled again by ordinary work."""

import json
import os
import subprocess
import sys

import pytest

WORK = """
import broadpeak as bp
from broadpeak._core import compile as compiling

data = bp.Data.sample("IBM")["2000":"2004"]

@bp.parameterized(merge_func="concat")
def sharpe(data, fast, slow, stop):
    quick = data.run("bp:ma", fast, hide_params=True)
    calm = data.run("bp:ma", slow, hide_params=True)
    up, down = quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)
    return bp.PF.from_signals(data, up, down, fees=0.001, sl_stop=stop).sharpe_ratio

@bp.strategy(lookback=60)
def trend(s):
    fast = bp.ema(s.close, s.optimize(10, 5, 20, 5, name="fast"))
    slow = bp.sma(s.close, s.optimize(30, 20, 50, 10, name="slow"))
    s.stop = 2 * bp.atr(s.high, s.low, s.close, 10)
    s.enter_long(bp.crossed_above(fast, slow))
    s.enter_short(bp.crossed_below(fast, slow))

sharpe(data, bp.Param([5, 10, 15]), bp.Param([20, 40]), bp.Param([0.05, 0.1]))
close = data.close
pf = bp.PF.from_signals(data, close > close.shift(3), close < close.shift(3), tp_stop=0.1)
pf.stats(), pf.trades, pf.value, pf.drawdowns
fast, slow = data.run("bp:ma", [5, 10]), data.run("bp:ma", [20, 40])
up, down = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
axis = bp.PF.from_signals(data, up, down, fees=0.001, sl_stop=bp.Param([0.05, 0.1, 0.2]))
axis.sharpe_ratio, axis.metrics(["sharpe_ratio"], keep=bp.top(3, by="sharpe_ratio"))
bp.PF.from_signals(data, up, down, price="nextopen").total_return
training = bp.train(trend, data, min_trades=1)
bp.test(trend, data, training).stats()
bp.walk_forward(trend, data, cycles=3, min_trades=1)
compiled = [k.__name__ for k in compiling._kernels if sum(k.stats.cache_misses.values())]
print(compiled, sum(sum(k.stats.cache_hits.values()) for k in compiling._kernels) > 5)
"""


@pytest.mark.slow
def test_after_warm_ordinary_work_compiles_nothing(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}

    def run(*words):
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout

    found = json.loads(run("-m", "broadpeak", "warm", "--json"))
    assert found["cache"]["files"] > 20
    assert set(found["seconds"]) == {
        "indicators", "crossings", "signals", "trainings", "statistics",
    }  # fmt: skip
    assert run("-c", WORK).strip() == "[] True"


SHARED = """
import broadpeak as bp
from broadpeak._core import compile as compiling

def sharpe(window):
    from broadpeak._core import compile as compiling
    data = bp.Data.sample("IBM")["2000":"2004"]
    up = data.run("bp:ma", window).ma_crossed_above(data.close)
    bp.PF.from_signals(data, up, ~up, sl_stop=0.1).sharpe_ratio
    return sum(sum(k.stats.cache_misses.values()) for k in compiling._kernels)

if __name__ == "__main__":
    print(sharpe(5) > 0, bp.execute([bp.Task(sharpe, n) for n in range(6, 10)], engine=ENGINE))
"""


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("engine", ["processpool", "joblib"])
def test_workers_compile_nothing_that_the_parent_has(tmp_path, engine):
    """Compiling once, in a folder without any compiled loop, is enough for all processes."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED.replace("ENGINE", f"{engine!r}, n_workers=2"), encoding="utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "True [0, 0, 0, 0]"
