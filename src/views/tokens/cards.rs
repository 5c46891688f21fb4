//! The cards of the view.

use egui::{Color32, RichText, Ui};
use egui_plot::{PlotPoints, Points};

use super::areas;
use super::prompts::windows;
use super::{Frame, Tokens};
use crate::analysis::billing::Sums;
use crate::analysis::definitions as say;
use crate::analysis::overview::Distribution;
use crate::analysis::repeats::Repeats;
use crate::analysis::spending::Spent;
use crate::analysis::token_facts::{Counted, Facts};
use crate::format::{self, UNKNOWN};
use crate::model::{Request, RequestId, Unit};
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::link_button;
use crate::views::ViewCx;
use crate::views::parts::{card, remark, weak};
use crate::views::shared::bars::{self, Segment, StackedRow};
use crate::views::shared::plot;
use crate::views::shared::requests::value_text;

/// A card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    Groups,
    Components,
    Areas,
    Windows,
    Sizes,
    OverTime,
    Static,
    Known,
}

/// Groups that are listed.
const GROUPS: usize = 12;

/// The cards that have something to say.
pub(super) fn wanted(frame: &Frame) -> Vec<Card> {
    let facts = &frame.facts;
    let counted = facts.prompt.is_some() || facts.output.is_some();
    let dated = facts.points.iter().filter(|p| p.arrived.is_some()).count() > 2;
    [
        (Card::Groups, counted),
        (Card::Components, frame.components.as_ref().is_some_and(|c| c.kept > 0)),
        (Card::Areas, frame.groups.as_ref().is_some_and(|g| !g.is_empty()) && frame.components.is_some()),
        (Card::OverTime, counted && dated),
        (Card::Windows, frame.components.as_ref().is_some_and(|c| c.windows.is_some())),
        (Card::Sizes, counted),
        (Card::Static, frame.repeats.as_ref().is_some_and(|r| r.kept > 1)),
        (Card::Known, true),
    ]
    .into_iter()
    .filter_map(|(card, filled)| filled.then_some(card))
    .collect()
}

