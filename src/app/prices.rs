//! By which requests are priced: what the person typed, a table in a file, the carried table. A window beside the panes, so that
//! costs change while one types. Prices are kept in the project where one is open, else in the settings.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Grid, Label, RichText, ScrollArea, TextEdit, Ui};

use super::event::{Event, Purpose};
use super::{App, dialog};
use crate::analysis::billing::Bill;
use crate::analysis::prices::{PriceTable, Prices, TypedPrice, read_table, table_of_typed};
use crate::format;
use crate::jobs;
use crate::state::OpenRun;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, mono, small, space};
use crate::ui::widgets::{icon_button, link_button, section_heading};

/// Most bytes of a table: LiteLLM's has 1.5 MB.
const MOST_BYTES: u64 = 64 << 20;
/// Unpriced models that are offered.
const OFFERED: usize = 8;

/// A table that was read, or why not.
type Found = Result<Arc<PriceTable>, String>;

/// What the window knows of prices.
#[derive(Default)]
pub(super) struct Known {
    /// All tables, those of the person first.
    pub all: Prices,
    /// The chosen file, and its table once it is read.
    file: Option<(PathBuf, Option<Found>)>,
    /// What [`Self::all`] was made of.
    made_of: Vec<TypedPrice>,
    /// The window is open.
    pub shown: bool,
}

/// Reads a table of prices from a file.
///
/// # Errors
/// One line that names the file, what is wrong and what to do.
pub fn price_file(path: &Path) -> Result<PriceTable, String> {
    let fail = |what: String| format!("{}: {what}", path.display());
    let file = std::fs::File::open(path).map_err(|e| fail(format!("cannot be read ({e})")))?;
    let mut text = String::new();
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    match read.map_err(|e| fail(format!("cannot be read ({e})")))? as u64 {
        bytes if bytes > MOST_BYTES => Err(fail("is larger than any table of prices".into())),
        _ => read_table(&text).map_err(fail),
    }
}

impl App {
    /// Takes prices from a table in a file too; from none without one.
    pub fn set_price_table(&mut self, path: Option<PathBuf>) {
        self.prices.file = path.clone().map(|path| (path, None));
        self.settings.price_table.clone_from(&path);
        self.price_anew();
        let Some(path) = path else { return };
        let events = self.events.clone();
        jobs::spawn("prices", move || {
            let result = price_file(&path).map(Arc::new);
            events.send(Event::PriceTable { path, result });
        });
    }

    pub(super) fn price_table_read(&mut self, path: PathBuf, result: Found) {
        if self.prices.file.as_ref().is_some_and(|(chosen, _)| *chosen == path) {
            if let Err(why) = &result {
                self.say(Tone::Bad, why.clone());
            }
            self.prices.file = Some((path, Some(result)));
            self.price_anew();
        }
    }

    /// Takes prices from a table that was read from a file, without remembering it.
    pub fn give_price_table(&mut self, path: PathBuf, table: Arc<PriceTable>) {
        self.prices.file = Some((path, Some(Ok(table))));
        self.price_anew();
    }

    /// What the person typed: in the open project, else in the settings.
    fn typed_prices(&mut self) -> &mut Vec<TypedPrice> {
        match self.project.path {
            Some(_) => &mut self.project.prices,
            None => &mut self.settings.prices,
        }
    }

    /// Puts the tables together anew. Prices of a project stand above those of the settings.
    pub(super) fn price_anew(&mut self) {
        let made_of: Vec<TypedPrice> =
            self.project.prices.iter().chain(&self.settings.prices).cloned().collect();
        let typed = table_of_typed(&made_of).map(Arc::new);
        let file = self.prices.file.as_ref().and_then(|(_, table)| table.as_ref()?.as_ref().ok().cloned());
        self.prices.all = Prices::above(typed.into_iter().chain(file));
        self.prices.made_of = made_of;
    }

    fn is_priced_anew(&self) -> bool {
        self.project.prices.iter().chain(&self.settings.prices).eq(&self.prices.made_of)
    }
}

