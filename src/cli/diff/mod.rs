//! `inferscope diff`: what changed between two runs, for people, for pull requests and for scripts.

mod gate;
mod json;
mod page;
mod project;
mod requests;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use self::project::OfProject;
use super::align::AlignArg;
use super::out::{print, write_json};
use super::{Failure, ask, open, prices_of};
use crate::analysis::align::{AlignAt, Moments, MomentsOf};
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::diff::Two;
use crate::analysis::diff::functions::{DiffFunctions, FunctionDiff, Half, Measured, Row, median_of};
use crate::analysis::diff::headline::{self, Times, Words};
use crate::analysis::diff::heap::{DiffHeap, HeapDiff};
use crate::analysis::diff::metrics::{Chosen, Metrics};
use crate::analysis::diff::normalise::{Factors, Normalise, Related, Size};
use crate::analysis::diff::paths::{DiffPaths, PathDiff};
use crate::analysis::diff::requests::{Partners, RequestDiff};
use crate::analysis::diff::settings::{self, Setting};
use crate::analysis::diff::tables::{self, TwoResults};
use crate::analysis::formula::Measure;
use crate::analysis::matches::{MatchQuery, parse_rule};
use crate::analysis::optimisations::{Between, Tried};
use crate::analysis::overview::{Overview, Summary};
use crate::analysis::{Costs, Functions, Scope, Slice, TreeCosts};
use crate::format::Page;
use crate::jobs::{Cancelled, Job};
use crate::model::{FunctionId, MetricKey, Money, Profile, Warning};
use crate::query::{Engine, MatchRule, Pair, Run, RunId};
use crate::questions::{Values, question};
use crate::state::Decision;

/// In relation to what costs are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NormaliseArg {
    /// As recorded.
    Nothing,
    /// As if the baseline had cost as much as the new run.
    Total,
    /// Per second of each run.
    Second,
    /// Each row per call of its function.
    Call,
    /// Per request that ended well.
    Request,
    /// Per output token.
    Token,
}

impl From<NormaliseArg> for Normalise {
    fn from(arg: NormaliseArg) -> Self {
        match arg {
            NormaliseArg::Nothing => Self::Nothing,
            NormaliseArg::Total => Self::Total,
            NormaliseArg::Second => Self::Second,
            NormaliseArg::Call => Self::Call,
            NormaliseArg::Request => Self::Request,
            NormaliseArg::Token => Self::Token,
        }
    }
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct DiffArgs {
    /// The run before.
    #[arg(required_unless_present_any = ["base", "project"], conflicts_with = "base", requires = "head_file")]
    base_file: Option<PathBuf>,
    /// The run after.
    #[arg(required_unless_present_any = ["head", "project"], conflicts_with = "head")]
    head_file: Option<PathBuf>,
    /// Several runs before, with commas: their medians are compared and tested.
    #[arg(long, value_name = "FILES", value_delimiter = ',', requires = "head")]
    base: Vec<PathBuf>,
    /// Several runs after.
    #[arg(long, value_name = "FILES", value_delimiter = ',', requires = "base")]
    head: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long, group = "form")]
    json: bool,
    /// Print Markdown, fit for a comment on a pull request.
    #[arg(long, group = "form")]
    markdown: bool,
    /// Print one HTML page with tables that sort.
    #[arg(long, group = "form")]
    html: bool,
    /// Compare this metric: a key or a label [default: the first one that both have].
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// Prices of models, above the bundled ones: a table in inferscope's layout or LiteLLM's.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Relate costs to the size of each run.
    #[arg(long, value_name = "TO", default_value = "nothing")]
    normalise: NormaliseArg,
    /// Before functions are paired, replace what the regular expression matches in names and files; repeatable.
    #[arg(long, value_name = "PATTERN=REPLACEMENT", value_parser = parse_rule)]
    rule: Vec<MatchRule>,
    /// Print at most N rows each of what takes more and of what takes less [default: 15; all in JSON].
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Lay both runs over each other on this moment in pictures: start, first-token, phase:NAME, event:NAME, fn:NAME, or a
    /// time such as 12ms or -3s that moves the new run.
    #[arg(long, value_name = "MOMENT", value_parser = AlignArg::parse, default_value = "start", allow_hyphen_values = true)]
    align: AlignArg,
    /// Take rules, pairs by hand, names and notes from this project; without BASE and HEAD also its baseline and the run
    /// that it shows.
    #[arg(long, value_name = "FILE")]
    project: Option<PathBuf>,
    /// Print one short answer of about N tokens instead, as the questions do.
    #[arg(long, value_name = "N", group = "form", conflicts_with_all = ["fail_if", "rule", "base", "evidence"])]
    budget: Option<usize>,
    /// With --budget: what its rows are.
    #[arg(long, value_name = "ROWS", requires = "budget", value_parser = ["function", "path", "phase", "request"])]
    by: Option<String>,
    /// Exit with 1 when this holds, such as 'total.time>+5%' or 'fn:decode.self>+10ms'; repeatable.
    #[arg(long, value_name = "CONDITION", value_parser = gate::Condition::parse)]
    fail_if: Vec<gate::Condition>,
    /// Conditions count only with evidence: repeated runs that differ beyond chance, else exit with 4.
    #[arg(long)]
    evidence: bool,
}

