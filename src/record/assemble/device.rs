//! Work of other devices: a track per lane, and an arrow from what launched it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Assembler;
use crate::model::{
    ArgsRef, FunctionSpec, Link, Metric, ProfileBuilder, TrackId, TrackKind, TrackSpec, Value,
};
use crate::record::device::{Details, DeviceWork};

/// Sets of details that are remembered. A model's kernels have some hundreds.
const MOST_DETAILS: usize = 1 << 14;

/// What was made for devices so far.
#[derive(Default)]
pub(super) struct Devices {
    /// By device and lane.
    tracks: FxHashMap<(Arc<str>, Arc<str>), TrackId>,
    /// Each set is stored once.
    details: FxHashMap<Details, ArgsRef>,
}

impl Assembler {
    /// Work of another device, on a track of its own.
    pub(super) fn device(&mut self, work: &DeviceWork) {
        let track = self.device_track(work);
        let details = self.device_details(&work.details);
        let module = if work.device.is_empty() { &work.lane } else { &work.device };
        let function = FunctionSpec { name: &work.name, module, file: "", line: 0, category: work.category };
        let function = self.builder.function(function);
        let now = self.scale.ns(work.ticks);
        let start = now.saturating_sub(work.ago.0).max(0);
        let end = now.saturating_sub(work.ago.1).max(start);
        let span = self.builder.span(track, start, end, function, details);
        if let Some(bytes) = work.details.bytes {
            let metric = self.builder.metric(Metric::copied());
            self.builder.span_cost(track, span, metric, i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        if let Some((thread, ticks)) = work.launch {
            let from = (self.thread(thread).track, self.scale.ns(ticks));
            let name = self.builder.string("launch");
            self.builder.link(Link { from, to: (track, start), name });
        }
    }

    fn device_track(&mut self, work: &DeviceWork) -> TrackId {
        let key = (work.device.clone(), work.lane.clone());
        *self.devices.tracks.entry(key).or_insert_with(|| {
            let (kind, sort) = (TrackKind::GpuStream, 2_000_000);
            self.builder.track(TrackSpec { name: &work.lane, process: &work.device, kind, sort })
        })
    }

    fn device_details(&mut self, details: &Details) -> ArgsRef {
        if *details == Details::default() {
            return ArgsRef::NONE;
        }
        if let Some(&known) = self.devices.details.get(details) {
            return known;
        }
        if self.devices.details.len() >= MOST_DETAILS {
            self.devices.details.clear();
        }
        let stored = store(&mut self.builder, details);
        self.devices.details.insert(details.clone(), stored);
        stored
    }
}

fn store(builder: &mut ProfileBuilder, details: &Details) -> ArgsRef {
    let three = |[x, y, z]: [u32; 3]| format!("{x} × {y} × {z}");
    let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let text = |builder: &mut ProfileBuilder, text: &str| Value::Text(builder.string(text));
    let mut pairs: Vec<(&str, Value)> = Vec::new();
    pairs.extend(details.operation.map(|name| ("operation", text(builder, name))));
    pairs.extend(details.bytes.map(|n| ("bytes", number(n))));
    pairs.extend(details.grid.map(|n| ("grid", text(builder, &three(n)))));
    pairs.extend(details.block.map(|n| ("block", text(builder, &three(n)))));
    pairs.extend(details.registers.map(|n| ("registers per thread", number(n.into()))));
    pairs.extend(details.shared_bytes.map(|n| ("shared memory (bytes)", number(n.into()))));
    pairs.extend(details.symbol.as_deref().map(|symbol| ("symbol", text(builder, symbol))));
    let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (builder.string(key), value)).collect();
    builder.args(pairs)
}
