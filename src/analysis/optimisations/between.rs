//! Two runs that differ in a lever: what was changed, what else, and what came of it.

use super::{Optimisations, Status};
use crate::analysis::diff::metrics::Metrics;
use crate::analysis::diff::settings::{Setting, differing};
use crate::analysis::diff::story::{Figure, figures};
use crate::analysis::diff::{State, Two};
use crate::analysis::levers::Lever;
use crate::analysis::overview::Summary;
use crate::analysis::prices::Prices;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{FactKind, Profile};
use crate::query::{Context, Pair, Query};

/// Figures that are told of a change, by their names.
const TOLD: [&str; 7] = ["Latency p50", "TPOT p50", "Tokens/s", "Cost", "Elapsed", "Peak heap", "Peak RSS"];
/// Most of them.
const MOST: usize = 3;

/// A lever in which two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub lever: Lever,
    /// What of it: «Batch size 1 → 32», or that one of them does not use it.
    pub changed: Vec<String>,
    /// Names of settings, input and machine that differ besides.
    pub besides: Vec<String>,
}

impl Step {
    /// «Batch size 1 → 32. Nothing else differs.»
    #[must_use]
    pub fn words(&self) -> String {
        let besides = match &self.besides[..] {
            [] => "Nothing else differs.".to_owned(),
            others => format!("Also changed, so it may be the cause as well: {}.", others.join(", ")),
        };
        format!("{}. {besides}", self.changed.join(", "))
    }
}

/// The levers in which two runs differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Between {
    /// In the order of [`Lever::ALL`].
    pub steps: Vec<Step>,
    /// The figures that tell what came of it.
    pub figures: Vec<Figure>,
}

impl Between {
    /// The step of a lever.
    #[must_use]
    pub fn step(&self, lever: Lever) -> Option<&Step> {
        self.steps.iter().find(|s| s.lever == lever)
    }

    /// «Latency p50 1.20 s → 0.80 s (−33 %), …».
    #[must_use]
    pub fn came_of_it(&self) -> String {
        let one = |f: &Figure| {
            let value = |v| format::cost_or_unknown(f.unit, v);
            let change = f.values.relative().map(|r| format!(" ({})", format::percent_change(r)));
            format!(
                "{} {} → {}{}",
                f.name,
                value(f.values.base),
                value(f.values.head),
                change.unwrap_or_default()
            )
        };
        self.figures.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// Computes what is [`Between`] two runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Tried {
    /// By which requests are priced.
    pub prices: Prices,
}

impl Query<Pair> for Tried {
    type Output = Between;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Between, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let map = Optimisations { prices: self.prices.clone() };
        let (in_base, in_head) = (base.get(&map)?, head.get(&map)?);
        if in_base.is_empty() || in_head.is_empty() {
            return Ok(Between::default());
        }
        let profiles: [&Profile; 2] = [base.profile(), head.profile()];
        let settings = differing(profiles[0], profiles[1], &Metrics::of(profiles[0], profiles[1]));
        let settings: Vec<&Setting> = settings
            .iter()
            .filter(|s| s.kind != FactKind::Result && s.note.is_empty() && s.what != "Title")
            .collect();
        let same_model = profiles[0].meta.fact("Parameters") == profiles[1].meta.fact("Parameters")
            && profiles[0].meta.fact("Parameters").is_some();
        let of = |s: &Setting| {
            // Another file with as many parameters is the same model in another format.
            let is_file = s.what == "Model" && same_model;
            if is_file { Some(Lever::Quantization) } else { Lever::of_setting(&s.what) }
        };
        let steps = Lever::ALL.into_iter().filter_map(|lever| {
            let used = [&in_base, &in_head]
                .map(|all| all.iter().any(|e| e.lever == lever && e.status == Status::Tried));
            let mut changed: Vec<String> =
                settings.iter().filter(|s| of(s) == Some(lever)).map(|s| told(s)).collect();
            match used {
                // How many are in flight comes of how long each takes, unless a setting says so.
                _ if changed.is_empty() && lever == Lever::Requests => {}
                [false, true] if changed.is_empty() => changed.push("only the new run uses it".into()),
                [true, false] if changed.is_empty() => changed.push("only the baseline uses it".into()),
                _ => {}
            }
            let besides = settings.iter().filter(|s| of(s) != Some(lever)).map(|s| s.what.clone());
            (!changed.is_empty()).then(|| Step { lever, changed, besides: besides.collect() })
        });
        let steps: Vec<Step> = steps.collect();
        let summary = Summary { prices: self.prices.clone(), ..Summary::default() };
        let overviews = [base.get(&summary)?, head.get(&summary)?].map(|o| [o]);
        let mut figures = figures(&overviews[0], &overviews[1]);
        figures.retain(|f| f.values.state() == Some(State::Both) && TOLD.contains(&&*f.name));
        figures.sort_by_key(|f| TOLD.iter().position(|name| *name == f.name));
        figures.truncate(MOST);
        Ok(Between { steps, figures })
    }

    fn weight(between: &Between) -> usize {
        between.steps.len() * 200 + between.figures.len() * size_of::<Figure>()
    }
}

/// «Batch size 1 → 32».
fn told(s: &Setting) -> String {
    let Two { base, head } = &s.values;
    let value = |v: &Option<String>| v.clone().unwrap_or_else(|| format::UNKNOWN.to_owned());
    format!("{} {} → {}", s.what, format::short(&value(base), 60), format::short(&value(head), 60))
}
