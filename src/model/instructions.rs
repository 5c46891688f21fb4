//! What functions spent in each machine instruction, which instruction called what, and how often jumps were taken: what
//! callgrind records with `--dump-instr=yes --collect-jumps=yes`.
//!
//! Addresses are those of the object file that a function is in ([`super::Function::module`]), as its linker gave them: the tool
//! has subtracted where the file was loaded. What is in no file has the address in the process.

use super::ids::{NodeId, StringId};
use super::place_table::{PARTS, Place, PlaceTable};

/// A machine instruction of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instruction {
    /// The function.
    pub node: NodeId,
    /// Where it stands in the object file.
    pub address: u64,
    /// The file of its source line (differs from the function's for inlined code).
    pub file: StringId,
    /// Its source line, 1-based; 0 when unknown.
    pub line: u32,
}

impl Place for Instruction {
    fn node(&self) -> NodeId {
        self.node
    }

    fn parts(&self) -> [u64; PARTS] {
        [self.address, self.file.0.into(), self.line.into()]
    }

    fn new(node: NodeId, [address, file, line]: [u64; PARTS]) -> Self {
        Self { node, address, file: StringId(file as u32), line: line as u32 }
    }
}

/// Calls of one function from an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstructionCall {
    /// Who calls.
    pub caller: NodeId,
    /// The instruction that calls.
    pub address: u64,
    /// Who is called.
    pub callee: NodeId,
}

impl Place for InstructionCall {
    fn node(&self) -> NodeId {
        self.caller
    }

    fn parts(&self) -> [u64; PARTS] {
        [self.address, self.callee.0.into(), 0]
    }

    fn new(node: NodeId, [address, callee, _]: [u64; PARTS]) -> Self {
        Self { caller: node, address, callee: NodeId(callee as u32) }
    }
}

/// A jump from one instruction to another. Its numbers are how often it was executed, and how often it was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jump {
    /// The function that jumps.
    pub node: NodeId,
    /// The instruction that jumps.
    pub from: u64,
    /// Where to, in the same object file; it may be outside of the function.
    pub to: u64,
    /// True when it is followed or not by what is computed before.
    pub conditional: bool,
}

impl Place for Jump {
    fn node(&self) -> NodeId {
        self.node
    }

    fn parts(&self) -> [u64; PARTS] {
        [self.from, self.to, self.conditional.into()]
    }

    fn new(node: NodeId, [from, to, conditional]: [u64; PARTS]) -> Self {
        Self { node, from, to, conditional: conditional != 0 }
    }
}

/// Numbers by machine instructions.
#[derive(Clone, Debug)]
pub struct Instructions {
    /// Self costs.
    pub costs: PlaceTable<Instruction>,
    /// Calls with their total costs.
    pub calls: PlaceTable<InstructionCall>,
    /// Jumps.
    pub jumps: PlaceTable<Jump>,
}

/// Numbers of a [`Jump`]: executed, followed.
const OF_A_JUMP: usize = 2;

impl Default for Instructions {
    fn default() -> Self {
        let mut jumps = PlaceTable::default();
        jumps.set_stride(OF_A_JUMP);
        Self { costs: PlaceTable::default(), calls: PlaceTable::with_calls(), jumps }
    }
}

impl Instructions {
    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.costs.heap_bytes() + self.calls.heap_bytes() + self.jumps.heap_bytes()
    }

    /// Adds a jump that was executed and followed so often.
    pub fn jump(&mut self, jump: Jump, executed: u64, followed: u64) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.jumps.push_numbers(jump, &[number(executed), number(followed)]);
    }

    pub(crate) fn put_in_order(&mut self) {
        self.costs.put_in_order();
        self.calls.put_in_order();
        self.jumps.put_in_order();
    }
}
