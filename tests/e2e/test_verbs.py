# SPDX-License-Identifier: Apache-2.0
"""The command line as a person meets it: help, man pages, exit codes, and the sinks behind a real run."""
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("TAPEWATCH_BIN", str(ROOT / "build/bin/tapewatch"))
VERBS = ["run", "reload", "check", "graph", "plugins", "alerts", "tape", "state", "replay", "backtest", "demo", "new", "test", "test-plugin"]

SERIES = "time,value\n" + "".join(
    f"2026-01-05T00:{i // 60:02d}:{i % 60:02d}Z,{1000 if i in (100, 150) else 10 + i % 3}\n" for i in range(200))

CONFIG = """
sources:
  series:
    plugin: csv
    path: series.csv
    kind: score
    columns: {ts: time, value: value}
detectors:
  far:
    plugin: zscore
    inputs: [series]
    fields: value
    cooldown: 0s
sinks:
  lines: {plugin: jsonl, inputs: [far], path: alerts.jsonl}
  screen: {plugin: console, inputs: [far]}
  nothing: {plugin: "null", inputs: [far]}
"""


def tapewatch(*args, cwd=None, timeout=120, **kwargs):
    return subprocess.run([BIN, *map(str, args)], cwd=cwd, timeout=timeout, text=True, capture_output=True, **kwargs)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which a pipeline over a small series has run to its end."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "series.csv").write_text(SERIES)
    (folder / "c.yaml").write_text(CONFIG)
    done = tapewatch("run", "-c", "c.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def options_of(text):
    return set(re.findall(r"--([a-z][a-z-]*)", text))


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_the_verb_and_ends_well(verb):
    for args in ([verb, "--help"], [verb, "-h"], ["help", verb]):
        done = tapewatch(*args)
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: tapewatch {verb}")
        assert done.stderr == ""


@pytest.mark.parametrize("verb", VERBS)
def test_the_man_page_has_every_option_and_no_other(verb):
    page = (ROOT / f"docs/man/tapewatch-{verb}.1").read_text()
    described = set(re.findall(r"^\.It .*Fl Fl ([a-z-]+)", page, re.M))
    in_help = set(re.findall(r"^  (?:-., |    )--([a-z-]+)", tapewatch(verb, "--help").stdout, re.M)) - {"help"}
    assert described == in_help


def test_the_list_of_verbs_is_complete():
    done = tapewatch("--help")
    assert done.returncode == 0
    assert set(re.findall(r"^  ([a-z][a-z-]*) ", done.stdout, re.M)) == {*VERBS, "help"}


def test_version():
    done = tapewatch("--version")
    assert done.returncode == 0
    assert re.match(r"tapewatch \d+\.\d+\.\d+", done.stdout)


@pytest.mark.parametrize("args, sentence", [
    ([], "usage: tapewatch VERB"),
    (["alrts"], "did you mean 'alerts'?"),
    (["alerts", "--symbl", "x"], "did you mean '--symbol'?"),
    (["alerts", "-d", "nowhere"], "there is no store in nowhere"),
    (["tape", "info", "nowhere"], "there is no nowhere"),
    (["plugins", "zscor"], "did you mean 'zscore'?"),
    (["run", "one", "two"], "one argument too many"),
])
def test_misuse_is_exit_code_2_with_a_sentence(args, sentence, tmp_path):
    done = tapewatch(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_plugins_are_listed_and_described():
    listed = tapewatch("plugins")
    assert listed.returncode == 0
    for name in ("csv", "demo", "zscore", "console", "jsonl", "null"):
        assert re.search(rf"^\w+ +{name} ", listed.stdout, re.M)
    objects = json.loads(tapewatch("plugins", "--json").stdout)
    assert {"source", "detector", "sink"} == {o["kind"] for o in objects}
    one = tapewatch("plugins", "jsonl").stdout
    for option in ("path", "rotate_size", "rotate_daily", "keep", "fsync"):
        assert option in one
    assert json.loads(tapewatch("plugins", "jsonl", "--json").stdout)["name"] == "jsonl"


def test_both_spikes_reach_every_sink(finished):
    folder, done = finished
    lines = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    assert [line["ts"] for line in lines] == ["2026-01-05T00:01:40.000000000Z", "2026-01-05T00:02:30.000000000Z"]
    assert all(line["value"] == 1000 and line["detector"] == "far" for line in lines)
    screen = done.stdout.splitlines()
    assert len(screen) == 2
    assert screen[0].startswith("2026-01-05 00:01:40.000  ")
    assert "\x1b" not in done.stdout


def test_the_jsonl_sink_and_the_alert_log_say_the_same(finished):
    folder, _ = finished
    sink = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    log = [json.loads(line) for line in tapewatch("alerts", "--json", cwd=folder).stdout.splitlines()]
    assert len(log) == 2
    for a, b in zip(sink, log):
        a["ts"] = re.sub(r"\.0+Z$", "Z", a["ts"])
        assert a == b


def test_the_tape_holds_every_row_once(finished):
    folder, _ = finished
    events = [json.loads(line) for line in
              tapewatch("tape", "cat", "--json", "--kind", "score", cwd=folder).stdout.splitlines()]
    assert [e["score"] for e in events] == [1000 if i in (100, 150) else 10 + i % 3 for i in range(200)]
    info = json.loads(tapewatch("tape", "info", "--json", cwd=folder).stdout)
    assert info["events"] >= 200 and info["dead"] == 0
    assert tapewatch("tape", "verify", cwd=folder).returncode == 0


def test_a_second_run_delivers_nothing_twice(finished):
    folder, _ = finished
    before = (folder / "alerts.jsonl").read_bytes()
    digest = tapewatch("alerts", "--digest", cwd=folder).stdout
    again = tapewatch("run", "-c", "c.yaml", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert again.stdout == ""
    assert (folder / "alerts.jsonl").read_bytes() == before
    assert tapewatch("alerts", "--digest", cwd=folder).stdout == digest


def test_a_closed_pipe_ends_quietly(finished):
    folder, _ = finished
    for args in (["alerts", "--follow"], ["tape", "cat"], ["plugins"]):
        with subprocess.Popen([BIN, *args], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            p.stdout.close()
            assert p.stderr.read() == b""
            assert p.wait(timeout=60) in (0, -signal.SIGPIPE)


def test_a_full_output_is_exit_code_3(finished):
    folder, _ = finished
    with open("/dev/full", "w") as full:
        done = subprocess.run([BIN, "tape", "cat"], cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 3
    assert "No space left" in done.stderr
