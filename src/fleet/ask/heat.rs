//! A figure of ranks and steps as a heatmap: values, the usual one of each step, how far from it is far, and which cell shows where
//! many share a pixel.

use super::robust::{middle, quantile, spread};
use super::steps::{Grid, StepCell};

/// What a cell shows, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// How late a rank is: how much less than the middle rank it waits for others.
    Late,
    /// How long the step took.
    Took,
    /// Time in which its GPU did anything.
    Busy,
    /// Time in which a kernel computed.
    Compute,
    /// Time in which a kernel communicated.
    Comm,
    /// Of that, time in which nothing computed.
    Exposed,
    /// Copies and sets of memory.
    Copies,
    /// Time in which its GPU did nothing.
    Idle,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Late,
        Self::Took,
        Self::Busy,
        Self::Compute,
        Self::Comm,
        Self::Exposed,
        Self::Copies,
        Self::Idle,
    ];

    /// What it is called.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Late => "Lateness",
            Self::Took => "Step time",
            Self::Busy => "GPU busy",
            Self::Compute => "Compute",
            Self::Comm => "Communication",
            Self::Exposed => "Exposed communication",
            Self::Copies => "Memory copies",
            Self::Idle => "GPU idle",
        }
    }

    /// What it means.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Late => {
                "How much less than the middle rank a rank waits in collective operations: who waits least is waited for"
            }
            Self::Took => "How long the step took; with collective operations it is the same on all ranks",
            Self::Busy => "Time in which at least one stream of the GPU worked",
            Self::Compute => "Time in which a kernel computed",
            Self::Comm => "Time in which a kernel communicated, waiting for other ranks included",
            Self::Exposed => "Communication while nothing computed",
            Self::Copies => "Time in which memory was copied or set",
            Self::Idle => "Time in which no stream of the GPU worked",
        }
    }

    /// Its value where the step alone says it.
    #[must_use]
    pub fn of(self, cell: &StepCell) -> Option<i64> {
        let gpu = cell.gpu;
        match self {
            Self::Late => None,
            Self::Took => Some(cell.took),
            Self::Busy => gpu.map(|g| cell.took.saturating_sub(g.idle)),
            Self::Compute => gpu.map(|g| g.compute),
            Self::Comm => gpu.map(|g| g.comm),
            Self::Exposed => gpu.map(|g| g.exposed),
            Self::Copies => gpu.map(|g| g.copies),
            Self::Idle => gpu.map(|g| g.idle),
        }
    }
}

/// What stands for an unknown value.
const UNKNOWN: i64 = i64::MIN;
/// So many spreads from the usual value are far.
const FAR: f64 = 12.0;
/// Less than this share of a step is never far.
const LEAST: f64 = 0.04;
/// What so many of all cells do not exceed may be the end of a scale: a few wild values must not make the others pale.
const MOST: f64 = 0.98;
/// The same of values themselves.
const MOST_VALUES: f64 = 0.995;

/// Values of ranks and steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heat {
    /// Numbers of the steps, in order.
    pub steps: Vec<i64>,
    /// Number of ranks.
    pub ranks: usize,
    /// Step by step.
    values: Vec<i64>,
    middles: Vec<i64>,
    /// Distance from the usual value of a step at which a colour is as strong as it gets, ns.
    pub far: i64,
    /// Where a scale of the values themselves begins and ends, ns; `None` without values.
    pub ends: Option<(i64, i64)>,
    /// What each rank is over all steps, by its place.
    pub sums: Vec<RankSum>,
    /// Ranks by their places, those first that lie above the usual most and longest.
    pub slowest: Vec<u32>,
}

/// A rank over all its steps, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RankSum {
    /// Its value in the middle of its steps; `None` without values.
    pub middle: Option<i64>,
    /// Its distance from the usual one, in the middle of its steps.
    pub off: Option<i64>,
    /// What it lies above the usual in all steps; no single one counts for more than [`Heat::far`].
    above: i64,
}

impl Heat {
    /// Of a measure that steps say.
    #[must_use]
    pub fn of_steps(grid: &Grid, measure: Measure) -> Self {
        let value = |cell: &Option<StepCell>| cell.as_ref().and_then(|cell| measure.of(cell));
        Self::of(grid, grid.cells.iter().map(value))
    }

