# SPDX-License-Identifier: Apache-2.0
"""Every pipeline that comes with tapewatch says the same with any number of workers and any size of batches: live, from
its own tape, and computed anew after its checkpoints are thrown away."""
import os

import pytest

import kit

EXAMPLES = sorted(p.relative_to(kit.ROOT) for p in [*kit.ROOT.glob("examples/*.yaml"), *kit.ROOT.glob("conf.d/*.yaml")])
MATRIX = [(w, b) for w in (1, 2, 3, 7) for b in (1, 7, 256)]
DEMO = {"TAPEWATCH_DEMO_DURATION": "20m"}
SMALLEST = 1
if kit.SANITIZED:  # what is accessed wrongly is so for any of them; one by one, a million ticks take minutes
    MATRIX, SMALLEST = [(2, 7), (7, 256)], 5
    DEMO = {"TAPEWATCH_DEMO_DURATION": "5m"}


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda p: p.stem)
def pipeline(request, tmp_path_factory):
    """Run live by one worker with the batch that is the default."""
    folder = tmp_path_factory.mktemp(request.param.stem)
    checked = tool("check", "-c", request.param)
    if checked.returncode != 0 and not kit.DATA.is_dir():
        pytest.skip(f"{kit.DATA} is missing: set TAPEWATCH_DATA to the folder of real files")
    done = tool("run", "-c", request.param, "-d", folder / "live", "-q")
    assert done.returncode == 0, done.stderr
    return request.param, folder, digest(folder / "live")


def tool(*args):
    env = {**os.environ, **DEMO, "TAPEWATCH_DATA": str(kit.DATA)}
    return kit.tapewatch(*args, cwd=kit.ROOT, env=env, timeout=300)


def digest(store):
    done = tool("alerts", "--digest", "-d", store)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("workers, batch", MATRIX)
def test_a_replay_of_the_tape_gives_the_digest_of_the_live_run(pipeline, workers, batch):
    config, folder, said = pipeline
    done = tool("replay", folder / "live", "-c", config, "--workers", workers, "--batch", batch, "-q")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == said


@pytest.mark.parametrize("workers, batch", [(2, 7), (3, SMALLEST), (7, 256)])
def test_a_live_run_with_more_workers_gives_the_same_digest(pipeline, workers, batch):
    config, folder, said = pipeline
    store = folder / f"live-{workers}-{batch}"
    done = tool("run", "-c", config, "-d", store, "--workers", workers, "--batch", batch, "-q")
    assert done.returncode == 0, done.stderr
    assert digest(store) == said


@pytest.mark.parametrize("workers, batch", [(1, 256), (2, 7), (7, SMALLEST)])
def test_a_rebuild_gives_the_same_digest(pipeline, workers, batch):
    config, folder, said = pipeline
    done = tool("run", "-c", config, "-d", folder / "live", "--rebuild", "--workers", workers, "--batch", batch, "-q")
    assert done.returncode == 0, done.stderr
    assert digest(folder / "live") == said
