//! Python programs: run as they are, or by `assets/python/profile_run.py`, which starts profilers around them.
//!
//! Around a program are frames of ours that it can see. So it is the interpreter's own main program wherever nothing needs to be around it
//! ([`Around`]).
//!
//! A command is a Python program when its first word is an interpreter, or a script whose first line names
//! one (`pytest`, `uvicorn` and whatever else pip installs). The interpreter itself, its options, the
//! working directory and the environment stay what they are.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::inject::QUIET;
use crate::format;
use crate::import::{self, Input};
use crate::jobs::Job;
use crate::model::Profile;

/// Profilers that the wrapper knows: they listen to the program's calls.
pub(super) const CALLS: &[&str] = &["cprofile", "pyinstrument", "yappi-wall", "yappi-cpu"];
/// What it is told to run the program without one.
const NO_CALLS: &str = "none";

/// Endings of the files that they write.
const ENDINGS: [&str; 2] = ["prof", "pyisession"];

const WRAPPER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/python/profile_run.py"));
const PROFILERS_OF_IT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/python/profilers.py"));

/// What a command line is.
pub(super) enum Prepared {
    /// No Python program that could be profiled.
    Other,
    /// One of an interpreter that is too old for it, by its name.
    TooOld,
    /// One that runs as it is.
    Plain,
    /// One that runs within the wrapper.
    Profiled(Python),
}

/// A Python program that is about to be run under a profiler.
pub(super) struct Python {
    folder: PathBuf,
    /// The command line that does it.
    pub(super) words: Vec<String>,
}

/// What the wrapper says about itself.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct About {
    pub(super) python: String,
    /// Those that ran, in the order in which they were asked for.
    pub(super) profilers: Vec<String>,
    /// Those that were asked for and did not run, and why.
    pub(super) missing: Vec<(String, String)>,
    /// How often the first one stepped back for a profiler of the program's own, and for how long in all.
    pub(super) gaps: u64,
    pub(super) gap_seconds: f64,
    /// Something took its place without a word.
    pub(super) lost: bool,
}

impl About {
    /// Which part of the run has no calls, when one has none.
    pub(super) fn part_without_calls(&self) -> Option<String> {
        if self.lost {
            return Some(
                "the program set a profiler of its own: what ran from then on is not among the calls, and what ran at \
                 that time is too long"
                    .into(),
            );
        }
        let length = format::duration((self.gap_seconds * 1e9) as i64);
        (self.gaps > 0).then(|| {
            format!(
                "the program ran a profiler of its own: {length} of the run are not among the calls, and what ran when \
                 it started is counted up to there"
            )
        })
    }
}

/// The oldest Python that the wrapper runs on.
const OLDEST: (u32, u32) = (3, 6);

/// What may have to be around a program.
pub(super) struct Around<'a> {
    /// Profilers of calls.
    pub(super) profilers: &'a [String],
    /// Something of ours is in the program by its environment.
    pub(super) inside: bool,
    /// Its tasks are recorded.
    pub(super) tasks: bool,
    /// Where it runs; empty for here.
    pub(super) at: &'a str,
}

/// Versions of Python whose main file, where it has coroutines, is compiled by the recorder of tasks: the interpreter does not tell of
/// calls itself.
const REWRITTEN: std::ops::Range<(u32, u32)> = (3, 8)..(3, 12);

impl Around<'_> {
    fn is_needed(&self, split: &Split) -> bool {
        let inside = self.inside && reads_no_environment(&split.interpreter[1..]);
        !self.profilers.is_empty() || inside || (self.tasks && self.rewrites(split))
    }

    fn rewrites(&self, Split { interpreter, program }: &Split) -> bool {
        let file = Path::new(self.at).join(&program[0]);
        let has_coroutines =
            fs::read(file).is_ok_and(|text| memchr::memmem::find(&text, b"async def").is_some());
        has_coroutines && version(&interpreter[0], self.at).is_none_or(|version| REWRITTEN.contains(&version))
    }
}

/// Whether an interpreter with these options looks at no PYTHONPATH, or for no sitecustomize.
fn reads_no_environment(options: &[String]) -> bool {
    let mut after_value = false;
    options.iter().any(|word| {
        let is_value = std::mem::replace(&mut after_value, word == "-X" || word == "-W");
        let letters = word.strip_prefix('-').filter(|rest| !is_value && !rest.starts_with('-')).unwrap_or("");
        letters.chars().take_while(|c| !matches!(c, 'X' | 'W')).any(|c| matches!(c, 'E' | 'I' | 'S'))
    })
}

