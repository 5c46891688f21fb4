//! Boxes, and a row's boxes at one level of detail, whatever holds them.

use super::Who;
use crate::model::Span;

/// A box of any level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlameBox {
    /// Start, in units of the axis.
    pub start: i64,
    /// End, not before the start.
    pub end: i64,
    /// The function, of the longest one when boxes are folded.
    pub who: Who,
    /// Index of the box in its row; of a run of folded boxes that of one of them.
    pub first: u32,
}

impl FlameBox {
    /// Length in units of the axis.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// A box of rows that hold their boxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub start: i64,
    pub end: i64,
    pub who: Who,
    pub id: u32,
}

/// One level of a row, finest or folded.
#[derive(Clone, Copy)]
pub enum Level<'a> {
    /// Folded boxes.
    Folded(&'a [FlameBox]),
    /// Spans in the order of `.1`.
    Spans(&'a [Span], &'a [u32]),
    /// Boxes of their own.
    Leaves(LeafSlice<'a>),
}

/// Boxes of a row that holds its boxes.
#[derive(Clone, Copy)]
pub struct LeafSlice<'a>(pub(super) &'a [Leaf]);

impl Level<'_> {
    /// Number of boxes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Folded(boxes) => boxes.len(),
            Self::Spans(_, order) => order.len(),
            Self::Leaves(leaves) => leaves.0.len(),
        }
    }

    /// True when there are no boxes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Box number `i`.
    #[must_use]
    pub fn get(&self, i: usize) -> FlameBox {
        match self {
            Self::Folded(boxes) => boxes[i],
            Self::Spans(spans, order) => {
                let span = &spans[order[i] as usize];
                let who = Who::new(span.function).with_status(span.status);
                FlameBox { start: span.start, end: span.end, who, first: i as u32 }
            }
            Self::Leaves(leaves) => {
                let leaf = &leaves.0[i];
                FlameBox { start: leaf.start, end: leaf.end, who: leaf.who, first: i as u32 }
            }
        }
    }

    /// Start of box `i`, without reading the rest of it.
    #[must_use]
    pub fn start(&self, i: usize) -> i64 {
        match self {
            Self::Folded(boxes) => boxes[i].start,
            Self::Spans(spans, order) => spans[order[i] as usize].start,
            Self::Leaves(leaves) => leaves.0[i].start,
        }
    }

    /// First box from `from` on for which `before` is false; the boxes are parted by it.
    #[must_use]
    pub fn partition(&self, from: usize, before: impl Fn(&FlameBox) -> bool) -> usize {
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(&self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
