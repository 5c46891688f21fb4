//! One step of all ranks on one clock: what their GPUs, or without these their threads, did in it.

use std::io;

use rustc_hash::FxHashMap;

use super::clocks::Clocks;
use crate::analysis::kernels::WorkClass;
use crate::fleet::dataset::Snapshot;
use crate::fleet::file::Only;
use crate::fleet::frame::Frame;
use crate::fleet::runs::{Job, Runs};
use crate::fleet::schema::{FUNCTIONS, SPANS};

/// What a piece of a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doing {
    /// Communication, waiting for other ranks included.
    Communication,
    /// Copies and sets of memory.
    Memory,
    /// Computing, or anything that a thread does.
    Compute,
}

impl Doing {
    /// All, in the order in which they are drawn: what computes lies over what communicates.
    pub const ALL: [Self; 3] = [Self::Communication, Self::Memory, Self::Compute];

    /// What it is called.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Communication => "communication and waiting",
            Self::Memory => "copies",
            Self::Compute => "compute",
        }
    }
}

/// Names of functions by id, with what they do.
#[derive(Clone, Debug, Default)]
pub struct Names(FxHashMap<i64, (String, Doing)>);

impl Names {
    /// Reads the names of all functions.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn load(snapshot: &Snapshot) -> io::Result<Self> {
        let each = |names: &mut FxHashMap<i64, (String, Doing)>, frame: &Frame| {
            for (row, id) in frame.ints("function_id").iter().enumerate() {
                names.entry(*id).or_insert_with(|| {
                    let (name, category) = (frame.text("name", row), frame.text("category", row));
                    let doing = match WorkClass::of(category, name) {
                        WorkClass::Communication => Doing::Communication,
                        WorkClass::Memory => Doing::Memory,
                        _ => Doing::Compute,
                    };
                    (name.to_owned(), doing)
                });
            }
        };
        let parts =
            snapshot.scan(&FUNCTIONS, &["function_id", "name", "category"], FxHashMap::default, each)?;
        Ok(Self(parts.into_iter().flatten().collect()))
    }
}

/// A stretch of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When it begins, ns since the step begins on the clock that all lanes share.
    pub start: i64,
    /// When it ends.
    pub end: i64,
    /// What runs, by place in [`Lanes::names`].
    pub function: u32,
    /// What it is.
    pub doing: Doing,
}

/// A rank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// Its pieces, by what they are and when they begin, as places in [`Lanes::pieces`].
    pub pieces: std::ops::Range<usize>,
    /// How far its clock was off and was moved, ns; `None` where nothing tells.
    pub offset: Option<i64>,
    /// When it begins and ends on its own clock, ns since its run's origin; `None` without pieces.
    pub own: Option<(i64, i64)>,
}

/// A step of all ranks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Its number.
    pub step: i64,
    /// By the ranks' places.
    pub lanes: Vec<Lane>,
    /// All pieces.
    pub pieces: Vec<Piece>,
    /// Names of what runs.
    pub names: Vec<String>,
    /// Length of the whole, ns.
    pub length: i64,
    /// How well the clocks agree, ns; `None` where nothing tells.
    pub residual: Option<i64>,
    /// True when pieces are those of GPUs.
    pub gpu: bool,
}

const COLUMNS: [&str; 7] = ["run_id", "track_kind", "start_ns", "dur_ns", "function_id", "depth", "step"];

/// A span on its rank's own clock.
#[derive(Clone, Copy)]
struct Found {
    rank: usize,
    start: i64,
    took: i64,
    function: i64,
    gpu: bool,
    depth: i64,
}

