//! Profiles of V8: `.cpuprofile` and `.heapprofile` of Node, Deno, Bun and Chrome.
//!
//! Specification: the types `Profiler.Profile` and `HeapProfiler.SamplingHeapProfile` of the Chrome DevTools
//! protocol; files of before 2017 hold the nodes as a tree under `head` and absolute `timestamps`.
//!
//! Kept: every sample in time, functions with file and line; of heaps the bytes that live per stack. A sample lasts
//! until the next one, as DevTools shows it. A file without samples gives its hit counts. V8's `(root)` is on no
//! stack of a CPU profile. Lost: ticks per line, reasons of deoptimisation, single heap samples (they are in the sums).
//! Guessed: a time that runs backwards is the one before it.

mod nodes;
#[cfg(test)]
mod tests;

use super::Gives::{Memory, Time, Tree};
use super::read::Oddities;
use super::read::json::{Json, top_keys};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, Metric, ProfileBuilder, TrackKind, TrackSpec, Unit};
use nodes::{Nodes, Stacks};

/// CPU profiles: what the list of formats says, and how they are read.
pub(super) const CPU: Importer = Importer {
    id: "cpuprofile",
    title: "V8 CPU profile",
    written_by: "node --cpu-prof, Chrome DevTools, Deno, Bun",
    extensions: &["cpuprofile"],
    gives: &[Tree, Time],
    sniff: sniff_cpu,
    import: import_cpu,
    details: no_details,
};

/// Heap profiles.
pub(super) const HEAP: Importer = Importer {
    id: "heapprofile",
    title: "V8 heap profile",
    written_by: "node --heap-prof, Chrome DevTools",
    extensions: &["heapprofile"],
    gives: &[Tree, Memory],
    sniff: sniff_heap,
    import: import_heap,
    details: no_details,
};

fn sniff_cpu(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let nodes = has("nodes") && head.says("\"callFrame\"");
    let tree = has("head") && head.says("\"functionName\"") && !head.says("\"selfSize\"");
    let timed = has("timeDeltas") || has("startTime") || has("samples") || has("timestamps");
    match (nodes || tree, timed) {
        (true, true) => Confidence::Certain,
        (true, false) => Confidence::Likely,
        _ => Confidence::No,
    }
}

fn sniff_heap(head: &Head<'_>) -> Confidence {
    let has_head = top_keys(head.bytes).iter().any(|k| k == "head");
    if has_head && head.says("\"callFrame\"") && head.says("\"selfSize\"") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

/// What stands beside the nodes.
#[derive(Default)]
struct File {
    nodes: Nodes,
    samples: Vec<i64>,
    /// Microseconds, each from the one before.
    deltas: Vec<i64>,
    /// Microseconds, in files of before 2017.
    timestamps: Vec<i64>,
    start: Option<i64>,
    end: Option<i64>,
}

impl File {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            match json.key() {
                b"nodes" => self.nodes.read_list(json)?,
                b"head" => self.nodes.read_tree(json)?,
                b"samples" => integers(json, &mut self.samples)?,
                b"timeDeltas" => integers(json, &mut self.deltas)?,
                b"timestamps" => integers(json, &mut self.timestamps)?,
                b"startTime" => self.start = json.integer()?,
                b"endTime" => self.end = json.integer()?,
                _ => json.skip()?,
            }
        }
        Ok(())
    }

    /// Start of each sample and the end of the last one, µs.
    fn times(&self, odd: &mut Oddities) -> (Vec<i64>, i64) {
        let mut times = Vec::with_capacity(self.samples.len());
        let mut at = self.start.unwrap_or(0);
        if self.timestamps.is_empty() {
            for delta in &self.deltas {
                at = at.saturating_add(*delta);
                times.push(at);
            }
        } else {
            times.clone_from(&self.timestamps);
        }
        // Of absolute times the last one may be the end.
        let ends = times.len() == self.samples.len() + 1 && !self.timestamps.is_empty();
        if times.len() != self.samples.len() && !ends {
            odd.add("samples and times differ in number (what has no partner is left out)", || {
                format!("{} samples, {} times", self.samples.len(), times.len())
            });
        }
        let mut last = i64::MIN;
        for (n, time) in times.iter_mut().enumerate() {
            if *time < last {
                odd.add("sample earlier than the one before it (moved to it)", || format!("sample {n}"));
            }
            last = last.max(*time);
            *time = last;
        }
        let step =
            times.len().checked_sub(1).filter(|&n| n > 0).map_or(0, |n| (times[n] - times[0]) / n as i64);
        let end = self.end.filter(|_| self.timestamps.is_empty()).unwrap_or(last.saturating_add(step));
        (times, end.max(last))
    }
}

