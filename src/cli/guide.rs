//! `inferscope guide`: how a coding agent uses the questions, printed, or put where its tool looks for such texts.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Failure;
use super::out::{print_lines, say};
use crate::export::write_bytes;

/// The text. At most 400 tokens, because it is read in each session.
pub(super) const GUIDE: &str = include_str!("guide.md");

/// What the text is for, where a tool lists it without its content.
const ABOUT: &str = "Find out from profiles and traces why a program or an LLM application is slow, waits or costs too \
                     much; compare two runs; record again. Use when asked about performance.";

const BEGIN: &str = "<!-- inferscope guide: begin -->";
const END: &str = "<!-- inferscope guide: end -->";

/// Tools that read such a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// Claude Code: .claude/skills/inferscope/SKILL.md.
    Claude,
    /// Codex: .codex/skills/inferscope/SKILL.md.
    Codex,
    /// Cursor: .cursor/rules/inferscope.mdc.
    Cursor,
    /// Any other one: a marked block of AGENTS.md.
    Agents,
}

/// Arguments of `guide`.
#[derive(Debug, Args)]
#[command(after_help = "Example: inferscope guide --install claude")]
pub(super) struct GuideArgs {
    /// Write it to the place where this tool looks.
    #[arg(long, value_name = "TOOL")]
    install: Option<Reader>,
    /// Remove it from there.
    #[arg(long, value_name = "TOOL", conflicts_with = "install")]
    remove: Option<Reader>,
    /// The folder of the project.
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(args: &GuideArgs) -> Result<(), Failure> {
    match (args.install, args.remove) {
        (Some(reader), _) => reader.install(&args.folder),
        (None, Some(reader)) => reader.remove(&args.folder),
        (None, None) => print_lines(GUIDE),
    }
}

impl Reader {
    fn path(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Claude => ".claude/skills/inferscope/SKILL.md",
            Self::Codex => ".codex/skills/inferscope/SKILL.md",
            Self::Cursor => ".cursor/rules/inferscope.mdc",
            Self::Agents => "AGENTS.md",
        })
    }

    /// A file of our own; `None` for a block in somebody else's.
    fn own_file(self) -> Option<String> {
        let head = match self {
            Self::Claude | Self::Codex => format!("---\nname: inferscope\ndescription: {ABOUT}\n---\n"),
            Self::Cursor => format!("---\ndescription: {ABOUT}\nalwaysApply: false\n---\n"),
            Self::Agents => return None,
        };
        Some(format!("{head}{}", block()))
    }

    fn install(self, folder: &Path) -> Result<(), Failure> {
        let path = self.path(folder);
        let old = read(&path)?;
        let text = match (self.own_file(), &old) {
            (Some(_), Some(old)) if !old.contains(BEGIN) => {
                return Err(failed(&path, "is there already and is not of inferscope; move it away first"));
            }
            (Some(own), _) => own,
            (None, Some(old)) => with_block(old).map_err(|why| failed(&path, why))?,
            (None, None) => block(),
        };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| failed(folder, &format!("cannot be made ({e})")))?;
        }
        write_bytes(text.as_bytes(), &path)
            .map_err(|e| failed(&path, &format!("cannot be written ({e})")))?;
        say(format_args!("Wrote {}", path.display()));
        Ok(())
    }

    fn remove(self, folder: &Path) -> Result<(), Failure> {
        let path = self.path(folder);
        let Some(old) = read(&path)?.filter(|old| old.contains(BEGIN)) else {
            say(format_args!("{}: the guide is not there", path.display()));
            return Ok(());
        };
        let left = match self.own_file() {
            Some(_) => String::new(),
            None => without_block(&old).map_err(|why| failed(&path, why))?,
        };
        let gone = |e: std::io::Error| failed(&path, &format!("cannot be changed ({e})"));
        if left.trim().is_empty() {
            std::fs::remove_file(&path).map_err(gone)?;
            // Our own folder, unless something else was put into it.
            if let Some(own) = path.parent().filter(|f| f.ends_with("skills/inferscope")) {
                let _ = std::fs::remove_dir(own);
            }
        } else {
            write_bytes(left.as_bytes(), &path).map_err(gone)?;
        }
        say(format_args!("Took the guide out of {}", path.display()));
        Ok(())
    }
}

fn failed(path: &Path, why: &str) -> Failure {
    Failure::new(format!("{}: {why}", path.display()))
}

/// The text of a file; `None` when there is none.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(failed(path, "is no UTF-8 text; it is left as it is")),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(path, &format!("cannot be read ({e})"))),
    }
}

fn block() -> String {
    format!("{BEGIN}\n{GUIDE}{END}\n")
}

/// Where the block begins and ends, its last line end included.
fn place(text: &str) -> Result<Option<(usize, usize)>, &'static str> {
    let Some(begin) = text.find(BEGIN) else { return Ok(None) };
    let end = text[begin..]
        .find(END)
        .ok_or("the end mark of the guide is missing; put it back or take the begin mark out")?;
    let end = begin + end + END.len();
    let rest = &text[end..];
    let line_end = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    Ok(Some((begin, end + line_end)))
}

/// A text with the block in it: in its old place, or at the end after an empty line.
fn with_block(old: &str) -> Result<String, &'static str> {
    let block = if old.contains("\r\n") { block().replace('\n', "\r\n") } else { block() };
    Ok(match place(old)? {
        Some((begin, end)) => format!("{}{block}{}", &old[..begin], &old[end..]),
        None => {
            let newline = if old.contains("\r\n") { "\r\n" } else { "\n" };
            let gap = match old {
                "" => String::new(),
                old if old.ends_with('\n') => newline.to_owned(),
                _ => newline.repeat(2),
            };
            format!("{old}{gap}{block}")
        }
    })
}

/// A text as it was before [`with_block`].
fn without_block(old: &str) -> Result<String, &'static str> {
    let Some((begin, end)) = place(old)? else { return Ok(old.to_owned()) };
    let before = &old[..begin];
    // The empty line in front came with it.
    let before = match before
        .strip_suffix("\r\n\r\n")
        .map(|b| (b, "\r\n"))
        .or(before.strip_suffix("\n\n").map(|b| (b, "\n")))
    {
        Some((text, newline)) => format!("{text}{newline}"),
        None => before.to_owned(),
    };
    Ok(before + &old[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::questions::{QUESTIONS, tokens};

    #[test]
    fn the_guide_is_short_and_names_the_questions() {
        assert!(tokens::estimate(GUIDE) <= 420, "{}", tokens::estimate(GUIDE));
        for q in QUESTIONS.iter().filter(|q| q.name != "findings") {
            assert!(GUIDE.contains(&format!("inferscope {}", q.name)), "{}", q.name);
        }
    }

    #[test]
    fn a_block_comes_and_goes_and_leaves_the_rest_as_it_was() {
        for old in ["# Mine\n", "# Mine\n\nText.\n", "a\r\nb\r\n"] {
            let with = with_block(old).unwrap();
            assert!(with.starts_with(old) && with.contains(BEGIN));
            assert_eq!(with_block(&with).unwrap(), with, "twice is once");
            assert_eq!(without_block(&with).unwrap(), old);
            let around = format!("{with}after\n");
            assert_eq!(with_block(&around).unwrap(), around);
            assert!(without_block(&around).unwrap().ends_with("after\n"));
        }
        assert!(with_block(BEGIN).is_err(), "half a block is not guessed at");
    }
}
