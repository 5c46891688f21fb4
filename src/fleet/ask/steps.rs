//! Steps of ranks: where their time goes, by rank and step.

use std::io;

use super::robust::{middle, quantile};
use super::{Chosen, short_job};
use crate::fleet::dataset::Snapshot;
use crate::fleet::frame::Frame;
use crate::fleet::runs::{Job, Runs};
use crate::fleet::schema::STEPS;

/// What a rank did in a step, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCell {
    /// When it began, since the origin of its run.
    pub start: i64,
    /// How long the step took.
    pub took: i64,
    /// What its GPU did; `None` where the run has no GPU.
    pub gpu: Option<GpuTimes>,
}

/// What a GPU did in a step, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuTimes {
    /// Kernels that compute.
    pub compute: i64,
    /// Communication.
    pub comm: i64,
    /// Communication while nothing computed.
    pub exposed: i64,
    /// Copies and sets of memory.
    pub copies: i64,
    /// Nothing.
    pub idle: i64,
}

/// Steps of the ranks of a job, as a table.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// Numbers of the steps, in order.
    pub steps: Vec<i64>,
    /// Number of ranks.
    pub ranks: usize,
    /// Step by step, each rank by its place in [`Job::ranks`].
    pub cells: Vec<Option<StepCell>>,
}

impl Grid {
    fn of(ranks: usize, rows: Vec<(usize, i64, StepCell)>) -> Self {
        let mut steps: Vec<i64> = rows.iter().map(|r| r.1).collect();
        steps.sort_unstable();
        steps.dedup();
        let mut grid = Self { ranks, cells: vec![None; steps.len() * ranks], steps };
        for (rank, step, cell) in rows {
            if let Ok(step) = grid.steps.binary_search(&step) {
                grid.cells[step * ranks + rank] = Some(cell);
            }
        }
        grid
    }

    /// What a rank did in a step, by places.
    #[must_use]
    pub fn cell(&self, step: usize, rank: usize) -> Option<&StepCell> {
        self.cells.get(step * self.ranks + rank)?.as_ref()
    }

    /// All ranks of a step.
    pub fn of_step(&self, step: usize) -> impl Iterator<Item = &StepCell> {
        self.cells[step * self.ranks..(step + 1) * self.ranks].iter().flatten()
    }
}

const COLUMNS: [&str; 10] = [
    "run_id",
    "step",
    "start_ns",
    "dur_ns",
    "gpu_busy_ns",
    "compute_ns",
    "comm_ns",
    "exposed_comm_ns",
    "memcpy_ns",
    "gpu_idle_ns",
];

type Row = (u32, i64, StepCell);

fn collect(rows: &mut Vec<Row>, frame: &Frame, runs: &Runs, wanted: &[bool]) {
    let run = runs.of(frame);
    let (steps, starts, took) = (frame.ints("step"), frame.ints("start_ns"), frame.ints("dur_ns"));
    let of = |name| frame.ints(name);
    let (compute, comm, exposed) = (of("compute_ns"), of("comm_ns"), of("exposed_comm_ns"));
    let (copies, idle) = (of("memcpy_ns"), of("gpu_idle_ns"));
    for row in 0..frame.rows {
        let Some(place) = run(row).filter(|&place| wanted[place as usize]) else { continue };
        let gpu = frame.int("gpu_busy_ns", row).map(|_| GpuTimes {
            compute: compute[row],
            comm: comm[row],
            exposed: exposed[row],
            copies: copies[row],
            idle: idle[row],
        });
        rows.push((place, steps[row], StepCell { start: starts[row], took: took[row], gpu }));
    }
}

/// The steps of each job's ranks.
///
/// # Errors
/// When a file cannot be read.
pub fn grids(snapshot: &Snapshot, runs: &Runs, jobs: &[Job]) -> io::Result<Vec<Grid>> {
    let places = places(runs, jobs);
    let wanted: Vec<bool> = places.iter().map(Option::is_some).collect();
    let rows = snapshot
        .scan(&STEPS, &COLUMNS, Vec::new, |rows, frame| collect(rows, frame, runs, &wanted))?
        .concat();
    let mut of_job: Vec<Vec<(usize, i64, StepCell)>> = vec![Vec::new(); jobs.len()];
    for (place, step, cell) in rows {
        if let Some((job, rank)) = places[place as usize] {
            of_job[job].push((rank, step, cell));
        }
    }
    Ok(jobs.iter().zip(of_job).map(|(job, rows)| Grid::of(job.ranks.len(), rows)).collect())
}

