//! The program: see [`inferscope::cli`].

use std::process::ExitCode;

/// So that recordings know which span holds how much memory.
#[global_allocator]
static ALLOCATOR: inferscope::record::CountingAllocator = inferscope::record::CountingAllocator;

fn main() -> ExitCode {
    inferscope::record::install();
    inferscope::cli::run()
}
