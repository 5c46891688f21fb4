//! What caches did in two runs.

use std::sync::Arc;

use egui::Ui;

use super::question;
use crate::analysis::cache_keys::{CacheKeys, KeyFacts};
use crate::analysis::caches::{CacheFigures, CacheKind};
use crate::analysis::diff::Two;
use crate::model::Unit;
use crate::views::parts::{card, weak};
use crate::views::shared::board::{Board, scrolled};
use crate::views::shared::caches::title;
use crate::views::shared::figures::{TwoFigure, two_figures};
use crate::views::{View, ViewCx, shared};

/// The view.
#[derive(Default)]
pub struct DiffCaches {
    board: Board,
}

const KINDS: [CacheKind; 3] = [CacheKind::Answers, CacheKind::Prompt, CacheKind::Kv];

impl View for DiffCaches {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| shared::requests::filters(cx, ui));
        let asked = question(cx);
        let Some([in_base, in_head]) = cx.both(ui, &asked, 0, "Counting hits") else { return };
        let find = |all: &[CacheFigures], kind| all.iter().find(|c| c.kind == kind).copied();
        let kinds: Vec<(CacheKind, Two<CacheFigures>)> = KINDS
            .into_iter()
            .map(|kind| (kind, Two { base: find(&in_base, kind), head: find(&in_head, kind) }))
            .filter(|(_, both)| both.base.is_some() || both.head.is_some())
            .collect();
        let asked = CacheKeys { asked: cx.asked() };
        let keys = cx.both_beside(&asked, 4);
        let stated = keys.iter().flatten().any(|k| k.stated > 0);
        if kinds.is_empty() {
            weak(ui, "No request of either run says anything of a cache.");
            return;
        }
        scrolled(ui, |ui| {
            self.board.show(ui, kinds.len() + usize::from(stated), |i, ui| match kinds.get(i) {
                Some((kind, both)) => card(ui, title(*kind), |ui| figures(ui, both)),
                None => card(ui, "Keys of the cache of answers", |ui| key_figures(ui, &keys)),
            });
        });
    }
}

fn key_figures(ui: &mut Ui, [base, head]: &[Option<Arc<KeyFacts>>; 2]) {
    let of = |value: fn(&KeyFacts) -> usize| {
        let one =
            |keys: &Option<Arc<KeyFacts>>| keys.as_ref().filter(|k| k.stated > 0).map(|k| value(k) as i64);
        Two { base: one(base), head: one(head) }
    };
    let rows = [
        ("Requests with a key", of(|k| k.stated), "Requests that state the key they were looked up under."),
        ("Keys", of(|k| k.distinct), "Different ones."),
        (
            "Unstable",
            of(|k| k.unstable.len()),
            "Same model and prompt, several keys: the cache misses what it has.",
        ),
        (
            "Collisions",
            of(|k| k.collisions.len()),
            "One key, several prompts: somebody gets the answer to another request.",
        ),
        (
            "Missing fields",
            of(|k| k.missing().len()),
            "Fields that an answer depends on and the key does not hold.",
        ),
    ];
    two_figures(ui, rows.map(|(name, values, about)| TwoFigure { name, unit: Unit::Count, values, about }));
}

fn figures(ui: &mut Ui, both: &Two<CacheFigures>) {
    let of = |value: &dyn Fn(&CacheFigures) -> Option<i64>| Two {
        base: both.base.as_ref().and_then(value),
        head: both.head.as_ref().and_then(value),
    };
    let whole = |value: Option<f64>| value.map(|v| v.round() as i64);
    let rate = of(&|c| whole(c.hit_rate.map(|r| r * 100_000.0)));
    let answers = both.base.or(both.head).is_some_and(|c| c.kind == CacheKind::Answers);
    let mut figures = vec![
        ("Hit rate", Unit::MilliPercent, rate),
        ("Hits", Unit::Count, of(&|c| Some(c.hits as i64))),
        ("Misses", Unit::Count, of(&|c| Some(c.misses as i64))),
    ];
    if answers {
        figures.insert(2, ("of these exact", Unit::Count, of(&|c| Some(c.exact as i64))));
    }
    let times = if answers { ["Latency of a hit", "of a miss"] } else { ["TTFT of a hit", "of a miss"] };
    figures.extend([
        (times[0], Unit::Nanoseconds, of(&|c| whole(c.hit_latency))),
        (times[1], Unit::Nanoseconds, of(&|c| whole(c.miss_latency))),
        ("Time saved", Unit::Nanoseconds, of(&|c| whole(c.saved_latency()))),
        ("Tokens saved", Unit::Count, of(&|c| c.saved_tokens.map(|n| n as i64))),
        ("Money saved", Unit::NanoDollars, of(&|c| c.saved_cost.map(crate::model::Money::nano))),
    ]);
    let age = of(&|c| whole(c.age.map(|age| age.p50)));
    if age.base.is_some() || age.head.is_some() {
        figures.push(("Age at a hit (median)", Unit::Nanoseconds, age));
    }
    let definition = both.base.or(both.head).map_or("", |c| c.kind.definition());
    two_figures(
        ui,
        figures.into_iter().map(|(name, unit, values)| TwoFigure { name, unit, values, about: definition }),
    );
}
