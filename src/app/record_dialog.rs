//! The dialog that asks what to record.

use egui::{ScrollArea, Ui, vec2};

use super::dialog;
use super::event::Purpose;
use super::recorder::What;
use super::{App, Settings};
use crate::record::{Options, Param, ParamKind, Params, WORKLOADS, Workload};
use crate::remote::Target;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{combo, primary_button};

/// Most runs of one thing.
const MOST_RUNS: u32 = 50;

/// Width of the list of workloads: room for the longest title.
const LIST: f32 = 272.0;
/// Room for the labels of fields.
const LABEL: f32 = 184.0;
/// Width of a number.
const NUMBER: f32 = 120.0;
/// Room between a label and its field.
const GAP: f32 = 12.0;
/// Width of a menu beside a field, with the space before it.
const MENU: f32 = 96.0;
/// Width of a button beside a field, with the space before it.
const BUTTON: f32 = 84.0;
/// Words that switch all others of a list off.
const ALONE: [&str; 2] = [NONE, "auto"];
const NONE: &str = "none";

/// What a language model is mostly computed on.
const DEVICES: [&str; 3] = ["auto", "cpu", "cuda"];

/// What there is to record, by whose it is.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Your program", &["command", "attach"]),
    ("A server", &["endpoint", "proxy", "listen"]),
    ("Demos", &["default", "asyncio", "generate", "rag", "service"]),
];

/// The small window that asks what to record.
pub(super) struct Chooser {
    workload: usize,
    /// Values of the chosen workload's parameters, in their order.
    values: Vec<String>,
    /// How often it is recorded.
    times: u32,
    /// The machine on which it is recorded; this one when it is empty.
    on: String,
    /// The field to type into was given the focus.
    focused: bool,
}

impl Chooser {
    /// Preselects what was recorded last.
    pub fn new(settings: &Settings) -> Self {
        let last = settings.workload.as_ref();
        let workload = last.and_then(|(id, _)| WORKLOADS.iter().position(|w| w.id() == id)).unwrap_or(0);
        let on = settings.target.clone().unwrap_or_default();
        let mut chooser =
            Self { workload, values: defaults(WORKLOADS[workload]), times: 1, on, focused: false };
        for (key, value) in last.map_or(&[][..], |(_, params)| params) {
            if let Some(i) = WORKLOADS[workload].params().iter().position(|p| p.key == key) {
                chooser.values[i].clone_from(value);
            }
        }
        chooser
    }

