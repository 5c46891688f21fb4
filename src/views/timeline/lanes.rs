//! Which lanes there are, in which groups, and in which order they are shown.

use crate::analysis::activity::BusyOf;
use crate::model::keys::names;
use crate::model::{CounterId, NameKey, Profile, StringId, TrackId, TrackKind};
use crate::state::{Arrangement, LaneHeight, LaneKey};
use crate::views::shared::counter_name;
use std::collections::{BTreeMap, HashMap};

/// What a lane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LaneOf {
    /// All events.
    Events,
    /// All requests.
    Requests,
    /// The head of a group of tracks and counters; the busy tracks are those of this process or kind.
    Group(Option<BusyOf>),
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
    /// Its name in all profiles.
    pub key: LaneKey,
    /// What a person reads.
    pub label: String,
    /// The same inside of its group, which says the rest.
    pub short: String,
    /// Index of the head of its group.
    pub head: Option<usize>,
}

/// Rows of [`LaneHeight::Few`].
pub(super) const FEW: u32 = 4;
/// From this many tracks on they are strips at first.
const MANY: usize = 48;

/// All lanes of a profile, each group behind its head.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    /// The lanes.
    pub all: Vec<Lane>,
    /// Number of tracks among them.
    pub tracks: usize,
    places: HashMap<LaneKey, usize>,
}

/// What makes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum GroupBy {
    Alone(LaneOf),
    Process(StringId),
    Kind(TrackKind),
    Counters,
}

impl Lanes {
    /// The lanes of a profile in its order. Phases have none: they are behind all.
    pub fn new(profile: &Profile) -> Self {
        let groups = grouped(profile);
        let several = groups.iter().filter(|g| !matches!(g.0, GroupBy::Alone(_))).count() > 1;
        let mut lanes = Self::default();
        for (by, members) in groups {
            let head = (several && members.len() > 1).then(|| lanes.push_head(by, profile)).flatten();
            for of in members {
                lanes.push(of, head, profile);
            }
        }
        lanes
    }

    fn push_head(&mut self, by: GroupBy, profile: &Profile) -> Option<usize> {
        let (label, who, key) = match by {
            GroupBy::Alone(_) => return None,
            GroupBy::Process(name) => {
                let text = profile.text(name);
                let process = NameKey::from(&*names::track(text));
                let alike =
                    self.all.iter().filter(|l| matches!(l.key, LaneKey::Process(p, _) if p == process));
                let key = LaneKey::Process(process, alike.count() as u32);
                (text.to_owned(), Some(BusyOf::Process(name)), key)
            }
            GroupBy::Kind(kind) => {
                (kind_label(kind).to_owned(), Some(BusyOf::Kind(kind)), LaneKey::Kind(kind))
            }
            GroupBy::Counters => ("Counters".to_owned(), None, LaneKey::Counters),
        };
        self.add(Lane { of: LaneOf::Group(who), key, short: label.clone(), label, head: None });
        Some(self.all.len() - 1)
    }

    fn push(&mut self, of: LaneOf, head: Option<usize>, profile: &Profile) {
        let named = |text: String| if text.is_empty() { "unnamed".to_owned() } else { text };
        let (key, label, short) = match of {
            LaneOf::Events => (LaneKey::Events, "Events".to_owned(), "Events".to_owned()),
            LaneOf::Requests => (LaneKey::Requests, "Requests".to_owned(), "Requests".to_owned()),
            LaneOf::Track(id) => {
                self.tracks += 1;
                let (track, label) = (profile.track(id), profile.track_label(id));
                let key = LaneKey::Track(profile.keys().track_key(id));
                (key, named(label), named(profile.text(track.name).to_owned()))
            }
            LaneOf::Counter(id) => {
                let label = counter_name(profile, id);
                let name = profile.text(profile.counters[id.index()].name).to_owned();
                (LaneKey::Counter(profile.keys().counter_key(id)), label, name)
            }
            LaneOf::Group(_) => return,
        };
        let by_process =
            head.is_some_and(|h| matches!(self.all[h].of, LaneOf::Group(Some(BusyOf::Process(_)))));
        let short = if by_process { short } else { label.clone() };
        self.add(Lane { of, key, label, short, head });
    }

    fn add(&mut self, lane: Lane) {
        self.places.insert(lane.key, self.all.len());
        self.all.push(lane);
    }

    /// The lane with this key.
    pub fn find(&self, key: LaneKey) -> Option<usize> {
        self.places.get(&key).copied()
    }

