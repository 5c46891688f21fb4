//! The names of lanes at the left, and what can be done with a lane: by pointer, by keys, by a menu.

use super::lanes::{Lane, LaneOf};
use super::paint::Scene;
use super::stack::{Placed, Stacked};
use crate::format;
use crate::model::TrackKey;
use crate::state::{Item, LaneHeight};
use crate::ui::icons::Icon;
use crate::ui::text::elide_middle;
use crate::ui::theme::{Palette, regular, small, space, strong};
use crate::views::ViewCx;
use crate::views::parts::text_in;
use crate::views::shared::{self, menu::ContextMenu};
use egui::{Align, Id, Key, Modifiers, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, pos2, vec2};

/// Height from which on a second line fits below the name.
const TWO_LINES: f32 = 33.0;
/// Width of a button.
const BUTTON: f32 = 18.0;

/// What the person wants of a lane.
pub(super) enum Wish {
    /// Another height.
    Height(LaneHeight),
    /// Fold or open the group.
    Fold,
    /// Keep it at the top, or no longer.
    Pin,
    /// Do not show it.
    Hide,
    /// Show only this one.
    HideOthers,
    /// Show all again.
    ShowAll,
    /// Look at these tracks only, in all views.
    Scope(Vec<TrackKey>),
    /// Select it.
    Select(Item),
    /// One place down, or up.
    Move { down: bool },
    /// Dragged to this height on screen; true when it was dropped there.
    Drag(f32, bool),
    /// The keyboard is on it: keep it in view.
    Focused,
}

/// A lane's name at its place.
pub(super) struct Label<'a> {
    pub scene: &'a Scene<'a>,
    pub stacked: &'a Stacked,
    pub placed: Placed,
    pub area: Rect,
    /// The same for all lanes of the view.
    pub id: Id,
    /// True in the region of pinned lanes.
    pub pinned: bool,
}

