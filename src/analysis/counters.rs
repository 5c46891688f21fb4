//! Counters over time, made small enough to draw: the extremes per pixel column, and figures over a
//! range.
//!
//! A counter is a level: a value holds until the next point, and the last one to the end of what is
//! shown. Before the first point nothing is known. A column keeps the smallest and the largest value
//! that held in it, so a short spike is never lost, whatever the zoom.

use super::scope::TimeRange;
use crate::jobs::{Cancelled, Job};
use crate::model::{Counter, CounterId};
use crate::query::{Context, Query};

/// Values of a counter within one pixel column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Smallest value that held.
    pub min: f64,
    /// Largest value that held.
    pub max: f64,
    /// Value at the column's end.
    pub last: f64,
}

/// One counter in pixel columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which counter.
    pub counter: CounterId,
    /// One cell per column; `None` where nothing is known yet.
    pub cells: Vec<Option<Cell>>,
    /// Largest value of the cells.
    pub max: f64,
    /// Smallest value of the cells.
    pub min: f64,
}

/// Counters in pixel columns of equal width over `from..to`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lod {
    /// Left edge of the first column, ns.
    pub from: i64,
    /// Right edge of the last column, ns.
    pub to: i64,
    /// One entry per counter, in the order of the question.
    pub series: Vec<Series>,
}

/// Computes the [`Lod`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CounterLod {
    /// Which counters; unknown ids are left out.
    pub counters: Vec<CounterId>,
    /// Left edge, ns.
    pub from: i64,
    /// Right edge, ns.
    pub to: i64,
    /// Number of columns, at most [`MAX_COLUMNS`].
    pub columns: u32,
}

/// Most columns of one question.
pub const MAX_COLUMNS: u32 = 16_384;

impl Query for CounterLod {
    type Output = Lod;

    fn run(&self, cx: &Context<'_>) -> Result<Lod, Cancelled> {
        let counters = &cx.profile().counters;
        let mut series = Vec::with_capacity(self.counters.len());
        for &id in &self.counters {
            if let Some(counter) = counters.get(id.index()) {
                let cells = columns(counter, self.from, self.to, self.columns.min(MAX_COLUMNS), cx.job())?;
                let known = || cells.iter().flatten();
                let max = known().map(|c| c.max).fold(f64::NEG_INFINITY, f64::max);
                let min = known().map(|c| c.min).fold(f64::INFINITY, f64::min);
                series.push(Series { counter: id, max, min, cells });
            }
        }
        Ok(Lod { from: self.from, to: self.to, series })
    }

    fn weight(lod: &Lod) -> usize {
        lod.series.iter().map(|s| s.cells.len() * size_of::<Option<Cell>>()).sum()
    }
}

/// The cells of one counter.
fn columns(
    counter: &Counter,
    from: i64,
    to: i64,
    count: u32,
    job: &Job,
) -> Result<Vec<Option<Cell>>, Cancelled> {
    let mut cells = vec![None; count as usize];
    if to <= from || count == 0 {
        return Ok(cells);
    }
    let length = i128::from(to) - i128::from(from);
    let edge = |column: usize| (i128::from(from) + length * column as i128 / i128::from(count)) as i64;
    let mut next = counter.times.partition_point(|&t| t <= from);
    let mut held = next.checked_sub(1).map(|i| counter.values[i]);
    for (i, cell) in cells.iter_mut().enumerate() {
        let end = edge(i + 1);
        let mut extremes = held.map(|v| (v, v));
        while counter.times.get(next).is_some_and(|&t| t < end) {
            let value = counter.values[next];
            extremes = Some(extremes.map_or((value, value), |(a, b)| (a.min(value), b.max(value))));
            held = Some(value);
            next += 1;
            if next % 65_536 == 0 {
                job.checkpoint(next as u64, counter.times.len() as u64)?;
            }
        }
        *cell = extremes.zip(held).map(|((min, max), last)| Cell { min, max, last });
    }
    Ok(cells)
}

/// Figures of one counter over a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Smallest value that held.
    pub min: f64,
    /// Mean, weighted by how long each value held.
    pub mean: f64,
    /// Largest value that held.
    pub max: f64,
    /// When the largest value was first reached, ns (the range's start when it held already).
    pub max_time: i64,
    /// Number of points inside the range.
    pub points: usize,
}

/// Computes the [`Figures`] of every counter; `None` for one that is not known in the range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CounterFigures(pub TimeRange);

