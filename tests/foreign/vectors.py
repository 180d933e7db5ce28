"""Holds sig1.py against the golden vectors of docs/WIRE.md: what it writes, and what it reads."""
import re, struct, sys

import sig1

PAGE = open(sys.argv[1], encoding="utf-8").read().split("## 7. Golden vectors")[1]


def lines(title):
    block = re.search(r"```text\n(.*?)```", PAGE[PAGE.index("\n" + title):], re.S).group(1)
    return [bytes.fromhex(line) for line in block.splitlines()]


def golden(title):
    return b"".join(lines(title))


PAYLOAD = b'{"celsius":20.5}'
TLVS = golden("The extensions")

assert sig1.PREFACE == golden("A dialler that speaks")
assert sig1.frame(sig1.HEARTBEAT) == golden("A heartbeat")
assert sig1.frame(sig1.CONTROL, b'{"id":1,"method":"list_senders"}') == golden("The call")
assert sig1.event(7, 42, PAYLOAD) == golden("Event 42")

lagged = golden("The same, after three")
assert sig1.event(7, 42, PAYLOAD, bytes([4, 8, 3, 0, 0, 0, 0, 0, 0, 0])) == lagged
[(kind, flags, body)], rest = sig1.split(lagged + lagged[:5])
assert (kind, rest) == (sig1.EVENT, lagged[:5])
assert sig1.parse_event(flags, body) == (7, 42, {4: (3).to_bytes(8, "little")}, PAYLOAD)

[(_, flags, body)], _ = sig1.split(sig1.event(7, 42, b"text", TLVS))
ext = sig1.parse_event(flags, body)[2]
assert ext == {1: (0x0102030405060708).to_bytes(8, "little"), 6: b"\x02", 8: b"\x02"}

[(_, flags, body)], _ = sig1.split(sig1.event(7, 42, b"1", golden('The extension "confirm"')))
assert sig1.parse_event(flags, body)[2] == {9: struct.pack("<QBI", 12, 1, 9750)}

to_skip, *to_refuse = lines("A frame to skip")
assert sig1.split(to_skip) == ([], b"")
assert len(to_refuse) == 3
for refused in to_refuse:
    try:
        sig1.split(refused)
    except ValueError:
        continue
    sys.exit(f"took {refused.hex(' ')} for a frame")
print("ok")
