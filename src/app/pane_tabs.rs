//! The tabs of panes: the one in front is always in view, what does not fit is in a list, and buttons beside them fold in
//! little room.

use egui::{Align, Layout, Popup, ScrollArea, TextStyle, Ui};

use crate::ui::icons::Icon;
use crate::ui::theme::space;
use crate::ui::widgets::icon_button;
use crate::views::shared::{Note, badge};
use crate::views::{PICTURES, Picture, ViewKind};

/// Space at both sides of a title, points.
pub(super) const SPACING: f32 = 8.0;
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
    /// From where to where each tab reaches.
    fn places(&self, ui: &Ui) -> Vec<(f32, f32)> {
        let font = TextStyle::Button.resolve(ui.style());
        let mut right = 0.0;
        let place = |(kind, _): &(&ViewKind, u64)| {
            let color = egui::Color32::PLACEHOLDER;
            let title = ui.painter().layout_no_wrap(kind.title.to_owned(), font.clone(), color);
            let left = right;
            right += title.size().x + 2.0 * SPACING;
            (left, right)
        };
        self.all.iter().map(place).collect()
    }

    /// The list of all tabs where they do not fit into the room that is left; the pane that was chosen.
    pub fn list(&self, ui: &mut Ui) -> Option<u64> {
        let width = self.places(ui).last().map_or(0.0, |place| place.1);
        if width <= ui.available_width() {
            return None;
        }
        let button = icon_button(ui, Icon::ChevronDown, "All views here");
        let mut chosen = None;
        Popup::menu(&button).show(|ui| {
            for (kind, number) in &self.all {
                if ui.selectable_label(*number == self.front, kind.title).clicked() {
                    chosen = Some(*number);
                    ui.close();
                }
            }
        });
        chosen
    }

    /// How far tabs must be scrolled so that the one in front is seen.
    pub fn reveal(&self, scroll: &mut f32, ui: &Ui) {
        // An arrow at either end stands over the tabs.
        let room = ui.available_width() - 2.0 * (space::CONTROL + space::MEDIUM);
        let front = self.all.iter().position(|(_, number)| *number == self.front);
        if let Some((left, right)) = front.and_then(|i| self.places(ui).get(i).copied()) {
            *scroll = scroll.max(right - room).min(left).max(0.0);
        }
    }

    /// The tabs of all panes, where one of them has all of the room: the one that was clicked, and whether to put it back.
    pub fn strip(&self, maximised: bool, notes: &[Note], ui: &mut Ui) -> (Option<u64>, bool) {
        let (mut clicked, mut restore) = (None, false);
        let id = ui.scope_id().with("pane in front");
        let moved = ui.data_mut(|d| d.insert_temp(id, self.front).is_none_or(|before| before != self.front));
        ui.horizontal(|ui| {
            ui.set_min_height(28.0);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if maximised {
                    restore = icon_button(ui, Icon::Restore, "All panes (Ctrl-M, Esc)").clicked();
                }
                badge(ui, notes);
                clicked = self.list(ui);
                let tabs = ScrollArea::horizontal()
                    .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysHidden);
                ui.style_mut().always_scroll_the_only_direction = true;
                tabs.show(ui, |ui| {
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        ui.spacing_mut().item_spacing.x = 0.0;
                        ui.spacing_mut().button_padding.x = SPACING;
                        for (kind, number) in &self.all {
                            let front = *number == self.front;
                            let tab = ui.selectable_label(front, kind.title).on_hover_text(kind.about);
                            if front && moved {
                                tab.scroll_to_me(Some(Align::Center));
                            }
                            if tab.clicked() {
                                clicked = Some(*number);
                            }
                            if tab.double_clicked() {
                                restore = maximised;
                            }
                        }
                    });
                });
            });
        });
        (clicked, restore)
    }
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
        h.query_all_by_label("Treemap").last().expect("an entry").click();
        h.run_ok();
        assert_eq!(h.state_mut().panes_mut().in_front()[0], "treemap");
        let tab = h.get_by_label("Treemap").rect();
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
        }
        assert!(h.query_by_label("More about this pane").is_some(), "buttons beside many tabs are one");
    }
}
