//! Figures of two runs in lines: name, base, head, change.

use egui::{Align, Color32, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::pair;
use crate::analysis::diff::Two;
use crate::format;
use crate::model::Unit;
use crate::ui::theme::{Palette, regular, small};
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

/// «Elapsed 1.20 s 1.50 s +25.0 %».
pub fn two_figures<'a>(ui: &mut Ui, figures: impl IntoIterator<Item = TwoFigure<'a>>) {
    signed_figures(ui, figures.into_iter().map(|figure| (figure, ["", ""])));
}

/// The same with a sign before each value: ≥ and ≈ say how it is known.
pub fn signed_figures<'a>(ui: &mut Ui, figures: impl IntoIterator<Item = (TwoFigure<'a>, [&'a str; 2])>) {
    let palette = Palette::of(ui);
    let weak = |text: &str| (text.to_owned(), palette.text_weak);
    line(ui, &[weak(""), weak(pair::title(true)), weak(pair::title(false)), weak("Δ")], "");
    for (TwoFigure { name, unit, values, about }, signs) in figures {
        let value = |v: Option<i64>, sign: &str| {
            let sign = if v.is_some() { sign } else { "" };
            (format!("{sign}{}", format::cost_or_unknown(unit, v)), palette.text)
        };
        let known = values.base.zip(values.head).is_some();
        let relative = values.relative().map(format::percent_change);
        let delta = values.delta().filter(|_| known);
        let text = match (relative, delta) {
            (_, Some(0)) => "=".to_owned(),
            (Some(relative), _) => relative,
            (None, Some(delta)) => format::signed_cost(unit, delta),
            (None, None) => format::UNKNOWN.to_owned(),
        };
        let two = Two { base: values.base.map(|v| v as f64), head: values.head.map(|v| v as f64) };
        let changed = known && pair::strength(two).abs() > 0.02;
        let color = if changed { palette.text_strong } else { palette.text_weak };
        line(
            ui,
            &[weak(name), value(values.base, signs[0]), value(values.head, signs[1]), (text, color)],
            about,
        );
    }
}

fn line(ui: &mut Ui, texts: &[(String, Color32); 4], about: &str) {
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 20.0), Sense::hover());
    let spoken: Vec<&str> = texts.iter().map(|t| t.0.as_str()).collect();
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken.join(" ")));
    let mut x = rect.left();
    for (i, ((text, color), share)) in texts.iter().zip([0.31, 0.23, 0.23, 0.23]).enumerate() {
        let width = width * share;
        let cell = Rect::from_min_size(pos2(x, rect.top()), vec2(width - 4.0, rect.height()));
        let align = if i == 0 { Align::Min } else { Align::Max };
        let font = if width < 70.0 { small() } else { regular(13.0) };
        text_in(ui.painter(), cell, text, font, *color, align);
        x += width;
    }
    if !about.is_empty() {
        response.on_hover_text(about);
    }
}
