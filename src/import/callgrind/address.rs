//! Addresses of instructions: each is written whole or as its distance from the one before.

use super::numbers::Cursor;

/// Where the lines of numbers are in the object file.
#[derive(Default)]
pub(super) struct Addresses {
    /// Which of the positions on a line is the address; `None` where lines have none.
    pub(super) column: Option<usize>,
    /// The last one; `None` behind one that could not be read, until a whole one comes.
    last: Option<u64>,
}

/// A jump before the line of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JumpTo {
    pub(super) to: u64,
    pub(super) conditional: bool,
    pub(super) executed: u64,
    pub(super) followed: u64,
}

impl Addresses {
    /// Those of a part that starts; distances count from 0.
    pub(super) fn of_part(column: Option<usize>) -> Self {
        Self { column, last: Some(0) }
    }

    /// The instruction of the line, where it has one that could be read.
    pub(super) fn here(&self) -> Option<u64> {
        self.column.and(self.last)
    }

    /// Takes the address of a line. False when it cannot be read.
    pub(super) fn move_to(&mut self, word: &[u8]) -> bool {
        self.last = self.read(word);
        self.last.is_some()
    }

    fn read(&self, word: &[u8]) -> Option<u64> {
        match word {
            [b'*'] => self.last,
            [b'+', by @ ..] => self.last?.checked_add(number(by)?),
            [b'-', by @ ..] => self.last?.checked_sub(number(by)?),
            whole => number(whole),
        }
    }

    /// What stands behind `jump=` («times target») or `jcnd=` («followed/executed target»).
    pub(super) fn jump(&self, value: &[u8], conditional: bool) -> Option<JumpTo> {
        let (mut cursor, mut overflow) = (Cursor::new(value), false);
        let followed = cursor.digits(&mut overflow)?.unsigned_abs();
        let executed = match conditional {
            true if cursor.eat(b'/') => cursor.digits(&mut overflow)?.unsigned_abs(),
            true => return None,
            false => followed,
        };
        let before = self.column?;
        (0..before).for_each(|_| _ = cursor.word());
        let to = self.read(cursor.word())?;
        Some(JumpTo { to, conditional, executed, followed })
    }
}

/// A decimal number, or a hexadecimal one behind `0x`.
fn number(digits: &[u8]) -> Option<u64> {
    let (digits, base) = match digits {
        [b'0', b'x', hex @ ..] => (hex, 16),
        decimal => (decimal, 10),
    };
    let mut value = 0u64;
    for &digit in digits {
        let digit = char::from(digit).to_digit(base)?;
        value = value.checked_mul(base.into())?.checked_add(digit.into())?;
    }
    (!digits.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_every_spelling() {
        let mut at = Addresses::of_part(Some(0));
        for (word, want) in [
            ("0x1174", Some(0x1174)),
            ("+1", Some(0x1175)),
            ("*", Some(0x1175)),
            ("-0x5", Some(0x1170)),
            ("4464", Some(0x1170)),
            ("0xffffffff81000000", Some(0xffff_ffff_8100_0000)),
            ("-99999999999999999999", None),
            ("+1", None),
            ("0x", None),
            ("0x10-0x20", None),
            ("16", Some(16)),
            ("-17", None),
        ] {
            assert_eq!((at.move_to(word.as_bytes()), at.here()), (want.is_some(), want), "{word}");
        }
        assert_eq!(Addresses::of_part(None).here(), None);
    }

    #[test]
    fn jumps_count_from_the_line_before() {
        let mut at = Addresses::of_part(Some(0));
        at.move_to(b"0x100");
        let jump = |text: &str, conditional| at.jump(text.as_bytes(), conditional);
        let to = |to, conditional, executed, followed| Some(JumpTo { to, conditional, executed, followed });
        assert_eq!(jump("3 -0x10 +2", false), to(0xf0, false, 3, 3));
        assert_eq!(jump("2/5 0x80 *", true), to(0x80, true, 5, 2));
        for odd in ["", "x", "3", "2/ +1", "2/5", "2/5 ?"] {
            assert_eq!(
                (jump(odd, true), jump(odd, false).filter(|_| !odd.contains("+1"))),
                (None, None),
                "{odd}"
            );
        }
    }
}
