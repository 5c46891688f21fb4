//! The text of a function's instructions, decoded from its object file.
//!
//! callgrind writes addresses as the linker gave them, so the file's list of segments says where their bytes are. A profile does
//! not say of which build the file was; that shows by what ran: each instruction that does not jump is followed by one that
//! ran, too, and recorded jumps lead where the file's jumps lead. A file of which this does not hold is another one, and its
//! text would be wrong. So it is with files of callgrind; converters write samples in its format, of which none of this can be said.

use std::path::Path;

use super::decode::{Decoded, Flow, LONGEST, Reader};
use super::recorded;
use super::text::CodeText;
use crate::analysis::source_file::{SourceFile, candidates};
use crate::import::{Machine, ObjectFile};
use crate::jobs::{Cancelled, Job};
use crate::model::SymbolKey;
use crate::query::{Context, Query};

/// Most instructions between two that ran which are shown.
const IDLE: usize = 12;
/// Instructions so near to each other are read at once.
const NEAR: u64 = 4096;
/// Most bytes that are read at once.
const AT_ONCE: u64 = 1 << 20;
/// The part of what is compared that must agree, percent. Usually it is all of it, but a signal may interrupt anything.
const ENOUGH: usize = 95;

/// Asks for the text of a function's instructions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MachineCode {
    /// Whose instructions.
    pub function: SymbolKey,
    /// Its object file, and where that may be.
    pub file: SourceFile,
}

/// The text, or where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeAnswer {
    /// It was found.
    Found(CodeText),
    /// It was not.
    Missing {
        /// Why there can be none, when there can be none.
        why: Option<&'static str>,
        /// Each place with the reason.
        tried: Vec<(String, String)>,
    },
}

impl CodeAnswer {
    /// The text, if it was found.
    #[must_use]
    pub fn text(&self) -> Option<&CodeText> {
        match self {
            Self::Found(text) => Some(text),
            Self::Missing { .. } => None,
        }
    }
}

/// What was recorded of a function.
struct Recorded {
    /// Instructions that ran, ascending.
    addresses: Vec<u64>,
    /// Jumps, by where they start.
    jumps: Vec<(u64, u64)>,
}

impl Query for MachineCode {
    type Output = CodeAnswer;

    fn run(&self, cx: &Context<'_>) -> Result<CodeAnswer, Cancelled> {
        let profile = cx.profile();
        let none = |why| Ok(CodeAnswer::Missing { why: Some(why), tried: Vec::new() });
        let found = profile.keys().function(self.function).and_then(|f| recorded(profile, f));
        let Some((_, all, node)) = found else { return none("This file has no instructions.") };
        if self.file.file.is_empty() || self.file.file.starts_with(['?', '[', '(', '<']) {
            return none(
                "This function is in no object file that the profile names: its code was made while the program ran.",
            );
        }
        // What samples did not meet may have run all the same, so nothing would say which build it was.
        if !profile.meta.tool.starts_with("callgrind") {
            return none(
                "The text of instructions is shown where callgrind itself wrote the file: of what other tools write \
                 nobody can tell whether an object file is the one that ran.",
            );
        }
        let mut addresses: Vec<u64> = all.costs.of(node).iter().map(|r| r.place.address).collect();
        addresses.dedup();
        let jumps = all.jumps.of(node).iter().map(|r| (r.place.from, r.place.to)).collect();
        let recorded = Recorded { addresses, jumps };
        let mut tried = Vec::new();
        for candidate in candidates(&self.file) {
            match candidate {
                Err(refused) => tried.push(refused),
                Ok((path, root)) => match read(&path, root.as_deref(), &recorded, cx.job())? {
                    Ok(mut text) => {
                        text.path = path;
                        return Ok(CodeAnswer::Found(text));
                    }
                    Err(why) => tried.push((path.display().to_string(), why)),
                },
            }
        }
        Ok(CodeAnswer::Missing { why: None, tried })
    }

    fn weight(answer: &CodeAnswer) -> usize {
        answer.text().map_or(1024, CodeText::heap_bytes)
    }
}

