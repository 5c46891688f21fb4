//! Distributions that a program keeps as counts by buckets: of Prometheus, and of OpenTelemetry.

use rustc_hash::FxHashMap;

use crate::format;
use crate::model::{ResultTable, Unit};

/// How many values were up to which edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::import) struct Buckets {
    /// Counts of values up to an edge, by the bits of the edge.
    up_to: FxHashMap<u64, f64>,
    /// Sum of the values.
    pub sum: Option<f64>,
    /// How many values.
    pub count: Option<f64>,
}

impl Buckets {
    /// States how many values are up to an edge, all below included.
    pub fn set(&mut self, edge: f64, count: f64) {
        // 0 and −0 are one edge.
        self.up_to.insert((edge + 0.0).to_bits(), count);
    }

    /// The edges in order, each with how many values are up to it.
    fn in_order(&self) -> Vec<(f64, f64)> {
        let mut all: Vec<_> =
            self.up_to.iter().map(|(edge, count)| (f64::from_bits(*edge), *count)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    /// How many values there are; `None` for none.
    fn all(&self, edges: &[(f64, f64)]) -> Option<f64> {
        self.count.or_else(|| edges.last().map(|edge| edge.1)).filter(|n| *n > 0.0)
    }
}

/// The quantile by linear interpolation in its bucket, and true; of the last bucket, which has no end, its begin, and false.
fn quantile(edges: &[(f64, f64)], q: f64) -> Option<(f64, bool)> {
    let rank = q * edges.last()?.1;
    let at = edges.iter().position(|edge| edge.1 >= rank)?;
    let (high, count) = edges[at];
    // Values are seldom below 0, and nobody says how far.
    let (low, below) = if at == 0 { (high.min(0.0), 0.0) } else { edges[at - 1] };
    if !high.is_finite() {
        return (at > 0).then_some((low, false));
    }
    let inside = count - below;
    Some((if inside > 0.0 { low + (high - low) * (rank - below) / inside } else { high }, true))
}

/// The table of distributions, each with its name, unit and what values are multiplied by; `None` where none has a value.
pub(in crate::import) fn table<'a>(
    all: impl IntoIterator<Item = (String, (Unit, f64), &'a Buckets)>,
    since: &str,
) -> Option<ResultTable> {
    let mut rows = Vec::new();
    for (name, (unit, factor), buckets) in all {
        let edges = buckets.in_order();
        let Some(count) = buckets.all(&edges) else { continue };
        let value = |value: Option<f64>| match value.map(|v| v * factor).filter(|v| v.is_finite()) {
            None => format::UNKNOWN.to_owned(),
            Some(v) if matches!(unit, Unit::Nanoseconds | Unit::Bytes) => format::cost(unit, v as i64),
            Some(v) => format::number(v),
        };
        let at = |q: f64| match quantile(&edges, q) {
            Some((of, true)) => value(Some(of)),
            Some((least, false)) => format!("> {}", value(Some(least))),
            None => value(None),
        };
        rows.push(vec![
            name,
            format::count(count as i64),
            value(buckets.sum.map(|sum| sum / count)),
            at(0.5),
            at(0.95),
            at(0.99),
        ]);
    }
    (!rows.is_empty()).then(|| ResultTable {
        title: "Histograms".into(),
        columns: ["Histogram", "Count", "Mean", "p50 ≈", "p95 ≈", "p99 ≈"].map(str::to_owned).to_vec(),
        rows,
        note: format!(
            "{since} Quantiles are estimates: they are interpolated in buckets; beyond the last bucket with an end they \
             are above it."
        ),
        minor: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_their_buckets() {
        let mut b = Buckets { sum: Some(2.0), ..Buckets::default() };
        for (edge, count) in [(0.1, 6.0), (0.5, 9.0), (f64::INFINITY, 10.0)] {
            b.set(edge, count);
        }
        let row = |b: &Buckets, unit| {
            let all = table([("h".to_owned(), unit, b)], "").map(|t| t.rows[0][1..].join(" · "));
            all.unwrap_or_default()
        };
        let seconds = (Unit::Nanoseconds, 1e9);
        assert_eq!(row(&b, seconds), "10 · 200 ms · 83.3 ms · > 500 ms · > 500 ms");
        // Whoever counted all values may have counted more than the buckets say.
        b.count = Some(20.0);
        assert!(row(&b, seconds).starts_with("20 · 100 ms"));
        assert_eq!(row(&Buckets::default(), seconds), "");
        let only_counted = Buckets { count: Some(4.0), sum: Some(100.0), ..Buckets::default() };
        assert_eq!(row(&only_counted, (Unit::Tokens, 1.0)), "4 · 25 · – · – · –");
    }
}
