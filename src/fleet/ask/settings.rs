//! Runs by their settings: the labels in which they differ, and what came of each setting.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rustc_hash::FxHashMap;

use super::Chosen;
use super::history::{Figure, values};
use super::requests::{Group, Sum};
use super::robust::middle;
use crate::fleet::dataset::Snapshot;
use crate::fleet::frame::Frame;
use crate::fleet::runs::{RunRow, Runs};
use crate::fleet::schema::REQUESTS;
use crate::format;

/// Labels that settings are told by unless somebody names some.
const MOST_LABELS: usize = 4;

/// A figure of several runs: one in the middle, the least and the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The median.
    pub middle: i64,
    /// The least.
    pub least: i64,
    /// The largest.
    pub most: i64,
    /// How many runs have it.
    pub runs: usize,
}

impl Spread {
    fn of(mut all: Vec<i64>) -> Option<Self> {
        let (least, most) = (*all.iter().min()?, *all.iter().max()?);
        Some(Self { runs: all.len(), middle: middle(&mut all)?, least, most })
    }
}

/// Runs with the same values of all labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Their values; «–» where a run has none.
    pub values: Vec<String>,
    /// The runs, by their ids.
    pub runs: Vec<String>,
    /// How long runs took, ns.
    pub duration: Option<Spread>,
    /// How long a step took in the middle of a run, ns.
    pub step: Option<Spread>,
    /// Requests of all its runs.
    pub requests: Group,
    /// Mean of the score [`Settings::score`], and of how many requests.
    pub quality: Option<(f64, usize)>,
}

/// All settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Labels in which runs differ.
    pub labels: Vec<String>,
    /// By the values of the labels, numbers by size.
    pub rows: Vec<Setting>,
    /// The score that most requests have; empty for none.
    pub score: String,
}

/// What is added up over files.
#[derive(Default)]
struct Sums {
    requests: FxHashMap<usize, Sum>,
    /// By setting and name: sum and number.
    scores: FxHashMap<(usize, String), (f64, usize)>,
}

/// What came of each setting. Without `by`, settings are told by the labels in which runs differ.
///
/// # Errors
/// When a file cannot be read.
pub fn settings(snapshot: &Snapshot, chosen: &Chosen, by: &[String]) -> io::Result<Settings> {
    let runs = Runs::load(snapshot)?;
    let wanted = chosen.places(&runs);
    let of = || (0u32..).zip(&runs.rows).filter(|(place, _)| wanted[*place as usize]);
    let labels =
        if by.is_empty() { differing(&of().map(|(_, run)| run).collect::<Vec<_>>()) } else { by.to_vec() };
    let mut keyed: BTreeMap<Vec<Text>, Vec<u32>> = BTreeMap::new();
    for (place, run) in of() {
        let value = |label: &String| Text(run.label(label).unwrap_or(format::UNKNOWN).to_owned());
        keyed.entry(labels.iter().map(value).collect()).or_default().push(place);
    }
    let mut setting_of = vec![None; runs.rows.len()];
    for (setting, places) in keyed.values().enumerate() {
        places.iter().for_each(|place| setting_of[*place as usize] = Some(setting));
    }
    let steps: FxHashMap<u32, i64> = values(snapshot, &runs, &wanted, &Figure::Step)?.0.into_iter().collect();
    let mut sums = requests(snapshot, &runs, &setting_of)?;
    let score = most_frequent(&sums);
    let row = |(setting, (key, places)): (usize, (&Vec<Text>, &Vec<u32>))| Setting {
        values: key.iter().map(|text| text.0.clone()).collect(),
        runs: places.iter().map(|place| runs.rows[*place as usize].id.clone()).collect(),
        duration: Spread::of(places.iter().filter_map(|p| runs.rows[*p as usize].duration).collect()),
        step: Spread::of(places.iter().filter_map(|p| steps.get(p).copied()).collect()),
        requests: sums.requests.remove(&setting).map(|sum| sum.group(String::new())).unwrap_or_default(),
        quality: sums.scores.get(&(setting, score.clone())).map(|(sum, n)| (sum / *n as f64, *n)),
    };
    Ok(Settings { rows: keyed.iter().enumerate().map(row).collect(), labels, score })
}

