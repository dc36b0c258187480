# SPDX-License-Identifier: Apache-2.0
"""Detectors for tapewatch in Python, for the plugin `exec`. One file, Python 3.9 or later, nothing else needed.

    from tapewatch import alert, detector, run

    @detector(kinds=["quote"], options={"limit": 3.0})
    def wide_spread(event, state, options):
        spread = event.ask - event.bid
        usual = state.get("usual", spread)
        state["usual"] = usual + 0.01 * (spread - usual)
        if spread > options.limit * usual:
            return alert(spread / usual, f"spread {spread:.5f}, usually {usual:.5f}")

    run()

The function is called for every event, with the state of its key (a dict, empty at first) and the options. It returns
nothing, an alert(), a score(), or a list of them; or it yields them. A class works as well: it is made once with the
options and has on_event(event, state).

Rules: what it says follows from event, state and options alone, because it may be asked again after a crash. A state
holds None, True, False, integers of 64 bits, floats, texts, bytes, lists and dicts of these, and nothing else. Absent
numbers of an event are NaN, absent texts None. print() goes to the host's log.

An exception: the event goes to the dead letters, its change of the state is undone, the next event follows.

Test without the host: Trial. The protocol: docs/exec-protocol.md. With python3-msgpack it is faster.
"""
import difflib
import inspect
import math
import os
import struct
import sys
import traceback
import zlib

__all__ = ["Event", "Trial", "alert", "detector", "run", "score"]
PROTOCOL = 1
REASON_MAX, TYPE_MAX, NAME_MAX, TEXT_MAX, ERROR_MAX, SAID_MAX, DETAILS_MAX = 499, 63, 63, 255, 250, 16, 64
FRAME_MAX = 64 << 20
SEVERITIES = ("info", "low", "medium", "high", "critical")
NAN = float("nan")

# numbers, then texts, of each kind of event
FIELDS = {
    "quote": ("bid ask bid_size ask_size", "symbol"),
    "trade": ("price size", "symbol side account counterparty trade_id"),
    "bar": ("interval open high low close volume count", "symbol"),
    "order": ("price size remaining", "symbol account action side order_id"),
    "deal": ("open_ts size open_price close_price stop_loss take_profit commission swap profit",
             "account symbol side ticket comment"),
    "account": ("amount balance equity margin leverage", "account event currency group comment"),
    "news": ("actual forecast previous", "symbol category impact source id currency title"),
    "score": ("score p_value", "symbol account detector"),
    "alert": ("score p_value value expected threshold evidence_from evidence_to",
              "id detector version config symbol account type severity reason"),
    "label": ("from to", "symbol account alert_id verdict category author comment"),
    "clock": ("", "source"),
    "correction": ("ref_seq price size", "symbol action trade_id"),
}
FIELDS = {kind: (numbers.split(), texts.split()) for kind, (numbers, texts) in FIELDS.items()}
INTEGERS = {"interval": 0, "count": -1, "open_ts": 0, "evidence_from": 0, "evidence_to": 0, "from": 0, "to": 0,
            "ref_seq": 0}


class Mistake(Exception):
    """Somebody wrote something that cannot be meant."""


# ---- msgpack -----------------------------------------------------------------------------------------------------

class Event(dict):
    """event.bid is event["bid"]."""
    __slots__ = ()

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            near = difflib.get_close_matches(name, self, 1)
            raise AttributeError(f"an event of kind {self.get('kind')} has no field '{name}'"
                                 + (f"; did you mean '{near[0]}'?" if near else "")) from None


