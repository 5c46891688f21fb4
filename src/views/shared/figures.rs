//! Figures of two runs in lines: name, base, head, change in its unit and in percent.

use std::borrow::Cow;

use egui::{Align, Color32, FontId, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::pair;
use crate::analysis::diff::{State, Two};
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

/// Names get this much however narrow the pane is.
const LEAST_NAME: f32 = 40.0;
/// Names get this much in a wide pane, points, and the other columns so much more than they need.
const NARROWEST: f32 = 180.0;
const MOST_APART: f32 = 28.0;

/// A line, and what it says below the pointer.
pub struct Line<'a> {
    cells: [(String, Color32); CELLS],
    about: Cow<'a, str>,
    /// True where a click on it leads somewhere.
    leads: bool,
}

impl<'a> Line<'a> {
    /// The names of the columns.
    #[must_use]
    pub fn heading(palette: &Palette) -> Self {
        let weak = |text: &str| (text.to_owned(), palette.text_weak);
        let (base, head) = (pair::title(true), pair::title(false));
        let cells = [weak(""), weak(base), weak(head), weak("Δ"), weak("Δ %")];
        Self { cells, about: "".into(), leads: false }
    }

    /// A line in words: name, base, head, change, change in percent; `changed` where that stands out. A click on what `leads`
    /// somewhere is told by [`show_lines`].
    #[must_use]
    pub fn told(
        cells: [String; CELLS],
        changed: bool,
        about: String,
        leads: bool,
        palette: &Palette,
    ) -> Self {
        let change = if changed { palette.text_strong } else { palette.text_weak };
        let colors = [palette.text_weak, palette.text, palette.text, change, change];
        let mut colors = colors.into_iter();
        let cells = cells.map(|text| (text, colors.next().unwrap_or(palette.text)));
        Self { cells, about: about.into(), leads }
    }

    /// The line of a figure that may be a fraction: requests per second, joules.
    #[must_use]
    pub fn number(name: &str, values: Two<f64>, about: &'a str, palette: &Palette) -> Self {
        let value = |v: Option<f64>| v.map_or_else(|| format::UNKNOWN.to_owned(), format::number);
        let both = values.base.zip(values.head);
        let (change, percent) = match both.map(|(base, head)| (base, head - base)) {
            None => (format::UNKNOWN.to_owned(), String::new()),
            Some((_, 0.0)) => ("=".to_owned(), String::new()),
            Some((0.0, delta)) => (format::signed_number(delta), String::new()),
            Some((base, delta)) => (format::signed_number(delta), format::percent_change(delta / base.abs())),
        };
        let cells = [name.to_owned(), value(values.base), value(values.head), change, percent];
        let line =
            Self::told(cells, both.is_some() && !pair::is_noise(values), String::new(), false, palette);
        Self { about: about.into(), ..line }
    }

    /// With amounts in the currency of this sign, instead of dollars.
    #[must_use]
    pub fn in_currency(mut self, sign: &str) -> Self {
        self.cells[1..].iter_mut().for_each(|cell| cell.0 = cell.0.replace('$', sign));
        self
    }

    /// With another word in the place of the percentage.
    #[must_use]
    pub fn with_word(mut self, word: &str) -> Self {
        if let Some(last) = self.cells.last_mut() {
            word.clone_into(&mut last.0);
        }
        self
    }

    /// With a click that [`show_lines`] tells.
    #[must_use]
    pub fn leading(self) -> Self {
        Self { leads: true, ..self }
    }

