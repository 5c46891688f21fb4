//! What the LLM figures mean: one definition for every view, shown on hover.
//!
//! Tools use the same names for different things, so each text says what is measured here and who
//! measures it otherwise.

/// Time to first token.
pub const TTFT: &str = "Time to first token: first output token − arrival, waiting in the queue included, without what \
    attempts that failed and the waits after them took.\n\n\
    Other tools differ: llama.cpp counts the prefill only; client benchmarks add the network.";
/// Time to the first token of the answer.
pub const TTFO: &str =
    "Time to first output: first token of the answer itself − arrival, reasoning before it included.";
/// Time per output token.
pub const TPOT: &str = "Time per output token: (last token − first token) ÷ (output tokens − 1), one value per request. \
    ≈: nobody counted the tokens, so chunks of the answer stand for them.\n\n\
    The first token belongs to the prefill, so requests with one token have none. TGI and llama.cpp divide \
    by all tokens.";
/// Why a request was slow.
pub const WHY_SLOW: &str = "What explains most of what a request took over the median of those of its model that are shown; only for requests \
    that took more than 1.5 times that. Queue, retries, prompt and answer length, first token and time per token are each held against \
    their medians.";
/// Loading the model.
pub const LOAD: &str = "Time to load the model, as the server states it.";
/// Time on the device.
pub const SELF_DEVICE: &str = "sort_by=\"self_cuda_time_total\": time on the device of what it launched itself; of kernels and copies their own time. \
    Both are the same time, so they are never added up.";
/// What a device can do at most.
pub const ROOFLINE: &str = "A dot is what was done: operations per second over operations per byte read. The line is what the device can do: on \
    its slope memory limits, on its flat part operations do. Operations ≈ 2 × parameters + attention a token; bytes: the \
    weights and the live KV cache once a pass.";
/// Parts of prompts.
pub const COMPONENTS: &str = "≈: the count of a prompt, as its source states it, is shared out by characters; the sum is exact. Parts are told by the roles \
    of messages and by headings such as «Context:». Full colour: the same as the beginning of an earlier prompt.";
/// How far apart requests of one kind are.
pub const SPREAD: &str = "The slowest ÷ the fastest that ended well: 1.0 where all take the same time.";
/// From a launch to its work.
pub const LAUNCH: &str = "Start of the kernel or copy − beginning of the call that launches it, waiting behind earlier work of its stream included.\n\n\
    Other tools differ: nsys and HTA begin with the end of the call.";
/// The same where the stream was free.
pub const LAUNCH_FREE: &str =
    "The same where the stream had nothing to do when the call began: what launching itself takes.";
/// How counts are known.
pub const SIGNS: &str = "≥: some counts are lower bounds or not known. ≈: some are computed or estimated.";
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
    end, of failed ones too.";
/// Price.
pub const COST: &str = "Price of the tokens. Requests without a price are left out, not counted as 0.";
/// Cost of an answer.
pub const BY_LIST_PRICES: &str =
    "The tokens as they were, cached ones too, by list prices; what a source says was billed may differ.";
/// Cost of an answer.
pub const PER_ANSWER: &str =
    "Cost of all requests that have one ÷ those of them that ended well: what failed was paid for, too.";
/// Requests without a price.
pub const UNPRICED: &str =
    "Requests whose model has no price, or whose tokens are not known. They are in no sum.";
/// What caching saved.
pub const SAVED: &str = "List price had nothing been cached − list price as it was. Below 0, writing to the cache cost more than \
    reading from it saved.";
/// What if nothing had been cached.
pub const NO_CACHE: &str = "The same requests with all input tokens at the input price.";
/// What if all had been cached.
pub const BEST_CACHE: &str =
    "What was written to caches read from them instead, but for the first write of each model.";
/// What if another model had answered.
pub const ANOTHER_MODEL: &str = "The same numbers of tokens at its prices of today. Its tokenizer counts otherwise, and it answers \
    otherwise.";
/// Goodput.
pub const GOODPUT: &str = "Requests per second that keep all that is promised, over the time from the first arrival to the last end. \
    What failed keeps nothing.";
/// Phases of a run.
pub const RUN_PHASES: &str = "Parts of the time that passed, as the recording names them: not those of the requests, which are sums over all of them.";
/// What load does.
pub const BY_LOAD: &str = "A dot is the mean latency of requests that arrived when so many were in flight, themselves included; what a cache \
    answered is left out. Throughput is Little's law: in flight ÷ mean latency.";
/// Whether what is in flight fits rate and latency.
pub const LITTLE: &str = "Little's law: L = λ · W, requests in flight = requests per second × mean latency. Both sides are measured here. Where they \
    differ, requests are missing, some still run, or the counter counts something else.";
/// What requests did with their time.
pub const ACTIVITY: &str = "Queued: waiting for their turn. Busy: worked on, as their server states it or from when they left the queue on. Awaited: \
    the rest, which is failed attempts, the network, and servers that do not say what they did.";
/// What parts of prompts cost.
pub const COMPONENT_COSTS: &str = "Tokens of a part are about right, so its cost is, too. What was read from a cache stands at the beginning of a \
    prompt, what was written there next. Requests without a price or a kept prompt are left out.";
/// What a machine of one's own costs.
pub const MACHINE: &str = "For models on a machine of yours: the time of the run at the price of an hour, and the energy that its devices used \
    (power over time, ∫ W dt) at the price of a kWh. They are two answers, never added up.";
/// Energy that devices used.
pub const ENERGY: &str =
    "Power over time (∫ W dt) of the devices whose power was measured, for as long as it was.";
/// Where more load only makes requests wait.
pub const KNEE: &str = "The load with most throughput for its latency (Kleinrock's power: throughput ÷ latency), of levels with at least \
    three requests.";
/// All input tokens.
pub const PROMPT: &str = "Input tokens: uncached, read from a cache and written to one.";
/// Cache reads.
pub const CACHE_READ: &str = "Input tokens that came from a prompt cache.";
/// Requests at the same time.
pub const CONCURRENCY: &str = "Requests between arrival and end at the same time.";
/// Who counts.
pub const FINISHED: &str = "Over finished requests; failed and cancelled ones are counted apart.";
