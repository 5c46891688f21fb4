//! Costs of two runs in relation to something that differs between them: their totals, their time, their work.
//!
//! Nothing is normalised unless asked. One factor a side keeps sums true; per call each row has its own, so rows no longer
//! add up. The factors are printed wherever the numbers are.

use super::functions::{DiffFunctions, Half, Row};
use super::{Compared, Two};
use crate::analysis::overview::{RequestFigures, Summary};
use crate::jobs::Cancelled;
use crate::model::Calls;
use crate::query::{Context, Pair, Query};

/// In relation to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// As recorded.
    #[default]
    Nothing,
    /// As if the baseline had cost as much as the new run.
    Total,
    /// Per second of each run.
    Second,
    /// Each row per call of its function.
    Call,
    /// Per request that ended well.
    Request,
    /// Per output token.
    Token,
}

impl Normalise {
    /// All, for lists.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Total, Self::Second, Self::Call, Self::Request, Self::Token];

    /// What choices call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Nothing => "As recorded",
            Self::Total => "Same total",
            Self::Second => "Per second",
            Self::Call => "Per call",
            Self::Request => "Per request",
            Self::Token => "Per token",
        }
    }

    /// The word of command lines and JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Total => "total",
            Self::Second => "second",
            Self::Call => "call",
            Self::Request => "request",
            Self::Token => "token",
        }
    }

    /// What stands behind the unit of a cost: «/s», «/call».
    #[must_use]
    pub fn per(self) -> &'static str {
        match self {
            Self::Nothing | Self::Total => "",
            Self::Second => "/s",
            Self::Call => "/call",
            Self::Request => "/request",
            Self::Token => "/token",
        }
    }
}

/// What a side can be related to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    /// Sum of its costs.
    pub sum: i64,
    /// Its elapsed time, ns.
    pub elapsed: Option<i64>,
    /// Requests that ended well.
    pub requests: Option<u64>,
    /// Output tokens.
    pub tokens: Option<u64>,
    /// Calls of functions, where they were counted.
    pub calls: Option<u64>,
}

impl Size {
    /// The size of a run.
    #[must_use]
    pub fn of(sum: i64, calls: Option<u64>, elapsed: Option<i64>, requests: Option<&RequestFigures>) -> Self {
        Self {
            sum,
            calls,
            elapsed,
            requests: requests.map(|r| (r.count - r.failed) as u64),
            tokens: requests.and_then(|r| r.output_tokens),
        }
    }
}

/// What costs are multiplied by.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// Costs of the baseline.
    pub base: f64,
    /// Costs of the new run.
    pub head: f64,
    /// What the factors are made of, one line; empty when nothing is normalised.
    pub legend: String,
}

impl Factors {
    /// The factors of two runs. Per call they are 1: each row is divided by its own calls.
    ///
    /// # Errors
    /// One line, when a side's size is not known or zero.
    pub fn of(normalise: Normalise, base: &Size, head: &Size) -> Result<Self, String> {
        let per = |what: &str, size: &dyn Fn(&Size) -> Option<f64>| {
            let known = |side: &Size, name: &str| {
                size(side).filter(|&s| s > 0.0).ok_or(format!("the {name} has no {what} to normalise by"))
            };
            let (b, h) = (known(base, "baseline")?, known(head, "new run")?);
            let legend = format!("per {what}: baseline ÷ {}, new run ÷ {}", number(b), number(h));
            Ok(Self { base: 1.0 / b, head: 1.0 / h, legend })
        };
        match normalise {
            Normalise::Nothing => Ok(Self { base: 1.0, head: 1.0, legend: String::new() }),
            Normalise::Call => {
                per("counted call", &|s| s.calls.map(|n| n as f64))?;
                Ok(Self { base: 1.0, head: 1.0, legend: "each row per call of its function".into() })
            }
            Normalise::Second => per("second", &|s| s.elapsed.map(|ns| ns as f64 * 1e-9)),
            Normalise::Request => per("request", &|s| s.requests.map(|n| n as f64)),
            Normalise::Token => per("output token", &|s| s.tokens.map(|n| n as f64)),
            Normalise::Total if base.sum <= 0 => Err("the baseline has no cost to normalise by".into()),
            Normalise::Total => {
                let factor = head.sum as f64 / base.sum as f64;
                let legend = format!("baseline × {factor:.4}, so that both cost the same in total");
                Ok(Self { base: factor, head: 1.0, legend })
            }
        }
    }

