//! Token counts as sources state them, and the one way from there to disjoint classes.
//!
//! Sources differ in whether «input» holds the tokens of the prompt cache, and «output» those of reasoning. Their total often
//! proves which: a reading counts as proven when only that one adds up to the total. Next come the sizes (more cached than input
//! means that the input does not hold it), last the habit of the provider or format.

use crate::model::{Accounting, DecidedBy, InputCount, Origin, TokenCounts};

/// Whether a source's input count usually holds what was cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It does.
    #[default]
    Inclusive,
    /// It does not.
    Exclusive,
}

/// What counts hold.
struct Decided {
    /// The input leaves out what is cached.
    exclusive: bool,
    /// The output leaves out reasoning.
    apart: bool,
    /// What told [`Self::exclusive`].
    decided_by: DecidedBy,
    /// The total told [`Self::apart`], not sizes alone.
    apart_is_proven: bool,
}

/// More tokens than any request has.
const MOST: u64 = 1_000_000_000_000;

/// Counts of one request as a source states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Input tokens, with or without cached ones.
    pub input: Option<u64>,
    /// Input tokens without cached ones, where they are stated apart.
    pub uncached: Option<u64>,
    pub output: Option<u64>,
    pub total: Option<u64>,
    pub cache_read: Option<u64>,
    /// Written to the cache in all.
    pub cache_write: Option<u64>,
    pub write_5m: Option<u64>,
    pub write_1h: Option<u64>,
    pub reasoning: Option<u64>,
    pub audio_input: Option<u64>,
    pub image_input: Option<u64>,
    pub tool_input: Option<u64>,
    pub audio_output: Option<u64>,
    pub habit: Habit,
}

impl Usage {
    /// Takes over what a later part of a stream states: counts there are cumulative, so the last one of each field counts. Zeros
    /// that stand for nothing do not replace what is known.
    pub fn update(&mut self, later: &Self) {
        if later.says_nothing() && !self.says_nothing() {
            return;
        }
        // The last event of Anthropic's streams may state the output alone, and says nothing of how the input is counted.
        if later.states_cached() || !self.states_cached() {
            self.habit = later.habit;
        }
        let fields: [(&mut Option<u64>, Option<u64>); 13] = [
            (&mut self.input, later.input),
            (&mut self.uncached, later.uncached),
            (&mut self.output, later.output),
            (&mut self.total, later.total),
            (&mut self.cache_read, later.cache_read),
            (&mut self.cache_write, later.cache_write),
            (&mut self.write_5m, later.write_5m),
            (&mut self.write_1h, later.write_1h),
            (&mut self.reasoning, later.reasoning),
            (&mut self.audio_input, later.audio_input),
            (&mut self.image_input, later.image_input),
            (&mut self.tool_input, later.tool_input),
            (&mut self.audio_output, later.audio_output),
        ];
        for (known, new) in fields {
            // Counts only grow: a 0 behind more stands for nothing.
            *known = new.filter(|n| *n > 0 || known.is_none()).or(*known);
        }
    }

    /// True when it counts what was read from a cache or written to one.
    fn states_cached(&self) -> bool {
        [self.cache_read, self.cache_write, self.write_5m, self.write_1h].iter().any(Option::is_some)
    }

    /// True when no token is counted anywhere: a request without any does not exist, so nobody counted.
    pub fn says_nothing(&self) -> bool {
        let counts = [self.input, self.uncached, self.output, self.cache_read, self.cache_write];
        counts.into_iter().flatten().all(|n| n == 0)
    }

    /// True when it states 0 as the count of input and of output.
    pub fn states_zero(&self) -> bool {
        self.says_nothing() && self.total.unwrap_or(0) == 0 && self.input == Some(0) && self.output == Some(0)
    }

    /// The same as counts: 0, reported.
    pub fn of_none(&self) -> (TokenCounts, Accounting) {
        let tokens = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
        (tokens, Accounting { stated_total: self.total, ..Accounting::default() })
    }

    /// 5 minutes and an hour, and whether the source tells them apart. The sum counts where parts disagree with it: parts may
    /// be stale ones of a stream's beginning.
    fn writes(&self) -> (Option<u64>, Option<u64>, bool) {
        match (self.cache_write, self.write_5m, self.write_1h) {
            (sum, None, None) => (sum, None, false),
            (None, short, long) => (short, long, true),
            (Some(sum), short, Some(long)) => {
                let stated = short.unwrap_or(sum.saturating_sub(long)).saturating_add(long) == sum;
                let long = long.min(sum);
                (Some(sum - long), Some(long), stated)
            }
            (Some(sum), Some(short), None) => (Some(sum), None, short == sum),
        }
    }

    /// Disjoint classes, and how they came about. Nothing is known where no token is counted at all.
    #[must_use]
    pub fn settle(&self) -> (TokenCounts, Accounting) {
        self.possible().settled()
    }

