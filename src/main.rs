//! The program: see [`inferscope::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    inferscope::record::install();
    inferscope::cli::run()
}
