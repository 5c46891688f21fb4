//! The cards of the view but for the one about the threshold.

use egui::{Color32, Ui};
use egui_plot::{Bar, BarChart};

use super::{Caches, Card, Frame};
use crate::analysis::cache_entries::Held;
use crate::analysis::cache_history::{Bin, CacheHistory};
use crate::analysis::caches::CacheKind;
use crate::analysis::repeats::Repeats;
use crate::format;
use crate::model::{Money, Unit};
use crate::ui::theme::{Palette, space};
use crate::views::ViewCx;
use crate::views::parts::{card, remark, weak};
use crate::views::shared::bars::{self, Segment, StackedRow};
use crate::views::shared::caches::{colors, figures, title};
use crate::views::shared::plot;

/// Height of a plot.
const PLOT: f32 = 190.0;

impl Caches {
    pub(super) fn card(&mut self, which: Card, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
        let name = match which {
            Card::Kind(i) => title(frame.kinds[i].kind).to_owned(),
            Card::OverTime(kind) => format!("{} over time", title(kind)),
            Card::Threshold => "Threshold of the semantic cache".into(),
            Card::Entries => "What the caches hold".into(),
            Card::Keys => "Keys of the cache of answers".into(),
            Card::Repeats => "What repeats".into(),
        };
        card(ui, &name, |ui| match which {
            Card::Kind(i) => figures(ui, &frame.kinds[i]),
            Card::OverTime(kind) => over_time(cx, ui, kind),
            Card::Threshold => {
                if let Some(alike) = &frame.alike {
                    self.threshold(cx, ui, alike);
                }
            }
            Card::Entries => {
                if let Some(held) = &frame.held {
                    entries(ui, held);
                }
            }
            Card::Keys => {
                if let Some(keys) = &frame.keys {
                    super::keys::show(cx, ui, keys);
                }
            }
            Card::Repeats => {
                if let Some(repeats) = &frame.repeats {
                    repeated(ui, repeats);
                }
            }
        });
    }
}

/// Hits and misses over time, with the rate so far.
fn over_time(cx: &mut ViewCx<'_>, ui: &mut Ui, kind: CacheKind) {
    let asked = CacheHistory { kind, asked: cx.asked() };
    let Some(history) = cx.ask(&asked, 4 + kind as u64).content(ui, "Counting hits over time") else {
        return;
    };
    let palette = Palette::of(ui);
    let unit = if kind == CacheKind::Answers { Unit::Count } else { Unit::Tokens };
    let half = history.length as f64 / 2.0;
    let bars_of = |value: fn(&Bin) -> u64, color: Color32| -> Vec<Bar> {
        let bar = |b: &Bin| {
            Bar::new(b.start as f64 + half, value(b) as f64).width(history.length as f64 * 0.9).fill(color)
        };
        history.bins.iter().map(bar).collect()
    };
    let names: [&str; 3] = match kind {
        CacheKind::Answers => ["exact", "semantic", "missed"],
        _ => ["read from the cache", "", "not cached"],
    };
    let colors = colors(palette);
    let hits = BarChart::new(names[0], bars_of(|b| b.hits, colors[0])).color(colors[0]);
    let semantic =
        BarChart::new(names[1], bars_of(|b| b.semantic, colors[1])).color(colors[1]).stack_on(&[&hits]);
    let misses = BarChart::new(names[2], bars_of(|b| b.misses, colors[2]))
        .color(colors[2])
        .stack_on(&[&hits, &semantic]);
    let id = format!("caches over time {kind:?}");
    let drawn = plot::plot(ui, &id, PLOT, [Unit::Nanoseconds, unit]).include_y(0.0);
    plot::show(ui, drawn, "Hits and misses over time", |shown| {
        shown.bar_chart(hits);
        if kind == CacheKind::Answers {
            shown.bar_chart(semantic);
        }
        shown.bar_chart(misses);
    });
    bars::legend(ui, colors.into_iter().zip(names).filter(|(_, name)| !name.is_empty()));
    if let [Some(first), Some(second)] = halves(&history.bins) {
        let [first, second] = [first, second].map(format::percent);
        remark(ui, &format!("Rate of the first half of it {first}, of the second {second}."));
    }
}

