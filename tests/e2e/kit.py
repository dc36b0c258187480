# SPDX-License-Identifier: Apache-2.0
"""What the tests share: starting the program, reading its stores through its own verbs, real data, and comparing."""
import calendar
import ctypes
import functools
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("TAPEWATCH_BIN", str(ROOT / "build/bin/tapewatch"))
DATA = pathlib.Path(os.environ.get("TAPEWATCH_DATA", str(ROOT / "../shared/data")))


def _sanitized():
    try:
        content = pathlib.Path(BIN).read_bytes()
    except OSError:
        return ""
    return "address" if b"__asan_init" in content else "thread" if b"__tsan_init" in content else ""


SANITIZED = _sanitized()  # "address", "thread" or ""
SLACK = 5 if SANITIZED else 1
PATIENCE = 120 * SLACK  # seconds until a run that hangs counts as failed

# For runs that die on purpose: the end is to be the signal or the code, not the report and the code of a sanitizer.
_DEADLY = "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0"
DIES = {name: ":".join(filter(None, [os.environ.get(name), options])) for name, options in (
    ("ASAN_OPTIONS", _DEADLY), ("TSAN_OPTIONS", f"{_DEADLY}:report_thread_leaks=0"))} if SANITIZED else {}


def environment(env):
    return {**os.environ, **env, **(DIES if "TW_CRASH" in env else {})} if env else None


def tapewatch(*args, cwd=None, timeout=PATIENCE, env=None, **kwargs):
    """Run to the end; text in, text out."""
    return subprocess.run([BIN, *map(str, args)], cwd=cwd, timeout=timeout, text=True, capture_output=True,
                          env=environment(env), **kwargs)


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


@functools.lru_cache(1 << 16)
def _minute(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M")) * 10**9


TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)(?:\.(\d{1,9}))?Z")


def ns(text):
    """RFC 3339 in UTC to nanoseconds since 1970; fractions are kept to the last digit."""
    minute, second, fraction = TIME.fullmatch(text).groups()
    return _minute(minute) + int(second) * 10**9 + int((fraction or "0").ljust(9, "0"))


def without_tape(alerts):
    """Alerts with the random id of their tape cut off: what two runs over the same input have in common."""
    return [{**a, "id": a["id"].split("-", 1)[1]} for a in alerts]


