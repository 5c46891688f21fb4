//! What several views are made of: tables, breadcrumbs, the menu of a function, copying.

pub mod align;
pub mod bars;
pub mod board;
pub mod branch;
pub mod caches;
pub mod changed;
pub mod clock;
pub mod crumbs;
pub mod figures;
pub mod grid;
mod header;
pub mod menu;
mod notes;
pub mod pair;
pub mod plot;
pub mod requests;
pub mod squarified;
pub mod two;

pub use header::header;
pub use notes::{Note, badge};

use crate::analysis::Transform;
use crate::analysis::columns::Shown;
use crate::analysis::functions::Functions;
use crate::analysis::gaps::Gap;
use crate::analysis::nothing;
use crate::format::{self, Column, UNKNOWN};
use crate::model::{Basis, CounterId, FunctionId, Profile, TrackId, Unit};
use crate::state::{Command, Interaction};
use crate::ui::icons::Icon;
use crate::ui::text::elide_middle;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{Cell, EmptyState};
use crate::views::ViewCx;
use egui::{Align, Layout, Rect, Response, Role, Sense, Ui, UiBuilder, Vec2, WidgetInfo, pos2};

/// The function with most self cost in the part that is looked at: what a view about one function shows before
/// one is selected. Without any it says so.
pub fn most_expensive(cx: &ViewCx<'_>, ui: &mut Ui) -> Option<FunctionId> {
    let table = cx.ask(&Functions(cx.slice()), 0).content(ui, "Adding up functions")?;
    let first = table.rows.first().map(|row| row.function);
    if first.is_none() {
        nothing(cx, ui, Icon::Graph);
    }
    first
}

/// Says why there is nothing to draw: what the file lacks, or which filters leave nothing.
pub fn nothing(cx: &ViewCx<'_>, ui: &mut Ui, icon: Icon) {
    let (profile, slice) = (cx.profile(), cx.slice());
    let why = nothing::why(profile, &slice);
    EmptyState::new(icon, why.title(), &why.text(profile, slice.metric)).show(ui);
}

/// Notes that numbers are estimated, and why.
pub fn note_basis(cx: &mut ViewCx<'_>, basis: &Basis, more: &str) {
    if let Basis::Estimated(why) = basis {
        cx.note(Tone::Warning, "Estimated", format!("Estimated: {why}.{more}"));
    }
}

/// Notes that times along an axis are no clock, and why.
pub fn note_clock(cx: &mut ViewCx<'_>) {
    let why = &cx.profile().meta.no_clock;
    if !why.is_empty() {
        let text = format!("This axis is no clock: {why}.");
        cx.note(Tone::Info, "No clock", text);
    }
}

/// Goes to what has no place: its caller alone, for which more paths are large enough. False where there is none.
pub fn go_to_gap(cx: &mut ViewCx<'_>, gap: Gap, caller: &[FunctionId]) -> bool {
    let goes = gap == Gap::NotPlaced && !caller.is_empty();
    if goes {
        let caller = caller.iter().map(|&f| cx.profile().keys().symbol(f)).collect();
        cx.send(Command::Push(Transform::FocusSubtree(caller)));
    }
    goes
}

/// What has no place in a tree, as sentences after a notice.
#[must_use]
pub fn lost(words: &[String]) -> String {
    words.iter().map(|part| format!(" {part}.")).collect()
}

/// A body that takes what one line below it leaves.
pub fn with_footer(ui: &mut Ui, footer: &str, body: impl FnOnce(&mut Ui)) {
    let area = ui.available_rect_before_wrap();
    let split = (area.bottom() - space::CONTROL).max(area.top());
    let above = Rect::from_min_max(area.min, pos2(area.right(), split - space::SMALL));
    let below = Rect::from_min_max(pos2(area.left(), split), area.max);
    ui.scope_builder(UiBuilder::new().max_rect(above).id_salt("body"), body);
    let layout = Layout::left_to_right(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(below).layout(layout).id_salt("footer"), |ui| {
        pair::weak(ui, footer)
    });
}

