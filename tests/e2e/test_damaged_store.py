# SPDX-License-Identifier: Apache-2.0
"""Pages of a store in the place of others: whoever looks gets the right answer or a sentence, and nobody crashes."""
import itertools
import shutil

import pytest

import kit

PAGE = 4096
LOOK = (("alerts", "--digest", "-d", "{}"), ("tape", "cat", "{}"), ("tape", "verify", "{}"), ("state", "ls", "-d", "{}"))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    pipeline = kit.Pipeline(tmp_path_factory.mktemp("damaged"))
    pipeline.write("t.csv", "time,symbol,price\n" + "".join(
        f"{1767571200 + i},S{i % 7},{100 + i * 37 % 11 + (50 if i % 50 == 49 else 0)}\n" for i in range(400)) + "x,y,z\n")
    pipeline.run({"sources": {"t": {"plugin": "csv", "path": "t.csv", "max_bad": "10%"}},
                  "detectors": {"d": {"plugin": "zscore", "inputs": ["t"], "cooldown": "0s"}},
                  "sinks": {"null": {"plugin": "null", "inputs": ["*"]}}})
    answers = {args: look(pipeline, args, "data") for args in LOOK}
    assert all(code == 0 for code, _ in answers.values())
    return pipeline, answers


def look(pipeline, args, store):
    done = kit.tapewatch(*(a.format(store) for a in args), cwd=pipeline.folder)
    if done.returncode == 4:
        assert len(done.stderr) > 20
    return done.returncode, done.stdout.replace(store, "data")


@pytest.mark.parametrize("name", ["tape/000001.tape", "state.lmdb"])
def test_a_page_in_the_place_of_another_is_a_sentence_or_harmless(good, name):
    pipeline, answers = good
    raw = pipeline.path(f"data/{name}").read_bytes()
    pages = range(len(raw) // PAGE)
    refused = 0
    for to, source in itertools.product(pages[:8], pages):
        shutil.rmtree(pipeline.path("copy"), ignore_errors=True)
        shutil.copytree(pipeline.path("data"), pipeline.path("copy"))
        changed = bytearray(raw)
        changed[to * PAGE:(to + 1) * PAGE] = raw[source * PAGE:(source + 1) * PAGE]
        pipeline.path(f"copy/{name}").write_bytes(changed)
        for args in LOOK:
            code, text = look(pipeline, args, "copy")
            assert code in (0, 4), (args, code, to, source)
            refused += code == 4
            if code == 0 and args[1] != "verify":
                assert text == answers[args][1], (args, to, source)
    assert refused


def test_after_a_death_outside_of_any_plugin_the_whole_store_is_read(good, tmp_path):
    """The last block is good, so the quick look at the start sees nothing; the first is not."""
    pipeline = kit.Pipeline(tmp_path)
    for name in ("t.csv", "c.yaml"):
        shutil.copy(good[0].path(name), tmp_path)
    pipeline.run()
    with open(pipeline.path("t.csv"), "a") as file:
        file.writelines(f"{1767580000 + i},S1,100\n" for i in range(50))
    pipeline.run()  # another block

    def died():
        with open(pipeline.path("data/crash"), "a") as file:
            file.write("death 1795246488 SIGSEGV host ? ? ? event 0 0 0000000000000000\n")

    reading = "reading all of data before going on"
    died()
    assert reading in pipeline.run().stderr
    assert reading not in pipeline.run().stderr  # once is enough
    tape = pipeline.path("data/tape/000001.tape")
    broken = bytearray(tape.read_bytes())
    broken[broken.index(b"symbol")] ^= 1
    tape.write_bytes(broken)
    pipeline.run()
    died()
    for _ in range(2):
        done = pipeline.run(code=4)
        assert reading in done.stderr and "checksum differs" in done.stderr
