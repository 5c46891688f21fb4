//! The text of a process, read line by line. A line that is wrong is left out and counted; the last one may be cut.

use super::BEGIN;
use crate::import::ImportError;

/// What a thread did at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::import) enum State {
    /// Ran Python code, with the interpreter's lock.
    HasGil,
    /// Ran without it, or nobody knows of it.
    Runs,
    /// Waited.
    Idle,
    Unknown,
}

impl State {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "g" => Self::HasGil,
            "r" => Self::Runs,
            "i" => Self::Idle,
            "u" => Self::Unknown,
            _ => return None,
        })
    }
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::import) struct Code {
    pub(in crate::import) name: String,
    pub(in crate::import) file: String,
    /// Where it begins; 0 where that is not known.
    pub(in crate::import) line: u32,
}

/// A frame on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::import) struct Stack {
    pub(in crate::import) below: Option<u32>,
    pub(in crate::import) code: u32,
    pub(in crate::import) line: u32,
    /// Frames below it.
    pub(in crate::import) depth: u32,
}

/// Looks one after the other that found a thread at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::import) struct Run {
    /// The first look and the one after the last.
    pub(in crate::import) looks: (u32, u32),
    pub(in crate::import) state: State,
    pub(in crate::import) stack: Option<u32>,
}

/// What was seen of a thread.
#[derive(Clone, Debug, Default)]
pub(in crate::import) struct Thread {
    pub(in crate::import) name: String,
    /// The system's number, and Python's; 0 where it is not known.
    pub(in crate::import) native: u64,
    pub(in crate::import) ident: u64,
    pub(in crate::import) runs: Vec<Run>,
    now: Option<Run>,
}

/// What a file holds.
#[derive(Debug)]
pub(in crate::import) struct Stacks {
    pub(in crate::import) pid: u64,
    /// Readings of the samples' clock and of the calendar that were taken together, ns.
    clocks: (i64, i64),
    pub(in crate::import) interval: i64,
    pub(in crate::import) sampler: String,
    pub(in crate::import) python: String,
    pub(in crate::import) program: String,
    pub(in crate::import) codes: Vec<Code>,
    pub(in crate::import) stacks: Vec<Stack>,
    pub(in crate::import) threads: Vec<Thread>,
    /// Times of the looks, ns.
    pub(in crate::import) looks: Vec<i64>,
    /// Looks that failed or came too late.
    pub(in crate::import) lost: u64,
    /// There was no more room.
    pub(in crate::import) is_full: bool,
    /// Lines that cannot be read.
    pub(in crate::import) damaged: u64,
    by_number: rustc_hash::FxHashMap<u64, usize>,
}

/// Frames of a stack.
const DEEPEST: u32 = 10_000;
/// The longest time between two looks, ns: a clock that jumps further is wrong.
const LONGEST: i64 = 86_400_000_000_000;

/// A field as it was before it was written between tabs.
fn plain(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => text.push(match rest.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            }),
            (c, _) => text.push(c),
        }
    }
    text
}

/// Reads a file.
///
/// # Errors
/// When its first line is none of this format.
pub(in crate::import) fn read(bytes: &[u8]) -> Result<Stacks, ImportError> {
    // What a killed sampler was about to write has no end.
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
    let text = String::from_utf8_lossy(&bytes[..whole]);
    let mut lines = text.lines();
    let head = lines.next().and_then(|line| line.strip_prefix(BEGIN)).and_then(head);
    let mut stacks = head.ok_or_else(|| ImportError::malformed("does not begin as sampled stacks do"))?;
    for line in lines {
        if stacks.line(line).is_none() {
            stacks.damaged += 1;
        }
    }
    for thread in &mut stacks.threads {
        thread.end(u32::try_from(stacks.looks.len()).unwrap_or(u32::MAX));
    }
    Ok(stacks)
}

fn head(line: &str) -> Option<Stacks> {
    let mut fields = line.split('\t');
    let pid = fields.next()?.parse().ok()?;
    let clocks = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let interval = fields.next()?.parse().ok().filter(|ns| (1..=LONGEST).contains(ns))?;
    let mut text = || fields.next().map(plain).unwrap_or_default();
    Some(Stacks {
        pid,
        clocks,
        interval,
        sampler: text(),
        python: text(),
        program: text(),
        codes: Vec::new(),
        stacks: Vec::new(),
        threads: Vec::new(),
        looks: Vec::new(),
        lost: 0,
        is_full: false,
        damaged: 0,
        by_number: rustc_hash::FxHashMap::default(),
    })
}

