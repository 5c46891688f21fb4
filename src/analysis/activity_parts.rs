//! What kinds of work went on at each time of a track, as a stacked picture: the category of what ran innermost, or its package
//! where nobody gave it a category.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::groups::GroupBy;
use super::waiting;
use crate::jobs::{Cancelled, Job};
use crate::model::{FunctionId, Profile, Strings, TrackId};
use crate::query::{Context, Query};

/// Kinds that are told apart; the others are one.
const MOST: usize = 8;
/// Most columns.
const COLUMNS: u32 = 4096;

/// A kind of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A category or a package.
    Named(String),
    /// All that are not told apart.
    Other,
    /// Time that a function is said to wait.
    Waiting,
}

/// The kinds and how much of each column they take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stacked {
    /// Left edge of the first column, ns.
    pub from: i64,
    /// Right edge of the last column, ns.
    pub to: i64,
    /// The kinds from the largest of the whole track on; what waits comes last.
    pub parts: Vec<Part>,
    /// For each column the share of each kind, 0 to 1 in all.
    pub columns: Vec<Vec<f32>>,
}

/// Computes the [`Stacked`] of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ActivityParts {
    /// The track.
    pub track: TrackId,
    /// From when to when, ns.
    pub range: (i64, i64),
    /// Number of columns.
    pub columns: u32,
}

impl Query for ActivityParts {
    type Output = Stacked;

    fn run(&self, cx: &Context<'_>) -> Result<Stacked, Cancelled> {
        let profile = cx.profile();
        let (from, to) = self.range;
        let Some(track) = profile.tracks.get(self.track.index()).filter(|_| from < to) else {
            return Ok(Stacked::default());
        };
        let (kind_of, mut parts) = kinds(profile);
        let n = self.columns.clamp(1, COLUMNS) as usize;
        let mut sums = vec![vec![0f32; n]; parts.len()];
        let mut totals = vec![0i64; parts.len()];
        let mut add = |function: FunctionId, start: i64, end: i64| {
            let kind = kind_of[function.index()];
            totals[kind] = totals[kind].saturating_add(end.saturating_sub(start));
            spread(&mut sums[kind], (from, to), (start, end));
        };
        own_times(profile, self.track, cx.job(), &mut add)?;
        let samples = &track.samples;
        for (i, stack) in samples.stacks.iter().enumerate() {
            let (Some(stack), Some(&start)) = (stack, samples.times.get(i)) else { continue };
            let end = samples.times.get(i + 1).copied().unwrap_or(samples.end);
            let frame = profile.stacks.rows()[stack.index()].frame;
            add(profile.frames.get(frame).function, start, end);
        }
        // The largest first, what waits on top of all.
        let waiting = parts.len() - 1;
        let mut order: Vec<usize> = (0..waiting).filter(|&i| totals[i] > 0).collect();
        order.sort_by_key(|&i| (Reverse(totals[i]), i));
        let mut small = order.split_off(order.len().min(MOST));
        let named: Vec<Vec<f32>> = order.iter().map(|&i| std::mem::take(&mut sums[i])).collect();
        let mut all: Vec<(Part, Vec<f32>)> = order.iter().map(|&i| parts[i].clone()).zip(named).collect();
        if let Some(first) = small.pop() {
            let mut rest = std::mem::take(&mut sums[first]);
            for i in small {
                rest.iter_mut().zip(&sums[i]).for_each(|(sum, part)| *sum += part);
            }
            all.push((Part::Other, rest));
        }
        if totals[waiting] > 0 {
            all.push((parts.swap_remove(waiting), std::mem::take(&mut sums[waiting])));
        }
        let column = |at: usize| -> Vec<f32> {
            let shares: Vec<f32> = all.iter().map(|(_, sums)| sums[at]).collect();
            // What overlaps on several lanes fills the height, and no more.
            let whole = shares.iter().sum::<f32>().max(1.0);
            shares.into_iter().map(|share| share / whole).collect()
        };
        let columns = (0..n).map(column).collect();
        Ok(Stacked { from, to, parts: all.into_iter().map(|a| a.0).collect(), columns })
    }

    fn weight(stacked: &Stacked) -> usize {
        stacked.columns.len() * (24 + stacked.parts.len() * 4)
    }
}

