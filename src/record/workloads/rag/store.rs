//! The database of the pipeline: documents with their embeddings, and the answers.
//!
//! SQLite in a temporary file of its own (an empty name), which it removes when it is closed: reads and
//! writes are real, and nothing is left behind.

use rusqlite::Connection;
use tracing::{debug_span, info_span};

use crate::record::WorkloadError;

pub(super) struct Store {
    db: Connection,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Passage {
    pub(super) title: String,
    pub(super) text: String,
    /// Cosine of the angle to the question.
    pub(super) similarity: f32,
}

impl From<rusqlite::Error> for WorkloadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(format!("SQLite: {error}"))
    }
}

/// A statement, as a span.
macro_rules! sql {
    ($statement:expr) => {
        debug_span!(target: "inferscope::rag", "sql", statement = $statement).entered()
    };
}

const SCHEMA: &str = "
    CREATE TABLE documents (id INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, embedding BLOB NOT NULL);
    CREATE TABLE answers (id INTEGER PRIMARY KEY, question TEXT NOT NULL, answer TEXT NOT NULL, sources TEXT NOT NULL);";

impl Store {
    pub(super) fn open() -> Result<Self, WorkloadError> {
        let db = Connection::open("")?;
        db.execute_batch(SCHEMA)?;
        Ok(Self { db })
    }

    /// Adds a document; its embedding has length 1.
    pub(super) fn add(&self, title: &str, text: &str, embedding: &[f32]) -> Result<(), WorkloadError> {
        const INSERT: &str = "INSERT INTO documents (title, text, embedding) VALUES (?1, ?2, ?3)";
        let _sql = sql!(INSERT);
        let bytes: Vec<u8> = embedding.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.db.prepare_cached(INSERT)?.execute((title, text, bytes))?;
        Ok(())
    }

    /// The `count` documents closest to `query`, closest first.
    pub(super) fn nearest(&self, query: &[f32], count: usize) -> Result<Vec<Passage>, WorkloadError> {
        const ALL: &str = "SELECT id, embedding FROM documents ORDER BY id";
        const ONE: &str = "SELECT title, text FROM documents WHERE id = ?1";
        let rows: Vec<(i64, Vec<u8>)> = {
            let _sql = sql!(ALL);
            let mut statement = self.db.prepare_cached(ALL)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let mut found: Vec<(f32, i64)> = {
            let _search =
                info_span!(target: "inferscope::rag", "cosine_search", documents = rows.len()).entered();
            rows.iter().map(|(id, bytes)| (cosine(query, bytes), *id)).collect()
        };
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.truncate(count);
        let mut passages = Vec::with_capacity(found.len());
        for (similarity, id) in found {
            let _sql = sql!(ONE);
            let passage = self
                .db
                .prepare_cached(ONE)?
                .query_row([id], |row| Ok(Passage { title: row.get(0)?, text: row.get(1)?, similarity }))?;
            passages.push(passage);
        }
        Ok(passages)
    }

    pub(super) fn save(&self, question: &str, answer: &str, sources: &str) -> Result<(), WorkloadError> {
        const INSERT: &str = "INSERT INTO answers (question, answer, sources) VALUES (?1, ?2, ?3)";
        let _sql = sql!(INSERT);
        self.db.prepare_cached(INSERT)?.execute((question, answer, sources))?;
        Ok(())
    }
}

/// Both have length 1, so the product is the cosine.
fn cosine(query: &[f32], bytes: &[u8]) -> f32 {
    let number = |b: &[u8]| b.try_into().map_or(0.0, f32::from_le_bytes);
    query.iter().zip(bytes.chunks_exact(4)).map(|(q, b)| q * number(b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_documents_come_first() {
        let store = Store::open().unwrap();
        for (title, vector) in [("east", [1.0, 0.0]), ("north", [0.0, 1.0]), ("north-east", [0.8, 0.6])] {
            store.add(title, "text", &vector).unwrap();
        }
        let found = store.nearest(&[1.0, 0.0], 2).unwrap();
        let titles: Vec<_> = found.iter().map(|p| (p.title.as_str(), p.similarity)).collect();
        assert_eq!(titles, [("east", 1.0), ("north-east", 0.8)]);
        store.save("q", "a", "east").unwrap();
        assert!(Store::open().unwrap().nearest(&[1.0, 0.0], 5).unwrap().is_empty(), "each is its own");
    }
}
