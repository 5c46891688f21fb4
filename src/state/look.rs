//! What a person looks at, told by names: it outlives the program and fits every profile that has them.

use serde::{Deserialize, Serialize};

use super::{Arrangement, Interaction, Relative};
use crate::analysis::folding::Folding;
use crate::analysis::{Scope, TimeRange, Transform};
use crate::model::{Function, FunctionId, Profile, StringId, TrackId, TrackKind};
use std::sync::Arc;

/// A function by all that tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionName {
    name: String,
    module: String,
    file: String,
    line: u32,
    category: String,
}

impl FunctionName {
    fn of(function: FunctionId, profile: &Profile) -> Option<Self> {
        let row = profile.functions.rows().get(function.index())?;
        let text = |id: StringId| profile.text(id).to_owned();
        Some(Self {
            name: text(row.name),
            module: text(row.module),
            file: text(row.file),
            line: row.line,
            category: text(row.category),
        })
    }

    fn find(&self, profile: &Profile) -> Option<FunctionId> {
        let find = |text: &str| profile.strings.find(text);
        profile.functions.id_of(&Function {
            name: find(&self.name)?,
            module: find(&self.module)?,
            file: find(&self.file)?,
            line: self.line,
            category: find(&self.category)?,
        })
    }
}

/// A [`Transform`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransformName {
    /// [`Transform::FocusFunction`]
    FocusFunction(FunctionName),
    /// [`Transform::FocusSubtree`]
    FocusSubtree(Vec<FunctionName>),
    /// [`Transform::FocusCategory`]
    FocusCategory(String),
    /// [`Transform::MergeFunction`]
    MergeFunction(FunctionName),
    /// [`Transform::DropFunction`]
    DropFunction(FunctionName),
    /// [`Transform::CollapseModule`]
    CollapseModule(String),
    /// [`Transform::CollapseRecursion`]
    CollapseRecursion,
    /// [`Transform::HideLibraries`]
    HideLibraries,
    /// [`Transform::FinishedOnly`]
    FinishedOnly,
}

impl TransformName {
    /// The names of a transform; `None` when the profile lacks what it is about.
    #[must_use]
    pub fn of(transform: &Transform, profile: &Profile) -> Option<Self> {
        let function = |f: FunctionId| FunctionName::of(f, profile);
        Some(match transform {
            Transform::FocusFunction(f) => Self::FocusFunction(function(*f)?),
            Transform::FocusSubtree(path) => {
                Self::FocusSubtree(path.iter().map(|&f| function(f)).collect::<Option<_>>()?)
            }
            Transform::FocusCategory(c) => Self::FocusCategory(profile.text(*c).to_owned()),
            Transform::MergeFunction(f) => Self::MergeFunction(function(*f)?),
            Transform::DropFunction(f) => Self::DropFunction(function(*f)?),
            Transform::CollapseModule(m) => Self::CollapseModule(profile.text(*m).to_owned()),
            Transform::CollapseRecursion => Self::CollapseRecursion,
            Transform::HideLibraries => Self::HideLibraries,
            Transform::FinishedOnly => Self::FinishedOnly,
        })
    }

    /// The transform in a profile that has all the names.
    #[must_use]
    pub fn find(&self, profile: &Profile) -> Option<Transform> {
        let find = |text: &str| profile.strings.find(text);
        Some(match self {
            Self::FocusFunction(f) => Transform::FocusFunction(f.find(profile)?),
            Self::FocusSubtree(path) => {
                Transform::FocusSubtree(path.iter().map(|f| f.find(profile)).collect::<Option<_>>()?)
            }
            Self::FocusCategory(c) => Transform::FocusCategory(find(c)?),
            Self::MergeFunction(f) => Transform::MergeFunction(f.find(profile)?),
            Self::DropFunction(f) => Transform::DropFunction(f.find(profile)?),
            Self::CollapseModule(m) => Transform::CollapseModule(find(m)?),
            Self::CollapseRecursion => Transform::CollapseRecursion,
            Self::HideLibraries => Transform::HideLibraries,
            Self::FinishedOnly => Transform::FinishedOnly,
        })
    }
}

/// A track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackName {
    process: String,
    name: String,
    kind: TrackKind,
}

impl TrackName {
    /// The names of a track.
    #[must_use]
    pub fn of(track: TrackId, profile: &Profile) -> Option<Self> {
        let track = profile.tracks.get(track.index())?;
        let text = |id: StringId| profile.text(id).to_owned();
        Some(Self { process: text(track.process), name: text(track.name), kind: track.kind })
    }

