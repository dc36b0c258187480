# SPDX-License-Identifier: Apache-2.0
"""tapewatch backtest: figures against numpy and scikit-learn's definition, sweeps, look-ahead, comparison, labels."""
import csv
import io
import json
import os
import pathlib
import signal
import subprocess

import numpy as np
import pytest

import kit

BUILD = pathlib.Path(kit.BIN).resolve().parent.parent
ENV = {"TAPEWATCH_PLUGINS": f"{BUILD / 'plugins'}:{BUILD / 'tests/plugins'}"}
DAY = "2026-01-05T"

PIPELINE = {"sources": {"series": {"plugin": "csv", "path": "unused.csv", "columns": ["ts", "value"], "symbol": "X"}},
            "detectors": {"far": {"plugin": "zscore", "inputs": ["series"], "fields": "value", "window": 30,
                                  "threshold": 3}}}


def clock(second):
    return f"{DAY}{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


def seconds(text):
    return (kit.ns(text) - kit.ns(DAY + "00:00:00Z")) / 1e9


def series(n=4000, seed=7):
    """A value a second, and stretches in which some of them are far off."""
    rng = np.random.default_rng(seed)
    values = rng.normal(100, 1, n)
    stretches = [(a, a + 40) for a in range(300, n - 100, 370)]
    for a, b in stretches[::2] + stretches[1::4]:  # the others hold nothing to be found
        for k in rng.integers(a, b, 5):
            values[k] += rng.normal(0, 6)
    return values, stretches


@pytest.fixture
def case(pipeline):
    values, stretches = series()
    pipeline.write("data.csv", "timestamp,value\n" + "".join(f"{clock(i)},{v!r}\n" for i, v in enumerate(values.tolist())))
    pipeline.write("labels.csv", "from,to,symbol,category\n" +
                   "".join(f"{clock(a)},{clock(b)},X,burst\n" for a, b in stretches))
    pipeline.configure(PIPELINE)
    pipeline.values, pipeline.stretches = values, stretches
    return pipeline


def backtest(pipeline, *args, code=0, env=None):
    done = kit.tapewatch("backtest", "-c", "c.yaml", *args, cwd=pipeline.folder, env={**ENV, **(env or {})})
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stderr}{done.stdout}"
    return done


def report(pipeline, *args, code=0):
    return json.loads(backtest(pipeline, "--json", *args, code=code).stdout)


def alerts_of(values, threshold, window=30):
    """(second, score) by the definition of the z-score."""
    out = []
    for i in range(window, len(values)):
        before = values[i - window:i]
        z = abs(values[i] - before.mean()) / before.std(ddof=1)
        if z > threshold:
            out.append((i, z))
    return out


def expect(alerts, stretches, episode=300, tolerance=0):
    """Every figure from the words of the man page and numpy."""
    inside = np.array([any(a - tolerance <= t <= b + tolerance for a, b in stretches) for t, _ in alerts], bool)
    firsts = [min((t - a for t, _ in alerts if a - tolerance <= t <= b + tolerance), default=None) for a, b in stretches]
    found = [d for d in firsts if d is not None]
    episodes, right, start = 0, 0, None
    for (t, _), hit in zip(alerts, inside):
        if start is None or t - start > episode:
            episodes, start, was = episodes + 1, t, False
        if hit and not was:
            right, was = right + 1, True
    area, before = 0.0, 0.0
    for threshold in sorted({s for _, s in alerts}, reverse=True):
        at = [(t, hit) for (t, s), hit in zip(alerts, inside) if s >= threshold]
        precision = sum(hit for _, hit in at) / len(at)
        recall = sum(any(a - tolerance <= t <= b + tolerance for t, _ in at) for a, b in stretches) / len(stretches)
        area += (recall - before) * precision
        before = recall
    p, r = right / episodes, len(found) / len(stretches)
    return {"alerts": len(alerts), "episodes": episodes, "alerts_inside": int(inside.sum()), "episodes_right": right,
            "labels": len(stretches), "labels_found": len(found), "precision": p, "recall": r,
            "precision_alerts": inside.mean(), "f1": 2 * p * r / (p + r), "delay_s": float(np.median(found)),
            "pr_auc": area}


