//! The names of lanes at the left, and what can be done with a lane.

use super::lanes::{Height, Lane, LaneOf};
use super::paint::Scene;
use crate::format;
use crate::model::TrackId;
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, regular, small, space};
use crate::views::ViewCx;
use crate::views::parts::text_in;
use egui::{Align, Rect, Response, Sense, Stroke, Ui, Vec2, pos2, vec2};

/// What the person wants of a lane.
pub(super) enum Wish {
    /// Another height.
    Height(Height),
    /// Keep it at the top, or no longer.
    Pin,
    /// Do not show it.
    Hide,
    /// Show only this one.
    HideOthers,
    /// Show all again.
    ShowAll,
    /// Look at these tracks only, in all views.
    Scope(Vec<TrackId>),
    /// Select it.
    Select(Item),
    /// One place up (−1) or down (1).
    Move(i32),
    /// Dragged to this height on screen; true when it was dropped there.
    Drag(f32, bool),
}

/// How a lane is arranged.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// How tall it is.
    pub height: Height,
    /// True when it stays at the top.
    pub pinned: bool,
}

/// What stands below the name.
fn note(cx: &ViewCx<'_>, scene: &Scene<'_>, lane: &Lane, look: Look) -> String {
    match lane.of {
        LaneOf::Track(id) => {
            let rows = scene.rows.and_then(|r| super::boxes::group(r, id)).map_or(0, |g| g.rows.len() as u32);
            let more = rows.saturating_sub(super::lanes::FEW);
            match (look.height, more) {
                (Height::Few, more) if more > 0 => format::counted(i64::from(more), "row more", "rows more"),
                _ => {
                    let spans = scene.profile.track(id).spans.rows.len() as i64;
                    let samples = scene.profile.track(id).samples.len() as i64;
                    match (spans, samples) {
                        (0, 0) => String::new(),
                        (0, samples) => format::counted(samples, "sample", "samples"),
                        (spans, _) => format::counted(spans, "span", "spans"),
                    }
                }
            }
        }
        LaneOf::Counter(id) => {
            let counter = &scene.profile.counters[id.index()];
            let max = scene.figures.get(id.index()).copied().flatten().map(|f| f.max);
            match (cx.cursor.and_then(|t| counter.at(t)), max) {
                (Some(now), _) => format::value(counter.unit, now),
                (None, Some(max)) => format!("max {}", format::value(counter.unit, max)),
                (None, None) => String::new(),
            }
        }
        LaneOf::Requests => format::counted(scene.profile.requests.rows.len() as i64, "request", "requests"),
        LaneOf::Events => String::new(),
    }
}

pub(super) fn show(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    scene: &Scene<'_>,
    lane: &Lane,
    area: Rect,
    look: Look,
) -> Option<Wish> {
    let palette = Palette::of(ui);
    let painter = ui.painter().clone();
    let response = ui.interact(
        area.intersect(ui.clip_rect()),
        ui.scope_id().with(("lane", &lane.key)),
        Sense::click_and_drag(),
    );
    let item = match lane.of {
        LaneOf::Track(id) => Some(Item::Track(id)),
        _ => None,
    };
    let selected = item.as_ref().is_some_and(|i| cx.is_selected(i));
    let name = format!("lane {}", lane.label);
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::ListItem, true, selected, &name));
    let fill = match (selected, response.hovered()) {
        (true, _) => palette.selection,
        (_, true) => palette.hover,
        _ => palette.panel,
    };
    painter.rect_filled(area, 0.0, fill);
    painter.hline(
        area.x_range(),
        painter.round_to_pixel_center(area.bottom() - 1.0),
        Stroke::new(1.0, palette.line_faint),
    );
    if look.pinned {
        painter.rect_filled(Rect::from_min_size(area.min, vec2(2.0, area.height())), 0.0, palette.accent);
    }
    let mut wish = None;
    let mut text = area.shrink2(vec2(space::SMALL + 2.0, 0.0));
    if matches!(lane.of, LaneOf::Track(_)) {
        wish = chevron(ui, lane, area, look);
        text.min.x += 15.0;
    }
    let off = matches!(lane.of, LaneOf::Track(id) if !cx.interaction.scope.has_track(id));
    let color = if off { palette.text_weak } else { palette.text };
    let two = area.height() > 33.0;
    let line = Rect::from_min_max(
        text.min + vec2(0.0, if two { 3.0 } else { 0.0 }),
        pos2(text.right(), if two { area.top() + 18.0 } else { area.bottom() - 1.0 }),
    );
    let note = note(cx, scene, lane, look);
    let buttons = if response.hovered() || response.contains_pointer() {
        buttons(ui, lane, area, look)
    } else {
        (0.0, None)
    };
    let mut line = line;
    line.max.x -= buttons.0;
    wish = wish.or(buttons.1);
    text_in(&painter, line, &lane.label, regular(12.0), color, Align::Min);
    if two {
        let below =
            Rect::from_min_max(pos2(text.left(), area.top() + 18.0), pos2(text.right(), area.top() + 32.0));
        text_in(&painter, below, &note, small(), palette.text_weak, Align::Min);
    }
    if response.hovered()
        && let Some(item) = &item
    {
        cx.out.hover = Some(item.clone());
    }
    wish.or_else(|| events(cx, ui, lane, look, &response, item, &note))
}