def _pack(value, out, depth=0):
    kind = type(value)
    if value is None:
        out.append(b"\xc0")
    elif kind is bool:
        out.append(b"\xc3" if value else b"\xc2")
    elif kind is int:
        if 0 <= value < 128:
            out.append(bytes((value,)))
        elif -(1 << 63) <= value < 1 << 63:
            out.append(struct.pack(">Bq", 0xd3, value))
        elif value < 1 << 64 and value > 0:
            out.append(struct.pack(">BQ", 0xcf, value))
        else:
            raise Mistake(f"the integer {value} has more than 64 bits")
    elif kind is float:
        out.append(struct.pack(">Bd", 0xcb, value))
    elif kind is str:
        text = value.encode()
        out.append(bytes((0xa0 | len(text),)) if len(text) < 32 else struct.pack(">BI", 0xdb, len(text)))
        out.append(text)
    elif kind is bytes:
        out.append(struct.pack(">BI", 0xc6, len(value)))
        out.append(value)
    elif kind is list or kind is dict:
        if depth > 31:
            raise Mistake("lists and dicts nest deeper than 31")
        short, long = (0x90, 0xdd) if kind is list else (0x80, 0xdf)
        out.append(bytes((short | len(value),)) if len(value) < 16 else struct.pack(">BI", long, len(value)))
        for item in value:
            _pack(item, out, depth + 1)
            if kind is dict:
                _pack(value[item], out, depth + 1)
    else:
        raise Mistake(f"{kind.__name__} cannot be kept; use None, bool, int, float, str, bytes, list or dict")


def pack(value):
    out = []
    _pack(value, out)
    return b"".join(out)


# first byte: what it is, and the format of the value or length behind it
_WIDE = {0xc4: ("bin", ">B"), 0xc5: ("bin", ">H"), 0xc6: ("bin", ">I"), 0xca: ("", ">f"), 0xcb: ("", ">d"),
         0xcc: ("", ">B"), 0xcd: ("", ">H"), 0xce: ("", ">I"), 0xcf: ("", ">Q"), 0xd0: ("", ">b"), 0xd1: ("", ">h"),
         0xd2: ("", ">i"), 0xd3: ("", ">q"), 0xd9: ("str", ">B"), 0xda: ("str", ">H"), 0xdb: ("str", ">I"),
         0xdc: ("list", ">H"), 0xdd: ("list", ">I"), 0xde: ("map", ">H"), 0xdf: ("map", ">I")}
_WIDE = {first: (what, struct.Struct(form)) for first, (what, form) in _WIDE.items()}
_CONSTANTS = {0xc0: None, 0xc2: False, 0xc3: True}


def _unpack(data, at, maps):
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    if first >= 0xe0:
        return first - 256, at
    if first in _CONSTANTS:
        return _CONSTANTS[first], at
    if first < 0xc0:
        what, n = ("map", first & 15) if first < 0x90 else ("list", first & 15) if first < 0xa0 else ("str", first & 31)
    else:
        what, form = _WIDE[first]
        n = form.unpack_from(data, at)[0]
        at += form.size
        if not what:
            return n, at
    if what == "str":
        return str(data[at:at + n], "utf-8"), at + n
    if what == "bin":
        return bytes(data[at:at + n]), at + n
    if what == "list":
        items = []
        for _ in range(n):
            item, at = _unpack(data, at, maps)
            items.append(item)
        return items, at
    result = maps()
    for _ in range(n):
        key, at = _unpack(data, at, maps)
        result[key], at = _unpack(data, at, maps)
    return result, at


def unpack(data, maps=dict):
    return _unpack(memoryview(data), 0, maps)[0]


if not os.environ.get("TAPEWATCH_OWN_MSGPACK"):
    try:
        import msgpack as _msgpack
    except ImportError:
        pass
    else:
        def pack(value, _packb=_msgpack.packb):
            try:
                return _packb(value, strict_types=True)
            except (TypeError, ValueError, OverflowError):
                _pack(value, [])  # has a sentence for it
                raise

        def unpack(data, maps=dict, _unpackb=_msgpack.unpackb):
            if maps is dict:
                return _unpackb(data, strict_map_key=False)
            return _unpackb(data, strict_map_key=False, object_hook=maps)


