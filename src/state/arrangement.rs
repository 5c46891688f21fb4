//! How the person arranged the lanes of the timeline: order, pinned, hidden, folded, how tall.
//!
//! Lanes are named by keys made of names, so an arrangement outlives the profile, and what it says of lanes
//! that a profile does not have does no harm.

use std::collections::{BTreeMap, BTreeSet};

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

/// What the person changed. All keys are those of lanes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Arrangement {
    /// Moved lanes, in order; the others keep their places behind them.
    pub order: Vec<String>,
    /// Lanes that stay at the top, in order.
    pub pinned: Vec<String>,
    /// Lanes that are not shown.
    pub hidden: BTreeSet<String>,
    /// Groups of which only the head is shown.
    pub folded: BTreeSet<String>,
    /// Heights that the person chose for single lanes.
    pub heights: BTreeMap<String, LaneHeight>,
    /// Height of the others; `None` for what fits the number of tracks.
    pub usual: Option<LaneHeight>,
}

impl Arrangement {
    /// Keeps a lane at the top, or no longer.
    pub fn turn_pinned(&mut self, key: &str) {
        match self.pinned.iter().position(|k| k == key) {
            Some(at) => drop(self.pinned.remove(at)),
            None => self.pinned.push(key.to_owned()),
        }
    }

    /// Folds a group, or opens it.
    pub fn turn_folded(&mut self, key: &str) {
        if !self.folded.remove(key) {
            self.folded.insert(key.to_owned());
        }
    }
}
