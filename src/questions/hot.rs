//! `hot`: functions by cost, or what they add up to by module, file or category.

use rustc_hash::FxHashMap;
use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, METRIC, RANGE, THREAD, TOP};
use super::names::{Names, place};
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, notes, words};
use crate::analysis::formula::Measure;
use crate::analysis::function_list::{FunctionKey, FunctionList};
use crate::analysis::functions::FunctionRow;
use crate::analysis::waiting::Waiting;
use crate::analysis::{Functions, nothing};
use crate::format;

const SORT: Argument = Argument::new("sort", Kind::Choice(&["self", "total", "calls"]), "what leads");
const GROUP: Argument = Argument::new(
    "group",
    Kind::Choice(&["function", "module", "file", "category"]),
    "add up self costs by this",
);

pub(super) const QUESTION: Question = Question {
    name: "hot",
    about: "Functions by self or total cost; waiting is listed apart",
    files: &["file"],
    arguments: &[
        SORT,
        Argument::new("contains", Kind::Text, "only names, files and modules with this text"),
        GROUP,
        TOP,
        THREAD,
        RANGE,
        METRIC,
        BUDGET_OF,
    ],
    bare: "contains",
    example: "inferscope hot run.prof --sort total",
    answer,
};

/// Functions that the sentence about how spread costs are is about.
const TOGETHER: usize = 10;
/// Waits that are shown unless told otherwise.
const WAITS: usize = 5;

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let (slice, left_out) = asked.working_slice()?;
    let Some(metric) = Measure::of(slice.metric, p) else { return Err(notes::no_costs(p).into()) };
    let functions = Functions(slice.clone());
    let sort = match asked.values.choice(&SORT) {
        "total" => FunctionKey::Total,
        "calls" => FunctionKey::Calls,
        _ => FunctionKey::Own,
    };
    let contains = asked.values.text("contains").unwrap_or_default();
    let list = FunctionList::new(functions, vec![(sort, false)], contains);
    let list = asked.get(&list)?;
    // Shares of self costs are of their sum, as the tools say it; outermost calls of estimated trees may cost more.
    let whole = list.table.whole.own;
    let basis = words::basis(p, &list.table.basis);
    let of = format!("{} {}", words::cost(metric.unit, whole), metric.label);
    let totals = match list.table.whole {
        both if both.is_one() => String::new(),
        both => format!("; outermost calls have {} together", words::cost(metric.unit, both.total)),
    };
    let head = format!("% of {of}, all self costs{}{totals}; {basis}", asked.part()?);
    let mut sheet = Sheet::new(head, asked.budget());
    sheet.value("sum", whole);
    sheet.value("unit", metric.unit.key());
    sheet.notes.extend(left_out);
    if list.table.rows.is_empty() || whole == 0 {
        sheet.notes.push(nothing::why(p, &slice).text(p, slice.metric));
        return Ok(sheet);
    }
    if list.order.is_empty() {
        return Err(format!(
            "contains: no function has «{}» in its name, file or module",
            words::said(contains)
        )
        .into());
    }
    let rows: Vec<&FunctionRow> = list.order.iter().map(|&i| &list.table.rows[i as usize]).collect();
    let waits = asked.get(&Waiting)?;
    let waiting = |r: &FunctionRow| r.module.is_none() && waits[r.function.index()];
    // Who waits does not lead, however long; what is called and waits is a part of others' totals.
    let (idle, work): (Vec<&FunctionRow>, Vec<&FunctionRow>) = rows.into_iter().partition(|r| waiting(r));
    if asked.values.choice(&GROUP) != "function" {
        grouped(asked, &mut sheet, [&work, &idle], metric.unit, whole);
        return Ok(sheet);
    }
    let names = Names::of(asked)?;
    let is_counted = work.iter().chain(&idle).any(|r| r.calls.is_some() || r.samples_total.is_some());
    let line = |r: &&FunctionRow| row(r, &names, p, metric.unit, whole, is_counted);
    let columns = match (work.iter().any(|r| r.calls.is_some()), work.iter().any(|r| r.samples.is_some())) {
        (false, true) => "self, self %, total, samples, function",
        (false, false) if !is_counted => "self, self %, total, function",
        _ => "self, self %, total, calls, function",
    };
    let top = asked.room();
    let own: Vec<i64> = work.iter().map(|r| r.own).collect();
    sheet.part(rest_of("functions", columns, work.iter().take(top).map(line).collect(), own, whole, asked));
    let own: Vec<i64> = idle.iter().filter(|r| r.own != 0).map(|r| r.own).collect();
    let waited = own.iter().sum::<i64>();
    let rows = idle.iter().filter(|r| r.own != 0).take(top).map(line).collect();
    sheet.part(waits_of(asked, rows, own, metric.unit, whole));
    sheet.notes.extend(spread(&work, whole.saturating_sub(waited), &asked.door.argument("sort", "total")));
    sheet.notes.extend(notes::held_loops(asked, slice.range)?);
    sheet.notes.extend(notes::nameless(asked, &slice)?);
    Ok(sheet)
}

