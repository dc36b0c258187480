# SPDX-License-Identifier: Apache-2.0
"""Detectors in a process of their own: the same answers whatever happens to the process."""
import json
import os
import pathlib
import signal
import sys

import pytest

import kit

PYTHON = str(kit.ROOT / "sdk/python")
ENV = {"PYTHONPATH": PYTHON}

# Counts the events of each key and says so about every third one; `when` is where a test puts something in between.
DETECTOR = """
import os, signal, sys, time
from tapewatch import alert, detector, run, score
{before}

@detector(kinds=["quote"], options={{"every": 3, "flag": ""}})
def count(event, state, options):
    state["n"] = state.get("n", 0) + 1
{when}
    yield score(state["n"])
    if state["n"] % options.every == 0:
        yield alert(state["n"], f"{{event.symbol}} {{state['n']}}", type="third", value=event.bid, severity="high",
                    details={{"bid": event.bid, "name": "\\u00e4"}})

run()
"""
SYMBOLS = ["A", "B", "C"]
ROWS = 300


def quotes(n=ROWS):
    rows = ["ts,symbol,bid,ask"]
    rows += [f"2026-01-05T10:{i // 60:02d}:{i % 60:02d}Z,{SYMBOLS[i % 3]},{1 + i / 1000},{2 + i / 1000}" for i in range(n)]
    return "\n".join(rows) + "\n"


def expected(n=ROWS, without=()):
    """(seq, symbol, count, bid) of every third quote of a symbol, worked out here."""
    seen, found = dict.fromkeys(SYMBOLS, 0), []
    for i in range(n):
        if i + 1 in without:
            continue
        symbol = SYMBOLS[i % 3]
        seen[symbol] += 1
        if seen[symbol] % 3 == 0:
            found.append((i + 1, symbol, seen[symbol], 1 + i / 1000))
    return found


def config(**options):
    return {"sources": {"q": {"plugin": "csv", "path": "q.csv"}},
            "detectors": {"count": {"plugin": "exec", "inputs": ["q"], "command": [sys.executable, "detector.py"], **options}},
            "sinks": {"none": {"plugin": "null", "inputs": ["*"]}}}


def prepare(pipeline, before="", when="", n=ROWS):
    pipeline.write("q.csv", quotes(n))
    pipeline.write("detector.py", DETECTOR.format(before=before, when=when))


def said(pipeline, dir="data"):
    return [(a["seq"], a["symbol"], a["score"], a["value"]) for a in pipeline.alerts(dir=dir)]


def test_a_detector_in_python(pipeline):
    prepare(pipeline, before="print('made')")
    done = pipeline.run(config(options={"every": 3}), env=ENV)
    assert said(pipeline) == expected()
    first = pipeline.alerts()[0]
    assert (first["type"], first["severity"], first["reason"]) == ("third", "high", "A 3")
    assert first["details"] == {"bid": 1.006, "name": "\u00e4"}
    assert "helper count 1.0.0 runs" in done.stderr


def test_what_it_prints_goes_to_the_log(pipeline):
    prepare(pipeline, when="    if event.seq == 5: print('five', flush=True)")
    done = pipeline.run(config(), env=ENV)
    assert said(pipeline) == expected() and "helper: five" in done.stderr


@pytest.mark.parametrize("args", [["--workers", 4], ["--batch", 1], ["--batch", 7]])
@pytest.mark.parametrize("processes", [1, 3])
def test_the_same_with_any_batches_workers_and_processes(pipeline, args, processes):
    prepare(pipeline)
    pipeline.run(config(processes=processes), *args, env=ENV)
    assert said(pipeline) == expected()


def test_both_readers_of_msgpack_say_the_same(pipeline):
    prepare(pipeline)
    pipeline.run(config(), env=ENV)
    pipeline.run(None, dir="own", env={**ENV, "TAPEWATCH_OWN_MSGPACK": "1"})
    assert said(pipeline) == said(pipeline, "own") == expected()


def test_its_scores_reach_the_detectors_behind_it(pipeline):
    prepare(pipeline)
    c = config()
    # the second one is exec too: it is handed events that are on no tape
    c["detectors"]["behind"] = {"plugin": "exec", "inputs": ["count"], "command": [sys.executable, "behind.py"]}
    pipeline.write("behind.py", """
from tapewatch import alert, detector, run
@detector(kinds=["score", "alert"])
def behind(event, state, options):
    if event.kind == "alert":
        return alert(1, f"{event.detector} {event.type} {event.severity} {event.details['bid']}")
    if event.score == 10:
        return alert(event.score, f"{event.detector} {event.symbol}")
run()
""")
    pipeline.run(c, env=ENV)
    found = [a for a in pipeline.alerts() if a["detector"] == "behind"]
    assert sorted(a["reason"] for a in found if a["score"] == 10) == ["count A", "count B", "count C"]
    others = [a["reason"] for a in found if a["score"] == 1]
    assert others == [f"count third high {bid}" for _, _, _, bid in expected()]


