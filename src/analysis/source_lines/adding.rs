//! Costs and calls of lines while they are added up.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::{FileLines, LineCall, LineRow, LineTable};
use crate::model::{FunctionId, StringId};

/// Costs of lines while they are added up.
#[derive(Default)]
pub(super) struct Adding {
    pub(super) rows: FxHashMap<(StringId, u32), LineRow>,
    calls: FxHashMap<(StringId, u32, FunctionId), LineCall>,
}

impl Adding {
    pub(super) fn at(&mut self, file: StringId, line: u32) -> &mut LineRow {
        self.rows.entry((file, line)).or_insert(LineRow { line, own: 0, total: None, count: None })
    }

    /// Adds calls; `count` is `None` when they are not counted.
    pub(super) fn call(&mut self, file: StringId, call: LineCall) {
        let sum = self.calls.entry((file, call.line, call.callee)).or_insert(LineCall {
            count: None,
            cost: 0,
            ..call
        });
        sum.cost = sum.cost.saturating_add(call.cost);
        sum.count = add_counts(sum.count, call.count);
    }

    pub(super) fn finish(self, first: StringId, table: &mut LineTable) {
        let mut files: FxHashMap<StringId, FileLines> = FxHashMap::default();
        for ((file, line), row) in self.rows {
            if line == 0 {
                table.unplaced = table.unplaced.saturating_add(row.own);
                continue;
            }
            let lines =
                files.entry(file).or_insert(FileLines { file, rows: Vec::new(), calls: Vec::new(), own: 0 });
            lines.own = lines.own.saturating_add(row.own);
            lines.rows.push(row);
        }
        table.has_calls |= !self.calls.is_empty();
        for ((file, ..), call) in self.calls {
            if let Some(lines) = files.get_mut(&file).filter(|_| call.line > 0) {
                lines.calls.push(call);
            }
        }
        table.files = files.into_values().collect();
        for file in &mut table.files {
            file.calls.sort_unstable_by_key(|c| (c.line, Reverse(c.cost), c.callee));
        }
        table.files.iter_mut().for_each(|f| f.rows.sort_unstable_by_key(|r| r.line));
        table.files.sort_by_key(|f| (f.file != first, Reverse(f.own), f.file));
    }
}

pub(super) fn add_counts(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (known, None) | (None, known) => known,
    }
}
