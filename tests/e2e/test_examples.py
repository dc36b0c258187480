# SPDX-License-Identifier: Apache-2.0
"""The examples: the commands of their READMEs, out of the tree, against an installed tapewatch."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys

import pytest

import kit

EXAMPLES = kit.ROOT / "examples"
FOLDERS = ["c-detector", "cpp-detector", "python-detector", "custom-sink", "composed", "tcp-source"]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installation. A sanitizer's plugins need its program, which is installed too."""
    folder = tmp_path_factory.mktemp("prefix")
    build = pathlib.Path(kit.BIN).resolve().parents[1]
    done = subprocess.run(["cmake", "--install", str(build), "--prefix", str(folder)], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def example(tmp_path, prefix, request):
    """A copy of the example's folder, and how to run a command in it."""
    def take(name, **env):
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder)
        # the python3 of the commands is the one that runs the tests
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python3").symlink_to(sys.executable)
        path = f"{prefix}/bin:{tmp_path}/bin:{os.environ['PATH']}"
        return Example(folder, {**os.environ, "PREFIX": str(prefix), "PATH": path, **env})
    return take


class Example(kit.Pipeline):
    def __init__(self, folder, env):
        super().__init__(folder)
        self.env = env

    def commands(self):
        return re.findall(r"^```sh\n(.*?)^```", (self.folder / "README.md").read_text(), re.S | re.M)

    def sh(self, script):
        done = subprocess.run(["sh", "-euc", script], cwd=self.folder, env=self.env, text=True, capture_output=True,
                              timeout=kit.PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def readme(self):
        """All commands of the page in one shell, as a reader would type them."""
        return self.sh("\n".join(self.commands()))

    def build(self, **env):
        self.env |= env
        out = self.sh('cmake -B build -DCMAKE_PREFIX_PATH="$PREFIX" && cmake --build build 2>&1')
        assert "warning" not in out, out
        self.env["TAPEWATCH_PLUGINS"] = f"{self.folder}/build:{self.env['PREFIX']}/lib/tapewatch/plugins"


def alerts_in(out):
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def exported(so):
    out = subprocess.run(["nm", "-D", "--defined-only", so], text=True, capture_output=True, check=True).stdout
    return [line.split()[-1] for line in out.splitlines()]


def test_every_folder_has_a_page_and_a_test():
    assert sorted(p.name for p in EXAMPLES.iterdir() if (p / "README.md").exists() and p.name in FOLDERS) == sorted(FOLDERS)


def test_the_detector_in_c(example):
    e = example("c-detector")
    out = e.readme()
    assert "a spread many times the usual one" in out
    found, = alerts_in(out)
    assert (found["type"], found["symbol"], found["ts"]) == ("wide_spread", "EURUSD", "2026-01-05T10:00:08.000000000Z")
    assert kit.same_number(found["score"], 8, 1e-6) and kit.same_number(found["threshold"], 0.0004, 1e-6)
    assert exported(e.path("build/spread.so")) == ["tw_plugin"]


def test_the_detector_in_cpp(example):
    e = example("cpp-detector")
    found, = alerts_in(e.readme())
    assert (found["type"], found["account"], found["ts"]) == ("night_deals", "owl", "2026-01-05T23:40:00.000000000Z")
    assert exported(e.path("build/night_deals.so")) == ["tw_plugin"]


@pytest.mark.skipif(kit.SANITIZED == "address", reason="the address sanitizer of a C program does not find what throws, "
                                                    "when libstdc++ comes with a plugin")
def test_an_exception_behind_the_boundary_is_a_sentence(example):
    e = example("cpp-detector")
    e.build()
    e.write("pipeline.yaml", e.path("pipeline.yaml").read_text().replace("22:00-06:00", "late"))
    done = subprocess.run(["tapewatch", "run", "-c", "pipeline.yaml", "-d", "data"], cwd=e.folder, env=e.env, text=True,
                          capture_output=True)
    assert done.returncode != 0 and "hours: 'late'; expected e.g. 22:00-06:30" in done.stderr


@pytest.mark.parametrize("name, env", [("c-detector", {"CC": "clang"}), ("cpp-detector", {"CXX": "clang++"}),
                                       ("custom-sink", {"CC": "clang"}), ("tcp-source", {"CC": "clang"})])
def test_clang_builds_it_without_a_warning(example, name, env):
    if not shutil.which(next(iter(env.values()))):
        pytest.skip(f"no {next(iter(env.values()))}")
    example(name).build(**env)


@pytest.mark.parametrize("name", ["c-detector", "cpp-detector", "custom-sink", "tcp-source"])
def test_gcc_builds_it_without_a_warning(example, name):
    example(name).build()


def test_the_detector_in_python_says_what_the_one_in_c_says(example):
    e = example("python-detector")
    out = e.readme()
    assert out.splitlines()[-1] == "ok"
    found, = alerts_in(out)
    assert (found["type"], found["symbol"], found["ts"]) == ("wide_spread", "EURUSD", "2026-01-05T10:00:08.000000000Z")
    assert kit.same_number(found["score"], 8, 1e-6)
    assert found["reason"] == "spread 0.0008 is 8 times the usual 0.0001"


def test_python_and_c_agree_on_a_market(example, tmp_path):
    """Two programs that share no code but the formula."""
    c = example("c-detector")
    c.build()
    shutil.copy(EXAMPLES / "python-detector/detector.py", c.folder)
    c.configure({"sources": {"market": {"plugin": "demo", "duration": "2h", "seed": 3}},
                 "detectors": {"c": {"plugin": "spread", "inputs": ["market"], "limit": 1.2},
                               "python": {"plugin": "exec", "inputs": ["market"], "command": ["python3", "detector.py"],
                                          "options": {"limit": 1.2}}},
                 "sinks": {"none": {"plugin": "null", "inputs": ["*"]}}})
    c.sh("tapewatch run -q -c c.yaml -d data --workers 2")
    said = {name: [(a["seq"], a["symbol"], a["score"], a["value"], a["expected"]) for a in c.alerts()
                   if a["detector"] == name] for name in ("c", "python")}
    assert said["c"] == said["python"] and len(said["c"]) > 20


def rows(path):
    return sqlite3.connect(path).execute("SELECT id, ts, symbol, severity, score, reason FROM alerts ORDER BY seq, id")


def expected_rows(alerts):
    severities = ["", "info", "low", "medium", "high", "critical"]
    return sorted((a["seq"], a["id"], kit.ns(a["ts"]), a.get("symbol"), severities.index(a["severity"]), a["score"],
                   a["reason"]) for a in alerts)


def test_the_sink_has_every_alert(example):
    e = example("custom-sink")
    e.readme()
    alerts = e.alerts()
    assert len(alerts) > 10
    assert list(rows(e.path("alerts.db"))) == [r[1:] for r in expected_rows(alerts)]


def test_the_sink_has_every_alert_once_when_they_are_delivered_again(example):
    """As after a crash between COMMIT and the cursor: another store of the same tape, the same file."""
    e = example("custom-sink")
    e.build()
    e.sh("tapewatch run -q -c pipeline.yaml -d data")
    first = list(rows(e.path("alerts.db")))
    store = e.path("alerts.db")
    with sqlite3.connect(store) as db:
        db.execute("DELETE FROM alerts WHERE id IN (SELECT id FROM alerts ORDER BY seq DESC LIMIT 3)")
    # a sink of another name begins at the first alert
    e.write("pipeline.yaml", e.path("pipeline.yaml").read_text().replace("  table:", "  table2:"))
    e.sh("tapewatch run -q -c pipeline.yaml -d data")
    assert list(rows(store)) == first and first


def test_the_pipeline_of_two_files(example):
    e = example("composed")
    e.readme()
    alerts = e.alerts()
    assert {a["detector"] for a in alerts} == {"spikes", "washes"}
    # the second run appends to the same file
    lines = kit.json_lines(e.path("alerts.jsonl").read_text())
    assert [(a["id"], a["score"], a["reason"]) for a in lines[:len(alerts)]] == \
        [(a["id"], a["score"], a["reason"]) for a in alerts]
    one = "\n".join(e.path(f"conf.d/{name}").read_text() for name in ("10-sources.yaml", "20-detectors.yaml"))
    e.write("one.yaml", one)
    e.sh("tapewatch run -q -c one.yaml -d one")
    assert kit.without_tape(e.alerts(dir="one")) == kit.without_tape(alerts)


# ---- the broker's feed ---------------------------------------------------------------------------------------------

sys.path.insert(0, str(EXAMPLES / "tcp-source"))
import broker as acme  # noqa: E402


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Broker:
    def __init__(self, *args):
        self.process = subprocess.Popen([sys.executable, EXAMPLES / "tcp-source/broker.py", "--port", "0", *map(str, args)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = kit.read_lines(self.process, 1)[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def taken(e):
    """The messages on the tape, as the broker has them."""
    found = []
    for ev in e.events():
        if ev["kind"] == "clock":
            continue
        n = (kit.ns(ev["ts"]) - acme.START) // 10**7
        message = acme.message(n)
        assert {k: ev.get(k) for k in message if k not in ("seq", "ts")} == {k: v for k, v in message.items() if k not in ("seq", "ts")}
        found.append(n)
    return found


def start(e, **env):
    with open(e.path("log"), "a") as log:
        return subprocess.Popen(["tapewatch", "run", "-c", "pipeline.yaml", "-d", "data"], cwd=e.folder,
                                env={**e.env, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)


def test_the_commands_of_the_feed(example):
    e = example("tcp-source", PORT=str(free_port()))
    e.readme()
    assert taken(e) == list(range(1, 5001))
    dead = e.dead()
    assert dead and {d["reason"] for d in dead} == {"bad_line"}
    assert len({d["where"] for d in dead}) == len(dead), "a line is dead once"


def test_kills_and_a_broker_that_repeats_and_forgets_lose_nothing_and_double_nothing(example):
    e = example("tcp-source")
    e.build()
    go = e.path("go")
    with Broker("--messages", 6000, "--unreliable", "--seed", 5, "--hold-at", 4000, "--hold-file", go) as broker:
        for at in (500, 2000, 3500):
            p = start(e, PORT=broker.port)
            assert kit.wait_for(lambda: e.path("data").exists() and tape_at(e) >= at, p), e.log()
            p.send_signal(signal.SIGKILL)
            p.wait()
        go.touch()
        p = start(e, PORT=broker.port)
        assert p.wait(timeout=60) == 0, e.log()
    assert taken(e) == list(range(1, 6001))
    dead = e.dead()
    assert len({d["where"] for d in dead}) == len(dead) > 0
    assert "asking again" in e.log() and "closed the connection" in e.log()


def tape_at(e):
    done = kit.tapewatch("tape", "info", "--json", "data", cwd=e.folder)
    return json.loads(done.stdout).get("events", 0) if done.returncode == 0 else 0


def test_what_the_broker_no_longer_has_is_a_dead_letter(example):
    e = example("tcp-source")
    e.build()
    with Broker("--messages", 300, "--forgotten", 120) as broker:
        assert start(e, PORT=broker.port).wait(timeout=60) == 0, e.log()
    assert taken(e) == list(range(121, 301))
    letter, = e.dead()
    assert letter["reason"] == "gap" and "messages 1 to 120 are lost" in letter["detail"]


class Talker:
    """A broker that says what the test wants: scripts of bytes, one for each connection."""

    def __init__(self, *scripts):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.scripts, self.asked = scripts, []

    def serve(self):
        import threading

        def work():
            for script in self.scripts:
                s, _ = self.server.accept()
                with s:
                    self.asked.append(json.loads(s.makefile("r").readline())["resume_from"])
                    s.sendall(script)
                    s.shutdown(socket.SHUT_WR)
                    try:
                        while s.recv(4096):
                            pass
                    except OSError:
                        pass
        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()
        return self

    def close(self):
        self.thread.join(timeout=30)
        self.server.close()


def lines(*items):
    return b"".join((i if isinstance(i, bytes) else json.dumps(i).encode()) + b"\n" for i in items)


HELLO = {"feed": "acme-7", "first": 1, "next": 100}
END = {"end": True}


def test_a_line_that_takes_the_place_of_a_message_and_one_that_does_not(example):
    e = example("tcp-source")
    e.build()
    m = acme.message
    # rubbish in the place of 2; rubbish between 3 and 4; then 5 with a price that is a text
    bad_price = {**m(5), "price": "much"}
    broker = Talker(lines(HELLO, m(1), b"\xff\xfe{", m(3), b"[1]", m(4), bad_price, m(6), END)).serve()
    assert start(e, PORT=str(broker.port)).wait(timeout=60) == 0, e.log()
    broker.close()
    assert taken(e) == [1, 3, 4, 6]
    assert [(d["reason"], d["where"]) for d in e.dead()][:2] == [("bad_line", "acme-7:2"), ("bad_line", "acme-7:4")]
    assert len(e.dead()) == 3 and e.dead()[2]["where"] == "acme-7:5"


def test_the_loss_of_the_last_messages_is_seen_by_heartbeat_and_end(example):
    e = example("tcp-source")
    e.build()
    m = acme.message
    broker = Talker(lines(HELLO, m(1), {"heartbeat": True, "next": 3}), lines(HELLO, m(2), m(3), {**END, "next": 5}),
                    lines(HELLO, {**END, "next": 5})).serve()
    assert start(e, PORT=str(broker.port)).wait(timeout=60) == 0, e.log()
    broker.close()
    assert taken(e) == [1, 2, 3] and broker.asked == [1, 2, 4]
    letter, = e.dead()  # the broker does not have it any more
    assert letter["reason"] == "gap" and "messages 4 to 4 are lost" in letter["detail"]


def test_another_feed_under_the_same_address_is_refused(example):
    e = example("tcp-source")
    e.build()
    m = acme.message
    broker = Talker(lines(HELLO, m(1), END), lines({**HELLO, "feed": "other"}, m(1), END),
                    lines({**HELLO, "next": 1}, END)).serve()
    assert start(e, PORT=str(broker.port)).wait(timeout=60) == 0, e.log()
    for sentence in ("this is feed 'other' and the tape has 'acme-7'", "it has forgotten what it sent"):
        assert start(e, PORT=str(broker.port)).wait(timeout=60) != 0
        assert sentence in e.log()
    broker.close()
    assert taken(e) == [1] and broker.asked == [1, 2, 2]


def test_silence_is_a_broken_connection(example):
    e = example("tcp-source")
    e.build()
    e.write("pipeline.yaml", e.path("pipeline.yaml").read_text().replace("    retries:", "    timeout: 50ms\n    retries:"))
    go = e.path("go")
    with socket.create_server(("127.0.0.1", 0)) as server:
        p = start(e, PORT=str(server.getsockname()[1]))
        first, _ = server.accept()
        first.sendall(lines(HELLO, acme.message(1)))
        second, _ = server.accept()  # it has given up on the first
        second.sendall(lines(HELLO, acme.message(2), END))
        assert p.wait(timeout=60) == 0, e.log()
        first.close()
        second.close()
    assert "not even a heartbeat" in e.log() and taken(e) == [1, 2] and not go.exists()