impl Label<'_> {
    fn lane(&self) -> &Lane {
        &self.stacked.lanes.all[self.placed.lane]
    }

    fn height(&self) -> LaneHeight {
        self.stacked.lanes.height(self.lane(), &self.stacked.arranged)
    }

    fn open(&self) -> bool {
        match self.lane().of {
            LaneOf::Group(_) => !self.stacked.arranged.folded.contains(&self.lane().key),
            _ => self.height() != LaneHeight::Strip,
        }
    }

    fn name(&self) -> &str {
        if self.pinned { &self.lane().label } else { &self.lane().short }
    }

    /// What stands below the name.
    fn note(&self, cx: &ViewCx<'_>) -> String {
        let profile = self.scene.profile;
        match self.lane().of {
            LaneOf::Track(id) => {
                let more = self.stacked.row_count(id).saturating_sub(self.stacked.few(id));
                if self.height() == LaneHeight::Few && more > 0 {
                    return format::counted(i64::from(more), "row more", "rows more");
                }
                let track = profile.track(id);
                match track.spans.rows.len() as i64 {
                    0 => shared::sampled(profile, id).unwrap_or_default(),
                    spans => format::counted(spans, "span", "spans"),
                }
            }
            LaneOf::Counter(id) => {
                let Some(counter) = profile.counters.get(id.index()) else { return String::new() };
                let max = self.scene.figures.get(id.index()).copied().flatten().map(|f| f.max);
                let cursor = cx.cursor.filter(|t| *t <= self.scene.end);
                match (cursor.and_then(|t| counter.at(t)), max) {
                    (Some(now), _) => format::value(counter.unit, now),
                    (None, Some(max)) => format!("max {}", format::value(counter.unit, max)),
                    (None, None) => String::new(),
                }
            }
            LaneOf::Requests => format::counted(profile.requests.rows.len() as i64, "request", "requests"),
            LaneOf::Events => String::new(),
            LaneOf::Group(_) => {
                format::counted(self.stacked.lanes.members(self.placed.lane).count() as i64, "lane", "lanes")
            }
        }
    }

    /// Paints it and says what is wanted.
    pub fn show(&self, cx: &mut ViewCx<'_>, ui: &mut Ui) -> Option<Wish> {
        let (lane, palette) = (self.lane(), Palette::of(ui));
        let painter = ui.painter().clone();
        let id = self.id.with(("lane", &lane.key));
        let response = ui.interact(self.area.intersect(ui.clip_rect()), id, Sense::click_and_drag());
        let item = match lane.of {
            LaneOf::Track(id) => Some(Item::of_track(id, cx.profile())),
            _ => None,
        };
        let selected = item.as_ref().is_some_and(|i| cx.is_selected(i));
        let name = self.scene.spoken(lane);
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::ListItem, true, selected, &name));
        let fill = match (selected, response.hovered() || response.has_focus(), lane.of) {
            (true, ..) => palette.selection,
            (_, true, _) => palette.hover,
            (_, _, LaneOf::Group(_)) => palette.pressed.gamma_multiply(0.6),
            _ => palette.panel,
        };
        painter.rect_filled(self.area, 0.0, fill);
        let bottom = painter.round_to_pixel_center(self.area.bottom() - 1.0);
        painter.hline(self.area.x_range(), bottom, Stroke::new(1.0, palette.line_faint));
        if self.pinned {
            let edge = Rect::from_min_size(self.area.min, vec2(2.0, self.area.height()));
            painter.rect_filled(edge, 0.0, palette.accent);
        }
        let over = response.hovered() || response.contains_pointer() || response.has_focus();
        let (width, mut wish) = self.buttons(cx, ui, over);
        if matches!(lane.of, LaneOf::Track(_) | LaneOf::Group(_)) {
            wish = self.chevron(ui).or(wish);
        }
        let note = self.note(cx);
        self.texts(cx, ui, &note, width);
        if response.has_focus() {
            let ring = Stroke::new(1.5, palette.accent);
            painter.rect_stroke(self.area.shrink(1.0), space::RADIUS_SMALL, ring, StrokeKind::Inside);
        }
        if response.hovered()
            && let Some(item) = &item
        {
            cx.out.hover = Some(item.clone());
        }
        wish.or_else(|| self.events(cx, ui, &response, item, &note))
    }

    /// Left edge of the name.
    fn indent(&self) -> f32 {
        let inside = !self.pinned && self.lane().head.is_some();
        if inside { 10.0 } else { 0.0 }
    }

    fn texts(&self, cx: &ViewCx<'_>, ui: &Ui, note: &str, buttons: f32) {
        let (lane, palette) = (self.lane(), Palette::of(ui));
        let mut text = self.area.shrink2(vec2(space::SMALL + 2.0, 0.0));
        text.min.x += self.indent();
        if matches!(lane.of, LaneOf::Track(_) | LaneOf::Group(_)) {
            text.min.x += 15.0;
        }
        let two = self.area.height() > TWO_LINES;
        let mut line = text;
        line.max.x -= buttons;
        if two {
            (line.min.y, line.max.y) = (self.area.top() + 3.0, self.area.top() + 18.0);
        } else {
            line.max.y -= 1.0;
        }
        let off = matches!(lane.of, LaneOf::Track(id) if !cx.interaction.scope.has_track(cx.profile(), id));
        let color = if off { palette.text_weak } else { palette.text };
        let is_head = matches!(lane.of, LaneOf::Group(_));
        let font = if is_head { strong(12.0) } else { regular(12.0) };
        // What tells threads apart is mostly the end of their names.
        let name = ui.painter().fonts_mut(|fonts| {
            elide_middle(self.name(), line.width(), |c| fonts.glyph_width(&font, c)).into_owned()
        });
        let (width, _) = text_in(ui.painter(), line, &name, font, color, Align::Min);
        if two {
            let top = self.area.top() + 18.0;
            let below = Rect::from_min_max(pos2(text.left(), top), pos2(text.right(), top + 14.0));
            text_in(ui.painter(), below, note, small(), palette.text_weak, Align::Min);
        } else if is_head && line.width() - width > 50.0 {
            line.min.x += width + space::MEDIUM;
            text_in(ui.painter(), line, note, small(), palette.text_weak, Align::Min);
        }
    }

    fn events(
        &self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        response: &Response,
        item: Option<Item>,
        note: &str,
    ) -> Option<Wish> {
        let lane = self.lane();
        if let Some(p) = response.interact_pointer_pos()
            && (response.dragged() || response.drag_stopped())
        {
            ui.set_cursor_icon(egui::CursorIcon::Grabbing);
            return Some(Wish::Drag(p.y, response.drag_stopped()));
        }
        let mut wish = None;
        if response.double_clicked() && matches!(lane.of, LaneOf::Track(_)) {
            let all = self.height() == LaneHeight::All;
            return Some(Wish::Height(if all { LaneHeight::Few } else { LaneHeight::All }));
        }
        if response.clicked() {
            wish = match lane.of {
                LaneOf::Group(_) => Some(Wish::Fold),
                _ => item.map(Wish::Select),
            };
        }
        response.context_menu(|ui| wish = self.menu(cx, ui).or(wish.take()));
        if !response.context_menu_opened() {
            let text = if note.is_empty() { lane.label.clone() } else { format!("{}\n{note}", lane.label) };
            response.clone().on_hover_text(format!(
                "{text}\n\nDrag to move it, right-click for more. Keys: P pins, H hides, Alt+↑ and Alt+↓ move"
            ));
        }
        if response.has_focus() {
            wish = wish.or_else(|| self.keys(ui)).or(Some(Wish::Focused));
        }
        wish
    }

    fn keys(&self, ui: &Ui) -> Option<Wish> {
        let pressed = |modifiers, key| ui.input_mut(|i| i.consume_key(modifiers, key));
        let none = Modifiers::NONE;
        if pressed(Modifiers::ALT, Key::ArrowUp) {
            Some(Wish::Move { down: false })
        } else if pressed(Modifiers::ALT, Key::ArrowDown) {
            Some(Wish::Move { down: true })
        } else if pressed(none, Key::P) && !matches!(self.lane().of, LaneOf::Group(_)) {
            Some(Wish::Pin)
        } else if pressed(none, Key::H) {
            Some(Wish::Hide)
        } else {
            None
        }
    }

    /// Opens and closes the rows of a track, or a group.
    fn chevron(&self, ui: &Ui) -> Option<Wish> {
        let (lane, palette) = (self.lane(), Palette::of(ui));
        let top = self.area.top() + self.first_line();
        let center = pos2(self.area.left() + 11.0 + self.indent(), top);
        let square = Rect::from_center_size(center, Vec2::splat(16.0));
        let id = self.id.with(("fold", &lane.key));
        let response = ui.interact(square.intersect(ui.clip_rect()), id, Sense::click());
        let open = self.open();
        let what = if matches!(lane.of, LaneOf::Group(_)) { "lanes" } else { "rows" };
        let name = format!("{what} of {}", lane.label);
        response
            .widget_info(|| egui::WidgetInfo::selected(egui::Role::DisclosureTriangle, true, open, &name));
        let icon = if open { Icon::ChevronDown } else { Icon::ChevronRight };
        let strong = response.hovered() || response.has_focus();
        icon.paint(
            ui.painter(),
            square.shrink(3.0),
            if strong { palette.text_strong } else { palette.text_weak },
        );
        ring(ui, &response, square);
        let next = if open { LaneHeight::Strip } else { LaneHeight::Few };
        response.clicked().then_some(match lane.of {
            LaneOf::Group(_) => Wish::Fold,
            _ => Wish::Height(next),
        })
    }

    fn first_line(&self) -> f32 {
        if self.area.height() > TWO_LINES { 10.5 } else { self.area.height() / 2.0 }
    }

    /// Menu, hide and pin, at the right while the pointer or the keyboard is there. Their width, and what was
    /// clicked.
    fn buttons(&self, cx: &mut ViewCx<'_>, ui: &Ui, over: bool) -> (f32, Option<Wish>) {
        let lane = self.lane();
        let pin = if self.pinned { "Unpin" } else { "Pin" };
        let mut all = vec![(Icon::SortDown, "More"), (Icon::Close, "Hide")];
        if !matches!(lane.of, LaneOf::Group(_)) {
            all.push((Icon::SortUp, pin));
        }
        let id = |name: &str| self.id.with((name, &lane.key));
        let focused = || all.iter().any(|(_, name)| ui.memory(|m| m.has_focus(id(name))));
        let menu_open = egui::Popup::is_id_open(ui.ctx(), id("More").with("popup"));
        if self.area.width() < 90.0 || !(over || menu_open || focused()) {
            return (0.0, None);
        }
        let palette = Palette::of(ui);
        let y = self.area.top() + self.first_line();
        let mut wish = None;
        for (i, (icon, name)) in all.iter().enumerate() {
            let center = pos2(self.area.right() - 12.0 - BUTTON * i as f32, y);
            let square = Rect::from_center_size(center, Vec2::splat(BUTTON - 1.0));
            let response = ui.interact(square.intersect(ui.clip_rect()), id(name), Sense::click());
            let label = format!("{name}: {}", lane.label);
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
            if response.hovered() {
                ui.painter().rect_filled(square, space::RADIUS_SMALL, palette.pressed);
            }
            let color = match (*icon == Icon::SortUp && self.pinned, response.hovered()) {
                (true, _) => palette.accent,
                (_, true) => palette.text_strong,
                _ => palette.text_weak,
            };
            icon.paint(ui.painter(), square.shrink(4.0), color);
            ring(ui, &response, square);
            match icon {
                Icon::SortDown => {
                    egui::Popup::menu(&response).show(|ui| wish = self.menu(cx, ui).or(wish.take()));
                }
                Icon::Close if response.clicked() => wish = Some(Wish::Hide),
                _ if response.clicked() => wish = Some(Wish::Pin),
                _ => {}
            }
            response.on_hover_text(*name);
        }
        (BUTTON * all.len() as f32 + 4.0, wish)
    }

    fn menu(&self, cx: &mut ViewCx<'_>, ui: &mut Ui) -> Option<Wish> {
        let lane = self.lane();
        let context = ContextMenu::new().title(&lane.label).copies("Copy name", &lane.label);
        let mut wish = None;
        context.show(cx, ui, |cx, ui| wish = self.choices(cx, ui));
        wish
    }

    fn choices(&self, cx: &ViewCx<'_>, ui: &mut Ui) -> Option<Wish> {
        let lane = self.lane();
        let mut wish = None;
        let mut choice = |ui: &mut Ui, text: &str, then: Wish| {
            if ui.button(text).clicked() {
                wish = Some(then);
                ui.close();
            }
        };
        if !matches!(lane.of, LaneOf::Group(_)) {
            choice(ui, if self.pinned { "Unpin" } else { "Pin" }, Wish::Pin);
        }
        choice(ui, "Move up", Wish::Move { down: false });
        choice(ui, "Move down", Wish::Move { down: true });
        choice(ui, "Hide", Wish::Hide);
        choice(ui, "Hide all others", Wish::HideOthers);
        choice(ui, "Show all", Wish::ShowAll);
        match lane.of {
            LaneOf::Group(_) => {
                ui.separator();
                choice(ui, if self.open() { "Fold" } else { "Open" }, Wish::Fold);
            }
            LaneOf::Track(id) => {
                ui.separator();
                let heights = [
                    (LaneHeight::Strip, "Compact"),
                    (LaneHeight::Few, "Outermost rows"),
                    (LaneHeight::All, "All rows"),
                ];
                for (height, text) in heights.into_iter().filter(|h| h.0 != self.height()) {
                    choice(ui, text, Wish::Height(height));
                }
                ui.separator();
                choice(
                    ui,
                    "Only this track in all views",
                    Wish::Scope(vec![cx.profile().keys().track_key(id)]),
                );
            }
            _ => {}
        }
        if !cx.interaction.scope.tracks.is_empty() {
            choice(ui, "All tracks in all views", Wish::Scope(Vec::new()));
        }
        wish
    }
}

/// Shows where the keyboard is.
fn ring(ui: &Ui, response: &Response, area: Rect) {
    if response.has_focus() {
        let stroke = Stroke::new(1.5, Palette::of(ui).accent);
        ui.painter().rect_stroke(area, space::RADIUS_SMALL, stroke, StrokeKind::Inside);
    }
}
