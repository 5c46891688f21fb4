//! The cards of the view.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, RichText, TextEdit, Ui};
use egui_plot::{MarkerShape, PlotPoints, Points, VLine};

use super::{Cost, amount, cost_text};
use crate::analysis::billing;
use crate::analysis::components::{Component, PromptComponents};
use crate::analysis::definitions as say;
use crate::analysis::prices::Prices;
use crate::analysis::spending::{Group, PriceCurves, Reprice, Spent};
use crate::format::{self, UNKNOWN};
use crate::model::{Money, Profile, StringId, Unit};
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone, mono, space};
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
    WhatIf,
    Latency,
    Context,
    Components,
    Machine,
    Basis,
}

/// Groups that are listed.
const GROUPS: usize = 12;
/// Names that are offered for another model.
const OFFERED: usize = 6;

/// The cards that have something to say.
pub(super) fn wanted(profile: &Profile, spent: &Spent) -> Vec<Card> {
    let kept = || profile.requests.rows.iter().any(|r| r.prompt != StringId::default());
    let listed = spent.all.sums.as_billed.is_some();
    [
        (Card::Groups, true),
        (Card::Latency, spent.points.len() > 1),
        (Card::WhatIf, listed),
        (Card::Context, listed),
        (Card::Components, listed && kept()),
        (Card::Machine, true),
        (Card::Basis, true),
    ]
    .into_iter()
    .filter_map(|(card, filled)| filled.then_some(card))
    .collect()
}

/// Parts of a bill, in the order in which they are stacked.
fn parts(palette: &Palette, group: &Group) -> [(&'static str, Money, Color32, bool); 6] {
    let p = &group.parts;
    [
        ("input", p.input, palette.series(0), false),
        ("cache reads", p.cache_read, palette.series(1), false),
        ("cache writes", p.cache_write, palette.series(2), false),
        ("output", p.output, palette.series(3), false),
        ("requests, searches", p.other, palette.series(4), false),
        ("as the source states", group.stated, palette.series(5), false),
    ]
}

impl Cost {
    pub(super) fn card(&mut self, which: Card, cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Arc<Spent>) {
        let by = self.by.name();
        let title = match which {
            Card::Groups => format!("Cost by {by}"),
            Card::WhatIf => "What if".into(),
            Card::Latency => "Cost against latency".into(),
            Card::Context => "One request by the size of its prompt".into(),
            Card::Components => "Cost by part of the prompt".into(),
            Card::Machine => "By the hour, and by energy".into(),
            Card::Basis => "What this rests on".into(),
        };
        card(ui, &title, |ui| match which {
            Card::Groups => groups(cx, ui, spent),
            Card::WhatIf => self.what_if(cx, ui, spent),
            Card::Latency => scatter(cx, ui, spent, self.plots),
            Card::Context => context(cx, ui, self.plots),
            Card::Components => components(cx, ui),
            Card::Machine => self.machine(cx, ui, spent),
            Card::Basis => basis(cx, ui, spent),
        });
    }

    /// The same tokens, billed otherwise.
    fn what_if(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Spent) {
        let sums = &spent.all.sums;
        let Some(billed) = sums.as_billed else { return };
        let asked = Reprice { model: self.other.trim().to_owned(), asked: cx.asked() };
        let other = (!asked.model.is_empty()).then(|| cx.ask(&asked, 1).beside()).flatten();
        let mut rows: Vec<(String, Option<Money>, String)> = vec![
            (format!("By list prices{}", sums.listed_words()), Some(billed), say::BY_LIST_PRICES.into()),
            ("Without caches".into(), sums.no_cache, say::NO_CACHE.into()),
        ];
        if sums.best_cache != Some(billed) {
            rows.push(("Best caching".into(), sums.best_cache, say::BEST_CACHE.into()));
        }
        if let Some(repriced) = other.as_deref()
            && let Ok((name, provider)) = &repriced.model
        {
            let about = format!("{name} of {provider}. {}", say::ANOTHER_MODEL);
            rows.push((format!("With {name}"), repriced.cost, about));
        }
        let most = rows.iter().filter_map(|r| r.1).map(Money::to_f64).fold(0.0, f64::max);
        let palette = Palette::of(ui);
        for (i, (name, money, about)) in rows.iter().enumerate() {
            let color = palette.series(0);
            let size = money.map_or(0.0, Money::to_f64);
            let segment = [Segment { name, size, color, hatched: i > 0 }];
            let sign = if sums.about && money.is_some() { "≈ " } else { "" };
            let value = format!("{sign}{}", format::money_or_unknown(*money));
            let row =
                StackedRow { tip: about, value_width: 92.0, ..StackedRow::new(name, &value, &segment, most) };
            row.show(ui);
        }
        ui.add_space(space::SMALL);
        self.other_model(cx.prices, ui);
        if let Some(repriced) = other.as_deref() {
            match &repriced.model {
                Err(why) => {
                    weak(ui, why);
                }
                Ok(_) if repriced.left_out > 0 => {
                    let n = format::counted(repriced.left_out as i64, "request is", "requests are");
                    weak(ui, &format!("{n} in neither sum: unpriced one way or the other."));
                }
                Ok(_) => {}
            }
        }
    }

    /// The field for another model.
    fn other_model(&mut self, prices: &Prices, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.label(RichText::new("With another model").color(Palette::of(ui).text_weak));
            let field =
                TextEdit::singleline(&mut self.other).font(mono(12.0)).desired_width(ui.available_width());
            ui.add(field.hint_text("its name in the tables of prices").char_limit(200))
                .accessible_name("Another model");
        });
        let typed = self.other.trim().to_lowercase();
        if typed.is_empty() {
            return;
        }
        let names = prices.names_with(&typed, OFFERED);
        if names.iter().any(|n| n.to_lowercase() == typed) {
            return;
        }
        ui.horizontal_wrapped(|ui| {
            for name in names {
                if link_button(ui, name).clicked() {
                    name.clone_into(&mut self.other);
                }
            }
        });
    }
}

