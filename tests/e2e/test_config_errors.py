# SPDX-License-Identifier: Apache-2.0
"""A mistake in a configuration gets a sentence with its place; all mistakes in one run; nothing is started."""
import re

import pytest

import kit

MISTAKES = """\
sources:
  ticks:
    plugin: cvs
    path: t.csv
  quotes:
    plugin: csv
    path: t.csv
    formatt: truefx
    max_bad: lots
    header: maybe
  pathless:
    plugin: csv
detectors:
  spikes:
    plugin: zscore
    inputs: [quote]
    windw: 256
    threshold: high
  far:
    plugin: zscore
    inputs: [quotes]
    window: 1
    severity: hihg
    cooldown: 5 moons
    where: {kind: qoute}
  fixed:
    plugin: martingale
    inputs: [quotes]
    key: symbol
  unheard:
    plugin: iqr
    inputs: ["zz*"]
  lost:
    plugin: iqr
  misplaced:
    plugin: jsonl
    inputs: [quotes]
sinks:
  out:
    plugin: jsonl
    path: out.jsonl
    inputs: [quotes]
  shown:
    plugin: console
    inputs: [far]
    kinds: [scores]
    colour: red
host:
  batch: 10000
"""

SENTENCES = [
    (3, 13, "source 'ticks': no source 'cvs'; did you mean 'csv'?"),
    (8, 5, "source 'quotes': unknown option 'formatt'; did you mean 'format'?"),
    (9, 14, "source 'quotes': option 'max_bad': expected a number of rows such as 100, or a share from 1% to 100%"),
    (10, 13, "source 'quotes': option 'header': 'maybe' is not one of auto, yes or no"),
    (11, 3, "source 'pathless': option 'path' is missing; expected a list such as [a, b], or a text"),
    (16, 14, "detector 'spikes': input 'quote' does not exist; did you mean 'quotes'?"),
    (17, 5, "detector 'spikes': unknown option 'windw'; did you mean 'window'?"),
    (18, 16, "detector 'spikes': option 'threshold': 'high' is not a number; expected a number from 0 to 1e9"),
    (22, 13, "detector 'far': option 'window': 1 is out of range; expected an integer from 2 to 8000"),
    (23, 15, "detector 'far': option 'severity': 'hihg' is not one of auto, info, low, medium, high or critical; "
             "did you mean 'high'?"),
    (24, 15, "detector 'far': option 'cooldown': '5 moons' is neither a duration such as 5m nor a count such as "
             "'100 events'"),
    (25, 19, "detector 'far': where: unknown kind 'qoute'; did you mean 'quote'?"),
    (29, 10, "detector 'fixed': option 'key': the key of 'martingale' is fixed: account"),
    (32, 14, "detector 'unheard': input 'zz*' matches no source"),
    (33, 3, "detector 'lost': option 'inputs' is missing; expected a list such as [a, b], or a text"),
    (36, 13, "detector 'misplaced': 'jsonl' is a sink, not a detector; it belongs under sinks:"),
    (42, 14, "sink 'out': input 'quotes' is a source; sinks deliver what detectors say"),
    (46, 12, "sink 'shown': option 'kinds': expected alert or score, got 'scores'"),
    (47, 13, "sink 'shown': option 'colour': 'red' is not one of auto, always or never"),
    (49, 10, "host: option 'batch': 10000 is out of range; expected an integer from 0 to 4096"),
]


def messages(stderr):
    """(file, line, column, sentence) of every message, in their order."""
    return [(file, int(line), int(column), text) for file, line, column, text in
            re.findall(r"^(\S+?):(\d+):(\d+): error: (.*)$", stderr, re.M)]


def nothing_started(pipeline):
    return sorted(p.name for p in pipeline.folder.iterdir() if p.suffix not in (".yaml", ".csv", ".d")) == []


@pytest.fixture(scope="module")
def all_at_once(shared):
    return shared.run(MISTAKES, code=2)


@pytest.mark.parametrize("line, column, sentence", SENTENCES)
def test_each_mistake_has_its_sentence_and_place(line, column, sentence, all_at_once):
    assert ("c.yaml", line, column, sentence) in messages(all_at_once.stderr)


def test_all_mistakes_come_in_one_run_in_their_order_and_no_others(all_at_once):
    assert messages(all_at_once.stderr) == [("c.yaml", *s) for s in SENTENCES]
    assert all_at_once.stderr.splitlines()[-1] == f"check: {len(SENTENCES)} errors in 1 file"


def test_the_line_is_shown_with_the_word_underlined(all_at_once):
    assert "   17 |     windw: 256\n      |     ^~~~~\n" in all_at_once.stderr


def test_nothing_is_started(all_at_once, shared):
    assert nothing_started(shared)
    assert all_at_once.stdout == ""


