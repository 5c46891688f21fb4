//! What models cost: tables of list prices, dated, with tiers, and the price of one request by them.
//!
//! | file | its job |
//! |---|---|
//! | `table` | what a table holds |
//! | `own` | our layout, which the carried table has, too |
//! | `litellm` | LiteLLM's layout |
//! | `names` | which entry a model's name means |
//! | `typed` | prices that a person types |
//! | `charge` | what a request costs by an entry |
//!
//! An unknown model has no price; nothing is ever taken for free because it is unknown.

mod charge;
mod litellm;
mod names;
mod own;
mod table;
#[cfg(test)]
mod tests;
mod typed;

use std::hash::{Hash, Hasher};
use std::io::Read;
use std::sync::{Arc, OnceLock};

pub(super) use charge::{Call, charge};
pub use charge::{Charge, Parts, Priced};
pub use names::{Resolved, Step};
pub(super) use names::{is_local, resolve};
pub use table::{Class, Entry, PriceTable};
pub use typed::{TypedPrice, table_of_typed};

/// The carried table: first-party providers and large resellers, from the PyPI package genai-prices.
static CARRIED: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/prices/prices.json.gz"));

/// Reads a table of a person: our layout or LiteLLM's.
///
/// # Errors
/// One line that says what is wrong, where, and what to do; without the file's name.
pub fn read_table(text: &str) -> Result<PriceTable, String> {
    // As Windows' editors save it.
    let text = text.trim_start_matches('\u{feff}');
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| {
        format!("is not valid JSON ({e}): save the table as JSON, in inferscope's layout or LiteLLM's")
    })?;
    if value.get("models").is_some_and(serde_json::Value::is_array) {
        return own::read(&value);
    }
    litellm::read(&value)
}

/// Tables in the order in which they are asked: a person's own, then the carried one. Equal when their texts are.
#[derive(Clone, Debug)]
pub struct Prices {
    tables: Arc<[Arc<PriceTable>]>,
}

impl Default for Prices {
    fn default() -> Self {
        Self::carried()
    }
}

impl Prices {
    /// The carried table alone.
    #[must_use]
    pub fn carried() -> Self {
        static TABLE: OnceLock<Arc<PriceTable>> = OnceLock::new();
        let table = TABLE.get_or_init(|| {
            let mut text = String::new();
            let unpacked = flate2::read::GzDecoder::new(CARRIED).read_to_string(&mut text);
            let table = unpacked.ok().and_then(|_| read_table(&text).ok());
            Arc::new(table.map_or_else(PriceTable::default, |table| PriceTable { carried: true, ..table }))
        });
        Self { tables: [table.clone()].into() }
    }

    /// [`Self::carried`], kept for good.
    #[must_use]
    pub fn carried_alone() -> &'static Self {
        static ALONE: OnceLock<Prices> = OnceLock::new();
        ALONE.get_or_init(Self::carried)
    }

    /// A person's table above the carried one.
    #[must_use]
    pub fn with(own: PriceTable) -> Self {
        Self::above([Arc::new(own)])
    }

    /// Tables above the carried one, the first one asked first.
    #[must_use]
    pub fn above(own: impl IntoIterator<Item = Arc<PriceTable>>) -> Self {
        let tables: Vec<_> = own.into_iter().chain(Self::carried().tables.iter().cloned()).collect();
        Self { tables: tables.into() }
    }

    /// Names of models that hold a text in lower case, at most `most`, those that begin with it first.
    #[must_use]
    pub fn names_with(&self, text: &str, most: usize) -> Vec<&str> {
        let all = self.tables.iter().flat_map(|t| t.entries()).map(|e| e.name.as_str());
        let mut found: Vec<&str> = all.filter(|name| name.to_lowercase().contains(text)).collect();
        found.sort_by_key(|name| (!name.to_lowercase().starts_with(text), name.len(), *name));
        found.dedup();
        found.truncate(most);
        found
    }

    /// The tables, the first one first.
    #[must_use]
    pub fn tables(&self) -> &[Arc<PriceTable>] {
        &self.tables
    }
}

impl PartialEq for Prices {
    fn eq(&self, other: &Self) -> bool {
        self.tables.iter().map(|t| t.mark).eq(other.tables.iter().map(|t| t.mark))
    }
}

impl Eq for Prices {}

impl Hash for Prices {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tables.iter().for_each(|t| t.mark.hash(state));
    }
}