    /// The lanes of a group.
    pub fn members(&self, head: usize) -> impl Iterator<Item = usize> + '_ {
        self.all
            .iter()
            .enumerate()
            .skip(head + 1)
            .take_while(move |(_, l)| l.head == Some(head))
            .map(|(i, _)| i)
    }

    /// How tall a lane is.
    pub fn height(&self, lane: &Lane, arranged: &Arrangement) -> LaneHeight {
        arranged.heights.get(&lane.key).copied().unwrap_or_else(|| self.usual(arranged))
    }

    /// How tall tracks are that the person did not change one by one.
    pub fn usual(&self, arranged: &Arrangement) -> LaneHeight {
        arranged.usual.unwrap_or(if self.tracks >= MANY { LaneHeight::Strip } else { LaneHeight::Few })
    }

    /// The lanes that are not shown.
    pub fn hidden<'a>(&'a self, arranged: &'a Arrangement) -> impl Iterator<Item = &'a Lane> {
        self.all.iter().filter(|l| arranged.hidden.contains(&l.key))
    }
}

fn kind_label(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Thread => "Threads",
        TrackKind::Task => "Tasks",
        TrackKind::GpuStream => "GPU streams",
        TrackKind::Async => "Async operations",
        TrackKind::Phase => "Phases",
        TrackKind::Profile => "Profiles",
        TrackKind::Summary => "Summaries",
        TrackKind::Untimed => "Without usable time",
    }
}

