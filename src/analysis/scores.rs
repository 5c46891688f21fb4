//! Scores that evaluations gave: of a request itself, or of the trace that it was made in.
//!
//! Scores of different names have scales of their own, so only scores of one name have a mean: the one that most requests have.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Profile, Request, RequestId, StringId, TRACE, TRACE_SCORE};

/// A score by its name.
#[derive(Clone, Debug)]
pub(super) struct Score {
    /// «score faithful».
    pub name: String,
    label: StringId,
    /// Where it is one of traces, the label that tells them apart.
    trace: Option<StringId>,
}

/// The mean of scores, each counted once.
#[derive(Clone, Debug, Default)]
pub(super) struct Mean {
    sum: f64,
    n: usize,
    traces: FxHashSet<StringId>,
}

impl Score {
    /// The score that most of the requests have, of equally many the first by name.
    pub fn of_most(profile: &Profile, ids: &[RequestId]) -> Option<Self> {
        let mut counts: FxHashMap<StringId, usize> = FxHashMap::default();
        let mut is_score: FxHashMap<StringId, bool> = FxHashMap::default();
        for &id in ids {
            for &(label, value) in &profile.requests.rows[id.index()].attributes {
                let names_one = *is_score.entry(label).or_insert_with(|| names_score(profile.text(label)));
                if names_one && number(profile, value).is_some() {
                    *counts.entry(label).or_default() += 1;
                }
            }
        }
        let order = |(label, n): &(StringId, usize)| (*n, std::cmp::Reverse(profile.text(*label)));
        let (label, _) = counts.into_iter().max_by(|a, b| order(a).cmp(&order(b)))?;
        let name = profile.text(label);
        let trace = name.starts_with(TRACE_SCORE).then(|| profile.strings.find(TRACE)).flatten();
        Some(Self { name: name.to_owned(), label, trace })
    }

    /// Counts the score of a request; one of a trace only with the first of its requests.
    pub fn add(&self, profile: &Profile, r: &Request, mean: &mut Mean) {
        let Some(score) = r.attribute(self.label).and_then(|value| number(profile, value)) else { return };
        let trace = self.trace.and_then(|label| r.attribute(label));
        if trace.is_none_or(|trace| mean.traces.insert(trace)) {
            mean.sum += score;
            mean.n += 1;
        }
    }
}

impl Mean {
    /// The mean and how many scores it is of.
    pub fn get(&self) -> Option<(f64, usize)> {
        (self.n > 0).then(|| (self.sum / self.n as f64, self.n))
    }
}

fn names_score(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    label.starts_with("score") || label.starts_with(TRACE_SCORE) || label == "quality"
}

fn number(profile: &Profile, value: StringId) -> Option<f64> {
    profile.text(value).parse().ok().filter(|score: &f64| score.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProfileBuilder;

    fn mean(requests: &[&[(&str, &str)]]) -> Option<(String, f64, usize)> {
        let mut b = ProfileBuilder::new("test");
        for labels in requests {
            let attributes = labels.iter().map(|(name, value)| (b.string(name), b.string(value))).collect();
            b.request(Request { attributes, ..Request::default() });
        }
        let profile = b.finish();
        let ids: Vec<_> = (0..requests.len() as u32).map(RequestId).collect();
        let score = Score::of_most(&profile, &ids)?;
        let mut mean = Mean::default();
        profile.requests.rows.iter().for_each(|r| score.add(&profile, r, &mut mean));
        mean.get().map(|(mean, n)| (score.name, mean, n))
    }

    #[test]
    fn scores_of_different_names_are_never_one_mean() {
        let both: &[_] = &[("score faithful", "0.8"), ("score stars", "4")];
        let found = mean(&[both, &[("score faithful", "0.4")], &[("score stars", "good")]]);
        let (name, value, n) = found.unwrap();
        assert_eq!((name.as_str(), n), ("score faithful", 2));
        assert!((value - 0.6).abs() < 1e-9);
        assert_eq!(mean(&[&[("scenario", "7")], &[]]), None);
    }

    #[test]
    fn a_score_of_a_trace_counts_once() {
        let of = |trace, score| [("trace", trace), ("trace score helpful", score)];
        let found = mean(&[&of("a", "1"), &of("a", "1"), &of("a", "1"), &of("b", "0")]);
        assert_eq!(found, Some(("trace score helpful".into(), 0.5, 2)));
    }
}
