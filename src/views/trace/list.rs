//! The list of steps: rows that are seen, what is clicked and what keys do.

use egui::{
    Align, Key, Modifiers, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo,
    pos2, vec2,
};

use super::copy::{self, Form};
use super::paint::{self, Columns, TOLD};
use super::rows::{Listed, Row, What, toggle};
use super::{Frame, Made, TraceView, item};
use crate::analysis::trace::said;
use crate::format;
use crate::model::Profile;
use crate::ui::theme::{Palette, regular, space};
use crate::views::ViewCx;
use crate::views::shared::grid::{focus_on, walk};
use crate::views::shared::menu::ContextMenu;

/// Height of the line above the rows.
const HEADING: f32 = space::RULER;
/// Room for the scroll bar.
const BAR: f32 = 10.0;

/// What was done to a row.
#[derive(Clone, Copy)]
enum Done {
    /// Its callees are shown or hidden.
    Fold,
    /// Its ordinary spans.
    Spans,
    /// What was said in it.
    Tell,
    /// What was said before.
    Before,
    /// One long text.
    Whole(usize),
}

impl TraceView {
    pub(super) fn list(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
        let area = ui.available_rect_before_wrap();
        let palette = Palette::of(ui);
        ui.painter().rect_filled(area, space::RADIUS_SMALL, palette.canvas);
        let focus = ui.scope_id().with("steps");
        let focused = focus_on(ui, focus, area, "Steps of the trace");
        self.make(cx.profile(), ui, frame, area.width());
        let Some(made) = self.listed.take() else { return };
        let columns = Columns::of(cx.profile(), frame, area);
        paint::heading(ui, area.with_max_y(area.top() + HEADING), &columns, frame, cx.cursor);
        let body = area.with_min_y(area.top() + HEADING);
        let scroll = ScrollArea::vertical().id_salt("rows").auto_shrink(false);
        if std::mem::take(&mut self.reveal) {
            self.cursor = frame.selected.and_then(|step| made.rows.find(&frame.tree, step));
            self.scroll_to = self.cursor.map(|row| (row, Some(Align::Center)));
        }
        let mut done: Option<(usize, Done)> = None;
        let mut clicked = false;
        ui.scope_builder(UiBuilder::new().max_rect(body).id_salt("rows"), |ui| {
            scroll.show_viewport(ui, |ui, view| {
                ui.set_height(made.rows.height);
                let top = ui.min_rect().top();
                let place = |row: &Row| {
                    Rect::from_min_size(pos2(area.left(), top + row.y), vec2(area.width(), row.height))
                };
                if let Some((row, align)) = self.scroll_to.take()
                    && let Some(row) = made.rows.rows.get(row)
                {
                    ui.scroll_to_rect(place(row), align);
                }
                for at in made.rows.seen(view.top(), view.bottom()) {
                    let row = &made.rows.rows[at];
                    let place = place(row);
                    let (what, hit) = self.row(cx, ui, (frame, &made.rows), (at, row), place, &columns);
                    done = what.map(|what| (at, what)).or(done.take());
                    clicked |= hit;
                }
            });
        });
        if let Some((row, pressed)) = focused.then(|| self.pressed(ui, &made.rows)).flatten() {
            done = Some((row, pressed));
        }
        if clicked {
            ui.memory_mut(|m| m.request_focus(focus));
        }
        if focused {
            let ring = Stroke::new(1.0, palette.accent);
            ui.painter().rect_stroke(area, space::RADIUS_SMALL, ring, StrokeKind::Inside);
        }
        if let Some((at, what)) = done {
            self.apply(frame, &made.rows.rows[at], what);
        }
        self.listed = Some(made);
        self.keys(cx, ui, frame, focused, body.height());
    }

