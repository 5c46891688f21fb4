//! Coding agents that see and steer the window: off until the person turns it on, for as long as it is on.
//!
//! Two things can be asked: `shown`, what the person looks at, and `show`. What is shown to the person is one step: one
//! [`Command`] of its own for selection, time and search, and with it which run, which comparison and which view is in front;
//! one undo takes all of it back, but for files that were opened, which stay as tabs. Nothing is written, closed or recorded.

#[cfg(unix)]
mod socket;
mod steps;

use std::path::Path;
use std::sync::mpsc::Sender;

use serde_json::{Value, json};

use super::App;
use super::event::Event;
use crate::analysis::prices::Prices;
use crate::format::{duration, short};
use crate::import::Input;
use crate::jobs::{self, Job};
use crate::model::{FunctionId, Profile};
use crate::query::{Run, RunId};
use crate::questions::{Asked, Door, Opened, SourcesFrom, Values};
use crate::state::{Command, Item, Project, RunState};
use crate::ui::theme::Tone;
use crate::views::{self, VIEWS};
#[cfg(unix)]
pub use socket::{Client, Listening, Lost};
use steps::{Brought, Looked, Step, Steps};

/// Longest name in an answer, characters.
const LONGEST: usize = 160;
/// Runs that are listed.
const MOST_RUNS: usize = 40;

/// What comes from a client.
#[derive(Debug)]
pub enum Request {
    /// It connected.
    Came,
    /// It has gone.
    Left,
    /// It wants something.
    Do {
        /// What.
        message: Value,
        /// Where the answer goes.
        reply: Sender<Result<Value, String>>,
    },
}

/// What to show to the person; what is not named stays as it is, and an empty text takes something away.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Show {
    file: Option<String>,
    base: Option<String>,
    select: Option<String>,
    range: Option<String>,
    search: Option<String>,
    view: Option<String>,
}

/// What names mean in the run.
#[derive(Debug)]
pub struct Resolved {
    selection: Option<Option<Item>>,
    range: Option<Option<(i64, i64)>>,
}

/// Something to show that waits for files, or for what its names mean.
struct Pending {
    number: u64,
    show: Show,
    reply: Sender<Result<Value, String>>,
    head: RunId,
    base: Option<RunId>,
    resolving: bool,
}

/// The agents of a window.
#[derive(Default)]
pub(super) struct Agents {
    #[cfg(unix)]
    listening: Option<Listening>,
    pending: Vec<Pending>,
    next: u64,
    pub(super) steps: Steps,
}

impl Agents {
    /// Clients that are connected; `None` while nobody may be.
    pub(super) fn clients(&self) -> Option<usize> {
        #[cfg(unix)]
        return self.listening.as_ref().map(Listening::clients);
        #[cfg(not(unix))]
        None
    }
}

impl App {
    /// Lets agents use the window, or no more.
    pub(super) fn set_agents(&mut self, on: bool) {
        self.settings.agents = on;
        let listens = self.listen(on);
        match (on, listens) {
            (true, Err(why)) => {
                self.settings.agents = false;
                self.say(Tone::Bad, format!("Agents cannot use this window: {why}"));
            }
            (true, Ok(())) => self.say(
                Tone::Info,
                "Coding agents of yours may see and steer this window: inferscope mcp --window FOLDER",
            ),
            (false, _) => self.say(Tone::Info, "Agents cannot use this window any more."),
        }
    }

