# SPDX-License-Identifier: Apache-2.0
"""Completion is written from the tables, so it knows every verb and option there is, in each shell."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import kit

SHELLS = ["bash", "zsh", "fish"]


def script(shell):
    done = kit.tapewatch("--completion", shell)
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout


def verbs():
    return set(re.findall(r"^  ([a-z][a-z-]*) ", kit.tapewatch("--help").stdout, re.M)) - {"help"}


def options(verb):
    return set(re.findall(r"^  (?:-., |    )--([a-z-]+)", kit.tapewatch(verb, "--help").stdout, re.M)) - {"help"}


def bash_completes(tmp_path, *words):
    """What bash offers for the last of the words."""
    (tmp_path / "completion").write_text(script("bash"))
    line = " ".join(f"'{w}'" for w in words)
    ask = (f"cd {tmp_path}; source completion; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _tapewatch; "
           'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", ask], text=True, capture_output=True,
                          env={**os.environ, "PATH": f"{pathlib.Path(kit.BIN).resolve().parent}:{os.environ['PATH']}"})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.split())


def test_bash_offers_every_verb(tmp_path):
    assert bash_completes(tmp_path, "tapewatch", "") == verbs() | {"help", "--help", "--version"}
    assert bash_completes(tmp_path, "tapewatch", "help", "") == verbs() | {"help"}
    assert bash_completes(tmp_path, "tapewatch", "al") == {"alerts"}


@pytest.mark.parametrize("verb", sorted(verbs()) if os.access(kit.BIN, os.X_OK) else [])
def test_bash_offers_every_option_of_a_verb(verb, tmp_path):
    assert bash_completes(tmp_path, "tapewatch", verb, "--") == {f"--{o}" for o in options(verb) | {"help"}}


def test_bash_offers_what_an_option_may_be(tmp_path):
    assert bash_completes(tmp_path, "tapewatch", "run", "--log", "") == {"text", "json"}
    assert bash_completes(tmp_path, "tapewatch", "tape", "") >= {"info", "cat", "verify", "export", "import"}
    assert bash_completes(tmp_path, "tapewatch", "state", "s") == {"show"}
    assert bash_completes(tmp_path, "tapewatch", "new", "de") == {"detector"}
    assert bash_completes(tmp_path, "tapewatch", "plugins", "zs") == {"zscore"}
    assert bash_completes(tmp_path, "tapewatch", "run", "--workers", "") == set()
    (tmp_path / "pipe.yaml").write_text("")
    assert bash_completes(tmp_path, "tapewatch", "run", "-c", "pi") == {"pipe.yaml"}


def test_zsh_and_fish_know_every_option():
    zsh, fish = script("zsh"), script("fish")
    for verb in verbs():
        part = re.search(rf"^\t{verb}\)\n(.*?)^\t\t;;$", zsh, re.M | re.S)[1]
        assert set(re.findall(r"--([a-z-]+)[=\[]", part)) - {"help"} == options(verb)
        assert set(re.findall(rf"from {verb}' -l ([a-z-]+)", fish)) == options(verb)
        assert f"-a {verb} " in fish


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_reads_it(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    (tmp_path / "script").write_text(script(shell))
    done = subprocess.run([shell, "-n", tmp_path / "script"], text=True, capture_output=True)
    assert done.returncode == 0 and done.stderr == ""


def test_fish_completes(tmp_path):
    if not shutil.which("fish"):
        pytest.skip("no fish")
    (tmp_path / "script").write_text(script("fish"))
    done = subprocess.run(["fish", "--no-config", "-c", f"source {tmp_path}/script; complete -C 'tapewatch run --wo'"],
                          text=True, capture_output=True)
    assert done.stdout.split()[0] == "--workers", done.stdout + done.stderr


def test_another_shell_is_misuse():
    done = kit.tapewatch("--completion", "tcsh")
    assert done.returncode == 2 and "bash, zsh, fish" in done.stderr
