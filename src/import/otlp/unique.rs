//! Each span once, and a span in the place of one of which only parts came.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::row::Row;
use crate::model::ProfileBuilder;

/// Spans without those that came twice: a batch that was sent again holds the same ones, and of one that is sent while it runs
/// the last counts.
#[derive(Default)]
pub(super) struct Unique {
    pub(super) rows: Vec<Row>,
    known: HashMap<(u128, u64), usize>,
    duplicates: u64,
    /// The first one that came twice.
    first: String,
}

impl Unique {
    pub(super) fn of(rows: Vec<Row>) -> Self {
        let mut unique = Self { known: HashMap::with_capacity(rows.len()), ..Self::default() };
        rows.into_iter().for_each(|row| drop(unique.add(row)));
        unique
    }

    /// Adds a span; gives one that it takes the place of, or itself where it says nothing new.
    pub(super) fn add(&mut self, row: Row) -> Option<Row> {
        let Some(&at) = self.known.get(&(row.trace, row.id)) else {
            self.known.insert((row.trace, row.id), self.rows.len());
            self.rows.push(row);
            return None;
        };
        if self.duplicates == 0 {
            self.first.clone_from(&row.name);
        }
        self.duplicates += 1;
        let kept = &mut self.rows[at];
        if kept.end.is_none() || row.end > kept.end { Some(std::mem::replace(kept, row)) } else { Some(row) }
    }

    /// How many came twice.
    #[cfg(feature = "workloads")]
    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Keeps only some.
    #[cfg(feature = "workloads")]
    pub(super) fn retain(&mut self, keep: impl FnMut(&Row) -> bool) {
        self.rows.retain(keep);
        self.known.clear();
        self.known.extend(self.rows.iter().enumerate().map(|(at, row)| ((row.trace, row.id), at)));
    }

    pub(super) fn report(&self, b: &mut ProfileBuilder) {
        b.warn_many("duplicate span (same trace and span id, a retried batch)", &self.first, self.duplicates);
    }
}

/// What a span is called of which only parts came.
const NOT_RECEIVED: &str = "span not received";
const WHY: &str = "spans inside it came, itself not: exporters send a span when it has ended";

/// A span for each parent that did not come and is known to be of the same process, or, while the program `runs`, is not known
/// to be of another one. It begins with its first part and ends, unless it runs, with its last.
pub(super) fn provisional(rows: &[Row], runs: bool) -> Vec<Row> {
    let known: HashSet<(u128, u64)> = rows.iter().map(|row| (row.trace, row.id)).collect();
    let is_here = |row: &&Row| match row.remote {
        Some(remote) => !remote,
        None => runs,
    };
    let parts = || rows.iter().filter(|row| row.parent != 0 && !known.contains(&(row.trace, row.parent)));
    let whole = |row: &Row| Row {
        trace: row.trace,
        id: row.parent,
        name: NOT_RECEIVED.to_owned(),
        start: row.start,
        end: (!runs).then_some(row.start),
        attributes: vec![("note".to_owned(), Value::from(WHY))],
        resource: row.resource,
        scope: row.scope,
        provisional: true,
        ..Row::default()
    };
    let mut missing: HashMap<(u128, u64), Row> =
        parts().filter(is_here).map(|row| ((row.trace, row.parent), whole(row))).collect();
    for row in parts() {
        let Some(whole) = missing.get_mut(&(row.trace, row.parent)) else { continue };
        whole.start = whole.start.min(row.start);
        if let Some(end) = &mut whole.end {
            *end = (*end).max(row.end.unwrap_or(row.start));
        }
    }
    let mut missing: Vec<Row> = missing.into_values().collect();
    missing.sort_by_key(|row| (row.start, row.trace, row.id));
    missing
}
