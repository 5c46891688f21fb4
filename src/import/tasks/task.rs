//! A task: its calls, from the outside in, and what it waits for.

/// A place in a list of this module.
pub(super) type Index = usize;

/// How many calls deep a task is followed.
const DEEPEST: usize = 10_000;

/// Coroutines of asyncio that end a loop, and how long one is a matter of course, ns.
const SHUTDOWN: [&str; 2] = ["shutdown_asyncgens", "shutdown_default_executor"];
const LONG: i64 = 5_000_000;

/// What a task waited for where no coroutine of asyncio says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Its next turn.
    Turn,
    Future,
    Task,
    /// Several, of which [`Call::of`] is how many.
    Members,
    /// A job of a thread pool.
    Job,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A coroutine, by its symbol.
    Code(u32),
    Wait(Wait),
    /// The loop had other things to do.
    Ready,
}

/// One bar of a task.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) what: What,
    pub(super) start: i64,
    /// `None` while it is open.
    pub(super) end: Option<i64>,
    /// Time on the loop within it, and time in which it was ready to run and did not.
    pub(super) busy: i64,
    pub(super) ready: i64,
    /// The symbol of the exception that left it; 0 for none.
    pub(super) error: u32,
    /// The task or job that was waited for, how many; of a ready stretch the task that ran most of it.
    pub(super) of: Option<u64>,
    /// The task that ended the wait.
    pub(super) woken_by: Option<Index>,
    /// Of a ready stretch, the code that held the loop.
    pub(super) held_by: u32,
    /// Of calls that are known by chains of awaits: the coroutine's identity, and whether it only waits.
    key: Option<u64>,
    waits: bool,
    /// The call that it was made in.
    outer: Option<Index>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Pending,
    Returned,
    Failed,
    Cancelled,
}

impl State {
    /// In a word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "not ended",
            Self::Returned => "returned",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Suspended {
    pub(super) at: i64,
    /// The argument of the OFF.
    pub(super) wait: u64,
    pub(super) members: Vec<Index>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Woken {
    pub(super) at: i64,
    pub(super) by: Option<Index>,
}

#[derive(Debug, Default)]
pub(super) struct Task {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) coroutine: String,
    /// File and line where it was made.
    pub(super) place: String,
    pub(super) made: Option<i64>,
    /// Task and call that made it.
    pub(super) creator: Option<(Index, Option<Index>)>,
    pub(super) calls: Vec<Call>,
    pub(super) open: Vec<Index>,
    pub(super) since: Option<i64>,
    pub(super) busy: i64,
    pub(super) ready: i64,
    pub(super) steps: u64,
    pub(super) off: Option<Suspended>,
    pub(super) woken: Option<Woken>,
    pub(super) members: Vec<Index>,
    pub(super) state: State,
    pub(super) error: u32,
    pub(super) ended: Option<i64>,
    /// Of the tasks that it made, the one that ended last.
    pub(super) made_ended: Option<Index>,
}

impl Task {
    pub(super) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// True for what `asyncio.run` does at its end.
    pub(super) fn is_of_the_end(&self) -> bool {
        self.coroutine.rsplit('.').next().is_some_and(|c| SHUTDOWN.contains(&c))
    }

    /// True for what did anything, but for what goes without saying.
    pub(super) fn is_shown(&self) -> bool {
        let start = self.calls.first().map(|call| call.start);
        let short = start.zip(self.ended).is_some_and(|(start, end)| end - start < LONG);
        start.is_some() && !(short && self.is_of_the_end())
    }

    pub(super) fn busy_at(&self, time: i64) -> i64 {
        self.busy + self.since.map_or(0, |since| (time - since).max(0))
    }

    pub(super) fn push(&mut self, what: What, start: i64) -> Index {
        let call = Call {
            what,
            start,
            end: None,
            // Until it ends: what the task had used before.
            busy: self.busy_at(start),
            ready: self.ready,
            error: 0,
            of: None,
            woken_by: None,
            held_by: 0,
            key: None,
            waits: false,
            outer: self.open.last().copied(),
        };
        self.calls.push(call);
        self.calls.len() - 1
    }

    pub(super) fn open(&mut self, symbol: u32, start: i64) {
        if self.open.len() < DEEPEST {
            let call = self.push(What::Code(symbol), start);
            self.open.push(call);
        }
    }