/// Unit of the metric that is shown.
#[must_use]
pub fn unit(profile: &Profile, interaction: &Interaction) -> Unit {
    Shown::of(interaction.metric, interaction.relative, profile).unit
}

/// What a sum of the shown metric is called: «time», «Instructions».
#[must_use]
pub fn metric_name(profile: &Profile, interaction: &Interaction) -> String {
    Shown::of(interaction.metric, interaction.relative, profile).what
}

/// A cell with the unit that its heading names, for words that stand alone; empty where there is no such column.
pub fn cell_with_unit<R: Copy, S>(columns: &[Column<'_, R, S>], key: &str, row: R) -> String {
    let Some(column) = columns.iter().find(|c| c.key == key) else { return String::new() };
    let text = column.cell(row);
    match column.form.suffix() {
        "" => text,
        _ if text == UNKNOWN || text.is_empty() => text,
        suffix => format!("{text} {suffix}"),
    }
}

/// What a view kept under `key` in a saved workspace; `None` where it is not there, or is nothing that the view knows.
#[must_use]
pub fn kept<T: serde::de::DeserializeOwned>(saved: &serde_json::Value, key: &str) -> Option<T> {
    serde_json::from_value(saved.get(key)?.clone()).ok()
}

/// True when a profile has calls of any kind; otherwise what would show some.
///
/// # Errors
/// What is missing, and what would fill it.
pub fn needs_calls(profile: &Profile) -> Result<(), &'static str> {
    if profile.span_count() > 0 || profile.sample_count() > 0 || profile.call_graph.is_some() {
        Ok(())
    } else {
        Err(
            "This file holds no calls: no spans, no samples and no call graph. Open a profile or a trace, or record one.",
        )
    }
}

/// Name of a counter with its process, where there is one.
#[must_use]
pub fn counter_name(profile: &Profile, id: CounterId) -> String {
    let counter = &profile.counters[id.index()];
    let (process, name) = (profile.text(counter.process), profile.text(counter.name));
    if process.is_empty() { name.to_owned() } else { format!("{process} › {name}") }
}

/// «file:line», «file», or nothing when the file is unknown. Python writes `~` for built-in functions.
#[must_use]
pub fn place(profile: &Profile, function: FunctionId) -> String {
    let f = profile.functions.get(function);
    match (profile.text(f.file), f.line) {
        ("" | "~", _) => String::new(),
        (file, 0) => file.to_owned(),
        (file, line) => format!("{file}:{line}"),
    }
}

/// A path in a cell: what does not fit is left out in the middle, and a tooltip shows it whole.
pub fn path_cell(ui: &mut Ui, text: &str, cell: &Cell) -> Response {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let inner = rect.shrink2(Vec2::new(8.0, 0.0));
    if text.is_empty() || inner.width() < 12.0 {
        return response;
    }
    let shown = ui.painter().fonts_mut(|fonts| {
        elide_middle(text, inner.width(), |c| fonts.glyph_width(&cell.font, c)).into_owned()
    });
    let whole = shown == text;
    let galley = ui.painter().layout_no_wrap(shown, cell.font.clone(), cell.color);
    let at = pos2(inner.left(), rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, cell.color);
    if whole { response } else { response.on_hover_text(text) }
}

/// A text of second rank in a cell.
#[must_use]
pub fn weak_cell(palette: &Palette) -> Cell {
    Cell { color: palette.text_weak, ..Cell::text(palette) }
}

/// «1 024 samples» of a track; `None` where it has none. What a tool summed up are stacks.
pub fn sampled(profile: &Profile, track: TrackId) -> Option<String> {
    let rows = profile.track(track).samples.len() as i64;
    match profile.counts_samples() {
        _ if rows == 0 => None,
        true => Some(format::counted(profile.samples_on(track) as i64, "sample", "samples")),
        false => Some(format::counted(rows, "stack", "stacks")),
    }
}
