//! Layout of the native session format («.inferscope»): what its writer and its reader share.
//!
//! ```text
//! magic (12 bytes) · major u16 · minor u16 · block …
//! block = tag (4 letters) · flags u8 · raw length u64 · stored length u64 · crc32 u32 · stored bytes
//! ```
//! All numbers are little-endian. The checksum covers the block's header and its stored bytes. Flag 1:
//! the bytes are zstd-compressed. Blocks hold columns: counts and ids as varints (LEB128), signed numbers
//! zigzag, ascending ones as differences. Tables come before what refers to them; an `END ` block closes
//! the file, so a cut file is noticed.
//!
//! Only what cannot be derived is stored: parents of spans, but not their depths. Everything is checked on
//! reading, so no file can hold spans that lie outside of their parents.
//!
//! Versions: a new block or a new column at a block's end is a new minor version, and older readers skip
//! it. Everything else is a new major version with a reader of its own.

use super::{
    Attachment, CacheOutcome, DecidedBy, InputCount, Origin, Outcome, Severity, SpanStatus, StringId,
    TrackKind, Unit, Value,
};

/// An attached file: the length of its name, its name, its bytes.
pub(crate) fn attachment(file: &Attachment) -> Vec<u8> {
    let mut w = Writer::default();
    w.size(file.name.len());
    w.0.extend_from_slice(file.name.as_bytes());
    w.0.extend_from_slice(&file.bytes);
    w.0
}

/// The way back.
pub(crate) fn attached(raw: &[u8]) -> Result<Attachment, Damaged> {
    let mut r = Reader(raw);
    let len = r.rows()?;
    let name = std::str::from_utf8(r.bytes(len)?).map_err(|_| Damaged)?.to_owned();
    Ok(Attachment { name, bytes: r.0.into() })
}

/// First bytes of a session. The first one is not ASCII and the last one is a line feed, so transfers
/// that change text are noticed at once.
pub(crate) const MAGIC: [u8; 12] = *b"\x89inferscope\n";
/// Version of the layout that is written.
pub(crate) const MAJOR: u16 = 1;
/// Additions to it that older readers may skip. 1: callers, findings, cache and batch of requests; 2: first
/// byte and error of requests, after those; 3: lines of calls, source texts, attached files; 4: retries and similarity of
/// requests, after those; 5: functions without costs of their own; 6: what is billed of requests, after those; 7: what their
/// programs say of requests, after those; 8: machine instructions; 9: answers side
/// by side, after those of requests.
pub(crate) const MINOR: u16 = 9;

/// The block is zstd-compressed.
pub(crate) const COMPRESSED: u8 = 1;
/// Length of a block's header.
pub(crate) const BLOCK_HEADER: usize = 25;
/// A compressed block never expands by more than this, so a small file cannot fill the memory. The
/// writer stores blocks raw that would.
pub(crate) const MAX_RATIO: u64 = 1000;
/// Blocks up to this raw length may expand by any ratio.
pub(crate) const FREE_RAW: u64 = 16 << 20;

/// Kinds of blocks.
pub(crate) mod tag {
    pub(crate) type Tag = [u8; 4];
    /// `Meta` and the writer's version, JSON.
    pub(crate) const HEAD: Tag = *b"HEAD";
    pub(crate) const METRICS: Tag = *b"METR";
    pub(crate) const STRINGS: Tag = *b"STRS";
    pub(crate) const FUNCTIONS: Tag = *b"FUNC";
    pub(crate) const FRAMES: Tag = *b"FRAM";
    pub(crate) const STACKS: Tag = *b"STAK";
    pub(crate) const ATTRIBUTES: Tag = *b"ATTR";
    /// One track with its spans and samples.
    pub(crate) const TRACK: Tag = *b"TRAK";
    /// Callers of spans on other lanes and tracks. Since 1.1.
    pub(crate) const CALLERS: Tag = *b"CALL";
    /// One counter.
    pub(crate) const COUNTER: Tag = *b"CNTR";
    /// A file of another tool: its name and its bytes. Since 1.3.
    pub(crate) const ATTACHED: Tag = *b"FILE";
    pub(crate) const INSTANTS: Tag = *b"INST";
    pub(crate) const LINKS: Tag = *b"LINK";
    pub(crate) const GRAPH: Tag = *b"GRAF";
    /// Calls of the graph by the lines they are made from. Since 1.3.
    pub(crate) const SITES: Tag = *b"SITE";
    /// Costs, calls and jumps of the graph by machine instructions. Since 1.8.
    pub(crate) const INSTRUCTIONS: Tag = *b"INSN";
    pub(crate) const REQUESTS: Tag = *b"REQS";
    /// Texts of source files. Since 1.3.
    pub(crate) const SOURCES: Tag = *b"SRCS";
    /// Since minor version 1.
    pub(crate) const FINDINGS: Tag = *b"FIND";
    /// Warnings, JSON.
    pub(crate) const WARNINGS: Tag = *b"WARN";
    pub(crate) const END: Tag = *b"END ";
}

