//! What can be done with a function or a call path, in every table: as a menu and by keys. The keys are
//! those of the Firefox Profiler.

use crate::analysis::Transform;
use crate::analysis::libraries::Libraries;
use crate::model::{FunctionId, Strings};
use crate::state::Command;
use crate::ui::theme::Palette;
use crate::views::ViewCx;
use egui::{Button, Key, Modifiers, RichText, Ui};

/// A thing to do, its key, and what a menu says.
struct Entry {
    command: Command,
    key: (Modifiers, Key),
    text: String,
    about: &'static str,
}

/// What a menu is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The function.
    pub function: FunctionId,
    /// Its whole call path, where there is one.
    pub path: Option<&'a [FunctionId]>,
}

fn entries(cx: &ViewCx<'_>, about: About<'_>) -> Vec<Entry> {
    let profile = cx.profile();
    let function = about.function;
    let module = profile.functions.get(function).module;
    let push = |t| Command::Push(t);
    let plain = |key| (Modifiers::NONE, key);
    let mut entries = vec![Entry {
        command: push(Transform::FocusFunction(function)),
        key: plain(Key::F),
        text: "Focus on this function".into(),
        about: "Keep only what runs under it, whoever called it",
    }];
    if let Some(path) = about.path {
        entries.push(Entry {
            command: push(Transform::FocusSubtree(path.to_vec())),
            key: (Modifiers::SHIFT, Key::F),
            text: "Focus on this call path".into(),
            about: "Keep only what runs under exactly this path",
        });
    }
    entries.push(Entry {
        command: push(Transform::MergeFunction(function)),
        key: plain(Key::M),
        text: "Merge into callers".into(),
        about: "Leave the function out; its self cost goes to whoever called it",
    });
    entries.push(Entry {
        command: push(Transform::DropFunction(function)),
        key: plain(Key::D),
        text: "Drop everything under it".into(),
        about: "Leave out all paths that contain the function, with their cost",
    });
    if module != Strings::EMPTY {
        entries.push(Entry {
            command: push(Transform::CollapseModule(module)),
            key: plain(Key::C),
            text: format!("Collapse module {}", profile.text(module)),
            about: "Show each run of its functions as one",
        });
    }
    if !cx.interaction.scope.transforms.contains(&Transform::CollapseRecursion) {
        entries.push(Entry {
            command: push(Transform::CollapseRecursion),
            key: plain(Key::R),
            text: "Collapse recursion".into(),
            about: "Show direct recursion of any function as one call",
        });
    }
    if !cx.interaction.scope.transforms.contains(&Transform::HideLibraries)
        && cx.ask(&Libraries, 0).value().is_some_and(|library| !library.is_empty())
    {
        entries.push(Entry {
            command: push(Transform::HideLibraries),
            key: plain(Key::L),
            text: "Only my code".into(),
            about: "Show the first of each run of library frames, and the others as «[n frames hidden]»",
        });
    }
    entries
}

/// The menu's part about transforms, search and names, with the keys of [`keys`].
pub fn show(cx: &mut ViewCx<'_>, about: About<'_>, ui: &mut Ui) {
    entries_ui(cx, about, true, ui);
}

/// The same for a view whose keys do other things.
pub fn show_without_keys(cx: &mut ViewCx<'_>, about: About<'_>, ui: &mut Ui) {
    entries_ui(cx, about, false, ui);
}

fn entries_ui(cx: &mut ViewCx<'_>, about: About<'_>, with_keys: bool, ui: &mut Ui) {
    ui.set_min_width(230.0);
    let palette = Palette::of(ui);
    let name = cx.profile().function_name(about.function).to_owned();
    ui.add(egui::Label::new(RichText::new(&name).color(palette.text_weak)).truncate());
    ui.separator();
    for entry in entries(cx, about) {
        let keys = match entry.key {
            (Modifiers::SHIFT, key) => format!("Shift+{}", key.name()),
            (_, key) => key.name().to_owned(),
        };
        let button = Button::new(entry.text);
        let button = ui.add(if with_keys { button.shortcut_text(keys) } else { button });
        if button.on_hover_text(entry.about).clicked() {
            cx.send(entry.command);
            ui.close();
        }
    }
    ui.separator();
    if ui.button("Search for this name").clicked() {
        cx.send(Command::Search(name.clone()));
        ui.close();
    }
    if ui.button("Copy name").clicked() {
        ui.ctx().copy_text(name);
        ui.close();
    }
}

/// Sends what the keys of the menu ask for. Call while the table has the keyboard.
pub fn keys(cx: &mut ViewCx<'_>, about: About<'_>, ui: &Ui) {
    for entry in entries(cx, about) {
        let (modifiers, key) = entry.key;
        if ui.input_mut(|i| i.modifiers == modifiers && i.consume_key(modifiers, key)) {
            cx.send(entry.command);
        }
    }
}
