//! `callers`: who calls a function and whom it calls, with calls and costs of each pair.

use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, METRIC, RANGE, THREAD, TOP};
use super::names::{Names, place, track};
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, notes, words};
use crate::analysis::callers::{Callers, Neighbour, Reach};
use crate::analysis::event_loop::{EventLoopOf, loops};
use crate::analysis::formula::Measure;
use crate::analysis::task_times::TaskTimesOf;
use crate::format::{self, short};
use crate::model::{Basis, FunctionId, Unit};

const REACH: Argument = Argument::new(
    "reach",
    Kind::Choice(&["direct", "all"]),
    "direct neighbours, or all functions above and below",
);

pub(super) const QUESTION: Question = Question {
    name: "callers",
    about: "Who calls a function and whom it calls, with calls and cost of each pair",
    files: &["file"],
    arguments: &[
        Argument {
            required: true,
            ..Argument::new("function", Kind::Text, "a name, file:line, or a handle (f12)")
        },
        REACH,
        TOP,
        THREAD,
        RANGE,
        METRIC,
        BUDGET_OF,
    ],
    bare: "function",
    example: "inferscope callers run.prof --function core/basic.py:315",
    answer,
};

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let slice = asked.slice()?;
    let Some(metric) = Measure::of(slice.metric, p) else { return Err(notes::no_costs(p).into()) };
    let function = asked.function(asked.values.text("function").unwrap_or_default())?;
    let reach = if asked.values.choice(&REACH) == "all" { Reach::All } else { Reach::Direct };
    let found = asked.get(&Callers { slice, function: p.keys().symbol(function), reach })?;
    let names = Names::of(asked)?;
    let unit = metric.unit;
    let basis = match (&found.basis, reach) {
        (Basis::Estimated(_), Reach::All) => {
            "distances are recorded, costs estimated from calls between pairs of functions".to_owned()
        }
        (basis, _) => words::basis(p, basis),
    };
    let Some(row) = &found.row else {
        return Err(format!("{} does not run in the part that is asked for", names.full(function)).into());
    };
    let noun = |c: crate::model::Calls| if c.all == 1 { "call" } else { "calls" };
    let counted = row.calls.map(|c| format!("{} {}", words::calls(c), noun(c)));
    let sampled = row.samples_total.map(|n| words::counted(n, "sample", "samples"));
    let count = counted.or(sampled).map_or_else(String::new, |c| format!(": {c}"));
    // Self costs may add up to less than outermost calls: each share is of its own sum.
    let whole = found.whole;
    let all_own = match whole.is_one() {
        true => String::new(),
        false => format!(" of {} self costs", words::cost(unit, whole.own)),
    };
    let head = format!(
        "{}{count}, self {} ({}{all_own}), total {} ({}) of {} {}{}; {basis}",
        names.full(function),
        words::known(unit, row.known_own()),
        words::share(row.own, whole.own),
        words::known(unit, row.known_total()),
        words::share(row.total, whole.total),
        words::cost(unit, whole.total),
        metric.label,
        asked.part()?,
    );
    let mut sheet = Sheet::new(head, asked.budget());
    sheet.function = Some(function);
    sheet.value("function", format!("f{}", function.0));
    sheet.value("own", row.known_own());
    sheet.value("total", row.known_total());
    sheet.value("calls", row.calls.map(|c| c.all));
    sheet.value("primitive_calls", row.calls.map(|c| c.primitive));
    sheet.value("unit", unit.key());
    let all = row.calls.map(|c| c.all);
    for (key, side, title) in [
        ("callers", &found.callers, "callers: calls, % of its calls, its total and self from there, caller"),
        ("callees", &found.callees, "calls: calls, total and self there, callee"),
    ] {
        let mut side: Vec<&Neighbour> = side.iter().collect();
        side.sort_by_key(|n| std::cmp::Reverse((n.calls.map_or(0, |c| c.all), n.total)));
        // What it costs decides where that is known; of equal costs the calls.
        if side.iter().any(|n| n.total.is_some_and(|t| t != 0)) {
            side.sort_by_key(|n| std::cmp::Reverse((n.total, n.calls.map_or(0, |c| c.all))));
        }
        let of = if key == "callers" { all } else { None };
        let counts = (
            found.callers.iter().chain(&found.callees).any(|n| n.calls.is_some()),
            found.callers.iter().chain(&found.callees).any(|n| n.samples.is_some()),
        );
        let is_counted = counts.0 || counts.1;
        let rows: Vec<Row> = side
            .iter()
            .take(asked.top())
            .map(|n| line(n, of, &names, asked.profile(), unit, is_counted))
            .collect();
        let title = match counts {
            (true, _) => title.to_owned(),
            (false, true) => {
                title.replace("calls, % of its calls", "samples").replace(": calls,", ": samples,")
            }
            (false, false) => title.replace(" calls, % of its calls,", "").replace(": calls,", ":"),
        };
        let totals: Vec<i64> = side.iter().map(|n| n.total.unwrap_or(0)).collect();
        let (given, door, budget) = (rows.len(), asked.door, asked.more_budget());
        sheet.part(Part::new(key, title, rows).least(4).rest(move |shown| {
            let left = totals.len() - shown;
            let cost = totals[shown..].iter().fold(0i64, |sum, &t| sum.saturating_add(t));
            let more = if shown < given { budget.clone() } else { door.argument("top", shown.max(1) * 2) };
            match left {
                0 => String::new(),
                n => format!("… {n} more with {} of total; {more}", words::cost(unit, cost)),
            }
        }));
    }
    sheet.notes.extend(in_tasks(asked, function, &names)?);
    if found.callers.is_empty() {
        sheet.notes.push("nothing recorded calls it".into());
    }
    if found.callees.is_empty() {
        sheet.notes.push("it calls nothing that was recorded".into());
    }
    Ok(sheet)
}

