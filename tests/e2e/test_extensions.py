# SPDX-License-Identifier: Apache-2.0
"""The host's services through the real program, with the examples in examples/extensions as plugins."""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

import kit

BUILD = pathlib.Path(kit.BIN).resolve().parents[1]
EXAMPLES = BUILD / "examples/extensions"
ENV = {"TAPEWATCH_PLUGINS": os.pathsep.join(map(str, (BUILD / "plugins", EXAMPLES, BUILD / "tests/plugins"))),
       "no_proxy": "127.0.0.1"}
NONE = {"nowhere": {"plugin": "null", "inputs": ["*"]}}


def examples():
    return sorted(p.stem for p in (kit.ROOT / "examples/extensions").glob("*.c"))


@pytest.mark.parametrize("name", examples())
def test_each_example_loads(name):
    # not in the folder of the tests' own plugins, one of which hangs until the host loses patience
    done = kit.tapewatch("plugins", name, env={"TAPEWATCH_PLUGINS": str(EXAMPLES)})
    assert done.returncode == 0, done.stderr
    assert name in done.stdout


# ---- kv ----
COUNT = 20000
KV = {"host": {"checkpoint": "100ms", "segment_size": "1MiB"}, "sources": {"sum": {"plugin": "ext_kv", "events": COUNT}},
      "detectors": {"hears": {"plugin": "ext_log", "inputs": ["sum"]}}, "sinks": NONE}
CRASHES = [f"{point}:{n}" for point in ("tape.before_commit", "tape.after_commit", "recorder.before_tape",
                                        "recorder.after_tape", "recorder.after_release", "pump.published",
                                        "pipeline.before_hand", "pipeline.after_hand", "segment.rolled")
           for n in (1, 2)]


