//! The check sums of serial lines.
//!
//! Tables of 16 entries: two steps for a byte, and 192 bytes for all three sums, which a small board has to spare.

/// A check sum in the making.
///
/// ```
/// use sig_wire::crc::{Crc, crc32c};
///
/// let mut crc = Crc::iscsi();
/// crc.update(b"12345");
/// crc.update(b"6789");
/// assert_eq!(crc.value(), 0xe306_9283);
/// assert_eq!(crc.value(), crc32c(b"123456789"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Crc {
    table: &'static [u32; 16],
    /// All bits of the sum, which it begins with and which turn it around at the end.
    ones: u32,
    state: u32,
}

impl Crc {
    /// CRC-16/X-25, also known as CRC-16/IBM-SDLC.
    #[must_use]
    pub const fn x25() -> Self {
        Self::new(&X25, 0xffff)
    }

    /// CRC-32/ISO-HDLC: that of zlib, and of `binascii.crc32` in Python.
    #[must_use]
    pub const fn iso_hdlc() -> Self {
        Self::new(&ISO_HDLC, u32::MAX)
    }

    /// CRC-32/ISCSI, better known as CRC-32C.
    #[must_use]
    pub const fn iscsi() -> Self {
        Self::new(&ISCSI, u32::MAX)
    }

    const fn new(table: &'static [u32; 16], ones: u32) -> Self {
        Self {
            table,
            ones,
            state: ones,
        }
    }

    /// Goes on with these bytes.
    pub const fn update(&mut self, bytes: &[u8]) {
        let mut state = self.state;
        let mut rest = bytes;
        while let [byte, behind @ ..] = rest {
            state ^= *byte as u32;
            state = (state >> 4) ^ self.table[(state & 15) as usize];
            state = (state >> 4) ^ self.table[(state & 15) as usize];
            rest = behind;
        }
        self.state = state;
    }

    /// The sum of all bytes so far. A sum of 16 bits stands in the lower half.
    #[must_use]
    pub const fn value(&self) -> u32 {
        self.state ^ self.ones
    }
}

/// The CRC-16/X-25 of these bytes.
#[must_use]
pub const fn crc16(bytes: &[u8]) -> u16 {
    let sum = of(Crc::x25(), bytes).to_le_bytes();
    u16::from_le_bytes([sum[0], sum[1]])
}

/// The CRC-32/ISO-HDLC of these bytes.
#[must_use]
pub const fn crc32(bytes: &[u8]) -> u32 {
    of(Crc::iso_hdlc(), bytes)
}

/// The CRC-32C of these bytes.
#[must_use]
pub const fn crc32c(bytes: &[u8]) -> u32 {
    of(Crc::iscsi(), bytes)
}

const fn of(mut crc: Crc, bytes: &[u8]) -> u32 {
    crc.update(bytes);
    crc.value()
}

static X25: [u32; 16] = table(0x8408);
static ISO_HDLC: [u32; 16] = table(0xedb8_8320);
static ISCSI: [u32; 16] = table(0x82f6_3b78);

/// What four bits become, for a polynomial whose bits are written from low to high.
const fn table(polynomial: u32) -> [u32; 16] {
    let mut table = [0; 16];
    let mut index = 0;
    while index < 16 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 {
                (value >> 1) ^ polynomial
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_values_of_the_catalogue() {
        assert_eq!(crc16(b"123456789"), 0x906e);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!((crc16(b""), crc32(b""), crc32c(b"")), (0, 0, 0));
    }

    /// Straight from the definition: bit by bit.
    fn slowly(polynomial: u32, ones: u32, bytes: &[u8]) -> u32 {
        let mut state = ones;
        for bit in bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1)) {
            let carry = (state ^ u32::from(bit)) & 1;
            state >>= 1;
            state ^= carry * polynomial;
        }
        state ^ ones
    }

    proptest! {
        #[test]
        fn every_sum_is_that_of_the_definition(bytes: Vec<u8>, cut: prop::sample::Index) {
            prop_assert_eq!(u32::from(crc16(&bytes)), slowly(0x8408, 0xffff, &bytes));
            prop_assert_eq!(crc32(&bytes), slowly(0xedb8_8320, u32::MAX, &bytes));
            let (front, back) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut crc = Crc::iscsi();
            crc.update(front);
            crc.update(back);
            prop_assert_eq!(crc.value(), slowly(0x82f6_3b78, u32::MAX, &bytes));
        }

        #[test]
        fn a_changed_bit_changes_every_sum(mut bytes in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0_u32..8) {
            let before = (crc16(&bytes), crc32(&bytes), crc32c(&bytes));
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert_ne!(crc16(&bytes), before.0);
            prop_assert_ne!(crc32(&bytes), before.1);
            prop_assert_ne!(crc32c(&bytes), before.2);
        }
    }
}
