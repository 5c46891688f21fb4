//! The columns of the source table, how their numbers read and how code is coloured.

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::super::shared;
use super::super::shared::copy::Value;
use super::super::shared::grid::Column;
use crate::analysis::source_lines::{FileLines, Grain, LineCall, LineRow, LineTable};
use crate::analysis::syntax::{Language, State, Word};
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::state::Relative;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, mono};
use crate::ui::widgets::{Cell, cell_text, share_bar};
use crate::views::ViewCx;

/// Longest part of a line that is painted, bytes.
const LONGEST: usize = 1000;
/// Columns of a tab.
const TAB: usize = 4;

/// Number formats of the columns, and what shares are a share of.
pub(super) struct Formats {
    /// Self cost.
    pub own: format::Column,
    total: format::Column,
    sum: i64,
    relative: Relative,
    pub(super) unit: Unit,
}

impl Formats {
    pub(super) fn new(cx: &ViewCx<'_>, table: &LineTable, lines: Option<&FileLines>) -> Self {
        let (unit, relative) = (shared::unit(cx.profile(), cx.interaction), cx.interaction.relative);
        let (rows, calls) = lines.map_or((&[][..], &[][..]), |l| (&l.rows, &l.calls));
        let max = |costs: &mut dyn Iterator<Item = i64>| costs.map(i64::saturating_abs).max().unwrap_or(0);
        let totals = rows.iter().filter_map(|r| r.total).chain(calls.iter().map(|c| c.cost));
        Self {
            own: format::Column::for_max(unit, max(&mut rows.iter().map(|r| r.own))),
            total: format::Column::for_max(unit, max(&mut totals.into_iter())),
            sum: if relative == Relative::Parent { table.total } else { table.sum },
            relative,
            unit,
        }
    }

    fn share(&self, cost: Option<i64>) -> Option<f64> {
        cost.and_then(|cost| format::share(cost, self.sum))
    }

    /// A cell as text.
    pub(super) fn value(&self, line: u32, row: Option<&LineRow>, code: &str, column: &str) -> Value {
        let share = |cost| {
            let share = self.share(cost);
            Value::number(share.map_or_else(|| UNKNOWN.into(), format::percent), share.map(|s| s * 100.0))
        };
        let Some(row) = row else {
            return match column {
                "line" => Value::number(line.to_string(), Some(line)),
                "code" => Value::text(code),
                _ => Value::default(),
            };
        };
        match column {
            "line" => Value::number(line.to_string(), Some(line)),
            "self" => Value::number(self.own.text(Some(row.own)), Some(row.own)),
            "self share" => share(Some(row.own)),
            "total" => Value::number(self.total.text(row.total), row.total),
            "total share" => share(row.total),
            "count" => {
                let text = row.count.map_or_else(|| UNKNOWN.into(), |n| format::count(n as i64));
                Value::number(text, row.count)
            }
            _ => Value::text(code),
        }
    }

    /// A cell of a call below its line.
    pub(super) fn call_value(&self, call: &LineCall, callee: &str, column: &str) -> Value {
        match column {
            "line" => Value::number(call.line.to_string(), Some(call.line)),
            "total" => Value::number(self.total.text(Some(call.cost)), Some(call.cost)),
            "total share" => {
                let share = self.share(Some(call.cost));
                Value::number(share.map_or_else(|| UNKNOWN.into(), format::percent), share.map(|s| s * 100.0))
            }
            "count" => {
                let text = call.count.map_or_else(|| UNKNOWN.into(), |n| format::count(n as i64));
                Value::number(text, call.count)
            }
            "code" => Value::text(format!("→ {callee}")),
            _ => Value::default(),
        }
    }

    /// Paints a cell of a call below its line: its cost and number under those of the line, the callee's name
    /// under the code.
    pub(super) fn paint_call(
        &self,
        ui: &mut Ui,
        call: &LineCall,
        callee: &str,
        column: &str,
        palette: &Palette,
    ) {
        let number = Cell { color: palette.text_weak, ..Cell::number(palette) };
        match column {
            "total" | "total share" | "count" => {
                cell_text(ui, &self.call_value(call, callee, column).text, &number);
            }
            "code" => {
                let rect = ui.available_rect_before_wrap();
                let square =
                    Rect::from_center_size(pos2(rect.left() + 18.0, rect.center().y), vec2(11.0, 11.0));
                Icon::ChevronRight.paint(ui.painter(), square, palette.text_weak);
                let name = if call.recursive { format!("{callee} (itself)") } else { callee.to_owned() };
                let cell = Rect::from_min_max(pos2(rect.left() + 20.0, rect.top()), rect.max);
                ui.scope_builder(egui::UiBuilder::new().max_rect(cell), |ui| {
                    cell_text(ui, &name, &Cell { color: palette.accent, ..Cell::text(palette) });
                });
            }
            _ => {}
        }
    }

