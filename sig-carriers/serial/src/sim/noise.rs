//! What goes wrong on a cable.

/// How often bytes are damaged, each in a million bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noise {
    /// One bit is another.
    pub flipped: u32,
    /// The byte is not there.
    pub lost: u32,
    /// Another byte comes after it.
    pub inserted: u32,
}

impl Noise {
    /// None.
    pub const NONE: Self = Self {
        flipped: 0,
        lost: 0,
        inserted: 0,
    };

    /// So many bytes in a million are damaged, a third of them in each way.
    #[must_use]
    pub fn of(in_a_million: u32) -> Self {
        let each = in_a_million / 3;
        Self {
            flipped: in_a_million - 2 * each,
            lost: each,
            inserted: each,
        }
    }

    /// What becomes of a byte: nothing, one or two bytes. Says whether that is damage.
    pub fn strike(&self, byte: u8, random: &mut fastrand::Rng, out: &mut impl FnMut(u8)) -> bool {
        let dice = random.u32(..1_000_000);
        if dice < self.flipped {
            out(byte ^ (1 << random.u32(..8)));
        } else if dice < self.flipped + self.lost {
        } else if dice < self.flipped + self.lost + self.inserted {
            out(byte);
            out(random.u8(..));
        } else {
            out(byte);
            return false;
        }
        true
    }
}
