//! The context menu that all views share, and what it does with a function or a call path, also by keys. The keys
//! are those of the Firefox Profiler.

use crate::analysis::Transform;
use crate::analysis::libraries::Libraries;
use crate::analysis::unfinished::Unfinished;
use crate::format::CopyAs;
use crate::model::FunctionId;
use crate::state::{Command, Item};
use crate::ui::theme::Palette;
use crate::views::{PICTURES, Picture, ViewCx, Wish, view};
use egui::{Button, Key, Modifiers, RichText, Ui};

/// The keys of the transforms and what they do, for the list of all keys.
pub const KEYS: [(&str, &str); 9] = [
    ("F", "focus on the function of the selected row of a tree or table"),
    ("Shift+F", "focus on its call path"),
    ("G", "focus on its category"),
    ("M", "merge it into its callers"),
    ("D", "drop everything under it"),
    ("C", "collapse its module"),
    ("R", "collapse recursion"),
    ("L", "only my code"),
    ("U", "finished calls only"),
];

/// The key of a transform; `None` for what is asked for elsewhere than in a menu.
fn key_of(transform: &Transform) -> Option<(Modifiers, Key)> {
    let (shift, key) = match transform {
        Transform::FocusMatches(_) => return None,
        Transform::FocusFunction(_) => (false, Key::F),
        Transform::FocusSubtree(_) => (true, Key::F),
        Transform::FocusCategory(_) => (false, Key::G),
        Transform::MergeFunction(_) => (false, Key::M),
        Transform::DropFunction(_) => (false, Key::D),
        Transform::CollapseModule(_) => (false, Key::C),
        Transform::CollapseRecursion => (false, Key::R),
        Transform::HideLibraries => (false, Key::L),
        Transform::FinishedOnly => (false, Key::U),
    };
    Some((if shift { Modifiers::SHIFT } else { Modifiers::NONE }, key))
}

/// «Shift+F».
fn key_text(transform: &Transform) -> String {
    let Some((modifiers, key)) = key_of(transform) else { return String::new() };
    format!("{}{}", if modifiers.shift { "Shift+" } else { "" }, key.name())
}

/// A thing to do, and what a menu says.
struct Entry {
    transform: Transform,
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
    let keys = cx.profile().keys();
    let function = keys.symbol(about.function);
    let (module, category) = (function.module, function.category);
    let mut entries = vec![Entry {
        transform: Transform::FocusFunction(function),
        text: "Focus on this function".into(),
        about: "Keep only what runs under it, whoever called it",
    }];
    if let Some(path) = about.path {
        entries.push(Entry {
            transform: Transform::FocusSubtree(path.iter().map(|&f| keys.symbol(f)).collect()),
            text: "Focus on this call path".into(),
            about: "Keep only what runs under exactly this path",
        });
    }
    if !category.is_empty() {
        entries.push(Entry {
            transform: Transform::FocusCategory(category),
            text: format!("Focus on category {category}"),
            about: "Keep only its functions; the self cost of others goes to the nearest of them above",
        });
    }
    entries.push(Entry {
        transform: Transform::MergeFunction(function),
        text: "Merge into callers".into(),
        about: "Leave the function out; its self cost goes to whoever called it",
    });
    entries.push(Entry {
        transform: Transform::DropFunction(function),
        text: "Drop everything under it".into(),
        about: "Leave out all paths that contain the function, with their cost",
    });
    if !module.is_empty() {
        entries.push(Entry {
            transform: Transform::CollapseModule(module),
            text: format!("Collapse module {module}"),
            about: "Show each run of its functions as one",
        });
    }
    if !cx.interaction.scope.transforms.contains(&Transform::CollapseRecursion) {
        entries.push(Entry {
            transform: Transform::CollapseRecursion,
            text: "Collapse recursion".into(),
            about: "Show direct recursion of any function as one call",
        });
    }
    if !cx.interaction.scope.transforms.contains(&Transform::HideLibraries)
        && cx.ask(&Libraries, 0).beside().is_some_and(|library| !library.is_empty())
    {
        entries.push(Entry {
            transform: Transform::HideLibraries,
            text: "Only my code".into(),
            about: "Show the first of each run of library frames, and the others as «[n frames hidden]»",
        });
    }
    if !cx.interaction.scope.transforms.contains(&Transform::FinishedOnly)
        && cx.ask(&Unfinished, 0).beside().is_some_and(|count| *count > 0)
    {
        entries.push(Entry {
            transform: Transform::FinishedOnly,
            text: "Finished calls only".into(),
            about: "Leave out the time of calls that had not ended when the recording did",
        });
    }
    entries
}