    /// Paints a cell.
    pub(super) fn paint(
        &self,
        ui: &mut Ui,
        line: u32,
        row: Option<&LineRow>,
        code: Option<(Language, (&str, State))>,
        column: &str,
        palette: &Palette,
    ) {
        let number = Cell::number(palette);
        match (column, row) {
            ("line", _) => {
                let color = if row.is_some() { palette.text } else { palette.text_weak };
                cell_text(ui, &line.to_string(), &Cell { font: mono(12.0), color, ..number });
            }
            ("code", _) => code_cell(ui, code, palette),
            (_, None) => {}
            ("self share", Some(r)) if r.own != 0 => {
                share_bar(ui, self.share(Some(r.own)), &self.value(line, row, "", column).text, &number);
            }
            ("total share", Some(r)) if r.total.unwrap_or(0) != 0 => {
                share_bar(ui, self.share(r.total), &self.value(line, row, "", column).text, &number);
            }
            ("self share" | "total share", _) => {}
            ("self", Some(r)) if r.own != 0 => {
                cell_text(ui, &self.own.number(Some(r.own)), &number);
            }
            ("total", Some(r)) if r.total != Some(0) => {
                cell_text(ui, &self.total.number(r.total), &number);
            }
            ("count", Some(r)) if r.count != Some(0) => {
                cell_text(ui, &self.value(line, row, "", column).text, &number);
            }
            _ => {
                cell_text(ui, "0", &Cell { color: palette.text_weak, ..number });
            }
        }
    }
}

fn color(word: Word, palette: &Palette) -> Color32 {
    use crate::ui::theme::Tone;
    match word {
        Word::Comment => palette.text_weak,
        Word::Text => palette.tone(Tone::Good),
        Word::Number => palette.tone(Tone::Warning),
        Word::Keyword => palette.accent,
    }
}

/// A line of code in its colours.
pub(super) fn code_cell(ui: &mut Ui, code: Option<(Language, (&str, State))>, palette: &Palette) {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    let Some((language, (line, state))) = code else { return };
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, line));
    let mut end = line.len().min(LONGEST);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let line = &line[..end];
    let mut job = LayoutJob {
        wrap: TextWrapping::truncate_at_width((rect.width() - 12.0).max(0.0)),
        ..LayoutJob::default()
    };
    let (mut at, mut column) = (0, 0);
    let mut add = |text: &str, color: Color32| {
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            let width = if c == '\t' { TAB - column % TAB } else { 1 };
            column += width;
            match c {
                '\t' => shown.extend(std::iter::repeat_n(' ', width)),
                c if c.is_control() => shown.push('·'),
                c => shown.push(c),
            }
        }
        job.append(&shown, 0.0, TextFormat::simple(mono(12.0), color));
    };
    language.words(state, line, &mut |range, word| {
        add(&line[at..range.start], palette.text);
        add(&line[range.clone()], color(word, palette));
        at = range.end;
    });
    add(&line[at..], palette.text);
    let galley = ui.painter().layout_job(job);
    let left = pos2(rect.left() + 8.0, rect.center().y - galley.size().y / 2.0);
    ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()).expand2(vec2(0.0, 1.0))).galley(
        left,
        galley,
        palette.text,
    );
}

/// The columns, in order; `text` is the title of the last one, which holds code and callees.
pub(super) fn columns(
    cx: &ViewCx<'_>,
    table: &LineTable,
    text: Option<&str>,
    formats: &Formats,
) -> Vec<Column> {
    let what = shared::metric_name(cx.profile(), cx.interaction);
    let of = if formats.relative == Relative::Parent {
        format!("the total {what} of the selected function")
    } else {
        format!("the whole {what}")
    };
    let whole = format!("{of}, {}", format::cost(formats.unit, formats.sum));
    let titled = |title: &str, format: &format::Column| match format.suffix() {
        "" => title.to_owned(),
        suffix => format!("{title} ({suffix})"),
    };
    let (of, has_total) = match table.grain {
        Grain::Lines => ("the line itself, not in what it called", table.sampled || table.has_calls),
        Grain::Definition => ("the function that is defined here, not in what it called", true),
    };
    let mut columns = vec![Column::number("line", "Line", 58.0).tip("Line number in the file")];
    columns.push(
        Column::number("self", titled("Self", &formats.own), 86.0).tip(format!("Self {what}: spent in {of}")),
    );
    columns.push(
        Column::number("self share", "Self %", 78.0)
            .rank(2)
            .tip(format!("Self {what} as a share of {whole}")),
    );
    if has_total {
        let tip = match table.grain {
            Grain::Lines if table.sampled => {
                format!("Total {what}: while the line was on the stack. Recursion counts once.")
            }
            Grain::Lines => {
                format!(
                    "Total {what} of the line and of the calls from it. Calls of its own function count once."
                )
            }
            Grain::Definition => format!("Total {what} of the function that is defined here"),
        };
        columns.push(Column::number("total", titled("Total", &formats.total), 86.0).rank(1).tip(tip));
        columns.push(
            Column::number("total share", "Total %", 78.0)
                .rank(4)
                .tip(format!("Total {what} as a share of {whole}")),
        );
        let (title, tip) = match table.grain {
            _ if table.sampled => ("Samples", "Samples with the line on the stack"),
            Grain::Lines => ("Calls", "Calls that the line makes"),
            Grain::Definition => ("Calls", "Calls of the function that is defined here"),
        };
        columns.push(Column::number("count", title, 72.0).rank(3).tip(tip));
    }
    if formats.relative == Relative::Numbers {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    if let Some(title) = text {
        columns.push(Column::text("code", title, 240.0).grow(1.0));
    }
    columns
}