const EXAMPLES: &str = "\
Δ is always head − base.

Exit codes:
  0  no regression
  1  a condition of --fail-if holds
  2  a file cannot be read, or the command line is wrong
  3  a file of an unknown format
  4  a condition of --fail-if cannot be judged

Examples:
  inferscope diff before.prof after.prof
  inferscope diff before.prof after.prof --fail-if 'total.time>+5%'
  inferscope diff before.prof after.prof --fail-if 'fn:decode.self>+10ms'
  inferscope diff --evidence --base a1,a2,a3,a4 --head b1,b2,b3,b4
  inferscope diff before.json after.json --markdown";

/// One run of a side, opened.
struct Opened {
    path: PathBuf,
    run: Run,
    overview: Arc<Overview>,
}

/// What a person wrote: about which run, or about all; decision; text.
struct Written {
    about: String,
    decision: Decision,
    text: String,
}

/// Both sides, compared.
pub(super) struct Comparison {
    /// Files that hold the same bytes as another one of their side.
    same: Vec<Same>,
    /// Notes of the project.
    notes: Vec<Written>,
    /// The moment on which both runs are laid over each other.
    align: AlignAt,
    /// When it is in each of them.
    moments: Moments,
    base: Vec<Opened>,
    head: Vec<Opened>,
    metrics: Metrics,
    /// The metric that is shown.
    chosen: Chosen,
    /// What it is in either run.
    measures: [Measure; 2],
    /// The shown metric's functions.
    functions: Arc<FunctionDiff>,
    /// Runs with their functions in the shown metric, for names.
    measured: [Vec<Measured>; 2],
    /// Functions in every other metric that both have.
    others: Vec<(Chosen, FunctionDiff)>,
    /// Call paths of the first run of each side.
    paths: Arc<PathDiff>,
    /// What they cost in the other metrics, in the trees of both runs.
    path_costs: Vec<(MetricKey, [Arc<TreeCosts>; 2])>,
    /// Functions on both sides that are called from elsewhere.
    moved: Vec<bool>,
    settings: Vec<Setting>,
    /// Tables of results that both have.
    results: Vec<TwoResults>,
    /// Who held the heap at its peak.
    heap: Arc<Option<HeapDiff>>,
    requests: Option<RequestDiff>,
    /// The usual optimisations in which they differ.
    optimisations: Arc<Between>,
    /// What the requests of the first run of each side cost.
    bills: [Arc<Billing>; 2],
    related: Related,
    top: Option<usize>,
}

pub(super) fn run(args: &DiffArgs) -> Result<(), Failure> {
    if let (Some(budget), Some(base), Some(head)) = (args.budget, &args.base_file, &args.head_file) {
        return short(args, budget, &[base.clone(), head.clone()]);
    }
    let side = |one: &Option<PathBuf>, several: &[PathBuf]| match one {
        Some(one) => vec![one.clone()],
        None => several.to_vec(),
    };
    let (mut base, mut head) = (side(&args.base_file, &args.base), side(&args.head_file, &args.head));
    let project = args.project.as_deref().map(OfProject::read).transpose()?;
    if let Some(project) = project.as_ref().filter(|_| base.is_empty() && head.is_empty()) {
        (base, head) = project.runs()?;
    }
    let comparison = compare(&base, &head, args, project.as_ref())?;
    let gate = gate::judge(&args.fail_if, args.evidence, &comparison);
    match () {
        () if args.json => write_json(|out| json::write(&comparison, &gate, out)).map(drop)?,
        () if args.markdown => print(&Page::of_markup(&text::markdown(&comparison, &gate)))?,
        () if args.html => print(&Page::of_markup(&page::render(&comparison, &gate)))?,
        () => print(&text::plain(&comparison, &gate))?,
    }
    match gate.code() {
        0 => Ok(()),
        code => Err(Failure { message: gate.summary(), code }),
    }
}

