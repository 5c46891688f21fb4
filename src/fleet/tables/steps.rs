//! Steps of a run: what its GPUs did in each.

use super::Making;
use crate::analysis::gpu::is_work;
use crate::analysis::intervals::covered;
use crate::analysis::kernels::WorkClass;
use crate::analysis::steps::Loops;
use crate::fleet::frame::{Cell, Frame};
use crate::fleet::schema::STEPS;
use crate::jobs::{Cancelled, Job};
use crate::model::{Profile, TrackKind};
use crate::query::{Engine, Run};

/// How torch.profiler calls its steps.
const TORCH: &str = "ProfilerStep#";

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub number: i64,
    pub start: i64,
    pub end: i64,
}

/// The steps of a run, by start.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps(pub Vec<Step>);

impl Steps {
    /// Steps as torch.profiler marks them, else the rounds of the longest loop.
    pub fn of(engine: &Engine, run: &Run) -> Result<Self, Cancelled> {
        let marked = marked(&run.profile);
        if !marked.is_empty() {
            return Ok(Self(marked));
        }
        let loops = engine.now(run, &Loops(None), &Job::new())?;
        let Some(longest) = loops.first() else { return Ok(Self::default()) };
        let number = |name: &str| name[longest.name.len()..].parse().ok();
        let rounds = longest.rounds.iter().filter_map(|r| {
            let number = number(run.profile.function_name(r.function))?;
            Some(Step { number, start: r.start, end: r.end })
        });
        Ok(Self(rounds.collect()))
    }

    /// The place of the last step that began by a time. What a GPU does after the last step belongs to that.
    pub fn place(&self, time: i64) -> Option<usize> {
        self.0.partition_point(|s| s.start <= time).checked_sub(1)
    }

    /// The step that had begun by a time.
    pub fn at(&self, time: i64) -> Option<i64> {
        self.place(time).map(|place| self.0[place].number)
    }

    /// One row a step.
    pub fn frame(&self, making: &Making<'_>) -> Frame {
        let mut frame = Frame::new(&STEPS);
        let work = work(making, self);
        for (step, work) in self.0.iter().zip(work) {
            let gpu = work.as_ref().map(Work::sums);
            let of = |value: fn(&Sums) -> i64| gpu.as_ref().map(value);
            frame.row(&[
                making.run_id.into(),
                making.rank.into(),
                step.number.into(),
                step.start.into(),
                (step.end - step.start).into(),
                of(|g| g.busy).into(),
                of(|g| g.compute).into(),
                of(|g| g.comm).into(),
                of(|g| g.exposed).into(),
                of(|g| g.copies).into(),
                gpu.as_ref().map_or(Cell::None, |g| (step.end - step.start - g.busy).max(0).into()),
            ]);
        }
        frame
    }
}

/// Steps that torch.profiler marked; several threads may carry a mark, of which the first start and the last end count.
fn marked(profile: &Profile) -> Vec<Step> {
    let number = |name: &str| name.strip_prefix(TORCH)?.parse::<i64>().ok();
    let numbers: Vec<Option<i64>> =
        profile.functions.ids().map(|f| number(profile.function_name(f))).collect();
    let mut steps: Vec<Step> = Vec::new();
    for track in profile.tracks.iter().filter(|t| t.kind != TrackKind::GpuStream) {
        let of = |s: &crate::model::Span| {
            Some(Step { number: numbers[s.function.index()]?, start: s.start, end: s.end })
        };
        steps.extend(track.spans.rows.iter().filter_map(of));
    }
    steps.sort_by_key(|s| (s.number, s.start));
    steps.dedup_by(|next, step| {
        let same = next.number == step.number;
        if same {
            step.end = step.end.max(next.end);
        }
        same
    });
    steps.sort_by_key(|s| (s.start, s.number));
    steps
}

/// Stretches of a step in which a GPU did something.
#[derive(Clone, Default)]
struct Work {
    compute: Vec<(i64, i64)>,
    comm: Vec<(i64, i64)>,
    copies: Vec<(i64, i64)>,
}

/// Time of each kind; what ran at the same time counts once.
struct Sums {
    busy: i64,
    compute: i64,
    comm: i64,
    exposed: i64,
    copies: i64,
}

impl Work {
    fn sums(&self) -> Sums {
        let union = |parts: &[&[(i64, i64)]]| covered(parts.concat(), None);
        let compute = union(&[&self.compute]);
        Sums {
            busy: union(&[&self.compute, &self.comm, &self.copies]),
            compute,
            comm: union(&[&self.comm]),
            exposed: union(&[&self.compute, &self.comm]) - compute,
            copies: union(&[&self.copies]),
        }
    }
}

/// What GPUs did in each step, by when it began; nothing where the run has no GPU.
fn work(making: &Making<'_>, steps: &Steps) -> Vec<Option<Work>> {
    let profile = making.profile;
    let streams = || profile.tracks.iter().filter(|t| t.kind == TrackKind::GpuStream);
    if streams().next().is_none() {
        return vec![None; steps.0.len()];
    }
    let classes = making.classes();
    let mut all = vec![Some(Work::default()); steps.0.len()];
    for span in streams().flat_map(|t| &t.spans.rows) {
        let Some(class) = classes[span.function.index()] else { continue };
        let Some(work) = steps.place(span.start).and_then(|place| all[place].as_mut()) else { continue };
        let stretch = (span.start, span.end);
        match class {
            WorkClass::Communication => work.comm.push(stretch),
            WorkClass::Memory => work.copies.push(stretch),
            _ => work.compute.push(stretch),
        }
    }
    all
}

impl Making<'_> {
    /// The class of each function that is work of a GPU.
    pub(super) fn classes(&self) -> Vec<Option<WorkClass>> {
        let profile = self.profile;
        let class = |f| {
            let category = profile.text(profile.functions.get(f).category);
            is_work(profile, f).then(|| WorkClass::of(category, profile.function_name(f)))
        };
        profile.functions.ids().map(class).collect()
    }
}
