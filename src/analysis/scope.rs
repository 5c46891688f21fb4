//! Which part of a profile a question is about.
//!
//! Order of application, as in the Firefox Profiler: tracks → time range → transforms. The time range
//! is kept apart from the rest, because it changes costs but not the shape of a tree.
//!
//! Everything is named by keys: the same scope can be asked of another revision and of another run. What a profile does
//! not have changes nothing there, except that nothing is left of it when it is focused on.

use super::filter::Filter;
use crate::model::{MetricKey, NameKey, Profile, SpanStatus, SymbolKey, TrackId, TrackKey};

/// Half-open time range in ns; `None` for all time.
pub type TimeRange = Option<(i64, i64)>;

/// A change of call paths, applied before they are merged into a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Keep only what runs under the function; it becomes the root.
    FocusFunction(SymbolKey),
    /// Keep only what runs under exactly this path (root first); its last function becomes the root.
    FocusSubtree(Vec<SymbolKey>),
    /// Keep only functions of the category, under one another; the self cost of all others goes to the nearest of them
    /// above, and what runs under none of them is left out.
    FocusCategory(NameKey),
    /// Keep only what runs under calls that a filter picks ([`super::filter`]); the outermost ones become roots. Where calls are
    /// not known one by one, only what a filter says of names picks any.
    FocusMatches(NameKey),
    /// Remove the function from all paths; its self cost goes to its caller.
    MergeFunction(SymbolKey),
    /// Remove all paths that contain the function.
    DropFunction(SymbolKey),
    /// Show each run of functions of the module as one node.
    CollapseModule(NameKey),
    /// Show direct recursion of any function as one call.
    CollapseRecursion,
    /// Of each run of library frames show the first, and all others as one «[n frames hidden]», as
    /// pyinstrument does. What is a library: [`super::libraries`].
    HideLibraries,
    /// Leave out calls that had not ended when the recording did: nobody knows how long they are. What they called
    /// and what ended stays below them.
    FinishedOnly,
}

impl Transform {
    /// True when it leaves out all paths that do not reach what it is about.
    #[must_use]
    pub fn is_focus(&self) -> bool {
        matches!(
            self,
            Self::FocusFunction(_) | Self::FocusSubtree(_) | Self::FocusCategory(_) | Self::FocusMatches(_)
        )
    }

    /// The same under the names that another run has for its functions.
    #[must_use]
    pub fn renamed(&self, name: impl Fn(SymbolKey) -> SymbolKey) -> Self {
        match self {
            Self::FocusFunction(f) => Self::FocusFunction(name(*f)),
            Self::FocusSubtree(path) => Self::FocusSubtree(path.iter().map(|&f| name(f)).collect()),
            Self::MergeFunction(f) => Self::MergeFunction(name(*f)),
            Self::DropFunction(f) => Self::DropFunction(name(*f)),
            other => other.clone(),
        }
    }

    /// True when the profile has what it is about.
    #[must_use]
    pub fn fits(&self, profile: &Profile) -> bool {
        let keys = profile.keys();
        let function = |key: &SymbolKey| keys.function(*key).is_some();
        match self {
            Self::FocusFunction(f) | Self::MergeFunction(f) | Self::DropFunction(f) => function(f),
            Self::FocusSubtree(path) => path.iter().all(function),
            Self::FocusCategory(category) => profile.strings.find(category).is_some(),
            Self::FocusMatches(filter) => matches!(Filter::read(filter), Ok(Some(_))),
            Self::CollapseModule(module) => keys.symbols().iter().any(|s| s.module == *module),
            Self::CollapseRecursion | Self::HideLibraries | Self::FinishedOnly => true,
        }
    }
}

/// Tracks and transforms.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Scope {
    /// The tracks; empty for all.
    pub tracks: Vec<TrackKey>,
    /// Changes of call paths, first to last.
    pub transforms: Vec<Transform>,
}

impl Scope {
    /// True when `track` belongs to the scope.
    #[must_use]
    pub fn has_track(&self, profile: &Profile, track: TrackId) -> bool {
        self.tracks.is_empty() || self.tracks.contains(&profile.keys().track_key(track))
    }

    /// The tracks that belong to the scope.
    pub fn tracks_of(&self, profile: &Profile) -> impl Iterator<Item = TrackId> + use<> {
        let chosen: Vec<bool> = profile.track_ids().map(|id| self.has_track(profile, id)).collect();
        profile.track_ids().filter(move |id| chosen[id.index()])
    }

    /// The same without what the profile does not have.
    #[must_use]
    pub fn fitted(&self, profile: &Profile) -> Self {
        let known = |key: &TrackKey| profile.keys().track(*key).is_some();
        Self {
            tracks: self.tracks.iter().copied().filter(known).collect(),
            transforms: self.transforms.iter().filter(|t| t.fits(profile)).cloned().collect(),
        }
    }

    /// True when the own cost of a span that ended so does not count.
    #[must_use]
    pub fn leaves_out(&self, status: SpanStatus) -> bool {
        status == SpanStatus::Unfinished && self.transforms.contains(&Transform::FinishedOnly)
    }

    /// The tracks whose time is work. Phases and summaries lie over the work of other tracks and would count it
    /// twice, so they belong to it only when they are asked for by name, or when nothing else is there.
    pub fn work_tracks(&self, profile: &Profile) -> impl Iterator<Item = TrackId> + use<> {
        let phase = |id: TrackId| profile.track(id).kind.is_view();
        let only_phases = profile.track_ids().all(phase);
        let skipped: Vec<bool> =
            profile.track_ids().map(|id| self.tracks.is_empty() && !only_phases && phase(id)).collect();
        self.tracks_of(profile).filter(move |id| !skipped[id.index()])
    }
}

/// Which part of a profile, and what costs are counted in: what most questions about costs have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Slice {
    /// Tracks and transforms.
    pub scope: Scope,
    /// The metric.
    pub metric: MetricKey,
    /// The time.
    pub range: TimeRange,
}

impl Slice {
    /// All of a profile, in one metric.
    #[must_use]
    pub fn whole(metric: MetricKey) -> Self {
        Self { metric, ..Self::default() }
    }
}
