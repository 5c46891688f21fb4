//! A dataset that is looked at: its questions as queries, so that they are answered in the background, kept, and built on each other.
//!
//! They are the questions of `fleet ask`. Answers that cannot be read say why in one line.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::ask::clocks::{self, Clocks};
use super::ask::heat::{Heat, Measure, Picture};
use super::ask::history::{self, Figure, Regressions, Shift, Trend, shifts};
use super::ask::lanes::{self, Lanes, Names};
use super::ask::matched::Matched;
use super::ask::settings::{self, Settings};
use super::ask::slowest::{JobSum, jobs_of};
use super::ask::steps::{Grid, grids};
use super::ask::stragglers::{self, JobStragglers, sentence};
use super::ask::{Chosen, short_job};
use super::dataset::{Dataset, Snapshot};
use super::runs::{Job, Runs};
use crate::jobs::Cancelled;
use crate::query::{About, Context, Query, Revision, RunId, Topic};

/// An open dataset.
#[derive(Clone, Debug)]
pub struct Open {
    id: RunId,
    revision: Revision,
    dataset: Dataset,
}

impl Open {
    /// The dataset in a folder, under a number that is unique in the process. Nothing is read.
    #[must_use]
    pub fn new(id: RunId, folder: &Path) -> Self {
        Self { id, revision: Revision(1), dataset: Dataset::new(folder) }
    }

    /// The same, read again.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { revision: self.revision.next(), ..self.clone() }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Counts how often it was read.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.dataset.folder()
    }
}

impl Topic for Open {
    fn about(&self) -> About {
        About::One((self.id, self.revision))
    }

    fn profile_bytes(&self) -> Vec<usize> {
        vec![0]
    }
}

/// What was read, or one line why it cannot be.
pub type Read<T> = Result<T, String>;

type Cx<'a> = Context<'a, Open>;

/// Reads by `read` on behalf of the question.
fn reads<T>(cx: &Cx<'_>, read: impl Fn(&Snapshot) -> io::Result<T>) -> Result<Read<T>, Cancelled> {
    let result = cx.topic().dataset.for_job(cx.job()).read(read);
    if cx.job().is_cancelled() {
        return Err(Cancelled);
    }
    Ok(result.map_err(|e| e.to_string()))
}

/// The value of an answer that another one needs; without it that one is without, too.
macro_rules! needs {
    ($answer:expr) => {
        match &**$answer {
            Ok(value) => value,
            Err(why) => return Ok(Err(why.clone())),
        }
    };
}

/// What is in the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contents;

/// Runs and jobs.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// All runs.
    pub runs: Runs,
    /// Jobs, those with most ranks first.
    pub jobs: Vec<OneJob>,
    /// Runs that are not packed.
    pub loose: usize,
}

/// A job as rows.
#[derive(Clone, Debug, Default)]
pub struct OneJob {
    /// The job.
    pub sum: JobSum,
    /// Its rows: ranks, or, where there are none, runs by time, numbered from 0.
    pub rows: Job,
}

impl OneJob {
    fn of(sum: JobSum, runs: &Runs) -> Self {
        let rows = match sum.job.is_ranked() {
            true => sum.job.clone(),
            false => {
                let mut all: Vec<u32> =
                    sum.job.ranks.iter().map(|r| r.1).chain(sum.job.unranked.iter().copied()).collect();
                all.sort_by_key(|&place| (runs.rows[place as usize].when(), place));
                Job { name: sum.job.name.clone(), ranks: (0..).zip(all).collect(), ..Job::default() }
            }
        };
        Self { sum, rows }
    }

    /// True when its rows are ranks.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        self.sum.job.is_ranked()
    }
}

impl Query<Open> for Contents {
    type Output = Read<Content>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        reads(cx, |snapshot| {
            let runs = Runs::load(snapshot)?;
            let mut jobs: Vec<OneJob> =
                jobs_of(&runs, &Chosen::default()).into_iter().map(|sum| OneJob::of(sum, &runs)).collect();
            jobs.sort_by_key(|job| std::cmp::Reverse((job.is_ranked(), job.rows.ranks.len())));
            Ok(Content { jobs, loose: snapshot.loose(), runs })
        })
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(0, |content| content.runs.rows.len() * 1024)
    }
}

impl Content {
    fn chosen(&self, job: usize) -> Chosen {
        Chosen { job: self.jobs.get(job).map(|job| job.sum.job.name.clone()), ..Chosen::default() }
    }

