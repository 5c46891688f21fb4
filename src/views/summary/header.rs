//! The head of the summary: title, format, basis, and the figures that matter most.

use crate::analysis::overview::Peak;
use crate::format;
use crate::model::{Basis, Profile};
use crate::ui::theme::{Palette, Tone, space, strong};
use crate::ui::widgets::{focus_ring, pill};
use crate::views::ViewCx;
use crate::views::parts::figure;
use crate::views::shared::clock;
use egui::{CursorIcon, Label, RichText, Role, Sense, Ui, WidgetInfo};

/// What a basis means, in a sentence.
pub fn basis_text(basis: &Basis) -> (&'static str, String) {
    match basis {
        Basis::Timed => {
            ("measured times", "Starts and ends of spans, and when values were taken, were measured.".into())
        }
        Basis::Sampled => (
            "sampled",
            "The program was looked at in regular intervals; a number is samples × interval. What is \
             shorter than an interval may be missing."
                .into(),
        ),
        Basis::Aggregated => (
            "totals per function",
            "The tool added up costs per function while the program ran. There is no order in time, and \
             there are no single calls."
                .into(),
        ),
        Basis::Estimated(why) => ("estimated", format!("These numbers rest on an assumption: {why}.")),
    }
}

/// What a person calls the format.
pub fn format_title(profile: &Profile) -> &str {
    match crate::import::importer(&profile.meta.format) {
        Some(importer) => importer.title,
        None => &profile.meta.format,
    }
}

/// Shows it. True when the person wants to read the warnings.
pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui) -> bool {
    let palette = Palette::of(ui);
    let profile = cx.profile();
    let meta = &profile.meta;
    let file = cx.input.map(crate::import::Input::file_name);
    let title = if meta.title.is_empty() {
        file.unwrap_or_else(|| format_title(profile).to_owned())
    } else {
        meta.title.clone()
    };
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 6.0;
        let text = RichText::new(format::escaped(&title)).font(strong(19.0)).color(palette.text_strong);
        ui.add(Label::new(text).truncate()).on_hover_text(format::escaped(&title));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            pill(ui, Tone::Neutral, format_title(profile)).on_hover_text("Format of the file");
            if !meta.tool.is_empty() && meta.tool != format_title(profile) {
                pill(ui, Tone::Neutral, &meta.tool).on_hover_text("The tool that measured");
            }
            let (name, why) = basis_text(&meta.basis);
            let tone = if matches!(meta.basis, Basis::Estimated(_)) { Tone::Warning } else { Tone::Info };
            pill(ui, tone, name).on_hover_text(why);
            if !meta.no_clock.is_empty() {
                pill(ui, Tone::Info, "no clock")
                    .on_hover_text(format!("Times are no clock: {}", meta.no_clock));
            }
            if let Some((from, to)) = cx.interaction.range {
                let text = format!("range of {}", format::duration(to.saturating_sub(from)));
                pill(ui, Tone::Info, &text).on_hover_text("The numbers below are of the chosen range only");
            }
            if let Some(origin) = meta.origin_unix_ns {
                let when = RichText::new(clock::local(origin)).color(palette.text_weak);
                ui.add(Label::new(when).extend()).on_hover_text(format::utc(origin));
            }
        });
    });
    figures(cx, ui)
}

const WARNINGS: &str = "Warnings";

/// The figures; a click on the number of warnings leads to them.
fn figures(cx: &ViewCx<'_>, ui: &mut Ui) -> bool {
    let profile = cx.profile();
    let overview = cx.ask(&super::cards::summary_query(cx), 0).later("Adding up the profile");
    let overview = overview.as_deref();
    let mut shown: Vec<(&str, String, Option<Tone>, &str)> = Vec::new();
    let elapsed = match cx.interaction.range {
        Some((from, to)) => Some(to.saturating_sub(from)),
        None => overview.map_or(profile.meta.duration, |o| o.elapsed),
    };
    if let Some(elapsed) = elapsed {
        shown.push((
            "Elapsed",
            format::duration(elapsed),
            None,
            "From the first to the last thing in the profile",
        ));
    }
    if let Some(requests) = overview.and_then(|o| o.requests.as_ref()) {
        use crate::analysis::definitions as say;
        shown.push(("Requests", format::count(requests.count as i64), None, "Calls of a language model"));
        let unanswered =
            [("Failed", requests.failed, Tone::Bad), ("Cancelled", requests.cancelled, Tone::Warning)];
        for (name, n, tone) in unanswered.into_iter().filter(|(_, n, _)| *n > 0) {
            let about = "Left out of the latency figures";
            shown.push((name, format::count(n as i64), Some(tone), about));
        }
        if let Some(ttft) = requests.ttft {
            shown.push(("TTFT p50", format::duration(ttft.p50 as i64), None, say::TTFT));
        }
        if let Some(rate) = requests.system_tokens_per_second {
            let about = if requests.estimated { "≈ " } else { "" };
            shown.push((
                "System rate",
                format!("{about}{}", format::rate(rate, "tok")),
                None,
                say::SYSTEM_RATE,
            ));
        }
        if let Some(cost) = requests.cost_text() {
            shown.push(("Cost", cost, None, say::COST));
        }
    } else if let Some((total, overview)) = overview.and_then(|o| o.totals.first().zip(Some(o))) {
        let sum =
            total.known().map_or_else(|| format::UNKNOWN.into(), |sum| format::cost(total.metric.unit, sum));
        shown.push(("Total", sum, None, overview.sum_of));
    }
    if let Some(used) = overview.and_then(|o| o.energy.as_ref()) {
        shown.push(("Energy", used.amount(), None, crate::analysis::definitions::ENERGY));
    }
    let peak = overview.and_then(|o| o.peak_memory());
    let title = peak.map(Peak::title);
    if let Some((peak, title)) = peak.zip(title.as_deref()) {
        let about = if peak.is_heap() {
            "The heap of the recorded work, without what the recorder holds. RSS is among the counters."
        } else {
            "The highest of all memory counters"
        };
        shown.push((title, format::bytes(peak.bytes as i64), None, about));
    }
    if !profile.warnings.is_empty() {
        let count: u64 = profile.warnings.iter().map(|w| w.count).sum();
        shown.push((
            WARNINGS,
            format::count(count as i64),
            Some(Tone::Warning),
            "Oddities of the file: click to read them",
        ));
    }
    if shown.is_empty() {
        return false;
    }
    let room = ui.available_width();
    let fit = ((room / 120.0).floor() as usize).clamp(1, shown.len());
    let each = ((room + space::MEDIUM) / fit as f32 - space::MEDIUM).min(170.0);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::MEDIUM, space::SMALL);
        let mut wanted = false;
        for (name, value, tone, hint) in shown {
            let figure = figure(ui, each, name, &value, tone);
            if name == WARNINGS {
                let link = ui.interact(figure.rect, figure.id.with("list"), Sense::click());
                link.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Show the warnings"));
                focus_ring(ui, &link, link.rect);
                wanted = link.clicked();
                link.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(hint);
                continue;
            }
            figure.on_hover_text(hint);
        }
        wanted
    })
    .inner
}
