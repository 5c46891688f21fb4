//! Beside the chart: the selected stage with its what-ifs, the changes so far, the critical path.

use std::sync::Arc;

use egui::{Button, RichText, ScrollArea, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::{Frame, HALF, change, paint};
use crate::analysis::stages::{Change, Gain, NameGain, PathShare, StageGraph, StageKey, StageRows, WhatIf};
use crate::format;
use crate::model::{FunctionId, Profile, SpanStatus, SymbolKey};
use crate::state::Command;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, small, space};
use crate::ui::widgets::{icon_button, link_button, segmented};
use crate::views::ViewCx;
use crate::views::parts::{BarRow, card, remark, weak};

/// What every what-if says of itself.
pub(super) const ESTIMATE: &str = "An estimate: stages are put into a new schedule by what they waited for, and \
     the measured gaps between them are kept. Waits that no caller, order or link tells of stay as they are.";

/// Most changes that are proposed.
const MOST_IDEAS: usize = 8;
/// Most rows of the critical path.
const MOST_ROWS: usize = 60;
/// More stages than this are summed up by name unless the user chose otherwise.
const MOST_IN_ORDER: usize = 24;

/// A path that is shorter than this share of the total does not explain it, which is said before anything else.
pub(super) const EXPLAINS: f64 = 0.8;

/// What changes would bring, as far as it is known yet.
pub(super) struct Worth {
    /// Of single stages.
    pub stages: Option<Arc<Vec<Gain>>>,
    /// Of all stages of a name.
    pub names: Option<Arc<Vec<NameGain>>>,
}

/// How the critical path is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Listing {
    /// Stages of a name as one row, longest first.
    Names,
    /// Stage by stage.
    Order,
}

/// Shows the panel, with `path` in the middle; the stage of it that was clicked.
pub(super) fn show(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    frame: &Frame,
    gains: &Worth,
    path: impl FnOnce(&mut ViewCx<'_>, &mut Ui) -> Option<u32>,
) -> Option<u32> {
    let mut picked = None;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::MEDIUM;
        if let Some(stage) = frame.selected {
            selected(cx, ui, frame, stage);
        }
        if !cx.interaction.what_if.is_empty() {
            changes(cx, ui, frame);
        }
        picked = path(cx, ui);
        if cx.interaction.what_if.is_empty() {
            worth(cx, ui, frame, gains);
        }
        legend(ui);
    });
    picked
}

fn selected(cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame, stage: u32) {
    let graph = &frame.rows.graph;
    let s = graph.stages[stage as usize];
    let profile = cx.subject.profile().clone();
    card(ui, profile.function_name(s.function), |ui| {
        let share = format::percent(s.duration() as f64 / graph.total().max(1) as f64);
        fact(ui, "Length", &format!("{} ({share} of the total)", format::duration(s.duration())));
        if s.id.part > 0 {
            fact(ui, "Part", "its own time between what it called");
        }
        if let Some(busy) = s.busy {
            let busy = busy.min(s.duration());
            fact(ui, "Working", &format::duration(busy));
            fact(ui, "Waiting", &format::duration(s.duration() - busy));
        }
        fact(ui, "Critical path", &if s.critical { format::duration(s.on_path) } else { "not on it".into() });
        fact(ui, "Slack", &format::duration(s.slack));
        if s.status == SpanStatus::Error {
            fact(ui, "Outcome", "failed");
        }
        ui.add_space(space::SMALL);
        let what_if = cx.interaction.what_if.clone();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(space::SMALL, space::SMALL);
            if let Some(next) = choices(ui, &profile, &frame.rows, stage, &what_if) {
                cx.send(Command::WhatIf(next));
            }
        });
    });
}

fn fact(ui: &mut Ui, name: &str, value: &str) {
    ui.horizontal(|ui| {
        let palette = Palette::of(ui);
        ui.add_sized(
            vec2(86.0, 18.0),
            egui::Label::new(RichText::new(name).color(palette.text_weak)).halign(egui::Align::Min),
        );
        ui.add(egui::Label::new(format::escaped(value)).truncate());
    });
}

