//! Phases of a run (load, prefill, decode …): when they were, what share they have, and what of the
//! run no phase covers.

use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile, TrackId, TrackKind};
use crate::query::{Context, Query};

/// One outermost span of a phase track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// Its name.
    pub function: FunctionId,
    /// Its track.
    pub track: TrackId,
    /// Its row.
    pub row: u32,
    /// Start, ns.
    pub start: i64,
    /// End, ns.
    pub end: i64,
}

/// All spans of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseShare {
    /// The name.
    pub function: FunctionId,
    /// The first span of it, by place in [`Phases::spans`].
    pub first: usize,
    /// Summed length, ns.
    pub total: i64,
    /// How many.
    pub count: u64,
}

/// The phases of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// By start, cut to the range.
    pub spans: Vec<PhaseSpan>,
    /// Latest end of the spans up to each one: a bound for searching by time.
    pub latest_end: Vec<i64>,
    /// By first start.
    pub shares: Vec<PhaseShare>,
    /// Length of the run, or of the range, ns.
    pub elapsed: i64,
    /// What no phase covers, ns.
    pub unaccounted: i64,
    /// True when phases overlap, so that their sum is more than the time that passed.
    pub overlap: bool,
}

impl Phases {
    /// The spans that touch `from..to`, by start.
    pub fn between(&self, from: i64, to: i64) -> impl Iterator<Item = &PhaseSpan> {
        let start = self.latest_end.partition_point(|&end| end <= from);
        let end = self.spans.partition_point(|s| s.start < to);
        self.spans[start.min(end)..end].iter().filter(move |s| s.end > from)
    }
}

/// Computes the [`Phases`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhasesIn(pub TimeRange);

impl Query for PhasesIn {
    type Output = Phases;

    fn run(&self, cx: &Context<'_>) -> Result<Phases, Cancelled> {
        cx.job().checkpoint(0, 0)?;
        Ok(phases(cx.profile(), self.0))
    }

    fn weight(phases: &Phases) -> usize {
        phases.spans.len() * (size_of::<PhaseSpan>() + 8)
    }
}

/// The phases within `range`.
#[must_use]
pub fn phases(profile: &Profile, range: TimeRange) -> Phases {
    let bounds = range.or_else(|| profile.time_bounds());
    let (from, to) = bounds.unwrap_or((0, 0));
    let mut spans: Vec<PhaseSpan> = Vec::new();
    for id in profile.track_ids().filter(|&id| profile.track(id).kind == TrackKind::Phase) {
        for (row, span) in profile.track(id).spans.rows.iter().enumerate() {
            let (start, end) = (span.start.max(from), span.end.min(to));
            if span.depth == 0 && (start < end || span.start == span.end && start == end) {
                spans.push(PhaseSpan { function: span.function, track: id, row: row as u32, start, end });
            }
        }
    }
    spans.sort_by_key(|s| s.start);
    let mut out = Phases { elapsed: to.saturating_sub(from), spans, ..Phases::default() };
    let (mut covered, mut reached) = (0i64, from);
    for (i, span) in out.spans.iter().enumerate() {
        out.overlap |= span.start < reached;
        covered = covered.saturating_add((span.end - span.start.max(reached)).max(0));
        reached = reached.max(span.end);
        out.latest_end.push(reached);
        let length = span.end - span.start;
        match out.shares.iter_mut().find(|s| s.function == span.function) {
            Some(share) => {
                share.total = share.total.saturating_add(length);
                share.count += 1;
            }
            None => {
                out.shares.push(PhaseShare { function: span.function, first: i, total: length, count: 1 })
            }
        }
    }
    out.unaccounted = (out.elapsed - covered).max(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackSpec};

    fn profile(spans: &[(&str, i64, i64)]) -> Profile {
        let mut b = ProfileBuilder::new("test");
        let phase = b.track(TrackSpec { name: "phases", process: "", kind: TrackKind::Phase, sort: 0 });
        let other = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 1 });
        for &(name, from, to) in spans {
            let f = b.function(FunctionSpec::named(name));
            b.span(phase, from, to, f, ArgsRef::NONE);
        }
        let f = b.function(FunctionSpec::named("work"));
        b.span(other, 0, 100, f, ArgsRef::NONE);
        b.finish()
    }

    #[test]
    fn shares_repeats_and_the_rest() {
        let p = profile(&[("load", 10, 30), ("decode", 40, 60), ("decode", 60, 80)]);
        let all = phases(&p, None);
        let totals: Vec<_> = all.shares.iter().map(|s| (s.total, s.count)).collect();
        assert_eq!(totals, [(20, 1), (40, 2)]);
        assert_eq!((all.elapsed, all.unaccounted, all.overlap), (100, 40, false));
        let cut = phases(&p, Some((20, 50)));
        assert_eq!(cut.shares.iter().map(|s| s.total).collect::<Vec<_>>(), [10, 10]);
        assert_eq!((cut.elapsed, cut.unaccounted), (30, 10));
        let found: Vec<_> = all.between(30, 61).map(|s| s.start).collect();
        assert_eq!(found, [40, 60]);
    }

    #[test]
    fn overlapping_phases_are_not_counted_twice_in_the_rest() {
        let p = profile(&[("a", 0, 60), ("b", 40, 90), ("c", 50, 55)]);
        let all = phases(&p, None);
        assert!(all.overlap);
        assert_eq!(all.unaccounted, 10);
        assert_eq!(all.between(57, 58).map(|s| s.start).collect::<Vec<_>>(), [0, 40]);
        assert_eq!(phases(&ProfileBuilder::new("x").finish(), None), Phases::default());
    }
}
