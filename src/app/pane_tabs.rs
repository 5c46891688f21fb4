//! The tabs of panes: none is cut. Those that do not fit are in a list of all, the one in front always fits, and buttons beside
//! them fold in little room.

use egui::{
    Align, Color32, CursorIcon, Id, Layout, Popup, Response, Role, ScrollArea, Sense, Stroke, StrokeKind,
    TextStyle, Ui, WidgetInfo, vec2,
};
use egui_tiles::TabState;

use crate::ui::icons::Icon;
use crate::ui::theme::space;
use crate::ui::widgets::icon_button;
use crate::views::shared::{Note, badge};
use crate::views::{PICTURES, Picture, ViewKind};

/// Space at both sides of a title, points.
const SPACING: f32 = 8.0;
/// In less room than this the buttons beside the tabs are one.
const NARROW: f32 = 300.0;

/// The views of a group of tabs.
pub(super) struct Tabs<'a> {
    /// The views with the numbers of their panes.
    pub all: Vec<(&'a ViewKind, u64)>,
    /// The pane in front.
    pub front: u64,
}

impl Tabs<'_> {
    fn widths(&self, ui: &Ui) -> Vec<f32> {
        let font = TextStyle::Button.resolve(ui.style());
        let width = |(kind, _): &(&ViewKind, u64)| {
            let title = kind.title.to_owned();
            ui.painter().layout_no_wrap(title, font.clone(), Color32::PLACEHOLDER).size().x + 2.0 * SPACING
        };
        self.all.iter().map(width).collect()
    }

    /// Where tabs do not fit into the room that is left, the list of all; the pane that was chosen in it.
    fn list(&self, ui: &mut Ui) -> Option<u64> {
        if self.widths(ui).iter().sum::<f32>() <= ui.available_width() {
            return None;
        }
        let button = icon_button(ui, Icon::ChevronDown, "All views here");
        let mut chosen = None;
        let most = (ui.ctx().content_rect().height() - 3.0 * space::ROW).max(space::ROW);
        Popup::menu(&button).show(|ui| {
            ScrollArea::vertical().max_height(most).show(ui, |ui| {
                for (kind, number) in &self.all {
                    if ui.selectable_label(*number == self.front, kind.title).clicked() {
                        chosen = Some(*number);
                        ui.close();
                    }
                }
            });
        });
        chosen
    }

    /// Shows the list of all tabs where they do not fit; the panes whose tabs do, and the one that was chosen in the list.
    pub fn fitting(&self, ui: &mut Ui) -> (Vec<u64>, Option<u64>) {
        let chosen = self.list(ui);
        let (widths, room) = (self.widths(ui), ui.available_width());
        let front = self.all.iter().position(|(_, number)| *number == self.front);
        // The one in front has a place before all others.
        let mut rest = room - front.map_or(0.0, |i| widths[i]);
        let mut open = true;
        let fits = |(i, (_, number)): (usize, &(&ViewKind, u64))| {
            if Some(i) != front {
                rest -= widths[i];
                open &= rest >= 0.0;
            }
            (open || Some(i) == front).then_some(*number)
        };
        (self.all.iter().enumerate().filter_map(fits).collect(), chosen)
    }

    /// The tabs of all panes, where one of them has all of the room: the one that was clicked, and whether to put it back.
    pub fn strip(&self, maximised: bool, notes: &[Note], ui: &mut Ui) -> (Option<u64>, bool) {
        let (mut clicked, mut restore) = (None, false);
        ui.horizontal(|ui| {
            ui.set_min_height(28.0);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if maximised {
                    restore = icon_button(ui, Icon::Restore, "All panes (Ctrl-M, Esc)").clicked();
                }
                badge(ui, notes);
                let (seen, chosen) = self.fitting(ui);
                clicked = chosen;
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.spacing_mut().item_spacing.x = 0.0;
                    ui.spacing_mut().button_padding.x = SPACING;
                    for (kind, number) in self.all.iter().filter(|(_, number)| seen.contains(number)) {
                        let tab = ui.selectable_label(*number == self.front, kind.title);
                        if tab.clicked() {
                            clicked = Some(*number);
                        }
                        restore |= maximised && tab.double_clicked();
                        tab.on_hover_text(kind.about);
                    }
                });
            });
        });
        (clicked, restore)
    }
}

/// The colours of a tab.
pub(super) struct Colors {
    pub fill: Color32,
    pub line: Stroke,
    pub text: Color32,
}

