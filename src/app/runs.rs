//! A window beside the panes: what the runs are called, what the person writes about them, which is the baseline, and by
//! which rules functions of two runs are taken for the same one. All of it is kept in a project.

use egui::{Checkbox, Grid, Label, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::App;
use super::action::Action;
use super::project::{Away, AwayRun};
use crate::analysis::matches;
use crate::format;
use crate::model::SymbolKey;
use crate::query::{RunId, Step};
use crate::state::{Baseline, Decision, RunState};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, small, space};
use crate::ui::widgets::{combo, icon_button, link_button, primary_button, section_heading};

/// What is typed and not taken over yet.
#[derive(Default)]
pub(super) struct Editing {
    pattern: String,
    with: String,
}

/// What was chosen in a frame.
#[derive(Clone, Copy)]
enum Done {
    Baseline(RunId),
    Drop(RunId),
    Hide(RunId, bool),
    Repeat(RunId, Option<RunId>),
    Show(RunId),
    Close(RunId),
    OpenAway(usize),
    Remove(usize),
}

/// Shows the window while it is open.
pub(super) fn ui(app: &mut App, ui: &Ui, actions: &mut Vec<Action>) {
    let mut open = app.runs_shown;
    if !open {
        return;
    }
    let screen = ui.ctx().content_rect().size();
    let title = match &app.project.path {
        Some(path) => format!("Runs and notes – {}", path.file_name().unwrap_or_default().to_string_lossy()),
        None => "Runs and notes".to_owned(),
    };
    egui::Window::new(title)
        .id(egui::Id::unique("runs and notes"))
        .open(&mut open)
        .default_size([screen.x.min(760.0) - 60.0, (screen.y - 160.0).clamp(200.0, 560.0)])
        .min_size([420.0, 200.0])
        .show(ui.ctx(), |ui| {
            head(app, ui, actions);
            ui.add_space(space::SMALL);
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                // The scroll bar has a place of its own.
                ui.set_width(ui.available_width() - space::LARGE);
                let done = runs(app, ui);
                let gone = away(app, ui);
                ui.add_space(space::MEDIUM);
                section_heading(ui, "About all of them");
                let hint = "What is to be improved, what was tried, what came of it";
                notes(ui, &mut app.project.notes, "Notes on the project", hint, 3);
                ui.add_space(space::MEDIUM);
                matching(app, ui);
                if let Some(done) = done.or(gone) {
                    act(app, done);
                }
            });
        });
    app.runs_shown = open;
}

fn act(app: &mut App, done: Done) {
    match done {
        Done::Baseline(run) => app.session.set_baseline(Some(run)),
        Done::Drop(run) => app.session.drop_baseline(run),
        Done::Hide(run, hidden) => app.session.hide_baseline(run, hidden),
        Done::Repeat(run, other) => app.session.repeat(run, other),
        Done::Show(run) => app.session.active = Some(run),
        Done::Close(run) => app.close_run_of(run),
        Done::OpenAway(place) => app.open_away(place),
        Done::Remove(place) => drop(app.project.away.remove(place)),
    }
}

/// Where all of it is kept.
fn head(app: &App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let weak = Palette::of(ui).text_weak;
    ui.horizontal(|ui| {
        let changed = app.project_changed();
        let saved = app.project.path.is_some();
        let save = if saved { "Save" } else { "Save as project…" };
        if ui.add_enabled_ui(changed || !saved, |ui| primary_button(ui, save).clicked()).inner {
            actions.push(Action::SaveProject);
        }
        if saved && ui.button("Save elsewhere…").clicked() {
            actions.push(Action::SaveProjectAs);
        }
        let text = match (saved, changed) {
            (true, true) => "changed; saved by itself when the window closes",
            (true, false) => "saved",
            (false, true) => "notes and rules are gone with the window unless they are saved as a project",
            (false, false) => "names, notes, baseline, rules and layout in one file beside the runs",
        };
        ui.add(Label::new(RichText::new(text).color(weak)).truncate());
    });
}

/// A field for a text of several lines.
fn notes(ui: &mut Ui, text: &mut String, name: &str, hint: &str, rows: usize) {
    let width = ui.available_width();
    let field = TextEdit::multiline(text).desired_rows(rows).desired_width(width).hint_text(hint);
    ui.add(field).accessible_name(name);
}

