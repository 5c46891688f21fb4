//! The tabs of open runs: any number at any width. They scroll, all of them are in a list beside, and nothing else in the
//! bar is moved by them.

use egui::{Align, Rect, Response, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::action::Action;
use super::bar::shorten;
use super::project::file_of;
use super::{App, Overlay};
use crate::format::escaped;
use crate::query::RunId;
use crate::state::{OpenRun, RunState};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, space};
use crate::ui::widgets::focus_ring;

/// Most letters of a name in a tab.
const LETTERS: usize = 26;
/// Side of the marks and of the cross.
const MARK: f32 = 11.0;

/// What the tab of a run says.
struct Tab {
    run: RunId,
    /// Its name with its state, whole.
    name: String,
    mark: Option<(Icon, Tone)>,
    baseline: bool,
    /// Its colour among several baselines.
    color: Option<u8>,
    bad: bool,
}

fn tab_of(app: &App, run: &OpenRun) -> Tab {
    let failure = run.failure();
    let (state, mark) = match (&run.state, failure) {
        (_, Some(_)) => (" failed", Some((Icon::Error, Tone::Bad))),
        (RunState::Loading, _) => (" …", None),
        (RunState::Live, _) => ("", Some((Icon::Record, Tone::Bad))),
        _ => ("", None),
    };
    let unsaved = app.journals.is_unsaved(run.id);
    let dot = if unsaved { " ●" } else { "" };
    Tab {
        run: run.id,
        name: format!("{}{state}{dot}", run.label),
        mark,
        baseline: app.session.baseline() == Some(run.id),
        color: run.as_baseline.filter(|mark| !mark.hidden).map(|mark| mark.color),
        bad: failure.is_some(),
    }
}

fn tab_of_dataset(dataset: &super::datasets::DatasetTab) -> Tab {
    let (run, name) = (dataset.id, dataset.label.clone());
    Tab { run, name, mark: Some((Icon::Graph, Tone::Neutral)), baseline: false, color: None, bad: false }
}

/// Everything about a run, over the pointer.
fn tip(app: &App, run: &OpenRun) -> String {
    let mut tip = run.label.clone();
    if let Some((path, part)) = file_of(run) {
        tip += &format!("\n{}{}", path.display(), part.map(|p| format!(" › {p}")).unwrap_or_default());
    }
    if app.session.baseline() == Some(run.id) {
        tip += "\nThe baseline: other runs are compared with it.";
    }
    if !run.note.is_empty() {
        tip += &format!("\n\n{}", run.note);
    }
    run.failure().into_iter().for_each(|why| tip += &format!("\n{why}"));
    if app.journals.is_unsaved(run.id) {
        tip += "\nNot saved (Ctrl-S). When it is closed it stays among the unsaved recordings on the start page.";
    }
    tip
}

/// Draws the tabs in what is left of the bar.
pub(super) fn ui(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let datasets = app.dataset_tabs();
    let dataset = |id: RunId| datasets.iter().find(|d| d.id == id);
    let tab = |id: RunId| match (app.session.get(id), dataset(id)) {
        (Some(run), _) => Some(tab_of(app, run)),
        (None, Some(dataset)) => Some(tab_of_dataset(dataset)),
        (None, None) => None,
    };
    let tabs: Vec<Tab> = app.tabs().into_iter().filter_map(tab).collect();
    if tabs.is_empty() {
        return;
    }
    let moved = app.tab_shown != app.session.active;
    app.tab_shown = app.session.active;
    let mut shown = None;
    let list = space::CONTROL + space::SMALL;
    let room = (ui.available_width() - list).max(0.0);
    // The wheel moves the tabs, whichever way it turns.
    ui.style_mut().always_scroll_the_only_direction = true;
    let area = ScrollArea::horizontal()
        .max_width(room)
        .auto_shrink([true, true])
        .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysHidden);
    let output = area.show(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.horizontal(|ui| {
            for tab in &tabs {
                let active = app.session.active == Some(tab.run);
                let (response, close) = draw(tab, active, ui);
                if active && moved {
                    response.scroll_to_me(Some(Align::Center));
                }
                if response.clicked() {
                    shown = Some(tab.run);
                }
                if response.middle_clicked() || close {
                    actions.push(Action::CloseRunOf(tab.run));
                }
                if let Some(dataset) = dataset(tab.run) {
                    response.on_hover_ui(|ui| drop(ui.label(&dataset.tip)));
                    continue;
                }
                response.context_menu(|ui| menu(app, tab.run, ui, actions));
                if let Some(run) = app.session.get(tab.run) {
                    response.on_hover_ui(|ui| drop(ui.label(tip(app, run))));
                }
            }
        });
    });
    if output.content_size.x > output.inner_rect.width() + 1.0 {
        let more = ui.menu_button("▾", |ui| {
            ScrollArea::vertical().max_height(420.0).show(ui, |ui| {
                for tab in &tabs {
                    if ui.selectable_label(app.session.active == Some(tab.run), &tab.name).clicked() {
                        shown = Some(tab.run);
                        ui.close();
                    }
                }
            });
        });
        more.response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "All open runs"));
        more.response.on_hover_text(format!("All {} tabs (Ctrl-Tab: the next one)", tabs.len()));
    }
    if shown.is_some() {
        app.session.active = shown;
    }
}

