//! Whether two files hold the same bytes: one number of all that was read.

/// Bytes as a number, in whatever pieces they come.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    hash: u64,
    len: u64,
    /// Bytes that are no whole word yet.
    rest: [u8; 8],
    filled: usize,
}

impl Content {
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if self.filled > 0 {
            let n = bytes.len().min(8 - self.filled);
            self.rest[self.filled..self.filled + n].copy_from_slice(&bytes[..n]);
            self.filled += n;
            bytes = &bytes[n..];
            if self.filled < 8 {
                return;
            }
            self.word(u64::from_le_bytes(self.rest));
            self.filled = 0;
        }
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        self.rest[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    fn word(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// The number of all that was added.
    pub(super) fn number(&self) -> u64 {
        let mut whole = self.clone();
        whole.rest[self.filled..].fill(0);
        whole.word(u64::from_le_bytes(whole.rest));
        whole.word(self.len);
        whole.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_matter_and_each_byte_does() {
        let of = |bytes: &[u8], piece: usize| {
            let mut content = Content::default();
            bytes.chunks(piece).for_each(|part| content.add(part));
            content.number()
        };
        let bytes: Vec<u8> = (0..1003u32).map(|i| (i * 7) as u8).collect();
        let whole = of(&bytes, bytes.len());
        for piece in [1, 3, 7, 8, 9, 64] {
            assert_eq!(of(&bytes, piece), whole, "pieces of {piece}");
        }
        for at in [0, 500, 1002] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(of(&other, 64), whole);
        }
        assert_ne!(of(&bytes[..1002], 64), whole);
        assert_ne!(of(&[0], 1), of(&[0, 0], 1));
    }
}
