//! Spans of two runs that are the same call, to see which moved in time.

use rustc_hash::FxHashMap;

use crate::analysis::matches::MatchQuery;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile, SpanKey, TrackId, TrackKind};
use crate::query::{Context, Pair, Query};

/// Calls of a function up to which the n-th of one run is taken for the n-th of the other: of many nobody can tell.
const MOST_CALLS: usize = 32;
/// Most pairs that are kept, the longest ones.
const MOST: usize = 256;
/// Calls whose callers are looked up for the partner of one span, at most.
const MOST_LOOKED_UP: usize = 4_000_000;

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

/// Asks which span of the other run is the same call: under the same call of its caller the n-th one of as many, otherwise the
/// n-th of as few in the whole run. `None` where nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartnerSpan {
    /// The span.
    pub span: SpanKey,
    /// True for one of the baseline.
    pub of_base: bool,
}

/// The places of calls among which one is looked for.
fn under(profile: &Profile, calls: &[At], caller: Option<(TrackId, u32)>) -> Vec<At> {
    let is = |at: &&At| profile.span_ancestors(at.track, at.row).nth(1) == caller;
    calls.iter().filter(is).copied().collect()
}

fn nth_of_as_many(here: &[At], there: &[At], span: (TrackId, u32)) -> Option<(TrackId, u32)> {
    let nth = here.iter().position(|at| (at.track, at.row) == span)?;
    let other = there.get(nth).filter(|_| here.len() == there.len())?;
    Some((other.track, other.row))
}

impl Query<Pair> for PartnerSpan {
    type Output = Option<SpanKey>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Self::Output, Cancelled> {
        let matches = cx.get(&MatchQuery)?;
        let (base, head) = (cx.base(), cx.head());
        let (base, head) = (&**base.profile(), &**head.profile());
        let (here, there) = if self.of_base { (base, head) } else { (head, base) };
        let Some((track, row)) = here.find_span(self.span) else { return Ok(None) };
        let partner = |f| if self.of_base { matches.to_head(f) } else { matches.to_base(f) };
        let mut way: Vec<(TrackId, u32)> = here.span_ancestors(track, row).collect();
        way.reverse();
        let function = |(track, row): (TrackId, u32)| here.track(track).spans.rows[row as usize].function;
        let mut wanted = [vec![false; here.functions.len()], vec![false; there.functions.len()]];
        for &span in &way {
            wanted[0][function(span).index()] = true;
            if let Some((other, _)) = partner(function(span)) {
                wanted[1][other.index()] = true;
            }
        }
        let (in_here, in_there) = (calls(here, &wanted[0]), calls(there, &wanted[1]));
        let none = Vec::new();
        let mut left = MOST_LOOKED_UP;
        // The caller, and what it is in the other run; an outermost span has none in either.
        let mut above: Option<[Option<(TrackId, u32)>; 2]> = Some([None, None]);
        let mut found = None;
        for &span in &way {
            cx.job().checkpoint(0, 0)?;
            let of_here = in_here.get(&function(span)).unwrap_or(&none);
            let of_there = partner(function(span)).and_then(|(f, _)| in_there.get(&f)).unwrap_or(&none);
            let few = of_here.len().max(of_there.len()) <= MOST_CALLS;
            let work = of_here.len() + of_there.len();
            let nested = above.filter(|_| work <= left).and_then(|[caller, other]| {
                left -= work;
                nth_of_as_many(&under(here, of_here, caller), &under(there, of_there, other), span)
            });
            found = nested.or_else(|| nth_of_as_many(of_here, of_there, span).filter(|_| few));
            above = found.map(|other| [Some(span), Some(other)]);
        }
        Ok(found.and_then(|(track, row)| there.span_key(track, row)))
    }

    fn weight(_: &Self::Output) -> usize {
        64
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

    /// For each call of `name` in the baseline when the call of the new run starts that it is.
    fn partners(base: &str, head: &str, name: &str) -> Vec<Option<i64>> {
        let pair = pair(base, head);
        let run = &pair.base.profile;
        let mut starts = Vec::new();
        for track in run.track_ids() {
            for (row, span) in (0u32..).zip(&run.track(track).spans.rows) {
                if run.function_name(span.function) == name {
                    let span = run.span_key(track, row).unwrap();
                    let found = Engine::inline()
                        .now(&pair, &PartnerSpan { span, of_base: true }, &Job::new())
                        .unwrap();
                    if let Some(there) = *found {
                        let back = PartnerSpan { span: there, of_base: false };
                        let back = Engine::inline().now(&pair, &back, &Job::new()).unwrap();
                        assert_eq!(*back, Some(span), "the partner of a partner");
                    }
                    starts.push(found.map(|there| there.start));
                }
            }
        }
        starts
    }

    #[test]
    fn a_span_is_found_in_the_other_run_under_its_caller_whatever_its_clock_says() {
        let base = "all 0 100 / load 0 20 / read 5 10; call 20 90 / read 30 40 / read 50 60";
        let head = "all 1000 1100 / load 1000 1030 / read 1001 1002; read 1003 1004; call 1040 1090 / read 1050 1060 / read 1070 1080";
        assert_eq!(partners(base, head, "call"), [Some(1040)]);
        let reads = partners(
            "all 0 100 / load 0 20 / read 5 10; call 20 90 / read 30 40",
            "all 1000 1100 / load 1000 1030 / read 1001 1002; call 1040 1090 / read 1050 1060; call 1091 1095",
            "read",
        );
        assert_eq!(reads, [Some(1001), Some(1050)], "equally many in the whole run");
        let more = partners(
            "all 0 100 / load 0 20 / read 5 10; call 20 90 / read 30 40",
            "all 1000 1100 / load 1000 1030 / read 1001 1002; call 1040 1090 / read 1050 1060; call 1091 1095 / read 1092 1093",
            "read",
        );
        assert_eq!(more, [Some(1001), None], "which call it is under, nobody can tell");
    }
}
