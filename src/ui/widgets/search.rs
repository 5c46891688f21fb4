//! The search field.

use super::buttons::paint_icon_button;
use crate::format::count;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, regular, small, space};
use egui::{
    Frame, Id, Key, Modifiers, Rect, Response, Role, Sense, Stroke, StrokeKind, TextEdit, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};

/// A field for a search, with the number of matches and a button that clears it.
pub struct SearchBox<'a> {
    hint: &'a str,
    text: &'a mut String,
    matches: Option<(Option<usize>, usize)>,
    width: f32,
}

/// What the user did.
pub struct SearchOutput {
    /// The text field: `request_focus` on it for a shortcut.
    pub response: Response,
    /// The text is another one.
    pub changed: bool,
    /// Enter: go to the next match.
    pub next: bool,
    /// Shift + Enter: go to the match before.
    pub previous: bool,
}

impl<'a> SearchBox<'a> {
    /// A search field. `hint` stands in it while it is empty and is its name.
    pub fn new(hint: &'a str, text: &'a mut String) -> Self {
        Self { hint, text, matches: None, width: 240.0 }
    }

    /// Says which match is shown, counted from 0, and how many there are.
    #[must_use]
    pub fn matches(self, current: Option<usize>, total: usize) -> Self {
        Self { matches: Some((current, total)), ..self }
    }

    /// Width in points.
    #[must_use]
    pub fn width(self, width: f32) -> Self {
        Self { width, ..self }
    }

    /// Shows it. Escape clears the text.
    pub fn show(self, ui: &mut Ui) -> SearchOutput {
        let palette = Palette::of(ui);
        let (rect, outer) = ui.allocate_exact_size(vec2(self.width, space::CONTROL), Sense::hover());
        let id = ui.make_persistent_id(("search", self.hint));
        let focused = ui.memory(|memory| memory.has_focus(id));
        let line = match (focused, outer.contains_pointer()) {
            (true, _) => Stroke::new(1.5, palette.accent),
            (_, true) => Stroke::new(1.0, palette.line_strong),
            _ => Stroke::new(1.0, palette.line),
        };
        ui.painter().rect(rect, space::RADIUS, palette.canvas, line, StrokeKind::Inside);
        let glass = Rect::from_center_size(pos2(rect.left() + 14.0, rect.center().y), Vec2::splat(13.0));
        Icon::Search.paint(ui.painter(), glass, palette.text_weak);

        let mut changed = false;
        if focused && !self.text.is_empty() && ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape)) {
            self.text.clear();
            changed = true;
        }
        let mut right = rect.right() - space::SMALL;
        if !self.text.is_empty() {
            let button = Rect::from_center_size(pos2(right - 8.0, rect.center().y), Vec2::splat(17.0));
            right = button.left() - space::SMALL;
            changed |= clear_button(ui, id, button, self.text);
            right = self.paint_matches(ui, right, rect);
        }
        let field = Rect::from_min_max(
            pos2(glass.right() + 6.0, rect.top()),
            pos2(right.max(glass.right() + 30.0), rect.bottom()),
        );
        let edit = TextEdit::singleline(self.text)
            .id(id)
            .font(regular(13.0))
            .frame(Frame::NONE)
            .hint_text(self.hint)
            .align(egui::Align2::LEFT_CENTER)
            .clip_text(true)
            .min_size(vec2(0.0, field.height()))
            .desired_width(field.width());
        let response = ui.place(field, edit).accessible_name(self.hint);
        changed |= response.changed();
        let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        let backwards = ui.input(|i| i.modifiers.shift);
        if entered {
            response.request_focus();
        }
        SearchOutput { changed, next: entered && !backwards, previous: entered && backwards, response }
    }

    /// Paints the number of matches left of `right`; the new right end.
    fn paint_matches(&self, ui: &Ui, right: f32, rect: Rect) -> f32 {
        let palette = Palette::of(ui);
        let (text, color) = match self.matches {
            None => return right,
            Some((_, 0)) => ("no match".to_owned(), palette.tone(crate::ui::theme::Tone::Bad)),
            Some((None, total)) => (count(total as i64), palette.text_weak),
            Some((Some(at), total)) => {
                (format!("{} of {}", count(at as i64 + 1), count(total as i64)), palette.text_weak)
            }
        };
        let galley = ui.painter().layout_no_wrap(text, small(), color);
        let at = pos2(right - galley.size().x - 2.0, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at, galley, color);
        at.x - space::SMALL
    }
}

fn clear_button(ui: &Ui, id: Id, rect: Rect, text: &mut String) -> bool {
    let response = ui.interact(rect, id.with("clear"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), "Clear search"));
    paint_icon_button(ui, rect, &response, Icon::Close, false);
    if response.clicked() {
        text.clear();
        ui.memory_mut(|memory| memory.request_focus(id));
    }
    response.clicked()
}