/// Shows the window while it is open.
pub(super) fn ui(app: &mut App, ui: &Ui) {
    // Also when a project brought others.
    if !app.is_priced_anew() {
        app.price_anew();
    }
    let mut open = app.prices.shown;
    if !open {
        return;
    }
    let screen = ui.ctx().content_rect().size();
    egui::Window::new("Prices")
        .id(egui::Id::unique("prices"))
        .open(&mut open)
        .default_size([screen.x.min(720.0) - 60.0, (screen.y - 200.0).clamp(200.0, 420.0)])
        .min_size([460.0, 200.0])
        .show(ui.ctx(), |ui| {
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                // The scroll bar has a place of its own.
                ui.set_width(ui.available_width() - space::LARGE);
                typed(app, ui);
                ui.add_space(space::MEDIUM);
                tables(app, ui);
            });
        });
    app.prices.shown = open;
}

/// The prices that the person types.
fn typed(app: &mut App, ui: &mut Ui) {
    let palette = Palette::of(ui);
    let place = if app.project.path.is_some() { "kept in the project" } else { "kept in the settings" };
    section_heading(ui, "Your prices");
    let about = format!("Dollars for 1,000,000 tokens, above all tables; {place}. A name may end in *.");
    ui.add(Label::new(RichText::new(about).color(palette.text_weak)).wrap());
    let unpriced = unpriced(app);
    let prices = app.typed_prices();
    let mut gone = None;
    if !prices.is_empty() {
        Grid::new("typed prices").num_columns(7).spacing([space::SMALL, space::SMALL]).show(ui, |ui| {
            for title in ["Model", "Input", "Cache read", "Cache write", "Output", "", ""] {
                ui.label(RichText::new(title).font(small()).color(palette.text_weak));
            }
            ui.end_row();
            for (i, price) in prices.iter_mut().enumerate() {
                let mut field = |text: &mut String, name: &str, hint: &str, width: f32| {
                    let edit = TextEdit::singleline(text).font(mono(12.0)).desired_width(width);
                    ui.add(edit.hint_text(hint.to_owned()).char_limit(200))
                        .accessible_name(format!("{name} {}", i + 1));
                };
                field(&mut price.model, "Model", "my-model*", 190.0);
                field(&mut price.input, "Input", "2.50", 70.0);
                field(&mut price.cache_read, "Cache read", "–", 70.0);
                field(&mut price.cache_write, "Cache write", "–", 70.0);
                field(&mut price.output, "Output", "10", 70.0);
                if icon_button(ui, Icon::Close, "Remove").clicked() {
                    gone = Some(i);
                }
                match price.check() {
                    Err(why) => {
                        ui.add(Label::new(RichText::new(why).color(palette.tone(Tone::Warning))).truncate())
                    }
                    Ok(()) => ui.label(""),
                };
                ui.end_row();
            }
        });
    }
    if let Some(i) = gone {
        prices.remove(i);
    }
    ui.horizontal_wrapped(|ui| {
        if ui.button("Add a model").clicked() {
            prices.push(TypedPrice::default());
        }
        let known: Vec<String> = prices.iter().map(|p| p.model.clone()).collect();
        let offered: Vec<_> =
            unpriced.into_iter().filter(|model| !known.contains(model)).take(OFFERED).collect();
        if !offered.is_empty() {
            ui.label(RichText::new("Unpriced in this run:").color(palette.text_weak));
        }
        for model in offered {
            if link_button(ui, &model).on_hover_text("Give its price").clicked() {
                prices.push(TypedPrice { model, ..TypedPrice::default() });
            }
        }
    });
}

/// Models of the shown run that have no price.
fn unpriced(app: &App) -> Vec<String> {
    let Some(run) = app.session.active().and_then(OpenRun::run) else { return Vec::new() };
    if run.profile.requests.rows.is_empty() {
        return Vec::new();
    }
    let bill = app.engine.ask(&run, &Bill { prices: app.prices.all.clone() }, SLOT);
    let models = bill.value().map(|b| {
        b.models
            .iter()
            .filter(|m| m.sums.unpriced > 0 && m.sums.cost.is_none())
            .map(|m| m.model.clone())
            .collect()
    });
    let mut models: Vec<String> = models.unwrap_or_default();
    models.retain(|model| !model.is_empty());
    models
}

/// A place of its own for the question about unpriced models.
const SLOT: u64 = u64::MAX - 7;

