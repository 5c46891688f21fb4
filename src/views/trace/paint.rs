//! Painting of the rows.

use std::borrow::Cow;

use egui::text::LayoutJob;
use egui::{
    Align, Align2, Color32, CornerRadius, Id, Mesh, Rangef, Rect, Role, Sense, Shape, Stroke, Ui, WidgetInfo,
    pos2, vec2,
};

use super::Frame;
use super::copy;
use super::rows::{COUNT, Row, What};
use crate::analysis::prices::Charge;
use crate::analysis::requests::parts;
use crate::analysis::trace::kind::Kind;
use crate::analysis::trace::said::{Part, Who};
use crate::analysis::trace::{Step, Tree};
use crate::format;
use crate::model::messages;
use crate::model::{Outcome, Profile};
use crate::ui::icons::Icon;
use crate::ui::text::{Face, LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, Tone, regular, small, space, strong};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::{link_button, row_background};
use crate::views::parts::text_in;

/// Width of one level.
const INDENT: f32 = 16.0;
/// Room of the words that say who said something.
pub(super) const TOLD: f32 = 84.0;
/// Levels that are indented; deeper ones stand below each other.
const LEVELS: u32 = 14;
/// Side of the mark of a kind.
const MARK: f32 = 15.0;

/// Where a row of a depth begins.
pub(super) fn left(depth: u32) -> f32 {
    space::SMALL + depth.min(LEVELS) as f32 * INDENT
}

/// Left and right of each column; those without room have none.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub name: Rangef,
    pub told: Rangef,
    model: Option<Rangef>,
    tokens: Option<Rangef>,
    cost: Option<Rangef>,
    start: Option<Rangef>,
    took: Option<Rangef>,
    outcome: Option<Rangef>,
    /// The bars on the time of the trace.
    pub axis: Option<TimeAxis>,
}

impl Columns {
    pub fn of(profile: &Profile, frame: &Frame, area: Rect) -> Self {
        let (tree, width) = (&frame.tree, area.width());
        let requests = || tree.steps.iter().filter_map(|s| super::request(profile, s));
        let unusual =
            tree.totals.failed > 0 || requests().any(|(_, r)| r.outcome != Outcome::Ok || r.cache.is_some());
        let named = requests().any(|(_, r)| !profile.text(r.model).is_empty());
        let figures = tree.totals.requests.as_ref();
        let counted = figures.is_some_and(|f| f.all_tokens().is_some());
        let priced = figures.is_some_and(|f| f.cost.is_some());
        // The most important first: names and what was said keep their part of the width.
        let mut spare = width * 0.66 - TOLD - 12.0;
        let mut fits = |wanted: bool, room: f32| {
            let room = Some(room + space::MEDIUM).filter(|room| wanted && *room <= spare);
            spare -= room.unwrap_or(0.0);
            room
        };
        let took = fits(tree.dated, 62.0);
        let bars = fits(tree.dated, (width * 0.24).clamp(90.0, 520.0));
        let tokens = fits(counted, 98.0);
        let outcome = fits(unusual, if width > 1300.0 { 170.0 } else { 92.0 });
        let cost = fits(priced, 88.0);
        let model = fits(named, 140.0);
        let start = fits(tree.dated, 66.0);
        let mut right = area.right() - 12.0;
        let mut place = |room: Option<f32>| {
            room.map(|room| {
                right -= room;
                Rangef::new(right, right + room - space::MEDIUM)
            })
        };
        let [outcome, bars, took, start, cost, tokens, model] =
            [outcome, bars, took, start, cost, tokens, model].map(&mut place);
        let told = Rangef::new(right - 84.0, right - space::MEDIUM);
        let name = Rangef::new(area.left(), told.min - space::SMALL);
        let wall = tree.time.1.saturating_sub(tree.time.0).max(1);
        let axis = bars.map(|x| TimeAxis::layout(0.0, wall as f64, x));
        Self { name, told, model, tokens, cost, start, took, outcome, axis }
    }
}