impl Thread {
    fn end(&mut self, look: u32) {
        if let Some(mut run) = self.now.take() {
            run.looks.1 = look;
            self.runs.push(run);
        }
    }
}

impl Stacks {
    /// What is added to a time to make a date of it.
    pub(in crate::import) fn calendar(&self) -> i64 {
        self.clocks.1.saturating_sub(self.clocks.0)
    }

    /// When the first look was.
    pub(in crate::import) fn first_look(&self) -> Option<i64> {
        self.looks.first().copied()
    }

    /// How long what a look saw stands: to the next one, at most for two intervals.
    pub(in crate::import) fn until(&self, look: usize) -> i64 {
        let Some(&at) = self.looks.get(look) else { return 0 };
        match self.looks.get(look + 1) {
            Some(&next) => next.min(at.saturating_add(self.interval.saturating_mul(2))),
            None => at.saturating_add(self.interval),
        }
    }

    /// True when nothing was missed between a look and the next one.
    pub(in crate::import) fn is_followed(&self, look: usize) -> bool {
        self.looks.get(look + 1).is_some_and(|&next| next == self.until(look))
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let mut fields = line.split('\t');
        match fields.next()? {
            "f" => {
                let (name, file) = (plain(fields.next()?), plain(fields.next()?));
                let line = fields.next()?.parse().ok()?;
                self.codes.push(Code { name, file, line });
            }
            "b" => {
                let code: usize = fields.next()?.parse().ok()?;
                self.codes.get_mut(code)?.line = fields.next()?.parse().ok()?;
            }
            "s" => {
                let below = match fields.next()? {
                    "-" => None,
                    // A frame precedes what stands on it.
                    number => Some(number.parse().ok().filter(|n| (*n as usize) < self.stacks.len())?),
                };
                let code = fields.next()?.parse().ok().filter(|n: &u32| (*n as usize) < self.codes.len())?;
                let line = fields.next()?.parse().ok()?;
                let depth = below.map_or(0, |n: u32| self.stacks[n as usize].depth + 1);
                (depth < DEEPEST).then(|| self.stacks.push(Stack { below, code, line, depth }))?;
            }
            "n" => {
                let number = fields.next()?.parse().ok()?;
                let (native, ident) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
                let name = plain(fields.next()?);
                let thread = self.thread(number);
                (thread.native, thread.ident, thread.name) = (native, ident, name);
            }
            "t" => {
                let passed: i64 = fields.next()?.parse().ok()?;
                let passed = passed.checked_mul(1000).filter(|ns| (0..=LONGEST).contains(ns))?;
                let last = self.looks.last().copied().unwrap_or(self.clocks.0);
                let look = u32::try_from(self.looks.len()).ok()?;
                self.looks.push(last.checked_add(passed)?);
                let mut damaged = 0;
                for field in fields {
                    damaged += u64::from(self.change(field, look).is_none());
                }
                self.damaged += damaged;
            }
            "l" => self.lost = fields.next()?.parse().ok()?,
            "full" => self.is_full = true,
            _ => return None,
        }
        Some(())
    }

    fn thread(&mut self, number: u64) -> &mut Thread {
        let at = *self.by_number.entry(number).or_insert_with(|| {
            self.threads.push(Thread::default());
            self.threads.len() - 1
        });
        &mut self.threads[at]
    }

    fn change(&mut self, field: &str, look: u32) -> Option<()> {
        let mut parts = field.split(':');
        let number = parts.next()?.parse().ok()?;
        let state = parts.next()?;
        if state == "x" {
            self.thread(number).end(look);
            return Some(());
        }
        let state = State::of(state)?;
        let stack = match parts.next()? {
            "-" => None,
            n => Some(n.parse().ok().filter(|n: &u32| (*n as usize) < self.stacks.len())?),
        };
        let thread = self.thread(number);
        thread.end(look);
        thread.now = Some(Run { looks: (look, look), state, stack });
        Some(())
    }
}
