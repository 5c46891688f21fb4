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

    /// What stands before the block in a file of our own; `None` for a block in somebody else's.
    fn own_head(self) -> Option<String> {
        match self {
            Self::Claude | Self::Codex => Some(format!("---\nname: inferscope\ndescription: {ABOUT}\n---\n")),
            Self::Cursor => Some(format!("---\ndescription: {ABOUT}\nalwaysApply: false\n---\n")),
            Self::Agents => None,
        }
    }

    fn install(self, folder: &Path) -> Result<(), Failure> {
        let path = self.path(folder);
        let old = read(&path)?;
        let text = match (self.own_head(), &old) {
            (Some(_), Some(old)) if !old.contains(BEGIN) => {
                return Err(failed(&path, "is there already and is not of inferscope; move it away first"));
            }
            // What somebody added around the block stays.
            (_, Some(old)) => with_block(old).map_err(|why| failed(&path, why))?,
            (Some(head), None) => with_block(&head).map_err(|why| failed(&path, why))?,
            (None, None) => block("\n"),
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
        let place = place(&old).map_err(|why| failed(&path, why))?;
        let left = without_block(&old).map_err(|why| failed(&path, why))?;
        // A file that was there before has at least a line end in front of the block.
        let is_ours = match self.own_head() {
            Some(head) => left == head || left.is_empty(),
            None => place == Some((0, old.len())),
        };
        let gone = |e: std::io::Error| failed(&path, &format!("cannot be changed ({e})"));
        if is_ours {
            std::fs::remove_file(&path).map_err(gone)?;
            // Our own folder, unless something else was put into it.
            if let Some(own) = path.parent().filter(|f| f.ends_with("skills/inferscope")) {
                let _ = std::fs::remove_dir(own);
            }
        } else {
            write_bytes(left.as_bytes(), &path).map_err(gone)?;
        }
        let stays = if is_ours { "" } else { "; what else is in it stays" };
        say(format_args!("Took the guide out of {}{stays}", path.display()));
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

/// The block with its line ends.
fn block(newline: &str) -> String {
    format!("{BEGIN}\n{GUIDE}{END}\n").replace('\n', newline)
}

/// The line ends of a text.
fn newline_of(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
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

/// A text with the block in it: in its old place, or at the end after one more line end, so that [`without_block`] gives the
/// same text again: one without a last line end, an empty one, too.
fn with_block(old: &str) -> Result<String, &'static str> {
    Ok(match place(old)? {
        Some((begin, end)) => {
            format!("{}{}{}", &old[..begin], block(newline_of(&old[begin..end])), &old[end..])
        }
        None => {
            let newline = newline_of(old);
            format!("{old}{newline}{}", block(newline))
        }
    })
}

/// A text as it was before [`with_block`].
fn without_block(old: &str) -> Result<String, &'static str> {
    let Some((begin, end)) = place(old)? else { return Ok(old.to_owned()) };
    let (before, after) = (&old[..begin], &old[end..]);
    // The line end in front came with it; it stays where it keeps two lines apart.
    let shorter = before.strip_suffix(newline_of(&old[begin..end])).unwrap_or(before);
    let apart = after.is_empty() || shorter.is_empty() || shorter.ends_with('\n');
    Ok(format!("{}{after}", if apart { shorter } else { before }))
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
        let olds = [
            "# Mine\n",
            "# Mine\n\nText.\n",
            "a\r\nb\r\n",
            "no end",
            "a\r\nb\n",
            "a\nb\r\n",
            "a\r\nb",
            "",
            "\n\n",
            "a\r",
        ];
        for old in olds {
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

    #[test]
    fn what_somebody_wrote_survives_install_and_remove() {
        let folder = tempfile_folder("guide");
        let written = |reader: Reader| std::fs::read_to_string(reader.path(&folder)).ok();
        for reader in [Reader::Claude, Reader::Codex, Reader::Cursor] {
            reader.install(&folder).unwrap();
            reader.remove(&folder).unwrap();
            assert_eq!(written(reader), None, "nothing of ours is left");
            reader.install(&folder).unwrap();
            let more = written(reader).unwrap() + "My own rules.\n";
            std::fs::write(reader.path(&folder), &more).unwrap();
            reader.install(&folder).unwrap();
            assert_eq!(written(reader).unwrap(), more, "a second install keeps it");
            reader.remove(&folder).unwrap();
            let left = written(reader).unwrap();
            assert!(left.ends_with("---\nMy own rules.\n") && !left.contains(BEGIN), "{left}");
        }
        for old in [None, Some(""), Some(" \n\n"), Some("no last line end"), Some("a\r\nb\n")] {
            let _ = std::fs::remove_file(Reader::Agents.path(&folder));
            old.iter().for_each(|old| std::fs::write(Reader::Agents.path(&folder), old).unwrap());
            Reader::Agents.install(&folder).unwrap();
            Reader::Agents.remove(&folder).unwrap();
            assert_eq!(written(Reader::Agents).as_deref(), old);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    fn tempfile_folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("inferscope-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}
