//! `diff`: what changed between two runs.

mod kinds;

use rustc_hash::FxHashMap;
use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, TOP};
use super::names::Names;
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, words};
use crate::analysis::billing::Bill;
use crate::analysis::diff::functions::{DiffFunctions, FunctionDiff, Measured};
use crate::analysis::diff::headline;
use crate::analysis::diff::metrics::{Chosen, Metrics};
use crate::analysis::diff::paths::{DiffMoved, DiffPaths};
use crate::analysis::diff::requests::RequestDiff;
use crate::analysis::diff::{Compared, State, Two, functions, list, settings};
use crate::analysis::matches::MatchQuery;
use crate::analysis::overview::Summary;
use crate::analysis::path::Symbol;
use crate::analysis::{Functions, Scope, Slice};
use crate::format::{self, bare, short};
use crate::model::{FunctionId, Profile, SymbolKey, Unit};
use crate::query::{Alignment, MatchRule, Pair, Query, Step};

const BY: Argument =
    Argument::new("by", Kind::Choice(&["function", "path", "phase", "request"]), "what rows are");

pub(super) const QUESTION: Question = Question {
    name: "diff",
    about: "What takes more and what takes less in a second run",
    files: &["base", "head"],
    arguments: &[
        BY,
        TOP,
        Argument::new("metric", Kind::Text, "costs in this metric, which both have"),
        BUDGET_OF,
    ],
    bare: "",
    example: "inferscope diff before.prof after.prof --budget 800",
    answer,
};

/// Settings that differ and are named.
const SETTINGS: usize = 3;

/// Warnings of a file that are told.
const WARNINGS: usize = 2;

/// Both runs, paired.
struct Sides<'a> {
    asked: &'a Asked<'a>,
    pair: Pair,
    /// Pairs of which only numbers or arguments in the name differ.
    renamed: Vec<(SymbolKey, SymbolKey)>,
    chosen: Chosen,
    unit: Unit,
    label: String,
}

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let sides = Sides::of(asked)?;
    let mut sheet = sides.sheet()?;
    match asked.values.choice(&BY) {
        "path" => sides.paths(&mut sheet)?,
        "phase" => sides.phases(&mut sheet)?,
        "request" => sides.requests(&mut sheet)?,
        _ => {
            sides.phases(&mut sheet)?;
            sides.functions(&mut sheet)?;
        }
    }
    Ok(sheet)
}

impl<'a> Sides<'a> {
    fn of(asked: &'a Asked<'a>) -> Result<Self, Refusal> {
        let [base, head] = asked.files else { return Err("diff compares two files".into()) };
        // Numbers among template arguments: sizes that were chosen for the input, not another function.
        let numbers = MatchRule { pattern: r"\b\d+(?:ul|u|l)?\b".into(), with: "#".into() };
        let alignment = Alignment { rules: vec![numbers], ..Alignment::default() };
        let mut pair = Pair { alignment, ..Pair::of(base.run.clone(), head.run.clone()) };
        let profiles = (&*base.run.profile, &*head.run.profile);
        let matches = asked.engine.now(&pair, &MatchQuery, asked.job)?;
        // Of the rest: what is the only one left of its template on both sides.
        let left = |p: &Profile, taken: &dyn Fn(FunctionId) -> bool| {
            let mut left: FxHashMap<String, Vec<FunctionId>> = FxHashMap::default();
            for f in p.functions.ids().filter(|&f| !taken(f)) {
                let name = p.function_name(f);
                let short = bare(name);
                if short != name && short.contains('…') {
                    left.entry(short.into_owned()).or_default().push(f);
                }
            }
            left
        };
        let bases = left(profiles.0, &|f| matches.to_head(f).is_some());
        let mut heads = left(profiles.1, &|f| matches.to_base(f).is_some());
        for (name, of_base) in bases {
            if let ([b], Some([h])) = (&of_base[..], heads.remove(&name).as_deref()) {
                pair.alignment.by_hand.push((profiles.0.keys().symbol(*b), profiles.1.keys().symbol(*h)));
            }
        }
        pair.alignment.by_hand.sort_by_key(|p| p.0.name.to_string());
        let metrics = Metrics::of(profiles.0, profiles.1);
        let chosen = metrics.choose(profiles.0, profiles.1, asked.values.text("metric"))?;
        let [_, measure] = chosen.measures(profiles.0, profiles.1);
        let renamed = pair.alignment.by_hand.clone();
        Ok(Self { asked, pair, renamed, chosen, unit: measure.unit, label: measure.label })
    }

    fn get<Q: Query<Pair>>(&self, query: &Q) -> Result<std::sync::Arc<Q::Output>, Refusal> {
        Ok(self.asked.engine.now(&self.pair, query, self.asked.job)?)
    }

    fn of_side<Q: Query>(&self, base: bool, query: &Q) -> Result<std::sync::Arc<Q::Output>, Refusal> {
        Ok(self.asked.engine.now(self.pair.run(base), query, self.asked.job)?)
    }