/// One tab of several panes, which can be dragged elsewhere.
pub(super) fn tab(title: &str, state: &TabState, colors: &Colors, id: Id, ui: &mut Ui) -> Response {
    let font = TextStyle::Button.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(title.to_owned(), font, colors.text);
    let size = vec2(galley.size().x + 2.0 * SPACING, ui.available_height());
    let (_, rect) = ui.allocate_space(size);
    let response = ui.interact(rect, id, Sense::click_and_drag()).on_hover_cursor(CursorIcon::Grab);
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), state.active, title));
    if !state.is_being_dragged {
        ui.painter().rect(rect.shrink(0.5), 0.0, colors.fill, colors.line, StrokeKind::Inside);
        if state.active {
            // It is one with its pane.
            let joint = Stroke::new(colors.line.width + 1.0, colors.fill);
            ui.painter().hline(rect.x_range(), rect.bottom(), joint);
        }
        let at = rect.center() - galley.size() / 2.0;
        ui.painter().galley(at, galley, colors.text);
    }
    response
}

/// What can be done with a pane by the buttons beside its tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// To show the same time as other panes, or its own.
    Link(bool),
    /// All of the room.
    Maximise,
    /// A picture of it.
    Picture(Picture),
}

const LINK: [&str; 2] = [
    "Keeps its own time. Click to show what linked panes show.",
    "Shows the same time as other linked panes. Click to keep its own.",
];

/// The buttons, from right to left. `linked` is none for views without time.
pub(super) fn buttons(linked: Option<bool>, ui: &mut Ui) -> Option<Wanted> {
    let mut wanted = None;
    let pictures = |ui: &mut Ui, wanted: &mut Option<Wanted>| {
        for picture in Picture::ALL {
            if ui.button(picture.title()).clicked() {
                *wanted = Some(Wanted::Picture(picture));
                ui.close();
            }
        }
    };
    if ui.available_width() < NARROW {
        let button = icon_button(ui, Icon::More, "More about this pane");
        Popup::menu(&button).show(|ui| {
            if let Some(linked) = linked {
                let mut on = linked;
                if ui.checkbox(&mut on, "Same time as other panes").changed() {
                    wanted = Some(Wanted::Link(on));
                }
            }
            if ui.button("Only this pane").clicked() {
                wanted = Some(Wanted::Maximise);
                ui.close();
            }
            ui.menu_button(PICTURES, |ui| pictures(ui, &mut wanted));
        });
        return wanted;
    }
    if let Some(linked) = linked {
        let icon = if linked { Icon::Linked } else { Icon::Unlinked };
        if icon_button(ui, icon, LINK[usize::from(linked)]).clicked() {
            wanted = Some(Wanted::Link(!linked));
        }
    }
    if icon_button(ui, Icon::Maximise, "Only this pane (Ctrl-M, double-click on its tab)").clicked() {
        wanted = Some(Wanted::Maximise);
    }
    let button = icon_button(ui, Icon::Export, "Save a picture of this view");
    Popup::menu(&button).show(|ui| pictures(ui, &mut wanted));
    wanted
}

#[cfg(test)]
mod tests {
    use super::super::App;
    use super::super::testing::{harness, picture};
    use crate::views;
    use egui_kittest::kittest::Queryable;

    fn app() -> App {
        let mut app = App::headless();
        app.add_profile("a.json", None, crate::analysis::testing::profile("main 0 1000 / f 100 600"));
        app
    }

    #[test]
    fn tabs_that_do_not_fit_are_in_a_list() {
        let mut h = harness(app(), egui::vec2(480.0, 340.0));
        h.get_by_label("All views here").click();
        h.run_ok();
        picture(&mut h, "list-of-tabs");
        // Its tab may be seen, too; the list lies over the tabs.
        h.query_all_by_label("Functions").last().expect("a line of the list").click();
        h.run_ok();
        assert_eq!(h.state_mut().panes_mut().in_front()[0], "functions");
        let tab = h.query_all_by_label("Functions").next().expect("a tab").rect();
        assert!(tab.left() >= 0.0 && tab.right() <= 480.0, "the tab in front is seen: {tab:?}");
    }

    #[test]
    fn a_view_that_is_brought_to_the_front_of_many_tabs_is_seen_there() {
        let mut h = harness(app(), egui::vec2(800.0, 640.0));
        for id in ["find", "memory", "source"] {
            h.state_mut().panes_mut().show(views::view(id).expect("a view"));
            h.run_ok();
            picture(&mut h, id);
            let title = views::view(id).expect("a view").title;
            let tab = h.query_all_by_label(title).next().expect("a tab").rect();
            assert!(tab.right() <= 800.0, "{id}: {tab:?}");
            assert!(h.query_by_label("Scroll tabs right").is_none(), "none is cut");
        }
        assert!(h.query_all_by_label("More about this pane").count() > 1, "buttons beside many tabs are one");
    }
}
