//! Small pieces that several panes draw in the same way: cards, rows, texts cut to their place.

use crate::format::{self, escaped};
use crate::ui::theme::{Palette, Tone, mono, regular, small, space, strong};
use crate::ui::widgets::focus_ring;
use crate::ui::widgets::section_heading;
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Color32, FontId, Frame, Label, Margin, Painter, Rect, Response, RichText, Sense, Stroke, TextEdit,
    Ui, pos2, vec2,
};

/// A group of related things on a surface of its own.
pub fn card<R>(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let palette = Palette::of(ui);
    Frame::new()
        .fill(palette.canvas)
        .stroke(Stroke::new(1.0, palette.line_faint))
        .corner_radius(space::RADIUS + 2)
        .inner_margin(Margin::same(space::LARGE as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 2.0;
            if !title.is_empty() {
                section_heading(ui, title);
                ui.add_space(space::SMALL);
            }
            add(ui)
        })
        .inner
}

/// A row of the full width, `height` points high.
pub fn row(ui: &mut Ui, height: f32, sense: Sense) -> (Rect, Response) {
    ui.allocate_exact_size(vec2(ui.available_width(), height), sense)
}

/// A text inside `area`, cut with an ellipsis. Returns its width and whether it is whole.
pub fn text_in(
    painter: &Painter,
    area: Rect,
    text: &str,
    font: FontId,
    color: Color32,
    align: Align,
) -> (f32, bool) {
    if area.width() < 6.0 {
        return (0.0, text.is_empty());
    }
    let line: String = escaped(text).chars().take(400).collect();
    let mut job = LayoutJob::simple_singleline(line, font, color);
    job.wrap = TextWrapping::truncate_at_width(area.width());
    let galley = painter.layout_job(job);
    let x = match align {
        Align::Min => area.left(),
        Align::Center => area.center().x - galley.size().x / 2.0,
        Align::Max => area.right() - galley.size().x,
    };
    let (width, whole) = (galley.size().x, !galley.elided);
    painter.galley(pos2(x, area.center().y - galley.size().y / 2.0), galley, color);
    (width, whole)
}

/// Name at the left, value at the right, with an optional bar of `share` behind. `strong` marks what is
/// selected.
pub struct BarRow<'a> {
    /// At the left.
    pub name: &'a str,
    /// At the right.
    pub value: &'a str,
    /// Weak, before the value.
    pub note: &'a str,
    /// Length of the bar behind, 0 to 1.
    pub share: Option<f64>,
    /// Colour of a swatch before the name.
    pub swatch: Option<Color32>,
    /// Drawn as selected.
    pub selected: bool,
    /// Drawn as under the pointer in another view.
    pub lit: bool,
}

impl<'a> BarRow<'a> {
    /// A plain row.
    #[must_use]
    pub fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value, note: "", share: None, swatch: None, selected: false, lit: false }
    }

    /// Shows it as something that can be clicked.
    pub fn show(self, ui: &mut Ui) -> Response {
        let palette = Palette::of(ui);
        let (rect, response) = row(ui, space::ROW, Sense::click());
        let label = format!("{} {}", self.name, self.value);
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, self.selected, &label));
        let painter = ui.painter();
        ground(ui, rect, self.selected, response.hovered() || self.lit);
        if let Some(share) = self.share.filter(|s| s.is_finite() && *s > 0.0) {
            let bar = Rect::from_min_size(
                rect.min,
                vec2((rect.width() * share.min(1.0) as f32).max(2.0), rect.height()),
            );
            let tint =
                crate::ui::theme::mix(palette.canvas, palette.accent, if palette.dark { 0.28 } else { 0.18 });
            painter.rect_filled(bar.shrink2(vec2(0.0, 2.0)), space::RADIUS_SMALL, tint);
        }
        focus_ring(ui, &response, rect);
        let mut inner = rect.shrink2(vec2(6.0, 0.0));
        let (value_width, _) =
            text_in(painter, inner, self.value, regular(13.0), palette.text_strong, Align::Max);
        inner.max.x -= value_width.max(58.0) + space::MEDIUM;
        if !self.note.is_empty() && inner.width() > 140.0 {
            let (width, _) = text_in(painter, inner, self.note, small(), palette.text_weak, Align::Max);
            inner.max.x -= width + space::MEDIUM;
        }
        if let Some(color) = self.swatch {
            swatch(painter, &mut inner, color);
        }
        let (_, whole) = text_in(painter, inner, self.name, regular(13.0), palette.text, Align::Min);
        if whole { response } else { response.on_hover_text(self.name) }
    }
}

