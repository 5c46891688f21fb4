//! What the dataset is, and what was found in it, in words.

use egui::text::LayoutJob;
use egui::{Label, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{FleetCx, FleetView, FleetWish};
use crate::fleet::ask::short_job;
use crate::fleet::ask::stragglers::{Found, Rests};
use crate::fleet::open::{Content, OneJob, Slowed};
use crate::format;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, space, strong};
use crate::ui::widgets::{combo, focus_ring, icon_button, link_button, pill};

/// So many findings stand above the heatmap.
const FEW: usize = 3;

impl FleetView {
    /// The dataset in one line, findings below.
    pub(super) fn head(
        &mut self,
        cx: &mut FleetCx<'_>,
        ui: &mut Ui,
        content: &Content,
        slowed: Option<&Slowed>,
    ) {
        let palette = Palette::of(ui);
        let job = &content.jobs[self.job];
        ui.horizontal(|ui| {
            if content.jobs.len() > 1 {
                let shown = combo("job").selected_text(job_name(job)).show_ui(ui, |ui| {
                    for (place, each) in content.jobs.iter().enumerate() {
                        if ui.selectable_label(place == self.job, job_name(each)).clicked() {
                            self.show_job(place);
                        }
                    }
                });
                let about = format!("All {} jobs of the dataset", content.jobs.len());
                shown.response.accessible_name("Job").on_hover_text(about);
            } else {
                let name = RichText::new(job_name(job)).font(strong(15.0)).color(palette.text_strong);
                ui.label(name).on_hover_text(&job.sum.job.name);
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if icon_button(ui, Icon::Redo, "Read the dataset again (F5)").clicked()
                    || ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::F5))
                {
                    cx.wishes.push(FleetWish::Again);
                }
                for gap in job.sum.job.gaps().iter().rev() {
                    pill(ui, Tone::Warning, &format::short(gap, 60)).on_hover_text(gap);
                }
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    let facts = RichText::new(facts(job, slowed)).color(palette.text_weak);
                    ui.add(Label::new(facts).truncate());
                });
            });
        });
        match slowed {
            Some(slowed) => self.findings(ui, slowed),
            None if !job.is_ranked() => self.regressions(cx, ui, content),
            None => {}
        }
    }

    fn show_job(&mut self, place: usize) {
        let (host, choice) = (std::mem::take(&mut self.host), self.choice);
        *self = Self { job: place, choice, host, ..Self::default() };
    }

    fn findings(&mut self, ui: &mut Ui, slowed: &Slowed) {
        ui.spacing_mut().item_spacing.y = 2.0;
        let found = &slowed.job.found;
        let few = if self.all_findings { found.len() } else { FEW.min(found.len()) };
        for (one, words) in found.iter().zip(&slowed.words).take(few) {
            let tone = if matches!(one, Found::Hiccup(_)) { Tone::Info } else { Tone::Warning };
            if line(ui, tone, words, &format!("{}: click to see it below", one.class())) {
                self.select_found(one, slowed);
            }
        }
        if found.len() > FEW {
            let text = match self.all_findings {
                true => "Fewer".to_owned(),
                false => format!("{} more", found.len() - FEW),
            };
            if link_button(ui, &text).clicked() {
                self.all_findings = !self.all_findings;
            }
        }
        if found.is_empty() {
            let (tone, text) = match slowed.job.steps {
                None => (Tone::Info, "no steps are marked, so there is nothing to compare ranks by"),
                Some(_) => (Tone::Good, "no rank is late beyond chance"),
            };
            ui.horizontal(|ui| {
                Icon::of_tone(tone).show(ui, 16.0, tone);
                ui.label(text);
            });
        }
    }
}

/// One finding; true when it was clicked.
pub(super) fn line(ui: &mut Ui, tone: Tone, words: &str, about: &str) -> bool {
    const ICON: f32 = 16.0;
    let palette = Palette::of(ui);
    let room = (ui.available_width() - ICON - 3.0 * space::SMALL).max(60.0);
    // Who, before what.
    let (who, what) = words.split_at(words.find(": ").map_or(0, |at| at + 1));
    let mut job = LayoutJob { wrap: egui::text::TextWrapping::wrap_at_width(room), ..LayoutJob::default() };
    let format = |font, color| egui::TextFormat::simple(font, color);
    job.append(&format::escaped(who), 0.0, format(strong(13.0), palette.text_strong));
    job.append(&format::escaped(what), 0.0, format(regular(13.0), palette.text));
    let galley = ui.painter().layout_job(job);
    let size = vec2(ui.available_width(), galley.size().y + 4.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, words));
    if response.hovered() {
        ui.painter().rect_filled(rect, space::RADIUS_SMALL, palette.hover);
    }
    let icon =
        Rect::from_min_size(pos2(rect.left() + space::SMALL, rect.top() + 2.0), egui::Vec2::splat(ICON));
    Icon::of_tone(tone).paint(ui.painter(), icon, palette.tone(tone));
    ui.painter().galley(pos2(icon.right() + space::SMALL, rect.top() + 2.0), galley, palette.text);
    focus_ring(ui, &response, rect);
    response.on_hover_text(about).clicked()
}

fn job_name(job: &OneJob) -> String {
    short_job(&job.sum.job.name).to_owned()
}

/// «64 of 64 ranks on 8 hosts · 12 steps (10 to 21), 4.2 ms each · 3.1 MB of chrome».
fn facts(job: &OneJob, slowed: Option<&Slowed>) -> String {
    let sum = &job.sum;
    let ranks = sum.job.ranks.len() as i64;
    let mut text = match (job.is_ranked(), sum.job.world_size) {
        (true, Some(all)) if all != ranks => {
            format!("{} of {} ranks", format::count(ranks), format::count(all))
        }
        (true, _) => format::counted(ranks, "rank", "ranks"),
        (false, _) => format::counted(sum.job.len() as i64, "run", "runs"),
    };
    if sum.hosts > 0 {
        text += &format!(" on {}", format::counted(sum.hosts as i64, "host", "hosts"));
    }
    if let Some((first, last, count)) = slowed.and_then(|s| s.job.steps) {
        text += &format!(" · {} ({first} to {last})", format::counted(count as i64, "step", "steps"));
    }
    if let Some(time) = slowed.and_then(|s| s.job.step_time) {
        text += &format!(", {} each", format::duration(time));
    }
    let files = if job.is_ranked() { "traces" } else { "files" };
    text += &format!(" · {} of {files}", format::bytes(sum.bytes));
    match slowed.map(|s| (s.job.rests, s.job.steps.is_some())) {
        Some((Rests::Compute, true)) => text += " · compared by compute: no collective operation matches",
        Some((Rests::Steps, true)) => text += " · compared by step time: no GPU",
        _ => {}
    }
    text
}

/// «rank 5 (node01)», or the file of a run.
pub(super) fn row_title(content: &Content, job: usize, row: usize) -> String {
    let name = crate::fleet::open::row_name(content, job, row);
    match host(content, job, row) {
        Some(host) => format!("{name} ({host})"),
        None => name,
    }
}

/// Where a row ran.
pub(super) fn host(content: &Content, job: usize, row: usize) -> Option<&str> {
    let (_, place) = content.jobs.get(job)?.rows.ranks.get(row)?;
    content.runs.rows[*place as usize].host.as_deref()
}
