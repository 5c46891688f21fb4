//! massif: valgrind's heap profiler. Snapshots of the heap's size; some with a tree of who holds it.
//!
//! Specification: massif's manual («ms_print»); writer: `massif/ms_main.c`.
//!
//! Kept: all sizes over time; the tree of the snapshot that is marked as the peak, or of the largest one that has a
//! tree. Lost: the trees of other snapshots. A tree names the allocation first and its callers below; stacks here are
//! the other way round. Guessed: nothing; time in instructions or bytes is drawn as if each took a nanosecond, and a
//! fact says so.

use super::super::Gives::{Counters, Memory, Tree};
use super::super::read::Oddities;
use super::super::read::lines::{Line, for_each_text_line};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{at_peak, valgrind_frame};
use crate::model::{Basis, ProfileBuilder, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "massif",
    title: "massif",
    written_by: "valgrind --tool=massif",
    extensions: &["massif", "massif.out", "out"],
    gives: &[Tree, Memory, Counters],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let has = |sign| head.says(sign);
    match (head.bytes.starts_with(b"desc:"), has("\ntime_unit: "), has("\nsnapshot=")) {
        (true, true, _) => Confidence::Certain,
        (_, _, true) if has("\nmem_heap_B=") => Confidence::Likely,
        _ => Confidence::No,
    }
}

/// A node of a tree, in the order of the file.
struct Node {
    depth: usize,
    bytes: i64,
    text: String,
}

#[derive(Default)]
struct Snapshot {
    number: u64,
    time: i64,
    heap: i64,
    extra: i64,
    stacks: i64,
    kind: String,
    nodes: Vec<Node>,
}

impl Snapshot {
    fn total(&self) -> i64 {
        self.heap.saturating_add(self.extra).saturating_add(self.stacks)
    }
}

#[derive(Default)]
struct Reader {
    /// ns per unit of time.
    factor: i64,
    current: Option<Snapshot>,
    best: Option<Snapshot>,
    levels: Vec<(i64, [i64; 3])>,
    detailed: usize,
    largest: Option<(i64, u64)>,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader { factor: 1, ..Reader::default() };
    for_each_text_line(source, cx, |cx, line| {
        reader.line(line, &mut cx.builder);
        Ok(())
    })?;
    reader.close();
    if reader.levels.is_empty() {
        return Err(ImportError::malformed("holds no snapshots"));
    }
    reader.finish(&mut cx.builder);
    Ok(())
}

impl Reader {
    fn line(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) {
        let text = line.text;
        if text.starts_with('#') || text.trim().is_empty() {
            return;
        }
        if let Some(number) = text.strip_prefix("snapshot=") {
            self.close();
            self.current = Some(Snapshot { number: number.parse().unwrap_or(0), ..Snapshot::default() });
        } else if let Some(current) = &mut self.current {
            let known = match text.split_once('=') {
                Some((key, value)) if !text.trim_start().starts_with('n') => current.field(key, value),
                _ => node(text).map(|n| current.nodes.push(n)),
            };
            if known.is_none() {
                self.odd.add("line that is no part of a snapshot (skipped)", || line.place());
            }
        } else if let Some((key, value)) = text.split_once(": ") {
            self.header(key, value, builder);
        }
    }

    fn header(&mut self, key: &str, value: &str, builder: &mut ProfileBuilder) {
        match key {
            "cmd" => builder.meta.title = value.into(),
            "desc" => builder.meta.setting("Options", value),
            "time_unit" => {
                let (factor, unit) = match value {
                    "ms" => (1_000_000, ""),
                    "B" => (1, "allocated bytes, drawn as 1 ns each"),
                    _ => (1, "instructions, drawn as 1 ns each"),
                };
                self.factor = factor;
                if !unit.is_empty() {
                    builder.meta.setting("Time is counted in", unit);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        let Some(snapshot) = self.current.take() else { return };
        let time = snapshot.time.saturating_mul(self.factor);
        self.levels.push((time, [snapshot.heap, snapshot.extra, snapshot.stacks]));
        if self.largest.is_none_or(|l| snapshot.total() > l.0) {
            self.largest = Some((snapshot.total(), snapshot.number));
        }
        if snapshot.nodes.is_empty() {
            return;
        }
        self.detailed += 1;
        let rank = |s: &Snapshot| (s.kind == "peak", s.total());
        if self.best.as_ref().is_none_or(|b| rank(&snapshot) > rank(b)) {
            self.best = Some(snapshot);
        }
    }

    fn finish(self, builder: &mut ProfileBuilder) {
        builder.meta.tool = "valgrind massif".into();
        builder.meta.basis = Basis::Aggregated;
        let names = ["Heap", "Heap overhead", "Stacks"];
        for (n, name) in names.into_iter().enumerate() {
            if n > 0 && self.levels.iter().all(|l| l.1[n] == 0) {
                continue;
            }
            let counter = builder.counter(name, "", Unit::Bytes);
            self.levels.iter().for_each(|l| builder.point(counter, l.0, l.1[n] as f64));
        }
        let meta = &mut builder.meta;
        meta.result("Snapshots", format!("{} ({} with a tree)", self.levels.len(), self.detailed));
        if let Some((bytes, number)) = self.largest {
            meta.result("Largest", format!("{bytes} B at snapshot {number}"));
        }
        if let Some(best) = &self.best {
            meta.result("Tree of", format!("snapshot {} ({})", best.number, best.kind));
            tree(&best.nodes, builder);
        }
        self.odd.report(builder);
    }
}

impl Snapshot {
    fn field(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "time" => self.time = value.parse().ok()?,
            "mem_heap_B" => self.heap = value.parse().ok()?,
            "mem_heap_extra_B" => self.extra = value.parse().ok()?,
            "mem_stacks_B" => self.stacks = value.parse().ok()?,
            "heap_tree" => self.kind = value.into(),
            _ => return None,
        }
        Some(())
    }
}

/// ` n2: 4200 0x11B338: main (main.c:3)`: one blank for each level.
fn node(text: &str) -> Option<Node> {
    let depth = text.len() - text.trim_start().len();
    let (_, rest) = text.trim_start().strip_prefix('n')?.split_once(": ")?;
    let (bytes, text) = rest.split_once(' ')?;
    Some(Node { depth, bytes: bytes.parse().ok()?, text: text.into() })
}

/// A node holds its bytes less those of the nodes below it, on the path that leads to it, read backwards.
fn tree(nodes: &[Node], builder: &mut ProfileBuilder) {
    let metric = builder.metric(at_peak());
    let track = builder.track(TrackSpec { name: "Heap", process: "", kind: TrackKind::Profile, sort: 0 });
    let mut path: Vec<usize> = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        path.truncate(node.depth);
        path.push(n);
        let below =
            nodes[n + 1..].iter().take_while(|c| c.depth > node.depth).filter(|c| c.depth == node.depth + 1);
        let own = below.fold(node.bytes, |own, c| own.saturating_sub(c.bytes));
        if own <= 0 {
            continue;
        }
        let mut stack = None;
        // The root only says which functions allocate.
        for &row in path.iter().rev().filter(|&&row| nodes[row].depth > 0) {
            let text = &nodes[row].text;
            let text = if text.contains("below massif's threshold") { "(below the threshold)" } else { text };
            let frame = valgrind_frame(text, builder);
            stack = Some(builder.stack(stack, frame));
        }
        builder.sample(track, stack, &[(metric, own)]);
    }
}
