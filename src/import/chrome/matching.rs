//! Begin and end events become spans.
//!
//! A stack of open spans per thread, and per async operation. An end closes the innermost open span of its
//! name, or the innermost one when it has no name. Events are matched as they come as long as the file has
//! them in the order of time where that matters; otherwise [`Matching::disordered`] says so, and the file is
//! read once more with all begin and end events collected, sorted and matched at the end.

use super::oddities::{Odd, Oddities};
use crate::model::{ArgsRef, FunctionId, ProfileBuilder, SpanStatus, StringId, TrackId};

/// How far down the stack the begin of an end is looked for. Spans that cross are odd; spans that cross
/// so many others are hostile.
const SEARCHED: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Open {
    name: StringId,
    handle: u32,
    /// When a span around this one ended while this one was open.
    outer_end: Option<i64>,
}

#[derive(Debug)]
struct Stack {
    track: TrackId,
    /// Not 0 for an async operation.
    chain: u32,
    open: Vec<Open>,
    /// Time of the latest event.
    last: i64,
    /// Ends without a begin so far.
    strays: u64,
    /// The last of them, which may end a span of no length that the file begins after its end.
    early: Option<(i64, StringId)>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin { name: StringId, function: FunctionId },
    End { name: Option<StringId> },
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    time: i64,
    offset: u64,
    stack: u32,
    step: Step,
}

/// All stacks.
#[derive(Debug, Default)]
pub(super) struct Matching {
    stacks: Vec<Stack>,
    /// Stacks of finished async operations, to be used again.
    free: Vec<u32>,
    chains: u32,
    pending: Vec<Pending>,
    /// Collect now, match at the end.
    pub collect: bool,
    /// The order of the file is not the order of time.
    pub disordered: bool,
}

impl Matching {
    /// A new stack on a track. Async operations are chains: they nest in themselves only.
    pub fn stack(&mut self, track: TrackId, chained: bool) -> u32 {
        self.chains += u32::from(chained);
        let chain = if chained { self.chains } else { 0 };
        if let Some(index) = self.free.pop() {
            let stack = &mut self.stacks[index as usize];
            (stack.track, stack.chain, stack.last) = (track, chain, i64::MIN);
            return index;
        }
        self.stacks.push(Stack { track, chain, open: Vec::new(), last: i64::MIN, strays: 0, early: None });
        (self.stacks.len() - 1) as u32
    }

    /// Gives a stack back. True when nothing about it need be remembered.
    pub fn release(&mut self, stack: u32) -> bool {
        let s = &self.stacks[stack as usize];
        let idle = !self.collect && s.open.is_empty() && s.strays == 0 && s.early.is_none();
        if idle {
            self.free.push(stack);
        }
        idle
    }

    /// A begin event, which stands at the offset that `odd` knows.
    pub fn begin(
        &mut self,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
        stack: u32,
        time: i64,
        (name, function): (StringId, FunctionId),
    ) {
        self.take(b, odd, stack, time, Step::Begin { name, function });
    }

    /// An end event.
    pub fn end(
        &mut self,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
        stack: u32,
        time: i64,
        name: Option<StringId>,
    ) {
        self.take(b, odd, stack, time, Step::End { name });
    }

    fn take(&mut self, b: &mut ProfileBuilder, odd: &mut Oddities, stack: u32, time: i64, step: Step) {
        let event = Pending { time, offset: odd.offset, stack, step };
        if self.collect {
            self.pending.push(event);
        } else {
            self.apply(b, odd, event);
        }
    }

    fn apply(&mut self, b: &mut ProfileBuilder, odd: &mut Oddities, event: Pending) {
        let stack = &mut self.stacks[event.stack as usize];
        if event.time < stack.last && (!stack.open.is_empty() || stack.strays > 0 || stack.early.is_some()) {
            self.disordered = true;
        }
        stack.last = event.time;
        match event.step {
            Step::Begin { name, function } => {
                let handle = b.open_span(stack.track, event.time, function, ArgsRef::offset(event.offset));
                if stack.chain != 0 {
                    b.chain_span(stack.track, handle, stack.chain);
                }
                if stack.early.take_if(|e| *e == (event.time, name)).is_some() {
                    b.close_span(stack.track, handle, event.time, SpanStatus::Ok);
                } else {
                    stack.open.push(Open { name, handle, outer_end: None });
                }
            }
            Step::End { name } => stack.end(b, odd, event.time, name),
        }
    }

    /// Matches what was collected, and counts what is still open.
    pub fn finish(&mut self, b: &mut ProfileBuilder, odd: &mut Oddities) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_unstable_by_key(|p| (p.time, p.offset));
        for event in pending {
            self.apply(b, odd, event);
        }
        for stack in &mut self.stacks {
            stack.settle();
            odd.count_many(Odd::StrayEnd, stack.strays);
            odd.count_many(Odd::Unfinished, stack.open.len() as u64);
        }
    }
}

impl Stack {
    fn end(&mut self, b: &mut ProfileBuilder, odd: &mut Oddities, time: i64, name: Option<StringId>) {
        let found = match name {
            None => self.open.len().checked_sub(1),
            Some(name) => {
                let from = self.open.len().saturating_sub(SEARCHED);
                self.open[from..].iter().rposition(|o| o.name == name).map(|i| from + i)
            }
        };
        let Some(at) = found else {
            self.settle();
            match name {
                Some(name) => self.early = Some((time, name)),
                None => self.strays += 1,
            }
            return;
        };
        let open = self.open.remove(at);
        for inner in &mut self.open[at..] {
            inner.outer_end.get_or_insert(time);
        }
        // Spans that end at the same moment may be written in any order.
        if open.outer_end.is_some_and(|outer| outer < time) {
            odd.count(Odd::Crossed);
        }
        b.close_span(self.track, open.handle, time, SpanStatus::Ok);
    }

    /// An early end whose begin never came is a stray one.
    fn settle(&mut self) {
        if self.early.take().is_some() {
            self.strays += 1;
        }
    }
}
