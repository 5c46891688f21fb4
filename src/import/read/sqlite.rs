//! SQLite's file format, read only: the rows of its tables, and nothing else of a database.
//!
//! Specification: sqlite.org/fileformat2.html. A reader of our own rather than the library: files come from anywhere, also packed or out of an
//! archive, and rows of a few tables are all that is wanted. Nothing recurses; a page is read once for each table at most, so
//! circles of pages end; lengths are parts of the file. Left out: tables WITHOUT ROWID, and what a write-ahead log beside the file holds.

use std::borrow::Cow;

use super::super::ImportError;
use crate::jobs::{Cancelled, Job};

/// How the file begins.
pub(in crate::import) const MAGIC: &[u8] = b"SQLite format 3\0";

/// A database in memory.
pub(in crate::import) struct Database<'a> {
    bytes: &'a [u8],
    page: usize,
    usable: usize,
    tables: Vec<Table>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::import) struct Table {
    pub name: String,
    root: u32,
    columns: Vec<String>,
    /// The column that is the number of the row, and stands nowhere else.
    row_number: Option<usize>,
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::import) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    /// Text or bytes: a part of the row's payload.
    Bytes(usize, usize),
}

/// A row, until the next one is read.
pub(in crate::import) struct Row<'r> {
    payload: &'r [u8],
    cells: &'r [Cell],
}

impl Row<'_> {
    fn cell(&self, column: Option<usize>) -> Cell {
        column.and_then(|c| self.cells.get(c)).copied().unwrap_or(Cell::Null)
    }

    /// A whole number; `None` for anything else.
    pub fn int(&self, column: Option<usize>) -> Option<i64> {
        match self.cell(column) {
            Cell::Int(n) => Some(n),
            Cell::Real(n) if n.is_finite() => Some(n as i64),
            _ => None,
        }
    }

    /// A text; empty for anything else.
    pub fn text(&self, column: Option<usize>) -> Cow<'_, str> {
        match self.cell(column) {
            Cell::Bytes(start, len) => {
                String::from_utf8_lossy(self.payload.get(start..start + len).unwrap_or_default())
            }
            _ => "".into(),
        }
    }
}

impl Table {
    /// The number of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.eq_ignore_ascii_case(name))
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// A number of 1 to 9 bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for n in 0..8 {
        let byte = *bytes.get(n)?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, &bytes[n + 1..]));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(8)?), &bytes[9..]))
}

/// What stands on a page of a table.
enum Kind {
    /// Cells are pages below it.
    Inner,
    Leaf,
}

impl<'a> Database<'a> {
    /// The tables of a file.
    ///
    /// # Errors
    /// When it is no database, or the list of its tables is broken.
    pub fn open(bytes: &'a [u8], job: &Job) -> Result<Self, ImportError> {
        let broken = |what: &str| ImportError::malformed(format!("is a broken SQLite database: {what}"));
        if !bytes.starts_with(MAGIC) || bytes.len() < 100 {
            return Err(broken("its header is cut short"));
        }
        let page = match number(&bytes[16..18]) as usize {
            1 => 65_536,
            page => page,
        };
        let usable = page.saturating_sub(usize::from(bytes[20]));
        if !page.is_power_of_two() || page < 512 || usable < 480 {
            return Err(broken("its pages have an impossible size"));
        }
        if number(&bytes[56..60]) > 1 {
            return Err(broken("its texts are UTF-16").remedy("dump and load it with `sqlite3`"));
        }
        let mut database = Self { bytes, page, usable, tables: Vec::new() };
        let schema = Table { name: String::new(), root: 1, columns: Vec::new(), row_number: None };
        let mut tables = Vec::new();
        database.rows(&schema, job, &mut |row| {
            let root = row.int(Some(3)).and_then(|n| u32::try_from(n).ok());
            if let (true, Some(root)) = (row.text(Some(0)) == "table", root) {
                let (columns, row_number) = columns(&row.text(Some(4)));
                tables.push(Table { name: row.text(Some(1)).into_owned(), root, columns, row_number });
            }
        })?;
        database.tables = tables;
        Ok(database)
    }

