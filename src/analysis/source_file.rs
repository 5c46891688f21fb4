//! Finding the source file that a profile names.
//!
//! Profiles come from other machines, so a path in them is a hint. It is tried in this order: the person's
//! own rules («from → to», the longest «from» first), the path as it stands, the path below the profile's
//! own folder. A relative part never leads out of the folder it is joined to. A text that the profile itself
//! carries comes before all of these: it is what ran, while a file may have changed since.

use std::path::{Path, PathBuf};

use super::syntax::{Language, State};
use crate::import::read_code;
use crate::jobs::Cancelled;
use crate::query::{Context, Query};

/// Files whose path in the profile starts with `from` lie under `to`. When `from` is a whole path, `to` is
/// that one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct SourceRule {
    /// A file or folder as the profile names it.
    pub from: String,
    /// Where it is here.
    pub to: PathBuf,
}

/// Why there can be no file of that name; `None` when there can.
#[must_use]
pub fn no_file(file: &str) -> Option<&'static str> {
    match file {
        "" => Some("The profile does not say in which file this function is."),
        "~" => Some("This function is built into Python; it has no Python source."),
        "???" => Some(
            "The profile does not say in which file this function is. Compile with debug information (-g) to see \
             source lines.",
        ),
        _ if file.starts_with(['<', '[', '(']) => {
            Some("This code has no file: it was generated, typed in or is part of the runtime.")
        }
        _ => None,
    }
}

/// The parts of a path without `.` and `..`; `None` when it leads out of where it starts.
fn parts(path: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            // A drive or a stream of a file has no place inside a relative path.
            _ if part.contains(':') => return None,
            _ => parts.push(part),
        }
    }
    Some(parts)
}

fn same(path: &str) -> String {
    path.trim_end_matches(['/', '\\']).replace('\\', "/")
}

/// What of `file` comes after `from`; empty for the whole path.
fn rest<'f>(file: &'f str, from: &str) -> Option<&'f str> {
    let (start, whole) = (same(from), file.replace('\\', "/"));
    let after = whole.strip_prefix(&start)?;
    (after.is_empty() || after.starts_with('/') || start.is_empty())
        .then(|| &file[file.len() - after.len()..])
}

/// The rule that takes `file` to `chosen`, and as much as possible of what lies beside it: the ends that
/// both have in common are left out of both.
#[must_use]
pub fn rule_for(file: &str, chosen: &Path) -> SourceRule {
    let mut from: Vec<&str> = file.split(['/', '\\']).collect();
    let mut to = chosen.to_owned();
    while let (Some(name), Some(last)) = (to.file_name().and_then(|n| n.to_str()), from.last())
        && name == *last
        && from.len() > 1
        && to.parent().is_some_and(|p| p != Path::new(""))
    {
        to.pop();
        from.pop();
    }
    let kept: usize = from.iter().map(|p| p.len() + 1).sum();
    let from = &file[..kept.saturating_sub(1).min(file.len())];
    if from.is_empty() {
        return SourceRule { from: file.to_owned(), to: chosen.to_owned() };
    }
    SourceRule { from: from.to_owned(), to }
}

/// A place to look: the path, and the folder that it must stay in.
pub(super) type Candidate = (PathBuf, Option<PathBuf>);

pub(super) fn candidates(query: &SourceFile) -> Vec<Result<Candidate, (String, String)>> {
    let file = query.file.strip_prefix("file://").unwrap_or(&query.file);
    let refuse = |path: &str| Err((path.to_owned(), "leads out of its folder; it is not opened".to_owned()));
    let mut found = Vec::new();
    let mut rules: Vec<_> = query.rules.iter().filter_map(|r| Some((r, rest(file, &r.from)?))).collect();
    rules.sort_by_key(|(rule, _)| std::cmp::Reverse(rule.from.len()));
    for (rule, rest) in rules {
        found.push(match (rest, parts(rest)) {
            ("", _) => Ok((rule.to.clone(), None)),
            (_, Some(parts)) => {
                let path = parts.iter().fold(rule.to.clone(), |path, part| path.join(part));
                Ok((path, Some(rule.to.clone())))
            }
            (_, None) => refuse(rest),
        });
    }
    let path = Path::new(file);
    // A share of another computer would be asked for a password by merely looking.
    let share = file.starts_with("\\\\") || file.starts_with("//");
    if path.is_absolute() && !share {
        found.push(
            match parts(file.split_once(':').filter(|(drive, _)| drive.len() == 1).map_or(file, |p| p.1)) {
                Some(_) => Ok((path.to_owned(), None)),
                None => refuse(file),
            },
        );
    } else if let (false, Some(folder)) = (share, &query.beside) {
        found.push(match parts(file) {
            Some(parts) => {
                let path = parts.iter().fold(folder.clone(), |path, part| path.join(part));
                Ok((path, Some(folder.clone())))
            }
            None => refuse(file),
        });
    }
    found
}