    fn question(&self) -> DiffFunctions {
        DiffFunctions { scope: Scope::default(), metric: self.chosen.clone(), range: None }
    }

    /// What is compared, how sure it is, what differs besides.
    fn sheet(&self) -> Result<Sheet, Refusal> {
        let diff = self.get(&self.question())?;
        let elapsed = Two {
            base: self.of_side(true, &Summary::default())?.elapsed,
            head: self.of_side(false, &Summary::default())?.elapsed,
        };
        let change = |two: Two<i64>| {
            two.relative().map_or_else(String::new, |r| format!(" ({})", words::change(Some(r))))
        };
        let both = |two: Two<i64>, unit| {
            format!("{} → {}{}", words::known(unit, two.base), words::known(unit, two.head), change(two))
        };
        let of = match &self.chosen.why_not {
            None => format!("Δ = head − base of self {}, summed {}", self.label, both(diff.sum, self.unit)),
            Some(_) => "Δ = head − base of shares of self costs, in points".to_owned(),
        };
        let head = format!("{of}; elapsed {}", both(elapsed, Unit::Nanoseconds));
        let mut sheet = Sheet::new(head, self.asked.budget());
        sheet.value("unit", self.unit.key());
        sheet.value("sum", json!({ "base": diff.sum.base, "head": diff.sum.head }));
        sheet.value("elapsed_ns", json!({ "base": elapsed.base, "head": elapsed.head }));
        let measured = |base: bool| -> Result<Vec<Measured>, Refusal> {
            let metric = if base { self.chosen.base } else { self.chosen.head };
            let table = self.of_side(base, &Functions(Slice::whole(metric)))?;
            Ok(vec![Measured { profile: self.pair.run(base).profile.clone(), table }])
        };
        let profiles = (&*self.pair.base.profile, &*self.pair.head.profile);
        let [_, metric] = self.chosen.measures(profiles.0, profiles.1);
        let bill = Bill { prices: self.asked.prices.clone() };
        let bills = [self.of_side(true, &bill)?, self.of_side(false, &bill)?];
        let requests = RequestDiff::of((profiles.0, &bills[0]), (profiles.1, &bills[1]));
        let times = [vec![elapsed.base], vec![elapsed.head]];
        let said = headline::words(
            &diff,
            &self.chosen,
            &times,
            (&measured(true)?, &measured(false)?),
            &metric,
            requests.as_ref(),
        );
        let share = |s: f64| format::percent(s.clamp(0.0, 1.0));
        let m = &diff.matched;
        // Where the end says something else than the work does, rows of functions do not tell.
        let (work, wall) = (diff.sum.relative().unwrap_or(0.0), elapsed.relative().unwrap_or(0.0));
        let ends_otherwise = wall.abs() >= 0.01 && (work.abs() < 0.01 || (work > 0.0) != (wall > 0.0));
        let fails_more = requests.as_ref().is_some_and(RequestDiff::fails_more);
        if self.chosen.why_not.is_some()
            || m.is_other_program()
            || m.lacking_side().is_some()
            || ends_otherwise
            || fails_more
        {
            sheet.head.push(said.headline);
        }
        sheet.head.push(format!(
            "matched: {} functions, {} of base's cost, {} of head's; one run each: no test against noise",
            m.rows,
            share(m.share_base),
            share(m.share_head)
        ));
        sheet.head.extend(requests.iter().flat_map(RequestDiff::sentences));
        for (side, p) in [("base", profiles.0), ("head", profiles.1)] {
            sheet.notes.extend(p.warnings.iter().take(WARNINGS).map(|w| format!("{side}: {}", w.words())));
        }
        let differing = settings::differing(profiles.0, profiles.1, &Metrics::of(profiles.0, profiles.1));
        let one = |s: &settings::Setting| {
            let value = |v: &Option<String>| short(v.as_deref().unwrap_or(format::UNKNOWN), 40).into_owned();
            let note = if s.note.is_empty() { String::new() } else { format!(" ({})", s.note) };
            format!("{} {} → {}{note}", s.what, value(&s.values.base), value(&s.values.head))
        };
        if !differing.is_empty() {
            let named: Vec<String> = differing.iter().take(SETTINGS).map(one).collect();
            let more = differing.len().saturating_sub(SETTINGS);
            let more = if more > 0 { format!("; {more} more") } else { String::new() };
            sheet.head.push(format!("differs besides: {}{more}", named.join("; ")));
        }
        if !said.caution.is_empty() {
            sheet.notes.push(said.caution);
        }
        Ok(sheet)
    }

