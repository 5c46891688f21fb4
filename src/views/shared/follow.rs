//! Noticing what is selected in other views.

use crate::query::{Revision, RunId};
use crate::state::{Command, Item};
use crate::views::ViewCx;

/// The selection that a view has seen.
#[derive(Default)]
pub struct Follow {
    seen: Option<Item>,
    /// Run and revision that the selection belongs to.
    of: Option<(RunId, Revision)>,
}

impl Follow {
    /// True once for each selection that was made in another view. Ids change with the revision of a live
    /// recording; the same thing under another id is nothing new.
    pub fn news(&mut self, cx: &ViewCx<'_>) -> bool {
        let of = Some(cx.subject.head().at());
        let refreshed = self.of.is_some() && self.of != of;
        self.of = of;
        let other = self.seen != cx.interaction.selection;
        if other {
            self.seen.clone_from(&cx.interaction.selection);
        }
        other && !refreshed
    }

    /// Selects something from this view.
    pub fn select(&mut self, cx: &mut ViewCx<'_>, item: Item) {
        self.seen = Some(item.clone());
        cx.send(Command::Select(Some(item)));
    }

    /// What is selected.
    #[must_use]
    pub fn item(&self) -> Option<&Item> {
        self.seen.as_ref()
    }
}
