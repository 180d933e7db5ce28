"""Sockets of pyzmq that a test opens and drives.

Reads one JSON list per line, [COMMAND, NAME, ...], and answers each with one JSON object per line. Frames are text in which each character is
one byte.

    ["open", NAME, TYPE, {OPTION: VALUE}]   {"done": true}
    ["bind", NAME, ENDPOINT]                {"bound": ENDPOINT}, with the port that was found
    ["connect" | "disconnect" | "unbind", NAME, ENDPOINT], ["subscribe" | "unsubscribe", NAME, TOPIC]
    ["send", NAME, FRAME, ..]               {"done": true}
    ["recv", NAME]                          {"received": [FRAME, ..]}, or {"failed": ..} after 20 s
    ["recv", NAME, MILLISECONDS]            the same, with a limit of its own
    ["close", NAME]                         {"done": true}, after what was sent is gone
    ["proxy", FRONT, BACK]                  {"done": true}; they belong to zmq.proxy from then on
    ["plain" , NAME, PASSWORD]              {"done": true}; a ZAP handler lets in that name with that password
    ["curve"]                               {"keys": [PUBLIC, SECRET]}
"""

import json
import os
import sys
import threading

import zmq
from zmq.auth.thread import ThreadAuthenticator

PATIENCE = 20000
context = zmq.Context()
sockets = {}
authenticators = []


def value_of(value):
    return value.encode("latin-1") if isinstance(value, str) else value


def open_socket(name, kind, options):
    socket = context.socket(getattr(zmq, kind))
    socket.linger = 2000
    socket.sndtimeo = PATIENCE
    for option, value in options.items():
        socket.setsockopt(getattr(zmq, option), value_of(value))
    sockets[name] = socket
    return {"done": True}


def recv(name, limit=PATIENCE):
    socket = sockets[name]
    if not socket.poll(limit):
        return {"failed": "nothing within %d ms" % limit}
    return {"received": [frame.decode("latin-1") for frame in socket.recv_multipart()]}


def bind(name, endpoint):
    sockets[name].bind(endpoint)
    return {"bound": sockets[name].getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()}


def proxy(front, back):
    threading.Thread(target=zmq.proxy, args=(sockets.pop(front), sockets.pop(back)), daemon=True).start()


def plain(name, password):
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_plain(domain="*", passwords={name: password})
    authenticators.append(authenticator)


def run(command, name=None, *rest):
    if command == "open":
        return open_socket(name, *rest)
    if command == "bind":
        return bind(name, *rest)
    if command == "recv":
        return recv(name, *rest)
    if command == "send":
        sockets[name].send_multipart([frame.encode("latin-1") for frame in rest])
    elif command == "close":
        sockets.pop(name).close()
    elif command == "proxy":
        proxy(name, *rest)
    elif command == "plain":
        plain(name, *rest)
    elif command == "curve":
        return {"keys": [key.decode() for key in zmq.curve_keypair()]}
    elif command in ("subscribe", "unsubscribe"):
        option = zmq.SUBSCRIBE if command == "subscribe" else zmq.UNSUBSCRIBE
        sockets[name].setsockopt(option, rest[0].encode("latin-1"))
    else:
        getattr(sockets[name], command)(*rest)
    return {"done": True}


for line in sys.stdin:
    try:
        answer = run(*json.loads(line))
    except Exception as error:
        answer = {"failed": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)
# The proxies and their sockets would keep the process.
os._exit(0)
