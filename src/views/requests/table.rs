//! The table of requests.

use super::Requests;
use crate::analysis::requests::{RequestColumn, RequestList};
use crate::format::{self, UNKNOWN};
use crate::model::{CacheOutcome, Money, Outcome, Profile, Request, RequestId, Unit};
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{Cell, SortOrder, cell_text};
use crate::views::shared::copy::{self, Form, Heading, Value};
use crate::views::shared::grid::{Column, Grid, Happened, Mark, Rows, walk};
use crate::views::shared::menu::{ContextMenu, Picked};
use crate::views::{ViewCx, definitions as say};
use egui::{Align, Ui};
use std::sync::Arc;

/// Key, title, width, meaning and rank of a column.
fn look(column: RequestColumn) -> (&'static str, &'static str, f32, &'static str, u8) {
    match column {
        RequestColumn::Name => ("name", "Request", 110.0, "Name or id of the request", 0),
        RequestColumn::Model => ("model", "Model", 110.0, "The model that answered", 7),
        RequestColumn::Arrived => {
            ("arrived", "Arrived", 88.0, "When it was issued, since the start of the profile", 4)
        }
        RequestColumn::Queued => ("queued", "Queued", 88.0, say::QUEUED, 5),
        RequestColumn::Ttft => ("ttft", "TTFT", 78.0, say::TTFT, 1),
        RequestColumn::Lost => ("lost", "Lost", 70.0, say::LOST, 2),
        RequestColumn::Tpot => ("tpot", "TPOT", 78.0, say::TPOT, 1),
        RequestColumn::Rate => ("rate", "tok/s", 62.0, say::RATE, 3),
        RequestColumn::Latency => ("latency", "Latency", 88.0, say::LATENCY, 1),
        RequestColumn::Prompt => ("prompt", "Prompt", 68.0, say::PROMPT, 4),
        RequestColumn::Output => ("output", "Output", 66.0, "Output tokens, reasoning included", 2),
        RequestColumn::CacheRead => ("cache", "Cached", 68.0, say::CACHE_READ, 6),
        RequestColumn::Cost => ("cost", "Cost", 100.0, say::COST, 5),
        RequestColumn::Cache => {
            ("answer", "Answer", 82.0, "Whether a cache of whole answers had it: exact, semantic or miss", 3)
        }
        RequestColumn::Similarity => ("similarity", "Similarity", 84.0, say::SIMILARITY, 4),
        RequestColumn::Batch => ("batch", "Batch", 60.0, "The batch that it was generated in", 4),
        RequestColumn::Outcome => ("outcome", "Outcome", 86.0, "How it ended", 2),
    }
}

fn of_key(key: &str) -> Option<RequestColumn> {
    RequestColumn::ALL.into_iter().find(|c| look(*c).0 == key)
}

fn is_text(column: RequestColumn) -> bool {
    matches!(
        column,
        RequestColumn::Name | RequestColumn::Model | RequestColumn::Outcome | RequestColumn::Cache
    )
}

/// A request, and what it costs.
type Row<'a> = (&'a Request, Option<Money>);

/// How each column prints its numbers: one unit for all rows.
struct Formats([Option<format::Column>; RequestColumn::ALL.len()]);

impl Formats {
    fn new(list: &RequestList) -> Self {
        use RequestColumn::{Arrived, Latency, Lost, Queued, Tpot, Ttft};
        Self(std::array::from_fn(|i| {
            let column = RequestColumn::ALL[i];
            let unit = match column {
                Arrived | Queued | Ttft | Lost | Tpot | Latency => Unit::Nanoseconds,
                RequestColumn::Cost => Unit::NanoDollars,
                RequestColumn::Prompt | RequestColumn::Output | RequestColumn::CacheRead => Unit::Count,
                _ => return None,
            };
            Some(format::Column::for_max(unit, list.largest.get(i).map_or(0, |v| *v as i64)))
        }))
    }

    fn of(&self, column: RequestColumn) -> Option<format::Column> {
        RequestColumn::ALL.iter().position(|c| *c == column).and_then(|i| self.0[i])
    }

    fn text(&self, profile: &Profile, (r, cost): Row<'_>, column: RequestColumn) -> String {
        let text = self.plain(profile, (r, cost), column);
        if column.is_estimated(r) && text != UNKNOWN { format!("≈{text}") } else { text }
    }

