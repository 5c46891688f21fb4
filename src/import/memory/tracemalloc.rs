//! Python's own snapshots of memory: `tracemalloc.take_snapshot().dump(file)`.
//!
//! Reference: `Lib/tracemalloc.py`, Python 3.4 to 3.15: a pickle of `Snapshot`, which is read as data only. Kept: blocks and their bytes for
//! each traceback, by domain where there are several. Lost: nothing. The file has lines, but no names of functions: a line stands for one,
//! under the name of its file.

use rustc_hash::FxHashMap;

use super::super::Gives::{Memory, Tree};
use super::super::python::module_of;
use super::super::read::Oddities;
use super::super::read::pickle::{Pickle, Value, looks_like_pickle};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{allocations, at_end};
use crate::model::{Basis, FunctionSpec, ProfileBuilder, StackId, TrackId, TrackKind, TrackSpec};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "tracemalloc",
    title: "tracemalloc snapshot",
    written_by: "tracemalloc.Snapshot.dump",
    extensions: &["pickle", "pkl", "snapshot", "tracemalloc"],
    gives: &[Tree, Memory],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let start = &head.bytes[..head.bytes.len().min(200)];
    let says = |text: &[u8]| memchr::memmem::find(start, text).is_some();
    if looks_like_pickle(start) && says(b"tracemalloc") && says(b"Snapshot") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

/// Where blocks were made.
type Place = (TrackId, Option<StackId>);

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let pickle = Pickle::read(&bytes)?;
    let snapshot = pickle.root();
    let traces = pickle.get(snapshot, "traces").map(|t| pickle.state(t));
    let traces = traces
        .and_then(|t| pickle.get(t, "_traces"))
        .ok_or_else(|| ImportError::malformed("holds no traces of memory"))?;
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tool) = (Basis::Aggregated, "Python tracemalloc".into());
    if let Some(limit) = pickle.int(snapshot, "traceback_limit").and_then(|n| u64::try_from(n).ok()) {
        b.meta.setting("Frames of a traceback at most", limit);
    }
    let metrics = [at_end(), allocations()].map(|m| b.metric(m));
    let (mut odd, mut stacks) = (Oddities::default(), FxHashMap::default());
    let mut tracks: FxHashMap<i64, TrackId> = FxHashMap::default();
    let mut sums: FxHashMap<Place, usize> = FxHashMap::default();
    let mut rows: Vec<(Place, [i64; 2])> = Vec::new();
    for (n, &trace) in pickle.items(traces).iter().enumerate() {
        if n % 65_536 == 0 {
            cx.job.checkpoint(n as u64, pickle.items(traces).len() as u64)?;
        }
        let number = |v: Option<&Value>| if let Some(Value::Int(n)) = v { Some(*n) } else { None };
        // Since Python 3.6 a domain comes first, since 3.9 the number of all frames last.
        let (domain, size, frames) = match pickle.items(trace) {
            [domain, size, frames, ..] => (number(Some(domain)), number(Some(size)), *frames),
            [size, frames] => (Some(0), number(Some(size)), *frames),
            _ => (None, None, Value::None),
        };
        let (Some(domain), Some(size @ 0..)) = (domain, size) else {
            odd.add("trace without a size (left out)", || format!("trace {n}"));
            continue;
        };
        let track = *tracks.entry(domain).or_insert_with(|| {
            let name = if domain == 0 { "Blocks".to_owned() } else { format!("Blocks of domain {domain}") };
            b.track(TrackSpec { name: &name, process: "", kind: TrackKind::Profile, sort: domain })
        });
        let stack = stack(&pickle, frames, &mut stacks, b);
        let row = *sums.entry((track, stack)).or_insert_with(|| {
            rows.push(((track, stack), [0, 0]));
            rows.len() - 1
        });
        let [bytes, blocks] = &mut rows[row].1;
        (*bytes, *blocks) = (bytes.saturating_add(size), *blocks + 1);
    }
    if rows.is_empty() {
        let what = odd.first().unwrap_or_else(|| "holds no block: nothing was traced".into());
        return Err(ImportError::malformed(what).remedy("call `tracemalloc.start(25)` before the work"));
    }
    for ((track, stack), values) in rows {
        let weights: Vec<_> = metrics.into_iter().zip(values).collect();
        b.sample(track, stack, &weights);
    }
    odd.report(b);
    Ok(())
}

/// The stack of a traceback, whose frames are `(file, line)`, the innermost first. Tracebacks that many blocks share are one object of the pickle.
fn stack(
    pickle: &Pickle<'_>,
    frames: Value,
    known: &mut FxHashMap<u32, Option<StackId>>,
    b: &mut ProfileBuilder,
) -> Option<StackId> {
    let Value::Object(id) = frames else { return None };
    if let Some(stack) = known.get(&id) {
        return *stack;
    }
    let mut stack = None;
    for &frame in pickle.items(frames).iter().rev() {
        let [file, line] = pickle.items(frame) else { continue };
        let file = pickle.text(*file);
        let line = if let Value::Int(n) = line { u32::try_from(*n).unwrap_or(0) } else { 0 };
        let base = file.rsplit(['/', '\\']).next().unwrap_or(&file);
        let (name, module) = (format!("{base}:{line}"), module_of(&file));
        let spec =
            FunctionSpec { name: &name, module: &module, file: &file, line, ..FunctionSpec::default() };
        let function = b.function(spec);
        let frame = b.frame(function, line);
        stack = Some(b.stack(stack, frame));
    }
    known.insert(id, stack);
    stack
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    /// What `snapshot.statistics("lineno")` and `"traceback"` print of the same snapshot.
    #[test]
    fn lines_hold_what_tracemalloc_says() {
        for version in ["py38", "py313"] {
            let path = format!(
                "{}/sample_profiles/memory/tracemalloc-{version}.snapshot",
                env!("CARGO_MANIFEST_DIR")
            );
            let bytes = std::fs::read(path).unwrap();
            let p = open_bytes(&bytes).unwrap();
            assert_eq!(p.meta.format, "tracemalloc", "{version}");
            let sums = totals(&p);
            // 100 blocks of 10,000 bytes, each with its header of 33.
            assert_eq!(sums["keep.py:7"].0, 100 * 10_033, "{version}");
            assert_eq!(sums["keep.py:12"].1, 100 * 10_033 + sums["keep.py:12"].0, "{version}: who called");
            damage(&bytes, drop);
        }
    }
}
