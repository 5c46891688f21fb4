//! Memory by step of a loop: how much was held at most in each round, and how much more after it than before.

use super::scope::TimeRange;
use super::steps::{Loops, Round};
use crate::jobs::Cancelled;
use crate::model::{Counter, CounterId, Profile, Unit};
use crate::query::{Context, Query};

/// Memory of one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepBytes {
    /// The round.
    pub round: Round,
    /// Most bytes during it.
    pub peak: f64,
    /// Bytes at its end less those at its begin; `None` where nothing is known before it.
    pub change: Option<f64>,
}

/// Memory of the rounds of a loop by one counter.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMemory {
    /// What counted it.
    pub counter: CounterId,
    /// Its name.
    pub name: String,
    /// «ProfilerStep#*».
    pub steps: String,
    /// The rounds of which it is known, in order.
    pub rounds: Vec<StepBytes>,
}

impl StepMemory {
    /// Smallest, median and largest peak, bytes.
    #[must_use]
    pub fn spread(&self) -> [f64; 3] {
        let mut peaks: Vec<f64> = self.rounds.iter().map(|r| r.peak).collect();
        peaks.sort_by(f64::total_cmp);
        let at = |i: usize| peaks.get(i).copied().unwrap_or(0.0);
        [at(0), at(peaks.len() / 2), at(peaks.len().saturating_sub(1))]
    }
}

/// Most counters.
const COUNTERS: usize = 3;

/// Computes the [`StepMemory`] of the longest loop, for counters of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryOfSteps(pub TimeRange);

impl Query for MemoryOfSteps {
    type Output = Vec<StepMemory>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<StepMemory>, Cancelled> {
        let profile = cx.profile();
        let loops = cx.get(&Loops(self.0))?;
        let Some(longest) = loops.first() else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for (i, counter) in profile.counters.iter().enumerate().filter(|(_, c)| is_memory(profile, c)) {
            cx.job().checkpoint(0, 0)?;
            let rounds: Vec<StepBytes> =
                longest.rounds.iter().filter_map(|r| of_round(counter, *r)).collect();
            if !rounds.is_empty() {
                let (counter, name) = (CounterId::from_index(i), profile.text(counter.name).to_owned());
                out.push(StepMemory { counter, name, steps: longest.label(), rounds });
            }
        }
        // The memory that most is held of comes first.
        out.sort_by(|a, b| b.spread()[2].total_cmp(&a.spread()[2]));
        out.truncate(COUNTERS);
        Ok(out)
    }

    fn weight(all: &Vec<StepMemory>) -> usize {
        all.iter().map(|m| m.rounds.len() * size_of::<StepBytes>() + m.name.len()).sum()
    }
}

/// A counter of bytes that are held, rather than of bytes that passed.
fn is_memory(profile: &Profile, counter: &Counter) -> bool {
    let name = profile.text(counter.name).to_lowercase();
    let held = ["alloc", "memory", "reserved", "rss", "heap"].iter().any(|word| name.contains(word));
    counter.unit == Unit::Bytes && held && !counter.times.is_empty()
}

fn of_round(counter: &Counter, round: Round) -> Option<StepBytes> {
    let from = counter.times.partition_point(|t| *t <= round.start);
    let to = counter.times.partition_point(|t| *t <= round.end);
    let before = from.checked_sub(1).map(|i| counter.values[i]);
    let inside = &counter.values[from..to];
    let peak = before.into_iter().chain(inside.iter().copied()).reduce(f64::max)?;
    let end = inside.last().copied().or(before);
    Some(StepBytes { round, peak, change: end.zip(before).map(|(end, before)| end - before) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::{ArgsRef, FunctionSpec, TrackKind, TrackSpec};

    #[test]
    fn each_step_has_its_peak_and_what_it_left_behind() {
        let run = built(|b| {
            let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
            for i in 0..3i64 {
                let step = b.function(FunctionSpec::named(&format!("ProfilerStep#{i}")));
                b.span(track, i * 100, i * 100 + 100, step, ArgsRef::NONE);
            }
            let held = b.counter("GPU 0 allocated", "", Unit::Bytes);
            for (time, bytes) in [(0, 10.0), (50, 90.0), (90, 20.0), (150, 70.0), (190, 30.0)] {
                b.point(held, time, bytes);
            }
            let passed = b.counter("bytes read", "", Unit::Bytes);
            b.point(passed, 0, 1.0);
        });
        let all = ask(&run, &MemoryOfSteps(None));
        let [found] = &all[..] else { panic!("{all:?}") };
        let told: Vec<_> = found.rounds.iter().map(|r| (r.peak, r.change)).collect();
        assert_eq!(told, [(90.0, Some(10.0)), (70.0, Some(10.0)), (30.0, Some(0.0))]);
        assert_eq!((found.spread(), found.steps.as_str()), ([30.0, 70.0, 90.0], "ProfilerStep#*"));
    }
}
