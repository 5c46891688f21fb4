//! Trees that are written line by line, each line with its depth.

use crate::model::{FrameId, ProfileBuilder, StackId};

/// The lines above the one that is read, as far as they enclose it.
#[derive(Default)]
pub(in crate::import) struct Outline {
    open: Vec<(usize, StackId)>,
}

impl Outline {
    /// The stack of a line at a depth of any unit: it is below the last line of a smaller depth.
    pub fn at(&mut self, depth: usize, frame: FrameId, builder: &mut ProfileBuilder) -> StackId {
        while self.open.pop_if(|o| o.0 >= depth).is_some() {}
        let stack = builder.stack(self.open.last().map(|o| o.1), frame);
        self.open.push((depth, stack));
        stack
    }

    /// Forgets what is open: a new tree begins.
    pub fn clear(&mut self) {
        self.open.clear();
    }
}

/// Lines whose cost contains that of the lines below them.
#[derive(Default)]
pub(in crate::import) struct Totals {
    rows: Vec<(usize, StackId, i64)>,
}

impl Totals {
    /// The next line.
    pub fn add(&mut self, depth: usize, stack: StackId, total: i64) {
        self.rows.push((depth, stack, total));
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each line with its own cost: less those of the lines directly below it. Rounded numbers may make that negative;
    /// then it is 0.
    pub fn own(&self) -> Vec<(StackId, i64)> {
        let mut own: Vec<i64> = self.rows.iter().map(|r| r.2).collect();
        let mut open: Vec<usize> = Vec::new();
        for (n, &(depth, _, total)) in self.rows.iter().enumerate() {
            while open.pop_if(|&mut o| self.rows[o].0 >= depth).is_some() {}
            if let Some(&above) = open.last() {
                own[above] = own[above].saturating_sub(total);
            }
            open.push(n);
        }
        self.rows.iter().zip(own).map(|(row, own)| (row.1, own.max(0))).collect()
    }
}