/// Tasks that are named as those that woke.
const WAKERS: usize = 3;

/// What a coroutine did in its tasks, and how it held its loop.
fn in_tasks(asked: &Asked<'_>, f: FunctionId, names: &Names<'_>) -> Result<Vec<String>, Refusal> {
    let p = asked.profile();
    let times = asked.get(&TaskTimesOf(p.keys().symbol(f)))?;
    let Some(times) = &*times else { return Ok(Vec::new()) };
    let states: Vec<String> =
        times.states.iter().map(|(s, n)| format!("{n} {}", short(p.text(*s), 40))).collect();
    let states =
        if states.is_empty() { String::new() } else { format!(", of its own: {}", states.join(", ")) };
    let failed =
        if times.failed > 0 { format!(", {} ended with an error", times.failed) } else { String::new() };
    let mut said = vec![format!(
        "in {}{states}{failed}: {} on the loop, {} ready and not run, {} awaiting",
        words::counted(times.tasks as u64, "task", "tasks"),
        words::time(times.busy),
        words::time(times.ready),
        words::time((times.wall - times.busy - times.ready).max(0)),
    )];
    let awaited =
        times.awaited.iter().take(WAKERS).map(|(f, ns)| format!("{} {}", names.full(*f), words::time(*ns)));
    let awaited: Vec<String> = awaited.collect();
    if !awaited.is_empty() {
        let more = if times.awaited.len() > WAKERS { ", …" } else { "" };
        let by = times.woken_by.iter().take(WAKERS).map(|(by, n)| format!("{} {n}×", short(p.text(*by), 60)));
        let by: Vec<String> = by.collect();
        let more_by = if times.woken_by.len() > WAKERS { ", …" } else { "" };
        let by = if by.is_empty() { String::new() } else { format!("; woken by {}{more_by}", by.join(", ")) };
        said.push(format!("it awaited {}{more}{by}", awaited.join(", ")));
    }
    for id in loops(p) {
        let found = asked.get(&EventLoopOf { track: p.keys().track_key(id), range: asked.range()? })?;
        let Some(held) = found.held.iter().find(|h| h.by == Some(f)) else { continue };
        said.push(format!(
            "it held t{} {}: tasks that were ready waited {} for it, at most {} for one step; gaps tells more",
            id.0,
            track(p, id),
            words::time(held.waited),
            words::time(held.longest)
        ));
    }
    Ok(said)
}

fn line(
    n: &Neighbour,
    all: Option<u64>,
    names: &Names<'_>,
    p: &crate::model::Profile,
    unit: Unit,
    is_counted: bool,
) -> Row {
    let name = n.symbol.map_or_else(|| "(nobody)".to_owned(), |s| names.symbol(s));
    let count = n.calls.map(words::calls).or(n.samples.map(words::count));
    let count = if is_counted { count.unwrap_or_else(|| format::UNKNOWN.into()) } else { String::new() };
    let share = match (all, n.calls) {
        (Some(all), Some(c)) => format!(" {}", words::share(c.all as i64, all as i64)),
        _ => String::new(),
    };
    let far = if n.distance > 1 { format!(" ({} calls away)", n.distance) } else { String::new() };
    let gap = if is_counted { " " } else { "" };
    let text = format!(
        "{count}{share}{gap}{} {} {name}{far}",
        words::known(unit, n.total),
        words::known(unit, n.own)
    );
    let function = n.symbol.map(crate::analysis::path::Symbol::function);
    let json = json!({
        "function": function.map(|f| format!("f{}", f.0)),
        "name": function.map(|f| p.function_name(f)),
        "place": function.map(|f| place(p, f)),
        "calls": n.calls.map(|c| c.all), "primitive_calls": n.calls.map(|c| c.primitive),
        "samples": n.samples, "own": n.own, "total": n.total, "distance": n.distance,
    });
    Row::new(text, json)
}
