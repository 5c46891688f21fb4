//! What the search field finds: how many functions, which of them is selected, and the way from one to the next.

use std::sync::Arc;

use super::App;
use crate::analysis::diff::metrics::shown_of;
use crate::analysis::function_list::{FunctionKey, FunctionList, FunctionOrder};
use crate::analysis::{Functions, Slice};
use crate::format;
use crate::model::{FunctionId, Profile};
use crate::state::{Command, Item};

/// The place of its question, beside those of the panes.
const SLOT: u64 = u64::MAX - 1;

/// The functions that a search finds, those with the most self cost first.
pub(super) struct Found {
    list: Arc<FunctionOrder>,
    profile: Arc<Profile>,
    /// Which of them is selected.
    pub at: Option<usize>,
}

impl Found {
    /// How many.
    pub fn len(&self) -> usize {
        self.list.order.len()
    }

    /// «31 of 5 708 functions, 2.9 % of all self cost».
    pub fn words(&self) -> String {
        let of = format::count(self.list.table.rows.len() as i64);
        let mut text = format!("{} of {of} functions", format::count(self.len() as i64));
        let whole = self.list.table.whole.own;
        if let Some(matched) = self.list.matched.filter(|_| whole != 0) {
            text += &format!(", {} of all self cost", format::percent(matched as f64 / whole as f64));
        }
        text
    }

    fn function(&self, place: usize) -> Option<FunctionId> {
        let row = *self.list.order.get(place)?;
        Some(self.list.table.rows[row as usize].function)
    }
}

impl App {
    /// What is found now; `None` without a search, and while it is not known.
    pub(super) fn found(&self) -> Option<Found> {
        let (subject, now) = self.session.subject().zip(self.session.now())?;
        if now.search.trim().is_empty() {
            return None;
        }
        let slice =
            Slice { scope: now.scope.clone(), metric: shown_of(&subject, now.metric), range: now.range };
        let query = FunctionList::new(Functions(slice), vec![(FunctionKey::Own, false)], now.search.clone());
        let list = self.engine.ask(subject.head(), &query, SLOT).value()?.clone();
        let profile = subject.profile().clone();
        let selected = now.selection.as_ref().and_then(Item::symbol).and_then(|s| profile.keys().function(s));
        let of = |row: &u32| Some(list.table.rows[*row as usize].function) == selected;
        let at = selected.and_then(|_| list.order.iter().position(of));
        Some(Found { list, profile, at })
    }

    /// Selects the next function that the search finds, or the one before; round at the ends.
    pub(super) fn find(&mut self, forth: bool) {
        let Some(found) = self.found().filter(|found| found.len() > 0) else { return };
        let n = found.len();
        let next = match (found.at, forth) {
            (None, true) => 0,
            (None, false) => n - 1,
            (Some(at), true) => (at + 1) % n,
            (Some(at), false) => (at + n - 1) % n,
        };
        if let Some(function) = found.function(next) {
            self.command(Command::Select(Some(Item::of_function(function, &found.profile))));
        }
    }
}