    /// The first track of these names.
    #[must_use]
    pub fn find(&self, profile: &Profile) -> Option<TrackId> {
        profile.track_ids().find(|&id| {
            let track = profile.track(id);
            (profile.text(track.process), profile.text(track.name), track.kind)
                == (&*self.process, &*self.name, self.kind)
        })
    }
}

/// What of an [`Interaction`] is worth keeping: which part of the profile is shown and how. Selection, search and
/// what-ifs are passing thoughts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// Key of the metric; `None` for the first one.
    metric: Option<String>,
    relative: Relative,
    tracks: Vec<TrackName>,
    transforms: Vec<TransformName>,
    range: TimeRange,
    arrangement: Option<Arrangement>,
    folding: Option<Folding>,
}

impl Look {
    /// What is looked at in a profile.
    #[must_use]
    pub fn of(now: &Interaction, profile: &Profile) -> Self {
        let metric = profile.metrics.get(now.metric.index()).filter(|_| now.metric.index() > 0);
        Self {
            metric: metric.map(|m| m.key.clone()),
            relative: now.relative,
            tracks: now.scope.tracks.iter().filter_map(|&t| TrackName::of(t, profile)).collect(),
            transforms: now.scope.transforms.iter().filter_map(|t| TransformName::of(t, profile)).collect(),
            range: now.range,
            arrangement: now.arrangement.as_deref().cloned(),
            folding: now.folding.as_deref().cloned(),
        }
    }

    /// `now` changed to look at the same; what the profile lacks is left out.
    #[must_use]
    pub fn applied_to(&self, now: &Interaction, profile: &Profile) -> Interaction {
        let metric = self.metric.as_ref().and_then(|key| profile.metric_by_key(key));
        Interaction {
            metric: metric.unwrap_or_default(),
            relative: self.relative,
            scope: Scope {
                tracks: self.tracks.iter().filter_map(|t| t.find(profile)).collect(),
                transforms: self.transforms.iter().filter_map(|t| t.find(profile)).collect(),
            },
            range: self.range.filter(|(from, to)| from < to),
            arrangement: self.arrangement.clone().map(Arc::new),
            folding: self.folding.clone().map(Arc::new),
            ..now.clone()
        }
    }
}

/// The same function in another profile.
#[must_use]
pub fn rekey_function(function: FunctionId, from: &Profile, to: &Profile) -> Option<FunctionId> {
    FunctionName::of(function, from)?.find(to)
}

/// The same track in another profile.
#[must_use]
pub fn rekey_track(track: TrackId, from: &Profile, to: &Profile) -> Option<TrackId> {
    TrackName::of(track, from)?.find(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{function, path, profile};
    use crate::state::{Command, LaneHeight};

    #[test]
    fn a_look_is_the_same_after_a_restart_and_in_a_profile_that_has_the_names() {
        let p = profile("main 0 100 / f@lib 10 40 / g 20 30; g 60 70");
        let f = function(&p, "f@lib");
        let mut now = Interaction::default();
        for transform in [
            Transform::FocusFunction(f),
            Transform::FocusSubtree(path(&p, "main>f@lib")),
            Transform::FocusCategory(p.functions.get(f).category),
            Transform::MergeFunction(f),
            Transform::DropFunction(function(&p, "g")),
            Transform::CollapseModule(p.functions.get(f).module),
            Transform::CollapseRecursion,
            Transform::HideLibraries,
            Transform::FinishedOnly,
        ] {
            Command::Push(transform).apply(&mut now);
        }
        let arrangement = Arrangement { usual: Some(LaneHeight::All), ..Arrangement::default() };
        for command in [
            Command::SetRelative(Relative::Parent),
            Command::SetRange(Some((3, 50))),
            Command::SetTracks(vec![TrackId(0)]),
            Command::Arrange(Arc::new(arrangement)),
            Command::Fold(Arc::default()),
        ] {
            command.apply(&mut now);
        }
        let kept = serde_json::to_string(&Look::of(&now, &p)).unwrap();
        let look: Look = serde_json::from_str(&kept).unwrap();
        assert_eq!(look.applied_to(&Interaction::default(), &p), now);

        // Other ids, and no f.
        let other = profile("g 0 10; main 0 5");
        let there = look.applied_to(&Interaction::default(), &other);
        assert_eq!(there.scope.transforms[0], Transform::FocusCategory(crate::model::Strings::EMPTY));
        assert_eq!(there.scope.transforms[1], Transform::DropFunction(function(&other, "g")));
        assert_eq!(there.scope.transforms.len(), 5, "{:?}", there.scope.transforms);
        assert_eq!(Look::of(&Interaction::default(), &p), Look::default());
    }
}