/// Looks for a source file and reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceFile {
    /// The path as the profile has it.
    pub file: String,
    /// The folder of the profile.
    pub beside: Option<PathBuf>,
    /// Where to look first.
    pub rules: Vec<SourceRule>,
    /// Counts up to read the file again.
    pub attempt: u32,
}

/// A source file, or where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceAnswer {
    /// It was found.
    Found(SourceText),
    /// It was not.
    Missing {
        /// Why there can be none, when there can be none.
        why: Option<&'static str>,
        /// Each place with the reason.
        tried: Vec<(String, String)>,
    },
}

impl SourceAnswer {
    /// The text, if it was found.
    #[must_use]
    pub fn text(&self) -> Option<&SourceText> {
        match self {
            Self::Found(text) => Some(text),
            Self::Missing { .. } => None,
        }
    }
}

/// The text of a file, by lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// Where it was found; the name in the profile when the profile carries the text.
    pub path: PathBuf,
    /// True when the profile carries the text.
    pub carried: bool,
    /// How it is coloured.
    pub language: Language,
    text: String,
    /// End of each line, without its newline, and where the next one starts.
    ends: Vec<u32>,
    states: Vec<State>,
}

impl SourceText {
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        let language = Language::of(&path);
        let (mut ends, mut states, mut state) = (Vec::new(), Vec::new(), State::default());
        for line in text.split_inclusive('\n') {
            ends.push(ends.last().copied().unwrap_or(0) + line.len() as u32);
            states.push(state);
            state = language.words(state, line.trim_end_matches(['\n', '\r']), &mut |_, _| ());
        }
        Self { path, carried: false, language, text, ends, states }
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True for an empty file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line `line`, counted from 1, and what the colouring starts in; `None` past the end.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<(&str, State)> {
        let i = (line as usize).checked_sub(1)?;
        let end = *self.ends.get(i)? as usize;
        let start = i.checked_sub(1).map_or(0, |above| self.ends[above] as usize);
        Some((self.text.get(start..end)?.trim_end_matches(['\n', '\r']), self.states[i]))
    }
}

impl Query for SourceFile {
    type Output = SourceAnswer;

    fn run(&self, cx: &Context<'_>) -> Result<SourceAnswer, Cancelled> {
        if let Some(why) = no_file(&self.file) {
            return Ok(SourceAnswer::Missing { why: Some(why), tried: Vec::new() });
        }
        let sources = &cx.profile().sources;
        if let Some(text) = cx.profile().strings.find(&self.file).and_then(|file| sources.get(file)) {
            let text = SourceText::new(PathBuf::from(&self.file), text.to_string());
            return Ok(SourceAnswer::Found(SourceText { carried: true, ..text }));
        }
        let mut tried = Vec::new();
        for candidate in candidates(self) {
            cx.job().checkpoint(0, 0)?;
            match candidate {
                Err(refused) => tried.push(refused),
                Ok((path, root)) => match read_code(&path, root.as_deref()) {
                    Ok(text) => return Ok(SourceAnswer::Found(SourceText::new(path, text))),
                    Err(why) => tried.push((path.display().to_string(), why)),
                },
            }
        }
        Ok(SourceAnswer::Missing { why: None, tried })
    }

