//! The way of requests through a service: cache check, hit or miss, queue, model, answer; how many go each way, how long that takes and
//! what it costs. A click on a place or a way looks at its requests only, in all views about requests.

mod compare;
mod layout;
mod paint;
#[cfg(test)]
mod tests;

use egui::{Sense, Ui};

use super::{Comparing, View, ViewCx, ViewKind, needs_requests};
use crate::analysis::asked::Asked;
use crate::analysis::flow::{Flow as Question, Stage, Ways, way};
use crate::analysis::request_facets::Facet;
use crate::format;
use crate::model::Profile;
use crate::state::Command;
use crate::views::parts::remark;
use crate::views::shared;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "flow",
    title: "Flow",
    about: "The way of requests: cache, queue, model, answer; a click looks at some only",
    needs: needs_flow,
    make: || Box::new(Flow),
    comparing: Comparing::Own(|| Box::new(compare::DiffFlow::default())),
};

fn needs_flow(profile: &Profile) -> Result<(), &'static str> {
    needs_requests(profile)
}

/// The view.
struct Flow;

/// What is asked: the ways of all requests, also of those that a click leaves out of the other views.
fn question(cx: &ViewCx<'_>) -> Question {
    let filter = cx.interaction.requests.without(Facet::Way);
    Question { asked: Asked { filter, ..cx.asked() } }
}

impl View for Flow {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| shared::requests::filters(cx, ui));
        let Some(ways) = cx.ask(&question(cx), 0).content(ui, "Following requests") else { return };
        if ways.requests == 0 {
            shared::requests::none(ui);
            return;
        }
        let area = ui.available_rect_before_wrap();
        let foot = 46.0f32.min(area.height() * 0.3);
        let chart = area.with_max_y(area.bottom() - foot);
        show(cx, ui, &layout::layout(&ways, chart), |stage| paint::about(&ways, stage));
        let below = area.with_min_y(area.bottom() - foot);
        ui.scope_builder(egui::UiBuilder::new().max_rect(below), |ui| remark(ui, &in_words(&ways)));
    }
}

/// Draws places and ways. A click on one looks at its requests only, another click at all.
fn show(cx: &mut ViewCx<'_>, ui: &mut Ui, picture: &layout::Picture, about: impl Fn(Stage) -> String) {
    let mut clicked = None;
    for node in &picture.nodes {
        let response = ui.interact(node.rect, ui.scope_id().with(node.stage), Sense::click());
        let spoken = format!("{} {}", node.stage.name(), node.count);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &spoken));
        if response.clicked() {
            clicked = Some(node.stage.name().to_owned());
        }
        paint::node(cx, ui, node, response.hovered() || response.has_focus());
        response.on_hover_text(about(node.stage));
    }
    // Ways first, so that none crosses what another one is labelled with.
    let mut labels = Vec::new();
    for edge in &picture.edges {
        let key = ui.scope_id().with((edge.from, edge.to));
        let response = ui.interact(edge.label, key, Sense::click());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, edge.spoken()));
        let name = way(edge.from, edge.to);
        let lit = response.hovered() || response.has_focus();
        let chosen = cx.interaction.requests.of(Facet::Way).contains(&name);
        if response.clicked() {
            clicked = Some(name);
        }
        paint::curve(ui, edge, lit || chosen);
        response.on_hover_text(edge.spoken());
        labels.push((edge, lit));
    }
    labels.into_iter().for_each(|(edge, lit)| paint::label(ui, edge, lit));
    if let Some(name) = clicked {
        let now = &cx.interaction.requests;
        let is_on = matches!(now.of(Facet::Way), [one] if *one == name);
        let next = match is_on || name == Stage::Arrived.name() {
            true => now.without(Facet::Way),
            false => now.only(Facet::Way, &name),
        };
        cx.send(Command::FilterRequests(next));
    }
}

/// What the picture does not show.
fn in_words(ways: &Ways) -> String {
    let count = |n: usize| format::count(n as i64);
    let mut text =
        "Thickness: requests. Times are means; a click looks at these requests only, another click at all."
            .to_owned();
    if ways.batched.1 > 0 {
        let each = format::number(ways.batched.0 as f64 / ways.batched.1 as f64);
        text += &format!(
            " {} generated in {} batches, {each} each.",
            count(ways.batched.0),
            count(ways.batched.1)
        );
    }
    if ways.retries > 0 {
        let n = format::counted(ways.retries as i64, "attempt", "attempts");
        text += &format!(
            " {n} failed and {} repeated: {} lost.",
            if ways.retries == 1 { "was" } else { "were" },
            format::duration(ways.lost)
        );
    }
    if ways.running > 0 {
        text += &format!(" {} still running.", count(ways.running));
    }
    text
}
