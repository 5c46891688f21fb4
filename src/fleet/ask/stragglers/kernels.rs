//! Kernels of a late rank that take longer than those of other ranks.

use std::io;

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::robust::middle;
use super::Late;
use crate::fleet::dataset::Snapshot;
use crate::fleet::file::Only;
use crate::fleet::frame::Frame;
use crate::fleet::runs::{Job, Runs};
use crate::fleet::schema::{FUNCTIONS, SPANS};

/// A kernel, in the steps in which its rank is late.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelChange {
    /// Its name.
    pub name: String,
    /// Time of a call on the late rank, ns.
    pub own: i64,
    /// The same of the middle one of other ranks, ns.
    pub usual: i64,
    /// Calls on the late rank.
    pub calls: u64,
}

impl KernelChange {
    /// How much longer, as a share.
    #[must_use]
    pub fn longer(&self) -> f64 {
        if self.usual > 0 { self.own as f64 / self.usual as f64 - 1.0 } else { 0.0 }
    }

    /// How much longer all calls take, ns.
    #[must_use]
    pub fn more(&self) -> i64 {
        self.own.saturating_sub(self.usual).saturating_mul(self.calls.cast_signed())
    }
}

/// So many other ranks say what is usual.
const PEERS: usize = 8;
/// Longer by less than this share is chance.
const LONGER: f64 = 0.05;
const COLUMNS: [&str; 5] = ["run_id", "track_kind", "dur_ns", "function_id", "step"];

/// Calls and time of each function of each run.
type Times = FxHashMap<(u32, i64), (u64, i64)>;

/// The kernels of the first of the late ranks that take longer, those with most time first.
pub(super) fn slower(
    snapshot: &Snapshot,
    runs: &Runs,
    job: &Job,
    late: &Late,
) -> io::Result<Vec<KernelChange>> {
    let Some(&first) = late.ranks.first() else { return Ok(Vec::new()) };
    let Ok(at) = job.ranks.binary_search_by_key(&first, |r| r.0) else { return Ok(Vec::new()) };
    let suspect = job.ranks[at].1;
    // Ranks all over the job rather than its first ones.
    let others: Vec<u32> =
        job.ranks.iter().filter(|(rank, _)| !late.ranks.contains(rank)).map(|(_, place)| *place).collect();
    let peers: Vec<u32> = others.iter().copied().step_by(others.len().div_ceil(PEERS).max(1)).collect();
    let ids: Vec<&str> =
        std::iter::once(&suspect).chain(&peers).map(|&p| runs.rows[p as usize].id.as_str()).collect();
    let (from, to) = late.steps;
    let each = |times: &mut Times, frame: &Frame| {
        let run = runs.of(frame);
        let (kinds, names) = frame.texts("track_kind");
        let (took, ids) = (frame.ints("dur_ns"), frame.ints("function_id"));
        for row in 0..frame.rows {
            let in_steps = frame.int("step", row).is_some_and(|step| (from..=to).contains(&step));
            if !in_steps || &*names[kinds[row] as usize] != "gpu_stream" {
                continue;
            }
            let Some(run) = run(row) else { continue };
            let sum = times.entry((run, ids[row])).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(took[row]));
        }
    };
    let only = [Only::Number("step", from, to), Only::Text("track_kind", "gpu_stream")];
    let mut times = Times::default();
    for part in snapshot.scan_runs(&SPANS, (&ids, &only), &COLUMNS, Times::default, each)? {
        for (key, (calls, took)) in part {
            let sum = times.entry(key).or_default();
            *sum = (sum.0 + calls, sum.1.saturating_add(took));
        }
    }
    let mean =
        |run: u32, id: i64| times.get(&(run, id)).map(|(calls, took)| took / (*calls).max(1).cast_signed());
    let mut slower: Vec<(i64, KernelChange)> = Vec::new();
    for (&(run, id), &(calls, _)) in times.iter().filter(|((run, _), _)| *run == suspect) {
        let mut of_peers: Vec<i64> = peers.iter().filter_map(|&peer| mean(peer, id)).collect();
        if let (Some(own), Some(usual)) = (mean(run, id), middle(&mut of_peers)) {
            let change = KernelChange { name: String::new(), own, usual, calls };
            if change.longer() > LONGER {
                slower.push((id, change));
            }
        }
    }
    let names = kernel_names(snapshot, runs, suspect, &slower.iter().map(|(id, _)| *id).collect())?;
    let mut slower: Vec<KernelChange> = slower
        .into_iter()
        .filter_map(|(id, change)| Some(KernelChange { name: names.get(&id)?.clone(), ..change }))
        .collect();
    slower.sort_by(|a, b| b.more().cmp(&a.more()).then_with(|| a.name.cmp(&b.name)));
    Ok(slower)
}

/// Names of functions that compute; communication takes long because others are late.
fn kernel_names(
    snapshot: &Snapshot,
    runs: &Runs,
    run: u32,
    ids: &FxHashSet<i64>,
) -> io::Result<FxHashMap<i64, String>> {
    use crate::analysis::kernels::WorkClass;
    let columns = ["run_id", "function_id", "name", "category"];
    let each = |names: &mut FxHashMap<i64, String>, frame: &Frame| {
        let of = runs.of(frame);
        for (row, id) in frame.ints("function_id").iter().enumerate() {
            if !ids.contains(id) || of(row) != Some(run) {
                continue;
            }
            let (category, name) = (frame.text("category", row), frame.text("name", row));
            if category == "kernel" && WorkClass::of(category, name) != WorkClass::Communication {
                names.insert(*id, name.to_owned());
            }
        }
    };
    let parts = snapshot.scan(&FUNCTIONS, &columns, FxHashMap::default, each)?;
    Ok(parts.into_iter().flatten().collect())
}
