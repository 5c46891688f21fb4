//! The sums of a trace above its steps.

use egui::{Ui, vec2};

use crate::analysis::definitions as say;
use crate::analysis::overview::RequestFigures;
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
    let mut all = Vec::new();
    if let Some(f) = &t.requests {
        all.push(("Calls", count(f.count), None, "Requests to models in this trace".to_owned()));
    }
    if t.failed > 0 {
        let about = "Calls and other steps that failed".to_owned();
        all.push(("Failed", count(t.failed), Some(Tone::Bad), about));
    }
    if let Some(f) = &t.requests {
        calls(f, t.uncounted, &mut all);
    }
    if dated {
        let about = "From the first to the last moment".to_owned();
        all.push(("Wall time", format::duration(t.wall), None, about));
    }
    all
}

/// Retries, tokens and cost of the calls of a trace.
fn calls(f: &RequestFigures, uncounted: usize, all: &mut Vec<Figure>) {
    if f.retries > 0 {
        let about = "Attempts that failed and were followed by another one".to_owned();
        all.push(("Retries", format::count(f.retries as i64), Some(Tone::Warning), about));
    }
    let how = match (uncounted, f.signs) {
        (0, ["", ""]) => "As the sources count them".to_owned(),
        (0, _) => say::SIGNS.to_owned(),
        (n, _) => format!("{} without a count", format::counted(n as i64, "call", "calls")),
    };
    let tokens = |n: Option<u64>, sign: &str| {
        n.map_or_else(|| format::UNKNOWN.to_owned(), |n| format!("{sign}{}", format::count(n as i64)))
    };
    all.push(("Tokens in", tokens(f.prompt_tokens, f.signs[0]), None, how.clone()));
    all.push(("Tokens out", tokens(f.output_tokens, f.signs[1]), None, how));
    let about = match f.unpriced {
        0 => say::COST.to_owned(),
        n => format!("What the priced calls cost; {} without a price", format::count(n as i64)),
    };
    let cost = f.cost_text().unwrap_or_else(|| format::UNKNOWN.to_owned());
    all.push(("Cost", cost, None, about));
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