    /// Draws it; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui) -> Option<Self> {
        let mut start = false;
        let frame = egui::Frame::popup(ui.style()).inner_margin(space::LARGE);
        let modal = egui::Modal::new(egui::Id::unique("record")).frame(frame).show(ui.ctx(), |ui| {
            let screen = ui.ctx().content_rect().size();
            ui.set_width((screen.x - 64.0).min(820.0));
            ui.heading("Record a run");
            ui.add_space(space::MEDIUM);
            let height = (screen.y - 180.0).clamp(120.0, 600.0);
            let mut problem = None;
            ui.horizontal_top(|ui| {
                ui.allocate_ui(vec2(LIST, height), |ui| {
                    ui.set_min_size(vec2(LIST, height));
                    ScrollArea::vertical().id_salt("workloads").show(ui, |ui| self.list(ui));
                });
                ui.add_space(space::MEDIUM);
                ui.vertical(|ui| {
                    ui.set_min_height(height);
                    ScrollArea::vertical().id_salt("fields").max_height(height).show(ui, |ui| {
                        let workload = WORKLOADS[self.workload];
                        // The scroll bar has a place of its own.
                        ui.set_width(ui.available_width() - space::LARGE);
                        ui.label(egui::RichText::new(workload.about()).color(Palette::of(ui).text_weak));
                        ui.add_space(space::MEDIUM);
                        problem = self.fields(workload, app, ui);
                        // What goes with this machine is not what goes with another one.
                        if problem.is_none() && self.on.trim().is_empty() {
                            problem = self.problem(workload);
                        }
                    });
                });
            });
            ui.add_space(space::MEDIUM);
            ui.horizontal(|ui| {
                let valid = problem.is_none();
                ui.add_enabled_ui(valid, |ui| start = primary_button(ui, "Start recording").clicked());
                start |= valid && ui.input(|i| i.key_pressed(egui::Key::Enter));
                let about = "Several runs of one thing are one side of a comparison: medians count, and with at least four \
                             runs a side a test tells a change from noise.";
                let unit = if self.times == 1 { " run" } else { " runs" };
                let field = egui::DragValue::new(&mut self.times).range(1..=MOST_RUNS).suffix(unit);
                ui.add(field).on_hover_text(about).accessible_name("Runs");
                if ui.button("Cancel").clicked() {
                    ui.close();
                }
                if let Some(why) = problem {
                    ui.add_space(space::MEDIUM);
                    let why = egui::RichText::new(why).color(Palette::of(ui).tone(Tone::Bad));
                    ui.add(egui::Label::new(why).wrap());
                }
            });
        });
        if start {
            let workload = WORKLOADS[self.workload];
            let on = Some(self.on.trim()).filter(|on| !on.is_empty()).map(str::to_owned);
            app.settings.remember_target(on.as_deref());
            let what = What { workload: workload.id().into(), params: self.pairs(workload), on };
            app.start_series(what, self.times, None);
            return None;
        }
        (!modal.should_close()).then_some(self)
    }

    /// Where it is recorded, as a row. Gives what is wrong with that.
    fn place(&mut self, before: &[String], ui: &mut Ui) -> Option<String> {
        let help = "Another machine: a name of ssh's config, ssh://[user@]host[:port], docker://NAME, \
                    kubectl://[CONTEXT/]NAMESPACE/POD[/CONTAINER] or cmd:COMMAND. The program runs and is recorded \
                    there; it goes on when the link breaks.";
        let on = self.on.trim();
        let problem = if on.is_empty() { None } else { Target::parse(on).err() };
        let label = ui.label("Where").on_hover_text(help);
        ui.horizontal(|ui| {
            let mut edit = egui::TextEdit::singleline(&mut self.on)
                .hint_text("this machine")
                .desired_width(NUMBER * 2.0);
            if problem.is_some() {
                edit = edit.text_color(Palette::of(ui).tone(Tone::Bad));
            }
            ui.add(edit).labelled_by(label.id).on_hover_text(help);
            let places: Vec<(&str, &str)> =
                [("", "this machine")].into_iter().chain(before.iter().map(|t| (&**t, &**t))).collect();
            if !before.is_empty() {
                before_menu(("where", "Before"), &places, &mut self.on, ui)
                    .on_hover_text("Where you recorded before");
            }
        });
        ui.end_row();
        problem
    }

    /// The workloads; choosing one fills in its defaults.
    fn list(&mut self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.with_layout(egui::Layout::top_down_justified(egui::Align::Min), |ui| {
            for (n, (group, ids)) in GROUPS.iter().enumerate() {
                if n > 0 {
                    ui.add_space(space::MEDIUM);
                }
                ui.label(egui::RichText::new(*group).small().color(Palette::of(ui).text_weak));
                for (i, workload) in WORKLOADS.iter().enumerate().filter(|(_, w)| ids.contains(&w.id())) {
                    let choice = egui::Button::selectable(self.workload == i, workload.title()).truncate();
                    let choice = ui.add(choice.min_size(vec2(0.0, space::CONTROL)));
                    if choice.on_hover_text(workload.about()).clicked() && self.workload != i {
                        self.workload = i;
                        self.values = defaults(*workload);
                        self.focused = false;
                    }
                }
            }
        });
    }

    /// Fills in a field, if its workload is still the chosen one.
    pub fn fill(&mut self, workload: &str, key: &str, text: String) {
        let chosen = WORKLOADS[self.workload];
        if chosen.id() == workload
            && let Some(i) = chosen.params().iter().position(|p| p.key == key)
        {
            self.values[i] = text;
        }
    }

    /// Why the workload cannot be started with the values that are valid each by itself.
    fn problem(&self, workload: &dyn Workload) -> Option<String> {
        let texts: Vec<String> = self.pairs(workload).iter().map(|(k, v)| format!("{k}={v}")).collect();
        workload.problem(&Params::parse(workload.params(), &texts).ok()?)
    }

    /// The parameters that differ from their defaults.
    fn pairs(&self, workload: &dyn Workload) -> Vec<(String, String)> {
        let params = workload.params().iter().zip(&self.values);
        params.filter(|(p, v)| p.default != v.as_str()).map(|(p, v)| (p.key.to_owned(), v.clone())).collect()
    }

    /// What most people set, then all else, folded unless something of it is not as usual. Gives what is wrong with the first
    /// value that is not valid.
    fn fields(&mut self, workload: &'static dyn Workload, app: &mut App, ui: &mut Ui) -> Option<String> {
        let params = workload.params();
        let usual = workload.usual_params();
        let is_usual = |i: &usize| usual.is_empty() || usual.contains(&params[*i].key);
        let (first, more): (Vec<usize>, Vec<usize>) = (0..params.len()).partition(is_usual);
        // A grid does not tell how much room there is; the scroll bar takes some of it.
        let width = (ui.available_width() - LABEL - GAP - space::LARGE).max(160.0);
        let grid = |name| egui::Grid::new((name, workload.id())).num_columns(2).spacing([GAP, 6.0]);
        let problem = grid("params").show(ui, |ui| {
            let wrong = self.rows(workload, (&first, width), app, ui);
            wrong.or(self.place(&app.settings.targets, ui))
        });
        let mut problem = problem.inner;
        ui.add_space(space::SMALL);
        ui.checkbox(&mut app.settings.no_texts, "Leave out prompts and answers").on_hover_text(
            "Keeps tokens and times, but neither texts nor lines of output. Keys and passwords are always hidden.",
        );
        ui.add_space(space::SMALL);
        let own = more.iter().any(|&i| self.values[i] != params[i].default);
        let folding = egui::CollapsingHeader::new("More settings").id_salt(workload.id()).default_open(own);
        folding.show_unindented(ui, |ui| {
            let wrong = grid("more params").show(ui, |ui| {
                let wrong = self.rows(workload, (&more, width), app, ui);
                recorder_fields(&mut app.settings, !workload.other_process(), ui);
                wrong
            });
            problem = problem.take().or(wrong.inner);
        });
        // What is wrong counts when it is folded, too.
        problem.or_else(|| more.iter().find_map(|&i| params[i].why_not(&self.values[i])))
    }

    /// A row for each of these parameters. Gives what is wrong with the first value that is not valid.
    fn rows(
        &mut self,
        workload: &dyn Workload,
        (which, width): (&[usize], f32),
        app: &App,
        ui: &mut Ui,
    ) -> Option<String> {
        let mut problem = None;
        for &i in which {
            let (param, value) = (&workload.params()[i], &mut self.values[i]);
            let label = ui.allocate_ui(vec2(LABEL, space::CONTROL), |ui| {
                ui.set_min_width(LABEL);
                ui.label(param.label).on_hover_text(param.help)
            });
            let label = label.inner;
            match param.kind {
                ParamKind::Bool => {
                    let mut on = value == "true";
                    ui.checkbox(&mut on, "").labelled_by(label.id).on_hover_text(param.help);
                    *value = on.to_string();
                }
                ParamKind::Choice(words) => {
                    let field = combo(param.key).selected_text(value.as_str());
                    let shown = field.show_ui(ui, |ui| {
                        for word in words {
                            ui.selectable_value(value, (*word).to_owned(), *word);
                        }
                    });
                    shown.response.labelled_by(label.id).on_hover_text(param.help);
                }
                ParamKind::Choices(words) => choices(words, param, value, width, ui),
                _ => {
                    let focus =
                        param.kind == ParamKind::Command && !std::mem::replace(&mut self.focused, true);
                    let wrong = text_field(param, value, (width, label.id, focus), workload.id(), app, ui);
                    problem = problem.take().or(wrong);
                }
            }
            ui.end_row();
        }
        problem
    }
}