    /// Makes the rows anew where something they are made of changed.
    fn make(&mut self, profile: &Profile, ui: &Ui, frame: &Frame, width: f32) {
        let (width, changes) = (width.round() as i32, self.folds.changes);
        let is_fresh = |m: &Made| {
            std::sync::Arc::ptr_eq(&m.tree, &frame.tree) && m.changes == changes && m.width == width
        };
        if self.listed.as_ref().is_some_and(is_fresh) {
            return;
        }
        let measure = |text: &str, depth: u32| {
            let room = (width as f32 - paint::left(depth) - TOLD - BAR - 3.0 * space::MEDIUM).max(60.0);
            let galley = ui.painter().layout(
                format::escaped_lines(text).into_owned(),
                regular(13.0),
                egui::Color32::PLACEHOLDER,
                room,
            );
            galley.size().y.max(16.0) + space::MEDIUM
        };
        let rows = Listed::of(profile, &frame.tree, &self.folds, &measure);
        let before = self.listed.take().filter(|m| std::sync::Arc::ptr_eq(&m.tree, &frame.tree));
        if before.is_none() {
            self.counts.clear();
        }
        let row = before.zip(self.cursor).and_then(|(m, at)| m.rows.rows.get(at).copied());
        self.cursor = row.and_then(|row| rows.same(&row)).or_else(|| rows.find(&frame.tree, row?.step));
        self.listed = Some(Made { tree: frame.tree.clone(), changes, width, rows });
    }

