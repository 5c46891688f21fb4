//! Call graphs that look like those of programs, the same each time: for tests and benches of the layout.

/// Sizes of nodes, and edges as (caller, callee, weight).
pub type Calls = (Vec<(f32, f32)>, Vec<(u32, u32, u8)>);

/// Numbers that only look random.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % n
    }
}

/// A graph of `nodes` functions. Mostly calls of near functions, some of far ones, some back. With `grows` it gets
/// wider with its size, as large programs do: the callers of a function stand within a tenth of the program.
pub fn calls(nodes: usize, seed: u64, grows: bool) -> Calls {
    let mut random = numbers(seed);
    let mut edges = std::collections::BTreeSet::new();
    for v in 1..nodes {
        let near = (v / 3 + 1).min(nodes / 10 + 2);
        edges.insert(if grows { (v / 3 + random(near) / 2, v) } else { (v - 1 - random(v.min(12)), v) });
        if random(3) == 0 {
            edges.insert(if grows { (random(near), v) } else { (v - 1 - random(v.min(40)), v) });
        }
        if random(if grows { 20 } else { 15 }) == 0 {
            edges.insert((v, random(if grows { v } else { v + 1 })));
        }
    }
    let sizes = (0..nodes).map(|_| (104.0 + random(12) as f32 * 10.0, 44.0)).collect();
    let edges = edges.into_iter().filter(|e| !grows || e.0 != e.1);
    (sizes, edges.map(|(a, b)| (a as u32, b as u32, 1)).collect())
}