/// The runs that are open.
fn runs(app: &mut App, ui: &mut Ui) -> Option<Done> {
    let mut done = None;
    if app.session.runs.is_empty() {
        ui.label(RichText::new("No run is open.").color(Palette::of(ui).text_weak));
    }
    let (baseline, shown) = (app.session.baseline(), app.session.active);
    let all: Vec<(RunId, String, String)> =
        app.session.runs.iter().map(|r| (r.id, r.label.clone(), r.series.clone())).collect();
    let marked = app.session.baselines().count();
    for run in &mut app.session.runs {
        ui.push_id(run.id, |ui| {
            let frame = egui::Frame::group(ui.style()).inner_margin(space::MEDIUM);
            frame.show(ui, |ui| {
                ui.horizontal(|ui| {
                    let mut base = run.as_baseline.is_some();
                    let check = ui.add(Checkbox::new(&mut base, "baseline"));
                    if check.on_hover_text("The other runs are compared with this one").changed() {
                        done = Some(if base { Done::Baseline(run.id) } else { Done::Drop(run.id) });
                    }
                    let room = (ui.available_width() - 210.0).max(120.0);
                    let name = TextEdit::singleline(&mut run.label).desired_width(room);
                    ui.add(name).on_hover_text("What this run is called, in its tab and in comparisons");
                    let field = combo("decision").width(104.0).selected_text(run.decision.label());
                    let field = field.show_ui(ui, |ui| {
                        for decision in Decision::ALL {
                            ui.selectable_value(&mut run.decision, decision, decision.label());
                        }
                    });
                    field.response.on_hover_text("Whether the change that this run shows stays");
                    let shown = shown == Some(run.id);
                    let show = ui.add_enabled_ui(!shown, |ui| link_button(ui, "Show")).inner;
                    if show.clicked() {
                        done = Some(Done::Show(run.id));
                    }
                    if icon_button(ui, Icon::Close, "Close this run; it stays in the project").clicked() {
                        done = Some(Done::Close(run.id));
                    }
                });
                let state = match &run.state {
                    RunState::Failed(why) => Some((why.as_str(), Tone::Bad)),
                    RunState::Loading => Some(("being opened", Tone::Neutral)),
                    RunState::Live => Some(("being recorded", Tone::Neutral)),
                    RunState::Ready => None,
                };
                if let Some((text, tone)) = state {
                    let color = Palette::of(ui).tone(tone);
                    ui.add(Label::new(RichText::new(text).font(small()).color(color)).wrap());
                }
                if all.len() > 1 {
                    ui.horizontal(|ui| {
                        done = series(ui, run.id, &all).or(done);
                        if let Some(mark) = run.as_baseline.filter(|_| marked > 1) {
                            done = one_of(ui, run.id, mark, baseline == Some(run.id)).or(done);
                        }
                    });
                }
                let name = format!("Notes on {}", run.label);
                notes(ui, &mut run.note, &name, "What was changed, what was seen", 1);
            });
        });
        ui.add_space(space::SMALL);
    }
    done
}

/// What can be done with one of several baselines.
fn one_of(ui: &mut Ui, run: RunId, mark: Baseline, compared: bool) -> Option<Done> {
    let mut done = None;
    let (rect, _) = ui.allocate_exact_size(vec2(10.0, space::CONTROL), egui::Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.0, Palette::of(ui).series(mark.color.into()));
    if compared {
        ui.label(RichText::new("compared now").color(Palette::of(ui).text_weak));
    } else if link_button(ui, "Compare with it").clicked() {
        done = Some(Done::Baseline(run));
    }
    let mut hidden = mark.hidden;
    let about = "Leaves it out of the figures against each baseline, and of the turn (Shift+X)";
    if ui.checkbox(&mut hidden, "hidden").on_hover_text(about).changed() {
        done = Some(Done::Hide(run, hidden));
    }
    done
}

/// Which other runs are of the same thing.
fn series(ui: &mut Ui, run: RunId, all: &[(RunId, String, String)]) -> Option<Done> {
    let mine = all.iter().find(|r| r.0 == run).map_or("", |r| &r.2);
    let others = all.iter().filter(|r| r.0 != run && !mine.is_empty() && r.2 == mine).count();
    let shown = match others {
        0 => "One run of its own".to_owned(),
        n => format!("With {} of the same", format::counted(n as i64, "other run", "other runs")),
    };
    let mut done = None;
    let about = "Runs of the same program and settings are one side of a comparison: their medians are compared, and with \
                 four a side a test tells a change from noise";
    let field = combo("series").selected_text(shown).show_ui(ui, |ui| {
        if ui.selectable_label(others == 0, "One run of its own").clicked() {
            done = Some(Done::Repeat(run, None));
        }
        for (other, label, _) in all.iter().filter(|r| r.0 != run) {
            if ui.selectable_label(false, format!("The same as {label}")).clicked() {
                done = Some(Done::Repeat(run, Some(*other)));
            }
        }
    });
    field.response.on_hover_text(about);
    done
}

