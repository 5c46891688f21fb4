//! Who held the heap when it was largest: the call paths of a recording that counted allocations.

use std::cmp::Reverse;

use super::scope::Slice;
use super::tree_costs::Costs;
use crate::jobs::Cancelled;
use crate::model::{CounterId, FunctionId, Profile, Unit, heap};
use crate::query::{Context, Query};

/// Most paths that are named.
const MOST: usize = 20;

/// The heap at its peak.
#[derive(Clone, Debug, PartialEq)]
pub struct HeapPeak {
    /// Its counter.
    pub counter: CounterId,
    /// When, ns.
    pub time: i64,
    /// Bytes alive then, of what was allocated since the recording began.
    pub bytes: i64,
    /// Paths that held some of them themselves, root first, the largest first.
    pub holders: Vec<(Vec<FunctionId>, i64)>,
    /// What further paths held.
    pub others: i64,
    /// What was allocated outside of all spans.
    pub outside: i64,
}

impl HeapPeak {
    /// Share of the heap that a path held.
    #[must_use]
    pub fn share(&self, bytes: i64) -> f64 {
        bytes as f64 / self.bytes.max(1) as f64
    }
}

/// The counter of live bytes of a recording that counted allocations.
#[must_use]
pub fn counter(profile: &Profile) -> Option<CounterId> {
    profile.metric_by_key(heap::AT_PEAK)?;
    let is_heap = |c: &crate::model::Counter| c.unit == Unit::Bytes && profile.text(c.name) == heap::COUNTER;
    profile.counters.iter().position(is_heap).map(CounterId::from_index)
}

/// Computes the [`HeapPeak`] of the whole recording; `None` where allocations were not counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AtHeapPeak;

impl Query for AtHeapPeak {
    type Output = Option<HeapPeak>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let profile = cx.profile();
        let (Some(counter), Some(metric)) = (counter(profile), profile.metric_by_key(heap::AT_PEAK)) else {
            return Ok(None);
        };
        let Some((time, bytes)) = profile.counters[counter.index()].peak() else { return Ok(None) };
        let costs = cx.get(&Costs(Slice::whole(profile.metric_key(metric))))?;
        let mut nodes: Vec<u32> =
            (0..costs.own.len() as u32).filter(|&n| costs.own[n as usize] > 0).collect();
        nodes.sort_by_key(|&n| (Reverse(costs.own[n as usize]), n));
        let own = |n: &u32| costs.own[*n as usize];
        let holders = nodes.iter().take(MOST).map(|n| (costs.tree.path(*n), own(n))).collect();
        let others = nodes.iter().skip(MOST).map(own).fold(0i64, i64::saturating_add);
        let outside = (bytes as i64).saturating_sub(costs.whole.total).max(0);
        Ok(Some(HeapPeak { counter, time, bytes: bytes as i64, holders, others, outside }))
    }

    fn weight(peak: &Self::Output) -> usize {
        peak.iter().flat_map(|p| &p.holders).map(|(path, _)| 32 + path.len() * 4).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, profile, subject};
    use crate::query::Run;
    use std::sync::Arc;

    #[test]
    fn the_peak_names_the_paths_that_held_it() {
        let text = "main 0 100 live_at_peak=70 / load 10 40 live_at_peak=60 / read 20 30 live_at_peak=50";
        let mut p = (*profile(text)).clone();
        let mut b = crate::model::ProfileBuilder::new("x");
        let c = b.counter(heap::COUNTER, "", Unit::Bytes);
        [(0, 0.0), (30, 100.0), (50, 20.0)].iter().for_each(|&(t, v)| b.point(c, t, v));
        let other = b.finish();
        p.strings = {
            let mut strings = p.strings.clone();
            let name = strings.intern(heap::COUNTER);
            let mut counter = other.counters[0].clone();
            counter.name = name;
            p.counters.push(counter);
            strings
        };
        let s = Run::of(Arc::new(p));
        let peak = (*ask(&s, &AtHeapPeak)).clone().unwrap();
        assert_eq!((peak.time, peak.bytes, peak.others, peak.outside), (30, 100, 0, 30));
        let names = |path: &[FunctionId]| {
            path.iter().map(|&f| s.profile.function_name(f)).collect::<Vec<_>>().join(">")
        };
        let seen: Vec<_> = peak.holders.iter().map(|(path, bytes)| (names(path), *bytes)).collect();
        assert_eq!(seen, [("main>load>read".into(), 50), ("main".into(), 10), ("main>load".into(), 10)]);
        assert_eq!(*ask(&subject("main 0 100"), &AtHeapPeak), None, "nobody counted");
    }
}
