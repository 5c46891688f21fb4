//! Rows with a bar of several parts: name, bar, value. What the colours of the parts mean stands below the rows.

use egui::{Align, Color32, Rect, Response, Sense, Ui, pos2, vec2};

use crate::ui::hatch;
use crate::ui::theme::{Palette, regular, small, space};
use crate::ui::widgets::{focus_ring, legend_item};
use crate::views::parts::{ground, row, swatch, text_in};

/// A part of a bar.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// What it is.
    pub name: &'a str,
    /// Its size, in the unit of the row's whole; parts that are not above 0 are left out.
    pub size: f64,
    /// How it is drawn.
    pub color: Color32,
    /// Drawn with stripes: not known, or not done.
    pub hatched: bool,
}

/// A row.
pub struct StackedRow<'a> {
    /// At the left.
    pub name: &'a str,
    /// At the right.
    pub value: &'a str,
    /// Below the pointer; empty for none.
    pub tip: &'a str,
    /// The parts from left to right.
    pub segments: &'a [Segment<'a>],
    /// The size that fills the width.
    pub whole: f64,
    /// Colour of a square before the name.
    pub swatch: Option<Color32>,
    /// Drawn as selected.
    pub selected: bool,
    /// Drawn as under the pointer in another view.
    pub lit: bool,
    /// Room for the value, points.
    pub value_width: f32,
}

impl<'a> StackedRow<'a> {
    /// A plain row.
    #[must_use]
    pub fn new(name: &'a str, value: &'a str, segments: &'a [Segment<'a>], whole: f64) -> Self {
        Self {
            name,
            value,
            tip: "",
            segments,
            whole,
            swatch: None,
            selected: false,
            lit: false,
            value_width: 74.0,
        }
    }

    /// Shows it as something that can be clicked.
    pub fn show(self, ui: &mut Ui) -> Response {
        let palette = Palette::of(ui);
        let (rect, response) = row(ui, space::ROW, Sense::click());
        let spoken = format!("{} {}", self.name, self.value);
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, self.selected, &spoken));
        let painter = ui.painter();
        ground(ui, rect, self.selected, response.hovered() || self.lit);
        focus_ring(ui, &response, rect);
        let inner = rect.shrink2(vec2(6.0, 0.0));
        let names = (inner.width() * 0.34).clamp(60.0, 220.0);
        let mut name = Rect::from_min_size(inner.min, vec2(names, inner.height()));
        if let Some(color) = self.swatch {
            swatch(painter, &mut name, color);
        }
        let (_, whole_name) = text_in(painter, name, self.name, regular(13.0), palette.text, Align::Min);
        let value = Rect::from_min_max(pos2(inner.right() - self.value_width, inner.top()), inner.max);
        text_in(painter, value, self.value, regular(13.0), palette.text_strong, Align::Max);
        let left = inner.left() + names + space::MEDIUM;
        let bar = Rect::from_min_max(
            pos2(left, inner.top() + 4.0),
            pos2(value.left() - space::MEDIUM, inner.bottom() - 4.0),
        );
        if bar.width() > 8.0 {
            paint(ui, bar, self.segments, self.whole);
        }
        let mut tip = String::new();
        if !whole_name {
            tip.push_str(self.name);
        }
        if !self.tip.is_empty() {
            tip.push_str(if tip.is_empty() { "" } else { "\n" });
            tip.push_str(self.tip);
        }
        if tip.is_empty() { response } else { response.on_hover_text(tip) }
    }
}

/// The parts of a whole, side by side in `area`.
fn paint(ui: &Ui, area: Rect, segments: &[Segment<'_>], whole: f64) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    let mut at = 0.0f64;
    for s in segments.iter().filter(|s| s.size > 0.0 && s.size.is_finite()) {
        let whole = whole.max(f64::MIN_POSITIVE);
        let (from, to) = (at / whole, (at + s.size) / whole);
        at += s.size;
        let x = |share: f64| area.left() + area.width() * share.clamp(0.0, 1.0) as f32;
        let part = Rect::from_x_y_ranges(x(from)..=x(to).max(x(from) + 1.0), area.y_range());
        painter.rect_filled(part, 1.0, s.color);
        if s.hatched {
            let mut mesh = egui::Mesh::default();
            hatch::add(&mut mesh, part, palette.stripes());
            painter.add(mesh);
        }
    }
}

/// A bar over the whole width whose parts say what they are below the pointer.
pub fn strip(ui: &mut Ui, segments: &[Segment<'_>], whole: f64, height: f32) {
    let (area, response) = row(ui, height, Sense::hover());
    let texts: Vec<String> = segments.iter().filter(|s| s.size > 0.0).map(|s| s.name.to_owned()).collect();
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, texts.join(", ")));
    paint(ui, area, segments, whole);
    let Some(pointer) = response.hover_pos() else { return };
    let place = f64::from((pointer.x - area.left()) / area.width().max(1.0)) * whole;
    let mut at = 0.0;
    for s in segments {
        at += s.size.max(0.0);
        if place < at {
            response.on_hover_text(s.name);
            return;
        }
    }
}

/// What colours mean, as a line.
pub fn legend<'a>(ui: &mut Ui, parts: impl IntoIterator<Item = (Color32, &'a str)>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::LARGE, 2.0);
        for (color, name) in parts {
            legend_item(ui, color, name);
        }
    });
}

/// The heading of a group of rows, small and weak.
pub fn caption(ui: &mut Ui, text: &str) {
    let palette = Palette::of(ui);
    let (rect, _) = row(ui, 18.0, Sense::hover());
    text_in(ui.painter(), rect.shrink2(vec2(6.0, 0.0)), text, small(), palette.text_weak, Align::Min);
}
