//! `inferscope report`: what is in a profile, for people and for programs.

mod compute;
mod critical;
mod follow;
mod json;
mod requests;
mod sort;
mod text;
mod tree;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rustc_hash::FxHashMap;

use self::tree::Tree;
use super::out::{self, print};
use super::{Failure, RelativeArg, copied, metric_of, open_part, prices_of};
use crate::analysis::asked::Asked;
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::cache_keys::{CacheKeys, KeyFacts};
use crate::analysis::caches::{CacheFigures, Caches};
use crate::analysis::components::{Components, PromptComponents};
use crate::analysis::compute::{Explain, Explained, Given};
use crate::analysis::every_metric::{EveryMetric, MetricRow};
use crate::analysis::findings::{Findings, Noted};
use crate::analysis::formula::{self, Measure};
use crate::analysis::heap_peak::{AtHeapPeak, HeapPeak};
use crate::analysis::latency::{Latency, RequestLatency};
use crate::analysis::launches::{Launches, LaunchesIn};
use crate::analysis::ops::{OpTable, Ops, has_ops};
use crate::analysis::optimisations::{Entry, Optimisations};
use crate::analysis::overview::{Overview, Summary};
use crate::analysis::prices::Prices;
use crate::analysis::request_facets::{Facet, Facets};
use crate::analysis::scope::Slice;
use crate::analysis::slo::{Slow, SlowRequests};
use crate::analysis::spending::{Spending, Spent};
use crate::analysis::stages::{self, Gain, Gains, StageGraph, Stages};
use crate::analysis::{Scope, Transform};
use crate::format::Page;
use crate::import::Follow;
use crate::jobs::{Cancelled, Job};
use crate::model::{MetricKey, Profile, RequestId};
use crate::query::{Engine, Run};
use sort::Keys;

/// Stages of which the gain is computed.
const MOST_GAINS: usize = 24;

const PRICES: &str = r#"A table of prices (--prices) is LiteLLM's model_prices_and_context_window.json, or:
  {"source": "my contract", "as_of": "2026-11-01", "per": 1000000, "models": [
    {"name": "my-model", "provider": "openai", "match": ["my-model-*"], "prices": [
      {"input": "2.5", "cache_read": "0.25", "cache_write": "3.125", "output": "10"},
      {"from": "2026-09-01", "input": {"base": "2", "above": {"272000": "4"}}, "output": "8"}]}]}
Rates are US dollars for «per» tokens; of «prices» the last one that is active counts."#;

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = PRICES)]
pub(super) struct ReportArgs {
    /// The profile; - for standard input, TARGET:/path for a file on another machine.
    file: PathBuf,
    /// Copy a file of another machine into this folder first.
    #[arg(long)]
    copy: bool,
    /// Take a part of it instead: a file that is attached, such as the profile of a second profiler, or one of the files
    /// and parts that a run of callgrind was added up from.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Sort functions by KEY, then by further ones with commas between them: self, total, calls, pcalls, name, file,
    /// line, nfl, stdname, and all words, beginnings of words and numbers that pstats takes [default: self,total].
    #[arg(long, value_name = "KEY[,KEY]", value_parser = sort::parse, allow_hyphen_values = true)]
    sort: Vec<Keys>,
    /// Print at most N functions [default: 20 in text, all in JSON].
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Show costs in this metric: a key, or a formula such as 'Ir + 10*Bm' [default: the first one].
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// What percentages are a share of.
    #[arg(long, value_name = "WHOLE", default_value = "total")]
    relative: RelativeArg,
    /// Prices of models, above the bundled ones: a table in inferscope's layout or LiteLLM's.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Leave out calls that had not ended when the recording did.
    #[arg(long)]
    finished: bool,
    /// Print the call tree path by path, and how far it is from what the file records (as JSON: `tree`, `estimate`).
    #[arg(long)]
    tree: bool,
    /// With --tree: paths with at least this share of the whole, such as 0.01 [default: the largest 20000].
    #[arg(long, value_name = "SHARE", requires = "tree", value_parser = share)]
    min_share: Option<f64>,
    /// For the journal of a running recording: print the report again as it grows, until it ends. As JSON one object a
    /// line.
    #[arg(long)]
    follow: bool,
    /// With --follow: seconds between two reports.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    every: f64,
}

