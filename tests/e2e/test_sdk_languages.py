# SPDX-License-Identifier: Apache-2.0
"""The headers of sdk/ are C11 and C++17: each by itself, without a warning, with every compiler that is here."""
import shutil
import subprocess

import numpy as np
import pytest

import kit
from test_window_oracles import CALLS, ask, mixed

SDK = kit.ROOT / "sdk" / "include"
HEADERS = sorted(str(p.relative_to(SDK)) for p in SDK.rglob("*.h"))
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", f"-I{SDK}"]


def compiler(name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name,language", [("gcc", "c11"), ("clang", "c11"), ("g++", "c++17"), ("clang++", "c++17")])
def test_a_header_compiles_by_itself(header, name, language, tmp_path):
    source = tmp_path / ("a.c" if language == "c11" else "a.cpp")
    source.write_text(f"#include <{header}>\n#include <{header}>\nint main(void);\nint main(void) {{ return 0; }}\n")
    done = subprocess.run([compiler(name), f"-std={language}", *STRICT, "-fsyntax-only", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_window_h_has_the_same_results_in_cpp(tmp_path):
    program = tmp_path / "window_cpp"
    done = subprocess.run([compiler("g++"), "-x", "c++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{SDK}",
                           kit.ROOT / "tests" / "oracles" / "window_cli.c", "-o", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for call in CALLS:
        rows = mixed(call[0], 500)
        # not the last digit: one compiler may fuse what the other does not
        np.testing.assert_allclose(ask(*call, rows=rows, program=program), ask(*call, rows=rows), rtol=1e-12, atol=1e-13)
