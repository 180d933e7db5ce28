# A greenhouse with a lamp, for any board with MicroPython: copy it to the board as main.py. It needs nothing else.
# Temperature every second, the lamp on request. With CRC every line has a checksum, so that the router notices damage;
# set it to False on a board whose binascii has no crc32.
import binascii, json, select, sys, time
from machine import ADC, Pin

CRC = True
EVERY_MS = 1000
lamp = Pin("LED", Pin.OUT)
sensor = ADC(0)
count = 0  # of documents, so that the router sees what the line lost


def say(document):
    global count
    text = '{"n":%d,%s' % (count, json.dumps(document)[1:])
    count += 1
    if CRC:
        text += "*%08X" % (binascii.crc32(text.encode()) & 0xFFFFFFFF)
    print(text)


def hello():
    say({"hello": "greenhouse", "events": ["temp"], "requests": ["led"]})


def led(on):
    if not isinstance(on, bool):
        raise ValueError("led wants true or false")
    lamp.value(on)
    return on


METHODS = {"led": led}
last_line, last_answer = None, None


def heard(line):
    global last_line, last_answer
    text, star, check = line.rpartition("*")
    if not star:
        text = line  # only a router that does not know this board yet writes without
    elif len(check) == 8 and int(check, 16) != binascii.crc32(text.encode()) & 0xFFFFFFFF:
        return
    request = json.loads(text)
    if "hello" in request:
        last_line = None
        hello()
        return
    if not star and CRC:
        return
    if line != last_line:  # else the router did not hear the answer: it gets the same again
        last_line, last_answer = line, {"id": request["id"]}
        try:
            last_answer["response"] = METHODS[request["method"]](request.get("params"))
        except KeyError:
            last_answer["error"] = "no such method"
        except Exception as error:
            last_answer["error"] = str(error)
    say(last_answer)


poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
hello()
last = time.ticks_ms()
while True:
    if time.ticks_diff(time.ticks_ms(), last) >= EVERY_MS:
        last = time.ticks_ms()
        say({"event": "temp", "data": sensor.read_u16() / 100})
    if poll.poll(10):
        line = sys.stdin.readline().strip()
        try:
            heard(line)
        except (ValueError, KeyError, AttributeError, TypeError):
            pass  # damaged, or not for us
