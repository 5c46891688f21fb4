//! PyTorch's snapshots of GPU memory: `torch.cuda.memory._dump_snapshot`.
//!
//! Reference: `torch/cuda/_memory_viz.py`. The pickle is read as data only. A trace is a ring: what happened before it is
//! lost, so levels are rebuilt backwards from the state at the end.
//!
//! Kept: active and reserved memory of each device over time; who held what at the peak and at the end, who allocated
//! how much; failed allocations as instants. Lost: places of blocks in their segments, streams. Guessed: nothing;
//! blocks that were there before the trace have no stack unless the snapshot still holds them.

use rustc_hash::FxHashMap;

use super::super::Gives::{Counters, Memory, Tree};
use super::super::python::module_of;
use super::super::read::Oddities;
use super::super::read::pickle::{Pickle, Value, looks_like_pickle};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{allocated, allocations, at_end, at_peak};
use crate::model::{
    ArgsRef, Basis, FunctionSpec, Instant, ProfileBuilder, Severity, StackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "torch-memory",
    title: "PyTorch memory snapshot",
    written_by: "torch.cuda.memory._dump_snapshot",
    extensions: &["pickle", "pkl"],
    gives: &[Tree, Memory, Counters],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let has = |sign| head.says(sign);
    match (looks_like_pickle(head.bytes), has("segments"), has("device_traces") || has("segment_type")) {
        (true, true, true) => Confidence::Certain,
        (true, true, false) => Confidence::Likely,
        _ => Confidence::No,
    }
}

/// A block that lives for a time.
#[derive(Clone, Copy)]
struct Block {
    size: i64,
    stack: Option<StackId>,
}

/// What changes the level of memory.
#[derive(Clone, Copy)]
struct Change {
    time: i64,
    address: i64,
    /// Bytes of active memory, gained or lost.
    active: i64,
    reserved: i64,
    stack: Option<StackId>,
}

struct Reader<'a> {
    pickle: Pickle<'a>,
    /// Stacks of the lists of frames, which many entries share.
    stacks: FxHashMap<u32, Option<StackId>>,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let pickle = Pickle::read(&bytes)?;
    let mut reader = Reader { pickle, stacks: FxHashMap::default(), odd: Oddities::default() };
    let b = &mut cx.builder;
    let segments =
        reader.pickle.get(reader.pickle.root(), "segments").unwrap_or_else(|| reader.pickle.root());
    let segments = reader.pickle.items(segments).to_vec();
    let traces = reader.pickle.get(reader.pickle.root(), "device_traces");
    let traces = traces.map(|t| reader.pickle.items(t).to_vec()).unwrap_or_default();
    let is_segment = |s: &Value| reader.pickle.int(*s, "total_size").is_some();
    if !segments.iter().any(is_segment) && traces.iter().all(|t| reader.pickle.items(*t).is_empty()) {
        return Err(ImportError::malformed("holds no segments and no trace of memory"));
    }
    (b.meta.basis, b.meta.tool) = (Basis::Aggregated, "PyTorch".into());
    b.rebase = true;
    let devices = segments.iter().filter_map(|s| reader.pickle.int(*s, "device"));
    let devices =
        devices.filter(|d| (0..1024).contains(d)).max().map_or(0, |d| d as usize + 1).max(traces.len());
    for device in 0..devices {
        let trace = traces.get(device).map(|t| reader.pickle.items(*t).to_vec()).unwrap_or_default();
        reader.device(device as i64, &segments, &trace, b);
    }
    reader.odd.report(b);
    Ok(())
}

