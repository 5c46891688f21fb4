//! The binary profiles of Python 3.15's sampling profiler («Tachyon»): `python -m profiling.sampling run --binary`.
//!
//! Specification: CPython's `InternalDocs/profiling_binary_format.md`; files of either byte order, packed with zstd or not. Kept: every sample with its
//! time and stack, threads, lines; who holds the GIL or waits for it as times of threads. Lost: columns and opcodes. Guessed: a sample stands for
//! the time to the next one of its thread, at most for two intervals, because the profiler may have missed some.

use std::io::Read;

use rustc_hash::FxHashMap;

use super::Gives::{Time, Tree};
use super::python::module_of;
use super::read::Oddities;
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, FrameId, FunctionSpec, Metric, MetricId, ProfileBuilder, StackId, TrackId, TrackKind, TrackSpec,
    Unit,
};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "tachyon",
    title: "Python sampling profiler, binary",
    written_by: "python -m profiling.sampling --binary (Python 3.15)",
    extensions: &["bin"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

const MAGIC: u32 = 0x5441_4348;
const HEADER: usize = 64;
const FOOTER: usize = 32;
/// What packed samples may unfold to, bytes: CPython's own reader takes no more.
const MOST_UNPACKED: u64 = 1 << 30;
/// Deepest stack: CPython writes at most 256 frames.
const DEEPEST: usize = 1 << 20;

fn sniff(head: &Head<'_>) -> Confidence {
    match head.bytes {
        [a, b, c, d, ..] if [[*a, *b, *c, *d], [*d, *c, *b, *a]].contains(&MAGIC.to_le_bytes()) => {
            Confidence::Certain
        }
        _ => Confidence::No,
    }
}

/// Reads fixed and variable numbers.
#[derive(Clone)]
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
}

const CUT: &str = "is cut short";

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], &'static str> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len)).ok_or(CUT)?;
        self.at += len;
        Ok(taken)
    }

    fn fixed(&mut self, len: usize) -> Result<u64, &'static str> {
        let big = self.big;
        let bytes = self.take(len)?;
        let push = |n: u64, b: &u8| n << 8 | u64::from(*b);
        Ok(if big { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) })
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0u64;
        for n in 0..10 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * n);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("holds an endless number")
    }

    fn signed(&mut self) -> Result<i64, &'static str> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

struct Header {
    big: bool,
    python: [u8; 3],
    start_us: u64,
    interval_us: u64,
    strings: usize,
    frames: usize,
    packed: bool,
    mode: u64,
}