# ---- what a detector says ----------------------------------------------------------------------------------------

def _cut(text, most):
    """At most so many bytes, whole characters, no zeros."""
    data = str(text).encode("utf-8", "replace").replace(b"\0", b"")
    return (data if len(data) <= most else data[:most - 3] + b"...").decode("utf-8", "ignore")


def _finite(value, name):
    value = float(value)
    if not math.isfinite(value):
        raise Mistake(f"{name} is {value}; expected a finite number")
    return value


class alert:
    """One sentence that a person can act on, and how unusual it is; larger is more so. The rest is optional."""
    __slots__ = ("map",)

    def __init__(self, score, reason, *, type=None, severity=None, value=None, expected=None, threshold=None,
                 p_value=None, details=None):
        reason = _cut(reason, REASON_MAX)
        if not reason:
            raise Mistake("an alert without a reason")
        self.map = {"score": _finite(score, "score"), "reason": reason}
        if type is not None:
            self.map["type"] = _cut(type, TYPE_MAX)
        if severity is not None:
            if severity not in SEVERITIES:
                raise Mistake(f"severity '{severity}'; expected {', '.join(SEVERITIES)}")
            self.map["severity"] = severity
        for name, number in (("value", value), ("expected", expected), ("threshold", threshold), ("p_value", p_value)):
            if number is not None:
                self.map[name] = float(number)
        if details:
            if len(details) > DETAILS_MAX:
                raise Mistake(f"{len(details)} details; expected at most {DETAILS_MAX}")
            self.map["details"] = {_cut(name, NAME_MAX): _cut(detail, TEXT_MAX) if isinstance(detail, str)
                                   else float(detail) for name, detail in details.items()}


class score:
    """What the detector thinks of this event, for detectors behind it; not an alert."""
    __slots__ = ("score", "p_value")

    def __init__(self, score, p_value=None):
        self.score = _finite(score, "score")
        self.p_value = None if p_value is None else float(p_value)


# ---- detectors ---------------------------------------------------------------------------------------------------

class Options(dict):
    """options.limit is options["limit"]."""
    __getattr__ = dict.__getitem__


class _Spec:
    def __init__(self, judge, key, kinds, name, version, options):
        self.judge, self.kinds, self.options = judge, list(kinds or []), options
        self.key = key.replace(" ", "").split(",") if key else []
        self.name, self.version = name or judge.__name__, str(version)
        for kind in self.kinds:
            if kind not in FIELDS:
                raise Mistake(f"kind '{kind}'; expected {', '.join(FIELDS)}")

    def settle(self, texts):
        """The options of the configuration, which are texts, with the types of the defaults."""
        if self.options is None:
            return Options(texts)
        result = Options(self.options)
        for name, text in texts.items():
            if name not in self.options:
                near = difflib.get_close_matches(name, self.options, 1)
                raise Mistake(f"unknown option '{name}'; " + (f"did you mean '{near[0]}'?" if near else
                              f"expected {', '.join(self.options) or 'none'}"))
            default = self.options[name]
            try:
                if isinstance(default, bool):
                    result[name] = {"true": True, "false": False}[str(text).lower()]
                else:
                    result[name] = text if default is None else type(default)(text)
            except (KeyError, ValueError):
                kind = "true or false" if isinstance(default, bool) else f"{type(default).__name__}, such as {default}"
                raise Mistake(f"option '{name}': '{text}'; expected {kind}") from None
        return result

    def function(self, options):
        if inspect.isclass(self.judge):
            return self.judge(options).on_event
        if len(inspect.signature(self.judge).parameters) < 3:
            return self.judge
        judge = self.judge
        return lambda event, state: judge(event, state, options)


_registered = []


