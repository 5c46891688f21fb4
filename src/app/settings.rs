//! What is remembered between starts: recent files, theme, layout. One JSON file in the user's
//! configuration folder. What of it cannot be read (another version wrote it) is left out, the rest is kept; nothing in
//! it names prompts or secrets.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::remote::Address;
use crate::state::Look;

/// Most recent files that are kept.
const RECENT: usize = 12;

/// Bytes that unsaved recordings keep unless something else is said.
const USUAL_UNSAVED: u64 = 2 << 30;

/// Which theme the window uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// As the system says.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// Remembered settings.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Recently opened files, newest first.
    pub recent: Vec<PathBuf>,
    /// What recent files are, and what dominates in them.
    pub recent_about: Vec<(PathBuf, String)>,
    /// Tips that were shown.
    pub tips: Vec<String>,
    /// Commands that were chosen by name last.
    pub commands: Vec<String>,
    /// Theme.
    pub theme: ThemeChoice,
    /// The saved layout of panes.
    pub layout: Option<Value>,
    /// How files were looked at, newest first.
    pub looks: Vec<(PathBuf, Look)>,
    /// The workload that was recorded last, with its parameters.
    pub workload: Option<(String, Vec<(String, String)>)>,
    /// The machine on which was recorded last; this one when there is none.
    pub target: Option<String>,
    /// Machines on which was recorded, the last one first.
    pub targets: Vec<String>,
    /// Command lines that were recorded, the last one first; none that holds a secret.
    pub command_lines: Vec<String>,
    /// Recordings leave out the texts of prompts and answers.
    pub no_texts: bool,
    /// Recordings keep one of so many root spans; all when it is not set.
    pub one_root_of: Option<u32>,
    /// Samples of memory, CPU and GPU per second; the usual number when it is not set.
    pub sample_hz: Option<u32>,
    /// Memory for what is recorded, in MiB; the usual number when it is not set.
    pub memory_limit: Option<u32>,
    /// Recordings do not count allocations by span.
    pub no_allocations: bool,
    /// The folder for journals of recordings; the system's usual one when it is not set.
    pub journal: Option<PathBuf>,
    /// Bytes that unsaved recordings keep at most; the usual number when it is not set.
    pub unsaved_bytes: Option<u64>,
    /// Metrics that the person defined.
    pub metrics: Vec<crate::analysis::formula::Definition>,
    /// The command that opens a line in the person's editor.
    pub editor: Option<String>,
    /// Coding agents of the person may see and steer the window.
    pub agents: bool,
    /// What models cost, as the person typed it.
    pub prices: Vec<crate::analysis::prices::TypedPrice>,
    /// A file with a table of prices.
    pub price_table: Option<PathBuf>,
    /// Where source files are that profiles name otherwise.
    pub sources: Vec<crate::analysis::source_file::SourceRule>,
}

impl Settings {
    /// Where settings live; `None` when the system has no place for them.
    #[must_use]
    pub fn path() -> Option<PathBuf> {
        Some(dirs::config_dir()?.join("inferscope").join("settings.json"))
    }

    /// Reads settings; defaults when there are none.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        std::fs::read(path).ok().and_then(|bytes| Self::read(&bytes)).unwrap_or_default()
    }

    /// The settings of a file, without those that cannot be read and those entries of lists that cannot.
    fn read(bytes: &[u8]) -> Option<Self> {
        let fits = |name: &str, value: &Value| {
            serde_json::from_value::<Self>(Map::from_iter([(name.to_owned(), value.clone())]).into()).is_ok()
        };
        let mut read: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
        read.retain(|name, value| {
            if !fits(name, value)
                && let Value::Array(entries) = value
            {
                entries.retain(|entry| fits(name, &Value::Array(vec![entry.clone()])));
            }
            fits(name, value)
        });
        serde_json::from_value(read.into()).ok()
    }

    /// Writes settings, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        crate::export::write_bytes(&serde_json::to_vec_pretty(self)?, path)
    }

    /// Bytes that unsaved recordings keep of the disk at most.
    #[must_use]
    pub fn unsaved_bytes(&self) -> u64 {
        self.unsaved_bytes.unwrap_or(USUAL_UNSAVED)
    }

    /// Changes that.
    pub fn set_unsaved_bytes(&mut self, bytes: u64) {
        self.unsaved_bytes = (bytes != USUAL_UNSAVED).then_some(bytes);
    }

    /// Keeps where was recorded; `None` is this machine.
    pub fn remember_target(&mut self, target: Option<&str>) {
        self.target = target.map(str::to_owned);
        target.into_iter().for_each(|target| put_first(&mut self.targets, target));
    }

    /// Keeps a command that was recorded.
    pub fn remember_command(&mut self, command: &str) {
        if !command.trim().is_empty() && *crate::record::secrets::mask(command) == *command {
            put_first(&mut self.command_lines, command);
        }
    }

    /// Puts a file first among the recent ones.
    pub fn remember(&mut self, file: &Path) {
        let here = |file: &Path| std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let file = if Address::is_one(file) { file.to_owned() } else { here(file) };
        self.recent.retain(|f| *f != file);
        self.recent.insert(0, file);
        self.recent.truncate(RECENT);
    }
}

fn put_first(recent: &mut Vec<String>, text: &str) {
    recent.retain(|t| t != text);
    recent.insert(0, text.to_owned());
    recent.truncate(RECENT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_restart_and_a_broken_file_is_ignored() {
        let folder = std::env::temp_dir().join(format!("inferscope-settings-{}", std::process::id()));
        let path = folder.join("a").join("settings.json");
        let mut settings = Settings::default();
        for i in 0..20 {
            settings.remember(Path::new(&format!("/p/{}", i % 15)));
        }
        assert_eq!(settings.recent.len(), RECENT);
        assert_eq!(settings.recent[0], Path::new("/p/4"));
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path), settings);
        std::fs::write(&path, b"{\"recent\": 7").unwrap();
        assert_eq!(Settings::load(&path), Settings::default());
        let foreign = br#"{"recent": ["/p/1"], "theme": "sepia", "new": 1, "no_texts": true,
            "looks": [["/p/1", {"range": [1, 2]}], ["/p/2", {"range": "all"}], ["/p/3", {}]]}"#;
        std::fs::write(&path, foreign).unwrap();
        let read = Settings::load(&path);
        assert_eq!(
            (read.recent, read.theme, read.no_texts),
            (vec!["/p/1".into()], ThemeChoice::System, true)
        );
        let looks: Vec<_> = read.looks.iter().map(|(path, _)| path.to_str().unwrap()).collect();
        assert_eq!(looks, ["/p/1", "/p/3"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
