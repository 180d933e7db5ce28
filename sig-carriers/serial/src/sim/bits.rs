//! Bytes as levels of a wire, and what a receiver makes of them that samples at another rate.

/// Bits of a byte on the wire: a start bit, eight data bits, a stop bit.
const BITS: u64 = 10;

/// What a UART at `theirs` baud receives of bytes that were sent without pauses at `ours` baud, both with eight data bits, no
/// parity and one stop bit.
///
/// It begins at a falling edge, looks at the middle of each of its bits, and takes the byte whatever the stop bit is; then it
/// waits for the wire to rest, and for the next falling edge.
#[must_use]
pub fn resample(bytes: &[u8], ours: u32, theirs: u32) -> Vec<u8> {
    let wire = Wire {
        bytes,
        ours: u64::from(ours),
        theirs: u64::from(theirs),
    };
    let mut received = Vec::new();
    // Time in parts: a bit of ours has `theirs` of them, and one of theirs `ours`.
    let mut at = 0;
    while let Some(edge) = wire.next_edge(at) {
        let middle = |bit: u64| edge + bit * wire.ours + wire.ours / 2;
        let byte = (0..8).fold(0, |byte, bit| byte | u8::from(wire.level(middle(bit + 1))) << bit);
        received.push(byte);
        at = wire.next_high(middle(BITS - 1));
    }
    received
}

struct Wire<'a> {
    bytes: &'a [u8],
    ours: u64,
    theirs: u64,
}

impl Wire<'_> {
    fn end(&self) -> u64 {
        self.bytes.len() as u64 * BITS
    }

    /// The level of one of our bits; high behind the last one.
    fn bit(&self, bit: u64) -> bool {
        let byte = usize::try_from(bit / BITS).ok().and_then(|at| self.bytes.get(at));
        match (byte, bit % BITS) {
            (None, _) | (_, 9) => true,
            (_, 0) => false,
            (Some(byte), data) => byte >> (data - 1) & 1 == 1,
        }
    }

    fn level(&self, at: u64) -> bool {
        self.bit(at / self.theirs)
    }

    /// When the wire is high, from this time on.
    fn next_high(&self, at: u64) -> u64 {
        if self.level(at) {
            return at;
        }
        let mut bit = at / self.theirs + 1;
        while !self.bit(bit) {
            bit += 1;
        }
        bit * self.theirs
    }

    /// When the wire falls next, from this time on, at which it is high or at the beginning.
    fn next_edge(&self, at: u64) -> Option<u64> {
        let mut bit = at / self.theirs;
        while bit < self.end() {
            if !self.bit(bit) {
                return Some((bit * self.theirs).max(at));
            }
            bit += 1;
        }
        None
    }
}
