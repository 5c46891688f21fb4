//! The controls above the chart.

use egui::{Checkbox, Rangef, Rect, RichText, Sense, Ui, vec2};

use super::{FlameView, Mode, shares_query};
use crate::analysis::flame_rows::{FlameRows, Matched, MatchedShare};
use crate::analysis::libraries::Libraries;
use crate::analysis::{Costs, Transform};
use crate::format;
use crate::model::{Basis, TrackKey, Unit};
use crate::state::Command;
use crate::ui::theme::{Palette, Tone, small};
use crate::ui::widgets::{combo, pill, segmented};
use crate::views::boxes::{Coloring, most};
use crate::views::{ViewCx, shared};

/// Functions offered for the middle of a sandwich.
const OFFERED: usize = 60;

impl FlameView {
    /// One line of controls; wraps in a narrow pane.
    pub(super) fn header(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| {
            let mut mode = self.mode_of(cx.profile());
            if segmented(ui, "Order of the chart", &mut mode, &Mode::ALL).changed() {
                self.set_mode(mode);
            }
            match mode {
                Mode::Time => tracks(cx, ui),
                Mode::Sandwich => self.function_picker(cx, ui),
                Mode::LeftHeavy | Mode::Alphabetical => {
                    if cx.profile().tracks.len() > 1 {
                        let about = "Merge each thread, task or stream by itself, instead of all together";
                        ui.checkbox(&mut self.by_track, "By thread").on_hover_text(about);
                    }
                }
            }
            self.coloring_picker(cx, ui);
            toggle(cx, ui, Transform::CollapseRecursion, "Collapse recursion", RECURSION);
            only_my_code(cx, ui);
            self.matched(cx, ui);
        });
    }

    fn coloring_picker(&mut self, cx: &ViewCx<'_>, ui: &mut Ui) {
        let field = combo("flame colours")
            .selected_text(format!("Colour: {}", self.coloring.label().to_lowercase()))
            .show_ui(ui, |ui| {
                for (coloring, label) in Coloring::ALL {
                    ui.selectable_value(&mut self.coloring, coloring, label);
                }
            });
        field.response.accessible_name("Colour by");
        let unit = shared::unit(cx.profile(), cx.interaction);
        match self.coloring {
            Coloring::SelfShare => {
                legend(ui, ("0 %", "100 %"), "Own part of the total of the function, over all its calls");
            }
            Coloring::Metric => {
                let most = cx.ask(&shares_query(cx), 0).beside().map_or(0, |table| most(&table));
                let text = format::cost(unit, most);
                legend(ui, ("0", &text), "Own cost of the function, over all its calls");
            }
            _ => {}
        }
    }

    fn function_picker(&mut self, cx: &ViewCx<'_>, ui: &mut Ui) {
        let profile = cx.profile();
        let middle = self.sandwich.and_then(|key| profile.keys().function(key));
        let shown = middle.map_or("Choose a function", |f| profile.function_name(f));
        let shown: String = shown.chars().take(48).collect();
        let field = combo("flame function").width(200.0).truncate().selected_text(shown);
        let field = field.show_ui(ui, |ui| {
            let reply = cx.ask(&shares_query(cx), 1).exact();
            let Some(table) = reply.content(ui, "Adding up functions") else { return };
            let unit = shared::unit(profile, cx.interaction);
            for row in table.rows.iter().take(OFFERED) {
                let text =
                    format!("{}   {}", profile.function_name(row.function), format::cost(unit, row.own));
                let symbol = profile.keys().symbol(row.function);
                let chosen = self.sandwich == Some(symbol);
                if ui.selectable_label(chosen, text).clicked() {
                    self.sandwich = Some(symbol);
                }
            }
        });
        field.response.accessible_name("Function in the middle");
    }

    /// How much the search finds, with the denominator.
    fn matched(&self, cx: &ViewCx<'_>, ui: &mut Ui) {
        let search = cx.interaction.search.trim();
        if search.is_empty() {
            return;
        }
        let query = Matched { costs: costs_query(cx), search: cx.interaction.search.clone() };
        let Some(Some(share)) = cx.ask(&query, 0).beside().map(|v| *v) else { return };
        let unit = shared::unit(cx.profile(), cx.interaction);
        let (tone, text) = matched_text(share, unit);
        pill(ui, tone, &text).on_hover_text(format!(
            "Everything at and below functions that match «{search}», each call path counted once"
        ));
    }

    /// Notes what the reader must know about the numbers.
    pub(super) fn notices(cx: &mut ViewCx<'_>, rows: &FlameRows) {
        shared::note_basis(cx, &rows.basis, &shared::lost(&rows.notices));
        if !matches!(rows.basis, Basis::Estimated(_)) && !rows.notices.is_empty() {
            cx.note(Tone::Neutral, "Note", rows.notices.join(" · "));
        }
    }
}

