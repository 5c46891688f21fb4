//! Numbers in lines of cost.

/// A place in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

/// A number as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// A plain number, possibly negative.
    Plain(i64),
    /// A distance from the number before, forwards.
    Ahead(i64),
    /// A negative number, or a distance backwards: the place decides.
    Back(i64),
    /// The same as before.
    Same,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.line.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Steps over `byte`, if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The next word.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip_blanks();
        let start = self.at;
        while matches!(self.line.get(self.at), Some(b) if !matches!(b, b' ' | b'\t')) {
            self.at += 1;
        }
        &self.line[start..self.at]
    }

    /// Decimal or 0x… digits; past 63 bits the largest number, and `overflow` is set.
    pub(super) fn digits(&mut self, overflow: &mut bool) -> Option<i64> {
        let start = self.at;
        let mut value: u64 = 0;
        while let Some(d) = self.line.get(self.at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(d));
            self.at += 1;
        }
        match self.at - start {
            0 => None,
            1 if value == 0 && self.peek() == Some(b'x') => {
                self.at += 1;
                Some(self.hex_digits(overflow))
            }
            1..=18 => Some(value as i64),
            _ => {
                let digits = self.line[start..self.at].iter().copied().skip_while(|b| *b == b'0');
                let value = digits.fold(0i64, |v, b| v.saturating_mul(10).saturating_add((b - b'0').into()));
                *overflow |= value == i64::MAX;
                Some(value)
            }
        }
    }

    fn hex_digits(&mut self, overflow: &mut bool) -> i64 {
        let mut value: i64 = 0;
        while let Some(d) = self.peek().and_then(|b| char::from(b).to_digit(16)) {
            value = match value.checked_mul(16).and_then(|v| v.checked_add(d.into())) {
                Some(value) => value,
                None => {
                    *overflow = true;
                    i64::MAX
                }
            };
            self.at += 1;
        }
        value
    }

    /// A number in any of its spellings.
    pub(super) fn number(&mut self, overflow: &mut bool) -> Option<Number> {
        match self.peek()? {
            b'*' => {
                self.at += 1;
                Some(Number::Same)
            }
            b'+' => {
                self.at += 1;
                self.digits(overflow).map(Number::Ahead)
            }
            b'-' => {
                self.at += 1;
                self.digits(overflow).map(Number::Back)
            }
            _ => self.digits(overflow).map(Number::Plain),
        }
    }
}

/// A position and costs, each of few decimal digits after one blank, and nothing else: the form of nearly all lines. Costs
/// that are left out at the end are 0. `None` for any other; then `costs` hold nothing of use.
pub(super) fn plain_numbers(line: &[u8], costs: &mut [i64]) -> Option<Number> {
    let (position, mut rest) = match *line {
        [b'*', ref rest @ ..] => (Number::Same, rest),
        [b'+', ref rest @ ..] => few_digits(rest).map(|(by, rest)| (Number::Ahead(by), rest))?,
        [b'-', ref rest @ ..] => few_digits(rest).map(|(by, rest)| (Number::Back(by), rest))?,
        _ => few_digits(line).map(|(line, rest)| (Number::Plain(line), rest))?,
    };
    for cost in costs {
        (*cost, rest) = match *rest {
            [] => (0, rest),
            [b' ', ref digits @ ..] => few_digits(digits)?,
            _ => return None,
        };
    }
    rest.is_empty().then_some(position)
}

/// A number of 1 to 18 digits, and what follows it.
#[inline]
fn few_digits(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (mut value, mut len) = (0i64, 0);
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        len += 1;
    }
    (1..=18).contains(&len).then(|| (value, &bytes[len..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_spelling() {
        let read = |text: &str| {
            let mut overflow = false;
            (Cursor::new(text.as_bytes()).number(&mut overflow), overflow)
        };
        assert_eq!(read("42 1"), (Some(Number::Plain(42)), false));
        assert_eq!(read("0x1F"), (Some(Number::Plain(31)), false));
        assert_eq!(read("+3"), (Some(Number::Ahead(3)), false));
        assert_eq!(read("-3"), (Some(Number::Back(3)), false));
        assert_eq!(read("*"), (Some(Number::Same), false));
        assert_eq!(read("9223372036854775806"), (Some(Number::Plain(i64::MAX - 1)), false));
        assert_eq!(read("18446744073709551615"), (Some(Number::Plain(i64::MAX)), true));
        assert_eq!(read("0000000000000000000000007"), (Some(Number::Plain(7)), false));
        assert_eq!(read("0xffffffffffffffffff"), (Some(Number::Plain(i64::MAX)), true));
        assert_eq!(read("x"), (None, false));
        assert_eq!(read("-"), (None, false));
    }

    #[test]
    fn plain_lines_only() {
        let read = |line: &str| {
            let mut costs = [7; 2];
            plain_numbers(line.as_bytes(), &mut costs).map(|position| (position, costs))
        };
        assert_eq!(read("12 3 999999999999999999"), Some((Number::Plain(12), [3, 999_999_999_999_999_999])));
        assert_eq!(read("+1 0 5"), Some((Number::Ahead(1), [0, 5])));
        assert_eq!(read("-1 0 5"), Some((Number::Back(1), [0, 5])));
        assert_eq!(read("1 2"), Some((Number::Plain(1), [2, 0])), "valgrind leaves out zeros at the end");
        assert_eq!(read("1"), Some((Number::Plain(1), [0, 0])));
        assert_eq!(read("* 0 5"), Some((Number::Same, [0, 5])));
        for other in
            ["", "1 2 3 4", "1  2 3", "1 2 3 ", "0x1 2 3", "1 +2 3", "1 2 1000000000000000000", "x 1 2"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
