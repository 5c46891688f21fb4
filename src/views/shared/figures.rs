//! Figures of two runs in lines: name, base, head, change in its unit and in percent.

use egui::{Align, Color32, FontId, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::pair;
use crate::analysis::diff::Two;
use crate::format;
use crate::model::Unit;
use crate::ui::theme::{Palette, regular, small, space};
use crate::views::parts::text_in;

/// A figure.
pub struct TwoFigure<'a> {
    /// What it is.
    pub name: &'a str,
    /// Its unit.
    pub unit: Unit,
    /// Its values; `None` where it is not known.
    pub values: Two<i64>,
    /// What it means, below the pointer; empty for none.
    pub about: &'a str,
}

/// Cells of a line: name, base, head, change, change in percent.
const CELLS: usize = 5;
/// The change, which gives way where there is no room for all: base and head tell it.
const CHANGE: usize = 3;
/// The part of the width that names get at least, where they need it.
const NAMES: f32 = 0.3;

/// A line, and what it says below the pointer.
struct Line<'a> {
    cells: [(String, Color32); CELLS],
    about: &'a str,
}

impl<'a> Line<'a> {
    fn heading(palette: &Palette) -> Self {
        let weak = |text: &str| (text.to_owned(), palette.text_weak);
        let (base, head) = (pair::title(true), pair::title(false));
        Self { cells: [weak(""), weak(base), weak(head), weak("Δ"), weak("Δ %")], about: "" }
    }

    fn of(figure: &TwoFigure<'a>, palette: &Palette) -> Self {
        let TwoFigure { name, unit, values, about } = *figure;
        let value = |v: Option<i64>| (format::cost_or_unknown(unit, v), palette.text);
        let known = values.base.zip(values.head).is_some();
        let (change, percent) = match values.delta().filter(|_| known) {
            None => (format::UNKNOWN.to_owned(), String::new()),
            Some(0) => ("=".to_owned(), String::new()),
            // Shares change by points: a percentage of a percentage reads as one of them.
            Some(delta) if unit == Unit::MilliPercent => (pair::points(Some(delta as f64 / 1e5)), String::new()),
            Some(delta) => {
                let percent = values.relative().map(format::percent_change).unwrap_or_default();
                (format::signed_cost(unit, delta), percent)
            }
        };
        let two = Two { base: values.base.map(|v| v as f64), head: values.head.map(|v| v as f64) };
        let changed = known && pair::strength(two).abs() > 0.02;
        let color = if changed { palette.text_strong } else { palette.text_weak };
        let cells = [
            (name.to_owned(), palette.text_weak),
            value(values.base),
            value(values.head),
            (change, color),
            (percent, color),
        ];
        Self { cells, about }
    }
}

/// How lines are laid out: all alike, as wide as their numbers need, names with what is left.
struct Columns {
    font: FontId,
    widths: [f32; CELLS],
}

impl Columns {
    fn of(ui: &Ui, lines: &[Line<'_>]) -> Self {
        let whole = ui.available_width();
        let measured = |font: &FontId| {
            let mut widths = [0.0f32; CELLS];
            for line in lines {
                for (width, (text, color)) in widths.iter_mut().zip(&line.cells) {
                    let galley = ui.painter().layout_no_wrap(text.clone(), font.clone(), *color);
                    *width = width.max((galley.size().x + space::MEDIUM).ceil());
                }
            }
            widths
        };
        // As they are, then in small letters, then without the change in its unit.
        let mut found = Self { font: regular(13.0), widths: measured(&regular(13.0)) };
        let room = |widths: &[f32; CELLS]| whole - widths[1..].iter().sum::<f32>();
        let fits = |widths: &[f32; CELLS]| room(widths) >= widths[0].min(whole * NAMES);
        if !fits(&found.widths) {
            found = Self { font: small(), widths: measured(&small()) };
        }
        let has_percent = lines.iter().skip(1).any(|line| !line.cells[CHANGE + 1].0.is_empty());
        if !has_percent {
            found.widths[CHANGE + 1] = 0.0;
        } else if !fits(&found.widths) {
            found.widths[CHANGE] = 0.0;
        }
        found.widths[0] = room(&found.widths).max(whole * NAMES);
        found
    }

    fn show(&self, ui: &mut Ui, line: &Line<'_>) {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), Sense::hover());
        let spoken: Vec<&str> = line.cells.iter().map(|t| t.0.as_str()).filter(|t| !t.is_empty()).collect();
        let spoken = spoken.join(" ");
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
        let (mut x, mut whole) = (rect.left(), true);
        for (i, ((text, color), width)) in line.cells.iter().zip(self.widths).enumerate() {
            // What has no place as a number in percent stands where those do.
            let alone = i == CHANGE + 1 && text.is_empty() && self.widths[CHANGE] == 0.0;
            let (text, color) = if alone { &line.cells[CHANGE] } else { &(text.clone(), *color) };
            let cell = Rect::from_min_size(pos2(x, rect.top()), vec2(width, rect.height()));
            let align = if i == 0 { Align::Min } else { Align::Max };
            whole &= text_in(ui.painter(), cell, text, self.font.clone(), *color, align).1;
            x += width;
        }
        whole &= self.widths[CHANGE] > 0.0;
        match (line.about, whole) {
            ("", true) => {}
            ("", false) => _ = response.on_hover_text(spoken),
            (about, true) => _ = response.on_hover_text(about),
            (about, false) => _ = response.on_hover_text(format!("{spoken}\n{about}")),
        }
    }
}

/// «Elapsed 1.20 s 1.50 s +300 ms +25.0 %».
pub fn two_figures<'a>(ui: &mut Ui, figures: impl IntoIterator<Item = TwoFigure<'a>>) {
    let palette = Palette::of(ui);
    let mut lines = vec![Line::heading(palette)];
    lines.extend(figures.into_iter().map(|figure| Line::of(&figure, palette)));
    let columns = Columns::of(ui, &lines);
    lines.iter().for_each(|line| columns.show(ui, line));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(unit: Unit, base: i64, head: i64) -> [String; 2] {
        let values = Two::both(base, head);
        let line = Line::of(&TwoFigure { name: "", unit, values, about: "" }, Palette::dark());
        [line.cells[CHANGE].0.clone(), line.cells[CHANGE + 1].0.clone()]
    }

    #[test]
    fn r02_a_change_has_its_unit_and_its_percentage_and_shares_change_by_points() {
        assert_eq!(change(Unit::Nanoseconds, 1_200_000_000, 1_500_000_000), ["+300 ms", "+25.0 %"]);
        assert_eq!(change(Unit::MilliPercent, 32_300, 31_200), ["−1.1 points", ""]);
        assert_eq!(change(Unit::MilliPercent, 0, 4_200), ["+4.2 points", ""], "from nothing by the same rule");
        assert_eq!(change(Unit::Count, 0, 3), ["+3", ""]);
        assert_eq!(change(Unit::Count, 3, 3), ["=", ""]);
    }
}
