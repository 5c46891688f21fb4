//! Everything that a menu, a key or the command palette can do, in one list.

use egui::{Key, KeyboardShortcut, Modifiers};

use crate::views::{VIEWS, ViewKind};

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for profiles to open.
    Open,
    /// Ask for the folder of a dataset to open.
    OpenDataset,
    /// Open a file by its path, for systems without file dialogs.
    OpenPath,
    /// Choose what to record.
    Record,
    /// Record the shown recording again, with the same settings.
    RecordAgain,
    /// End the recording and keep it.
    StopRecording,
    /// End the recording and throw it away.
    CancelRecording,
    /// Write the run in the export format with this place in [`crate::exchange::FORMATS`].
    Export(usize),
    /// Write the run as a session with the texts of its source files.
    SaveWithSources,
    /// Save a picture of the current pane.
    SavePicture(crate::views::Picture),
    /// Close the shown run.
    CloseRun,
    /// Close a run.
    CloseRunOf(crate::query::RunId),
    /// Show the run in the next tab.
    NextRun,
    /// Show the run in the tab before.
    PreviousRun,
    /// Choose two runs to compare.
    Compare,
    /// Compare the run that came last with the one before.
    CompareLastTwo,
    /// Base becomes head, and head base.
    SwapRuns,
    /// Compare all other runs with the shown one.
    SetBaseline,
    /// Compare with the next one of several baselines.
    NextBaseline,
    /// Compare runs no more.
    StopComparing,
    /// Show or hide the window with names, notes and rules.
    Runs,
    /// Write the project.
    SaveProject,
    /// Write the project to another file.
    SaveProjectAs,
    /// Show the start page.
    Start,
    /// Copy the command that opens what is looked at.
    CopyLink,
    /// One step back.
    Undo,
    /// One step forth.
    Redo,
    /// Look at all of the time again.
    ClearRange,
    /// Put the cursor into the search field.
    Search,
    /// Select the next function that the search finds.
    FindNext,
    /// Select the one before.
    FindPrevious,
    /// Bring a view to the front.
    Show(usize),
    /// Define metrics by formulas.
    Metrics,
    /// Show or hide the window of prices.
    Prices,
    /// Give the current pane all of the room, or put it back.
    Maximise,
    /// Put the panes back as they were at first.
    ResetLayout,
    /// Dark, light, as the system.
    Theme(super::settings::ThemeChoice),
    /// Let coding agents see and steer the window, or no more.
    Agents(bool),
    /// Choose the editor that source lines open in.
    Editor,
    /// Find any action by typing.
    Palette,
    /// Ask a question about what is shown.
    Ask,
    /// Show or hide what the engine keeps: questions, bytes, times.
    QueryMemory,
    /// Open the guide.
    Guide,
    /// Show or hide the steps of profiling an application.
    Checklist,
    /// List keys and gestures.
    Keys,
    /// Name, version, licences.
    About,
    /// Close the window.
    Quit,
}

/// Which menu lists an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// Files and recordings.
    File,
    /// Undo, search.
    Edit,
    /// Two runs.
    Compare,
    /// Panes and looks.
    View,
    /// Guide, keys, about.
    Help,
}

/// An action with its place and key.
pub struct Entry {
    /// What it does.
    pub action: Action,
    /// What a person reads.
    pub title: String,
    /// Its key.
    pub key: Option<KeyboardShortcut>,
    /// Its menu.
    pub menu: Menu,
}

const fn ctrl(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND, key))
}

const fn ctrl_shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key))
}

const fn shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::SHIFT, key))
}

const fn plain(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::NONE, key))
}