/// A share of the whole.
fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s| (0.0..=1.0).contains(s)).ok_or_else(|| "a share from 0 to 1".into())
}

/// A time between reports.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.1..=86_400.0).contains(s));
    seconds.ok_or_else(|| "a number of seconds from 0.1 to 86400".into())
}

/// Everything that a report shows.
pub(super) struct Report {
    profile: Arc<Profile>,
    engine: Engine,
    subject: Run,
    /// Which calls it is about.
    scope: Scope,
    overview: Arc<Overview>,
    /// All metrics, the one that is asked for among them.
    metrics: Vec<Measure>,
    /// Place of that one.
    metric: usize,
    rows: Vec<MetricRow>,
    /// Number of functions before `--top` cut them.
    functions: usize,
    /// Stages and what dropping them would save, where there are tasks, streams or links.
    stages: Option<(Arc<StageGraph>, Arc<Vec<Gain>>)>,
    /// Who held the heap at its peak, where allocations were counted.
    heap: Arc<Option<HeapPeak>>,
    /// By which requests are priced.
    prices: Prices,
    /// What they cost.
    billing: Arc<Billing>,
    /// Where their time goes.
    latency: Arc<Latency>,
    findings: Arc<Vec<Noted>>,
    /// How the usual optimisations stand.
    optimisations: Arc<Vec<Entry>>,
    /// What caches did for them.
    caches: Arc<Vec<CacheFigures>>,
    /// Requests that took much longer than the others.
    slow: FxHashMap<RequestId, Slow>,
    /// Requests by what several have in common.
    groups: Vec<(Facet, Arc<Spent>)>,
    /// Keys of the cache of answers.
    keys: Arc<KeyFacts>,
    /// What prompts are made of.
    components: Arc<Components>,
    /// Operations, and what limits the model, where anything tells of them.
    compute: Option<(Arc<OpTable>, Arc<Explained>)>,
    /// From launches of work of GPUs to its start.
    launches: Arc<Launches>,
    /// What percentages of the tree are a share of.
    relative: RelativeArg,
    /// The call tree path by path, when it is asked for.
    tree: Option<Tree>,
}

pub(super) fn run(mut args: ReportArgs) -> Result<(), Failure> {
    if args.copy {
        args.file = copied(args.file)?;
    }
    let args = &args;
    if args.follow
        && args.part.is_none()
        && let Some(recording) = Follow::open(&args.file)
    {
        return follow::run(args, recording);
    }
    let report = report_of(args, open_part(&args.file, args.part.as_deref())?)?;
    if args.json {
        return out::write_json(|out| json::write(&report, out)).map(drop);
    }
    print(&report.text()?)
}

/// The report of a profile as the arguments want it.
fn report_of(args: &ReportArgs, profile: Profile) -> Result<Report, Failure> {
    let metric = metric_of(&profile, args.metric.as_deref(), &args.file)?;
    let shown = Shown {
        metric,
        sort: Keys::joined(&args.sort),
        top: args.top,
        json: args.json,
        relative: args.relative,
        finished: args.finished,
        tree: args.tree.then_some(args.min_share),
        prices: prices_of(args.prices.as_deref())?,
    };
    Report::new(Arc::new(profile), &shown).map_err(|Cancelled| Failure::new("cancelled"))
}

/// The text report of a profile, as `report` prints it.
pub(super) fn text_of(profile: Arc<Profile>) -> Result<Page, Cancelled> {
    let shown = Shown {
        metric: MetricKey::default(),
        sort: Keys::default(),
        top: None,
        json: false,
        relative: RelativeArg::Total,
        finished: false,
        tree: None,
        prices: Prices::default(),
    };
    text::render(&Report::new(profile, &shown)?)
}

/// What a report is asked to show.
struct Shown {
    metric: MetricKey,
    sort: Keys,
    top: Option<usize>,
    json: bool,
    relative: RelativeArg,
    finished: bool,
    /// Whether the tree is printed path by path, and the least share of a path.
    tree: Option<Option<f64>>,
    /// By which requests are priced.
    prices: Prices,
}

