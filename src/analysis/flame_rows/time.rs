//! Boxes where they happened: spans lane by lane and depth by depth, samples as runs of equal beginnings.
//!
//! The committed time range does not matter here: the chart shows all time and shades the range.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::lift::Lift;
use super::samples::Runs;
use super::{Axis, FlameRows, GroupOf, Kind, Leaf, Row, Who};
use crate::analysis::call_tree::Shape;
use crate::analysis::path::{PathMapper, PathState};
use crate::analysis::scope::Scope;
use crate::analysis::whole::Whole;
use crate::jobs::{Cancelled, Job};
use crate::model::{NO_ROW, Profile, SpanTable, TrackId};
use crate::query::{Context, Query};

/// Rows of the tracks of a scope in time order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeOrder(pub Scope);

impl Query for TimeOrder {
    type Output = FlameRows;
    const KEEPS_PROFILE: bool = true;

    fn run(&self, cx: &Context<'_>) -> Result<FlameRows, Cancelled> {
        let profile = cx.profile();
        let mut out = FlameRows::new(profile, &self.0, Axis::Time, profile.meta.basis.clone());
        if !profile.meta.no_clock.is_empty() {
            out.notices.push(format!("the axis is no clock: {}", profile.meta.no_clock));
        }
        let tracks: Vec<_> = self.0.tracks_of(profile).collect();
        if tracks.iter().any(|&id| profile.track(id).samples.is_timed()) {
            out.lift = Some(Lift::new(cx.get(&Shape(self.0.clone()))?));
        }
        for id in tracks {
            let track = profile.track(id);
            if !track.spans.rows.is_empty() {
                if self.0.transforms.is_empty() {
                    add_spans(&mut out, id, &track.spans);
                } else {
                    add_mapped_spans(&mut out, id, profile, &self.0, cx.job())?;
                }
            }
            if let Some(lift) = out.lift.as_ref().filter(|_| track.samples.is_timed()) {
                let runs = Runs::new(profile, id, lift, cx.job())?;
                out.push_samples(runs);
            }
        }
        bounds(&mut out, profile);
        out.fold(cx.job())?;
        Ok(out)
    }

    fn weight(rows: &FlameRows) -> usize {
        rows.heap_bytes()
    }
}

/// The chart spans all that is timed on the tracks shown, so that its place does not jump when a
/// transform hides the first or last box.
fn bounds(out: &mut FlameRows, profile: &Arc<Profile>) {
    let mut bounds: Option<(i64, i64)> = None;
    for group in &out.groups {
        let GroupOf::Track(id) = group.of else { continue };
        let track = profile.track(id);
        let spans = track.spans.rows.iter().filter(|s| s.depth == 0).map(|s| (s.start, s.end));
        let samples = track.samples.times.first().map(|&first| (first, track.samples.end));
        for (start, end) in spans.chain(samples) {
            bounds = Some(bounds.map_or((start, end), |(a, b)| (a.min(start), b.max(end))));
        }
    }
    (out.start, out.end) = bounds.unwrap_or((0, 1));
    out.whole = Whole::both(out.extent());
}

/// Rows of spans as they are: only their order is kept.
fn add_spans(out: &mut FlameRows, id: TrackId, spans: &SpanTable) {
    let group = out.open_group(GroupOf::Track(id));
    for lane in &spans.lanes {
        let first = out.rows.len();
        let rows = &spans.rows[lane.rows.start as usize..lane.rows.end as usize];
        let mut len = vec![0u32; lane.depth as usize];
        for span in rows {
            len[span.depth as usize] += 1;
        }
        let mut at = out.order.len() as u32;
        for &len in &len {
            out.rows.push(Row { at, len, group, mips: u32::MAX, kind: Kind::Spans });
            at += len;
        }
        out.order.resize(at as usize, 0);
        let mut next: Vec<u32> = out.rows[first..].iter().map(|r| r.at).collect();
        for (row, span) in (lane.rows.start..).zip(rows) {
            let place = &mut next[span.depth as usize];
            out.order[*place as usize] = row;
            *place += 1;
        }
    }
    out.close_group();
}

/// Rows of spans after transforms: a removed span leaves no gap in depth.
fn add_mapped_spans(
    out: &mut FlameRows,
    id: TrackId,
    profile: &Profile,
    scope: &Scope,
    job: &Job,
) -> Result<(), Cancelled> {
    let mapper = PathMapper::new(&scope.transforms, profile);
    let spans = &profile.track(id).spans;
    let root = mapper.root();
    for lane in &spans.lanes {
        let mut rows: Vec<Vec<Leaf>> = Vec::new();
        // Open spans: (depth in the lane, state, boxes at or above).
        let mut open: Vec<(u32, PathState, usize)> = Vec::new();
        let mut hidden: FxHashMap<(usize, usize), u32> = FxHashMap::default();
        for row in lane.rows.clone() {
            if row % 65_536 == 0 {
                job.checkpoint(u64::from(row), spans.rows.len() as u64)?;
            }
            let span = &spans.rows[row as usize];
            if span.parent == NO_ROW {
                open.clear();
            }
            while open.last().is_some_and(|o| o.0 >= span.depth) {
                open.pop();
            }
            let (state, above) = open.last().map_or((&root, 0), |o| (&o.1, o.2));
            let (state, symbol) = mapper.step_span(state, id, (row, span));
            let mut level = above;
            if let Some(symbol) = symbol {
                if rows.len() == level {
                    rows.push(Vec::new());
                }
                let who = Who::symbol(symbol).with_status(span.status);
                rows[level].push(Leaf { start: span.start, end: span.end, who, id: row });
                level += 1;
            }
            if state.hidden && level > 0 {
                *hidden.entry((level - 1, rows[level - 1].len() - 1)).or_default() += 1;
            }
            open.push((span.depth, state, level));
        }
        if !rows.is_empty() {
            let first = out.rows.len();
            out.push_leaves(GroupOf::Track(id), Kind::SpanLeaves, rows);
            let place = |(level, index): (usize, usize)| out.rows[first + level].at + index as u32;
            let counted: Vec<_> = hidden.into_iter().map(|(at, calls)| (place(at), calls)).collect();
            out.hidden.extend(counted);
        }
    }
    Ok(())
}