/// What shades of an amount mean.
fn legend(ui: &mut Ui, (least, most): (&str, &str), about: &str) {
    const STEPS: usize = 24;
    let palette = Palette::of(ui);
    let weak = |text: &str| RichText::new(text).font(small()).color(palette.text_weak);
    ui.label(weak(least));
    let (rect, response) = ui.allocate_exact_size(vec2(72.0, 10.0), Sense::hover());
    let width = rect.width() / STEPS as f32;
    for i in 0..STEPS {
        let left = rect.left() + i as f32 * width;
        let step = Rect::from_x_y_ranges(Rangef::new(left, left + width), rect.y_range());
        ui.painter().rect_filled(step, 0.0, palette.heat(i as f32 / (STEPS - 1) as f32));
    }
    ui.label(weak(most));
    response.on_hover_text(about);
}

/// Costs of what is looked at.
pub(super) fn costs_query(cx: &ViewCx<'_>) -> Costs {
    Costs(cx.slice())
}

fn matched_text(share: MatchedShare, unit: Unit) -> (Tone, String) {
    if share.functions == 0 {
        return (Tone::Bad, "no function matches".into());
    }
    let functions = format::counted(share.functions as i64, "function", "functions");
    let part = match share.sum {
        0 => format::cost(unit, share.matched),
        sum => {
            format!("{} of {}", format::percent(share.matched as f64 / sum as f64), format::cost(unit, sum))
        }
    };
    (Tone::Info, format!("{functions} match · {part}"))
}

/// Which tracks the chart shows, for all views.
fn tracks(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let profile = cx.profile();
    if profile.tracks.len() < 2 {
        return;
    }
    let chosen = &cx.interaction.scope.tracks;
    let all = format!("All {} tracks", profile.tracks.len());
    let shown = match chosen.as_slice() {
        [] => all.clone(),
        [one] => {
            let here = profile.keys().track(*one);
            here.map_or_else(|| "1 track".into(), |id| profile.track_label(id).chars().take(40).collect())
        }
        many => format::counted(many.len() as i64, "track", "tracks"),
    };
    let mut picked: Option<Vec<TrackKey>> = None;
    let field = combo("flame tracks").width(150.0).truncate().selected_text(shown);
    let field = field.show_ui(ui, |ui| {
        if ui.selectable_label(chosen.is_empty(), all).clicked() {
            picked = Some(Vec::new());
        }
        for id in profile.track_ids() {
            let track = profile.track(id);
            if track.spans.rows.is_empty() && track.samples.is_empty() {
                continue;
            }
            let key = profile.keys().track_key(id);
            if ui.selectable_label(chosen == &[key], profile.track_label(id)).clicked() {
                picked = Some(vec![key]);
            }
        }
    });
    field.response.accessible_name("Tracks");
    if let Some(tracks) = picked {
        cx.send(Command::SetTracks(tracks));
    }
}

const RECURSION: &str = "Show a function that calls itself as one call";
const MY_CODE: &str =
    "Show the first of each run of library frames, and the others as one «[n frames hidden]», in all views";

/// Switches library frames off, where files tell which they are.
fn only_my_code(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let told = cx.ask(&Libraries, 0).beside().is_some_and(|library| !library.is_empty());
    let on = cx.interaction.scope.transforms.contains(&Transform::HideLibraries);
    if told || on {
        toggle(cx, ui, Transform::HideLibraries, "Only my code", MY_CODE);
    } else {
        let off = ui.add_enabled(false, Checkbox::new(&mut false, "Only my code"));
        off.on_disabled_hover_text("The files in this profile do not tell own code from libraries");
    }
}

/// Switches a transform on or off, in all views.
fn toggle(cx: &mut ViewCx<'_>, ui: &mut Ui, transform: Transform, label: &str, about: &str) {
    let transforms = &cx.interaction.scope.transforms;
    let at = transforms.iter().position(|t| *t == transform);
    let mut on = at.is_some();
    if !ui.checkbox(&mut on, label).on_hover_text(about).changed() {
        return;
    }
    match at {
        None => cx.send(Command::Push(transform)),
        Some(at) => {
            let later = transforms[at + 1..].to_vec();
            cx.send(Command::KeepTransforms(at));
            later.into_iter().for_each(|t| cx.send(Command::Push(t)));
        }
    }
}