/// What can be tried with a stage; the changes after a click.
pub(super) fn choices(
    ui: &mut Ui,
    profile: &Profile,
    rows: &StageRows,
    stage: u32,
    what_if: &WhatIf,
) -> Option<WhatIf> {
    let graph = &rows.graph;
    let id = graph.stages[stage as usize].id.key(profile)?;
    let mut choices = vec![("Drop".to_owned(), Change::Drop), ("Halve".to_owned(), HALF)];
    let before = rows.edges_to(stage).map(|edge| rows.edge(edge));
    // The stage that it waited for longest.
    if let Some(edge) = before.max_by_key(|e| (e.critical, graph.stages[e.from as usize].end)) {
        let other = graph.stages[edge.from as usize];
        let name = profile.function_name(other.function);
        if let Some(other) = other.id.key(profile) {
            choices.push((format!("Overlap with {name}"), Change::Beside(other)));
        }
    }
    let mut next = None;
    for (text, change) in choices {
        let on = what_if.of(id).any(|c| c == change);
        let palette = Palette::of(ui);
        let mut button = Button::new(text).selected(on).truncate();
        if on {
            button = button.fill(palette.selection);
        }
        if ui.add(button).clicked() {
            next = Some(what_if.toggled(id, change));
        }
    }
    next
}

fn changes(cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
    let profile = cx.subject.profile().clone();
    let what_if = cx.interaction.what_if.clone();
    card(ui, "What if", |ui| {
        if let Some(outcome) = &frame.outcome {
            let palette = Palette::of(ui);
            let (before, total) = (format::duration(outcome.before), format::duration(outcome.total));
            ui.label(
                RichText::new(format!("{before} → {total}"))
                    .font(crate::ui::theme::strong(18.0))
                    .color(palette.text_strong),
            );
            let tone = if outcome.difference() < 0 { Tone::Good } else { Tone::Neutral };
            ui.label(RichText::new(change(outcome)).color(palette.tone(tone)));
        }
        for (symbol, change, stages) in by_name_and_kind(&what_if) {
            let here = profile.keys().function(symbol);
            let name = here.map_or(&*symbol.value().name as &str, |f| profile.function_name(f));
            let name = if stages > 1 { format!("{stages} × {name}") } else { name.to_owned() };
            ui.horizontal(|ui| {
                if icon_button(ui, Icon::Close, &format!("Take back: {name}")).clicked() {
                    let mut next = what_if.clone();
                    next.changes.retain(|c| (c.0.span.symbol, c.1) != (symbol, change));
                    cx.send(Command::WhatIf(next));
                }
                let text = match change {
                    Change::Drop => format!("without {name}"),
                    Change::Scale(500) => format!("{name} in half the time"),
                    Change::Scale(permille) => {
                        format!("{name} in {} of the time", format::percent(f64::from(permille) / 1000.0))
                    }
                    Change::Beside(_) => format!("{name} at the same time"),
                };
                ui.add(egui::Label::new(text).truncate());
            });
        }
        let elsewhere = frame.outcome.as_ref().map_or(0, |o| o.elsewhere);
        if elsewhere > 0 {
            let changes = format::counted(elsewhere as i64, "change is", "changes are");
            weak(
                ui,
                &format!("{changes} of stages that this level, range or choice of tracks does not show."),
            );
        }
        if what_if.changes.len() > 1 && link_button(ui, "Reset").clicked() {
            cx.send(Command::WhatIf(WhatIf::default()));
        }
        remark(ui, ESTIMATE);
    });
}

/// Changes of a what-if: those of one kind and name together, with how many stages they are of.
fn by_name_and_kind(what_if: &WhatIf) -> Vec<(SymbolKey, Change, usize)> {
    let mut groups: Vec<(SymbolKey, Change, usize)> = Vec::new();
    for &(id, change) in &what_if.changes {
        match groups.iter_mut().find(|g| (g.0, g.1) == (id.span.symbol, change)) {
            Some(group) => group.2 += 1,
            None => groups.push((id.span.symbol, change, 1)),
        }
    }
    groups
}

