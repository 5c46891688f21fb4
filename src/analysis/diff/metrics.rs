//! Which metrics of two runs can be subtracted.

use super::Two;
use super::settings::{interval, same_interval};
use crate::analysis::formula::{self, Measure};
use crate::format;
use crate::model::{Metric, MetricId, MetricKey, Profile, SAMPLES};
use crate::query::Subject;

/// The metrics of two runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The same measure on both sides: same key, unit and name.
    pub common: Vec<MetricKey>,
    /// Only in the baseline, or there in another unit.
    pub only_base: Vec<MetricKey>,
    /// Only in the new run, or there in another unit.
    pub only_head: Vec<MetricKey>,
}

/// The metric that a comparison shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// What it is in the baseline.
    pub base: MetricKey,
    /// What it is in the new run: the same, where the two can be subtracted.
    pub head: MetricKey,
    /// Why the two cannot be subtracted, in one line: only their shares are compared.
    pub why_not: Option<String>,
}

impl Chosen {
    /// One that both runs have.
    #[must_use]
    pub fn common(key: MetricKey) -> Self {
        Self { base: key, head: key, why_not: None }
    }

    /// What it is in the baseline and in the new run; of a run without costs, which may have requests and figures, nothing.
    #[must_use]
    pub fn measures(&self, base: &Profile, head: &Profile) -> [Measure; 2] {
        let of = |key, p| Measure::of(key, p).unwrap_or_else(|| Measure::nothing(key));
        [of(self.base, base), of(self.head, head)]
    }
}

fn same(a: &Metric, b: &Metric) -> bool {
    a.key == b.key && a.unit == b.unit && a.label == b.label
}

impl Metrics {
    /// Pairs the metrics of two profiles.
    #[must_use]
    pub fn of(base: &Profile, head: &Profile) -> Self {
        let parts = |of: &Profile, other: &Profile| -> (Vec<MetricKey>, Vec<MetricKey>) {
            let there = |key: MetricKey| other.find_metric(key).map(|id| other.metric(id));
            let both = |key: &MetricKey| {
                let found = of.find_metric(*key).zip(there(*key));
                found.is_some_and(|(id, there)| {
                    same(of.metric(id), there) && (there.key != SAMPLES || same_rate(of, other))
                })
            };
            of.metric_ids().map(|id| of.metric_key(id)).partition(both)
        };
        let ((mut common, only_base), (_, only_head)) = (parts(base, head), parts(head, base));
        // The first ones of both, whichever is base.
        let place = |p: &Profile, key: MetricKey| p.find_metric(key).map_or(usize::MAX / 2, MetricId::index);
        common.sort_by_key(|&key| (place(base, key) + place(head, key), key.key.to_string()));
        Self { common, only_base, only_head }
    }

    /// The metric of this key or label; without a name the first common one. Where there is none the first of each
    /// side, of which only shares compare.
    ///
    /// # Errors
    /// One line, when no side has a metric of that name.
    pub fn choose(&self, base: &Profile, head: &Profile, name: Option<&str>) -> Result<Chosen, String> {
        let is = |p: &Profile, id: MetricId| {
            let m = p.metric(id);
            name.is_none_or(|n| m.key == n || m.label == n)
        };
        let common = |key: &&MetricKey| base.find_metric(**key).is_some_and(|id| is(base, id));
        if let Some(&key) = self.common.iter().find(common) {
            return Ok(Chosen::common(key));
        }
        let first = |p: &Profile| p.metric_ids().find(|&id| is(p, id));
        match (first(base), first(head), name) {
            (Some(b), Some(h), _) => {
                let why_not = Some(match same(base.metric(b), head.metric(h)) {
                    true => other_rates(base, head),
                    false => why_not(base.metric(b), head.metric(h)),
                });
                Ok(Chosen { base: base.metric_key(b), head: head.metric_key(h), why_not })
            }
            (None, None, Some(name)) => {
                let known: Vec<_> = self.common.iter().map(|key| &**key.key.value()).collect();
                let known =
                    if known.is_empty() { "they have none in common".into() } else { known.join(", ") };
                Err(format!("no metric «{name}» in either run; in both: {known}"))
            }
            (Some(_), None, Some(name)) => Err(format!("metric «{name}» is only in the baseline")),
            (None, Some(_), Some(name)) => Err(format!("metric «{name}» is only in the new run")),
            (b, h, None) => {
                let key = |p: &Profile, id: Option<MetricId>| {
                    id.map_or_else(MetricKey::default, |id| p.metric_key(id))
                };
                let which = match (b, h) {
                    (None, None) => "neither run has",
                    (None, _) => "the baseline does not have",
                    _ => "the new run does not have",
                };
                let why_not = Some(format!("{which} costs of functions"));
                Ok(Chosen { base: key(base, b), head: key(head, h), why_not })
            }
        }
    }

    /// Keys of the metrics that one side lacks.
    #[must_use]
    pub fn missing(&self) -> Two<Vec<String>> {
        let keys = |keys: &[MetricKey]| keys.iter().map(|key| key.key.to_string()).collect();
        Two::both(keys(&self.only_base), keys(&self.only_head))
    }
}

/// The metric that a pair is shown in when `wanted` was chosen: that one if both runs have it, or if its formula means the
/// same in both; else their first common one.
///
/// # Errors
/// One line, when a run has no costs.
pub fn shown(wanted: MetricKey, base: &Profile, head: &Profile) -> Result<Chosen, String> {
    let key = formula::shown(wanted, head);
    let of = |p| Measure::of(key, p).map(|m| (m.unit, m.label));
    if formula::shown(key, base) == key && of(base).is_some() && of(base) == of(head) {
        return Ok(Chosen::common(key));
    }
    let metrics = Metrics::of(base, head);
    let label = head.find_metric(key).map(|id| head.metric(id).label.clone());
    metrics.choose(base, head, label.as_deref()).or_else(|_| metrics.choose(base, head, None))
}

/// The metric that views of `subject` show when `wanted` was chosen; of two runs in the later one.
#[must_use]
pub fn shown_of(subject: &Subject, wanted: MetricKey) -> MetricKey {
    let pair = subject.pair().and_then(|p| shown(wanted, &p.base.profile, &p.head.profile).ok());
    pair.map_or_else(|| formula::shown(wanted, subject.profile()), |chosen| chosen.head)
}

/// Counts of samples are of one rate, as far as the runs say.
fn same_rate(base: &Profile, head: &Profile) -> bool {
    let rates = interval(base).zip(interval(head));
    rates.is_none_or(|(base, head)| same_interval(base, head))
}

fn other_rates(base: &Profile, head: &Profile) -> String {
    let of = |p: &Profile| interval(p).map_or_else(|| format::UNKNOWN.to_owned(), format::duration_exact);
    format!(
        "the runs were sampled every {} and every {}, so counts of samples cannot be subtracted; shares are compared",
        of(base),
        of(head)
    )
}

fn why_not(base: &Metric, head: &Metric) -> String {
    let say = |m: &Metric| format!("«{}» ({})", m.label, m.unit.key().replace('_', " "));
    format!(
        "{} and {} are different measures and cannot be subtracted; shares are compared",
        say(base),
        say(head)
    )
}