def check(row, expected):
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("episode, tolerance", [(300, 0), (20, 0), (60, 15)])
def test_every_figure_is_that_of_numpy(case, episode, tolerance):
    out = report(case, "--data", "data.csv", "--labels", "labels.csv", "--episode", f"{episode}s", "--tolerance",
                 f"{tolerance}s")
    assert out["events"] == len(case.values) and out["labels"] == len(case.stretches)
    expected = expect(alerts_of(case.values, 3), case.stretches, episode, tolerance)
    assert 0 < expected["labels_found"] < expected["labels"] and expected["precision_alerts"] < 1
    check(out["detectors"][0], expected)
    assert out["detectors"][0]["pr_auc_of"] == "alerts"


def test_with_scores_the_area_is_scikit_learns_average_precision(case):
    config = json.loads(json.dumps(PIPELINE))
    config["detectors"]["far"]["emit"] = True
    case.configure(config)
    row = report(case, "--data", "data.csv", "--labels", "labels.csv")["detectors"][0]
    scored = alerts_of(case.values, -1)
    truth = np.array([any(a <= t <= b for a, b in case.stretches) for t, _ in scored])
    score = np.array([s for _, s in scored])
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    ends = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]
    precision, recall = hits[ends] / (ends + 1), hits[ends] / hits[-1]
    expected = float(np.sum(np.diff(np.r_[0, recall]) * precision))
    assert row["pr_auc_of"] == "scores"
    assert row["pr_auc"] == pytest.approx(expected, rel=1e-9)
    try:
        from sklearn.metrics import average_precision_score
    except ImportError:
        return
    assert row["pr_auc"] == pytest.approx(average_precision_score(truth, score), rel=1e-9)


def test_time_is_measured_for_each_detector_and_adds_up(case):
    config = json.loads(json.dumps(PIPELINE))
    config["detectors"]["near"] = {**config["detectors"]["far"], "method": "robust", "window": 500}
    case.configure(config)
    rows = {r["detector"]: r for r in report(case, "--data", "data.csv")["detectors"]}
    assert 0 < rows["far"]["ns_per_event"] < rows["near"]["ns_per_event"]  # sorting 500 values costs more than two sums
    assert rows[None]["ns_per_event"] == pytest.approx(rows["far"]["ns_per_event"] + rows["near"]["ns_per_event"])


def test_the_table_is_the_same_each_time_but_for_the_times(case):
    def table():
        out = report(case, "--data", "data.csv", "--labels", "labels.csv", "--sweep", "threshold=2..4:1")
        text = json.dumps(out, sort_keys=True)
        for row in [*out["detectors"], *(r for run in out["sweep"] for r in run["detectors"])]:
            text = text.replace(json.dumps(row["ns_per_event"]), "t").replace(json.dumps(row["busy_ns"]), "t")
        return text.replace(json.dumps(out["seconds"]), "t")
    assert table() == table()


def test_the_engine_is_that_of_run(case):
    """The same alerts, to the last byte but for the tape's name."""
    case.write("kept.csv", (case.folder / "data.csv").read_text())
    backtest(case, "--data", "data.csv", "-d", "kept")
    case.run({**PIPELINE, "sources": {"series": {**PIPELINE["sources"]["series"], "path": "data.csv"}},
              "sinks": {"nothing": {"plugin": "null", "inputs": ["far"]}}})
    drop = lambda alerts: [{k: v for k, v in a.items() if k != "config"} for a in kit.without_tape(alerts)]
    assert drop(case.alerts(dir="kept")) == drop(case.alerts())
    assert report(case, "--data", "kept")["detectors"][0]["alerts"] == len(case.alerts())  # a tape is data, too


# ---- sweeps -----------------------------------------------------------------------------------------------------

def test_a_sweep_tries_every_combination_in_order(case):
    out = backtest(case, "--data", "data.csv", "--labels", "labels.csv", "--csv", "--sweep", "threshold=2..4:0.5",
                   "--sweep", "window=30,60")
    rows = list(csv.DictReader(io.StringIO(out.stdout)))
    assert [(r["threshold"], r["window"]) for r in rows] == [(t, w) for t in ("2", "2.5", "3", "3.5", "4")
                                                              for w in ("30", "60")]
    best = []
    for r in rows:
        expected = expect(alerts_of(case.values, float(r["threshold"]), int(r["window"])), case.stretches)
        for name in ("alerts", "episodes", "precision", "recall", "f1", "pr_auc", "delay_s"):
            assert float(r[name]) == pytest.approx(expected[name], abs=1e-6), (name, r)
        best.append(expected["f1"])
    assert [r["best"] for r in rows] == ["1" if i == int(np.argmax(best)) else "0" for i in range(len(rows))]


