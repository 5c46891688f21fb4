//! `inferscope report`: what is in a profile, for people and for programs.

mod critical;
mod csv;
mod follow;
mod json;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::{Failure, RelativeArg, metric_of, open_part, out, print};
use crate::analysis::formula::{self, Measure};
use crate::analysis::heap_peak::{AtHeapPeak, HeapPeak};
use crate::analysis::overview::{Overview, Summary};
use crate::analysis::stages::{self, Gain, Gains, StageGraph, Stages};
use crate::analysis::{FunctionTable, Functions, Scope, Slice};
use crate::import::Follow;
use crate::jobs::{Cancelled, Job};
use crate::model::{Calls, FunctionId, MetricKey, Profile, TrackKind};
use crate::query::{Engine, Run};

/// Stages of which the gain is computed.
const MOST_GAINS: usize = 24;

/// How functions are sorted. The names are pstats'; each sorts as pstats does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SortKey {
    /// Own cost, largest first.
    #[value(name = "self", aliases = ["time", "tottime"])]
    Own,
    /// Own cost and that of all called, largest first.
    #[value(aliases = ["cumulative", "cumtime"])]
    Total,
    /// Calls, most first.
    #[value(alias = "ncalls")]
    Calls,
    /// Calls without recursive ones, most first.
    Pcalls,
    /// Function name.
    Name,
    /// File name.
    #[value(aliases = ["filename", "module"])]
    File,
    /// Line number.
    Line,
    /// Name, file, line.
    Nfl,
    /// File, line, name as one text.
    Stdname,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The profile.
    file: PathBuf,
    /// Take a file that is attached to it instead, such as the profile of a second profiler.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Sort functions by KEY; pstats' names work too (cumulative, tottime, ncalls …).
    #[arg(long, value_name = "KEY", default_value = "self")]
    sort: SortKey,
    /// Print at most N functions [default: 20 in text, all in JSON].
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Show costs in this metric: a key, or a formula such as 'Ir + 10*Bm' [default: the first one].
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// What percentages are a share of.
    #[arg(long, value_name = "WHOLE", default_value = "total")]
    relative: RelativeArg,
    /// Of the journal of a recording that goes on: print the report again as it grows, to its end. As JSON one object
    /// a line.
    #[arg(long)]
    follow: bool,
    /// With --follow: seconds between two reports.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    every: f64,
}

/// A time between reports.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.1..=86_400.0).contains(s));
    seconds.ok_or_else(|| "a number of seconds from 0.1 to 86400".into())
}

/// One function with the costs of all metrics.
pub(super) struct Row {
    function: FunctionId,
    calls: Option<Calls>,
    samples: Option<u64>,
    /// Self and total, in the order of the metrics.
    costs: Vec<(i64, i64)>,
}

/// A metric and what its costs are.
pub(super) struct Counted {
    key: MetricKey,
    measure: Measure,
}

impl Counted {
    /// The metrics of a profile, and `more` where that is none of them.
    fn all(profile: &Profile, more: MetricKey) -> Vec<Self> {
        let mut keys: Vec<MetricKey> = profile.metric_ids().map(|id| profile.metric_key(id)).collect();
        if !keys.contains(&more) {
            keys.push(more);
        }
        let counted = |key| Some(Self { key, measure: Measure::of(key, profile)? });
        keys.into_iter().filter_map(counted).collect()
    }
}

/// Everything that a report shows.
pub(super) struct Report {
    profile: Arc<Profile>,
    engine: Engine,
    subject: Run,
    overview: Arc<Overview>,
    /// All metrics, the one that is asked for among them.
    metrics: Vec<Counted>,
    /// Place of that one.
    metric: usize,
    rows: Vec<Row>,
    /// Number of functions before `--top` cut them.
    functions: usize,
    /// Stages and what dropping them would save, where there are tasks, streams or links.
    stages: Option<(Arc<StageGraph>, Arc<Vec<Gain>>)>,
    /// Who held the heap at its peak, where allocations were counted.
    heap: Arc<Option<HeapPeak>>,
    /// What percentages of the tree are a share of.
    relative: RelativeArg,
}

pub(super) fn run(args: &ReportArgs) -> Result<(), Failure> {
    if args.follow
        && args.part.is_none()
        && let Some(recording) = Follow::open(&args.file)
    {
        return follow::run(args, recording);
    }
    let report = report_of(args, open_part(&args.file, args.part.as_deref())?)?;
    if args.json {
        return out::write_with(|out| json::write(&report, out)).map(drop);
    }
    print(&report.text()?)
}

/// The report of a profile as the arguments want it.
fn report_of(args: &ReportArgs, profile: Profile) -> Result<Report, Failure> {
    let metric = metric_of(&profile, args.metric.as_deref(), &args.file)?;
    let shown = Shown { metric, sort: args.sort, top: args.top, json: args.json, relative: args.relative };
    Report::new(Arc::new(profile), &shown).map_err(|Cancelled| Failure::new("cancelled"))
}

/// The text report of a profile, as `report` prints it.
pub(super) fn text_of(profile: Arc<Profile>) -> Result<String, Cancelled> {
    let shown = Shown {
        metric: MetricKey::default(),
        sort: SortKey::Own,
        top: None,
        json: false,
        relative: RelativeArg::Total,
    };
    text::render(&Report::new(profile, &shown)?)
}

