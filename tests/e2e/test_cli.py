# SPDX-License-Identifier: Apache-2.0
"""The verbs on a store of some size: filters, following, looking into tapes, exit codes, and several processes at a
store at once. Help and man pages are test_verbs.py's."""
import fnmatch
import json
import re
import shutil
import signal
import subprocess

import pytest

import kit
import test_resume

CONFIG = {
    "sources": {"world": {"plugin": "demo", "duration": "2h", "seed": 8}},
    "detectors": {
        "z": {"plugin": "zscore", "inputs": ["world"], "threshold": 4, "severity": "low"},
        "wash": {"plugin": "wash_trade", "inputs": ["world"], "fills": 3, "severity": "high"},
        "bands": {"plugin": "technical", "inputs": ["world"], "signal": "cross", "cooldown": "10m"},
        "deals": {"plugin": "zscore", "inputs": ["world"], "fields": "profit", "key": "account", "window": 5,
                  "severity": "critical"},
    },
    "host": {"segment_size": "1MiB"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    p = kit.Pipeline(tmp_path_factory.mktemp("store"))
    p.run(CONFIG)
    return p


def ended(process):
    """A process that a test leaves running is ended by its own id."""
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


# ---- alerts -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("args, keep", [
    (["--symbol", "EURUSD"], lambda a: a.get("symbol") == "EURUSD"),
    (["--symbol", "*JPY"], lambda a: fnmatch.fnmatchcase(a.get("symbol", ""), "*JPY")),
    (["-s", "?BPUSD"], lambda a: fnmatch.fnmatchcase(a.get("symbol", ""), "?BPUSD")),
    (["--account", "A000*"], lambda a: a.get("account", "").startswith("A000")),
    (["--detector", "z"], lambda a: a["detector"] == "z"),
    (["-D", "*a*"], lambda a: "a" in a["detector"]),
    (["--severity", "medium"], lambda a: a["severity"] in ("medium", "high", "critical")),
    (["--severity", "critical"], lambda a: a["severity"] == "critical"),
    (["--since", "2026-01-05T01:00:00Z"], lambda a: a["ts"] >= "2026-01-05T01:00:00"),
    (["--symbol", "EURUSD", "--detector", "bands", "--since", "2026-01-05T01:00:00Z"],
     lambda a: a.get("symbol") == "EURUSD" and a["detector"] == "bands" and a["ts"] >= "2026-01-05T01:00:00"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_filters_of_alerts_choose_what_they_say(args, keep, store):
    everything = store.alerts()
    expected = [a for a in everything if keep(a)]
    assert 0 < len(expected) < len(everything)
    assert store.alerts(*args) == expected


@pytest.mark.parametrize("n", [1, 5, 10**9])
def test_limit_shows_the_first_alerts(n, store):
    assert store.alerts("--limit", n) == store.alerts()[:n]


def test_a_filter_that_matches_nothing_shows_nothing(store):
    assert store.alerts("--symbol", "NOSUCH") == []


def test_since_may_be_a_day_or_a_while_ago(store):
    assert store.alerts("--since", "2026-01-05") == store.alerts()
    assert store.alerts("--since", "2026-01-06") == []


def test_in_a_pipe_an_alert_is_a_line_of_seven_fields(store):
    lines = [line.split("\t") for line in store.ask("alerts", "-d", "data").splitlines()]
    assert [(f[1], f[2], f[3], f[4], f[5], f[6]) for f in lines] == [
        (a["severity"], a["detector"], a.get("symbol", ""), a.get("account", ""), a["type"], a["reason"])
        for a in store.alerts()]


def test_the_digest_is_one_sha256_and_takes_no_filter(store):
    assert re.fullmatch(r"[0-9a-f]{64}", store.digest())
    assert kit.tapewatch("alerts", "--digest", "--symbol", "X", "-d", "data", cwd=store.folder).returncode == 2


@pytest.mark.parametrize("args", [["--severity", "loud"], ["--since", "lately"], ["--limit", "-3"], ["--limit", "x"]])
def test_values_that_make_no_sense_are_exit_code_2(args, store):
    done = kit.tapewatch("alerts", "-d", "data", *args, cwd=store.folder)
    assert done.returncode == 2 and args[0] in done.stderr and done.stdout == ""


# ---- tape ---------------------------------------------------------------------------------------------------------

def test_tape_info_adds_up(store):
    info, events = store.info(), store.events()
    assert info["events"] == info["last_seq"] == info["complete"] == len(events)
    assert sum(s["events"] for s in info["segments"]) == info["events"]
    assert len(info["segments"]) > 1
    for segment in info["segments"]:
        stretch = events[segment["first"] - 1:segment["last"]]
        times = [kit.ns(e["ts"]) for e in stretch]
        assert (min(times), max(times)) == (kit.ns(segment["from"]), kit.ns(segment["to"]))
    assert f"{info['events']} events" in store.ask("tape", "info", "data")


def test_the_numbers_of_events_have_no_gap(store):
    assert [e["seq"] for e in store.events()] == list(range(1, store.info()["events"] + 1))


@pytest.mark.parametrize("args, keep", [
    (["--kind", "deal"], lambda e: e["kind"] == "deal"),
    (["--kind", "deal", "--kind", "news"], lambda e: e["kind"] in ("deal", "news")),
    (["--symbol", "XAU*"], lambda e: e.get("symbol", "").startswith("XAU")),
    (["--account", "A00001"], lambda e: e.get("account") == "A00001"),
    (["--from", "2026-01-05T01:00:00Z"], lambda e: kit.ns(e["ts"]) >= kit.ns("2026-01-05T01:00:00Z")),
    (["--from", "2026-01-05T00:30:00Z", "--to", "2026-01-05T00:31:00Z"],
     lambda e: kit.ns("2026-01-05T00:30:00Z") <= kit.ns(e["ts"]) < kit.ns("2026-01-05T00:31:00Z")),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_filters_of_tape_cat_choose_what_they_say(args, keep, store):
    everything = store.events()
    expected = [e for e in everything if keep(e)]
    assert 0 < len(expected) < len(everything)
    assert store.events(*args) == expected


def test_tape_cat_for_people_has_one_line_an_event(store):
    lines = store.ask("tape", "cat", "--limit", "50", "data").splitlines()
    assert len(lines) == 50
    for line, event in zip(lines, store.events("--limit", "50")):
        assert line.startswith(f"{event['seq']} ") and f" world {event['kind']}" in line


def test_an_unknown_kind_gets_the_nearest_word(store):
    done = kit.tapewatch("tape", "cat", "--kind", "qoute", "data", cwd=store.folder)
    assert done.returncode == 2 and "did you mean 'quote'?" in done.stderr


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_verify_finds_a_changed_byte_and_says_which_segment(at, store, tmp_path):
    shutil.copytree(store.folder / "data", tmp_path / "data")
    segment = sorted((tmp_path / "data/tape").glob("*.tape"))[0]
    content = bytearray(segment.read_bytes())
    place = content.find(b"EURUSD", int(len(content) * at))  # in an event, and not in a page that nobody reads
    content[place] ^= 1
    segment.write_bytes(content)
    done = kit.tapewatch("tape", "verify", "data", cwd=tmp_path)
    assert done.returncode == 4
    assert segment.name in done.stdout + done.stderr


def test_a_damaged_tape_is_not_replayed_in_silence(store, tmp_path):
    shutil.copytree(store.folder / "data", tmp_path / "data")
    segment = sorted((tmp_path / "data/tape").glob("*.tape"))[0]
    content = bytearray(segment.read_bytes())
    content[content.find(b"EURUSD", len(content) // 2)] ^= 1
    segment.write_bytes(content)
    done = kit.tapewatch("replay", "-c", store.folder / "c.yaml", "-q", "data", cwd=tmp_path)
    assert done.returncode == 4 and done.stdout == "" and segment.name in done.stderr


@pytest.mark.parametrize("spoil", ["cut", "zero", "text"])
def test_a_damaged_state_is_exit_code_4_with_a_sentence(spoil, store, tmp_path):
    shutil.copytree(store.folder / "data", tmp_path / "data")
    state = tmp_path / "data/state.lmdb"
    content = state.read_bytes()
    state.write_bytes({"cut": content[:5000], "zero": bytes(len(content)), "text": b"this was a file\n" * 4096}[spoil])
    for args in (["run", "-c", store.folder / "c.yaml"], ["alerts"]):
        done = kit.tapewatch(*args, "-d", "data", cwd=tmp_path)
        assert done.returncode == 4, done.stderr
        assert "state.lmdb" in done.stderr


# ---- plugins, graph -----------------------------------------------------------------------------------------------

NAMES = ["csv", "demo", "exec", "iqr", "martingale", "moving_average", "rate", "technical", "volume", "wash_trade", "zscore",
         "console", "jsonl", "null"]


@pytest.mark.parametrize("name", NAMES)
def test_a_plugin_is_described_from_its_table_in_text_and_in_json(name):
    described = json.loads(kit.tapewatch("plugins", name, "--json").stdout)
    text = kit.tapewatch("plugins", name).stdout
    assert described["name"] == name
    for option, schema in described["options"]["properties"].items():
        assert f"\n  {option} " in text
        assert schema["description"].split()[0] in text


def test_the_defaults_in_the_tables_are_those_that_marketpulse_had():
    def defaults(name):
        described = json.loads(kit.tapewatch("plugins", name, "--json").stdout)
        return {option: schema.get("default") for option, schema in described["options"]["properties"].items()}
    z, iqr, average, volume, bands = map(defaults, ("zscore", "iqr", "moving_average", "volume", "technical"))
    assert (z["window"], z["threshold"]) == (30, 2.5)
    assert (iqr["window"], iqr["multiplier"]) == (30, 1.5)
    assert (average["window"], volume["window"]) == (20, 20)
    assert [bands[o] for o in ("rsi_window", "overbought", "oversold", "bollinger_window", "bollinger_width")] == \
        [14, 70, 30, 20, 2]


def test_graph_in_json_has_every_node_with_its_inputs(store):
    graph = json.loads(store.ask("graph", "-c", "c.yaml", "--json"))
    assert {n["name"]: (n["kind"], n["inputs"]) for n in graph["nodes"]} == {
        "world": ("source", []), **{d: ("detector", ["world"]) for d in CONFIG["detectors"]}}


def test_graph_for_graphviz_has_every_edge(store):
    dot = store.ask("graph", "-c", "c.yaml", "--dot")
    assert dot.startswith("digraph") and dot.rstrip().endswith("}")
    assert set(re.findall(r'"(\w+)" -> "(\w+)"', dot)) == {("world", d) for d in CONFIG["detectors"]}


def test_stages_follow_the_inputs(pipeline):
    pipeline.configure({"sources": {"s": {"plugin": "csv", "path": "x"}}, "detectors": {
        "last": {"plugin": "zscore", "inputs": ["middle"]}, "middle": {"plugin": "zscore", "inputs": ["first"]},
        "first": {"plugin": "zscore", "inputs": ["s"]}}})
    graph = json.loads(pipeline.ask("graph", "-c", "c.yaml", "--json"))
    assert {n["name"]: n["stage"] for n in graph["nodes"] if n["kind"] == "detector"} == \
        {"first": 1, "middle": 2, "last": 3}


# ---- several processes --------------------------------------------------------------------------------------------

def paced(pipeline, speed="20x"):
    """A run that lasts: ticks as fast as their times say."""
    pipeline.write("t.csv", test_resume.ticks(41, 200000))
    pipeline.configure({"sources": {"t": {"plugin": "csv", "path": "t.csv", "speed": speed}},
                        "detectors": {"z": {"plugin": "zscore", "inputs": ["t"], "threshold": 2}}})
    process = pipeline.start()
    kit.wait_for(lambda: pipeline.path("data/state.lmdb").exists() and pipeline.alerts("--limit", "1"), process)
    return process


def test_a_second_process_on_the_store_is_refused_with_a_sentence(pipeline):
    first = paced(pipeline)
    try:
        done = pipeline.run(code=4)
        assert f"data is in use by process {first.pid}: stop that one first, or give another folder with -d" in \
            done.stderr
        assert first.poll() is None
    finally:
        assert kit.stop(first) == 0
    pipeline.run({"sources": {"t": {"plugin": "csv", "path": "t.csv"}}})


def test_a_lock_left_by_a_killed_process_hinders_nobody(pipeline):
    kit.stop(paced(pipeline), signal.SIGKILL)
    pipeline.run({"sources": {"t": {"plugin": "csv", "path": "t.csv"}}})
    assert pipeline.info()["events"] == 200000


def test_readers_are_welcome_while_a_writer_runs(pipeline):
    pipeline.write("t.csv", test_resume.ticks(42, 400000))
    pipeline.configure({"sources": {"t": {"plugin": "csv", "path": "t.csv"}}, "host": test_resume.HOST,
                        "detectors": {"z": {"plugin": "zscore", "inputs": ["t"], "threshold": 4}}})
    process = pipeline.start()
    kit.wait_for(lambda: pipeline.path("data/tape/000001.tape").exists(), process)
    seen, rounds = [], 0
    while process.poll() is None:
        before = len(seen)
        seen_now = pipeline.alerts()
        assert seen_now[:before] == seen
        seen = seen_now
        info = pipeline.info()
        assert info["complete"] <= info["last_seq"] <= 400000
        pipeline.ask("tape", "cat", "--limit", "1", "data")
        rounds += 1
    assert rounds > 1 and process.wait(timeout=60) == 0
    assert pipeline.alerts()[:len(seen)] == seen


def test_follow_shows_alerts_as_they_come(pipeline):
    writer = paced(pipeline, "10x")
    reader = subprocess.Popen([kit.BIN, "alerts", "--follow", "--json", "-d", "data"], cwd=pipeline.folder,
                              stdout=subprocess.PIPE)
    try:
        already = len(pipeline.alerts())
        lines = kit.read_lines(reader, already + 5)  # five that did not exist when it began
        reader.terminate()
        assert reader.wait(timeout=60) == -signal.SIGTERM
        assert kit.stop(writer) == 0
        assert [json.loads(line) for line in lines] == pipeline.alerts()[:already + 5]
    finally:
        ended(reader)
        ended(writer)


def test_follow_ends_when_its_pipe_is_closed(store):
    reader = subprocess.Popen([kit.BIN, "alerts", "--follow", "-d", "data"], cwd=store.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    kit.read_lines(reader, 1)
    reader.stdout.close()
    assert reader.stderr.read() == b""
    assert reader.wait(timeout=60) in (0, -signal.SIGPIPE)
    reader.stderr.close()


def test_follow_goes_on_after_the_writer_was_killed_and_started_again(pipeline):
    pipeline.write("t.csv", test_resume.ticks(43, 20000))
    config = {"sources": {"t": {"plugin": "csv", "path": "t.csv"}},
              "detectors": {"z": {"plugin": "zscore", "inputs": ["t"], "threshold": 3.5}}}
    pipeline.run(config, dir="calm")
    total = len(pipeline.alerts(dir="calm"))
    pipeline.configure({**config, "sources": {"t": {"plugin": "csv", "path": "t.csv", "speed": "20x"}}})
    writer = pipeline.start()
    kit.wait_for(lambda: pipeline.path("data/state.lmdb").exists() and pipeline.alerts("--limit", "1"), writer)
    reader = subprocess.Popen([kit.BIN, "alerts", "--follow", "--json", "-d", "data"], cwd=pipeline.folder,
                              stdout=subprocess.PIPE)
    try:
        kit.stop(writer, signal.SIGKILL)
        pipeline.run(config)
        lines = kit.read_lines(reader, total)
        assert [json.loads(line) for line in lines] == pipeline.alerts()
        assert kit.without_tape(pipeline.alerts()) == kit.without_tape(pipeline.alerts(dir="calm"))
    finally:
        ended(reader)
        ended(writer)


# ---- output -------------------------------------------------------------------------------------------------------

def test_a_run_in_a_pipe_shows_no_bar_and_no_colour(store):
    done = store.run(dir="piped")
    assert "\x1b" not in done.stderr + done.stdout and "\r" not in done.stderr
    assert done.stdout == ""


def test_quiet_says_nothing_when_all_is_well(store):
    done = store.run(None, "-q", dir="quiet")
    assert done.stdout == done.stderr == ""


def test_the_log_is_json_on_request(pipeline):
    done = pipeline.run({"sources": {"q": {"plugin": "csv", "path": "gone.csv", "retries": 0}}}, "--log=json", "-q",
                        code=3)
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert "gone.csv" in json.dumps(line)


def test_the_summary_counts_what_the_store_holds(store):
    done = store.run(dir="counted")
    alerts = store.alerts(dir="counted")
    assert f"done: {store.info('counted')['events']:,} events" in done.stderr
    assert f"{len(alerts):,} alerts" in done.stderr
    for name in CONFIG["detectors"]:
        mine = sum(a["detector"] == name for a in alerts)
        assert re.search(rf"^  {name} .* {mine:,} alerts", done.stderr, re.M)


def test_no_tape_gives_the_same_alerts_and_no_tape(store):
    store.run(None, "--no-tape", dir="untaped")
    assert store.digest("untaped") == store.digest()
    assert store.info("untaped")["events"] == 0