def test_a_sweep_does_not_depend_on_how_many_run_at_a_time(case):
    def table(jobs):
        out = report(case, "--data", "data.csv", "--sweep", "far.threshold=2..5:0.25", "-j", jobs)
        return [(run["options"], run["detectors"][0]["alerts"]) for run in out["sweep"]]
    one = table(1)
    assert len(one) == 13 and one[0][0] == {"far.threshold": "2"} and one[1][0] == {"far.threshold": "2.25"}
    assert one == table(3)


@pytest.mark.parametrize("sweep, sentence", [
    ("thresold=1,2", "did you mean 'threshold'?"),
    ("fra.threshold=1,2", "did you mean 'far'?"),
    ("far.windw=30", "did you mean 'window'?"),
    ("threshold", "is no sweep"),
    ("threshold=5..2", "is empty"),
    ("threshold=1..2:0", "is empty"),
    ("threshold=1..x", "is no range"),
    ("threshold=1s..5m:1s", "the units differ"),
    ("threshold=1,,2", "a value is missing"),
    ("threshold=-1", "out of range"),
    ("threshold=1..5000:1", "more than 1000"),
])
def test_a_wrong_sweep_is_said_before_anything_runs(case, sweep, sentence):
    done = backtest(case, "--data", "data.csv", "--sweep", sweep, code=2)
    assert sentence in done.stderr and done.stdout == ""


def test_an_option_of_several_detectors_needs_a_name_or_a_star(case):
    config = json.loads(json.dumps(PIPELINE))
    config["detectors"]["near"] = config["detectors"]["far"]
    case.configure(config)
    assert "far.threshold" in backtest(case, "--data", "data.csv", "--sweep", "threshold=2,3", code=2).stderr
    rows = report(case, "--data", "data.csv", "--sweep", "*.threshold=2,3")["sweep"]
    for run, threshold in zip(rows, (2, 3)):
        assert [d["alerts"] for d in run["detectors"][:2]] == [len(alerts_of(case.values, threshold))] * 2


# ---- look-ahead -------------------------------------------------------------------------------------------------

def peeking(case, **options):
    case.configure({"sources": PIPELINE["sources"],
                    "detectors": {"seer": {"plugin": "peeking_detector", "inputs": ["series"], "above": 103,
                                           **options}}})


def test_an_honest_detector_passes(case):
    peeking(case)
    out = report(case, "--data", "data.csv", "--causality")
    assert out["detectors"][0]["alerts"] == int((case.values > 103).sum()) > 0
    assert out["causality"] == {"prefixes": 10, "look_ahead": False, "faults": 0, "seed": 1}


@pytest.mark.parametrize("options", [{"how": "batch"}, {"how": "file", "file": "data.csv"}])
def test_look_ahead_is_caught(case, options):
    peeking(case, **options)
    out = report(case, "--data", "data.csv", "--causality", "--prefixes", "6", code=1)
    found = out["causality"]
    assert found["look_ahead"] and found["prefixes"] == 6 and 0 < found["faults"] <= 6
    assert found["first"]["alerts_that_differ"] > 0
    assert "LOOK-AHEAD" in backtest(case, "--data", "data.csv", "--causality", code=1).stdout


def test_the_demos_detectors_with_their_timers_do_not_look_ahead(pipeline):
    (pipeline.folder / "c.yaml").write_text((kit.ROOT / "conf.d/10-demo.yaml").read_text())
    out = json.loads(backtest(pipeline, "--json", "--causality", "--prefixes", "4",
                              env={"TAPEWATCH_DEMO_DURATION": "4h"}).stdout)
    assert out["labels"] > 0  # the demo brings its own
    assert sum(r["alerts"] for r in out["detectors"] if r["detector"]) > 0
    assert not out["causality"]["look_ahead"] and out["causality"]["prefixes"] == 4


# ---- another configuration --------------------------------------------------------------------------------------

