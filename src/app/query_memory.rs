//! A window beside the panes that lists what the engine keeps and computes: for people who ask where memory and
//! time go.

use egui::{Align, Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::App;
use crate::format;
use crate::query::{About, KeptAnswer, Memory, Revision, RunId};
use crate::ui::theme::{Palette, small, space};
use crate::ui::widgets::{Cell, cell_text, header_cell};

/// Columns with their widths; the first takes what is left.
const COLUMNS: [(&str, f32, &str); 6] = [
    ("Question", 0.0, ""),
    ("Run", 110.0, "The run and how often its profile was replaced"),
    ("Memory", 84.0, "Bytes of the answer itself, without parts that are answers to other questions"),
    ("Time", 78.0, "Time to compute it, without the questions that it asked"),
    ("Hits", 58.0, "How often it was there when it was needed"),
    (
        "State",
        76.0,
        "What is shown stays in memory; of the rest the least recently used goes when memory is short",
    ),
];

/// Shows the window while it is open.
pub(super) fn ui(app: &mut App, ui: &Ui) {
    let mut open = app.memory_shown;
    if !open {
        return;
    }
    egui::Window::new("Query memory")
        .id(egui::Id::unique("query memory"))
        .open(&mut open)
        .default_size([760.0, 320.0])
        .min_size([420.0, 120.0])
        .show(ui.ctx(), |ui| {
            let memory = app.engine.memory();
            let palette = Palette::of(ui);
            ui.label(RichText::new(summary(app, &memory)).color(palette.text_weak));
            if !memory.running.is_empty() {
                let text = format!("Computing {}", memory.running.join(", "));
                ui.add(
                    egui::Label::new(RichText::new(text).font(small()).color(palette.text_weak)).truncate(),
                );
            }
            ui.add_space(space::SMALL);
            table(app, ui, &memory.answers);
        });
    app.memory_shown = open;
}

/// The sums, with each profile counted once.
fn summary(app: &App, memory: &Memory) -> String {
    let bytes = |n: usize| format::bytes(n as i64);
    let answers: usize = memory.answers.iter().map(|a| a.bytes).sum();
    let mut text = format!(
        "{} of at most {} in {}",
        bytes(answers),
        bytes(memory.budget),
        format::counted(memory.answers.len() as i64, "answer", "answers"),
    );
    for &(run, revision, size) in &memory.profiles {
        text += &format!("; they keep the profile of {} ({})", name(app, run, revision), bytes(size));
    }
    let computed = format::counted(memory.computed as i64, "computation", "computations");
    let running = format::counted(memory.running.len() as i64, "question", "questions");
    text + &format!("; {computed} so far, {running} running.")
}

fn name(app: &App, run: RunId, Revision(revision): Revision) -> String {
    let label = app.session.get(run).map_or("a closed run", |r| r.label.as_str());
    format!("{label} r{revision}")
}

fn names(app: &App, about: &About) -> String {
    let names: Vec<String> = about.revisions().map(|(run, revision)| name(app, run, revision)).collect();
    names.join(" → ")
}

fn table(app: &App, ui: &mut Ui, answers: &[KeptAnswer]) {
    let palette = Palette::of(ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    let (head, _) = ui.allocate_exact_size(vec2(ui.available_width(), space::HEADER), Sense::hover());
    for (i, (cell, (title, _, tip))) in cells(head).into_iter().zip(COLUMNS).enumerate() {
        let align = if (2..5).contains(&i) { Align::RIGHT } else { Align::LEFT };
        let mut ui = ui.new_child(UiBuilder::new().max_rect(cell));
        let response = header_cell(&mut ui, title, align, None);
        if !tip.is_empty() {
            response.on_hover_text(tip);
        }
    }
    let rows = ScrollArea::vertical().auto_shrink([false, false]);
    rows.show_rows(ui, space::ROW, answers.len(), |ui, range| {
        for answer in &answers[range] {
            let (row, _) = ui.allocate_exact_size(vec2(ui.available_width(), space::ROW), Sense::hover());
            let texts = [
                answer.question.clone(),
                names(app, &answer.about),
                format::bytes(answer.bytes as i64),
                format::duration(answer.time.as_nanos().min(i64::MAX as u128) as i64),
                format::count(i64::from(answer.hits)),
                if answer.shown { "shown" } else { "kept" }.to_owned(),
            ];
            for (i, (cell, text)) in cells(row).into_iter().zip(texts).enumerate() {
                let style = if (2..5).contains(&i) { Cell::number(palette) } else { Cell::text(palette) };
                let mut ui = ui.new_child(UiBuilder::new().max_rect(cell));
                cell_text(&mut ui, &text, &style);
            }
        }
    });
}

/// The cells of a row, with room for the scroll bar.
fn cells(row: Rect) -> Vec<Rect> {
    let mut right = row.right() - 10.0;
    let mut cells = Vec::new();
    for (_, width, _) in COLUMNS.iter().skip(1).rev() {
        cells.push(Rect::from_min_max(pos2(right - width, row.top()), pos2(right, row.bottom())));
        right -= width;
    }
    cells.push(Rect::from_min_max(row.min, pos2(right, row.bottom())));
    cells.reverse();
    cells
}
