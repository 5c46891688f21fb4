//! The table of requests.

use super::Requests;
use crate::analysis::columns::requests::{self as columns, RequestCells};
use crate::analysis::requests::{Listed, RequestColumn, RequestList};
use crate::analysis::search::Pattern;
use crate::analysis::slo::Slow;
use crate::format::{self, SortBy};
use crate::model::{Outcome, Profile, RequestId};
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{Cell, cell_text, pill};
use crate::views::shared::grid::{Grid, Happened, Mark, Rows, walk};
use crate::views::shared::menu::{ContextMenu, Picked};
use crate::views::{ViewCx, shared};
use egui::Ui;
use std::sync::Arc;

/// Tone of an outcome.
pub(super) fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Ok => Tone::Neutral,
        Outcome::Error => Tone::Bad,
        Outcome::Cancelled => Tone::Warning,
        Outcome::Running => Tone::Info,
    }
}

impl Requests {
    /// What rows are sorted by, and whether against its natural direction.
    fn sort(&self) -> (RequestColumn, bool) {
        (self.sort, self.descending == self.sort.ascends())
    }

    pub(super) fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, list: &Arc<RequestList>, follow: bool) {
        let profile = cx.subject.profile();
        let mut columns = columns::requests(profile, list);
        format::mark(&mut columns, &[self.sort()]);
        let selected = cx.interaction.selection.as_ref().and_then(|item| item.request(cx.profile()));
        let selected = selected.and_then(|id| list.rows.iter().position(|r| *r == id));
        if follow && selected.is_some() {
            self.grid.scroll_to = selected;
        }
        let grid = Grid { salt: "requests", name: "Requests", columns: &columns, rows: list.rows.len() };
        let mut state = std::mem::take(&mut self.grid);
        let pattern = Pattern::new(&cx.interaction.search);
        let mut rows = Table { cx, profile, columns: &columns, list, pattern };
        let happened = grid.show(ui, &mut state, &mut rows);
        self.grid = state;
        self.events(cx, ui, list, selected, &happened);
    }

    fn events(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        list: &RequestList,
        selected: Option<usize>,
        happened: &Happened<RequestColumn>,
    ) {
        if let Some((by, _)) = happened.header {
            let mut sort = self.sort();
            format::click(&mut sort, by);
            self.sort = by;
            self.descending = sort.1 == by.ascends();
        }
        if let Some(row) = happened.hovered {
            cx.out.hover = Some(Item::of_request(list.rows[row], cx.profile()));
        }
        if let Some(row) = happened.clicked {
            cx.send(Command::Select(Some(Item::of_request(list.rows[row], cx.profile()))));
        }
        if let Some(row) = happened.double_clicked
            && let Some((from, to)) = Item::of_request(list.rows[row], cx.profile()).interval(cx.profile())
        {
            self.viewport.show(from as f64, to as f64);
        }
        if happened.focused
            && let Some(row) = walk(ui, selected, list.rows.len(), happened.page)
        {
            cx.send(Command::Select(Some(Item::of_request(list.rows[row], cx.profile()))));
            self.grid.scroll_to = Some(row);
        }
    }
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    profile: &'l Profile,
    columns: &'a [RequestCells<'l>],
    list: &'a RequestList,
    pattern: Option<Pattern>,
}

impl<'l> Rows for Table<'_, 'l, '_> {
    type Row = Listed<'l>;

    fn row(&self, at: usize) -> Listed<'l> {
        self.list.listed(self.profile, self.list.rows[at])
    }

    fn mark(&self, at: usize) -> Mark {
        let item = Item::of_request(self.list.rows[at], self.profile);
        Mark { selected: self.cx.is_selected(&item), lit: self.cx.is_hovered(&item) }
    }

    fn found(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        format!("{} {}", cell("name"), cell("outcome"))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let palette = Palette::of(ui);
        let row = self.row(at);
        match column {
            "outcome" => {
                let color = palette.tone(tone(row.request.outcome));
                cell_text(ui, row.request.outcome.name(), &Cell { color, ..Cell::text(palette) });
            }
            "why" => {
                let Some(slow) = row.slow else { return false };
                let response = ui.horizontal_centered(|ui| {
                    ui.add_space(space::SMALL);
                    pill(ui, Tone::Warning, slow.cause.short())
                });
                response.inner.on_hover_text(why(&slow));
            }
            _ => return false,
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        context(self.profile, self.list.rows[at]).row().table().show(self.cx, ui, |_, _| ())
    }
}

/// Why a request was slow, in a sentence.
fn why(slow: &Slow) -> String {
    let time = |ns: f64| format::duration(ns.round() as i64);
    let over = format!("{} more than the median of its model, {}", time(slow.over), time(slow.median));
    match slow.explained > 0.0 {
        true => format!("{over}: {}, {} of it", slow.cause.words(), time(slow.explained)),
        false => format!("{over}: {}", slow.cause.words()),
    }
}

/// The menu of a request, in the table and in the waterfall.
pub(super) fn context(profile: &Profile, id: RequestId) -> ContextMenu<'static> {
    let Some(r) = profile.requests.get(id) else { return ContextMenu::new() };
    let text = |id| profile.text(id).to_owned();
    ContextMenu::new()
        .title(text(r.name))
        .copies("Copy name", text(r.name))
        .copies("Copy prompt", text(r.prompt))
        .copies("Copy answer", text(r.completion))
        .copies("Copy error", text(r.error))
}
