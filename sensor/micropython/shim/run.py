"""Runs main.py under CPython. The line is a new pseudo-terminal, whose name is printed; a name on the command line becomes
a link to it. As on a real line, what is sent while nobody has the port open is lost.

    python3 sensor/micropython/shim/run.py /tmp/greenhouse
"""

import os
import pathlib
import select
import sys
import time
import tty

line, port = os.openpty()
name = os.ttyname(port)
tty.setraw(port)
os.close(port)  # from here on it shows whether somebody has it open
if len(sys.argv) > 1:
    os.symlink(name, sys.argv[1] + ".new")
    os.replace(sys.argv[1] + ".new", sys.argv[1])
print(name, flush=True)


def is_open():
    look = real_poll()
    look.register(line, 0)
    return not look.poll(0)


class Poll:
    """A poll that knows no hang-up, as on a board."""

    def register(self, stream, what):
        pass

    def poll(self, ms):
        if not is_open():
            time.sleep(ms / 1000)
            return []
        look = real_poll()
        look.register(line, select.POLLIN)
        return [event for event in look.poll(ms) if event[1] & select.POLLIN]


real_poll = select.poll
select.poll = Poll


class Line:
    """The standard input and output of a board: not buffered, lines end with \\r\\n."""

    def readline(self):
        text = b""
        while not text.endswith(b"\n"):
            try:
                text += os.read(line, 1)
            except OSError:
                return ""  # closed at the other end
        return text.decode()

    def write(self, text):
        data = text.replace("\n", "\r\n").encode()
        while data and is_open():
            data = data[os.write(line, data) :]

    def flush(self):
        pass


out, sys.stdin, sys.stdout = sys.stdout, Line(), Line()
time.ticks_ms = lambda: int(time.monotonic() * 1000) & 0x3FFFFFFF
time.ticks_diff = lambda a, b: ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000
main = pathlib.Path(__file__).parent.parent / "main.py"
sys.path.insert(0, str(pathlib.Path(__file__).parent))
__import__("machine").out = out
exec(compile(main.read_text(), str(main), "exec"), {"__name__": "__main__"})