/// What of a table was chosen to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picked {
    /// The row that the menu is about, as text.
    Row,
    /// The whole table.
    Table(CopyAs),
}

/// A context menu. All views have the same one: what it is about, what only this view does with it, transforms,
/// search, copying, pictures.
#[derive(Default)]
pub struct ContextMenu<'a> {
    title: Option<String>,
    about: Option<About<'a>>,
    without_keys: bool,
    texts: Vec<(&'static str, String)>,
    row: bool,
    table: bool,
}

impl<'a> ContextMenu<'a> {
    /// A menu about nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// About a function or a call path, with the keys of [`keys`].
    #[must_use]
    pub fn about(about: About<'a>) -> Self {
        Self { about: Some(about), ..Self::default() }
    }

    /// What it is about.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// For a view whose keys do other things.
    #[must_use]
    pub fn without_keys(self) -> Self {
        Self { without_keys: true, ..self }
    }

    /// An entry that copies a text; greyed when the text is empty.
    #[must_use]
    pub fn copies(mut self, entry: &'static str, text: impl Into<String>) -> Self {
        self.texts.push((entry, text.into()));
        self
    }

    /// With an entry that copies the row.
    #[must_use]
    pub fn row(self) -> Self {
        Self { row: true, ..self }
    }

    /// With entries that copy the whole table.
    #[must_use]
    pub fn table(self) -> Self {
        Self { table: true, ..self }
    }

