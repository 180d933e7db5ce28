//! Payloads that tell who sent them, which one they are, and whether they arrived whole.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | number: sequence (bits 0..40), publisher (40..63), and bit 63 on a publisher's last event |
//! | 8 | 8 | checksum of all other bytes |
//! | 16 | 8 | when it was sent, in nanoseconds; from 24 bytes on |
//! | 24 | | filler |
//!
//! All little endian. The checksum is a sum, so that a publisher need not read a large filler for each event.

/// Marks the last event of a publisher.
pub const LAST: u64 = 1 << 63;
/// The size of the smallest payload.
pub const SMALLEST: usize = 16;

const SEQUENCE_BITS: u32 = 40;
/// Odd, so that multiplying loses no bit.
const WEIGHT: u64 = 0x9e37_79b9_7f4a_7c15;

/// The publisher that a number names.
#[must_use]
pub const fn publisher_of(number: u64) -> u64 {
    (number & !LAST) >> SEQUENCE_BITS
}

/// The sequence in a number.
#[must_use]
pub const fn sequence_of(number: u64) -> u64 {
    number & ((1 << SEQUENCE_BITS) - 1)
}

/// What a payload says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Sequence, publisher and mark.
    pub number: u64,
    /// When it was sent; 0 where the payload is too small to say.
    pub sent_ns: u64,
}

/// A payload that is not as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

/// Makes the payloads of one publisher.
#[derive(Debug, Clone)]
pub struct Stamper {
    template: Vec<u8>,
    filler: u64,
    publisher: u64,
}

impl Stamper {
    /// Payloads of `size` bytes, [`SMALLEST`] at least, from this publisher.
    #[must_use]
    pub fn new(size: usize, publisher: u64) -> Self {
        let template: Vec<u8> = (0..size.max(SMALLEST))
            .map(|at| if at < 24 { 0 } else { b'a' + (at % 26) as u8 })
            .collect();
        Self {
            filler: sum(&template),
            template,
            publisher: publisher << SEQUENCE_BITS,
        }
    }

    /// The payload with this sequence, sent now.
    #[must_use]
    pub fn make(&self, sequence: u64, last: bool, now_ns: u64) -> Vec<u8> {
        let mut payload = self.template.clone();
        let number = self.publisher | sequence | if last { LAST } else { 0 };
        let mut check = self.filler.wrapping_add(weigh(0, number));
        payload[..8].copy_from_slice(&number.to_le_bytes());
        if let Some(sent) = payload.get_mut(16..24) {
            sent.copy_from_slice(&now_ns.to_le_bytes());
            check = check.wrapping_add(weigh(2, now_ns));
        }
        payload[8..16].copy_from_slice(&check.to_le_bytes());
        payload
    }
}

/// Reads a payload and checks that it is whole.
///
/// # Errors
///
/// [`Corrupt`] when it is too small or its checksum is another.
pub fn check(payload: &[u8]) -> Result<Seen, Corrupt> {
    let word = |at: usize| {
        let bytes = payload.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes)
    };
    let (number, told) = (word(0).ok_or(Corrupt)?, word(8).ok_or(Corrupt)?);
    let found = sum(payload).wrapping_sub(weigh(1, told));
    if found != told {
        return Err(Corrupt);
    }
    Ok(Seen {
        number,
        sent_ns: word(16).unwrap_or(0),
    })
}

/// What a word contributes, so that words in another place are noticed.
const fn weigh(at: u64, word: u64) -> u64 {
    word.wrapping_mul(WEIGHT.wrapping_add(at << 1))
}

fn sum(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mut at = 0;
    let mut total = 0u64;
    for word in &mut words {
        total = total.wrapping_add(weigh(at, u64::from_le_bytes(word.try_into().unwrap_or_default())));
        at += 1;
    }
    let mut rest = [0; 8];
    rest[..words.remainder().len()].copy_from_slice(words.remainder());
    total.wrapping_add(weigh(at, u64::from_le_bytes(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_read_and_every_changed_byte_is_noticed() {
        for size in [16, 17, 23, 24, 25, 64, 1000] {
            let stamper = Stamper::new(size, 99);
            let payload = stamper.make(7, true, 1234);
            assert_eq!(payload.len(), size);
            let seen = check(&payload).unwrap();
            assert_eq!((publisher_of(seen.number), sequence_of(seen.number)), (99, 7));
            assert_eq!(seen.number & LAST, LAST);
            assert_eq!(seen.sent_ns, if size < 24 { 0 } else { 1234 });
            for at in 0..size {
                let mut wrong = payload.clone();
                wrong[at] ^= 0x40;
                assert_eq!(check(&wrong), Err(Corrupt), "byte {at} of {size}");
            }
        }
    }

    #[test]
    fn what_is_too_small_is_corrupt() {
        assert_eq!(check(b""), Err(Corrupt));
        assert_eq!(check(&[0; 15]), Err(Corrupt));
    }
}