    pub(super) fn end_call(&mut self, call: Index, time: i64) {
        let (busy, ready) = (self.busy_at(time), self.ready);
        let call = &mut self.calls[call];
        call.end = Some(time.max(call.start));
        (call.busy, call.ready) = ((busy - call.busy).max(0), (ready - call.ready).max(0));
    }

    /// Ends all open calls but the outermost `keep`.
    pub(super) fn close(&mut self, keep: usize, time: i64, error: u32) {
        while self.open.len() > keep {
            let Some(call) = self.open.pop() else { return };
            self.end_call(call, time);
            self.calls[call].error = error;
        }
    }

    /// Ends the innermost call of that symbol, and what it left open.
    pub(super) fn leave(&mut self, symbol: u32, time: i64, error: u32) {
        let is = |&call: &Index| self.calls[call].what == What::Code(symbol);
        if let Some(at) = self.open.iter().rposition(is) {
            self.close(at + 1, time, 0);
            self.close(at, time, error);
        }
    }

    /// The innermost call that is surely open. One that is known by a chain of awaits may have ended in this step: the next chain tells. The
    /// outermost one cannot have, and neither has one in which another one is that began and did not end.
    pub(super) fn surely_open(&self) -> Option<Index> {
        let is_exact = |&&call: &&Index| self.calls[call].key.is_none();
        self.open.iter().rev().find(is_exact).or(self.open.first()).copied()
    }

    /// Of a call and those around it the innermost one that went on until what it made had ended: what outlives a call is none of its
    /// time.
    pub(super) fn holder(&self, call: Index, until: Option<i64>) -> Option<Index> {
        let holds =
            |&call: &Index| self.calls[call].end.is_none_or(|end| until.is_some_and(|until| until <= end));
        std::iter::successors(Some(call), |&call| self.calls[call].outer).find(holds)
    }

    pub(super) fn innermost(&self) -> Option<(Index, u32)> {
        let &call = self.open.last()?;
        match self.calls[call].what {
            What::Code(symbol) => Some((call, symbol)),
            _ => None,
        }
    }

    /// A step begins. A call of the library that is known by a chain and only waits has ended now, as far as anybody knows.
    pub(super) fn resume(&mut self, time: i64) {
        let ended = self.open.pop_if(|call| self.calls[*call].key.is_some() && self.calls[*call].waits);
        ended.into_iter().for_each(|call| self.end_call(call, time));
    }

    /// Brings the open calls in line with a chain of awaits: what is gone ended in this step, what is new began in it,
    /// between its first and its last known event.
    pub(super) fn follow(
        &mut self,
        chain: &[u8],
        (first, last): (i64, i64),
        time: i64,
        waits: impl Fn(u32) -> bool,
    ) {
        let mut at = 0;
        for slot in chain.chunks_exact(16).take(DEEPEST) {
            let word =
                |from: usize| slot[from..from + 8].iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
            let (symbol, key) = (word(0) as u32, word(8));
            let is = |task: &Self, at: usize, exact: bool| {
                task.open.get(at).is_some_and(|&call| {
                    let call = &task.calls[call];
                    call.what == What::Code(symbol) && (!exact || call.key.is_none_or(|k| k == key))
                })
            };
            if is(self, at, true) {
                at += 1;
                continue;
            }
            // Frames of libraries that have gone, below which younger ones began.
            while self.open.get(at).is_some_and(|&call| self.calls[call].key.is_some()) {
                let gone = self.open.remove(at);
                let end = self.open.get(at).map_or(first, |&next| self.calls[next].start);
                self.end_call(gone, end);
            }
            if is(self, at, false) {
                at += 1;
            } else if at >= self.open.len() && at < DEEPEST {
                // A wait begins where the step ends.
                let waits = waits(symbol);
                let call = self.push(What::Code(symbol), if waits { time } else { last });
                (self.calls[call].key, self.calls[call].waits) = (Some(key), waits);
                self.open.push(call);
                at += 1;
            }
        }
        while self.open.len() > at {
            let Some(call) = self.open.pop() else { return };
            let end = if self.calls[call].key.is_some() { first.max(self.calls[call].start) } else { time };
            self.end_call(call, end);
        }
    }
}
