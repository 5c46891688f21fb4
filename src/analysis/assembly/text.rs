//! The instructions of a function as text.

use std::path::PathBuf;

/// An instruction in the object file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeLine {
    /// Where it stands.
    pub address: u64,
    /// Its bytes.
    pub length: u8,
    /// False for one between others that ran, which did not run itself.
    pub ran: bool,
    /// End of its text.
    end: u32,
}

/// Instructions of a function, read from its object file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeText {
    /// The object file.
    pub path: PathBuf,
    /// How much of what was recorded could be compared with the file: whether each instruction is followed by one that ran,
    /// too, and whether jumps lead where they led.
    pub checked: usize,
    /// How much of that agrees.
    pub agreed: usize,
    lines: Vec<CodeLine>,
    text: String,
}

impl CodeText {
    /// Adds an instruction; addresses ascend.
    pub(super) fn push(&mut self, address: u64, length: u8, ran: bool, text: &str) {
        self.text += text;
        self.lines.push(CodeLine { address, length, ran, end: self.text.len() as u32 });
    }

    /// The instructions, by address.
    #[must_use]
    pub fn lines(&self) -> &[CodeLine] {
        &self.lines
    }

    /// The place of an instruction.
    #[must_use]
    pub fn place(&self, address: u64) -> Option<usize> {
        self.lines.binary_search_by_key(&address, |l| l.address).ok()
    }

    /// The text of an instruction by its place.
    #[must_use]
    pub fn text(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |above| self.lines[above].end);
        self.lines.get(place).map_or("", |line| &self.text[start as usize..line.end as usize])
    }

    /// The text of the instruction at an address; empty when it was not read.
    #[must_use]
    pub fn at(&self, address: u64) -> &str {
        self.place(address).map_or("", |place| self.text(place))
    }

    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.text.len() + self.lines.len() * size_of::<CodeLine>()
    }
}