/// A menu that fills in what was typed before, or what there is: values and their texts.
fn before_menu(
    (key, title): (&str, &str),
    before: &[(&str, &str)],
    value: &mut String,
    ui: &mut Ui,
) -> egui::Response {
    let shown = combo((key, "before")).selected_text(title).show_ui(ui, |ui| {
        for &(text, shown) in before {
            ui.selectable_value(value, text.to_owned(), shown);
        }
    });
    shown.response.accessible_name(title)
}

/// Words of which several may be on; the first one that was switched on stands first.
fn choices(words: &[&str], param: &Param, value: &mut String, width: f32, ui: &mut Ui) {
    const PADDING: f32 = 5.0;
    const BETWEEN: f32 = 4.0;
    let font = egui::TextStyle::Button.resolve(ui.style());
    let measured = |word: &str| {
        let text = ui.painter().layout_no_wrap(word.to_owned(), font.clone(), egui::Color32::WHITE);
        text.size().x + 2.0 * PADDING + BETWEEN
    };
    // Lines of our own: a grid gives a row no room for one that wraps.
    let (mut lines, mut used): (Vec<Vec<&str>>, f32) = (vec![Vec::new()], 0.0);
    for &word in words {
        let long = measured(word);
        if used + long > width && used > 0.0 {
            lines.push(Vec::new());
            used = 0.0;
        }
        used += long;
        if let Some(line) = lines.last_mut() {
            line.push(word);
        }
    }
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing = vec2(BETWEEN, BETWEEN);
        ui.spacing_mut().button_padding.x = PADDING;
        for line in lines {
            ui.horizontal(|ui| {
                for word in line {
                    let on = value.split(',').any(|w| w.trim() == word);
                    if ui.add(egui::Button::new(word).selected(on)).on_hover_text(param.help).clicked() {
                        *value = toggled(words, value, word, param.default.is_empty());
                    }
                }
            });
        }
    });
}

