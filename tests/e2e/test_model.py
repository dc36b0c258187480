# SPDX-License-Identifier: Apache-2.0
"""The model of the store's promises: every variant that must hold holds, every broken one is caught."""
import pathlib
import shutil
import subprocess

import pytest

import kit

MODEL = pathlib.Path(__file__).resolve().parents[1] / "model"

pytestmark = [
    pytest.mark.skipif(bool(kit.SANITIZED), reason="the model is no part of the program under test"),
    pytest.mark.skipif(not shutil.which("spin"), reason="spin is missing (Debian package spin)"),
    pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is missing (Debian package gcc)"),
]


def run(*args, folder=MODEL):
    return subprocess.run([folder / "run.sh", *args], text=True, capture_output=True, timeout=600)


def test_every_variant_of_the_model_is_as_expected():
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "variants are as expected" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("rule, broken, harm", [
    ("drop[0] = after[0]; drop[1] = after[1];", "skip;", "thing twice on the tape"),
    (":: judged > s -> said[judged]", ":: true -> said[judged]", "alert logged twice"),
    ("mark[0] = d_mark[0];", "mark[0] = at[0];", "thing lost"),
])
def test_a_protocol_that_breaks_a_rule_is_reported_as_wrong(tmp_path, rule, broken, harm):
    text = (MODEL / "tape.pml").read_text()
    assert text.count(rule) == 1
    (tmp_path / "tape.pml").write_text(text.replace(rule, broken))
    shutil.copy(MODEL / "run.sh", tmp_path)
    done = run("protocol_more_things", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "fails: " + harm in done.stdout and "WRONG" in done.stdout


def test_a_variant_that_should_fail_and_holds_is_reported_as_wrong(tmp_path):
    text = (MODEL / "tape.pml").read_text()
    rule = "kept[src] = at[src]"
    assert text.count(rule) == 1
    (tmp_path / "tape.pml").write_text(text.replace(rule, "skip"))
    shutil.copy(MODEL / "run.sh", tmp_path)
    done = run("acked_on_receipt", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "WRONG" in done.stdout


def test_an_unknown_variant_is_refused():
    done = run("no_such_variant")
    assert done.returncode == 2
    assert "no_such_variant" in done.stderr
