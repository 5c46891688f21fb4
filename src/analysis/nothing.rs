//! Why a picture of calls has nothing to show. Filters are blamed only when some are set.

use super::formula::{Measure, terms};
use super::functions::{graph_column, graph_of};
use super::scope::Slice;
use crate::format;
use crate::model::{Calls, MetricId, MetricKey, Profile, Unit};

/// Why nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// The file itself holds nothing.
    Recorded,
    /// The file has functions and their costs, but not who called whom.
    Callers,
    /// All costs of the metric are 0.
    Cost,
    /// Costs below 0 cancel out the others: this is their sum.
    Cancelled(i64),
    /// Tracks, range or transforms leave nothing.
    Left,
}

/// Why a profile has nothing to show in a metric, in the part that was chosen.
#[must_use]
pub fn why(profile: &Profile, slice: &Slice) -> Nothing {
    if let Some(graph) = graph_of(profile) {
        if graph.nodes.is_empty() {
            return Nothing::Recorded;
        }
        let terms = terms(slice.metric, profile);
        let column = |of: fn(&crate::model::GraphCosts) -> &Vec<i64>| {
            graph_column(graph, &terms, of, graph.nodes.len())
        };
        let own = column(|c| &c.node_self);
        if own.iter().chain(&column(|c| &c.node_total)).all(|&c| c == 0) {
            return Nothing::Cost;
        }
        if names_no_callers(profile) {
            return Nothing::Callers;
        }
        if let Some(sum) = cancelled(own.iter().copied()) {
            return Nothing::Cancelled(sum);
        }
    } else if profile.span_count() + profile.sample_count() == 0 {
        return Nothing::Recorded;
    }
    if *slice != Slice::whole(slice.metric) {
        return Nothing::Left;
    }
    let terms = terms(slice.metric, profile);
    let columns = profile.tracks.iter().flat_map(|t| t.samples.weights.iter().chain(&t.spans.costs));
    let of = |m: MetricId| terms.iter().find(|t| t.1 == m).map(|t| t.0);
    let scaled = columns.filter_map(|(m, column)| Some((of(*m)?, column)));
    let costs = scaled.flat_map(|(factor, column)| column.iter().map(move |c| c.saturating_mul(factor)));
    cancelled(costs).map_or(Nothing::Cost, Nothing::Cancelled)
}

/// The sum of costs when those below 0 leave nothing of the others.
fn cancelled(costs: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, below) = costs.fold((0i64, false), |(sum, below), c| (sum.saturating_add(c), below || c < 0));
    (below && sum <= 0).then_some(sum)
}

/// True when a call graph holds no call at all: costs of functions, without who called whom.
#[must_use]
pub fn names_no_callers(profile: &Profile) -> bool {
    graph_of(profile).is_some_and(|graph| graph.edges.is_empty() && graph.nodes.len() > 1)
}

impl Nothing {
    /// In a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Recorded => "Nothing was recorded",
            Self::Callers => "This file names no callers",
            Self::Cost => "Nothing here has a cost",
            Self::Cancelled(_) => "Costs cancel out",
            Self::Left => "Nothing in this selection",
        }
    }

    /// In a sentence or two, with what to do.
    #[must_use]
    pub fn text(self, profile: &Profile, metric: MetricKey) -> String {
        match self {
            Self::Recorded => "The file holds no calls and no samples. Record for longer.".into(),
            Self::Callers => {
                "It says what each function cost, but not who called it (recorded without sub-calls), so \
                 there is no tree. Functions shows the costs."
                    .into()
            }
            Self::Cost => no_cost(profile, metric),
            Self::Cancelled(sum) => {
                let Some(metric) = Measure::of(metric, profile) else { return no_cost(profile, metric) };
                let (what, sum) = (&metric.label, format::cost(metric.unit, sum));
                format!(
                    "{what} is {sum} in sum: costs below 0 cancel out the others, so there is no whole to draw parts of. \
                     Functions and the call tree show them."
                )
            }
            Self::Left => {
                "The tracks, range or transforms chosen leave no calls. Clear them to see all.".into()
            }
        }
    }
}

fn no_cost(profile: &Profile, metric: MetricKey) -> String {
    let Some(metric) = Measure::of(metric, profile) else { return "The file counts nothing.".into() };
    let what = match (metric.unit, &**metric.key.key.value()) {
        (Unit::Nanoseconds, "time") => {
            "All times in this file are 0: nothing took measurable time.".to_owned()
        }
        _ => format!("{} is 0 everywhere in this file.", metric.label),
    };
    let calls = graph_of(profile).into_iter().flat_map(|g| &g.nodes).filter_map(|n| n.calls);
    match calls.reduce(|a, b| Calls { all: a.all.saturating_add(b.all), ..a }) {
        Some(Calls { all: all @ 1.., .. }) => {
            format!("{what} Functions shows the {}.", format::counted(all as i64, "call", "calls"))
        }
        _ if profile.metrics.len() > 1 => format!("{what} Choose another metric."),
        _ => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::profile;

    fn why_of(text: &str) -> (Nothing, String) {
        let p = profile(text);
        let nothing = why(&p, &Slice::default());
        (nothing, nothing.text(&p, MetricKey::default()))
    }

    #[test]
    fn filters_that_are_not_set_are_not_blamed() {
        let (nothing, text) = why_of("fn run 1 0 0; fn kernel 3 0 0; run -> kernel 3 0 0");
        assert_eq!(nothing, Nothing::Cost);
        assert_eq!(
            text,
            "All times in this file are 0: nothing took measurable time. Functions shows the 4 calls."
        );
        assert_eq!(why_of("fn run 1 5 5; fn kernel 3 1 1").0, Nothing::Callers);
        assert_eq!(why_of("main 0 0").0, Nothing::Cost);
        let (nothing, text) =
            why_of("fn run 1 -8000 -2000; fn kernel 3 6000 6000; run -> kernel 3 6000 6000");
        assert_eq!(nothing, Nothing::Cancelled(-2000));
        assert!(text.starts_with("Time is −2.00 µs in sum: costs below 0 cancel out the others"), "{text}");
        let p = profile("main 0 10");
        assert_eq!(why(&p, &Slice { range: Some((20, 30)), ..Slice::default() }), Nothing::Left);
    }
}