/// The list `value` with `word` switched on or off. «none» and «auto» go with no other, and an empty list is «none» where there is
/// such a word; where the usual list is empty, it may be empty.
fn toggled(words: &[&str], value: &str, word: &str, may_be_empty: bool) -> String {
    let mut chosen: Vec<&str> = value.split(',').map(str::trim).filter(|w| !w.is_empty()).collect();
    if chosen.contains(&word) {
        chosen.retain(|w| *w != word);
    } else {
        chosen.retain(|w| !ALONE.contains(&word) && !ALONE.contains(w));
        chosen.push(word);
    }
    if chosen.is_empty() && !may_be_empty {
        chosen.push(if words.contains(&NONE) { NONE } else { word });
    }
    chosen.join(",")
}

/// A field to type into, with buttons that ask for a file or folder where it names one. Gives what is wrong with it.
fn text_field(
    param: &Param,
    value: &mut String,
    (width, label, focus): (f32, egui::Id, bool),
    workload: &'static str,
    app: &App,
    ui: &mut Ui,
) -> Option<String> {
    let buttons: &[Ask] = match param.kind {
        ParamKind::Model => &[Ask::File, Ask::Folder],
        ParamKind::Path => &[Ask::File],
        ParamKind::Folder => &[Ask::Folder],
        ParamKind::Output => &[Ask::Save],
        _ => &[],
    };
    let number = matches!(param.kind, ParamKind::Int { .. } | ParamKind::Float { .. } | ParamKind::Device);
    let before: Vec<(&str, &str)> = match param.kind {
        ParamKind::Command => app.settings.command_lines.iter().map(|c| (&**c, &**c)).collect(),
        ParamKind::Device => DEVICES.map(|device| (device, device)).to_vec(),
        _ => Vec::new(),
    };
    let beside = BUTTON * buttons.len() as f32 + if before.is_empty() { 0.0 } else { MENU };
    let width = if number { NUMBER } else { width - beside };
    let problem = param.why_not(value);
    ui.horizontal(|ui| {
        let mut edit = egui::TextEdit::singleline(value).desired_width(width);
        if param.kind == ParamKind::Command {
            edit = edit.hint_text("python app.py");
        }
        if problem.is_some() {
            edit = edit.text_color(Palette::of(ui).tone(Tone::Bad));
        }
        let field = ui.add(edit).labelled_by(label);
        if focus {
            field.request_focus();
        }
        field.on_hover_text(problem.clone().unwrap_or_else(|| param.help.to_owned()));
        if !before.is_empty() {
            let title = if param.kind == ParamKind::Device { "Devices" } else { "Before" };
            before_menu((param.key, title), &before, value, ui);
        }
        for ask in buttons {
            let (text, title) = (ask.text(), param.label.to_owned());
            let button = egui::Button::new(text).min_size(vec2(BUTTON - ui.spacing().item_spacing.x, 0.0));
            if ui.add(button).clicked() {
                let purpose = Purpose::Field { workload, key: param.key };
                match ask {
                    Ask::Save => dialog::save(purpose, "profile.prof", None, app.events.clone()),
                    _ => dialog::field(title, *ask == Ask::Folder, purpose, app.events.clone()),
                }
            }
        }
    });
    problem
}

