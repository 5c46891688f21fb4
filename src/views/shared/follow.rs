//! Noticing what is selected in other views.

use crate::model::SymbolKey;
use crate::state::{Command, Item};
use crate::views::ViewCx;

/// The selection that a view has seen.
#[derive(Default)]
pub struct Follow {
    seen: Option<Item>,
}

impl Follow {
    /// True once for each selection that was made in another view.
    pub fn news(&mut self, cx: &ViewCx<'_>) -> bool {
        let other = self.seen != cx.interaction.selection;
        if other {
            self.seen.clone_from(&cx.interaction.selection);
        }
        other
    }

    /// The function that was selected in another view, once for each selection.
    pub fn new_symbol(&mut self, cx: &ViewCx<'_>) -> Option<SymbolKey> {
        if self.news(cx) { self.item()?.symbol() } else { None }
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
