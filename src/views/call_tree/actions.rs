//! What clicks and keys do to the tree.

use egui::{Event, Key, Modifiers, Ui};

use super::super::shared::grid::walk;
use super::super::shared::{self, menu};
use super::list::List;
use super::{CallTreeView, Mode};
use crate::analysis::expansion::PathKey;
use crate::analysis::path::Symbol;
use crate::analysis::{inverted, tree_rows};
use crate::state::Item;
use crate::views::ViewCx;

/// Most rows that are opened at once.
const MOST_OPENED: usize = 20_000;

/// A change of what is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Opens a row or closes it.
    Toggle(usize),
    /// Opens a row and all below, or closes them.
    ToggleAll(usize),
    /// Opens a row and all below.
    OpenAll(usize),
    /// Closes everything.
    CloseAll,
}

impl CallTreeView {
    pub(super) fn act(&mut self, cx: &ViewCx<'_>, list: &List, act: Act) {
        match act {
            Act::Toggle(row) => {
                let line = list.line(row);
                if line.has_children {
                    self.set_open(line.key, !line.expanded);
                }
            }
            Act::ToggleAll(row) => self.set_all(cx, list, row, !list.line(row).expanded),
            Act::OpenAll(row) => self.set_all(cx, list, row, true),
            Act::CloseAll => {
                // Rows that a search holds open are closed by name.
                let open = (0..list.len()).map(|row| list.line(row)).filter(|line| line.expanded);
                let keys: Vec<PathKey> = open.map(|line| line.key).collect();
                match self.mode {
                    Mode::TopDown => self.down.clear(),
                    Mode::BottomUp => self.up.clear(),
                }
                keys.into_iter().for_each(|key| self.set_open(key, false));
            }
        }
    }

    fn set_all(&mut self, cx: &ViewCx<'_>, list: &List, row: usize, open: bool) {
        let costs = list.costs();
        let keys: Vec<PathKey> = match list.line(row).node {
            Some(node) => tree_rows::keys_below(&costs.tree, node, MOST_OPENED).collect(),
            None if list.line(row).says.gap.is_some() => return,
            None => inverted::keys_below(costs, &list.symbols_up(row), cx.profile(), MOST_OPENED),
        };
        keys.into_iter().for_each(|key| self.set_open(key, open));
    }

    /// Opens the heaviest path and tells its last row.
    fn open_heaviest(&mut self, cx: &ViewCx<'_>, list: &List) -> Option<PathKey> {
        let costs = list.costs();
        let keys: Vec<PathKey> = match list {
            List::Down(_) => {
                tree_rows::heaviest_path(costs).iter().map(|&n| costs.tree.keys[n as usize]).collect()
            }
            List::Up(..) => {
                let step = |key: &mut PathKey, symbol: Symbol| {
                    *key = key.child(symbol.name(cx.profile()));
                    Some(*key)
                };
                inverted::heaviest_callers(costs, cx.profile())
                    .into_iter()
                    .scan(PathKey::ROOT, step)
                    .collect()
            }
        };
        let last = keys.get(MOST_OPENED.min(keys.len()).checked_sub(1)?).copied()?;
        for &key in keys.iter().take_while(|key| **key != last) {
            self.set_open(key, true);
        }
        Some(last)
    }

    /// The button: opens the heaviest path, selects its end and scrolls there.
    pub(super) fn heaviest(&mut self, cx: &mut ViewCx<'_>, list: &List) {
        let Some(last) = self.open_heaviest(cx, list) else { return };
        (self.at, self.reveal) = (Some(last), Some((last, false)));
        let tree = &list.costs().tree;
        if let (Mode::TopDown, Some(node)) = (self.mode, tree.keys.iter().position(|k| *k == last)) {
            cx.select(Some(Item::of_path(&tree.path(node as u32), cx.profile())));
        }
    }

    pub(super) fn select(&mut self, cx: &mut ViewCx<'_>, list: &List, row: usize) {
        self.at = Some(list.line(row).key);
        cx.select(Some(list.item(row, cx.profile())));
    }

    fn go(&mut self, cx: &mut ViewCx<'_>, list: &List, row: usize) {
        self.select(cx, list, row);
        self.grid.scroll_to = Some(row);
    }

    /// Selects the next match after a row, or the one before; the search goes round.
    pub(super) fn next_match(&mut self, cx: &mut ViewCx<'_>, list: &List, from: Option<usize>, forth: bool) {
        let n = list.len();
        let start = from.unwrap_or(if forth { n.saturating_sub(1) } else { 0 });
        let step = |i: usize| if forth { (start + i) % n } else { (start + n - i) % n };
        if let Some(row) = (1..=n).map(step).find(|&row| list.line(row).matches) {
            self.go(cx, list, row);
        }
    }

    /// What a double-click does: a row opens, what has no row leads to its caller alone.
    pub(super) fn enter(&mut self, cx: &mut ViewCx<'_>, list: &List, row: usize) {
        let line = list.line(row);
        let Some(gap) = line.says.gap else { return self.act(cx, list, Act::Toggle(row)) };
        if shared::go_to_gap(cx, gap, &list.path(row)) {
            // The caller is the root now, and open.
            self.set_open(PathKey::ROOT.child(line.says.symbol.name(cx.profile())), true);
        }
    }

    pub(super) fn keys(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, list: &List, page: usize) {
        let pressed = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        let current = self.shown.as_ref().and_then(|s| s.row);
        if let Some(row) = walk(ui, current, list.len(), page) {
            self.go(cx, list, row);
            return;
        }
        if pressed(Key::H) {
            self.heaviest(cx, list);
        }
        for (key, forth) in [(Key::N, true), (Key::P, false)] {
            if pressed(key) {
                self.next_match(cx, list, current, forth);
            }
        }
        let Some(row) = current else { return };
        let line = list.line(row);
        if pressed(Key::ArrowRight) {
            match (line.has_children, line.expanded) {
                (true, false) => self.act(cx, list, Act::Toggle(row)),
                (true, true) => self.go(cx, list, row + 1),
                _ => {}
            }
        }
        if pressed(Key::ArrowLeft) {
            if line.expanded {
                self.act(cx, list, Act::Toggle(row));
            } else if let Some(parent) = list.parent(row) {
                self.go(cx, list, parent);
            }
        }
        if pressed(Key::Enter) || pressed(Key::Space) {
            self.enter(cx, list, row);
        }
        if ui.input(|i| i.events.iter().any(|e| matches!(e, Event::Text(t) if t == "*"))) {
            self.act(cx, list, Act::OpenAll(row));
        }
        let path = line.node.map(|_| list.path(row));
        menu::keys(cx, menu::About { function: line.says.symbol.function(), path: path.as_deref() }, ui);
    }
}