/// How long an interpreter has to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// The version of an interpreter, as it says it: without anything of the user's, which would run twice.
fn version(interpreter: &str, at: &str) -> Option<(u32, u32)> {
    let mut command = crate::record::program(interpreter);
    command.args(["-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    if !at.is_empty() {
        command.current_dir(at);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let until = Instant::now() + PATIENCE;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut text = String::new();
    child.stdout.take()?.take(64).read_to_string(&mut text).ok()?;
    let (major, minor) = text.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

impl Python {
    /// `folder`: for the profilers' files.
    pub(super) fn prepare(words: &[String], around: &Around<'_>, folder: &Path) -> Result<Prepared, String> {
        let Some(split) = parts(words) else { return Ok(Prepared::Other) };
        if is_too_old(&split.interpreter[0]) {
            return Ok(Prepared::TooOld);
        }
        if !around.is_needed(&split) {
            return Ok(Prepared::Plain);
        }
        let (Split { interpreter, program }, profilers) = (split, around.profilers);
        let failed = |e: std::io::Error| format!("no files for the Python profiler: {e}");
        let wrapper = folder.join("profile_run.py");
        fs::write(&wrapper, WRAPPER).map_err(failed)?;
        fs::write(folder.join("profilers.py"), PROFILERS_OF_IT).map_err(failed)?;
        fs::write(folder.join(QUIET.0), QUIET.1).map_err(failed)?;
        // As it runs without us, for an interpreter that is older than its name says.
        let plain =
            serde_json::to_vec(&[&interpreter[..], &program[..]].concat()).map_err(|e| e.to_string())?;
        fs::write(folder.join("command.json"), plain).map_err(failed)?;
        let profilers = if profilers.is_empty() { NO_CALLS.to_owned() } else { profilers.join(",") };
        let own = [wrapper.display().to_string(), folder.display().to_string(), profilers];
        let words = [interpreter, own.into(), program].concat();
        Ok(Prepared::Profiled(Self { folder: folder.to_owned(), words }))
    }

    /// What the wrapper left: about itself, and the profilers' own files.
    pub(super) fn result(&self) -> (About, Vec<PathBuf>) {
        let about = fs::read(self.folder.join("about.json")).ok();
        let about: About = about.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let file = |name: &String| {
            let files = ENDINGS.iter().map(|ending| self.folder.join(format!("{name}.{ending}")));
            files.into_iter().find(|f| f.exists())
        };
        let files = about.profilers.iter().filter_map(file).collect();
        (about, files)
    }
}

/// Whether a version such as «3.12.1» or «3.13.0rc1» is that or a later one.
pub(super) fn is_at_least(version: &str, least: (u32, u32)) -> bool {
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    parts.next().zip(parts.next()).is_some_and(|found| found >= least)
}

/// Reads what a profiler wrote.
pub(super) fn read(file: &Path) -> Result<Profile, String> {
    import::open_whole(&Input::Path(file.to_owned()), &Job::new()).map_err(|e| e.to_string())
}

/// A Python command line in two: the interpreter with its options, and what it runs.
#[derive(Debug, PartialEq, Eq)]
struct Split {
    interpreter: Vec<String>,
    program: Vec<String>,
}

fn parts(words: &[String]) -> Option<Split> {
    let (first, rest) = words.split_first()?;
    if is_python(first) {
        let (options, program) = split_options(rest)?;
        return Some(Split { interpreter: [vec![first.clone()], options].concat(), program });
    }
    let file = find(first)?;
    let line = shebang(&file)?;
    // Options in the first line, as if a program came after them.
    let (options, _) = split_options(&[&line[1..], &["x".to_owned()]].concat())?;
    let interpreter = [vec![line[0].clone()], options].concat();
    Some(Split { interpreter, program: [vec![file.display().to_string()], rest.to_vec()].concat() })
}

/// `python`, `python3.12`, `pypy3`, `/usr/bin/python3.13t`, `python.exe` …
fn is_python(word: &str) -> bool {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_ascii_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|v| {
        v.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 't' | 'd' | 'm' | 'u' | 'w'))
    })
}

/// `python2`, `python3.5`: those name a version that the wrapper does not run on.
fn is_too_old(word: &str) -> bool {
    let digits =
        word.rsplit(['/', '\\']).next().unwrap_or(word).trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let mut parts = digits.split('.').map(|p| p.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok());
    let (major, minor): (Option<u32>, Option<u32>) = (parts.next().flatten(), parts.next().flatten());
    major.is_some_and(|major| (major, minor.unwrap_or(u32::MAX)) < OLDEST)
}