def test_a_comparison_names_what_appears_disappears_and_changes(case):
    other = json.loads(json.dumps(PIPELINE))
    other["detectors"]["far"]["threshold"] = 4
    case.configure(other, "higher.yaml")
    at = lambda threshold: {t for t, _ in alerts_of(case.values, threshold)}
    out = report(case, "--data", "data.csv", "--compare", "higher.yaml")["compare"]
    gone = {seconds(a["before"]["ts"]) for a in out["alerts"] if a["change"] == "disappears"}
    changed = {seconds(a["before"]["ts"]) for a in out["alerts"] if a["change"] == "changes"}
    assert gone == at(3) - at(4) and out["appears"] == 0
    assert not changed and out["same"] == len(at(4))  # though the threshold stands in their sentence
    back = backtest(case, "--data", "data.csv", "--compare", "c.yaml").stdout
    assert f"0 alerts appear, 0 disappear, 0 change, {len(at(3))} are the same" in back


def test_another_baseline_is_a_change(case):
    other = json.loads(json.dumps(PIPELINE))
    other["detectors"]["far"]["deviation"] = "population"
    case.configure(other, "other.yaml")
    out = report(case, "--data", "data.csv", "--compare", "other.yaml")["compare"]
    assert out["changes"] > 0 and out["same"] == 0


def test_severity_is_a_change(case):
    other = json.loads(json.dumps(PIPELINE))
    other["detectors"]["far"]["severity"] = "critical"
    case.configure(other, "other.yaml")
    out = report(case, "--data", "data.csv", "--compare", "other.yaml")["compare"]
    assert out["changes"] == len(alerts_of(case.values, 3)) and out["same"] == 0
    assert {a["after"]["severity"] for a in out["alerts"]} == {"critical"}


# ---- labels and data --------------------------------------------------------------------------------------------

def labelled(case, name, text):
    case.write(name, text)
    return report(case, "--data", "data.csv", "--labels", name)


def test_all_forms_of_labels_say_the_same(case):
    expected = report(case, "--data", "data.csv", "--labels", "labels.csv")["detectors"][0]
    same = lambda row: {k: v for k, v in row.items() if k not in ("ns_per_event", "busy_ns")}
    stretches = case.stretches
    windows = [[clock(a).replace("T", " ").replace("Z", ".000000"), clock(b)] for a, b in stretches]
    forms = {
        "nab.json": json.dumps({"some/where/data.csv": windows, "other.csv": [["2026-01-05", "2026-01-06"]]}),
        "list.json": json.dumps([{"from": clock(a), "to": clock(b), "symbol": "X"} for a, b in stretches]),
        "lines.jsonl": "".join(json.dumps({"kind": "label", "ts": clock(b), "from": clock(a), "to": clock(b),
                                           "verdict": "abuse"}) + "\n" for a, b in stretches),
        "epoch.csv": "Start;End\n" + "".join(f"{kit.ns(clock(a)) // 10**6};{kit.ns(clock(b)) // 10**9}\n"
                                             for a, b in stretches),
        "series.csv": "timestamp,label\n" + "".join(
            f"{clock(i)},{int(any(a <= i <= b for a, b in stretches))}\n" for i in range(len(case.values))),
    }
    for name, text in forms.items():
        assert same(labelled(case, name, text)["detectors"][0]) == same(expected), name


def test_labels_of_what_is_not_in_the_data_do_not_count(case):
    rows = [f"{clock(0)},{clock(3999)},Y,", f"{clock(0)},{clock(3999)},X,A", f"{clock(4000)},{clock(4100)},X,",
            "2025-12-31,2026-01-04,X,", f"{clock(3999)},{clock(4100)},X,"]
    out = labelled(case, "other.csv", "from,to,symbol,account\n" + "\n".join(rows) + "\n")
    assert (out["labels"], out["labels_outside"]) == (1, 4)
    assert out["detectors"][0]["alerts_inside"] == 0 and out["detectors"][0]["recall"] == 0
    case.write("nobody.csv", "from,to,symbol\n" + rows[0] + "\n")
    done = backtest(case, "--data", "data.csv", "--labels", "nobody.csv")
    assert "no label is about this data" in done.stderr


