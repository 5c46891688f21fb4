//! What the requests of two runs cost.

use std::collections::BTreeSet;

use egui::Ui;

use super::machine::{Machine, Paid};
use super::question;
use crate::analysis::components::{Component, Components, PromptComponents};
use crate::analysis::definitions as say;
use crate::analysis::diff::requests::{Change, DiffRequests, FigureDiff, RequestRow};
use crate::analysis::diff::{State, Two};
use crate::analysis::energy::{Energy, Used};
use crate::analysis::request_facets::Facet;
use crate::analysis::requests::RequestColumn;
use crate::analysis::spending::{Group, Spent};
use crate::format;
use crate::model::{Better, Money, Unit};
use crate::state::Item;
use crate::ui::theme::{Palette, space};
use crate::views::shared::board::above;
use crate::views::shared::figures::{Line, TwoFigure, show_lines, signed_figures};
use crate::views::shared::grid::GridState;
use crate::views::shared::requests::value_text;
use crate::views::shared::two::{self, TwoRow, TwoSort, TwoTable};
use crate::views::{View, ViewCx, parts, shared};

/// The view.
#[derive(Default)]
pub struct DiffCost {
    by: Facet,
    /// Prices of a machine of one's own, as typed.
    machine: Machine,
    sort: TwoSort,
    grid: GridState,
}

impl View for DiffCost {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        shared::header(ui, |ui| {
            shared::requests::always_group_by(cx, ui, &mut self.by);
            shared::requests::filters(cx, ui);
        });
        let asked = question(cx, self.by);
        let Some([base_spent, head_spent]) = cx.both(ui, &asked, 0, "Adding up costs") else { return };
        let both = [&*base_spent, &*head_spent];
        let pairs = DiffRequests { figure: RequestColumn::Cost, asked: cx.asked() };
        let pairs = cx.ask_pair(&pairs, 2).beside();
        let parts = cx.both_beside(&PromptComponents { asked: cx.asked() }, 6);
        let parts = components([parts[0].as_deref(), parts[1].as_deref()]);
        let range = cx.interaction.range;
        let used = cx.both_beside(&Energy(range), 8).map(|used| used.and_then(|used| (*used).clone()));
        let elapsed =
            [&pair.base, &pair.head].map(|run| range.map(|(a, b)| b - a).or_else(|| run.profile.elapsed()));
        above(ui, "sums", |ui| {
            sums(ui, both, pairs.as_deref(), &parts);
            ui.add_space(space::MEDIUM);
            self.machine.fields(ui);
            on_a_machine(ui, &self.machine, [0, 1].map(|i| (elapsed[i], used[i].as_ref(), both[i])));
        });
        ui.scope(|ui| {
            let mut rows = rows(cx, both);
            two::sort(&mut rows, self.sort, true);
            let what = self.by.title();
            let table = TwoTable {
                salt: "cost of two",
                name: "Costs of both runs",
                cost: "Cost",
                count: "Requests",
                what: &what,
                units: [Unit::NanoDollars; 2],
                better: Better::Lower,
                subtracts: true,
                adds_up: true,
                per: "",
                rows: &rows,
                sort: self.sort,
                pair: &pair,
            };
            let happened = table.show(cx, ui, &mut self.grid, &mut self.sort);
            if let Some(item) = happened.clicked.and_then(|row| rows[row].item.clone()) {
                cx.send(crate::state::Command::Select(Some(item)));
            }
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "by": self.by, "sort": self.sort, "machine": self.machine })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.by = shared::kept(saved, "by").unwrap_or_default();
        self.sort = shared::kept(saved, "sort").unwrap_or_default();
        self.machine = shared::kept(saved, "machine").unwrap_or_default();
    }
}

/// What the requests cost that ended well in both runs, and how many those are.
fn like_for_like(pairs: &FigureDiff) -> (usize, Two<i64>) {
    let compared =
        |r: &&RequestRow| !matches!(r.change, Change::NotComparable | Change::OnlyBase | Change::OnlyHead);
    let (mut n, mut sums) = (0, [0.0, 0.0]);
    for row in pairs.rows.iter().filter(compared) {
        n += 1;
        sums[0] += row.values.base.unwrap_or(0.0);
        sums[1] += row.values.head.unwrap_or(0.0);
    }
    (n, Two::both(sums[0].round() as i64, sums[1].round() as i64))
}

