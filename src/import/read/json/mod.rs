//! A pull scanner for JSON files of any size: no document tree, no recursion, one small buffer.
//!
//! The caller walks objects and arrays with [`Json::next_key`] and [`Json::next_item`] and takes or
//! skips each value, so a file of gigabytes costs what the caller keeps of it. Nesting is counted, not
//! recursed into. Real files break the standard in small ways; accepted are `NaN`, `Infinity`, control
//! characters in strings and trailing commas.
//!
//! Numbers stay decimal ([`Decimal`]) until their unit is known.

mod decimal;
mod escapes;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::ops::Range;

use super::super::{ErrorKind, ImportError, Source};
use crate::jobs::Job;
pub(in crate::import) use decimal::{Decimal, short_number};
use escapes::unescape;

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

/// Reads tokens from a source or from bytes.
pub(in crate::import) struct Json<'a> {
    source: Option<(&'a mut Source, &'a Job)>,
    buffer: Vec<u8>,
    len: usize,
    pos: usize,
    base: u64,
    /// The last key, if it still stands in the buffer; otherwise it is in `far_key`.
    key: Range<usize>,
    far_key: Vec<u8>,
    text: String,
    bad_text: u64,
}

impl<'a> Json<'a> {
    /// Reads `source` from its start.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(source: &'a mut Source, job: &'a Job) -> Result<Self, ImportError> {
        let mut json = Self {
            source: Some((source, job)),
            buffer: vec![0; CHUNK],
            len: 0,
            pos: 0,
            base: 0,
            key: 0..0,
            far_key: Vec::new(),
            text: String::new(),
            bad_text: 0,
        };
        json.refill()?;
        Ok(json)
    }

    /// Reads bytes in memory.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let buffer = bytes.to_vec();
        let len = buffer.len();
        Self {
            source: None,
            buffer,
            len,
            pos: 0,
            base: 0,
            key: 0..0,
            far_key: Vec::new(),
            text: String::new(),
            bad_text: 0,
        }
    }

    /// Offset of the next byte in the decompressed file.
    pub fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// Places in texts that were not valid and are shown as «�».
    pub fn bad_text(&self) -> u64 {
        self.bad_text
    }

    /// The key that was just read, until anything else is. Escapes are decoded.
    pub fn key(&self) -> &[u8] {
        if self.key.is_empty() { &self.far_key } else { &self.buffer[self.key.clone()] }
    }

    /// The last string that was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn ended(&self) -> ImportError {
        ImportError::at_byte("is cut short", self.base + self.len as u64)
    }

    fn invalid(&self) -> ImportError {
        ImportError::at_byte("is not valid JSON", self.offset())
    }

    /// Drops what was taken and reads more; false at the end.
    #[cold]
    fn refill(&mut self) -> Result<bool, ImportError> {
        let Some((source, job)) = &mut self.source else { return Ok(false) };
        job.checkpoint(source.progress(), source.file_len)?;
        self.buffer.copy_within(self.pos..self.len, 0);
        self.base += self.pos as u64;
        self.len -= self.pos;
        self.pos = 0;
        if self.buffer.len() - self.len < CHUNK / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let n = source.read(&mut self.buffer[self.len..])?;
        self.len += n;
        Ok(n > 0)
    }

    /// The next byte that is not blank, without taking it.
    #[inline]
    pub fn peek(&mut self) -> Result<u8, ImportError> {
        match self.buffer[..self.len].get(self.pos) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.peek_far(),
        }
    }

    fn peek_far(&mut self) -> Result<u8, ImportError> {
        loop {
            while let Some(&byte) = self.buffer[..self.len].get(self.pos) {
                if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                    return Ok(byte);
                }
                self.pos += 1;
            }
            if !self.refill()? {
                return Err(self.ended());
            }
        }
    }

    /// True when only blanks are left.
    pub fn at_end(&mut self) -> Result<bool, ImportError> {
        match self.peek() {
            Ok(_) => Ok(false),
            Err(e) if e.kind == ErrorKind::Malformed => Ok(true),
            Err(e) => Err(e),
        }
    }

    fn enter(&mut self, bracket: u8) -> Result<bool, ImportError> {
        if self.peek()? == bracket {
            self.pos += 1;
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// Enters an object; skips the value and returns false when it is something else.
    pub fn enter_object(&mut self) -> Result<bool, ImportError> {
        self.enter(b'{')
    }

    /// Enters an array; skips the value and returns false when it is something else.
    pub fn enter_array(&mut self) -> Result<bool, ImportError> {
        self.enter(b'[')
    }

    /// Reads the next key of the entered object; false, and leaves it, at its end.
    pub fn next_key(&mut self) -> Result<bool, ImportError> {
        if self.short_key() {
            return Ok(true);
        }
        let mut byte = self.peek()?;
        if byte == b',' {
            self.pos += 1;
            byte = self.peek()?;
        }
        match byte {
            b'}' => {
                self.pos += 1;
                Ok(false)
            }
            b'"' => {
                let range = self.raw_string()?;
                self.far_key.clear();
                self.far_key.extend_from_slice(&self.buffer[range]);
                self.key = 0..0;
                if self.far_key.contains(&b'\\') {
                    let mut key = String::new();
                    self.bad_text += unescape(&self.far_key, &mut key);
                    self.far_key = key.into_bytes();
                }
                if self.peek()? != b':' {
                    return Err(self.invalid());
                }
                self.pos += 1;
                Ok(true)
            }
            _ => Err(self.invalid()),
        }
    }

    /// Takes the key that stands here if it is of the usual kind: short, no blanks or escapes, all of it in
    /// the buffer.
    #[inline]
    fn short_key(&mut self) -> bool {
        let Some(bytes) = self.buffer[..self.len].get(self.pos..self.pos + 24) else { return false };
        let start = 1 + usize::from(bytes[0] == b',');
        if bytes[start - 1] != b'"' {
            return false;
        }
        for end in start..bytes.len() - 1 {
            match bytes[end] {
                b'"' if bytes[end + 1] == b':' && end > start => {
                    self.key = self.pos + start..self.pos + end;
                    self.pos += end + 2;
                    return true;
                }
                b'"' | b'\\' => return false,
                _ => {}
            }
        }
        false
    }

    /// True when the entered array has another item; leaves the array otherwise.
    pub fn next_item(&mut self) -> Result<bool, ImportError> {
        let mut byte = self.peek()?;
        if byte == b',' {
            self.pos += 1;
            byte = self.peek()?;
        }
        if byte == b']' {
            self.pos += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// The raw bytes between the quotes of the string that stands here, still escaped.
    pub fn raw_string(&mut self) -> Result<Range<usize>, ImportError> {
        let mut at = 1;
        // Most strings are short; a plain loop finds their end sooner.
        for &byte in self.buffer[self.pos + 1..self.len].iter().take(24) {
            match byte {
                b'"' => {
                    let range = self.pos + 1..self.pos + at;
                    self.pos = range.end + 1;
                    return Ok(range);
                }
                b'\\' => break,
                _ => at += 1,
            }
        }
        loop {
            match memchr::memchr2(b'"', b'\\', &self.buffer[self.pos + at..self.len]) {
                Some(n) if self.buffer[self.pos + at + n] == b'"' => {
                    let range = self.pos + 1..self.pos + at + n;
                    self.pos = range.end + 1;
                    return Ok(range);
                }
                Some(n) if self.pos + at + n + 1 < self.len => at += n + 2,
                found => {
                    at = found.map_or(self.len - self.pos, |n| at + n);
                    if !self.refill()? {
                        return Err(self.ended());
                    }
                }
            }
        }
    }

    /// Bytes of a range that was just returned.
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Decodes a range that was just returned into [`Self::text`].
    pub fn decode(&mut self, range: Range<usize>) {
        self.text.clear();
        self.bad_text += unescape(&self.buffer[range], &mut self.text);
    }

    fn read_text(&mut self) -> Result<(), ImportError> {
        let range = self.raw_string()?;
        self.decode(range);
        Ok(())
    }

    /// Reads a string into [`Self::text`]; skips the value and returns false when it is something else.
    pub fn string(&mut self) -> Result<bool, ImportError> {
        if self.peek()? == b'"' {
            self.read_text()?;
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// Reads a string into `to`, which stays as it is when the value is something else.
    pub fn string_into(&mut self, to: &mut String) -> Result<(), ImportError> {
        if self.string()? {
            to.clone_from(&self.text);
        }
        Ok(())
    }

    /// The only byte of a string of one letter; `None` (and the value is skipped) for anything else.
    pub fn letter(&mut self) -> Result<Option<u8>, ImportError> {
        if self.peek()? != b'"' {
            self.skip()?;
            return Ok(None);
        }
        let range = self.raw_string()?;
        Ok(if let [letter] = self.buffer[range] { Some(letter) } else { None })
    }

    /// A number, a literal or whatever else stands bare up to the next delimiter.
    fn bare(&mut self) -> Result<Range<usize>, ImportError> {
        self.peek()?;
        let mut at = 0;
        let delimiter =
            |b: &u8| matches!(b, b',' | b']' | b'}' | b':' | b'"' | b'[' | b'{') || b.is_ascii_whitespace();
        loop {
            if let Some(n) = self.buffer[self.pos + at..self.len].iter().position(delimiter) {
                if at + n == 0 {
                    return Err(self.invalid());
                }
                let range = self.pos..self.pos + at + n;
                self.pos = range.end;
                return Ok(range);
            }
            at = self.len - self.pos;
            if !self.refill()? {
                return Err(self.ended());
            }
        }
    }

    /// A number; `None` (and the value is skipped) when it is something else.
    pub fn number(&mut self) -> Result<Option<Decimal>, ImportError> {
        let first = self.peek()?;
        if let Some(number) = self.short_number() {
            return Ok(Some(number));
        }
        match first {
            b'"' | b'{' | b'[' => {
                self.skip()?;
                Ok(None)
            }
            _ => {
                let range = self.bare()?;
                Ok(Decimal::parse(&self.buffer[range]))
            }
        }
    }

    /// A whole number, rounded; `None` (and the value is skipped) when it is something else or too large.
    pub fn integer(&mut self) -> Result<Option<i64>, ImportError> {
        Ok(self.number()?.and_then(|d| d.scaled(0)))
    }

    /// A number as a float; `None` (and the value is skipped) when it is something else.
    pub fn real(&mut self) -> Result<Option<f64>, ImportError> {
        Ok(self.number()?.map(Decimal::to_f64))
    }

    /// A text, or a number as it is written; empty when it is something else.
    pub fn text_or_number(&mut self) -> Result<String, ImportError> {
        match self.peek()? {
            b'"' => {
                self.read_text()?;
                Ok(self.text.clone())
            }
            b'{' | b'[' => {
                self.skip()?;
                Ok(String::new())
            }
            _ => {
                let range = self.bare()?;
                let bare = String::from_utf8_lossy(&self.buffer[range]);
                Ok(if bare == "null" { String::new() } else { bare.into_owned() })
            }
        }
    }

    /// Takes the number that stands here if it is of the usual kind: few digits, no exponent, all of it in
    /// the buffer.
    #[inline]
    fn short_number(&mut self) -> Option<Decimal> {
        let (number, len) = short_number(&self.buffer[self.pos..self.len])?;
        self.pos += len;
        Some(number)
    }

    /// What stands here as far as it is in the buffer, for callers that know the usual form of a value. They take
    /// it by [`Self::take`].
    pub fn here(&self) -> &[u8] {
        &self.buffer[self.pos..self.len]
    }

    /// Moves past `len` bytes of [`Self::here`].
    pub fn take(&mut self, len: usize) {
        self.pos = (self.pos + len).min(self.len);
    }

    /// Length with both brackets of the array that stands here, when nothing is nested in it and all of it is in the
    /// buffer, or is after one more read.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn flat_array(&mut self) -> Result<Option<usize>, ImportError> {
        if self.here().first() != Some(&b'[') {
            return Ok(None);
        }
        let bracket = |bytes: &[u8]| memchr::memchr3(b']', b'[', b'{', &bytes[1..]).map(|n| n + 1);
        let mut end = bracket(self.here());
        if end.is_none() && self.here().len() < CHUNK / 4 && self.refill()? {
            end = bracket(self.here());
        }
        Ok(end.filter(|&end| self.here()[end] == b']').map(|end| end + 1))
    }

    /// A row number; `None` (and the value is skipped) when it is something else.
    pub fn index(&mut self) -> Result<Option<u32>, ImportError> {
        self.peek()?;
        let digits = &self.buffer[self.pos..self.len.min(self.pos + 10)];
        let mut value = 0u32;
        for (n, &byte) in digits.iter().enumerate() {
            match byte {
                b'0'..=b'9' if n < 9 => value = value * 10 + u32::from(byte - b'0'),
                b',' | b']' | b'}' if n > 0 => {
                    self.pos += n;
                    return Ok(Some(value));
                }
                _ => break,
            }
        }
        let whole = |d: Decimal| {
            (d.exponent >= 0 || d.scaled(0).map(|v| (v, 0)) == Some((d.mantissa, 0))).then_some(d)
        };
        Ok(self.number()?.and_then(whole).and_then(|d| u32::try_from(d.scaled(0)?).ok()))
    }

    /// Skips one value, whatever it is.
    pub fn skip(&mut self) -> Result<(), ImportError> {
        let mut depth = 0u64;
        loop {
            match self.peek()? {
                b'"' => {
                    self.raw_string()?;
                }
                b'{' | b'[' => {
                    self.pos += 1;
                    depth += 1;
                }
                b'}' | b']' if depth > 0 => {
                    self.pos += 1;
                    depth -= 1;
                }
                b',' | b':' if depth > 0 => {
                    self.pos += 1;
                    continue;
                }
                _ => {
                    self.bare()?;
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// The keys of the outermost object, as far as the head of a file shows them.
pub(in crate::import) fn top_keys(head: &[u8]) -> Vec<String> {
    let mut keys = Vec::new();
    let mut json = Json::of_bytes(head);
    if !matches!(json.peek(), Ok(b'{')) || !matches!(json.enter_object(), Ok(true)) {
        return keys;
    }
    while let Ok(true) = json.next_key() {
        keys.push(String::from_utf8_lossy(json.key()).into_owned());
        if json.skip().is_err() {
            break;
        }
    }
    keys
}
