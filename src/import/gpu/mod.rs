//! What tools of GPUs write.

pub(super) mod smi;