# ---- it dies, it hangs, it lies ------------------------------------------------------------------------------------

ONCE = "    if event.seq == 100 and not os.path.exists('once'): open('once', 'w').close(); {}"


@pytest.mark.parametrize("what, sentence", [
    ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9"),
    ("sys.exit(3)", "ended with exit code 3"),
    ("os._exit(0)", "ended with exit code 0"),
    ("time.sleep(1000)", "no reply within 0.5 s"),
    ("os.close(4)", None),
])
def test_a_helper_that_dies_once_loses_nothing(pipeline, what, sentence):
    prepare(pipeline, when=ONCE.format(what))
    done = pipeline.run(config(timeout="500ms"), env=ENV)
    assert said(pipeline) == expected() and not pipeline.dead()
    if sentence:
        assert sentence in done.stderr


@pytest.mark.parametrize("what", ["os.kill(os.getpid(), signal.SIGKILL)", "time.sleep(1000)"])
def test_an_event_that_always_kills_it_goes_to_the_dead_letters_and_the_others_are_judged(pipeline, what):
    prepare(pipeline, when=f"    if event.seq in (100, 101): {what}")
    done = pipeline.run(config(timeout="300ms"), env=ENV)
    assert said(pipeline) == expected(without=(100, 101))
    assert [(d["seq"], d["source"]) for d in pipeline.dead()] == [(100, "count"), (101, "count")]
    assert "event 100 has failed helper count twice by itself" in done.stderr


def test_an_exception_undoes_the_state_and_names_the_line(pipeline):
    prepare(pipeline, when="    if event.seq in (7, 8, 250): raise KeyError('x')")
    done = pipeline.run(config(), env=ENV)
    assert said(pipeline) == expected(without=(7, 8, 250))
    assert [d["seq"] for d in pipeline.dead()] == [7, 8, 250]
    assert "event 7: KeyError: 'x' (detector.py:" in done.stderr


@pytest.mark.parametrize("when, sentence", [
    ("    if event.seq == 9: state['x'] = {1}", "set cannot be kept"),
    ("    if event.seq == 9: state['x'] = (1, 2)", "tuple cannot be kept"),
    ("    if event.seq == 9: state['x'] = 'y' * 5000", "state_size in the configuration is 4096"),
    ("    if event.seq == 9: yield alert(float('nan'), 'x')", "score is nan; expected a finite number"),
    ("    if event.seq == 9: yield 5", "it said a int; expected alert(...) or score(...)"),
    ("    if event.seq == 9: event.bidd", "did you mean 'bid'?"),
    ("    if event.seq == 9: yield from [alert(1, 'x')] * 17", "more than 16 things"),
])
def test_mistakes_in_a_detector_are_sentences(pipeline, when, sentence):
    prepare(pipeline, when=when)
    done = pipeline.run(config(), env=ENV)
    assert sentence in done.stderr and [d["seq"] for d in pipeline.dead()] == [9]
    assert said(pipeline) == expected(without=(9,))


def test_the_wrong_key_is_noticed(pipeline):
    prepare(pipeline)
    text = pipeline.path("detector.py").read_text().replace('kinds=["quote"]', 'key="account", kinds=["trade"]')
    pipeline.write("detector.py", text)
    pipeline.write("q.csv", "ts,symbol,price,size,account\n" + "".join(
        f"2026-01-05T10:00:{i:02d}Z,A,1,1,{'XY'[i % 2]}\n" for i in range(4)))
    done = pipeline.run(config(), env=ENV)
    assert "a state has met two keys; write `key: account` into the configuration" in done.stderr


