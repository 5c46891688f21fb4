//! A project: runs that belong together, what a person calls them and writes about them, and how they are compared.
//!
//! A JSON file beside the runs. Paths in it are relative to its folder and have `/` between their parts, so that the
//! folder opens on another machine; texts that this version does not know stay in it.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::{Baseline, Look};
use crate::analysis::prices::TypedPrice;
use crate::query::Alignment;

/// Ending of its files.
pub const EXTENSION: &str = "inferscope-project";
/// Version of the format that is written.
const VERSION: u32 = 1;
/// Most bytes of a file that are read.
pub const MOST_BYTES: u64 = 16 << 20;
/// Most runs of a project.
const MOST_RUNS: usize = 1000;

/// What a person thinks of the change that a run shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing yet.
    #[default]
    Open,
    /// The change stays.
    Keep,
    /// It goes.
    Reject,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Keep, Self::Reject];

    /// The word on the screen.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Open => "undecided",
            Self::Keep => "keep",
            Self::Reject => "reject",
        }
    }
}

/// A run of a project.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ProjectRun {
    /// Its file, relative to the project's folder.
    pub file: String,
    /// The part of the file that it is, where a file holds several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What the person calls it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What the person wrote about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whether its change stays.
    pub decision: Decision,
    /// What the runs of one thing are called that it is one of.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub series: String,
    /// Set for one that others are compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_baseline: Option<Baseline>,
    /// How it was looked at.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "super::look::if_readable")]
    pub look: Option<Look>,
}

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Project {
    /// Version of the format.
    pub inferscope_project: u32,
    /// What the person wrote about all of it.
    pub notes: String,
    /// The runs, in the order of their tabs.
    pub runs: Vec<ProjectRun>,
    /// Which run the others are compared with.
    pub baseline: Option<usize>,
    /// Which run is shown.
    pub shown: Option<usize>,
    /// How two runs are laid beside each other: rules and pairs by hand.
    pub alignment: Alignment,
    /// What models cost, above the tables of prices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<TypedPrice>,
    /// The panes.
    pub layout: Option<Value>,
    /// What another version wrote.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Project {
    /// Reads a file's content.
    ///
    /// # Errors
    /// One line, when it is no project, or one of a newer version.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let project: Self = serde_json::from_slice(bytes)
            .map_err(|e| format!("line {}, column {}: no inferscope project ({e})", e.line(), e.column()))?;
        match project.inferscope_project {
            0 => Err("no inferscope project: it has no field «inferscope_project» with its version".into()),
            1..=VERSION if project.runs.len() > MOST_RUNS => {
                Err(format!("it has {} runs, more than {MOST_RUNS}", project.runs.len()))
            }
            1..=VERSION => Ok(project),
            newer => Err(format!(
                "made by a newer inferscope (version {newer} of the format, this one reads {VERSION})"
            )),
        }
    }

    /// The file's content.
    #[must_use]
    pub fn written(&self) -> String {
        let project = Self { inferscope_project: VERSION, ..self.clone() };
        let mut text = serde_json::to_string_pretty(&project).unwrap_or_default();
        text.push('\n');
        text
    }

    /// True for a file that has the name of one.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case(EXTENSION))
    }
}

/// `file` as a project in `folder` names it. Both are absolute. A file on another drive keeps its whole path.
#[must_use]
pub fn relative(folder: &Path, file: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), file.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    // Nothing but the root in common is no relation that another machine would have.
    if common <= usize::from(from.first() == Some(&Component::RootDir)) {
        return file.to_string_lossy().into_owned();
    }
    let up = from[common..].iter().map(|_| "..".to_owned());
    let down = to[common..].iter().map(|c| c.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// Where the file is that a project in `folder` names.
#[must_use]
pub fn resolved(folder: &Path, name: &str) -> PathBuf {
    let path = Path::new(name);
    if path.is_absolute() { path.to_owned() } else { folder.join(path) }
}

/// True when `file` lies in `folder` or below, wherever links lead. What a project that somebody else made names beyond
/// its folder is not opened unasked. A file that is not there counts by its name.
#[must_use]
pub fn is_inside(folder: &Path, file: &Path) -> bool {
    let climbs = file.strip_prefix(folder).map_or(true, |rest| {
        rest.components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir))
    });
    if climbs {
        return false;
    }
    match (folder.canonicalize(), file.canonicalize()) {
        (Ok(folder), Ok(file)) => file.starts_with(folder),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{MatchRule, Step};

    #[test]
    fn a_project_is_read_as_it_was_written_with_what_another_version_added() {
        let alignment = Alignment {
            loosest: Step::Module,
            rules: vec![MatchRule { pattern: "v[0-9]+_".into(), with: String::new() }],
            by_hand: Vec::new(),
        };
        let run = ProjectRun {
            file: "runs/a.prof".into(),
            name: "before".into(),
            note: "two\nlines".into(),
            decision: Decision::Keep,
            ..ProjectRun::default()
        };
        let project = Project {
            inferscope_project: 1,
            notes: "why".into(),
            runs: vec![run, ProjectRun::default()],
            baseline: Some(0),
            shown: Some(1),
            alignment,
            rest: Map::from_iter([("slo".to_owned(), serde_json::json!({ "ttft_s": 0.5 }))]),
            ..Project::default()
        };
        assert_eq!(Project::parse(project.written().as_bytes()).unwrap(), project);
    }

    #[test]
    fn what_is_no_project_says_so() {
        let of = |text: &str| Project::parse(text.as_bytes()).unwrap_err();
        assert!(of("{\n \"runs\": 3}").starts_with("line 2, column"), "{}", of("{\n \"runs\": 3}"));
        assert!(of("{}").contains("inferscope_project"));
        assert!(of("{\"inferscope_project\": 9}").contains("newer"));
        assert!(of("[1").starts_with("line 1"));
    }

    #[test]
    fn names_are_relative_and_lead_back() {
        let folder = Path::new("/home/ann/study");
        for (file, name) in [
            ("/home/ann/study/a.prof", "a.prof"),
            ("/home/ann/study/runs/a.prof", "runs/a.prof"),
            ("/home/ann/data/a.prof", "../data/a.prof"),
            ("/srv/a.prof", "/srv/a.prof"),
        ] {
            assert_eq!(relative(folder, Path::new(file)), name);
            let there = resolved(folder, name);
            let plain: PathBuf = there.components().fold(PathBuf::new(), |mut path, c| {
                match c {
                    Component::ParentDir => drop(path.pop()),
                    c => path.push(c),
                }
                path
            });
            assert_eq!(plain, Path::new(file));
            assert_eq!(is_inside(folder, &there), file.starts_with("/home/ann/study"), "{name}");
        }
        for name in ["../../etc/passwd", "/etc/passwd", "runs/../../x", "."] {
            let inside = is_inside(folder, &resolved(folder, name));
            assert_eq!(inside, name == ".", "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_of_the_folder_is_outside() {
        let root = std::env::temp_dir().join(format!("inferscope-project-{}", std::process::id()));
        let folder = root.join("study");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(root.join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("secret"), folder.join("a.prof")).unwrap();
        std::fs::write(folder.join("b.prof"), "x").unwrap();
        assert!(!is_inside(&folder, &folder.join("a.prof")));
        assert!(is_inside(&folder, &folder.join("b.prof")));
        std::fs::remove_dir_all(root).unwrap();
    }
}