/// The answer of the question `diff`.
fn short(args: &DiffArgs, budget: usize, files: &[PathBuf]) -> Result<(), Failure> {
    let Some(question) = question("diff") else { return Err(Failure::new("there is no such question")) };
    let mut values = Values::default();
    values.set("budget", budget.to_string());
    for (name, value) in
        [("by", args.by.clone()), ("metric", args.metric.clone()), ("top", args.top.map(|n| n.to_string()))]
    {
        if let Some(value) = value {
            values.set(name, value);
        }
    }
    let prices = prices_of(args.prices.as_deref())?;
    ask::answer(question, files, &values, &prices, false, false)
}

fn open_all(paths: &[PathBuf], first_id: u32, engine: &Engine) -> Result<Vec<Opened>, Failure> {
    let one = |(number, path): (u32, &PathBuf)| {
        let run = Run { id: RunId(first_id + number), ..Run::of(Arc::new(open(path)?)) };
        let overview = engine.now(&run, &Summary::default(), &Job::new()).map_err(cancelled)?;
        Ok(Opened { path: path.clone(), run, overview })
    };
    (0..).zip(paths).map(one).collect()
}

fn cancelled(_: Cancelled) -> Failure {
    Failure::new("cancelled")
}

fn compare(
    base: &[PathBuf],
    head: &[PathBuf],
    args: &DiffArgs,
    project: Option<&OfProject>,
) -> Result<Comparison, Failure> {
    let engine = Engine::inline();
    if base.iter().chain(head).filter(|f| *f == Path::new("-")).count() > 1 {
        return Err(Failure::new("-: standard input holds one file; name the others"));
    }
    [base, head].into_iter().try_for_each(each_once)?;
    let mut base = open_all(base, 0, &engine)?;
    let mut head = open_all(head, base.len() as u32, &engine)?;
    let mut same = Vec::new();
    [&mut base, &mut head].into_iter().for_each(|side| same.extend(without_copies(side)));
    let (Some(first), Some(last)) = (base.first(), head.first()) else {
        return Err(Failure::new("each side needs at least one file"));
    };
    let job = Job::new();
    let mut alignment = project.map(|p| p.project.alignment.clone()).unwrap_or_default();
    alignment.rules.extend(args.rule.iter().cloned());
    let more = |side: &[Opened]| side.iter().skip(1).map(|o| o.run.clone()).collect();
    let pair = Pair { alignment, ..Pair::of(first.run.clone(), last.run.clone()) };
    let pair = pair.with_repeats([more(&base), more(&head)]);
    let profiles = (&*pair.base.profile, &*pair.head.profile);
    let metrics = Metrics::of(profiles.0, profiles.1);
    let chosen = metrics.choose(profiles.0, profiles.1, args.metric.as_deref()).map_err(Failure::new)?;
    let measures = chosen.measures(profiles.0, profiles.1);
    let matches = engine.now(&pair, &MatchQuery, &job).map_err(cancelled)?;
    let measured = [measure(&base, chosen.base, &engine)?, measure(&head, chosen.head, &engine)?];
    let question = DiffFunctions { scope: Scope::default(), metric: chosen.clone(), range: None };
    let functions = engine.now(&pair, &question, &job).map_err(cancelled)?;
    let mut others = Vec::new();
    if args.json {
        for &key in metrics.common.iter().filter(|&&key| key != chosen.base || chosen.why_not.is_some()) {
            let sides = [measure(&base, key, &engine)?, measure(&head, key, &engine)?];
            others.push((Chosen::common(key), FunctionDiff::of(&sides[0], &sides[1], &matches)));
        }
    }
    let prices = prices_of(args.prices.as_deref())?;
    let optimisations = engine.now(&pair, &Tried { prices: prices.clone() }, &job).map_err(cancelled)?;
    let bill = Bill { prices };
    let first_bill = engine.now(&first.run, &bill, &job).map_err(cancelled)?;
    let last_bill = engine.now(&last.run, &bill, &job).map_err(cancelled)?;
    let paths = engine.now(&pair, &DiffPaths(question), &job).map_err(cancelled)?;
    let moved = paths.moved(&functions);
    // A tree that is estimated from calls is another one in each metric.
    let tree = |run: &Run, key| engine.now(run, &Costs(Slice::whole(key)), &job).map_err(cancelled);
    let trees = |key_base, key_head| -> Result<_, Failure> {
        Ok([tree(&pair.base, key_base)?, tree(&pair.head, key_head)?])
    };
    let mut path_costs = Vec::new();
    if !others.is_empty() {
        let shown = trees(chosen.base, chosen.head)?;
        for (other, _) in &others {
            let costs = trees(other.base, other.head)?;
            if costs.iter().zip(&shown).all(|(a, b)| Arc::ptr_eq(&a.tree, &b.tree)) {
                path_costs.push((other.base, costs));
            }
        }
    }
    let size = |side: &Opened, sum: Option<i64>, calls| {
        Size::of(sum.unwrap_or(0), calls, side.overview.elapsed, side.overview.requests.as_ref())
    };
    let normalise = args.normalise.into();
    let (sum, calls) = (functions.sum, functions.calls);
    let sizes = (size(first, sum.base, calls.base), size(last, sum.head, calls.head));
    let factors = Factors::of(normalise, &sizes.0, &sizes.1).map_err(Failure::new)?;
    let notes = project.map(|p| p.notes([&base, &head])).unwrap_or_default();
    let align = args.align.of(profiles.0, profiles.1)?;
    let moments = *engine.now(&pair, &MomentsOf(align.clone()), &job).map_err(cancelled)?;
    if moments.base.zip(moments.head).is_none() {
        let which = match (moments.base, moments.head) {
            (None, None) => "neither run has",
            (None, _) => "the baseline does not have",
            _ => "the new run does not have",
        };
        return Err(Failure::new(format!("--align: {which} «{}»", align.label())));
    }
    Ok(Comparison {
        same,
        notes,
        align,
        moments,
        settings: settings::differing(profiles.0, profiles.1, &metrics),
        results: tables::results(profiles.0, profiles.1),
        heap: engine.now(&pair, &DiffHeap, &job).map_err(cancelled)?,
        requests: RequestDiff::of((profiles.0, &first_bill), (profiles.1, &last_bill)),
        optimisations,
        bills: [first_bill, last_bill],
        base,
        head,
        metrics,
        chosen,
        measures,
        functions,
        measured,
        others,
        paths,
        path_costs,
        moved,
        related: Related { to: normalise, factors },
        top: args.top,
    })
}

