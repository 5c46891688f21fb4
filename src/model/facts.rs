//! What a run states about itself: settings, input and machine, which decide what its costs compare with, and results.

use super::metrics::Unit;
use super::profile::Meta;

/// What a fact is about.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// How the run was made or measured: chosen before it.
    #[default]
    Setting,
    /// What it worked on.
    Input,
    /// What it ran on.
    Machine,
    /// What came out: it differs from run to run.
    Result,
}

/// A value with its unit, or text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactValue {
    /// A number.
    Number(i64, Unit),
    /// Words.
    Text(String),
}

impl FactValue {
    /// True when there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl From<String> for FactValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for FactValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<(i64, Unit)> for FactValue {
    fn from((value, unit): (i64, Unit)) -> Self {
        Self::Number(value, unit)
    }
}

/// A count.
impl From<u64> for FactValue {
    fn from(count: u64) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX), Unit::Count)
    }
}

/// A count.
impl From<usize> for FactValue {
    fn from(count: usize) -> Self {
        Self::from(count as u64)
    }
}

/// Something that a run states about itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "Written")]
pub struct Fact {
    /// What it is about.
    pub kind: FactKind,
    /// What it is called.
    pub name: String,
    /// Its value.
    pub value: FactValue,
}

impl Fact {
    /// A fact.
    #[must_use]
    pub fn new(kind: FactKind, name: impl Into<String>, value: impl Into<FactValue>) -> Self {
        Self { kind, name: name.into(), value: value.into() }
    }
}

/// Older sessions hold pairs of texts.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Written {
    Pair(String, String),
    Fact { kind: FactKind, name: String, value: FactValue },
}

impl From<Written> for Fact {
    fn from(written: Written) -> Self {
        match written {
            Written::Pair(name, text) => Self::new(FactKind::default(), name, text),
            Written::Fact { kind, name, value } => Self { kind, name, value },
        }
    }
}

/// Facts kind the machine, also where that was not written.
pub(super) fn of_machine<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Fact>, D::Error> {
    let mut facts = <Vec<Fact> as serde::Deserialize>::deserialize(from)?;
    facts.iter_mut().for_each(|fact| fact.kind = FactKind::Machine);
    Ok(facts)
}

impl Meta {
    /// Adds how the run was made or measured.
    pub fn setting(&mut self, name: impl Into<String>, value: impl Into<FactValue>) {
        self.facts.push(Fact::new(FactKind::Setting, name, value));
    }

    /// Adds what the run worked on.
    pub fn input(&mut self, name: impl Into<String>, value: impl Into<FactValue>) {
        self.facts.push(Fact::new(FactKind::Input, name, value));
    }

    /// Adds what came out.
    pub fn result(&mut self, name: impl Into<String>, value: impl Into<FactValue>) {
        self.facts.push(Fact::new(FactKind::Result, name, value));
    }

    /// Adds what the run ran on.
    pub fn ran_on(&mut self, name: impl Into<String>, value: impl Into<FactValue>) {
        self.machine.push(Fact::new(FactKind::Machine, name, value));
    }

    /// Takes in what a profile that becomes part of this one says of itself: its basis, and facts that are not known yet.
    pub fn take_in(&mut self, part: &Self) {
        self.basis = part.basis.clone();
        let new = part.facts.iter().filter(|fact| self.fact(&fact.name).is_none());
        let new: Vec<_> = new.cloned().collect();
        self.facts.extend(new);
    }

    /// The fact of a name.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&FactValue> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_and_pairs_of_older_sessions_are_texts() {
        let mut meta = Meta::default();
        meta.setting("Seed", "42");
        meta.result("CPU time", (4_000_000, Unit::Nanoseconds));
        meta.result("Samples", 8u64);
        meta.ran_on("CPU", "x");
        let text = serde_json::to_string(&meta).unwrap();
        assert_eq!(serde_json::from_str::<Meta>(&text).unwrap(), meta);
        let older: Meta =
            serde_json::from_str(r#"{"facts":[["Samples","8"]],"machine":[["CPU","x"]]}"#).unwrap();
        assert_eq!(older.facts, [Fact::new(FactKind::Setting, "Samples", "8")]);
        assert_eq!(older.machine, [Fact::new(FactKind::Machine, "CPU", "x")]);
    }
}
