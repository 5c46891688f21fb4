//! Rows of a table in memory, by column.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::schema::{Kind, Table};

/// A value on its way into a [`Frame`].
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    /// Unknown.
    None,
    /// A whole number, or the bits of an id.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Texts by name.
    Labels(&'a [(String, String)]),
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Cell<'_> {
    fn from(value: u64) -> Self {
        Self::Int(value.cast_signed())
    }
}

impl From<usize> for Cell<'_> {
    fn from(value: usize) -> Self {
        Self::Int(value as i64)
    }
}

impl From<u32> for Cell<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Cell<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [(String, String)]> for Cell<'a> {
    fn from(labels: &'a [(String, String)]) -> Self {
        Self::Labels(labels)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

/// A text that may be empty, which stands for unknown.
#[must_use]
pub fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Texts, of which equal ones are there once.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// The texts.
    pub all: Vec<Arc<str>>,
    places: FxHashMap<Arc<str>, u32>,
    last: u32,
}

impl Texts {
    /// The number of a text.
    pub fn place(&mut self, text: &str) -> u32 {
        // Rows of one run, rank or track follow each other.
        if self.all.get(self.last as usize).is_some_and(|last| **last == *text) {
            return self.last;
        }
        self.last = match self.places.get(text) {
            Some(&place) => place,
            None => {
                let (text, place): (Arc<str>, _) = (text.into(), self.all.len() as u32);
                self.all.push(text.clone());
                self.places.insert(text, place);
                place
            }
        };
        self.last
    }

    /// Adds a text that is known to be new, or may be there twice.
    pub fn push(&mut self, text: &str) -> u32 {
        self.all.push(text.into());
        self.all.len() as u32 - 1
    }
}

/// Labels of one row.
pub type Labels = Vec<(String, String)>;

/// Values of a column; one that is unknown stands as 0 or nothing.
#[derive(Clone, Debug)]
pub enum Values {
    /// Whole numbers and ids.
    Int(Vec<i64>),
    /// Numbers.
    Float(Vec<f64>),
    /// Texts, by number.
    Text(Vec<u32>, Texts),
    /// Labels.
    Labels(Vec<Labels>),
}

/// A column of a frame.
#[derive(Clone, Debug)]
pub struct Data {
    /// Its values, one for each row.
    pub values: Values,
    /// Which are known; empty when all are.
    pub known: Vec<bool>,
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The table.
    pub table: &'static Table,
    /// Its columns; those that were not read are empty.
    pub columns: Vec<Data>,
    /// Number of rows.
    pub rows: usize,
}

