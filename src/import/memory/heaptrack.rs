//! heaptrack's data files, as `heaptrack_interpret` writes them (inside of `.zst` or `.gz`).
//!
//! Specification: `src/interpret/heaptrack_interpret.cpp` and `src/analyze/gui` of KDE's heaptrack; versions 1 to 3. All
//! numbers are hexadecimal, tables count from 1.
//!
//! Kept: per place what was allocated, what lived at the peak and at the end, number of allocations and of those that
//! were freed at once («temporary»); the heap over time. Lost: addresses of functions that have a name. Guessed:
//! nothing. The raw file that the program itself writes (without `t` lines of a known program) has no names.

use super::super::Gives::{Counters, Memory, Tree};
use super::super::read::Oddities;
use super::super::read::lines::{Line, for_each_text_line};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{allocated, allocations, at_end, at_peak};
use crate::model::{
    Basis, FrameId, FunctionSpec, Metric, ProfileBuilder, StackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "heaptrack",
    title: "heaptrack",
    written_by: "heaptrack",
    extensions: &["zst", "gz"],
    gives: &[Tree, Memory, Counters],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let first = head.bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let version =
        first.strip_prefix(b"v ").is_some_and(|v| v.iter().all(|b| b.is_ascii_hexdigit() || *b == b' '));
    if version && head.says("\nX ") { Confidence::Certain } else { Confidence::No }
}

/// A kind of allocation: size and place.
#[derive(Clone, Copy, Default)]
struct Info {
    size: i64,
    trace: u32,
    live: i64,
    all: i64,
    temporary: i64,
}

#[derive(Default)]
struct Reader {
    strings: Vec<String>,
    /// Frames of each instruction, innermost first.
    instructions: Vec<Vec<FrameId>>,
    traces: Vec<Option<StackId>>,
    infos: Vec<Info>,
    /// Every allocation (positive) and release (negative), by its kind, counted from 1.
    events: Vec<i32>,
    /// Time in ms and bytes.
    levels: Vec<(i64, i64)>,
    live: i64,
    peak: i64,
    /// Number of events at the peak.
    at_peak: usize,
    last: i32,
    highest: i64,
    debuggee: String,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    for_each_text_line(source, cx, |cx, line| {
        if reader.line(line, &mut cx.builder).is_none() {
            reader.odd.add("line that cannot be read (skipped)", || line.place());
        }
        Ok(())
    })?;
    if reader.infos.is_empty() {
        return Err(ImportError::malformed("holds no allocations"));
    }
    reader.finish(&mut cx.builder);
    Ok(())
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// Row of a table that counts from 1; `None` for 0.
fn row(number: u64) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

impl Reader {
    fn line(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) -> Option<()> {
        let text = line.text;
        let mut words = text.split(' ');
        let kind = words.next()?;
        let mut number = || words.next().and_then(hex);
        match kind {
            "X" => self.debuggee = text[2..].into(),
            // Since version 3 the length stands first.
            "s" => {
                let rest = text.get(2..)?;
                let known = rest.split_once(' ').filter(|(len, text)| hex(len) == Some(text.len() as u64));
                self.strings.push(known.map_or(rest, |k| k.1).into());
            }
            "i" => {
                let (address, module) = (number()?, number()?);
                let rest: Vec<u64> = std::iter::from_fn(number).collect();
                let frames = self.instruction(address, module, &rest, builder);
                self.instructions.push(frames);
            }
            "t" => {
                let (instruction, parent) = (number()?, number()?);
                let mut stack = row(parent).and_then(|p| self.traces.get(p).copied().flatten());
                for &frame in
                    row(instruction).and_then(|i| self.instructions.get(i)).into_iter().flatten().rev()
                {
                    stack = Some(builder.stack(stack, frame));
                }
                self.traces.push(stack);
            }
            "a" => {
                let (size, trace) = (i64::try_from(number()?).ok()?, u32::try_from(number()?).ok()?);
                self.infos.push(Info { size, trace, ..Info::default() });
            }
            "+" => self.event(number()?, true)?,
            "-" => self.event(number()?, false)?,
            "c" => {
                let time = i64::try_from(number()?).ok()?;
                self.levels.push((time, std::mem::take(&mut self.highest).max(self.live)));
                self.highest = self.live;
            }
            "A" | "v" | "I" | "R" | "#" | "S" | "" => {}
            _ => return None,
        }
        Some(())
    }

