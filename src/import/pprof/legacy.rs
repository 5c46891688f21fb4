//! What pprof read before its protobuf form: gperftools' texts and binary CPU profiles, Java's of the same kind, and
//! texts of Go's runtime. `profile/legacy_profile.go` of google/pprof is the reference.
//!
//! Addresses stay addresses, except where the file names them (Java, Go); the map of memory at the end gives the
//! module of each. Sampled heaps are scaled up as pprof does.

use rustc_hash::FxHashMap;

use super::super::read::Oddities;
use super::super::{Confidence, Context, Head, ImportError};
use super::text;
use crate::model::{
    Basis, Fact, FactKind, FrameId, FunctionSpec, Metric, ProfileBuilder, TrackKind, TrackSpec,
};

/// A part of memory and the file that was mapped there.
pub(super) struct Mapped {
    pub start: u64,
    pub end: u64,
    pub file: String,
}

/// Function, file and line of an address.
#[derive(Clone, Default)]
pub(super) struct Symbol {
    pub name: String,
    pub file: String,
    pub line: u32,
}

/// What a file of any of these kinds holds.
#[derive(Default)]
pub(super) struct Raw {
    /// Metrics in the order of a sample's values.
    pub metrics: Vec<Metric>,
    /// Values and the part of `addresses` that is the stack, innermost first.
    pub samples: Vec<(Vec<i64>, std::ops::Range<usize>)>,
    pub addresses: Vec<u64>,
    pub symbols: FxHashMap<u64, Symbol>,
    pub maps: Vec<Mapped>,
    pub title: String,
    pub facts: Vec<Fact>,
    pub odd: Oddities,
}

pub(super) fn sniff(head: &Head<'_>) -> Confidence {
    if cpu_words(head.bytes).is_some() { Confidence::Certain } else { text::sniff(head.bytes) }
}

pub(super) fn read(bytes: &[u8], cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut raw = Raw::default();
    match cpu_words(bytes) {
        Some(words) => cpu(bytes, words, &mut raw),
        None => text::read(&String::from_utf8_lossy(bytes), &mut raw)?,
    }
    if raw.samples.is_empty() && raw.metrics.is_empty() {
        return Err(ImportError::malformed("holds no samples"));
    }
    raw.build(&mut cx.builder);
    Ok(())
}

/// How the words of a binary profile are written.
#[derive(Clone, Copy)]
struct Words {
    len: usize,
    big: bool,
}

impl Words {
    fn at(self, bytes: &[u8], word: usize) -> Option<u64> {
        let bytes = bytes.get(word * self.len..(word + 1) * self.len)?;
        let fold = |n: u64, &b: &u8| n << 8 | u64::from(b);
        Some(if self.big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }
}

/// Recognises the five words at the start of a binary CPU profile: 0, 3, version, period, 0.
fn cpu_words(bytes: &[u8]) -> Option<Words> {
    let forms = [(8, false), (4, false), (8, true), (4, true)];
    forms.into_iter().map(|(len, big)| Words { len, big }).find(|w| {
        let word = |n| w.at(bytes, n);
        let period = word(3).is_some_and(|p| (1..=100_000_000).contains(&p));
        (word(0), word(1), word(4)) == (Some(0), Some(3), Some(0))
            && word(2).is_some_and(|v| v <= 1)
            && period
    })
}

fn cpu(bytes: &[u8], words: Words, raw: &mut Raw) {
    let period = words.at(bytes, 3).map_or(1, |us| us as i64).saturating_mul(1000);
    raw.metrics = vec![super::metric("samples", "count").0, super::metric("cpu", "nanoseconds").0];
    raw.facts.push(Fact::new(FactKind::Setting, "Sampling period", format!("{period} nanoseconds of cpu")));
    let mut at = 5;
    let ended = loop {
        let (Some(count), Some(depth)) = (words.at(bytes, at), words.at(bytes, at + 1)) else { break false };
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        at += 2;
        // The trailer: no samples, one address, which is 0.
        if (count, depth, words.at(bytes, at)) == (0, 1, Some(0)) {
            at += 1;
            break true;
        }
        if depth > bytes.len() / words.len {
            break false;
        }
        let start = raw.addresses.len();
        let stack = (0..depth).map_while(|n| words.at(bytes, at + n));
        raw.addresses.extend(stack);
        if raw.addresses.len() - start < depth {
            raw.addresses.truncate(start);
            break false;
        }
        at += depth;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        // Outer frames are return addresses: the call is before them.
        for address in raw.addresses.iter_mut().skip(start + 1) {
            *address = address.wrapping_sub(1);
        }
        raw.samples.push((vec![count, count.saturating_mul(period)], start..raw.addresses.len()));
    };
    if !ended {
        raw.odd.add("file is broken off; what came before is shown", || format!("word {at}"));
    }
    let rest = bytes.get(at * words.len..).unwrap_or_default();
    for line in String::from_utf8_lossy(rest).lines() {
        text::tail_line(line, raw);
    }
    // Java names its numbers themselves rather than the call before them.
    if !raw.symbols.is_empty() {
        for (_, stack) in &raw.samples {
            for address in raw.addresses[stack.clone()].iter_mut().skip(1) {
                *address = address.wrapping_add(1);
            }
        }
    }
}

impl Raw {
    fn build(mut self, builder: &mut ProfileBuilder) {
        self.maps.sort_by_key(|m| m.start);
        // The last value is what such a profile is about.
        let mut order: Vec<usize> = (0..self.metrics.len()).collect();
        order.rotate_right(1);
        let mut ids = vec![None; order.len()];
        for &n in &order {
            ids[n] = Some(builder.metric(self.metrics[n].clone()));
        }
        let ids: Vec<_> = ids.into_iter().flatten().collect();
        let track =
            builder.track(TrackSpec { name: "Samples", process: "", kind: TrackKind::Profile, sort: 0 });
        let mut frames: FxHashMap<u64, FrameId> = FxHashMap::default();
        for (values, range) in &self.samples {
            let mut stack = None;
            for &address in self.addresses[range.clone()].iter().rev() {
                let frame = *frames.entry(address).or_insert_with(|| self.frame(address, builder));
                stack = Some(builder.stack(stack, frame));
            }
            let mut weights: Vec<_> = ids.iter().copied().zip(values.iter().copied()).collect();
            weights.sort_unstable_by_key(|w| w.0.index());
            builder.sample(track, stack, &weights);
        }
        builder.meta.basis = Basis::Sampled;
        builder.meta.title = self.title;
        builder.meta.facts.append(&mut self.facts);
        self.odd.report(builder);
    }

    fn frame(&self, address: u64, builder: &mut ProfileBuilder) -> FrameId {
        let before = self.maps.partition_point(|m| m.start <= address);
        let mapped = before.checked_sub(1).map(|n| &self.maps[n]).filter(|m| address < m.end);
        let module = mapped.map_or("", |m| m.file.rsplit('/').next().unwrap_or(""));
        let symbol = self.symbols.get(&address).cloned().unwrap_or_default();
        let name = if symbol.name.is_empty() { format!("0x{address:x}") } else { symbol.name };
        let function = builder.function(FunctionSpec {
            name: &name,
            module,
            file: &symbol.file,
            ..FunctionSpec::default()
        });
        builder.frame(function, symbol.line)
    }
}
