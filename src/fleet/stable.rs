//! Hashes that stand in files: the same on every machine and in every version.

/// A hash that is fed piece by piece (FNV-1a, its bits mixed at the end).
#[derive(Clone, Copy, Debug)]
pub struct Stable(u64);

impl Default for Stable {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Stable {
    /// Adds a text; two texts are not the same as both in one.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        // No byte of UTF-8 is 0xff.
        text.bytes().fold(self, Self::byte).byte(0xff)
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        number.to_le_bytes().into_iter().fold(self, Self::byte)
    }

    fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    /// The hash.
    #[must_use]
    pub fn value(self) -> u64 {
        let mut h = self.0;
        h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        h ^ (h >> 33)
    }

    /// The hash as a name.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:016x}", self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_never_change() {
        // These stand in files that people keep.
        let of = |texts: &[&str]| texts.iter().fold(Stable::default(), |h, t| h.text(t)).name();
        assert_eq!(of(&["a", "b"]), "d1cc471618320c9c");
        assert_eq!(Stable::default().number(7).name(), "c2112d51b876518d");
        assert_ne!(of(&["a", "b"]), of(&["ab", ""]));
        assert_ne!(of(&["ab"]), of(&["a", "b"]));
    }
}