    #[cfg(unix)]
    fn listen(&mut self, on: bool) -> Result<(), String> {
        self.agents.listening = None;
        if on {
            let events = self.events.clone();
            self.agents.listening =
                Some(Listening::start(move |request| events.send(Event::Agent(request)))?);
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn listen(&mut self, on: bool) -> Result<(), String> {
        if on { Err("it is not available on this system".into()) } else { Ok(()) }
    }

    /// Hears a client.
    pub(super) fn heard(&mut self, request: Request) {
        let Request::Do { message, reply } = request else { return };
        let answer = match (message.get("shown"), message.get("show")) {
            (Some(_), _) => Ok(self.shown()),
            (None, Some(show)) => match serde_json::from_value(show.clone()) {
                Ok(show) => match self.begin(show, &reply) {
                    Ok(()) => return,
                    Err(why) => Err(why),
                },
                Err(e) => Err(format!("show: {e}")),
            },
            _ => Err("the window knows show and shown".to_owned()),
        };
        let _ = reply.send(answer);
    }

    /// Begins to show something: opens its files.
    fn begin(&mut self, show: Show, reply: &Sender<Result<Value, String>>) -> Result<(), String> {
        if let Some(view) = show.view.as_deref().filter(|v| views::view(v).is_none()) {
            let known: Vec<_> = VIEWS.iter().map(|v| v.id).collect();
            return Err(format!("view: there is no «{}»; there are {}", short(view, 40), known.join(", ")));
        }
        let named = |file: &Option<String>| file.clone().filter(|f| !f.is_empty());
        let before = self.session.active;
        let head = match named(&show.file) {
            Some(file) => Some(self.run_of(&file)?),
            None => before,
        };
        let base = named(&show.base).map(|file| self.run_of(&file)).transpose()?;
        // Until everything is there the person sees what was there.
        self.session.active = before.or(head);
        let head = head.ok_or("no run is shown; name a file")?;
        if base == Some(head) {
            return Err("base: a run cannot be compared with itself".into());
        }
        self.agents.next += 1;
        let number = self.agents.next;
        self.agents.pending.push(Pending {
            number,
            show,
            reply: reply.clone(),
            head,
            base,
            resolving: false,
        });
        Ok(())
    }

    /// The open run of a file; it is opened when it is not there.
    fn run_of(&mut self, file: &str) -> Result<RunId, String> {
        let path = Path::new(file);
        let real = path.canonicalize().map_err(|e| format!("{}: cannot be read ({e})", short(file, 200)))?;
        if Project::is_one(&real) {
            return Err(format!("{}: projects are opened by hand", short(file, 200)));
        }
        let is_it = |run: &&crate::state::OpenRun| {
            let open = run.input().and_then(Input::path).and_then(|p| p.canonicalize().ok());
            open.as_ref() == Some(&real) && !matches!(run.state, RunState::Failed(_))
        };
        let known = self.session.runs.iter().find(is_it).map(|run| run.id);
        known
            .or_else(|| self.open_path(&real))
            .ok_or_else(|| format!("{}: cannot be opened", short(file, 200)))
    }

    /// Goes on with what waits.
    pub(super) fn poll_agents(&mut self) {
        let mut at = 0;
        while let Some(pending) = self.agents.pending.get(at) {
            let runs = [Some(pending.head), pending.base];
            let state = |id: RunId| match self.session.get(id) {
                None => Err("the run was closed".to_owned()),
                Some(run) => match &run.state {
                    RunState::Failed(why) if run.profile.is_none() => Err(format!("{}: {why}", run.label)),
                    RunState::Loading => Ok(false),
                    _ => Ok(run.profile.is_some()),
                },
            };
            let ready = runs.into_iter().flatten().try_fold(true, |all, id| Ok(state(id)? && all));
            match ready {
                Err(why) => {
                    let gone = self.agents.pending.remove(at);
                    let _ = gone.reply.send(Err::<Value, String>(why));
                    continue;
                }
                Ok(true) if !pending.resolving => {
                    if let Some(run) = self.session.get(pending.head).and_then(crate::state::OpenRun::run) {
                        let (number, show) = (pending.number, pending.show.clone());
                        let (engine, events) = (self.engine.clone(), self.events.clone());
                        jobs::spawn("names", move || {
                            crate::record::leave_out_this_thread();
                            let result = resolve(&engine, run, &show);
                            events.send(Event::Resolved { number, result });
                        });
                        self.agents.pending[at].resolving = true;
                    }
                }
                Ok(_) => {}
            }
            at += 1;
        }
    }

    /// Takes what names mean, and shows it.
    pub(super) fn resolved(&mut self, number: u64, result: Result<Resolved, String>) {
        let Some(at) = self.agents.pending.iter().position(|p| p.number == number) else { return };
        let pending = self.agents.pending.remove(at);
        let answer = result.map(|resolved| {
            self.show_to_person(&pending, resolved);
            self.shown()
        });
        let _ = pending.reply.send(answer);
    }

    fn show_to_person(&mut self, pending: &Pending, resolved: Resolved) {
        let before = Looked::at(&self.session);
        self.session.active = Some(pending.head);
        if pending.show.base.is_some() {
            self.session.set_baseline(pending.base);
        }
        let mut changed = false;
        if let Some(history) = self.session.history_mut() {
            let mut next = history.now().clone();
            if let Some(selection) = resolved.selection {
                Command::Select(selection).apply(&mut next);
            }
            if let Some(range) = resolved.range {
                Command::SetRange(range).apply(&mut next);
            }
            if let Some(search) = pending.show.search.clone() {
                Command::Search(search).apply(&mut next);
            }
            changed = history.apply(Command::Become(Box::new(next)));
        }
        let view = pending.show.view.as_deref().and_then(views::view).map(|kind| {
            let panes = self.panes_mut();
            let (opened, behind, current) = (!panes.is_open(kind), panes.front_beside(kind), panes.current());
            panes.show(kind);
            Brought { kind, behind, opened, current }
        });
        let after = Looked::at(&self.session);
        let depth = self.session.history().map_or(0, crate::state::History::depth);
        self.agents.steps.push(Step { before, after, depth, changed, view });
        self.say(Tone::Info, "An agent showed you this. Undo (Ctrl-Z) takes it back.");
    }

    /// What the person looks at.
    fn shown(&mut self) -> Value {
        let front = self.panes_mut().in_front();
        let place = |id: Option<RunId>| id.and_then(|id| self.session.runs.iter().position(|r| r.id == id));
        let run = |run: &crate::state::OpenRun| {
            let state = match run.state {
                RunState::Loading => "opening",
                RunState::Live => "goes on",
                RunState::Failed(_) => "failed",
                _ => "ready",
            };
            // The window and the agent may stand in different folders.
            let absolute = |p: &Path| std::path::absolute(p).unwrap_or_else(|_| p.to_owned());
            let path = run.input().and_then(Input::path).map(|p| absolute(p).display().to_string());
            json!({ "name": short(&run.label, LONGEST), "path": path, "state": state })
        };
        let runs: Vec<Value> = self.session.runs.iter().take(MOST_RUNS).map(run).collect();
        let mut said = json!({
            "runs": runs, "more_runs": self.session.runs.len().saturating_sub(MOST_RUNS),
            "shown": place(self.session.active), "base": place(self.session.baseline()), "views": front,
        });
        if let Some((subject, now)) = self.session.subject().zip(self.session.now()) {
            let p = subject.profile();
            if let Some(item) = &now.selection {
                said["selection"] = selected(item, p).into();
                said["function"] = item.function(p).map(|f| format!("f{}", f.0)).into();
            }
            if let Some((from, to)) = now.range {
                said["range"] = format!("{}ms..{}ms", from as f64 / 1e6, to as f64 / 1e6).into();
            }
            if !now.search.is_empty() {
                said["search"] = short(&now.search, LONGEST).into();
            }
            let metric = crate::analysis::formula::shown(now.metric, p);
            said["metric"] = short(&metric.key, LONGEST).into();
            let tracks = now.scope.tracks.iter().filter_map(|&key| p.keys().track(key));
            let tracks: Vec<String> =
                tracks.take(8).map(|t| format!("t{} {}", t.0, short(&p.track_label(t), LONGEST))).collect();
            said["threads"] = json!(tracks);
            let filters = now.scope.transforms.iter().take(8);
            let filters: Vec<String> = filters
                .map(|t| views::shared::crumbs::describe(t, p))
                .map(|t| short(&t, LONGEST).into_owned())
                .collect();
            said["filters"] = json!(filters);
            if !now.requests.is_empty() {
                let one = |(facet, values): (crate::analysis::request_facets::Facet, &[String])| {
                    (
                        facet.name().to_owned(),
                        json!(values.iter().map(|v| short(v, LONGEST)).collect::<Vec<_>>()),
                    )
                };
                said["requests"] = now.requests.iter().map(one).collect::<serde_json::Map<_, _>>().into();
            }
        }
        said
    }
}

/// What names mean in a run.
fn resolve(engine: &crate::query::Engine, run: Run, show: &Show) -> Result<Resolved, String> {
    let profile = run.profile.clone();
    let mut values = Values::default();
    values.set("range", show.range.clone().unwrap_or_default());
    let files = [Opened { label: String::new(), folder: None, run }];
    let job = Job::new();
    let asked = Asked {
        files: &files,
        values: &values,
        engine,
        job: &job,
        door: Door::Tool,
        whole: false,
        texts: false,
        prices: Prices::carried_alone(),
        sources: SourcesFrom::Below(&[]),
    };
    let range = match &show.range {
        None => None,
        Some(_) => Some(asked.range().map_err(|r| r.0)?),
    };
    let selection = match show.select.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => Some(Some(match (asked.track_by_handle(text), asked.request_by_handle(text)) {
            (Some(track), _) => Item::of_track(track, &profile),
            (None, Some(request)) => Item::of_request(request, &profile),
            (None, None) => Item::of_function(asked.function(text).map_err(|r| r.0)?, &profile),
        })),
    };
    Ok(Resolved { selection, range })
}

/// A selection in words.
fn selected(item: &Item, p: &Profile) -> String {
    let function = |f: Option<FunctionId>| match f {
        None => "a function of another revision".to_owned(),
        Some(f) => {
            let row = p.functions.get(f);
            let file = p.text(row.file);
            let place = match (file.is_empty(), row.line) {
                (true, _) => String::new(),
                (false, 0) => format!(" {file}"),
                (false, line) => format!(" {file}:{line}"),
            };
            format!("{}{place} f{}", short(p.function_name(f), LONGEST), f.0)
        }
    };
    let text = match item {
        Item::Function(_) => format!("function {}", function(item.function(p))),
        Item::Path(path) => {
            format!("call path of {} functions, last {}", path.len(), function(item.function(p)))
        }
        Item::Span(_) => {
            let (from, to) = item.interval(p).unwrap_or_default();
            format!(
                "call of {} at {}, {} long",
                function(item.function(p)),
                duration(from),
                duration(to - from)
            )
        }
        Item::Edge(caller, _) => {
            format!("calls of {} from {}", function(item.function(p)), function(p.keys().function(*caller)))
        }
        Item::Track(key) => match p.keys().track(*key) {
            Some(t) => format!("track t{} {}", t.0, short(&p.track_label(t), LONGEST)),
            None => "a track of another revision".to_owned(),
        },
        Item::Request(_) => match item.request(p) {
            Some(r) => format!("request r{} of {}", r.0, p.requests.rows.len()),
            None => "a request of another revision".to_owned(),
        },
        Item::Instant(key) => format!("event at {}", duration(key.time)),
        Item::Time(t) => format!("moment {}", duration(*t)),
    };
    short(&text, 400).into_owned()
}

#[cfg(test)]
mod tests;
