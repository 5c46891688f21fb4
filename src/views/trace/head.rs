//! The sums of a trace above its steps.

use egui::{Ui, vec2};

use crate::analysis::trace::Totals;
use crate::format;
use crate::ui::theme::{Palette, Tone, space};
use crate::views::parts::figure;
use crate::views::shared::bars::{self, Segment};

/// Figures and, where times mean something, what the time went to.
pub(super) fn show(ui: &mut Ui, totals: &Totals, dated: bool) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::SMALL, 0.0);
        for (name, value, tone, about) in figures(totals, dated) {
            figure(ui, 84.0, name, &value, tone).on_hover_text(about);
        }
    });
    if dated && totals.wall > 0 {
        times(ui, totals);
    }
}

type Figure = (&'static str, String, Option<Tone>, String);

fn figures(t: &Totals, dated: bool) -> Vec<Figure> {
    let count = |n: usize| format::count(n as i64);
    let tokens = |n: Option<u64>| n.map_or_else(|| format::UNKNOWN.to_owned(), |n| format::count(n as i64));
    let least = if t.uncounted > 0 { "≥ " } else { "" };
    let counted = match t.uncounted {
        0 => "As the sources count them".to_owned(),
        n => format!("{} without a count", format::counted(n as i64, "call", "calls")),
    };
    let mut all = Vec::new();
    if t.calls > 0 {
        all.push(("Calls", count(t.calls), None, "Requests to models in this trace".to_owned()));
    }
    if t.failed > 0 {
        let about = "Calls and other steps that failed".to_owned();
        all.push(("Failed", count(t.failed), Some(Tone::Bad), about));
    }
    if t.retries > 0 {
        let about = "Attempts that failed and were followed by another one".to_owned();
        all.push(("Retries", count(t.retries), Some(Tone::Warning), about));
    }
    if t.calls > 0 {
        let known = |n: Option<u64>| if n.is_some() { least } else { "" };
        all.push(("Tokens in", format!("{}{}", known(t.input), tokens(t.input)), None, counted.clone()));
        all.push(("Tokens out", format!("{}{}", known(t.output), tokens(t.output)), None, counted));
        let about = match t.unpriced {
            0 => "What the calls cost".to_owned(),
            n => format!("What the priced calls cost; {} without a price", format::count(n as i64)),
        };
        let cost = format::money_or_unknown(t.cost);
        let least = if t.unpriced > 0 && t.cost.is_some() { "≥ " } else { "" };
        all.push(("Cost", format!("{least}{cost}"), None, about));
    }
    if dated {
        let about = "From the first to the last moment".to_owned();
        all.push(("Wall time", format::duration(t.wall), None, about));
    }
    all
}

/// Where the time went, as a strip with its legend.
fn times(ui: &mut Ui, t: &Totals) {
    let palette = Palette::of(ui);
    let parts = [
        ("models", t.models, palette.series(0)),
        ("tools and caches", t.tools, palette.series(1)),
        ("waiting", t.waiting, palette.series(3)),
        ("rest", t.rest, palette.idle().fill),
    ];
    let sum: i64 = parts.iter().map(|p| p.1).fold(0, i64::saturating_add);
    let segments =
        parts.map(|(name, time, color)| Segment { name, size: time as f64, color, hatched: false });
    bars::strip(ui, &segments, (sum.max(t.wall)).max(1) as f64, 8.0);
    ui.add_space(2.0);
    let texts: Vec<_> = parts
        .iter()
        .filter(|p| p.1 > 0)
        .map(|(name, time, color)| (*color, format!("{name} {}", format::duration(*time))))
        .collect();
    bars::legend(ui, texts.iter().map(|(color, text)| (*color, text.as_str())));
    if sum > t.wall {
        crate::views::parts::remark(
            ui,
            "Some of it ran at the same time, so the parts are more than the wall time.",
        );
    }
}