    fn job(&self, job: usize) -> Job {
        self.jobs.get(job).map(|job| job.rows.clone()).unwrap_or_default()
    }
}

/// The steps of a job's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StepsOf {
    /// The job, by its place in [`Content::jobs`].
    pub job: usize,
}

impl Query<Open> for StepsOf {
    type Output = Read<Grid>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let content = needs!(&content);
        let jobs = [content.job(self.job)];
        reads(cx, |snapshot| Ok(grids(snapshot, &content.runs, &jobs)?.pop().unwrap_or_default()))
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(0, |grid| grid.cells.len() * 64)
    }
}

/// Operations of a job's ranks, each with all that took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct MatchedOf {
    job: usize,
}

impl Query<Open> for MatchedOf {
    type Output = Read<Arc<Matched>>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let content = needs!(&content);
        let jobs = [content.job(self.job)];
        reads(cx, |snapshot| {
            Ok(Arc::new(Matched::load(snapshot, &content.runs, &jobs)?.pop().unwrap_or_default()))
        })
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(0, |matched| matched.operations.iter().map(|o| 64 + o.parts.len() * 40).sum())
    }
}

/// A measure of all rows and steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeatOf {
    /// The job, by its place in [`Content::jobs`].
    pub job: usize,
    /// What is measured.
    pub measure: Measure,
}

impl Query<Open> for HeatOf {
    type Output = Read<Heat>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let grid = cx.get(&StepsOf { job: self.job })?;
        let grid = needs!(&grid);
        if self.measure != Measure::Late {
            return Ok(Ok(Heat::of_steps(grid, self.measure)));
        }
        let matched = cx.get(&MatchedOf { job: self.job })?;
        Ok(Ok(Heat::of(grid, stragglers::behind(grid, needs!(&matched)).into_iter())))
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(0, |heat| heat.ranks * (heat.steps.len() * 8 + 4))
    }
}

/// Which cells of a heatmap show in so many pixels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PictureOf {
    /// What it shows.
    pub heat: HeatOf,
    /// The slowest row first; else by number.
    pub by_slowness: bool,
    /// Places of the first and behind the last row in that order.
    pub rows: (u32, u32),
    /// Pixels from left to right and from top to bottom, at most.
    pub size: [usize; 2],
}

impl Query<Open> for PictureOf {
    type Output = Read<Picture>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let heat = cx.get(&self.heat)?;
        let heat = needs!(&heat);
        let (from, to) = (self.rows.0 as usize, (self.rows.1 as usize).min(heat.ranks));
        let order: Vec<u32> = match self.by_slowness {
            true => heat.slowest.get(from..to).unwrap_or_default().to_vec(),
            false => (from as u32..to as u32).collect(),
        };
        Ok(Ok(heat.picture(&order, self.size)))
    }

    fn weight(_: &Self::Output) -> usize {
        1 << 20
    }
}

/// What slows a job down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StragglersOf {
    /// The job, by its place in [`Content::jobs`].
    pub job: usize,
}

/// The answer, with its words.
#[derive(Clone, Debug)]
pub struct Slowed {
    /// What was found.
    pub job: JobStragglers,
    /// A sentence for each of [`JobStragglers::found`].
    pub words: Vec<String>,
    /// Ranks by the places of their rows.
    pub rows: Vec<i64>,
    /// Numbers of the steps, in order.
    pub steps: Vec<i64>,
}

impl Query<Open> for StragglersOf {
    type Output = Read<Slowed>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let content = needs!(&content);
        let grid = cx.get(&StepsOf { job: self.job })?;
        let grid = needs!(&grid);
        let matched = cx.get(&MatchedOf { job: self.job })?;
        let matched = needs!(&matched);
        let job = content.job(self.job);
        reads(cx, |snapshot| {
            let slowed = stragglers::of_job(snapshot, &content.runs, &job, grid, matched)?;
            Ok(Slowed {
                words: slowed.found.iter().map(|found| sentence(found, &slowed)).collect(),
                job: slowed,
                rows: job.ranks.iter().map(|r| r.0).collect(),
                steps: grid.steps.clone(),
            })
        })
    }
}

/// Clocks of a job's ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ClocksOf {
    job: usize,
}

