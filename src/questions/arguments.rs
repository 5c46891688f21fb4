//! Arguments of questions: how they are described, and what their values mean in a file.

use std::collections::BTreeMap;

use super::sheet::LEAST_TOKENS;
use super::{Asked, BUDGET, Question, Refusal, names, words};
use crate::analysis::formula::{self, Measure};
use crate::analysis::scope::{Scope, Slice, TimeRange};
use crate::analysis::waiting::{ThreadWork, Works};
use crate::format;
use crate::model::{MetricKey, Profile, RequestId, TrackId};
use crate::query::Query;

/// What an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number from 0.
    Number,
    /// Nothing: it is there or not.
    Flag,
    /// One of these words; the first one is the default.
    Choice(&'static [&'static str]),
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it does, in a few words.
    pub help: &'static str,
    /// True when the question means nothing without it.
    pub required: bool,
}

impl Argument {
    /// An argument that may be left out.
    pub(super) const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, help, required: false }
    }
}

/// Which thread, task or stream.
pub(super) const THREAD: Argument = Argument::new(
    "thread",
    Kind::Text,
    "only this thread, task or stream: a handle (t3) or a part of its name",
);
/// Which time.
pub(super) const RANGE: Argument =
    Argument::new("range", Kind::Text, "only this time, such as 1.2s..1.5s, or that of a request (r9)");
/// What costs are counted in.
pub(super) const METRIC: Argument =
    Argument::new("metric", Kind::Text, "costs in this metric or formula [default: the first]");
/// How many rows.
pub(super) const TOP: Argument = Argument::new("top", Kind::Number, "at most so many rows");
/// How long the answer may be.
pub(super) const BUDGET_OF: Argument =
    Argument::new("budget", Kind::Number, "tokens of the answer [default: 800]");