    /// Without counts that no request has: these are damage, and nothing is known of them.
    fn possible(mut self) -> Self {
        for count in [
            &mut self.input,
            &mut self.uncached,
            &mut self.output,
            &mut self.total,
            &mut self.cache_read,
            &mut self.cache_write,
            &mut self.write_5m,
            &mut self.write_1h,
            &mut self.reasoning,
            &mut self.audio_input,
            &mut self.image_input,
            &mut self.tool_input,
            &mut self.audio_output,
        ] {
            *count = count.filter(|n| *n <= MOST);
        }
        self
    }

    fn settled(&self) -> (TokenCounts, Accounting) {
        let unknown = Accounting { input: Origin::Unknown, output: Origin::Unknown, ..Accounting::default() };
        if self.says_nothing() && self.total.unwrap_or(0) == 0 {
            return (TokenCounts::default(), unknown);
        }
        let (write_5m, write_1h, write_time_stated) = self.writes();
        let cached = [self.cache_read, write_5m, write_1h].into_iter().flatten().fold(0, u64::saturating_add);
        let mut accounting =
            Accounting { stated_total: self.total, write_time_stated, ..Accounting::default() };
        let Decided { exclusive, apart, decided_by, apart_is_proven } = self.decide(cached);
        let mut output =
            self.output.map(|n| n.saturating_add(if apart { self.reasoning.unwrap_or(0) } else { 0 }));
        let input = match self.uncached {
            Some(uncached) => Some(uncached),
            None if cached == 0 => self.input,
            None => {
                accounting.decided_by = decided_by;
                accounting.input_count =
                    if exclusive { InputCount::Exclusive } else { InputCount::Inclusive };
                self.input.map(|n| if exclusive { n } else { n.saturating_sub(cached) })
            }
        };
        let mut input = input;
        // What is missing of input or output follows from the total.
        let prompt = input.map(|n| n.saturating_add(cached));
        match (self.total, prompt, output) {
            (Some(total), Some(prompt), None) if total >= prompt => {
                output = Some(total - prompt);
                accounting.output = Origin::Computed;
            }
            (Some(total), None, Some(out)) if total >= out.saturating_add(cached) => {
                input = Some(total - out - cached);
                accounting.input = Origin::Computed;
            }
            _ => {}
        }
        match (input, cached) {
            (None, 0) => accounting.input = Origin::Unknown,
            (None, _) => accounting.input = Origin::LowerBound,
            _ => {}
        }
        if output.is_none() {
            accounting.output = Origin::Unknown;
        } else if apart && !apart_is_proven {
            // More reasoning than output: the sum is what that must mean, nobody states it.
            accounting.output = Origin::Computed;
        }
        let part = |part: Option<u64>, whole: Option<u64>| part.map(|n| n.min(whole.unwrap_or(n)));
        let tokens = TokenCounts {
            input,
            cache_read: self.cache_read,
            cache_write_5m: write_5m,
            cache_write_1h: write_1h,
            output,
            reasoning: part(self.reasoning, output),
            audio_input: part(self.audio_input, input),
            image_input: part(self.image_input, input),
            tool_input: part(self.tool_input, input),
            audio_output: part(self.audio_output, output),
        };
        (tokens, accounting)
    }

