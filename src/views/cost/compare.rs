//! What the requests of two runs cost.

use std::collections::BTreeSet;

use egui::{Ui, UiBuilder};

use super::question;
use crate::analysis::definitions as say;
use crate::analysis::diff::{State, Two};
use crate::analysis::request_facets::Facet;
use crate::analysis::spending::{Group, Spent};
use crate::format;
use crate::model::{Better, Money, Unit};
use crate::state::Item;
use crate::ui::theme::space;
use crate::views::shared::board::scrolled;
use crate::views::shared::figures::{TwoFigure, two_figures};
use crate::views::shared::grid::GridState;
use crate::views::shared::requests::value_text;
use crate::views::shared::two::{self, TwoRow, TwoSort, TwoTable};
use crate::views::{View, ViewCx, parts, shared};

/// The view.
#[derive(Default)]
pub struct DiffCost {
    by: Facet,
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
        let area = ui.available_rect_before_wrap();
        let split = area.top() + (area.height() * 0.5).clamp(80.0, 236.0);
        let (above, below) = (area.with_max_y(split - space::SMALL), area.with_min_y(split + space::SMALL));
        ui.scope_builder(UiBuilder::new().max_rect(above).id_salt("sums"), |ui| {
            scrolled(ui, |ui| {
                sums(ui, both);
            });
        });
        ui.scope_builder(UiBuilder::new().max_rect(below).id_salt("groups"), |ui| {
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
        serde_json::json!({ "by": self.by, "sort": self.sort })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.by = shared::kept(saved, "by").unwrap_or_default();
        self.sort = shared::kept(saved, "sort").unwrap_or_default();
    }
}

/// Sums over all requests.
fn sums(ui: &mut Ui, [base, head]: [&Spent; 2]) {
    let of = |value: &dyn Fn(&Group) -> Option<i64>| Two { base: value(&base.all), head: value(&head.all) };
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
    two_figures(ui, told.map(|(name, unit, values, about)| TwoFigure { name, unit, values, about }));
    for currency in
        base.all.sums.elsewhere.keys().chain(head.all.sums.elsewhere.keys()).collect::<BTreeSet<_>>()
    {
        let sum = |spent: &Spent| {
            let sum = spent.all.sums.elsewhere.get(currency);
            sum.map_or_else(|| format::UNKNOWN.to_owned(), ToString::to_string)
        };
        parts::remark(ui, &format!("{currency}: {} → {}, in no sum of dollars.", sum(base), sum(head)));
    }
    if base.all.sums.unpriced + head.all.sums.unpriced > 0 {
        parts::remark(
            ui,
            "Unpriced requests are in no sum, so costs of the runs are not of the same requests.",
        );
    }
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
            }
        })
        .collect()
}
