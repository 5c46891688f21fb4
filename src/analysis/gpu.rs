//! How long each GPU was busy.

use super::intervals::covered;
use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{Profile, StringId, TrackKind};
use crate::query::{Context, Query};

/// A GPU, or all that a profile does not tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuBusy {
    /// What it is called.
    pub name: String,
    /// Time in which at least one of its streams worked, ns.
    pub busy: i64,
    /// The rest of the time of the profile, or of the range, ns.
    pub idle: i64,
}

/// The GPUs with work in the range, in the order of their tracks.
#[must_use]
pub fn gpu_busy(profile: &Profile, range: TimeRange) -> Vec<GpuBusy> {
    let Some(within) = range.or_else(|| profile.time_bounds()) else { return Vec::new() };
    let mut work: Vec<(StringId, Vec<(i64, i64)>)> = Vec::new();
    for track in profile.tracks.iter().filter(|t| t.kind == TrackKind::GpuStream) {
        let spans = track.spans.rows.iter().filter(|s| is_work(profile, s.function));
        let spans = spans.map(|s| (s.start, s.end));
        match work.iter_mut().find(|(process, _)| *process == track.process) {
            Some((_, all)) => all.extend(spans),
            None => work.push((track.process, spans.collect())),
        }
    }
    let busy = |(process, spans): (StringId, Vec<(i64, i64)>)| {
        let name = Some(profile.text(process)).filter(|n| !n.is_empty()).unwrap_or("GPU").to_owned();
        let busy = covered(spans, Some(within));
        GpuBusy { name, busy, idle: within.1.saturating_sub(within.0).saturating_sub(busy) }
    };
    work.into_iter().filter(|(_, spans)| !spans.is_empty()).map(busy).collect()
}

/// A GPU and what it was busy with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuWork {
    /// Busy and idle time.
    pub busy: GpuBusy,
    /// Time in which at least one of its streams did work of this category, ns; most first.
    pub kinds: Vec<(String, i64)>,
}

/// Asks for [`gpu_busy_by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GpuWorkOf(pub TimeRange);

impl Query for GpuWorkOf {
    type Output = Vec<GpuWork>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        Ok(gpu_busy_by(cx.profile(), self.0))
    }

    fn weight(found: &Self::Output) -> usize {
        found.len() * size_of::<GpuWork>()
    }
}

/// The same with what the work was: kernels, copies, and others as the profile calls them.
#[must_use]
pub fn gpu_busy_by(profile: &Profile, range: TimeRange) -> Vec<GpuWork> {
    let Some(within) = range.or_else(|| profile.time_bounds()) else { return Vec::new() };
    let kinds = |name: &str| {
        let mut kinds: Vec<(&str, Vec<(i64, i64)>)> = Vec::new();
        let of_it = profile.tracks.iter().filter(|t| {
            let process = Some(profile.text(t.process)).filter(|n| !n.is_empty()).unwrap_or("GPU");
            t.kind == TrackKind::GpuStream && process == name
        });
        for span in of_it.flat_map(|t| &t.spans.rows).filter(|s| is_work(profile, s.function)) {
            let kind = profile.text(profile.functions.get(span.function).category);
            match kinds.iter_mut().find(|k| k.0 == kind) {
                Some(known) => known.1.push((span.start, span.end)),
                None => kinds.push((kind, vec![(span.start, span.end)])),
            }
        }
        let name = |kind: &str| if kind.is_empty() { "work" } else { kind }.to_owned();
        let mut kinds: Vec<(String, i64)> =
            kinds.into_iter().map(|(kind, spans)| (name(kind), covered(spans, Some(within)))).collect();
        kinds.sort_by_key(|k| std::cmp::Reverse(k.1));
        kinds
    };
    gpu_busy(profile, range).into_iter().map(|busy| GpuWork { kinds: kinds(&busy.name), busy }).collect()
}

/// False for ranges that a program marked and for waits, which lie on the same timeline.
pub(crate) fn is_work(profile: &Profile, function: crate::model::FunctionId) -> bool {
    let category = profile.text(profile.functions.get(function).category);
    !matches!(category, "gpu_user_annotation" | "cuda_sync" | "cuda_event")
}
