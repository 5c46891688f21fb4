//! What a reader of a drawing relies on: nothing overlaps, edges keep clear of nodes, the same graph
//! gives the same picture, and what stays keeps its order.

use super::*;

#[path = "../../../tests/benches/calls.rs"]
mod sample;

fn calls(nodes: usize, seed: u64) -> Drawing {
    let (nodes, edges) = sample::calls(nodes, seed, false);
    Drawing { nodes, edges, ..Drawing::default() }
}

fn drawn(drawing: &Drawing) -> Placed {
    draw(drawing, &|| Ok(())).unwrap_or_else(|_| panic!("nobody cancels"))
}

/// Points of a curve.
fn along(curve: &[Point]) -> Vec<Point> {
    let pieces = curve.windows(4).step_by(3);
    let points = pieces.flat_map(|piece| {
        [0.0f32, 0.25, 0.5, 0.75, 1.0].map(|t| {
            let u = 1.0 - t;
            let mix = |f: fn(&Point) -> f32| {
                f(&piece[0]) * u * u * u
                    + f(&piece[1]) * 3.0 * u * u * t
                    + f(&piece[2]) * 3.0 * u * t * t
                    + f(&piece[3]) * t * t * t
            };
            Point { x: mix(|p| p.x), y: mix(|p| p.y) }
        })
    });
    points.collect()
}