def test_a_label_of_another_symbol_finds_nothing(case):
    config = json.loads(json.dumps(PIPELINE))
    config["sources"]["series"].update(columns=["ts", "value", "symbol"])
    case.write("two.csv", "".join(f"{clock(i)},{v!r},X\n{clock(i)},1,Y\n" for i, v in enumerate(case.values.tolist())))
    case.write("y.csv", "from,to,symbol\n" + f"{clock(0)},{clock(3999)},Y\n")
    case.configure(config)
    row = report(case, "--data", "two.csv", "--labels", "y.csv")["detectors"][0]
    assert row["alerts"] == len(alerts_of(case.values, 3)) and row["alerts_inside"] == 0
    assert (row["labels"], row["labels_found"], row["pr_auc"]) == (1, 0, 0)


def test_a_target_is_what_recall_is_about(case):
    case.write("two.csv", "from,to,category\n" + "".join(
        f"{clock(a)},{clock(b)},{'burst' if i % 2 else 'silence'}\n" for i, (a, b) in enumerate(case.stretches)))
    row = report(case, "--data", "data.csv", "--labels", "two.csv", "--target", "far=burst")["detectors"][0]
    expected = expect(alerts_of(case.values, 3), case.stretches[1::2])
    assert (row["labels"], row["labels_found"]) == (expected["labels"], expected["labels_found"])
    assert row["pr_auc"] != pytest.approx(expected["pr_auc"])  # an alert on a silence is still right
    text = backtest(case, "--data", "data.csv", "--labels", "two.csv").stdout
    assert "found of each category" in text and f"{expected['labels_found']}/{expected['labels']}" in text


@pytest.mark.parametrize("text, sentence", [
    ("a,b\n1,2\n", "the header names no time"),
    ("from,to\nyesterday,2026-01-05\n", "bad.csv:2: 'yesterday' is no time"),
    ("from,to\n2026-01-06,2026-01-05\n", "bad.csv:2: the label ends before it begins"),
    ("{\"x.csv\": 7}", "expected a list of windows"),
    ("[1]", "is no object"),
    ("{\"a\": [}", "no JSON"),
])
def test_a_wrong_labels_file_gets_a_sentence(case, text, sentence):
    case.write("bad.csv", text)
    done = backtest(case, "--data", "data.csv", "--labels", "bad.csv", code=2)
    assert sentence in done.stderr


@pytest.mark.parametrize("args, sentence", [
    (["--data", "nowhere.csv"], "nowhere.csv: No such file"),
    (["--data", "sereis=data.csv"], "did you mean 'series'?"),
    (["--data", "data.csv", "--labels", "nowhere"], "nowhere: cannot be read"),
    (["--data", "data.csv", "--target", "far"], "expected DETECTOR=CATEGORY"),
    (["--data", "data.csv", "--target", "fra=x"], "no detector 'fra'"),
    (["--data", "data.csv", "--labels", "labels.csv", "--target", "far=brust"], "no label has the category 'brust'"),
    (["--data", "data.csv", "--json", "--csv"], "not both"),
    (["--data", "data.csv", "--causality", "--prefixes", "0"], "--prefixes"),
    (["--data", "data.csv", "--compare", "nowhere.yaml"], "nowhere.yaml"),
    (["--data", "data.csv", "--tolerance", "much"], "not a duration"),
    (["--data", "data.csv", "--swep", "x"], "did you mean '--sweep'?"),
])
def test_a_wrong_flag_gets_a_sentence(case, args, sentence):
    done = backtest(case, *args, code=2)
    assert sentence in done.stderr and done.stdout == ""


def test_nothing_is_left_behind(case, tmp_path_factory):
    temporary = tmp_path_factory.mktemp("temporary")
    backtest(case, "--data", "data.csv", "--causality", "--sweep", "threshold=2,3", env={"TMPDIR": str(temporary)})
    assert list(temporary.iterdir()) == []


def test_the_source_of_a_name_gets_its_file_and_keeps_its_options(case):
    config = json.loads(json.dumps(PIPELINE))
    config["sources"]["second"] = {"plugin": "csv", "path": "unused.csv", "columns": ["ts", "value"], "symbol": "Y"}
    config["detectors"]["far"]["inputs"] = ["series", "second"]
    case.configure(config)
    assert "say which one" in backtest(case, "--data", "data.csv", code=2).stderr
    case.write("short.csv", "".join((case.folder / "data.csv").read_text().splitlines(True)[:1001]))
    out = report(case, "--data", "series=data.csv", "--data", "second=short.csv")
    assert out["events"] == 5000
    n = len(alerts_of(case.values, 3)) + len(alerts_of(case.values[:1000], 3))
    assert out["detectors"][0]["alerts"] == n


