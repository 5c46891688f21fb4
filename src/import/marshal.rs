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
//! The root has to be a dict. Its entries are kept as far as they could be read: [`Dump::broken`] says
//! why reading stopped early.

use std::borrow::Cow;

use super::ImportError;
use crate::jobs::Job;

/// Deepest nesting. Profiles need 5 levels, the constants of code objects a few more.
const MAX_DEPTH: usize = 200;
/// Most values held at once (16 bytes each).
const MAX_VALUES: usize = 1 << 27;
/// Values between two looks at the job.
const CHECK_EVERY: u32 = 1 << 18;

/// A part of the input (texts) or of [`Dump`]'s items (containers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

/// An object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
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
    /// One of three objects, with its number among those. They are the keys of profiles: a table by
    /// this number is small, one by place in the file is not.
    Triple { start: u32, number: u32 },
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
pub(super) struct Code {
    /// File name.
    pub(super) file: Value,
    /// Function name.
    pub(super) name: Value,
    /// First line.
    pub(super) line: i32,
}

/// A dict that was read.
pub(super) struct Dump<'a> {
    bytes: &'a [u8],
    items: Vec<Value>,
    codes: Vec<Code>,
    triples: u32,
    /// The root's entries, in file order.
    pub(super) pairs: Vec<(Value, Value)>,
    /// Why reading stopped before the end.
    pub(super) broken: Option<ImportError>,
}

impl Dump<'_> {
    /// The children of a container; none for other values.
    pub(super) fn children(&self, value: Value) -> &[Value] {
        match value {
            Value::Triple { start, .. } => &self.items[start as usize..start as usize + 3],
            Value::Seq(s) | Value::Dict(s) => &self.items[s.start as usize..(s.start + s.len) as usize],
            _ => &[],
        }
    }

    /// A text, and whether some of it was not valid and is shown as «�». Bytes that Python could not
    /// decode itself (surrogate escapes) are shown as `\xff`.
    pub(super) fn text(&self, span: Span) -> (Cow<'_, str>, bool) {
        decode(self.raw_text(span))
    }

    /// The bytes of a text.
    pub(super) fn raw_text(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..][..span.len as usize]
    }

    /// How many [`Value::Triple`] there are.
    pub(super) fn triples(&self) -> usize {
        self.triples as usize
    }

    /// A code object.
    pub(super) fn code(&self, id: u32) -> Code {
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

/// True when `bytes` may start a marshalled dict whose first key is a tuple, or an empty dict.
pub(super) fn looks_like_dict_of_tuples(bytes: &[u8]) -> bool {
    let kind = |i: usize| bytes.get(i).map(|b| b & !FLAG_REF);
    if kind(0) != Some(b'{') {
        return false;
    }
    match kind(1) {
        Some(b'0') => bytes.len() == 2,
        Some(b')') => bytes.get(2) == Some(&3),
        Some(b'(') => bytes.get(2..6) == Some(&[3, 0, 0, 0]),
        _ => false,
    }
}

/// Reads a marshalled dict.
///
/// # Errors
/// When the root is something else, when not even the first entry can be read, and when cancelled.
pub(super) fn read_dict<'a>(bytes: &'a [u8], job: &Job) -> Result<Dump<'a>, ImportError> {
    if bytes.first().map(|b| b & !FLAG_REF) != Some(b'{') {
        return Err(ImportError::malformed("is no Python profile: it does not hold a dict"));
    }
    if u32::try_from(bytes.len()).is_err() {
        return Err(ImportError::malformed("is larger than 4 GiB"));
    }
    let mut reader = Reader { bytes, items: Vec::with_capacity(bytes.len() / 8), ..Reader::default() };
    let broken = reader.run(job).err();
    if let Some(e) = broken.as_ref().filter(|e| e.kind != super::ErrorKind::Malformed) {
        return Err(e.clone());
    }
    // Of a broken file the first frame is the root, and what stands between it and the next is whole.
    let end = reader.frames.get(1).map_or(reader.stack.len(), |f| f.base);
    let pairs: Vec<_> = reader.stack[..end].chunks_exact(2).map(|p| (p[0], p[1])).collect();
    match broken {
        Some(e) if pairs.is_empty() => Err(e.remedy("record the profile again")),
        broken => Ok(Dump {
            bytes,
            items: reader.items,
            codes: reader.codes,
            triples: reader.triples,
            pairs,
            broken,
        }),
    }
}

