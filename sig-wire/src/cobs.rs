//! Bytes without a zero: consistent overhead byte stuffing, so that a zero can stand between frames.
//!
//! The encoded bytes are runs: a byte that says how far it is to the next one, and the bytes between the two. Where a run
//! ends, a zero stood, unless the run has 254 bytes or is the last.

use core::fmt;

/// The byte that stands between frames and nowhere in them.
pub const DELIMITER: u8 = 0;

/// Most bytes of a run.
const RUN: usize = 254;

/// How many bytes so many become at most.
///
/// ```
/// assert_eq!(sig_wire::cobs::max_encoded_len(64), 65);
/// ```
#[must_use]
pub const fn max_encoded_len(len: usize) -> usize {
    len + len / RUN + 1
}

/// Writes bytes without a zero into a buffer, piece by piece.
///
/// ```
/// use sig_wire::cobs::Encoder;
///
/// let mut buffer = [0; 8];
/// let mut encoder = Encoder::new(&mut buffer);
/// encoder.push(&[0x11, 0x22]).unwrap();
/// encoder.push(&[0x00, 0x33]).unwrap();
/// let len = encoder.finish();
/// assert_eq!(buffer[..len], [0x03, 0x11, 0x22, 0x02, 0x33]);
/// ```
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut [u8],
    /// Where the run begins that is being written.
    run: usize,
    /// Behind the last byte that was written.
    end: usize,
}

impl<'a> Encoder<'a> {
    /// Writes to this buffer, which must have room for a byte at least.
    #[must_use]
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self { out, run: 0, end: 1 }
    }

    /// Goes on with these bytes.
    ///
    /// # Errors
    ///
    /// [`CobsError::NoRoom`] where the buffer is too small; what was encoded so far is of no use then. A buffer of
    /// [`max_encoded_len`] bytes is large enough.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), CobsError> {
        for byte in bytes {
            if self.end - self.run > RUN {
                self.begin_run()?;
            }
            if *byte == DELIMITER {
                self.begin_run()?;
            } else {
                *self.out.get_mut(self.end).ok_or(CobsError::NoRoom)? = *byte;
                self.end += 1;
            }
        }
        Ok(())
    }

    /// Ends the last run, and gives the length of all.
    #[must_use]
    pub fn finish(self) -> usize {
        let Self { out, run, end } = self;
        match out.get_mut(run) {
            Some(first) => *first = distance(run, end),
            None => return 0,
        }
        end
    }

    fn begin_run(&mut self) -> Result<(), CobsError> {
        if self.end >= self.out.len() {
            return Err(CobsError::NoRoom);
        }
        self.out[self.run] = distance(self.run, self.end);
        self.run = self.end;
        self.end += 1;
        Ok(())
    }
}

fn distance(run: usize, end: usize) -> u8 {
    // At most 255: a run is ended before it gets longer.
    u8::try_from(end - run).unwrap_or(u8::MAX)
}

/// Encodes these bytes into a buffer, and gives how many they became.
///
/// # Errors
///
/// As [`Encoder::push`].
pub fn encode(bytes: &[u8], out: &mut [u8]) -> Result<usize, CobsError> {
    if out.is_empty() {
        return Err(CobsError::NoRoom);
    }
    let mut encoder = Encoder::new(out);
    encoder.push(bytes)?;
    Ok(encoder.finish())
}

/// Puts what stood between two delimiters back in the form that it had, in place, and gives its length.
///
/// # Errors
///
/// [`CobsError::Damaged`] when these bytes are no encoded ones, since one was lost, changed or came in addition. Most damage
/// is not seen here: a check sum has to.
///
/// ```
/// use sig_wire::cobs::decode_in_place;
///
/// let mut frame = [0x03, 0x11, 0x22, 0x02, 0x33];
/// let len = decode_in_place(&mut frame).unwrap();
/// assert_eq!(frame[..len], [0x11, 0x22, 0x00, 0x33]);
/// ```
pub fn decode_in_place(frame: &mut [u8]) -> Result<usize, CobsError> {
    let (mut read, mut written) = (0, 0);
    while let Some(&first) = frame.get(read) {
        let next = read + usize::from(first);
        if first == DELIMITER || next > frame.len() || frame[read + 1..next].contains(&DELIMITER) {
            return Err(CobsError::Damaged);
        }
        frame.copy_within(read + 1..next, written);
        written += usize::from(first) - 1;
        if usize::from(first) <= RUN && next < frame.len() {
            frame[written] = 0;
            written += 1;
        }
        read = next;
    }
    if frame.is_empty() {
        return Err(CobsError::Damaged);
    }
    Ok(written)
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CobsError {
    /// The buffer is too small.
    NoRoom,
    /// The bytes are not what an encoder writes.
    Damaged,
}

impl fmt::Display for CobsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "the buffer is too small for the encoded bytes; see max_encoded_len",
            Self::Damaged => "the bytes between two delimiters are no COBS; some were lost or changed",
        })
    }
}