/// What a row stands on: marked when it is selected, or under the pointer here or in another view.
pub fn ground(ui: &Ui, row: Rect, selected: bool, lit: bool) {
    let palette = Palette::of(ui);
    if selected || lit {
        let fill = if selected { palette.selection } else { palette.hover };
        ui.painter().rect_filled(row, space::RADIUS_SMALL, fill);
    }
}

/// A square of a colour at the left of `room`, which it makes smaller.
pub fn swatch(painter: &Painter, room: &mut Rect, color: Color32) {
    let square = Rect::from_center_size(pos2(room.left() + 5.0, room.center().y), vec2(10.0, 10.0));
    painter.rect_filled(square, space::RADIUS_SMALL, color);
    room.min.x += 16.0;
}

/// A field for a value that is typed. What is being typed stays as it is, and what `wrong` says something about, to be mended; else
/// the field shows `shown`, what was taken. Returns the text when it was changed.
pub fn typed(
    ui: &mut Ui,
    name: &str,
    shown: &str,
    wrong: impl Fn(&str) -> Option<&'static str>,
    look: impl FnOnce(TextEdit<'_>) -> TextEdit<'_>,
) -> Option<String> {
    let id = ui.scope_id().with(name);
    let mut text = ui.data(|d| d.get_temp::<String>(id)).unwrap_or_else(|| shown.to_owned());
    let why = |text: &str| wrong(text).filter(|_| !text.trim().is_empty() && text != shown);
    let told = why(&text);
    let mut field = TextEdit::singleline(&mut text).font(mono(12.0));
    if told.is_some() {
        field = field.text_color(Palette::of(ui).tone(Tone::Bad));
    }
    let mut response = ui.add(look(field));
    if let Some(told) = told {
        response = response.on_hover_text(told);
    }
    response.clone().accessible_name(name.to_owned());
    let changed = response.changed().then(|| text.clone());
    let keep = response.has_focus() || why(&text).is_some();
    ui.data_mut(|d| {
        if keep {
            d.insert_temp(id, text);
        } else {
            d.remove::<String>(id);
        }
    });
    changed
}

/// A weak sentence.
pub fn weak(ui: &mut Ui, text: &str) -> Response {
    let color = Palette::of(ui).text_weak;
    ui.add(wrapped(text, |text| text.color(color)))
}

/// Sentences that break into lines, but never within a number: of all blanks the toolkit keeps this one alone whole.
pub fn wrapped(text: &str, styled: impl FnOnce(RichText) -> RichText) -> Label {
    let text = escaped(text).replace(format::GROUP, "\u{a0}");
    Label::new(styled(RichText::new(text))).wrap()
}

/// A small remark below something.
pub fn remark(ui: &mut Ui, text: &str) {
    let color = Palette::of(ui).text_weak;
    ui.add_space(space::SMALL);
    ui.add(wrapped(text, |text| text.font(small()).color(color)));
}

/// A number with its name above it: as wide as it needs, and at least `width` points where there is room.
pub fn figure(ui: &mut Ui, width: f32, name: &str, value: &str, tone: Option<Tone>) -> Response {
    let palette = Palette::of(ui);
    let needed =
        ui.painter().layout_no_wrap(escaped(value).into_owned(), strong(18.0), palette.text).size().x;
    let width = width.max((needed + space::LARGE).min(ui.max_rect().width()));
    let (rect, response) = ui.allocate_exact_size(vec2(width, 42.0), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, format!("{name}: {value}")));
    let (top, bottom) = rect.split_top_bottom_at_y(rect.top() + 16.0);
    text_in(ui.painter(), top, name, small(), palette.text_weak, Align::Min);
    let color = tone.map_or(palette.text_strong, |t| palette.tone(t));
    text_in(ui.painter(), bottom, value, strong(18.0), color, Align::Min);
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sentence_breaks_within_no_number() {
        let h = egui_kittest::Harness::new_ui(|ui| {
            ui.set_max_width(60.0);
            ui.add(super::wrapped("called 4\u{202f}627 more times", |text| text));
        });
        let text = "called 4\u{a0}627 more times";
        assert!(egui_kittest::kittest::Queryable::query_by_label(&h, text).is_some());
    }
}
