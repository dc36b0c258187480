# SPDX-License-Identifier: Apache-2.0
"""What the service manager is told, read from the socket as systemd does."""
import re
import signal
import socket
import time

import pytest

import kit
import reload_kit as rk


class Manager:
    """The other end of $NOTIFY_SOCKET: every message, and when it came."""

    def __init__(self, folder, name="notify"):
        self.address = str(folder / name) if name[0] != "@" else name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(self.address if name[0] != "@" else "\0" + name[1:])
        self.messages = []

    def read(self, seconds):
        """The next message as a map, or None when none comes in time."""
        self.socket.settimeout(max(seconds, 1e-3))
        try:
            text = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        self.messages.append(dict(line.split("=", 1) for line in text.splitlines()))
        return self.messages[-1]

    def wait_for(self, key, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.read(deadline - time.monotonic())
            if message and key in message:
                return message
        raise AssertionError(f"no {key} within {seconds} s, but {self.messages}")

    def beats(self, seconds):
        """How many beats of the watchdog come in that time."""
        deadline, n = time.monotonic() + seconds, 0
        while (left := deadline - time.monotonic()) > 0:
            message = self.read(left)
            n += bool(message and "WATCHDOG" in message)
        return n


@pytest.fixture
def manager(tmp_path):
    m = Manager(tmp_path)
    yield m
    m.socket.close()


def environment(manager, **more):
    return {**rk.ENV, "NOTIFY_SOCKET": manager.address, **more}


@pytest.fixture
def live(pipeline):
    """A run that goes on until it is stopped."""
    started = []

    def start(manager, **env):
        pipeline.configure({
            "sources": {"market": {"plugin": "demo", "live": True, "symbols": 2}},
            "detectors": {"far": {"plugin": "zscore", "inputs": ["market"]}},
            "sinks": {"nothing": {"plugin": "null", "inputs": ["*"]}}})
        started.append(pipeline.start(env=environment(manager, **env)))
        return started[-1]
    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_ready_and_stopping_are_said_once(live, manager):
    process = live(manager)
    ready = manager.wait_for("READY")
    assert ready["STATUS"] == "running: 1 source, 1 detector, 1 sink"
    assert kit.stop(process) == 0
    assert "STOPPING" in manager.wait_for("STOPPING")
    assert manager.read(0.01) is None
    assert sum("READY" in m for m in manager.messages) == 1
    assert not any("WATCHDOG" in m for m in manager.messages)  # nobody asked for it


def test_a_name_in_no_folder_is_an_address_too(live, tmp_path):
    manager = Manager(tmp_path, f"@tapewatch-test-{tmp_path.name}-{time.monotonic_ns()}")
    process = live(manager)
    manager.wait_for("READY")
    assert kit.stop(process) == 0
    manager.socket.close()


def test_a_manager_that_has_gone_away_does_not_matter(live, manager, pipeline):
    manager.socket.close()
    process = live(manager)
    assert kit.wait_for(lambda: "cannot tell the service manager" in pipeline.log(), process)
    assert kit.stop(process) == 0


def test_a_reload_begins_and_ends(live, manager, pipeline):
    process = live(manager)
    manager.wait_for("READY")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    process.send_signal(signal.SIGHUP)
    reloading = manager.wait_for("RELOADING")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert "READY" in manager.wait_for("READY")
    pipeline.write("c.yaml", "sources: {broken")
    process.send_signal(signal.SIGHUP)  # refused, and over all the same
    manager.wait_for("RELOADING")
    manager.wait_for("READY")
    assert kit.stop(process) == 0


def test_the_watchdog_is_fed_while_events_are_judged(live, manager):
    process = live(manager, WATCHDOG_USEC="400000")
    manager.wait_for("READY")
    assert manager.beats(2) >= 10  # 20 are due
    assert kit.stop(process) == 0


def test_the_watchdog_is_another_processs(live, manager):
    process = live(manager, WATCHDOG_USEC="400000", WATCHDOG_PID="1")
    manager.wait_for("READY")
    assert manager.beats(0.5) == 0
    assert kit.stop(process) == 0


def test_a_pipeline_that_hangs_starves_the_watchdog(pipeline, manager):
    rk.need("slow_detector")
    rk.series(pipeline, 200)
    conf = rk.config(speed="max")
    conf["detectors"]["slow"]["rounds"] = 100000000  # some tenths of a second for each of the 200 events of one batch
    pipeline.configure(conf)
    process = pipeline.start(env=environment(manager, WATCHDOG_USEC="400000"))
    try:
        manager.wait_for("READY")
        manager.beats(0.5)  # of the time before the batch
        assert manager.beats(2) == 0
        assert process.poll() is None
        assert re.search(r"State:\s+[RSD]", open(f"/proc/{process.pid}/status").read())
    finally:
        process.kill()
        process.wait()