/// Values of arguments, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Sets one; a flag is `true`.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The value of an argument, if it was given and is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// True when a flag was set.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|v| v != "false")
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.text(name).and_then(|v| v.parse().ok())
    }

    /// The word of a choice, or its default.
    pub(super) fn choice<'a>(&'a self, argument: &Argument) -> &'a str {
        let Kind::Choice(words) = argument.kind else { return "" };
        self.text(argument.name).unwrap_or(words[0])
    }

    /// Refuses what the question does not take, and what lacks.
    pub(super) fn check(&self, question: &Question) -> Result<(), Refusal> {
        self.check_names(question)?;
        let missing = |a: &&Argument| a.required && self.text(a.name).is_none();
        match question.arguments.iter().find(missing) {
            Some(a) => Err(format!("{} needs {}: {}", question.name, a.name, a.help).into()),
            None => Ok(()),
        }
    }

    /// Refuses what the question does not take.
    pub(super) fn check_names(&self, question: &Question) -> Result<(), Refusal> {
        for (name, value) in &self.0 {
            let Some(argument) = question.arguments.iter().find(|a| a.name == name) else {
                let known: Vec<_> = question.arguments.iter().map(|a| a.name).collect();
                return Err(format!(
                    "{} has no argument «{}»; it has {}",
                    question.name,
                    words::said(name),
                    known.join(", ")
                )
                .into());
            };
            match argument.kind {
                Kind::Number if value.parse::<usize>().is_err() => {
                    return Err(format!("{name}: «{}» is no whole number", words::said(value)).into());
                }
                Kind::Choice(known) if !value.is_empty() && !known.contains(&value.as_str()) => {
                    return Err(
                        format!("{name}: «{}» is none of {}", words::said(value), known.join(", ")).into()
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Asked<'_> {
    /// The profile of the first file.
    pub(super) fn profile(&self) -> &Profile {
        &self.files[0].run.profile
    }

    /// The answer to a query about the first file.
    pub(super) fn get<Q: Query>(&self, query: &Q) -> Result<std::sync::Arc<Q::Output>, Refusal> {
        Ok(self.engine.now(&self.files[0].run, query, self.job)?)
    }

    /// Tokens that the answer may have.
    pub(super) fn budget(&self) -> usize {
        self.values.number("budget").unwrap_or(BUDGET).max(60)
    }

    /// What to write to get twice as much.
    pub(super) fn more_budget(&self) -> String {
        self.door.argument("budget", self.budget().saturating_mul(2))
    }

    /// Most rows, or as many as the budget has room for.
    pub(super) fn top(&self) -> usize {
        self.values.number("top").unwrap_or(usize::MAX)
    }

    /// Rows that can be shown: of a million functions only those are written out.
    pub(super) fn room(&self) -> usize {
        self.top().min(if self.whole { usize::MAX } else { self.budget() / LEAST_TOKENS })
    }

    /// The time that is asked for.
    ///
    /// # Errors
    /// One line, when the text is no time or the file has nothing then.
    pub fn range(&self) -> Result<TimeRange, Refusal> {
        let Some(text) = self.values.text("range") else { return Ok(None) };
        let wrong = || format!("range: «{}» is no time; write it as 1.2s..1.5s", words::said(text));
        if let Some(r) = self.request_by_handle(text.trim()).and_then(|r| self.profile().requests.get(r)) {
            return match r.last_known().filter(|end| *end > r.arrived) {
                Some(end) => Ok(Some((r.arrived, end))),
                None => Err(format!("range: nothing says how long {} took", words::said(text)).into()),
            };
        }
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let bounds = self.profile().time_bounds().ok_or("range: nothing in this file has a time")?;
        let end = |text: &str, open| {
            if text.trim().is_empty() { Some(open) } else { format::typed_time(text) }
        };
        let range = end(from, bounds.0).zip(end(to, bounds.1)).filter(|(a, b)| a < b).ok_or_else(wrong)?;
        if range.0 >= bounds.1 || range.1 <= bounds.0 {
            let at = |t| format::duration_exact(t);
            return Err(
                format!("range: this file has times from {} to {}", at(bounds.0), at(bounds.1)).into()
            );
        }
        Ok(Some(range))
    }

    /// The track of a handle such as «t3», or of a label as answers print it, «t3 main».
    #[must_use]
    pub fn track_by_handle(&self, text: &str) -> Option<TrackId> {
        let p = self.profile();
        let (word, label) = text.split_once(' ').unwrap_or((text, ""));
        let track = names::handle(word, 't').map(TrackId).filter(|t| t.index() < p.tracks.len())?;
        (label.is_empty() || label == names::track(p, track)).then_some(track)
    }

    /// The request of a handle such as «r9».
    #[must_use]
    pub fn request_by_handle(&self, text: &str) -> Option<RequestId> {
        names::handle(text, 'r').map(RequestId).filter(|r| r.index() < self.profile().requests.rows.len())
    }

    /// The tracks that an argument names: by handle, by name, or by a part of it.
    pub(super) fn tracks(&self, argument: &str) -> Result<Vec<TrackId>, Refusal> {
        let Some(text) = self.values.text(argument) else { return Ok(Vec::new()) };
        let p = self.profile();
        if let Some(track) = self.track_by_handle(text) {
            return Ok(vec![track]);
        }
        let label = |t: &TrackId| p.track_label(*t).to_lowercase();
        let wanted = text.to_lowercase();
        let all = || {
            p.track_ids().filter(|t| !p.track(*t).spans.rows.is_empty() || !p.track(*t).samples.is_empty())
        };
        let exact: Vec<_> = all()
            .filter(|t| label(t) == wanted || p.text(p.track(*t).name).to_lowercase() == wanted)
            .collect();
        let found =
            if exact.is_empty() { all().filter(|t| label(t).contains(&wanted)).collect() } else { exact };
        if !found.is_empty() {
            return Ok(found);
        }
        let mut known: Vec<String> =
            all().take(12).map(|t| format!("t{} {}", t.0, names::track(p, t))).collect();
        if known.is_empty() {
            return Err(format!("{argument}: this file has no threads; leave it out").into());
        }
        if all().count() > known.len() {
            known.push("…".into());
        }
        let text = words::said(text);
        Err(format!("{argument}: no thread has «{text}» in its name; there are\n{}", known.join("\n")).into())
    }

    /// The metric that is asked for, as a key.
    pub(super) fn metric(&self) -> Result<MetricKey, Refusal> {
        let p = self.profile();
        let Some(name) = self.values.text("metric") else {
            return Ok(formula::shown(MetricKey::default(), p));
        };
        formula::named(name, p)
            .map_err(|why| format!("metric «{}»: {}", words::said(name), format::short(&why, 600)).into())
    }

    /// Threads, metric and time together.
    pub(super) fn slice(&self) -> Result<Slice, Refusal> {
        let p = self.profile();
        let tracks = self.tracks("thread")?.into_iter().map(|t| p.keys().track_key(t)).collect();
        Ok(Slice {
            scope: Scope { tracks, ..Scope::default() },
            metric: self.metric()?,
            range: self.range()?,
        })
    }

    /// The same without threads that did nothing but wait, and a line that says so. All threads, where one is asked for or
    /// where all of them wait.
    pub(super) fn working_slice(&self) -> Result<(Slice, Option<String>), Refusal> {
        let mut slice = self.slice()?;
        let threads = self.get(&Works(slice.clone()))?;
        let (idle, busy): (Vec<&ThreadWork>, Vec<&ThreadWork>) = threads.iter().partition(|t| t.is_idle());
        if !slice.scope.tracks.is_empty() || idle.is_empty() || busy.is_empty() {
            return Ok((slice, None));
        }
        let p = self.profile();
        slice.scope.tracks = busy.iter().map(|t| p.keys().track_key(t.track)).collect();
        let waited = idle.iter().map(|t| t.waits).sum();
        let unit = Measure::of(slice.metric, p).map_or(crate::model::Unit::None, |m| m.unit);
        let note = format!(
            "left out: {} ({}); {}",
            words::counted(idle.len() as u64, "thread that only waits", "threads that only wait"),
            words::cost(unit, waited),
            self.door.argument("thread", format_args!("t{}", idle[0].track.0))
        );
        Ok((slice, Some(note)))
    }

    /// « of thread …, 1.2 s..1.5 s», for the first line; empty for all of it.
    pub(super) fn part(&self) -> Result<String, Refusal> {
        let p = self.profile();
        let tracks = self.tracks("thread")?;
        let mut said = String::new();
        if let [first, others @ ..] = &tracks[..] {
            said += &format!(", only {}", names::track(p, *first));
            if !others.is_empty() {
                said += &format!(" and {} more", others.len());
            }
        }
        if let Some((from, to)) = self.range()? {
            said += &format!(", {}..{}", format::duration_exact(from), format::duration_exact(to));
        }
        Ok(said)
    }
}