/// Tracks and counters by process, or by kind where there are no processes; in the order in which they come
/// first, but tasks before threads.
fn grouped(profile: &Profile) -> Vec<(GroupBy, Vec<LaneOf>)> {
    let mut groups: Vec<(GroupBy, Vec<LaneOf>)> = Vec::new();
    let mut place: HashMap<GroupBy, usize> = HashMap::new();
    let mut add = |by: GroupBy, of: LaneOf| {
        let at = *place.entry(by).or_insert_with(|| {
            groups.push((by, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(of);
    };
    for (of, any) in [
        (LaneOf::Events, !profile.instants.is_empty()),
        (LaneOf::Requests, !profile.requests.rows.is_empty()),
    ] {
        if any {
            add(GroupBy::Alone(of), of);
        }
    }
    let mut processes: BTreeMap<StringId, ()> = BTreeMap::new();
    // Outermost phases are shaded behind all lanes; only what is nested in them needs a lane.
    let shaded = |id| {
        let track = profile.track(id);
        track.kind == TrackKind::Phase && track.spans.rows.iter().all(|s| s.depth == 0)
    };
    for id in profile.track_ids().filter(|&id| !shaded(id)) {
        let track = profile.track(id);
        let by = if profile.text(track.process).is_empty() {
            GroupBy::Kind(track.kind)
        } else {
            processes.insert(track.process, ());
            GroupBy::Process(track.process)
        };
        add(by, LaneOf::Track(id));
    }
    for (i, counter) in profile.counters.iter().enumerate().filter(|(_, c)| !c.times.is_empty()) {
        let known = processes.contains_key(&counter.process);
        let by = if known { GroupBy::Process(counter.process) } else { GroupBy::Counters };
        add(by, LaneOf::Counter(CounterId::from_index(i)));
    }
    // Tasks are what an asynchronous program is about; the threads that ran them come below.
    let at = |kind: TrackKind| groups.iter().position(|g| g.0 == GroupBy::Kind(kind));
    if let (Some(threads), Some(tasks)) = (at(TrackKind::Thread), at(TrackKind::Task))
        && threads < tasks
    {
        let moved = groups.remove(tasks);
        groups.insert(threads, moved);
    }
    groups
}

/// Indices of the lanes that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// At the top.
    pub pinned: Vec<usize>,
    /// The others.
    pub free: Vec<usize>,
}

impl Shown {
    /// What an arrangement and a search leave. While something is looked for, groups are open.
    pub fn new(lanes: &Lanes, arranged: &Arrangement, find: &str) -> Self {
        let find = find.trim().to_lowercase();
        let found = |lane: &Lane| find.is_empty() || lane.label.to_lowercase().contains(&find);
        let visible = |i: &usize| {
            let lane = &lanes.all[*i];
            let head = lane.head.map(|h| &lanes.all[h]);
            !arranged.hidden.contains(&lane.key)
                && !head.is_some_and(|h| arranged.hidden.contains(&h.key))
                && (found(lane) || head.is_some_and(found))
        };
        let pinned: Vec<usize> =
            arranged.pinned.iter().filter_map(|&k| lanes.find(k)).filter(visible).collect();
        let mut free = Vec::new();
        for (first, members) in units(lanes, arranged) {
            let is_head = matches!(lanes.all[first].of, LaneOf::Group(_));
            if !is_head {
                free.extend(Some(first).filter(|i| visible(i) && !pinned.contains(i)));
                continue;
            }
            let members: Vec<usize> =
                members.into_iter().filter(|i| visible(i) && !pinned.contains(i)).collect();
            if !members.is_empty() {
                free.push(first);
                if !find.is_empty() || !arranged.folded.contains(&lanes.all[first].key) {
                    free.extend(members);
                }
            }
        }
        Self { pinned, free }
    }
}

/// Lanes alone or groups with their members, in the arranged order, whether shown or not.
fn units(lanes: &Lanes, arranged: &Arrangement) -> Vec<(usize, Vec<usize>)> {
    let place: HashMap<LaneKey, usize> = arranged.order.iter().enumerate().map(|(i, &k)| (k, i)).collect();
    let order = |i: &usize| (place.get(&lanes.all[*i].key).copied().unwrap_or(usize::MAX), *i);
    let mut units: Vec<(usize, Vec<usize>)> = (0..lanes.all.len())
        .filter(|&i| lanes.all[i].head.is_none())
        .map(|i| (i, lanes.members(i).collect()))
        .collect();
    units.sort_by_key(|(first, _)| order(first));
    for (_, members) in &mut units {
        members.sort_by_key(order);
    }
    units
}

/// Moves a lane so that it stands before `before`, or last. A lane stays in its group, and a group moves as a
/// whole; a pinned lane moves among the pinned ones.
pub(super) fn move_before(arranged: &mut Arrangement, lanes: &Lanes, lane: usize, before: Option<usize>) {
    let key = lanes.all[lane].key;
    if let Some(from) = arranged.pinned.iter().position(|&k| k == key) {
        let key = arranged.pinned.remove(from);
        let to = before.and_then(|b| arranged.pinned.iter().position(|k| *k == lanes.all[b].key));
        arranged.pinned.insert(to.unwrap_or(arranged.pinned.len()), key);
        return;
    }
    let mut units = units(lanes, arranged);
    if let Some(head) = lanes.all[lane].head {
        let Some((_, members)) = units.iter_mut().find(|u| u.0 == head) else { return };
        shift(members, |&m| m == lane, |&m| Some(m) == before);
    } else {
        // Before a member of a group means before the group.
        let before = before.map(|b| lanes.all[b].head.unwrap_or(b));
        shift(&mut units, |u| u.0 == lane, |u| Some(u.0) == before);
    }
    let flat = units.into_iter().flat_map(|(first, members)| std::iter::once(first).chain(members));
    arranged.order = flat.map(|i| lanes.all[i].key).collect();
}

/// Takes out the element that `is` names and puts it before the one that `before` names, or at the end.
fn shift<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, before: impl Fn(&T) -> bool) {
    let Some(from) = list.iter().position(is) else { return };
    let moved = list.remove(from);
    let to = list.iter().position(before).unwrap_or(list.len());
    list.insert(to, moved);
}

/// Moves a lane one place up or down among its own kind: in its group, among groups, among pinned ones.
pub(super) fn step(arranged: &mut Arrangement, lanes: &Lanes, shown: &Shown, lane: usize, down: bool) {
    let peers: Vec<usize> = if shown.pinned.contains(&lane) {
        shown.pinned.clone()
    } else {
        shown.free.iter().copied().filter(|&i| lanes.all[i].head == lanes.all[lane].head).collect()
    };
    let Some(at) = peers.iter().position(|&i| i == lane) else { return };
    if down && at + 1 < peers.len() {
        move_before(arranged, lanes, lane, peers.get(at + 2).copied());
    } else if let Some(above) = at.checked_sub(1).filter(|_| !down) {
        move_before(arranged, lanes, lane, Some(peers[above]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::fixture::session;
    use std::collections::BTreeSet;

    fn labels(a: &Arrangement, lanes: &Lanes, find: &str) -> String {
        let shown = Shown::new(lanes, a, find);
        let names = |list: &[usize]| -> String {
            list.iter().map(|&i| lanes.all[i].short.as_str()).collect::<Vec<_>>().join(",")
        };
        format!("{}|{}", names(&shown.pinned), names(&shown.free))
    }

    fn key(lanes: &Lanes, short: &str) -> LaneKey {
        lanes.all.iter().find(|l| l.short == short).map(|l| l.key).expect("a lane of this name")
    }

    #[test]
    fn lanes_are_grouped_found_pinned_and_hidden() {
        let all = Lanes::new(&session());
        let mut a = Arrangement::default();
        let start = "Events,Requests,main,tasks,slot 0,slot 1,slot 2,slot 3,GPU 0 › stream 7,Counters,RSS";
        assert!(labels(&a, &all, "").starts_with(&format!("|{start}")), "{}", labels(&a, &all, ""));
        assert_eq!(labels(&a, &all, "SLOT 2"), "|tasks,slot 2");
        assert_eq!(labels(&a, &all, "tasks"), "|tasks,slot 0,slot 1,slot 2,slot 3");
        let (rss, tasks) = (key(&all, "RSS"), key(&all, "tasks"));
        a.turn_pinned(rss);
        a.turn_folded(tasks);
        a.hidden.insert(LaneKey::Events);
        assert!(labels(&a, &all, "").starts_with("RSS|Requests,main,tasks,GPU 0 › stream 7,Counters,CUDA"));
        assert_eq!(labels(&a, &all, "slot 2"), "|tasks,slot 2", "what is found is open");
        a.hidden.insert(tasks);
        assert!(labels(&a, &all, "").starts_with("RSS|Requests,main,GPU 0"));
        assert_eq!(all.hidden(&a).count(), 2);
        let saved = serde_json::to_value(&a).unwrap();
        assert_eq!(serde_json::from_value::<Arrangement>(saved).unwrap(), a);
    }

    #[test]
    fn a_lane_moves_within_its_group_and_a_group_as_a_whole() {
        let all = Lanes::new(&session());
        let mut a = Arrangement::default();
        let at = |short: &str| all.find(key(&all, short)).unwrap();
        let slot = |i: u32| at(&format!("slot {i}"));
        move_before(&mut a, &all, slot(2), Some(slot(0)));
        assert_eq!(labels(&a, &all, "tasks"), "|tasks,slot 2,slot 0,slot 1,slot 3");
        let shown = Shown::new(&all, &a, "");
        step(&mut a, &all, &shown, slot(2), true);
        step(&mut a, &all, &shown, slot(3), true);
        assert_eq!(labels(&a, &all, "tasks"), "|tasks,slot 0,slot 2,slot 1,slot 3");
        move_before(&mut a, &all, at("Counters"), Some(slot(1)));
        assert!(labels(&a, &all, "").starts_with("|Events,Requests,main,Counters,RSS"));
        let shown = Shown::new(&all, &a, "");
        step(&mut a, &all, &shown, at("Events"), true);
        assert!(labels(&a, &all, "").starts_with("|Requests,Events,main,Counters"));
        move_before(&mut a, &all, at("Events"), None);
        assert!(labels(&a, &all, "").ends_with("stream 7,Events"), "{}", labels(&a, &all, ""));
        let rss = key(&all, "RSS");
        a.turn_pinned(LaneKey::Requests);
        a.turn_pinned(rss);
        move_before(&mut a, &all, at("RSS"), Some(at("Requests")));
        assert_eq!(a.pinned, [rss, LaneKey::Requests]);
    }

    #[test]
    fn keys_are_unique_and_phases_have_no_lane() {
        use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackSpec};
        let all = Lanes::new(&session());
        let keys: BTreeSet<_> = all.all.iter().map(|l| l.key).collect();
        assert_eq!(keys.len(), all.all.len());
        assert!(!all.all.iter().any(|l| l.label == "Phases"));
        let mut b = ProfileBuilder::new("test");
        let f = b.function(FunctionSpec::named("f"));
        for sort in 0..3 {
            let t = b.track(TrackSpec { name: "w", process: "", kind: TrackKind::Thread, sort });
            b.span(t, 0, 10, f, ArgsRef::NONE);
        }
        let same = Lanes::new(&b.finish());
        let twins = same.all.iter().map(|l| match l.key {
            LaneKey::Track(track) => track.twin,
            _ => u32::MAX,
        });
        assert_eq!(twins.collect::<Vec<_>>(), [0, 1, 2], "one group needs no head");
    }

    #[test]
    fn processes_of_one_name_are_arranged_apart() {
        use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackSpec};
        let mut b = ProfileBuilder::new("test");
        let f = b.function(FunctionSpec::named("f"));
        for (sort, process) in
            [(0, "python (pid 7)"), (1, "python (pid 7)"), (2, "python (pid 9)"), (3, "python (pid 9)")]
        {
            let t = b.track(TrackSpec { name: "w", process, kind: TrackKind::Thread, sort });
            b.span(t, 0, 10, f, ArgsRef::NONE);
        }
        let all = Lanes::new(&b.finish());
        let heads: Vec<LaneKey> = all.all.iter().filter(|l| l.head.is_none()).map(|l| l.key).collect();
        let python = NameKey::from("python");
        assert_eq!(heads, [LaneKey::Process(python, 0), LaneKey::Process(python, 1)]);
        assert_eq!(all.all.iter().map(|l| l.key).collect::<BTreeSet<_>>().len(), 6);
    }
}