/// All functions with their costs in every metric, as comma-separated values.
pub(super) fn csv_of(profile: Profile) -> Result<String, Cancelled> {
    let profile = Arc::new(profile);
    let engine = Engine::inline();
    let subject = Run::of(profile.clone());
    let metrics = Counted::all(&profile, MetricKey::default());
    let mut rows = rows(&profile, &engine, &subject, (&metrics, true), &Job::new())?;
    sort_rows(&mut rows, &profile, 0, SortKey::Own);
    Ok(csv::render(&profile, &metrics, &rows))
}

/// What a report is asked to show.
struct Shown {
    metric: MetricKey,
    sort: SortKey,
    top: Option<usize>,
    json: bool,
    relative: RelativeArg,
}

impl Report {
    fn text(&self) -> Result<String, Failure> {
        text::render(self).map_err(|Cancelled| Failure::new("cancelled"))
    }

    fn new(profile: Arc<Profile>, shown: &Shown) -> Result<Self, Cancelled> {
        let Shown { metric, sort, top, json, relative } = *shown;
        let engine = Engine::inline();
        let subject = Run::of(profile.clone());
        let job = Job::new();
        let metric = formula::shown(metric, &profile);
        let defined = if metric.formula.is_empty() { Vec::new() } else { vec![metric] };
        let overview = engine.now(&subject, &Summary { defined, ..Summary::default() }, &job)?;
        let metrics = Counted::all(&profile, metric);
        let metric = metrics.iter().position(|m| m.key == metric).unwrap_or(0);
        let mut rows = rows(&profile, &engine, &subject, (&metrics, json), &job)?;
        sort_rows(&mut rows, &profile, metric, sort);
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
        let heap = engine.now(&subject, &AtHeapPeak, &job)?;
        Ok(Self {
            profile,
            engine,
            subject,
            overview,
            metrics,
            metric,
            rows,
            functions,
            stages,
            heap,
            relative,
        })
    }
}

fn rows(
    profile: &Profile,
    engine: &Engine,
    subject: &Run,
    (metrics, with_phases): (&[Counted], bool),
    job: &Job,
) -> Result<Vec<Row>, Cancelled> {
    let mut rows: Vec<Row> = Vec::new();
    let mut place = vec![usize::MAX; profile.functions.len()];
    // For programs phases are rows too, though totals leave them out because they lie over other work. Without
    // any, the answers are those that totals and tree rest on. A reader has a section of them.
    let phases = with_phases && profile.tracks.iter().any(|t| t.kind == TrackKind::Phase);
    let all = || profile.track_ids().map(|id| profile.keys().track_key(id));
    let tracks = if phases { all().collect() } else { Vec::new() };
    let scope = Scope { tracks, ..Scope::default() };
    for (i, metric) in metrics.iter().enumerate() {
        let slice = Slice { scope: scope.clone(), metric: metric.key, range: None };
        let table: Arc<FunctionTable> = engine.now(subject, &Functions(slice), job)?;
        for r in &table.rows {
            let at = &mut place[r.function.index()];
            if *at == usize::MAX {
                *at = rows.len();
                rows.push(Row {
                    function: r.function,
                    calls: None,
                    samples: None,
                    costs: vec![(0, 0); metrics.len()],
                });
            }
            let row = &mut rows[*at];
            row.costs[i] = (r.own, r.total);
            // A metric that some spans lack counts fewer of them: the fullest count is the truth.
            row.calls = row.calls.max_by_all(r.calls);
            row.samples = row.samples.max(r.samples);
        }
    }
    Ok(rows)
}

trait MaxByAll {
    fn max_by_all(self, other: Self) -> Self;
}

impl MaxByAll for Option<Calls> {
    fn max_by_all(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(if b.all > a.all { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

fn sort_rows(rows: &mut [Row], profile: &Profile, metric: usize, sort: SortKey) {
    use std::cmp::Reverse;
    let cost = |r: &Row| r.costs.get(metric).copied().unwrap_or_default();
    let f = |r: &Row| profile.functions.get(r.function);
    let name = |r: &Row| profile.text(f(r).name).to_owned();
    let file = |r: &Row| profile.text(f(r).file).to_owned();
    let calls = |r: &Row| r.calls.unwrap_or_default();
    match sort {
        SortKey::Own => rows.sort_by_key(|r| (Reverse(cost(r).0), Reverse(cost(r).1))),
        SortKey::Total => rows.sort_by_key(|r| (Reverse(cost(r).1), Reverse(cost(r).0))),
        SortKey::Calls => rows.sort_by_key(|r| Reverse(calls(r).all)),
        SortKey::Pcalls => rows.sort_by_key(|r| Reverse(calls(r).primitive)),
        SortKey::Name => rows.sort_by_cached_key(name),
        SortKey::File => rows.sort_by_cached_key(file),
        SortKey::Line => rows.sort_by_key(|r| f(r).line),
        SortKey::Nfl => rows.sort_by_cached_key(|r| (name(r), file(r), f(r).line)),
        SortKey::Stdname => rows.sort_by_cached_key(|r| format!("{}:{}({})", file(r), f(r).line, name(r))),
    }
}