/// A recording's journal: what its writer and its reader share.
///
/// ```text
/// magic (16 bytes) · version u16 · frame …
/// frame = tag (4 letters) · length u32 · crc32 u32 · bytes
/// ```
/// The checksum covers tag, length and bytes. Frames are never compressed: a journal is appended to
/// while something is measured, and what it expands to on reading is bounded by its size. A journal
/// without `END ` belongs to a recording that was cut off.
pub(crate) mod journal {
    use std::io::{self, Read};

    use super::super::{Meta, Warning};
    use super::{checksum, tag::Tag};

    /// First bytes of a journal.
    pub(crate) const MAGIC: [u8; 16] = *b"\x89inferscope-jnl\n";
    /// Version of the layout that is written. 2: retries and similarity of requests; 3: what is billed of them; 4: what
    /// their programs say of them; 5: answers side by side.
    pub(crate) const VERSION: u16 = 5;
    /// Usual file name ending, without the dot.
    pub(crate) const EXTENSION: &str = "journal";

    /// Beside «name.journal» the folder «name.files» holds what a profiler in the recorded process writes by itself,
    /// so that it is there even when nobody was left to add it to the journal.
    pub(crate) const FILES: &str = "files";
    /// In that one: where processes that are recorded from inside leave what they record.
    pub(crate) const TRACE: &str = "trace";
    /// In that folder: who writes, as JSON. Locked by the recorded process as long as it lives.
    pub(crate) const ABOUT: &str = "about.json";

    /// [`Head`], JSON. The last one counts.
    pub(crate) const HEAD: Tag = *b"HEAD";
    /// An increment (`model::increments`).
    pub(crate) const DONE: Tag = *b"DONE";
    /// An increment of what still ran; valid until the next `DONE`.
    pub(crate) const OPEN: Tag = *b"OPEN";
    /// A file of another tool, as [`super::attachment`] writes it.
    pub(crate) const ATTACHED: Tag = *b"FILE";
    /// What was measured in the recorded processes, merged when the journal is read: its time 0 on the recording's clock
    /// (i64, ns), and a session.
    pub(crate) const PART: Tag = *b"PART";
    /// The recording ended in order.
    pub(crate) const END: Tag = *b"END ";

    /// Who, when, where, and how long so far.
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Head {
        pub(crate) meta: Meta,
        pub(crate) warnings: Vec<Warning>,
    }

    fn sum(tag: Tag, bytes: &[u8]) -> u32 {
        let [a, b, c, d] = (bytes.len() as u32).to_le_bytes();
        checksum(&[tag[0], tag[1], tag[2], tag[3], a, b, c, d], bytes)
    }