    /// The line of a figure, with a sign before each value. `adds_up` is true for parts of a sum: where a run lacks one, it cost
    /// nothing there.
    #[must_use]
    pub fn of(figure: &TwoFigure<'a>, signs: [&str; 2], adds_up: bool, palette: &Palette) -> Self {
        let TwoFigure { name, unit, values, about } = *figure;
        let value = |v: Option<i64>, sign: &str| {
            let sign = if v.is_some() { sign } else { "" };
            (format!("{sign}{}", format::cost_or_unknown(unit, v)), palette.text)
        };
        // What is lacking in a lower bound may be more than the change.
        let is_least = signs.iter().any(|sign| sign.starts_with('≥')) && values.base != values.head;
        let known = values.base.zip(values.head).is_some() && !is_least;
        let only = values.state().filter(|state| *state != State::Both && adds_up);
        let (change, percent) = match values.delta().filter(|_| known || only.is_some() && !is_least) {
            None => (format::UNKNOWN.to_owned(), String::new()),
            Some(0) => ("=".to_owned(), String::new()),
            // Shares change by points: a percentage of a percentage reads as one of them.
            Some(delta) if unit == Unit::MilliPercent => {
                (pair::points(Some(delta as f64 / 1e5)), String::new())
            }
            Some(delta) => {
                let percent = values.relative().map(format::percent_change);
                let only = only.map(|state| state.key().to_owned());
                (format::signed_cost(unit, delta), only.or(percent).unwrap_or_default())
            }
        };
        let two = Two { base: values.base.map(|v| v as f64), head: values.head.map(|v| v as f64) };
        let changed = (known || only.is_some()) && !pair::is_noise(two);
        let color = if changed { palette.text_strong } else { palette.text_weak };
        let cells = [
            (name.to_owned(), palette.text_weak),
            value(values.base, signs[0]),
            value(values.head, signs[1]),
            (change, color),
            (percent, color),
        ];
        Self { cells, about: about.into(), leads: false }
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
        // In a wide pane the numbers stand beside their names, and apart.
        let least = found.widths[0].min(LEAST_NAME);
        let name = room(&found.widths).max(least).min(found.widths[0].max(NARROWEST));
        let left = (whole - name - found.widths[1..].iter().sum::<f32>()) / (CELLS - 1) as f32;
        let apart = left.clamp(0.0, MOST_APART);
        found.widths[0] = if left > apart { name } else { name.max(room(&found.widths).min(whole)) };
        if left > apart {
            found.widths[1..].iter_mut().filter(|width| **width > 0.0).for_each(|width| *width += apart);
        }
        found
    }

    /// True when it was clicked.
    fn show(&self, ui: &mut Ui, line: &Line<'_>) -> bool {
        let sense = if line.leads { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), sense);
        let spoken: Vec<&str> = line.cells.iter().map(|t| t.0.as_str()).filter(|t| !t.is_empty()).collect();
        let spoken = spoken.join(" ");
        let role = if line.leads { Role::Button } else { Role::Label };
        response.widget_info(|| WidgetInfo::labeled(role, true, &spoken));
        if line.leads && (response.hovered() || response.has_focus()) {
            ui.painter().rect_filled(rect, space::RADIUS_SMALL, Palette::of(ui).hover);
        }
        let clicked = response.clicked();
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
        match (&*line.about, whole) {
            ("", true) => {}
            ("", false) => _ = response.on_hover_text(spoken),
            (about, true) => _ = response.on_hover_text(about),
            (about, false) => _ = response.on_hover_text(format!("{spoken}\n{about}")),
        }
        clicked
    }
}

/// «Elapsed 1.20 s 1.50 s +300 ms +25.0 %».
pub fn two_figures<'a>(ui: &mut Ui, figures: impl IntoIterator<Item = TwoFigure<'a>>) {
    signed_figures(ui, unsigned(figures));
}

/// The same with a sign before each value: ≥ and ≈ say how it is known.
pub fn signed_figures<'a>(ui: &mut Ui, figures: impl IntoIterator<Item = (TwoFigure<'a>, [&'a str; 2])>) {
    lines(ui, figures, false);
}

/// The same of parts of a sum: what a run lacks is new or gone, and changed by all of it.
pub fn two_costs<'a>(ui: &mut Ui, figures: impl IntoIterator<Item = TwoFigure<'a>>) {
    lines(ui, unsigned(figures), true);
}

fn unsigned<'a>(
    figures: impl IntoIterator<Item = TwoFigure<'a>>,
) -> impl Iterator<Item = (TwoFigure<'a>, [&'a str; 2])> {
    figures.into_iter().map(|figure| (figure, ["", ""]))
}