    fn instruction(
        &self,
        address: u64,
        module: u64,
        rest: &[u64],
        builder: &mut ProfileBuilder,
    ) -> Vec<FrameId> {
        let text = |n: u64| row(n).and_then(|n| self.strings.get(n)).map_or("", |t| t);
        let module = text(module).rsplit('/').next().unwrap_or("");
        let one = |name: &str, file, line, builder: &mut ProfileBuilder| {
            let function = builder.function(FunctionSpec { name, module, file, ..FunctionSpec::default() });
            builder.frame(function, line)
        };
        let named = rest.chunks(3).filter(|c| c[0] != 0);
        let frames: Vec<_> = named
            .map(|c| {
                let at = |n: usize| c.get(n).copied().unwrap_or(0);
                one(text(c[0]), text(at(1)), u32::try_from(at(2)).unwrap_or(0), builder)
            })
            .collect();
        if frames.is_empty() { vec![one(&format!("0x{address:x}"), "", 0, builder)] } else { frames }
    }

    fn event(&mut self, number: u64, allocation: bool) -> Option<()> {
        let info = self.infos.get_mut(usize::try_from(number).ok()?)?;
        let event = i32::try_from(number + 1).ok()?;
        if allocation {
            info.live += 1;
            info.all += 1;
            self.live = self.live.saturating_add(info.size);
        } else {
            info.live -= 1;
            info.temporary += i64::from(self.last == event);
            self.live = self.live.saturating_sub(info.size);
        }
        self.last = if allocation { event } else { -event };
        self.events.push(self.last);
        self.highest = self.highest.max(self.live);
        if self.live > self.peak {
            (self.peak, self.at_peak) = (self.live, self.events.len());
        }
        Some(())
    }

    fn finish(self, builder: &mut ProfileBuilder) {
        let meta = &mut builder.meta;
        (meta.tool, meta.basis) = ("heaptrack".into(), Basis::Aggregated);
        meta.title.clone_from(&self.debuggee);
        meta.result("Peak", (self.peak, Unit::Bytes));
        meta.result("Live at the end", (self.live, Unit::Bytes));
        let counter = builder.counter("Heap", "", Unit::Bytes);
        // Stamps count from the start; one of them alone is no length.
        builder.meta.duration = self.levels.last().map(|l| l.0.saturating_mul(1_000_000));
        self.levels.iter().for_each(|l| builder.point(counter, l.0.saturating_mul(1_000_000), l.1 as f64));
        let mut peak = vec![0i64; self.infos.len()];
        for event in &self.events[..self.at_peak] {
            peak[event.unsigned_abs() as usize - 1] += i64::from(event.signum());
        }
        let metrics = [
            builder.metric(at_peak()),
            builder.metric(allocated()),
            builder.metric(allocations()),
            builder.metric(Metric::new("temporary", "Temporary allocations", Unit::Count)),
            builder.metric(at_end()),
        ];
        let track =
            builder.track(TrackSpec { name: "Places", process: "", kind: TrackKind::Profile, sort: 0 });
        for (info, &peak) in self.infos.iter().zip(&peak) {
            let stack = row(info.trace.into()).and_then(|t| self.traces.get(t).copied().flatten());
            let bytes = |count: i64| info.size.saturating_mul(count);
            let values = [bytes(peak), bytes(info.all), info.all, info.temporary, bytes(info.live)];
            let weights: Vec<_> = metrics.into_iter().zip(values).collect();
            builder.sample(track, stack, &weights);
        }
        self.odd.report(builder);
    }
}
