//! Lines of a source of any size, and the numbers in them.
//!
//! The buffer holds one chunk and the start of an unfinished line; a line longer than [`MAX_LINE`] is
//! cut, so a file without newlines costs no memory.

use std::io::Read;

use super::super::{ImportError, Source};

const CHUNK: usize = 1 << 20;
/// Longest line that is kept. Names of C++ templates come to some 100 kB.
const MAX_LINE: usize = 1 << 20;

/// Gives every line (without its end) to `line`, after `chunk` was called with the source for each
/// chunk that was read. Returns how many lines had to be cut.
///
/// # Errors
/// On a read error and those of the callbacks.
pub(super) fn for_each_line<T>(
    source: &mut Source,
    state: &mut T,
    mut chunk: impl FnMut(&mut T, &Source) -> Result<(), ImportError>,
    mut line: impl FnMut(&mut T, &[u8]) -> Result<(), ImportError>,
) -> Result<u64, ImportError> {
    let mut buffer = vec![0; CHUNK + MAX_LINE];
    let (mut kept, mut skipping, mut cut) = (0, false, 0);
    loop {
        let got = source.read(&mut buffer[kept..kept + CHUNK])?;
        chunk(state, source)?;
        let end = kept + got;
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[kept..end]) {
            let newline = kept + newline;
            if !std::mem::take(&mut skipping) {
                line(state, trim_end(&buffer[start..newline]))?;
            }
            start = newline + 1;
        }
        if got == 0 {
            if start < end && !skipping {
                line(state, trim_end(&buffer[start..end]))?;
            }
            return Ok(cut);
        }
        if skipping {
            start = end;
        } else if end - start >= MAX_LINE {
            line(state, &buffer[start..start + MAX_LINE])?;
            (skipping, start) = (true, end);
            cut += 1;
        }
        buffer.copy_within(start..end, 0);
        kept = end - start;
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

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

/// A position and as many costs as there are columns, each of few decimal digits after one blank, and nothing else: the
/// form of nearly all lines. `None` for any other; then `costs` hold nothing of use.
pub(super) fn plain_numbers(line: &[u8], costs: &mut [i64]) -> Option<Number> {
    let (position, mut rest) = match *line {
        [b'*', ref rest @ ..] => (Number::Same, rest),
        [b'+', ref rest @ ..] => few_digits(rest).map(|(by, rest)| (Number::Ahead(by), rest))?,
        [b'-', ref rest @ ..] => few_digits(rest).map(|(by, rest)| (Number::Back(by), rest))?,
        _ => few_digits(line).map(|(line, rest)| (Number::Plain(line), rest))?,
    };
    for cost in costs {
        let [b' ', digits @ ..] = rest else { return None };
        (*cost, rest) = few_digits(digits)?;
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
    use super::super::super::Input;
    use super::*;

    fn lines(bytes: Vec<u8>) -> (Vec<Vec<u8>>, u64) {
        let mut source = Source::open(&Input::Bytes("x".into(), bytes.into())).unwrap();
        let mut all = Vec::new();
        let cut = for_each_line(
            &mut source,
            &mut all,
            |_, _| Ok(()),
            |all, line| {
                all.push(line.to_vec());
                Ok(())
            },
        );
        (all, cut.unwrap())
    }

    #[test]
    fn lines_survive_chunk_borders_and_missing_ends() {
        let want: Vec<Vec<u8>> = (0..300_000).map(|i: u32| i.to_string().into_bytes()).collect();
        assert_eq!(lines(want.join(&b'\n')), (want.clone(), 0));
        assert_eq!(lines(want.join(&b"\r\n"[..])), (want, 0));
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut bytes = b"a\n".to_vec();
        bytes.extend_from_slice(&vec![b'x'; 5 * MAX_LINE]);
        bytes.extend_from_slice(b"\nb\n");
        let (all, cut) = lines(bytes);
        assert_eq!(cut, 1);
        assert_eq!(all.len(), 3);
        assert_eq!((&all[0][..], &all[2][..]), (&b"a"[..], &b"b"[..]));
    }

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
        assert_eq!(read("* 0 5"), Some((Number::Same, [0, 5])));
        for other in [
            "",
            "1",
            "1 2",
            "1 2 3 4",
            "1  2 3",
            "1 2 3 ",
            "0x1 2 3",
            "1 +2 3",
            "1 2 1000000000000000000",
            "x 1 2",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