/// Options of the interpreter, and the program with its arguments; `None` when it runs no program.
fn split_options(words: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let mut options: Vec<String> = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "-" || word == "--version" || word.starts_with("--help") {
            return None;
        }
        if !word.starts_with('-') {
            return Some((options, std::iter::once(word).chain(rest).cloned().collect()));
        }
        if word.starts_with("--") {
            options.push(word.clone());
            if word == "--check-hash-based-pycs" {
                options.push(rest.next()?.clone());
            }
            continue;
        }
        for (at, letter) in word.char_indices().skip(1) {
            let after = &word[at + 1..];
            match letter {
                'c' | 'm' => {
                    let value = if after.is_empty() { rest.next()?.clone() } else { after.to_owned() };
                    if at > 1 {
                        options.push(word[..at].to_owned());
                    }
                    let program = [format!("-{letter}"), value];
                    return Some((options, program.into_iter().chain(rest.cloned()).collect()));
                }
                'V' | 'h' | '?' | 'i' => return None,
                'X' | 'W' => {
                    options.push(word.clone());
                    if after.is_empty() {
                        options.push(rest.next()?.clone());
                    }
                    break;
                }
                _ if after.is_empty() => options.push(word.clone()),
                _ => {}
            }
        }
    }
    None
}

/// The file that a command's first word names, as the system would find it.
pub(super) fn find(word: &str) -> Option<PathBuf> {
    if word.contains(['/', '\\']) {
        return Some(PathBuf::from(word)).filter(|p| p.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(word)).find(|p| p.is_file())
}

/// The interpreter of a script with its options, when it is Python.
fn shebang(file: &Path) -> Option<Vec<String>> {
    let mut head = Vec::new();
    fs::File::open(file).ok()?.take(512).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if words.first()?.ends_with("/env") {
        words.remove(0);
        if words.first()? == "-S" {
            words.remove(0);
        }
    }
    is_python(words.first()?).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::*;

    fn split(line: &str) -> Option<(String, String)> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parts(&words).map(|s| (s.interpreter.join(" "), s.program.join(" ")))
    }

    #[test]
    fn command_lines_of_python_come_apart_as_the_interpreter_reads_them() {
        for (line, interpreter, program) in [
            ("python app.py -m x", "python", "app.py -m x"),
            ("/usr/bin/python3.12 -u -X dev app.py a", "/usr/bin/python3.12 -u -X dev", "app.py a"),
            ("python3 -m pkg.mod --n 3", "python3", "-m pkg.mod --n 3"),
            ("python3 -um pkg x", "python3 -u", "-m pkg x"),
            ("python -Wd -Bc print(1) x", "python -Wd -B", "-c print(1) x"),
            ("pypy3 -mjson.tool", "pypy3", "-m json.tool"),
        ] {
            assert_eq!(split(line), Some((interpreter.into(), program.into())), "{line}");
        }
        for line in
            ["python", "python -", "python --version", "python -i app.py", "ls -l", "pythonic x", "python -m"]
        {
            assert_eq!(split(line), None, "{line}");
        }
    }

    #[test]
    fn interpreters_that_look_at_no_environment_are_known_by_their_options() {
        let of = |line: &str| reads_no_environment(&parts_of(line).interpreter[1..]);
        for line in ["python -I app.py", "python -uE app.py", "python -X dev -S app.py", "python -sSm x"] {
            assert!(of(line), "{line}");
        }
        for line in
            ["python app.py -I", "python -X IES app.py", "python -WError app.py", "python -s -u app.py"]
        {
            assert!(!of(line), "{line}");
        }
    }

    fn parts_of(line: &str) -> Split {
        parts(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn old_interpreters_are_known_by_their_names() {
        for old in ["python2", "/usr/bin/python2.7", "python3.5", "python3.0m", "pypy2", "PYTHON2.7.EXE"] {
            assert!(is_python(old) && is_too_old(old), "{old}");
        }
        for new in [
            "python",
            "python3",
            "python3.6",
            "python3.13t",
            "/opt/python2.7/bin/python3",
            "pypy3",
            "python.exe",
        ] {
            assert!(is_python(new) && !is_too_old(new), "{new}");
        }
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let known = ["3.12.1", "3.13.0rc1", "3.9.18", "2.7.18", "", "x"].map(|v| is_at_least(v, (3, 12)));
        assert_eq!(known, [true, true, false, false, false, false]);
    }

    #[test]
    fn scripts_of_python_are_known_by_their_first_line() {
        let folder = Folder::beside(None).unwrap();
        let script = |name: &str, first: &str| {
            let path = folder.path().join(name);
            fs::write(&path, format!("{first}\nprint(1)\n")).unwrap();
            path.display().to_string()
        };
        let tool = script("tool", "#!/opt/venv/bin/python3");
        assert_eq!(
            split(&format!("{tool} -v")),
            Some(("/opt/venv/bin/python3".into(), format!("{tool} -v")))
        );
        let env = script("env", "#!/usr/bin/env -S python3 -u");
        assert_eq!(split(&env), Some(("python3 -u".into(), env.clone())));
        assert_eq!(split(&script("shell", "#!/bin/sh")), None);
        assert_eq!(split(&folder.path().join("absent").display().to_string()), None);
    }
}
