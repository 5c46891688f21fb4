//! Machine instructions in a session: the writer and the reader of its `INSN` block.
//!
//! There may be tens of millions, so rows stand one after another, function by function, and go straight into their tables. A
//! row is the difference of its place from the one before, its calls where they are counted, and its numbers.

use super::wire::{Damaged, Reader, Writer};
use super::{
    Instruction, InstructionCall, Instructions, Jump, NodeId, Place, PlaceTable, StringId, place_table::PARTS,
};

/// Writes all of it.
pub(crate) fn write_instructions(all: &Instructions, nodes: usize, w: &mut Writer) {
    write(&all.costs, nodes, w);
    write(&all.calls, nodes, w);
    write(&all.jumps, nodes, w);
}

/// What [`write_instructions`] wrote. `strings` and `nodes` say what numbers stand for; there are `metrics` costs
/// at most.
pub(crate) fn read_instructions(
    r: &mut Reader<'_>,
    (strings, nodes, metrics): (&[StringId], &[NodeId], usize),
) -> Result<Instructions, Damaged> {
    let mut all = Instructions::default();
    let node = |n: u64| usize::try_from(n).ok().and_then(|n| nodes.get(n)).copied().ok_or(Damaged);
    let string = |n: u64| usize::try_from(n).ok().and_then(|n| strings.get(n)).copied().ok_or(Damaged);
    read(r, metrics, &node, &mut all.costs, |of, [address, file, line]| {
        let line = u32::try_from(line).map_err(|_| Damaged)?;
        Ok(Instruction { node: of, address, file: string(file)?, line })
    })?;
    read(r, metrics, &node, &mut all.calls, |caller, [address, callee, _]| {
        Ok(InstructionCall { caller, address, callee: node(callee)? })
    })?;
    let width = all.jumps.metrics();
    read(r, width, &node, &mut all.jumps, |of, [from, to, conditional]| match conditional {
        0 | 1 => Ok(Jump { node: of, from, to, conditional: conditional == 1 }),
        _ => Err(Damaged),
    })?;
    if all.jumps.metrics() == width { Ok(all) } else { Err(Damaged) }
}

fn write<P: Place>(table: &PlaceTable<P>, nodes: usize, w: &mut Writer) {
    w.size(table.metrics());
    w.byte(table.is_counted().into());
    let (mut before, mut last) = (0, [0u64; PARTS]);
    for node in 0..nodes {
        let rows = table.of(NodeId::from_index(node));
        if rows.is_empty() {
            continue;
        }
        // 0 is the end.
        w.size(node + 1 - before);
        before = node;
        w.size(rows.len());
        for row in rows.iter() {
            let parts = row.place.parts();
            parts.iter().zip(last).for_each(|(part, last)| w.signed(part.wrapping_sub(last) as i64));
            last = parts;
            if table.is_counted() {
                w.unsigned(row.calls.unwrap_or(0));
            }
            row.costs.iter().for_each(|&cost| w.signed(cost));
        }
    }
    w.size(0);
}

fn read<P: Place>(
    r: &mut Reader<'_>,
    most: usize,
    node: &impl Fn(u64) -> Result<NodeId, Damaged>,
    table: &mut PlaceTable<P>,
    place: impl Fn(NodeId, [u64; PARTS]) -> Result<P, Damaged>,
) -> Result<(), Damaged> {
    let (width, counted) = (r.rows()?, r.byte()? != 0);
    if width > most {
        return Err(Damaged);
    }
    let (mut number, mut parts, mut costs) = (0u64, [0u64; PARTS], vec![0; width]);
    loop {
        let step = r.unsigned()?;
        if step == 0 {
            return Ok(());
        }
        number = number.checked_add(step - 1).ok_or(Damaged)?;
        let of = node(number)?;
        for _ in 0..r.rows()? {
            for part in &mut parts {
                *part = part.wrapping_add(r.signed()? as u64);
            }
            let place = place(of, parts)?;
            let calls = if counted { Some(r.unsigned()?) } else { None };
            for cost in &mut costs {
                *cost = r.signed()?;
            }
            table.push(place, calls, &costs);
        }
    }
}