/// What the parts of prompts cost.
fn components(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let asked = PromptComponents { asked: cx.asked() };
    let Some(found) = cx.ask(&asked, 6).content(ui, "Reading prompts") else { return };
    let palette = Palette::of(ui);
    let priced: Vec<_> = found.sums.iter().filter_map(|s| Some((s, s.cost?))).collect();
    if priced.is_empty() {
        weak(ui, "No prompt with a price was kept.");
        return;
    }
    let whole: f64 = priced.iter().map(|p| p.1).sum();
    let most = priced.iter().map(|p| p.1).fold(0.0, f64::max);
    for (sum, cost) in priced {
        let place = Component::ALL.iter().position(|c| *c == sum.component).unwrap_or(0);
        let color = palette.series(place);
        let segment = [Segment { name: sum.component.name(), size: cost, color, hatched: false }];
        let value =
            format!("≈ {} · {}", amount(Some(cost)), format::percent(cost / whole.max(f64::MIN_POSITIVE)));
        let tip = format!("≈ {} tokens", format::count(sum.tokens.round() as i64));
        let name = sum.component.name();
        StackedRow {
            tip: &tip,
            value_width: 136.0,
            swatch: Some(color),
            ..StackedRow::new(name, &value, &segment, most)
        }
        .show(ui);
    }
    remark(ui, say::COMPONENT_COSTS);
}

/// Rows of groups with the parts of their bills.
fn groups(cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Spent) {
    let palette = Palette::of(ui);
    let most = spent.groups.iter().filter_map(|g| g.sums.cost).map(Money::to_f64).fold(0.0, f64::max);
    let value_width = if spent.groups.iter().any(|g| g.sums.about) { 104.0 } else { 92.0 };
    for group in spent.groups.iter().take(GROUPS) {
        let all = parts(palette, group);
        let segments: Vec<Segment<'_>> = all
            .iter()
            .map(|&(name, money, color, hatched)| Segment { name, size: money.to_f64(), color, hatched })
            .chain(unpriced(palette, group, most))
            .collect();
        let name = &value_text(&group.name, 200);
        let value = cost_text(group);
        let tip = tip(palette, group);
        let item = group.first.map(|id| Item::of_request(id, cx.profile()));
        let row = StackedRow {
            tip: &tip,
            value_width,
            ..StackedRow::new(name, &value, &segments, most.max(UNPRICED))
        };
        let row = StackedRow { swatch: Some(palette.span_named(&group.name).fill), ..row };
        if row.show(ui).clicked()
            && let Some(item) = item
        {
            cx.send(Command::Select(Some(item)));
        }
    }
    if spent.groups.len() > GROUPS {
        let rest = &spent.groups[GROUPS..];
        let cost = rest.iter().filter_map(|g| g.sums.cost).reduce(|a, b| a + b);
        let unpriced = rest.iter().map(|g| g.sums.unpriced).sum();
        let about = rest.iter().any(|g| g.sums.about);
        let cost = billing::cost_text(cost, unpriced, about).unwrap_or_else(|| UNKNOWN.to_owned());
        let n = format::count(rest.len() as i64);
        weak(ui, &format!("{n} more, together {cost}"));
    }
    ui.add_space(space::SMALL);
    let shown = parts(palette, &spent.all).into_iter().filter(|p| p.1 != Money::ZERO);
    if spent.all.sums.cost.is_some() {
        bars::legend(ui, shown.map(|(name, _, color, _)| (color, name)));
    } else {
        weak(ui, "Nothing here has a price. «Prices…» takes yours.");
    }
}

