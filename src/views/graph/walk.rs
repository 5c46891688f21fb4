//! Back and forth among the drawings that were looked at: what was in the middle, and what was folded.

use std::sync::Arc;

use super::{GraphView, Mode};
use crate::analysis::folding::Folding;
use crate::model::{Profile, SymbolKey};
use crate::state::Command;
use crate::views::ViewCx;

/// Most drawings that are remembered.
const LIMIT: usize = 200;

/// A drawing as the person asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spot {
    pub mode: Mode,
    /// The function in the middle.
    pub active: Option<SymbolKey>,
    pub folding: Arc<Folding>,
}

impl Spot {
    /// What it is called beside `now`.
    pub fn name(&self, profile: &Profile, now: &Self) -> String {
        match self.active.filter(|_| self.mode == Mode::Around) {
            _ if (self.mode, self.active) == (now.mode, now.active) => "what was folded and open".into(),
            Some(key) => {
                let here = profile.keys().function(key).map(|f| profile.function_name(f));
                here.unwrap_or(&key.value().name).chars().take(80).collect()
            }
            None => "the whole profile".into(),
        }
    }
}

impl GraphView {
    /// The drawing that is looked at.
    pub(super) fn spot(&self) -> Spot {
        Spot { mode: self.mode, active: self.active, folding: self.folding.clone() }
    }

    /// Remembers the drawing that is about to be left.
    pub(super) fn leave(&mut self) {
        self.forth.clear();
        if self.back.len() >= LIMIT {
            self.back.remove(0);
        }
        self.back.push(self.spot());
    }

    /// Where a step back or forth leads: undo may have led there already.
    pub(super) fn next(&self, forth: bool) -> Option<&Spot> {
        let (from, now) = (if forth { &self.forth } else { &self.back }, self.spot());
        from.iter().rev().find(|spot| **spot != now)
    }

    /// Goes back or forth.
    pub(super) fn walk(&mut self, cx: &mut ViewCx<'_>, forth: bool) {
        let now = self.spot();
        let (from, to) =
            if forth { (&mut self.forth, &mut self.back) } else { (&mut self.back, &mut self.forth) };
        while let Some(spot) = from.pop() {
            if spot == now {
                continue;
            }
            to.push(now);
            (self.mode, self.active) = (spot.mode, spot.active);
            if spot.folding != self.folding {
                cx.send(Command::Fold(spot.folding));
            }
            return;
        }
    }
}
