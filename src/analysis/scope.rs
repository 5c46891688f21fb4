//! Which part of a profile a question is about.
//!
//! Order of application, as in the Firefox Profiler: tracks → time range → transforms. The time range
//! is kept apart from the rest, because it changes costs but not the shape of a tree.

use crate::model::{FunctionId, Profile, SpanStatus, StringId, TrackId, TrackKind};

/// Half-open time range in ns; `None` for all time.
pub type TimeRange = Option<(i64, i64)>;

/// A change of call paths, applied before they are merged into a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transform {
    /// Keep only what runs under the function; it becomes the root.
    FocusFunction(FunctionId),
    /// Keep only what runs under exactly this path (root first); its last function becomes the root.
    FocusSubtree(Vec<FunctionId>),
    /// Keep only functions of the category, under one another; the self cost of all others goes to the nearest of them
    /// above, and what runs under none of them is left out.
    FocusCategory(StringId),
    /// Remove the function from all paths; its self cost goes to its caller.
    MergeFunction(FunctionId),
    /// Remove all paths that contain the function.
    DropFunction(FunctionId),
    /// Show each run of functions of the module as one node.
    CollapseModule(StringId),
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
        matches!(self, Self::FocusFunction(_) | Self::FocusSubtree(_) | Self::FocusCategory(_))
    }
}

/// Tracks and transforms.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Scope {
    /// The tracks; empty for all.
    pub tracks: Vec<TrackId>,
    /// Changes of call paths, first to last.
    pub transforms: Vec<Transform>,
}

impl Scope {
    /// True when `track` belongs to the scope.
    #[must_use]
    pub fn has_track(&self, track: TrackId) -> bool {
        self.tracks.is_empty() || self.tracks.contains(&track)
    }

    /// True when the own cost of a span that ended so does not count.
    #[must_use]
    pub fn leaves_out(&self, status: SpanStatus) -> bool {
        status == SpanStatus::Unfinished && self.transforms.contains(&Transform::FinishedOnly)
    }

    /// The tracks whose time is work. Phases lie over the work of all other tracks and would count it
    /// twice, so they belong to it only when they are asked for by name, or when nothing else is there.
    pub fn work_tracks(&self, profile: &Profile) -> impl Iterator<Item = TrackId> + use<'_> {
        let phase = |id: TrackId| profile.track(id).kind == TrackKind::Phase;
        let only_phases = profile.track_ids().all(phase);
        let skipped: Vec<bool> =
            profile.track_ids().map(|id| self.tracks.is_empty() && !only_phases && phase(id)).collect();
        profile.track_ids().filter(move |&id| self.has_track(id) && !skipped[id.index()])
    }
}
