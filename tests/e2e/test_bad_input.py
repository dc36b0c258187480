# SPDX-License-Identifier: Apache-2.0
"""What the world sends: each kind of bad input has its sentence, the rest goes on, and nothing is lost."""
import gzip
import os
import pathlib
import shutil
import subprocess

import pytest

import kit
import test_resume

MIB = 1 << 20


def quotes(n=400):
    return [f"2026-01-05T00:{i // 60:02d}:{i % 60:02d}Z,{1.1 + i / 1e4:.4f},{1.1002 + i / 1e4:.4f}" for i in range(n)]


def source(path, **options):
    return {"sources": {"q": {"plugin": "csv", "path": str(path), **options}},
            "detectors": {"z": {"plugin": "zscore", "inputs": ["q"]}}}


# ---- rows ---------------------------------------------------------------------------------------------------------

BAD_ROWS = {  # the row, its reason, its column or None where it is about the whole row, a part of the sentence
    "a word for a number": ("2026-01-05T00:00:10Z,one,1.1", "bad_number", 2, "bid 'one' is not a number"),
    "a word for a time": ("yesterday,1.1,1.1", "bad_time", 1, "'yesterday' is not a time"),
    "a day that no calendar has": ("2026-02-30T00:00:10Z,1.1,1.1", "bad_time", 1, "is not a time"),
    "a year far away": ("1776-07-04T00:00:10Z,1.1,1.1", "bad_time", None, "expected a year from 1900 to 2199"),
    "too few columns": ("2026-01-05T00:00:10Z,1.1", "bad_row", None, "2 columns where at least 3 were expected"),
    "a quote that is not closed": ('2026-01-05T00:00:10Z,"1.1,1.1', "bad_row", None, "opened and not closed"),
    "a NUL byte": ("2026-01-05T00:00:10Z,1.1,1\0.1", "nul_byte", None, "a NUL byte"),
    "a NaN price": ("2026-01-05T00:00:10Z,nan,1.1", "bad_price", 2, "expected a finite number"),
    "no price": ("2026-01-05T00:00:10Z,1.1,", "bad_price", 3, "expected a finite number"),
    "an infinite price": ("2026-01-05T00:00:10Z,1.1,inf", "bad_price", 3, "expected a finite number"),
    "a price beyond all numbers": ("2026-01-05T00:00:10Z,1e999,1.1", "bad_price", 2, "expected a finite number"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_a_dead_letter_and_the_rest_goes_on(name, pipeline):
    row, reason, column, sentence = BAD_ROWS[name]
    rows = quotes()
    rows[10] = row
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    pipeline.run(source("q.csv"))
    (letter,) = pipeline.dead()
    assert letter["source"] == "q" and letter["reason"] == reason and sentence in letter["detail"]
    assert letter["where"].split(":")[:2] == ["q.csv", "12"]
    if column:
        assert letter["where"] == f"q.csv:12:{column}"
    assert letter["raw"] == row
    assert [e["ts"] for e in pipeline.events()] == [r.split(",")[0] for i, r in enumerate(rows) if i != 10]
    assert pipeline.info()["dead_reasons"] == [{"source": "q", "reason": reason, "count": 1}]


def test_a_truefx_line_with_a_nan_price_is_a_dead_letter(pipeline):
    """The fast parser leaves what it does not like to the careful one."""
    lines = test_resume.ticks(1, 500).splitlines()
    symbol, time, _, ask = lines[100].split(b",")
    lines[100] = b",".join((symbol, time, b"nan", ask))
    pipeline.write("t.csv", b"\n".join(lines) + b"\n")
    pipeline.run(source("t.csv"))
    (letter,) = pipeline.dead()
    assert (letter["reason"], letter["where"].split(":")[1]) == ("bad_price", "101")
    assert pipeline.info()["events"] == 499


def test_reasons_are_counted(pipeline):
    rows = [row for row, *_ in BAD_ROWS.values()] * 3 + quotes()
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    done = pipeline.run(source("q.csv"))
    counts = {r["reason"]: r["count"] for r in pipeline.info()["dead_reasons"]}
    assert counts == {"bad_number": 3, "bad_time": 9, "bad_row": 6, "nul_byte": 3, "bad_price": 12}
    assert "33 dead letters" in done.stderr
    assert pipeline.info()["events"] == 400


def test_a_line_of_10_mb_is_refused_and_its_memory_bounded(pipeline):
    rows = quotes()
    rows[10] = "x" * 10 * MIB
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    pipeline.run(source("q.csv"))
    (letter,) = pipeline.dead()
    assert (letter["reason"], letter["where"], letter["detail"]) == ("long_line", "q.csv:12",
                                                                     "longer than 1048576 bytes")
    assert 0 < len(letter["raw"]) <= 65536 and set(letter["raw"]) == {"x"}
    assert pipeline.info()["events"] == 399


@pytest.mark.parametrize("symbol", ["E\0R", "E\x07R", "E\x1bR", "E\x7fR"])
def test_a_control_character_in_a_symbol_is_refused(symbol, pipeline):
    pipeline.write("q.csv", f"time,symbol,bid,ask\n2026-01-05T00:00:00Z,EURUSD,1,2\n2026-01-05T00:00:01Z,{symbol},1,2\n"
                            "2026-01-05T00:00:02Z,EURUSD,1,2\n")
    pipeline.run(source("q.csv"))
    (letter,) = pipeline.dead()
    assert letter["reason"] == ("nul_byte" if "\0" in symbol else "bad_symbol")
    assert letter["where"].split(":")[1] == "3"
    assert [e["symbol"] for e in pipeline.events()] == ["EURUSD"] * 2


def test_a_symbol_that_is_not_utf_8_is_refused_and_its_raw_text_still_json(pipeline):
    pipeline.write("q.csv", b"time,symbol,bid,ask\n2026-01-05T00:00:00Z,EURUSD,1,2\n2026-01-05T00:00:01Z,E\xffR,1,2\n")
    pipeline.run(source("q.csv"))
    (letter,) = pipeline.dead()
    assert letter["reason"] == "bad_symbol" and "E\ufffdR" in letter["raw"]


def test_any_other_utf_8_in_a_symbol_is_welcome(pipeline):
    names = ["Ünïcode", "中文", "🚀/USDT", "a b", "x" * 255]
    pipeline.write("q.csv", "time,symbol,bid,ask\n" + "".join(f"2026-01-05T00:00:00Z,{n},1,2\n" for n in names))
    pipeline.run(source("q.csv"))
    assert [e["symbol"] for e in pipeline.events()] == names


def test_time_that_goes_backwards_keeps_the_order_of_the_file_and_says_so(pipeline):
    rows = quotes(50)
    rows[20], rows[30] = rows[30], rows[20]
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    done = pipeline.run(source("q.csv"))
    assert [e["ts"] for e in pipeline.events()] == [r.split(",")[0] for r in rows]
    assert "time goes backwards at q.csv:23:" in done.stderr
    assert pipeline.dead() == []


def test_time_that_goes_backwards_is_refused_by_strict(pipeline):
    rows = quotes(50)
    rows[20], rows[30] = rows[30], rows[20]
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    pipeline.run(source("q.csv", strict=True))
    dead = pipeline.dead()
    assert {d["reason"] for d in dead} == {"out_of_order"}
    assert [d["where"] for d in dead] == [f"q.csv:{n}" for n in range(23, 33)]


# ---- too much of it -----------------------------------------------------------------------------------------------

def test_max_bad_as_a_number_stops_the_source(pipeline):
    rows = quotes(200)
    for i in range(50, 200, 10):
        rows[i] = "rubbish"
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    done = pipeline.run(source("q.csv", max_bad=4), code=3)
    assert "q: reading: 5 of " in done.stderr and "more than max_bad: 4 allows" in done.stderr
    assert len(pipeline.dead()) == 5
    assert [e["ts"] for e in pipeline.events()] == [r.split(",")[0] for r in rows[:90] if r != "rubbish"]


def test_max_bad_as_a_number_is_not_passed_by_just_so_many(pipeline):
    rows = quotes(200)
    for i in range(50, 90, 10):
        rows[i] = "rubbish"
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    pipeline.run(source("q.csv", max_bad=4))
    assert pipeline.info()["events"] == 196


def test_max_bad_as_a_share_stops_the_source_once_there_are_a_hundred_rows(pipeline):
    rows = [row if i % 10 else "rubbish" for i, row in enumerate(quotes(1000))]
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(rows) + "\n")
    done = pipeline.run(source("q.csv", max_bad="5%"), code=3)
    assert "11 of 101 rows were refused, more than max_bad: 5% allows" in done.stderr
    pipeline.run(source("q.csv", max_bad="12%"), dir="lenient")
    assert pipeline.info("lenient")["events"] == 900


def test_a_file_of_nothing_but_rubbish_stops_by_default(pipeline):
    pipeline.write("q.csv", "time,bid,ask\n" + "rubbish\n" * 5000)
    done = pipeline.run(source("q.csv"), code=3)
    assert "rows were refused, more than max_bad: 50% allows" in done.stderr
    assert 100 <= len(pipeline.dead()) < 5000


def test_one_source_that_gives_up_does_not_stop_the_other(pipeline):
    pipeline.write("good.csv", "time,bid,ask\n" + "\n".join(quotes(300)) + "\n")
    pipeline.write("bad.csv", "time,bid,ask\n" + "rubbish\n" * 300)
    pipeline.run({"sources": {n: {"plugin": "csv", "path": f"{n}.csv"} for n in ("good", "bad")}}, code=3)
    assert pipeline.info()["events"] == 300


# ---- files --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("pack, word", [(gzip.compress, "gzip"), (kit.zstd, "zstd")], ids=["gzip", "zstd"])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_packed_file_gives_its_complete_rows_and_fails(pack, word, share, pipeline):
    text = test_resume.ticks(2, 20000)
    whole = text.splitlines()
    packed = pack(text)
    pipeline.write("t.csv.packed", packed[:int(len(packed) * share)])
    done = pipeline.run(source("t.csv.packed"), code=3)
    assert f"t.csv.packed: the {word} file ends in the middle; all complete rows before line" in done.stderr
    bids = [e["bid"] for e in pipeline.events()]
    assert bids == [float(line.split(b",")[2]) for line in whole[:len(bids)]]
    assert word == "zstd" or len(bids) > len(whole) * share * 0.8  # zstd packs in blocks of 128 KiB
    assert [d["reason"] for d in pipeline.dead()] == ["truncated"]


def test_a_truncated_file_that_was_fetched_again_is_read_on(pipeline):
    text = test_resume.ticks(2, 20000)
    packed = gzip.compress(text)
    pipeline.write("t.csv.gz", packed[:len(packed) // 2])
    pipeline.run(source("t.csv.gz"), code=3)
    pipeline.write("t.csv.gz", packed)
    pipeline.run()
    assert [e["bid"] for e in pipeline.events()] == [float(line.split(b",")[2]) for line in text.splitlines()]


def test_gzip_with_damage_inside_fails_with_a_sentence(pipeline):
    packed = bytearray(gzip.compress(test_resume.ticks(2, 20000)))
    packed[len(packed) // 2:len(packed) // 2 + 64] = bytes(64)
    pipeline.write("t.csv.gz", bytes(packed))
    done = pipeline.run(source("t.csv.gz", max_bad="100%"), code=3)
    assert "the gzip data is damaged" in done.stderr or "ends in the middle" in done.stderr
    assert 0 < pipeline.info()["events"] < 20000


def test_a_file_that_is_not_there_is_a_sentence_and_exit_code_3(pipeline):
    done = pipeline.run(source("gone.csv", retries=0), code=3)
    assert "q: cannot open: gone.csv: cannot be opened: No such file or directory; the source gives up" in done.stderr


def test_a_file_that_vanishes_between_two_runs_is_a_sentence_and_nothing_is_forgotten(pipeline):
    path = pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(quotes()[:300]) + "\n")
    pipeline.run(source("q.csv", retries=0))
    path.unlink()
    done = pipeline.run(code=3)
    assert "q.csv: cannot be opened: No such file or directory" in done.stderr
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(quotes()) + "\n")
    pipeline.run()
    assert [e["ts"] for e in pipeline.events()] == [q.split(",")[0] for q in quotes()]


def test_a_file_that_comes_late_is_read_once_it_is_there(pipeline):
    pipeline.configure(source("late.csv"))
    process = pipeline.start()
    kit.wait_for(lambda: "opening again" in pipeline.log(), process)
    pipeline.write("late.tmp", "time,bid,ask\n" + "\n".join(quotes()) + "\n").rename(pipeline.path("late.csv"))
    assert process.wait(timeout=60) == 0
    assert pipeline.info()["events"] == 400


@pytest.mark.parametrize("content, sentence", [
    (b"<!DOCTYPE html><html><body>log in</body></html>\n", "this is a web page, not a table"),
    ("time,bid,ask\n".encode("utf-16"), "UTF-16"),
    (b"\x7fELF\x02\x01\x01\0\0\0\0\n", "NUL bytes"),
    (b"alpha,beta,gamma\n1,2,3\n", "set `format:`, or `columns:`"),
    (b"01/02/2026 10:00:00.000,1.1,1.2\n", "set `timezone:`"),
])
def test_a_file_that_is_something_else_says_what_to_do(content, sentence, pipeline):
    pipeline.write("q.csv", content)
    done = pipeline.run(source("q.csv", retries=0), code=3)
    assert "q.csv: " in done.stderr and sentence in done.stderr
    assert pipeline.info()["events"] == 0


def test_a_folder_for_a_file_says_so(pipeline):
    pipeline.path("folder").mkdir()
    done = pipeline.run(source("folder", retries=0), code=3)
    assert "is not a file but a folder; name the files in it, such as FOLDER/*.csv" in done.stderr


def test_an_empty_file_has_no_events_and_is_no_mistake(pipeline):
    pipeline.write("q.csv", b"")
    pipeline.run(source("q.csv"))
    assert pipeline.info()["events"] == 0


# ---- plugins ------------------------------------------------------------------------------------------------------

PLUGINS = pathlib.Path(kit.BIN).resolve().parents[1] / "plugins"
USES_ODD = {"sources": {"q": {"plugin": "csv", "path": "q.csv"}},
            "detectors": {"d": {"plugin": "odd", "inputs": ["q"]}}}


def refused(pipeline, sentence):
    """The configuration that uses the plugin does not start; the list says why and shows the others."""
    env = {"TAPEWATCH_PLUGINS": f"{pipeline.path('odd.d')}:{PLUGINS}"}
    done = pipeline.run(USES_ODD, code=2, env=env)
    assert sentence in done.stderr and "odd.so" in done.stderr
    assert not pipeline.path("data").exists()
    listed = kit.tapewatch("plugins", env=env)
    assert listed.returncode == 0
    assert sentence in listed.stderr
    assert " zscore " in listed.stdout and " odd " not in listed.stdout


@pytest.mark.parametrize("content, sentence", [
    (b"#!/bin/sh\n", "is not a shared object"),
    (b"", "is not a shared object"),
    (b"whole, cut in the header", "is cut short"),
    (b"whole, cut in the code", "is cut short"),
], ids=["script", "empty", "header", "code"])
def test_an_unreadable_plugin_file_is_refused_with_a_sentence(content, sentence, pipeline):
    pipeline.path("odd.d").mkdir()
    if content.startswith(b"whole"):
        whole = (PLUGINS / "zscore.so").read_bytes()
        content = whole[:50 if b"header" in content else 6000]
    pipeline.write("odd.d/odd.so", content)
    refused(pipeline, sentence)


def test_a_plugin_that_may_not_be_read_is_refused_with_a_sentence(pipeline):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    pipeline.path("odd.d").mkdir()
    shutil.copy(PLUGINS / "zscore.so", pipeline.path("odd.d/odd.so"))
    pipeline.path("odd.d/odd.so").chmod(0)
    refused(pipeline, "Permission denied")


def test_a_folder_named_like_a_plugin_is_refused_with_a_sentence(pipeline):
    pipeline.path("odd.d/odd.so").mkdir(parents=True)
    refused(pipeline, "is not a regular file")


def test_a_plugin_file_that_everybody_may_write_is_refused(pipeline):
    pipeline.path("odd.d").mkdir()
    shutil.copy(PLUGINS / "zscore.so", pipeline.path("odd.d/odd.so"))
    pipeline.path("odd.d/odd.so").chmod(0o777)
    refused(pipeline, "can be written by every user")


def build(pipeline, source):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler (cc) to build a plugin with")
    pipeline.path("odd.d").mkdir()
    subprocess.run([compiler, "-shared", "-fPIC", "-w", f"-I{kit.ROOT / 'sdk/include'}", "-o",
                    pipeline.path("odd.d/odd.so"), "-x", "c", "-"], input=source, text=True, check=True)


TINY = """
#include <tapewatch/plugin.h>
static int32_t process(struct tw_ctx *c, const struct tw_batch *b) { return TW_OK; }
static const struct tw_detector detector = { .struct_size = sizeof detector, .option_size = sizeof(struct tw_option),
	.name = "odd", .version = "1.0.0", .summary = "does nothing", .kinds = TW_QUOTE, .process = process };
static const struct tw_detector *const list[] = { &detector, NULL };
TW_EXPORT const struct tw_manifest *tw_plugin(void)
{
	static const struct tw_manifest m = { %s, sizeof m, %s, list, NULL, NULL };
	%s
	return &m;
}
"""


def test_a_tiny_plugin_built_right_is_taken(pipeline):
    build(pipeline, TINY % ("TW_MAGIC, TW_ABI", "TW_EVENT_SCHEMA", ""))
    pipeline.write("q.csv", "time,bid,ask\n" + "\n".join(quotes()) + "\n")
    pipeline.run(USES_ODD, env={"TAPEWATCH_PLUGINS": f"{pipeline.path('odd.d')}:{PLUGINS}"})
    assert pipeline.info()["events"] == 400


@pytest.mark.parametrize("head, schema, body, sentence", [
    ("TW_MAGIC, (TW_ABI_MAJOR + 1) << 16", "TW_EVENT_SCHEMA", "", "was built for plugin ABI"),
    ("TW_MAGIC, TW_ABI + 1", "TW_EVENT_SCHEMA", "", "upgrade tapewatch, or rebuild the plugin"),
    ("TW_MAGIC, TW_ABI", "TW_EVENT_SCHEMA + 1", "", "uses event schema"),
    ("0x12345678, TW_ABI", "TW_EVENT_SCHEMA", "", "is no tapewatch plugin"),
    ("TW_MAGIC, TW_ABI", "TW_EVENT_SCHEMA", "*(volatile int *)8 = 1;", "crashes while it is loaded"),
    ("TW_MAGIC, TW_ABI", "TW_EVENT_SCHEMA", "return NULL;", "returned NULL"),
], ids=["major", "minor", "schema", "magic", "crash", "null"])
def test_a_plugin_of_another_abi_or_none_is_refused_with_a_sentence(head, schema, body, sentence, pipeline):
    build(pipeline, TINY % (head, schema, body))
    refused(pipeline, sentence)


# ---- a full disk --------------------------------------------------------------------------------------------------

SPACE = """
mount -t tmpfs -o size=64m none disk && head -c {filler} /dev/zero > disk/filler || exit 99
{bin} run -c c.yaml -d disk/data 2>>log
echo $? > code
while [ -e disk/again ]; do rm disk/again; {bin} run -c c.yaml -d disk/data 2>>log; echo $? > code; done
{bin} alerts --json -d disk/data > alerts && {bin} tape info --json disk/data > info || exit 98
{bin} tape verify disk/data > verify
"""


class SmallDisk:
    """A run whose store lies on a tmpfs of 64 MiB that only its own mount namespace sees, nearly filled by a file."""

    def __init__(self, pipeline, filler):
        if os.geteuid() != 0 or not shutil.which("unshare") or \
                subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", str(pipeline.folder)],
                               capture_output=True).returncode != 0:
            pytest.skip("a small disk is a mount in a namespace of its own, which takes root and a kernel that lets it")
        self.p = pipeline
        pipeline.path("disk").mkdir()
        pipeline.write("log", b"")
        pipeline.write("t.csv", test_resume.ticks(31, 250000))
        pipeline.run({**source("t.csv"), "host": test_resume.HOST}, dir="calm")
        self.shell = subprocess.Popen(["unshare", "-m", "sh", "-c", SPACE.format(bin=kit.BIN, filler=filler)],
                                      cwd=pipeline.folder)

    def inside(self, name):
        return pathlib.Path(f"/proc/{self.shell.pid}/root{self.p.path('disk')}") / name

    def is_full(self):
        return kit.wait_for(lambda: "nothing is lost, it goes on by itself" in self.p.log(), self.shell)

    def free(self):
        self.inside("filler").unlink()

    def check(self):
        assert self.shell.wait(timeout=120) == 0
        assert self.p.path("code").read_text().strip() == "0", self.p.log()
        assert self.p.path("verify").read_text()
        assert kit.json_lines(self.p.path("info").read_text())[0]["events"] == 250000
        assert kit.without_tape(kit.json_lines(self.p.path("alerts").read_text())) == \
            kit.without_tape(self.p.alerts(dir="calm"))


@pytest.mark.parametrize("filler", ["48m", "60m", "62m"])
def test_on_a_full_disk_the_run_waits_and_goes_on_by_itself_once_there_is_room(filler, pipeline):
    disk = SmallDisk(pipeline, filler)
    assert disk.is_full(), pipeline.log()
    assert "free some space" in pipeline.log()
    disk.free()
    disk.check()
    assert "there is room again; going on" in pipeline.log()


def test_killed_on_a_full_disk_and_run_again_nothing_is_lost(pipeline):
    disk = SmallDisk(pipeline, "50m")
    assert disk.is_full(), pipeline.log()
    disk.inside("again").touch()
    (worker,) = pathlib.Path(f"/proc/{disk.shell.pid}/task/{disk.shell.pid}/children").read_text().split()
    disk.free()
    os.kill(int(worker), 9)
    disk.check()
