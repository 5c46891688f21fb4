//! What was going on at one moment: the innermost span or stack on each track, the counters, the
//! requests in flight.

use crate::jobs::Cancelled;
use crate::model::{CounterId, FunctionId, Profile, RequestId, TrackId};
use crate::query::{Context, Query};

/// What ran on a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The track.
    pub track: TrackId,
    /// Row of the innermost span; `None` when a sample tells.
    pub row: Option<u32>,
    /// Functions from the outermost to the innermost.
    pub path: Vec<FunctionId>,
}

/// Everything known about a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// When, ns.
    pub time: i64,
    /// Tracks on which something ran, in display order.
    pub running: Vec<Running>,
    /// Number of tracks on which nothing ran.
    pub idle: usize,
    /// Value of each counter that is known then.
    pub counters: Vec<(CounterId, f64)>,
    /// Requests between arrival and end.
    pub requests: Vec<RequestId>,
}

/// Computes the [`Moment`] at a time in ns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct At(pub i64);

impl Query for At {
    type Output = Moment;

    fn run(&self, cx: &Context<'_>) -> Result<Moment, Cancelled> {
        let (profile, time) = (cx.profile(), self.0);
        let mut running = Vec::new();
        for id in profile.track_ids() {
            cx.job().checkpoint(u64::from(id.0), profile.tracks.len() as u64)?;
            running.extend(on_track(profile, id, time));
        }
        let counters = profile.counters.iter().enumerate();
        Ok(Moment {
            time,
            idle: profile.tracks.len() - running.len(),
            running,
            counters: counters.filter_map(|(i, c)| Some((CounterId::from_index(i), c.at(time)?))).collect(),
            requests: in_flight(profile, time),
        })
    }

    fn weight(moment: &Moment) -> usize {
        moment.running.iter().map(|r| 64 + r.path.len() * 4).sum::<usize>() + moment.counters.len() * 16
    }
}

fn on_track(profile: &Profile, id: TrackId, time: i64) -> Option<Running> {
    let track = profile.track(id);
    if let Some(row) = track.spans.innermost_at(time) {
        let function = |(t, r): (TrackId, u32)| profile.track(t).spans.rows[r as usize].function;
        let mut path: Vec<_> = profile.span_ancestors(id, row).map(function).collect();
        path.reverse();
        return Some(Running { track: id, row: Some(row), path });
    }
    let sample = track.samples.times.partition_point(|&t| t <= time).checked_sub(1)?;
    let (start, end) = track.samples.interval(sample)?;
    let stack = track.samples.stacks[sample].filter(|_| (start..end.max(start + 1)).contains(&time))?;
    Some(Running { track: id, row: None, path: profile.stack_functions(stack) })
}

/// Requests between arrival and end at `time`; those that never ended count as in flight.
#[must_use]
pub fn in_flight(profile: &Profile, time: i64) -> Vec<RequestId> {
    let rows = &profile.requests.rows;
    let arrived = rows.partition_point(|r| r.arrived <= time);
    (0..arrived)
        .filter(|&i| rows[i].finished.is_none_or(|end| end > time))
        .map(RequestId::from_index)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, Request, TrackKind, TrackSpec, Unit};
    use crate::query::{Engine, Run};
    use std::sync::Arc;

    #[test]
    fn spans_samples_counters_and_requests_of_a_moment() {
        let mut b = ProfileBuilder::new("test");
        let spec = |name| TrackSpec { name, process: "", kind: TrackKind::Thread, sort: 0 };
        let (spans, samples) = (b.track(spec("a")), b.track(spec("b")));
        let f = ["outer", "inner"].map(|n| b.function(FunctionSpec::named(n)));
        b.span(spans, 0, 100, f[0], ArgsRef::NONE);
        b.span(spans, 40, 60, f[1], ArgsRef::NONE);
        let frame = b.frame(f[1], 0);
        let stack = b.stack(None, frame);
        b.timed_sample(samples, (10, 20), Some(stack), &[]);
        b.timed_sample(samples, (20, 30), None, &[]);
        let rss = b.counter("RSS", "", Unit::Bytes);
        b.point(rss, 15, 7.0);
        b.request(Request { arrived: 5, finished: Some(50), ..Request::default() });
        let subject = Run::of(Arc::new(b.finish()));
        let at = |t| {
            let moment = Engine::inline().now(&subject, &At(t), &crate::jobs::Job::new()).unwrap();
            let rows: Vec<_> = moment.running.iter().map(|r| (r.track.0, r.row, r.path.len())).collect();
            (rows, moment.counters.len(), moment.requests.len())
        };
        assert_eq!(at(50), (vec![(0, Some(1), 2)], 1, 0), "a request that ends now is over");
        assert_eq!(at(15), (vec![(0, Some(0), 1), (1, None, 1)], 1, 1));
        assert_eq!(at(25).0, [(0, Some(0), 1)], "a sample without a stack says nothing");
        assert_eq!(at(-1), (vec![], 0, 0));
        assert_eq!(at(1000), (vec![], 1, 0));
    }
}