impl Reader<'_> {
    /// The stack of `frames`, which are innermost first.
    fn stack(&mut self, entry: Value, b: &mut ProfileBuilder) -> Option<StackId> {
        let frames = self.pickle.get(entry, "frames").or_else(|| {
            // Before PyTorch 2.1 a block has a history.
            let history = self.pickle.items(self.pickle.get(entry, "history")?).first().copied()?;
            self.pickle.get(history, "frames")
        })?;
        let Value::Object(id) = frames else { return None };
        if let Some(known) = self.stacks.get(&id) {
            return *known;
        }
        let mut stack = None;
        for &frame in self.pickle.items(frames).iter().rev() {
            let text = |key| self.pickle.get(frame, key).map_or("".into(), |v| self.pickle.text(v));
            let (name, file) = (text("name"), text("filename"));
            if name.is_empty() && file.is_empty() {
                self.odd.add("frame without a name (left out)", String::new);
                continue;
            }
            let module = if file.ends_with(".py") { module_of(&file) } else { "".into() };
            let line = self.pickle.int(frame, "line").and_then(|l| u32::try_from(l).ok()).unwrap_or(0);
            let file = if &*file == "??" { "" } else { &*file };
            let function =
                b.function(FunctionSpec { name: &name, module: &module, file, ..FunctionSpec::default() });
            let frame = b.frame(function, line);
            stack = Some(b.stack(stack, frame));
        }
        self.stacks.insert(id, stack);
        stack
    }

    /// Blocks that are active at the end, and the bytes that are reserved.
    fn end(
        &mut self,
        device: i64,
        segments: &[Value],
        b: &mut ProfileBuilder,
    ) -> (FxHashMap<i64, Block>, i64) {
        let (mut live, mut reserved) = (FxHashMap::default(), 0i64);
        for &segment in segments {
            if self.pickle.int(segment, "device").unwrap_or(0) != device {
                continue;
            }
            reserved = reserved.saturating_add(self.pickle.int(segment, "total_size").unwrap_or(0));
            let mut address = self.pickle.int(segment, "address").unwrap_or(0);
            let blocks =
                self.pickle.get(segment, "blocks").map(|l| self.pickle.items(l).to_vec()).unwrap_or_default();
            for block in blocks {
                let size = self.pickle.int(block, "size").filter(|s| *s >= 0);
                let Some(size) = size else {
                    self.odd.add("block without a size (left out)", String::new);
                    continue;
                };
                address = self.pickle.int(block, "address").unwrap_or(address);
                let state = self.pickle.get(block, "state").map_or("".into(), |s| self.pickle.text(s));
                if matches!(&*state, "active_allocated" | "active_pending_free" | "active_awaiting_free") {
                    let stack = self.stack(block, b);
                    live.insert(address, Block { size, stack });
                }
                address = address.saturating_add(size);
            }
        }
        (live, reserved)
    }

    fn changes(&mut self, trace: &[Value], b: &mut ProfileBuilder) -> Vec<Change> {
        let mut changes = Vec::new();
        for (n, &entry) in trace.iter().enumerate() {
            let action = self.pickle.get(entry, "action").map_or("".into(), |a| self.pickle.text(a));
            let size = self.pickle.int(entry, "size").unwrap_or(0);
            let time = self.pickle.int(entry, "time_us").map_or(n as i64, |us| us).saturating_mul(1000);
            let (active, reserved) = match &*action {
                "alloc" => (size, 0),
                "free_completed" => (-size, 0),
                "segment_alloc" | "segment_map" => (0, size),
                "segment_free" | "segment_unmap" => (0, -size),
                "oom" => {
                    let name = b.string(&format!("out of memory: {size} bytes were asked for"));
                    let severity = Severity::Error;
                    b.instant(Instant { time, track: None, name, args: ArgsRef::NONE, severity });
                    continue;
                }
                _ => continue,
            };
            let address = self.pickle.int(entry, "addr").unwrap_or(0);
            let stack = if action == "alloc" { self.stack(entry, b) } else { None };
            changes.push(Change { time, address, active, reserved, stack });
        }
        changes
    }

    fn device(&mut self, device: i64, segments: &[Value], trace: &[Value], b: &mut ProfileBuilder) {
        let (end, reserved) = self.end(device, segments, b);
        let changes = self.changes(trace, b);
        if end.is_empty() && changes.is_empty() && reserved == 0 {
            return;
        }
        // Backwards: what lived before the trace.
        let mut live = end.clone();
        for change in changes.iter().rev() {
            match change.active {
                0 => {}
                size if size > 0 => drop(live.remove(&change.address)),
                size => {
                    live.insert(change.address, Block { size: -size, stack: None });
                }
            }
        }
        let before = live.keys().filter(|a| !end.contains_key(*a)).count();
        let active_start: i64 = live.values().map(|l| l.size).sum();
        let reserved_start = changes.iter().fold(reserved, |r, c| r.saturating_sub(c.reserved));
        let process = format!("GPU {device}");
        let levels = self.levels(&process, (active_start, reserved_start), &changes, b);
        let peak = forward(&mut live, &changes[..levels]);
        rows(&process, &peak, &end, &changes, b);
        let end_bytes: i64 = end.values().map(|l| l.size).sum();
        let peak_bytes: i64 = peak.values().map(|l| l.size).sum();
        b.meta.result(format!("{process}: active at the end"), (end_bytes, Unit::Bytes));
        b.meta.result(format!("{process}: active at the peak"), (peak_bytes, Unit::Bytes));
        b.meta.result(format!("{process}: reserved at the end"), format!("{reserved} B"));
        if before > 0 {
            b.meta.result(format!("{process}: blocks from before the trace"), before.to_string());
        }
    }

    /// Draws the levels; returns how many changes lead to the peak.
    fn levels(&self, process: &str, start: (i64, i64), changes: &[Change], b: &mut ProfileBuilder) -> usize {
        let (mut active, mut reserved) = start;
        let counters = (
            b.counter("Active memory", process, Unit::Bytes),
            b.counter("Reserved memory", process, Unit::Bytes),
        );
        let (mut peak, mut at) = (active, 0);
        let mut last = i64::MIN;
        for (n, change) in changes.iter().enumerate() {
            active = active.saturating_add(change.active);
            reserved = reserved.saturating_add(change.reserved);
            if active > peak {
                (peak, at) = (active, n + 1);
            }
            last = last.max(change.time);
            let counter = if change.active == 0 { counters.1 } else { counters.0 };
            b.point(counter, last, if change.active == 0 { reserved } else { active } as f64);
        }
        if changes.is_empty() {
            b.point(counters.0, 0, active as f64);
            b.point(counters.1, 0, reserved as f64);
        }
        at
    }
}