    /// Of any values, step by step.
    #[must_use]
    pub fn of(grid: &Grid, values: impl Iterator<Item = Option<i64>>) -> Self {
        let values: Vec<i64> = values.map(|value| value.unwrap_or(UNKNOWN)).collect();
        let mut heat = Self { steps: grid.steps.clone(), ranks: grid.ranks, values, ..Self::default() };
        let (mut spreads, mut off, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for step in 0..heat.steps.len() {
            let mut row: Vec<i64> = heat.row(step).iter().copied().filter(|v| *v != UNKNOWN).collect();
            let usual = middle(&mut row).unwrap_or(UNKNOWN);
            heat.middles.push(usual);
            if row.len() > 2 {
                spreads.push(spread(&row, usual) as i64);
            }
            off.extend(row.iter().map(|v| v.saturating_sub(usual).saturating_abs()));
            known.append(&mut row);
        }
        let took = middle(&mut grid.cells.iter().flatten().map(|c| c.took).collect::<Vec<_>>()).unwrap_or(0);
        let usual = FAR * middle(&mut spreads).unwrap_or(0) as f64;
        heat.far = quantile(&mut off, MOST).unwrap_or(0).max(usual.max(LEAST * took as f64) as i64).max(1);
        heat.ends = quantile(&mut known, 1.0 - MOST_VALUES).zip(quantile(&mut known, MOST_VALUES));
        heat.sums = (0..heat.ranks).map(|rank| heat.sum(rank)).collect();
        heat.slowest = (0..heat.ranks as u32).collect();
        let (sums, slowest) = (&heat.sums, &mut heat.slowest);
        slowest.sort_by_key(|&rank| (std::cmp::Reverse(sums[rank as usize].above), rank));
        heat
    }

    fn sum(&self, rank: usize) -> RankSum {
        let all =
            |of: &dyn Fn(usize) -> Option<i64>| (0..self.steps.len()).filter_map(of).collect::<Vec<_>>();
        let mut off = all(&|step| self.distance(step, rank));
        let above = off.iter().fold(0i64, |sum, d| sum.saturating_add((*d).clamp(-self.far, self.far)));
        RankSum { middle: middle(&mut all(&|step| self.value(step, rank))), off: middle(&mut off), above }
    }

    fn row(&self, step: usize) -> &[i64] {
        &self.values[step * self.ranks..(step + 1) * self.ranks]
    }

    /// The value of a rank in a step, by places, ns.
    #[must_use]
    pub fn value(&self, step: usize, rank: usize) -> Option<i64> {
        let known = |v: &&i64| **v != UNKNOWN && rank < self.ranks;
        self.values.get(step * self.ranks + rank).filter(known).copied()
    }

    /// The middle one of all ranks in a step, ns.
    #[must_use]
    pub fn usual(&self, step: usize) -> Option<i64> {
        self.middles.get(step).filter(|v| **v != UNKNOWN).copied()
    }

    /// How far above that a rank is, ns.
    #[must_use]
    pub fn distance(&self, step: usize, rank: usize) -> Option<i64> {
        Some(self.value(step, rank)?.saturating_sub(self.usual(step)?))
    }

    /// The rank that is most as usual in a step: nearest to its middle value.
    #[must_use]
    pub fn most_usual(&self, step: usize) -> Option<usize> {
        let off = |rank: usize| Some((self.distance(step, rank)?.saturating_abs(), rank));
        (0..self.ranks).filter_map(off).min().map(|(_, rank)| rank)
    }

    /// True when no value is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// The picture of the ranks `order`, in so many columns and lines at most. Where several cells share a place the one shows
    /// that lies furthest from the usual, so that no rank vanishes.
    #[must_use]
    pub fn picture(&self, order: &[u32], [columns, lines]: [usize; 2]) -> Picture {
        let (columns, lines) =
            (columns.clamp(1, self.steps.len().max(1)), lines.clamp(1, order.len().max(1)));
        let mut cells = vec![NO_CELL; columns * lines];
        let mut furthest = vec![-1i64; columns * lines];
        for step in 0..self.steps.len() {
            let column = step * columns / self.steps.len();
            for (at, &rank) in order.iter().enumerate() {
                let Some(distance) = self.distance(step, rank as usize) else { continue };
                let place = at * lines / order.len() * columns + column;
                let distance = distance.saturating_abs();
                if distance > furthest[place] {
                    furthest[place] = distance;
                    cells[place] = (step * self.ranks) as u32 + rank;
                }
            }
        }
        Picture { columns, lines, cells }
    }
}

/// No cell of a picture's place has a value.
const NO_CELL: u32 = u32::MAX;

/// Which cells show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Places from left to right.
    pub columns: usize,
    /// Places from top to bottom.
    pub lines: usize,
    /// Line by line.
    cells: Vec<u32>,
}

