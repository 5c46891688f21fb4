//! The window that runs beside: what its person looks at, and showing them something.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::files::Files;
use crate::format::short;
use crate::jobs::Job;

/// The connection to a window, made when it is first wanted and again after the window was closed.
#[derive(Default)]
pub(super) struct Window {
    #[cfg(unix)]
    client: Mutex<Option<crate::app::agents::Client>>,
}

/// What `show` takes beside files.
const ARGUMENTS: [&str; 4] = ["select", "range", "search", "view"];

impl Window {
    /// Connects, so that the person sees it; a window may come later, too.
    pub fn connect(&self) {
        #[cfg(unix)]
        if let Ok(client) = crate::app::agents::Client::connect() {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
        }
    }

    #[cfg(unix)]
    fn ask(&self, message: &Value, job: &Job) -> Result<Value, String> {
        use crate::app::agents::{Client, Lost};
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was kept may be closed by now: then another one is looked for.
        if let Some(client) = kept.as_mut() {
            match client.ask(message, job) {
                Ok(said) => return Ok(said),
                Err(Lost::Said(why)) => {
                    // What comes after a cancelled question would be its answer.
                    if job.is_cancelled() {
                        *kept = None;
                    }
                    return Err(why);
                }
                Err(Lost::Gone) => *kept = None,
            }
        }
        let mut client = Client::connect()?;
        match client.ask(message, job) {
            Ok(said) => {
                *kept = Some(client);
                Ok(said)
            }
            Err(Lost::Said(why)) => {
                *kept = Some(client).filter(|_| !job.is_cancelled());
                Err(why)
            }
            Err(Lost::Gone) => Err("the window does not answer".into()),
        }
    }

    #[cfg(not(unix))]
    fn ask(&self, _: &Value, _: &Job) -> Result<Value, String> {
        Err("a running window is not available to agents on this system".into())
    }

    /// What the person looks at.
    pub fn shown(&self, files: &Files, job: &Job) -> Result<String, String> {
        Ok(words(&self.ask(&json!({ "shown": {} }), job)?, files))
    }

    /// Shows the person something, and says what they look at then.
    pub fn show(&self, files: &Files, arguments: &Map<String, Value>, job: &Job) -> Result<String, String> {
        let mut wanted = Map::new();
        for (name, value) in arguments {
            let Some(text) = value.as_str() else {
                return Err(format!("{}: a text is wanted", short(name, 80)));
            };
            let text = match name.as_str() {
                "file" | "base" if !text.is_empty() => files.find(text)?.display().to_string(),
                "base" => String::new(),
                name if ARGUMENTS.contains(&name) => text.to_owned(),
                name => {
                    return Err(format!(
                        "show has no argument «{}»; it has file, base, {}",
                        short(name, 80),
                        ARGUMENTS.join(", ")
                    ));
                }
            };
            wanted.insert(name.clone(), text.into());
        }
        if wanted.is_empty() {
            return Err("show needs what to show: file, base, select, range, search or view".into());
        }
        Ok(words(&self.ask(&json!({ "show": wanted }), job)?, files))
    }

    /// The file of the run that the person looks at.
    pub fn file(&self, job: &Job) -> Result<String, String> {
        let said = self.ask(&json!({ "shown": {} }), job)?;
        let place = said["shown"].as_u64().ok_or("shown: the window shows no run")? as usize;
        let path = said["runs"][place]["path"].as_str();
        path.map(str::to_owned).ok_or_else(|| "shown: this run has no file; save it first".into())
    }
}

/// What the window says, in lines.
fn words(said: &Value, files: &Files) -> String {
    let mut lines = Vec::new();
    let none = Vec::new();
    let runs = said["runs"].as_array().unwrap_or(&none);
    let place = |key: &str| said[key].as_u64().and_then(|i| runs.get(i as usize));
    let name = |run: &Value| {
        let name = run["name"].as_str().unwrap_or_default();
        let path = run["path"].as_str().map(std::path::Path::new);
        let file = match path.map(|path| (files.holds_path(path), path)) {
            Some((true, path)) => format!(" (file {})", files.relative(path)),
            Some((false, _)) => " (a file elsewhere, which cannot be asked about)".to_owned(),
            None => " (not saved)".to_owned(),
        };
        let state = match run["state"].as_str() {
            Some("ready") | None => String::new(),
            Some(other) => format!(", {other}"),
        };
        format!("«{name}»{file}{state}")
    };
    match place("shown") {
        Some(run) => {
            let base = place("base").filter(|base| *base != run);
            let base =
                base.map_or_else(String::new, |base| format!(", compared with {} as base", name(base)));
            lines.push(format!("the person looks at {}{base}", name(run)));
        }
        None => lines.push("the person looks at no run".to_owned()),
    }
    let list = |key: &str| {
        let texts = said[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.collect::<Vec<_>>().join(", ")
    };
    for (title, text) in [
        ("views in front", list("views")),
        ("selected", said["selection"].as_str().unwrap_or_default().to_owned()),
        ("time", said["range"].as_str().unwrap_or_default().to_owned()),
        ("search", said["search"].as_str().unwrap_or_default().to_owned()),
        ("metric", said["metric"].as_str().unwrap_or_default().to_owned()),
        ("only threads", list("threads")),
        ("filters", list("filters")),
    ] {
        if !text.is_empty() {
            lines.push(format!("{title}: {text}"));
        }
    }
    let others = runs.iter().filter(|run| Some(*run) != place("shown"));
    lines.extend(others.map(|run| format!("also open: {}", name(run))));
    if let Some(more) = said["more_runs"].as_u64().filter(|n| *n > 0) {
        lines.push(format!("… {more} more runs"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_person_looks_at_is_said_in_lines_and_other_files_are_not_named() {
        let files = Files::below(&[std::env::temp_dir()]).unwrap();
        let inside = std::env::temp_dir().canonicalize().unwrap().join("a.prof");
        let said = json!({
            "runs": [{ "name": "a.prof", "path": inside, "state": "ready" },
                     { "name": "b.prof", "path": "/home/me/secret/b.prof", "state": "opening" },
                     { "name": "a recording", "path": null, "state": "goes on" }],
            "more_runs": 0, "shown": 0, "base": 1, "views": ["callers", "summary"],
            "selection": "function decode app.py:3 f7", "range": "1ms..2ms", "metric": "time", "threads": [],
        });
        assert_eq!(
            words(&said, &files),
            "the person looks at «a.prof» (file a.prof), compared with «b.prof» (a file elsewhere, which cannot be asked \
             about), opening as base\nviews in front: callers, summary\nselected: function decode app.py:3 f7\n\
             time: 1ms..2ms\nmetric: time\nalso open: «b.prof» (a file elsewhere, which cannot be asked about), opening\n\
             also open: «a recording» (not saved), goes on"
        );
        assert_eq!(words(&json!({}), &files), "the person looks at no run");
    }
}
