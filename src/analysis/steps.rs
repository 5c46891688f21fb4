//! Steps of a run: spans that are named alike but for a number that counts up, such as `ProfilerStep#5`,
//! `ProfilerStep#6` or `decode_step_1`, `decode_step_2`.
//!
//! A loop that a person marked in a trace: its rounds follow each other on one track at one depth and do not overlap. Sums
//! over all rounds say how long the loop took; how uneven they are tells a warm-up from the rest.

use rustc_hash::FxHashMap;

use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, TrackId};
use crate::query::{Context, Query};

/// Fewest rounds of a loop.
const FEWEST: usize = 3;

/// One round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// What it is called.
    pub function: FunctionId,
    /// Start, ns.
    pub start: i64,
    /// End, ns.
    pub end: i64,
}

impl Round {
    /// Length, ns.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// All rounds of a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Their name up to the number.
    pub name: String,
    /// Their track.
    pub track: TrackId,
    /// The rounds, in order of time.
    pub rounds: Vec<Round>,
}

impl Loop {
    /// All rounds together, ns.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.rounds.iter().fold(0, |sum, r| sum.saturating_add(r.length()))
    }

    /// «ProfilerStep#*».
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}*", self.name)
    }

    /// Shortest, median and longest round, ns.
    #[must_use]
    pub fn spread(&self) -> (i64, i64, i64) {
        let mut lengths: Vec<i64> = self.rounds.iter().map(Round::length).collect();
        lengths.sort_unstable();
        let at = |i: usize| lengths.get(i).copied().unwrap_or(0);
        (at(0), at(lengths.len() / 2), at(lengths.len().saturating_sub(1)))
    }

    /// True when the longest round takes more than twice the median, or the median more than twice the shortest.
    #[must_use]
    pub fn is_uneven(&self) -> bool {
        let (min, middle, max) = self.spread();
        max > middle.saturating_mul(2) || middle > min.saturating_mul(2)
    }
}

/// Finds the loops of a profile, the longest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loops(pub TimeRange);

impl Query for Loops {
    type Output = Vec<Loop>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<Loop>, Cancelled> {
        let profile = cx.profile();
        let numbered: Vec<Option<u64>> =
            profile.functions.ids().map(|f| number(profile.function_name(f)).map(|n| n.1)).collect();
        let mut found = Vec::new();
        for track in profile.track_ids() {
            cx.job().checkpoint(0, 0)?;
            // Rows by base name and depth.
            let mut groups: FxHashMap<(&str, u32), Vec<Round>> = FxHashMap::default();
            for span in &profile.track(track).spans.rows {
                let inside = self.0.is_none_or(|(from, to)| (from..to).contains(&span.start));
                if numbered[span.function.index()].is_some()
                    && inside
                    && let Some((base, _)) = number(profile.function_name(span.function))
                {
                    let round = Round { function: span.function, start: span.start, end: span.end };
                    groups.entry((base, span.depth)).or_default().push(round);
                }
            }
            let groups = groups.into_iter().filter(|(_, rounds)| counts_up(rounds, &numbered));
            found.extend(groups.map(|((name, _), rounds)| Loop { name: name.to_owned(), track, rounds }));
        }
        // The same marks on several tracks are one loop, seen by each of them.
        found.sort_by(|a, b| {
            b.total().cmp(&a.total()).then_with(|| a.name.cmp(&b.name)).then(a.track.cmp(&b.track))
        });
        let mut seen: Vec<String> = Vec::new();
        found.retain(|l: &Loop| {
            let new = !seen.contains(&l.name);
            if new {
                seen.push(l.name.clone());
            }
            new
        });
        Ok(found)
    }

    fn weight(loops: &Vec<Loop>) -> usize {
        loops.iter().map(|l| l.name.len() + l.rounds.len() * size_of::<Round>()).sum()
    }
}

/// The name up to its last number, and that number; `None` where a name does not end with one or is nothing else.
fn number(name: &str) -> Option<(&str, u64)> {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &name[base.len()..];
    let is_name = base.chars().any(char::is_alphabetic);
    (is_name && (1..=12).contains(&digits.len())).then_some(())?;
    Some((base, digits.parse().ok()?))
}

/// True when the numbers count up by one as time goes on, and no round begins before the last one ended.
fn counts_up(rounds: &[Round], numbered: &[Option<u64>]) -> bool {
    let number = |r: &Round| numbered[r.function.index()].unwrap_or(0);
    rounds.len() >= FEWEST
        && rounds.windows(2).all(|w| number(&w[1]) == number(&w[0]) + 1 && w[1].start >= w[0].end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};

    fn loops(text: &str) -> Vec<(String, usize, i64, bool)> {
        let found = ask(&subject(text), &Loops(None));
        found.iter().map(|l| (l.label(), l.rounds.len(), l.total(), l.is_uneven())).collect()
    }

    #[test]
    fn names_that_count_up_are_a_loop() {
        assert_eq!(
            loops("main 0 100 / step_1 0 10; step_2 10 22; step_3 25 35; other 40 50"),
            [("step_*".into(), 3, 32, false)]
        );
        assert_eq!(loops("s#7 0 40; s#8 40 50; s#9 50 60; s#10 60 70"), [("s#*".into(), 4, 70, true)]);
    }

    #[test]
    fn numbers_in_any_other_order_are_names() {
        for text in [
            "step_1 0 10; step_2 10 20",
            "layer1 0 10; layer3 10 20; layer2 20 30",
            "f1 0 10; f1 10 20; f1 20 30",
            "1 0 10; 2 10 20; 3 20 30",
        ] {
            assert_eq!(loops(text), [], "{text}");
        }
    }
}
