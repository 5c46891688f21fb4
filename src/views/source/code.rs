//! A line of code in its colours.

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::analysis::syntax::{Language, State, Word};
use crate::ui::theme::{Palette, mono};

/// Longest part of a line that is painted, bytes.
const LONGEST: usize = 1000;
/// Columns of a tab.
const TAB: usize = 4;
/// Points left of an instruction.
pub(super) const INDENT: f32 = 8.0;
/// The same below a source line.
pub(super) const BELOW: f32 = 56.0;
/// Characters of what an instruction does, so that what it does it on stands below one another.
const MNEMONIC: usize = 7;

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

/// A machine instruction: what it does, then on what. One that did not run stands back. `below`: it stands below its source
/// line.
pub(super) fn instruction_cell(ui: &mut Ui, text: &str, ran: bool, below: bool, palette: &Palette) {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    if text.is_empty() {
        return;
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let indent = if below { BELOW } else { INDENT };
    let mut job = LayoutJob {
        wrap: TextWrapping::truncate_at_width((rect.width() - indent - 4.0).max(0.0)),
        ..LayoutJob::default()
    };
    let (name, operands) = text.split_once(' ').unwrap_or((text, ""));
    let colors = if ran { (palette.accent, palette.text) } else { (palette.text_weak, palette.text_weak) };
    job.append(&format!("{name:<MNEMONIC$} "), 0.0, TextFormat::simple(mono(12.0), colors.0));
    job.append(operands, 0.0, TextFormat::simple(mono(12.0), colors.1));
    let galley = ui.painter().layout_job(job);
    let left = pos2(rect.left() + indent, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(left, galley, palette.text);
}