impl Picture {
    /// Step and rank, by places, of each place, line by line; `None` where nothing is known.
    pub fn cells<'a>(&'a self, heat: &'a Heat) -> impl Iterator<Item = Option<(usize, usize)>> + 'a {
        self.cells.iter().map(|&cell| {
            let cell = (cell != NO_CELL).then_some(cell as usize)?;
            Some((cell / heat.ranks.max(1), cell % heat.ranks.max(1)))
        })
    }

    /// The cell at a place.
    #[must_use]
    pub fn at(&self, column: usize, line: usize, heat: &Heat) -> Option<(usize, usize)> {
        let cell = *self.cells.get(line * self.columns + column).filter(|cell| **cell != NO_CELL)? as usize;
        Some((cell / heat.ranks.max(1), cell % heat.ranks.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::ask::steps::GpuTimes;

    /// A job of 4,096 ranks, one of which computes longer in one step.
    fn job(ranks: usize, slow: usize) -> Grid {
        let compute = |step: usize, rank: usize| {
            let noise = (rank * 7919 + step * 104_729) % 41;
            10_000_000 + noise as i64 * 1_000 + if rank == slow && step >= 2 { 3_000_000 } else { 0 }
        };
        let cell = |step, rank| {
            let gpu = GpuTimes { compute: compute(step, rank), idle: 1_000_000, ..GpuTimes::default() };
            Some(StepCell { start: 0, took: 14_000_000, gpu: Some(gpu) })
        };
        let cells = (0..6).flat_map(|step| (0..ranks).map(move |rank| cell(step, rank))).collect();
        Grid { steps: (10..16).collect(), ranks, cells }
    }

    #[test]
    fn one_slow_rank_of_thousands_shows_in_a_low_picture() {
        let heat = Heat::of_steps(&job(4096, 2613), Measure::Compute);
        let order: Vec<u32> = (0..4096).collect();
        let picture = heat.picture(&order, [900, 300]);
        assert_eq!((picture.columns, picture.lines), (6, 300));
        let line = 2613 * 300 / 4096;
        assert_eq!(picture.at(0, line, &heat).map(|c| c.0), Some(0));
        for column in 2..6 {
            assert_eq!(
                picture.at(column, line, &heat),
                Some((column, 2613)),
                "the slow one, not its neighbours"
            );
        }
        assert_eq!(heat.slowest[0], 2613);
        assert!(heat.distance(3, 2613).unwrap() >= heat.far, "its colour is the strongest");
        assert!(heat.distance(0, 2613).unwrap().abs() < heat.far / 3, "noise is pale");
    }

    #[test]
    fn what_is_unknown_has_no_place_in_sums() {
        let mut grid = job(5, 1);
        grid.cells[0] = None;
        for cell in &mut grid.cells[10..15] {
            *cell = Some(StepCell { start: 0, took: 9, gpu: None });
        }
        let heat = Heat::of_steps(&grid, Measure::Compute);
        assert_eq!((heat.value(0, 0), heat.usual(2), heat.distance(2, 1)), (None, None, None));
        assert!(heat.value(1, 0).is_some() && heat.value(9, 0).is_none() && heat.value(0, 5).is_none());
        assert_eq!(heat.picture(&[0, 1], [10, 10]).at(0, 0, &heat), None);
        let empty = Heat::of_steps(&Grid::default(), Measure::Took);
        assert!(empty.is_empty() && empty.picture(&[], [9, 9]).at(0, 0, &empty).is_none());
        assert!(Heat::of_steps(&grid, Measure::Late).is_empty());
    }
}
