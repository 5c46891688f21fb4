//! Reads the part of Python's marshal format that profiles use, of every version from Python 2 to 3.15.
//!
//! The format is one object, written depth first: a type byte (bit 7: later objects may refer to this
//! one by number), then the object. `Python/marshal.c` is the reference; there is no other.
//!
//! Invariants: nothing recurses, so depth costs heap and is limited; a claimed length is checked
//! against the bytes that are there before anything is set aside for it; a reference gives a copy of a
//! 16-byte [`Value`] that shares its children, so objects that would be exponentially large when
//! written out stay small here. Nothing is ever executed; code objects are read only for their name.
//!
//! The root has to be a dict. Its entries are given away one by one as they are complete, and what nothing can
//! refer to any more is forgotten then: a profile of 100 000 functions has millions of values.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::super::{ErrorKind, ImportError};
use crate::jobs::Job;

/// Deepest nesting. Profiles need 5 levels, the constants of code objects a few more.
const MAX_DEPTH: usize = 200;
/// Most values held at once (16 bytes each).
const MAX_VALUES: usize = 1 << 27;
/// Values between two looks at the job.
const CHECK_EVERY: u32 = 1 << 18;

/// A part of the input (texts) or of [`Dump`]'s items (containers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::import) struct Span {
    pub(in crate::import) start: u32,
    pub(in crate::import) len: u32,
}

/// An object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::import) enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer; past 64 bits the nearest `i64`.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A text or bytes.
    Text(Span),
    /// A tuple, list or set.
    Seq(Span),
    /// A tuple or list of three objects, by its number among those. They are the keys of profiles, and are all kept.
    Triple(u32),
    /// A dict: key, value, key, value …
    Dict(Span),
    /// A code object, by number.
    Code(u32),
    /// Anything else.
    Other,
    /// A container that is being read; only ever seen through a reference to it.
    Pending,
}

/// What is kept of a code object.
#[derive(Clone, Copy, Debug)]
pub(in crate::import) struct Code {
    /// File name.
    pub(in crate::import) file: Value,
    /// Function name.
    pub(in crate::import) name: Value,
    /// First line.
    pub(in crate::import) line: i32,
}

/// What was read so far and may still be asked for.
#[derive(Default)]
pub(in crate::import) struct Dump<'a> {
    bytes: &'a [u8],
    /// Children of containers, end to end.
    items: Vec<Value>,
    triples: Vec<[Value; 3]>,
    codes: Vec<Code>,
}

impl Dump<'_> {
    /// The children of a container; none for other values.
    pub(in crate::import) fn children(&self, value: Value) -> &[Value] {
        match value {
            Value::Triple(number) => &self.triples[number as usize],
            Value::Seq(s) | Value::Dict(s) => {
                self.items.get(s.start as usize..).and_then(|i| i.get(..s.len as usize)).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// A text, and whether some of it was not valid and is shown as «�». Bytes that Python could not
    /// decode itself (surrogate escapes) are shown as `\xff`.
    pub(in crate::import) fn text(&self, span: Span) -> (Cow<'_, str>, bool) {
        decode(self.raw_text(span))
    }

    /// The bytes of a text.
    pub(in crate::import) fn raw_text(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..][..span.len as usize]
    }

    /// A code object.
    pub(in crate::import) fn code(&self, id: u32) -> Code {
        self.codes[id as usize]
    }
}

fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let mut rest = match std::str::from_utf8(bytes) {
        Ok(text) => return (Cow::Borrowed(text), false),
        Err(_) => bytes,
    };
    let (mut text, mut bad) = (String::with_capacity(bytes.len() + 8), false);
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return (Cow::Owned(text), bad);
            }
            Err(error) => error,
        };
        let (valid, invalid) = rest.split_at(error.valid_up_to());
        text.push_str(&String::from_utf8_lossy(valid));
        rest = match *invalid {
            [0xed, b @ 0xa0..=0xbf, c @ 0x80..=0xbf, ..] => {
                let unit = 0xd000 | u32::from(b & 0x3f) << 6 | u32::from(c & 0x3f);
                match unit {
                    0xdc80..=0xdcff => text.push_str(&format!("\\x{:02x}", unit - 0xdc00)),
                    _ => text.push_str(&format!("\\u{unit:04x}")),
                }
                &invalid[3..]
            }
            _ => {
                bad = true;
                text.push(char::REPLACEMENT_CHARACTER);
                &invalid[error.error_len().unwrap_or(invalid.len())..]
            }
        };
    }
}

