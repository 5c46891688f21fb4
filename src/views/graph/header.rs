//! The controls above the drawing, and the line that says what the numbers mean.

use egui::{RichText, Ui};

use super::{GraphView, Mode};
use crate::analysis::graph_layout::Direction;
use crate::analysis::graph_picture::Picture;
use crate::format;
use crate::model::Basis;
use crate::ui::icons::Icon;
use crate::ui::theme::Palette;
use crate::ui::widgets::{combo, icon_button, segmented};
use crate::views::{ViewCx, shared};

/// Least shares that can be chosen, in thousandths.
const SHARES: [u16; 8] = [500, 200, 100, 50, 20, 10, 5, 0];
/// Depths that can be chosen.
const DEPTHS: [Option<u8>; 8] = [Some(0), Some(1), Some(2), Some(3), Some(5), Some(8), Some(15), None];

impl GraphView {
    /// Controls; they wrap in a narrow pane.
    pub(super) fn header(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| {
            let mut mode = self.mode;
            let modes = [(Mode::Whole, "Whole profile"), (Mode::Around, "Around a function")];
            if segmented(ui, "What is drawn", &mut mode, &modes).changed() {
                self.set_mode(cx, mode);
            }
            self.walk_buttons(cx, ui);
            share_picker(ui, "Functions", "least share of functions", &mut self.limits.nodes);
            share_picker(ui, "Calls", "least share of calls", &mut self.limits.edges);
            if self.mode == Mode::Around {
                depth_picker(ui, "Callers", &mut self.limits.callers);
                depth_picker(ui, "Callees", &mut self.limits.callees);
            }
            self.fold_controls(cx, ui);
            let directions = [(Direction::Down, "↓"), (Direction::Right, "→")];
            segmented(ui, "Way that calls lead", &mut self.direction, &directions);
            let units = [(false, "%"), (true, "Cost")];
            segmented(ui, "Numbers as", &mut self.costs, &units);
            if ui.button("Fit").on_hover_text("Show the whole drawing (0)").clicked() {
                self.fit = true;
            }
        });
    }

    /// Back and forth among the drawings that were looked at.
    fn walk_buttons(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let now = self.spot();
        let mut chosen = None;
        for (icon, name, key, forth) in
            [(Icon::ChevronLeft, "Back", "Alt+←", false), (Icon::ChevronRight, "Forth", "Alt+→", true)]
        {
            let place = self.next(forth).map(|spot| spot.name(cx.profile(), &now));
            ui.add_enabled_ui(place.is_some(), |ui| {
                let button = icon_button(ui, icon, name);
                let about = place.map_or_else(String::new, |place| format!("To {place} ({key})"));
                if button.on_hover_text(about).clicked() {
                    chosen = Some(forth);
                }
            });
        }
        if let Some(forth) = chosen {
            self.walk(cx, forth);
        }
    }

    /// What the numbers mean, and what is left out.
    pub(super) fn caption(&self, cx: &ViewCx<'_>, ui: &mut Ui, picture: &Picture) {
        let profile = cx.profile();
        let unit = shared::unit(profile, cx.interaction);
        let sum = format::cost(unit, picture.graph.whole.total);
        let metric = shared::metric_name(profile, cx.interaction);
        let mut text = match self.question.as_ref().and_then(|q| q.calling.middle(profile)) {
            Some(f) => format!(
                "Cost while {} runs: 100 % is its total, {sum}. A caller shows what {} costs under it.",
                format::beginning(profile.function_name(f), 40),
                format::beginning(profile.function_name(f), 40),
            ),
            None if picture.graph.whole.is_one() => format!("100 % is all {metric}, {sum}."),
            None => {
                let own = format::cost(unit, picture.graph.whole.own);
                format!("100 % is all {metric}, {sum}; of self costs their sum, {own}.")
            }
        };
        let (shown, all) = (picture.drawn.nodes.len() as i64, picture.graph.nodes.len() as i64);
        let folds = picture.folded.group.iter().any(Option::is_some);
        let (one, many) =
            if folds { ("function or group", "functions and groups") } else { ("function", "functions") };
        if shown < all {
            text += &format!(" {} of {} {many} are drawn.", format::count(shown), format::count(all));
        } else {
            let (one, many) = (format!("{one} is"), format!("{many} are"));
            text += &format!(" {} drawn.", format::counted(all, &one, &many));
        }
        if folds {
            text += " A group's total is what is spent after entering it from outside.";
        }
        if picture.drawn.cut {
            text += " These are the largest; ask for larger shares to see a readable part.";
        }
        let estimated = picture.graph.nodes.iter().any(|n| n.estimated);
        if estimated && !matches!(picture.graph.basis, Basis::Estimated(_)) {
            text += " ≈: shared out in proportion, since the file stores calls but no whole paths.";
        }
        let color = Palette::of(ui).text_weak;
        ui.add(egui::Label::new(RichText::new(&text).color(color)).truncate()).on_hover_text(text);
    }
}

fn share_text(thousandths: u16) -> String {
    match thousandths {
        0 => "all".into(),
        n if n % 10 == 0 => format!("≥ {} %", n / 10),
        n => format!("≥ {}.{} %", n / 10, n % 10),
    }
}

fn share_picker(ui: &mut Ui, what: &str, name: &str, value: &mut u16) {
    let shown = format!("{what}: {}", share_text(*value));
    let field = combo(("graph share", what)).selected_text(shown).show_ui(ui, |ui| {
        for share in SHARES {
            ui.selectable_value(value, share, share_text(share));
        }
    });
    field.response.accessible_name(name);
}

fn depth_picker(ui: &mut Ui, what: &str, value: &mut Option<u8>) {
    let text = |depth: Option<u8>| match depth {
        None => "all".to_owned(),
        Some(0) => "none".into(),
        Some(n) => format!("{n} deep"),
    };
    let shown = format!("{what}: {}", text(*value));
    let field = combo(("graph depth", what)).selected_text(shown).show_ui(ui, |ui| {
        for depth in DEPTHS {
            ui.selectable_value(value, depth, text(depth));
        }
    });
    field.response.accessible_name(format!("depth of {}", what.to_lowercase()));
}
