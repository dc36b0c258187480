#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is asked of TA-Lib, and its answers: from TA-Lib itself where it is installed, and for one fixed input recorded in
tests/oracles/talib/recorded.json. To record anew, after `./dev test` has fetched the package:

    python3 tests/e2e/oracle_talib.py > tests/oracles/talib/recorded.json
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "oracles" / "talib"
PACKAGE = pathlib.Path(os.environ.get("TAPEWATCH_TALIB", str(ROOT / "build" / "talib")))

# name: (TA-Lib's function, columns of the bars, options, series out, statistic of window_cli, its numbers, its columns
# in TA-Lib's order). 0 as the last option of BBANDS: a plain moving average.
CALLS = {
    "RSI 14": ("RSI", "c", (14,), 1, "rsi", (14, 1), (0,)),
    "RSI 2": ("RSI", "c", (2,), 1, "rsi", (2, 1), (0,)),
    "ATR 14": ("ATR", "hlc", (14,), 1, "atr", (14,), (0,)),
    "ATR 3": ("ATR", "hlc", (3,), 1, "atr", (3,), (0,)),
    "TRANGE": ("TRANGE", "hlc", (), 1, "atr", (14,), (1,)),
    "MACD 12 26 9": ("MACD", "c", (12, 26, 9), 3, "macd", (12, 26, 9), (0, 1, 2)),
    "MACD 3 10 16": ("MACD", "c", (3, 10, 16), 3, "macd", (3, 10, 16), (0, 1, 2)),
    "BBANDS 20 2": ("BBANDS", "c", (20, 2, 2, 0), 3, "bollinger", (20, 2), (2, 1, 0)),
    "BBANDS 5 1.5": ("BBANDS", "c", (5, 1.5, 1.5, 0), 3, "bollinger", (5, 1.5), (2, 1, 0)),
    "STDDEV 20": ("STDDEV", "c", (20, 1), 1, "window", (20,), (3,)),
    "SUM 30": ("SUM", "c", (30,), 1, "window", (30,), (1,)),
    "SMA 30": ("SMA", "c", (30,), 1, "window", (30,), (0,)),
    "MINMAX 10": ("MINMAX", "c", (10,), 2, "extremes", (10,), (0, 1)),
    "CORREL 30": ("CORREL", "cv", (30,), 1, "pair", (30,), (1,)),
    "ROCP 1": ("ROCP", "c", (1,), 1, "returns", (), (0,)),
}


def question(bars):
    return {name: {"call": call, "in": [bars[k] for k in columns], "options": options, "out": out}
            for name, (call, columns, options, out, *_) in CALLS.items()}


def missing():
    """Why TA-Lib cannot be asked, or None."""
    if not shutil.which("node"):
        return "node is not installed"
    if not (PACKAGE / "node_modules" / "talib-web").is_dir():
        return f"no talib-web in {PACKAGE}: ./dev test fetches it from npm where that can be reached"
    return None


def ask(bars):
    done = subprocess.run(["node", HERE / "ask.mjs", PACKAGE], input=json.dumps(question(bars)), capture_output=True,
                          text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def fixed_bars(n=130):
    """Bars out of nothing but integers, the same everywhere: a walk in cents with gaps, a flat stretch and a jump."""
    state, close, bars = 20240229, 10000, {k: [] for k in "hlcv"}

    def draw(below):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % below

    for i in range(n):
        if not 70 <= i < 90:
            close += draw(121) - 60 + (1500 if i == 110 else 0)
        opening = close + draw(41) - 20
        bars["h"].append((max(opening, close) + draw(30)) / 100)
        bars["l"].append((min(opening, close) - draw(30)) / 100)
        bars["c"].append(close / 100)
        bars["v"].append(1000 + draw(5000))
    return bars


def recorded():
    return json.loads((HERE / "recorded.json").read_text())


if __name__ == "__main__":
    if missing():
        sys.exit(missing())
    given = fixed_bars()
    print(json.dumps({"package": "talib-web 0.1.3", "bars": given, "answers": ask(given)}, indent=None)
          .replace("], ", "],\n").replace("}, ", "},\n"))