    /// Shows the menu; `own` adds what only this view does. The answer is what shall be copied of a table.
    pub fn show(
        self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        own: impl FnOnce(&mut ViewCx<'_>, &mut Ui),
    ) -> Option<Picked> {
        ui.set_min_width(230.0);
        let name = self.about.map(|a| cx.profile().function_name(a.function).to_owned());
        if let Some(title) = self.title.as_ref().or(name.as_ref()) {
            let title = RichText::new(title).color(Palette::of(ui).text_weak);
            // As far from the edge as the texts of the entries.
            egui::Frame::new().inner_margin(egui::Margin::symmetric(2, 1)).show(ui, |ui| {
                ui.add(egui::Label::new(title).truncate());
            });
            line(ui);
        }
        part(ui, |ui| own(cx, ui));
        if let Some(about) = self.about {
            part(ui, |ui| places(cx, about, ui));
        }
        if let (Some(about), Some(name)) = (self.about, name) {
            part(ui, |ui| transforms(cx, about, !self.without_keys, ui));
            if entry(ui, "Search for this name", "", "") {
                cx.send(Command::Search(name.clone()));
            }
            copy(ui, "Copy name", &name);
        }
        for (title, text) in &self.texts {
            copy(ui, title, text);
        }
        let picked = copies_of_table(ui, self.row, self.table);
        if self.about.is_some() || !self.texts.is_empty() || self.row || self.table {
            line(ui);
        }
        pictures(cx, ui);
        picked
    }
}

/// Entries that copy a row, and the whole table; what was chosen.
pub fn copies_of_table(ui: &mut Ui, row: bool, table: bool) -> Option<Picked> {
    let mut picked = None;
    if row && entry(ui, "Copy row", "", "") {
        picked = Some(Picked::Row);
    }
    for (form, title) in CopyAs::ALL.into_iter().filter(|_| table) {
        if entry(ui, title, "", "") {
            picked = Some(Picked::Table(form));
        }
    }
    picked
}

/// Between the parts of a menu.
fn line(ui: &mut Ui) {
    // As wide as the entries make the menu, which they have told after the sizing pass.
    let width = if ui.is_sizing_pass() { 0.0 } else { ui.available_width() };
    let (rect, _) = ui.allocate_exact_size(egui::vec2(width, 7.0), egui::Sense::hover());
    let y = ui.painter().round_to_pixel_center(rect.center().y);
    ui.painter().hline(rect.x_range(), y, egui::Stroke::new(1.0, Palette::of(ui).line_strong));
}

/// Content with a line below, unless it is empty.
fn part(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let before = ui.cursor().top();
    content(ui);
    if ui.cursor().top() > before {
        line(ui);
    }
}

/// One entry with its key and what it means; both may be empty. True when it was chosen.
pub fn entry(ui: &mut Ui, text: &str, key: &str, about: &str) -> bool {
    let button = Button::new(text);
    let mut response = ui.add(if key.is_empty() { button } else { button.shortcut_text(key) });
    if !about.is_empty() {
        response = response.on_hover_text(about);
    }
    if response.clicked() {
        ui.close();
    }
    response.clicked()
}

fn copy(ui: &mut Ui, title: &str, text: &str) {
    if ui.add_enabled(!text.is_empty(), Button::new(title)).clicked() {
        ui.ctx().copy_text(text.to_owned());
        ui.close();
    }
}

/// The end of every context menu: the pane as a picture.
pub fn pictures(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    ui.menu_button(PICTURES, |ui| {
        for picture in Picture::ALL {
            if entry(ui, picture.title(), "", "") {
                cx.out.wishes.push(Wish::SavePicture(cx.pane, picture));
            }
        }
    });
}

/// Views that show a function that is selected, in the order of the menu.
const SHOWN_IN: [&str; 7] = ["functions", "callers", "graph", "flame", "timeline", "calltree", "source"];

/// Where else to look at the function: selects it and brings the view to the front.
fn places(cx: &mut ViewCx<'_>, about: About<'_>, ui: &mut Ui) {
    let symbol = cx.profile().keys().symbol(about.function);
    ui.menu_button("Show in", |ui| {
        for id in SHOWN_IN {
            let Some(kind) = view(id) else { continue };
            let can = kind.can_show(cx.subject).is_ok();
            if ui.add_enabled(can, Button::new(kind.title)).clicked() {
                ui.close();
                cx.send(Command::Select(Some(Item::Function(symbol))));
                cx.out.wishes.push(Wish::Show(id));
            }
        }
    });
    let function = cx.profile().functions.get(about.function);
    let (file, line) = (cx.profile().text(function.file).to_owned(), function.line);
    if !file.is_empty() && entry(ui, "Open in editor", "", "Opens the file at the function's line") {
        cx.out.wishes.push(Wish::Edit { file, line });
    }
}

fn transforms(cx: &mut ViewCx<'_>, about: About<'_>, with_keys: bool, ui: &mut Ui) {
    for Entry { transform, text, about } in entries(cx, about) {
        let key = if with_keys { key_text(&transform) } else { String::new() };
        if entry(ui, &text, &key, about) {
            cx.send(Command::Push(transform));
        }
    }
}

/// Sends what the keys of the menu ask for. Call while the table has the keyboard.
pub fn keys(cx: &mut ViewCx<'_>, about: About<'_>, ui: &Ui) {
    for entry in entries(cx, about) {
        let Some((modifiers, key)) = key_of(&entry.transform) else { continue };
        if ui.input_mut(|i| i.modifiers == modifiers && i.consume_key(modifiers, key)) {
            cx.send(Command::Push(entry.transform));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NameKey;

    #[test]
    fn every_key_of_a_transform_is_in_the_list_of_keys() {
        let function = crate::model::keys::SymbolKey::of(crate::model::keys::SymbolParts::default());
        let all = [
            Transform::FocusFunction(function),
            Transform::FocusSubtree(Vec::new()),
            Transform::FocusCategory(NameKey::default()),
            Transform::MergeFunction(function),
            Transform::DropFunction(function),
            Transform::CollapseModule(NameKey::default()),
            Transform::CollapseRecursion,
            Transform::HideLibraries,
            Transform::FinishedOnly,
        ];
        assert_eq!(all.map(|t| key_text(&t)), KEYS.map(|(key, _)| key));
    }
}