/// Length of the striped bar of requests without a price where nothing has one.
const UNPRICED: f64 = 1e-12;

/// A striped bar for a group without any cost: of unknown length, so it fills the room.
fn unpriced(palette: &Palette, group: &Group, most: f64) -> Option<Segment<'static>> {
    let color = palette.gap().fill;
    let none = group.sums.cost.is_none();
    none.then_some(Segment { name: "unpriced", size: most.max(UNPRICED), color, hatched: true })
}

/// All that is known of a group.
fn tip(palette: &Palette, group: &Group) -> String {
    let sums = &group.sums;
    let count = |n: u64| format::count(n as i64);
    let mut lines = vec![format!(
        "{}: {}",
        format::counted(sums.requests as i64, "request", "requests"),
        cost_text(group)
    )];
    if sums.unpriced > 0 {
        lines.push(format!("{} of them unpriced", count(sums.unpriced as u64)));
    }
    lines.extend(
        parts(palette, group)
            .iter()
            .filter(|p| p.1 != Money::ZERO)
            .map(|(name, money, ..)| format!("{name} {}", format::money(*money))),
    );
    lines.push(format!(
        "tokens: {} uncached input, {} read, {} written, {} output",
        count(sums.input),
        count(sums.cache_read),
        count(sums.cache_write_5m.saturating_add(sums.cache_write_1h)),
        count(sums.output)
    ));
    let latency = group.latency.map_or_else(|| UNKNOWN.to_owned(), |ns| format::duration(ns.round() as i64));
    lines.push(format!(
        "per request {}, per answer {}, mean latency {latency}",
        amount(group.per_request()),
        amount(group.per_answer())
    ));
    lines.join("\n")
}

/// Each request as a dot, each group as a ring; groups that none beats in both are joined.
fn scatter(cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Spent, height: f32) {
    let palette = Palette::of(ui);
    let selected = cx.interaction.selection.as_ref().and_then(|i| i.request(cx.profile()));
    let at = |latency: f64, cost: f64| [latency, cost * 1e9];
    let color = |group: usize| plot::thin(palette, palette.span_named(&spent.groups[group].name).fill);
    let mut front: Vec<[f64; 2]> = spent
        .groups
        .iter()
        .filter(|g| g.best)
        .filter_map(|g| g.latency.zip(g.per_request()))
        .map(|(latency, cost)| at(latency, cost))
        .collect();
    front.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let scatter = plot::plot(ui, "cost and latency", height, [Unit::Nanoseconds, Unit::NanoDollars]);
    let drawn = plot::show(ui, scatter.include_x(0.0).include_y(0.0), "Cost against latency", |shown| {
        for (i, group) in spent.groups.iter().enumerate().take(GROUPS) {
            let dots: Vec<[f64; 2]> = spent
                .points
                .iter()
                .filter(|p| p.group as usize == i)
                .map(|p| at(p.latency as f64, p.cost))
                .collect();
            if dots.is_empty() {
                continue;
            }
            let points = Points::new(group.name.clone(), PlotPoints::from(dots));
            shown.points(points.radius(2.5).color(plot::see_through(color(i))));
            if let Some((latency, cost)) = group.latency.zip(group.per_request()) {
                let mean = Points::new(
                    format!("{} on average{}", group.name, quality(group, &spent.score)),
                    vec![at(latency, cost)],
                );
                shown.points(mean.radius(5.0).filled(false).shape(MarkerShape::Circle).color(color(i)));
            }
        }
        if front.len() > 1 {
            let line = plot::line("none is both faster and cheaper", front, palette.text_weak);
            shown.line(line.width(1.0).allow_hover(false));
        }
        if let Some(p) = spent.points.iter().find(|p| Some(p.request) == selected) {
            let marked = Points::new("selected", vec![at(p.latency as f64, p.cost)]);
            shown.points(marked.radius(6.0).filled(false).color(palette.accent));
        }
        let dots = spent.points.iter().map(|p| (p.request, at(p.latency as f64, p.cost)));
        plot::under_pointer(shown, dots)
    });
    if let Some(request) = drawn.inner {
        let item = Item::of_request(request, cx.profile());
        cx.interact(&drawn.response, &item);
    }
    let many = match spent.every {
        1 => String::new(),
        n => format!(" A dot stands for {n} requests."),
    };
    let measured = match spent.all.quality {
        Some((_, n)) => {
            let scores = spent.groups.iter().filter(|g| g.quality.is_some()).take(GROUPS);
            let texts: Vec<String> =
                scores.map(|g| format!("{}{}", value_text(&g.name, 40), quality(g, &spent.score))).collect();
            format!("Quality by {}: {}.", format::counted(n as i64, "score", "scores"), texts.join("; "))
        }
        None => "Quality is not measured.".to_owned(),
    };
    remark(ui, &format!("A dot is a request, a ring the mean of a group. {measured}{many}"));
}