/// The line above the rows: what the columns are, and the time of the trace.
pub(super) fn heading(ui: &Ui, area: Rect, columns: &Columns, frame: &Frame, cursor: Option<i64>) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    painter.rect_filled(area, 0.0, palette.panel);
    let text = |x: Rangef, text: &str, align: Align| {
        text_in(painter, Rect::from_x_y_ranges(x, area.y_range()), text, small(), palette.text_weak, align);
    };
    text(Rangef::new(columns.name.min + 6.0, columns.name.max), "Step", Align::Min);
    let named = [
        (columns.model, "Model", Align::Min),
        (columns.tokens, "Tokens in → out", Align::Max),
        (columns.cost, "Cost", Align::Max),
        (columns.start, "Start", Align::Max),
        (columns.took, "Took", Align::Max),
        (columns.outcome, "Outcome", Align::Min),
    ];
    for (x, name, align) in named {
        if let Some(x) = x {
            text(x, name, align);
        }
    }
    if let Some(axis) = &columns.axis {
        let ruler = Rect::from_x_y_ranges(axis.x, area.y_range());
        let at = cursor.map(|t| t.saturating_sub(frame.tree.time.0) as f64);
        axis.paint_ruler(painter, ruler, at, palette);
    }
    let y = painter.round_to_pixel_center(area.bottom() - 0.5);
    painter.hline(area.x_range(), y, Stroke::new(1.0, palette.line));
}

/// What a row stands on.
pub(super) fn ground(ui: &Ui, rect: Rect, row: &Row, selected: bool, lit: bool, cursor: bool) {
    let is_step = matches!(row.what, What::Step { .. });
    if is_step {
        row_background(ui, rect, u64::from(row.step), selected, lit);
    }
    if cursor {
        let ring = Stroke::new(1.0, Palette::of(ui).line_strong);
        ui.painter().rect_stroke(rect.shrink(0.5), space::RADIUS_SMALL, ring, egui::StrokeKind::Inside);
    }
}

/// Lines that lead from callers down to what they called.
pub(super) fn guides(ui: &Ui, rect: Rect, row: &Row) {
    let stroke = Stroke::new(1.0, Palette::of(ui).line_faint);
    for level in 0..row.depth.min(LEVELS) {
        let x = ui.painter().round_to_pixel_center(rect.left() + left(level) + 8.0);
        ui.painter().vline(x, rect.y_range(), stroke);
    }
}

/// A row in words.
pub(super) fn label(profile: &Profile, frame: &Frame, step: &Step) -> String {
    let figures = copy::figures(profile, frame.bill.as_deref(), &frame.tree, step);
    format!("{} {}: {figures}", step.kind.name(), name(frame, profile, step))
}

fn name<'a>(frame: &'a Frame, profile: &'a Profile, step: &Step) -> &'a str {
    match step.name(profile) {
        "" => frame.list.find(&frame.which).map_or("conversation", |head| &head.name),
        name => name,
    }
}

/// The colour of a kind, the same in both forms.
pub(super) fn color(palette: &Palette, kind: Kind) -> Color32 {
    match Kind::STEPS.iter().position(|k| *k == kind) {
        Some(at) => palette.series(at),
        None => palette.idle().fill,
    }
}

/// A square with the first letter of the kind.
fn mark(ui: &Ui, center: egui::Pos2, kind: Kind) {
    let palette = Palette::of(ui);
    let fill = color(palette, kind);
    let square = Rect::from_center_size(center, vec2(MARK, MARK));
    if kind == Kind::Ordinary {
        ui.painter().circle_filled(center, 2.5, palette.line_strong);
        return;
    }
    ui.painter().rect_filled(square, space::RADIUS_SMALL, fill);
    let letter = kind.name().chars().next().map_or(' ', |c| c.to_ascii_uppercase());
    ui.painter().text(center, Align2::CENTER_CENTER, letter, strong(10.0), palette.text_on(fill));
}

