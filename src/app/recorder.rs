//! The run while it records, and its end.

use std::time::{Duration, Instant};

use super::App;
use super::compare::Offer;
use super::event::Event;
use crate::analysis::diff::evidence;
use crate::jobs;
use crate::query::RunId;
use crate::record::{self, Options, RecordError};
use crate::remote::{self, Anywhere, Order, Patience, Target};
use crate::state::{Origin, RunState};
use crate::ui::theme::Tone;

/// A recording that runs.
pub(super) struct Live {
    /// The run that shows it.
    pub run: RunId,
    recording: Option<Anywhere>,
}

impl Live {
    /// How it gets on.
    pub fn status(&self) -> Option<record::Status> {
        self.recording.as_ref().map(Anywhere::status)
    }
}

/// What is recorded, and where.
#[derive(Clone)]
pub(super) struct What {
    /// The short name of the workload.
    pub workload: String,
    /// Its parameters that are not the usual ones.
    pub params: Vec<(String, String)>,
    /// The machine; this one when there is none.
    pub on: Option<String>,
}

/// Runs of one thing that are recorded one after the other.
pub(super) struct Series {
    what: What,
    /// The runs that there are, the one that records included.
    runs: Vec<RunId>,
    /// How many there shall be.
    of: u32,
    /// The run that they repeat with a change, to be compared with.
    base: Option<RunId>,
}

/// How long the window waits for a recording when it closes: a command has five seconds after each signal.
const LAST_WAIT: Duration = Duration::from_secs(12);
impl App {
    /// Starts recording; the run is shown at once and grows while it records.
    pub(super) fn start_recording(&mut self, what: What) {
        if self.recording.is_some() {
            self.say(Tone::Warning, "A recording is running already; stop it first.");
            return;
        }
        let What { workload, params, on } = &what;
        let origin = Origin::Recording { workload: workload.clone(), saved: None };
        let texts: Vec<String> = params.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let title = record::run_title(workload, &texts);
        let title = on.as_ref().map_or_else(|| title.clone(), |on| format!("{title} on {on}"));
        let run = self.session.add(&title, origin, RunState::Live);
        let events = self.events.clone();
        let on_revision = Box::new(move |profile| events.send(Event::Revision { run, profile }));
        let usual = Options::default();
        let options = Options {
            journal: super::journals::folder(&self.settings),
            texts: !self.settings.no_texts,
            allocations: !self.settings.no_allocations,
            one_root_of: self.settings.one_root_of.unwrap_or(usual.one_root_of),
            sample_hz: self.settings.sample_hz.unwrap_or(usual.sample_hz),
            max_bytes: self.settings.memory_limit.map_or(usual.max_bytes, |mib| (mib as usize) << 20),
            ..usual
        };
        // What would run in this process is recorded in one of its own: the window's memory and time are none of the run's.
        let apart = self.program.as_deref().filter(|_| record::runs_in_recorder(workload));
        let target = match (on, apart) {
            (Some(on), _) => Target::parse(on).map(Some),
            (None, program) => Ok(program.map(Target::here)),
        };
        let started = target.and_then(|target| match target {
            None => record::start(workload, &texts, options, on_revision)
                .map(Anywhere::Here)
                .map_err(|e| e.to_string()),
            Some(target) => {
                let patience = Patience::default();
                let order = Order { target, workload: workload.clone(), params: texts, options, patience };
                // What the program writes is among its log lines.
                Ok(Anywhere::There(remote::record(order, Some(on_revision), Box::new(|_, _| ()))))
            }
        });
        match started {
            Ok(recording) => {
                // Settings hold no secrets.
                let kept = params.iter().filter(|(_, v)| *record::secrets::mask(v) == **v);
                self.settings.workload = Some((workload.clone(), kept.cloned().collect()));
                let command = params.iter().find(|(key, _)| workload == "command" && key == "command");
                command.into_iter().for_each(|(_, line)| self.settings.remember_command(line));
                self.recorded_with.insert(run, what);
                self.recording = Some(Live { run, recording: Some(recording) });
                self.note = None;
            }
            Err(why) => {
                self.session.close(run);
                self.say(Tone::Bad, format!("Recording could not start: {why}"));
            }
        }
    }

    /// Records one thing so many times, one run after the other. At the end a comparison with `base` is offered.
    pub(super) fn start_series(&mut self, what: What, times: u32, base: Option<RunId>) {
        let free = self.recording.is_none();
        self.start_recording(what.clone());
        if let Some(first) = self.session.active.filter(|_| free && self.recording.is_some()) {
            self.series = Some(Series { what, runs: vec![first], of: times.max(1), base });
        }
    }

