# SPDX-License-Identifier: Apache-2.0
"""A stranger's plugin: `tapewatch new` against an installed tapewatch, out of tree, in each language."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import kit

BUILD = pathlib.Path(kit.BIN).resolve().parents[1]
KINDS = ["detector", "source", "sink"]
TOOLS = {
    "gcc": (["-DCMAKE_C_COMPILER=gcc"], []),
    "clang": (["-DCMAKE_C_COMPILER=clang"], []),
    "c++17": (["-DCMAKE_CXX_COMPILER=g++", "-DCMAKE_CXX_STANDARD=17", "-DCMAKE_CXX_EXTENSIONS=OFF",
               "-DCMAKE_CXX_FLAGS=-pedantic-errors"], ["--cpp"]),
}
WARNINGS = "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"


def run(*command, cwd=None, **env):
    done = subprocess.run([str(c) for c in command], cwd=cwd, text=True, capture_output=True, timeout=kit.PATIENCE,
                          env={**os.environ, **env})
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """tapewatch as it is installed; the build folder is not looked at any more."""
    if not shutil.which("cmake") or not (BUILD / "cmake_install.cmake").exists():
        pytest.skip("no cmake, or not a build folder of cmake")
    if not (BUILD / "install/completion.bash").exists():
        pytest.skip("the files to install are not built")
    if re.search(r"^TAPEWATCH_SANITIZE:\w+=.+$", (BUILD / "CMakeCache.txt").read_text(), re.M):
        pytest.skip("a sanitizer's host does not load plugins built without it")
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", folder)
    return folder


def new(prefix, folder, kind, *options, name="mine"):
    return run(prefix / "bin/tapewatch", "new", kind, name, *options, cwd=folder)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_new_writes_builds_passes_and_runs(prefix, tmp_path, kind, tool):
    settings, options = TOOLS[tool]
    compiler = settings[0].split("=")[1]
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    os.chmod(tmp_path, 0o755)
    said = new(prefix, tmp_path, kind, *options)
    mine = tmp_path / "mine"
    run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", WARNINGS, *settings, cwd=mine)
    run("cmake", "--build", "build", cwd=mine)
    assert (mine / "build/mine.so").exists()
    names = run("nm", "-D", "--defined-only", mine / "build/mine.so").split()
    assert names[2::3] == ["tw_plugin"]
    if (prefix / "include/tapewatch/test.h").exists():
        run("ctest", "--test-dir", "build", "--output-on-failure", cwd=mine)
    # the commands that new said are those that work
    command = re.search(r"^  (TAPEWATCH_PLUGINS=.*)$", said, re.M)[1]
    done = run("sh", "-c", command, cwd=mine, PATH=f"{prefix / 'bin'}:{os.environ['PATH']}")
    alerts = kit.json_lines(run(prefix / "bin/tapewatch", "alerts", "--json", "-d", "data", cwd=mine))
    assert len(alerts) == 1
    if kind == "detector":
        assert alerts[0]["symbol"] == "EURUSD" and alerts[0]["type"] == "mine"
        # the mean is that of the template's own file, computed here
        rows = [line.split(",") for line in (mine / "quotes.csv").read_text().splitlines()[1:]]
        mean, n = 0.0, 0
        for i, row in enumerate(rows):
            spread = float(row[3]) - float(row[2])
            if n >= 20 and spread > 4 * mean:
                assert alerts[0]["value"] == pytest.approx(spread) and alerts[0]["expected"] == pytest.approx(mean)
                assert i == 40
            n = min(n + 1, 20)
            mean += (spread - mean) / n
    if kind == "source":
        assert alerts[0]["symbol"] == "ACME" and alerts[0]["value"] == 99
        assert json.loads(run(prefix / "bin/tapewatch", "tape", "info", "--json", "data", cwd=mine))["events"] == 80
    if kind == "sink":
        fields = (mine / "alerts.txt").read_text().rstrip("\n").split("\t")
        assert fields[0] == alerts[0]["id"] and fields[3] == "EURUSD" and fields[4] == alerts[0]["reason"]
    else:
        assert "EURUSD" in done or "ACME" in done


def test_pkg_config_alone_is_enough(prefix, tmp_path):
    if not shutil.which("pkg-config"):
        pytest.skip("no pkg-config")
    new(prefix, tmp_path, "detector")
    config = next(prefix.glob("lib/**/pkgconfig"))
    readme = (tmp_path / "mine/README.md").read_text()
    command = re.search(r"`(cc -shared [^`]*)`", readme)[1]
    run("sh", "-c", command, cwd=tmp_path / "mine", PKG_CONFIG_PATH=str(config))
    os.chmod(tmp_path / "mine", 0o755)
    shown = run(prefix / "bin/tapewatch", "plugins", "mine", cwd=tmp_path / "mine", TAPEWATCH_PLUGINS=".")
    assert shown.startswith("mine 0.1.0, a detector")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_template_is_left_to_fill_in(prefix, tmp_path, kind):
    new(prefix, tmp_path, kind, name="Some_9")
    files = [p for p in (tmp_path / "Some_9").rglob("*") if p.is_file()]
    assert {p.name for p in files} >= {"Some_9.c", "CMakeLists.txt", "test.c", "first.yaml", "pipeline.yaml", "README.md"}
    for p in files:
        assert not re.search(r"@[A-Z]+@", p.read_text()), p
    assert (tmp_path / "Some_9/Some_9.c").read_text().count("EDIT") >= 3


def refused(prefix, cwd, *args):
    done = subprocess.run([prefix / "bin/tapewatch", "new", *args], cwd=cwd, text=True, capture_output=True)
    assert done.returncode == 2 and done.stdout == ""
    return done.stderr


def test_nothing_is_written_over(prefix, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_text("dear diary")
    assert "not empty" in refused(prefix, tmp_path, "detector", "mine")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["notes"]
    (tmp_path / "empty").mkdir()
    new(prefix, tmp_path, "detector", "--dir", "empty")
    assert "not empty" in refused(prefix, tmp_path, "detector", "mine", "--dir", "empty")
    (tmp_path / "file").write_text("")
    assert "cannot make" in refused(prefix, tmp_path, "detector", "mine", "-d", "file")


@pytest.mark.parametrize("name", ["9lives", "a-b", "a/b", "../up", "", "x" * 64, "na me", "é"])
def test_a_name_must_fit_everywhere(prefix, tmp_path, name):
    assert "cannot be a name" in refused(prefix, tmp_path, "detector", name)
    assert list(tmp_path.iterdir()) == []


def test_the_kind_is_one_of_three(prefix, tmp_path):
    assert "did you mean 'detector'" in refused(prefix, tmp_path, "dtector", "mine")
    assert "say what" in refused(prefix, tmp_path, "detector")


def test_without_templates_the_package_is_named(tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copy(kit.BIN, tmp_path / "bin/tapewatch")
    assert "libtapewatch-dev" in refused(tmp_path, tmp_path, "detector", "mine")