/// The tables in files.
fn tables(app: &mut App, ui: &mut Ui) {
    let palette = Palette::of(ui);
    section_heading(ui, "Tables");
    let weak = |text: &str| Label::new(RichText::new(text).color(palette.text_weak)).wrap();
    let mut remove = false;
    ui.horizontal_wrapped(|ui| {
        ui.label("A file of yours:");
        match &app.prices.file {
            None => {
                ui.add(weak("none"));
            }
            Some((path, table)) => {
                ui.label(path.file_name().unwrap_or_default().to_string_lossy())
                    .on_hover_text(path.display().to_string());
                match table {
                    Some(Ok(table)) => {
                        let shown = ui.add(weak(&about(table)));
                        match table.remark() {
                            Some(remark) => ui.colored_label(palette.tone(Tone::Warning), remark),
                            None => shown,
                        }
                    }
                    Some(Err(why)) => ui.colored_label(palette.tone(Tone::Bad), why),
                    None => ui.add(weak("being read …")),
                };
            }
        }
        if ui.button("Choose…").clicked() {
            dialog::field("Table of prices".into(), false, Purpose::PriceTable, app.events.clone());
        }
        if app.prices.file.is_some() {
            remove = ui.button("Remove").clicked();
        }
    });
    if remove {
        app.set_price_table(None);
    }
    ui.add(weak(
        "It has inferscope\u{2019}s layout («A table of prices» in `inferscope report --help`) or that of LiteLLM\u{2019}s \
         model_prices_and_context_window.json.",
    ));
    if let Some(carried) = app.prices.all.tables().last() {
        ui.horizontal_wrapped(|ui| {
            ui.label("Carried with inferscope:");
            ui.add(weak(&about(carried)));
        });
    }
}

/// «genai-prices, as of 2026-10-29, 481 models».
fn about(table: &PriceTable) -> String {
    let source = if table.source.is_empty() { String::new() } else { format!("{}, ", table.source) };
    let date = if table.as_of.is_empty() { String::new() } else { format!("as of {}, ", table.as_of) };
    format!("{source}{date}{}", format::counted(table.entries().len() as i64, "model", "models"))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::model::{ProfileBuilder, Request, TokenCounts};
    use egui_kittest::kittest::Queryable;

    fn app() -> App {
        let mut b = ProfileBuilder::new("test");
        let model = b.string("local-7b");
        let tokens = TokenCounts { input: Some(1_000_000), output: Some(500_000), ..TokenCounts::default() };
        b.request(Request { model, tokens, ..Request::default() });
        let mut app = App::headless();
        app.add_profile("run", None, b.finish().into());
        app.prices.shown = true;
        app
    }

    fn cost(app: &App) -> Option<String> {
        let run = app.session.active()?.run()?;
        let bill = app.engine.ask(&run, &Bill { prices: app.prices.all.clone() }, SLOT);
        Some(bill.value()?.all.cost?.to_string())
    }

    #[test]
    fn an_unpriced_model_gets_a_price_and_its_requests_a_cost() {
        let mut h = testing::harness(app(), egui::vec2(900.0, 600.0));
        h.run_ok();
        assert_eq!(cost(h.state()), None);
        h.get_by_role_and_label(egui::Role::Button, "local-7b").click();
        h.run_ok();
        let prices = &mut h.state_mut().settings.prices;
        assert_eq!(prices[0].model, "local-7b");
        (prices[0].input, prices[0].output) = ("0.1".into(), "nonsense".into());
        h.run_ok();
        assert_eq!(cost(h.state()), None, "half a price is none");
        assert!(h.query_by_label_contains("a price is a number").is_some());
        h.state_mut().settings.prices[0].output = "0.4".into();
        h.run_ok();
        assert_eq!(cost(h.state()).as_deref(), Some("0.3"));
        h.get_by_label("Remove").click();
        h.run_ok();
        assert_eq!(cost(h.state()), None);
    }

    #[test]
    fn a_file_of_prices_is_read_and_one_that_is_none_says_so() {
        let mut app = app();
        let folder = std::env::temp_dir().join(format!("inferscope-prices-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (good, bad) = (folder.join("good.json"), folder.join("bad.json"));
        std::fs::write(
            &good,
            r#"{"models": [{"name": "local-7b", "prices": [{"input": "1", "output": "2"}]}]}"#,
        )
        .unwrap();
        std::fs::write(&bad, "{}").unwrap();
        app.price_table_read(good.clone(), price_file(&good).map(Arc::new));
        assert_eq!(cost(&app), None, "nobody chose it");
        app.give_price_table(good.clone(), price_file(&good).map(Arc::new).unwrap());
        assert_eq!(cost(&app).as_deref(), Some("2"));
        assert!(price_file(&bad).unwrap_err().contains("bad.json"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