/// The runs of the project without a tab.
fn away(app: &App, ui: &mut Ui) -> Option<Done> {
    let mut done = None;
    for (place, AwayRun { run, why, .. }) in app.project.away.iter().enumerate() {
        let palette = Palette::of(ui);
        ui.horizontal(|ui| {
            let name = if run.name.is_empty() { &run.file } else { &run.name };
            let tone = if *why == Away::Closed { palette.text_weak } else { palette.tone(Tone::Warning) };
            if link_button(ui, "Open").clicked() {
                done = Some(Done::OpenAway(place));
            }
            if link_button(ui, "Remove")
                .on_hover_text("Takes it out of the project; the file stays")
                .clicked()
            {
                done = Some(Done::Remove(place));
            }
            let text = format!("{name}: {}", why.words());
            ui.add(Label::new(RichText::new(text).color(tone)).truncate()).on_hover_text(&run.file);
        });
    }
    done
}

/// How functions of two runs are matched.
fn matching(app: &mut App, ui: &mut Ui) {
    section_heading(ui, "Which functions are the same");
    let weak = Palette::of(ui).text_weak;
    let alignment = &mut app.session.alignment;
    ui.horizontal(|ui| {
        let label = ui.label("Names may differ in");
        let words = |step| match step {
            Step::Exact => "nothing",
            Step::File => "folders",
            Step::Module => "folders and files",
            _ => "folders, files and modules",
        };
        let field = combo("loosest").width(210.0).selected_text(words(alignment.loosest));
        let field = field.show_ui(ui, |ui| {
            for step in [Step::Exact, Step::File, Step::Module, Step::Name] {
                ui.selectable_value(&mut alignment.loosest, step, words(step));
            }
        });
        field.response.labelled_by(label.id);
    });
    let about = "Rules replace parts of names and files before what is left over is compared: a regular expression and \
                 its replacement ($1 is the first group).";
    ui.add(Label::new(RichText::new(about).font(small()).color(weak)).wrap());
    let mut gone = None;
    Grid::new("rules").num_columns(4).spacing(vec2(space::MEDIUM, space::SMALL)).show(ui, |ui| {
        for (i, rule) in alignment.rules.iter().enumerate() {
            ui.monospace(&rule.pattern);
            ui.label("→");
            ui.monospace(if rule.with.is_empty() { "(nothing)" } else { &rule.with });
            if icon_button(ui, Icon::Close, "Remove this rule").clicked() {
                gone = Some(i);
            }
            ui.end_row();
        }
    });
    gone.map(|i| alignment.rules.remove(i));
    ui.horizontal(|ui| {
        let typed = &mut app.matching;
        let pattern = TextEdit::singleline(&mut typed.pattern).desired_width(200.0).hint_text("_v[0-9]+$");
        ui.add(pattern).accessible_name("Pattern");
        ui.label("→");
        let with = TextEdit::singleline(&mut typed.with).desired_width(120.0).hint_text("(nothing)");
        ui.add(with).accessible_name("Replacement");
        let rule = matches::rule(&typed.pattern, &typed.with);
        let can = rule.is_ok() && !typed.pattern.is_empty();
        let add = ui.add_enabled(can, egui::Button::new("Add rule")).clicked();
        match rule {
            Ok(rule) if add => {
                alignment.rules.push(rule);
                *typed = Editing::default();
            }
            Ok(_) => {}
            Err(why) => {
                ui.add(Label::new(RichText::new(why).color(Palette::of(ui).tone(Tone::Bad))).truncate());
            }
        }
    });
    ui.add_space(space::SMALL);
    let about = match alignment.by_hand.is_empty() {
        true => "Pairs by hand: none. Right-click a new or gone function in Functions to pair it.",
        false => "Pairs by hand, base and head:",
    };
    ui.add(Label::new(RichText::new(about).font(small()).color(weak)).wrap());
    let mut gone = None;
    for (i, (base, head)) in alignment.by_hand.iter().enumerate() {
        ui.horizontal(|ui| {
            if icon_button(ui, Icon::Close, "Pair them no more").clicked() {
                gone = Some(i);
            }
            ui.add(Label::new(format!("{} → {}", named(*base), named(*head))).truncate());
        });
    }
    gone.map(|i| alignment.by_hand.remove(i));
}

/// A function with its place.
fn named(key: SymbolKey) -> String {
    match (&**key.file, &**key.module) {
        ("", "") => key.name.to_string(),
        ("", module) => format!("{} ({module})", key.name),
        (file, _) => format!("{} ({file})", key.name),
    }
}