/// What all ranks of a job did in a step: their GPUs, if there are any.
///
/// # Errors
/// When a file cannot be read.
pub fn lanes(
    snapshot: &Snapshot,
    runs: &Runs,
    (job, step, gpu): (&Job, i64, bool),
    clocks: &Clocks,
    names: &Names,
) -> io::Result<Lanes> {
    let rank_of: FxHashMap<u32, usize> = job.ranks.iter().enumerate().map(|(at, r)| (r.1, at)).collect();
    let ids: Vec<&str> = job.ranks.iter().map(|r| runs.rows[r.1 as usize].id.as_str()).collect();
    let each = |found: &mut Vec<Found>, frame: &Frame| {
        let run = runs.of(frame);
        let (kinds, texts) = frame.texts("track_kind");
        let (starts, took, ids) = (frame.ints("start_ns"), frame.ints("dur_ns"), frame.ints("function_id"));
        let (depths, steps) = (frame.ints("depth"), frame.ints("step"));
        for row in (0..frame.rows).filter(|&row| steps[row] == step && frame.int("step", row).is_some()) {
            let Some(&rank) = run(row).and_then(|place| rank_of.get(&place)) else { continue };
            let gpu = &*texts[kinds[row] as usize] == "gpu_stream";
            // Of threads what runs below the mark of the step.
            if gpu || depths[row] == 1 {
                let (start, took, function) = (starts[row], took[row].max(0), ids[row]);
                found.push(Found { rank, start, took, function, gpu, depth: depths[row] });
            }
        }
    };
    let only = [Only::Number("step", step, step), Only::Text("track_kind", "gpu_stream")];
    let only = if gpu { &only[..] } else { &only[..1] };
    let mut found = snapshot.scan_runs(&SPANS, (&ids, only), &COLUMNS, Vec::new, each)?.concat();
    found.retain(|f| f.gpu == gpu && (!gpu || f.depth == 0));
    Ok(laid_out(&found, runs, (job, step, gpu), clocks, names))
}

fn laid_out(
    found: &[Found],
    runs: &Runs,
    (job, step, gpu): (&Job, i64, bool),
    clocks: &Clocks,
    names: &Names,
) -> Lanes {
    let mut all = Lanes {
        step,
        lanes: vec![Lane::default(); job.ranks.len()],
        residual: clocks.residual,
        gpu,
        ..Lanes::default()
    };
    // From a rank's clock to that of all.
    let mut moved = Vec::with_capacity(job.ranks.len());
    for ((rank, place), lane) in job.ranks.iter().zip(&mut all.lanes) {
        let clock = clocks.ranks.binary_search_by_key(rank, |c| c.rank).ok().map(|at| &clocks.ranks[at]);
        lane.offset = clock.and_then(|c| c.offset);
        let origin = runs.rows[*place as usize].origin.unwrap_or(0);
        moved.push(origin.saturating_sub(lane.offset.unwrap_or(0)));
    }
    let begin = |f: &Found| f.start.saturating_add(moved[f.rank]);
    let first = found.iter().map(begin).min().unwrap_or(0);
    let mut places: FxHashMap<i64, u32> = FxHashMap::default();
    let mut pieces: Vec<(usize, Piece)> = Vec::with_capacity(found.len());
    for f in found {
        let (start, known) = (begin(f).saturating_sub(first), names.0.get(&f.function));
        let function = *places.entry(f.function).or_insert_with(|| {
            all.names.push(known.map_or_else(|| "unknown".to_owned(), |k| k.0.clone()));
            all.names.len() as u32 - 1
        });
        let doing = known.map_or(Doing::Compute, |k| k.1);
        let end = start.saturating_add(f.took);
        pieces.push((f.rank, Piece { start, end, function, doing }));
        all.length = all.length.max(end);
        let (from, to) = (f.start, f.start.saturating_add(f.took));
        let own = &mut all.lanes[f.rank].own;
        *own = Some(own.map_or((from, to), |o| (o.0.min(from), o.1.max(to))));
    }
    pieces.sort_unstable_by_key(|(rank, p)| (*rank, p.doing, p.start, p.end));
    let mut from = 0;
    for part in pieces.chunk_by(|a, b| a.0 == b.0) {
        all.lanes[part[0].0].pieces = from..from + part.len();
        from += part.len();
    }
    all.pieces = pieces.into_iter().map(|(_, piece)| piece).collect();
    all
}