/// Job and rank, by their places, of each run that is a rank of one of the jobs.
pub(super) fn places(runs: &Runs, jobs: &[Job]) -> Vec<Option<(usize, usize)>> {
    let mut places = vec![None; runs.rows.len()];
    for (at, job) in jobs.iter().enumerate() {
        job.ranks
            .iter()
            .enumerate()
            .for_each(|(rank, (_, place))| places[*place as usize] = Some((at, rank)));
    }
    places
}

/// A step of a job over all its ranks, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRow {
    /// Its number.
    pub step: i64,
    /// Ranks that have it.
    pub ranks: usize,
    /// How long it took, in the middle of all ranks.
    pub took: i64,
    /// The longest, and its rank.
    pub longest: (i64, i64),
    /// What the GPU of the rank in the middle did, each by itself; `None` without GPUs.
    pub gpu: Option<GpuTimes>,
    /// Most time that a rank computed, and that rank.
    pub most_compute: Option<(i64, i64)>,
}

/// Steps of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSteps {
    /// The job.
    pub job: String,
    /// Its steps, in order.
    pub rows: Vec<StepRow>,
    /// How long a step took in the middle of all steps, ns.
    pub middle: Option<i64>,
    /// What 19 of 20 steps do not exceed, ns.
    pub p95: Option<i64>,
}

/// Steps of all jobs that have any. Runs without a rank are jobs of one rank.
///
/// # Errors
/// When a file cannot be read.
pub fn steps(snapshot: &Snapshot, chosen: &Chosen) -> io::Result<Vec<JobSteps>> {
    let runs = Runs::load(snapshot)?;
    let chosen_jobs = chosen.jobs(&runs);
    // Runs without a rank are by themselves: nobody says that they belong together.
    let alone = chosen_jobs.iter().filter(|job| job.ranks.is_empty()).flat_map(|job| &job.unranked);
    let one = |&place: &u32| Job {
        name: runs.rows[place as usize].uri.clone(),
        ranks: vec![(0, place)],
        ..Job::default()
    };
    let alone: Vec<Job> = alone.map(one).collect();
    let jobs: Vec<Job> = chosen_jobs.into_iter().filter(|job| !job.ranks.is_empty()).chain(alone).collect();
    let mut all = Vec::new();
    for (job, grid) in jobs.iter().zip(grids(snapshot, &runs, &jobs)?) {
        let rows = rows(job, &grid);
        if rows.is_empty() {
            continue;
        }
        let mut took: Vec<i64> = rows.iter().map(|r| r.took).collect();
        let p95 = quantile(&mut took, 0.95);
        all.push(JobSteps { job: short_job(&job.name).to_owned(), rows, middle: middle(&mut took), p95 });
    }
    Ok(all)
}

fn rows(job: &Job, grid: &Grid) -> Vec<StepRow> {
    let of_step = |at: usize| {
        let cells: Vec<(i64, &StepCell)> = job
            .ranks
            .iter()
            .enumerate()
            .filter_map(|(i, (rank, _))| Some((*rank, grid.cell(at, i)?)))
            .collect();
        let longest = cells.iter().map(|(rank, c)| (c.took, *rank)).max()?;
        let mut took: Vec<i64> = cells.iter().map(|(_, c)| c.took).collect();
        let gpu = |value: fn(&GpuTimes) -> i64| {
            middle(&mut cells.iter().filter_map(|(_, c)| c.gpu.as_ref().map(value)).collect::<Vec<_>>())
        };
        let most_compute = cells.iter().filter_map(|(rank, c)| Some((c.gpu?.compute, *rank))).max();
        let times = || {
            Some(GpuTimes {
                compute: gpu(|g| g.compute)?,
                comm: gpu(|g| g.comm)?,
                exposed: gpu(|g| g.exposed)?,
                copies: gpu(|g| g.copies)?,
                idle: gpu(|g| g.idle)?,
            })
        };
        Some(StepRow {
            step: grid.steps[at],
            ranks: cells.len(),
            took: middle(&mut took)?,
            longest,
            gpu: times(),
            most_compute,
        })
    };
    (0..grid.steps.len()).filter_map(of_step).collect()
}
