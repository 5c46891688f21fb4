//! Spans of two runs that are the same call, to see which moved in time.

use rustc_hash::FxHashMap;

use crate::analysis::matches::MatchQuery;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile, TrackId, TrackKind};
use crate::query::{Context, Pair, Query};

/// Calls of a function up to which the n-th of one run is taken for the n-th of the other: of many nobody can tell.
const MOST_CALLS: usize = 32;
/// Most pairs that are kept, the longest ones.
const MOST: usize = 256;

/// A span in its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Its track.
    pub track: TrackId,
    /// Its row there.
    pub row: u32,
    /// Start, ns since the start of its run.
    pub start: i64,
    /// Length, ns.
    pub length: i64,
}

/// The same call in both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairedSpan {
    /// In the baseline.
    pub base: At,
    /// In the new run.
    pub head: At,
}

impl PairedSpan {
    /// By how much it starts later in the new run, ns.
    #[must_use]
    pub fn shift(&self) -> i64 {
        self.head.start.saturating_sub(self.base.start)
    }
}

/// Asks for the longest spans that can be paired: functions that both runs call equally often, at most `MOST_CALLS` times; the
/// n-th call, by start, is that of the other run. The longest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairedSpans;

fn counts(profile: &Profile) -> Vec<u32> {
    let mut counts = vec![0u32; profile.functions.len()];
    for span in tracks(profile).flat_map(|id| &profile.track(id).spans.rows) {
        counts[span.function.index()] += 1;
    }
    counts
}

fn tracks(profile: &Profile) -> impl Iterator<Item = TrackId> {
    profile.track_ids().filter(|&id| {
        let kind = profile.track(id).kind;
        !kind.is_view() && kind != TrackKind::Untimed
    })
}

fn calls(profile: &Profile, wanted: &[bool]) -> FxHashMap<FunctionId, Vec<At>> {
    let start = profile.time_bounds().map_or(0, |(from, _)| from);
    let mut found: FxHashMap<FunctionId, Vec<At>> = FxHashMap::default();
    for track in tracks(profile) {
        for (row, span) in (0u32..).zip(&profile.track(track).spans.rows) {
            if wanted[span.function.index()] {
                let at = At { track, row, start: span.start.saturating_sub(start), length: span.duration() };
                found.entry(span.function).or_default().push(at);
            }
        }
    }
    found.values_mut().for_each(|calls| calls.sort_by_key(|at| (at.start, at.track, at.row)));
    found
}

impl Query<Pair> for PairedSpans {
    type Output = Vec<PairedSpan>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Self::Output, Cancelled> {
        let matches = cx.get(&MatchQuery)?;
        let (base, head) = (cx.base(), cx.head());
        let (base, head) = (&**base.profile(), &**head.profile());
        let (of_base, of_head) = (counts(base), counts(head));
        cx.job().checkpoint(0, 0)?;
        let fits = |count: u32| (1..=MOST_CALLS as u32).contains(&count);
        let mut wanted = [vec![false; of_base.len()], vec![false; of_head.len()]];
        let mut partners = Vec::new();
        for b in base.functions.ids() {
            if let Some((h, _)) = matches.to_head(b)
                && fits(of_base[b.index()])
                && of_base[b.index()] == of_head[h.index()]
            {
                (wanted[0][b.index()], wanted[1][h.index()]) = (true, true);
                partners.push((b, h));
            }
        }
        let (in_base, in_head) = (calls(base, &wanted[0]), calls(head, &wanted[1]));
        cx.job().checkpoint(0, 0)?;
        let mut pairs: Vec<PairedSpan> = Vec::new();
        for (b, h) in partners {
            if let (Some(bases), Some(heads)) = (in_base.get(&b), in_head.get(&h)) {
                pairs.extend(bases.iter().zip(heads).map(|(&base, &head)| PairedSpan { base, head }));
            }
        }
        pairs
            .sort_by_key(|p| (std::cmp::Reverse(p.base.length.max(p.head.length)), p.base.start, p.base.row));
        pairs.truncate(MOST);
        Ok(pairs)
    }

    fn weight(pairs: &Self::Output) -> usize {
        pairs.len() * size_of::<PairedSpan>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::pair;
    use crate::jobs::Job;
    use crate::query::Engine;

    #[test]
    fn the_same_call_is_found_in_both_runs_and_how_much_later_it_starts() {
        let pair = pair(
            "all 0 100 / load 0 20 / call 20 50 / call 50 90 / once 91 95",
            "all 1000 1080 / load 1000 1020 / call 1020 1050; [two]; call 1020 1060; once 1070 1071; once 1075 1076",
        );
        let spans = Engine::inline().now(&pair, &PairedSpans, &Job::new()).unwrap();
        let name = |p: &PairedSpan| {
            let base = &pair.base.profile;
            let function = base.track(p.base.track).spans.rows[p.base.row as usize].function;
            format!("{} {}", base.function_name(function), p.shift())
        };
        let found: Vec<String> = spans.iter().map(name).collect();
        assert_eq!(
            found,
            ["all 0", "call -30", "call 0", "load 0"],
            "once is called twice now: which is it?"
        );
    }
}
