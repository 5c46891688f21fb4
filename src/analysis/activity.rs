//! How much went on at each time: the picture of a whole run in a strip.

use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{Profile, StringId, Track, TrackKind};
use crate::query::{Context, Query};

/// Whose activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BusyOf {
    /// All tracks.
    All,
    /// The tracks of a process.
    Process(StringId),
    /// The tracks of a kind that belong to no process.
    Kind(TrackKind),
}

impl BusyOf {
    /// True when a track counts. Phases and summaries never do: they are a view on the same time.
    #[must_use]
    pub fn has(self, track: &Track, profile: &Profile) -> bool {
        let alone = || profile.text(track.process).is_empty();
        !track.kind.is_view()
            && track.kind != TrackKind::Untimed
            && match self {
                Self::All => true,
                Self::Process(process) => track.process == process,
                Self::Kind(kind) => track.kind == kind && alone(),
            }
    }
}

/// Mean number of busy tracks per column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Busy {
    /// Left edge of the first column, ns.
    pub from: i64,
    /// Right edge of the last column, ns.
    pub to: i64,
    /// One value per column. A track counts by the share of the column in which something ran on it.
    pub columns: Vec<f32>,
    /// The largest of them.
    pub most: f32,
}

/// Computes how [`Busy`] tracks were.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Activity {
    /// Which tracks.
    pub of: BusyOf,
    /// Which time; `None` for all of it.
    pub range: TimeRange,
    /// Number of columns, 1 to 16 384.
    pub columns: u32,
}

/// Most columns.
const MOST: u32 = 16_384;

impl Query for Activity {
    type Output = Busy;

    fn run(&self, cx: &Context<'_>) -> Result<Busy, Cancelled> {
        let profile = cx.profile();
        let Some((from, to)) = self.range.or_else(|| profile.time_bounds()).filter(|(a, b)| a < b) else {
            return Ok(Busy::default());
        };
        let mut sum = Columns { from, to, values: vec![0.0; self.columns.clamp(1, MOST) as usize] };
        for (i, track) in profile.tracks.iter().enumerate() {
            cx.job().checkpoint(i as u64, profile.tracks.len() as u64)?;
            if self.of.has(track, profile) {
                add_track(track, &mut sum);
            }
        }
        let most = sum.values.iter().copied().fold(0.0, f32::max);
        Ok(Busy { from, to, columns: sum.values, most })
    }

    fn weight(busy: &Busy) -> usize {
        busy.columns.len() * 4
    }
}

struct Columns {
    from: i64,
    to: i64,
    values: Vec<f32>,
}

impl Columns {
    fn place(&self, t: i64) -> f64 {
        let length = (self.to as f64 - self.from as f64).max(1.0);
        ((t as f64 - self.from as f64) / length * self.values.len() as f64)
            .clamp(0.0, self.values.len() as f64)
    }

    /// Adds what `start..end` covers of each column.
    fn add(&mut self, start: i64, end: i64) {
        if end < self.from || start > self.to {
            return;
        }
        let (a, b) = (self.place(start), self.place(end));
        let last = (b.ceil() as usize).min(self.values.len());
        for column in a as usize..last {
            let covered = (b.min(column as f64 + 1.0) - a.max(column as f64)).max(0.0);
            self.values[column] += covered as f32;
        }
    }
}

/// Adds the time in which something ran on a track; overlapping lanes count once.
fn add_track(track: &Track, sum: &mut Columns) {
    let (from, to) = (sum.from, sum.to);
    let mut outer: Vec<(i64, i64)> = Vec::new();
    for lane in &track.spans.lanes {
        let rows = &track.spans.rows[lane.rows.start as usize..lane.rows.end as usize];
        let until = rows.partition_point(|s| s.start <= to);
        let seen = rows[..until].iter().filter(|s| s.depth == 0 && s.end >= from);
        outer.extend(seen.map(|s| (s.start, s.end)));
    }
    let samples = &track.samples;
    let first = samples.times.partition_point(|&t| t < from).saturating_sub(1);
    let last = samples.times.partition_point(|&t| t <= to);
    let running = (first..last).filter(|&i| samples.stacks[i].is_some());
    outer.extend(running.filter_map(|i| samples.interval(i)));
    if !outer.is_sorted() {
        outer.sort_unstable();
    }
    let mut open: Option<(i64, i64)> = None;
    for (start, end) in outer {
        match &mut open {
            Some(run) if start <= run.1 => run.1 = run.1.max(end),
            _ => {
                if let Some((a, b)) = open.replace((start, end)) {
                    sum.add(a, b);
                }
            }
        }
    }
    if let Some((a, b)) = open {
        sum.add(a, b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackSpec};
    use crate::query::{Engine, Run};
    use std::sync::Arc;

    #[test]
    fn tracks_count_by_the_time_in_which_something_ran() {
        let mut b = ProfileBuilder::new("test");
        let spec = |name, kind| TrackSpec { name, process: "", kind, sort: 0 };
        let a = b.track(spec("a", TrackKind::Thread));
        let c = b.track(spec("c", TrackKind::Async));
        let phase = b.track(spec("p", TrackKind::Phase));
        let f = b.function(FunctionSpec::named("f"));
        b.span(a, 0, 50, f, ArgsRef::NONE);
        b.span(a, 10, 20, f, ArgsRef::NONE);
        for (from, to) in [(25, 60), (30, 75)] {
            b.span(c, from, to, f, ArgsRef::NONE);
        }
        b.span(phase, 0, 100, f, ArgsRef::NONE);
        let subject = Run::of(Arc::new(b.finish()));
        let kind = BusyOf::Kind(TrackKind::Async);
        let ask = |of, range, columns| {
            let query = Activity { of, range, columns };
            (*Engine::inline().now(&subject, &query, &crate::jobs::Job::new()).unwrap()).clone()
        };
        assert_eq!(ask(BusyOf::All, None, 4).columns, [1.0, 2.0, 1.0, 0.0]);
        assert_eq!(ask(BusyOf::All, None, 1).columns, [1.0]);
        assert_eq!(ask(BusyOf::All, None, 4).most, 2.0);
        assert_eq!(ask(kind, None, 4).columns, [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(ask(BusyOf::All, Some((40, 80)), 4).columns, [2.0, 1.0, 1.0, 0.5]);
        assert_eq!(ask(BusyOf::All, Some((90, 95)), 2).columns, [0.0, 0.0]);
        assert_eq!(ask(BusyOf::All, Some((5, 5)), 2), Busy::default());
    }
}