/// One tab; true when its cross was clicked.
fn draw(tab: &Tab, active: bool, ui: &mut Ui) -> (Response, bool) {
    let palette = Palette::of(ui);
    let color = match (tab.bad, active) {
        (true, _) => palette.tone(Tone::Bad),
        (_, true) => palette.text_strong,
        _ => palette.text,
    };
    let short = shorten(&tab.name, LETTERS);
    let galley = ui.painter().layout_no_wrap(escaped(&short).into_owned(), regular(13.0), color);
    let several = tab.color.filter(|_| !tab.baseline);
    let marks = usize::from(tab.mark.is_some()) + usize::from(tab.baseline) + usize::from(several.is_some());
    let marked = marks as f32 * (MARK + 4.0);
    let size = vec2(8.0 + marked + galley.size().x + 5.0 + MARK + 7.0, space::CONTROL);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, active, &tab.name));
    let over = response.contains_pointer();
    let fill = match (active, over) {
        (true, _) => Some(palette.selection),
        (_, true) => Some(palette.hover),
        _ => None,
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, space::RADIUS, fill);
    }
    let mut x = rect.left() + 8.0;
    let icons = tab.mark.into_iter().chain(tab.baseline.then_some((Icon::Compare, Tone::Neutral)));
    for (icon, tone) in icons {
        let place = Rect::from_min_size(pos2(x, rect.center().y - MARK / 2.0), Vec2::splat(MARK));
        icon.paint(ui.painter(), place, palette.tone(tone));
        x += MARK + 4.0;
    }
    if let Some(color) = several {
        let center = pos2(x + MARK / 2.0, rect.center().y);
        ui.painter().circle_filled(center, 4.0, palette.series(color.into()));
        x += MARK + 4.0;
    }
    let at = pos2(x, rect.center().y - galley.size().y / 2.0);
    x += galley.size().x + 5.0;
    ui.painter().galley(at, galley, color);
    let cross = Rect::from_min_size(pos2(x, rect.center().y - MARK / 2.0), Vec2::splat(MARK));
    let mut close = false;
    if active || over {
        let button = ui.interact(cross.expand(4.0), response.id.with("close"), Sense::click());
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Close tab"));
        let color = if button.hovered() { palette.text_strong } else { palette.text_weak };
        Icon::Close.paint(ui.painter(), cross.shrink(1.0), color);
        close = button.clicked();
    }
    focus_ring(ui, &response, rect);
    (response, close)
}

