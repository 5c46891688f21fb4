//! Where lifelines, arrows, bars and frames of a sequence stand. Pure.
//!
//! Time goes down. Each arrow has a line of its own; between two of them there is room by the time that passes, as long as that is
//! neither too little to read nor too much to look at: what would be too much is broken, and says how long it is.

use crate::analysis::trace::sequence::{Block, Busy, Says, Sequence};

/// Room that an arrow needs.
const LEAST: f32 = 30.0;
/// Room between two arrows at most.
const MOST: f32 = 120.0;
/// Room for the title of a frame.
const TITLE: f32 = 20.0;
/// Room for times at the left.
pub(super) const TIMES: f32 = 84.0;
/// Room above the first arrow.
const ABOVE: f32 = 26.0;
/// Width of a lifeline at least.
const LINE: f32 = 120.0;

/// A gap that is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gap {
    /// Its middle.
    pub y: f32,
    /// How long it is, ns.
    pub length: i64,
}

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Framed {
    /// Number of the block.
    pub block: usize,
    pub top: f32,
    pub bottom: f32,
    /// Frames around it.
    pub depth: u32,
}

/// Places.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// The middle of each lifeline.
    pub lines: Vec<f32>,
    /// The height of each arrow.
    pub arrows: Vec<f32>,
    pub gaps: Vec<Gap>,
    pub frames: Vec<Framed>,
    pub width: f32,
    pub height: f32,
    /// Times of arrows and their heights, ascending.
    marks: Vec<(i64, f32)>,
}

impl Plan {
    /// Places for a sequence in an area of this size.
    pub fn of(sequence: &Sequence, width: f32, height: f32) -> Self {
        let mut out = Self::default();
        let n = sequence.lines.len().max(1) as f32;
        let room = ((width - TIMES - 24.0) / n).max(LINE);
        out.lines = (0..sequence.lines.len()).map(|i| TIMES + room * (i as f32 + 0.5)).collect();
        out.width = TIMES + room * n + 12.0;
        let times: Vec<i64> = sequence.arrows.iter().map(|a| a.time).collect();
        let whole = times.last().zip(times.first()).map_or(0, |(b, a)| b.saturating_sub(*a)).max(1);
        let spare = (height - 2.0 * ABOVE - LEAST * times.len() as f32).max(120.0);
        let scale = spare / whole as f32;
        let mut y = ABOVE;
        for (i, &time) in times.iter().enumerate() {
            if let Some(before) = i.checked_sub(1).map(|b| times[b]) {
                let gap = time.saturating_sub(before);
                let wanted = LEAST + gap as f32 * scale;
                let step = wanted.min(MOST);
                if wanted > MOST {
                    out.gaps.push(Gap { y: y + step / 2.0, length: gap });
                }
                y += step;
            }
            // Frames that begin here have their titles above.
            let begins = |b: &&Block| {
                let before = i.checked_sub(1).map_or(i64::MIN, |b| times[b]);
                b.from <= time && b.from > before
            };
            y += TITLE * sequence.blocks.iter().filter(begins).count() as f32;
            out.arrows.push(y);
            out.marks.push((time, y));
        }
        out.height = y + ABOVE + 8.0;
        out.frame(&sequence.blocks);
        out
    }

    fn frame(&mut self, blocks: &[Block]) {
        for (block, of) in blocks.iter().enumerate() {
            let first = self.marks.partition_point(|m| m.0 < of.from);
            let last = self.marks.partition_point(|m| m.0 <= of.to);
            let Some((top, bottom)) = self.marks.get(first).zip(last.checked_sub(1).map(|l| self.marks[l]))
            else {
                continue;
            };
            let around = |b: &&Block| b.from <= of.from && b.to >= of.to && *b != of;
            let depth = blocks.iter().filter(around).count() as u32;
            // Titles of frames that begin at the same arrow stand above each other, the outermost at the top.
            let inside = |b: &(usize, &Block)| {
                let begins = self.marks.partition_point(|m| m.0 < b.1.from) == first;
                begins && (b.1.to < of.to || b.1.to == of.to && b.0 > block)
            };
            let inner = blocks.iter().enumerate().filter(inside).count();
            let top = top.1 - LEAST * 0.6 - TITLE * (1.0 + inner as f32) + 6.0;
            let bottom = bottom.1 + 10.0 + 3.0 * inner as f32;
            self.frames.push(Framed { block, top, bottom: bottom.max(top + TITLE), depth });
        }
    }

