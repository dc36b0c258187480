# SPDX-License-Identifier: Apache-2.0
"""The test kit as an author meets it: case files, the conformance run, and programs against <tapewatch/test.h>."""
import json
import os
import pathlib
import re
import subprocess
import tempfile

import pytest

import kit

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(kit.BIN).resolve().parent.parent
PLUGINS = BUILD / "plugins"
FAULTY = BUILD / "tests/plugins"
DETECTORS = sorted(p.name for p in (ROOT / "plugins/detectors").iterdir() if p.is_dir() and p.name != "exec")


def tapewatch(*args, **kwargs):
    return subprocess.run([kit.BIN, *map(str, args)], text=True, capture_output=True, timeout=300, **kwargs)


def conformance(plugin, *args, **kwargs):
    """{(kind, check): (result, text)} and the exit code of a conformance run."""
    done = tapewatch("test-plugin", "--json", *args, plugin, **kwargs)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {(r["kind"], r["check"]): (r["result"], r.get("text", "")) for r in rows}, done.returncode


def failures(rows):
    return {check: text for (_, check), (result, text) in rows.items() if result == "fail"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "lines.txt"
    path.write_text("".join(f"EURUSD {1.1 + i * 1e-5:.5f} {1.2 + i * 1e-5:.5f}\n" for i in range(120)))
    return path


@pytest.fixture(scope="module")
def ticks(tmp_path_factory):
    path = tmp_path_factory.mktemp("ticks") / "ticks.csv"
    path.write_text("time,symbol,bid,ask\n" + "".join(
        f"2026-01-05T00:{i // 60:02d}:{i % 60:02d}Z,EURUSD,{1.1 + i * 1e-5:.5f},{1.1002 + i * 1e-5:.5f}\n"
        for i in range(300)))
    return path


# ---- our own plugins

@pytest.mark.parametrize("name", DETECTORS)
def test_the_cases_of_our_detectors_hold(name):
    done = tapewatch("test", ROOT / "plugins/detectors" / name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[1-9]\d* cases?, 0 failed$", done.stdout, re.M)


@pytest.mark.parametrize("name", DETECTORS)
def test_our_detectors_pass_the_conformance_run(name):
    rows, code = conformance(PLUGINS / f"{name}.so")
    assert failures(rows) == {}
    assert code == 0
    assert rows["detector", "ordinary events, saved and restored between every two"][0] == "ok"
    assert not [check for check, (result, _) in rows.items() if result == "skipped"]


def test_the_detector_in_another_program_passes_the_conformance_run():
    """Each of its starts starts Python, so it gets as many as there is time for."""
    options = f"""command: [/usr/bin/python3, {ROOT / 'examples/python-detector/detector.py'}]
options: {{limit: 1.5, min_quotes: 2}}"""
    rows, code = conformance(PLUGINS / "exec.so", "-o", options, "--timeout", "40s",
                             env={**os.environ, "PYTHONPATH": str(ROOT / "sdk/python")})
    assert failures(rows) == {} and code == 0
    assert int(re.search(r"(\d+) alerts", rows["detector", "ordinary events"][1])[1]) > 0


def test_our_sources_pass_the_conformance_run(ticks):
    rows, code = conformance(PLUGINS / "csv.so", "-o", f"path: {ticks}")
    assert failures(rows) == {} and code == 0
    assert "refused" in rows["source", "a log that was cut behind it is noticed"][1]
    assert "refused" in rows["source", "a log that was replaced behind it is noticed"][1]
    assert not [check for check, (result, _) in rows.items() if result == "skipped"]
    rows, code = conformance(PLUGINS / "demo.so")
    assert failures(rows) == {} and code == 0
    assert rows["source", "from every position it goes on with exactly the rest"][0] == "ok"


@pytest.mark.parametrize("name", ["console", "jsonl", "null"])
def test_our_sinks_pass_the_conformance_run(name, tmp_path):
    options = ["-o", f"path: {tmp_path / 'out.jsonl'}"] if name == "jsonl" else []
    rows, code = conformance(PLUGINS / f"{name}.so", *options)
    assert failures(rows) == {} and code == 0
    assert rows["sink", "the same records three times"][0] == "ok"


# ---- every check can fail

@pytest.mark.parametrize("kind, fault", [("detector", "none"), ("source", "none"), ("sink", "none")])
def test_the_faulty_plugins_pass_without_their_fault(kind, fault, lines):
    options = f"{{path: {lines}, fault: none}}" if kind == "source" else "fault: none"
    rows, code = conformance(FAULTY / f"faulty_{kind}.so", "-o", options)
    assert failures(rows) == {} and code == 0


@pytest.mark.skipif(bool(kit.SANITIZED), reason="the faults are in a plugin of the tests, and take minutes; leaks are counted "
                                                "by an allocator that a sanitizer replaces")
@pytest.mark.parametrize("fault, check, text", [
    ("global", "ordinary events, a second time", "static variable"),
    ("self", "ordinary events, saved and restored between every two", "options struct"),
    ("pointer", "ordinary events, the state moved at every call", "holds a pointer"),
    ("batch", "ordinary events, batches of 256", "where a batch ends"),
    ("order", "ordinary events, 4 workers", "shared between keys"),
    ("stack", "ordinary events, poisoned memory", "read before it is set"),
    ("overrun", "ordinary events", "behind the end of its state of 24 bytes"),
    ("self_overrun", "ordinary events", "behind the end of its options struct"),
    ("leak", "ten thousand starts and stops", "bytes behind"),
    ("files", "ten thousand starts and stops", "open files behind"),
    ("threads", "ten thousand starts and stops", "threads behind"),
    ("crash", "hostile events", "signal 6"),
    ("nan", "ordinary events", "score is not finite"),
    ("long", "ordinary events", "500 bytes or more"),
])
def test_a_mistake_of_a_detector_is_found_and_named(fault, check, text):
    rows, code = conformance(FAULTY / "faulty_detector.so", "-o", f"fault: {fault}")
    assert code == 1
    assert text in failures(rows)[check]


def test_a_detector_that_hangs_does_not_hang_the_run():
    rows, code = conformance(FAULTY / "faulty_detector.so", "-o", "fault: hang", "--timeout", f"{3 * kit.SLACK}s")
    assert code == 1
    assert failures(rows) == {"hostile events": f"it did not come to an end within {3 * kit.SLACK} s"}


def test_what_only_repeats_a_failure_is_left_out():
    rows, _ = conformance(FAULTY / "faulty_detector.so", "-o", "fault: nan")
    result, text = rows["detector", "ordinary events, 4 workers"]
    assert (result, text) == ("skipped", "left out, because this failed: ordinary events")


@pytest.mark.parametrize("fault, check, text", [
    ("unmarked", "it reads, and marks positions", "never calls mark()"),
    ("behind", "from every position it goes on with exactly the rest", "event 8 is another one"),
    ("blind", "a log that was cut behind it is noticed", "as if nothing had happened"),
    ("blind", "a log that was replaced behind it is noticed", "as if nothing had happened"),
    ("drops", "one event a poll gives the same", "event 5 is another one"),
    ("memory", "4096 events a poll give the same", "event 1 is another one"),
    ("greedy", "ten thousand starts and stops", "499 open files"),
])
def test_a_mistake_of_a_source_is_found_and_named(fault, check, text, lines):
    rows, code = conformance(FAULTY / "faulty_source.so", "-o", f"{{path: {lines}, fault: {fault}}}")
    assert code == 1
    assert text in failures(rows)[check]


@pytest.mark.parametrize("fault, check, text", [
    ("twice", "the same records three times", "was here before"),
    ("twice", "lost replies: accepted, not flushed, closed, given again", "was here before"),
    ("moody", "the same records three times", "refused 1, 0 and 0 times"),
    ("batches", "records in batches of 256", "too many at once"),
    ("deaf", "records one by one", "not now, for ever"),
    ("boast", "closed and opened between every two records", "accepted 2 of 1"),
    ("long", "hostile records", "signal 6"),
])
def test_a_mistake_of_a_sink_is_found_and_named(fault, check, text):
    rows, code = conformance(FAULTY / "faulty_sink.so", "-o", f"fault: {fault}")
    assert code == 1
    assert text in failures(rows)[check]


def test_exports_and_missing_documentation_are_found():
    rows, code = conformance(FAULTY / "faulty_exports.so")
    assert code == 1
    assert "helper_of_faulty_exports" in failures(rows)["one exported symbol"]
    assert "option 'size' has no help" in failures(rows)["options and purpose are documented"]


def test_a_plugin_that_does_not_load_is_one_finding():
    rows, code = conformance(FAULTY / "bad_crash.so")
    assert code == 1
    assert list(failures(rows)) == ["it loads: file, manifest, ABI, option table"]


def test_a_source_without_its_options_is_skipped_with_the_reason():
    rows, code = conformance(FAULTY / "faulty_source.so")
    assert code == 0
    assert "--options" in rows["source", "it reads, and marks positions"][1]


def test_given_events_are_judged_too(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps({"kind": "quote", "ts": f"2026-01-05T00:00:{i:02d}Z", "symbol": "A", "bid": 1,
                                        "ask": 2}) + "\n" for i in range(60)))
    rows, code = conformance(PLUGINS / "zscore.so", "-i", path)
    assert code == 0
    assert rows["detector", "given events"] == ("ok", "60 events, 0 alerts and scores")
    path.write_text("{}\n")
    rows, code = conformance(PLUGINS / "zscore.so", "-i", path)
    assert code == 1 and f"{path}:1: " in failures(rows)["given events"]


# ---- case files

CASE = """plugin: {plugin}
options: {{window: 4, threshold_pct: 5, fields: [price]}}
cases:
  - name: six percent
    events:
      - {{repeat: 4, every: 1s, event: trade EURUSD price=100}}
      - +1s trade EURUSD price=106
    alerts: {alerts}
"""


def run_case(tmp_path, alerts, plugin="moving_average", *args):
    path = tmp_path / "case.yaml"
    path.write_text(CASE.format(plugin=plugin, alerts=alerts))
    return tapewatch("test", *args, path), path


@pytest.mark.parametrize("alerts", [
    '["4s EURUSD type=price_spike score=1.2 value=106"]', "1", '["x1"]', '["score>=1.2 score<=1.2000001"]',
    "['reason~\"above\"']"])
def test_a_case_that_holds(tmp_path, alerts):
    done, path = run_case(tmp_path, alerts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ok    {path}:4: six percent" in done.stdout


@pytest.mark.parametrize("alerts, line", [
    ('["3s EURUSD"]', "- 3s alert symbol=EURUSD"), ("none", "+ 4s alert EURUSD score=1.2"), ("2", "expected 2 alerts, there were 1"),
    ('["score>=1.3"]', "- alert score>=1.3"), ('["EURUSD", "EURUSD"]', "- alert symbol=EURUSD"),
    ('["x2 EURUSD"]', "(found 1)"), ('["reason~nowhere"]', "- alert reason~nowhere")])
def test_a_case_that_fails_shows_the_difference(tmp_path, alerts, line):
    done, path = run_case(tmp_path, alerts)
    assert done.returncode == 1
    assert f"FAIL  {path}:4: six percent" in done.stdout
    assert line in done.stdout


@pytest.mark.parametrize("text, sentence", [
    ("cases: [{events: [], alerts: none}]", "plugin is missing"),
    ("plugin: zscore", "a list of cases"),
    ("plugin: zscore\ncases: [{evnts: [], alerts: none}]", "did you mean 'events'"),
    ("plugin: zscore\ncases: [{events: [quot A bid=1 ask=2], alerts: none}]", "KIND such as quote"),
    ("plugin: zscore\ncases: [{events: [quote A bd=1 ask=2], alerts: none}]", "did you mean 'bid'"),
    ("plugin: zscore\ncases: [{events: [quote A ask=2], alerts: none}]", "the host refuses this event: bid is absent"),
    ("plugin: zscore\ncases: [{events: []}]", "alerts is missing"),
    ("plugin: zscore\noptions: {windw: 4}\ncases: [{events: [], alerts: none}]", "did you mean 'window'"),
    ("plugin: zscor\ncases: [{events: [], alerts: none}]", "did you mean 'zscore'"),
])
def test_a_mistake_in_a_case_file_is_named(tmp_path, text, sentence):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    done = tapewatch("test", path)
    assert done.returncode in (1, 2)
    assert sentence in done.stdout + done.stderr


def test_a_case_finds_what_depends_on_batches(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(f"""plugin: {FAULTY}/faulty_detector.so
options: {{fault: batch, every: 3}}
cases:
  - {{name: counts, events: [{{repeat: 30, every: 1s, event: quote A bid=1 ask=2}}], alerts: 15}}
""")
    done = tapewatch("test", path)
    assert done.returncode == 1
    assert "repeated in batches of 256" in done.stdout


def test_cases_as_json(tmp_path):
    done, path = run_case(tmp_path, "none", "moving_average", "--json")
    row = json.loads(done.stdout)
    assert (row["file"], row["case"], row["ok"], row["events"], row["alerts"]) == (str(path), "six percent", False, 5, 1)


def test_another_plugin_in_place_of_the_named_one(tmp_path):
    done, _ = run_case(tmp_path, "none", "elsewhere", "-p", PLUGINS / "moving_average.so")
    assert done.returncode == 1 and "+ 4s alert" in done.stdout


# ---- programs

PROGRAM = r"""
#include <tapewatch/test.h>
#include <string.h>

static int detector(int good)
{
    struct tw_test *t = tw_test_detector("PLUGINS/moving_average.so", "window: 4\nthreshold_pct: 5\nfields: [price]");
    for (int i = 0; i < 4; i++) {
        tw_trade(t, "EURUSD", 100, 1);
        tw_advance(t, "1s");
    }
    tw_expect_no_alert(t);
    tw_trade(t, "EURUSD", 106, 1);
    tw_expect_alert(t, .symbol = "EURUSD", .type = "price_spike", .at = "4s", .score = tw_near(1.2));
    tw_expect_no_alert(t);
    tw_expect_counter(t, "warming", 4);
    tw_check(t, tw_alert_count(t) == 1 && tw_alert_get(t, 0)->alert.value == 106 && !tw_alert_get(t, 1));
    if (!good)
        tw_expect(t, "5s USDJPY score>=3");
    return tw_test_done(t);
}

static int source(int good)
{
    struct tw_test *t = tw_test_source("PLUGINS/csv.so", tw_format("path: %s", tw_file("ticks.csv",
        "time,symbol,bid,ask\n2026-01-05T00:00:01Z,EURUSD,1.1,1.2\n2026-01-05T00:00:02Z,EURUSD,1.1,x\n"
        "2026-01-05T00:00:03Z,EURUSD,1.1,1.3\n")));
    tw_poll_all(t);
    tw_expect_event(t, "1s quote EURUSD bid=1.1 ask=1.2");
    tw_expect_event(t, good ? "quote ask=1.3" : "quote ask=1.4");
    tw_expect_no_event(t);
    tw_expect_reject(t, "bad_number");
    tw_expect_reject(t, NULL);
    return tw_test_done(t);
}

static int sink(int good)
{
    const char *out = tw_format("%s/out.jsonl", tw_folder());
    struct tw_test *t = tw_test_sink("PLUGINS/jsonl.so", tw_format("path: %s", out));
    tw_output(t, out);
    tw_give(t, "0s alert EURUSD type=spread severity=high score=5 reason=\"wide spread\" detector=x version=1 config=1 id=a");
    tw_give(t, "1s alert EURUSD type=spread severity=high score=6 reason=\"wider\" detector=x version=1 config=1 id=b");
    tw_check(t, tw_deliver(t) == TW_OK);
    tw_expect_file(t, out, good ? "wide spread" : "narrow");
    tw_expect_refused(t, 0);
    return tw_test_done(t);
}

int main(int argc, char **argv)
{
    int good = argc < 3;
    if (argc > 1 && !strcmp(argv[1], "detector"))
        return detector(good);
    if (argc > 1 && !strcmp(argv[1], "source"))
        return source(good);
    if (argc > 1 && !strcmp(argv[1], "sink"))
        return sink(good);
    if (argc > 1 && !strcmp(argv[1], "refuses"))
        return tw_test_refuses("PLUGINS/moving_average.so", "windw: 4", good ? "did you mean 'window'" : "nothing");
    if (argc > 1 && !strcmp(argv[1], "cases"))
        return tw_test_cases(NULL, argv[2]);
    {
        struct tw_test *t = tw_test_detector("PLUGINS/moving_average.so", "windw: 4");
        tw_trade(t, "EURUSD", 100, 1);
        tw_expect_alert(t, .symbol = "EURUSD");
        return tw_test_done(t);
    }
}
"""

COMPILERS = [["gcc", "-std=c11", "-Wpedantic"], ["clang", "-std=c11", "-Wpedantic"], ["g++", "-x", "c++", "-std=c++17"],
             ["clang++", "-x", "c++", "-std=c++17"]]
if kit.SANITIZED:  # the library wants the runtime of the compiler it was built with
    FLAGS = {"address": "-fsanitize=address,undefined", "thread": "-fsanitize=thread"}[kit.SANITIZED]
    COMPILERS = [[*c, FLAGS] for c in COMPILERS if c[0].startswith("clang")]


def build(folder, compiler):
    source = folder / "program.c"
    source.write_text(PROGRAM.replace("PLUGINS", str(PLUGINS)))
    done = subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/sdk/include", source, "-o",
                           folder / "program", f"-L{BUILD}/lib", "-ltapewatch-test", f"-Wl,-rpath,{BUILD}/lib"],
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder / "program"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("program"), COMPILERS[0])


def run(program, *args):
    return subprocess.run([program, *args], text=True, capture_output=True, timeout=120)


@pytest.mark.parametrize("compiler", COMPILERS, ids=lambda c: f"{c[0]} {c[-1]}")
def test_the_header_serves_every_compiler_without_a_warning(tmp_path, compiler):
    assert run(build(tmp_path, compiler), "detector").returncode == 0


@pytest.mark.parametrize("kind", ["detector", "source", "sink"])
def test_a_program_whose_expectations_hold_ends_well(program, kind):
    done = run(program, kind)
    assert done.returncode == 0, done.stderr
    assert ": ok, " in done.stdout and "the same in all repetitions" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("kind, lines", [
    ("detector", ["expected 5s alert symbol=USDJPY score>=3: none is left", "events so far: 9, the last of them:",
                  "9  4s trade EURUSD price=106 size=1", "price_spike", "(expected)"]),
    ("source", ["expected quote ask=1.4, event 2 is another one", "2  3s quote EURUSD bid=1.1 ask=1.3",
                "bad_number"]),
    ("sink", ["expected 'narrow' in"]),
])
def test_a_failed_expectation_shows_what_lies_around_it(program, kind, lines):
    done = run(program, kind, "bad")
    assert done.returncode == 1
    assert re.search(r"^\S*program\.c:\d+: expected", done.stderr, re.M)
    for line in lines:
        assert line in done.stderr


def test_refused_options_can_be_expected(program):
    assert run(program, "refuses").returncode == 0
    done = run(program, "refuses", "bad")
    assert done.returncode == 1 and "did you mean 'window'" in done.stderr


def test_a_plugin_that_does_not_load_is_a_failure_with_a_sentence(program):
    done = run(program)
    assert done.returncode == 1
    assert "options:1:1: " in done.stderr and "did you mean 'window'" in done.stderr


def test_a_program_runs_case_files(program, tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(CASE.format(plugin=PLUGINS / "moving_average.so", alerts="none"))
    done = run(program, "cases", path)
    assert done.returncode == 1 and "+ 4s alert" in done.stderr


def test_nothing_is_left_behind(program):
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        env = {**os.environ, "TMPDIR": folder}
        for args in (["detector"], ["detector", "bad"], ["sink", "bad"]):
            subprocess.run([program, *args], capture_output=True, timeout=120, env=env)
        tapewatch("test-plugin", "-o", "fault: crash", FAULTY / "faulty_detector.so", env=env)
        assert os.listdir(folder) == []