/// True when `bytes` may start a marshalled dict whose first key is a tuple of three or the marker of Python's sampling
/// profiler, or an empty dict.
pub(in crate::import) fn looks_like_dict_of_tuples(bytes: &[u8]) -> bool {
    let kind = |i: usize| bytes.get(i).map(|b| b & !FLAG_REF);
    if kind(0) != Some(b'{') {
        return false;
    }
    match kind(1) {
        Some(b'0') => bytes.len() == 2,
        Some(b')') if bytes.get(2) == Some(&1) => {
            memchr::memmem::find(&bytes[..bytes.len().min(24)], crate::import::pstats::MARKER).is_some()
        }
        Some(b')') => bytes.get(2) == Some(&3),
        Some(b'(') => bytes.get(2..6) == Some(&[3, 0, 0, 0]),
        _ => false,
    }
}

/// Reads a marshalled dict and gives each entry, key and value, to `entry`. Of the values that it is given it may keep
/// triples, texts and code objects. Returns what may still be asked for these, and why reading stopped before the
/// end, if it did.
///
/// # Errors
/// When the root is something else, when not even the first entry can be read, and when cancelled.
pub(in crate::import) fn read_dict<'a>(
    bytes: &'a [u8],
    job: &Job,
    entry: &mut dyn FnMut(&Dump<'a>, Value, Value),
) -> Result<(Dump<'a>, Option<ImportError>), ImportError> {
    if bytes.first().map(|b| b & !FLAG_REF) != Some(b'{') {
        return Err(ImportError::malformed("is no Python profile: it does not hold a dict"));
    }
    if u32::try_from(bytes.len()).is_err() {
        return Err(ImportError::malformed("is larger than 4 GiB"));
    }
    let mut reader = Reader { dump: Dump { bytes, ..Dump::default() }, ..Reader::default() };
    match reader.run(job, entry) {
        Ok(()) => Ok((reader.dump, None)),
        Err(e) if e.kind != ErrorKind::Malformed => Err(e),
        Err(e) if reader.entries == 0 => Err(e.remedy("record the profile again")),
        Err(e) => Ok((reader.dump, Some(e))),
    }
}

const FLAG_REF: u8 = 0x80;

/// Bytes of two integers and two real numbers.
const COSTS_LEN: usize = 28;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Seq,
    Dict,
    /// A code object: its objects before the line number, then those after it.
    Code {
        line: Option<i32>,
    },
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    /// Where its children start on the stack.
    base: usize,
    /// Children still to come; not used for dicts.
    left: u32,
    /// Its number among the references.
    slot: Option<usize>,
}

