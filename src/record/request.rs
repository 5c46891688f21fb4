//! Requests to a language model, as the code that serves them reports.
//!
//! Stamps are taken when they happen, in ticks of the recorder's clock, so that they fit the spans.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::{self, Scale};
use super::{roots, secrets, sink};
use crate::model::{
    Accounting, CacheOutcome, ENTRY_AGE, LOOKUP_TIME, MATCHED_PROMPT, Money, Outcome, ProfileBuilder,
    Request, Retry, SAVED_COST, SAVED_INPUT, SAVED_OUTPUT, STORE_TIME, TokenCounts, TrackId,
};

/// What is known about a request so far.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestRow {
    name: String,
    model: String,
    prompt: String,
    completion: String,
    error: String,
    arrived: u64,
    scheduled: Option<u64>,
    first_byte: Option<u64>,
    finished: Option<u64>,
    token_times: Vec<u64>,
    prompt_tokens: Option<u64>,
    /// Counts of a server, which take the place of our own.
    reported: Option<TokenCounts>,
    kv_cache_bytes: Option<u64>,
    outcome: Outcome,
    cache: Option<CacheOutcome>,
    batch: Option<u64>,
    /// Output tokens, where they have no stamps.
    output_tokens: Option<u64>,
    similarity: Option<f64>,
    cost: Option<Money>,
    attributes: Vec<(&'static str, String)>,
    retries: Vec<Attempt>,
    /// The attempt that runs, or waits for the next one.
    attempt: Attempt,
    /// The prompt where texts are left out: only to find it in texts of others.
    unsaid: String,
    /// One for each request of the process; findings name it.
    pub(super) number: u64,
    /// The thread that serves it.
    pub(super) thread: Option<u32>,
    /// The asynchronous span whose task serves it, by its key, and when that was said.
    pub(super) span: Option<(u64, u64)>,
}

/// An attempt, in ticks.
#[derive(Clone, Debug, Default)]
struct Attempt {
    began: u64,
    failed: u64,
    /// When the next one began.
    again: u64,
    reason: String,
}

/// Longest key of a cache that is kept as it is, in bytes.
const LONGEST_KEY: usize = 40;
/// Longest answer that is kept, in bytes.
const LONGEST_ANSWER: usize = 4 << 20;

static NUMBERS: AtomicU64 = AtomicU64::new(1);
static OPEN: Mutex<Vec<Arc<Mutex<RequestRow>>>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that is being served. Dropped before it finished, it counts as cancelled.
#[derive(Debug)]
pub struct RequestHandle {
    row: Arc<Mutex<RequestRow>>,
}

/// Reports a request that arrives now.
#[must_use]
pub fn request(name: &str, model: &str, prompt: &str) -> RequestHandle {
    let kept = |text: &str| secrets::mask(text).into_owned();
    let (name, prompt, unsaid) = match secrets::texts() {
        true => (name, kept(prompt), String::new()),
        // Names often repeat the prompt, or how it begins.
        false => (name[..without(name, prompt)].trim(), String::new(), prompt.to_owned()),
    };
    let row = RequestRow {
        name: kept(name),
        model: model.into(),
        prompt,
        unsaid,
        arrived: clock::ticks(),
        outcome: Outcome::Running,
        number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        ..RequestRow::default()
    };
    let row = Arc::new(Mutex::new(row));
    if sink::is_on() && !roots::left_out() {
        lock(&OPEN).push(row.clone());
    }
    RequestHandle { row }
}

/// Length of `name` up to where it begins to repeat `prompt`.
fn without(name: &str, prompt: &str) -> usize {
    let cut = name.trim_end_matches('…');
    let repeats = |at: &usize| {
        let rest = &cut[*at..];
        !rest.is_empty() && (prompt.starts_with(rest) || (!prompt.is_empty() && rest.starts_with(prompt)))
    };
    cut.char_indices().map(|(at, _)| at).find(repeats).unwrap_or(name.len())
}

/// A request that the recording does not show: work that nobody asked for.
pub(super) fn unseen() -> RequestHandle {
    RequestHandle { row: Arc::default() }
}

impl RequestHandle {
    /// It turns out to be part of a root that is not recorded, when it arrived before that was known.
    fn forget_if_left_out(&self) {
        if roots::left_out() {
            lock(&OPEN).retain(|row| !Arc::ptr_eq(row, &self.row));
        }
    }

    /// It left the queue: the calling thread works on it from now on.
    pub fn scheduled(&self) {
        self.forget_if_left_out();
        let (now, thread) = (clock::ticks(), sink::this_thread());
        let mut row = lock(&self.row);
        (row.scheduled, row.thread) = (Some(now), Some(thread));
    }

    /// It left the queue and is served by the task of `span`, an asynchronous span.
    pub fn scheduled_on(&self, span: &tracing::Span) {
        self.forget_if_left_out();
        let now = clock::ticks();
        let mut row = lock(&self.row);
        row.scheduled = Some(now);
        row.span = span.id().map(|id| (sink::key(id.into_u64()), now));
    }

