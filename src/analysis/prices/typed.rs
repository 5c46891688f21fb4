//! Prices that a person types, model by model.

use serde_json::{Map, Value};

use super::{PriceTable, own};

/// What a model costs, in dollars for a million tokens. The numbers are texts, so that they stay as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct TypedPrice {
    /// The model's name, or a pattern of names («my-model*»).
    pub model: String,
    /// Uncached input.
    pub input: String,
    /// Input read from a cache; empty: nothing is known of it.
    pub cache_read: String,
    /// Input written to a cache; empty: nothing is known of it.
    pub cache_write: String,
    /// Output.
    pub output: String,
}

impl TypedPrice {
    /// The fields with their names in tables of prices.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, &str); 4] {
        [
            ("input", self.input.trim()),
            ("cache_read", self.cache_read.trim()),
            ("cache_write", self.cache_write.trim()),
            ("output", self.output.trim()),
        ]
    }

    /// As a model of a table in our layout.
    fn value(&self) -> Value {
        let filled = self.fields().into_iter().filter(|(_, text)| !text.is_empty());
        let rates: Map<String, Value> = filled.map(|(key, text)| (key.to_owned(), text.into())).collect();
        let name = self.model.trim();
        serde_json::json!({ "name": name, "match": [name], "prices": [rates] })
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// One line: what is missing or is no price.
    pub fn check(&self) -> Result<(), String> {
        if self.model.trim().is_empty() {
            return Err("name the model".into());
        }
        if self.input.trim().is_empty() || self.output.trim().is_empty() {
            return Err("give the prices of input and output".into());
        }
        self.table().map(|_| ()).map_err(|_| "a price is a number such as 0.25".into())
    }

    fn table(&self) -> Result<PriceTable, String> {
        table_of_values(&[self.value()])
    }
}

fn table_of_values(models: &[Value]) -> Result<PriceTable, String> {
    own::read(&serde_json::json!({ "source": "your own prices", "models": models }))
}

/// The table of those that can be used; `None` where there is none.
#[must_use]
pub fn table_of_typed(prices: &[TypedPrice]) -> Option<PriceTable> {
    let usable = prices.iter().filter(|p| p.check().is_ok());
    table_of_values(&usable.map(TypedPrice::value).collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_price_is_named_and_leaves_the_others_alone() {
        let price = |model: &str, input: &str, output: &str| TypedPrice {
            model: model.into(),
            input: input.into(),
            output: output.into(),
            ..TypedPrice::default()
        };
        assert_eq!(price("m", " 0.25", "2").check(), Ok(()));
        for wrong in
            [price("", "1", "2"), price("m", "1", ""), price("m", "a lot", "2"), price("m", "-1", "2")]
        {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        let table = table_of_typed(&[price("m", "-1", "2"), price("good", "1", "2")]).unwrap();
        assert_eq!(table.entries().iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert!(table_of_typed(&[]).is_none());
    }
}
