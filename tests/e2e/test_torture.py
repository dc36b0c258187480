# SPDX-License-Identifier: Apache-2.0
"""The short selection of `./dev torture`: kills, crash points, failing calls, torn images, damage, pressure."""
import os
import pathlib
import subprocess
import sys

import pytest

import kit

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TAPEWATCH_BIN", ROOT / "build/bin/tapewatch")).resolve()
SLOW_DETECTOR = BIN.parent.parent / "tests/plugins/slow_detector.so"


def test_nothing_that_is_done_to_it_changes_what_it_says(tmp_path):
    if not SLOW_DETECTOR.exists():
        pytest.skip(f"{SLOW_DETECTOR} is missing: built with TAPEWATCH_TESTS=OFF")
    # a sanitizer takes the place of the preloaded library, and most of the time
    args = ["--quick", "--only", "kills", "--kills", "20"] if kit.SANITIZED else ["--quick"]
    done = subprocess.run([sys.executable, str(ROOT / "tests/torture/torture.py"), *args, "--dir", str(tmp_path / "torture")],
                          env={**os.environ, "TAPEWATCH_BIN": str(BIN)}, text=True, capture_output=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


def test_crash_points_are_listed_once_each_with_a_word_of_explanation():
    done = subprocess.run([str(BIN), "--crash-points"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert len(names) > 20 and len(set(names)) == len(names)
    assert all(len(line.split(None, 1)[1]) > 10 for line in done.stdout.splitlines())


@pytest.mark.parametrize("set_to", ["recorder.after_tape", "recorder.after_tape:0", "recorder.after_tape:x", "nowhere:1", ":1"])
def test_a_crash_point_that_does_not_exist_is_refused(set_to):
    done = subprocess.run([str(BIN), "check"], env={**os.environ, "TW_CRASH": set_to}, text=True, capture_output=True,
                          timeout=60)
    assert done.returncode == 2
    assert "names no crash point" in done.stderr