/// The part that lists waits apart, after the rest.
fn waits_of(asked: &Asked<'_>, rows: Vec<Row>, own: Vec<i64>, unit: crate::model::Unit, whole: i64) -> Part {
    let waited = own.iter().sum::<i64>();
    let title = format!("waits, {} ({}):", words::cost(unit, waited), words::share(waited, whole));
    let most = asked.values.number("top").unwrap_or(WAITS);
    let (given, door, budget) = (rows.len(), asked.door, asked.more_budget());
    let rest = move |shown: usize| {
        let left: i64 = own[shown..].iter().sum();
        let more =
            if shown < given.min(most) { budget.clone() } else { door.argument("top", shown.max(WAITS) * 2) };
        match own.len() - shown {
            0 => String::new(),
            n => format!("… {n} more with {} of all waits; {more}", words::share(left, waited)),
        }
    };
    Part::new("waits", title, rows).least(2).most(most).rest(rest)
}

fn row(
    r: &FunctionRow,
    names: &Names<'_>,
    p: &crate::model::Profile,
    unit: crate::model::Unit,
    whole: i64,
    is_counted: bool,
) -> Row {
    let count = r.calls.map(words::calls).or(r.samples_total.map(words::count));
    let count = count.unwrap_or_else(|| format::UNKNOWN.into());
    let count = if is_counted { count + " " } else { String::new() };
    let least = format::at_least(r.unfinished);
    let text = format!(
        "{least}{} {} {least}{} {count}{}",
        words::known(unit, r.known_own()),
        r.known_own().map_or_else(|| format::UNKNOWN.into(), |own| words::share(own, whole)),
        words::known(unit, r.known_total()),
        names.symbol(r.symbol()),
    );
    let f = r.function;
    Row::new(
        text,
        json!({
            "function": format!("f{}", f.0), "name": p.function_name(f), "place": place(p, f),
            "own": r.known_own(), "total": r.known_total(), "calls": r.calls.map(|c| c.all),
            "primitive_calls": r.calls.map(|c| c.primitive), "samples": r.samples_total,
        }),
    )
}

/// A part that says how much of the whole its hidden rows have.
fn rest_of(
    key: &'static str,
    title: &str,
    rows: Vec<Row>,
    own: Vec<i64>,
    whole: i64,
    asked: &Asked<'_>,
) -> Part {
    let (given, door, budget) = (rows.len(), asked.door, asked.more_budget());
    Part::new(key, title, rows).rest(move |shown| {
        let left = own.len() - shown;
        let cost: i64 = own[shown..].iter().sum();
        let more = if shown < given { budget.clone() } else { door.argument("top", shown * 2) };
        match left {
            0 => String::new(),
            n => format!("… {n} more with {} of self cost; {more}", words::share(cost, whole)),
        }
    })
}

/// Whether one function stands out.
fn spread(work: &[&FunctionRow], whole: i64, total: &str) -> Option<String> {
    let mut own: Vec<i64> = work.iter().map(|r| r.own).collect();
    own.sort_unstable_by_key(|own| std::cmp::Reverse(*own));
    let together: i64 = own.iter().take(TOGETHER).sum();
    let (first, share) = (format::share(*own.first()?, whole)?, format::share(together, whole)?);
    (own.len() > TOGETHER && first < 0.1 && share < 0.5).then(|| {
        format!(
            "self cost is spread out: the {TOGETHER} largest have {} together, no single function stands out; {total} and callers tell more",
            format::percent(share)
        )
    })
}

/// What functions add up to, those that wait apart: a group that mostly waits does not lead.
fn grouped(
    asked: &Asked<'_>,
    sheet: &mut Sheet,
    [work, idle]: [&[&FunctionRow]; 2],
    unit: crate::model::Unit,
    whole: i64,
) {
    let by = asked.values.choice(&GROUP);
    let (rows, own) = groups(asked, work, unit, whole);
    sheet.part(rest_of("groups", &format!("self, self %, calls, functions, {by}"), rows, own, whole, asked));
    let idle: Vec<&FunctionRow> = idle.iter().copied().filter(|r| r.own != 0).collect();
    let (rows, own) = groups(asked, &idle, unit, whole);
    sheet.part(waits_of(asked, rows, own, unit, whole));
}

/// The rows of groups that there is room for, and the self cost of each group, largest first.
fn groups(
    asked: &Asked<'_>,
    rows: &[&FunctionRow],
    unit: crate::model::Unit,
    whole: i64,
) -> (Vec<Row>, Vec<i64>) {
    let p = asked.profile();
    let by = asked.values.choice(&GROUP);
    let mut groups: FxHashMap<String, (i64, u64, u64)> = FxHashMap::default();
    for r in rows {
        let f = p.functions.get(r.function);
        let key = p.keys().symbol(r.function);
        let name = match by {
            "module" => key.module.to_string(),
            "file" => key.file.to_string(),
            _ => p.text(f.category).to_owned(),
        };
        let group = groups.entry(name).or_default();
        group.0 = group.0.saturating_add(r.own);
        group.1 += 1;
        group.2 += r.calls.map_or(0, |c| c.all);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(&b.0)));
    let line = |(name, (own, functions, calls)): &(String, (i64, u64, u64))| {
        let shown = if name.is_empty() { "(none)".into() } else { format::short(name, 120).into_owned() };
        let calls_of = if *calls > 0 { words::count(*calls) } else { format::UNKNOWN.into() };
        let text = format!(
            "{} {} {calls_of} {functions} {shown}",
            words::cost(unit, *own),
            words::share(*own, whole)
        );
        let calls = (*calls > 0).then_some(calls);
        Row::new(text, json!({ by: name, "own": own, "functions": functions, "calls": calls }))
    };
    let shown = groups.iter().take(asked.room()).map(line).collect();
    (shown, groups.iter().map(|g| g.1.0).collect())
}