/// What lives after these changes.
fn forward(live: &mut FxHashMap<i64, Block>, changes: &[Change]) -> FxHashMap<i64, Block> {
    for change in changes {
        if change.active > 0 {
            live.insert(change.address, Block { size: change.active, stack: change.stack });
        } else if change.active < 0 {
            live.remove(&change.address);
        }
    }
    std::mem::take(live)
}

/// Sums per stack.
fn rows(
    process: &str,
    peak: &FxHashMap<i64, Block>,
    end: &FxHashMap<i64, Block>,
    changes: &[Change],
    b: &mut ProfileBuilder,
) {
    let mut sums: FxHashMap<Option<StackId>, [i64; 4]> = FxHashMap::default();
    let mut add = |stack, column: usize, value: i64| {
        let cell = &mut sums.entry(stack).or_default()[column];
        *cell = cell.saturating_add(value);
    };
    peak.values().for_each(|l| add(l.stack, 0, l.size));
    end.values().for_each(|l| add(l.stack, 1, l.size));
    for change in changes.iter().filter(|c| c.active > 0) {
        add(change.stack, 2, change.active);
        add(change.stack, 3, 1);
    }
    let metrics = [at_peak(), at_end(), allocated(), allocations()].map(|m| b.metric(m));
    let track = b.track(TrackSpec { name: "Blocks", process, kind: TrackKind::Profile, sort: 0 });
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|s| s.0.map(|s| s.0));
    for (stack, values) in sums {
        let weights: Vec<_> = metrics.into_iter().zip(values).collect();
        b.sample(track, stack, &weights);
    }
}

#[cfg(test)]
mod tests {
    use crate::import::testing::open_bytes;

    /// A snapshot as Python's pickle writes it, by hand: protocol 2, one device.
    fn snapshot() -> Vec<u8> {
        let text = |t: &str| [&[b'X', t.len() as u8, 0, 0, 0], t.as_bytes()].concat();
        let int = |n: i32| [&[b'J'][..], &n.to_le_bytes()].concat();
        let dict = |pairs: &[(&str, Vec<u8>)]| {
            let mut all = b"}(".to_vec();
            pairs.iter().for_each(|(k, v)| all.extend([text(k), v.clone()].concat()));
            [all, b"u".to_vec()].concat()
        };
        let list = |items: &[Vec<u8>]| [b"](".to_vec(), items.concat(), b"e".to_vec()].concat();
        let frames =
            |name: &str| list(&[dict(&[("filename", text("a.py")), ("line", int(3)), ("name", text(name))])]);
        let event = |action: &str, addr, size, time, name: &str| {
            dict(&[
                ("action", text(action)),
                ("addr", int(addr)),
                ("size", int(size)),
                ("time_us", int(time)),
                ("frames", frames(name)),
            ])
        };
        let block =
            dict(&[("size", int(10)), ("state", text("active_allocated")), ("frames", frames("kept"))]);
        let segment = dict(&[
            ("device", int(0)),
            ("address", int(100)),
            ("total_size", int(64)),
            ("blocks", list(&[block])),
        ]);
        let trace = list(&[
            event("free_completed", 1, 7, 1, "old"),
            event("alloc", 2, 30, 2, "work"),
            event("free_completed", 2, 30, 3, "work"),
        ]);
        let root = dict(&[("segments", list(&[segment])), ("device_traces", list(&[trace]))]);
        [b"\x80\x02".to_vec(), root, b".".to_vec()].concat()
    }

    #[test]
    fn levels_are_rebuilt_from_the_end() {
        let bytes = snapshot();
        let p = open_bytes(&bytes).unwrap();
        assert_eq!(p.meta.format, "torch-memory");
        // 7 + 10 before, 10 after the first release, 40 at the peak.
        assert_eq!(p.counters[0].values, [10.0, 40.0, 10.0]);
        let sum = |n: usize| p.tracks[0].samples.weights[n].1.iter().sum::<i64>();
        assert_eq!((sum(0), sum(1), sum(2), sum(3)), (40, 10, 30, 1));
        crate::import::testing::damage(&bytes, drop);
    }
}