impl Query<Open> for ClocksOf {
    type Output = Read<Clocks>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let content = needs!(&content);
        let matched = cx.get(&MatchedOf { job: self.job })?;
        let matched = needs!(&matched);
        Ok(Ok(clocks::of_job(&content.job(self.job), &matched.operations)))
    }
}

/// Names of all functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NamesOf;

impl Query<Open> for NamesOf {
    type Output = Read<Names>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        reads(cx, Names::load)
    }
}

/// A step of all rows on one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LanesOf {
    /// The job, by its place in [`Content::jobs`].
    pub job: usize,
    /// The number of the step.
    pub step: i64,
}

impl Query<Open> for LanesOf {
    type Output = Read<Lanes>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let content = needs!(&content);
        let clocks = cx.get(&ClocksOf { job: self.job })?;
        let clocks = needs!(&clocks);
        let names = cx.get(&NamesOf)?;
        let names = needs!(&names);
        let grid = cx.get(&StepsOf { job: self.job })?;
        let gpu = needs!(&grid).cells.iter().flatten().any(|cell| cell.gpu.is_some());
        let job = content.job(self.job);
        reads(cx, |snapshot| lanes::lanes(snapshot, &content.runs, (&job, self.step, gpu), clocks, names))
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(0, |lanes| lanes.pieces.len() * size_of::<lanes::Piece>())
    }
}

/// A measure of one row over its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowOf {
    /// What is measured.
    pub heat: HeatOf,
    /// The row, by its place.
    pub row: usize,
}

/// A row over its steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Number of a step and its value, ns.
    pub values: Vec<(i64, i64)>,
    /// The same of the middle row.
    pub usual: Vec<(i64, i64)>,
    /// Where the level changed, as places in `values`.
    pub shifts: Vec<Shift>,
}

impl Query<Open> for RowOf {
    type Output = Read<Row>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let heat = cx.get(&self.heat)?;
        let heat = needs!(&heat);
        let of = |value: &dyn Fn(usize) -> Option<i64>| -> Vec<(i64, i64)> {
            heat.steps.iter().enumerate().filter_map(|(at, &step)| Some((step, value(at)?))).collect()
        };
        let values = of(&|step| heat.value(step, self.row));
        let series: Vec<i64> = values.iter().map(|v| v.1).collect();
        Ok(Ok(Row { shifts: shifts(&series), usual: of(&|step| heat.usual(step)), values }))
    }
}

/// A figure of a job's runs over time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrendOf {
    /// The job, by its place in [`Content::jobs`].
    pub job: usize,
    /// The figure.
    pub figure: Figure,
}

impl Query<Open> for TrendOf {
    type Output = Read<Trend>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let chosen = needs!(&content).chosen(self.job);
        reads(cx, |snapshot| history::trend(snapshot, &chosen, &self.figure))
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(0, |trend| trend.points.len() * 1024)
    }
}

/// What came of each setting of a job's runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SettingsOf {
    /// The job, by its place in [`Content::jobs`].
    pub job: usize,
    /// The labels that make a setting; those in which runs differ when there are none.
    pub by: Vec<String>,
}

impl Query<Open> for SettingsOf {
    type Output = Read<Settings>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let chosen = needs!(&content).chosen(self.job);
        reads(cx, |snapshot| settings::settings(snapshot, &chosen, &self.by))
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(0, |settings| settings.rows.iter().map(|row| 512 + row.runs.len() * 64).sum())
    }
}

/// What costs more or less in a job's latest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegressionsOf {
    /// The job, by its place in [`Content::jobs`].
    pub job: usize,
}

impl Query<Open> for RegressionsOf {
    type Output = Read<Regressions>;

    fn run(&self, cx: &Cx<'_>) -> Result<Self::Output, Cancelled> {
        let content = cx.get(&Contents)?;
        let chosen = needs!(&content).chosen(self.job);
        reads(cx, |snapshot| history::regressions(snapshot, &chosen, history::LATEST))
    }
}

/// What a run is called in short: its rank, else its file.
#[must_use]
pub fn row_name(content: &Content, job: usize, row: usize) -> String {
    let Some(job) = content.jobs.get(job) else { return String::new() };
    match job.rows.ranks.get(row) {
        Some((rank, _)) if job.is_ranked() => format!("rank {rank}"),
        Some((_, place)) => short_job(&content.runs.rows[*place as usize].uri).to_owned(),
        None => String::new(),
    }
}
