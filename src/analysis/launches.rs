//! From the call that launches work of a GPU to its start: how long that takes, and which idle time it explains.
//!
//! A gap in a GPU's work ends with a piece of work that was launched before the gap, in it, or nobody says when. Before its launch nothing was
//! queued: the GPU waited for the host. After it the work was on its way. What had been launched before the gap waited for something
//! else: another stream, an event, the device itself.

use rustc_hash::FxHashMap;

use super::gpu::is_work;
use super::overview::Distribution;
use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile, StringId, TrackId, TrackKind};
use crate::query::{Context, Query};

/// Idle time of GPUs between their first and last work, by what it waited for, ns. Sums over GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// The next work had not been launched.
    pub not_launched: i64,
    /// It had been launched in the gap and not started.
    pub starting: i64,
    /// It had been launched before the gap began.
    pub queued: i64,
    /// Nobody says when the next work was launched.
    pub unknown: i64,
}

impl Gaps {
    /// All of it.
    #[must_use]
    pub fn sum(&self) -> i64 {
        [self.not_launched, self.starting, self.queued, self.unknown].into_iter().fold(0, i64::saturating_add)
    }
}

/// Work of one name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Launched {
    /// Its name.
    pub function: FunctionId,
    /// From launch to start, ns.
    pub latency: Distribution,
    /// Idle time that ended with it, ns.
    pub idle: i64,
}

/// All launches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Launches {
    /// From launch to start, ns; `None` where no launch is known.
    pub latency: Option<Distribution>,
    /// The same of work whose stream had nothing to do when it was launched: what launching itself takes.
    pub free: Option<Distribution>,
    /// By name: most idle time before it first.
    pub by_name: Vec<Launched>,
    /// Idle time.
    pub gaps: Gaps,
    /// Work without a known launch.
    pub unlinked: usize,
    /// Work that started before its launch, as the clocks have it: in no figure.
    pub early: usize,
}

/// Computes the [`Launches`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaunchesIn(pub TimeRange);

/// A piece of work.
#[derive(Clone, Copy)]
struct Piece {
    start: i64,
    end: i64,
    function: FunctionId,
    launched: Option<i64>,
}

impl Query for LaunchesIn {
    type Output = Launches;

    fn run(&self, cx: &Context<'_>) -> Result<Launches, Cancelled> {
        let profile = cx.profile();
        let on_gpu = |id: TrackId| profile.track(id).kind == TrackKind::GpuStream;
        let links = profile.links.iter().filter(|l| on_gpu(l.to.0) && !on_gpu(l.from.0));
        let launched: FxHashMap<(TrackId, i64), i64> = links.map(|l| (l.to, l.from.1)).collect();
        let (from, to) = self.0.unwrap_or((i64::MIN, i64::MAX));
        let mut out = Launches::default();
        let (mut all, mut free) = (Vec::new(), Vec::new());
        let mut by_name: FxHashMap<FunctionId, (Vec<f64>, i64)> = FxHashMap::default();
        let mut gpus: FxHashMap<StringId, Vec<Piece>> = FxHashMap::default();
        for id in profile.track_ids().filter(|&id| on_gpu(id)) {
            cx.job().checkpoint(0, 0)?;
            let pieces = pieces(profile, id, &launched, (from, to));
            let mut stream_ended = i64::MIN;
            for piece in &pieces {
                match piece.launched {
                    None => out.unlinked += 1,
                    Some(at) if at > piece.start => out.early += 1,
                    Some(at) => {
                        let latency = piece.start.saturating_sub(at) as f64;
                        all.push(latency);
                        by_name.entry(piece.function).or_default().0.push(latency);
                        if stream_ended <= at {
                            free.push(latency);
                        }
                    }
                }
                stream_ended = stream_ended.max(piece.end);
            }
            gpus.entry(profile.track(id).process).or_default().extend(pieces);
        }
        if all.is_empty() {
            return Ok(out);
        }
        for mut pieces in gpus.into_values() {
            pieces.sort_unstable_by_key(|p| (p.start, p.launched.unwrap_or(i64::MAX)));
            gaps(&pieces, &mut out.gaps, |function, idle| {
                if let Some(of) = by_name.get_mut(&function) {
                    of.1 = of.1.saturating_add(idle);
                }
            });
        }
        cx.job().checkpoint(0, 0)?;
        (out.latency, out.free) = (Distribution::of(all), Distribution::of(free));
        let row = |(function, (values, idle))| {
            Some(Launched { function, latency: Distribution::of(values)?, idle })
        };
        out.by_name = by_name.into_iter().filter_map(row).collect();
        out.by_name.sort_by_key(|r| (std::cmp::Reverse((r.idle, r.latency.n)), r.function));
        Ok(out)
    }

