//! Coarser levels of a row: what is shorter than a pixel is folded into runs beforehand.
//!
//! A level of length `w` joins neighbours that both are shorter than `w` and start in the same cell of a
//! fixed grid of `w`. So a run is never longer than `2 w`, a run does not change while the chart is moved,
//! and a layout with `w` = one pixel meets a few boxes for each pixel. A run keeps the function of its
//! longest part, and the mark of an error in any part.
//!
//! A level is kept when it halves the one before it, so all levels together are no larger than the row.

use super::{FlameBox, Level};
use crate::jobs::{Cancelled, Job};

/// Rows with fewer boxes have no coarser levels.
pub const WORTH_IT: usize = 256;

/// The levels of one row, from fine to coarse.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Length `w` and the boxes.
    levels: Vec<(i64, Vec<FlameBox>)>,
}

impl Levels {
    /// Folds `finest`; the grid starts at `origin`.
    pub(super) fn build(finest: Level<'_>, origin: i64, job: &Job) -> Result<Self, Cancelled> {
        let mut levels: Vec<(i64, Vec<FlameBox>)> = Vec::new();
        let mut width = first_width(&finest);
        let mut kept = finest.len();
        let parts = (0..finest.len()).map(|i| Run::single(finest.get(i)));
        let mut runs = fold(parts, finest.len(), width, origin);
        while kept >= WORTH_IT {
            job.checkpoint(0, 0)?;
            if runs.len() <= kept / 2 {
                kept = runs.len();
                levels.push((width, runs.iter().map(|run| run.folded).collect()));
            }
            if width >= i64::MAX / 4 {
                break;
            }
            width *= 2;
            let expected = runs.len();
            runs = fold(runs.into_iter(), expected, width, origin);
        }
        Ok(Self { levels })
    }

    /// The coarsest level of at most `least` units.
    #[must_use]
    pub fn for_length(&self, least: f64) -> Option<&[FlameBox]> {
        let after = self.levels.partition_point(|(width, _)| *width as f64 <= least);
        after.checked_sub(1).map(|i| self.levels[i].1.as_slice())
    }

    /// Lengths of the levels, ascending.
    pub fn widths(&self) -> impl Iterator<Item = i64> + '_ {
        self.levels.iter().map(|(width, _)| *width)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.levels.iter().map(|(_, boxes)| boxes.len() * size_of::<FlameBox>()).sum()
    }
}

/// The smallest power of two under which a quarter of all steps from start to start are.
fn first_width(level: &Level<'_>) -> i64 {
    let mut by_log = [0usize; 64];
    for i in 1..level.len() {
        let step = level.start(i).saturating_sub(level.start(i - 1)).max(0);
        by_log[(64 - step.leading_zeros()) as usize % 64] += 1;
    }
    let mut below = 0;
    for (log, count) in by_log.iter().enumerate() {
        below += count;
        if below * 4 >= level.len() {
            return 1i64 << log.min(60);
        }
    }
    1 << 60
}

/// A run while levels are built.
struct Run {
    folded: FlameBox,
    /// Length of the longest box in it, which gives it its function.
    longest: i64,
}

impl Run {
    fn single(folded: FlameBox) -> Self {
        Self { folded, longest: folded.length() }
    }

    fn join(&mut self, next: &Self) {
        let (mine, other) = (self.folded.who, next.folded.who);
        if next.longest > self.longest {
            self.longest = next.longest;
            self.folded.who = other.with_error_of(mine);
        } else {
            self.folded.who = mine.with_error_of(other);
        }
        self.folded.end = self.folded.end.max(next.folded.end);
    }
}

fn fold(parts: impl Iterator<Item = Run>, expected: usize, width: i64, origin: i64) -> Vec<Run> {
    let cell = |run: &Run| run.folded.start.saturating_sub(origin).div_euclid(width);
    let mut out: Vec<Run> = Vec::with_capacity(expected / 2 + 1);
    // The cell of the last run while it can still grow.
    let mut growing: Option<i64> = None;
    for part in parts {
        let short = part.folded.length() < width;
        let here = cell(&part);
        match out.last_mut() {
            Some(run) if short && growing == Some(here) => run.join(&part),
            _ => {
                growing = short.then_some(here);
                out.push(part);
            }
        }
    }
    out
}