/// The rates of the first and of the second half of what was asked.
fn halves(bins: &[Bin]) -> [Option<f64>; 2] {
    let asked = |b: &Bin| b.hits as f64 + b.semantic as f64 + b.misses as f64;
    let all: f64 = bins.iter().map(asked).sum();
    let mut sums = [(0.0f64, 0.0f64); 2];
    let mut before = 0.0;
    for bin in bins {
        let (hit, of) = &mut sums[usize::from(before * 2.0 >= all)];
        *hit += bin.hits as f64 + bin.semantic as f64;
        *of += asked(bin);
        before += asked(bin);
    }
    sums.map(|(hit, of)| (of > 0.0).then(|| hit / of))
}

/// Numbers of entries, and what became of them.
fn entries(ui: &mut Ui, held: &Held) {
    let palette = Palette::of(ui);
    let drawn = plot::plot(ui, "cache entries", PLOT, [Unit::Nanoseconds, Unit::Count]).include_y(0.0);
    plot::show(ui, drawn, "Entries over time", |shown| {
        for (i, line) in held.lines.iter().enumerate() {
            shown.line(plot::line(line.name.clone(), plot::steps(&line.points), palette.series(i)));
        }
    });
    bars::legend(ui, held.lines.iter().enumerate().map(|(i, l)| (palette.series(i), l.name.as_str())));
    let counts = [
        ("expired", held.expired, "An entry was older than its time to live (TTL)."),
        ("evicted", held.evicted, "An entry had to make room for a newer one."),
    ];
    let texts: Vec<String> =
        counts.iter().map(|(name, n, _)| format!("{} {name}", format::count(*n as i64))).collect();
    weak(ui, &format!("Entries: {}.", texts.join(", ")))
        .on_hover_text(counts.map(|c| format!("{}: {}", c.0, c.2)).join("\n"));
}

/// What a cache could have done with the prompts.
fn repeated(ui: &mut Ui, r: &Repeats) {
    let palette = Palette::of(ui);
    let share = |n: usize| format::percent(n as f64 / r.kept.max(1) as f64);
    let segment = |name, size: f64, color| [Segment { name, size, color, hatched: false }];
    let again = segment("asked again", r.again as f64, palette.series(1));
    let row = StackedRow::new("Asked again", "", &again, r.kept as f64);
    let value = share(r.again);
    StackedRow { value: &value, tip: AGAIN, ..row }.show(ui);
    if let Some(beginning) = r.beginning() {
        let (value, same) =
            (format!("≈ {}", format::percent(beginning)), segment("same", beginning, palette.series(0)));
        StackedRow { tip: BEGINNING, ..StackedRow::new("Same beginning", &value, &same, 1.0) }.show(ui);
    }
    if let Some(read) = r.read_share {
        let (value, read) = (format::percent(read), segment("read", read, palette.series(2)));
        StackedRow { tip: READ, ..StackedRow::new("Read from cache", &value, &read, 1.0) }.show(ui);
    }
    ui.add_space(space::SMALL);
    let mut text = format!(
        "Of {}, {} had been asked word for word before and missed every cache of answers",
        format::counted(r.kept as i64, "kept prompt", "kept prompts"),
        format::count(r.again as i64)
    );
    if r.again > 0 {
        text += &format!(": {}", format::duration(r.again_time));
        if let Some(cost) = r.again_cost.filter(|c| *c != Money::ZERO) {
            text += &format!(", {}", format::money(cost));
        }
    }
    weak(ui, &format!("{text}."));
}

const AGAIN: &str = "Requests whose model was asked the very same prompt before, and that no cache of answers answered. A cache of \
    answers would have: right only where the same question may get the same answer.";
const BEGINNING: &str = "Characters at the beginning of prompts that are the same as in an earlier prompt to the same model: what a \
    prompt or KV cache can read. In characters, so about right for tokens. Providers cache from 1,024 tokens on or so.";
const READ: &str = "Input tokens read from a prompt or KV cache ÷ all input tokens of these requests, as their source states.";
