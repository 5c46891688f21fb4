//! What GPUs and their tools write.

pub(super) mod nsys;
pub(super) mod smi;
