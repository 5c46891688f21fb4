//! What the LLM figures mean: one definition for every view, shown on hover.
//!
//! Tools use the same names for different things, so each text says what is measured here and who
//! measures it otherwise.

/// Time to first token.
pub const TTFT: &str = "Time to first token: first output token − arrival, waiting in the queue included, without what \
    attempts that failed and the waits after them took.\n\n\
    Other tools differ: llama.cpp counts the prefill only; client benchmarks add the network.";
/// Time per output token.
pub const TPOT: &str = "Time per output token: (last token − first token) ÷ (output tokens − 1), one value per request. \
    ≈: nobody counted the tokens, so chunks of the answer stand for them.\n\n\
    The first token belongs to the prefill, so requests with one token have none. TGI and llama.cpp divide \
    by all tokens.";
/// Output tokens.
pub const OUTPUT: &str = "Tokens that the model wrote, reasoning included. ≈: some requests have no count, so their chunks \
    stand for tokens.";
/// Retries.
pub const RETRIES: &str = "Attempts that failed and were followed by another one.";
/// Lost time.
pub const LOST: &str = "Time that attempts that failed and the waits after them (back-off) took.";
/// What a user waited.
pub const WAITED: &str =
    "First output token − arrival, with what attempts that failed and the waits after them took.";
/// Likeness of the closest prompt in a cache.
pub const SIMILARITY: &str = "How alike the closest prompt in the semantic cache was, 0 to 1; of misses too.";
/// Latency.
pub const LATENCY: &str = "Latency: end − arrival.";
/// Time in the queue.
pub const QUEUED: &str = "Queued: start of work − arrival.";
/// Gaps between tokens.
pub const TOKEN_GAP: &str = "Inter-token gap: the time between one output token and the next, all gaps of all \
    finished requests pooled. TPOT is the mean of a request; gaps show its stalls.";
/// Gaps between chunks.
pub const CHUNK_GAP: &str = "Gap between chunks of output, all finished requests pooled. A chunk may hold several \
    tokens, so this is not the time per token.";
/// Rate of one request.
pub const RATE: &str = "Output tokens per second as one user sees them: 1 ÷ TPOT.";
/// Rate over the whole request.
pub const END_TO_END_RATE: &str = "Output tokens ÷ latency: waiting, retries and the prompt included.";
/// Rate of the system.
pub const SYSTEM_RATE: &str = "Output tokens of all finished requests ÷ the time from the first arrival to the last \
    end.";
/// Price.
pub const COST: &str = "Price of the tokens. Requests without a price are left out, not counted as 0.";
/// All input tokens.
pub const PROMPT: &str = "Input tokens: uncached, read from a cache and written to one.";
/// Cache reads.
pub const CACHE_READ: &str = "Input tokens that came from a prompt cache.";
/// Requests at the same time.
pub const CONCURRENCY: &str = "Requests between arrival and end at the same time.";
/// Who counts.
pub const FINISHED: &str = "Over finished requests; failed and cancelled ones are counted apart.";