    /// A run of a series ended well: the next one begins, or the series is complete.
    fn go_on(&mut self, run: RunId) {
        let Some(mut series) = self.series.take_if(|s| s.runs.last() == Some(&run)) else { return };
        if let [first, _, ..] = series.runs[..] {
            self.session.repeat(run, Some(first));
        }
        if (series.runs.len() as u32) < series.of {
            self.start_recording(series.what.clone());
            if let Some(next) = self.session.active.filter(|_| self.recording.is_some()) {
                series.runs.push(next);
                self.series = Some(series);
            }
            return;
        }
        if series.runs.len() > 1 {
            let elapsed = |id: &RunId| Some(self.session.get(*id)?.profile.as_ref()?.meta.duration? as f64);
            let elapsed: Vec<f64> = series.runs.iter().filter_map(elapsed).collect();
            self.say(Tone::Good, format!("Recorded {}.", evidence::elapsed_of(series.runs.len(), &elapsed)));
        }
        if let (Some(base), None) = (series.base, self.session.baseline()) {
            self.offer = Some(Offer { base, head: run });
        }
    }

    /// Records the shown recording again, as often as it was. When that ends, a comparison of both is offered.
    pub(super) fn record_again(&mut self) {
        let Some(shown) = self.session.active else { return };
        if let Some(what) = self.recorded_with.get(&shown).cloned() {
            let times = self.session.series(shown).count() as u32;
            self.start_series(what, times, Some(shown));
        }
    }

    pub(super) fn stop_recording(&mut self) {
        // What was cut short is no run like the others, and no other one follows.
        if let Some(series) = &mut self.series {
            series.of = series.runs.len() as u32;
            if series.of > 1 {
                series.runs.pop();
                self.series = None;
            }
        }
        if let Some(recording) = self.recording.as_ref().and_then(|live| live.recording.as_ref()) {
            recording.stop();
        }
    }

    pub(super) fn cancel_recording(&mut self) {
        if let Some(recording) = self.recording.as_ref().and_then(|live| live.recording.as_ref()) {
            recording.cancel();
        }
    }

    /// The window closes: the recording is stopped and kept. One that does not end in time is left to its journal.
    pub(super) fn end_recording(&mut self) {
        let Some(recording) = self.recording.as_mut().and_then(|live| live.recording.take()) else { return };
        if !recording.is_of_this_machine() {
            // It goes on there, and `recover --on` brings it.
            return recording.leave();
        }
        recording.stop();
        let until = Instant::now() + LAST_WAIT;
        while !recording.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        recording.leave();
    }

    /// Fetches the profile of a recording that ended, on a thread: joining may take a moment.
    pub(super) fn poll_recording(&mut self) {
        let Some(live) = &mut self.recording else { return };
        if !live.recording.as_ref().is_some_and(Anywhere::is_finished) {
            self.events.wake_later();
            return;
        }
        let Some(recording) = live.recording.take() else { return };
        let (run, events) = (live.run, self.events.clone());
        if let Some(journal) = recording.journal() {
            self.journals.keep(run, journal);
        }
        jobs::spawn("end recording", move || {
            let result = match recording.join() {
                Ok(profile) => Ok(Some(profile)),
                Err(RecordError::Cancelled) => Ok(None),
                Err(e) => Err(e.to_string()),
            };
            events.send(Event::Recorded { run, result });
        });
    }

    pub(super) fn recorded(
        &mut self,
        id: RunId,
        result: Result<Option<std::sync::Arc<crate::model::Profile>>, String>,
    ) {
        self.recording = None;
        let Some(run) = self.session.get_mut(id) else {
            // Its tab was closed meanwhile.
            self.series = None;
            self.release_journal(id);
            self.say(
                Tone::Info,
                "The recording was stopped; it is among the unsaved ones on the start page.",
            );
            return;
        };
        match result {
            Ok(Some(profile)) => {
                let (label, attached) = (run.label.clone(), profile.attached.clone());
                let failed = profile.meta.failed.clone();
                run.replace(profile);
                run.state = RunState::Ready;
                let revision = run.revision;
                self.engine.forget_before(id, revision);
                self.open_attached(&label, attached);
                match failed {
                    None => {
                        self.say(Tone::Good, "Recorded. Ctrl-S saves the session.");
                        self.go_on(id);
                    }
                    Some(why) => {
                        self.series = None;
                        self.say(Tone::Bad, format!("The recorded program failed: {why}"));
                    }
                }
            }
            Ok(None) => {
                self.series = None;
                self.forget_run(id);
                self.say(Tone::Info, "The recording was cancelled.");
            }
            Err(why) => {
                run.state = RunState::Failed(why.clone());
                self.series = None;
                self.release_journal(id);
                self.say(Tone::Bad, format!("The recording failed: {why}"));
            }
        }
    }
}

#[cfg(test)]
impl What {
    /// A workload on this machine.
    pub(super) fn here(workload: &str, params: Vec<(String, String)>) -> Self {
        Self { workload: workload.into(), params, on: None }
    }
}
