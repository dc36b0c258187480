# SPDX-License-Identifier: Apache-2.0
"""What is built for an older header goes on working: plugins built against every frozen header in today's host, and
changes of today's header that would break them found by abidiff and by the compiler."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import kit

ABI = kit.ROOT / "sdk/abi"
HEADER = kit.ROOT / "sdk/include/tapewatch/plugin.h"
BUILD = pathlib.Path(kit.BIN).resolve().parents[1]
VERSIONS = sorted(p.parent.name for p in ABI.glob("*/plugin.h"))


def plugins_of(version):
    folder = BUILD / "tests/abi" / version / "plugins"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not built")
    return folder


def listed(env=None):
    done = kit.tapewatch("plugins", "--json", env=env)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return {(p["kind"], p["name"]) for p in json.loads(done.stdout)}


@pytest.mark.parametrize("version", VERSIONS)
def test_plugins_built_for_a_frozen_header_load(version):
    assert listed({"TAPEWATCH_PLUGINS": str(plugins_of(version))}) == listed()


@pytest.mark.parametrize("version", VERSIONS)
def test_plugins_built_for_a_frozen_header_say_the_same(version, tmp_path):
    said = []
    for plugins in (None, plugins_of(version)):
        env = {"TAPEWATCH_DEMO_DURATION": "1h"}
        if plugins:
            env["TAPEWATCH_PLUGINS"] = str(plugins)
        folder = tmp_path / ("frozen" if plugins else "today")
        done = kit.tapewatch("run", "-c", kit.ROOT / "conf.d/10-demo.yaml", "-d", folder, env=env)
        assert done.returncode == 0, done.stderr
        said.append(kit.without_tape(kit.json_lines(kit.tapewatch("alerts", "--json", "-d", folder).stdout)))
    assert len(said[0]) > 0
    assert said[0] == said[1]


# ---- the header ------------------------------------------------------------------------------------------------------

def freeze(*args):
    if not shutil.which("abidw"):
        pytest.skip("abidw is not installed (package abigail-tools)")
    return subprocess.run([sys.executable, ABI / "freeze.py", *map(str, args)], text=True, capture_output=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_layout_is_that_of_the_frozen_header(version):
    done = freeze(version, "--print")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ABI / version / "layout.h").read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_todays_header_keeps_what_is_frozen(version):
    done = freeze(version, "--compare")
    assert done.returncode == 0, done.stdout + done.stderr


BREAKS = {
    "members change places": (r"uint32_t self_size, flags;", "uint32_t flags, self_size;"),
    "a member in the middle": (r"(uint32_t \(\*state_size_of\))", r"void (*more)(void); \1"),
    "a member is gone": (r"double price, size, remaining;", "double price, size;"),
    "another type of the same size": (r"int64_t interval;", "double interval;"),
    "another result of a callback": (r"int64_t \(\*wall\)", "double (*wall)"),
    "one more argument of a callback": (r"\(\*flush\)\(void \*self,", "(*flush)(void *self, int32_t why,"),
    "a longer array": (r"unsigned char data\[120\]", "unsigned char data[128]"),
    "a member behind the end of a struct without a size": (r"(uint32_t len, reserved;\n)", r"\1uint64_t more;\n"),
    "a member in the middle of an event": (r"(uint32_t raw_len, source;)", r"\1 uint64_t more;"),
}
# What only a type tells, not where it lies.
ONLY_ABIDIFF = ("another type of the same size", "another result of a callback", "one more argument of a callback")


def changed(tmp_path, old, new):
    text, n = re.subn(old, new, HEADER.read_text(), count=1)
    assert n == 1
    (tmp_path / "tapewatch").mkdir()
    (tmp_path / "tapewatch/plugin.h").write_text(text)
    return tmp_path


def compiles(include):
    return subprocess.run(["cc", "-std=c11", "-I", include, "-fsyntax-only", kit.ROOT / "core/plugin/layout.c"],
                          text=True, capture_output=True)


@pytest.mark.parametrize("change", BREAKS)
def test_a_change_that_breaks_plugins_is_found(change, tmp_path):
    include = changed(tmp_path, *BREAKS[change])
    done = freeze("0.9", "--compare", "--include", include)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"'struct tw_\w+' changed", done.stdout)
    compiled = compiles(include)
    if change not in ONLY_ABIDIFF:
        assert compiled.returncode != 0 and "assert" in compiled.stderr


@pytest.mark.parametrize("old, new", [
    (r"(\tconst char \*instance;[^\n]*\n)", r"\1\tvoid (*more)(void);\n"),
    (r"(\tvoid \(\*progress\)\([^\n]*\n)", r"\1\tvoid (*more)(void);\n"),
    (r"(\tconst struct tw_detail \*details;\n)(\};)", r"\1\tdouble more;\n\2"),
    (r"(\t\tstruct tw_correction correction;\n)", r"\1\t\tstruct tw_quote another;\n"),
])
def test_a_member_behind_the_last_one_is_welcome(old, new, tmp_path):
    include = changed(tmp_path, old, new)
    done = freeze("0.9", "--compare", "--include", include)
    assert done.returncode == 0, done.stdout + done.stderr
    compiled = compiles(include)
    assert compiled.returncode == 0, compiled.stderr


def test_a_constant_with_another_value_does_not_compile(tmp_path):
    done = compiles(changed(tmp_path, r"TW_TRADE = 1 << 1", "TW_TRADE = 1 << 12"))
    assert done.returncode != 0 and "TW_TRADE was 2" in done.stderr


# ---- languages -------------------------------------------------------------------------------------------------------

DETECTOR = r"""
#include <tapewatch/fields.h>
#include <tapewatch/plugin.h>
#include <tapewatch/push.h>
#include <tapewatch/window.h>

struct far { double limit; };
struct state { int64_t n; };

static const struct tw_option options[] = {
	TW_FLOAT(struct far, limit, "5", "0", "1e9", "price that is too far"),
	TW_END,
};

static int32_t on_trade(struct tw_ctx *c, const struct far *f, const struct tw_event *ev, struct state *s)
{
	struct tw_finding found = tw_finding(ev->trade.price, ev->trade.price, 0, f->limit);

	if (!(ev->trade.price > f->limit))
		return TW_OK;
	if (++s->n % 2)
		return tw_report(c, ev, &found, "%g is far", ev->trade.price);
	return tw_alert(c, ev, 0.5, "%" PRId64 " of them", s->n);
}

TW_DETECTOR(on_trade, .name = "far", .version = "1.0.0", .summary = "trades far away", .key = "symbol",
	    .kinds = TW_TRADE | TW_QUOTE, .options = options, .self_size = sizeof(struct far),
	    .state_size = sizeof(struct state), .state_version = 1)
"""


@pytest.mark.parametrize("compiler, standard", [("gcc", "c11"), ("clang", "c11"), ("g++", "c++17"), ("clang++", "c++17"),
                                                ("g++", "c++20")])
def test_the_headers_are_strict_c11_and_cpp17(compiler, standard, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    source = tmp_path / ("far.c" if standard == "c11" else "far.cc")
    source.write_text(DETECTOR)
    done = subprocess.run([compiler, f"-std={standard}", "-pedantic-errors", "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
                           "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,defs",
                           "-I", HEADER.parents[1], source, "-o", tmp_path / "far.so", "-lm"],
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[:4000]
    os.chmod(tmp_path, 0o755)
    shown = kit.tapewatch("plugins", "far", env={"TAPEWATCH_PLUGINS": str(tmp_path)})
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("far ")