fn lines<'a>(ui: &mut Ui, figures: impl IntoIterator<Item = (TwoFigure<'a>, [&'a str; 2])>, adds_up: bool) {
    let palette = Palette::of(ui);
    let mut lines = vec![Line::heading(palette)];
    lines.extend(figures.into_iter().map(|(figure, signs)| Line::of(&figure, signs, adds_up, palette)));
    show_lines(ui, &lines);
}

/// Shows lines in columns of one width. Says which one was clicked.
pub fn show_lines(ui: &mut Ui, lines: &[Line<'_>]) -> Option<usize> {
    let columns = Columns::of(ui, lines);
    let mut clicked = None;
    for (i, line) in lines.iter().enumerate() {
        if columns.show(ui, line) {
            clicked = Some(i);
        }
    }
    clicked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(unit: Unit, base: i64, head: i64) -> [String; 2] {
        let values = Two::both(base, head);
        told(unit, values, false)
    }

    fn told(unit: Unit, values: Two<i64>, adds_up: bool) -> [String; 2] {
        let line =
            Line::of(&TwoFigure { name: "", unit, values, about: "" }, ["", ""], adds_up, Palette::dark());
        [line.cells[CHANGE].0.clone(), line.cells[CHANGE + 1].0.clone()]
    }

    #[test]
    fn fractions_keep_their_places_and_what_is_not_known_has_no_change() {
        let told = |base, head| {
            let cells = Line::number("λ", Two { base, head }, "", Palette::dark()).cells;
            cells.map(|cell| cell.0)
        };
        assert_eq!(told(Some(2.5), Some(3.0)), ["λ", "2.50", "3", "+0.500", "+20.0 %"]);
        assert_eq!(told(None, Some(3.0)), ["λ", "–", "3", "–", ""]);
        assert_eq!(told(Some(0.0), Some(0.0)), ["λ", "0", "0", "=", ""]);
    }

    #[test]
    fn r01_a_part_that_is_new_changed_by_all_of_it_and_a_figure_that_is_not_known_by_nothing() {
        let new = Two { base: None, head: Some(3) };
        assert_eq!(told(Unit::Count, new, true), ["+3", "new"]);
        assert_eq!(told(Unit::Count, Two { base: Some(3), head: None }, true), ["−3", "gone"]);
        assert_eq!(told(Unit::Count, new, false), ["–", ""]);
    }

    #[test]
    fn columns_of_a_narrow_pane_stay_within_it() {
        let palette = Palette::dark();
        let figure = |name, base, head| {
            let values = Two::both(base, head);
            Line::of(&TwoFigure { name, unit: Unit::Nanoseconds, values, about: "" }, ["", ""], true, palette)
        };
        let lines = [
            Line::heading(palette),
            figure("call_b", 800_000_000, 3_200_000_000),
            figure("prepare", 3_200_000_000, 800_000_000),
        ];
        for width in [120.0, 180.0, 240.0, 300.0, 600.0] {
            egui_kittest::Harness::new_ui(|ui| {
                ui.set_max_width(width);
                let columns = Columns::of(ui, &lines);
                let all: f32 = columns.widths.iter().sum();
                assert!(all <= width.max(columns.widths[1..].iter().sum::<f32>() + 40.0), "{width}: {all}");
            });
        }
    }

    #[test]
    fn r02_a_change_has_its_unit_and_its_percentage_and_shares_change_by_points() {
        assert_eq!(change(Unit::Nanoseconds, 1_200_000_000, 1_500_000_000), ["+300 ms", "+25.0 %"]);
        assert_eq!(change(Unit::MilliPercent, 32_300, 31_200), ["−1.1 points", ""]);
        assert_eq!(
            change(Unit::MilliPercent, 0, 4_200),
            ["+4.2 points", ""],
            "from nothing by the same rule"
        );
        assert_eq!(change(Unit::Count, 0, 3), ["+3", ""]);
        assert_eq!(change(Unit::Count, 3, 3), ["=", ""]);
    }
}