/// A step; where its name ends.
pub(super) fn step(
    ui: &Ui,
    texts: &mut Texts<'_>,
    profile: &Profile,
    frame: &Frame,
    (row, rect): (&Row, Rect),
    columns: &Columns,
    (into, out, told): (usize, usize, bool),
) -> f32 {
    let palette = Palette::of(ui);
    let tree = &frame.tree;
    let at = &tree.steps[row.step as usize];
    let faded = frame.is_left_out(at);
    let tint = |color: Color32| if faded { palette.dimmed(color) } else { color };
    let x = rect.left() + left(row.depth) + 16.0;
    mark(ui, pos2(x + MARK / 2.0 + 2.0, rect.center().y), at.kind);
    let mut put = |x: Rangef, text: Cow<'_, str>, color: Color32, style: LabelStyle, end: bool| {
        let area = Rect::from_x_y_ranges(x, rect.y_range());
        let Some(galley) = texts.get(TextKey::of(&text), style, area.width(), || text.clone()) else {
            return x.min;
        };
        let x = if end { area.right() - galley.size().x } else { area.left() };
        let right = x + galley.size().x;
        ui.painter().galley(pos2(x, area.center().y - galley.size().y / 2.0), galley, tint(color));
        right
    };
    let plain = LabelStyle::new(13.0);
    let name_at = Rangef::new(x + MARK + 9.0, columns.name.max);
    let ink = match (at.failed, at.kind.is_step()) {
        (true, _) => palette.tone(Tone::Bad),
        (false, true) => palette.text_strong,
        (false, false) => palette.text,
    };
    let face = if matches!(at.kind, Kind::Agent | Kind::Model) { Face::Strong } else { Face::Regular };
    let shown = Cow::Borrowed(name(frame, profile, at));
    let linked = if at.linked { Cow::Owned(format!("↪ {shown}")) } else { shown };
    let name_end = put(name_at, linked, ink, LabelStyle { face, ..plain }, false);
    let words = match (into, out) {
        (0, 0) => String::new(),
        (0, out) => format!("{out} out"),
        (into, 0) => format!("{into} in"),
        (into, out) => format!("{into} in · {out} out"),
    };
    let about = if told { palette.accent } else { palette.text_weak };
    put(columns.told, Cow::Owned(words), about, LabelStyle::new(11.0), true);
    if let (Some(x), Some((_, r))) = (columns.model, super::request(profile, at)) {
        put(x, Cow::Borrowed(profile.text(r.model)), palette.text_weak, LabelStyle::new(12.0), false);
    }
    if let (Some(x), Some((_, r))) = (columns.tokens, super::request(profile, at)) {
        let text = copy::tokens(r).unwrap_or_else(|| format::UNKNOWN.to_owned());
        put(x, Cow::Owned(text), palette.text, plain, true);
    }
    if let (Some(x), Some(id)) = (columns.cost, at.request) {
        let cost = frame.bill.as_ref().and_then(|bill| bill.charges.get(id.index()));
        let cost = cost.map_or_else(|| format::UNKNOWN.to_owned(), Charge::cost_text);
        put(x, Cow::Owned(cost), palette.text, plain, true);
    }
    if let Some(x) = columns.start {
        let start = format::duration(at.start.saturating_sub(tree.time.0));
        put(x, Cow::Owned(start), palette.text_weak, plain, true);
    }
    if let Some(x) = columns.took {
        let text = at.duration().map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
        put(x, Cow::Owned(text), palette.text, plain, true);
    }
    if let Some(x) = columns.outcome {
        let text = match copy::outcome(profile, at) {
            None if at.failed => Some("failed".to_owned()),
            other => other,
        };
        let color = if at.failed { palette.tone(Tone::Bad) } else { palette.text_weak };
        put(x, Cow::Owned(text.unwrap_or_default()), color, LabelStyle::new(12.0), false);
    }
    if let Some(axis) = &columns.axis {
        bar(ui, profile, tree, at, (rect, axis), faded);
    }
    name_end
}