const FLAG_REF: u8 = 0x80;

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
    bytes: &'a [u8],
    at: usize,
    refs: Vec<Value>,
    /// Python 2's table of interned strings, referred to by type `R`.
    interned: Vec<Value>,
    items: Vec<Value>,
    codes: Vec<Code>,
    triples: u32,
    stack: Vec<Value>,
    frames: Vec<Frame>,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, what: impl Into<String>) -> Result<T, ImportError> {
        Err(ImportError::at_byte(what, self.at as u64))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ImportError> {
        match self.bytes[self.at..].get(..len) {
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

    fn int(&mut self) -> Result<i32, ImportError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// A count of things of at least one byte each, checked against what is left of the file.
    fn count(&mut self) -> Result<usize, ImportError> {
        let count = self.int()?;
        match usize::try_from(count) {
            Ok(n) if n <= self.bytes.len() - self.at => Ok(n),
            _ => self.fail(format!("claims an object of {count} parts, more than the file holds,")),
        }
    }

    fn run(&mut self, job: &Job) -> Result<(), ImportError> {
        let mut until_check = CHECK_EVERY;
        loop {
            if self.object()? {
                return Ok(());
            }
            until_check -= 1;
            if until_check == 0 {
                until_check = CHECK_EVERY;
                job.checkpoint(self.at as u64, self.bytes.len() as u64)?;
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
                return self.open(Kind::Seq, count, flagged);
            }
            b')' => {
                let [count] = self.array()?;
                return self.open(Kind::Seq, count.into(), flagged);
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
        if len > (self.bytes.len() - self.at) / 2 {
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
        let rest = &self.bytes[self.at..];
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
                self.codes.push(Code {
                    file: children[names.0],
                    name: children[names.1],
                    line: line.unwrap_or(0),
                });
                Value::Code(self.codes.len() as u32 - 1)
            }
            kind => {
                let span = Span { start: self.items.len() as u32, len: children.len() as u32 };
                self.items.extend_from_slice(children);
                match kind {
                    Kind::Dict => Value::Dict(span),
                    _ if span.len == 3 => {
                        self.triples += 1;
                        Value::Triple { start: span.start, number: self.triples - 1 }
                    }
                    _ => Value::Seq(span),
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
        if self.items.len() + self.stack.len() > MAX_VALUES {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Dump<'_>, ImportError> {
        read_dict(bytes, &Job::new())
    }

    /// The value of a dict with one entry whose key is None.
    fn one(value: &[u8]) -> Result<Value, ImportError> {
        let bytes = [b"{N", value, b"0"].concat();
        read(&bytes).map(|d| d.pairs[0].1)
    }

    #[test]
    fn numbers_of_all_versions() {
        assert_eq!(one(b"i\xff\xff\xff\xff").unwrap(), Value::Int(-1));
        assert_eq!(one(b"l\x02\0\0\0\x01\0\x02\0").unwrap(), Value::Int(65537));
        assert_eq!(one(b"l\xfe\xff\xff\xff\x01\0\x02\0").unwrap(), Value::Int(-65537));
        assert_eq!(one(b"I\x01\0\0\0\x01\0\0\0").unwrap(), Value::Int(1 << 32 | 1));
        assert_eq!(one(b"f\x030.5").unwrap(), Value::Float(0.5));
        assert_eq!(one(b"g\0\0\0\0\0\0\xe0\x3f").unwrap(), Value::Float(0.5));
        let huge = [b"l\x20\0\0\0".as_slice(), &[0xff, 0x7f].repeat(32)].concat();
        assert_eq!(one(&huge).unwrap(), Value::Int(i64::MAX));
    }

    #[test]
    fn texts_of_all_versions_and_references() {
        // Python 2: an interned string, and a reference to it. Python 3: a flagged text and a reference.
        for bytes in [&b"{t\x01\0\0\0aR\0\0\0\0"[..], b"{\xfa\x01ar\0\0\0\0", b"{u\x01\0\0\0as\x01\0\0\0a"] {
            let bytes = [bytes, b"0"].concat();
            let dump = read(&bytes).unwrap();
            let (Value::Text(a), Value::Text(b)) = dump.pairs[0] else { panic!("{:?}", dump.pairs) };
            assert_eq!((dump.text(a).0, dump.text(b).0), ("a".into(), "a".into()));
        }
    }

    #[test]
    fn undecodable_file_names_stay_readable() {
        assert_eq!(decode(b"a\xed\xb3\xbfb"), ("a\\xffb".into(), false));
        assert_eq!(decode(b"\xed\xa0\xbd"), ("\\ud83d".into(), false));
        assert_eq!(decode(b"\xff\xfe\xfd"), ("\u{fffd}\u{fffd}\u{fffd}".into(), true));
    }

    #[test]
    fn hostile_structure_is_an_error_with_its_place() {
        let deep = [b"{".as_slice(), &b")\x01".repeat(100_000)].concat();
        let dicts = b"{i\x01\0\0\0".repeat(1000);
        for (bytes, what) in [
            (&b"\xfbi\x01\0\0\0r\0\0\0\x000"[..], "contains itself"),
            (b"{rc\0\0\0", "not there"),
            (b"{R\x05\0\0\0", "not there"),
            (b"{s\xff\xff\xff\x7fabc", "more than the file holds"),
            (b"{s\xfb\xff\xff\xffabc", "more than the file holds"),
            (b"{(\xff\xff\xff\x7f", "more than the file holds"),
            (b"{l\xff\xff\xff\x7f\x01\0", "more than the file holds"),
            (b"{l\0\0\0\x80\x01\0", "more than the file holds"),
            (&deep, "deep"),
            (&dicts, "deep"),
            (b"{N0", "end mark"),
            (b"{)\x020", "end mark"),
            (b"{?", "unknown type"),
            (b"{c\0\0\0\0\0", "code object"),
            (b"{", "breaks off"),
            (b"[\0\0\0\0", "does not hold a dict"),
            (b"", "does not hold a dict"),
        ] {
            let error = read(bytes).err().unwrap_or_else(|| panic!("{what}")).to_string();
            assert!(error.contains(what), "{error} / {what}");
        }
    }

    #[test]
    fn exponential_references_stay_small() {
        // {0: (N, N), 1: (r, r), 2: (r, r) …}: 2^60 leaves if written out.
        let mut bytes = b"{N\xa9\x02NN".to_vec();
        for i in 0..60u32 {
            bytes.extend_from_slice(b"N\xa9\x02r");
            bytes.extend_from_slice(&i.to_le_bytes());
            bytes.push(b'r');
            bytes.extend_from_slice(&i.to_le_bytes());
        }
        bytes.push(b'0');
        let dump = read(&bytes).unwrap();
        assert_eq!((dump.pairs.len(), dump.items.len()), (61, 122));
    }

    #[test]
    fn what_came_before_the_break_is_kept() {
        let dump = read(b"{i\x01\0\0\0Ni\x02\0\0\0)\x02N").unwrap();
        assert_eq!(dump.pairs, [(Value::Int(1), Value::None)]);
        assert!(dump.broken.is_some_and(|e| e.to_string().contains("breaks off")));
    }
}
