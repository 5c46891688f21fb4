//! What one kind of cache did, as a bar and figures: in the view of caches and in the summary.

use egui::{Color32, Ui};

use super::bars::{self, Segment, StackedRow};
use crate::analysis::caches::{CacheFigures, CacheKind};
use crate::format::{self, UNKNOWN};
use crate::ui::theme::{Palette, Tone, mix, space};
use crate::ui::widgets::KeyValues;
use crate::views::parts::remark;

/// What a kind of cache is called.
#[must_use]
pub fn title(kind: CacheKind) -> &'static str {
    match kind {
        CacheKind::Answers => "Answers",
        CacheKind::Prompt => "Prompts at the provider",
        CacheKind::Kv => "KV cache of the server",
    }
}

/// Colours of what was hit, what was answered with something similar, and what missed.
#[must_use]
pub fn colors(palette: &Palette) -> [Color32; 3] {
    [palette.series(1), palette.series(2), mix(palette.canvas, palette.text_weak, 0.45)]
}

/// Hits and misses as a bar, then the figures.
pub fn figures(ui: &mut Ui, c: &CacheFigures) {
    let palette = Palette::of(ui);
    let [good, other, bad] = colors(palette);
    let count = |n: usize| format::count(n as i64);
    let answers = c.kind == CacheKind::Answers;
    let part = |name, size: usize, color| Segment { name, size: size as f64, color, hatched: false };
    let segments = match answers {
        true => [
            part("exact", c.exact, good),
            part("semantic", c.hits - c.exact, other),
            part("missed", c.misses, bad),
        ],
        false => [part("hit", c.hits, good), part("", 0, other), part("missed", c.misses, bad)],
    };
    let rate = c.hit_rate.map_or_else(|| UNKNOWN.to_owned(), format::percent);
    let row = StackedRow {
        tip: c.kind.definition(),
        ..StackedRow::new("Hit rate", &rate, &segments, (c.hits + c.misses) as f64)
    };
    row.show(ui);
    let shown = segments.iter().filter(|s| !s.name.is_empty());
    let texts: Vec<(Color32, String)> =
        shown.map(|s| (s.color, format!("{} {}", count(s.size as usize), s.name))).collect();
    bars::legend(ui, texts.iter().map(|(color, text)| (*color, text.as_str())));
    ui.add_space(space::SMALL);
    let time =
        |ns: Option<f64>| ns.map_or_else(|| UNKNOWN.to_owned(), |ns| format::duration(ns.round() as i64));
    let of = if answers { "" } else { " to first token" };
    let mut grid = KeyValues::new(ui, 128.0);
    grid.row(&format!("Hit{of}"), &time(c.hit_latency));
    grid.row(&format!("Miss{of}"), &time(c.miss_latency));
    if let Some(age) = c.age {
        let [median, most] = [age.p50, age.max].map(|ns| format::duration(ns.round() as i64));
        grid.row("Age at a hit", &format!("{median} (median), at most {most}"));
    }
    let less = |tone_of: f64| if tone_of >= 0.0 { None } else { Some(Tone::Warning) };
    if let Some(saved) = c.saved_latency() {
        let share = c
            .latency_improvement()
            .map_or_else(String::new, |s| format!(" ({} each)", format::percent_change(-s)));
        grid.toned("Time saved", &format!("{}{share}", format::duration(saved.round() as i64)), less(saved));
    }
    let tokens = c.saved_tokens.map_or_else(|| UNKNOWN.to_owned(), |n| format::count(n as i64));
    grid.row("Tokens saved", &tokens);
    match c.saved_cost {
        Some(money) => grid.toned("Money saved", &format::money(money), less(money.to_f64())),
        None => grid.row("Money saved", "– (no price)"),
    };
    if c.untold > 0 {
        let all = c.hits + c.misses + c.untold;
        remark(
            ui,
            &format!("{} of {} requests say nothing of it and are not counted.", count(c.untold), count(all)),
        );
    }
    remark(ui, &format!("Here {}.", c.kind.definition()));
}
