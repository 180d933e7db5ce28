"""As much of MicroPython's machine as main.py uses. Pins say on the standard output what they are set to."""

out = None


class Pin:
    OUT = 1

    def __init__(self, name, mode):
        self.name = name

    def value(self, value):
        print("pin %s = %d" % (self.name, value), file=out, flush=True)


class ADC:
    """Reads 2150, 2160, 2170, .."""

    def __init__(self, pin):
        self.next = 2140

    def read_u16(self):
        self.next += 10
        return self.next