    /// What the counts hold, and what told so.
    fn decide(&self, cached: u64) -> Decided {
        let (input, output) = (self.input.unwrap_or(0), self.output.unwrap_or(0));
        let reasoning = self.reasoning.unwrap_or(0);
        let fits = |&(exclusive, apart): &(bool, bool)| {
            let sum = [input, output, if exclusive { cached } else { 0 }, if apart { reasoning } else { 0 }];
            let possible = (exclusive || cached <= input) && (apart || reasoning <= output);
            possible && self.total == Some(sum.into_iter().fold(0, u64::saturating_add))
        };
        let ways = [(false, false), (true, false), (false, true), (true, true)];
        let proven: Vec<_> = match (self.input, self.output, self.uncached) {
            (Some(_), Some(_), None) => ways.into_iter().filter(fits).collect(),
            _ => Vec::new(),
        };
        let apart = proven.first().map_or(reasoning > output && self.output.is_some(), |way| way.1);
        let (exclusive, decided_by) = match proven.first() {
            Some(&(exclusive, _)) if proven.iter().all(|way| way.0 == exclusive) => {
                (exclusive, DecidedBy::Identity)
            }
            _ if self.input.is_some() && cached > input => (true, DecidedBy::Sizes),
            _ => (self.habit == Habit::Exclusive, DecidedBy::Provider),
        };
        Decided { exclusive, apart, decided_by, apart_is_proven: !proven.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64, read: u64, write: u64, total: Option<u64>) -> Usage {
        Usage {
            input: Some(input),
            output: Some(output),
            cache_read: Some(read),
            cache_write: Some(write),
            total,
            ..Usage::default()
        }
    }

    #[test]
    fn a_count_that_no_request_has_is_none() {
        let (tokens, accounting) = usage(u64::MAX, u64::MAX, u64::MAX, u64::MAX, Some(u64::MAX)).settle();
        assert_eq!((tokens, accounting.input), (TokenCounts::default(), Origin::Unknown));
        let (tokens, _) = usage(100, u64::MAX, 0, 0, None).settle();
        assert_eq!((tokens.input, tokens.output), (Some(100), None));
    }

    #[test]
    fn the_total_proves_how_input_is_counted_then_sizes_then_the_habit() {
        let settled = |u: &Usage| {
            let (t, a) = u.settle();
            (t.input, t.prompt(), a.input_count, a.decided_by, a.agrees(&t))
        };
        use DecidedBy::{Identity, Nothing, Provider, Sizes};
        use InputCount::{Disjoint, Exclusive, Inclusive};
        // A reported case: the total is the sum of all four.
        let proven = usage(3, 442, 7917, 350, Some(8712));
        assert_eq!(settled(&proven), (Some(3), Some(8270), Exclusive, Identity, Some(true)));
        let inclusive = usage(18_600, 270, 18_000, 0, Some(18_870));
        assert_eq!(settled(&inclusive), (Some(600), Some(18_600), Inclusive, Identity, Some(true)));
        // A proven reading beats the habit, in both directions.
        let odd = Usage { habit: Habit::Exclusive, ..inclusive };
        assert_eq!(settled(&odd).2, Inclusive);
        let large = usage(9000, 10, 500, 0, Some(9510));
        assert_eq!(settled(&large), (Some(9000), Some(9500), Exclusive, Identity, Some(true)));
        // Prompt + completion as total of exclusive counts cannot hold the cache.
        let wrong_total = usage(3, 442, 7917, 350, Some(445));
        assert_eq!(settled(&wrong_total), (Some(3), Some(8270), Exclusive, Sizes, Some(false)));
        assert_eq!(
            settled(&usage(5000, 1, 4000, 0, None)),
            (Some(1000), Some(5000), Inclusive, Provider, None)
        );
        let native = Usage { habit: Habit::Exclusive, ..usage(5000, 1, 4000, 0, None) };
        assert_eq!(settled(&native), (Some(5000), Some(9000), Exclusive, Provider, None));
        assert_eq!(settled(&usage(7, 1, 0, 0, Some(8))), (Some(7), Some(7), Disjoint, Nothing, Some(true)));
    }

    #[test]
    fn reasoning_is_part_of_the_output_unless_the_total_says_otherwise() {
        let with =
            |reasoning, total| Usage { reasoning: Some(reasoning), total, ..usage(100, 300, 0, 0, None) };
        assert_eq!(with(192, Some(400)).settle().0.output, Some(300));
        assert_eq!(with(192, None).settle().0.output, Some(300));
        assert_eq!(with(192, Some(592)).settle().0.output, Some(492));
        let (tokens, accounting) = with(301, None).settle();
        assert_eq!((tokens.output, accounting.output), (Some(601), Origin::Computed), "more than all");
        let proven = with(301, Some(701)).settle();
        assert_eq!((proven.0.output, proven.1.output), (Some(601), Origin::Reported), "the total says so");
        assert_eq!(with(192, None).settle().1.output, Origin::Reported);
    }

    #[test]
    fn times_in_the_cache_are_parts_of_what_was_written() {
        let write = |cache_write, write_5m, write_1h| Usage {
            cache_write,
            write_5m,
            write_1h,
            ..usage(1, 1, 0, 0, None)
        };
        let settled = |u: Usage| {
            let (t, a) = u.settle();
            (t.cache_write_5m, t.cache_write_1h, a.write_time_stated)
        };
        assert_eq!(settled(write(Some(9000), Some(3000), Some(6000))), (Some(3000), Some(6000), true));
        assert_eq!(settled(write(None, Some(3000), Some(6000))), (Some(3000), Some(6000), true));
        assert_eq!(settled(write(Some(9000), None, Some(6000))), (Some(3000), Some(6000), true));
        assert_eq!(settled(write(Some(9000), None, None)), (Some(9000), None, false));
        assert_eq!(
            settled(write(Some(500), Some(3000), Some(6000))),
            (Some(0), Some(500), false),
            "stale parts"
        );
    }

    #[test]
    fn zeros_and_nothing_are_unknown_and_what_follows_is_computed() {
        for u in [Usage::default(), usage(0, 0, 0, 0, Some(0)), usage(0, 0, 0, 0, None)] {
            let (t, a) = u.settle();
            assert!(t.is_unknown() && a.origin() == Origin::Unknown, "{u:?}");
        }
        let (t, a) = Usage { output: None, ..usage(8, 0, 0, 0, Some(8)) }.settle();
        assert_eq!((t.output, a.output), (Some(0), Origin::Computed));
        let (t, a) = Usage { input: None, ..usage(0, 40, 60, 0, Some(200)) }.settle();
        assert_eq!((t.input, a.input), (Some(100), Origin::Computed));
        let mut stream = usage(27, 1, 15_000, 0, None);
        stream.update(&Usage { output: Some(47), ..Usage::default() });
        stream.update(&usage(0, 0, 0, 0, Some(0)));
        assert_eq!((stream.input, stream.output, stream.cache_read), (Some(27), Some(47), Some(15_000)));
    }
}