# A helper without the module: hello, then whatever a test wants.
HOSTILE = """
import os, struct, sys
sys.path.insert(0, {python!r})
os.environ.pop("TAPEWATCH_EXEC")
from tapewatch import pack, unpack
def read(n):
    data = sys.stdin.buffer.read(n)
    if len(data) < n: sys.exit(0)
    return data
def send(data):
    os.write(1, struct.pack(">I", len(data)) + data)
def request():
    return unpack(read(struct.unpack(">I", read(4))[0]))
request()
send(pack({{"protocol": 1, "name": "hostile"}}))
while True:
    q = request()
    n, events = q["n"], q["events"]
    fine = {{"n": n, "done": len(events), "alerts": [{{"i": i, "score": 1.0, "reason": "x"}} for i in range(len(events))]}}
    bad = [event["seq"] for _, event in events if event["seq"] == 5]
    if not bad:
        send(pack(fine))
        continue
{lie}
"""
LIES = {
    "another request": ("send(pack({**fine, 'n': n + 1}))", "it answers request"),
    "an event that is not there": ("send(pack({**fine, 'alerts': [{'i': 999, 'score': 1, 'reason': 'x'}]}))", "'i' is 999; expected 0 to"),
    "minus one": ("send(pack({**fine, 'alerts': [{'i': -1, 'score': 1, 'reason': 'x'}]}))", "'i' is -1"),
    "no number": ("send(pack({**fine, 'alerts': [{'i': 0, 'score': float('nan'), 'reason': 'x'}]}))", "'score' is not finite"),
    "infinite": ("send(pack({**fine, 'scores': [[0, float('inf')]]}))", "'score' is not finite"),
    "a long reason": ("send(pack({**fine, 'alerts': [{'i': 0, 'score': 1, 'reason': 'x' * 600}]}))", "'reason' has 600 bytes; expected at most 499"),
    "no reason": ("send(pack({**fine, 'alerts': [{'i': 0, 'score': 1}]}))", "an alert has no reason"),
    "bad UTF-8": ("send(pack(fine).replace(b'\\xa1x', b'\\xa1\\xff'))", "is not UTF-8"),
    "a large state": ("send(pack({**fine, 'states': [[0, b'x' * 5000]]}))", "state_size is 4096"),
    "a state twice": ("send(pack({**fine, 'states': [[0, b'x'], [0, b'y']]}))", "states"),
    "a state that is not there": ("send(pack({**fine, 'states': [[7, b'x']]}))", "'number of a state' is 7"),
    "half of it": ("send(pack({**fine, 'done': 0}))", "'done' is 0 of"),
    "all of it and an error": ("send(pack({**fine, 'error': 'x'}))", "with an error"),
    "out of order": ("send(pack({'n': n, 'done': len(events), 'scores': [[0, 1]] * 17}))", "16"),
    "a list": ("send(pack([1, 2]))", "'the reply' is a list; expected a map"),
    "nothing": ("os.write(1, b'\\0\\0\\0\\0')", "claims 0 bytes"),
    "print": ("os.write(1, b'hello world\\n')", "does it print to stdout?"),
    "a length without end": ("os.write(1, b'\\xff\\xff\\xff\\xff' + b'x' * 100)", "expected 1 to 8388608"),
    "a length that lies": ("send(b'\\x81\\xa1n\\xdd\\xff\\xff\\xff\\xff')", "a list claims 4294967295 items"),
    "a text that lies": ("send(b'\\x81\\xdb\\xff\\xff\\xff\\xffn')", "a text claims 4294967295 bytes"),
    "deep": ("send(b'\\x81\\xa1x' + b'\\x91' * 1000 + b'\\xc0')", "nest deeper than 8"),
    "an extension": ("send(b'\\x81\\xa1n\\xd4\\x01\\x01')", "or an extension"),
    "something behind it": ("send(pack(fine) + b'\\xc0')", "1 bytes behind the reply"),
    "cut off": ("send(pack(fine)[:-3])", "its reply: "),
    "too late": ("import time; time.sleep(1000)", "no reply within"),
    "half a frame": ("os.write(1, b'\\0\\0\\1\\0abc'); import time; time.sleep(1000)", "no reply within"),
    "twice": ("send(pack(fine)); send(pack(fine))", None),
    "it closes its mouth": ("os.close(1); import time; time.sleep(1000)", "it closed its output"),
    "a flood to stderr": ("os.write(2, b'x' * 1000000); sys.exit(1)", "ended with exit code 1"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_reply_that_cannot_be_is_a_sentence_and_costs_one_event(pipeline, name):
    lie, sentence = LIES[name]
    pipeline.write("q.csv", quotes(20))
    pipeline.write("detector.py", HOSTILE.format(python=PYTHON, lie="    " + lie))
    done = pipeline.run(config(timeout="300ms"), env=ENV)
    seqs = [a["seq"] for a in pipeline.alerts()]
    if sentence is None:  # the first of two answers is right; the second one is found to be none later
        assert seqs == list(range(1, 21))
        return
    assert sentence in done.stderr
    assert seqs == [n for n in range(1, 21) if n != 5]
    assert [d["seq"] for d in pipeline.dead()] == [5]


@pytest.mark.parametrize("script, sentence", [
    ("import nothing_of_this_name", "its last words: ModuleNotFoundError"),
    ("import time; time.sleep(1000)", "no reply within 0.5 s"),
    ("print('hello')", "does it print to stdout?"),
    ("from tapewatch import *\nrun()", "0 functions are marked with @detector"),
    ("from tapewatch import *\n@detector(options={'limit': 3})\ndef f(e, s): pass\nrun()", "unknown option 'limt'; did you mean 'limit'?"),
    ("from tapewatch import *\n@detector(options={'limt': 3})\ndef f(e, s): pass\nrun()", "option 'limt': 'x'; expected int, such as 3"),
    ("from tapewatch import *\n@detector(kinds=['deal'])\ndef f(e, s): pass\nrun()", "judges none of them; it asks for deal"),
])
def test_a_helper_that_cannot_start_is_a_sentence(pipeline, script, sentence):
    pipeline.write("q.csv", quotes(3))
    pipeline.write("detector.py", script)
    c = config(start_timeout="500ms" if "time.sleep" in script else "30s", options={"limt": "x"}, kinds=["quote"])
    pipeline.configure(c)
    done = kit.tapewatch("run", "-c", "c.yaml", "-d", "data", cwd=pipeline.folder, env=ENV)
    assert done.returncode != 0 and sentence in done.stderr


def test_a_program_that_is_not_there_and_options_that_make_no_sense(pipeline):
    pipeline.write("q.csv", quotes(3))
    for change, sentence in (({"command": ["./nothing"]}, "'./nothing' cannot be used: No such file or directory"),
                             ({"command": [""]}, "command: empty"), ({"kinds": ["quotes"]}, "'quotes' is no kind of event")):
        pipeline.configure(config(**change))
        done = kit.tapewatch("run", "-c", "c.yaml", "-d", "data", cwd=pipeline.folder, env=ENV)
        assert done.returncode != 0 and sentence in done.stderr


def test_a_program_that_changes_in_the_middle_is_not_believed(pipeline):
    swap = "t = open('detector.py').read(); open('detector.py', 'w').write(t.replace('def count', 'def other')); os._exit(1)"
    prepare(pipeline, when=f"    if event.seq == 100: {swap}")
    done = pipeline.run(config(max_restarts=1), env=ENV)
    assert "it is 'other' 1.0.0 now and was 'count' 1.0.0" in done.stderr
    assert "could not be started 2 times in a row and is given up" in done.stderr
    assert [a["seq"] for a in pipeline.alerts()] == []


def test_no_helper_is_left_behind(pipeline):
    prepare(pipeline, before="open(f'pid.{os.getpid()}', 'w').close(); os.system('sleep 1000 & echo $! > child')")
    pipeline.run(config(), env=ENV)
    pids = [p.name.split(".")[1] for p in pipeline.folder.glob("pid.*")] + [pipeline.path("child").read_text().strip()]
    assert len(pids) == 2
    for pid in pids:
        stat = pathlib.Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_kill_9_of_the_host_in_the_middle_changes_nothing(pipeline):
    n = 6000
    pipeline.write("q.csv", "ts,symbol,bid,ask\n" + "".join(
        f"2026-01-05T{10 + i // 3600}:{i // 60 % 60:02d}:{i % 60:02d}Z,{SYMBOLS[i % 3]},{1 + i / 1000},{2 + i / 1000}\n" for i in range(n)))
    # it waits at some events until the test has looked
    pipeline.write("detector.py", DETECTOR.format(before="", when=(
        "    if event.seq in (2000, 4000) and not os.path.exists(f'go{event.seq}'):\n"
        "        open(f'at{event.seq}', 'w').close()\n"
        "        while not os.path.exists(f'go{event.seq}'): time.sleep(0.005)")))
    pipeline.configure(config())
    for at in (2000, 4000):
        p = pipeline.start("--batch", 64, env=ENV)
        assert kit.wait_for(lambda: pipeline.path(f"at{at}").exists(), p), pipeline.log()
        p.send_signal(signal.SIGKILL)
        p.wait()
        pipeline.path(f"go{at}").touch()
    p = pipeline.start(env=ENV)
    assert p.wait(timeout=60) == 0, pipeline.log()
    assert said(pipeline) == expected(n)
    assert not pipeline.dead()