impl Report {
    fn text(&self) -> Result<Page, Failure> {
        text::render(self).map_err(|Cancelled| Failure::new("cancelled"))
    }

    fn new(profile: Arc<Profile>, shown: &Shown) -> Result<Self, Cancelled> {
        let &Shown { metric, ref sort, top, json, relative, finished, tree, ref prices } = shown;
        let transforms = if finished { vec![Transform::FinishedOnly] } else { Vec::new() };
        let scope = Scope { transforms, ..Scope::default() };
        let engine = Engine::inline();
        let subject = Run::of(profile.clone());
        let job = Job::new();
        let metric = formula::shown(metric, &profile);
        let defined = if metric.formula.is_empty() { Vec::new() } else { vec![metric] };
        let metrics = Measure::all(&profile, &defined);
        let metric = metrics.iter().position(|m| m.key == metric).unwrap_or(0);
        let summary =
            Summary { scope: scope.clone(), range: None, defined: defined.clone(), prices: prices.clone() };
        let overview = engine.now(&subject, &summary, &job)?;
        let every = EveryMetric { scope: scope.clone(), range: None, defined };
        let mut rows = (*engine.now(&subject, &every, &job)?).clone();
        sort.sort(&mut rows, &profile, metric);
        let functions = rows.len();
        if let Some(top) = top.or((!json).then_some(20)) {
            rows.truncate(top);
        }
        let stages = if stages::has_stages(&profile) {
            let graph = Stages::default();
            let gains = engine.now(&subject, &Gains { graph: graph.clone(), most: MOST_GAINS }, &job)?;
            Some((engine.now(&subject, &graph, &job)?, gains))
        } else {
            None
        };
        let asked = Asked::all(prices);
        let billing = engine.now(&subject, &Bill { prices: prices.clone() }, &job)?;
        let latency = engine.now(&subject, &RequestLatency { asked: asked.clone() }, &job)?;
        let findings = engine.now(&subject, &Findings { prices: prices.clone() }, &job)?;
        let optimisations = engine.now(&subject, &Optimisations { prices: prices.clone() }, &job)?;
        let caches = engine.now(&subject, &Caches { asked: asked.clone() }, &job)?;
        let slowest = engine.now(&subject, &SlowRequests { asked: asked.clone() }, &job)?;
        let mut groups = Vec::new();
        for facet in engine.now(&subject, &Facets { asked: asked.clone() }, &job)?.iter() {
            let spending = Spending { asked: asked.clone(), by: facet.facet };
            let spent = engine.now(&subject, &spending, &job)?;
            if spent.groups.len() < spent.all.sums.requests {
                groups.push((facet.facet, spent));
            }
        }
        let keys = engine.now(&subject, &CacheKeys { asked: asked.clone() }, &job)?;
        let components = engine.now(&subject, &PromptComponents { asked: asked.clone() }, &job)?;
        let compute = match has_ops(&profile) || Given::of_run(&profile).parameters.is_some() {
            true => Some((
                engine.now(&subject, &Ops(None), &job)?,
                engine.now(&subject, &Explain { asked, given: Given::default() }, &job)?,
            )),
            false => None,
        };
        let launches = engine.now(&subject, &LaunchesIn(None), &job)?;
        let heap = engine.now(&subject, &AtHeapPeak, &job)?;
        let tree = match tree {
            Some(least) => {
                let slice = Slice { scope: scope.clone(), metric: metrics[metric].key, range: None };
                Some(Tree::of(&engine, &subject, &slice, least)?)
            }
            None => None,
        };
        Ok(Self {
            profile,
            engine,
            subject,
            scope,
            overview,
            metrics,
            metric,
            rows,
            functions,
            stages,
            heap,
            prices: prices.clone(),
            billing,
            latency,
            findings,
            optimisations,
            caches,
            slow: slowest.rows.iter().map(|row| (row.request, *row)).collect(),
            groups,
            keys,
            components,
            compute,
            launches,
            relative,
            tree,
        })
    }
}