class Pipeline:
    """A folder with a configuration and a store named `data`. Paths in the configuration are relative to it."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return self.folder / name

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        return path

    def configure(self, config, name="c.yaml"):
        """A map is written as JSON, which YAML contains."""
        self.write(name, config if isinstance(config, str) else json.dumps(config, indent=1))

    def run(self, config=None, *args, code=0, dir="data", verb="run", env=None, timeout=PATIENCE):
        """Run to the end; code: what it must end with."""
        if config is not None:
            self.configure(config)
        done = tapewatch(verb, "-c", "c.yaml", "-d", dir, *args, cwd=self.folder, env=env, timeout=timeout)
        assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stderr}{done.stdout}"
        return done

    def start(self, *args, dir="data", env=None, stdout=subprocess.DEVNULL):
        """Start in the background; what it says on stderr goes to a file `log`."""
        with open(self.folder / "log", "a") as log:
            return subprocess.Popen([BIN, "run", "-c", "c.yaml", "-d", dir, *map(str, args)], cwd=self.folder,
                                    stdin=subprocess.DEVNULL, stdout=stdout, stderr=log,
                                    env=environment(env))

    def log(self):
        return (self.folder / "log").read_text()

    def ask(self, *args):
        done = tapewatch(*args, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def alerts(self, *args, dir="data"):
        return json_lines(self.ask("alerts", "--json", "-d", dir, *args))

    def digest(self, dir="data"):
        return self.ask("alerts", "--digest", "-d", dir).strip()

    def events(self, *args, dir="data"):
        return json_lines(self.ask("tape", "cat", "--json", *args, dir))

    def dead(self, dir="data"):
        return json_lines(self.ask("tape", "cat", "--json", "--dead", dir))

    def info(self, dir="data"):
        return json.loads(self.ask("tape", "info", "--json", dir))

    def tape_bytes(self, dir="data"):
        """Of the segments, as the file system has them; 0 before there are any."""
        total = 0
        for path in (self.folder / dir / "tape").glob("*.tape"):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                pass
        return total


def wait_for(condition, process, seconds=60):
    """Look again and again until condition() holds: True. False when the process ended first. Fails at the deadline."""
    deadline = time.monotonic() + seconds * SLACK
    while not condition():
        try:
            process.wait(timeout=0.002)
            return bool(condition())
        except subprocess.TimeoutExpired:
            assert time.monotonic() < deadline, f"nothing happened within {seconds} s"
    return True


def stop(process, number=signal.SIGTERM, seconds=60):
    process.send_signal(number)
    return process.wait(timeout=seconds * SLACK)


# ---- packed files -----------------------------------------------------------------------------------------------

class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


def _zstd():
    """libzstd is on every Debian, since dpkg needs it; the program zstd is not."""
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_createDStream.restype = ctypes.c_void_p
    lib.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
    lib.ZSTD_decompressStream.restype = ctypes.c_size_t
    lib.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    lib.ZSTD_isError.argtypes = [ctypes.c_size_t]
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = ctypes.c_size_t
    lib.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    lib.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    return lib


def unzstd(packed, most=1 << 40):
    """The text of zstd bytes, at least the first `most` bytes of it."""
    lib = _zstd()
    stream = lib.ZSTD_createDStream()
    room = ctypes.create_string_buffer(1 << 18)
    source = _Buffer(ctypes.cast(ctypes.c_char_p(packed), ctypes.c_void_p), len(packed), 0)
    parts, n = [], 0
    while source.pos < source.size and n < most:
        out = _Buffer(ctypes.cast(room, ctypes.c_void_p), len(room), 0)
        rc = lib.ZSTD_decompressStream(stream, ctypes.byref(out), ctypes.byref(source))
        assert not lib.ZSTD_isError(rc)
        parts.append(room.raw[:out.pos])
        n += out.pos
    lib.ZSTD_freeDStream(stream)
    return b"".join(parts)


def zstd(text):
    lib = _zstd()
    room = ctypes.create_string_buffer(lib.ZSTD_compressBound(len(text)))
    n = lib.ZSTD_compress(room, len(room), text, len(text), 3)
    assert not lib.ZSTD_isError(n)
    return room.raw[:n]


def lines_of(path, n):
    """The first n lines of a file, packed or not."""
    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = unzstd(raw, 200 * n)
    at = -1
    for _ in range(n):
        following = raw.find(b"\n", at + 1)
        if following < 0:
            return raw
        at = following
    return raw[:at + 1]


# ---- comparing --------------------------------------------------------------------------------------------------

def same_number(found, expected, relative=1e-9):
    return abs(found - expected) <= relative * max(abs(expected), 1e-300) or abs(found - expected) < 1e-12


def same_alerts(alerts, must, may, relative=1e-9, absolute=1e-9, ties=0.05):
    """alerts as the program gives them; must, may: {(seq, type): score}. Two ways to compute the same number differ in
    the last digits, and real prices are so coarse that some fall upon a threshold to the last digit: there either
    answer is right. So the expectation comes twice, with the threshold a hair up (must) and a hair down (may). ties:
    the share of the alerts that may fall upon it."""
    found = {(a["seq"], a["type"]): a["score"] for a in alerts}
    assert len(found) == len(alerts), "an event alerts twice for the same reason"
    missing, excess = sorted(set(must) - set(found)), sorted(set(found) - set(may))
    assert not missing and not excess, f"missing {missing[:5]} ({len(missing)}), too many {excess[:5]} ({len(excess)})"
    assert len(may) - len(must) <= max(3, ties * len(may)), "too many events upon the threshold to say anything"
    for key, score in found.items():
        assert abs(score - may[key]) <= absolute + relative * abs(may[key]), (key, score, may[key])
    return found


def read_lines(process, n, seconds=60):
    """The next n lines from a process's pipe, which must be there before the deadline."""
    deadline, have = time.monotonic() + seconds * SLACK, b""
    os.set_blocking(process.stdout.fileno(), False)
    while have.count(b"\n") < n:
        left = deadline - time.monotonic()
        assert left > 0, f"{have.count(10)} of {n} lines within {seconds} s"
        if select.select([process.stdout], [], [], left)[0]:
            piece = os.read(process.stdout.fileno(), 65536)
            assert piece, f"the pipe ended after {have.count(10)} of {n} lines"
            have += piece
    return have.decode().splitlines()[:n]