/// The critical path of one run.
pub(super) fn path(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    frame: &Frame,
    gains: Option<&Vec<Gain>>,
    listing: &mut Option<Listing>,
) -> Option<u32> {
    let graph = &frame.rows.graph;
    let poor = graph.share().filter(|&share| share < EXPLAINS);
    let stages = graph.path_stages().count();
    let mut picked = None;
    card(ui, "Critical path", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        if let Some(share) = poor {
            unexplained(ui, graph, share, cx.beside.is_none());
        }
        let names = &graph.path_names;
        let mut shown =
            listing.unwrap_or(if stages > MOST_IN_ORDER { Listing::Names } else { Listing::Order });
        if names.len() < stages {
            let choices = [(Listing::Names, "By name"), (Listing::Order, "In order")];
            if segmented(ui, "List of the critical path", &mut shown, &choices).changed() {
                *listing = Some(shown);
            }
            ui.add_space(space::SMALL);
        }
        picked = match shown {
            Listing::Names => by_name(cx, ui, frame, names),
            Listing::Order => in_order(cx, ui, frame, gains),
        };
        let total = graph.total().max(1) as f64;
        let (gaps, unknown) = graph.path_gaps;
        for (text, length) in [("between stages", gaps), ("on no known path", unknown)] {
            if length > 0 && poor.is_none() {
                let share = format::percent(length as f64 / total);
                remark(ui, &format!("{} {text} ({share})", format::duration(length)));
            }
        }
    });
    picked
}

/// What a path that explains little leaves over, before what it does explain.
fn unexplained(ui: &mut Ui, graph: &StageGraph, share: f64, alarms: bool) {
    let palette = Palette::of(ui);
    let text =
        format!("The path explains {} of {}.", format::percent(share), format::duration(graph.total()));
    let color = if alarms { palette.tone(Tone::Bad) } else { palette.text };
    ui.label(RichText::new(text).color(color));
    let (gaps, unknown) = graph.path_gaps;
    let total = graph.total().max(1) as f64;
    for (length, what) in [
        (unknown, "before which nothing is known to have been waited for"),
        (gaps, "between stages: a wait that is no stage itself"),
    ] {
        if length > 0 {
            let part = format::percent(length as f64 / total);
            weak(ui, &format!("{} ({part}) {what}", format::duration(length)));
        }
    }
    ui.add_space(space::SMALL);
}

/// A click picks the longest stage of a name.
fn by_name(cx: &ViewCx<'_>, ui: &mut Ui, frame: &Frame, names: &[PathShare]) -> Option<u32> {
    let graph = &frame.rows.graph;
    let total = graph.total().max(1) as f64;
    let selected = frame.selected.map(|stage| graph.stages[stage as usize].function);
    let mut picked = None;
    for sum in names.iter().take(MOST_ROWS) {
        let name = cx.profile().function_name(sum.function);
        let name = if sum.stages > 1 { format!("{} × {name}", sum.stages) } else { name.to_owned() };
        let note = format::percent(sum.length as f64 / total);
        let row = BarRow {
            note: &note,
            share: Some(sum.length as f64 / total),
            selected: selected == Some(sum.function),
            ..BarRow::new(&name, &format::duration(sum.length))
        }
        .show(ui);
        if row.clicked() {
            picked = Some(sum.longest);
        }
    }
    more(ui, names.len());
    picked
}

fn in_order(cx: &ViewCx<'_>, ui: &mut Ui, frame: &Frame, gains: Option<&Vec<Gain>>) -> Option<u32> {
    let graph = &frame.rows.graph;
    let total = graph.total().max(1) as f64;
    let mut picked = None;
    for (stage, length) in graph.path_stages().take(MOST_ROWS) {
        let s = &graph.stages[stage as usize];
        let gain = gains.and_then(|g| g.iter().find(|g| g.stage == stage)).map(|g| g.dropped);
        let note = gain
            .filter(|&gain| gain < length)
            .map_or_else(String::new, |gain| format!("saves {}", format::duration(gain)));
        let row = BarRow {
            note: &note,
            share: Some(length as f64 / total),
            selected: frame.selected == Some(stage),
            lit: crate::state::Item::of_span(s.id.track, s.id.row, cx.profile())
                .is_some_and(|item| cx.is_hovered(&item)),
            ..BarRow::new(cx.profile().function_name(s.function), &format::duration(length))
        }
        .show(ui);
        if row.clicked() {
            picked = Some(stage);
        }
    }
    more(ui, graph.path_stages().count());
    picked
}

/// Says how many rows are not listed.
fn more(ui: &mut Ui, rows: usize) {
    if rows > MOST_ROWS {
        weak(ui, &format!("{} more", format::count((rows - MOST_ROWS) as i64)));
    }
}

