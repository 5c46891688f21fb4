//! How the person arranged the lanes of the timeline: order, pinned, hidden, folded, how tall.
//!
//! Lanes are named by keys, so an arrangement outlives the profile, and what it says of lanes that a profile does not
//! have does no harm.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{CounterKey, NameKey, TrackKey, TrackKind};

/// A lane of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneKey {
    /// All events.
    Events,
    /// All requests.
    Requests,
    /// A track.
    Track(TrackKey),
    /// A counter.
    Counter(CounterKey),
    /// The head of what belongs to a process, and its number among those of this name.
    Process(NameKey, u32),
    /// The head of tracks of a kind that belong to no process.
    Kind(TrackKind),
    /// The head of counters that belong to no process with tracks.
    Counters,
}

/// How tall the lane of a track is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneHeight {
    /// A strip that shows how busy it was.
    Strip,
    /// The outermost rows.
    Few,
    /// All rows.
    All,
}

/// What the person changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Arrangement {
    /// Moved lanes, in order; the others keep their places behind them.
    pub order: Vec<LaneKey>,
    /// Lanes that stay at the top, in order.
    pub pinned: Vec<LaneKey>,
    /// Lanes that are not shown.
    pub hidden: BTreeSet<LaneKey>,
    /// Groups of which only the head is shown.
    pub folded: BTreeSet<LaneKey>,
    /// Heights that the person chose for single lanes.
    #[serde(with = "pairs")]
    pub heights: BTreeMap<LaneKey, LaneHeight>,
    /// Height of the others; `None` for what fits the number of tracks.
    pub usual: Option<LaneHeight>,
}

impl Arrangement {
    /// Keeps a lane at the top, or no longer.
    pub fn turn_pinned(&mut self, key: LaneKey) {
        match self.pinned.iter().position(|&k| k == key) {
            Some(at) => drop(self.pinned.remove(at)),
            None => self.pinned.push(key),
        }
    }

    /// Folds a group, or opens it.
    pub fn turn_folded(&mut self, key: LaneKey) {
        if !self.folded.remove(&key) {
            self.folded.insert(key);
        }
    }
}

/// A map as a list of pairs: keys of JSON objects are texts.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{LaneHeight, LaneKey};

    type Heights = BTreeMap<LaneKey, LaneHeight>;

    pub fn serialize<S: Serializer>(heights: &Heights, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(heights)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Heights, D::Error> {
        Ok(Vec::<(LaneKey, LaneHeight)>::deserialize(from)?.into_iter().collect())
    }
}
