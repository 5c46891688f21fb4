//! Callers outside of their callee's lane: found by the numbers that makers of spans gave, and checked.
//!
//! A caller is kept only for an outermost span of a lane, and only where going from callee to caller never
//! leads back to the callee: readers walk up without a look at where they have been.

use rustc_hash::FxHashMap;

use super::lanes::{Frozen, Names};
use super::tracks::{Caller, NO_ROW};
use super::{Profile, TrackId, Warning};

/// One callee and its caller, as track and row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) callee: (TrackId, u32),
    pub(super) caller: (TrackId, u32),
}

/// Named spans of all tracks.
#[derive(Default)]
pub(super) struct Named {
    place: FxHashMap<u64, (TrackId, u32)>,
    /// Outermost spans of lanes and the numbers of their parents.
    open: Vec<((TrackId, u32), u64)>,
}

impl Named {
    pub(super) fn add(&mut self, track: TrackId, frozen: &Frozen, names: &Names) {
        for ((row, &arrival), span) in (0u32..).zip(&frozen.arrivals).zip(&frozen.table.rows) {
            let Some(name) = names.get(arrival) else { continue };
            self.place.insert(name.own, (track, row));
            if let (NO_ROW, Some(parent)) = (span.parent, name.parent) {
                self.open.push(((track, row), parent));
            }
        }
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = Call> + '_ {
        let find = |&(callee, parent): &((TrackId, u32), u64)| {
            self.place.get(&parent).map(|&caller| Call { callee, caller })
        };
        self.open.iter().filter_map(find)
    }
}

/// Sets the callers of all tracks; what contradicts itself is left out and counted.
pub(super) fn set(profile: &mut Profile, mut calls: Vec<Call>) {
    let is_span = |(track, row): (TrackId, u32)| {
        profile.tracks.get(track.index()).and_then(|t| t.spans.rows.get(row as usize)).copied()
    };
    calls.retain(|c| is_span(c.callee).is_some_and(|s| s.parent == NO_ROW) && is_span(c.caller).is_some());
    calls.sort_by_key(|c| c.callee);
    calls.dedup_by_key(|c| c.callee);
    let circular = circles(profile, &calls);
    let left_out = circular.iter().filter(|c| **c).count();
    if left_out > 0 {
        profile.warnings.push(Warning {
            kind: "span that names one of its own callees as its caller (shown without a caller)".into(),
            count: left_out as u64,
            first: String::new(),
        });
    }
    for (call, _) in calls.iter().zip(&circular).filter(|(_, circular)| !**circular) {
        let ((track, row), (caller, parent)) = (call.callee, call.caller);
        profile.tracks[track.index()].spans.callers.push(Caller { row, track: caller, parent });
    }
}

/// Which calls close a circle. Each outermost span has at most one caller, so from each there is one way up;
/// every span is passed once.
fn circles(profile: &Profile, calls: &[Call]) -> Vec<bool> {
    // Rows of a lane are in preorder, so the outermost span above a row is the last outermost one up to it.
    let mut outermost: FxHashMap<TrackId, Vec<u32>> = FxHashMap::default();
    // The outermost span above the caller of each call, as the call that it is the callee of.
    let next: Vec<Option<usize>> = calls
        .iter()
        .map(|call| {
            let (track, row) = call.caller;
            let tops = outermost.entry(track).or_insert_with(|| {
                let rows = (0u32..).zip(&profile.tracks[track.index()].spans.rows);
                rows.filter(|(_, s)| s.parent == NO_ROW).map(|(row, _)| row).collect()
            });
            let top = *tops.get(tops.partition_point(|&top| top <= row).checked_sub(1)?)?;
            calls.binary_search_by_key(&(track, top), |c| c.callee).ok()
        })
        .collect();
    let mut circular = vec![false; calls.len()];
    // 0: not seen; otherwise the walk that saw it.
    let mut seen = vec![0usize; calls.len()];
    for start in 0..calls.len() {
        let mut at = Some(start);
        while let Some(i) = at {
            if seen[i] == start + 1 {
                circular[i] = true;
                break;
            }
            if seen[i] != 0 {
                break;
            }
            seen[i] = start + 1;
            at = next[i];
        }
    }
    circular
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn task(b: &mut ProfileBuilder, name: &str) -> TrackId {
        b.track(TrackSpec { name, process: "", kind: TrackKind::Task, sort: 0 })
    }

    #[test]
    fn a_branch_beside_another_one_keeps_its_caller() {
        let mut b = ProfileBuilder::new("test");
        let track = task(&mut b, "t");
        let f = ["main", "a", "b", "later"].map(|name| b.function(FunctionSpec::named(name)));
        for (i, (start, end, parent)) in
            [(0, 100, None), (10, 40, Some(0)), (10, 60, Some(0)), (65, 66, Some(2))].into_iter().enumerate()
        {
            let handle = b.span(track, start, end, f[i], ArgsRef::NONE);
            b.nest_span(track, handle, i as u64, parent);
        }
        let other = task(&mut b, "spawned");
        let spawned = b.span(other, 50, 200, f[1], ArgsRef::NONE);
        b.nest_span(other, spawned, 9, Some(2));
        let p = b.finish();
        let spans = &p.tracks[0].spans;
        assert_eq!(spans.lanes.len(), 2);
        let names = |track, row| -> Vec<&str> {
            let name = |(t, r): (TrackId, u32)| p.function_name(p.track(t).spans.rows[r as usize].function);
            p.span_ancestors(track, row).map(name).collect()
        };
        let a = (0..4).find(|&r| p.function_name(spans.rows[r as usize].function) == "a").unwrap();
        assert_eq!(names(TrackId(0), a), ["a", "main"]);
        let later = (0..4).find(|&r| p.function_name(spans.rows[r as usize].function) == "later").unwrap();
        assert_eq!(names(TrackId(0), later), ["later", "b", "main"], "its caller has ended");
        assert_eq!(names(TrackId(1), 0), ["a", "b", "main"], "a task that b spawned");
        assert_eq!(spans.subtree_ends()[0] as usize, spans.subtree_end(0));
    }

    #[test]
    fn spans_that_call_each_other_in_a_circle_have_no_caller() {
        let mut b = ProfileBuilder::new("test");
        let f = b.function(FunctionSpec::named("f"));
        for i in 0..3u64 {
            let track = task(&mut b, "t");
            let span = b.span(track, 0, 10, f, ArgsRef::NONE);
            b.nest_span(track, span, i, Some((i + 1) % 3));
        }
        let own = task(&mut b, "own");
        let span = b.span(own, 0, 10, f, ArgsRef::NONE);
        b.nest_span(own, span, 77, Some(77));
        let p = b.finish();
        assert_eq!(p.warnings[0].count, 2);
        assert!(p.track_ids().all(|t| p.span_ancestors(t, 0).count() <= 3));
    }
}