impl Query for CounterFigures {
    type Output = Vec<Option<Figures>>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let counters = &cx.profile().counters;
        let mut all = Vec::with_capacity(counters.len());
        for (i, counter) in counters.iter().enumerate() {
            cx.job().checkpoint(i as u64, counters.len() as u64)?;
            all.push(figures(counter, self.0));
        }
        Ok(all)
    }

    fn weight(all: &Self::Output) -> usize {
        all.len() * size_of::<Option<Figures>>()
    }
}

/// Figures of `counter` over `range`. Without a range from its first to its last point.
#[must_use]
pub fn figures(counter: &Counter, range: TimeRange) -> Option<Figures> {
    let (&first, &last) = (counter.times.first()?, counter.times.last()?);
    let (from, to) = range.unwrap_or((first, last));
    let start = counter.times.partition_point(|&t| t <= from).saturating_sub(1);
    let end = counter.times.partition_point(|&t| t <= to);
    let mut figures: Option<Figures> = None;
    let (mut weight, mut sum, mut plain) = (0.0, 0.0, 0.0);
    for i in start..end {
        let (time, value) = (counter.times[i], counter.values[i]);
        let until = counter.times.get(i + 1).copied().unwrap_or(to).min(to);
        let held = (until - time.max(from)).max(0) as f64;
        weight += held;
        sum += held * value;
        plain += value;
        let inside = usize::from(time >= from);
        let f = figures.get_or_insert(Figures {
            min: value,
            mean: value,
            max: value,
            max_time: time.max(from),
            points: 0,
        });
        f.points += inside;
        f.min = f.min.min(value);
        if value > f.max {
            (f.max, f.max_time) = (value, time.max(from));
        }
    }
    if let Some(f) = &mut figures {
        f.mean = if weight > 0.0 { sum / weight } else { plain / (end - start).max(1) as f64 };
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Strings, Unit};

    fn counter(points: &[(i64, f64)]) -> Counter {
        Counter {
            name: Strings::EMPTY,
            process: Strings::EMPTY,
            unit: Unit::Bytes,
            times: points.iter().map(|p| p.0).collect(),
            values: points.iter().map(|p| p.1).collect(),
        }
    }

    fn cells(points: &[(i64, f64)], from: i64, to: i64, n: u32) -> Vec<Option<(f64, f64, f64)>> {
        let cells = columns(&counter(points), from, to, n, &Job::new()).unwrap();
        cells.into_iter().map(|c| c.map(|c| (c.min, c.max, c.last))).collect()
    }

    #[test]
    fn a_value_holds_until_the_next_and_spikes_survive() {
        let points = [(10, 1.0), (20, 5.0), (21, 2.0), (40, 3.0)];
        assert_eq!(
            cells(&points, 0, 50, 5),
            [
                None,
                Some((1.0, 1.0, 1.0)),
                Some((1.0, 5.0, 2.0)),
                Some((2.0, 2.0, 2.0)),
                Some((2.0, 3.0, 3.0)),
            ]
        );
        assert_eq!(cells(&points, 45, 60, 1), [Some((3.0, 3.0, 3.0))]);
        assert_eq!(cells(&points, 50, 50, 2), [None, None], "an empty range");
        assert_eq!(cells(&[], 0, 10, 1), [None]);
    }

    #[test]
    fn extremes_of_the_columns_are_those_of_the_counter() {
        let points: Vec<_> =
            (0..10_000).map(|i| (i * 7 % 50_000, f64::from((i * 31 % 997) as u32))).collect();
        let mut counter = counter(&points);
        counter.times.sort_unstable();
        for n in [1, 3, 100, 999] {
            let cells = columns(&counter, i64::MIN, i64::MAX, n, &Job::new()).unwrap();
            let max = cells.iter().flatten().map(|c| c.max).fold(f64::MIN, f64::max);
            assert_eq!(max, counter.values.iter().copied().fold(f64::MIN, f64::max));
        }
    }

    #[test]
    fn the_mean_weighs_by_time_and_a_range_takes_the_held_value() {
        let c = counter(&[(0, 0.0), (10, 10.0), (40, 4.0), (50, 4.0)]);
        let f = figures(&c, None).unwrap();
        assert_eq!((f.min, f.max, f.max_time, f.points), (0.0, 10.0, 10, 4));
        assert!((f.mean - (30.0 * 10.0 + 40.0) / 50.0).abs() < 1e-9);
        let f = figures(&c, Some((20, 30))).unwrap();
        assert_eq!((f.min, f.mean, f.max, f.max_time, f.points), (10.0, 10.0, 10.0, 20, 0));
        assert_eq!(figures(&c, Some((-20, -10))), None, "nothing is known before the first point");
        assert_eq!(figures(&counter(&[(5, 7.0)]), None).unwrap().mean, 7.0);
        assert_eq!(figures(&counter(&[]), None), None);
    }
}
