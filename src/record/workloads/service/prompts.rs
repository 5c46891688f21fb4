//! What the clients ask: subjects and ways to ask, and how popular each of them is.

use crate::record::llm::Pcg32;

const SUBJECTS: [&str; 12] = [
    "a span",
    "a trace",
    "a flame graph",
    "self time",
    "the queue",
    "batching",
    "the cache",
    "the prefill",
    "the decode",
    "the KV cache",
    "the tokenizer",
    "streaming",
];

/// Four intentions, each in four wordings that deserve the same answer.
const FORMS: [[&str; 4]; 4] = [
    ["What is {}?", "What does {} mean?", "Explain {}.", "Can you explain {}?"],
    [
        "Why does {} matter?",
        "Why is {} important?",
        "Why should I care about {}?",
        "Why should I look at {}?",
    ],
    [
        "How do I measure {}?",
        "How can I see {} in a profile?",
        "How do I check {}?",
        "Where do I look for {}?",
    ],
    [
        "Tell me everything about {}.",
        "Give me an overview of {}.",
        "Explain {} in a few sentences.",
        "Write a short note about {}.",
    ],
];

const INTENTS: usize = SUBJECTS.len() * FORMS.len();

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// The same for prompts that deserve the same answer.
    pub(super) intent: usize,
}

impl Prompt {
    fn new(intent: usize, form: usize) -> Self {
        let form = FORMS[intent % FORMS.len()][form % 4];
        let subject = SUBJECTS[intent / FORMS.len() % SUBJECTS.len()];
        Self { text: form.replace("{}", subject), intent }
    }
}

/// The first `count` different prompts; after 192 they come again.
pub(super) fn different(count: usize) -> Vec<Prompt> {
    (0..count).map(|n| Prompt::new(n % INTENTS, n / INTENTS)).collect()
}

/// Prompts of which few are popular: the nth intention is asked with weight 1 / n^skew. Two of five are
/// put in other words.
pub(super) fn popular(count: usize, skew: f64, seed: u64) -> Vec<Prompt> {
    let mut rng = Pcg32::new(seed, 1);
    let weights: Vec<f64> = (1..=INTENTS).map(|n| (n as f64).powf(-skew)).collect();
    let sum: f64 = weights.iter().sum();
    (0..count)
        .map(|_| {
            let mut left = rng.unit() * sum;
            let intent = weights.iter().position(|w| {
                left -= w;
                left < 0.0
            });
            let form = if rng.unit() < 0.6 { 0 } else { 1 + (rng.next_u32() % 3) as usize };
            Prompt::new(intent.unwrap_or(0), form)
        })
        .collect()
}

/// A number that depends on the text alone (FNV-1a): a prompt then has the same answer whoever asks.
pub(super) fn stream(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_differ_and_popular_ones_come_often() {
        let all = different(INTENTS * 4);
        let texts: std::collections::BTreeSet<_> = all.iter().map(|p| &p.text).collect();
        assert_eq!(texts.len(), INTENTS * 4);
        let mix = popular(2000, 1.0, 42);
        let of = |intent| mix.iter().filter(|p| p.intent == intent).count();
        assert!(of(0) > 300 && of(0) > 5 * of(20), "{} {}", of(0), of(20));
        assert_eq!(mix, popular(2000, 1.0, 42));
        assert_ne!(mix, popular(2000, 1.0, 43));
    }
}
