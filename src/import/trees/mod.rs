//! Formats that are one tree of calls with costs, printed or exported by their tool.

pub(super) mod ghc;
pub(super) mod ghc_json;
pub(super) mod instruments;
pub(super) mod macos_sample;
pub(super) mod stackprof;
#[cfg(test)]
mod tests;
pub(super) mod vtune;