@pytest.mark.parametrize("verb", ["check", "graph"])
def test_check_and_graph_say_the_same_as_run(verb, all_at_once, shared):
    done = kit.tapewatch(verb, "-c", "c.yaml", cwd=shared.folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", all_at_once.stderr)


@pytest.mark.parametrize("config, line, column, sentence", [
    ("sources:\n  a: {plugin: csv, path: x}\n  a: {plugin: csv, path: y}\n", 3, 3,
     "the name 'a' stands here twice; it was first given in line 2"),
    ("source:\n  a: {plugin: csv, path: x}\n", 1, 1, "unknown section 'source'; did you mean 'sources'?"),
    ("sources:\n  a: {plugin: csv, path: x}\n\tb: 1\n", 3, 1,
     "not valid YAML: tab character may not be used as indentation"),
    ("sources:\n  a: &me {plugin: csv, path: x}\n", 2, 7,
     "anchors (&name) are not allowed; if text is meant, put it in quotes"),
    ("sources:\n  a: {plugin: csv, path: \"${env:NO_SUCH_NAME}\"}\n", 2, 27,
     "environment variable 'NO_SUCH_NAME' is not set; set it, or give a default: ${env:NO_SUCH_NAME:-...}"),
    ("sources:\n  a: {plugin: csv, path: x}\ndetectors:\n  me:\n    plugin: iqr\n    inputs: [a, me]\n", 6, 14,
     "detector 'me': its inputs lead back to itself, or through more than 16 levels"),
    ("sources:\n  a: {plugin: csv, path: x}\ndetectors:\n  me:\n    plugin: technical\n    inputs: [a]\n"
     "    oversold: 80\n", 4, 3, "detector 'me': oversold: 80 is not below overbought, which is 70"),
    ("sources:\n  a: {plugin: csv, path: x, columns: {value: v}}\n", 2, 3,
     "source 'a': columns: no column is mapped to ts, the time of the event"),
])
def test_mistakes_that_are_alone(config, line, column, sentence, pipeline):
    done = pipeline.run(config, code=2)
    assert messages(done.stderr)[0] == ("c.yaml", line, column, sentence)
    assert nothing_started(pipeline)


def test_a_circle_of_two_detectors_is_a_mistake(pipeline):
    done = pipeline.run("sources:\n  a: {plugin: csv, path: x, retries: 0}\ndetectors:\n"
                        "  p: {plugin: zscore, inputs: [q]}\n  q: {plugin: zscore, inputs: [p]}\n", code=2)
    assert "its inputs lead back to itself" in done.stderr
    assert nothing_started(pipeline)


@pytest.mark.parametrize("n", [3, 5, 9])
def test_a_longer_circle_is_a_mistake(n, pipeline):
    ring = "".join(f"  d{i}: {{plugin: zscore, inputs: [d{(i + 1) % n}]}}\n" for i in range(n))
    done = pipeline.run("sources:\n  a: {plugin: csv, path: x, retries: 0}\ndetectors:\n" + ring, code=2)
    assert "its inputs lead back to itself" in done.stderr


def test_no_sources_is_a_mistake(pipeline):
    done = pipeline.run("sinks: {}\n", code=2)
    assert "error: no sources: a pipeline needs a section 'sources' with at least one" in done.stderr
    assert nothing_started(pipeline)


def test_a_missing_file_is_a_mistake(pipeline):
    done = kit.tapewatch("run", "-c", "nowhere.yaml", cwd=pipeline.folder)
    assert done.returncode == 2
    assert "nowhere.yaml: error: does not exist" in done.stderr
    assert nothing_started(pipeline)


def test_a_name_in_two_files_of_a_folder_names_both_places(pipeline):
    (pipeline.folder / "conf.d").mkdir()
    pipeline.write("conf.d/10.yaml", "sources:\n  a: {plugin: csv, path: x}\n")
    pipeline.write("conf.d/20.yaml", "# nothing\nsources:\n  a: {plugin: csv, path: y, colour: red}\n")
    done = kit.tapewatch("run", "-c", "conf.d", cwd=pipeline.folder)
    assert done.returncode == 2
    assert ("conf.d/20.yaml", 3, 3, "the name 'a' is given twice; it is already a source in conf.d/10.yaml:2") in \
        messages(done.stderr)
    assert nothing_started(pipeline)


def test_an_empty_text_for_a_secret_place_shows_no_environment(pipeline):
    """What comes from the environment is not repeated in a message about another option of the same line."""
    pipeline.configure("sources:\n  a: {plugin: csv, path: \"${env:PRIVATE}\", windw: 1}\n")
    done = kit.tapewatch("check", "-c", "c.yaml", cwd=pipeline.folder, env={"PRIVATE": "hunter2"})
    assert done.returncode == 2
    assert "hunter2" not in done.stderr + done.stdout


def test_a_correct_configuration_passes_check_and_leaves_nothing(pipeline):
    pipeline.configure("sources:\n  a: {plugin: csv, path: not_there.csv}\ndetectors:\n"
                       "  z: {plugin: zscore, inputs: [a]}\n")
    done = kit.tapewatch("check", "-c", "c.yaml", cwd=pipeline.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "check: no mistakes in 1 file; nothing was started" in done.stdout
    assert nothing_started(pipeline)


@pytest.mark.parametrize("option", [{"path": "${env:NOWHERE_SET}"}, {"path": ["a.csv", "${env:NOWHERE_SET}"]}])
def test_what_has_no_value_is_not_shown_to_the_plugin(pipeline, option):
    """Its check() may count on every option; it crashed the process."""
    path = option["path"]
    config = {"sources": {"a": {"plugin": "csv", **option}},
              "sinks": {"lines": {"plugin": "jsonl", "inputs": ["*"], "path": path if isinstance(path, str) else "x"}}}
    pipeline.configure(config)
    done = kit.tapewatch("check", "-c", "c.yaml", cwd=pipeline.folder)
    assert done.returncode == 2, done
    assert "NOWHERE_SET" in done.stdout + done.stderr
