//! Drawing call graphs of 100, 500 and 2,000 functions.
//!
//! Target: 20 ms, 0.2 s and 1.5 s. `GRAPH_OUT=folder cargo bench --bench graph` also writes each graph for
//! `tests/benches/graph_vs_dot.py`, which compares crossings and width with Graphviz.
//!
//! Its rows in `assets/guide/speed.md`:
//!
//! - laying out a graph of 100 / 500 / 2,000 functions
#![allow(
    missing_docs,
    clippy::panic,
    reason = "criterion makes public functions, and a bench may fail loudly"
)]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use inferscope::analysis::graph_layout::{Drawing, Placed, draw};

mod calls;

/// A graph that gets wider with its size.
fn calls(nodes: usize) -> Drawing {
    let (nodes, edges) = calls::calls(nodes, 1, true);
    Drawing { nodes, edges, ..Drawing::default() }
}

fn drawn(drawing: &Drawing) -> Placed {
    draw(drawing, &|| Ok(())).unwrap_or_else(|e| panic!("{e}"))
}

fn write(folder: &str, name: usize, drawing: &Drawing, placed: &Placed) -> std::io::Result<()> {
    let mut dot = "digraph{node[shape=box,fixedsize=true];\n".to_owned();
    let mut json = "{\"nodes\":[".to_owned();
    for (i, ((w, h), at)) in drawing.nodes.iter().zip(&placed.nodes).enumerate() {
        let _ = writeln!(dot, "{i}[width={},height={}];", w / 72.0, h / 72.0);
        let _ = write!(json, "{}[{},{},{w},{h}]", if i > 0 { "," } else { "" }, at.x, at.y);
    }
    json += "],\"edges\":[";
    for (i, ((a, b, _), curve)) in drawing.edges.iter().zip(&placed.edges).enumerate() {
        let _ = writeln!(dot, "{a}->{b};");
        let points: Vec<String> = curve.iter().map(|p| format!("[{},{}]", p.x, p.y)).collect();
        let _ = write!(json, "{}[{a},{b},[{}]]", if i > 0 { "," } else { "" }, points.join(","));
    }
    let _ = write!(json, "],\"width\":{}}}", placed.width);
    std::fs::write(format!("{folder}/{name}.dot"), dot + "}")?;
    std::fs::write(format!("{folder}/{name}.json"), json)
}

fn graph(c: &mut Criterion) {
    let mut group = c.benchmark_group("graph");
    group.sample_size(10);
    for nodes in [100, 500, 2000] {
        let drawing = calls(nodes);
        if let Ok(folder) = std::env::var("GRAPH_OUT") {
            write(&folder, nodes, &drawing, &drawn(&drawing)).unwrap_or_else(|e| panic!("{folder}: {e}"));
        }
        let name = format!("{nodes} functions, {} calls", drawing.edges.len());
        group.bench_function(name, |b| b.iter(|| black_box(drawn(&drawing))));
    }
    group.finish();
}

criterion_group!(benches, graph);
criterion_main!(benches);
