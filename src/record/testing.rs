//! What the recorder's tests share: short recordings, and spans as a test wants to see them.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{Profile, SpanStatus, TrackId, TrackKind};

pub(in crate::record) fn quiet() -> Options {
    Options { sample_hz: 0, ..Options::default() }
}

pub(in crate::record) fn run(
    work: impl FnOnce(&Context) -> Result<(), WorkloadError> + Send + 'static,
) -> Arc<Profile> {
    record(Work::new("test", work), quiet(), Box::new(|_| ())).unwrap().join().unwrap()
}

pub(in crate::record) fn workload(id: &str, params: &[&str]) -> Arc<Profile> {
    let params: Vec<String> = params.iter().map(ToString::to_string).collect();
    start(id, &params, quiet(), Box::new(|_| ())).unwrap().join().unwrap()
}

/// A span as a test wants to see it.
#[derive(Clone, Debug)]
pub(in crate::record) struct Seen {
    pub(in crate::record) track: TrackId,
    pub(in crate::record) kind: TrackKind,
    pub(in crate::record) lane: usize,
    pub(in crate::record) parent: String,
    pub(in crate::record) start: i64,
    pub(in crate::record) end: i64,
    pub(in crate::record) busy: i64,
    pub(in crate::record) status: SpanStatus,
    pub(in crate::record) args: Vec<(String, String)>,
}

impl Seen {
    pub(in crate::record) fn duration(&self) -> i64 {
        self.end - self.start
    }

    /// How long it was not polled.
    pub(in crate::record) fn waiting(&self) -> i64 {
        self.duration() - self.busy
    }

    pub(in crate::record) fn arg(&self, key: &str) -> &str {
        self.args.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
    }
}

pub(in crate::record) fn all(p: &Profile, name: &str) -> Vec<Seen> {
    let busy = p.metric_by_key("busy").unwrap();
    let mut seen = Vec::new();
    for id in p.track_ids() {
        let track = p.track(id);
        for (row, s) in track.spans.rows.iter().enumerate() {
            if p.function_name(s.function) != name {
                continue;
            }
            let name_of = |row: u32| p.function_name(track.spans.rows[row as usize].function).to_owned();
            seen.push(Seen {
                track: id,
                kind: track.kind,
                lane: track.spans.lanes.iter().position(|l| l.rows.contains(&(row as u32))).unwrap(),
                parent: track.spans.rows.get(s.parent as usize).map_or(String::new(), |_| name_of(s.parent)),
                start: s.start,
                end: s.end,
                // Devices know no such thing.
                busy: track.spans.costs.iter().find(|(m, _)| *m == busy).map_or(0, |(_, costs)| costs[row]),
                status: s.status,
                args: p.inline_args(s.args),
            });
        }
    }
    seen.sort_by_key(|s| s.start);
    seen
}

pub(in crate::record) fn one(p: &Profile, name: &str) -> Seen {
    let seen = all(p, name);
    assert_eq!(seen.len(), 1, "{name}: {seen:?}");
    seen[0].clone()
}

pub(in crate::record) fn links(p: &Profile) -> Vec<(String, String, String)> {
    let label = |t| p.track_label(t);
    let text = |l: &crate::model::Link| p.text(l.name).to_owned();
    p.links.iter().map(|l| (text(l), label(l.from.0), label(l.to.0))).collect()
}

pub(in crate::record) fn fact(p: &Profile, key: &str) -> String {
    p.meta.fact(key).map_or_else(String::new, |value| crate::format::fact(value).into_owned())
}

pub(in crate::record) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("pool")
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

pub(in crate::record) fn nap(ms: u64) -> tokio::time::Sleep {
    tokio::time::sleep(Duration::from_millis(ms))
}

macro_rules! sp {
    ($($t:tt)*) => { tracing::info_span!(target: "inferscope::test", $($t)*) };
}
pub(in crate::record) use sp;