def test_a_live_source_without_data_is_refused(case):
    config = json.loads(json.dumps(PIPELINE))
    config["sources"] = {"demo": {"plugin": "demo", "live": True}}
    config["detectors"]["far"]["inputs"] = ["demo"]
    case.configure(config)
    assert "--data demo=FILE" in backtest(case, code=2).stderr
    # a file takes its place whatever it was
    case.write("quotes.csv", "timestamp,symbol,bid,ask\n" + "".join(
        f"{clock(i)},X,{v!r},{v!r}\n" for i, v in enumerate(case.values.tolist())))
    assert report(case, "--data", "quotes.csv")["detectors"][0]["alerts"] == len(alerts_of(case.values, 3))


def test_refused_rows_are_said(case):
    case.write("odd.csv", (case.folder / "data.csv").read_text() + "what,is\n")
    done = backtest(case, "--data", "odd.csv")
    assert "odd.csv:4002" in done.stderr and "refused" in done.stderr


# ---- real data --------------------------------------------------------------------------------------------------

def test_the_windows_of_nab(data, pipeline):
    """Mentions of ten shares, all at once: the files' names are the subjects."""
    config = json.loads(json.dumps(PIPELINE))
    del config["sources"]["series"]["symbol"]
    config["detectors"]["far"].update(window=288, threshold=8)
    pipeline.configure(config)
    files = sorted((data / "anomaly_nab/realTweets").glob("*.csv"))
    windows = json.loads((data / "anomaly_nab/combined_windows.json").read_text())
    out = report(pipeline, *[x for f in files for x in ("--data", f)], "--labels", data / "anomaly_nab/combined_windows.json")
    inside = alerts = found = total = 0
    for f in files:
        rows = list(csv.DictReader(open(f)))
        times = np.array([r["timestamp"] for r in rows])
        values = np.array([float(r["value"]) for r in rows])
        before = np.lib.stride_tricks.sliding_window_view(values, 288)[:-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.abs(values[288:] - before.mean(axis=1)) / before.std(axis=1, ddof=1)
        at = times[288:][z > 8]
        stretches = [(a[:19], b[:19]) for a, b in windows["realTweets/" + f.name]]
        hit = np.array([any(a <= t <= b for a, b in stretches) for t in at], bool)
        alerts, inside, total = alerts + len(at), inside + int(hit.sum()), total + len(stretches)
        found += sum(any(a <= t <= b for t in at) for a, b in stretches)
    row = out["detectors"][0]
    assert (row["alerts"], row["alerts_inside"], row["labels"], row["labels_found"]) == (alerts, inside, total, found)
    assert alerts > 50 and 0 < found


# ---- ends that are none -----------------------------------------------------------------------------------------

def test_a_detector_that_crashes_is_named_with_the_values_it_crashed_on(case):
    case.configure({"sources": PIPELINE["sources"],
                    "detectors": {"frail": {"plugin": "poison_detector", "inputs": ["series"], "mark": 7}}})
    case.write("killer.csv", "timestamp,value\n" + "".join(f"{clock(i)},{i + 600}\n" for i in range(100)))
    assert backtest(case, "--data", "killer.csv").stderr == ""  # and no bar where there is no terminal
    done = backtest(case, "--data", "killer.csv", "--sweep", "mark=5,666", code=3, env=kit.DIES)
    assert "mark=666: died of signal" in done.stderr and "mark=5:" not in done.stderr


def test_an_interrupt_leaves_nothing_behind(case, tmp_path_factory):
    temporary = tmp_path_factory.mktemp("temporary")
    process = subprocess.Popen([kit.BIN, "backtest", "-c", "c.yaml", "--data", "data.csv", "--sweep",
                                "threshold=1..900:1"], cwd=case.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env={**os.environ, **ENV, "TMPDIR": str(temporary)})
    running = lambda: any(p.name.isdigit() for d in temporary.iterdir() for p in d.iterdir())
    assert kit.wait_for(lambda: running() if process.poll() is None else True, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3 and "interrupted" in err and out == ""
    assert list(temporary.iterdir()) == []