/// Sums over all requests, and first over those that compare like for like.
fn sums(ui: &mut Ui, [base, head]: [&Spent; 2], pairs: Option<&FigureDiff>, parts: &[(String, Two<i64>)]) {
    let of = |value: &dyn Fn(&Group) -> Option<i64>| Two {
        base: base.known().and_then(value),
        head: head.known().and_then(value),
    };
    let money = |value: fn(&Group) -> Option<Money>| of(&|g| value(g).map(Money::nano));
    let part = |value: fn(&Group) -> Money| of(&|g| g.sums.cost.map(|_| value(g).nano()));
    let dollars = |value: fn(&Group) -> Option<f64>| of(&|g| value(g).map(|d| (d * 1e9).round() as i64));
    let count = |value: fn(&Group) -> u64| of(&|g| Some(value(g) as i64));
    let (d, n) = (Unit::NanoDollars, Unit::Count);
    let figures = [
        ("Cost", d, money(|g| g.sums.cost), say::COST),
        ("Per request", d, dollars(Group::per_request), "Cost ÷ requests that have one."),
        ("Per answer", d, dollars(Group::per_answer), say::PER_ANSWER),
        ("Input", d, part(|g| g.parts.input), "Uncached input, by list prices."),
        ("Cache reads", d, part(|g| g.parts.cache_read), say::CACHE_READ),
        ("Cache writes", d, part(|g| g.parts.cache_write), "Input written to a prompt cache."),
        ("Output", d, part(|g| g.parts.output), say::OUTPUT),
        ("Input tokens", n, count(|g| g.sums.prompt()), say::PROMPT),
        ("Output tokens", n, count(|g| g.sums.output), say::OUTPUT),
        ("Requests", n, count(|g| g.sums.requests as u64), "In the chosen range, found by the search."),
        ("Unpriced", n, count(|g| g.sums.unpriced as u64), say::UNPRICED),
    ];
    let told = figures.into_iter().filter(|f| f.2.base.unwrap_or(0) != 0 || f.2.head.unwrap_or(0) != 0);
    let told = told.map(|(name, unit, values, about)| TwoFigure { name, unit, values, about });
    let like = pairs.map(like_for_like);
    let others = pairs.map_or(0, |pairs| pairs.rows.len()) - like.map_or(0, |(n, _)| n);
    let title = like.map(|(n, _)| format!("Like for like, {}", format::counted(n as i64, "pair", "pairs")));
    let about = "Cost of the requests that both runs have and that ended well in both";
    let like = like.zip(title.as_deref()).filter(|((n, _), _)| *n > 0 && others > 0);
    let like = like.map(|((_, values), name)| TwoFigure { name, unit: d, values, about });
    let compares = like.is_some();
    let of_parts = parts.iter().map(|(name, values)| TwoFigure {
        name,
        unit: d,
        values: *values,
        about: say::COMPONENT_COSTS,
    });
    // Sums of money, but for those of pairs, lack what is unpriced.
    let signs = [base.all.sums.sign(), head.all.sums.sign()];
    let signs_of = |figure: &TwoFigure<'_>| {
        let is_sum = figure.unit == d && !figure.name.starts_with("Per ");
        if is_sum { signs } else { ["", ""] }
    };
    let told = told.map(|figure| {
        let signs = signs_of(&figure);
        (figure, signs)
    });
    let like = like.into_iter().map(|figure| (figure, ["", ""]));
    signed_figures(ui, like.chain(told).chain(of_parts.map(|figure| (figure, ["", ""]))));
    for currency in
        base.all.sums.elsewhere.keys().chain(head.all.sums.elsewhere.keys()).collect::<BTreeSet<_>>()
    {
        let sum = |spent: &Spent| {
            let sum = spent.all.sums.elsewhere.get(currency);
            sum.map_or_else(|| format::UNKNOWN.to_owned(), ToString::to_string)
        };
        parts::remark(ui, &format!("{currency}: {} → {}, in no sum of dollars.", sum(base), sum(head)));
    }
    if compares {
        let n = format::counted(others as i64, "request has", "requests have");
        parts::remark(
            ui,
            &format!(
                "{n} no partner that ended well, or no price: the sums of the runs are not of the same requests."
            ),
        );
    } else if base.all.sums.unpriced + head.all.sums.unpriced > 0 {
        parts::remark(
            ui,
            "Unpriced requests are in no sum, so costs of the runs are not of the same requests.",
        );
    }
}

