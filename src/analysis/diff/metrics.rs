//! Which metrics of two runs can be subtracted.

use super::Two;
use crate::model::{Metric, MetricId, Profile};

/// The metrics of two runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The same measure on both sides: same key, unit and name.
    pub common: Vec<(MetricId, MetricId)>,
    /// Only in the baseline, or there in another unit.
    pub only_base: Vec<MetricId>,
    /// Only in the new run, or there in another unit.
    pub only_head: Vec<MetricId>,
}

/// The metric that a comparison shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// Its id on both sides.
    pub base: MetricId,
    /// The same.
    pub head: MetricId,
    /// Why the two cannot be subtracted, in one line: only their shares are compared.
    pub why_not: Option<String>,
}

fn same(a: &Metric, b: &Metric) -> bool {
    a.key == b.key && a.unit == b.unit && a.label == b.label
}

impl Metrics {
    /// Pairs the metrics of two profiles.
    #[must_use]
    pub fn of(base: &Profile, head: &Profile) -> Self {
        let partner =
            |m: &Metric, of: &Profile| of.metrics.iter().position(|o| same(m, o)).map(MetricId::from_index);
        let common: Vec<_> = base
            .metric_ids()
            .filter_map(|id| partner(base.metric(id), head).map(|other| (id, other)))
            .collect();
        let left = |of: &Profile, other: &Profile| {
            of.metric_ids().filter(|&id| partner(of.metric(id), other).is_none()).collect()
        };
        let (only_base, only_head) = (left(base, head), left(head, base));
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
        if let Some(&(b, h)) = self.common.iter().find(|&&(b, _)| is(base, b)) {
            return Ok(Chosen { base: b, head: h, why_not: None });
        }
        let first = |p: &Profile| p.metric_ids().find(|&id| is(p, id));
        match (first(base), first(head), name) {
            (Some(b), Some(h), _) => {
                Ok(Chosen { base: b, head: h, why_not: Some(why_not(base.metric(b), head.metric(h))) })
            }
            (None, None, Some(name)) => {
                let known: Vec<_> = self.common.iter().map(|&(b, _)| base.metric(b).key.as_str()).collect();
                let known =
                    if known.is_empty() { "they have none in common".into() } else { known.join(", ") };
                Err(format!("no metric «{name}» in either run; in both: {known}"))
            }
            (Some(_), None, Some(name)) => Err(format!("metric «{name}» is only in the baseline")),
            (None, Some(_), Some(name)) => Err(format!("metric «{name}» is only in the new run")),
            _ => Err("one of the runs has no costs".into()),
        }
    }

    /// Keys of the metrics that one side lacks.
    #[must_use]
    pub fn missing(&self, base: &Profile, head: &Profile) -> Two<Vec<String>> {
        let keys = |p: &Profile, ids: &[MetricId]| ids.iter().map(|&id| p.metric(id).key.clone()).collect();
        Two { base: Some(keys(base, &self.only_base)), head: Some(keys(head, &self.only_head)) }
    }
}

fn why_not(base: &Metric, head: &Metric) -> String {
    let say = |m: &Metric| format!("«{}» ({})", m.label, m.unit.key().replace('_', " "));
    format!(
        "{} and {} are different measures and cannot be subtracted; shares are compared",
        say(base),
        say(head)
    )
}
