# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests through the real program. TAPEWATCH_BIN names it, TAPEWATCH_DATA the folder of real data."""
import os

import pytest

import kit


def pytest_configure(config):
    # Results must not depend on where the tests run.
    for name in ("TAPEWATCH_DEMO_SEED", "TAPEWATCH_DEMO_ACCOUNTS", "TAPEWATCH_DEMO_DURATION", "TAPEWATCH_DEMO_LIVE"):
        os.environ.pop(name, None)
    os.environ["TZ"] = "UTC"


@pytest.fixture(scope="session", autouse=True)
def binary():
    if not os.access(kit.BIN, os.X_OK):
        pytest.exit(f"there is no program {kit.BIN}: build it, or set TAPEWATCH_BIN", returncode=2)
    return kit.BIN


@pytest.fixture(scope="session")
def data():
    if not kit.DATA.is_dir():
        pytest.skip(f"no real data in {kit.DATA}: set TAPEWATCH_DATA to the folder")
    return kit.DATA


@pytest.fixture
def pipeline(tmp_path):
    return kit.Pipeline(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The same for a whole file of tests that look at one run."""
    return kit.Pipeline(tmp_path_factory.mktemp("shared"))
