//! How one profiles an async LLM application, as a list that fills itself from what is open: which workflow, compared with what,
//! on which input, in whose code, and what takes longest. Each line says what is there, and offers the next step.

use egui::{RichText, Ui};

use super::App;
use super::action::Action;
use crate::analysis::function_list::{FunctionKey, FunctionList};
use crate::analysis::libraries::Libraries;
use crate::analysis::stages::{Stages, has_stages};
use crate::analysis::waiting::Waiting;
use crate::analysis::{Functions, Slice, Transform};
use crate::format;
use crate::model::{FunctionId, Profile};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{link_button, section_heading};
use crate::views::VIEWS;

/// The place of its questions, beside those of the panes.
const SLOT: u64 = u64::MAX - 3;
/// Requests from which on percentiles say something.
const REQUESTS: usize = 20;
/// A run without requests is as long as this before it says much, ns.
const LONG: i64 = 5_000_000_000;

/// A line of the list.
struct Step {
    title: &'static str,
    /// What is there, and whether that is enough.
    found: Option<String>,
    enough: bool,
    /// What else to do.
    hint: &'static str,
    next: Option<Next>,
}

/// What a link of a line does.
enum Next {
    Act(&'static str, Action),
    Send(&'static str, Command),
    /// Selects a function and shows a view.
    Show(FunctionId, &'static str),
}

/// Shows the window while it is open.
pub(super) fn ui(app: &mut App, ui: &Ui, actions: &mut Vec<Action>) {
    let mut open = app.checklist_shown;
    if !open {
        return;
    }
    let steps = steps(app);
    let mut chosen = None;
    egui::Window::new("Profiling an async LLM application")
        .id(egui::Id::unique("checklist"))
        .open(&mut open)
        .default_width(430.0)
        .resizable([true, false])
        .show(ui.ctx(), |ui| {
            let palette = Palette::of(ui);
            let done = steps.iter().filter(|s| s.enough).count();
            ui.label(
                RichText::new(format!("{done} of {} steps are done.", steps.len())).color(palette.text_weak),
            );
            for (i, step) in steps.into_iter().enumerate() {
                ui.add_space(6.0);
                ui.horizontal(|ui| {
                    let (icon, color) = match step.enough {
                        true => (Icon::Check, palette.tone(Tone::Good)),
                        false => (Icon::Clock, palette.text_weak),
                    };
                    let (rect, _) = ui.allocate_exact_size(egui::vec2(14.0, 14.0), egui::Sense::hover());
                    icon.paint(ui.painter(), rect, color);
                    section_heading(ui, &format!("{}  {}", i + 1, step.title));
                });
                let hint = if step.enough { "" } else { step.hint };
                for text in step.found.iter().map(String::as_str).chain([hint]).filter(|t| !t.is_empty()) {
                    ui.add(egui::Label::new(RichText::new(text).color(palette.text)).wrap());
                }
                if let Some(next) = step.next {
                    let title = match &next {
                        Next::Act(title, _) | Next::Send(title, _) => title,
                        Next::Show(..) => "Show it",
                    };
                    if link_button(ui, title).clicked() {
                        chosen = Some(next);
                    }
                }
            }
            ui.add_space(6.0);
        });
    app.checklist_shown = open;
    match chosen {
        Some(Next::Act(_, action)) => actions.push(action),
        Some(Next::Send(_, command)) => app.command(command),
        Some(Next::Show(function, view)) => {
            if let Some(subject) = app.session.subject() {
                app.command(Command::Select(Some(Item::of_function(function, subject.profile()))));
            }
            actions.extend(VIEWS.iter().position(|v| v.id == view).map(Action::Show));
        }
        None => {}
    }
}

fn steps(app: &App) -> Vec<Step> {
    let profile = app.active().and_then(|run| run.profile.clone());
    let profile = profile.as_deref();
    vec![
        workflow(app, profile),
        baseline(app),
        input(profile),
        own_code(app, profile),
        bottleneck(app, profile),
    ]
}

fn workflow(app: &App, profile: Option<&Profile>) -> Step {
    let label = app.active().map(|run| run.label.clone()).unwrap_or_default();
    let tasks =
        profile.map_or(0, |p| p.tracks.iter().filter(|t| t.kind == crate::model::TrackKind::Task).count());
    let told = profile.map(|p| {
        let mut parts = vec![label];
        if tasks > 0 {
            parts.push(format::counted(tasks as i64, "task", "tasks"));
        }
        if p.span_count() > 0 {
            parts.push(format::counted(p.span_count() as i64, "span", "spans"));
        }
        if !p.requests.rows.is_empty() {
            parts.push(format::counted(p.requests.rows.len() as i64, "request", "requests"));
        }
        parts.join(" · ")
    });
    let tells = profile.is_some_and(|p| has_stages(p) || !p.requests.rows.is_empty());
    Step {
        title: "Choose one workflow",
        found: told,
        enough: tells,
        hint: "Record one whole request of your program, from the question to the answer, with its tasks and model \
               calls: a profile of functions alone does not say what waited for what.",
        next: (!tells).then_some(Next::Act("Record…", Action::Record)),
    }
}

fn baseline(app: &App) -> Step {
    let base = app.session.baseline().and_then(|id| app.session.get(id)).map(|run| run.label.clone());
    let pair = app.session.subject().is_some_and(|s| s.pair().is_some());
    let enough = base.is_some();
    Step {
        title: "Set a baseline",
        found: base.map(|name| {
            if pair { format!("Compared with {name}") } else { format!("{name} is the baseline") }
        }),
        enough,
        hint: "A change is an improvement only beside the run before it. B makes the shown run the baseline.",
        next: (!enough && app.active().is_some())
            .then_some(Next::Act("Set as baseline", Action::SetBaseline)),
    }
}

fn input(profile: Option<&Profile>) -> Step {
    let requests = profile.map_or(0, |p| p.requests.rows.len());
    let length = profile.and_then(|p| p.time_bounds().map(|(a, b)| b.saturating_sub(a)).or(p.meta.duration));
    let enough = if requests > 0 { requests >= REQUESTS } else { length.is_some_and(|ns| ns >= LONG) };
    let found = match (requests, length) {
        (0, None) => None,
        (0, Some(ns)) => Some(format!("The run took {}.", format::duration(ns))),
        (n, ns) => {
            let time = ns.map_or_else(String::new, |ns| format!(" in {}", format::duration(ns)));
            Some(format!("{}{time}.", format::counted(n as i64, "request", "requests")))
        }
    };
    Step {
        title: "Run it on realistic input",
        found,
        enough,
        hint: "Prompts as long as real ones, as many at a time, twenty requests or more: a cold start and one lucky cache hit \
               are no workload.",
        next: None,
    }
}

fn own_code(app: &App, profile: Option<&Profile>) -> Step {
    let now = app.session.now();
    let only = now.is_some_and(|now| {
        now.scope.transforms.iter().any(|t| *t == Transform::HideLibraries || t.is_focus())
    });
    let has = profile.is_some()
        && app.session.subject().is_some_and(|s| {
            app.engine.ask(s.head(), &Libraries, SLOT).value().is_some_and(|l| !l.is_empty())
        });
    Step {
        title: "Look at your own code",
        found: only.then(|| "Library frames are folded, or one part is in focus.".to_owned()),
        enough: only,
        hint: match has {
            true => "Frames of libraries hide what you can change. L folds them in every pane.",
            false => "This file does not tell libraries from your code; focus on a function of yours (F).",
        },
        next: (!only && has).then_some(Next::Send("Only my code", Command::Push(Transform::HideLibraries))),
    }
}

fn bottleneck(app: &App, profile: Option<&Profile>) -> Step {
    let found = profile.and_then(|profile| largest(app, profile));
    let selected = app.session.now().and_then(|now| now.selection.as_ref()?.symbol());
    let seen =
        found.as_ref().is_some_and(|(f, ..)| profile.is_some_and(|p| selected == Some(p.keys().symbol(*f))));
    Step {
        title: "Take the largest bottleneck first",
        enough: seen,
        hint: "Select it, see who calls it and what it waits for, change one thing, and record again.",
        next: found.as_ref().map(|&(f, _, view)| Next::Show(f, view)),
        found: found.map(|(_, text, _)| text),
    }
}

/// What takes most: of the critical path where there is one, otherwise of the work.
fn largest(app: &App, profile: &Profile) -> Option<(FunctionId, String, &'static str)> {
    let subject = app.session.subject()?;
    let run = subject.head();
    if has_stages(profile) {
        let graph = app.engine.ask(run, &Stages::default(), SLOT);
        let graph = graph.value()?;
        let first = graph.path_names.first()?;
        let share = format::percent(first.length as f64 / graph.total().max(1) as f64);
        let name = profile.function_name(first.function);
        let times = if first.stages > 1 {
            format!("{} × ", format::count(first.stages as i64))
        } else {
            String::new()
        };
        let length = format::duration(first.length);
        return Some((
            first.function,
            format!("{times}{name}: {length} of the critical path, {share} of the run."),
            "stages",
        ));
    }
    let metric = crate::analysis::diff::metrics::shown_of(&subject, crate::model::MetricKey::default());
    let query = FunctionList::new(Functions(Slice::whole(metric)), vec![(FunctionKey::Own, false)], "");
    let list = app.engine.ask(run, &query, SLOT);
    let waiting = app.engine.ask(run, &Waiting, SLOT);
    let (list, waiting) = (list.value()?, waiting.value()?);
    let works =
        |row: &&crate::analysis::FunctionRow| !waiting.get(row.function.index()).copied().unwrap_or(false);
    let first = list.table.rows.iter().find(works)?;
    let share = format::share_text(list.table.whole.own_share(first.own));
    let name = profile.function_name(first.function);
    Some((first.function, format!("{name}: {share} is spent in it itself."), "callers"))
}