    /// An attempt begins. Only needed where there may be several.
    pub fn attempt(&self) {
        let now = clock::ticks();
        let mut row = lock(&self.row);
        let before = std::mem::replace(&mut row.attempt, Attempt { began: now, ..Attempt::default() });
        if before.failed != 0 {
            row.retries.push(Attempt { again: now, ..before });
        }
    }

    /// The attempt failed, and another one will follow after a wait.
    pub fn attempt_failed(&self, reason: &str) {
        let now = clock::ticks();
        let reason = self.without_prompt(reason);
        let mut row = lock(&self.row);
        (row.attempt.failed, row.attempt.reason) = (now, reason);
    }

    /// A text of somebody else, without the prompt where that is left out.
    fn without_prompt(&self, text: &str) -> String {
        let row = lock(&self.row);
        let text =
            if row.unsaid.len() < 4 { text.to_owned() } else { text.replace(&row.unsaid, "[left out]") };
        secrets::mask(&text).into_owned()
    }

    /// The first byte of a server's response is there; of several responses the last one counts.
    pub fn first_byte(&self) {
        let now = clock::ticks();
        lock(&self.row).first_byte = Some(now);
    }

    /// What a server says about its tokens; from now on our own counts do not matter. Unknown until it
    /// says so.
    pub fn reported(&self, counts: TokenCounts) {
        lock(&self.row).reported = Some(counts);
    }

    /// More of the answer.
    pub fn push_text(&self, text: &str) {
        if !secrets::texts() {
            return;
        }
        let mut row = lock(&self.row);
        let room = LONGEST_ANSWER.saturating_sub(row.completion.len());
        let end = text.floor_char_boundary(room);
        row.completion.push_str(&text[..end]);
    }

    /// The prompt has so many tokens.
    pub fn prompt_tokens(&self, count: usize) {
        lock(&self.row).prompt_tokens = Some(count as u64);
    }

    /// Tokens of its prompt, once somebody said.
    pub(super) fn known_prompt_tokens(&self) -> Option<u64> {
        lock(&self.row).prompt_tokens
    }

    /// A cache of whole answers was asked.
    pub fn cache(&self, said: CacheOutcome) {
        lock(&self.row).cache = Some(said);
    }

    /// How alike the closest prompt in a semantic cache was, 0 to 1, whether its answer was taken or not.
    pub fn similarity(&self, likeness: f64) {
        lock(&self.row).similarity = Some(likeness).filter(|l| l.is_finite());
    }

    /// Something that it is grouped and filtered by, under a name; said once.
    pub fn attribute(&self, name: &'static str, value: &str) {
        let mut row = lock(&self.row);
        if row.attributes.iter().all(|(known, _)| *known != name) {
            row.attributes.push((name, secrets::mask(value).into_owned()));
        }
    }

    /// It is looked up in a cache of answers under a key that is made of these fields. A long key, which may hold the prompt, is
    /// kept as its hash.
    pub fn cache_key(&self, key: &str, fields: &[&str]) {
        let hashed = || format!("#{:016x}", BuildHasherDefault::<DefaultHasher>::default().hash_one(key));
        self.attribute("cache.key", &if key.len() > LONGEST_KEY { hashed() } else { key.to_owned() });
        self.attribute("cache.key_fields", &fields.join(", "));
    }

    /// It costs so much.
    pub fn cost(&self, cost: Money) {
        lock(&self.row).cost = Some(cost);
    }

    /// A cache of answers answered it: what its answer had taken when it was generated, and what that had cost where prices are
    /// known.
    pub fn saved(&self, input: u64, output: u64, cost: Option<Money>) {
        self.attribute(SAVED_INPUT, &input.to_string());
        self.attribute(SAVED_OUTPUT, &output.to_string());
        if let Some(cost) = cost {
            self.attribute(SAVED_COST, &cost.to_string());
        }
    }

    /// Looking into the caches of answers took so long.
    pub fn lookup_time(&self, took: Duration) {
        self.attribute(LOOKUP_TIME, &format!("{:.6}", took.as_secs_f64()));
    }

    /// Putting its answer into the caches took so long.
    pub fn store_time(&self, took: Duration) {
        self.attribute(STORE_TIME, &format!("{:.6}", took.as_secs_f64()));
    }

    /// The answer that it got had been in a cache for so long.
    pub fn entry_age(&self, age: Duration) {
        self.attribute(ENTRY_AGE, &format!("{:.6}", age.as_secs_f64()));
    }

    /// The prompt that was closest to its own in a semantic cache.
    pub fn matched_prompt(&self, prompt: &str) {
        if secrets::texts() {
            self.attribute(MATCHED_PROMPT, prompt);
        }
    }

    /// It is generated together with others.
    pub fn batch(&self, number: u64) {
        lock(&self.row).batch = Some(number);
    }

    /// The answer has so many tokens; only needed where they do not arrive one by one.
    pub fn output_tokens(&self, count: usize) {
        lock(&self.row).output_tokens = Some(count as u64);
    }

