//! The caches of answers: by the same request, and by a similar one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::prompts::Prompt;
use crate::record::WorkloadError;

/// A server that does not answer for so long is treated as gone.
const REDIS_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers by key, each for a limited time.
pub(super) enum Exact {
    /// In this process.
    Memory(Mutex<HashMap<String, (String, Instant)>>),
    /// On a Redis server; keys begin with a text of this run, so runs do not see each other's answers.
    Redis { connection: Mutex<redis::Connection>, prefix: String },
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exact {
    /// In memory for an empty `url`.
    pub(super) fn open(url: &str) -> Result<Self, WorkloadError> {
        if url.is_empty() {
            return Ok(Self::Memory(Mutex::default()));
        }
        let connect = || -> redis::RedisResult<redis::Connection> {
            let connection = redis::Client::open(url)?.get_connection_with_timeout(REDIS_TIMEOUT)?;
            connection.set_read_timeout(Some(REDIS_TIMEOUT))?;
            connection.set_write_timeout(Some(REDIS_TIMEOUT))?;
            Ok(connection)
        };
        let connection = connect().map_err(|e| {
            // The address may hold a password; the error of the library does not.
            WorkloadError::Failed(format!(
                "the Redis server cannot be used: {e}; start one, or leave redis= empty"
            ))
        })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let prefix = format!("inferscope:{}-{now}:", std::process::id());
        Ok(Self::Redis { connection: Mutex::new(connection), prefix })
    }

    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Redis { .. })
    }

    /// The answer, unless it is too old.
    pub(super) fn get(&self, key: &str) -> Result<Option<String>, String> {
        match self {
            Self::Memory(answers) => {
                let mut answers = lock(answers);
                if answers.get(key).is_some_and(|(_, until)| *until <= Instant::now()) {
                    answers.remove(key);
                }
                Ok(answers.get(key).map(|(text, _)| text.clone()))
            }
            Self::Redis { connection, prefix } => redis::cmd("GET")
                .arg(format!("{prefix}{key}"))
                .query(&mut *lock(connection))
                .map_err(|e| e.to_string()),
        }
    }

    pub(super) fn set(&self, key: &str, text: &str, ttl: Duration) -> Result<(), String> {
        match self {
            Self::Memory(answers) => {
                lock(answers).insert(key.into(), (text.into(), Instant::now() + ttl));
                Ok(())
            }
            Self::Redis { connection, prefix } => redis::cmd("SET")
                .arg(format!("{prefix}{key}"))
                .arg(text)
                .arg("PX")
                .arg(ttl.as_millis().max(1) as u64)
                .query(&mut *lock(connection))
                .map_err(|e| e.to_string()),
        }
    }
}

/// How two prompts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Similarity {
    /// Cosine of embeddings.
    Embedding,
    /// Shared words of all words.
    Jaccard,
    /// Not at all.
    Off,
}

impl Similarity {
    pub(super) fn of(text: &str) -> Self {
        match text {
            "jaccard" => Self::Jaccard,
            "off" => Self::Off,
            _ => Self::Embedding,
        }
    }
}

struct Entry {
    prompt: Prompt,
    vector: Vec<f32>,
    text: String,
    until: Instant,
}

/// The closest prompt that was answered before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Match {
    pub(super) prompt: Prompt,
    pub(super) text: String,
    pub(super) similarity: f64,
}

/// Answers by prompts that are alike.
#[derive(Default)]
pub(super) struct Semantic(Mutex<Vec<Entry>>);

impl Semantic {
    pub(super) fn closest(&self, prompt: &Prompt, vector: &[f32], how: Similarity) -> Option<Match> {
        let mut entries = lock(&self.0);
        let now = Instant::now();
        entries.retain(|e| e.until > now);
        let compare = |e: &Entry| match how {
            Similarity::Embedding => vector.iter().zip(&e.vector).map(|(a, b)| f64::from(a * b)).sum(),
            Similarity::Jaccard => jaccard(&prompt.text, &e.prompt.text),
            Similarity::Off => 0.0,
        };
        let (similarity, best) =
            entries.iter().map(|e| (compare(e), e)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Match { prompt: best.prompt.clone(), text: best.text.clone(), similarity })
    }

    pub(super) fn add(&self, prompt: &Prompt, vector: Vec<f32>, text: &str, ttl: Duration) -> usize {
        let mut entries = lock(&self.0);
        let entry = Entry { prompt: prompt.clone(), vector, text: text.into(), until: Instant::now() + ttl };
        entries.push(entry);
        entries.len()
    }
}

/// Shared words of all words, 0 to 1.
fn jaccard(a: &str, b: &str) -> f64 {
    let words = |t: &str| -> std::collections::BTreeSet<String> {
        t.to_lowercase().split_whitespace().map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    let all = a.union(&b).count();
    if all == 0 { 0.0 } else { a.intersection(&b).count() as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_their_time_only() {
        let cache = Exact::open("").unwrap();
        cache.set("a", "1", Duration::from_secs(60)).unwrap();
        cache.set("b", "2", Duration::ZERO).unwrap();
        assert_eq!(cache.get("a").unwrap().as_deref(), Some("1"));
        assert_eq!((cache.get("b").unwrap(), cache.get("c").unwrap()), (None, None));
        let error = Exact::open("redis://127.0.0.1:1/").err().unwrap().to_string();
        assert!(error.contains("Redis") && error.contains("redis= empty"), "{error}");
        let error = Exact::open("redis://:secret@127.0.0.1:1/").err().unwrap().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn shared_words_do_not_make_the_same_question() {
        let (france, spain) = ("what is the capital of france?", "what is the capital of spain?");
        assert!((jaccard(france, spain) - 5.0 / 7.0).abs() < 1e-9);
        assert_eq!((jaccard(france, france), jaccard("", "")), (1.0, 0.0));
        let semantic = Semantic::default();
        let prompt = |text: &str| Prompt { text: text.into(), intent: 0 };
        semantic.add(&prompt(france), vec![1.0, 0.0], "Paris", Duration::from_secs(60));
        semantic.add(&prompt("old"), vec![0.0, 1.0], "gone", Duration::ZERO);
        let found = semantic.closest(&prompt(spain), &[0.6, 0.8], Similarity::Embedding).unwrap();
        assert_eq!(found.text, "Paris", "the other one is too old");
        assert!((found.similarity - 0.6).abs() < 1e-6);
    }
}