/// The time of a step on that of the trace; that of a request split where its parts begin.
fn bar(ui: &Ui, profile: &Profile, tree: &Tree, step: &Step, (rect, axis): (Rect, &TimeAxis), faded: bool) {
    let palette = Palette::of(ui);
    let x = |t: i64| axis.x_of(t.saturating_sub(tree.time.0) as f64).clamp(axis.x.min, axis.x.max);
    let mut mesh = Mesh::default();
    let mut add = |from: i64, to: i64, thin: f32, color: Color32| {
        let color = if faded { palette.dimmed(color) } else { color };
        let x = x(from)..=x(to).max(x(from) + 1.5);
        mesh.add_colored_rect(Rect::from_x_y_ranges(x, rect.top() + thin..=rect.bottom() - thin), color);
    };
    match super::request(profile, step) {
        Some((_, r)) if !r.undated => {
            for (from, to, part) in parts(r, step.end) {
                let thin = if part.is_waiting() { 10.0 } else { 6.0 };
                let fill = palette.phase(part.name()).fill;
                add(
                    from,
                    to,
                    thin,
                    if step.failed && part.name() == "running" { palette.tone(Tone::Bad) } else { fill },
                );
            }
        }
        _ => {
            let fill = if step.failed { palette.tone(Tone::Bad) } else { color(palette, step.kind) };
            let thin = if step.kind.is_step() { 7.0 } else { 9.0 };
            add(step.start, step.end, thin, fill.gamma_multiply(0.85));
        }
    }
    ui.painter().add(Shape::mesh(mesh));
}

/// The triangle that opens a step; true when it was clicked.
pub(super) fn triangle(ui: &Ui, id: Id, rect: Rect, depth: u32, open: bool) -> bool {
    let area = Rect::from_min_size(pos2(rect.left() + left(depth), rect.top()), vec2(16.0, rect.height()));
    let response = ui.interact(area.intersect(ui.clip_rect()), id, Sense::CLICK);
    let name = if open { "Close" } else { "Open" };
    response.widget_info(|| WidgetInfo::labeled(Role::DisclosureTriangle, true, name));
    let palette = Palette::of(ui);
    let color = if response.hovered() { palette.text_strong } else { palette.text_weak };
    let icon = if open { Icon::ChevronDown } else { Icon::ChevronRight };
    icon.paint(ui.painter(), Rect::from_center_size(area.center(), vec2(11.0, 11.0)), color);
    response.clicked()
}

/// The words that open what was said; true when they were clicked.
pub(super) fn told(ui: &Ui, id: Id, rect: Rect, columns: &Columns, open: bool, of: &str) -> bool {
    let area = Rect::from_x_y_ranges(columns.told, rect.y_range()).intersect(ui.clip_rect());
    let response = ui.interact(area, id, Sense::CLICK);
    let name =
        if open { format!("Hide what was said in {of}") } else { format!("Show what was said in {of}") };
    response.widget_info(|| WidgetInfo::labeled(Role::DisclosureTriangle, true, &name));
    if response.hovered() {
        let y = ui.painter().round_to_pixel_center(rect.bottom() - 4.0);
        ui.painter().hline(area.x_range(), y, Stroke::new(1.0, Palette::of(ui).accent));
    }
    response
        .on_hover_cursor(egui::CursorIcon::PointingHand)
        .on_hover_text("Messages, arguments and results (Enter)")
        .clicked()
}