/// The changes that would save most, each to be tried by a click: all stages of a name at once, and pairs that could overlap.
fn worth(cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame, gains: &Worth) {
    let graph = &frame.rows.graph;
    let total = graph.total().max(1);
    let profile = cx.subject.profile().clone();
    let name = |function| profile.function_name(function);
    let mut ideas: Vec<Idea> = Vec::new();
    for gain in gains.names.iter().flat_map(|names| names.iter()) {
        let several = if gain.stages > 1 {
            format!("{} × ", format::count(gain.stages as i64))
        } else {
            String::new()
        };
        // Half of the time saves half, unless another path decides then.
        let half = i128::from(gain.halved) * 2;
        let differs = (half - i128::from(gain.dropped)).abs() * 10 > i128::from(gain.dropped);
        ideas.push(Idea {
            saved: gain.dropped,
            text: format!("without {several}{}", name(gain.function)),
            note: if differs { format!("half: −{}", format::duration(gain.halved)) } else { String::new() },
            tried: Tried::Without(gain.function),
        });
    }
    let mut pairs: Vec<(i64, u32, u32)> = Vec::new();
    for gain in gains.stages.iter().flat_map(|stages| stages.iter()) {
        pairs.extend(gain.beside.map(|(other, saved)| (saved, gain.stage, other)));
    }
    pairs.sort_by_key(|&(saved, stage, _)| (std::cmp::Reverse(saved), stage));
    let mut named = Vec::new();
    for (saved, stage, other) in pairs {
        // Of several pairs with the same names the one that saves most.
        let (stage, other) = (&graph.stages[stage as usize], &graph.stages[other as usize]);
        let names = (stage.function, other.function);
        if named.contains(&names) {
            continue;
        }
        named.push(names);
        let Some((key, beside)) = stage.id.key(&profile).zip(other.id.key(&profile)) else { continue };
        let text = format!("{} in parallel with {}", name(stage.function), name(other.function));
        ideas.push(Idea { saved, text, note: String::new(), tried: Tried::Beside(key, beside) });
    }
    ideas.retain(|idea| idea.saved >= total / 100);
    ideas.sort_by(|a, b| b.saved.cmp(&a.saved).then_with(|| a.text.cmp(&b.text)));
    ideas.truncate(MOST_IDEAS);
    if ideas.is_empty() {
        return;
    }
    card(ui, "What if", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for Idea { saved, text, note, tried } in ideas {
            let value = format!("−{}", format::duration(saved));
            let row = BarRow { note: &note, ..BarRow::new(&text, &value) }.show(ui);
            if row.on_hover_text("Try it").clicked() {
                cx.send(Command::WhatIf(match tried {
                    Tried::Without(function) => WhatIf::of_name(graph, function, Change::Drop, &profile),
                    Tried::Beside(stage, other) => WhatIf::default().toggled(stage, Change::Beside(other)),
                }));
            }
        }
        remark(ui, ESTIMATE);
    });
}

/// A change that is proposed.
struct Idea {
    saved: i64,
    text: String,
    note: String,
    tried: Tried,
}

/// What a proposed change changes.
#[derive(Clone, Copy)]
enum Tried {
    /// All stages of a name are left out.
    Without(FunctionId),
    /// A stage starts together with another one.
    Beside(StageKey, StageKey),
}

fn legend(ui: &mut Ui) {
    let palette = Palette::of(ui);
    ui.horizontal_wrapped(|ui| {
        crate::ui::widgets::legend_item(ui, paint::critical_color(palette), "critical path");
        crate::ui::widgets::legend_item(ui, palette.tone(Tone::Good), "slack");
    });
    ui.label(
        RichText::new("Thick line: working. The rest of the box: waiting.")
            .font(small())
            .color(palette.text_weak),
    );
}

/// Facts about a stage.
pub(super) fn tooltip(profile: &Profile, graph: &StageGraph, stage: u32) -> String {
    let s = &graph.stages[stage as usize];
    let mut lines =
        vec![format!("{}  {}", profile.function_name(s.function), format::duration(s.duration()))];
    lines.push(profile.track_label(s.id.track));
    if let Some(busy) = s.busy {
        let busy = busy.min(s.duration());
        lines.push(format!(
            "working {}, waiting {}",
            format::duration(busy),
            format::duration(s.duration() - busy)
        ));
    }
    lines.push(match (s.critical, s.slack) {
        (true, _) => format!("on the critical path for {}", format::duration(s.on_path)),
        (false, 0) => "no slack".to_owned(),
        (false, slack) => {
            format!("could end {} later without a later end of the whole", format::duration(slack))
        }
    });
    lines.join("\n")
}
