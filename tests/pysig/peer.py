"""A real pysig router that takes its orders as JSON lines on standard input and reports on standard output.

Runs under Python 2.7 (the untouched package) and Python 3 (the translated one). See README.md beside this file for the protocol.
"""

from __future__ import print_function

import base64
import json
import os
import sys
import threading
import time

import sig
from sig.carrier import tcpserver
from sig.carrier.tcpclient import CarrierTCPClient

_out_lock = threading.Lock()


def say(line):
    """One line out, whole, whatever thread it comes from."""
    text = json.dumps(to_line(line), allow_nan=False)
    with _out_lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def to_line(value):
    """The value as strict JSON: what JSON has no word for goes as {"$float": "NaN"} or {"$repr": "..."}."""
    if value is None or isinstance(value, (bool, int, type(u""), str)):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else {"$float": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]}
    if isinstance(value, dict):
        return dict((key if key is not None else "null", to_line(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [to_line(item) for item in value]
    if type(value).__name__ == "long":
        return value
    return {"$repr": repr(value)}


def from_line(value):
    if isinstance(value, dict):
        if list(value) == ["$float"]:
            return float(value["$float"])
        return dict((key, from_line(item)) for key, item in value.items())
    if isinstance(value, list):
        return [from_line(item) for item in value]
    return value


class Peer(object):
    """One router at a time: a client, a server, or a plain one; the first command that needs one makes it."""

    def __init__(self):
        self.router = None
        self.carrier = None
        self.listeners = {}

    # --- which router ---

    def client(self):
        if self.router is None:
            self.carrier = CarrierTCPClient()
            self.carrier.on_disconnected = lambda: say({"disconnected": True})
            self.router = sig.ClientRouter(self.carrier)
        if not isinstance(self.router, sig.ClientRouter):
            raise RuntimeError("this peer is not a client")
        return self.router

    def server(self):
        if self.router is None:
            self.carrier = tcpserver.CarrierTCPServer()
            self.router = sig.ServerRouter(self.carrier)
            self.announce("callback_client_connected", "client_connected")
            self.announce("callback_client_disconnected", "client_disconnected")
        if not isinstance(self.router, sig.ServerRouter):
            raise RuntimeError("this peer is not a server")
        return self.router

    def announce(self, callback, word):
        real = getattr(self.carrier, callback)

        def wrapped(clientid):
            real(clientid)
            say({word: str(clientid)})

        setattr(self.carrier, callback, wrapped)

    def any(self):
        if self.router is None:
            self.router = sig.Router()
        return self.router

    # --- the link ---

    def do_connect(self, c):
        self.client()
        script = c.get("on_connected", [])

        def connected():
            # What a pysig application does here: it registers everything again, since the client router forgot it.
            answers = [self.answer(command) for command in script]
            say({"connected": True, "answers": answers})

        self.carrier.on_connected = connected
        if "auto_reconnect" in c:
            self.carrier.auto_reconnect = c["auto_reconnect"]
        if c.get("one_reconnect"):
            self.carrier._start_reconnect = self.start_one_reconnect
        return self.carrier.connect(c.get("host", "127.0.0.1"), c["port"])

    def start_one_reconnect(self):
        """As pysig's, but noted before it starts: pysig notes it after, and a first attempt that fails meanwhile starts a second thread."""
        thread = threading.Thread(target=self.carrier._thread_reconnect)
        thread.daemon = True
        self.carrier.thread_reconnect = thread
        thread.start()

    def do_disconnect(self, c):
        self.client()
        return self.carrier.disconnect()

    def do_is_connected(self, c):
        self.client()
        return self.carrier.isConnected()

    def do_start_server(self, c):
        self.server()
        # pysig leaves this off, so that a port rests for a minute after its server; a test that restarts one asks for it.
        tcpserver.ThreadedTCPServer.allow_reuse_address = c.get("reuse", True)
        started = self.carrier.start(c.get("host", "127.0.0.1"), c.get("port", 0))
        return {"started": started, "port": self.carrier.server.server_address[1]}

    def do_stop_server(self, c):
        self.server()
        return self.carrier.stop()

    def do_clients(self, c):
        self.server()
        return len(self.carrier.tcp_handlers)

    def do_observe(self, c):
        """Report every message that reaches `handleRX`."""
        self.client() if c.get("role", "client") == "client" else self.server()
        self.carrier.callback_rx = lambda clientid, message: say({"rx": message})

    # --- the remote side of a client ---

    def do_add_remote_sender(self, c):
        return self.client().addRemoteSender(c["name"], c.get("events"), self.requests(c)).getName()

    def do_remove_remote_sender(self, c):
        return self.client().removeRemoteSender(c["name"])

    def do_add_remote_listener(self, c):
        return self.client().addRemoteListener(self.listener(c), c.get("sender"), c.get("event"))

    def do_remove_remote_listener(self, c):
        return self.client().removeRemoteListener(self.listener(c), c.get("sender"), c.get("event"))

    def do_remote_request(self, c):
        return self.client().remoteRequest(c.get("sender"), c.get("method"), c.get("params"))

    def do_call(self, c):
        """A message of one's own making, through the real carrier: answers with the whole reply."""
        self.client()
        message = {"method": c["method"]} if "method" in c else {}
        if "params" in c:
            message["params"] = c["params"]
        return self.carrier.handleTX(None, message)

    def do_send_raw(self, c):
        """Bytes straight into the client's socket, past the carrier."""
        self.client()
        data = base64.b64decode(c["base64"]) if "base64" in c else c["text"].encode("utf-8")
        self.carrier.socket.sendall(data)

    def do_list_senders(self, c):
        return self.rpc("list_senders", {"list_events": c.get("list_events", False)})

    def do_get_version(self, c):
        return self.rpc("get_version", {})

    def rpc(self, method, params):
        if isinstance(self.router, sig.ServerRouter):
            return self.carrier.methods[method](None, params)
        reply = self.do_call({"method": method, "params": params})
        if not reply or reply.get("status") != 0:
            raise RuntimeError("%s was answered with %r" % (method, reply))
        return reply["response"]

    # --- the local side of any router ---

    def do_add_sender(self, c):
        return self.any().addSender(c.get("name"), c.get("events"), self.requests(c)).getName()

    def do_remove_sender(self, c):
        return self.any().removeSender(c.get("name"))

    def do_add_listener(self, c):
        return self.any().addListener(self.listener(c), c.get("sender"), c.get("event"))

    def do_remove_listener(self, c):
        return self.any().removeListener(self.listener(c), c.get("sender"), c.get("event"))

    def do_request(self, c):
        return self.any().request(c.get("sender"), c.get("method"), c.get("params"))

    def do_trigger(self, c):
        """`data` once, each of `items`, or `count` numbered objects {"n": i, "pad": "xx.."} of `pad` characters."""
        sender = self.any().getSender(c["sender"])
        if sender is None:
            raise LookupError("sender %s not found" % c["sender"])
        signal = sender.getSignal(c["event"])
        if signal is None:
            raise LookupError("event %s not found" % c["event"])
        if "count" in c:
            pad = "x" * c.get("pad", 0)
            items = ({"n": n, "pad": pad} for n in range(c["count"]))
        else:
            items = c["items"] if "items" in c else [c.get("data")]
        for item in items:
            signal.trigger(item)

    def do_senders(self, c):
        """The router's own table, not asked over the network."""
        return sorted(
            (
                {
                    "name": name,
                    "connected": sender.isConnected(),
                    "events": sorted((event for event in sender.getEvents() if event is not None)),
                    "listeners": sender.countListeners(),
                }
                for name, sender in list(self.any().senders.items())
            ),
            key=lambda row: row["name"] or "",
        )

    def do_repr(self, c):
        return repr(self.any())

    def do_sleep(self, c):
        time.sleep(c["seconds"])

    # --- what a listener and a request handler do ---

    def listener(self, c):
        """The callback with this id: one id is one function, however often it is registered."""
        name = c["id"]
        if name not in self.listeners:
            fails, sleeps = c.get("raise"), c.get("sleep", 0)

            def callback(info, data):
                say({"listener": name, "info": info, "data": data})
                time.sleep(sleeps)
                if fails is not None:
                    raise Exception(fails)

            self.listeners[name] = callback
        return self.listeners[name]

    def requests(self, c):
        """echo, fail, slow and none do what they say; null is the default handler; any other name reports itself."""
        names = c.get("requests")
        if names is None:
            return None
        return dict((name, self.handler(c["name"], name)) for name in names)

    def handler(self, sender, name):
        def handle(method, params):
            say({"request": {"sender": sender, "method": method, "params": params, "handler": name}})
            if name == "echo":
                return params
            if name == "none":
                return None
            if name == "fail":
                raise Exception("boom")
            if name == "slow":
                time.sleep(params.get("seconds", 1) if isinstance(params, dict) else 1)
                return params
            return {"method": method, "params": params}

        if name is None:
            return handle
        return lambda params: handle(name, params)

    # --- orders ---

    def answer(self, command):
        try:
            perform = getattr(self, "do_" + command["cmd"], None)
            if perform is None:
                raise LookupError("no command %s" % command["cmd"])
            return {"cmd_id": command.get("cmd_id"), "ok": perform(command)}
        except Exception as error:
            return {"cmd_id": command.get("cmd_id"), "error": {"type": type(error).__name__, "text": str(error)}}

    def obey(self, command):
        say(self.answer(command))


def main():
    peer = Peer()
    say({"ready": True, "python": sys.version.split()[0], "pysig": sig.VERSION})
    for line in iter(sys.stdin.readline, ""):
        command = from_line(json.loads(line))
        if command.get("async"):
            thread = threading.Thread(target=peer.obey, args=(command,))
            thread.daemon = True
            thread.start()
        else:
            peer.obey(command)
    # The driver is gone, and pysig's server threads are not daemons.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
