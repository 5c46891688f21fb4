//! What a track did at each moment of some time: its innermost span or sample, with the path above it.

use rustc_hash::FxHashMap;

use super::super::intervals::{Intervals, Sums};
use super::{Cause, CauseOf, look_up};
use crate::analysis::steps::Loop;
use crate::jobs::{Cancelled, Job};
use crate::model::{FunctionId, Profile, SpanTable, StackId, TrackId};

/// A moment's innermost span or sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub start: i64,
    pub end: i64,
    of: Of,
    depth: u32,
    pub waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    Span(u32),
    Stack(StackId),
}

impl Segment {
    pub fn length(&self) -> i64 {
        self.end - self.start
    }
}

/// What one lane of another track did.
pub(super) struct Other {
    pub track: TrackId,
    pub segments: Vec<Segment>,
}

/// A function that has more than this of the time does not tell what ran: what it calls does.
const ALL_OF_IT: f64 = 0.9;
/// Where what it calls has less than this, it ran itself.
const ENOUGH: f64 = 0.5;

/// The lanes of a track, cut to what lies in `time`.
pub(super) fn segments(
    profile: &Profile,
    id: TrackId,
    time: &Intervals,
    waits: &[bool],
    job: &Job,
) -> Result<Vec<Other>, Cancelled> {
    let track = profile.track(id);
    let mut others = Vec::new();
    for lane in &track.spans.lanes {
        job.checkpoint(0, 0)?;
        let rows = lane.rows.start..lane.rows.end;
        let mut segments = Vec::new();
        sweep(&track.spans, rows, |row, start, end| {
            let span = &track.spans.rows[row as usize];
            for (start, end) in time.within(start, end) {
                let waits = waits[span.function.index()];
                segments.push(Segment { start, end, of: Of::Span(row), depth: span.depth, waits });
            }
        });
        others.push(Other { track: id, segments });
    }
    let samples = &track.samples;
    if samples.is_timed() {
        let mut segments = Vec::new();
        let mut depths: FxHashMap<StackId, u32> = FxHashMap::default();
        for i in 0..samples.len() {
            look_up(i, job)?;
            let (Some(stack), Some((start, end))) = (samples.stacks[i], samples.interval(i)) else {
                continue;
            };
            let leaf = profile.frames.get(profile.stacks.get(stack).frame).function;
            for (start, end) in time.within(start, end) {
                let depth =
                    *depths.entry(stack).or_insert_with(|| profile.stacks.walk(stack).count() as u32 - 1);
                let waits = waits[leaf.index()];
                segments.push(Segment { start, end, of: Of::Stack(stack), depth, waits });
            }
        }
        others.push(Other { track: id, segments });
    }
    others.retain(|o| !o.segments.is_empty());
    Ok(others)
}

/// The stretches of a lane by innermost span, in order.
fn sweep(spans: &SpanTable, rows: std::ops::Range<u32>, mut add: impl FnMut(u32, i64, i64)) {
    let mut open: Vec<u32> = Vec::new();
    let mut at = i64::MIN;
    let mut until = |open: &mut Vec<u32>, at: &mut i64, t: i64| {
        while let Some(&row) = open.last() {
            let end = spans.rows[row as usize].end;
            if end > t {
                add(row, *at, t);
                break;
            }
            add(row, *at, end);
            *at = (*at).max(end);
            open.pop();
        }
        *at = (*at).max(t);
    };
    for row in rows {
        until(&mut open, &mut at, spans.rows[row as usize].start);
        open.push(row);
    }
    until(&mut open, &mut at, i64::MAX);
}

impl Other {
    /// The function of a segment at a depth, or its innermost one above.
    fn function(&self, profile: &Profile, s: &Segment, depth: u32) -> FunctionId {
        let up = s.depth.saturating_sub(depth) as usize;
        match s.of {
            Of::Span(row) => {
                let spans = &profile.track(self.track).spans;
                spans.rows[spans.ancestors(row).nth(up).unwrap_or(row) as usize].function
            }
            Of::Stack(stack) => {
                let at = profile.stacks.walk(stack).nth(up).unwrap_or(stack);
                profile.frames.get(profile.stacks.get(at).frame).function
            }
        }
    }

    /// The innermost function of a segment.
    pub fn innermost(&self, profile: &Profile, s: &Segment) -> FunctionId {
        self.function(profile, s, s.depth)
    }

    /// What a segment counts as at a depth.
    pub fn key(&self, profile: &Profile, loops: &[Loop], s: &Segment, depth: u32) -> CauseOf {
        let function = self.function(profile, s, depth);
        let is = |l: &Loop| l.track == self.track && l.rounds.iter().any(|r| r.function == function);
        loops.iter().position(is).map_or(CauseOf::Function(function), CauseOf::Loop)
    }

    /// The first depth at which nothing has nearly all of the time, or has it itself.
    pub fn depth(&self, profile: &Profile, loops: &[Loop], sums: &Sums, job: &Job) -> Result<u32, Cancelled> {
        let deepest = self.segments.iter().map(|s| s.depth).max().unwrap_or(0);
        for depth in 0..deepest {
            let (mut whole, mut deeper) = (0i64, 0i64);
            let mut by: FxHashMap<CauseOf, i64> = FxHashMap::default();
            for (i, s) in self.segments.iter().enumerate() {
                look_up(i, job)?;
                let time = sums.between(s.start, s.end);
                whole += time;
                deeper += if s.depth > depth { time } else { 0 };
                *by.entry(self.key(profile, loops, s, depth)).or_default() += time;
            }
            let most = by.values().copied().max().unwrap_or(0);
            if (most as f64) < whole as f64 * ALL_OF_IT || (deeper as f64) < whole as f64 * ENOUGH {
                return Ok(depth);
            }
        }
        Ok(deepest)
    }

    /// Calls of a cause that has these segments of the lane, and what in it has most of its time.
    pub fn describe(
        &self,
        profile: &Profile,
        cause: &mut Cause,
        own: Vec<&Segment>,
        depth: u32,
        sums: &Sums,
    ) {
        let spans = &profile.track(self.track).spans;
        let mut calls: Vec<u32> = own
            .iter()
            .filter_map(|s| match s.of {
                Of::Span(row) => spans.ancestors(row).nth(s.depth.saturating_sub(depth) as usize),
                Of::Stack(_) => None,
            })
            .collect();
        calls.sort_unstable();
        calls.dedup();
        if !calls.is_empty() {
            cause.calls = Some(cause.calls.unwrap_or(0) + calls.len() as u64);
            cause.length += calls.iter().map(|&r| spans.rows[r as usize].duration()).sum::<i64>();
        }
        let mut before = own.iter().map(|s| sums.between(s.start, s.end)).sum::<i64>();
        let mut inside = own;
        cause.inside.clear();
        for depth in depth + 1.. {
            let mut by: FxHashMap<FunctionId, i64> = FxHashMap::default();
            inside.retain(|s| s.depth >= depth);
            for s in &inside {
                *by.entry(self.function(profile, s, depth)).or_default() += sums.between(s.start, s.end);
            }
            let Some((function, time)) = by.into_iter().max_by_key(|&(f, time)| (time, f)) else { break };
            if (time as f64) < before as f64 * ENOUGH {
                break;
            }
            cause.inside.push((function, time));
            inside.retain(|s| self.function(profile, s, depth) == function);
            before = time;
        }
    }
}
