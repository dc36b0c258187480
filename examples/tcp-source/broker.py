# SPDX-License-Identifier: Apache-2.0
"""A broker for trying the source: numbered messages as lines of JSON, sent again from whatever number a client asks for.

--unreliable: it sends messages twice, leaves some out when it sends them first, writes rubbish between them, sends lines
without end, and hangs up. What is to come out at the other end is known all the same: message(n) for n = 1 to the last,
each once, but those that --forgotten names, which it no longer has.
"""
import argparse
import json
import os
import random
import socket
import threading

FEED, START = "acme-7", 1767607200 * 10**9


def message(n):
    """The same at every time."""
    r = random.Random(n)
    price = round(100 + n % 7 / 10 + r.random() / 10 + (5 if n % 997 == 0 else 0), 4)
    o = {"seq": n, "ts": START + n * 10**7, "kind": "trade" if n % 3 else "quote", "symbol": "ABC" if n % 2 else "XYZ"}
    if n % 3:
        return {**o, "price": price, "size": 1 + n % 5, "side": "buy" if n % 4 else "sell", "trade_id": f"t{n}"}
    return {**o, "bid": price, "ask": round(price + 0.01, 4)}


class Broker:
    def __init__(self, args):
        self.args, self.sent, self.over = args, 0, threading.Event()
        self.random = random.Random(args.seed)
        self.socket = socket.create_server(("127.0.0.1", args.port))
        self.port = self.socket.getsockname()[1]

    def lines(self, n):
        """What goes over the wire for message n."""
        first, self.sent = n > self.sent, max(n, self.sent)
        line = json.dumps(message(n))
        if not self.args.unreliable:
            return [line]
        chance = self.random.random()
        if chance < 0.002 and first:
            return []  # left out; a client that asks again gets it
        if chance < 0.01:
            return [line, line]
        if chance < 0.012:
            return [line, json.dumps(message(max(1, n - 3)))]
        if chance < 0.014:
            return ["{\"seq\": 12, \"ki", line]
        if chance < 0.015:
            return ["x" * 200000, line]
        if chance < 0.016:
            return [line[:len(line) // 2], None]  # hangs up in the middle
        return [line]

    def held(self):
        return self.args.hold_file and not os.path.exists(self.args.hold_file)

    def talk(self, s):
        n = json.loads(s.makefile("r").readline())["resume_from"]
        first = self.args.forgotten + 1
        hello = {"feed": FEED, "first": first, "next": max(self.sent + 1, n, first)}
        n = max(n, first)
        s.sendall(json.dumps(hello).encode() + b"\n")
        while n <= self.args.messages:
            if self.held() and n > self.args.hold_at:
                s.sendall(json.dumps({"heartbeat": True, "next": n}).encode() + b"\n")
                self.over.wait(0.05)
                continue
            out = []
            for line in self.lines(n):
                if line is None:
                    s.sendall("\n".join(out).encode())
                    return
                out.append(line)
            s.sendall("".join(line + "\n" for line in out).encode())
            n += 1
        s.sendall(json.dumps({"end": True, "next": n}).encode() + b"\n")
        if b"done" in s.recv(100):  # it may hang up here to ask for something again
            self.over.set()

    def serve(self):
        while not self.over.is_set():
            s, _ = self.socket.accept()
            with s:
                try:
                    self.talk(s)
                except (OSError, ValueError, KeyError):
                    pass  # the client is gone, or none of ours


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=7007, help="0: a free one, which is printed")
    p.add_argument("--messages", type=int, default=5000)
    p.add_argument("--seed", type=int, default=1, help="of what goes wrong")
    p.add_argument("--unreliable", action="store_true")
    p.add_argument("--forgotten", type=int, default=0, help="it no longer has the messages up to this one")
    p.add_argument("--hold-at", type=int, default=0, help="only heartbeats after this message ...")
    p.add_argument("--hold-file", help="... until this file is there")
    broker = Broker(p.parse_args())
    print(broker.port, flush=True)
    broker.serve()
