//! Whether stacks may be read from outside, and what is to be done where not.

use std::fs;

use super::find::{began, is_python};

/// The capability to look into any process.
const CAP_SYS_PTRACE: u32 = 19;
/// What a person can do about it.
const REMEDY: &str = "run inferscope as root or with CAP_SYS_PTRACE, or set `sysctl kernel.yama.ptrace_scope=0`; a container needs `--cap-add \
                      SYS_PTRACE`";

/// How much the kernel's Yama forbids: 0 nothing, 1 all but one's own children, 2 all but with the capability, 3 all.
fn yama() -> u32 {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    scope.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Whether this process may look into any.
fn is_capable() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    effective >> CAP_SYS_PTRACE & 1 == 1
}

/// Why stacks of processes that we start cannot be read from outside; `None` when they can.
pub(in crate::record) fn of_children() -> Option<String> {
    let why = match yama() {
        0 | 1 => return None,
        2 if is_capable() => return None,
        scope => format!("kernel.yama.ptrace_scope is {scope}"),
    };
    Some(why)
}

/// Why stacks of a running process cannot be read; `None` when they can.
pub(in crate::record) fn of_process(pid: u32) -> Option<String> {
    if began(pid).is_none() {
        return Some(format!("there is no process {pid}"));
    }
    let capable = is_capable();
    match yama() {
        scope @ (1..) if !capable || scope >= 3 => {
            return Some(format!(
                "process {pid} may not be read (kernel.yama.ptrace_scope is {scope}): {REMEDY}"
            ));
        }
        _ => {}
    }
    // The link of a process of somebody else cannot be read.
    match fs::read_link(format!("/proc/{pid}/exe")) {
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            Some(format!("process {pid} belongs to somebody else: {REMEDY}"))
        }
        Err(_) => Some(format!("process {pid} has no program: it is a thread of the kernel")),
        Ok(file) if !is_python(pid) => {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Some(format!("process {pid} is no Python but {name}: name the interpreter's process"))
        }
        Ok(_) => None,
    }
}

/// What a failure of the library that reads means, in a line.
pub(super) fn in_words(error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    if first.contains("ermission denied") || first.contains("not permitted") || first.contains("EPERM") {
        return format!("it may not be read: {REMEDY}");
    }
    if first.contains("Unsupported version") {
        return format!("{}, which inferscope does not know yet", first.trim_end_matches('.'));
    }
    if first.contains("Failed to find a python interpreter") || first.contains("python version") {
        return "no interpreter was found in it: it is none, a free-threaded one or of an unusual build"
            .into();
    }
    first.to_owned()
}
