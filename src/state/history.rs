//! Undo and redo of the shared view state.

use super::{Command, Interaction};

/// Most steps that are kept.
const LIMIT: usize = 200;

/// The current state and the ways back and forth.
#[derive(Clone, Debug, Default)]
pub struct History {
    now: Interaction,
    back: Vec<Interaction>,
    forth: Vec<Interaction>,
    last: Option<Command>,
}

impl History {
    /// A history that begins with a state; there is no way back behind it.
    #[must_use]
    pub fn starting_with(now: Interaction) -> Self {
        Self { now, ..Self::default() }
    }

    /// The current state.
    #[must_use]
    pub fn now(&self) -> &Interaction {
        &self.now
    }

    /// Applies a command; false when it changed nothing.
    pub fn apply(&mut self, command: Command) -> bool {
        let mut next = self.now.clone();
        command.clone().apply(&mut next);
        if next == self.now {
            return false;
        }
        let merge = self.last.as_ref().is_some_and(|last| command.merges_with(last)) && !self.back.is_empty();
        let before = std::mem::replace(&mut self.now, next);
        if !merge {
            self.back.push(before);
            if self.back.len() > LIMIT {
                self.back.remove(0);
            }
        }
        self.forth.clear();
        self.last = Some(command);
        true
    }

    /// One step back; false when there is none.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.back.pop() else { return false };
        self.forth.push(std::mem::replace(&mut self.now, before));
        self.last = None;
        true
    }

    /// One step forth; false when there is none.
    pub fn redo(&mut self) -> bool {
        let Some(after) = self.forth.pop() else { return false };
        self.back.push(std::mem::replace(&mut self.now, after));
        self.last = None;
        true
    }

    /// Number of steps back.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.back.len()
    }

    /// True when there is a step back.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.back.is_empty()
    }

    /// True when there is a step forth.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        !self.forth.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Item;

    #[test]
    fn every_step_can_be_undone_and_redone() {
        let mut history = History::default();
        assert!(history.apply(Command::SetRange(Some((1, 5)))));
        assert!(!history.apply(Command::SetRange(Some((1, 5)))), "no change, no step");
        assert!(history.apply(Command::Search("s".into())));
        assert!(history.apply(Command::Search("so".into())));
        assert!(history.apply(Command::Select(Some(Item::Time(3)))));
        assert!(history.undo());
        assert_eq!(history.now().search, "so");
        assert!(history.undo());
        assert_eq!(history.now().search, "", "typing is one step");
        assert!(history.undo() && !history.undo());
        assert_eq!(history.now(), &Interaction::default());
        while history.redo() {}
        assert_eq!(history.now().selection, Some(Item::Time(3)));
        history.undo();
        history.apply(Command::SetRange(None));
        assert!(!history.can_redo());
    }
}
