//! The rows of an assembly listing: instructions in the order of their addresses with the calls that they make below them,
//! what lies between without having run, and, if wanted, the source line above the instructions that were made of it.

use super::AssemblyTable;
use super::text::CodeText;
use crate::model::{FunctionId, StringId};

/// No instruction of x86 is longer, and none of other machines: what is further apart does not touch.
const LONGEST: u64 = 15;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The source line of the instructions below.
    Source {
        /// Its file.
        file: StringId,
        /// Its number, from 1.
        line: u32,
    },
    /// An instruction that ran: its place among the rows of the [`AssemblyTable`].
    Ran(usize),
    /// One that did not: its place in the [`CodeText`].
    Idle(usize),
    /// A call from the instruction above: its place among the table's calls.
    Call(usize),
    /// More that did not run, of so many bytes, where that is known.
    Gap(Option<u64>),
}

/// What tells a row from the others, whatever is shown beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The instruction, or that of the call; of other rows the next one.
    pub address: u64,
    /// Who is called, in a row of a call.
    pub callee: Option<FunctionId>,
}

/// The rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Top to bottom.
    pub entries: Vec<Entry>,
    /// The row of each instruction that ran, ascending.
    ran: Vec<u32>,
}

impl Listing {
    /// Makes the rows. `calls`: calls have rows; `sources`: source lines have.
    #[must_use]
    pub fn new(table: &AssemblyTable, text: Option<&CodeText>, calls: bool, sources: bool) -> Self {
        let mut listing = Self::default();
        let (mut line, mut call) = (None, 0);
        for (i, row) in table.rows.iter().enumerate() {
            if let Some(before) = i.checked_sub(1).map(|i| table.rows[i].address)
                && listing.between(before, row.address, text)
            {
                line = None;
            }
            let now = (row.file, row.line);
            if sources && line != Some(now) && row.line > 0 {
                listing.entries.push(Entry::Source { file: row.file, line: row.line });
            }
            line = Some(now);
            listing.ran.push(listing.entries.len() as u32);
            listing.entries.push(Entry::Ran(i));
            while table.calls.get(call).is_some_and(|c| c.address <= row.address) {
                if calls {
                    listing.entries.push(Entry::Call(call));
                }
                call += 1;
            }
        }
        listing
    }

    /// What lies between two instructions that ran. True when it is a gap.
    fn between(&mut self, before: u64, next: u64, text: Option<&CodeText>) -> bool {
        let Some((text, place)) = text.and_then(|t| Some((t, t.place(before)?))) else {
            let apart = next - before > LONGEST;
            if apart {
                self.entries.push(Entry::Gap(None));
            }
            return apart;
        };
        let end = before.saturating_add(text.lines()[place].length.into());
        let idle = place + 1..text.place(next).unwrap_or(place + 1);
        if idle.is_empty() {
            let apart = end < next;
            if apart {
                self.entries.push(Entry::Gap(Some(next - end)));
            }
            return apart;
        }
        self.entries.extend(idle.map(Entry::Idle));
        false
    }

    /// The row of an instruction that ran, by its place among the table's rows.
    #[must_use]
    pub fn row(&self, ran: usize) -> Option<usize> {
        self.ran.get(ran).map(|&row| row as usize)
    }

    /// What marks a row.
    #[must_use]
    pub fn mark(&self, row: usize, table: &AssemblyTable) -> Option<Mark> {
        Some(match *self.entries.get(row)? {
            Entry::Ran(i) => Mark { address: table.rows[i].address, callee: None },
            Entry::Call(i) => Mark { address: table.calls[i].address, callee: Some(table.calls[i].callee) },
            Entry::Source { .. } | Entry::Idle(_) | Entry::Gap(_) => {
                let next = self.ran.partition_point(|&r| (r as usize) < row);
                let address = table.rows.get(next).or(table.rows.last())?.address;
                Mark { address, callee: None }
            }
        })
    }

    /// The row of a mark; that of the instruction where the calls have none.
    #[must_use]
    pub fn row_of(&self, mark: Mark, table: &AssemblyTable) -> Option<usize> {
        let row = self.row(table.place(mark.address)?)?;
        let below = self.entries[row + 1..].iter().take_while(|e| matches!(e, Entry::Call(_)));
        let called = mark.callee.and_then(|callee| {
            let mut calls = below.enumerate();
            calls.find(|(_, e)| matches!(e, Entry::Call(i) if table.calls[*i].callee == callee))
        });
        Some(called.map_or(row, |(i, _)| row + 1 + i))
    }
}