    /// Appends a frame to `out`. More than 4 GiB do not fit into one and are left out.
    pub(crate) fn frame(out: &mut Vec<u8>, tag: Tag, bytes: &[u8]) {
        let Ok(len) = u32::try_from(bytes.len()) else { return };
        out.extend_from_slice(&tag);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&sum(tag, bytes).to_le_bytes());
        out.extend_from_slice(bytes);
    }

    /// The next frame.
    pub(crate) enum Next {
        Frame(Tag, Vec<u8>),
        /// The file ends here.
        End,
        /// It ends within a frame, or the frame is damaged.
        Torn,
    }

    /// Reads a frame of a file.
    ///
    /// # Errors
    /// When the system cannot read.
    pub(crate) fn next(from: &mut impl Read) -> io::Result<Next> {
        next_within(from, u32::MAX)
    }

    /// Reads a frame of at most `most` bytes.
    ///
    /// # Errors
    /// When the system cannot read, and for a longer frame.
    pub(crate) fn next_within(from: &mut impl Read, most: u32) -> io::Result<Next> {
        let mut header = Vec::with_capacity(12);
        from.by_ref().take(12).read_to_end(&mut header)?;
        if header.is_empty() {
            return Ok(Next::End);
        }
        let Ok([t0, t1, t2, t3, l0, l1, l2, l3, s0, s1, s2, s3]) = <[u8; 12]>::try_from(header) else {
            return Ok(Next::Torn);
        };
        let (tag, len) = ([t0, t1, t2, t3], u32::from_le_bytes([l0, l1, l2, l3]));
        if len > most {
            let why = format!("a frame says that it has {len} bytes, and {most} are the most");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let mut bytes = Vec::new();
        from.by_ref().take(len.into()).read_to_end(&mut bytes)?;
        let whole =
            bytes.len() as u64 == u64::from(len) && sum(tag, &bytes) == u32::from_le_bytes([s0, s1, s2, s3]);
        Ok(if whole { Next::Frame(tag, bytes) } else { Next::Torn })
    }
}

/// Numbers of enum values; only ever appended to.
pub(crate) const KINDS: [TrackKind; 8] = [
    TrackKind::Thread,
    TrackKind::Task,
    TrackKind::GpuStream,
    TrackKind::Async,
    TrackKind::Phase,
    TrackKind::Profile,
    TrackKind::Summary,
    TrackKind::Untimed,
];
pub(crate) const STATUSES: [SpanStatus; 3] = [SpanStatus::Ok, SpanStatus::Error, SpanStatus::Unfinished];
pub(crate) const SEVERITIES: [Severity; 4] =
    [Severity::Debug, Severity::Info, Severity::Warning, Severity::Error];
pub(crate) const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Error, Outcome::Cancelled, Outcome::Running];
pub(crate) const CACHE: [Option<CacheOutcome>; 4] =
    [None, Some(CacheOutcome::Exact), Some(CacheOutcome::Semantic), Some(CacheOutcome::Miss)];
pub(crate) const ORIGINS: [Origin; 4] =
    [Origin::Reported, Origin::Computed, Origin::LowerBound, Origin::Unknown];
pub(crate) const INPUT_COUNTS: [InputCount; 3] =
    [InputCount::Disjoint, InputCount::Inclusive, InputCount::Exclusive];
pub(crate) const DECIDED_BY: [DecidedBy; 4] =
    [DecidedBy::Nothing, DecidedBy::Identity, DecidedBy::Sizes, DecidedBy::Provider];
pub(crate) const UNITS: [Unit; 7] = [
    Unit::Nanoseconds,
    Unit::Bytes,
    Unit::Count,
    Unit::Tokens,
    Unit::NanoDollars,
    Unit::MilliPercent,
    Unit::None,
];

/// The JSON of the `HEAD` block.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Header {
    /// Program and version that wrote the file.
    pub(crate) writer: String,
    pub(crate) meta: super::Meta,
}

/// The checksum of a block.
pub(crate) fn checksum(header: &[u8], stored: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(header);
    crc.update(stored);
    crc.sum()
}

