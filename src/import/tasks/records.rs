//! The files' records: segments of series, cut at what is damaged, in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// First word of a segment.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"ITRACE1\x01");
const HEADER: usize = 64;
const SLOT: usize = 16;

/// What a record says; numbers as `assets/python/inferscope_inject/_records.py` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Return,
    Unwind,
    On,
    Off,
    New,
    End,
    Ready,
    Chain,
    GeneratorOut,
    GeneratorIn,
    Throw,
    Submit,
    Job,
    JobEnd,
    Link,
    Code,
    Text,
    Thread,
    Process,
    Late,
}

const KINDS: [Kind; 21] = [
    Kind::Start,
    Kind::Return,
    Kind::Unwind,
    Kind::On,
    Kind::Off,
    Kind::New,
    Kind::End,
    Kind::Ready,
    Kind::Chain,
    Kind::GeneratorOut,
    Kind::GeneratorIn,
    Kind::Throw,
    Kind::Submit,
    Kind::Job,
    Kind::JobEnd,
    Kind::Link,
    Kind::Code,
    Kind::Text,
    Kind::Thread,
    Kind::Process,
    Kind::Late,
];

impl Kind {
    fn has_text(self) -> bool {
        matches!(self, Self::New | Self::Submit | Self::Code | Self::Text | Self::Thread | Self::Process)
    }
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// ns of the process's clock.
    pub(super) time: i64,
    pub(super) kind: Kind,
    /// The word without its kind; of records with a text only the number.
    pub(super) argument: u64,
    /// The text, or the slots of a chain.
    pub(super) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The parts of its text.
    pub(super) fn parts(&self) -> impl Iterator<Item = std::borrow::Cow<'a, str>> + use<'a> {
        self.bytes.split(|b| *b == 0).map(String::from_utf8_lossy)
    }
}

/// A process's records.
pub(super) struct Process<'a> {
    pub(super) pid: u64,
    /// Readings of its clock and of the calendar that were taken together, ns.
    pub(super) clocks: (i64, i64),
    /// From when on nothing was recorded, ns of its clock, and why, in words.
    pub(super) stopped: Option<(i64, &'static str)>,
    series: Vec<Series<'a>>,
}

/// Why a process stopped recording, by the low bits of the time at which it did.
fn stopped(word: u64) -> Option<(i64, &'static str)> {
    let why = match word & 7 {
        1 => "the room for them was used up",
        2 => "there was no room on the disk",
        3 => "the program had no file descriptor left",
        5 => "the program took both numbers of sys.monitoring",
        _ => "the recorder in the program failed",
    };
    i64::try_from(word).ok().filter(|time| *time > 0).map(|time| (time, why))
}

/// A series by its number.
struct Series<'a> {
    number: u64,
    /// Numbers and records, in order.
    segments: Vec<(u64, &'a [u8])>,
}

/// What a file holds.
pub(super) struct Contents<'a> {
    pub(super) processes: Vec<Process<'a>>,
    /// Segments with something in them that is no record; what follows it there is not read.
    pub(super) damaged: u64,
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Takes a file apart, which is segments one after the other.
pub(super) fn contents(bytes: &[u8]) -> Contents<'_> {
    let mut found = Contents { processes: Vec::new(), damaged: 0 };
    let mut by_key: rustc_hash::FxHashMap<(u64, u64), usize> = rustc_hash::FxHashMap::default();
    let mut at = 0;
    while at < bytes.len() {
        if word(bytes, at) != Some(MAGIC) {
            at += SLOT;
            continue;
        }
        let head: Option<Vec<u64>> = (1..=7).map(|n| word(bytes, at + 8 * n)).collect();
        let Some(&[pid, stamp, series, seq, clock, calendar, end_of_all]) = head.as_deref() else {
            found.damaged += 1;
            break;
        };
        let start = (at + HEADER).min(bytes.len());
        let (end, whole) = end_of(bytes, start);
        found.damaged += u64::from(!whole);
        let process = *by_key.entry((pid, stamp)).or_insert_with(|| {
            let clocks = (clock.cast_signed(), calendar.cast_signed());
            found.processes.push(Process { pid, clocks, stopped: None, series: Vec::new() });
            found.processes.len() - 1
        });
        found.processes[process].stopped = found.processes[process].stopped.or(stopped(end_of_all));
        let all = &mut found.processes[process].series;
        let segment = (seq, &bytes[start..end]);
        match all.iter_mut().find(|s| s.number == series) {
            Some(known) => known.segments.push(segment),
            None => all.push(Series { number: series, segments: vec![segment] }),
        }
        at = end.max(start);
    }
    for process in &mut found.processes {
        process.series.iter_mut().for_each(|series| series.segments.sort_by_key(|s| s.0));
    }
    found
}

/// Where the records of a segment end, and whether all up to the next one are records.
fn end_of(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut at = start;
    loop {
        match word(bytes, at) {
            None | Some(0 | MAGIC) => return (at.min(bytes.len()), true),
            Some(_) => match read(bytes, at) {
                Some((_, next)) => at = next,
                None => return (at, at + SLOT > bytes.len()),
            },
        }
    }
}

/// The record at a place, and where the next one is.
fn read(bytes: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let (time, word) = (word(bytes, at)?, word(bytes, at + 8)?);
    let kind = *KINDS.get(usize::from(word as u8).checked_sub(1)?)?;
    let argument = word >> 8;
    let after = at + SLOT;
    let (argument, length) = match kind {
        _ if kind.has_text() => (argument & 0xFFFF_FFFF, (argument >> 32) as usize),
        Kind::Chain => (argument, (argument & 0xFFFF) as usize * SLOT),
        _ => (argument, 0),
    };
    // What a stopped writer left, or the packer cut off as empty.
    let end = (after + length).min(bytes.len());
    let next = (after + length.div_ceil(SLOT) * SLOT).min(bytes.len().max(end));
    let time = i64::try_from(time).ok()?;
    Some((Record { time, kind, argument, bytes: &bytes[after.min(end)..end] }, next))
}

impl<'a> Process<'a> {
    /// All records in order of time, each with the place of its series; those of a series keep their order.
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, Record<'a>)> + '_ {
        let mut walks: Vec<Walk<'a, '_>> =
            self.series.iter().map(|s| Walk { segments: &s.segments, at: 0, last: 0 }).collect();
        let mut next: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
        let mut heads: Vec<Option<Record<'a>>> = walks.iter_mut().map(Walk::step).collect();
        for (i, head) in heads.iter().enumerate() {
            next.extend(head.map(|r| Reverse((r.time, i))));
        }
        std::iter::from_fn(move || {
            let Reverse((_, i)) = next.pop()?;
            let record = heads[i].take()?;
            heads[i] = walks[i].step();
            next.extend(heads[i].map(|r| Reverse((r.time, i))));
            Some((i, record))
        })
    }
}

struct Walk<'a, 's> {
    segments: &'s [(u64, &'a [u8])],
    at: usize,
    last: i64,
}

impl<'a> Walk<'a, '_> {
    fn step(&mut self) -> Option<Record<'a>> {
        loop {
            let (&(_, bytes), rest) = self.segments.split_first()?;
            let found = word(bytes, self.at).filter(|t| *t != 0).and_then(|_| read(bytes, self.at));
            match found {
                Some((mut record, next)) => {
                    self.at = next;
                    record.time = record.time.max(self.last);
                    self.last = record.time;
                    return Some(record);
                }
                None => (self.segments, self.at) = (rest, 0),
            }
        }
    }
}
