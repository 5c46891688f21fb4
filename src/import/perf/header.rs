//! The two kinds of lines.

use super::super::read::json::Decimal;

/// The line that begins a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub command: &'a str,
    pub pid: &'a str,
    pub tid: Option<&'a str>,
    /// ns
    pub time: Option<i64>,
    pub period: Option<i64>,
    /// Without modifiers (`cycles:u` is `cycles`).
    pub event: &'a str,
    /// What follows on the line.
    pub rest: &'a str,
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The next word and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Reads `command pid/tid [cpu] time: period event:`. A command may hold blanks and numbers: the first number after
/// which the rest makes sense is the process.
pub(super) fn header(line: &str) -> Option<Header<'_>> {
    let start = line.len() - line.trim_start().len();
    let mut at = start;
    loop {
        let (found, rest) = word(&line[at..])?;
        let found_at = line.len() - rest.len() - found.len();
        let (pid, tid) = match found.split_once('/') {
            Some((pid, tid)) => (pid, Some(tid)),
            None => (found, None),
        };
        let pid_like = is_number(pid.strip_prefix('-').unwrap_or(pid)) && tid.is_none_or(is_number);
        if found_at > start
            && pid_like
            && let Some(rest) = after_pid(rest)
        {
            return Some(Header { command: line[start..found_at].trim_end(), pid, tid, ..rest });
        }
        at = line.len() - rest.len();
    }
}

fn after_pid(text: &str) -> Option<Header<'_>> {
    let mut header =
        Header { command: "", pid: "", tid: None, time: None, period: None, event: "", rest: "" };
    let (mut found, mut rest) = word(text)?;
    if found.strip_prefix('[').and_then(|f| f.strip_suffix(']')).is_some_and(is_number) {
        (found, rest) = word(rest)?;
    }
    // Flags of latency tracing: `d..2.`.
    if (4..=6).contains(&found.len())
        && found.bytes().all(|b| b == b'.' || b.is_ascii_alphanumeric())
        && found.contains('.')
        && !is_time(found)
    {
        (found, rest) = word(rest)?;
    }
    if let Some(time) = found.strip_suffix(':').filter(|t| is_time(t)) {
        header.time = Decimal::parse(time.as_bytes()).and_then(|d| d.scaled(9));
        (found, rest) = word(rest)?;
    }
    if is_number(found) {
        header.period = Some(found.parse().unwrap_or(i64::MAX));
        (found, rest) = word(rest)?;
    }
    let event = found.strip_suffix(':')?;
    let name_like = |b: u8| b.is_ascii_alphanumeric() || b"_-:/.,=@{}*".contains(&b);
    if !event.bytes().any(|b| b.is_ascii_alphabetic()) || !event.bytes().all(name_like) {
        return None;
    }
    header.event = without_modifiers(event);
    header.rest = rest;
    Some(header)
}

fn is_time(text: &str) -> bool {
    text.split_once('.').is_some_and(|(s, f)| is_number(s) && is_number(f)) || is_number(text)
}

/// `cycles:uppp` is `cycles`; `sched:sched_switch` has no modifiers.
fn without_modifiers(event: &str) -> &str {
    match event.rsplit_once(':') {
        Some((name, flags)) if !name.is_empty() && flags.bytes().all(|b| b"ukhHGpPSDIewW".contains(&b)) => {
            name
        }
        _ => event,
    }
}

/// Symbol and module of `address symbol+offset (module)`.
pub(super) fn frame_line(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with([' ', '\t']) {
        return None;
    }
    let (address, rest) = word(line.trim_end())?;
    if !address.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let rest = rest.trim_start();
    let (symbol, module) = match rest.strip_suffix(')') {
        Some(inner) => {
            let deleted = inner.strip_suffix(" (deleted)").or(inner.strip_suffix(" (deleted"));
            let (symbol, module) = deleted.unwrap_or(inner).rsplit_once('(')?;
            (symbol.trim_end(), module)
        }
        None => (rest, ""),
    };
    let symbol = match symbol.rsplit_once("+0x") {
        Some((name, offset)) if !name.is_empty() && offset.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => symbol,
    };
    Some((if symbol.is_empty() { "[unknown]" } else { symbol }, module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_version() {
        let short = |line| header(line).map(|h| (h.command, h.pid, h.tid, h.time, h.period, h.event));
        let time = Some(441_995_133_575_000);
        for (line, want) in [
            (
                "iperf 27409/28744 [000] 441995.133575: cpu-clock: ",
                ("iperf", "27409", Some("28744"), time, None, "cpu-clock"),
            ),
            ("node-v011 31912 cpu-clock: ", ("node-v011", "31912", None, None, None, "cpu-clock")),
            (
                "V8 WorkerThread 25 9/11 [001] 0.1:  250 cycles:uppp: ",
                ("V8 WorkerThread 25", "9", Some("11"), Some(100_000_000), Some(250), "cycles"),
            ),
            (
                "Gecko\t25122 [007] 1.5:\t\t1000000 task-clock:u:",
                ("Gecko", "25122", None, Some(1_500_000_000), Some(1_000_000), "task-clock"),
            ),
            (
                "swapper     0 [012] 2.5:   20834821 cycles:",
                ("swapper", "0", None, Some(2_500_000_000), Some(20_834_821), "cycles"),
            ),
            (
                "sh 1 [000] d..2. 2.5: sched:sched_switch: prev_comm=a",
                ("sh", "1", None, Some(2_500_000_000), None, "sched:sched_switch"),
            ),
            (
                "   false 39654 1.5:   1 cycles:u:  ffff [unknown] ([unknown])",
                ("false", "39654", None, Some(1_500_000_000), Some(1), "cycles"),
            ),
        ] {
            assert_eq!(short(line), Some(want), "{line}");
        }
        for line in
            ["\tffffffff main+0x26 ([kernel.kallsyms])", "cpu 12 %", "MEM 12.3 179.2", "a;b 3", "", "x: 3"]
        {
            assert_eq!(short(line), None, "{line}");
        }
    }

    #[test]
    fn frames_of_every_kind() {
        for (line, want) in [
            (
                "\tffffffff815e48fd finish_fault+0x26d ([kernel.kallsyms])",
                ("finish_fault", "[kernel.kallsyms]"),
            ),
            (" 1 f(int, char) (/tmp/perf-1.map)", ("f(int, char)", "/tmp/perf-1.map")),
            (" 1 a (/memfd:x (deleted))", ("a", "/memfd:x")),
            (
                "        b3cea6c4\tLock::unlock() (/system/lib/libc.so)",
                ("Lock::unlock()", "/system/lib/libc.so"),
            ),
            ("  7f [unknown] ([unknown])", ("[unknown]", "[unknown]")),
        ] {
            assert_eq!(frame_line(line), Some(want), "{line}");
        }
        assert_eq!(frame_line("main+0x1 (x)"), None);
    }
}