    fn weight(answer: &SourceAnswer) -> usize {
        match answer {
            SourceAnswer::Found(text) => text.text.len() + text.ends.len() * 8,
            SourceAnswer::Missing { .. } => 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};

    fn look(file: &str, beside: &Path, rules: &[(&str, &Path)]) -> SourceAnswer {
        let rule = |r: &(&str, &Path)| SourceRule { from: r.0.into(), to: r.1.to_owned() };
        let query = SourceFile {
            file: file.into(),
            beside: Some(beside.to_owned()),
            rules: rules.iter().map(rule).collect(),
            attempt: 0,
        };
        (*ask(&subject("main 0 1"), &query)).clone()
    }

    fn first(answer: &SourceAnswer) -> &str {
        match answer {
            SourceAnswer::Found(text) => text.line(1).unwrap().0,
            SourceAnswer::Missing { .. } => "-",
        }
    }

    #[test]
    fn rules_come_first_and_no_path_leads_out_of_a_folder() {
        let root = std::env::temp_dir().join(format!("inferscope-sources-{}", std::process::id()));
        let (home, other) = (root.join("home"), root.join("other"));
        std::fs::create_dir_all(home.join("src/sub")).unwrap();
        std::fs::create_dir_all(other.join("sub")).unwrap();
        std::fs::write(home.join("src/a.py"), "home a\nx").unwrap();
        std::fs::write(home.join("src/sub/b.py"), "home b").unwrap();
        std::fs::write(other.join("a.py"), "other a").unwrap();
        std::fs::write(root.join("secret"), "secret").unwrap();
        let at = |file: &str, rules: &[(&str, &Path)]| first(&look(file, &home, rules)).to_owned();
        assert_eq!(at("src/a.py", &[]), "home a");
        assert_eq!(at("./src/sub/../a.py", &[]), "home a", "as valgrind writes paths");
        assert_eq!(at(&home.join("src/a.py").display().to_string(), &[]), "home a");
        assert_eq!(at("/build/x/a.py", &[("/build/x", &other)]), "other a");
        assert_eq!(at("/build/xy/a.py", &[("/build/x", &other)]), "-");
        assert_eq!(
            at("C:\\build\\x\\a.py", &[("C:\\build", Path::new("/nowhere")), ("C:/build/x/", &other)]),
            "other a"
        );
        assert_eq!(at("/build/b.py", &[("/build/b.py", &home.join("src/sub/b.py"))]), "home b");
        assert_eq!(at("../secret", &[]), "-");
        assert_eq!(at("src/../../secret", &[]), "-");
        assert_eq!(at("/build/x/../../secret", &[("/build/x", &other)]), "-");
        let SourceAnswer::Missing { tried, .. } = look("../secret", &home, &[]) else { panic!() };
        assert!(tried[0].1.contains("leads out"), "{tried:?}");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn names_without_a_file_say_so() {
        for name in ["", "~", "???", "<string>", "<frozen importlib._bootstrap>", "[kernel]"] {
            let SourceAnswer::Missing { why, tried } = look(name, Path::new("/"), &[]) else { panic!() };
            assert!(why.is_some() && tried.is_empty(), "{name}");
        }
    }

    #[test]
    fn choosing_one_file_finds_its_neighbours() {
        let rule = |file: &str, chosen: &str| {
            let rule = rule_for(file, Path::new(chosen));
            (rule.from, rule.to.display().to_string())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(rule("/build/x/src/a.py", "/home/me/x/src/a.py"), pair("/build", "/home/me"));
        assert_eq!(rule("/build/a.py", "/home/me/copy.py"), pair("/build/a.py", "/home/me/copy.py"));
        assert_eq!(rule("a.py", "/home/me/a.py"), pair("a.py", "/home/me/a.py"));
        assert_eq!(rule("src/a.py", "/home/me/src/a.py"), pair("src", "/home/me/src"));
        assert_eq!(rule("C:\\b\\a.py", "/home/a.py"), pair("C:\\b", "/home"));
        assert_eq!(rule("/a.py", "/a.py"), pair("/a.py", "/a.py"));
    }

    #[test]
    fn lines_are_counted_as_editors_do() {
        let text = SourceText::new("a.py".into(), "x = 1\r\n\n'''y\nz'''".into());
        assert_eq!(text.len(), 4);
        assert_eq!(text.line(1).unwrap().0, "x = 1");
        assert_eq!(text.line(2).unwrap().0, "");
        assert_eq!(text.line(4).unwrap().0, "z'''");
        assert_ne!(text.line(4).unwrap().1, State::default(), "inside the long string");
        assert!(text.line(5).is_none() && text.line(0).is_none());
    }
}