/// «, score faithful 0.82 (n 12)»; empty where quality is not measured.
fn quality(group: &Group, score: &str) -> String {
    group.quality.map_or_else(String::new, |(mean, n)| {
        format!(", {} {} (n {})", value_text(score, 40), format::number(mean), format::count(n as i64))
    })
}

/// What one request costs by the size of its prompt.
fn context(cx: &mut ViewCx<'_>, ui: &mut Ui, height: f32) {
    let Some(curves) = cx.ask(&PriceCurves { prices: cx.prices.clone() }, 2).content(ui, "Pricing prompts")
    else {
        return;
    };
    let palette = Palette::of(ui);
    let drawn = plot::plot(ui, "cost by prompt", height, [Unit::Tokens, Unit::NanoDollars]);
    plot::show(ui, drawn.include_x(0.0).include_y(0.0), "Cost by the size of the prompt", |shown| {
        for curve in curves.iter() {
            let color = plot::thin(palette, palette.span_named(&curve.model).fill);
            let points: Vec<[f64; 2]> = curve.points.iter().map(|p| [p[0], p[1] * 1e9]).collect();
            shown.line(plot::line(curve.model.clone(), points, color));
            let largest = VLine::new(format!("largest prompt of {}", curve.model), curve.largest as f64);
            shown.vline(
                largest
                    .color(plot::see_through(color))
                    .width(1.0)
                    .style(egui_plot::LineStyle::dashed_loose()),
            );
        }
    });
    bars::legend(ui, curves.iter().map(|c| (palette.span_named(&c.model).fill, c.model.as_str())));
    let outputs: Vec<String> = curves.iter().map(|c| format::count(c.output as i64)).collect();
    remark(
        ui,
        &format!(
            "Nothing cached; with {} output tokens (the median). Dashed: the largest prompt here. A step: the price \
             of larger prompts holds for all of their tokens.",
            outputs.join(", ")
        ),
    );
}

/// Reasons of requests without a price that are listed.
const REASONS: usize = 6;

/// Tables, reservations, what has no price.
fn basis(cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Spent) {
    let palette = Palette::of(ui);
    for &(table, requests) in &spent.tables {
        let table = &cx.prices.tables()[table];
        let date = if table.as_of.is_empty() { String::new() } else { format!(", as of {}", table.as_of) };
        let name = if table.source.is_empty() { "a table of yours" } else { &table.source };
        weak(
            ui,
            &format!("{name}{date}: prices of {}", format::counted(requests as i64, "request", "requests")),
        );
    }
    let stated = spent.all.stated;
    if stated != Money::ZERO {
        weak(ui, &format!("{} as the file itself states it", format::money(stated)));
    }
    for (currency, money) in &spent.all.sums.elsewhere {
        weak(ui, &format!("{money} {currency}, in no sum of dollars"));
    }
    let lines = spent.about.iter().map(|a| ("≈", a)).chain(spent.left_out.iter().map(|l| ("without", l)));
    for (sign, (text, n)) in lines {
        weak(ui, &format!("{sign} {text} ({})", format::counted(*n as i64, "request", "requests")));
    }
    for u in spent.unpriced.iter().take(REASONS) {
        let n = format::counted(u.requests as i64, "request", "requests");
        // One text in lines of its own: names of models are long and have no place to break.
        let mut text = LayoutJob::default();
        let font = TextFormat::simple(egui::TextStyle::Body.resolve(ui.style()), palette.tone(Tone::Warning));
        text.append(&format!("{n} unpriced: "), 0.0, font.clone());
        text.append(&format::short(&u.why, 120), 0.0, TextFormat { color: palette.text_weak, ..font });
        ui.add(egui::Label::new(text).wrap());
        if link_button(ui, "show the first").clicked() {
            cx.send(Command::Select(Some(Item::of_request(u.first, cx.profile()))));
        }
    }
    let more = spent.unpriced.get(REASONS..).unwrap_or_default();
    if !more.is_empty() {
        let n = more.iter().map(|u| u.requests as i64).sum();
        let reasons = format::counted(more.len() as i64, "reason", "reasons");
        weak(ui, &format!("{} unpriced for {reasons} more", format::counted(n, "request", "requests")));
    }
}
