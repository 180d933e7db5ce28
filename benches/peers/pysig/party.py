"""pysig 0.7.3 as a party of the benchmark: PACKAGE ROLE HOST:PORT [COUNT [SIZE]] [--NAME VALUE]...

Roles: broker, sub, pub, req, rep. What the parties say and check is what `benches/party` has in Rust; pysig carries JSON,
so a payload is text: number, checksum and time in hexadecimal, and filler.
"""

import json
import os
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])

import sig
from sig.carrier.tcpclient import CarrierTCPClient
from sig.carrier.tcpserver import CarrierTCPServer

LAST = 1 << 63
MASK = (1 << 64) - 1
QUIET = 5.0


def say(line):
    sys.stdout.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    sys.stdout.flush()


def end_with_input():
    def wait():
        while sys.stdin.readline():
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def checksum(number, sent, filler):
    total = number * 0x9E3779B97F4A7C15 + sent * 0x9E3779B97F4A7C19
    return (total + sum(filler.encode("ascii"))) & MASK


def make(number, sent, size):
    filler = "x" * max(0, size - 50)
    return "%016x.%016x.%016x.%s" % (number, checksum(number, sent, filler), sent, filler)


def read(payload):
    number, check, sent, filler = payload.split(".")
    number, sent = int(number, 16), int(sent, 16)
    return (number, sent) if int(check, 16) == checksum(number, sent, filler) else None


def arguments(words):
    found = {"count": 1000, "size": 64, "seconds": None, "rate": None, "publishers": 1, "held": False}
    places = ["role", "url", "count", "size"]
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "--held":
            found["held"] = True
        elif word.startswith("--"):
            name = word[2:]
            found[name] = float(words.pop(0))
        else:
            found[places.pop(0)] = word
    for name in "count", "size", "publishers":
        found[name] = int(float(found[name]))
    return found


def client(url):
    host, port = url.split(":")
    carrier = CarrierTCPClient()
    router = sig.ClientRouter(carrier)
    if not carrier.connect(host, int(port)):
        raise SystemExit("pysig does not connect to %s" % url)
    return router


def broker(args):
    host, port = args["url"].split(":")
    carrier = CarrierTCPServer()
    sig.ServerRouter(carrier)
    carrier.start(host, int(port))
    say("ready")
    threading.Event().wait()


def subscribe(args):
    router = client(args["url"])
    state = {"received": 0, "corrupt": 0, "lost": 0, "disordered": 0, "next": 0, "first": 0, "last": 0, "bytes": 0}
    latencies = []
    ended = threading.Event()

    def heard(info, data):
        now = time.monotonic_ns()
        state["first"] = state["first"] or now
        state["last"] = now
        state["received"] += 1
        state["bytes"] += len(data)
        seen = read(data)
        if seen is None:
            state["corrupt"] += 1
            return
        number, sent = seen
        latencies.append(now - sent)
        sequence = number & ~LAST
        if sequence < state["next"]:
            state["disordered"] += 1
        else:
            state["lost"] += sequence - state["next"]
            state["next"] = sequence + 1
        if number & LAST:
            ended.set()

    router.addRemoteListener(heard, "pub0", "tick")
    time.sleep(0.05)
    say("ready")
    before = -1
    while not ended.wait(QUIET if state["received"] else 20.0) and state["received"] != before:
        before = state["received"]
    latencies.sort()
    at = lambda share: latencies[min(len(latencies) - 1, int(len(latencies) * share))] / 1000.0 if latencies else None
    seconds = (state["last"] - state["first"]) / 1e9
    say({
        "role": "sub", "received": state["received"], "lost": state["lost"], "corrupt": state["corrupt"],
        "disordered": state["disordered"], "ended": ended.is_set(), "bytes": state["bytes"], "first_ns": state["first"],
        "last_ns": state["last"], "per_second": state["received"] / seconds if seconds else None,
        "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999),
    })
    os._exit(0)


def publish(args):
    router = client(args["url"])
    signal = router.addRemoteSender("pub0", ["tick"]).getSignal("tick")
    say("ready")
    if args["held"]:
        if not sys.stdin.readline():
            return
        end_with_input()
    begun = time.monotonic_ns()
    sequence, last = 0, False
    while not last:
        over = args["seconds"] and time.monotonic_ns() - begun >= args["seconds"] * 1e9
        last = bool(over) or (not args["seconds"] and sequence + 1 >= args["count"])
        signal.trigger(make(sequence | (LAST if last else 0), time.monotonic_ns(), args["size"]))
        sequence += 1
        if args["rate"]:
            time.sleep(max(0.0, sequence / args["rate"] - (time.monotonic_ns() - begun) / 1e9))
    ended = time.monotonic_ns()
    say({"role": "pub", "sent": sequence, "begun_ns": begun, "ended_ns": ended,
         "per_second": sequence * 1e9 / (ended - begun)})
    os._exit(0)


def answer(args):
    router = client(args["url"])
    router.addRemoteSender("oracle", [], {"echo": lambda params: params})
    time.sleep(0.05)
    say("ready")
    threading.Event().wait()


def ask(args):
    router = client(args["url"])
    say("ready")
    latencies = []
    began = time.monotonic_ns()
    limit = (args["seconds"] or 0) * 1e9
    number = 0
    while (time.monotonic_ns() - began < limit) if limit else (number < args["count"]):
        payload = make(number, 0, args["size"])
        before = time.monotonic_ns()
        if router.remoteRequest("oracle", "echo", payload) != payload:
            raise SystemExit("another answer came")
        latencies.append(time.monotonic_ns() - before)
        number += 1
    latencies.sort()
    at = lambda share: latencies[min(len(latencies) - 1, int(len(latencies) * share))] / 1000.0
    say({"role": "req", "trips": number, "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999)})
    os._exit(0)


def main():
    args = arguments(sys.argv[2:])
    if args["held"] and args["role"] != "pub":
        end_with_input()
    roles = {"broker": broker, "sub": subscribe, "pub": publish, "req": ask, "rep": answer}
    if args["role"] not in roles:
        raise SystemExit("no role %s" % args["role"])
    roles[args["role"]](args)


if __name__ == "__main__":
    main()
