//! Tokens of a request by billing class, and how they became known.

/// Tokens of one request. The four input classes are disjoint and add up to the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// Input tokens that were not cached.
    pub input: Option<u64>,
    /// Input tokens read from a cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to a cache for 5 minutes, or for a time that nobody stated ([`Accounting::write_time_stated`]).
    pub cache_write_5m: Option<u64>,
    /// Input tokens written to a cache for an hour.
    pub cache_write_1h: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// Output tokens spent on reasoning.
    pub reasoning: Option<u64>,
    /// Part of `input` that is sound.
    pub audio_input: Option<u64>,
    /// Part of `input` that is pictures.
    pub image_input: Option<u64>,
    /// Part of `input` that calls of tools brought.
    pub tool_input: Option<u64>,
    /// Part of `output` that is sound.
    pub audio_output: Option<u64>,
}

impl TokenCounts {
    /// All input tokens; `None` when none of the classes is known.
    #[must_use]
    pub fn prompt(&self) -> Option<u64> {
        let classes = [self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h];
        classes.into_iter().flatten().reduce(u64::saturating_add)
    }

    /// Input tokens written to a cache, for however long.
    #[must_use]
    pub fn cache_write(&self) -> Option<u64> {
        [self.cache_write_5m, self.cache_write_1h].into_iter().flatten().reduce(u64::saturating_add)
    }

    /// Input and output; `None` unless both are known.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        Some(self.prompt()?.saturating_add(self.output?))
    }

    /// True when nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.prompt().is_none() && self.output.is_none()
    }
}

/// Where a count comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The source states it, or it was counted where the tokens were made.
    #[default]
    Reported,
    /// Derived from something else: ≈.
    Computed,
    /// What had come when it broke off: ≥.
    LowerBound,
    /// Nobody knows: –.
    Unknown,
}

impl Origin {
    /// The sign before the number.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Reported => "",
            Self::Computed => "≈ ",
            Self::LowerBound => "≥ ",
            Self::Unknown => "– ",
        }
    }
}

/// Whether the source's count of input tokens holds those of the prompt cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputCount {
    /// There are none, or the source states the classes apart.
    #[default]
    Disjoint,
    /// It holds them.
    Inclusive,
    /// They come on top of it.
    Exclusive,
}

/// What told [`InputCount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// There was nothing to decide.
    #[default]
    Nothing,
    /// The source's total is the sum of the parts, read one way only.
    Identity,
    /// More was cached than the input count says.
    Sizes,
    /// The provider's or the format's habit.
    Provider,
}

/// How the counts of a request became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Accounting {
    /// Where the input counts come from.
    pub input: Origin,
    /// Where the output counts come from.
    pub output: Origin,
    /// How the source counts input.
    pub input_count: InputCount,
    /// What told so.
    pub decided_by: DecidedBy,
    /// The total that the source states.
    pub stated_total: Option<u64>,
    /// The source says how long what was written stays in the cache.
    pub write_time_stated: bool,
}

impl Accounting {
    /// Of counts that were made where the tokens were: what is missing is unknown.
    #[must_use]
    pub fn of_counted(tokens: &TokenCounts) -> Self {
        let origin = |count: Option<u64>| if count.is_some() { Origin::Reported } else { Origin::Unknown };
        Self { input: origin(tokens.input), output: origin(tokens.output), ..Self::default() }
    }

    /// Whether the source's total is ours; `None` when either is unknown.
    #[must_use]
    pub fn agrees(&self, tokens: &TokenCounts) -> Option<bool> {
        Some(self.stated_total? == tokens.total()?)
    }

    /// The worse of both origins.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let rank = |o: Origin| o as u8;
        if rank(self.input) > rank(self.output) { self.input } else { self.output }
    }
}