/// What a button beside a field asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    File,
    Folder,
    Save,
}

impl Ask {
    fn text(self) -> &'static str {
        match self {
            Self::File => "File…",
            Self::Folder => "Folder…",
            Self::Save => "Save as…",
        }
    }
}

/// How to record, whatever it is, as rows.
fn recorder_fields(settings: &mut Settings, spans: bool, ui: &mut Ui) {
    let usual = Options::default();
    let mut number = |text: &str, help: &str, value: &mut Option<u32>, usual: u32, range| {
        let label = ui.label(text).on_hover_text(help);
        let mut now = value.unwrap_or(usual);
        ui.add(egui::DragValue::new(&mut now).range(range)).labelled_by(label.id).on_hover_text(help);
        *value = (now != usual).then_some(now);
        ui.end_row();
    };
    let hz = "How often memory, CPU and GPU are looked at; 0 for never.";
    number("Samples per second", hz, &mut settings.sample_hz, usual.sample_hz, 0..=1000);
    if spans {
        let memory = "Memory for what is recorded, in MiB. When it is full the oldest spans are left out.";
        let most = (usual.max_bytes >> 20) as u32;
        number("Memory limit, MiB", memory, &mut settings.memory_limit, most, 1..=1_000_000);
        let roots = "Records this share of requests and other outermost spans, each with all below it. For high loads.";
        number("Record one root span of", roots, &mut settings.one_root_of, usual.one_root_of, 1..=1_000_000);
        let label = ui.label("Count memory by span");
        let mut count = !settings.no_allocations;
        ui.checkbox(&mut count, "")
            .labelled_by(label.id)
            .on_hover_text("Says which operation allocated and holds the heap. The run says what that cost.");
        settings.no_allocations = !count;
        ui.end_row();
    }
}

fn defaults(workload: &dyn Workload) -> Vec<String> {
    workload.params().iter().map(|p| p.default.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_workload_is_in_one_group() {
        for workload in WORKLOADS {
            let groups = GROUPS.iter().filter(|(_, ids)| ids.contains(&workload.id()));
            assert_eq!(groups.count(), 1, "{}", workload.id());
        }
    }

    #[test]
    fn words_are_switched_on_and_off() {
        let words = ["auto", "cprofile", "pyinstrument", "yappi-wall", "none"];
        let mut value = "cprofile".to_owned();
        for (word, then) in [
            ("pyinstrument", "cprofile,pyinstrument"),
            ("cprofile", "pyinstrument"),
            ("cprofile", "pyinstrument,cprofile"),
            ("none", "none"),
            ("yappi-wall", "yappi-wall"),
            ("yappi-wall", "none"),
            ("none", "none"),
            ("cprofile", "cprofile"),
            ("auto", "auto"),
            ("yappi-wall", "yappi-wall"),
        ] {
            value = toggled(&words, &value, word, false);
            assert_eq!(value, then, "{word}");
        }
        assert_eq!(toggled(&["a", "b"], "a", "a", false), "a", "one of them is always on");
        assert_eq!(toggled(&["a", "b"], "a", "a", true), "", "unless nothing is what is usual");
        assert_eq!(toggled(&["a", "b"], "", "b", true), "b");
        assert_eq!(toggled(&words, " cprofile , none", "cprofile", false), "none");
    }
}
