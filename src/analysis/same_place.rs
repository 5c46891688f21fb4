//! Kernels and operations of two runs that do one job under two names.
//!
//! What a GPU kernel is called depends on the machine and the library's version, and so does what an operation calls to
//! do its work. Two of them are taken for one where both are started at the same place: their lowest common ancestor, the
//! nearest caller that both runs have, is the same call path, and within one call of it they are the same of as many that
//! have no partner. With other numbers of them nothing is guessed. Where places contradict each other, what is seen most
//! often counts. (The idea is that of AMD's TraceLens.)

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::gpu::is_work;
use crate::jobs::{Cancelled, Job};
use crate::model::{FunctionId, NO_ROW, Profile, TrackId, TrackKind};

/// What can be named otherwise in another run and still be the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Work {
    /// An operation of a framework.
    Operation,
    /// A kernel on a GPU.
    Kernel,
    /// A copy or a fill of a GPU's memory.
    Copy,
}

/// Where something is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    /// The call path of the nearest caller that both runs have.
    path: u64,
    work: Work,
    /// Its number among those that one call of it starts, and how many these are.
    number: u32,
    of: u32,
}

/// Something that was started: when, as what, which function.
type Started = (i64, Work, FunctionId);

/// A run, and which of its functions have a partner.
pub(super) struct Side<'a> {
    profile: &'a Profile,
    /// What each function is in both runs; `None` for one without a partner, and for calls of a driver, which do nothing
    /// but start a kernel each.
    known: Vec<Option<u32>>,
    /// What each function without a partner could pair as.
    open: Vec<Option<Work>>,
}

impl<'a> Side<'a> {
    /// `known` says what a function is in both runs.
    pub fn of(profile: &'a Profile, known: impl Fn(FunctionId) -> Option<u32>) -> Self {
        let category = |f: FunctionId| profile.text(profile.functions.get(f).category);
        let of_driver = |f: &FunctionId| {
            let category = category(*f).to_ascii_lowercase();
            category.ends_with("runtime") || category.ends_with("driver")
        };
        let mut known: Vec<Option<u32>> = profile.functions.ids().map(known).collect();
        let mut open = vec![None; known.len()];
        for f in profile.functions.ids().filter(|f| known[f.index()].is_none() && category(*f) == "cpu_op") {
            open[f.index()] = Some(Work::Operation);
        }
        for track in profile.tracks.iter().filter(|t| t.kind == TrackKind::GpuStream) {
            for span in &track.spans.rows {
                let at = span.function.index();
                if known[at].is_none() && open[at].is_none() && is_work(profile, span.function) {
                    let category = category(span.function);
                    let is_copy = category.contains("mem") || category.contains("copy");
                    open[at] = Some(if is_copy { Work::Copy } else { Work::Kernel });
                }
            }
        }
        profile.functions.ids().filter(of_driver).for_each(|f| known[f.index()] = None);
        Self { profile, known, open }
    }

    /// True when nothing of it could pair.
    pub fn is_done(&self) -> bool {
        self.open.iter().all(Option::is_none)
    }

