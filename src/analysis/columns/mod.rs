//! The columns of the tables about one run. A column says once what it is called, what its numbers mean, how rows sort by
//! it and what is in a cell: the window, reports, copies and files all show these.

pub mod call_tree;
pub mod callers;
pub mod found;
pub mod functions;
pub mod groups;
pub mod instructions;
pub mod lines;
pub mod ops;
pub mod request_groups;
pub mod requests;

use super::formula::{self, Measure};
use super::whole::Whole;
use crate::format::Value;
use crate::format::{Form, Scale, cost};
use crate::model::{FunctionId, MetricKey, Profile, Unit};

/// What percentages are a share of; each names its denominator beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relative {
    /// Costs as numbers only.
    Numbers,
    /// Of the whole.
    #[default]
    Total,
    /// Of what is one level up: the caller, the function that is looked at, the box around.
    Parent,
}

impl Relative {
    /// All, with what a menu says.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Numbers, "Numbers only"), (Self::Total, "% of total"), (Self::Parent, "% of parent")];

    /// What a menu says.
    #[must_use]
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(r, _)| *r == self).map_or("", |(_, label)| label)
    }
}

/// The metric that a table is in.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What a sum of it is called: «time», «Instructions»; «cost» where nothing is known of it.
    pub what: String,
    /// Unit of its costs.
    pub unit: Unit,
    /// What percentages are a share of.
    pub relative: Relative,
}

impl Shown {
    /// The metric of a profile that is shown when `metric` is asked for.
    #[must_use]
    pub fn of(metric: MetricKey, relative: Relative, profile: &Profile) -> Self {
        let shown = formula::shown(metric, profile);
        let (what, unit) = match Measure::of(shown, profile) {
            None => ("cost".into(), Unit::None),
            Some(measure) if shown == MetricKey::declared("time") => ("time".into(), measure.unit),
            Some(measure) => (measure.label, measure.unit),
        };
        Self { what, unit, relative }
    }

    /// How costs of at most `max` are written.
    fn form(&self, max: i64) -> (Form, Unit) {
        (Form::Scaled(scale(self.unit, max)), self.unit)
    }

    fn shares(&self) -> bool {
        self.relative != Relative::Numbers
    }

    /// What shares of totals are of: «the whole time, 1.20 s».
    fn whole(&self, whole: Whole) -> String {
        format!("the whole {}, {}", self.what, cost(self.unit, whole.total))
    }

    /// What shares of self costs are of, where that is another sum: «the sum of all self time, 1.10 s».
    fn own_whole(&self, whole: Whole) -> String {
        match whole.is_one() {
            true => self.whole(whole),
            false => format!("the sum of all self {}, {}", self.what, cost(self.unit, whole.own)),
        }
    }
}

/// One unit for a column of costs of at most `max`: five significant digits for the largest, so that small ones beside it
/// still show something.
#[must_use]
pub fn scale(unit: Unit, max: i64) -> Scale {
    Scale::for_max(unit, max / 10)
}

/// Where a function is defined, as its file says.
#[must_use]
pub fn place(profile: &Profile, function: FunctionId) -> Value<'_> {
    let f = profile.functions.get(function);
    Value::Place(profile.text(f.file), f.line)
}

const PLACE: &str = "Where the function is defined, as the file says";
