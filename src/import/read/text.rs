//! Text in any usual encoding as UTF-8, while it is read.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a text announces its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::import) enum Mark {
    /// UTF-8 with a byte order mark.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

/// The byte order mark at the start of a file.
pub(in crate::import) fn mark(head: &[u8]) -> Option<Mark> {
    match head {
        [0xef, 0xbb, 0xbf, ..] => Some(Mark::Utf8),
        [0xff, 0xfe, ..] => Some(Mark::Utf16Le),
        [0xfe, 0xff, ..] => Some(Mark::Utf16Be),
        _ => None,
    }
}

/// UTF-16 as UTF-8. What is not valid becomes «�» and is counted.
pub(in crate::import) struct Utf16<R> {
    inner: R,
    unit: fn([u8; 2]) -> u16,
    /// Bytes that were read and not decoded: half a unit, or half a pair.
    left: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    invalid: Arc<AtomicU64>,
}

impl<R: Read> Utf16<R> {
    /// A reader of what `inner` gives after the byte order mark.
    pub fn new(inner: R, mark: Mark, invalid: Arc<AtomicU64>) -> Self {
        let unit = if mark == Mark::Utf16Be { u16::from_be_bytes } else { u16::from_le_bytes };
        Self { inner, unit, left: Vec::new(), text: Vec::new(), given: 0, invalid }
    }

    fn decode(&mut self, bytes: &[u8], last: bool) {
        self.left.extend_from_slice(bytes);
        let mut units: Vec<u16> = self.left.chunks_exact(2).map(|c| (self.unit)([c[0], c[1]])).collect();
        let odd = self.left.len() % 2;
        // The first half of a pair waits for the second.
        let waits = !last && units.pop_if(|u| (0xd800..0xdc00).contains(u)).is_some();
        self.left.drain(..units.len() * 2);
        self.text.clear();
        self.given = 0;
        let mut invalid = u64::from(last && odd == 1 && !waits);
        let mut utf8 = [0; 4];
        for char in char::decode_utf16(units) {
            let char = char.unwrap_or_else(|_| {
                invalid += 1;
                char::REPLACEMENT_CHARACTER
            });
            self.text.extend_from_slice(char.encode_utf8(&mut utf8).as_bytes());
        }
        self.invalid.fetch_add(invalid, Ordering::Relaxed);
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut raw = [0; 8192];
        while self.given == self.text.len() {
            let n = self.inner.read(&mut raw)?;
            self.decode(&raw[..n], n == 0);
            if n == 0 {
                self.left.clear();
                break;
            }
        }
        let n = buf.len().min(self.text.len() - self.given);
        buf[..n].copy_from_slice(&self.text[self.given..][..n]);
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Input, Source};
    use crate::jobs::Job;

    fn read(bytes: Vec<u8>) -> (String, u64) {
        let mut source = Source::open(&Input::Bytes("x".into(), bytes.into())).unwrap();
        let text = String::from_utf8(source.read_all(&Job::new()).unwrap()).unwrap();
        (text, source.invalid_text())
    }

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn all_encodings_give_the_same_text() {
        for text in ["héllo 🦀", &"a🦀é".repeat(50_000)] {
            let marked = format!("\u{feff}{text}").into_bytes();
            for bytes in [wide(text, u16::to_le_bytes), wide(text, u16::to_be_bytes), marked, text.into()] {
                assert_eq!(read(bytes), (text.to_owned(), 0));
            }
        }
    }

    #[test]
    fn half_characters_are_counted() {
        let mut cut = wide("a🦀", u16::to_le_bytes);
        cut.truncate(cut.len() - 2);
        assert_eq!(read(cut), ("a\u{fffd}".into(), 1));
        let mut odd = wide("ab", u16::to_le_bytes);
        odd.truncate(odd.len() - 1);
        assert_eq!(read(odd), ("a".into(), 1));
    }
}
