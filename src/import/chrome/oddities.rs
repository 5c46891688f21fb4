//! What was odd about a trace, counted without touching texts on the way.

use crate::model::ProfileBuilder;

macro_rules! oddities {
    ($($name:ident = $text:literal,)*) => {
        /// One kind of oddity.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Odd { $($name,)* }

        const KINDS: &[(Odd, &str)] = &[$((Odd::$name, $text),)*];
    };
}

oddities! {
    NotAnEvent = "entry in the list of events that is no event (skipped)",
    BadSyntax = "event that is not valid JSON (skipped)",
    CutOff = "the file ends in the middle",
    TooLarge = "event larger than 64 MB (skipped)",
    Trailing = "data after the end of the trace (ignored)",
    BadTime = "event whose time or duration is missing or not a usable number (skipped)",
    Repeated = "event with the same field twice (the last one counts)",
    UnknownPhase = "event of a kind that is not shown",
    Objects = "object events are not shown",
    NoDuration = "complete event without a duration (shown as unfinished, until the span around it or the trace ends)",
    StrayEnd = "end event without its begin event (ignored)",
    Crossed = "span that ends after the span around it (shown beside it)",
    Unfinished = "span without an end (shown as unfinished, until the span around it or the trace ends)",
    FlowStart = "flow that starts and never arrives",
    FlowEnd = "flow that arrives and never started",
    Quotes = "event whose texts hold quotes that are not escaped (read as far as its fields show)",
    Backslash = "text with raw backslashes (shown as they are in the file)",
    Text = "text with invalid characters (shown as �)",
    Control = "text with raw control characters",
    SharedFlow = "flow or correlation id used by several processes (arrows may be missing)",
    FarTime = "event with a time far from all others (set aside: counted, but not in time)",
    BadMetadata = "name or order of a process or thread in a wrong form (ignored)",
    BadCounter = "counter value that is not a number (skipped)",
    BadSample = "sample whose stack is missing (shown without stack)",
    StackCycle = "stack frame that is its own ancestor (cut)",
    BadProfile = "CPU profile inside the trace that cannot be read (skipped)",
}

/// Counters per kind, with the offset of the first one.
#[derive(Debug)]
pub(super) struct Oddities {
    counts: [(u64, u64); KINDS.len()],
    /// Offset of the event that is being read.
    pub offset: u64,
}

impl Default for Oddities {
    fn default() -> Self {
        Self { counts: [(0, 0); KINDS.len()], offset: 0 }
    }
}

impl Oddities {
    /// Counts one, at the event being read.
    pub fn count(&mut self, odd: Odd) {
        self.count_many(odd, 1);
    }

    /// Counts several.
    pub fn count_many(&mut self, odd: Odd, n: u64) {
        let entry = &mut self.counts[odd as usize];
        if entry.0 == 0 {
            entry.1 = self.offset;
        }
        entry.0 += n;
    }

    /// Counts several, of which the first stands at a known place.
    pub fn count_at(&mut self, odd: Odd, n: u64, offset: u64) {
        let before = std::mem::replace(&mut self.offset, offset);
        self.count_many(odd, n);
        self.offset = before;
    }

    /// How many of one kind.
    pub fn of(&self, odd: Odd) -> u64 {
        self.counts[odd as usize].0
    }

    /// Tells the builder.
    pub fn report(&self, builder: &mut ProfileBuilder) {
        for &(odd, text) in KINDS {
            let (count, first) = self.counts[odd as usize];
            let somewhere = matches!(
                odd,
                Odd::Unfinished
                    | Odd::StrayEnd
                    | Odd::FlowStart
                    | Odd::FlowEnd
                    | Odd::SharedFlow
                    | Odd::StackCycle
            );
            let place = if somewhere { String::new() } else { format!("byte {first}") };
            builder.warn_many(text, &place, count);
        }
    }
}
