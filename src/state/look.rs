//! What a person looks at, kept for the next time: it outlives the program and fits every profile that has its names.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Arrangement, Interaction, Relative};
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::folding::Folding;
use crate::analysis::formula::Measure;
use crate::analysis::{Scope, TimeRange};
use crate::model::{MetricKey, Profile};

/// What of an [`Interaction`] is worth keeping: which part of the profile is shown and how. Selection, search and
/// what-ifs are passing thoughts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// The metric; `None` for the first one.
    metric: Option<MetricKey>,
    relative: Relative,
    normalise: Normalise,
    #[serde(flatten)]
    scope: Scope,
    range: TimeRange,
    #[serde(deserialize_with = "if_readable")]
    arrangement: Option<Arrangement>,
    #[serde(deserialize_with = "if_readable")]
    folding: Option<Folding>,
}

/// What another version wrote otherwise is left out, and does not cost the rest of the look.
pub(super) fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).ok())
}

impl Look {
    /// What is looked at.
    #[must_use]
    pub fn of(now: &Interaction, profile: &Profile) -> Self {
        let first = |key: &MetricKey| profile.find_metric(*key).is_some_and(|id| id.index() == 0);
        Self {
            metric: Some(now.metric).filter(|key| !key.is_first() && !first(key)),
            relative: now.relative,
            normalise: now.normalise,
            scope: now.scope.clone(),
            range: now.range,
            arrangement: now.arrangement.as_deref().cloned(),
            folding: now.folding.as_deref().cloned(),
        }
    }

    /// `now` changed to look at the same; what the profile lacks is left out.
    #[must_use]
    pub fn applied_to(&self, now: &Interaction, profile: &Profile) -> Interaction {
        let metric = self.metric.filter(|&key| Measure::of(key, profile).is_some());
        Interaction {
            metric: metric.unwrap_or_default(),
            relative: self.relative,
            normalise: self.normalise,
            scope: self.scope.fitted(profile),
            range: self.range.filter(|(from, to)| from < to),
            arrangement: self.arrangement.clone().map(Arc::new),
            folding: self.folding.clone().map(Arc::new),
            ..now.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Transform;
    use crate::analysis::testing::{profile, symbol, symbols};
    use crate::model::{FunctionSpec, NameKey, ProfileBuilder, TrackId};
    use crate::state::{Command, LaneHeight, LaneKey};

    fn transforms(p: &Profile) -> [Transform; 10] {
        let f = symbol(p, "f@lib");
        [
            Transform::FocusFunction(f),
            Transform::FocusSubtree(symbols(p, "main>f@lib")),
            Transform::FocusCategory(NameKey::default()),
            Transform::FocusMatches(NameKey::from("dur>1ms")),
            Transform::MergeFunction(f),
            Transform::DropFunction(symbol(p, "g")),
            Transform::CollapseModule(NameKey::from("lib")),
            Transform::CollapseRecursion,
            Transform::HideLibraries,
            Transform::FinishedOnly,
        ]
    }

    #[test]
    fn a_look_is_the_same_after_a_restart_and_in_a_profile_that_has_the_names() {
        let p = profile("main 0 100 alloc=9 / f@lib 10 40 / g 20 30; g 60 70");
        let mut now = Interaction::default();
        for transform in transforms(&p) {
            Command::Push(transform).apply(&mut now);
        }
        let track = p.keys().track_key(TrackId(0));
        let mut arrangement = Arrangement { usual: Some(LaneHeight::All), ..Arrangement::default() };
        arrangement.turn_pinned(LaneKey::Track(track));
        arrangement.heights.insert(LaneKey::Events, LaneHeight::Strip);
        for command in [
            Command::SetRelative(Relative::Parent),
            Command::SetMetric(MetricKey::declared("alloc")),
            Command::SetRange(Some((3, 50))),
            Command::SetTracks(vec![track]),
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
        assert_eq!(there.metric, MetricKey::default());
        assert_eq!(there.scope.transforms[0], Transform::FocusCategory(NameKey::default()));
        assert_eq!(there.scope.transforms[2], Transform::DropFunction(symbol(&other, "g")));
        assert_eq!(there.scope.transforms.len(), 6, "{:?}", there.scope.transforms);
        assert_eq!(Look::of(&Interaction::default(), &p), Look::default());
    }

    #[test]
    fn a_look_fits_the_file_after_an_edit_that_moved_its_functions() {
        let of = |lines: [u32; 3]| {
            let mut b = ProfileBuilder::new("pstats");
            for (name, line) in ["load", "<lambda>", "<lambda>"].into_iter().zip(lines) {
                b.function(FunctionSpec { name, file: "/app/pipe.py", line, ..FunctionSpec::default() });
            }
            b.finish()
        };
        let (before, after) = (of([3, 10, 20]), of([43, 50, 60]));
        let mut now = Interaction::default();
        for function in before.functions.ids() {
            Command::Push(Transform::DropFunction(before.keys().symbol(function))).apply(&mut now);
        }
        let kept = serde_json::to_string(&Look::of(&now, &before)).unwrap();
        let look: Look = serde_json::from_str(&kept).unwrap();
        let there = look.applied_to(&Interaction::default(), &after);
        let lines = there.scope.transforms.iter().map(|t| match t {
            Transform::DropFunction(f) => after.functions.get(after.keys().function(*f).unwrap()).line,
            _ => 0,
        });
        assert_eq!(lines.collect::<Vec<_>>(), [43, 50, 60]);
    }

    #[test]
    fn looks_that_were_written_with_lines_fit_the_edited_file() {
        let written = r#"{"metric":"time","relative":"total","tracks":[{"process":"","name":"main","kind":"thread"}],
            "transforms":[{"drop_function":{"name":"g","module":"","file":"","line":7,"category":""}},"collapse_recursion"],
            "range":[3,50],"arrangement":{"pinned":["counter RSS"]},"folding":{"by":"module","folded":true,"turned":["lib"],"cycles":true}}"#;
        let look: Look = serde_json::from_str(written).unwrap();
        let p = profile("main 0 100 / g 20 30");
        let now = look.applied_to(&Interaction::default(), &p);
        assert_eq!(now.scope.tracks, [p.keys().track_key(TrackId(0))]);
        let transforms = [Transform::DropFunction(symbol(&p, "g")), Transform::CollapseRecursion];
        assert_eq!((&now.scope.transforms[..], now.range), (&transforms[..], Some((3, 50))));
        assert!(!now.folding.unwrap().is_folded(NameKey::from("lib")) && now.arrangement.is_none());
    }
}