    fn weight(launches: &Launches) -> usize {
        size_of_val(&*launches.by_name)
    }
}

/// The work of a stream in the range, by start.
fn pieces(
    profile: &Profile,
    id: TrackId,
    launched: &FxHashMap<(TrackId, i64), i64>,
    (from, to): (i64, i64),
) -> Vec<Piece> {
    let rows = profile.track(id).spans.rows.iter();
    let inside = rows.filter(|s| is_work(profile, s.function) && s.start >= from && s.start < to);
    let piece = |s: &crate::model::Span| Piece {
        start: s.start,
        end: s.end,
        function: s.function,
        launched: launched.get(&(id, s.start)).copied(),
    };
    let mut pieces: Vec<Piece> = inside.map(piece).collect();
    pieces.sort_unstable_by_key(|p| p.start);
    pieces
}

/// Shares out the gaps of a GPU, whose work comes by start; tells of each which work ended it.
fn gaps(pieces: &[Piece], out: &mut Gaps, mut ended: impl FnMut(FunctionId, i64)) {
    let mut reached: Option<i64> = None;
    for piece in pieces {
        if let Some(before) = reached.filter(|&before| before < piece.start) {
            let gap = piece.start.saturating_sub(before);
            match piece.launched.filter(|&at| at <= piece.start) {
                None => out.unknown = out.unknown.saturating_add(gap),
                Some(at) if at <= before => out.queued = out.queued.saturating_add(gap),
                Some(at) => {
                    out.not_launched = out.not_launched.saturating_add(at.saturating_sub(before));
                    out.starting = out.starting.saturating_add(piece.start.saturating_sub(at));
                }
            }
            ended(piece.function, gap);
        }
        reached = reached.max(Some(piece.end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::{ArgsRef, FunctionSpec, Link, TrackSpec};

    #[test]
    fn latencies_and_gaps_are_told_by_launches() {
        let run = built(|b| {
            let cpu = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
            let kind = TrackKind::GpuStream;
            let gpu = b.track(TrackSpec { name: "stream 7", process: "GPU 0", kind, sort: 1 });
            let call = b.function(FunctionSpec { category: "cuda_runtime", ..FunctionSpec::named("launch") });
            let kernel = |b: &mut crate::model::ProfileBuilder, name| {
                b.function(FunctionSpec { category: "kernel", ..FunctionSpec::named(name) })
            };
            let (gemm, add) = (kernel(b, "gemm"), kernel(b, "add"));
            let name = b.string("launch");
            // Launched at, started, ended.
            for (at, start, end, f) in [
                (Some(0), 10, 100, gemm),
                // Launched while the first one ran: it was queued, and 5 passed between them.
                (Some(50), 105, 200, gemm),
                // Launched 30 after the second one ended, and 20 on its way.
                (Some(230), 250, 300, add),
                // Nobody says when.
                (None, 310, 320, add),
            ] {
                b.span(gpu, start, end, f, ArgsRef::NONE);
                if let Some(at) = at {
                    b.span(cpu, at, at + 4, call, ArgsRef::NONE);
                    b.link(Link { from: (cpu, at), to: (gpu, start), name });
                }
            }
        });
        let found = ask(&run, &LaunchesIn(None));
        let gaps = Gaps { not_launched: 30, starting: 20, queued: 5, unknown: 10 };
        assert_eq!((found.gaps, found.gaps.sum(), found.unlinked, found.early), (gaps, 65, 1, 0));
        let all = found.latency.unwrap();
        assert_eq!((all.n, all.p50, all.max), (3, 20.0, 55.0), "of 10, 55 and 20");
        let free = found.free.unwrap();
        assert_eq!((free.n, free.max), (2, 20.0), "the second one waited behind the first");
        let names: Vec<_> = found
            .by_name
            .iter()
            .map(|r| (run.profile.function_name(r.function), r.latency.n, r.idle))
            .collect();
        assert_eq!(names, [("add", 1, 60), ("gemm", 2, 5)]);
        let part = ask(&run, &LaunchesIn(Some((200, 400))));
        assert_eq!((part.latency.unwrap().n, part.gaps.unknown), (1, 10));
    }

    #[test]
    fn without_links_nothing_is_said() {
        let run = built(|b| {
            let kind = TrackKind::GpuStream;
            let gpu = b.track(TrackSpec { name: "stream 7", process: "GPU 0", kind, sort: 1 });
            let f = b.function(FunctionSpec { category: "kernel", ..FunctionSpec::named("gemm") });
            b.span(gpu, 0, 10, f, ArgsRef::NONE);
            b.span(gpu, 20, 30, f, ArgsRef::NONE);
        });
        let found = ask(&run, &LaunchesIn(None));
        assert_eq!((found.latency, found.gaps, found.unlinked), (None, Gaps::default(), 2));
    }
}
