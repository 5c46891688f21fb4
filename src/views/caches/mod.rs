//! What caches did for requests: of whole answers, of prompts at the provider, of the KV cache of a server. Each has its own definition
//! of a hit. Below: hits over time, what another threshold of a semantic cache would have done, what is in the caches, what repeats.

mod cards;
mod compare;
mod keys;
#[cfg(test)]
mod tests;
mod threshold;

use std::sync::Arc;

use egui::Ui;

use super::shared::board::{Board, scrolled};
use super::{Comparing, View, ViewCx, ViewKind, needs_requests};
use crate::analysis::cache_entries::{CacheEntries, Held};
use crate::analysis::cache_keys::{CacheKeys, KeyFacts};
use crate::analysis::caches::{CacheFigures, CacheKind, Caches as CachesQuery};
use crate::analysis::repeats::{RepeatedPrompts, Repeats};
use crate::analysis::similarities::{Alike, Similarities};
use crate::model::Profile;
use crate::ui::icons::Icon;
use crate::ui::widgets::EmptyState;
use crate::views::shared;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "caches",
    title: "Caches",
    about: "Hits and misses of answer, prompt and KV caches, and what they saved",
    needs: needs_caches,
    make: || Box::new(Caches { threshold: None, board: Board::of_plots() }),
    comparing: Comparing::Own(|| Box::new(compare::DiffCaches::default())),
};

fn needs_caches(profile: &Profile) -> Result<(), &'static str> {
    needs_requests(profile)?;
    let told = profile.requests.rows.iter().any(|r| {
        r.cache.is_some()
            || r.similarity.is_some()
            || r.prompt != crate::model::StringId::default()
            || r.tokens.cache_read.is_some()
            || r.tokens.cache_write().is_some()
    });
    if told {
        Ok(())
    } else {
        Err("The requests of this file say nothing of a cache, and hold no prompts that could repeat.")
    }
}

/// The view.
struct Caches {
    /// The threshold that is asked about; `None`: that of the run.
    threshold: Option<f64>,
    board: Board,
}

/// What the view is made of.
struct Frame {
    kinds: Arc<Vec<CacheFigures>>,
    alike: Option<Arc<Alike>>,
    repeats: Option<Arc<Repeats>>,
    held: Option<Arc<Held>>,
    keys: Option<Arc<KeyFacts>>,
}

/// A card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Card {
    Kind(usize),
    OverTime(CacheKind),
    Threshold,
    Entries,
    Keys,
    Repeats,
}

/// What caches are asked.
fn question(cx: &ViewCx<'_>) -> CachesQuery {
    CachesQuery { asked: cx.asked() }
}

impl View for Caches {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| shared::requests::filters(cx, ui));
        let Some(kinds) = cx.ask(&question(cx), 0).content(ui, "Counting hits") else { return };
        let alike = cx.ask(&Similarities { asked: cx.asked() }, 1).beside();
        let repeats = RepeatedPrompts { asked: cx.asked() };
        let repeats = cx.ask(&repeats, 2).beside();
        let held = cx.ask(&CacheEntries, 3).beside();
        let keys = cx.ask(&CacheKeys { asked: cx.asked() }, 4).beside();
        let frame = Frame { kinds, alike, repeats, held, keys };
        let cards = cards(&frame);
        if cards.is_empty() {
            let text = "No request that is looked at says anything of a cache.";
            EmptyState::new(Icon::Search, "Nothing of a cache here", text).show(ui);
            return;
        }
        scrolled(ui, |ui| {
            let mut board = std::mem::take(&mut self.board);
            board.show(ui, cards.len(), |i, ui| self.card(cards[i], cx, ui, &frame));
            self.board = board;
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "threshold": self.threshold })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.threshold = shared::kept(saved, "threshold").filter(|t| (0.0..=1.0).contains(t));
    }
}

/// The cards that have something to say.
fn cards(frame: &Frame) -> Vec<Card> {
    let mut cards = Vec::new();
    for (i, c) in frame.kinds.iter().enumerate() {
        cards.push(Card::Kind(i));
        if c.hits + c.misses > 2 {
            cards.push(Card::OverTime(c.kind));
        }
    }
    if frame.alike.as_ref().is_some_and(|a| !a.rows.is_empty()) {
        cards.push(Card::Threshold);
    }
    if frame.held.as_ref().is_some_and(|h| !h.lines.is_empty()) {
        cards.push(Card::Entries);
    }
    if frame.keys.as_ref().is_some_and(|k| k.stated > 0) {
        cards.push(Card::Keys);
    }
    if frame.repeats.as_ref().is_some_and(|r| r.kept > 1) {
        cards.push(Card::Repeats);
    }
    cards
}
