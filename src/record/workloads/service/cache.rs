//! The caches of answers: by the same request, and by a similar one.
//!
//! What happens to entries is said as events: that one was stored and for how long, that it was too old, that it had to make
//! room.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{debug, info};

use super::prompts::Prompt;
use crate::model::Unit;
use crate::record::{WorkloadError, count};

/// A server that does not answer for so long is treated as gone.
const REDIS_TIMEOUT: Duration = Duration::from_secs(1);

/// An answer in memory.
pub(super) struct Kept {
    text: String,
    stored: Instant,
    until: Instant,
    /// When it was last stored or read.
    used: Instant,
}

/// What a look-up found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) text: Option<String>,
    /// How long it will be kept from now on, where that is known.
    pub(super) left: Option<Duration>,
}

impl Found {
    /// How long it has been kept, of what is kept for `ttl`; `None` when unknown.
    pub(super) fn age(&self, ttl: Duration) -> Option<Duration> {
        self.left.map(|left| ttl.saturating_sub(left))
    }
}

/// Answers by key, each for a limited time.
pub(super) enum Exact {
    /// In this process, at most so many; 0 for any number.
    Memory(Mutex<HashMap<String, Kept>>, usize),
    /// On a Redis server; keys begin with a text of this run, so runs do not see each other's answers.
    Redis { connection: Mutex<redis::Connection>, prefix: String },
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exact {
    /// In memory for an empty `url`, with at most `most` entries.
    pub(super) fn open(url: &str, most: usize) -> Result<Self, WorkloadError> {
        if url.is_empty() {
            return Ok(Self::Memory(Mutex::default(), most));
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
    pub(super) fn get(&self, key: &str) -> Result<Found, String> {
        match self {
            Self::Memory(answers, _) => {
                let (mut answers, now) = (lock(answers), Instant::now());
                if let Some(kept) = answers.get_mut(key).filter(|kept| kept.until > now) {
                    kept.used = now;
                    return Ok(Found { text: Some(kept.text.clone()), left: Some(kept.until - now) });
                }
                if let Some(old) = answers.remove(key) {
                    expired("exact", old.stored);
                    size("Exact cache entries", answers.len());
                }
                Ok(Found::default())
            }
            // In one round: a server that expires entries by itself says only how long one is left.
            Self::Redis { connection, prefix } => {
                let key = format!("{prefix}{key}");
                let both = redis::pipe().cmd("GET").arg(&key).cmd("PTTL").arg(&key).clone();
                let (text, left): (Option<String>, i64) =
                    both.query(&mut *lock(connection)).map_err(|e| e.to_string())?;
                Ok(Found { text, left: u64::try_from(left).ok().map(Duration::from_millis) })
            }
        }
    }

    pub(super) fn set(&self, key: &str, text: &str, ttl: Duration) -> Result<(), String> {
        match self {
            Self::Memory(answers, most) => {
                let (mut answers, now) = (lock(answers), Instant::now());
                let kept = Kept { text: text.into(), stored: now, until: now + ttl, used: now };
                let is_new = answers.insert(key.into(), kept).is_none();
                stored("exact", ttl);
                if is_new && *most > 0 && answers.len() > *most {
                    let oldest = answers.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
                    if let Some(old) = oldest.and_then(|key| answers.remove(&key)) {
                        evicted("exact", old.stored, *most);
                    }
                }
                size("Exact cache entries", answers.len());
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

/// An answer was stored.
fn stored(cache: &str, ttl: Duration) {
    debug!(target: "inferscope::service", cache, ttl_s = ttl.as_secs_f64(), "cache entry stored");
}

/// An entry was too old. It is noticed when it is looked at.
fn expired(cache: &str, stored: Instant) {
    let age_s = stored.elapsed().as_secs_f64();
    info!(target: "inferscope::service", cache, age_s, "cache entry expired");
}

/// An entry had to make room.
fn evicted(cache: &str, stored: Instant, most: usize) {
    let age_s = stored.elapsed().as_secs_f64();
    info!(target: "inferscope::service", cache, age_s, most, "cache entry evicted");
}

fn size(name: &str, entries: usize) {
    count(name, Unit::Count, entries as f64);
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
    stored: Instant,
    until: Instant,
}

/// The closest prompt that was answered before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Match {
    pub(super) prompt: Prompt,
    pub(super) text: String,
    pub(super) similarity: f64,
    /// How long its answer has been kept.
    pub(super) age: Duration,
}

/// Answers by prompts that are alike, oldest first; at most so many, 0 for any number.
pub(super) struct Semantic(Mutex<Vec<Entry>>, usize);

impl Semantic {
    pub(super) fn new(most: usize) -> Self {
        Self(Mutex::default(), most)
    }

    pub(super) fn closest(&self, prompt: &Prompt, vector: &[f32], how: Similarity) -> Option<Match> {
        let mut entries = lock(&self.0);
        let (now, before) = (Instant::now(), entries.len());
        entries.retain(|e| {
            if e.until <= now {
                expired("semantic", e.stored);
            }
            e.until > now
        });
        if entries.len() < before {
            size("Semantic cache entries", entries.len());
        }
        let compare = |e: &Entry| match how {
            Similarity::Embedding => vector.iter().zip(&e.vector).map(|(a, b)| f64::from(a * b)).sum(),
            Similarity::Jaccard => jaccard(&prompt.text, &e.prompt.text),
            Similarity::Off => 0.0,
        };
        let (similarity, best) =
            entries.iter().map(|e| (compare(e), e)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        let age = now.saturating_duration_since(best.stored);
        Some(Match { prompt: best.prompt.clone(), text: best.text.clone(), similarity, age })
    }

    pub(super) fn add(&self, prompt: &Prompt, vector: Vec<f32>, text: &str, ttl: Duration) {
        let (mut entries, now) = (lock(&self.0), Instant::now());
        entries.push(Entry {
            prompt: prompt.clone(),
            vector,
            text: text.into(),
            stored: now,
            until: now + ttl,
        });
        stored("semantic", ttl);
        if self.1 > 0 && entries.len() > self.1 {
            evicted("semantic", entries.remove(0).stored, self.1);
        }
        size("Semantic cache entries", entries.len());
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
        let cache = Exact::open("", 0).unwrap();
        cache.set("a", "1", Duration::from_secs(60)).unwrap();
        cache.set("b", "2", Duration::ZERO).unwrap();
        let found = cache.get("a").unwrap();
        assert!(
            found.text.as_deref() == Some("1") && found.left > Some(Duration::from_secs(50)),
            "{found:?}"
        );
        assert_eq!((cache.get("b").unwrap(), cache.get("c").unwrap()), (Found::default(), Found::default()));
        let error = Exact::open("redis://127.0.0.1:1/", 0).err().unwrap().to_string();
        assert!(error.contains("Redis") && error.contains("redis= empty"), "{error}");
        let error = Exact::open("redis://:secret@127.0.0.1:1/", 0).err().unwrap().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn shared_words_do_not_make_the_same_question() {
        let (france, spain) = ("what is the capital of france?", "what is the capital of spain?");
        assert!((jaccard(france, spain) - 5.0 / 7.0).abs() < 1e-9);
        assert_eq!((jaccard(france, france), jaccard("", "")), (1.0, 0.0));
        let semantic = Semantic::new(0);
        let prompt = |text: &str| Prompt { text: text.into(), intent: 0 };
        semantic.add(&prompt(france), vec![1.0, 0.0], "Paris", Duration::from_secs(60));
        semantic.add(&prompt("old"), vec![0.0, 1.0], "gone", Duration::ZERO);
        let found = semantic.closest(&prompt(spain), &[0.6, 0.8], Similarity::Embedding).unwrap();
        assert_eq!(found.text, "Paris", "the other one is too old");
        assert!((found.similarity - 0.6).abs() < 1e-6);
    }

    #[test]
    fn a_full_cache_gives_up_what_was_used_longest_ago() {
        let cache = Exact::open("", 2).unwrap();
        for key in ["a", "b"] {
            cache.set(key, key, Duration::from_secs(60)).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(cache.get("a").unwrap().text.is_some());
        cache.set("c", "c", Duration::from_secs(60)).unwrap();
        let there = |key| cache.get(key).unwrap().text.is_some();
        assert_eq!(["a", "b", "c"].map(there), [true, false, true]);
        let semantic = Semantic::new(1);
        let prompt = |text: &str| Prompt { text: text.into(), intent: 0 };
        for text in ["x", "y"] {
            semantic.add(&prompt(text), vec![1.0], text, Duration::from_secs(60));
        }
        let found = semantic.closest(&prompt("x"), &[1.0], Similarity::Embedding).unwrap();
        assert_eq!(found.text, "y");
    }
}