/// Writes the bytes of one block.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn size(&mut self, value: usize) {
        self.unsigned(value as u64);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(crate) fn bits(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    /// `None` as 0, anything else as 1 and the number.
    pub(crate) fn optional(&mut self, value: Option<i64>) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            self.signed(value);
        }
    }

    /// A column as differences, for numbers that mostly ascend.
    pub(crate) fn differences(&mut self, values: impl IntoIterator<Item = i64>) {
        let mut last = 0i64;
        for value in values {
            self.signed(value.wrapping_sub(last));
            last = value;
        }
    }

    /// The place of `value` in the list of its enum's values.
    pub(crate) fn choice<T: PartialEq>(&mut self, all: &[T], value: &T) {
        self.byte(all.iter().position(|v| v == value).unwrap_or(0) as u8);
    }

    /// A set of attributes.
    pub(crate) fn attributes(&mut self, pairs: &[(StringId, Value)]) {
        self.size(pairs.len());
        for &(key, value) in pairs {
            self.unsigned(key.0.into());
            match value {
                Value::Text(id) => {
                    self.byte(0);
                    self.unsigned(id.0.into());
                }
                Value::Int(v) => {
                    self.byte(1);
                    self.signed(v);
                }
                Value::Float(v) => {
                    self.byte(2);
                    self.bits(v);
                }
                Value::Bool(v) => self.byte(3 + u8::from(v)),
            }
        }
    }
}

/// The bytes of a block do not hold what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// Reads the bytes of one block. Every read is checked against what is really there.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let (&first, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&[u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn unsigned(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for (i, &byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.0 = &self.0[i + 1..];
                return Ok(value);
            }
        }
        Err(Damaged)
    }

    pub(crate) fn narrow(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.unsigned()?).map_err(|_| Damaged)
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn bits(&mut self) -> Result<f64, Damaged> {
        let bytes = self.bytes(8)?.try_into().map_err(|_| Damaged)?;
        Ok(f64::from_bits(u64::from_le_bytes(bytes)))
    }

    pub(crate) fn optional(&mut self) -> Result<Option<i64>, Damaged> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.signed().map(Some),
            _ => Err(Damaged),
        }
    }

    /// A number of rows of which each takes at least one byte, so it cannot exceed the bytes left.
    pub(crate) fn rows(&mut self) -> Result<usize, Damaged> {
        let rows = self.unsigned()?;
        if rows > self.0.len() as u64 { Err(Damaged) } else { Ok(rows as usize) }
    }

    pub(crate) fn differences(&mut self, rows: usize) -> Result<Vec<i64>, Damaged> {
        let mut last = 0i64;
        (0..rows)
            .map(|_| {
                last = last.wrapping_add(self.signed()?);
                Ok(last)
            })
            .collect()
    }

    pub(crate) fn column<T>(
        &mut self,
        rows: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Damaged>,
    ) -> Result<Vec<T>, Damaged> {
        (0..rows).map(|_| read(self)).collect()
    }

    pub(crate) fn choice<T: Copy>(&mut self, all: &[T]) -> Result<T, Damaged> {
        let number = self.byte()?;
        all.get(usize::from(number)).copied().ok_or(Damaged)
    }

    /// The value of an attribute; `string` reads the id of a text.
    pub(crate) fn value(
        &mut self,
        string: impl FnOnce(&mut Self) -> Result<StringId, Damaged>,
    ) -> Result<Value, Damaged> {
        Ok(match self.byte()? {
            0 => Value::Text(string(self)?),
            1 => Value::Int(self.signed()?),
            2 => Value::Float(self.bits()?),
            3 => Value::Bool(false),
            4 => Value::Bool(true),
            _ => return Err(Damaged),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let values = [0, 1, -1, 63, -64, 127, 128, 1 << 40, i64::MAX, i64::MIN];
        let mut w = Writer::default();
        w.differences(values);
        values.iter().for_each(|&v| w.optional(Some(v)));
        w.unsigned(u64::MAX);
        w.bits(-0.1);
        let mut r = Reader(&w.0);
        assert_eq!(r.differences(values.len()).unwrap(), values);
        assert!(values.iter().all(|&v| r.optional() == Ok(Some(v))));
        assert_eq!(r.unsigned(), Ok(u64::MAX));
        assert_eq!(r.bits(), Ok(-0.1));
        assert_eq!(r.byte(), Err(Damaged));
    }

    #[test]
    fn a_claimed_number_of_rows_is_bounded_by_the_bytes_there() {
        let mut w = Writer::default();
        w.unsigned(1 << 50);
        w.byte(0);
        assert_eq!(Reader(&w.0).rows(), Err(Damaged));
        assert_eq!(Reader(&[0x80; 20]).unsigned(), Err(Damaged));
    }
}
