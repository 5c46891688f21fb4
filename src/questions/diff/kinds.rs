//! Rows of a comparison that are no functions: call paths, phases, requests.

use serde_json::json;

use super::{BY, Part, Refusal, Row, Sheet, Sides, bare, words};
use crate::analysis::billing::Bill;
use crate::analysis::diff::list;
use crate::analysis::diff::paths::DiffPaths;
use crate::analysis::diff::requests::{Partners, RequestDiff};
use crate::analysis::diff::{Compared, State, Two};
use crate::analysis::overview::Summary;
use crate::analysis::prices::Charge;
use crate::analysis::steps::Loops;
use crate::format::{self, UNKNOWN, short};
use crate::model::{Profile, RequestId, Unit};

/// Functions of a path that are named, from the end.
const TAIL: usize = 4;

impl Sides<'_> {
    pub(super) fn paths(&self, sheet: &mut Sheet) -> Result<(), Refusal> {
        let diff = self.get(&DiffPaths(self.question()))?;
        let names = self.names()?;
        // Of different measures only shares compare.
        let shares = self.chosen.why_not.is_some();
        let points = |node: u32| {
            let n = diff.node(node);
            list::points(n.own(), diff.sum).filter(|_| n.state().has_change()).unwrap_or(0.0)
        };
        let change = |node: u32| diff.node(node).own_change().unwrap_or(0);
        let mut order: Vec<u32> = (0..diff.len() as u32)
            .filter(|&node| if shares { points(node) != 0.0 } else { change(node) != 0 })
            .collect();
        match shares {
            true => order.sort_by(|&a, &b| points(b).abs().total_cmp(&points(a).abs()).then(a.cmp(&b))),
            false => order.sort_by_key(|&node| (std::cmp::Reverse(change(node).unsigned_abs()), node)),
        }
        let line = |&at: &u32| {
            let node = diff.node(at);
            let path: Vec<u32> = diff.ancestors(at).collect();
            let name = |&n: &u32| self.symbol(&names, diff.node(n).halves.map(|h| h.symbol));
            let mut shown: Vec<String> = path.iter().take(TAIL).map(name).collect();
            shown.reverse();
            let dots = if path.len() > TAIL { "… → " } else { "" };
            let own = node.own();
            let state = match node.state() {
                State::Both => String::new(),
                other => format!(" [{}]", other.key()),
            };
            let figures = match shares {
                true => format!("{} points", format::points(points(at) * 100.0)),
                false => format!(
                    "{} {} → {}",
                    own.delta().map_or_else(|| UNKNOWN.into(), |d| words::signed(self.unit, d)),
                    words::known(self.unit, own.base),
                    words::known(self.unit, own.head),
                ),
            };
            let text = format!("{figures} {dots}{}{state}", shown.join(" → "));
            let delta = own.delta().filter(|_| !shares);
            let json = json!({ "path": shown, "base": own.base, "head": own.head, "delta": delta });
            Row::new(text, json)
        };
        let rows: Vec<Row> = order.iter().take(self.asked.top()).map(line).collect();
        let deltas = order.iter().map(|&node| change(node)).collect();
        if diff.unplaced() > 0 {
            let paths = format::counted(diff.unplaced() as i64, "path is", "paths are");
            sheet.notes.push(format!(
                "{paths} not placed in the other run's estimated call tree, although that makes each of their calls: their change is \
                 not known"
            ));
        }
        if shares {
            let left = order.len();
            let part = Part::new("paths", "Δ share, path; largest changes first", rows);
            sheet.part(part.rest(move |shown| match left - shown {
                0 => String::new(),
                n => format!("… {n} more"),
            }));
            return Ok(());
        }
        sheet.part(self.rest("paths", "Δ self, base → head, path; largest changes first", rows, deltas));
        Ok(())
    }

    /// Loops and phases of both runs, by name.
    pub(super) fn phases(&self, sheet: &mut Sheet) -> Result<(), Refusal> {
        let mut found: Vec<(String, Two<(u64, i64)>)> = Vec::new();
        for base in [true, false] {
            let p = &*self.pair.run(base).profile;
            let loops = self.of_side(base, &Loops(None))?;
            let summary = self.of_side(base, &Summary::default())?;
            let of_loops = loops.iter().map(|l| (l.label(), l.rounds.len() as u64, l.total()));
            let of_phases = summary
                .phases
                .shares
                .iter()
                .map(|s| (bare(p.function_name(s.function)).into_owned(), s.count, s.total));
            for (name, count, total) in of_loops.chain(of_phases) {
                let at = match found.iter().position(|f| f.0 == name) {
                    Some(at) => at,
                    None => {
                        found.push((name, Two::default()));
                        found.len() - 1
                    }
                };
                let side = if base { &mut found[at].1.base } else { &mut found[at].1.head };
                *side = Some((count, total));
            }
        }
        let change = |two: &Two<(u64, i64)>| two.map(|t| t.1).delta().unwrap_or(0);
        found.sort_by_key(|f| std::cmp::Reverse(change(&f.1).unsigned_abs()));
        let row = |(name, two): &(String, Two<(u64, i64)>)| {
            let total = two.map(|t| t.1);
            let side = |s: Option<(u64, i64)>| match s {
                None => UNKNOWN.to_owned(),
                Some((1, t)) => words::time(t),
                Some((n, t)) => format!("{n} × = {}", words::time(t)),
            };
            let text = format!(
                "{} {} → {} {} {}",
                total.delta().map_or_else(|| UNKNOWN.into(), |d| words::signed(Unit::Nanoseconds, d)),
                side(two.base),
                side(two.head),
                words::change(total.relative()),
                short(name, 80)
            );
            let json = json!({
                "name": name, "base_ns": total.base, "head_ns": total.head,
                "count": { "base": two.base.map(|t| t.0), "head": two.head.map(|t| t.0) },
            });
            Row::new(text, json)
        };
        let rows: Vec<Row> = found.iter().take(self.asked.top()).map(row).collect();
        let wanted = self.asked.values.choice(&BY) == "phase";
        if rows.is_empty() && wanted {
            sheet.notes.push("neither run has phases or rounds of a loop".into());
        }
        sheet.part(Part::new("phases", "phases: Δ, base → head", rows).least(4));
        Ok(())
    }

    pub(super) fn requests(&self, sheet: &mut Sheet) -> Result<(), Refusal> {
        let profiles = (&*self.pair.base.profile, &*self.pair.head.profile);
        let bill = Bill { prices: self.asked.prices.clone() };
        let bills = [self.of_side(true, &bill)?, self.of_side(false, &bill)?];
        let Some(diff) = RequestDiff::of((profiles.0, &bills[0]), (profiles.1, &bills[1])) else {
            return Err("neither run has requests to language models".into());
        };
        let whole = bills.each_ref().map(|bill| bill.all.cost_text().unwrap_or_else(|| UNKNOWN.to_owned()));
        sheet.head.push(format!(
            "requests {} → {}, ended well {} → {}; cost of the priced ones {} → {}; like for like ({} priced pairs that ended well) {} → {}",
            diff.count.base.unwrap_or(0),
            diff.count.head.unwrap_or(0),
            diff.ok.base.unwrap_or(0),
            diff.ok.head.unwrap_or(0),
            whole[0],
            whole[1],
            diff.priced_like_for_like,
            format::money_or_unknown(diff.cost_like_for_like.base),
            format::money_or_unknown(diff.cost_like_for_like.head),
        ));
        sheet.head.push(format!("TTFT: {}; latency: {}", diff.ttft.words(), diff.latency.words()));
        let request = |base: bool, id: Option<RequestId>| {
            let p = &*self.pair.run(base).profile;
            id.and_then(|id| p.requests.get(id)).map(|r| (p, r))
        };
        let line = |Partners { ids: two, .. }: &Partners| {
            let (b, h) = (request(true, two.base), request(false, two.head));
            let (p, r) = h.or(b)?;
            let name = short(p.text(r.name), 60).into_owned();
            let time = |s: Option<(&Profile, &crate::model::Request)>| {
                words::known(Unit::Nanoseconds, s.and_then(|s| s.1.latency()))
            };
            let cost = |base: bool, id: Option<RequestId>| {
                let charge = id.and_then(|id| bills[usize::from(!base)].charges.get(id.index()));
                charge.map_or_else(|| UNKNOWN.to_owned(), Charge::cost_text)
            };
            let state = |s: Option<(&Profile, &crate::model::Request)>| {
                s.map_or("absent", |s| words::outcome(s.1.outcome))
            };
            let text = format!(
                "{} → {} {} → {} {} → {} {name}",
                time(b),
                time(h),
                cost(true, two.base),
                cost(false, two.head),
                state(b),
                state(h)
            );
            let json = json!({ "name": name, "outcome": { "base": state(b), "head": state(h) } });
            Some(Row::new(text, json))
        };
        let rows: Vec<Row> = diff.rows.iter().filter_map(line).take(self.asked.top()).collect();
        sheet.part(Part::new("requests", "latency, cost, outcome, name", rows));
        Ok(())
    }
}
