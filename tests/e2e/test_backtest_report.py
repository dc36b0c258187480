# SPDX-License-Identifier: Apache-2.0
"""The page that `tapewatch backtest --report` writes: what is in it, that nothing hostile gets out, and that it draws."""
import json
import re
import shutil
import subprocess

import pytest

import kit
from test_backtest import case, backtest, clock  # noqa: F401

CHROMIUM = shutil.which("chromium")
HOSTILE = "</script><script>alert(1)</script><!--<script>&\"'"


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def rendered(path, *flags):
    """The page after its script has run, and what the browser had to say."""
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                           "--enable-logging=stderr", "--v=0", "--virtual-time-budget=10000", f"--user-data-dir={path.parent / 'browser'}",
                           *flags, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=kit.PATIENCE)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_page_has_the_figures_the_lines_and_the_alerts(case):
    done = backtest(case, "--data", "data.csv", "--labels", "labels.csv", "--report", "out.html", "--json", "--sweep",
                    "threshold=3,4", "--causality", "--compare", "c.yaml")
    data, told = data_of((case.folder / "out.html").read_text()), json.loads(done.stdout)
    assert all(data[name] == told[name] for name in ("detectors", "sweep", "causality", "labels"))
    assert len(data["alerts"]) == told["detectors"][0]["alerts"] == data["alerts_in_all"]
    assert sum(a["inside"] for a in data["alerts"]) == told["detectors"][0]["alerts_inside"]
    assert [(s["from"], s["to"]) for s in data["stretches"]] == [
        (kit.ns(clock(a)) / 1e6, kit.ns(clock(b)) / 1e6) for a, b in case.stretches]
    (line,) = data["lines"]
    assert line["name"] == ["X"] and line["events"] == len(case.values)
    # each column of the picture has the lowest and the highest value of its events: no spike is lost
    width = (len(case.values) - 1) * 10**9 // 1000 + 1
    columns = {}
    for i, v in enumerate(case.values.tolist()):
        columns.setdefault(i * 10**9 // width, []).append(v)
    assert len(line["low"]) == 1000
    for k, values in columns.items():
        assert line["low"][k] == pytest.approx(min(values), rel=1e-7)
        assert line["high"][k] == pytest.approx(max(values), rel=1e-7)


def test_the_page_loads_nothing(case):
    backtest(case, "--data", "data.csv", "--report", "out.html")
    page = (case.folder / "out.html").read_text()
    assert not re.search(r'(src|href)="(?!data:,")', page) and "default-src 'none'" in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def hostile(pipeline):
    pipeline.write("data.csv", "timestamp,symbol,value\n" + "".join(
        f'{clock(i)},"{HOSTILE.replace(chr(34), chr(34) * 2)}",{1000 if i in (50, 90) else 10 + i % 3}\n' for i in range(120)))
    pipeline.configure({"sources": {"s": {"plugin": "csv", "path": "x", "columns": {"ts": "timestamp", "symbol": "symbol",
                                                                                    "value": "value"}}},
                        "detectors": {"far": {"plugin": "zscore", "inputs": ["s"], "fields": "value"}}})
    backtest(pipeline, "--data", "data.csv", "--report", "out.html")
    return pipeline.folder / "out.html"


def test_hostile_texts_stay_texts(pipeline):
    page = hostile(pipeline).read_text()
    assert "alert(1)" in page and HOSTILE not in page
    data = data_of(page)
    assert [a["symbol"] for a in data["alerts"]] == [HOSTILE] * 2
    assert data["lines"][0]["name"] == [HOSTILE] and data["lines"][0]["low"][50] == 1000
    assert page.count("<script") == 2 and "<!--<" not in page


def test_the_page_of_a_million_events_is_small(pipeline):
    n = 300000
    pipeline.write("data.csv", "timestamp,value\n" + "".join(f"{1767571200000 + i * 50},{i % 977}\n" for i in range(n)))
    pipeline.configure({"sources": {"s": {"plugin": "csv", "path": "x", "columns": ["ts", "value"], "symbol": "X"}},
                        "detectors": {"all": {"plugin": "zscore", "inputs": ["s"], "fields": "value", "threshold": 0}}})
    backtest(pipeline, "--data", "data.csv", "--report", "out.html")
    data = data_of((pipeline.folder / "out.html").read_text())
    assert data["events"] == n and data["alerts_in_all"] > 100000 and len(data["alerts"]) == 5000
    least = min(a["score"] for a in data["alerts"])
    assert least > 1  # those that weigh most
    assert (pipeline.folder / "out.html").stat().st_size < 2_500_000


def test_a_report_that_cannot_be_written_is_said(case):
    done = backtest(case, "--data", "data.csv", "--report", "nowhere/out.html", code=3)
    assert "nowhere/out.html cannot be written" in done.stderr


@pytest.mark.skipif(not CHROMIUM, reason="no chromium to open the page with")
@pytest.mark.parametrize("flags", [(), ("--force-dark-mode",)])
def test_a_browser_draws_it_without_a_complaint(case, flags):
    backtest(case, "--data", "data.csv", "--labels", "labels.csv", "--report", "out.html", "--sweep", "threshold=3,4",
             "--causality", "--compare", "c.yaml")
    data = data_of((case.folder / "out.html").read_text())
    page, console = rendered(case.folder / "out.html", *flags)
    assert console == []
    assert 'data-ready="yes"' in page
    assert page.count('class="mark"') == len(data["alerts"]) and page.count('class="stretch"') == len(data["stretches"])
    assert len(re.findall(r"<tr[ >]", page)) >= len(data["alerts"]) and 'aria-sort="ascending"' in page
    assert re.search(r'class="price" d="M[\d.]+,[\d.]+L', page) and "NaN" not in page


@pytest.mark.skipif(not CHROMIUM, reason="no chromium to open the page with")
def test_a_browser_shows_hostile_texts_as_they_are(pipeline):
    page, console = rendered(hostile(pipeline))
    assert console == [] and 'data-ready="yes"' in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page
