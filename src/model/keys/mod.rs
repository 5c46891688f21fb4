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
mod table;

use hashbrown::HashTable;
use std::sync::{LazyLock, Mutex};

pub use interned::Interned;
use interned::{Node, Pool};
pub use table::Keys;

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
pool!(RequestParts);

/// A text: a module, a category, the name of a group.
pub type TextKey = Interned<Box<str>>;

/// A function, in all runs.
pub type SymbolKey = Interned<SymbolParts>;

/// A track, in all runs.
pub type TrackKey = Interned<TrackParts>;

/// A counter, in all runs.
pub type CounterKey = Interned<CounterParts>;

/// A metric, in all runs.
pub type MetricKey = Interned<MetricParts>;

/// A request to a language model, in all runs.
pub type RequestKey = Interned<RequestParts>;

/// What makes two functions of two runs the same one. All texts are normalised ([`names`]), also when they are read: the
/// rules may have changed since they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct SymbolParts {
    /// Its name.
    #[serde(deserialize_with = "read_symbol")]
    pub name: TextKey,
    /// Module, library or package; empty when unknown.
    #[serde(default, deserialize_with = "read_module")]
    pub module: TextKey,
    /// Source file, without the folders in front that depend on the machine; empty when unknown.
    #[serde(default, deserialize_with = "read_file")]
    pub file: TextKey,
    /// The format's own category; empty when it has none.
    #[serde(default)]
    pub category: TextKey,
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
    pub process: TextKey,
    /// Name within the process.
    #[serde(deserialize_with = "read_track")]
    pub name: TextKey,
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
        let text = |text| TextKey::from(&*names::track(text));
        Self::of(TrackParts { process: text(process), name: text(name), kind, twin })
    }
}

/// What makes two counters of two runs the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct CounterParts {
    /// Process or device, without its number; empty when there is only one.
    #[serde(deserialize_with = "read_track")]
    pub process: TextKey,
    /// Name.
    #[serde(deserialize_with = "read_track")]
    pub name: TextKey,
    /// Counts the counters of one profile whose other parts are alike, in order of the file.
    #[serde(default)]
    pub twin: u32,
}

impl CounterKey {
    /// The key of a counter as a tool wrote it.
    #[must_use]
    pub fn named(process: &str, name: &str, twin: u32) -> Self {
        let text = |text| TextKey::from(&*names::track(text));
        Self::of(CounterParts { process: text(process), name: text(name), twin })
    }
}

/// What makes two metrics of two runs the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct MetricParts {
    /// The key that the profile declares it by.
    pub key: TextKey,
}

impl MetricKey {
    /// A metric that profiles declare.
    #[must_use]
    pub fn declared(key: &str) -> Self {
        Self::of(MetricParts { key: TextKey::from(key) })
    }
}

/// What makes two requests of two runs the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct RequestParts {
    /// Name or id that a person recognises.
    pub name: TextKey,
    /// Counts the requests of one profile that have the name, by arrival.
    pub twin: u32,
}

impl RequestKey {
    /// The key of a request with this name.
    #[must_use]
    pub fn named(name: &str, twin: u32) -> Self {
        Self::of(RequestParts { name: TextKey::from(name), twin })
    }
}

macro_rules! read {
    ($($name:ident: $rule:path),*) => {$(
        fn $name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<TextKey, D::Error> {
            let text = <String as serde::Deserialize>::deserialize(from)?;
            Ok(TextKey::from(&*$rule(&text)))
        }
    )*};
}

read!(read_symbol: names::symbol, read_module: names::module, read_file: names::file, read_track: names::track);

impl std::fmt::Display for SymbolKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
