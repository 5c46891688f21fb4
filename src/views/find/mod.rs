//! Asks for spans, samples or requests with a filter: a table of what it picks, with its statistics, which can be the filter
//! or the time of all other panes.

mod bar;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::Ui;

use super::shared;
use super::shared::grid::{Grid, GridState, Happened, Mark, Rows, walk};
use super::shared::menu::{self, ContextMenu, Picked};
use super::{Comparing, View, ViewCx, ViewKind};
use crate::analysis::columns::found::{FoundColumn, FoundKey, found, name};
use crate::analysis::filter::{FilterRows, Found, Kind, Row};
use crate::format;
use crate::model::{FunctionId, Profile};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::Tone;
use crate::ui::widgets::{EmptyState, Notice};

/// The line in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "find",
    title: "Find",
    about: "Spans, samples and requests that a filter picks: name:decode dur>10ms; as a table, and as the filter of all panes",
    needs,
    make: || Box::new(FindView::default()),
    comparing: Comparing::Beside,
};

fn needs(profile: &Profile) -> Result<(), &'static str> {
    if Kind::ALL.iter().any(|(kind, _)| kind.is_in(profile)) {
        Ok(())
    } else {
        Err(
            "This file holds sums per function and no single spans, samples or requests. Open a trace, a sampled profile or a recording.",
        )
    }
}

/// The view.
#[derive(Default)]
struct FindView {
    /// What is looked through; `None` for what suits the profile.
    kind: Option<Kind>,
    text: String,
    sort: (FoundKey, bool),
    grid: GridState,
    sorted: Option<Sorted>,
}

/// Rows in the order that was asked for.
struct Sorted {
    of: Arc<Result<Found, String>>,
    by: (FoundKey, bool),
    rows: Vec<Row>,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    kind: Option<Kind>,
    text: String,
    sort: (FoundKey, bool),
    columns: std::collections::BTreeMap<String, bool>,
}

impl View for FindView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let kind = self.kind_of(cx.profile());
        let scope = crate::analysis::Scope { transforms: Vec::new(), ..cx.interaction.scope.clone() };
        let query = FilterRows {
            filter: self.text.clone(),
            kind,
            scope,
            range: cx.interaction.range,
            prices: cx.prices.clone(),
        };
        let found = cx.ask(&query, 0).beside();
        self.bar(cx, ui, kind, found.as_deref());
        let Some(answered) = cx.ask(&query, 0).content(ui, "Looking through all of it") else { return };
        let picked = match &*answered {
            Ok(picked) => picked,
            Err(why) => {
                Notice::new(Tone::Bad, why).show(ui);
                return;
            }
        };
        if picked.count == 0 {
            let text = match self.text.trim().is_empty() {
                true => "None begins in the chosen tracks and time.",
                false => "No one has all that the filter asks for, in the chosen tracks and time.",
            };
            EmptyState::new(Icon::Search, "Nothing found", text).show(ui);
            return;
        }
        self.order(cx, kind, &answered, picked);
        let footer = statistics(picked, kind);
        shared::with_footer(ui, &footer, |ui| self.table(cx, ui, kind, picked));
    }

    fn save(&self) -> serde_json::Value {
        let (kind, text, sort) = (self.kind, self.text.clone(), self.sort);
        serde_json::to_value(Saved { kind, text, sort, columns: self.grid.shown.clone() }).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.kind, self.text, self.sort) = (saved.kind, saved.text, saved.sort);
            self.grid.shown = saved.columns;
        }
    }
}

impl FindView {
    /// What is looked through: what was chosen, if the profile has any, or the first that it has.
    fn kind_of(&self, profile: &Profile) -> Kind {
        let first = || Kind::ALL.iter().map(|k| k.0).find(|kind| kind.is_in(profile));
        self.kind.filter(|kind| kind.is_in(profile)).or_else(first).unwrap_or_default()
    }

    fn order(&mut self, cx: &ViewCx<'_>, kind: Kind, of: &Arc<Result<Found, String>>, picked: &Found) {
        let known = self.sorted.as_ref().is_some_and(|s| Arc::ptr_eq(&s.of, of) && s.by == self.sort);
        if !known {
            let columns = found(cx.profile(), kind, picked, cx.metric());
            let compare = format::by(&columns, &[self.sort]);
            let mut rows = picked.rows.clone();
            rows.sort_by(|&a, &b| compare(a, b));
            self.sorted = Some(Sorted { of: of.clone(), by: self.sort, rows });
        }
    }

    fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, kind: Kind, picked: &Found) {
        let Some(sorted) = self.sorted.take() else { return };
        let profile = cx.subject.profile();
        let mut columns = found(profile, kind, picked, cx.metric());
        format::mark(&mut columns, &[self.sort]);
        if cx.selected_elsewhere() {
            let item = cx.interaction.selection.as_ref();
            self.grid.scroll_to =
                sorted.rows.iter().position(|&row| self::item(row, profile).as_ref() == item);
        }
        let grid = Grid { salt: "found", name: "Found", columns: &columns, rows: sorted.rows.len() };
        let mut state = std::mem::take(&mut self.grid);
        let mut rows = Table { cx, rows: &sorted.rows, columns: &columns };
        let happened = grid.show(ui, &mut state, &mut rows);
        self.grid = state;
        self.events(cx, ui, &sorted.rows, &happened);
        self.sorted = Some(sorted);
    }

    fn events(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, rows: &[Row], happened: &Happened<FoundKey>) {
        if let Some((by, _)) = happened.header {
            format::click(&mut self.sort, by);
            return;
        }
        if let Some(row) = happened.hovered {
            cx.out.hover = item(rows[row], cx.profile());
        }
        let current = || {
            let selected = cx.interaction.selection.as_ref()?;
            rows.iter().position(|&row| item(row, cx.profile()).as_ref() == Some(selected))
        };
        let next = if happened.focused { walk(ui, current(), rows.len(), happened.page) } else { None };
        if let Some(row) = next {
            self.grid.scroll_to = Some(row);
        }
        if let Some(row) = happened.double_clicked
            && let Some(range) = item(rows[row], cx.profile()).and_then(|i| i.interval(cx.profile()))
        {
            cx.send(Command::SetRange(Some(range)));
        }
        if let Some(item) = happened.clicked.or(next).and_then(|row| item(rows[row], cx.profile())) {
            cx.select(Some(item));
        }
    }
}

/// What a row stands for in other panes.
fn item(row: Row, profile: &Profile) -> Option<Item> {
    match row {
        Row::Span(track, at) => Item::of_span(track, at, profile),
        Row::Sample(..) => Some(Item::of_function(function(row, profile)?, profile)),
        Row::Request(id) => Some(Item::of_request(id, profile)),
    }
}

/// The function that ran.
fn function(row: Row, profile: &Profile) -> Option<FunctionId> {
    match row {
        Row::Span(track, at) => Some(profile.track(track).spans.rows.get(at as usize)?.function),
        Row::Sample(track, at) => {
            let stack = profile.track(track).samples.stacks.get(at as usize).copied().flatten()?;
            Some(profile.frames.get(profile.stacks.rows()[stack.index()].frame).function)
        }
        Row::Request(_) => None,
    }
}

/// «37 of 5 708 spans · 3.42 s together · median 2.10 ms · p95 9.00 ms · longest 12.0 ms».
fn statistics(found: &Found, kind: Kind) -> String {
    let many = match kind {
        Kind::Spans => ("span", "spans"),
        Kind::Samples => ("sample", "samples"),
        Kind::Requests => ("request", "requests"),
    };
    let count = format::count(found.count as i64);
    let mut parts = match found.count == found.of {
        true => vec![format::counted(found.of as i64, many.0, many.1)],
        false => vec![format!("{count} of {}", format::counted(found.of as i64, many.0, many.1))],
    };
    if let Some(d) = found.lengths {
        let time = |ns: f64| format::duration(ns.round() as i64);
        parts.push(format!("{} together", format::duration(found.sum)));
        parts.push(format!("median {}", time(d.p50)));
        parts.push(format!("p95 {}", time(d.p95)));
        parts.push(format!("longest {}", time(d.max)));
    }
    if (found.rows.len() as u64) < found.count {
        parts.push(format!("the longest {} are listed", format::count(found.rows.len() as i64)));
    }
    parts.join(" · ")
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    rows: &'a [Row],
    columns: &'a [FoundColumn<'l>],
}

impl Rows for Table<'_, '_, '_> {
    type Row = Row;

    fn row(&self, at: usize) -> Row {
        self.rows[at]
    }

    fn mark(&self, at: usize) -> Mark {
        let Some(item) = item(self.rows[at], self.cx.profile()) else { return Mark::default() };
        Mark {
            selected: self.cx.interaction.selection.as_ref() == Some(&item),
            lit: self.cx.is_hovered(&item),
        }
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.rows[at]);
        format!("{} {}{}", name(self.cx.profile(), self.rows[at]), cell("length"), cell("weight"))
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let row = self.rows[at];
        let context = match function(row, self.cx.profile()) {
            Some(function) => ContextMenu::about(menu::About { function, path: None }).without_keys(),
            None => ContextMenu::new().title(name(self.cx.profile(), row)),
        };
        let range = item(row, self.cx.profile()).and_then(|item| item.interval(self.cx.profile()));
        context.row().table().show(self.cx, ui, |cx, ui| {
            if range.is_some()
                && menu::entry(ui, "Look at its time", "", "Every pane shows what ran meanwhile")
            {
                cx.send(Command::SetRange(range));
            }
        })
    }
}