def detector(judge=None, *, key="symbol", kinds=None, name=None, version="1.0.0", options=None):
    """Says that a function or class is the detector. key: what a state belongs to, the same as in the configuration,
    where `symbol` is the default; None: one state for all. kinds: events it wants; absent: all. options: their names
    and defaults, whose types are those of the values; absent: any, as texts."""
    def wrap(judge):
        judge.tapewatch = _Spec(judge, key, kinds, name, version, options)
        _registered.append(judge)
        return judge
    return wrap(judge) if judge else wrap


def _spec_of(judge):
    if judge is None:
        if len(_registered) != 1:
            raise Mistake(f"{len(_registered)} functions are marked with @detector; expected one, or name one")
        judge = _registered[0]
    return judge.tapewatch if hasattr(judge, "tapewatch") else detector(judge).tapewatch


class _Refused(Exception):
    pass


def _where(error):
    """The sentence of an exception, with the line of the detector it came from."""
    text = str(error) if isinstance(error, Mistake) else f"{type(error).__name__}: {error}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    at = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return _cut(text, ERROR_MAX - len(at.encode())) + at


class _Judge:
    def __init__(self, spec, texts, state_size):
        self.spec, self.state_size = spec, state_size
        self.call = spec.function(spec.settle(texts))

    def _key(self, event):
        """A number for the event's key, kept with the state: a state that meets two keys is a mistake in `key:`."""
        return zlib.crc32("\0".join(str(event.get(name)) for name in self.spec.key).encode())

    def _one(self, event, blob):
        key, state = unpack(blob) if blob else (self._key(event), {})
        if key != self._key(event):
            raise Mistake(f"a state has met two keys; write `key: {','.join(self.spec.key)}` into the configuration, "
                          "or the key that it has there into @detector")
        said = self.call(event, state)
        if said is None:
            said = ()
        elif isinstance(said, (alert, score)):
            said = (said,)
        alerts, scores = [], []
        for one in said:
            if isinstance(one, alert):
                alerts.append(one.map)
            elif isinstance(one, score):
                scores.append(one)
            else:
                raise Mistake(f"it said a {type(one).__name__}; expected alert(...) or score(...)")
        if len(alerts) > SAID_MAX or len(scores) > SAID_MAX:
            raise Mistake(f"it said more than {SAID_MAX} things about one event")
        blob = pack([key, state])
        if len(blob) > self.state_size:
            raise Mistake(f"the state takes {len(blob)} bytes; state_size in the configuration is {self.state_size}")
        return blob, alerts, scores

    def batch(self, request):
        """What it says goes together with the state that follows from it: an event that fails leaves both alone."""
        states, changed = request["states"], {}
        reply = {"n": request["n"], "done": 0, "states": [], "alerts": [], "scores": []}
        for i, (number, event) in enumerate(request["events"]):
            try:
                blob, alerts, scores = self._one(event, states[number])
            except Exception as error:
                reply["error"] = _where(error) or "?"
                break
            if blob != states[number]:
                states[number] = changed[number] = blob
            for one in alerts:
                reply["alerts"].append({"i": i, **one})
            for one in scores:
                reply["scores"].append([i, one.score, one.p_value])
            reply["done"] += 1
        reply["states"] = [[number, blob] for number, blob in changed.items()]
        return reply


# ---- the helper process ------------------------------------------------------------------------------------------

