//! Drawing call graphs of 100, 500 and 2,000 functions.
//!
//! Target: 20 ms, 0.2 s and 1.5 s. `GRAPH_OUT=folder cargo bench --bench graph` also writes each graph for
//! `tests/benches/graph_vs_dot.py`, which compares crossings and width with Graphviz.
#![allow(
    missing_docs,
    clippy::panic,
    reason = "criterion makes public functions, and a bench may fail loudly"
)]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use inferscope::analysis::graph_layout::{Drawing, Placed, draw};

/// Calls like those of programs: mostly of near functions, some of far ones, some back.
fn calls(nodes: usize) -> Drawing {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % n
    };
    let mut edges = std::collections::BTreeSet::new();
    for v in 1..nodes {
        // The callers of a function stand within a tenth of the program, so depth grows slowly.
        let near = (v / 3 + 1).min(nodes / 10 + 2);
        edges.insert((v / 3 + random(near) / 2, v));
        if random(3) == 0 {
            edges.insert((random(near), v));
        }
        if random(20) == 0 {
            edges.insert((v, random(v)));
        }
    }
    let sizes = (0..nodes).map(|_| (104.0 + random(12) as f32 * 10.0, 44.0)).collect();
    let edges = edges.into_iter().filter(|e| e.0 != e.1).map(|(a, b)| (a as u32, b as u32, 1)).collect();
    Drawing { nodes: sizes, edges, ..Drawing::default() }
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
