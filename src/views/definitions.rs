//! What the LLM figures mean: one definition for every view, shown on hover.
//!
//! Tools use the same names for different things, so each text says what is measured here and who
//! measures it otherwise.

/// Time to first token.
pub const TTFT: &str = "Time to first token: first output token − arrival, waiting in the queue included.\n\n\
    Other tools differ: llama.cpp counts the prefill only; client benchmarks add the network.";
/// Time per output token.
pub const TPOT: &str = "Time per output token: (end − first token) ÷ (output tokens − 1), one value per request.\n\n\
    The first token belongs to the prefill, so requests with one token have none. TGI and llama.cpp divide \
    by all tokens.";
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