def _take_stdout():
    """What print() writes must not get between the frames."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


_out = _take_stdout() if os.environ.get("TAPEWATCH_EXEC") else None


def _read(stream, n):
    data = stream.read(n)
    if len(data) < n:
        raise EOFError
    return data


def _frames(stream):
    while True:
        try:
            n = struct.unpack(">I", _read(stream, 4))[0]
            if n > FRAME_MAX:
                raise Mistake(f"a request of {n} bytes")
            yield _read(stream, n)
        except EOFError:
            return


def _send(stream, reply):
    data = pack(reply)
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def run(judge=None):
    """Answer the host until it closes our stdin."""
    out = _out or _take_stdout()
    frames = _frames(os.fdopen(os.dup(0), "rb", 1 << 18))
    try:
        hello = unpack(next(frames, None) or pack({}))
        if hello.get("do") != "hello" or hello.get("protocol") != PROTOCOL:
            raise Mistake(f"this is for the plugin exec of tapewatch and speaks protocol {PROTOCOL}; to try a detector "
                          "without it, see tapewatch.Trial")
        spec = _spec_of(judge)
        judge = _Judge(spec, hello["options"], hello["state_size"])
    except Mistake as error:
        _send(out, {"protocol": PROTOCOL, "error": str(error)[:ERROR_MAX]})
        sys.exit(2)
    _send(out, {"protocol": PROTOCOL, "name": _cut(spec.name, NAME_MAX), "version": _cut(spec.version, NAME_MAX),
                "kinds": spec.kinds})
    for frame in frames:
        _send(out, judge.batch(unpack(frame, Event)))
        sys.stdout.flush()


# ---- trying it without the host ----------------------------------------------------------------------------------

class Trial:
    """A detector without the host, for tests.

        t = Trial(wide_spread, {"limit": 2})
        t.push("quote", symbol="EURUSD", bid=1.0, ask=1.1)
        assert not t.alerts
        t.check()

    push() gives the event's alerts as a list of dicts; .alerts and .scores have all of them. ts is in ns and a second
    after the last event by default. check() asks everything again in batches of other sizes and from fresh instances
    in between, and fails when an answer differs: then it depends on something else than event, state and options."""

    def __init__(self, judge=None, options=None, state_size=4096):
        self._spec, self._options, self._size = _spec_of(judge), options or {}, state_size
        self._fresh()
        self._events, self._states, self._ts = [], {}, 0
        self.alerts, self.scores = [], []

    def _fresh(self):
        self._judge = _Judge(self._spec, self._options, self._size)

    def push(self, kind, ts=None, **fields):
        numbers, texts = FIELDS[kind]
        self._ts = self._ts + 10**9 if ts is None else ts
        event = {"kind": kind, "ts": self._ts, "seq": len(self._events) + 1}
        event.update({name: INTEGERS.get(name, NAN) for name in numbers}, **{name: None for name in texts})
        for name, value in fields.items():
            if name not in event:
                raise Mistake(f"an event of kind {kind} has no field '{name}'; expected {', '.join(numbers + texts)}")
            event[name] = value
        if self._spec.kinds and kind not in self._spec.kinds:
            return []
        self._events.append(event)
        alerts, scores = self._ask([event], self._states)
        self.alerts += alerts
        self.scores += scores
        return alerts

    def _ask(self, events, states):
        keys, pairs = [], []
        for event in events:
            key = tuple(event.get(name) for name in self._spec.key)
            if key not in keys:
                keys.append(key)
            pairs.append([keys.index(key), event])
        request = {"n": 1, "states": [states.get(key, b"") for key in keys], "events": pairs}
        reply = unpack(pack(self._judge.batch(unpack(pack(request), Event))))
        if "error" in reply:
            event = events[reply["done"]]
            raise AssertionError(f"event {event['seq']} is refused: {reply['error']}\n  {event}")
        for number, blob in reply["states"]:
            states[keys[number]] = blob
        said = [{**a, "seq": events[a["i"]]["seq"], "ts": events[a["i"]]["ts"]} for a in reply["alerts"]]
        for one in said:
            del one["i"]
        return said, [(events[i]["seq"], value) for i, value, _ in reply["scores"]]

    def check(self):
        for size in (1, 7, 256):
            alerts, scores, states = [], [], {}
            for at in range(0, len(self._events), size):
                self._fresh()
                a, s = self._ask(self._events[at:at + size], states)
                alerts += a
                scores += s
            if repr(alerts) != repr(self.alerts) or repr(scores) != repr(self.scores) or states != self._states:
                raise AssertionError(f"in batches of {size} it says something else: it must depend on event, state and "
                                     "options alone")
