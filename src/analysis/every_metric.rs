//! Functions with their costs in every metric: what reports and exported tables list.

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::formula::Measure;
use super::functions::{FunctionRow, FunctionTable, Functions};
use super::path::Symbol;
use super::scope::{Scope, Slice, TimeRange};
use crate::jobs::Cancelled;
use crate::model::{Calls, MetricKey};
use crate::query::{Context, Query};

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricRow {
    /// What it is.
    pub symbol: Symbol,
    /// Calls, where counted.
    pub calls: Option<Calls>,
    /// Samples in which it was the innermost frame, where there are any.
    pub samples: Option<u64>,
    /// Calls that had not ended.
    pub unfinished: u64,
    /// False when the file has no costs of the function itself; they are 0 then, and mean nothing.
    pub measured: bool,
    /// Self and total, in the order of [`Measure::all`].
    pub costs: Vec<(i64, i64)>,
}

/// Computes the rows, by own cost in the first metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct EveryMetric {
    /// Which part.
    pub scope: Scope,
    /// Which time.
    pub range: TimeRange,
    /// Metrics that a person defined, after those of the profile.
    pub defined: Vec<MetricKey>,
}

impl Query for EveryMetric {
    type Output = Vec<MetricRow>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<MetricRow>, Cancelled> {
        let metrics = Measure::all(cx.profile(), &self.defined);
        let mut rows: Vec<MetricRow> = Vec::new();
        let mut place: FxHashMap<(bool, u32), usize> = FxHashMap::default();
        for (i, metric) in metrics.iter().enumerate() {
            let slice = Slice { scope: self.scope.clone(), metric: metric.key, range: self.range };
            let table: Arc<FunctionTable> = cx.get(&Functions(slice))?;
            let more = table.rows.len().saturating_sub(rows.len());
            rows.reserve(more);
            place.reserve(more);
            for r in &table.rows {
                let symbol = r.symbol();
                let at = *place.entry(symbol.key()).or_insert_with(|| {
                    let costs = vec![(0, 0); metrics.len()];
                    let measured = r.measured;
                    rows.push(MetricRow {
                        symbol,
                        calls: None,
                        samples: None,
                        unfinished: 0,
                        measured,
                        costs,
                    });
                    rows.len() - 1
                });
                rows[at].add(i, r);
            }
        }
        rows.sort_by_key(|r| r.costs.first().map(|c| (Reverse(c.0), Reverse(c.1))));
        Ok(rows)
    }

    fn weight(rows: &Vec<MetricRow>) -> usize {
        rows.iter().map(|r| size_of::<MetricRow>() + r.costs.len() * 16).sum()
    }
}

impl MetricRow {
    /// Self and total in one of the metrics, where they are known.
    #[must_use]
    pub fn known(&self, metric: usize) -> Option<(i64, i64)> {
        self.costs.get(metric).copied().filter(|_| self.measured)
    }

    fn add(&mut self, metric: usize, row: &FunctionRow) {
        self.costs[metric] = (row.own, row.total);
        // A metric that some spans lack counts fewer of them: the fullest count is the truth.
        self.calls = match (self.calls, row.calls) {
            (Some(a), Some(b)) => Some(if b.all > a.all { b } else { a }),
            (a, b) => a.or(b),
        };
        self.samples = self.samples.max(row.samples);
        self.unfinished = self.unfinished.max(row.unfinished);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};

    #[test]
    fn a_row_has_the_costs_of_all_metrics() {
        let s = subject("main 0 100 alloc=64 / load~ 10 0 alloc=24; load 200 205; idle 205 205");
        let rows = ask(&s, &EveryMetric::default());
        let text = |r: &MetricRow| {
            format!("{} {:?} {:?}", r.symbol.label(&s.profile), r.calls.map(|c| c.all), r.costs)
        };
        assert_eq!(
            rows.iter().map(text).collect::<Vec<_>>(),
            [
                "load Some(2) [(95, 95), (24, 24)]",
                "main Some(1) [(10, 100), (40, 64)]",
                "idle Some(1) [(0, 0), (0, 0)]"
            ]
        );
        assert_eq!(rows.iter().map(|r| r.unfinished).collect::<Vec<_>>(), [1, 0, 0]);
    }
}