fn integers(json: &mut Json<'_>, to: &mut Vec<i64>) -> Result<(), ImportError> {
    if json.enter_array()? {
        while json.next_item()? {
            to.push(json.integer()?.unwrap_or(-1));
        }
    }
    Ok(())
}

/// Reads a file; of one that is cut off what came before, when there are nodes.
fn read(source: &mut Source, cx: &mut Context<'_>, odd: &mut Oddities) -> Result<File, ImportError> {
    let mut file = File::default();
    let mut json = Json::new(source, cx.job)?;
    let result = file.read(&mut json);
    cx.builder.warn_many("text with invalid characters (shown as �)", "", json.bad_text());
    match result {
        Err(e) if e.kind == super::ErrorKind::Malformed && !file.nodes.is_empty() => {
            odd.add("file is broken off; what came before is shown", || e.to_string());
            Ok(file)
        }
        Err(e) => Err(e),
        Ok(()) if file.nodes.is_empty() => Err(ImportError::malformed("holds no nodes")),
        Ok(()) => Ok(file),
    }
}

fn import_cpu(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut odd = Oddities::default();
    let file = read(source, cx, &mut odd)?;
    let b = &mut cx.builder;
    b.meta.basis = Basis::Sampled;
    let mut stacks = Stacks::new(&file.nodes, false, b)?;
    let track = b.track(TrackSpec { name: "JavaScript", process: "", kind: TrackKind::Thread, sort: 0 });
    if file.samples.is_empty() {
        let metric = b.metric(Metric::new("samples", "Samples", Unit::Count));
        for (row, node) in file.nodes.rows.iter().enumerate().filter(|(_, n)| n.hits > 0) {
            let stack = stacks.of_row(row, b);
            b.sample(track, stack, &[(metric, node.hits)]);
        }
    } else {
        timed(&file, &mut stacks, track, &mut odd, b);
    }
    odd.report(b);
    Ok(())
}

fn timed(
    file: &File,
    stacks: &mut Stacks,
    track: crate::model::TrackId,
    odd: &mut Oddities,
    b: &mut ProfileBuilder,
) {
    let metric = b.metric(Metric::time());
    let (times, end) = file.times(odd);
    let zero = file.start.unwrap_or_else(|| times.first().copied().unwrap_or(0));
    let nanos = |us: i64| us.saturating_sub(zero).saturating_mul(1000);
    for (n, (&node, &time)) in file.samples.iter().zip(&times).enumerate() {
        let next = times.get(n + 1).copied().unwrap_or(end);
        let stack = stacks.of_id(node, b);
        if stack.is_err() {
            odd.add("sample whose node is missing (shown without stack)", || format!("sample {n}"));
        }
        let (time, next) = (nanos(time), nanos(next));
        b.timed_sample(track, (time, next), stack.unwrap_or(None), &[(metric, next - time)]);
    }
    b.meta.duration =
        file.start.zip(file.end).map(|(a, z)| z.saturating_sub(a).saturating_mul(1000)).filter(|d| *d >= 0);
    b.meta.result("Samples", file.samples.len());
}

fn import_heap(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut odd = Oddities::default();
    let file = read(source, cx, &mut odd)?;
    let b = &mut cx.builder;
    b.meta.basis = Basis::Sampled;
    let mut stacks = Stacks::new(&file.nodes, true, b)?;
    let metric = b.metric(Metric::new("size", "Live memory", Unit::Bytes));
    let track = b.track(TrackSpec { name: "Heap", process: "", kind: TrackKind::Profile, sort: 0 });
    for (row, node) in file.nodes.rows.iter().enumerate().filter(|(_, n)| n.size != 0) {
        let stack = stacks.of_row(row, b);
        b.sample(track, stack, &[(metric, node.size)]);
    }
    odd.report(b);
    Ok(())
}
