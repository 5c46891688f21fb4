//! Who held the heap when it was largest, in two runs: peak against peak, although they are at different times.

use std::sync::Arc;

use super::functions::DiffFunctions;
use super::metrics::Chosen;
use super::paths::{DiffPaths, PathDiff};
use super::{Compared, Two};
use crate::analysis::heap_peak::AtHeapPeak;
use crate::analysis::scope::Scope;
use crate::jobs::Cancelled;
use crate::model::{Profile, heap};
use crate::query::{Context, Pair, Query};

/// Most paths that are named.
const MOST: usize = 20;

/// The heap at its peak in both runs.
#[derive(Clone, Debug)]
pub struct HeapDiff {
    /// Bytes alive then, of what was allocated since the recording began.
    pub bytes: Two<i64>,
    /// When, ns since the start of the run.
    pub time: Two<i64>,
    /// What was allocated outside of all spans.
    pub outside: Two<i64>,
    /// Nodes of `paths` that held some of them themselves, by the size of the change.
    pub holders: Vec<u32>,
    /// What further paths held.
    pub others: Two<i64>,
    /// Call paths, whose own costs are what they held.
    pub paths: Arc<PathDiff>,
}

/// Asks for the [`HeapDiff`] of two recordings that counted allocations; `None` where one of them did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DiffHeap;

impl Query<Pair> for DiffHeap {
    type Output = Option<HeapDiff>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Self::Output, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let key = |p: &Profile| Some(p.metric_key(p.metric_by_key(heap::AT_PEAK)?));
        let (Some(of_base), Some(of_head)) = (key(base.profile()), key(head.profile())) else {
            return Ok(None);
        };
        let (at_base, at_head) = (base.get(&AtHeapPeak)?, head.get(&AtHeapPeak)?);
        let (Some(b), Some(h)) = (&*at_base, &*at_head) else { return Ok(None) };
        let metric = Chosen { base: of_base, head: of_head, why_not: None };
        let paths = cx.get(&DiffPaths(DiffFunctions { scope: Scope::default(), metric, range: None }))?;
        let own = |n: u32| paths.node(n).own();
        let mut holders: Vec<u32> = (0..paths.len() as u32)
            .filter(|&n| own(n).base.unwrap_or(0) != 0 || own(n).head.unwrap_or(0) != 0)
            .collect();
        let size = |n: u32| {
            let own = own(n);
            (own.delta().unwrap_or(0).unsigned_abs(), own.base.max(own.head))
        };
        holders.sort_by_key(|&n| (std::cmp::Reverse(size(n)), n));
        let mut others = Two::both(0i64, 0i64);
        for n in holders.split_off(MOST.min(holders.len())) {
            let add =
                |sum: Option<i64>, own: Option<i64>| Some(sum.unwrap_or(0).saturating_add(own.unwrap_or(0)));
            others = Two { base: add(others.base, own(n).base), head: add(others.head, own(n).head) };
        }
        let start = |p: &Profile| p.time_bounds().map_or(0, |(from, _)| from);
        Ok(Some(HeapDiff {
            bytes: Two::both(b.bytes, h.bytes),
            time: Two::both(b.time - start(base.profile()), h.time - start(head.profile())),
            outside: Two::both(b.outside, h.outside),
            holders,
            others,
            paths,
        }))
    }

    fn weight(diff: &Self::Output) -> usize {
        diff.as_ref().map_or(8, |d| d.holders.len() * 4 + 128)
    }
}

/// Functions that the name of a path has, at most.
const MOST_CALLERS: usize = 6;

impl HeapDiff {
    /// «… › caller › function», as the new run calls them if it has the path; with as many callers as tell it from the other
    /// holders.
    #[must_use]
    pub fn name(&self, node: u32, base: &Profile, head: &Profile) -> String {
        let names = |node: u32| {
            let (path, of_base) = self.paths.functions(node);
            let profile = if of_base { base } else { head };
            path.iter().map(|&f| profile.function_name(f)).collect::<Vec<_>>()
        };
        let path = names(node);
        let alike = |other: Vec<&str>| {
            let same = path.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
            same + 1
        };
        let others = self.holders.iter().filter(|&&other| other != node).map(|&other| alike(names(other)));
        let shown = others.max().unwrap_or(0).clamp(2, MOST_CALLERS).min(path.len());
        let skipped = path.len() - shown;
        format!("{}{}", if skipped > 0 { "… › " } else { "" }, path[skipped..].join(" › "))
    }

    /// What a path held in either run.
    #[must_use]
    pub fn held(&self, node: u32) -> Two<i64> {
        self.paths.node(node).own()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::built;
    use crate::jobs::Job;
    use crate::model::{ArgsRef, FunctionSpec, Metric, SpanStatus, TrackKind, TrackSpec, Unit};
    use crate::query::{Engine, Run, RunId};

    /// `main` with callees that held so many bytes when the heap was largest, at `peak` ns.
    fn run(id: u32, peak: i64, held: &[(&str, i64)]) -> Run {
        let run = built(|b| {
            b.metric(Metric::time());
            let metric = b.metric(Metric::new(heap::AT_PEAK, "At the peak", Unit::Bytes));
            let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
            let main = b.function(FunctionSpec::named("main"));
            let whole = b.open_span(track, 0, main, ArgsRef::NONE);
            let sum: i64 = held.iter().map(|h| h.1).sum();
            for (i, &(name, bytes)) in (0i64..).zip(held) {
                let function = b.function(FunctionSpec::named(name));
                let span = b.open_span(track, i * 10, function, ArgsRef::NONE);
                b.close_span(track, span, i * 10 + 9, SpanStatus::Ok);
                b.span_cost(track, span, metric, bytes);
            }
            b.close_span(track, whole, 1000, SpanStatus::Ok);
            b.span_cost(track, whole, metric, sum);
            let counter = b.counter(heap::COUNTER, "", Unit::Bytes);
            for (time, value) in [(0, 0), (peak, sum + 5), (1000, 0)] {
                b.point(counter, time, value as f64);
            }
        });
        Run { id: RunId(id), ..run }
    }

    #[test]
    fn peaks_are_compared_by_the_paths_that_held_them() {
        let base = run(1, 300, &[("load", 100), ("cache", 50), ("same", 7)]);
        let head = run(2, 700, &[("load", 40), ("batch", 90), ("same", 7)]);
        let pair = Pair::of(base, head);
        let diff = Engine::inline().now(&pair, &DiffHeap, &Job::new()).unwrap();
        let diff = diff.as_ref().as_ref().unwrap();
        assert_eq!((diff.bytes, diff.time), (Two::both(162, 142), Two::both(300, 700)));
        assert_eq!(diff.outside, Two::both(5, 5));
        let (b, h) = (&pair.base.profile, &pair.head.profile);
        let rows: Vec<_> = diff.holders.iter().map(|&n| (diff.name(n, b, h), diff.held(n))).collect();
        let want = [
            ("main › batch".to_owned(), Two { base: None, head: Some(90) }),
            ("main › load".to_owned(), Two::both(100, 40)),
            ("main › cache".to_owned(), Two { base: Some(50), head: None }),
            ("main › same".to_owned(), Two::both(7, 7)),
        ];
        assert_eq!(rows, want);
        let other = crate::analysis::testing::subject("main 0 100");
        let pair = Pair { head: Run { id: RunId(3), ..other }, ..pair };
        assert!(Engine::inline().now(&pair, &DiffHeap, &Job::new()).unwrap().is_none());
    }
}
