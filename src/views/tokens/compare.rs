//! Tokens of the requests of two runs.

use std::sync::Arc;

use egui::Ui;

use super::prompts::sign;
use super::question;
use crate::analysis::billing::Sums;
use crate::analysis::components::{Component, ComponentSum, Components, PromptComponents};
use crate::analysis::definitions as say;
use crate::analysis::diff::Two;
use crate::analysis::overview::Distribution;
use crate::analysis::request_facets::Facet;
use crate::analysis::spending::Spent;
use crate::analysis::token_facts::{Facts, TokenFacts};
use crate::model::Unit;
use crate::views::parts::{card, remark};
use crate::views::shared::board::{Board, scrolled};
use crate::views::shared::figures::{TwoFigure, signed_figures};
use crate::views::shared::requests::value_text;
use crate::views::{View, ViewCx, shared};

/// The view.
#[derive(Default)]
pub struct DiffTokens {
    by: Facet,
    board: Board,
}

impl View for DiffTokens {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| {
            shared::requests::always_group_by(cx, ui, &mut self.by);
            shared::requests::filters(cx, ui);
        });
        let asked = question(cx, self.by);
        let facts = TokenFacts { asked: cx.asked() };
        let spent = cx.both(ui, &asked, 0, "Adding up tokens");
        let facts = cx.both(ui, &facts, 1, "Counting tokens");
        let (Some(spent), Some(facts)) = (spent, facts) else { return };
        let parts = PromptComponents { asked: cx.asked() };
        let parts = cx.both_beside(&parts, 2);
        let kept = parts.iter().flatten().any(|p| p.kept > 0);
        let (spent, facts) = (spent.each_ref().map(|of| &**of), facts.each_ref().map(|of| &**of));
        let by = self.by.name();
        scrolled(ui, |ui| {
            self.board.show(ui, if kept { 4 } else { 3 }, |i, ui| match i {
                3 => card(ui, "What prompts are made of", |ui| components(ui, &parts)),
                0 => card(ui, "Classes", |ui| classes(ui, spent, facts)),
                1 => card(ui, "Sizes", |ui| sizes(ui, facts)),
                _ => card(ui, &format!("Input and output by {by}"), |ui| groups(ui, spent)),
            });
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "by": self.by })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.by = shared::kept(saved, "by").unwrap_or_default();
    }
}

/// Tokens by part of the prompts; what is the same as before is named apart.
fn components(ui: &mut Ui, [base, head]: &[Option<Arc<Components>>; 2]) {
    let of = |side: &Option<Arc<Components>>, component, value: fn(&ComponentSum) -> f64| {
        let sums = &side.as_ref()?.sums;
        Some(sums.iter().find(|s| s.component == component).map_or(0, |s| value(s).round() as i64))
    };
    let mut rows = Vec::new();
    for component in Component::ALL {
        let two = |value| Two { base: of(base, component, value), head: of(head, component, value) };
        let sign = |side: &Option<Arc<Components>>| side.as_ref().map_or("", |c| sign(c, component));
        let signs = [sign(base), sign(head)];
        rows.push((component.name().to_owned(), two(|s| s.tokens), signs));
        rows.push((format!("{}, as before", component.name()), two(|s| s.fixed), ["≈ "; 2]));
    }
    let told = rows.iter().filter(|r| r.1.base.unwrap_or(0) + r.1.head.unwrap_or(0) > 0);
    let about = say::COMPONENTS;
    let figure = |name, values| TwoFigure { name, unit: Unit::Count, values, about };
    signed_figures(ui, told.map(|(name, values, signs)| (figure(name, *values), *signs)));
}

fn classes(ui: &mut Ui, [base, head]: [&Spent; 2], facts: [&Facts; 2]) {
    let signs = facts.map(Facts::sign);
    let side = |spent: &Spent, value: fn(&Sums) -> u64| spent.known().map(|all| value(&all.sums) as i64);
    let of = |value: fn(&Sums) -> u64| Two { base: side(base, value), head: side(head, value) };
    let rows = [
        ("Uncached input", of(|s| s.input), "Input tokens that no cache held."),
        ("Read from cache", of(|s| s.cache_read), say::CACHE_READ),
        (
            "Written to cache",
            of(|s| s.cache_write_5m.saturating_add(s.cache_write_1h)),
            "Input tokens written to a prompt cache.",
        ),
        ("All input", of(Sums::prompt), say::PROMPT),
        ("Output", of(|s| s.output), say::OUTPUT),
        ("Of it reasoning", of(|s| s.reasoning), "Output tokens before the answer itself."),
        ("Requests", of(|s| s.requests as u64), "In the chosen range, found by the search."),
        ("Incomplete", of(|s| s.incomplete as u64), "Requests of which a count is a lower bound or unknown."),
    ];
    let told = rows.into_iter().filter(|r| r.1.base.unwrap_or(0) + r.1.head.unwrap_or(0) != 0);
    let of_tokens = |name: &str| if matches!(name, "Requests" | "Incomplete") { ["", ""] } else { signs };
    signed_figures(
        ui,
        told.map(|(name, values, about)| {
            (TwoFigure { name, unit: Unit::Count, values, about }, of_tokens(name))
        }),
    );
    if signs.iter().any(|sign| !sign.is_empty()) {
        remark(ui, say::SIGNS);
    }
}

fn sizes(ui: &mut Ui, [base, head]: [&Facts; 2]) {
    type Statistic = (&'static str, fn(&Distribution) -> f64);
    type Kind = (&'static str, fn(&Facts) -> Option<Distribution>);
    let statistics: [Statistic; 3] = [("p50", |d| d.p50), ("p95", |d| d.p95), ("largest", |d| d.max)];
    let kinds: [Kind; 2] = [("Prompt", |f| f.prompt), ("Output", |f| f.output)];
    let mut rows = Vec::new();
    for (kind, distribution) in kinds {
        for (name, value) in statistics {
            let of = |facts: &Facts| distribution(facts).map(|d| value(&d).round() as i64);
            rows.push((format!("{kind} {name}"), Two { base: of(base), head: of(head) }));
        }
    }
    let told = rows.iter().filter(|r| r.1.base.is_some() || r.1.head.is_some());
    let signs = [base, head].map(Facts::sign);
    let about = "Tokens of one request.";
    signed_figures(
        ui,
        told.map(|(name, values)| (TwoFigure { name, unit: Unit::Count, values: *values, about }, signs)),
    );
}

/// Groups that are listed.
const GROUPS: usize = 12;

fn groups(ui: &mut Ui, [base, head]: [&Spent; 2]) {
    let mut names: Vec<&str> = Vec::new();
    for group in head.groups.iter().chain(&base.groups) {
        if !names.contains(&group.name.as_str()) {
            names.push(&group.name);
        }
    }
    let tokens = |spent: &Spent, name: &str| {
        let group = spent.groups.iter().find(|g| g.name == name)?;
        group.figures.as_ref()?.all_tokens()
    };
    let texts: Vec<String> = names.iter().take(GROUPS).map(|name| value_text(name, 60)).collect();
    let rows = names.into_iter().zip(&texts).map(|(name, text)| {
        let [base, head] = [base, head].map(|spent| tokens(spent, name));
        let values = Two { base, head }.map(|(n, _)| n as i64);
        let about = "Input and output tokens.";
        let figure = TwoFigure { name: text, unit: Unit::Count, values, about };
        (figure, [base, head].map(|of| of.map_or("", |(_, sign)| sign)))
    });
    signed_figures(ui, rows);
}