/// The header. Its count of samples had 4 bytes before 3.15's second beta, later 8: which it is, the places of the tables tell.
fn header(bytes: &[u8]) -> Result<Header, ImportError> {
    let broken = |what: &'static str| {
        ImportError::malformed(what)
            .remedy("write it anew: `python -m profiling.sampling replay` may still read it")
    };
    if bytes.len() < HEADER + FOOTER {
        return Err(broken(CUT));
    }
    let big = bytes.starts_with(&MAGIC.to_be_bytes());
    let number = |at: usize, len: usize| Bytes { bytes, at, big }.fixed(len).unwrap_or(0);
    let layouts = [(40, true), (36, false)];
    let table = layouts.into_iter().find_map(|(at, wide)| {
        let (strings, frames) = (number(at, 8), number(at + 8, 8));
        let packed = number(at + 16, 4);
        let end = (bytes.len() - FOOTER) as u64;
        let fits = HEADER as u64 <= strings && strings <= frames && frames <= end && packed <= 1;
        fits.then(|| {
            (strings as usize, frames as usize, packed == 1, if wide { number(at + 20, 4) } else { 0 })
        })
    });
    let Some((strings, frames, packed, mode)) = table else {
        return Err(broken(if bytes[12..HEADER].iter().all(|b| *b == 0) {
            "was not finished: its header is empty"
        } else {
            "has tables outside of the file"
        }));
    };
    Ok(Header {
        big,
        python: [bytes[8], bytes[9], bytes[10]],
        start_us: number(12, 8),
        interval_us: number(20, 8),
        strings,
        frames,
        packed,
        mode,
    })
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let header = header(&bytes)?;
    let b = &mut cx.builder;
    let [major, minor, micro] = header.python;
    (b.meta.basis, b.meta.tool) =
        (Basis::Sampled, format!("Python {major}.{minor}.{micro} profiling.sampling"));
    let interval =
        i64::try_from(header.interval_us).ok().and_then(|us| us.checked_mul(1000)).filter(|ns| *ns > 0);
    if let Some(ns) = interval {
        b.meta.setting("Sampling interval", (ns, Unit::Nanoseconds));
    }
    // As `--mode` names them, plus one.
    let modes = ["", "wall", "cpu", "gil", "all", "exception"];
    if let Some(mode) = modes.get(header.mode as usize).filter(|mode| !mode.is_empty()) {
        b.meta.setting("Mode", *mode);
    }
    // Since some version the clock is monotonic, which is no date.
    let since_2001 = i64::try_from(header.start_us).ok().filter(|us| *us > 1_000_000_000_000_000);
    b.meta.origin_unix_ns = since_2001.and_then(|us| us.checked_mul(1000));
    let mut odd = Oddities::default();
    let frames = tables(&bytes, &header, &mut odd, b)?;
    let samples = &bytes[HEADER..header.strings];
    let unpacked;
    let samples = if header.packed {
        let mut all = Vec::new();
        let reader = zstd::Decoder::new(samples)?;
        if let Err(e) = reader.take(MOST_UNPACKED).read_to_end(&mut all) {
            odd.add("packed samples are damaged; what came before is shown", || e.to_string());
        }
        unpacked = all;
        &unpacked[..]
    } else {
        samples
    };
    let metrics =
        [Metric::new("time", "Time", Unit::Nanoseconds), Metric::new("samples", "Samples", Unit::Count)];
    let mut reader = Reader {
        bytes: Bytes { bytes: samples, at: 0, big: header.big },
        frames,
        interval: interval.unwrap_or(1_000_000),
        metrics: metrics.map(|m| b.metric(m)),
        threads: Vec::new(),
        by_id: FxHashMap::default(),
        odd,
    };
    while reader.bytes.at < samples.len() {
        let at = reader.bytes.at;
        if let Err(what) = reader.record(b) {
            reader.odd.add("file is broken off; what came before is shown", || {
                format!("{what} at byte {at} of the samples")
            });
            break;
        }
    }
    let count: u64 = reader.threads.iter().map(|t| t.count).sum();
    reader.threads.iter().for_each(|thread| reader.emit(thread, b));
    b.meta.samples = Some(count);
    if count == 0 {
        let what = reader.odd.first().unwrap_or_else(|| "holds no samples".into());
        return Err(ImportError::malformed(what));
    }
    reader.odd.report(b);
    Ok(())
}

/// The frames of the table at the end.
fn tables(
    bytes: &[u8],
    header: &Header,
    odd: &mut Oddities,
    b: &mut ProfileBuilder,
) -> Result<Vec<FrameId>, ImportError> {
    let footer = Bytes { bytes, at: bytes.len() - FOOTER, big: header.big };
    let counts = |mut f: Bytes<'_>| Ok::<_, &'static str>((f.fixed(4)?, f.fixed(4)?));
    let (strings, frames) = counts(footer).map_err(ImportError::malformed)?;
    let mut at = Bytes { bytes: &bytes[..header.frames], at: header.strings, big: header.big };
    let mut texts: Vec<std::borrow::Cow<'_, str>> = Vec::new();
    for _ in 0..strings {
        let text = at.varint().and_then(|len| at.take(usize::try_from(len).unwrap_or(usize::MAX)));
        match text {
            Ok(text) => texts.push(String::from_utf8_lossy(text)),
            Err(_) => {
                odd.add("table of names is cut short", || format!("byte {}", at.at));
                break;
            }
        }
    }
    let mut at = Bytes { bytes: &bytes[..bytes.len() - FOOTER], at: header.frames, big: header.big };
    let mut all = Vec::new();
    for _ in 0..frames {
        let mut frame = || {
            let names = (at.varint()?, at.varint()?);
            let line = at.signed()?;
            // The end of the line, columns and the opcode.
            for _ in 0..3 {
                at.signed()?;
            }
            at.byte()?;
            Ok::<_, &'static str>((names, line))
        };
        let Ok(((file, name), line)) = frame() else {
            odd.add("table of frames is cut short", || format!("byte {}", at.at));
            break;
        };
        let text = |n: u64| usize::try_from(n).ok().and_then(|n| texts.get(n)).map_or("", |t| &**t);
        let (file, name) = (text(file), text(name));
        let file = if file == "~" { "" } else { file };
        let name = if name.is_empty() { "(unnamed)" } else { name };
        let module = module_of(file);
        let function = b.function(FunctionSpec { name, module: &module, file, ..FunctionSpec::default() });
        all.push(b.frame(function, u32::try_from(line).unwrap_or(0)));
    }
    Ok(all)
}