/// The words that count ordinary spans after a name, and show or hide them; true when they were clicked.
pub(super) fn spans(
    ui: &Ui,
    id: Id,
    rect: Rect,
    (left, right): (f32, f32),
    (hidden, opened, of): (usize, bool, &str),
) -> bool {
    let spans = format::counted(hidden as i64, "ordinary span", "ordinary spans");
    let text = if hidden == 0 && opened { "hide ordinary spans".to_owned() } else { format!("… {spans}") };
    let palette = Palette::of(ui);
    let room = Rect::from_x_y_ranges(left + space::MEDIUM..=right, rect.y_range());
    if room.width() < 30.0 {
        return false;
    }
    let galley = ui.painter().layout_no_wrap(text.clone(), small(), palette.text_weak);
    let area = room.with_max_x((room.left() + galley.size().x).min(room.right()));
    let response = ui.interact(area.intersect(ui.clip_rect()), id, Sense::CLICK);
    let name = format!("{text} of {of}");
    response.widget_info(|| WidgetInfo::labeled(Role::DisclosureTriangle, true, &name));
    let color = if response.hovered() { palette.accent } else { palette.text_weak };
    text_in(ui.painter(), area.with_max_x(room.right()), &text, small(), color, Align::Min);
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}

/// A line that counts something and opens it.
pub(super) fn count(ui: &Ui, rect: Rect, depth: u32, text: &str, lit: bool) {
    let palette = Palette::of(ui);
    let color = if lit { palette.accent } else { palette.text_weak };
    let area = rect.with_min_x(rect.left() + left(depth) + 18.0);
    text_in(ui.painter(), area, text, small(), color, Align::Min);
}

/// The colour of who said something.
fn voice(palette: &Palette, who: &Who) -> Color32 {
    match who {
        Who::Asked(Some(messages::Role::System)) => palette.series(6),
        Who::Asked(Some(messages::Role::User)) => palette.series(0),
        Who::Asked(Some(messages::Role::Assistant)) | Who::Answered => palette.series(1),
        Who::Asked(Some(messages::Role::Tool)) => palette.series(2),
        Who::Failed => palette.tone(Tone::Bad),
        Who::Asked(None) | Who::Field(_) => palette.text_weak,
    }
}

/// Something that was said; true when more or less of it is wanted.
pub(super) fn part(ui: &mut Ui, id: Id, rect: Rect, depth: u32, part: &Part, shown: usize) -> bool {
    let palette = Palette::of(ui);
    let color = voice(palette, &part.who);
    let body = Rect::from_min_max(
        pos2(rect.left() + left(depth) + 4.0, rect.top() + 1.0),
        pos2(rect.right() - 14.0, rect.bottom() - 1.0),
    );
    ui.painter().rect_filled(body, space::RADIUS_SMALL, palette.panel);
    let edge = CornerRadius { nw: space::RADIUS_SMALL, sw: space::RADIUS_SMALL, ..CornerRadius::ZERO };
    ui.painter().rect_filled(body.with_max_x(body.left() + 3.0), edge, color);
    let words = Rect::from_min_size(body.min + vec2(8.0, 2.0), vec2(TOLD - 14.0, 16.0));
    let direction = if part.who.goes_in() { "→" } else { "←" };
    let who = format!("{direction} {}", part.who.name().rsplit('.').next().unwrap_or_default());
    text_in(ui.painter(), words, &who, small(), color, Align::Min);
    let left = body.left() + TOLD;
    let is_cut = shown < part.text.len();
    let is_long = is_cut || rect.height() > COUNT && part.text[..shown].chars().nth(700).is_some();
    let ink = if part.who == Who::Failed { palette.tone(Tone::Bad) } else { palette.text };
    let shown = format::escaped_lines(&part.text[..shown]).into_owned();
    let room = (body.right() - left - space::MEDIUM).max(60.0);
    let galley = ui.painter().layout_job(LayoutJob::simple(shown, regular(13.0), ink, room));
    ui.painter().with_clip_rect(body.intersect(ui.clip_rect())).galley(
        pos2(left, body.top() + 3.0),
        galley,
        ink,
    );
    if !is_long {
        return false;
    }
    let more = Rect::from_min_max(pos2(left, body.bottom() - COUNT), body.max);
    let text = if is_cut { "Show more" } else { "Show less" };
    let builder = egui::UiBuilder::new().max_rect(more).id_salt(id);
    ui.scope_builder(builder, |ui| link_button(ui, text).clicked()).inner
}