/// Classes of tokens in the order in which they are stacked.
fn classes(palette: &Palette, sums: &Sums) -> [(&'static str, u64, Color32); 5] {
    let written = sums.cache_write_5m.saturating_add(sums.cache_write_1h);
    [
        ("uncached input", sums.input, palette.series(0)),
        ("read from cache", sums.cache_read, palette.series(1)),
        ("written to cache", written, palette.series(2)),
        ("answer", sums.output.saturating_sub(sums.reasoning), palette.series(3)),
        ("reasoning", sums.reasoning, palette.series(4)),
    ]
}

/// All tokens of a group.
fn total(sums: &Sums) -> u64 {
    sums.prompt().saturating_add(sums.output)
}

impl Tokens {
    pub(super) fn card(&mut self, which: Card, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
        let by = self.by.name();
        let title = match which {
            Card::Groups => format!("Tokens by {by}"),
            Card::Components => "What prompts are made of".into(),
            Card::Areas => format!("Prompts by {by}, as areas"),
            Card::Windows => "Context windows".into(),
            Card::Sizes => "Sizes".into(),
            Card::OverTime => "Over time".into(),
            Card::Static => "What prompts have in common".into(),
            Card::Known => "How the counts are known".into(),
        };
        card(ui, &title, |ui| match which {
            Card::Groups => groups(cx, ui, &frame.spent),
            Card::Components => {
                if let Some(components) = &frame.components {
                    self.components(cx, ui, components);
                }
            }
            Card::Areas => {
                if let Some((components, groups)) = frame.components.as_ref().zip(frame.groups.as_ref()) {
                    areas::show(cx, ui, components, groups, self.plots.max(200.0));
                }
            }
            Card::Windows => {
                if let Some(components) = &frame.components {
                    windows(cx, ui, components);
                }
            }
            Card::Sizes => sizes(cx, ui, &frame.facts),
            Card::OverTime => over_time(cx, ui, &frame.facts, self.plots),
            Card::Static => {
                if let Some(repeats) = &frame.repeats {
                    in_common(ui, repeats);
                }
            }
            Card::Known => known(cx, ui, &frame.facts),
        });
    }
}

/// Rows of groups with the classes of their tokens.
fn groups(cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Spent) {
    let palette = Palette::of(ui);
    let mut order: Vec<_> = spent.groups.iter().collect();
    order.sort_by_key(|g| std::cmp::Reverse(total(&g.sums)));
    let most = order.first().map_or(0, |g| total(&g.sums)) as f64;
    for group in order.iter().take(GROUPS) {
        let all = classes(palette, &group.sums);
        let segments = all.map(|(name, n, color)| Segment { name, size: n as f64, color, hatched: false });
        let name = &value_text(&group.name, 200);
        let incomplete = group.sums.incomplete > 0;
        let value = match total(&group.sums) {
            0 if incomplete => UNKNOWN.to_owned(),
            n if incomplete => format!("≥ {}", format::count(n as i64)),
            n => format::count(n as i64),
        };
        let lines =
            all.iter().filter(|c| c.1 > 0).map(|(name, n, _)| format!("{name} {}", format::count(*n as i64)));
        let mut tip: Vec<String> = lines.collect();
        tip.insert(0, format::counted(group.sums.requests as i64, "request", "requests"));
        if incomplete {
            tip.push(format!("{} without complete counts", format::count(group.sums.incomplete as i64)));
        }
        let tip = tip.join("\n");
        let row =
            StackedRow { tip: &tip, value_width: 92.0, ..StackedRow::new(name, &value, &segments, most) };
        let row = StackedRow { swatch: Some(palette.span_named(&group.name).fill), ..row };
        let first = group.first;
        if row.show(ui).clicked()
            && let Some(id) = first
        {
            cx.send(Command::Select(Some(Item::of_request(id, cx.profile()))));
        }
    }
    if order.len() > GROUPS {
        let rest = order[GROUPS..].iter().fold(0u64, |sum, g| sum.saturating_add(total(&g.sums)));
        let n = format::count((order.len() - GROUPS) as i64);
        weak(ui, &format!("{n} more, together {}", format::count(rest as i64)));
    }
    ui.add_space(space::SMALL);
    let told = classes(palette, &spent.all.sums).into_iter().filter(|c| c.1 > 0);
    let texts: Vec<(Color32, String)> =
        told.map(|(name, n, color)| (color, format!("{name} {}", format::count(n as i64)))).collect();
    bars::legend(ui, texts.iter().map(|(color, text)| (*color, text.as_str())));
}

/// How large prompts and answers are.
fn sizes(cx: &mut ViewCx<'_>, ui: &mut Ui, facts: &Facts) {
    let palette = Palette::of(ui);
    type Row = (&'static str, Option<Distribution>, Option<RequestId>, Color32, &'static str);
    let rows: [Row; 2] = [
        ("Prompt", facts.prompt, facts.largest_prompt, palette.series(0), say::PROMPT),
        ("Output", facts.output, facts.largest_output, palette.series(3), say::OUTPUT),
    ];
    let number = |n: f64| format::count(n.round() as i64);
    for (name, values, largest, color, about) in rows {
        let Some(d) = values else { continue };
        // From the least to the median, to the 95th percentile, to the largest.
        let part = |name, size: f64, strength: f32| Segment {
            name,
            size,
            color: color.gamma_multiply(strength),
            hatched: false,
        };
        let segments = [
            part("up to the median", d.p50, 1.0),
            part("up to p95", d.p95 - d.p50, 0.6),
            part("up to the largest", d.max - d.p95, 0.3),
        ];
        let value = number(d.max);
        StackedRow { tip: about, ..StackedRow::new(name, &value, &segments, d.max) }.show(ui);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::MEDIUM;
            weak(
                ui,
                &format!(
                    "p50 {} · p95 {} · mean {} · largest {} · n {}",
                    number(d.p50),
                    number(d.p95),
                    number(d.mean),
                    number(d.max),
                    format::count(d.n as i64)
                ),
            );
            if let Some(id) = largest
                && link_button(ui, "show the largest").clicked()
            {
                cx.send(Command::Select(Some(Item::of_request(id, cx.profile()))));
            }
        });
        ui.add_space(space::SMALL);
    }
}