    fn plain(&self, profile: &Profile, (r, cost): Row<'_>, column: RequestColumn) -> String {
        match column {
            RequestColumn::Name => profile.text(r.name).to_owned(),
            RequestColumn::Model if profile.text(r.model).is_empty() => UNKNOWN.to_owned(),
            RequestColumn::Model => profile.text(r.model).to_owned(),
            RequestColumn::Rate => r.tokens_per_second().map_or_else(|| UNKNOWN.to_owned(), format::number),
            RequestColumn::Outcome => r.outcome.name().to_owned(),
            RequestColumn::Cache => r.cache.map_or(UNKNOWN, CacheOutcome::key).to_owned(),
            RequestColumn::Similarity => {
                r.similarity.map_or_else(|| UNKNOWN.to_owned(), |s| format!("{s:.3}"))
            }
            RequestColumn::Batch => r.batch.map_or_else(|| UNKNOWN.to_owned(), |b| b.to_string()),
            _ => match self.of(column) {
                Some(format) => format.number(column.number(r, cost).map(|v| v.round() as i64)),
                None => UNKNOWN.to_owned(),
            },
        }
    }
}

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
    pub(super) fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, list: &Arc<RequestList>, follow: bool) {
        let formats = Formats::new(list);
        let columns: Vec<Column> = RequestColumn::ALL
            .into_iter()
            .filter(|column| column.is_filled(cx.profile()))
            .map(|column| {
                let (key, title, width, tip, rank) = look(column);
                let suffix = formats.of(column).map_or("", |f| f.suffix());
                let title = if suffix.is_empty() { title.to_owned() } else { format!("{title} {suffix}") };
                let order = if self.descending { SortOrder::Descending } else { SortOrder::Ascending };
                let sort = (self.sort == column).then_some(order);
                let made = if is_text(column) {
                    Column::text(key, title, width)
                } else {
                    Column::number(key, title, width)
                };
                let grow = if key == "name" { 1.0 } else { 0.0 };
                made.tip(tip).rank(rank).sorted(sort).grow(grow)
            })
            .collect();
        let selected = cx.interaction.selection.as_ref().and_then(|item| item.request(cx.profile()));
        let selected = selected.and_then(|id| list.rows.iter().position(|r| *r == id));
        if follow && selected.is_some() {
            self.grid.scroll_to = selected;
        }
        let grid = Grid { salt: "requests", name: "Requests", columns: &columns, rows: list.rows.len() };
        let mut state = std::mem::take(&mut self.grid);
        let mut rows = Table { cx, columns: &columns, list, formats: &formats, palette: Palette::of(ui) };
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
        happened: &Happened,
    ) {
        if let Some(column) = happened.header.and_then(|h| of_key(h.0)) {
            let first = !is_text(column) && column != RequestColumn::Arrived;
            self.descending = if self.sort == column { !self.descending } else { first };
            self.sort = column;
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

struct Table<'a, 'b> {
    cx: &'a mut ViewCx<'b>,
    columns: &'a [Column],
    list: &'a RequestList,
    formats: &'a Formats,
    palette: &'static Palette,
}

impl Table<'_, '_> {
    fn request(&self, row: usize) -> Option<(RequestId, &Request)> {
        let id = *self.list.rows.get(row)?;
        Some((id, self.cx.profile().requests.get(id)?))
    }

    fn copied(&self, form: Form, rows: std::ops::Range<usize>) -> String {
        let profile = self.cx.profile();
        let columns: Vec<RequestColumn> = self.columns.iter().filter_map(|c| of_key(c.key)).collect();
        let value = |(r, cost): Row<'_>, column: RequestColumn| {
            let text = self.formats.text(profile, (r, cost), column);
            match column {
                _ if is_text(column) && text == UNKNOWN => Value { text, exact: String::new() },
                _ if is_text(column) => Value::text(text),
                RequestColumn::Rate | RequestColumn::Similarity => {
                    Value::number(text, column.number(r, cost))
                }
                RequestColumn::Batch => Value::number(text, r.batch),
                _ => Value::number(text, column.number(r, cost).map(|v| v.round() as i64)),
            }
        };
        let values: Vec<Vec<Value>> = self.list.rows[rows]
            .iter()
            .filter_map(|id| Some((profile.requests.get(*id)?, self.list.bill.cost(*id))))
            .map(|row| columns.iter().map(|&c| value(row, c)).collect())
            .collect();
        let heading = |(column, &of): (&Column, &RequestColumn)| {
            let exact = match self.formats.of(of).filter(|_| !is_text(of)) {
                Some(_) if of == RequestColumn::Cost => {
                    format!("{} ({})", look(of).1, Unit::NanoDollars.key())
                }
                Some(f) if !f.suffix().is_empty() => format!("{} ({})", look(of).1, Unit::Nanoseconds.key()),
                _ => look(of).1.to_owned(),
            };
            Heading { title: column.title.clone(), exact, number: !is_text(of) }
        };
        let headings: Vec<_> = self.columns.iter().zip(&columns).map(heading).collect();
        copy::table(form, &headings, &values)
    }
}

impl Rows for Table<'_, '_> {
    fn mark(&self, row: usize) -> Mark {
        let Some((id, _)) = self.request(row) else { return Mark::default() };
        let item = Item::of_request(id, self.cx.profile());
        Mark { selected: self.cx.is_selected(&item), lit: self.cx.is_hovered(&item) }
    }

    fn label(&self, row: usize) -> String {
        let Some((id, r)) = self.request(row) else { return String::new() };
        let profile = self.cx.profile();
        let text = |c| self.formats.text(profile, (r, self.list.bill.cost(id)), c);
        format!("{} {}", text(RequestColumn::Name), text(RequestColumn::Outcome))
    }

    fn cell(&mut self, ui: &mut Ui, row: usize, key: &'static str) {
        let (Some((id, r)), Some(column)) = (self.request(row), of_key(key)) else { return };
        let text = self.formats.text(self.cx.profile(), (r, self.list.bill.cost(id)), column);
        let mut cell = if is_text(column) { Cell::text(self.palette) } else { Cell::number(self.palette) };
        if column == RequestColumn::Outcome {
            cell.color = self.palette.tone(tone(r.outcome));
        } else if text == UNKNOWN || column == RequestColumn::Model {
            cell.color = self.palette.text_weak;
        }
        debug_assert!(is_text(column) || cell.align == Align::RIGHT);
        cell_text(ui, &text, &cell);
    }

    fn menu(&mut self, ui: &mut Ui, row: usize) {
        let Some((id, _)) = self.request(row) else { return };
        match context(self.cx.profile(), id).row().table().show(self.cx, ui, |_, _| ()) {
            Some(Picked::Row) => ui.ctx().copy_text(self.copied(Form::Text, row..row + 1)),
            Some(Picked::Table(form)) => ui.ctx().copy_text(self.copied(form, 0..self.list.rows.len())),
            None => {}
        }
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
