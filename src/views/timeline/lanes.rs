//! Which lanes there are, and how the person arranged them: order, pinned, hidden, how tall.
//!
//! Lanes are named by keys made of names, so an arrangement outlives the profile.

use crate::model::{CounterId, Profile, TrackId, TrackKind};
use crate::views::memory::counter_name;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a lane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LaneOf {
    /// All events.
    Events,
    /// All requests.
    Requests,
    /// Spans or samples of a track.
    Track(TrackId),
    /// A counter.
    Counter(CounterId),
}

/// A lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    /// What it shows.
    pub of: LaneOf,
    /// Name that survives.
    pub key: String,
    /// What a person reads.
    pub label: String,
}

/// How tall the lane of a track is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Height {
    /// A strip that shows how busy it was.
    Strip,
    /// The outermost rows.
    Few,
    /// All rows.
    All,
}

/// Rows of [`Height::Few`].
pub(super) const FEW: u32 = 4;
/// From this many tracks on they are strips at first.
const MANY: usize = 24;

/// All lanes in the order of the profile.
pub(super) fn lanes(profile: &Profile) -> Vec<Lane> {
    let mut lanes = Vec::new();
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut add = |of, key: String, label: String| {
        // Threads of one name are told apart by their number.
        let count = seen.entry(key.clone()).or_insert(0);
        *count += 1;
        let key = if *count > 1 { format!("{key}#{count}") } else { key };
        lanes.push(Lane { of, key, label });
    };
    if !profile.instants.is_empty() {
        add(LaneOf::Events, "events".into(), "Events".into());
    }
    if !profile.requests.rows.is_empty() {
        add(LaneOf::Requests, "requests".into(), "Requests".into());
    }
    for id in profile.track_ids().filter(|&id| profile.track(id).kind != TrackKind::Phase) {
        let label = profile.track_label(id);
        let key = format!("track {} {label}", profile.track(id).kind.key());
        add(LaneOf::Track(id), key, if label.is_empty() { "unnamed".into() } else { label });
    }
    for (i, _) in profile.counters.iter().enumerate().filter(|(_, c)| !c.times.is_empty()) {
        let id = CounterId::from_index(i);
        let label = counter_name(profile, id);
        add(LaneOf::Counter(id), format!("counter {label}"), label);
    }
    lanes
}

/// What the person changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Arrangement {
    /// Keys of moved lanes, in order; the others keep their places behind them.
    pub order: Vec<String>,
    /// Lanes that stay at the top.
    pub pinned: BTreeSet<String>,
    /// Lanes that are not shown.
    pub hidden: BTreeSet<String>,
    /// Heights that the person chose for single lanes.
    pub heights: BTreeMap<String, Height>,
    /// Height of the others; `None` for what fits the number of tracks.
    pub usual: Option<Height>,
}

impl Arrangement {
    /// Indices of the shown lanes in order, pinned ones first, and the number of pinned ones.
    pub fn shown(&self, lanes: &[Lane], find: &str) -> (Vec<usize>, usize) {
        let find = find.trim().to_lowercase();
        let found = |lane: &Lane| find.is_empty() || lane.label.to_lowercase().contains(&find);
        let place: HashMap<&str, usize> =
            self.order.iter().enumerate().map(|(i, k)| (k.as_str(), i)).collect();
        let mut shown: Vec<usize> =
            (0..lanes.len()).filter(|&i| !self.hidden.contains(&lanes[i].key) && found(&lanes[i])).collect();
        shown.sort_by_key(|&i| {
            let lane = &lanes[i];
            let moved = place.get(lane.key.as_str()).copied().unwrap_or(usize::MAX);
            (!self.pinned.contains(&lane.key), moved, i)
        });
        let pinned = shown.iter().filter(|&&i| self.pinned.contains(&lanes[i].key)).count();
        (shown, pinned)
    }

    /// How tall a lane is.
    pub fn height(&self, lane: &Lane, tracks: usize) -> Height {
        self.heights.get(&lane.key).copied().unwrap_or_else(|| self.usual(tracks))
    }

    /// How tall tracks are that the person did not change one by one.
    pub fn usual(&self, tracks: usize) -> Height {
        self.usual.unwrap_or(if tracks >= MANY { Height::Strip } else { Height::Few })
    }

    /// Moves the lane at place `from` of `shown` so that it stands before place `to`.
    pub fn drop_at(&mut self, lanes: &[Lane], shown: &[usize], from: usize, to: usize) {
        if from >= shown.len() || to > shown.len() {
            return;
        }
        // From now on every lane has its place, the hidden ones behind.
        let mut order: Vec<usize> = shown.to_vec();
        let moved = order.remove(from);
        order.insert(if to > from { to - 1 } else { to }, moved);
        let rest = (0..lanes.len()).filter(|i| !shown.contains(i));
        self.order = order.iter().copied().chain(rest).map(|i| lanes[i].key.clone()).collect();
    }

    /// Turns membership of a set.
    pub fn turn(set: &mut BTreeSet<String>, key: &str) {
        if !set.remove(key) {
            set.insert(key.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::fixture::session;

    fn labels(a: &Arrangement, lanes: &[Lane], find: &str) -> String {
        let (shown, pinned) = a.shown(lanes, find);
        let names: Vec<_> = shown.iter().map(|&i| lanes[i].label.as_str()).collect();
        format!("{}|{}", names[..pinned].join(","), names[pinned..].join(","))
    }

    #[test]
    fn lanes_can_be_found_pinned_hidden_and_moved() {
        let profile = session();
        let all = lanes(&profile);
        let mut a = Arrangement::default();
        assert!(labels(&a, &all, "").starts_with("|Events,Requests,main,tasks › slot 0"));
        assert_eq!(labels(&a, &all, "SLOT"), "|tasks › slot 0,tasks › slot 1,tasks › slot 2,tasks › slot 3");
        Arrangement::turn(&mut a.pinned, "counter RSS");
        Arrangement::turn(&mut a.hidden, "events");
        assert!(labels(&a, &all, "").starts_with("RSS|Requests,main"));
        let (shown, _) = a.shown(&all, "");
        a.drop_at(&all, &shown, 2, 1);
        assert!(labels(&a, &all, "").starts_with("RSS|main,Requests,tasks"));
        let (shown, _) = a.shown(&all, "");
        a.drop_at(&all, &shown, 1, 3);
        assert!(labels(&a, &all, "").starts_with("RSS|Requests,main,tasks"));
        a.drop_at(&all, &shown, 99, 0);
        Arrangement::turn(&mut a.hidden, "events");
        assert!(labels(&a, &all, "").contains("Events"));
        let saved = serde_json::to_value(&a).unwrap();
        assert_eq!(serde_json::from_value::<Arrangement>(saved).unwrap(), a);
    }

    #[test]
    fn keys_are_unique_and_phases_have_no_lane() {
        let profile = session();
        let all = lanes(&profile);
        let keys: BTreeSet<_> = all.iter().map(|l| &l.key).collect();
        assert_eq!(keys.len(), all.len());
        assert!(!all.iter().any(|l| l.label == "Phases"));
    }
}