/// Each request as two dots: its prompt and its output.
fn over_time(cx: &mut ViewCx<'_>, ui: &mut Ui, facts: &Facts, height: f32) {
    let palette = Palette::of(ui);
    type Series = (&'static str, Color32, fn(&Counted) -> Option<u64>);
    let series: [Series; 2] =
        [("prompt", palette.series(0), |p| p.prompt), ("output", palette.series(3), |p| p.output)];
    let at = |p: &Counted, value: fn(&Counted) -> Option<u64>| Some([p.arrived? as f64, value(p)? as f64]);
    let selected = cx.interaction.selection.as_ref().and_then(|i| i.request(cx.profile()));
    let drawn = plot::plot(ui, "tokens over time", height, [Unit::Nanoseconds, Unit::Tokens]).include_y(0.0);
    let shown = plot::show(ui, drawn, "Tokens of requests over time", |shown| {
        for (name, color, value) in series {
            let dots: Vec<[f64; 2]> = facts.points.iter().filter_map(|p| at(p, value)).collect();
            let points =
                Points::new(name, PlotPoints::from(dots)).radius(2.5).color(plot::see_through(color));
            shown.points(points);
            let marked = facts.points.iter().find(|p| Some(p.request) == selected).and_then(|p| at(p, value));
            if let Some(marked) = marked {
                let ring = Points::new("selected", vec![marked]).radius(6.0).filled(false);
                shown.points(ring.color(palette.accent));
            }
        }
        let all = series.iter().flat_map(|s| facts.points.iter().map(move |p| (p, s.2)));
        let dots = all.filter_map(|(p, value)| Some((p.request, at(p, value)?)));
        plot::under_pointer(shown, dots)
    });
    if let Some(request) = shown.inner {
        let item = Item::of_request(request, cx.profile());
        cx.interact(&shown.response, &item);
    }
    bars::legend(ui, series.map(|(name, color, _)| (color, name)));
    if facts.every > 1 {
        remark(ui, &format!("A dot stands for {} requests.", facts.every));
    }
}

/// What of the prompts is the same as in earlier ones.
fn in_common(ui: &mut Ui, r: &Repeats) {
    let palette = Palette::of(ui);
    let Some(same) = r.beginning() else { return };
    let part = |name, size: f64, color| Segment { name, size, color, hatched: false };
    let [old, new] = [palette.series(1), palette.series(0)];
    bars::strip(ui, &[part("as before", same, old), part("new", 1.0 - same, new)], 1.0, 18.0);
    ui.add_space(space::SMALL);
    let texts = [
        (old, format!("≈ {} begins as an earlier prompt", format::percent(same))),
        (new, format!("≈ {} is new", format::percent(1.0 - same))),
    ];
    bars::legend(ui, texts.iter().map(|(color, text)| (*color, text.as_str())));
    if let Some(read) = r.read_share {
        weak(ui, &format!("Read from a cache: {} of the input tokens.", format::percent(read)));
    }
    remark(
        ui,
        "In characters, of prompts to the same model. Put what stays the same (instructions, tools, examples) first: only a \
         common beginning can be cached.",
    );
}

/// What counted the tokens, in words.
fn counted_by(cx: &ViewCx<'_>, facts: &Facts) -> String {
    let profile = cx.profile();
    if let Some(name) = profile.meta.fact("Tokenizer") {
        return format!("Counted by the model\u{2019}s own tokenizer: {}.", format::fact(name));
    }
    let mut parts = Vec::new();
    if facts.origins[0] + facts.origins[2] > 0 {
        parts.push("the provider\u{2019}s count");
    }
    if facts.origins[1] > 0 {
        parts.push("≈ what follows from the other counts");
    }
    if profile.requests.rows.iter().any(Request::is_estimated) {
        parts.push("≈ a guess by chunks where nobody counted");
    }
    match parts.is_empty() {
        true => "Nobody counted tokens.".to_owned(),
        false => format!("Counted by: {}. No tokenizer is guessed.", parts.join(", ")),
    }
}

/// Who counted, and whether sums agree.
fn known(cx: &mut ViewCx<'_>, ui: &mut Ui, facts: &Facts) {
    let palette = Palette::of(ui);
    let names = ["reported", "computed ≈", "lower bound ≥", "unknown –"];
    let colors =
        [palette.tone(Tone::Good), palette.series(2), palette.tone(Tone::Warning), palette.idle().fill];
    let segments: Vec<Segment<'_>> = (0..4)
        .map(|i| Segment { name: names[i], size: facts.origins[i] as f64, color: colors[i], hatched: false })
        .collect();
    bars::strip(ui, &segments, facts.origins.iter().sum::<usize>().max(1) as f64, 14.0);
    ui.add_space(space::SMALL);
    let told = (0..4).filter(|&i| facts.origins[i] > 0);
    let texts: Vec<(Color32, String)> = told
        .map(|i| (colors[i], format!("{} {}", format::count(facts.origins[i] as i64), names[i])))
        .collect();
    bars::legend(ui, texts.iter().map(|(color, text)| (*color, text.as_str())));
    weak(ui, &counted_by(cx, facts));
    let link = |cx: &mut ViewCx<'_>, ui: &mut Ui, text: &str, id: Option<RequestId>| {
        if let Some(id) = id
            && link_button(ui, text).clicked()
        {
            cx.send(Command::Select(Some(Item::of_request(id, cx.profile()))));
        }
    };
    if facts.first_incomplete.is_some() {
        link(cx, ui, "show the first that is not complete", facts.first_incomplete);
    }
    let (n, first) = facts.disagreeing;
    if n > 0 {
        let text = format!(
            "{}: the total that the source, or another span of the call, states is not the sum of the parts.",
            format::counted(n as i64, "request", "requests")
        );
        ui.add(egui::Label::new(RichText::new(text).color(palette.tone(Tone::Bad))).wrap());
        link(cx, ui, "show the first of them", first);
    } else if facts.agreeing > 0 {
        let n = format::counted(facts.agreeing as i64, "request", "requests");
        weak(ui, &format!("The totals that the source states are the sums of their parts: {n}."));
    }
}