    /// Draws a row; what was done to it, and whether it was clicked.
    fn row(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        (frame, rows): (&Frame, &Listed),
        (at, row): (usize, &Row),
        rect: Rect,
        columns: &Columns,
    ) -> (Option<Done>, bool) {
        let profile = cx.subject.profile().clone();
        let step = &frame.tree.steps[row.step as usize];
        let id = ui.scope_id().with((
            "row",
            step.key,
            match row.what {
                What::Step { .. } => 0,
                What::Before { .. } => 1,
                What::Part { part, .. } => 2 + part,
            },
        ));
        let clip = rect.intersect(ui.clip_rect());
        let response = ui.interact(clip, id, Sense::CLICK);
        let item = item(&profile, step);
        let selected = item.as_ref().is_some_and(|item| cx.is_selected(item));
        let lit = response.hovered() || item.as_ref().is_some_and(|item| cx.is_hovered(item));
        let is_cursor = self.cursor == Some(at);
        paint::ground(ui, rect, row, selected, lit, is_cursor);
        paint::guides(ui, rect, row);
        let mut done = None;
        match row.what {
            What::Step { has_children, hidden } => {
                response.widget_info(|| {
                    WidgetInfo::selected(Role::Row, true, selected, paint::label(&profile, frame, step))
                });
                let counts = self.counts.entry(step.key).or_insert_with(|| said::counts(&profile, step));
                let (into, out) = *counts;
                let open = !self.folds.closed.contains(&step.key);
                let told = self.folds.told.contains(&step.key);
                let name = {
                    let painter = ui.painter().clone();
                    let mut texts = self.texts.begin(&painter);
                    paint::step(ui, &mut texts, &profile, frame, (row, rect), columns, (into, out, told))
                };
                let opened = self.folds.spans.contains(&step.key);
                let spans = (hidden, opened, step.name(&profile));
                if (hidden > 0 || opened)
                    && paint::spans(ui, id.with("spans"), rect, (name, columns.name.max), spans)
                {
                    done = Some(Done::Spans);
                }
                if has_children && paint::triangle(ui, id.with("open"), rect, row.depth, open) {
                    done = Some(Done::Fold);
                }
                if into + out > 0
                    && paint::told(ui, id.with("told"), rect, columns, told, step.name(&profile))
                {
                    done = Some(Done::Tell);
                }
                if response.double_clicked() && into + out > 0 {
                    done = Some(Done::Tell);
                }
            }
            What::Before { parts } => {
                let parts = format::counted(parts as i64, "message", "messages");
                let shown = self.folds.before.contains(&step.key);
                let text =
                    if shown { format!("hide {parts} as before") } else { format!("… {parts} as before") };
                response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &text));
                paint::count(ui, rect, row.depth, &text, response.hovered());
                done = response.clicked().then_some(Done::Before);
            }
            What::Part { part, shown } => {
                let Some(of) = rows.said.get(&row.step).and_then(|said| said.parts.get(part)) else {
                    return (None, false);
                };
                response.widget_info(|| {
                    WidgetInfo::labeled(
                        Role::Row,
                        true,
                        format!("{}: {}", of.who.name(), format::short(&of.text, 200)),
                    )
                });
                if paint::part(ui, id, rect, row.depth, of, shown) {
                    done = Some(Done::Whole(part));
                }
            }
        }
        if let Some(item) = item {
            if response.hovered() {
                cx.out.hover = Some(item.clone());
            }
            let is_step = matches!(row.what, What::Step { .. } | What::Part { .. });
            if is_step && (response.clicked() || response.secondary_clicked()) {
                self.cursor = Some(at);
                cx.select(Some(item));
            }
        }
        self.menu(cx, &response, &profile, frame, rows, row);
        (done, response.clicked())
    }

    fn menu(
        &self,
        cx: &mut ViewCx<'_>,
        response: &egui::Response,
        profile: &Profile,
        frame: &Frame,
        rows: &Listed,
        row: &Row,
    ) {
        let step = &frame.tree.steps[row.step as usize];
        response.context_menu(|ui| {
            let copied = |form| copy::text(profile, frame.bill.as_deref(), &frame.tree, rows, form);
            let mut menu = ContextMenu::new()
                .title(step.name(profile))
                .copies("Copy name", step.name(profile))
                .copies("Copy steps as text", copied(Form::Text))
                .copies("Copy steps as Markdown", copied(Form::Markdown));
            if let Some((_, r)) = super::request(profile, step) {
                let texts =
                    [("Copy prompt", r.prompt), ("Copy answer", r.completion), ("Copy error", r.error)];
                for (entry, text) in texts {
                    menu = menu.copies(entry, profile.text(text));
                }
            }
            menu.show(cx, ui, |_, _| ());
        });
    }

    fn apply(&mut self, frame: &Frame, row: &Row, what: Done) {
        let key = frame.tree.steps[row.step as usize].key;
        match what {
            Done::Fold => toggle(&mut self.folds.closed, key),
            Done::Spans => toggle(&mut self.folds.spans, key),
            Done::Tell => toggle(&mut self.folds.told, key),
            Done::Before => toggle(&mut self.folds.before, key),
            Done::Whole(part) => toggle(&mut self.folds.whole, (key, part)),
        }
        self.folds.changes += 1;
    }

    /// What keys do to the row that the keyboard is on: open, close, read.
    fn pressed(&mut self, ui: &Ui, rows: &Listed) -> Option<(usize, Done)> {
        let at = self.cursor?;
        let row = rows.rows.get(at)?;
        let key = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        let reads = key(Key::Enter) || key(Key::Space);
        match row.what {
            What::Step { .. } if reads => Some((at, Done::Tell)),
            What::Before { .. } if reads => Some((at, Done::Before)),
            What::Part { part, .. } if reads => Some((at, Done::Whole(part))),
            _ => None,
        }
    }

    /// Walks through the rows.
    fn keys(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, frame: &Frame, focused: bool, height: f32) {
        let Some(made) = self.listed.as_ref().filter(|_| focused) else { return };
        let rows = &made.rows.rows;
        let page = (height / super::rows::STEP) as usize;
        let current = self.cursor.filter(|&at| at < rows.len());
        let key = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        let mut next = walk(ui, current, rows.len(), page);
        let mut folded = None;
        if let Some(row) = current.map(|at| rows[at]) {
            let step = &frame.tree.steps[row.step as usize];
            let is_open = !self.folds.closed.contains(&step.key);
            let (has_children, hidden) = match row.what {
                What::Step { has_children, hidden } => (has_children, hidden > 0),
                _ => (false, false),
            };
            if key(Key::ArrowRight) {
                if has_children && !is_open {
                    folded = Some((row, Done::Fold));
                } else if has_children {
                    next = current.map(|at| (at + 1).min(rows.len() - 1));
                } else if hidden {
                    folded = Some((row, Done::Spans));
                }
            }
            if key(Key::ArrowLeft) {
                if has_children && is_open {
                    let opened = !hidden && self.folds.spans.contains(&step.key);
                    folded = Some((row, if opened { Done::Spans } else { Done::Fold }));
                } else {
                    next = made.rows.find(&frame.tree, step.parent);
                }
            }
        }
        if let Some(at) = next {
            let row = rows[at];
            self.cursor = Some(at);
            let step = &frame.tree.steps[row.step as usize];
            if matches!(row.what, What::Step { .. })
                && let Some(item) = item(cx.profile(), step)
            {
                cx.select(Some(item));
            }
            self.scroll_to = Some((at, None));
        }
        if let Some((row, what)) = folded {
            self.apply(frame, &row, what);
        }
    }
}
