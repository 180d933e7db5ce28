"""A client of a sig router over one ZeroMQ socket of pyzmq: pysig's JSON, one document in each message.

    dealer.py ENDPOINT [DEALER|REQ] [IDENTITY] [SECURITY]

SECURITY is a JSON object: {"plain": [NAME, PASSWORD]} or {"curve": [SERVER, PUBLIC, SECRET]}, with keys in Z85.

Each line of standard input is a JSON array: ["call", METHOD, PARAMS] or ["send", FRAME, ..]. Each line of standard output is an object:
{"reply": ..} for what a call came to, {"signal": ..} for an event that was pushed here, {"request": ..} for a request that was answered
here, {"refused": ..} when the router refuses to shake hands, {"other": ..} for anything else.
"""

import json
import os
import sys

import zmq
from zmq.utils.monitor import recv_monitor_message


class Client:
    def __init__(self, endpoint, kind, identity, security):
        self.kind = kind
        self.socket = zmq.Context.instance().socket(getattr(zmq, kind))
        self.socket.linger = 500
        if identity:
            self.socket.identity = identity.encode()
        if "plain" in security:
            self.socket.plain_username, self.socket.plain_password = (text.encode() for text in security["plain"])
        if "curve" in security:
            keys = (key.encode() for key in security["curve"])
            self.socket.curve_serverkey, self.socket.curve_publickey, self.socket.curve_secretkey = keys
        failed = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        self.monitor = self.socket.get_monitor_socket(failed)
        self.socket.connect(endpoint)
        self.last = 0

    def call(self, method, params):
        self.last += 1
        self.socket.send_json({"id": self.last, "method": method, "params": params})

    def take(self, document):
        method, params = document.get("method"), document.get("params")
        if document.get("status") is not None:
            say(reply=document)
        elif method == "signal":
            self.socket.send_json({"id": document["id"], "status": 0, "response": None})
            say(signal=params)
        elif method == "request":
            self.socket.send_json({"id": document["id"], "status": 0, "response": {"asked": params["method"], "with": params["params"]}})
            say(request=params)
        else:
            say(other=document)

    def run(self):
        poller, lines = zmq.Poller(), b""
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.monitor, zmq.POLLIN)
        poller.register(sys.stdin.fileno(), zmq.POLLIN)
        say(ready=True)
        while True:
            ready = dict(poller.poll())
            if self.socket in ready:
                self.take(json.loads(self.socket.recv()))
            if self.monitor in ready:
                say(refused=recv_monitor_message(self.monitor)["event"].name)
            if sys.stdin.fileno() in ready:
                read = os.read(sys.stdin.fileno(), 65536)
                if not read:
                    return
                *whole, lines = (lines + read).split(b"\n")
                for command, *rest in map(json.loads, whole):
                    if command == "call":
                        self.call(*rest)
                    else:
                        self.socket.send_multipart([frame.encode() for frame in rest])
                    if self.kind == "REQ":
                        self.take(json.loads(self.socket.recv()))


def say(**what):
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    endpoint, kind, identity, security = (sys.argv[1:] + ["DEALER", "", "{}"][len(sys.argv) - 2 :])[:4]
    Client(endpoint, kind, identity, json.loads(security)).run()
