//! `inferscope-profiler`: inferscope by the name of its Python distribution, so that `uvx inferscope-profiler` finds a
//! command. Runs the program beside it.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let beside = std::env::current_exe().and_then(|own| own.canonicalize());
    let program = match beside {
        Ok(own) => own.with_file_name(format!("inferscope{}", std::env::consts::EXE_SUFFIX)),
        Err(e) => return fail(&format!("where it lies cannot be told: {e}")),
    };
    let mut command = Command::new(&program);
    command.args(std::env::args_os().skip(1));
    #[cfg(unix)]
    let e = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let e = match command.status() {
        Ok(status) => return ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
        Err(e) => e,
    };
    fail(&format!("{} cannot be run: {e}", program.display()))
}

fn fail(why: &str) -> ExitCode {
    eprintln!("inferscope-profiler: {why}");
    ExitCode::from(2)
}