    /// Upper and lower end of a bar: at the call and the answer of its own step where these have its times.
    pub fn bar(&self, sequence: &Sequence, busy: &Busy) -> (f32, f32) {
        let own = |time: i64, is: &dyn Fn(Says) -> bool| {
            let first = self.marks.partition_point(|m| m.0 < time);
            let last = self.marks.partition_point(|m| m.0 <= time);
            let of = sequence.arrows[first..last].iter().position(|a| a.step == busy.step && is(a.says));
            of.map(|at| self.marks[first + at].1)
        };
        let top = own(busy.from, &|says| says == Says::Call).or_else(|| own(busy.from, &|_| true));
        let bottom = own(busy.to, &|says| says != Says::Call).or_else(|| own(busy.to, &|_| true));
        let top = top.unwrap_or_else(|| self.y(busy.from, false));
        (top, bottom.unwrap_or_else(|| self.y(busy.to, false)).max(top))
    }

    /// The height of a time; `end` for the last arrow of that time rather than the first.
    pub fn y(&self, time: i64, end: bool) -> f32 {
        let at = match end {
            true => self.marks.partition_point(|m| m.0 <= time),
            false => self.marks.partition_point(|m| m.0 < time),
        };
        let exact = if end { at.checked_sub(1) } else { Some(at) };
        if let Some(mark) = exact.and_then(|at| self.marks.get(at)).filter(|m| m.0 == time) {
            return mark.1;
        }
        let (before, after) = (at.checked_sub(1).and_then(|b| self.marks.get(b)), self.marks.get(at));
        match (before, after) {
            (Some(a), Some(b)) => {
                let share = (time - a.0) as f64 / (b.0 - a.0).max(1) as f64;
                a.1 + (b.1 - a.1) * share as f32
            }
            (Some(a), None) => a.1 + LEAST / 2.0,
            (None, Some(b)) => b.1 - LEAST / 2.0,
            (None, None) => ABOVE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::trace::sequence::{Arrow, Line, Role, Says};

    fn sequence(times: &[i64]) -> Sequence {
        let line = |name: &str| Line { role: Role::Caller, name: name.into() };
        let arrow = |&time: &i64| Arrow {
            time,
            from: 0,
            to: 1,
            says: Says::Call,
            label: String::new(),
            took: None,
            step: 0,
        };
        Sequence {
            lines: vec![line("a"), line("b")],
            arrows: times.iter().map(arrow).collect(),
            ..Sequence::default()
        }
    }

    #[test]
    fn time_goes_down_each_arrow_has_room_and_long_gaps_are_broken() {
        let plan = Plan::of(&sequence(&[0, 0, 1000, 1_000_000]), 600.0, 500.0);
        assert!(plan.arrows.windows(2).all(|w| w[1] - w[0] >= LEAST), "{:?}", plan.arrows);
        assert_eq!(plan.gaps.iter().map(|g| g.length).collect::<Vec<_>>(), [999_000]);
        assert!(plan.gaps[0].y > plan.arrows[2] && plan.gaps[0].y < plan.arrows[3]);
        assert_eq!((plan.y(0, false), plan.y(0, true)), (plan.arrows[0], plan.arrows[1]));
        let (a, b) = (plan.y(1000, false), plan.y(1_000_000, false));
        assert!(plan.y(500_000, false) > a && plan.y(500_000, true) < b);
        assert!(plan.lines[1] - plan.lines[0] >= LINE && plan.lines[0] > TIMES);
        assert!(plan.y(-5, false) < plan.arrows[0] && plan.y(9_000_000, true) > plan.arrows[3]);
        assert!(Plan::of(&sequence(&[]), 100.0, 10.0).arrows.is_empty());
    }

    #[test]
    fn frames_hold_their_arrows_and_have_room_for_a_title() {
        let mut of = sequence(&[0, 10, 20, 30]);
        of.blocks.push(Block { parallel: true, label: String::new(), from: 10, to: 20 });
        let plan = Plan::of(&of, 600.0, 500.0);
        let frame = plan.frames[0];
        assert!(frame.top > plan.arrows[0] && frame.top + TITLE <= plan.arrows[1] + 6.0);
        assert!(frame.bottom > plan.arrows[2] && frame.bottom < plan.arrows[3]);
    }
}