/// The kind of each function, and the kinds; the last one waits.
fn kinds(profile: &Profile) -> (Vec<usize>, Vec<Part>) {
    let mut index: FxHashMap<String, usize> = FxHashMap::default();
    let mut parts: Vec<Part> = Vec::new();
    let mut kind = |name: &str| {
        *index.entry(name.to_owned()).or_insert_with(|| {
            parts.push(if name.is_empty() { Part::Other } else { Part::Named(name.to_owned()) });
            parts.len() - 1
        })
    };
    let mut of: Vec<usize> = profile
        .functions
        .ids()
        .map(|f| match profile.functions.get(f).category {
            Strings::EMPTY => kind(&GroupBy::Package.group(profile, f)),
            category => kind(profile.text(category)),
        })
        .collect();
    let waiting = parts.len();
    parts.push(Part::Waiting);
    for (f, kind) in profile.functions.ids().zip(&mut of) {
        if waiting::said(profile, f).is_some() {
            *kind = waiting;
        }
    }
    (of, parts)
}

/// The stretches of a track in which each span ran itself, and nothing that it called on its lane.
fn own_times(
    profile: &Profile,
    track: TrackId,
    job: &Job,
    add: &mut impl FnMut(FunctionId, i64, i64),
) -> Result<(), Cancelled> {
    let spans = &profile.track(track).spans;
    for lane in &spans.lanes {
        // Open spans, and up to when each of them is told.
        let mut open: Vec<(u32, i64)> = Vec::new();
        let mut close = |open: &mut Vec<(u32, i64)>, until: i64| {
            while let Some(&(row, told)) = open.last() {
                let span = &spans.rows[row as usize];
                if span.end > until {
                    return;
                }
                open.pop();
                if span.end > told {
                    add(span.function, told, span.end);
                }
                if let Some(above) = open.last_mut() {
                    above.1 = above.1.max(span.end);
                }
            }
        };
        let mut pending: Vec<(FunctionId, i64, i64)> = Vec::new();
        for row in lane.rows.clone() {
            if row % 65_536 == 0 {
                job.checkpoint(row.into(), spans.rows.len() as u64)?;
            }
            let span = &spans.rows[row as usize];
            close(&mut open, span.start);
            if let Some((above, told)) = open.last_mut() {
                if span.start > *told {
                    pending.push((spans.rows[*above as usize].function, *told, span.start));
                }
                *told = span.start.max(*told);
            }
            open.push((row, span.start));
        }
        close(&mut open, i64::MAX);
        pending.into_iter().for_each(|(function, start, end)| add(function, start, end));
    }
    Ok(())
}

/// Adds what a stretch covers of each column.
fn spread(columns: &mut [f32], (from, to): (i64, i64), (start, end): (i64, i64)) {
    if end <= from || start >= to {
        return;
    }
    let n = columns.len() as f64;
    let place = |t: i64| ((t as f64 - from as f64) / (to as f64 - from as f64) * n).clamp(0.0, n);
    let (a, b) = (place(start), place(end));
    for (column, sum) in columns.iter_mut().enumerate().take(b.ceil() as usize).skip(a as usize) {
        *sum += (b.min(column as f64 + 1.0) - a.max(column as f64)).max(0.0) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};

    fn told(text: &str, columns: u32) -> Vec<(String, Vec<f32>)> {
        let s = subject(text);
        let query = ActivityParts { track: TrackId(0), range: (0, 100), columns };
        let found = ask(&s, &query);
        let name = |part: &Part| match part {
            Part::Named(name) => name.clone(),
            Part::Other => "other".into(),
            Part::Waiting => "waiting".into(),
        };
        let of = |i: usize| found.columns.iter().map(|c| (c[i] * 100.0).round() / 100.0).collect();
        found.parts.iter().enumerate().map(|(i, part)| (name(part), of(i))).collect()
    }

    #[test]
    fn each_column_is_what_ran_innermost() {
        let spans = "main@app 0 100 / load@io 0 50 / parse@json 25 50; decode@llm 50 100";
        assert_eq!(
            told(spans, 4),
            [
                ("llm".to_owned(), vec![0.0, 0.0, 1.0, 1.0]),
                ("io".to_owned(), vec![1.0, 0.0, 0.0, 0.0]),
                ("json".to_owned(), vec![0.0, 1.0, 0.0, 0.0]),
            ],
            "main itself spends nothing"
        );
        let half = told("main@app 0 50", 2);
        assert_eq!(half, [("app".to_owned(), vec![1.0, 0.0])]);
    }

    #[test]
    fn samples_count_by_their_innermost_function() {
        let found = told("main@app>run@llm @0..50; main@app @50..100", 2);
        assert_eq!(found, [("app".to_owned(), vec![0.0, 1.0]), ("llm".to_owned(), vec![1.0, 0.0])]);
    }
}
