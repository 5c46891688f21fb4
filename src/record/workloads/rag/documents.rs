//! What the pipeline searches: short notes on profiling, written for this project.

/// Title and text of each document.
pub(super) const DOCUMENTS: &[(&str, &str)] = &[
    (
        "Span",
        "A span is a named piece of work with a start and an end. Nested spans show which step called which other step.",
    ),
    (
        "Trace",
        "A trace follows one request from the first step to the last. It shows the order of the steps and the gaps between them.",
    ),
    (
        "Flame graph",
        "A flame graph draws each call as a box, and the width of the box is its time. Look for wide boxes that have no children.",
    ),
    (
        "Self time",
        "Self time is the time that a step spends in its own code, without its children. A step with a large self time is a good place to optimise.",
    ),
    (
        "Queue",
        "The queue holds requests until a worker is free. A long wait in the queue means that there are too few workers.",
    ),
    (
        "Batching",
        "Batching puts many prompts together so that the weights are read once. It raises throughput, but each request may wait a little longer.",
    ),
    (
        "Cache",
        "The cache keeps the answers of earlier requests. A cache hit costs microseconds, and a model call costs seconds.",
    ),
    (
        "Prefill",
        "The prefill reads the whole prompt in one pass and fills the cache of keys and values. A long prompt makes the prefill slow.",
    ),
    (
        "Decode",
        "The decode step makes one token at a time. It is limited by memory bandwidth, because the model reads all its weights for every token.",
    ),
    (
        "KV cache",
        "The KV cache stores the keys and values of every earlier token. It grows with every token and can fill the memory.",
    ),
    (
        "Attention",
        "Attention compares each token with the tokens before it. Its cost grows with the length of the context.",
    ),
    ("Sampling", "Sampling picks the next token from the scores. A fixed seed makes the output repeatable."),
    (
        "Tokenizer",
        "The tokenizer cuts text into tokens and joins tokens into text. Token counts decide cost, latency and memory.",
    ),
    (
        "Time to first token",
        "Time to first token is what the user feels before anything appears. Shorten the prompt, and keep the model warm.",
    ),
    (
        "Throughput",
        "Throughput is the number of tokens or requests per second. Raise the load until the latency starts to grow.",
    ),
    (
        "Latency",
        "Latency is the time that one request takes from start to end. Show the median and the ninety-fifth percentile.",
    ),
    (
        "Quantization",
        "Quantization stores the weights in fewer bits. Smaller weights mean less memory traffic and faster decode.",
    ),
    (
        "Await",
        "An await is a point where a task waits and lets other tasks run. Start independent calls together and await them together.",
    ),
    (
        "Blocking call",
        "A blocking call keeps its thread until it returns. One blocking call in an async task delays all other tasks.",
    ),
    (
        "Unnecessary I/O",
        "Unnecessary I/O is reading or writing that the answer does not need. It adds latency and brings no value.",
    ),
    (
        "Retry",
        "A retry repeats a call that failed. Retries multiply latency and cost, so set a budget for them.",
    ),
    (
        "Baseline",
        "A baseline is a saved run that later runs are compared with. Record it on a quiet machine.",
    ),
    (
        "Streaming",
        "Streaming sends each token as soon as it is ready. The wait for the first token becomes the wait that counts.",
    ),
    (
        "Retrieval",
        "Retrieval finds the passages that help to answer the question. It makes the prompt longer, and a longer prompt makes the prefill slower.",
    ),
];