    fn functions(&self, sheet: &mut Sheet) -> Result<(), Refusal> {
        let diff = self.get(&self.question())?;
        let moved = self.get(&DiffMoved(DiffPaths(self.question())))?;
        // Of different measures only shares compare.
        let points = |r: &functions::Row| list::points(r.own(), diff.whole.own).unwrap_or(0.0);
        let shares = self.chosen.why_not.is_some();
        let changed = |r: &functions::Row| match shares {
            true => points(r) != 0.0,
            false => r.own().delta().is_some_and(|d| d != 0) || r.state() != State::Both,
        };
        let mut rows: Vec<(usize, &functions::Row)> =
            diff.rows.iter().enumerate().filter(|(_, r)| changed(r)).collect();
        if shares {
            rows.sort_by(|a, b| points(b.1).abs().total_cmp(&points(a.1).abs()));
        }
        let names = self.names()?;
        let lines = rows.iter().take(self.asked.top()).map(|&(i, r)| {
            let moved = moved.get(i).copied().unwrap_or(false);
            self.function(&diff, r, moved, &names)
        });
        let lines: Vec<Row> = lines.collect();
        let deltas: Vec<i64> = rows.iter().map(|r| r.1.own().delta().unwrap_or(0)).collect();
        if rows.is_empty() {
            sheet.notes.push("no function takes more or less itself".into());
        }
        if shares {
            let left = rows.len();
            let part = Part::new("functions", "Δ share, calls, function; largest changes first", lines);
            sheet.part(part.least(8).rest(move |shown| match left - shown {
                0 => String::new(),
                n => format!("… {n} more"),
            }));
            return Ok(());
        }
        let title = "Δ self, base → head, Δ %, calls, function; largest changes first";
        sheet.part(self.rest("functions", title, lines, deltas).least(8));
        Ok(())
    }

    fn names(&self) -> Result<[Names<'_>; 2], Refusal> {
        Ok([Names::of_run(self.asked, &self.pair.base)?, Names::of_run(self.asked, &self.pair.head)?])
    }

    fn symbol(&self, names: &[Names<'_>; 2], symbols: Two<Symbol>) -> String {
        match (symbols.head, symbols.base) {
            (Some(s), _) => names[1].symbol(s),
            (None, Some(s)) => names[0].symbol(s),
            (None, None) => String::new(),
        }
    }

    fn function(&self, diff: &FunctionDiff, r: &functions::Row, moved: bool, names: &[Names<'_>; 2]) -> Row {
        let own = r.own();
        let name = self.symbol(names, r.halves.map(|h| h.symbol));
        let calls = list::calls(r);
        let counts = match (calls.base, calls.head) {
            (None, None) => String::new(),
            (b, h) if b == h => format!(" ×{}", b.unwrap_or(0)),
            (b, h) => format!(" ×{}→{}", words::known(Unit::Count, b), words::known(Unit::Count, h)),
        };
        let keys = (r.keys.base, r.keys.head);
        let is_renamed = r.step == Some(Step::Rule)
            || self.renamed.iter().any(|p| {
                keys == (Some(functions::RowKey::Function(p.0)), Some(functions::RowKey::Function(p.1)))
            });
        let state = match r.state() {
            State::Both if r.step == Some(Step::Place) => {
                " [paired by place: another name at the same place]"
            }
            State::Both if is_renamed => " [the same with other template arguments]",
            State::Both if moved => " [moved: called from elsewhere]",
            State::Both => "",
            State::New => " [new]",
            State::Gone => " [gone]",
            State::NotPlaced => " [not placed]",
        };
        let text = match &self.chosen.why_not {
            None => format!(
                "{} {} → {}{}{counts} {name}{state}",
                own.delta().map_or_else(|| format::UNKNOWN.into(), |d| words::signed(self.unit, d)),
                words::known(self.unit, own.base),
                words::known(self.unit, own.head),
                own.relative().map_or_else(String::new, |r| format!(" {}", words::change(Some(r)))),
            ),
            // Different measures: only shares compare.
            Some(_) => {
                let points = list::points(own, diff.whole.own)
                    .map_or_else(|| format::UNKNOWN.into(), |p| format::points(p * 100.0));
                format!("{points} points{counts} {name}{state}")
            }
        };
        let json = json!({
            "name": name, "base": own.base, "head": own.head,
            "delta": own.delta().filter(|_| self.chosen.why_not.is_none()),
            "calls": { "base": calls.base, "head": calls.head }, "state": r.state().key(),
            "renamed": is_renamed, "moved": moved,
        });
        Row::new(text, json)
    }

    /// A part of changes that says what its hidden rows add up to.
    fn rest(&self, key: &'static str, title: &str, rows: Vec<Row>, deltas: Vec<i64>) -> Part {
        let (given, door, budget, unit) = (rows.len(), self.asked.door, self.asked.more_budget(), self.unit);
        let all: i64 = deltas.iter().map(|d| d.saturating_abs()).fold(0, i64::saturating_add);
        Part::new(key, title, rows).rest(move |shown| {
            let left = &deltas[shown..];
            let sum: i64 = left.iter().fold(0, |a, &b| a.saturating_add(b));
            let size: i64 = left.iter().map(|d| d.saturating_abs()).fold(0, i64::saturating_add);
            let more = if shown < given { budget.clone() } else { door.argument("top", shown.max(1) * 2) };
            match left.len() {
                0 => String::new(),
                n => format!(
                    "… {n} more, together {}, {} of all changes; {more}",
                    words::signed(unit, sum),
                    words::share(size, all)
                ),
            }
        })
    }
}
