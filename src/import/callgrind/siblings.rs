//! Files that belong to one run: `NAME`, `NAME.part`, `NAME-thread`, `NAME.part-thread`.
//!
//! Valgrind writes a file per dump and, on request, per thread; the file without a suffix may be
//! empty then. A name alone proves nothing (`callgrind.out.12` may be part 12 of `callgrind.out` or
//! process 12), so files belong together only when their headers name the same process and command.

use super::super::{Input, Source};

/// The headers that tell which run a file is of, and which piece of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pid: String,
    cmd: String,
    part: String,
    thread: String,
}

impl Run {
    /// True for another piece of the same run. A second file of one piece is of another run: in a container every program
    /// may have the same number.
    fn goes_on(&self, other: &Self) -> bool {
        let is_same_piece = (&self.part, &self.thread) == (&other.part, &other.thread);
        (&self.pid, &self.cmd) == (&other.pid, &other.cmd) && !is_same_piece
    }
}

/// The other files of the run that `source` is a part of, in the order of their names.
pub(super) fn others(source: &Source) -> Vec<Source> {
    let own = source.file_name();
    let empty = source.head().iter().all(u8::is_ascii_whitespace);
    // The pieces that were found, the file itself first.
    let mut pieces: Vec<Run> = run_of(source.head()).into_iter().collect();
    if pieces.is_empty() && !empty {
        return Vec::new();
    }
    let mut found = Vec::new();
    for path in source.siblings() {
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        if !related(&own, name, empty) {
            continue;
        }
        let Ok(other) = Source::open(&Input::Path(path)) else { continue };
        let Some(its) = run_of(other.head()) else { continue };
        if pieces.iter().all(|piece| piece.goes_on(&its)) {
            pieces.push(its);
            found.push(other);
        }
    }
    found
}

/// True when two names may be of one run. Of an empty file only the names that continue its own.
fn related(own: &str, other: &str, only_longer: bool) -> bool {
    let continues = |base: &str, name: &str| name == base || name.strip_prefix(base).is_some_and(is_suffix);
    if only_longer {
        return continues(own, other);
    }
    bases(own).into_iter().flatten().any(|base| continues(base, other))
}

/// `[.part][-thread]`, not empty.
fn is_suffix(text: &str) -> bool {
    let is_number = |t: &str| !t.is_empty() && t.len() <= 10 && t.bytes().all(|b| b.is_ascii_digit());
    let (part, thread) = text.split_once('-').map_or((text, None), |(p, t)| (p, Some(t)));
    let part_fits = match part.strip_prefix('.') {
        Some(part) => is_number(part),
        None => part.is_empty() && thread.is_some(),
    };
    part_fits && thread.is_none_or(is_number)
}

/// The name itself and what it may be a part of.
fn bases(name: &str) -> [Option<&str>; 3] {
    let cut = |name: &'_ str, mark: char| -> Option<usize> {
        name.rfind(mark).filter(|at| is_suffix(&name[*at..]) && *at > 0)
    };
    let threadless = cut(name, '-').map(|at| &name[..at]);
    let shorter = threadless.unwrap_or(name);
    [Some(name), threadless, cut(shorter, '.').map(|at| &shorter[..at])]
}

fn run_of(head: &[u8]) -> Option<Run> {
    let value = |key: &[u8]| {
        head.split(|b| *b == b'\n')
            .take(64)
            .take_while(|l| !l.starts_with(b"events:") && !l.starts_with(b"fn="))
            .find_map(|l| l.strip_prefix(key))
            .map(|v| String::from_utf8_lossy(v.trim_ascii()).into_owned())
    };
    let or_none = |key| value(key).unwrap_or_default();
    Some(Run {
        pid: value(b"pid:")?,
        cmd: or_none(b"cmd:"),
        part: or_none(b"part:"),
        thread: or_none(b"thread:"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_run() {
        for (own, other) in [
            ("callgrind.out.12", "callgrind.out.12.1"),
            ("callgrind.out.12", "callgrind.out.12-03"),
            ("callgrind.out.12", "callgrind.out.12.1-03"),
            ("callgrind.out.12.1-03", "callgrind.out.12"),
            ("callgrind.out.12.1-03", "callgrind.out.12.2-01"),
            ("x.callgrind.out-01", "x.callgrind.out-02"),
        ] {
            assert!(related(own, other, false), "{own} {other}");
        }
        for (own, other) in [
            ("callgrind.out.12", "callgrind.out.12.log"),
            ("callgrind.out.12", "callgrind.out.12.1-"),
            ("a.out", "b.out"),
            ("callgrind.out.12", "callgrind.out.12copy"),
        ] {
            assert!(!related(own, other, false), "{own} {other}");
        }
        assert!(!related("callgrind.out.12", "callgrind.out.13", true));
    }

    #[test]
    fn a_run_is_known_by_its_process_and_command() {
        let head = b"# callgrind format\nversion: 1\npid: 7\ncmd:  ls -l\n\nevents: Ir\npid: 8\n";
        let run = run_of(head).unwrap();
        assert_eq!((&*run.pid, &*run.cmd), ("7", "ls -l"));
        let piece =
            |part: &str, thread: &str| Run { part: part.into(), thread: thread.into(), ..run.clone() };
        assert!(piece("1", "1").goes_on(&piece("2", "1")) && piece("1", "1").goes_on(&piece("1", "2")));
        assert!(!piece("1", "1").goes_on(&piece("1", "1")), "two runs of processes with one number");
        assert_eq!(run_of(b"events: Ir\npid: 8\n"), None);
    }
}