    /// The table of a name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == name)
    }

    /// The bytes of a page, from 1, and where its content begins.
    fn page(&self, number: u32) -> Option<(&'a [u8], usize)> {
        let start = (number as usize).checked_sub(1)?.checked_mul(self.page)?;
        let page = self.bytes.get(start..)?;
        let page = &page[..page.len().min(self.page)];
        Some((page, if number == 1 { 100 } else { 0 }))
    }

    /// Gives every row of a table to `take`. Returns how many pages or rows could not be read.
    ///
    /// # Errors
    /// When cancelled.
    pub fn rows(&self, table: &Table, job: &Job, take: &mut dyn FnMut(&Row<'_>)) -> Result<u64, Cancelled> {
        let pages = (self.bytes.len() / self.page) as u64 + 1;
        // All rows together are no longer than the file, unless pages or rows are listed twice.
        let mut bytes = self.bytes.len();
        let (mut left, mut broken) = (pages, 0);
        let mut open = vec![table.root];
        let (mut cells, mut payload) = (Vec::new(), Vec::new());
        while let Some(number) = open.pop() {
            if left == 0 {
                // More pages than there are: a circle.
                return Ok(broken + 1);
            }
            left -= 1;
            if left % 256 == 0 {
                job.checkpoint(pages - left, pages)?;
            }
            match self.read_page(number, table, &mut open, (&mut cells, &mut payload, &mut bytes), take) {
                Some(lost) => broken += lost,
                None => broken += 1,
            }
        }
        Ok(broken)
    }

    fn read_page(
        &self,
        page_number: u32,
        table: &Table,
        open: &mut Vec<u32>,
        (cells, buffer, left): (&mut Vec<Cell>, &mut Vec<u8>, &mut usize),
        take: &mut dyn FnMut(&Row<'_>),
    ) -> Option<u64> {
        let (page, at) = self.page(page_number)?;
        let kind = match *page.get(at)? {
            5 => Kind::Inner,
            13 => Kind::Leaf,
            _ => return None,
        };
        let count = number(page.get(at + 3..at + 5)?) as usize;
        let first = at + if matches!(kind, Kind::Inner) { 12 } else { 8 };
        let pointers = page.get(first..(first + 2 * count).min(page.len()))?;
        let cell_at = pointers.chunks_exact(2).map(|p| number(p) as usize);
        match kind {
            Kind::Inner => {
                let last = number(page.get(at + 8..at + 12)?) as u32;
                let mut below: Vec<u32> =
                    cell_at.filter_map(|cell| page.get(cell..cell + 4).map(|p| number(p) as u32)).collect();
                below.push(last);
                open.extend(below.into_iter().rev());
                Some(0)
            }
            Kind::Leaf => {
                let mut lost = 0;
                for cell in cell_at {
                    match self.read_row(page, cell, (buffer, left), cells) {
                        Some(row_number) => {
                            if let Some(Cell::Null) = table.row_number.and_then(|c| cells.get(c)).copied() {
                                cells[table.row_number.unwrap_or(0)] = Cell::Int(row_number);
                            }
                            take(&Row { payload: buffer, cells });
                        }
                        None => lost += 1,
                    }
                }
                Some(lost)
            }
        }
    }

    /// Reads the row at `cell` of a page; returns its number.
    fn read_row(
        &self,
        page: &[u8],
        cell: usize,
        (buffer, left): (&mut Vec<u8>, &mut usize),
        cells: &mut Vec<Cell>,
    ) -> Option<i64> {
        let (len, rest) = varint(page.get(cell..)?)?;
        let (row_number, rest) = varint(rest)?;
        let len = usize::try_from(len).ok().filter(|len| *len <= *left)?;
        *left -= len;
        buffer.clear();
        let most = self.usable - 35;
        if len <= most {
            buffer.extend_from_slice(rest.get(..len)?);
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let local = least + (len - least) % (self.usable - 4);
            let local = if local <= most { local } else { least };
            buffer.extend_from_slice(rest.get(..local)?);
            let mut next = number(rest.get(local..local + 4)?) as u32;
            while buffer.len() < len {
                let (overflow, _) = self.page(next)?;
                let part = overflow.get(4..)?;
                let part = &part[..part.len().min(self.usable - 4).min(len - buffer.len())];
                if part.is_empty() {
                    return None;
                }
                buffer.extend_from_slice(part);
                next = number(overflow.get(..4)?) as u32;
            }
        }
        record(buffer, cells)?;
        Some(row_number as i64)
    }
}

/// The values of a record: their kinds, then their bytes.
fn record(payload: &[u8], cells: &mut Vec<Cell>) -> Option<()> {
    cells.clear();
    let (header, mut kinds) = varint(payload)?;
    let taken = payload.len() - kinds.len();
    let header = usize::try_from(header).ok().filter(|h| *h <= payload.len() && *h >= taken)?;
    kinds = &payload[taken..header];
    let mut at = header;
    while !kinds.is_empty() {
        let (kind, rest) = varint(kinds)?;
        kinds = rest;
        let len = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let bytes = payload.get(at..at.checked_add(len)?)?;
        cells.push(match kind {
            0 => Cell::Null,
            8 => Cell::Int(0),
            9 => Cell::Int(1),
            1..=6 => {
                // The sign is that of the first byte.
                let shift = 64 - 8 * len as u32;
                Cell::Int((number(bytes) << shift) as i64 >> shift)
            }
            7 => Cell::Real(f64::from_bits(number(bytes))),
            _ => Cell::Bytes(at, len),
        });
        at += len;
    }
    Some(())
}

/// The names of the columns of a `CREATE TABLE`, and which one is the number of the row.
fn columns(sql: &str) -> (Vec<String>, Option<usize>) {
    let mut plain = String::new();
    for line in sql.lines() {
        plain.push_str(line.split("--").next().unwrap_or(""));
        plain.push(' ');
    }
    let inner = plain.find('(').map_or("", |at| &plain[at + 1..]);
    let (mut depth, mut parts) = (0u32, vec![String::new()]);
    for c in inner.chars() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let (mut names, mut row_number) = (Vec::new(), None);
    for part in &parts {
        let mut words = part.split_whitespace();
        let Some(first) = words.next() else { continue };
        let upper = first.to_uppercase();
        if ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"].iter().any(|w| upper.starts_with(w)) {
            continue;
        }
        let rest = words.collect::<Vec<_>>().join(" ").to_uppercase();
        if rest.starts_with("INTEGER") && rest.contains("PRIMARY KEY") {
            row_number = Some(names.len());
        }
        names.push(first.trim_matches(['"', '`', '[', ']', '\'']).to_owned());
    }
    (names, row_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's sqlite3: `a` with 3000 rows over several pages, of which some are longer than a page.
    const FILE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sqlite/rows.sqlite"));

    /// Number, value and text.
    type Read = (Option<i64>, Option<i64>, String);

    /// All rows of a table, and how many were lost.
    fn all(bytes: &[u8], name: &str) -> Option<(Vec<Read>, u64)> {
        let database = Database::open(bytes, &Job::new()).ok()?;
        let table = database.table(name)?;
        let columns = ["id", "n", "text"].map(|c| table.column(c));
        let mut rows = Vec::new();
        let lost = database.rows(table, &Job::new(), &mut |row| {
            rows.push((row.int(columns[0]), row.int(columns[1]), row.text(columns[2]).into_owned()));
        });
        Some((rows, lost.unwrap()))
    }

    #[test]
    fn rows_come_in_order_and_whole() {
        let (rows, lost) = all(FILE, "a").unwrap();
        assert_eq!((rows.len(), lost), (3000, 0));
        for (n, (id, value, text)) in (1i64..).zip(&rows) {
            assert_eq!(*id, Some(n));
            assert_eq!(
                *value,
                if n % 7 == 0 { None } else { Some(n * n * n * if n % 2 == 0 { 1 } else { -1 }) }
            );
            let len = if n % 500 == 0 { 5000 } else { n as usize % 20 };
            assert_eq!(*text, "é".repeat(len));
        }
    }

    #[test]
    fn damage_costs_rows_and_never_more() {
        for cut in (0..FILE.len()).step_by(997) {
            all(&FILE[..cut], "a");
            let mut odd = FILE.to_vec();
            odd[cut] ^= 0x5a;
            odd[cut / 7] ^= 0x81;
            all(&odd, "a");
        }
    }

    #[test]
    fn columns_are_read_from_the_statement() {
        let sql = "CREATE TABLE x (\n -- a, b\n id INTEGER NOT NULL PRIMARY KEY, -- c,\n \"b d\" TEXT, c DECIMAL(10, 2), PRIMARY KEY (id, c))";
        assert_eq!(
            columns(sql),
            (["id", "\"b", "c"].map(|c| c.trim_matches('"').to_owned()).to_vec(), Some(0))
        );
    }
}