#[test]
fn nodes_keep_apart_and_edges_keep_clear_of_them() {
    for seed in 0..8 {
        for direction in [Direction::Down, Direction::Right] {
            let drawing = Drawing { direction, ..calls(10 + 7 * seed as usize, seed) };
            let placed = drawn(&drawing);
            let inside = |p: Point, i: usize, margin: f32| {
                let (at, (w, h)) = (placed.nodes[i], drawing.nodes[i]);
                (p.x - at.x).abs() < w / 2.0 - margin && (p.y - at.y).abs() < h / 2.0 - margin
            };
            for i in 0..drawing.nodes.len() {
                for j in 0..i {
                    let (a, b) = (placed.nodes[i], placed.nodes[j]);
                    let (x, y) = ((a.x - b.x).abs(), (a.y - b.y).abs());
                    let (sa, sb) = (drawing.nodes[i], drawing.nodes[j]);
                    assert!(x >= (sa.0 + sb.0) / 2.0 || y >= (sa.1 + sb.1) / 2.0, "{i} and {j} overlap");
                }
            }
            for (&(a, b, _), curve) in drawing.edges.iter().zip(&placed.edges) {
                assert_eq!(curve.len() % 3, 1);
                for p in along(curve) {
                    let foreign = (0..drawing.nodes.len()).filter(|&i| i != a as usize && i != b as usize);
                    for i in foreign {
                        assert!(!inside(p, i, 1.0), "{a} -> {b} goes through {i}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_same_graph_gives_the_same_picture() {
    let drawing = calls(120, 3);
    assert_eq!(drawn(&drawing), drawn(&drawing));
}

#[test]
fn what_stays_keeps_its_order_when_others_come_or_go() {
    let large = calls(90, 5);
    let before = drawn(&large);
    // The last nodes go.
    let kept = 70u32;
    let small = Drawing {
        nodes: large.nodes[..kept as usize].to_vec(),
        edges: large.edges.iter().copied().filter(|e| e.0 < kept && e.1 < kept).collect(),
        seed: Some((0..kept as usize).map(|i| Some(before.nodes[i].x)).collect()),
        ..Drawing::default()
    };
    let after = drawn(&small);
    let (mut kept_order, mut pairs) = (0, 0);
    for i in 0..kept as usize {
        for j in 0..i {
            let same_row = before.nodes[i].y == before.nodes[j].y && after.nodes[i].y == after.nodes[j].y;
            if same_row {
                pairs += 1;
                let (was, is) = (before.nodes[i].x < before.nodes[j].x, after.nodes[i].x < after.nodes[j].x);
                kept_order += usize::from(was == is);
            }
        }
    }
    assert!(pairs > 50 && kept_order * 100 >= pairs * 90, "{kept_order} of {pairs}");
}

#[test]
fn callers_stand_above_callees_and_a_cycle_is_cut_once() {
    let drawing = Drawing {
        nodes: vec![(100.0, 44.0); 5],
        edges: vec![(0, 1, 1), (1, 2, 1), (2, 1, 1), (2, 3, 1), (0, 3, 1), (3, 3, 1)],
        ..Drawing::default()
    };
    let placed = drawn(&drawing);
    let y = |i: usize| placed.nodes[i].y;
    assert!(y(0) < y(1) && y(1) < y(2) && y(2) < y(3));
    let back = &placed.edges[2];
    assert!(back.first().is_some_and(|p| p.y < y(2)) && back.last().is_some_and(|p| p.y > y(1)));
    assert!(placed.edges[5].iter().all(|p| p.x >= placed.nodes[3].x + 49.0), "a loop beside its node");
    assert_eq!(placed.crossings, 0);
    let right = drawn(&Drawing { direction: Direction::Right, ..drawing });
    assert!(right.nodes[0].x < right.nodes[1].x && right.width > right.height);
}

#[test]
fn odd_graphs_are_drawn_within_bounds() {
    let sizes = |n: usize| vec![(100.0, 44.0); n];
    let chain: Vec<(u32, u32, u8)> = (1..800).map(|i| (i - 1, i, 1)).collect();
    let mut far = chain.clone();
    far.extend((0..520).map(|i| (i, 799 - i / 2, 1)));
    let star: Vec<(u32, u32, u8)> = (1..800).map(|i| (0, i, 1)).collect();
    let alone = Vec::new();
    let ring: Vec<(u32, u32, u8)> = (0..300).map(|i| (i, (i + 1) % 300, 1)).collect();
    for (nodes, edges) in [(800, chain), (800, far), (800, star), (500, alone), (300, ring), (0, vec![])] {
        let placed = drawn(&Drawing { nodes: sizes(nodes), edges, ..Drawing::default() });
        assert!(placed.nodes.iter().all(|p| p.x.is_finite() && p.y.is_finite()));
        assert!(placed.edges.iter().map(Vec::len).sum::<usize>() < 1_000_000);
    }
}

/// Frames hold their nodes and nothing else; what is drawn within them hangs together.
#[test]
fn frames_keep_foreign_nodes_and_edges_out() {
    for seed in 0..8u64 {
        for direction in [Direction::Down, Direction::Right] {
            let plain = calls(12 + 9 * seed as usize, seed);
            let frames = 2 + seed as u32;
            let inside = (0..plain.nodes.len() as u32)
                .map(|v| {
                    Some(v.wrapping_mul(2_654_435_761) >> 28)
                        .map(|f| f % (frames + 1))
                        .filter(|&f| f < frames)
                })
                .collect::<Vec<_>>();
            let titles = vec![150.0; frames as usize];
            let drawing = Drawing { direction, inside: inside.clone(), titles, ..plain };
            let placed = drawn(&drawing);
            assert_eq!(placed, drawn(&drawing), "the same each time");
            let used: std::collections::BTreeSet<u32> = inside.iter().flatten().copied().collect();
            assert_eq!(placed.frames.len(), used.len());
            for (i, frame) in placed.frames.iter().enumerate() {
                assert!(frame.max.x - frame.min.x >= 150.0, "room for the title");
                for (v, at) in placed.nodes.iter().enumerate() {
                    let (w, h) = drawing.nodes[v];
                    let apart = at.x + w / 2.0 <= frame.min.x
                        || at.x - w / 2.0 >= frame.max.x
                        || at.y + h / 2.0 <= frame.min.y
                        || at.y - h / 2.0 >= frame.max.y;
                    let within = at.x - w / 2.0 >= frame.min.x
                        && at.x + w / 2.0 <= frame.max.x
                        && at.y - h / 2.0 >= frame.min.y
                        && at.y + h / 2.0 <= frame.max.y;
                    let own = inside[v] == Some(frame.of);
                    assert!(if own { within } else { apart }, "{v} and frame {}", frame.of);
                }
                for other in &placed.frames[..i] {
                    let apart = frame.min.x >= other.max.x
                        || frame.max.x <= other.min.x
                        || frame.min.y >= other.max.y
                        || frame.max.y <= other.min.y;
                    assert!(apart, "frames {} and {}", frame.of, other.of);
                }
            }
            for (&(a, b, _), curve) in drawing.edges.iter().zip(&placed.edges) {
                assert_eq!(curve.len() % 3, 1);
                let (Some(first), Some(last)) = (curve.first(), curve.last()) else { panic!("{a} -> {b}") };
                for (end, v) in [(first, a), (last, b)] {
                    let (at, (w, h)) = (placed.nodes[v as usize], drawing.nodes[v as usize]);
                    let (x, y) = ((end.x - at.x).abs(), (end.y - at.y).abs());
                    assert!(x <= w / 2.0 + 0.5 && y <= h / 2.0 + 0.5, "{a} -> {b} ends at its nodes");
                }
                let foreign =
                    placed.frames.iter().filter(|f| [a, b].iter().all(|&v| inside[v as usize] != Some(f.of)));
                let boxes: Vec<Frame> = foreign.copied().collect();
                for p in along(curve) {
                    let hits = |f: &&Frame| {
                        p.x > f.min.x + 1.0
                            && p.x < f.max.x - 1.0
                            && p.y > f.min.y + 1.0
                            && p.y < f.max.y - 1.0
                    };
                    assert!(!boxes.iter().any(|f| hits(&f)), "{a} -> {b} through a foreign frame");
                    let node = |v: &usize| {
                        let (at, (w, h)) = (placed.nodes[*v], drawing.nodes[*v]);
                        (p.x - at.x).abs() < w / 2.0 - 1.0 && (p.y - at.y).abs() < h / 2.0 - 1.0
                    };
                    let others = (0..placed.nodes.len()).filter(|&v| v != a as usize && v != b as usize);
                    assert!(!others.into_iter().any(|v| node(&v)), "{a} -> {b} through a foreign node");
                }
            }
        }
    }
}

#[test]
fn many_frames_and_frames_of_many_are_drawn_in_time() {
    let plain = calls(200, 9);
    for frames in [1u32, 12, 150] {
        let inside = (0..200u32).map(|v| Some(v.wrapping_mul(2_654_435_761) % frames)).collect();
        let placed = drawn(&Drawing { inside, ..plain.clone() });
        assert!(placed.nodes.iter().all(|p| p.x.is_finite()) && placed.frames.len() <= frames as usize);
    }
}
