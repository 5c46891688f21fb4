//! The spans of a lane in order of time: each opens, has time of its own between its callees, and closes.

use std::ops::Range;

use crate::model::{NO_ROW, Span, SpanTable};

/// What happens next on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The span of this row opens.
    Open(u32),
    /// It is the innermost one from a time to another. Of a span without length both are the same.
    Own(u32, i64, i64),
    /// It closes.
    Close(u32),
}

/// All steps of a lane. A span that opens is followed by its time, so a walk costs by the number of spans.
#[derive(Clone, Debug)]
pub struct LaneWalk<'a> {
    rows: &'a [Span],
    left: Range<u32>,
    /// Open rows, outermost first.
    open: Vec<u32>,
    /// Up to here all time was given out.
    at: i64,
    /// The innermost row opened just now and has no length.
    empty: bool,
}

impl<'a> LaneWalk<'a> {
    /// The steps of lane `lane`.
    #[must_use]
    pub fn new(spans: &'a SpanTable, lane: usize) -> Self {
        let left = spans.lanes.get(lane).map_or(0..0, |lane| lane.rows.clone());
        Self { rows: &spans.rows, left, open: Vec::new(), at: i64::MIN, empty: false }
    }

    /// The next row, when it stands in `top` or nothing is open.
    fn next_row(&self, top: Option<u32>) -> Option<u32> {
        let next = (!self.left.is_empty()).then_some(self.left.start)?;
        let parent = self.rows[next as usize].parent;
        (top == Some(parent) || (top.is_none() && parent == NO_ROW)).then_some(next)
    }
}

impl Iterator for LaneWalk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let top = self.open.last().copied();
        let next = self.next_row(top);
        if let Some(top) = top {
            let until = next.map_or(self.rows[top as usize].end, |next| self.rows[next as usize].start);
            if self.at < until || std::mem::take(&mut self.empty) {
                let from = std::mem::replace(&mut self.at, until);
                self.empty = false;
                return Some(Step::Own(top, from, until));
            }
        }
        match (next, top) {
            (Some(next), _) => {
                let span = &self.rows[next as usize];
                (self.at, self.empty) = (span.start, span.start == span.end);
                self.open.push(next);
                self.left.start += 1;
                Some(Step::Open(next))
            }
            (None, Some(top)) => {
                self.open.pop();
                Some(Step::Close(top))
            }
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::profile;
    use proptest::prelude::*;

    fn steps(text: &str) -> String {
        let p = profile(text);
        let step = |step| match step {
            Step::Open(row) => format!("+{row}"),
            Step::Own(row, from, to) => format!("{row}:{from}..{to}"),
            Step::Close(row) => format!("-{row}"),
        };
        LaneWalk::new(&p.tracks[0].spans, 0).map(step).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn time_is_given_to_the_innermost_span() {
        assert_eq!(
            steps("a 0 100 / b 0 40 / c 10 20; d 150 160"),
            "+0 +1 1:0..10 +2 2:10..20 -2 1:20..40 -1 0:40..100 -0 +3 3:150..160 -3"
        );
        assert_eq!(
            steps("a 0 10 / b 0 0 / c 10 10; d 12 12"),
            "+0 +1 1:0..0 -1 0:0..10 -0 +2 2:10..10 -2 +3 3:12..12 -3"
        );
        assert_eq!(steps("a 0 10; a 10 20"), "+0 0:0..10 -0 +1 1:10..20 -1");
        assert_eq!(steps("a 5 5 / b 5 5"), "+0 0:5..5 -0 +1 1:5..5 -1");
    }

    proptest! {
        #[test]
        fn own_times_are_durations_less_callees(spans in proptest::collection::vec((0i64..50, 0i64..30), 1..30)) {
            let text: Vec<_> = spans.iter().map(|(s, d)| format!("f {s} {}", s + d)).collect();
            let p = profile(&text.join(";"));
            let spans = &p.tracks[0].spans;
            let mut own: Vec<i64> = spans.rows.iter().map(Span::duration).collect();
            for span in spans.rows.iter().filter(|s| s.parent != NO_ROW) {
                own[span.parent as usize] -= span.duration();
            }
            let (mut opened, mut closed) = (0, 0);
            for lane in 0..spans.lanes.len() {
                let mut at = i64::MIN;
                for step in LaneWalk::new(spans, lane) {
                    match step {
                        Step::Open(_) => opened += 1,
                        Step::Close(_) => closed += 1,
                        Step::Own(row, from, to) => {
                            prop_assert!(at <= from && from <= to);
                            at = to;
                            own[row as usize] -= to - from;
                        }
                    }
                }
            }
            prop_assert_eq!((opened, closed), (spans.rows.len(), spans.rows.len()));
            prop_assert!(own.iter().all(|&o| o == 0), "{own:?}");
        }
    }
}
