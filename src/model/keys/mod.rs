//! Names that outlive ids: what a function, metric or track is called in every revision of every run.
//!
//! Ids count the rows of one revision of one profile. Whatever a person chose (a selection, transforms, folds, the lanes
//! of the timeline) and every question that is asked of two runs is made of keys instead. A key is interned for the whole
//! process and never freed, so it is one pointer to copy, to compare and to hash, and it means the same in all open runs
//! and in saved settings. [`Keys`] maps it to ids and back, per profile.
//!
//! A function is known by name, module, file and category, without what changes from build to build or from machine to
//! machine ([`names`]): above all without its line. Functions of one file that have one name (lambdas, closures) are
//! told apart by their order ([`SymbolParts::twin`]).

mod interned;
pub mod names;
mod places;
mod table;

use hashbrown::HashTable;
use std::sync::{LazyLock, Mutex};

pub use interned::Interned;
use interned::{Node, Pool};
pub use places::{InstantKey, SpanKey};
pub use table::Keys;
pub(super) use table::Made;

use super::TrackKind;

macro_rules! pool {
    ($type:ty) => {
        impl Pool for $type {
            fn pool() -> &'static Mutex<HashTable<&'static Node<Self>>> {
                static POOL: LazyLock<Mutex<HashTable<&'static Node<$type>>>> = LazyLock::new(Mutex::default);
                &POOL
            }
        }
    };
}

pool!(Box<str>);
pool!(SymbolParts);
pool!(TrackParts);
pool!(CounterParts);
pool!(MetricParts);

/// A name: a module, a category, a group.
pub type NameKey = Interned<Box<str>>;

/// A function, in all runs.
pub type SymbolKey = Interned<SymbolParts>;

/// A track, in all runs.
pub type TrackKey = Interned<TrackParts>;

/// A counter, in all runs.
pub type CounterKey = Interned<CounterParts>;

/// A metric, in all runs.
pub type MetricKey = Interned<MetricParts>;

/// What makes two functions of two runs the same one. All texts are normalised ([`names`]), also when they are read: the
/// rules may have changed since they were written.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct SymbolParts {
    /// Its name.
    #[serde(deserialize_with = "read_symbol")]
    pub name: NameKey,
    /// Module, library or package; empty when unknown.
    #[serde(default, deserialize_with = "read_module")]
    pub module: NameKey,
    /// Source file, without the folders in front that depend on the machine; empty when unknown.
    #[serde(default, deserialize_with = "read_file")]
    pub file: NameKey,
    /// The format's own category; empty when it has none.
    #[serde(default)]
    pub category: NameKey,
    /// Counts the functions of one profile whose other parts are alike: 0 for the first. They are in order of their lines;
    /// in recordings, which can still grow, in the order in which they first ran.
    #[serde(default)]
    pub twin: u32,
}

/// What makes two tracks of two runs the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct TrackParts {
    /// Process, device or group, without its number; empty when there is only one.
    #[serde(deserialize_with = "read_track")]
    pub process: NameKey,
    /// Name within the process.
    #[serde(deserialize_with = "read_track")]
    pub name: NameKey,
    /// What it stands for.
    pub kind: TrackKind,
    /// Counts the tracks of one profile whose other parts are alike, in order of display.
    #[serde(default)]
    pub twin: u32,
}

impl TrackKey {
    /// The key of a track as a tool wrote it.
    #[must_use]
    pub fn named(process: &str, name: &str, kind: TrackKind, twin: u32) -> Self {
        let text = |text| NameKey::from(&*names::track(text));
        Self::of(TrackParts { process: text(process), name: text(name), kind, twin })
    }
}

/// What makes two counters of two runs the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct CounterParts {
    /// Process or device, without its number; empty when there is only one.
    #[serde(deserialize_with = "read_track")]
    pub process: NameKey,
    /// Name.
    #[serde(deserialize_with = "read_track")]
    pub name: NameKey,
    /// Counts the counters of one profile whose other parts are alike, in order of the file.
    #[serde(default)]
    pub twin: u32,
}

impl CounterKey {
    /// The key of a counter as a tool wrote it.
    #[must_use]
    pub fn named(process: &str, name: &str, twin: u32) -> Self {
        let text = |text| NameKey::from(&*names::track(text));
        Self::of(CounterParts { process: text(process), name: text(name), twin })
    }
}

/// What makes two metrics of two runs the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "WrittenMetric")]
pub struct MetricParts {
    /// The key that profiles declare it by, or the name that a person gave it; empty for the first metric of whichever
    /// profile.
    pub key: NameKey,
    /// A sum of declared metrics, for one that a person defined; otherwise empty.
    #[serde(skip_serializing_if = "is_empty")]
    pub formula: NameKey,
}

fn is_empty(text: &NameKey) -> bool {
    text.is_empty()
}

/// Written as a mere key, too.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum WrittenMetric {
    Declared(NameKey),
    Defined {
        key: NameKey,
        #[serde(default)]
        formula: NameKey,
    },
}

impl From<WrittenMetric> for MetricParts {
    fn from(written: WrittenMetric) -> Self {
        match written {
            WrittenMetric::Declared(key) => Self { key, formula: NameKey::default() },
            WrittenMetric::Defined { key, formula } => Self { key, formula },
        }
    }
}

impl MetricKey {
    /// A metric that profiles declare.
    #[must_use]
    pub fn declared(key: &str) -> Self {
        Self::defined(key, "")
    }

    /// A metric that a person defined.
    #[must_use]
    pub fn defined(name: &str, formula: &str) -> Self {
        Self::of(MetricParts { key: NameKey::from(name), formula: NameKey::from(formula) })
    }

    /// True for the first metric of whichever profile.
    #[must_use]
    pub fn is_first(self) -> bool {
        self == Self::default()
    }
}

/// The first metric of whichever profile.
impl Default for MetricKey {
    fn default() -> Self {
        Self::declared("")
    }
}

/// A request to a language model, in all runs. There may be millions, each with a name of its own, so names are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey {
    /// Hash of its name.
    name: u64,
    /// Counts the requests of one profile that have the name, by arrival.
    twin: u32,
}

impl RequestKey {
    /// The key of a request with this name.
    #[must_use]
    pub fn named(name: &str, twin: u32) -> Self {
        Self { name: interned::hash_of(name), twin }
    }
}

macro_rules! read {
    ($($name:ident: $rule:path),*) => {$(
        fn $name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<NameKey, D::Error> {
            let text = <String as serde::Deserialize>::deserialize(from)?;
            Ok(NameKey::from(&*$rule(&text)))
        }
    )*};
}

read!(read_symbol: names::symbol, read_module: names::module, read_file: names::file, read_track: names::track);

impl std::fmt::Display for NameKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

impl std::fmt::Display for SymbolKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