def agreement(p):
    """How far the position is, if the value beside it is of the same moment."""
    done = kit.tapewatch("state", "show", "sum", "--json", "-d", "data", cwd=p.folder)
    if done.returncode != 0:  # nothing was durable yet
        return 0
    lines = kit.json_lines(done.stdout)
    assert lines[0]["marked"]
    at = struct.unpack("<Q", bytes.fromhex(lines[0]["position"]))[0]
    values = {line["value"]: struct.unpack("<Q", bytes.fromhex(line["bytes"]))[0] for line in lines[1:]}
    assert values == {"sum": at * (at + 1) // 2}
    return at


@pytest.mark.parametrize("crash", CRASHES)
def test_a_value_and_its_position_agree_wherever_it_dies(pipeline, crash):
    pipeline.configure(KV)
    done = kit.tapewatch("run", "-c", "c.yaml", "-d", "data", cwd=pipeline.folder, env={**ENV, "TW_CRASH": crash})
    if done.returncode == 0:
        pytest.skip(f"this run does not pass {crash}")
    assert done.returncode == 137, done.stderr
    assert agreement(pipeline) <= COUNT
    pipeline.run(env=ENV)
    assert agreement(pipeline) == COUNT
    assert not pipeline.dead()
    assert [e["price"] for e in pipeline.events()] == list(range(1, COUNT + 1))


def test_values_go_on_into_the_next_segments(pipeline):
    config = json.loads(json.dumps(KV))
    config["host"]["segment_size"] = "1MiB"
    config["sources"]["sum"]["events"] = 120000
    pipeline.run(config, env=ENV)
    assert len(list(pipeline.path("data/tape").glob("*.tape"))) > 1  # how many depends on how long the disk takes
    assert agreement(pipeline) == 120000
    assert kit.tapewatch("tape", "verify", "data", cwd=pipeline.folder).returncode == 0


# ---- metrics ----
LIVE = {"host": {"metrics": "127.0.0.1:0"},
        "sources": {"count": {"plugin": "counting_source", "symbol": "X", "burst": 20, "pause": "5ms"}},
        "detectors": {"m": {"plugin": "ext_metrics", "inputs": ["count"]},
                      "r": {"plugin": "rate", "inputs": ["count"], "window": "1s"}},
        "sinks": NONE}
LINE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$')


def url_of(p, process):
    kit.wait_for(lambda: "metrics at http://" in p.log(), process)
    return re.search(r"metrics at (http://\S+)/metrics", p.log()).group(1)


def fetch(url, **kwargs):
    with urllib.request.urlopen(urllib.request.Request(url, **kwargs), timeout=10) as answer:
        return answer.read().decode()


def figures(text):
    """A strict reader: every sample stands under its own HELP and TYPE, and none twice."""
    types, helped, values = {}, set(), {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name in helped and name not in types
            types[name] = kind
        else:
            name, labels, value = LINE.match(line).groups()
            family = re.sub("_(bucket|sum|count)$", "", name) if name not in types else name
            assert family in types and (types[family] != "counter" or name.endswith("_total"))
            assert (name, labels) not in values
            values[name, labels] = float(value)
    return values


def test_metrics_are_what_prometheus_reads(pipeline):
    pipeline.configure(LIVE)
    process = pipeline.start(env=ENV)
    try:
        url = url_of(pipeline, process)
        kit.wait_for(lambda: figures(fetch(url + "/metrics"))["tapewatch_detector_events_total", 'detector="r"'] > 500, process)
        first, second = (figures(fetch(url + "/metrics")) for _ in range(2))
        for (name, labels), value in first.items():
            if name.endswith("_total"):
                assert second[name, labels] >= value
        assert 0 < second["process_resident_memory_bytes", None] < (1e9 if kit.SANITIZED else 30e6)
        assert second["tapewatch_source_events_total", 'source="count"'] >= second["tapewatch_detector_events_total", 'detector="r"']
        assert second["tapewatch_plugin_ext_metrics_quotes_total", 'instance="m"'] == 0  # there are only trades
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=fetch(url + "/metrics"), text=True,
                                     capture_output=True)
            assert checked.returncode == 0, checked.stdout + checked.stderr
        assert fetch(url + "/healthz") == "ok\n"
        for path, method, status in (("/", "GET", 404), ("/metrics", "POST", 405), ("/metrics/../x", "GET", 404)):
            with pytest.raises(urllib.error.HTTPError) as error:
                fetch(url + path, method=method, data=b"x" if method == "POST" else None)
            assert error.value.code == status
    finally:
        kit.stop(process)
    with pytest.raises(urllib.error.URLError):
        fetch(url + "/metrics")


def test_figures_agree_with_the_tape_over_a_reload(pipeline):
    pipeline.configure(LIVE)
    process = pipeline.start(env=ENV)
    try:
        url = url_of(pipeline, process)
        kit.wait_for(lambda: figures(fetch(url + "/metrics"))["tapewatch_events_total", None] > 300, process)
        before = figures(fetch(url + "/metrics"))
        pipeline.ask("reload", "-d", "data")
        after = figures(fetch(url + "/metrics"))
        assert after["tapewatch_reloads_total", None] == before["tapewatch_reloads_total", None] + 1
        assert after["tapewatch_events_total", None] >= before["tapewatch_events_total", None]
        kit.wait_for(lambda: figures(fetch(url + "/metrics"))["tapewatch_detector_events_total", 'detector="r"'] >
                     before["tapewatch_detector_events_total", 'detector="r"'], process)
        seen = figures(fetch(url + "/metrics"))["tapewatch_durable_seq", None]
    finally:
        kit.stop(process)
    assert len(pipeline.events()) >= seen > 300


def listening(pid):
    inodes = {os.readlink(f)[8:-1] for f in pathlib.Path(f"/proc/{pid}/fd").iterdir()
              if os.path.lexists(f) and os.readlink(f).startswith("socket:[")}
    rows = [line.split() for name in ("tcp", "tcp6") for line in
            pathlib.Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


@pytest.mark.parametrize("option,ports", [(None, []), ("0", ["0100007F"]), (":0", ["0100007F"])])
def test_a_port_is_open_only_when_asked_for_and_on_the_loopback(pipeline, option, ports):
    config = {**LIVE, "host": {"metrics": option} if option else {}}
    pipeline.configure(config)
    process = pipeline.start(env=ENV)
    try:
        kit.wait_for(lambda: pipeline.path("data/reload").exists(), process)
        assert [address.split(":")[0] for address in listening(process.pid)] == ports
    finally:
        kit.stop(process)


def test_an_address_that_is_none_is_a_mistake(pipeline):
    config = {**LIVE, "host": {"metrics": "everywhere:http"}}
    done = pipeline.run(config, code=2, env=ENV)
    assert "option 'metrics': expected an address" in done.stderr


# ---- http ----
class Numbers(http.server.BaseHTTPRequestHandler):
    """One number, with an ETag."""
    value, asked, agents = 0, [], set()

    def do_GET(self):
        tag = f'"{Numbers.value}"'
        Numbers.asked.append(self.headers.get("If-None-Match"))
        Numbers.agents.add(self.headers.get("User-Agent"))
        body = b"" if self.headers.get("If-None-Match") == tag else str(Numbers.value).encode()
        self.send_response(200 if body else 304)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_source_asks_only_for_what_is_new_also_after_a_kill(pipeline):
    Numbers.value, Numbers.asked, Numbers.agents = 7, [], set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Numbers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipeline.configure({"sources": {"web": {"plugin": "ext_http", "url": f"http://127.0.0.1:{server.server_port}/n"}},
                        "detectors": {"hears": {"plugin": "ext_log", "inputs": ["web"]}}, "sinks": NONE})

    def prices():
        return [e["price"] for e in pipeline.events() if e["kind"] == "trade"] if pipeline.tape_bytes() else []

    process = pipeline.start(env=ENV)
    try:
        kit.wait_for(lambda: prices() == [7], process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(Numbers.asked)
        process = pipeline.start(env=ENV)
        kit.wait_for(lambda: len(Numbers.asked) > before, process)
        assert Numbers.asked[before] == '"7"'
        Numbers.value = 8
        kit.wait_for(lambda: prices() == [7, 8], process)
    finally:
        kit.stop(process)
        server.shutdown()
        server.server_close()
    assert Numbers.agents == {"tapewatch-example (you@example.com)"}


# ---- secrets, log, calendar, model ----
def test_a_renewed_secret_reaches_the_source_and_nobody_else(pipeline):
    key = pipeline.write("key", "first-secret\n")
    key.chmod(0o600)
    pipeline.configure({"sources": {"s": {"plugin": "ext_secrets", "key": f"file:{key}"}},
                        "detectors": {"hears": {"plugin": "ext_log", "inputs": ["s"]}}, "sinks": NONE})

    def lengths():
        return [e["price"] for e in pipeline.events() if e["kind"] == "trade"] if pipeline.tape_bytes() else []

    process = pipeline.start("--log-level", "debug", env=ENV)
    try:
        kit.wait_for(lambda: lengths() == [12], process)
        fresh = pipeline.write("fresh", "second\n")
        fresh.chmod(0o600)
        fresh.rename(key)
        kit.wait_for(lambda: lengths() == [12, 6], process)
    finally:
        kit.stop(process)
    assert "secret" not in pipeline.log() and "second" not in pipeline.log()


def test_fields_stand_in_the_log_for_people_and_for_programs(pipeline):
    pipeline.configure(KV)
    text = pipeline.run(env=ENV).stderr
    assert 'hears: open limit=3 mode="strict one"' in text
    lines = [json.loads(line) for line in
             pipeline.run(None, "--log", "json", env=ENV, dir="other").stderr.splitlines() if line.startswith("{")]
    said = [line for line in lines if line["who"] == "hears"]
    assert said[0]["text"] == "open" and said[0]["fields"] == {"limit": 3, "mode": "strict one"}


def test_trades_outside_of_the_session_are_found(pipeline):
    """The trades of ext_kv are of 1970-01-01, before the table begins: the venue is closed."""
    config = {**KV, "detectors": {"hours": {"plugin": "ext_calendar", "inputs": ["sum"], "venue": "XLON"}}}
    pipeline.run(config, env=ENV)
    assert len(pipeline.alerts()) == COUNT
    config["detectors"]["hours"]["venue"] = "XXXX"
    assert "there is no venue 'XXXX'; there are FX, CRYPTO" in pipeline.run(config, dir="x", code=2, env=ENV).stderr


def test_a_new_model_judges_after_a_reload_and_a_damaged_one_is_refused(pipeline):
    model = pipeline.write("m", "6.5")
    pipeline.write("m.version", "one\n")
    pipeline.configure({"sources": LIVE["sources"], "detectors": {"m": {"plugin": "ext_model", "inputs": ["count"],
                                                                       "path": str(model)}}, "sinks": NONE})

    def versions():
        return [a["details"]["model"] for a in pipeline.alerts()] if pipeline.path("data/state.lmdb").exists() else []

    process = pipeline.start(env=ENV)
    try:
        kit.wait_for(lambda: "one" in versions(), process)
        pipeline.write("m.version", "two\n")
        pipeline.write("m", "5.5")
        pipeline.ask("reload", "-d", "data")
        kit.wait_for(lambda: "two" in versions(), process)
        pipeline.write("m.sha256", "0" * 64 + "  m\n")
        refused = kit.tapewatch("reload", "-d", "data", cwd=pipeline.folder)
        assert refused.returncode != 0 and "digest" in refused.stdout + refused.stderr
        n = len(versions())
        kit.wait_for(lambda: len(versions()) > n, process)
    finally:
        kit.stop(process)
    alerts = sorted(pipeline.alerts(), key=lambda a: a["seq"])
    said = [a["details"]["model"] for a in alerts]
    assert said == sorted(said) and set(said) == {"one", "two"}  # one place in the order of events
    assert all(a["threshold"] == {"one": 6.5, "two": 5.5}[a["details"]["model"]] for a in alerts)