fn events(
    cx: &ViewCx<'_>,
    ui: &Ui,
    lane: &Lane,
    look: Look,
    response: &Response,
    item: Option<Item>,
    note: &str,
) -> Option<Wish> {
    let mut wish = None;
    if let Some(p) = response.interact_pointer_pos()
        && (response.dragged() || response.drag_stopped())
    {
        ui.set_cursor_icon(egui::CursorIcon::Grabbing);
        return Some(Wish::Drag(p.y, response.drag_stopped()));
    }
    if response.double_clicked() && matches!(lane.of, LaneOf::Track(_)) {
        let next = if look.height == Height::All { Height::Few } else { Height::All };
        return Some(Wish::Height(next));
    }
    if response.clicked() {
        wish = item.map(Wish::Select);
    }
    response.context_menu(|ui| wish = menu(cx, ui, lane, look).or(wish.take()));
    if !response.context_menu_opened() {
        let text = if note.is_empty() { lane.label.clone() } else { format!("{}\n{note}", lane.label) };
        response.clone().on_hover_text(format!("{text}\n\nDrag to move it, right-click for more"));
    }
    wish
}

/// Opens and closes the rows of a track.
fn chevron(ui: &Ui, lane: &Lane, area: Rect, look: Look) -> Option<Wish> {
    let palette = Palette::of(ui);
    let top = area.top() + if area.height() > 33.0 { 10.5 } else { area.height() / 2.0 };
    let square = Rect::from_center_size(pos2(area.left() + 11.0, top), Vec2::splat(16.0));
    let response = ui.interact(
        square.intersect(ui.clip_rect()),
        ui.scope_id().with(("fold", &lane.key)),
        Sense::click(),
    );
    let open = look.height != Height::Strip;
    let name = format!("rows of {}", lane.label);
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::DisclosureTriangle, true, open, &name));
    let icon = if open { Icon::ChevronDown } else { Icon::ChevronRight };
    let color = if response.hovered() { palette.text_strong } else { palette.text_weak };
    icon.paint(ui.painter(), square.shrink(3.0), color);
    let next = if open { Height::Strip } else { Height::Few };
    response.clicked().then_some(Wish::Height(next))
}

/// Pin and hide, at the right while the pointer is on the label. Their width, and what was clicked.
fn buttons(ui: &Ui, lane: &Lane, area: Rect, look: Look) -> (f32, Option<Wish>) {
    if area.width() < 90.0 {
        return (0.0, None);
    }
    let palette = Palette::of(ui);
    let y = area.top() + if area.height() > 33.0 { 11.0 } else { area.height() / 2.0 };
    let mut wish = None;
    let pin = if look.pinned { "Unpin" } else { "Keep at the top" };
    let hide = [(Icon::Close, "Hide"), (Icon::SortUp, pin)];
    for (i, (icon, name)) in hide.into_iter().enumerate() {
        let center = pos2(area.right() - 12.0 - 18.0 * i as f32, y);
        let square = Rect::from_center_size(center, Vec2::splat(17.0));
        let response = ui.interact(
            square.intersect(ui.clip_rect()),
            ui.scope_id().with((name, &lane.key)),
            Sense::click(),
        );
        let label = format!("{name}: {}", lane.label);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        if response.hovered() {
            ui.painter().rect_filled(square, space::RADIUS_SMALL, palette.pressed);
        }
        let on = icon == Icon::SortUp && look.pinned;
        let color = if on {
            palette.accent
        } else if response.hovered() {
            palette.text_strong
        } else {
            palette.text_weak
        };
        icon.paint(ui.painter(), square.shrink(4.0), color);
        if response.clicked() {
            wish = Some(if icon == Icon::Close { Wish::Hide } else { Wish::Pin });
        }
        response.on_hover_text(name);
    }
    (40.0, wish)
}

fn menu(cx: &ViewCx<'_>, ui: &mut Ui, lane: &Lane, look: Look) -> Option<Wish> {
    let mut wish = None;
    let mut choice = |ui: &mut Ui, text: &str, then: Wish| {
        if ui.button(text).clicked() {
            wish = Some(then);
            ui.close();
        }
    };
    choice(ui, if look.pinned { "Unpin" } else { "Keep at the top" }, Wish::Pin);
    choice(ui, "Move up", Wish::Move(-1));
    choice(ui, "Move down", Wish::Move(1));
    choice(ui, "Hide", Wish::Hide);
    choice(ui, "Hide all others", Wish::HideOthers);
    choice(ui, "Show all", Wish::ShowAll);
    if let LaneOf::Track(id) = lane.of {
        ui.separator();
        for (height, text) in
            [(Height::Strip, "As a strip"), (Height::Few, "Outermost rows"), (Height::All, "All rows")]
        {
            if height != look.height {
                choice(ui, text, Wish::Height(height));
            }
        }
        ui.separator();
        choice(ui, "Only this track in all views", Wish::Scope(vec![id]));
        if !cx.interaction.scope.tracks.is_empty() {
            choice(ui, "All tracks in all views", Wish::Scope(Vec::new()));
        }
    }
    wish
}