/// Every action, in menu order.
#[must_use]
pub fn all() -> Vec<Entry> {
    use super::settings::ThemeChoice as T;
    let entry = |action, title: &str, key, menu| Entry { action, title: title.to_owned(), key, menu };
    let mut list = vec![
        entry(Action::Open, "Open…", ctrl(Key::O), Menu::File),
        entry(Action::OpenPath, "Open by path…", ctrl_shift(Key::O), Menu::File),
        entry(Action::OpenDataset, "Open dataset folder…", None, Menu::File),
        entry(Action::Record, "Record…", ctrl(Key::R), Menu::File),
        entry(Action::RecordAgain, "Record again", ctrl_shift(Key::R), Menu::File),
        entry(Action::StopRecording, "Stop recording", ctrl(Key::E), Menu::File),
        entry(Action::CancelRecording, "Discard recording", None, Menu::File),
    ];
    if !cfg!(feature = "fleet") {
        list.retain(|e| e.action != Action::OpenDataset);
    }
    for (i, format) in crate::exchange::FORMATS.iter().enumerate() {
        let key = if i == 0 { ctrl(Key::S) } else { None };
        let title =
            if i == 0 { "Save session…".to_owned() } else { format!("Export as {}…", format.title) };
        list.push(Entry { action: Action::Export(i), title, key, menu: Menu::File });
        if i == 0 {
            list.push(entry(Action::SaveWithSources, "Save session with sources…", None, Menu::File));
        }
    }
    for picture in crate::views::Picture::ALL {
        let ending = picture.extension().to_uppercase();
        let title = format!("Save picture of the current view as {ending}…");
        list.push(entry(Action::SavePicture(picture), &title, None, Menu::File));
    }
    list.extend([
        entry(Action::SaveProject, "Save project", None, Menu::File),
        entry(Action::SaveProjectAs, "Save project as…", None, Menu::File),
        entry(Action::Start, "Start page", ctrl(Key::Home), Menu::File),
        entry(Action::Compare, "Compare two runs…", ctrl(Key::D), Menu::Compare),
        entry(Action::CompareLastTwo, "Compare the last two", ctrl_shift(Key::D), Menu::Compare),
        entry(Action::SetBaseline, "Set as baseline", plain(Key::B), Menu::Compare),
        entry(Action::SwapRuns, "Swap base and head", plain(Key::X), Menu::Compare),
        entry(Action::NextBaseline, "Next baseline", shift(Key::X), Menu::Compare),
        entry(Action::StopComparing, "Stop comparing", shift(Key::B), Menu::Compare),
        entry(Action::Runs, "Runs, notes and matching…", ctrl(Key::N), Menu::Compare),
        entry(Action::CloseRun, "Close run", ctrl(Key::W), Menu::File),
        entry(Action::Quit, "Quit", ctrl(Key::Q), Menu::File),
        entry(Action::Undo, "Undo", ctrl(Key::Z), Menu::Edit),
        entry(Action::Redo, "Redo", ctrl_shift(Key::Z), Menu::Edit),
        entry(Action::Search, "Search", ctrl(Key::F), Menu::Edit),
        entry(Action::FindNext, "Find next", plain(Key::F3), Menu::Edit),
        entry(Action::FindPrevious, "Find previous", shift(Key::F3), Menu::Edit),
        entry(Action::ClearRange, "Show the whole run", None, Menu::Edit),
        entry(Action::CopyLink, "Copy link to this view", ctrl_shift(Key::C), Menu::Edit),
        entry(Action::Metrics, "Define metrics…", None, Menu::Edit),
        entry(Action::Prices, "Prices…", None, Menu::Edit),
        entry(Action::Palette, "Command palette", ctrl_shift(Key::P), Menu::Edit),
        entry(Action::Ask, "Ask a question…", ctrl(Key::K), Menu::Edit),
    ]);
    for (i, view) in VIEWS.iter().enumerate() {
        list.push(entry(Action::Show(i), view.title, None, Menu::View));
    }
    list.extend([
        entry(Action::NextRun, "Next run", ctrl(Key::Tab), Menu::View),
        entry(Action::PreviousRun, "Previous run", ctrl_shift(Key::Tab), Menu::View),
        entry(Action::Maximise, "Only the current pane", ctrl(Key::M), Menu::View),
        entry(Action::ResetLayout, "Reset layout", None, Menu::View),
        entry(Action::Theme(T::System), "Theme: as the system", None, Menu::View),
        entry(Action::Theme(T::Dark), "Theme: dark", None, Menu::View),
        entry(Action::Theme(T::Light), "Theme: light", None, Menu::View),
        entry(Action::Editor, "Editor…", None, Menu::View),
        entry(Action::Agents(true), "Agents: may use this window", None, Menu::View),
        entry(Action::Agents(false), "Agents: may not use this window", None, Menu::View),
        entry(Action::QueryMemory, "Show query memory", None, Menu::Help),
        entry(Action::Guide, "Guide", plain(Key::F1), Menu::Help),
        entry(Action::Checklist, "Profile an async LLM application", None, Menu::Help),
        entry(Action::Keys, "Keys and gestures", plain(Key::Questionmark), Menu::Help),
        entry(Action::About, "About inferscope", None, Menu::Help),
    ]);
    list
}

/// The kind of view that [`Action::Show`] names.
#[must_use]
pub fn view(place: usize) -> Option<&'static ViewKind> {
    VIEWS.get(place)
}

/// A key as it is written on a keyboard.
#[must_use]
pub fn key_text(ctx: &egui::Context, key: &KeyboardShortcut) -> String {
    ctx.format_shortcut(key).replace("Questionmark", "?")
}

/// The action whose key was pressed. Keys without Ctrl are left alone while a text field has the focus.
#[must_use]
pub fn pressed(ctx: &egui::Context) -> Option<Action> {
    let typing = ctx.text_edit_focused();
    // As in most viewers. The letter must not get into the field that it leads to.
    if !typing && ctx.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Slash)) {
        ctx.input_mut(|i| i.events.retain(|e| !matches!(e, egui::Event::Text(text) if text == "/")));
        return Some(Action::Search);
    }
    // As in browsers, too.
    for (key, action) in [(Key::PageDown, Action::NextRun), (Key::PageUp, Action::PreviousRun)] {
        if ctx.input_mut(|i| i.consume_key(Modifiers::COMMAND, key)) {
            return Some(action);
        }
    }
    // More modifiers first: Ctrl-Shift-O must not count as Ctrl-O.
    let mut keyed: Vec<_> = all().into_iter().filter_map(|e| Some((e.key?, e.action))).collect();
    keyed.sort_by_key(|(key, _)| !key.modifiers.shift);
    keyed
        .into_iter()
        .filter(|(key, _)| key.modifiers.any() || key.logical_key == Key::F3 || !typing)
        .find(|(key, _)| ctx.input_mut(|i| i.consume_shortcut(key)))
        .map(|(_, action)| action)
}
