//! Writes what was seen of a process, as `import/stacks` reads it.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::import::stacks::{BEGIN, EXTENSION};

/// Most bytes of a file. What comes later is not kept, and its last line says so.
const MOST_BYTES: usize = 1 << 26;

/// How often it is looked for where a function begins.
const MOST_TRIES: u8 = 3;

/// Who it is of.
pub(super) struct Head<'a> {
    pub(super) pid: u32,
    /// Readings of our clock and of the calendar that were taken together, ns.
    pub(super) clocks: (i64, i64),
    pub(super) interval: i64,
    pub(super) python: &'a str,
    pub(super) program: &'a str,
}

/// A frame.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) name: &'a str,
    pub(super) file: &'a str,
    pub(super) line: u32,
}

/// A thread at a look.
pub(super) struct Seen<'a> {
    /// Python's number of it.
    pub(super) ident: u64,
    /// The system's; 0 where it is not known.
    pub(super) native: u64,
    pub(super) name: &'a str,
    /// As the file names it.
    pub(super) state: char,
    /// Innermost first.
    pub(super) frames: Vec<Frame<'a>>,
}

struct Thread {
    number: u64,
    name: String,
    native: u64,
    /// What was told last.
    at: Option<(char, Option<u32>)>,
    seen: bool,
}

/// A file that grows.
pub(super) struct Text {
    file: File,
    bytes: usize,
    full: bool,
    lines: String,
    last: i64,
    lost: u64,
    told_lost: u64,
    codes: FxHashMap<(String, String), u32>,
    /// Of each code where it begins: how often that was looked for, and the line, 0 where several share name and file.
    begins: Vec<(u8, Option<u32>)>,
    /// Codes at lines that were seen.
    seen_at: FxHashSet<(u32, u32)>,
    /// The last look saw what may begin elsewhere than is known.
    wants_begins: bool,
    stacks: FxHashMap<(Option<u32>, u32, u32), u32>,
    threads: FxHashMap<u64, Thread>,
    count: u64,
}

/// A text as it stands between tabs.
fn field(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r")
}

impl Text {
    /// Makes the file in `folder`, which is nobody else's.
    pub(super) fn create(folder: &Path, head: &Head<'_>) -> io::Result<Self> {
        let path = folder.join(format!("{}-{:x}.{EXTENSION}", head.pid, head.clocks.0));
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let &Head { pid, clocks: (clock, unix), interval, python, program } = head;
        let sampler = concat!("py-spy 0.4 in inferscope ", env!("CARGO_PKG_VERSION"));
        let lines = format!(
            "{BEGIN}{pid}\t{clock}\t{unix}\t{interval}\t{sampler}\t{}\t{}\n",
            field(python),
            field(program)
        );
        Ok(Self {
            file,
            bytes: 0,
            full: false,
            lines,
            last: clock,
            lost: 0,
            told_lost: 0,
            codes: FxHashMap::default(),
            begins: Vec::new(),
            seen_at: FxHashSet::default(),
            wants_begins: false,
            stacks: FxHashMap::default(),
            threads: FxHashMap::default(),
            count: 0,
        })
    }

    /// Counts a look that failed or came too late.
    pub(super) fn lose(&mut self) {
        self.lost += 1;
    }

    /// Whether another look should tell where functions begin.
    pub(super) fn wants_begins(&mut self) -> bool {
        std::mem::take(&mut self.wants_begins)
    }

    /// A look at functions with the lines where they begin.
    pub(super) fn learn<'a>(&mut self, frames: impl Iterator<Item = Frame<'a>>) {
        for frame in frames.filter(|frame| frame.line > 0) {
            let Some(&code) = self.codes.get(&(frame.name.to_owned(), frame.file.to_owned())) else {
                continue;
            };
            let begin = &mut self.begins[code as usize].1;
            let line = match *begin {
                None => frame.line,
                Some(known) if known == frame.line || known == 0 => continue,
                Some(_) => 0,
            };
            *begin = Some(line);
            let _ = writeln!(self.lines, "b\t{code}\t{line}");
        }
    }

    /// Writes a look. False when there is no more room, or the disk has none.
    pub(super) fn look(&mut self, at: i64, seen: &[Seen<'_>]) -> bool {
        if self.full {
            return false;
        }
        let mut changed = String::new();
        self.threads.values_mut().for_each(|thread| thread.seen = false);
        for one in seen {
            let stack = self.stack(&one.frames);
            let count = self.count;
            let thread = self.threads.entry(one.ident).or_insert_with(|| Thread {
                number: count,
                name: String::new(),
                native: u64::MAX,
                at: None,
                seen: true,
            });
            self.count += u64::from(thread.number == count && thread.at.is_none());
            thread.seen = true;
            if thread.name != one.name || thread.native != one.native {
                one.name.clone_into(&mut thread.name);
                thread.native = one.native;
                let _ = writeln!(
                    self.lines,
                    "n\t{}\t{}\t{}\t{}",
                    thread.number,
                    one.native,
                    one.ident,
                    field(one.name)
                );
            }
            if thread.at != Some((one.state, stack)) {
                thread.at = Some((one.state, stack));
                let stack = stack.map_or_else(|| "-".to_owned(), |n| n.to_string());
                let _ = write!(changed, "\t{}:{}:{stack}", thread.number, one.state);
            }
        }
        self.threads.retain(|_, thread| {
            if !thread.seen {
                let _ = write!(changed, "\t{}:x", thread.number);
            }
            thread.seen
        });
        if self.lost > self.told_lost {
            self.told_lost = self.lost;
            let _ = writeln!(self.lines, "l\t{}", self.lost);
        }
        let passed = (at - self.last).max(0) / 1000;
        self.last += passed * 1000;
        let _ = writeln!(self.lines, "t\t{passed}{changed}");
        self.bytes += self.lines.len();
        if self.bytes > MOST_BYTES {
            self.full = true;
            "full\n".clone_into(&mut self.lines);
        }
        // A full disk is like no room.
        self.full |= self.file.write_all(self.lines.as_bytes()).is_err();
        self.lines.clear();
        !self.full
    }

    /// The number of a stack, which is told when it is new.
    fn stack(&mut self, frames: &[Frame<'_>]) -> Option<u32> {
        let mut below = None;
        for frame in frames.iter().rev() {
            let key = (frame.name.to_owned(), frame.file.to_owned());
            let next = self.codes.len() as u32;
            let code = *self.codes.entry(key).or_insert(next);
            if code == next {
                let _ = writeln!(self.lines, "f\t{}\t{}\t0", field(frame.name), field(frame.file));
                self.begins.push((0, None));
            }
            self.wants_begins |= self.seen_at.insert((code, frame.line));
            if let (tries, None) = &mut self.begins[code as usize]
                && *tries < MOST_TRIES
            {
                *tries += 1;
                self.wants_begins = true;
            }
            let next = self.stacks.len() as u32;
            let number = *self.stacks.entry((below, code, frame.line)).or_insert(next);
            if number == next {
                let under = below.map_or_else(|| "-".to_owned(), |n: u32| n.to_string());
                let _ = writeln!(self.lines, "s\t{under}\t{code}\t{}", frame.line);
            }
            below = Some(number);
        }
        below
    }
}