/// Refuses files that are named several times on a side: one measurement is one run, however often it is counted.
fn each_once(side: &[PathBuf]) -> Result<(), Failure> {
    let mut known: Vec<PathBuf> = Vec::new();
    for path in side.iter().filter(|_| side.len() > 1) {
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if known.contains(&real) {
            let path = path.display();
            return Err(Failure::new(format!(
                "{path}: is named twice on its side; one measurement is one run"
            )));
        }
        known.push(real);
    }
    Ok(())
}

/// A file that holds the same bytes as another one of its side.
struct Same {
    file: PathBuf,
    other: PathBuf,
    /// True where it is one measurement and left out; counts that never vary are several.
    is_copy: bool,
}

/// Leaves out files that are copies of another one of the side: under whatever name, they are one measurement. Says which hold the
/// same bytes.
fn without_copies(side: &mut Vec<Opened>) -> Vec<Same> {
    let (mut kept, mut copies): (Vec<Opened>, Vec<Same>) = (Vec::new(), Vec::new());
    for opened in side.drain(..) {
        let same = kept.iter().find(|other| other.run.has_bytes_of(&opened.run));
        let is_copy = same.is_some_and(|other| other.run.is_copy_of(&opened.run));
        let file = opened.path.clone();
        copies.extend(same.map(|other| Same { file, other: other.path.clone(), is_copy }));
        if !is_copy {
            kept.push(opened);
        }
    }
    *side = kept;
    copies
}

