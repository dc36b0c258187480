# SPDX-License-Identifier: Apache-2.0
"""What the tests of reload, takeover and poison share: a paced series, detectors with a memory, and waiting."""
import json
import os
import pathlib
import random

import pytest

import kit

BUILD = pathlib.Path(kit.BIN).resolve().parent.parent
TEST_PLUGINS = BUILD / "tests/plugins"
ENV = {"TAPEWATCH_PLUGINS": f"{BUILD / 'plugins'}:{TEST_PLUGINS}"}
START = 1767571200000  # ms
MASK = (1 << 64) - 1


def need(*plugins):
    missing = [p for p in plugins if not (TEST_PLUGINS / f"{p}.so").exists()]
    if missing:
        pytest.skip(f"test plugins are not built: {', '.join(missing)} in {TEST_PLUGINS}")


def series(pipeline, n, name="ticks.csv", seed=1, gap=(1, 3), marks=None):
    """n rows with an outlier in every 500; returns (ts in ns, value) of each."""
    rng = random.Random(seed)
    t, rows = START, []
    for i in range(n):
        t += rng.randint(*gap)
        value = (marks or {}).get(i, round(rng.gauss(0, 1) + (50 if i % 500 == 499 else 0), 4))
        rows.append((t * 10**6, value))
    pipeline.write(name, "time,value\n" + "".join(f"{ts // 10**6},{value}\n" for ts, value in rows))
    return rows


def source(path="ticks.csv", **more):
    return {"plugin": "csv", "path": path, "kind": "score", "columns": {"ts": "time", "value": "value"}, **more}


def config(speed="4x", every=50, **sinks):
    """A source that takes a few seconds, a detector of the product, and one whose state is a chain over everything."""
    return {
        "sources": {"series": source(speed=speed)},
        "detectors": {
            "far": {"plugin": "zscore", "inputs": ["series"], "fields": "value", "cooldown": "0s"},
            "slow": {"plugin": "slow_detector", "inputs": ["series"], "every": every, "key": "none"},
        },
        "sinks": sinks or {"lines": {"plugin": "jsonl", "inputs": ["far", "slow"], "path": "alerts.jsonl"}},
    }


def undisturbed(pipeline, conf, dir="undisturbed"):
    """The digest and the alerts of a run that nobody disturbs."""
    quiet = json.loads(json.dumps(conf))
    for s in quiet["sources"].values():
        s["speed"] = "max"
    quiet["sinks"] = {"nothing": {"plugin": "null", "inputs": ["*"]}}
    pipeline.configure(quiet, "undisturbed.yaml")
    done = kit.tapewatch("run", "-c", "undisturbed.yaml", "-d", dir, cwd=pipeline.folder, env=ENV)
    assert done.returncode == 0, done.stderr
    return pipeline.digest(dir), pipeline.alerts(dir=dir)


def ask_reload(pipeline, code=0, *args, env=ENV):
    done = kit.tapewatch("reload", "-d", "data", *args, cwd=pipeline.folder, env=env)
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stderr}{done.stdout}"
    return done


def outcome(pipeline):
    """(generation, word, text) of DIR/reload; None before it is there."""
    try:
        head, text = (pipeline.folder / "data/reload").read_text().split("\n\n", 1)
    except (FileNotFoundError, ValueError):
        return None
    fields = dict(line.split(" ", 1) for line in head.splitlines())
    return int(fields["generation"]), fields["outcome"], text, int(fields["pid"])


def ready(pipeline, process):
    def there():
        found = outcome(pipeline)
        return found is not None and found[3] == process.pid
    assert kit.wait_for(there, process), pipeline.log()


def started(pipeline, conf, *args, env=ENV):
    """A run that has delivered something and is far from its end."""
    pipeline.configure(conf)
    process = pipeline.start(*args, env=env)
    ready(pipeline, process)
    return process


def lines(pipeline, name):
    path = pipeline.path(name)
    return kit.json_lines(path.read_text()) if path.exists() else []


def grown(pipeline, process, name, n):
    """Wait until a sink has written so many lines."""
    def there():
        path = pipeline.path(name)
        return path.exists() and path.read_bytes().count(b"\n") >= n
    assert kit.wait_for(there, process), f"the run ended early\n{pipeline.log()}"


def rebuilt(pipeline):
    """The digest after all states were computed anew from the tape."""
    done = kit.tapewatch("run", "-c", "c.yaml", "-d", "data", "--rebuild", cwd=pipeline.folder, env=ENV)
    assert done.returncode == 0, done.stderr
    return pipeline.digest()


def ids(alerts):
    return [a["id"] for a in alerts]


def once(delivered):
    """After a crash a sink may be handed again what it had not said it has: the ids in order, repetitions left out."""
    return list(dict.fromkeys(ids(delivered)))