    /// As [`Self::finish`], for a request that several hold; the KV cache may be unknown.
    pub fn answered(&self, completion: &str, kv_cache_bytes: Option<u64>) {
        let text = if secrets::texts() { secrets::mask(completion).into_owned() } else { String::new() };
        self.end(Outcome::Ok, |row| {
            row.completion = text;
            row.kv_cache_bytes = kv_cache_bytes;
        });
    }

    /// As [`Self::fail`], for a request that several hold.
    pub fn failed(&self, reason: &str) {
        let reason = self.without_prompt(reason);
        self.end(Outcome::Error, |row| row.error = reason);
    }

    pub(super) fn number(&self) -> u64 {
        lock(&self.row).number
    }

    /// An output token is there.
    pub fn token(&self) {
        let now = clock::ticks();
        lock(&self.row).token_times.push(now);
    }

    /// The answer is complete: what [`Self::push_text`] said.
    pub fn done(self) {
        self.end(Outcome::Ok, |_| ());
    }

    /// The answer is complete; `kv_cache_bytes` is what the KV cache held in the end.
    pub fn finish(self, completion: &str, kv_cache_bytes: u64) {
        self.end(Outcome::Ok, |row| {
            row.completion = completion.into();
            row.kv_cache_bytes = Some(kv_cache_bytes);
        });
    }

    /// It failed. What it gave before is kept.
    pub fn fail(self, reason: &str) {
        self.failed(reason);
    }

    fn end(&self, outcome: Outcome, change: impl FnOnce(&mut RequestRow)) {
        let now = clock::ticks();
        let mut row = lock(&self.row);
        if row.outcome == Outcome::Running {
            row.outcome = outcome;
            row.finished = Some(now);
            change(&mut row);
        }
    }
}

impl Drop for RequestHandle {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled, |_| ());
    }
}

/// A number for a request that others report.
#[cfg(feature = "workloads")]
pub(super) fn next_number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// Forgets the requests of earlier recordings.
pub(super) fn reset() {
    lock(&OPEN).clear();
}

/// Requests that ended since the last call, and those that run.
pub(super) fn take() -> (Vec<RequestRow>, Vec<RequestRow>) {
    let mut done = Vec::new();
    let mut running = Vec::new();
    lock(&OPEN).retain(|row| {
        let row = lock(row);
        let runs = row.outcome == Outcome::Running;
        let kept = row.kept();
        if runs {
            running.push(kept)
        } else {
            done.push(kept)
        }
        runs
    });
    (done, running)
}

impl RequestRow {
    /// The row as it may leave the recorder. An answer that came in pieces is judged as a whole: a secret
    /// may stretch over several.
    fn kept(&self) -> Self {
        let mut row = self.clone();
        if !secrets::texts() {
            row.completion.clear();
        } else if let std::borrow::Cow::Owned(masked) = secrets::mask(&self.completion) {
            row.completion = masked;
        }
        row
    }

    /// The row of the profile.
    pub(super) fn to_model(
        &self,
        builder: &mut ProfileBuilder,
        scale: &Scale,
        track: Option<TrackId>,
    ) -> Request {
        let times: Vec<i64> = self.token_times.iter().map(|&t| scale.ns(t)).collect();
        let mut retry = |a: &Attempt| Retry {
            began: scale.ns(a.began),
            failed: scale.ns(a.failed),
            again: scale.ns(a.again),
            reason: builder.string(&a.reason),
        };
        let retries = self.retries.iter().map(&mut retry).collect();
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| (builder.string(name), builder.string(value)))
            .collect();
        let tokens = self.reported.unwrap_or(TokenCounts {
            input: self.prompt_tokens,
            output: self.output_tokens.or_else(|| (!times.is_empty()).then_some(times.len() as u64)),
            ..TokenCounts::default()
        });
        Request {
            name: builder.string(&self.name),
            model: builder.string(&self.model),
            track,
            arrived: scale.ns(self.arrived),
            scheduled: self.scheduled.map(|t| scale.ns(t)),
            first_byte: self.first_byte.map(|t| scale.ns(t)),
            first_token: times.first().copied(),
            finished: self.finished.map(|t| scale.ns(t)),
            accounting: Accounting::of_counted(&tokens),
            tokens,
            token_times: times,
            kv_cache_bytes: self.kv_cache_bytes,
            outcome: self.outcome,
            cache: self.cache,
            batch: self.batch,
            prompt: builder.string(&self.prompt),
            completion: builder.string(&self.completion),
            error: builder.string(&self.error),
            retries,
            attributes,
            similarity: self.similarity,
            cost: self.cost,
            ..Request::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn names_end_where_they_repeat_the_prompt() {
        let kept = |name: &'static str, prompt: &str| &name[..without(name, prompt)];
        assert_eq!(kept("#7 Why is it slow?", "Why is it slow?"), "#7 ");
        assert_eq!(kept("#7 Why is…", "Why is it slow?"), "#7 ");
        assert_eq!(kept("#7 Why is it slow? (again)", "Why is it slow?"), "#7 ");
        assert_eq!(kept("batch 3", "Why?"), "batch 3");
        assert_eq!(kept("#7 ", ""), "#7 ");
    }
}
