//! How one figure of requests is distributed.

use super::asked::Asked;
use super::latency::chunk_gaps;
use super::overview::Distribution;
use super::requests::{Listed, RequestColumn};
use crate::jobs::Cancelled;
use crate::model::{Outcome, RequestId};
use crate::query::{Context, Query};

/// Requests by the value of a figure, in steps of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Width of a step, in the figure's unit; the first begins at the smallest value.
    pub width: f64,
    /// Requests in each of [`STEPS`].
    pub counts: Vec<usize>,
    /// Order statistics of the values.
    pub values: Distribution,
}

/// Steps of a histogram.
pub const STEPS: usize = 36;

/// Computes the [`Histogram`] of a figure of the requests that ended well; `None` where fewer than two have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestHistogram {
    /// Which figure; what things cost is not one of them.
    pub figure: RequestColumn,
    /// Which requests.
    pub asked: Asked,
}

impl Query for RequestHistogram {
    type Output = Option<Histogram>;

    fn run(&self, cx: &Context<'_>) -> Result<Option<Histogram>, Cancelled> {
        let rows = &cx.profile().requests.rows;
        let ids = self.asked.ids(cx)?;
        let done = ids.iter().map(|id| &rows[id.index()]).filter(|r| r.outcome == Outcome::Ok);
        let values = done
            .filter_map(|r| self.figure.number(&Listed::new(r, None)))
            .filter(|v| v.is_finite())
            .collect();
        cx.job().checkpoint(0, 0)?;
        Ok(histogram(values))
    }

    fn weight(_: &Option<Histogram>) -> usize {
        STEPS * size_of::<usize>()
    }
}

/// Computes the [`Histogram`] of the times between chunks of answers, ns; `None` where fewer than two are known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GapHistogram {
    /// Which requests.
    pub asked: Asked,
    /// Of one of them alone.
    pub only: Option<RequestId>,
}

impl Query for GapHistogram {
    type Output = Option<Histogram>;

    fn run(&self, cx: &Context<'_>) -> Result<Option<Histogram>, Cancelled> {
        let rows = &cx.profile().requests.rows;
        let ids = match self.only {
            Some(id) => vec![id],
            None => self.asked.ids(cx)?,
        };
        let wanted = ids.iter().filter_map(|id| rows.get(id.index()));
        let done = wanted.filter(|r| self.only.is_some() || r.outcome == Outcome::Ok);
        let gaps = chunk_gaps(done);
        cx.job().checkpoint(0, 0)?;
        Ok(histogram(gaps))
    }

    fn weight(_: &Option<Histogram>) -> usize {
        STEPS * size_of::<usize>()
    }
}

fn histogram(values: Vec<f64>) -> Option<Histogram> {
    let of = Distribution::of(values.clone()).filter(|d| d.n > 1)?;
    let width = ((of.max - of.min) / STEPS as f64).max(1.0);
    let mut counts = vec![0; STEPS];
    for value in values {
        counts[(((value - of.min) / width) as usize).min(STEPS - 1)] += 1;
    }
    Some(Histogram { width, counts, values: of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let h = histogram((0..=360).map(f64::from).collect()).unwrap();
        assert_eq!((h.width, h.counts.iter().sum::<usize>()), (10.0, 361));
        // The largest value belongs to the last step.
        assert_eq!((h.counts[0], h.counts[STEPS - 1]), (10, 11));
        assert_eq!((h.values.p50, h.values.p95), (180.0, 342.0));
        // All the same: one step, and no width of nothing.
        assert_eq!(histogram(vec![7.0; 3]).unwrap().counts[0], 3);
        assert_eq!(histogram(vec![7.0]), None);
    }
}