/// What both runs cost on a machine of one's own, and the energy that they took, where that is known.
fn on_a_machine(ui: &mut Ui, machine: &Machine, runs: [(Option<i64>, Option<&Used>, &Spent); 2]) {
    let palette = Palette::of(ui);
    let [base, head] = runs.map(|(elapsed, used, spent)| machine.paid(elapsed, used, spent));
    let money = |name, of: fn(&Paid) -> Option<f64>| {
        let values = Two { base: of(&base), head: of(&head) };
        (values.base.is_some() || values.head.is_some()).then(|| machine.line(name, values, palette))
    };
    let joules = Two { base: runs[0].1, head: runs[1].1 }.map(|used| used.joules / 3600.0);
    let of_token = Two { base: base.of_token, head: head.of_token };
    let number = |name, values: Two<f64>| {
        let known = values.base.is_some() || values.head.is_some();
        known.then(|| Line::number(name, values, say::MACHINE, palette))
    };
    let lines = [
        money("The run, by the hour", |paid| paid.hour[0]),
        money("An answer", |paid| paid.hour[1]),
        money("1 M output tokens", |paid| paid.hour[2]),
        number("Energy, Wh", joules),
        money("Electricity", |paid| paid.energy[0]),
        money("… of an answer", |paid| paid.energy[1]),
        number("Energy of a token, J", of_token),
    ];
    let lines: Vec<Line<'_>> = lines.into_iter().flatten().collect();
    if lines.is_empty() {
        parts::remark(
            ui,
            "For a model on a machine of yours: type what it costs. No power was measured in either run.",
        );
        return;
    }
    show_lines(ui, &[Line::heading(palette)].into_iter().chain(lines).collect::<Vec<_>>());
    parts::remark(ui, say::MACHINE);
}

/// What the parts of prompts cost in both, with their names.
fn components(both: [Option<&Components>; 2]) -> Vec<(String, Two<i64>)> {
    let of = |found: Option<&Components>, which| {
        let sum = found?.sums.iter().find(|s| s.component == which)?;
        sum.cost.map(|cost| (cost * 1e9).round() as i64)
    };
    let rows =
        Component::ALL.map(|which| (which, Two { base: of(both[0], which), head: of(both[1], which) }));
    let told = rows.into_iter().filter(|r| r.1.base.is_some() || r.1.head.is_some());
    told.map(|(part, values)| (format!("≈ {}", format::capitalised(part.name())), values)).collect()
}

/// Groups by their names.
fn rows(cx: &ViewCx<'_>, [base, head]: [&Spent; 2]) -> Vec<TwoRow> {
    let profiles = cx.subject.pair().map(|p| (p.base.profile.clone(), p.head.profile.clone()));
    let Some((in_base, in_head)) = profiles else { return Vec::new() };
    let find = |spent: &'_ Spent, name: &str| spent.groups.iter().position(|g| g.name == name);
    let alone = base.groups.iter().filter(|g| find(head, &g.name).is_none());
    let names = head.groups.iter().chain(alone).map(|g| g.name.clone());
    names
        .map(|name| {
            let of = |spent: &Spent| find(spent, &name).map(|i| spent.groups[i].clone());
            let sides = Two { base: of(base), head: of(head) };
            let cost = |g: &Option<Group>| g.as_ref().and_then(|g| g.sums.cost).map(|m| m.to_f64() * 1e9);
            let count = |g: &Option<Group>| g.as_ref().map(|g| g.sums.requests as i64);
            let item = match (&sides.head, &sides.base) {
                (Some(g), _) => g.first.map(|id| Item::of_request(id, &in_head)),
                (None, Some(g)) => g.first.map(|id| Item::of_request(id, &in_base)),
                (None, None) => None,
            };
            TwoRow {
                name: value_text(&name, 200),
                costs: Two { base: cost(&sides.base), head: cost(&sides.head) },
                counts: Two { base: count(&sides.base), head: count(&sides.head) },
                state: sides.state().unwrap_or(State::Both),
                function: None,
                item,
                about: String::new(),
            }
        })
        .collect()
}