    /// How often each function is started at each place.
    fn places(&self, job: &Job) -> Result<FxHashMap<Place, FxHashMap<FunctionId, u64>>, Cancelled> {
        let ways: Vec<Ways> = self.profile.tracks.iter().map(|t| self.ways(&t.spans.rows)).collect();
        job.checkpoint(0, 0)?;
        let launches = self.launches();
        // What one call of a common caller starts.
        let mut started: FxHashMap<(TrackId, u32), Vec<Started>> = FxHashMap::default();
        for id in self.profile.track_ids() {
            let track = self.profile.track(id);
            if track.kind.is_view() {
                continue;
            }
            let on_gpu = track.kind == TrackKind::GpuStream;
            for span in &track.spans.rows {
                let Some(work) = self.open[span.function.index()] else { continue };
                let at = if on_gpu {
                    let Some(&(from, time)) = launches.get(&(id, span.start)) else { continue };
                    let row = self.profile.track(from).spans.innermost_at(time);
                    row.map(|row| (from, ways[from.index()].nearest[row as usize], time))
                } else {
                    // An operation is what its caller chose: with another caller it is another one.
                    let is_known =
                        |row: u32| self.known[track.spans.rows[row as usize].function.index()].is_some();
                    let above = Some(span.parent).filter(|&row| row != NO_ROW && is_known(row));
                    above.map(|row| (id, row, span.start))
                };
                if let Some((track, row, time)) = at.filter(|at| at.1 != NO_ROW) {
                    started.entry((track, row)).or_default().push((time, work, span.function));
                }
            }
            job.checkpoint(0, 0)?;
        }
        let mut places: FxHashMap<Place, FxHashMap<FunctionId, u64>> = FxHashMap::default();
        for ((track, row), mut all) in started {
            all.sort_unstable_by_key(|&(time, work, function)| (work, time, function.0));
            let path = ways[track.index()].path[row as usize];
            for group in all.chunk_by(|a, b| a.1 == b.1) {
                for (number, &(_, work, function)) in (0u32..).zip(group) {
                    let place = Place { path, work, number, of: group.len() as u32 };
                    *places.entry(place).or_default().entry(function).or_default() += 1;
                }
            }
        }
        Ok(places)
    }

    /// The way to each row, by what both runs have.
    fn ways(&self, rows: &[crate::model::Span]) -> Ways {
        let mut ways = Ways { path: Vec::with_capacity(rows.len()), nearest: Vec::with_capacity(rows.len()) };
        for (row, span) in (0u32..).zip(rows) {
            let above = span.parent as usize;
            let (mut path, mut nearest) =
                ways.path.get(above).map_or((0, NO_ROW), |&path| (path, ways.nearest[above]));
            if let Some(known) = self.known[span.function.index()] {
                let mut hasher = FxHasher::default();
                (path, known).hash(&mut hasher);
                (path, nearest) = (hasher.finish(), row);
            }
            ways.path.push(path);
            ways.nearest.push(nearest);
        }
        ways
    }

    /// From where work on a GPU was started, by where it is.
    fn launches(&self) -> FxHashMap<(TrackId, i64), (TrackId, i64)> {
        let on_gpu = |id: TrackId| self.profile.track(id).kind == TrackKind::GpuStream;
        let links = self.profile.links.iter().filter(|l| on_gpu(l.to.0) && !on_gpu(l.from.0));
        links.map(|l| (l.to, l.from)).collect()
    }
}

struct Ways {
    /// A hash of the functions on it that both runs have.
    path: Vec<u64>,
    /// The innermost of them, itself included.
    nearest: Vec<u32>,
}

/// Functions of base and head without a partner that are started at the same places, those first of which this is
/// seen most often.
///
/// # Errors
/// [`Cancelled`] when nobody wants it any more.
pub(super) fn pairs(
    base: &Side<'_>,
    head: &Side<'_>,
    job: &Job,
) -> Result<Vec<(FunctionId, FunctionId)>, Cancelled> {
    let (in_base, in_head) = (base.places(job)?, head.places(job)?);
    let mut seen: FxHashMap<(FunctionId, FunctionId), u64> = FxHashMap::default();
    for (place, bases) in &in_base {
        for (&h, &of_head) in in_head.get(place).into_iter().flatten() {
            for (&b, &of_base) in bases {
                *seen.entry((b, h)).or_default() += of_base.min(of_head);
            }
        }
    }
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_unstable_by_key(|&((b, h), times)| (std::cmp::Reverse(times), b.0, h.0));
    let (mut bases, mut heads) = (vec![false; base.open.len()], vec![false; head.open.len()]);
    seen.retain(|&((b, h), _)| {
        let free = !bases[b.index()] && !heads[h.index()];
        if free {
            (bases[b.index()], heads[h.index()]) = (true, true);
        }
        free
    });
    Ok(seen.into_iter().map(|(pair, _)| pair).collect())
}