impl Frame {
    /// No rows.
    #[must_use]
    pub fn new(table: &'static Table) -> Self {
        let values = |kind| match kind {
            Kind::Int | Kind::Id => Values::Int(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Text => Values::Text(Vec::new(), Texts::default()),
            Kind::Labels => Values::Labels(Vec::new()),
        };
        let columns =
            table.columns.iter().map(|c| Data { values: values(c.kind), known: Vec::new() }).collect();
        Self { table, columns, rows: 0 }
    }

    /// Adds a row, of as many cells as the table has columns. A cell that is not of its column's kind is unknown.
    pub fn row(&mut self, cells: &[Cell<'_>]) {
        debug_assert_eq!(cells.len(), self.columns.len(), "{}", self.table.name);
        let at = self.rows;
        for (data, cell) in self.columns.iter_mut().zip(cells) {
            let known = match (&mut data.values, *cell) {
                (Values::Int(all), Cell::Int(value)) => {
                    all.push(value);
                    true
                }
                (Values::Float(all), Cell::Float(value)) => {
                    all.push(value);
                    true
                }
                (Values::Text(all, texts), Cell::Text(text)) => {
                    all.push(texts.place(text));
                    true
                }
                (Values::Labels(all), Cell::Labels(labels)) => {
                    all.push(labels.to_vec());
                    true
                }
                (values, cell) => {
                    debug_assert!(matches!(cell, Cell::None), "{}: {cell:?}", self.table.name);
                    match values {
                        Values::Int(all) => all.push(0),
                        Values::Float(all) => all.push(0.0),
                        Values::Text(all, texts) => all.push(texts.place("")),
                        Values::Labels(all) => all.push(Labels::new()),
                    }
                    false
                }
            };
            if !known && data.known.is_empty() {
                data.known = vec![true; at];
            }
            if !known || !data.known.is_empty() {
                data.known.push(known);
            }
        }
        self.rows += 1;
    }

    /// Adds a row of another frame of the same table.
    pub fn copy(&mut self, from: &Self, row: usize) {
        let cells: Vec<Cell<'_>> = from.columns.iter().map(|data| data.cell(row)).collect();
        self.row(&cells);
    }

    /// Some of its rows.
    #[must_use]
    pub fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let of = |data: &Data| Data {
            values: match &data.values {
                Values::Int(all) => Values::Int(all[rows.clone()].to_vec()),
                Values::Float(all) => Values::Float(all[rows.clone()].to_vec()),
                Values::Text(all, texts) => Values::Text(all[rows.clone()].to_vec(), texts.clone()),
                Values::Labels(all) => Values::Labels(all[rows.clone()].to_vec()),
            },
            known: if data.known.is_empty() { Vec::new() } else { data.known[rows.clone()].to_vec() },
        };
        Self { table: self.table, columns: self.columns.iter().map(of).collect(), rows: rows.len() }
    }

    fn data(&self, name: &str) -> Option<&Data> {
        self.columns.get(self.table.place(name)?)
    }

    /// The whole numbers of a column; unknown ones are 0. Empty when it was not read.
    #[must_use]
    pub fn ints(&self, name: &str) -> &[i64] {
        match self.data(name).map(|d| &d.values) {
            Some(Values::Int(all)) => all,
            _ => &[],
        }
    }

    /// A whole number, where it is known.
    #[must_use]
    pub fn int(&self, name: &str, row: usize) -> Option<i64> {
        self.data(name)?.int(row)
    }

    /// A number, where it is known.
    #[must_use]
    pub fn float(&self, name: &str, row: usize) -> Option<f64> {
        match self.data(name)?.cell(row) {
            Cell::Float(value) => Some(value),
            _ => None,
        }
    }

    /// A text; nothing where it is unknown.
    #[must_use]
    pub fn text(&self, name: &str, row: usize) -> &str {
        match self.data(name).map(|d| d.cell(row)) {
            Some(Cell::Text(text)) => text,
            _ => "",
        }
    }

    /// Texts of a column by number, and the number of each row.
    #[must_use]
    pub fn texts(&self, name: &str) -> (&[u32], &[Arc<str>]) {
        match self.data(name).map(|d| &d.values) {
            Some(Values::Text(rows, texts)) => (rows, &texts.all),
            _ => (&[], &[]),
        }
    }

    /// Labels of a row.
    #[must_use]
    pub fn labels(&self, name: &str, row: usize) -> &[(String, String)] {
        match self.data(name).map(|d| d.cell(row)) {
            Some(Cell::Labels(labels)) => labels,
            _ => &[],
        }
    }
}

impl Data {
    fn is_known(&self, row: usize) -> bool {
        self.known.get(row).copied().unwrap_or(true)
    }

    /// A whole number, where it is known.
    #[must_use]
    pub fn int(&self, row: usize) -> Option<i64> {
        match &self.values {
            Values::Int(all) if self.is_known(row) => all.get(row).copied(),
            _ => None,
        }
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        if !self.is_known(row) {
            return Cell::None;
        }
        match &self.values {
            Values::Int(all) => all.get(row).copied().into(),
            Values::Float(all) => all.get(row).copied().into(),
            Values::Text(all, texts) => all.get(row).map(|&place| &*texts.all[place as usize]).into(),
            Values::Labels(all) => all.get(row).map(Vec::as_slice).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::schema::COUNTERS;

    #[test]
    fn what_is_unknown_stays_so() {
        let mut frame = Frame::new(&COUNTERS);
        let row = |rank: Option<i64>, process: Option<&'static str>| {
            [
                "a".into(),
                rank.into(),
                "RSS".into(),
                process.into(),
                "bytes".into(),
                3usize.into(),
                1.0.into(),
                2.0.into(),
                2.5.into(),
                3.0.into(),
                7i64.into(),
            ]
        };
        frame.row(&row(Some(0), None));
        frame.row(&row(None, Some("GPU 0")));
        let mut copy = Frame::new(&COUNTERS);
        copy.copy(&frame, 1);
        copy.copy(&frame, 0);
        assert_eq!((copy.int("rank", 0), copy.int("rank", 1)), (None, Some(0)));
        assert_eq!((copy.text("process", 0), copy.text("process", 1)), ("GPU 0", ""));
        assert_eq!((copy.float("max", 1), copy.rows), (Some(3.0), 2));
    }
}