/// Decodes what ran.
fn read(
    path: &Path,
    root: Option<&Path>,
    recorded: &Recorded,
    job: &Job,
) -> Result<Result<CodeText, String>, Cancelled> {
    let mut file = match ObjectFile::open(path, root) {
        Ok(file) => file,
        Err(why) => return Ok(Err(why)),
    };
    let bits = match file.machine {
        Machine::X86(bits) => bits,
        Machine::Other(name) => return Ok(Err(format!("holds code for {name}; only x86 is shown as text"))),
    };
    let mut code =
        Code { recorded, reader: Reader::new(bits), text: CodeText::default(), words: String::new() };
    let mut rest = &recorded.addresses[..];
    while let Some(&first) = rest.first() {
        job.checkpoint(0, 0)?;
        let near = |pair: &[u64]| pair[1] - pair[0] <= NEAR && pair[1] - first <= AT_ONCE;
        let count = 1 + rest.windows(2).take_while(|pair| near(pair)).count();
        let (some, behind) = rest.split_at(count);
        let wanted = some[count - 1] - first + LONGEST;
        match file.bytes(first, wanted as usize) {
            Ok(bytes) => code.block(some, &bytes),
            Err(why) => return Ok(Err(why)),
        }
        rest = behind;
    }
    let CodeText { checked, agreed, .. } = code.text;
    if agreed * 100 < checked * ENOUGH {
        let fits =
            format!("{agreed} of {checked} steps between its instructions are those that were recorded");
        return Ok(Err(format!("is another build than the one that was recorded: {fits}")));
    }
    Ok(Ok(code.text))
}

struct Code<'a> {
    recorded: &'a Recorded,
    reader: Reader,
    text: CodeText,
    words: String,
}

impl Code<'_> {
    /// Instructions that lie near to each other; `bytes` start at the first of them.
    fn block(&mut self, addresses: &[u64], bytes: &[u8]) {
        let start = addresses[0];
        for (i, &address) in addresses.iter().enumerate() {
            let here = bytes.get((address - start) as usize..).unwrap_or_default();
            let Some(decoded) = self.reader.read(here, address, &mut self.words) else {
                self.text.checked += 1;
                continue;
            };
            self.text.push(address, decoded.length, true, &self.words);
            self.compare(address, decoded);
            let end = address.saturating_add(decoded.length.into());
            if let Some(&next) = addresses.get(i + 1).filter(|&&next| end < next) {
                self.idle(end, next, bytes.get((end - start) as usize..).unwrap_or_default());
            }
        }
    }

    /// Whether what was recorded of an instruction can be so.
    fn compare(&mut self, address: u64, decoded: Decoded) {
        let Recorded { addresses, jumps } = self.recorded;
        let mut check = |agrees: bool| {
            self.text.checked += 1;
            self.text.agreed += usize::from(agrees);
        };
        match decoded.flow {
            Flow::Next => {
                let next = address.saturating_add(decoded.length.into());
                check(addresses.binary_search(&next).is_ok());
            }
            Flow::To(target) => {
                let first = jumps.partition_point(|j| j.0 < address);
                jumps[first..].iter().take_while(|j| j.0 == address).for_each(|j| check(j.1 == target));
            }
            Flow::Elsewhere => {}
        }
    }

    /// Instructions that did not run, when they are few and fill the space to the next one that did.
    fn idle(&mut self, start: u64, end: u64, bytes: &[u8]) {
        let (mut at, mut found) = (start, Vec::new());
        while at < end && found.len() <= IDLE {
            let here = bytes.get((at - start) as usize..).unwrap_or_default();
            let Some(decoded) = self.reader.read(here, at, &mut self.words) else { return };
            found.push((at, decoded.length, self.words.clone()));
            at = at.saturating_add(decoded.length.into());
        }
        if at == end && found.len() <= IDLE {
            for (address, length, words) in found {
                self.text.push(address, length, false, &words);
            }
        }
    }
}