#[derive(Default)]
struct Reader<'a> {
    dump: Dump<'a>,
    at: usize,
    /// Entries of the root that were given away.
    entries: u64,
    /// Items up to here may be referred to later.
    pinned: usize,
    refs: Vec<Value>,
    /// Python 2's table of interned strings, referred to by type `R`.
    interned: Vec<Value>,
    stack: Vec<Value>,
    frames: Vec<Frame>,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, what: impl Into<String>) -> Result<T, ImportError> {
        Err(ImportError::at_byte(what, self.at as u64))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ImportError> {
        match self.dump.bytes[self.at..].get(..len) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => self.fail("breaks off in the middle of an object"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Bytes that were not read yet.
    fn left(&self) -> usize {
        self.dump.bytes.len() - self.at
    }

    fn int(&mut self) -> Result<i32, ImportError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// A count of things of at least one byte each, checked against what is left of the file.
    fn count(&mut self) -> Result<usize, ImportError> {
        let count = self.int()?;
        match usize::try_from(count) {
            Ok(n) if n <= self.left() => Ok(n),
            _ => self.fail(format!("claims an object of {count} parts, more than the file holds,")),
        }
    }

    fn run(&mut self, job: &Job, entry: &mut dyn FnMut(&Dump<'a>, Value, Value)) -> Result<(), ImportError> {
        let mut until_check = CHECK_EVERY;
        loop {
            if self.object()? {
                return Ok(());
            }
            if self.frames.len() == 1
                && let [key, value] = self.stack[..]
            {
                entry(&self.dump, key, value);
                self.entries += 1;
                self.stack.clear();
                self.dump.items.truncate(self.pinned);
            }
            until_check -= 1;
            if until_check == 0 {
                until_check = CHECK_EVERY;
                job.checkpoint(self.at as u64, self.dump.bytes.len() as u64)?;
            }
        }
    }

    /// Reads a leaf, or opens or closes a container. True when the root is complete.
    fn object(&mut self) -> Result<bool, ImportError> {
        let start = self.at;
        let [byte] = self.array()?;
        let flagged = byte & FLAG_REF != 0;
        let value = match byte & !FLAG_REF {
            b'0' => return self.close_dict(start),
            b'{' => return self.open(Kind::Dict, 0, flagged),
            b'(' | b'[' | b'<' | b'>' => {
                let count = self.count()?;
                return self.open_seq(count, flagged);
            }
            b')' => {
                let [count] = self.array()?;
                return self.open_seq(count.into(), flagged);
            }
            b':' => return self.open(Kind::Seq, 3, flagged),
            b'c' => return self.open_code(flagged),
            b'r' => {
                let index = self.int()?;
                return match usize::try_from(index).ok().and_then(|i| self.refs.get(i)).copied() {
                    Some(Value::Pending) => self.fail("holds an object that contains itself"),
                    Some(value) => self.place(value),
                    None => self.fail(format!("refers to object {index}, which is not there,")),
                };
            }
            kind => self.leaf(kind, flagged)?,
        };
        if flagged {
            self.refs.push(value);
        }
        self.place(value)
    }

    fn leaf(&mut self, kind: u8, flagged: bool) -> Result<Value, ImportError> {
        Ok(match kind {
            b'N' => Value::None,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'.' | b'S' => Value::Other,
            b'i' => Value::Int(self.int()?.into()),
            b'I' => Value::Int(i64::from_le_bytes(self.array()?)),
            b'l' => self.long()?,
            b'g' => Value::Float(f64::from_le_bytes(self.array()?)),
            b'f' => self.text_float()?,
            b'y' => {
                self.take(16)?;
                Value::Other
            }
            b'x' => {
                self.text_float()?;
                self.text_float()?;
                Value::Other
            }
            b'z' | b'Z' => {
                let [len] = self.array()?;
                self.text(len.into())?
            }
            b's' | b'u' | b'a' | b'A' => {
                let len = self.count()?;
                self.text(len)?
            }
            b't' => {
                let len = self.count()?;
                let text = self.text(len)?;
                if !flagged {
                    self.interned.push(text);
                }
                text
            }
            b'R' => {
                let index = self.int()?;
                match usize::try_from(index).ok().and_then(|i| self.interned.get(i)) {
                    Some(&text) => text,
                    None => return self.fail(format!("refers to text {index}, which is not there,")),
                }
            }
            kind => return self.fail(format!("holds an object of unknown type {:?}", char::from(kind))),
        })
    }

    fn text(&mut self, len: usize) -> Result<Value, ImportError> {
        let start = self.at as u32;
        self.take(len)?;
        Ok(Value::Text(Span { start, len: len as u32 }))
    }

    fn text_float(&mut self) -> Result<Value, ImportError> {
        let [len] = self.array()?;
        let text = self.take(len.into())?;
        match std::str::from_utf8(text).ok().and_then(|t| t.trim().parse().ok()) {
            Some(number) => Ok(Value::Float(number)),
            None => self.fail("holds a number that cannot be read"),
        }
    }

    /// An integer in digits of 15 bits, the sign in their count.
    fn long(&mut self) -> Result<Value, ImportError> {
        let count = self.int()?;
        let len = count.unsigned_abs() as usize;
        if len > self.left() / 2 {
            return self.fail(format!("claims a number of {len} digits, more than the file holds,"));
        }
        let digits = self.take(len * 2)?;
        let mut magnitude: u128 = 0;
        for digit in digits.rchunks_exact(2) {
            magnitude = (magnitude << 15 | u128::from(u16::from_le_bytes([digit[0], digit[1]]) & 0x7fff))
                .min(1 << 100);
        }
        let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
        Ok(Value::Int(if count < 0 { -magnitude } else { magnitude }))
    }

    fn open_seq(&mut self, count: usize, flagged: bool) -> Result<bool, ImportError> {
        match self.costs().filter(|_| count == 4 && !flagged) {
            Some(costs) => {
                self.at += COSTS_LEN;
                let start = self.dump.items.len() as u32;
                self.dump.items.extend_from_slice(&costs);
                self.place(Value::Seq(Span { start, len: 4 }))
            }
            None => self.open(Kind::Seq, count, flagged),
        }
    }

    /// Two integers (or references to such) and two real numbers if they stand here: what most of a profile consists
    /// of, and not worth four steps of the reader.
    fn costs(&self) -> Option<[Value; 4]> {
        let part: &[u8; COSTS_LEN] = self.dump.bytes[self.at..].first_chunk()?;
        let int = |at: usize| {
            let [kind, a, b, c, d] = *part[at..].first_chunk::<5>()?;
            let int = i32::from_le_bytes([a, b, c, d]);
            match kind {
                b'i' => Some(Value::Int(int.into())),
                b'r' => {
                    self.refs.get(usize::try_from(int).ok()?).copied().filter(|v| matches!(v, Value::Int(_)))
                }
                _ => None,
            }
        };
        let real = |at: usize| match *part[at..].first_chunk::<9>()? {
            [b'g', ref bytes @ ..] => Some(Value::Float(f64::from_le_bytes(*bytes))),
            _ => None,
        };
        Some([int(0)?, int(5)?, real(10)?, real(19)?])
    }

    fn open(&mut self, kind: Kind, count: usize, flagged: bool) -> Result<bool, ImportError> {
        if self.frames.len() >= MAX_DEPTH {
            return self.fail(format!("nests objects more than {MAX_DEPTH} deep"));
        }
        let slot = flagged.then(|| {
            self.refs.push(Value::Pending);
            self.refs.len() - 1
        });
        self.frames.push(Frame { kind, base: self.stack.len(), left: count as u32, slot });
        match kind {
            Kind::Seq if count == 0 => {
                let value = self.close();
                self.place(value)
            }
            _ => Ok(false),
        }
    }

    /// A code object starts with 4 (Python 2), 5 (3.0–3.7, 3.11 on) or 6 (3.8–3.10) integers, then
    /// comes its byte code. Nothing in the object says which, but only one reading makes sense.
    fn open_code(&mut self, flagged: bool) -> Result<bool, ImportError> {
        let rest = &self.dump.bytes[self.at..];
        let has_bytes_at = |at: usize| match rest.get(at..at + 5) {
            Some(&[kind, a, b, c, d]) => {
                let len = u32::from_le_bytes([a, b, c, d]) as usize;
                kind & !FLAG_REF == b's' && (1..rest.len() - at).contains(&len)
            }
            _ => false,
        };
        match [16, 20, 24].into_iter().find(|&at| has_bytes_at(at)) {
            Some(len) => {
                self.take(len)?;
                self.open(Kind::Code { line: None }, 8, flagged)
            }
            None => self.fail("holds a code object of an unknown Python version"),
        }
    }

    fn close_dict(&mut self, start: usize) -> Result<bool, ImportError> {
        match self.frames.last() {
            Some(f) if matches!(f.kind, Kind::Dict) && (self.stack.len() - f.base).is_multiple_of(2) => {
                if self.frames.len() == 1 {
                    return Ok(true);
                }
                let value = self.close();
                self.place(value)
            }
            _ => Err(ImportError::at_byte("has an end mark where an object should be", start as u64)),
        }
    }

    /// Takes the finished top container off the stacks.
    fn close(&mut self) -> Value {
        let Some(frame) = self.frames.pop() else { return Value::Other };
        let children = &self.stack[frame.base..];
        let value = match frame.kind {
            Kind::Code { line } => {
                let names = if is_text(children.get(4)) { (5, 6) } else { (6, 7) };
                self.dump.codes.push(Code {
                    file: children[names.0],
                    name: children[names.1],
                    line: line.unwrap_or(0),
                });
                Value::Code(self.dump.codes.len() as u32 - 1)
            }
            kind => {
                let items = &mut self.dump.items;
                let span = Span { start: items.len() as u32, len: children.len() as u32 };
                match (kind, children) {
                    (Kind::Seq, &[a, b, c]) => {
                        // What a triple holds is kept with it.
                        if [a, b, c].iter().any(|v| matches!(v, Value::Seq(_) | Value::Dict(_))) {
                            self.pinned = items.len();
                        }
                        self.dump.triples.push([a, b, c]);
                        Value::Triple(self.dump.triples.len() as u32 - 1)
                    }
                    (kind, children) => {
                        items.extend_from_slice(children);
                        if frame.slot.is_some() {
                            self.pinned = items.len();
                        }
                        if matches!(kind, Kind::Dict) { Value::Dict(span) } else { Value::Seq(span) }
                    }
                }
            }
        };
        self.stack.truncate(frame.base);
        if let Some(slot) = frame.slot {
            self.refs[slot] = value;
        }
        value
    }

    /// Gives a finished object to the container that it stands in, and closes those that it completes.
    /// Always false: only its end mark completes the root.
    fn place(&mut self, mut value: Value) -> Result<bool, ImportError> {
        let Dump { items, triples, .. } = &self.dump;
        if items.len() + triples.len() * 3 + self.refs.len() + self.stack.len() > MAX_VALUES {
            return self.fail("holds more values than a profile can have");
        }
        loop {
            self.stack.push(value);
            let Some(frame) = self.frames.last_mut() else { return Ok(false) };
            if matches!(frame.kind, Kind::Dict) {
                return Ok(false);
            }
            frame.left -= 1;
            if frame.left > 0 {
                return Ok(false);
            }
            if let Kind::Code { line: None } = frame.kind {
                // Python 3.11 on has bytes where older versions have the tuple of free variables, and
                // one more table at the end.
                let rest = if is_text(self.stack.get(frame.base + 4)) { 2 } else { 1 };
                let line = self.int()?;
                if let Some(frame) = self.frames.last_mut() {
                    (frame.kind, frame.left) = (Kind::Code { line: Some(line) }, rest);
                }
                return Ok(false);
            }
            value = self.close();
        }
    }
}

fn is_text(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Text(_)))
}