fn measure(side: &[Opened], metric: MetricKey, engine: &Engine) -> Result<Vec<Measured>, Failure> {
    let one = |opened: &Opened| {
        let profile = &opened.run.profile;
        if profile.find_metric(metric).is_none() && !metric.is_first() {
            let (path, key) = (opened.path.display(), metric.key);
            let why = format!("{path}: it has no metric «{key}», the other runs of its side have");
            return Err(Failure::new(why));
        }
        let functions = Functions(Slice::whole(metric));
        let table = engine.now(&opened.run, &functions, &Job::new()).map_err(cancelled)?;
        Ok(Measured { profile: profile.clone(), table })
    };
    side.iter().map(one).collect()
}

impl Comparison {
    /// What the shown metric is in the baseline, or in the new run.
    fn metric(&self, base: bool) -> &Measure {
        &self.measures[usize::from(!base)]
    }

    /// The profile of the first run of a side.
    fn profile(&self, base: bool) -> &Profile {
        let side = if base { &self.measured[0] } else { &self.measured[1] };
        &side[0].profile
    }

    fn name(&self, row: &Row) -> String {
        headline::name(row, &self.measured[0], &self.measured[1])
    }

    /// What the baseline calls the function of a row, where that is another name.
    fn other_name(&self, row: &Row) -> Option<String> {
        let (base, head) = (row.halves.base?, row.halves.head?);
        let label = |side: usize, half: Half| {
            Some(half.symbol.label(&self.measured[side].get(half.run as usize)?.profile).into_owned())
        };
        let (before, after) = (label(0, base)?, label(1, head)?);
        (before != after).then_some(before)
    }

    /// File and line of a row, where it is known: of the new run, else of the baseline.
    fn place(&self, row: &Row) -> (Option<String>, Option<u32>) {
        let half = row.halves.head.map(|h| (h, 1)).or(row.halves.base.map(|h| (h, 0)));
        let Some((half, side)) = half else { return (None, None) };
        let profile = &self.measured[side][half.run as usize].profile;
        place_of(profile, half.symbol.function())
    }

    fn words(&self) -> Words {
        let sides = (&*self.measured[0], &*self.measured[1]);
        let requests = self.requests.as_ref();
        headline::words(&self.functions, &self.chosen, &self.times(), sides, self.metric(true), requests)
    }

    /// What was odd about the files, with the side of each.
    fn warnings(&self) -> impl Iterator<Item = (&'static str, &Warning)> {
        [("baseline", &self.base), ("new run", &self.head)].into_iter().flat_map(|(side, runs)| {
            runs.iter().flat_map(move |o| o.run.profile.warnings.iter().map(move |w| (side, w)))
        })
    }

    /// What a request cost in either run.
    fn costs_of(&self, row: &Partners) -> [Option<Money>; 2] {
        let [base, head] = &self.bills;
        [(row.ids.base, base), (row.ids.head, head)].map(|(id, bill)| bill.cost(id?))
    }

    /// True when the runs have too little in common, functions as well as requests.
    fn is_other_program(&self) -> bool {
        headline::is_other_program(&self.functions, self.requests.as_ref())
    }

    /// Elapsed times of all runs, ns; unknown where their clocks count different things.
    fn times(&self) -> Times {
        let one_clock = settings::one_clock(self.profile(true), self.profile(false));
        [&self.base, &self.head]
            .map(|side| side.iter().map(|o| o.overview.elapsed.filter(|_| one_clock)).collect())
    }

    /// Median of the elapsed times of each side, ns.
    fn elapsed(&self) -> Two<i64> {
        let [base, head] = self.times().map(median_of);
        Two { base, head }
    }
}

/// File and line of a function, where they are known.
fn place_of(profile: &Profile, function: FunctionId) -> (Option<String>, Option<u32>) {
    let f = profile.functions.get(function);
    let file = Some(profile.text(f.file)).filter(|t| !t.is_empty()).map(str::to_owned);
    (file, (f.line > 0).then_some(f.line))
}

/// Names of files, with commas.
fn names(side: &[Opened]) -> String {
    let name = |path: &Path| path.display().to_string();
    side.iter().map(|o| name(&o.path)).collect::<Vec<_>>().join(", ")
}
