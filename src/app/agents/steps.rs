//! What agents showed, so that one undo takes it back whole.

use crate::query::RunId;
use crate::state::{History, Session};
use crate::views::{ViewKind, view};

use super::super::App;

/// Steps that are kept.
const MOST: usize = 50;

/// Which run is shown, and with which it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    active: Option<RunId>,
    base: Option<RunId>,
}

impl Looked {
    pub fn at(session: &Session) -> Self {
        Self { active: session.active, base: session.baseline() }
    }

    fn restore(self, session: &mut Session) {
        // A run that was closed meanwhile is shown no more.
        session.active = self.active.filter(|&id| session.get(id).is_some()).or(session.active);
        session.set_baseline(self.base);
    }
}

/// Something that an agent showed.
pub(super) struct Step {
    pub before: Looked,
    pub after: Looked,
    /// Steps of the history after it.
    pub depth: usize,
    /// It is one of them.
    pub changed: bool,
    pub view: Option<Brought>,
}

/// A view that was brought to the front.
pub(super) struct Brought {
    pub kind: &'static ViewKind,
    /// The one that was there.
    pub behind: Option<String>,
    /// It was opened for it.
    pub opened: bool,
    /// The pane that was the current one.
    pub current: Option<u64>,
}

/// The way back and forth.
#[derive(Default)]
pub(in crate::app) struct Steps {
    done: Vec<Step>,
    undone: Vec<Step>,
}

impl Steps {
    pub(super) fn push(&mut self, step: Step) {
        self.undone.clear();
        if step.changed || step.before != step.after || step.view.is_some() {
            self.done.push(step);
            if self.done.len() > MOST {
                self.done.remove(0);
            }
        }
    }

    /// The person did something else: what was undone cannot come back.
    pub(in crate::app) fn forget_undone(&mut self) {
        self.undone.clear();
    }
}

fn depth(session: &Session) -> usize {
    session.history().map_or(0, History::depth)
}

impl App {
    /// True when the last step was an agent's.
    pub(in crate::app) fn last_is_agents(&self) -> bool {
        let (looked, depth) = (Looked::at(&self.session), depth(&self.session));
        self.agents.steps.done.last().is_some_and(|s| s.after == looked && s.depth == depth)
    }

    /// True when the step that was undone last was an agent's.
    pub(in crate::app) fn next_is_agents(&self) -> bool {
        let (looked, depth) = (Looked::at(&self.session), depth(&self.session));
        let undone = self.agents.steps.undone.last();
        undone.is_some_and(|s| {
            s.before == looked && (s.before != s.after || depth + usize::from(s.changed) == s.depth)
        })
    }

    /// One step back, an agent's as a whole.
    pub(in crate::app) fn undo(&mut self) {
        if !self.last_is_agents() {
            self.session.history_mut().map(History::undo);
            return;
        }
        let Some(step) = self.agents.steps.done.pop() else { return };
        if step.changed {
            self.session.history_mut().map(History::undo);
        }
        if let Some(brought) = &step.view {
            let panes = self.panes_mut();
            if brought.opened {
                panes.close(brought.kind);
            }
            if let Some(behind) = brought.behind.as_deref().and_then(view) {
                panes.show(behind);
            }
            panes.make_current(brought.current);
        }
        step.before.restore(&mut self.session);
        self.agents.steps.undone.push(step);
    }

    /// One step forth.
    pub(in crate::app) fn redo(&mut self) {
        if !self.next_is_agents() {
            self.session.history_mut().map(History::redo);
            return;
        }
        let Some(step) = self.agents.steps.undone.pop() else { return };
        step.after.restore(&mut self.session);
        if step.changed {
            self.session.history_mut().map(History::redo);
        }
        if let Some(brought) = &step.view {
            self.panes_mut().show(brought.kind);
        }
        self.agents.steps.done.push(step);
    }
}
