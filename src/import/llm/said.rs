//! What programs say of their calls under names of their own: sessions, users, tags.

use serde_json::Value;

/// Most names of a call.
const MOST: usize = 24;
/// Longest name and value that is kept, bytes: they are labels.
const LONGEST: usize = 200;

/// Names with what is said under them, each once: the first one counts. Bounded, whatever a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::import) struct Said(pub Vec<(String, String)>);

impl Said {
    /// Adds what is said under a name; nothing when that is empty. The many names of sessions and users are one each.
    pub fn add(&mut self, name: &str, value: &str) {
        let name = match name {
            "session.id" | "session_id" | "sessionId" | "thread_id" | "threadId" | "conversation_id"
            | "conversationId" | "conversation.id" => "session",
            "user.id" | "user_id" | "userId" | "enduser.id" => "user",
            name => name,
        };
        let value = value.trim();
        let known = self.0.iter().any(|(n, _)| n == name);
        if known || name.is_empty() || value.is_empty() || name.len() > LONGEST || self.0.len() >= MOST {
            return;
        }
        let value = &value[..value.floor_char_boundary(LONGEST)];
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Adds a value that is a label: a text, a number, a truth value, or a list of texts.
    pub fn add_value(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) => self.add(name, text),
            Value::Number(n) => self.add(name, &n.to_string()),
            Value::Bool(b) => self.add(name, if *b { "true" } else { "false" }),
            Value::Array(items) => {
                let texts: Vec<&str> = items.iter().take(MOST).filter_map(Value::as_str).collect();
                self.add(name, &texts.join(", "));
            }
            Value::Null | Value::Object(_) => {}
        }
    }

    /// Adds all labels of an object, or of one that is JSON in a text.
    pub fn add_all(&mut self, object: &Value) {
        match object {
            Value::Object(map) => map.iter().for_each(|(name, value)| self.add_value(name, value)),
            Value::String(text) if text.trim_start().starts_with('{') => {
                if let Ok(Value::Object(map)) = serde_json::from_str(text) {
                    map.iter().for_each(|(name, value)| self.add_value(name, value));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_kept_once_and_in_bounds() {
        let mut said = Said::default();
        said.add("session.id", "s1");
        said.add("thread_id", "s2");
        said.add_all(&json!({"userId": 7, "tags": ["a", "b"], "deep": {"x": 1}, "empty": " ", "none": null}));
        said.add_all(&json!("{\"beta\": true}"));
        said.add_all(&json!("{ no JSON"));
        let pairs: Vec<_> = said.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("session", "s1"), ("user", "7"), ("tags", "a, b"), ("beta", "true")]);
        for n in 0..1000 {
            said.add(&format!("n{n}"), &"ü".repeat(1000));
        }
        assert_eq!(said.0.len(), MOST);
        assert!(said.0.iter().all(|(_, v)| v.len() <= LONGEST));
    }
}