    /// Costs of both sides, related.
    #[must_use]
    pub fn apply(&self, costs: Two<i64>) -> Two<f64> {
        Two { base: costs.base.map(|v| v as f64 * self.base), head: costs.head.map(|v| v as f64 * self.head) }
    }
}

/// Asks how costs of a pair are related; inside, one line when the size of a side is not known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffRelated {
    /// Whose sums count.
    pub functions: DiffFunctions,
    /// In relation to what.
    pub to: Normalise,
}

impl Query<Pair> for DiffRelated {
    type Output = Result<Related, String>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Self::Output, Cancelled> {
        let diff = cx.get(&self.functions)?;
        let mut sizes = [(diff.sum.base, diff.calls.base), (diff.sum.head, diff.calls.head)]
            .map(|(sum, calls)| Size { sum: sum.unwrap_or(0), calls, ..Size::default() });
        if matches!(self.to, Normalise::Second | Normalise::Request | Normalise::Token) {
            for (size, side) in sizes.iter_mut().zip([cx.base(), cx.head()]) {
                let overview = side.get(&Summary::default())?;
                *size = Size::of(size.sum, size.calls, overview.elapsed, overview.requests.as_ref());
            }
        }
        Ok(Factors::of(self.to, &sizes[0], &sizes[1]).map(|factors| Related { to: self.to, factors }))
    }

    fn weight(_: &Self::Output) -> usize {
        64
    }
}

/// Costs of rows as they are shown: in relation to the size of the runs, or each row to its calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// In relation to what.
    pub to: Normalise,
    /// What costs are multiplied by.
    pub factors: Factors,
}

impl Default for Related {
    fn default() -> Self {
        Self { to: Normalise::Nothing, factors: Factors { base: 1.0, head: 1.0, legend: String::new() } }
    }
}

impl Related {
    fn row(&self, costs: Two<i64>, row: &Row, of: fn(Calls) -> u64) -> Two<f64> {
        if self.to != Normalise::Call {
            return self.factors.apply(costs);
        }
        let per = |cost: Option<i64>, half: Option<Half>| {
            let calls = half?.calls.map(of).filter(|&c| c > 0)?;
            Some(cost? as f64 / calls as f64)
        };
        Two { base: per(costs.base, row.halves.base), head: per(costs.head, row.halves.head) }
    }

    /// Own costs of a row; per call by all its calls.
    #[must_use]
    pub fn own(&self, row: &Row) -> Two<f64> {
        self.row(row.own(), row, |c| c.all)
    }

    /// Total costs of a row; per call by its outermost calls, whose costs they are.
    #[must_use]
    pub fn total(&self, row: &Row) -> Two<f64> {
        self.row(row.total(), row, |c| c.primitive)
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

impl Two<f64> {
    /// head − base. A side that lacks the row costs nothing there; `None` when neither has it.
    #[must_use]
    pub fn change(self) -> Option<f64> {
        self.state()?;
        Some(self.head.unwrap_or(0.0) - self.base.unwrap_or(0.0))
    }

    /// Δ as a share of base; `None` unless both sides have the row and base is positive.
    #[must_use]
    pub fn relative_change(self) -> Option<f64> {
        let (base, head) = (self.base?, self.head?);
        (base > 0.0).then(|| (head - base) / base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_total_what_did_not_change_looks_cheaper_and_the_legend_says_why() {
        let (base, head) = (Size { sum: 700, ..Size::default() }, Size { sum: 1400, ..Size::default() });
        let f = Factors::of(Normalise::Total, &base, &head).unwrap();
        assert_eq!((f.base, f.head), (2.0, 1.0));
        assert!(f.legend.contains("2.0000"));
        let f0 = f.apply(Two::both(70, 70));
        assert_eq!((f0, f0.relative_change()), (Two { base: Some(140.0), head: Some(70.0) }, Some(-0.5)));
    }

    #[test]
    fn a_size_that_is_not_known_is_no_one() {
        let size = Size { sum: 1, elapsed: Some(2_000_000_000), ..Size::default() };
        assert!(Factors::of(Normalise::Second, &size, &Size { elapsed: Some(0), ..size }).is_err());
        assert!(Factors::of(Normalise::Request, &size, &size).unwrap_err().contains("no request"));
        assert_eq!(Factors::of(Normalise::Second, &size, &size).unwrap().base, 0.5);
    }
}