/// Labels in which runs differ. One that tells each run from all others, as a commit does, is none where another one does not.
fn differing(runs: &[&RunRow]) -> Vec<String> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for run in runs {
        for (name, value) in &run.labels {
            found.entry(name).or_default().insert(value);
        }
    }
    let has_all = |name: &str| runs.iter().all(|run| run.label(name).is_some());
    found.retain(|name, values| values.len() > 1 || !has_all(name));
    let repeats = |values: &BTreeSet<&str>| values.len() < runs.len();
    let some_repeat = found.values().any(repeats);
    let mut names: Vec<(usize, &str)> = found
        .iter()
        .filter(|(_, values)| !some_repeat || repeats(values))
        .map(|(name, values)| (values.len(), *name))
        .collect();
    // Those of few values first: they part the table.
    names.sort_unstable();
    names.into_iter().take(MOST_LABELS).map(|(_, name)| name.to_owned()).collect()
}

fn requests(snapshot: &Snapshot, runs: &Runs, setting_of: &[Option<usize>]) -> io::Result<Sums> {
    const COLUMNS: [&str; 6] = ["run_id", "ttft_ns", "latency_ns", "output_tokens", "outcome", "labels"];
    let each = |sums: &mut Sums, frame: &Frame| {
        let run = runs.of(frame);
        for row in 0..frame.rows {
            let Some(setting) = run(row).and_then(|place| setting_of[place as usize]) else { continue };
            sums.requests.entry(setting).or_default().take(frame, row);
            for (name, value) in frame.labels("labels", row) {
                let score = value.parse::<f64>().ok().filter(|score| score.is_finite());
                if let Some(score) = score.filter(|_| name.starts_with("score ") || name == "quality") {
                    let (sum, n) = sums.scores.entry((setting, name.clone())).or_default();
                    (*sum, *n) = (*sum + score, *n + 1);
                }
            }
        }
    };
    let mut all = Sums::default();
    for part in snapshot.scan(&REQUESTS, &COLUMNS, Sums::default, each)? {
        for (setting, sum) in part.requests {
            all.requests.entry(setting).or_default().add(&sum);
        }
        for (key, (sum, n)) in part.scores {
            let known = all.scores.entry(key).or_default();
            *known = (known.0 + sum, known.1 + n);
        }
    }
    Ok(all)
}

/// The score that most requests have, of equally many the first by name.
fn most_frequent(sums: &Sums) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for ((_, name), (_, n)) in &sums.scores {
        *counts.entry(name).or_default() += n;
    }
    // Of equal ones the last wins, so the first by name has to come last.
    counts.into_iter().rev().max_by_key(|(_, n)| *n).map(|(name, _)| name.to_owned()).unwrap_or_default()
}

/// A value of a label: numbers by their size, before texts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text(String);

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |text: &Self| text.0.parse::<f64>().ok().filter(|n| n.is_finite());
        match (number(self), number(other)) {
            (Some(a), Some(b)) => a.total_cmp(&b).then_with(|| self.0.cmp(&other.0)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(labels: &[(&str, &str)]) -> RunRow {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RunRow { labels, ..RunRow::default() }
    }

    #[test]
    fn settings_are_labels_that_differ_and_repeat() {
        let of = |rows: &[RunRow]| differing(&rows.iter().collect::<Vec<_>>());
        let sweep = [
            run(&[("batch", "1"), ("model", "a"), ("commit", "x1"), ("team", "t")]),
            run(&[("batch", "2"), ("model", "a"), ("commit", "x2"), ("team", "t")]),
            run(&[("batch", "4"), ("model", "b"), ("commit", "x3"), ("team", "t")]),
            run(&[("batch", "1"), ("model", "b"), ("commit", "x4"), ("team", "t")]),
        ];
        assert_eq!(of(&sweep), ["model", "batch"], "a commit is one run's own, the team all have");
        assert_eq!(of(&sweep[..2]), ["batch", "commit"], "where none repeats all that differ count");
        assert_eq!(of(&[run(&[("fast", "yes")]), run(&[])]), ["fast"], "also whether it is set");
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn values_are_in_order_of_size() {
        let mut values = ["16", "2", "q8", "–", "1.5", "f32"].map(|text| Text(text.to_owned()));
        values.sort();
        assert_eq!(values.map(|text| text.0), ["1.5", "2", "16", "f32", "q8", "–"]);
    }
}
