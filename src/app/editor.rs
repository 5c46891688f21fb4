//! Opening a source line in the person's editor.

use std::process::Stdio;

use egui::{RichText, TextEdit, Ui};

use super::event::Event;
use super::{App, Overlay, open};
use crate::analysis::source_file::{SourceAnswer, SourceFile};
use crate::jobs::{self, Job};
use crate::query::{Engine, Run};
use crate::record::{self, split_words};
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{combo, primary_button};

/// Usual editors and how they are told a file and a line.
const PRESETS: [(&str, &str); 7] = [
    ("VS Code", "code --goto {file}:{line}"),
    ("Cursor", "cursor --goto {file}:{line}"),
    ("JetBrains (PyCharm)", "pycharm --line {line} {file}"),
    ("Sublime Text", "subl {file}:{line}"),
    ("Zed", "zed {file}:{line}"),
    ("Emacs (server)", "emacsclient --no-wait +{line} {file}"),
    ("Vim in a terminal", "x-terminal-emulator -e vim +{line} {file}"),
];

/// A place in a source file, as the profile names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourcePlace {
    pub file: String,
    pub line: u32,
}

/// The program and its arguments; no shell reads them, so that a name in a profile stays a name.
fn words(command: &str, file: &str, line: u32) -> Option<(String, Vec<String>)> {
    let filled = |word: String| word.replace("{file}", file).replace("{line}", &line.max(1).to_string());
    let words = split_words(command).ok()?;
    let named = words.iter().any(|word| word.contains("{file}"));
    let mut words = words.into_iter();
    let program = words.next()?;
    let mut args: Vec<String> = words.map(filled).collect();
    if !named {
        args.push(file.to_owned());
    }
    Some((program, args))
}

/// The small window that asks for the editor's command.
pub(super) struct ChooseEditor {
    command: String,
    /// What is opened once it is known.
    then: Option<SourcePlace>,
}

impl ChooseEditor {
    pub fn new(app: &App, then: Option<SourcePlace>) -> Self {
        let command = app.settings.editor.clone().unwrap_or_else(|| PRESETS[0].1.to_owned());
        Self { command, then }
    }

    /// Draws it; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui) -> Option<Self> {
        let mut done = false;
        let modal = egui::Modal::new(egui::Id::unique("editor")).show(ui.ctx(), |ui| {
            ui.set_width((ui.ctx().content_rect().width() - 64.0).min(520.0));
            ui.heading("Your editor");
            ui.add_space(6.0);
            let weak = Palette::of(ui).text_weak;
            let preset = PRESETS.iter().find(|(_, command)| *command == self.command);
            let field = combo("editor").width(200.0).selected_text(preset.map_or("Another one", |p| p.0));
            let field = field.show_ui(ui, |ui| {
                for (name, command) in PRESETS {
                    if ui.selectable_label(self.command == command, name).clicked() {
                        self.command = command.to_owned();
                    }
                }
            });
            field.response.accessible_name("Editor");
            ui.add_space(4.0);
            ui.add(TextEdit::singleline(&mut self.command).desired_width(f32::INFINITY))
                .accessible_name("Command");
            let about = "{file} and {line} stand for the place. The command runs without a shell.";
            ui.label(RichText::new(about).color(weak));
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                let valid = words(&self.command, "f", 1).is_some();
                let save = if self.then.is_some() { "Save and open" } else { "Save" };
                done = ui.add_enabled_ui(valid, |ui| primary_button(ui, save).clicked()).inner;
                if ui.button("Cancel").clicked() {
                    ui.close();
                }
            });
        });
        if done {
            app.settings.editor = Some(self.command.clone());
            if let Some(place) = self.then {
                app.open_in_editor(place);
            }
            return None;
        }
        (!modal.should_close()).then_some(self)
    }
}

impl App {
    /// Opens a place in the editor, or asks which editor.
    pub(super) fn open_in_editor(&mut self, place: SourcePlace) {
        let Some(command) = self.settings.editor.clone() else {
            self.overlay = Overlay::Editor(ChooseEditor::new(self, Some(place)));
            return;
        };
        let Some(run) = self.active() else { return };
        let Some(profile) = run.profile.clone() else { return };
        let query = SourceFile {
            file: place.file.clone(),
            beside: open::folder_of(run.input()).map(std::path::Path::to_owned),
            rules: self.settings.sources.clone(),
            attempt: 0,
        };
        let events = self.events.clone();
        jobs::spawn("editor", move || {
            let answer = Engine::inline().now(&Run::of(profile), &query, &Job::new());
            let found = match answer.as_deref() {
                Ok(SourceAnswer::Found(text)) if !text.carried => std::path::absolute(&text.path).ok(),
                _ => None,
            };
            let result = match found {
                Some(path) => start(&command, &path.to_string_lossy(), place.line),
                None => {
                    Err(format!("{} was not found here: the view Source says where it looked", place.file))
                }
            };
            events.send(Event::Edited { result });
        });
    }

    pub(super) fn edited(&mut self, result: Result<(), String>) {
        if let Err(why) = result {
            self.say(Tone::Warning, why);
        }
    }
}

/// Starts the editor and does not wait for it. A thread of its own takes its exit state.
fn start(command: &str, file: &str, line: u32) -> Result<(), String> {
    let (program, args) = words(command, file, line).ok_or("the editor's command has an open quote")?;
    let mut child = record::program(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("{program} cannot be started ({e}): choose another editor under View"))?;
    let _ = child.wait();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_name_stays_one_argument_whatever_it_holds() {
        let of = |command| words(command, "/tmp/a b; rm -rf x/$(y).py", 7).unwrap();
        let (program, args) = of("code --goto {file}:{line}");
        assert_eq!((program.as_str(), args.len()), ("code", 2));
        assert_eq!(args[1], "/tmp/a b; rm -rf x/$(y).py:7");
        assert_eq!(of("vim +{line}").1, ["+7", "/tmp/a b; rm -rf x/$(y).py"]);
        assert_eq!(words("", "f", 1), None);
        assert_eq!(words("code 'open", "f", 1), None);
    }
}
