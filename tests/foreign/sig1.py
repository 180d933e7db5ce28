"""A client of sig/1 in plain Python 3, written from docs/WIRE.md alone: senders, listeners and requests over TCP."""
import json, os, socket, struct

PREFACE = bytes.fromhex("93534947 0D0A1A0A 01010000")
CONTROL, EVENT, HEARTBEAT, EXT = 1, 2, 3, 1

def frame(kind, body=b"", flags=0):
    return struct.pack("<IBB", len(body) + 2, kind, flags) + body

def event(alias, number, payload, ext=b""):
    ext = struct.pack("<H", len(ext)) + ext if ext else b""
    return frame(EVENT, struct.pack("<IQ", alias, number) + ext + payload, EXT if ext else 0)

def split(data, limit=1 << 24):
    """The frames in front, as (kind, flags, body), and what is left. ValueError for what is no frame."""
    frames = []
    while len(data) >= 4:
        size = struct.unpack_from("<I", data)[0]
        if not 2 <= size <= limit or (len(data) > 4 and 4 <= data[4] < 0x80):
            raise ValueError("not a frame of sig/1: " + data[:6].hex(" "))
        if len(data) < 4 + size: break
        kind, flags, body, data = data[4], data[5], data[6:4 + size], data[4 + size:]
        frames += [(kind, flags, body)] if kind < 0x80 else []
    return frames, data

def parse_event(flags, body):
    """Alias, number, extensions by type, and payload."""
    (alias, number), rest, ext = struct.unpack_from("<IQ", body), body[12:], {}
    if flags & EXT:
        end = 2 + struct.unpack_from("<H", rest)[0]
        tlvs, rest = rest[2:end], rest[end:]
        while tlvs:
            ext.setdefault(tlvs[0], tlvs[2:2 + tlvs[1]])
            tlvs = tlvs[2 + tlvs[1]:]
    return alias, number, ext, rest

class Client:
    """What comes during calls is in `events`: (sender, event, number, data). `handlers` answer requests."""
    def __init__(self, host, port):
        self.socket, self.data, self.last_id = socket.create_connection((host, port)), b"", 0
        self.welcome, self.replies, self.events, self.names, self.handlers = None, {}, [], {}, {}
        self.socket.sendall(PREFACE)
        assert self.socket.recv(12, socket.MSG_WAITALL) == PREFACE, "the router speaks another version"
        self.send(method="hello", params={"versions": [1, 1], "instance": os.urandom(16).hex()})
        self.pump(lambda: self.welcome)

    def send(self, **message):
        self.socket.sendall(frame(CONTROL, json.dumps(message).encode()))

    def call(self, method, /, **params):
        self.last_id += 1
        self.send(id=self.last_id, method=method, params=params)
        self.pump(lambda: self.last_id in self.replies)
        reply = self.replies.pop(self.last_id)
        if reply["status"] != 0:
            raise RuntimeError(reply.get("exception", method))
        return reply["response"]

    def pump(self, done):
        """Reads and deals with what comes, until something is so."""
        while not done():
            frames, self.data = split(self.data + (self.socket.recv(65536) or b"\xff" * 4))
            for kind, flags, body in frames:
                if kind == EVENT:
                    alias, number, _, payload = parse_event(flags, body)
                    self.events.append((*self.names[alias], number, json.loads(payload)))
                elif kind == CONTROL:
                    self.take(**json.loads(body))

    def take(self, id=None, method=None, params=None, status=None, **reply):
        if status is not None:
            self.replies[id] = {"status": status, **reply}
        elif method == "announce":
            self.names[params["alias"]] = params["sender"], params["event"]
        elif method == "request":
            self.send(id=id, status=0, response=self.handlers[params["method"]](params.get("params")))
        elif method in ("welcome", "refuse"):
            self.welcome = params if method == "welcome" else self.socket.close()