/// What can be done with a run by its tab.
fn menu(app: &mut App, run: RunId, ui: &mut Ui, actions: &mut Vec<Action>) {
    let baseline = app.session.baseline();
    let ready = app.session.get(run).is_some_and(|r| r.profile.is_some());
    let entry = |ui: &mut Ui, enabled: bool, text: &str| {
        let clicked = ui.add_enabled(enabled, egui::Button::new(text)).clicked();
        if clicked {
            ui.close();
        }
        clicked
    };
    if entry(ui, ready && baseline != Some(run), "Set as baseline") {
        app.session.set_baseline(Some(run));
    }
    let mark = app.session.get(run).and_then(|r| r.as_baseline);
    if mark.is_some() && entry(ui, true, "No baseline any more") {
        app.session.drop_baseline(run);
    }
    if let Some(base) = baseline.filter(|base| *base != run)
        && entry(ui, ready, "Compare with the baseline")
    {
        app.compare(base, run);
    }
    let others: Vec<(RunId, String)> = app
        .session
        .runs
        .iter()
        .filter(|r| r.id != run && Some(r.id) != baseline && r.profile.is_some())
        .map(|r| (r.id, shorten(&r.label, 48)))
        .collect();
    if ready && !others.is_empty() {
        ui.menu_button("Compare with", |ui| {
            for (other, name) in &others {
                if entry(ui, true, name) {
                    app.compare(*other, run);
                }
            }
        });
    }
    ui.separator();
    if entry(ui, true, "Name and notes…") {
        app.runs_shown = true;
    }
    let path = app.session.get(run).and_then(file_of).map(|(path, _)| path);
    if entry(ui, path.is_some(), "Copy path")
        && let Some(path) = path
    {
        ui.ctx().copy_text(path.display().to_string());
    }
    ui.separator();
    if entry(ui, true, "Close") {
        actions.push(Action::CloseRunOf(run));
    }
    if entry(ui, app.session.runs.len() > 1, "Close the others") {
        let others = app.session.runs.iter().map(|r| r.id).filter(|id| *id != run);
        actions.extend(others.map(Action::CloseRunOf));
    }
}

impl App {
    /// Shows the run that is so many tabs to the right.
    pub(super) fn step_tab(&mut self, by: isize) {
        let tabs = self.tabs();
        let n = tabs.len() as isize;
        let at = tabs.iter().position(|id| Some(*id) == self.session.active);
        if n > 0 && matches!(self.overlay, Overlay::None) {
            let next = at.map_or(0, |at| (at as isize + by).rem_euclid(n));
            self.session.active = Some(tabs[next as usize]);
        }
    }

    /// Closes a run that may not be the shown one.
    pub(super) fn close_run_of(&mut self, run: RunId) {
        let shown = self.session.active.filter(|shown| *shown != run);
        if self.close_dataset(run) || self.session.get(run).is_none() {
            return;
        }
        self.session.active = Some(run);
        self.close_run();
        self.session.active = shown.or(self.session.active);
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::kittest::Queryable;

    use super::super::testing::{harness, picture};
    use super::*;
    use crate::analysis::testing::profile;

    fn many(n: usize) -> App {
        let mut app = App::headless();
        for i in 0..n {
            app.add_profile(&format!("a-run-with-a-long-name-{i}.prof"), None, profile("main 0 100"));
        }
        app
    }

    #[test]
    fn any_number_of_tabs_moves_neither_search_nor_record() {
        let place = |n: usize| {
            let mut h = harness(many(n), vec2(1024.0, 640.0));
            picture(&mut h, &format!("tabs-{n}"));
            let record = h.get_by_label("Record").rect();
            assert!(record.right() <= 1024.0, "{record:?}");
            (record, h.get_by_label_contains("Search functions").rect())
        };
        assert_eq!(place(1), place(12));
    }

    #[test]
    fn tabs_are_walked_closed_and_found_in_the_list() {
        let mut h = harness(many(12), vec2(1024.0, 640.0));
        let shown = |app: &App| app.session.runs.iter().position(|r| Some(r.id) == app.session.active);
        assert_eq!(shown(h.state()), Some(11));
        let tab = h.get_by_label_contains("a-run-with-a-long-name-11").rect();
        assert!(tab.left() > 0.0 && tab.right() < 960.0, "the shown tab is in view: {tab:?}");
        h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Tab);
        h.run_ok();
        assert_eq!(shown(h.state()), Some(0));
        h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::PageUp);
        h.run_ok();
        assert_eq!(shown(h.state()), Some(11));
        h.get_by_label("All open runs").click();
        h.run_ok();
        picture(&mut h, "tabs-list");
        let found: Vec<_> = h.get_all_by_label_contains("long-name-3").collect();
        found.last().unwrap().click();
        drop(found);
        h.run_ok();
        assert_eq!(shown(h.state()), Some(3));
        h.get_by_label("Close tab").click();
        h.run_ok();
        assert_eq!(h.state().session.runs.len(), 11);
        let other = h.state().session.runs[0].id;
        h.state_mut().act(Action::CloseRunOf(other), &egui::Context::default());
        assert_eq!(shown(h.state()), Some(2), "the shown one stays");
    }
}