/// A thread of the file.
struct Thread {
    track: TrackId,
    /// The stack up to each of its frames, innermost last: what changes is at the end.
    stacks: Vec<Option<StackId>>,
    /// µs since the start.
    time: i64,
    count: u64,
    /// Times and stacks.
    samples: Vec<(i64, Option<StackId>)>,
}

struct Reader<'a> {
    bytes: Bytes<'a>,
    frames: Vec<FrameId>,
    interval: i64,
    metrics: [MetricId; 2],
    threads: Vec<Thread>,
    by_id: FxHashMap<(u64, u64), usize>,
    odd: Oddities,
}

impl Reader<'_> {
    fn record(&mut self, b: &mut ProfileBuilder) -> Result<(), &'static str> {
        let id = (self.bytes.fixed(8)?, self.bytes.fixed(4)?);
        let kind = self.bytes.byte()?;
        if kind > 3 {
            return Err("holds a record of a kind that does not exist");
        }
        let interpreters = id.1;
        let thread = *self.by_id.entry(id).or_insert_with(|| {
            let name = format!("Thread {}", id.0);
            let process =
                if interpreters == 0 { String::new() } else { format!("interpreter {interpreters}") };
            let sort = self.threads.len() as i64;
            let track = b.track(TrackSpec { name: &name, process: &process, kind: TrackKind::Thread, sort });
            self.threads.push(Thread { track, stacks: Vec::new(), time: 0, count: 0, samples: Vec::new() });
            self.threads.len() - 1
        });
        if kind == 0 {
            for _ in 0..self.bytes.varint()? {
                let delta = self.bytes.varint()?;
                self.bytes.byte()?;
                self.sample(thread, delta);
            }
            return Ok(());
        }
        let delta = self.bytes.varint()?;
        self.bytes.byte()?;
        let kept = match kind {
            1 => 0,
            2 => self.bytes.varint()?,
            _ => {
                let gone = self.bytes.varint()?;
                (self.threads[thread].stacks.len() as u64).saturating_sub(gone)
            }
        };
        let new = self.bytes.varint()?;
        let stacks = &mut self.threads[thread].stacks;
        stacks.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        // The innermost comes first; a number takes at least a byte.
        let mut added = Vec::new();
        for _ in 0..new {
            added.push(self.bytes.varint()?);
            if stacks.len() + added.len() > DEEPEST {
                return Err("holds a stack of more than a million frames");
            }
        }
        for number in added.into_iter().rev() {
            let above = stacks.last().copied().flatten();
            let frame = usize::try_from(number).ok().and_then(|n| self.frames.get(n));
            let stack = match frame {
                Some(frame) => Some(b.stack(above, *frame)),
                None => {
                    self.odd
                        .add("frame that the table does not have (left out)", || format!("frame {number}"));
                    above
                }
            };
            stacks.push(stack);
        }
        self.sample(thread, delta);
        Ok(())
    }

    fn sample(&mut self, thread: usize, delta: u64) {
        let thread = &mut self.threads[thread];
        thread.time = thread.time.saturating_add(i64::try_from(delta).unwrap_or(i64::MAX));
        thread.count += 1;
        let stack = thread.stacks.last().copied().flatten();
        thread.samples.push((thread.time.saturating_mul(1000), stack));
    }

    fn emit(&self, thread: &Thread, b: &mut ProfileBuilder) {
        for (n, &(time, stack)) in thread.samples.iter().enumerate() {
            let next = thread.samples.get(n + 1).map_or(time.saturating_add(self.interval), |s| s.0);
            let length = next.saturating_sub(time).min(self.interval.saturating_mul(2));
            let end = time.saturating_add(length);
            b.timed_sample(
                thread.track,
                (time, end),
                stack,
                &[(self.metrics[0], length), (self.metrics[1], 1)],
            );
            // What the profiler missed is no work of the last sample.
            if next > end && n + 1 < thread.samples.len() {
                b.timed_sample(
                    thread.track,
                    (end, next),
                    None,
                    &[(self.metrics[0], 0), (self.metrics[1], 0)],
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::testing::{damage, open_bytes, totals};

    /// A file as the specification lays it out.
    fn file(big: bool, packed: bool, wide: bool) -> Vec<u8> {
        let number = |n: u64, len: usize| {
            let bytes = n.to_be_bytes()[8 - len..].to_vec();
            if big { bytes } else { bytes.into_iter().rev().collect() }
        };
        let record = |thread: u64, rest: &[u8]| [number(thread, 8), number(0, 4), rest.to_vec()].concat();
        let samples = [
            // main → work, 1 ms after the start.
            record(7, &[1, 0xe8, 7, 3, 2, 1, 0]),
            // Twice more.
            record(7, &[0, 2, 0xe8, 7, 3, 0xe8, 7, 3]),
            // main → work → leaf.
            record(7, &[2, 0xe8, 7, 3, 2, 1, 2]),
            // main → leaf.
            record(7, &[3, 0xe8, 7, 3, 2, 1, 2]),
            record(9, &[1, 0xe8, 7, 0, 1, 0]),
        ]
        .concat();
        let samples = if packed { zstd::encode_all(&samples[..], 5).unwrap() } else { samples };
        let strings = [&[5][..], b"/a.py", &[4], b"main", &[4], b"work", &[4], b"leaf"].concat();
        // Lines 1, 2 and 3; no end, no columns, no opcode.
        let frames: Vec<u8> = (1..4u8).flat_map(|n| [0, n, n * 2, 0, 1, 0, 255]).collect();
        let strings_at = 64 + samples.len() as u64;
        let frames_at = strings_at + strings.len() as u64;
        let mut all = [number(u64::from(MAGIC), 4), number(1, 4), vec![3, 15, 0, 0]].concat();
        all.extend(
            [number(5, 8), number(1000, 8), number(6, if wide { 8 } else { 4 }), number(2, 4)].concat(),
        );
        all.extend([number(strings_at, 8), number(frames_at, 8), number(u64::from(packed), 4)].concat());
        all.resize(64, 0);
        all.extend([samples, strings, frames, number(4, 4), number(3, 4)].concat());
        let len = all.len() as u64 + 24;
        all.extend([number(len, 8), vec![0; 16]].concat());
        all
    }

    #[test]
    fn files_of_every_layout_have_the_same_samples() {
        for (big, packed, wide) in
            [(false, true, true), (false, false, false), (true, false, true), (true, true, false)]
        {
            let bytes = file(big, packed, wide);
            let p = open_bytes(&bytes).unwrap();
            assert_eq!(
                (p.meta.format.as_str(), p.meta.tool.as_str()),
                ("tachyon", "Python 3.15.0 profiling.sampling")
            );
            assert_eq!((p.tracks.len(), p.meta.samples), (2, Some(6)));
            let sums = totals(&p);
            assert_eq!(sums["main"], (1_000_000, 6_000_000));
            assert_eq!((sums["work"], sums["leaf"]), ((3_000_000, 4_000_000), (2_000_000, 2_000_000)));
            assert_eq!(p.tracks[0].samples.times[0], 1_000_000);
        }
        damage(&file(false, false, true), drop);
        damage(&file(false, true, true), drop);
    }

    #[test]
    fn a_file_that_was_not_finished_says_so() {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.resize(200, 0);
        assert!(open_bytes(&bytes).unwrap_err().to_string().contains("was not finished"));
    }
}