impl core::error::Error for CobsError {}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0xaa; max_encoded_len(bytes.len())];
        let len = encode(bytes, &mut out).unwrap();
        out.truncate(len);
        out
    }

    fn decoded(mut frame: Vec<u8>) -> Result<Vec<u8>, CobsError> {
        let len = decode_in_place(&mut frame)?;
        frame.truncate(len);
        Ok(frame)
    }

    /// From the paper by Cheshire and Baker, and from the usual tables of examples.
    #[test]
    fn the_known_examples() {
        for (bytes, wanted) in [
            (&[][..], &[0x01][..]),
            (&[0x00], &[0x01, 0x01]),
            (&[0x00, 0x00], &[0x01, 0x01, 0x01]),
            (&[0x00, 0x11, 0x00], &[0x01, 0x02, 0x11, 0x01]),
            (&[0x11, 0x22, 0x00, 0x33], &[0x03, 0x11, 0x22, 0x02, 0x33]),
            (&[0x11, 0x22, 0x33, 0x44], &[0x05, 0x11, 0x22, 0x33, 0x44]),
            (&[0x11, 0x00, 0x00, 0x00], &[0x02, 0x11, 0x01, 0x01, 0x01]),
        ] {
            assert_eq!(encoded(bytes), wanted);
            assert_eq!(decoded(wanted.to_vec()).unwrap(), bytes);
        }
        let ramp = |from: u16, to: u16| (from..=to).map(|byte| (byte % 256) as u8).collect::<Vec<_>>();
        let cases = [
            (ramp(0x01, 0xfe), [&[0xff][..], &ramp(0x01, 0xfe)].concat()),
            (ramp(0x00, 0xfe), [&[0x01, 0xff][..], &ramp(0x01, 0xfe)].concat()),
            (
                ramp(0x01, 0xff),
                [&[0xff][..], &ramp(0x01, 0xfe), &[0x02, 0xff]].concat(),
            ),
            (
                ramp(0x02, 0x100),
                [&[0xff][..], &ramp(0x02, 0xff), &[0x01, 0x01]].concat(),
            ),
            (
                ramp(0x03, 0x101),
                [&[0xfe][..], &ramp(0x03, 0xff), &[0x02, 0x01]].concat(),
            ),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(encoded(&bytes), wanted);
            assert_eq!(decoded(wanted).unwrap(), bytes);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for damaged in [&[][..], &[0], &[2], &[1, 0], &[3, 1], &[3, 0, 1], &[5, 1, 2, 3]] {
            assert_eq!(decoded(damaged.to_vec()), Err(CobsError::Damaged), "{damaged:x?}");
        }
        assert_eq!(encode(&[1], &mut [0; 1]), Err(CobsError::NoRoom));
        assert_eq!(encode(&[0], &mut [0; 1]), Err(CobsError::NoRoom));
        assert_eq!(encode(&[], &mut []), Err(CobsError::NoRoom));
        assert_eq!(Encoder::new(&mut []).finish(), 0);
    }

    /// Mostly zeros, or hardly any, so that runs of all lengths are among them.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        (0_u8..=8).prop_flat_map(|share| {
            let byte = (any::<u8>(), 0_u8..8).prop_map(move |(byte, of)| if of < share { byte | 1 } else { 0 });
            prop::collection::vec(byte, 0..1200)
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_has_no_zero_and_comes_back(bytes in bytes(), cut: prop::sample::Index) {
            let whole = encoded(&bytes);
            prop_assert!(!whole.contains(&DELIMITER));
            let (front, back) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut out = vec![0; max_encoded_len(bytes.len())];
            let mut encoder = Encoder::new(&mut out);
            encoder.push(front).unwrap();
            encoder.push(back).unwrap();
            let len = encoder.finish();
            prop_assert_eq!(&out[..len], &whole[..]);
            prop_assert_eq!(decoded(whole).unwrap(), bytes);
        }

        #[test]
        fn whatever_comes_is_taken_or_refused(mut frame: Vec<u8>) {
            let size = frame.len();
            if let Ok(len) = decode_in_place(&mut frame) {
                prop_assert!(len < size);
            }
        }
    }
}
