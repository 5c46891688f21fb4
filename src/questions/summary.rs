//! `summary`: what a profile is and where its time went, on one page.

use serde_json::json;

use super::arguments::{BUDGET_OF, RANGE, THREAD};
use super::findings;
use super::names::{Names, track};
use super::requests::one_line;
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, notes, words};
use crate::analysis::event_loop::{EventLoopOf, loops};
use crate::analysis::formula::Measure;
use crate::analysis::functions::FunctionRow;
use crate::analysis::gpu::GpuWorkOf;
use crate::analysis::heap_peak::AtHeapPeak;
use crate::analysis::overview::{Overview, Summary, Total};
use crate::analysis::steps::Loops;
use crate::analysis::waiting::{Waiting, Works};
use crate::analysis::{Functions, Slice};
use crate::format;
use crate::model::{Counter, FactKind, FunctionId, Profile, TrackKind, Unit};

pub(super) const QUESTION: Question = Question {
    name: "summary",
    about: "What a profile is: threads, phases, requests, memory, findings, largest functions. Ask this first",
    files: &["file"],
    arguments: &[THREAD, RANGE, BUDGET_OF],
    bare: "thread",
    example: "inferscope summary run.prof",
    answer,
};

/// Functions of each list.
const FUNCTIONS: usize = 5;
/// Totals that differ by less are those of one chain of calls; so many of its functions are named.
const SAME: f64 = 0.995;
const ON_A_LINE: usize = 3;
/// A total from this share on is that of everything.
const EVERYTHING: f64 = 0.95;

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let slice = asked.slice()?;
    let overview = asked.get(&Summary {
        scope: slice.scope.clone(),
        range: slice.range,
        prices: asked.prices.clone(),
        ..Summary::default()
    })?;
    let format_of = crate::import::importer(&p.meta.format).map_or(p.meta.format.as_str(), |i| i.title);
    let basis = words::basis(p, &p.meta.basis);
    let title = if p.meta.title.is_empty() {
        String::new()
    } else {
        format!("{}: ", format::short(&p.meta.title, 80))
    };
    let mut sheet = Sheet::new(format!("{title}{format_of}{}; {basis}", asked.part()?), asked.budget());
    sheet.value("format", p.meta.format.as_str());
    sheet.value("tool", p.meta.tool.as_str());
    sheet.value("basis", p.meta.basis.key());
    let elapsed = match slice.range.zip(p.time_bounds()) {
        Some((range, bounds)) => Some(range.1.min(bounds.1).saturating_sub(range.0.max(bounds.0))),
        None => overview.elapsed,
    };
    sheet.value("elapsed_ns", elapsed);
    let totals: serde_json::Map<_, _> =
        overview.totals.iter().map(|t| (t.metric.key.key.to_string(), t.known().into())).collect();
    sheet.value("totals", totals);
    sheet.head.push(sums(p, &overview, elapsed));
    sheet.head.extend(notes::no_clock(p));
    // What is asked about is not the one file that was named.
    let added = p.meta.facts.iter().find(|f| f.name.starts_with("Added up from"));
    sheet.head.extend(added.map(|f| format!("{}: {}", f.name, format::short(&format::fact(&f.value), 200))));
    let names = Names::of(asked)?;
    if !names.root().is_empty() {
        sheet.head.push(format!("source files below {}", format::short(names.root(), 120)));
    }
    threads(asked, &slice, &mut sheet)?;
    phases(asked, &overview, elapsed, &mut sheet)?;
    gpus(asked, &slice, &mut sheet)?;
    event_loops(asked, &slice, &mut sheet)?;
    memory(&overview, &mut sheet);
    heap(asked, &mut sheet)?;
    results(p, &mut sheet);
    counters(p, &slice, &mut sheet);
    if let Some(figures) = &overview.requests {
        sheet.part(Part::new("requests", "", vec![one_line(figures)]));
    }
    let (working, left_out) = asked.working_slice()?;
    functions(asked, &working, &mut sheet)?;
    sheet.notes.extend(left_out);
    let (found, elsewhere) = findings::rows(asked, None, slice.range)?;
    let title = format!("findings ({}):", found.len());
    if elsewhere > 0 {
        let others = words::counted(elsewhere as u64, "finding", "findings");
        sheet.notes.push(format!("{others} elsewhere in the file left out"));
    }
    sheet.part(Part::new("findings", title, found).least(2));
    sheet.notes.extend(notes::waiting(asked, &slice)?);
    sheet.notes.extend(notes::only_once(asked, &slice)?);
    sheet.notes.extend(notes::nameless(asked, &slice)?);
    let warnings: u64 = p.warnings.iter().map(|w| w.count).sum();
    if let Some(first) = p.warnings.first() {
        let many = if p.warnings.len() > 1 { ", …" } else { "" };
        sheet.notes.push(format!(
            "opened with {}: {}{many}",
            words::counted(warnings, "warning", "warnings"),
            format::short(&first.kind, 160)
        ));
    }
    Ok(sheet)
}

/// Elapsed time beside what costs add up to.
fn sums(p: &Profile, overview: &Overview, elapsed: Option<i64>) -> String {
    let elapsed = elapsed.map_or_else(|| format::UNKNOWN.into(), words::time);
    let mut said = vec![format!("elapsed {elapsed}")];
    let tracks = p.tracks.iter().filter(|t| !t.kind.is_view()).count();
    let of_time = |t: &&Total| t.metric.unit == Unit::Nanoseconds;
    let shown = || overview.totals.iter().filter(|t| !t.overlaps).take(6);
    let one = |t: &Total| format!("{} {}", t.metric.label, words::cost(t.metric.unit, t.sum));
    let times: Vec<String> = shown().filter(of_time).map(one).collect();
    if !times.is_empty() {
        let untold = p.tracks.iter().any(|t| t.kind == TrackKind::Profile);
        let what = if untold { "parts of the profile" } else { "threads, tasks and streams" };
        let on = if tracks > 1 { format!(" over {tracks} {what}") } else { String::new() };
        said.push(format!("summed{on}: {}", times.join(", ")));
    }
    said.extend(shown().filter(|t| !of_time(t)).map(one));
    let more: Vec<_> = overview.totals.iter().filter(|t| !t.overlaps).skip(6).collect();
    if !more.is_empty() {
        let more: Vec<_> = more.iter().map(|t| t.metric.key.key.to_string()).collect();
        said.push(format!("further metrics: {}", more.join(" ")));
    }
    said.join("; ")
}

/// Per thread: works, waits, and where it waits.
fn threads(asked: &Asked<'_>, slice: &Slice, sheet: &mut Sheet) -> Result<(), Refusal> {
    let p = asked.profile();
    let Some(time) = Measure::of(slice.metric, p).filter(|_| p.span_count() + p.sample_count() > 0) else {
        return Ok(());
    };
    let works = asked.get(&Works(slice.clone()))?;
    let names = Names::of(asked)?;
    let whole =
        slice.range.or_else(|| p.time_bounds()).filter(|_| p.is_timed() && p.meta.no_clock.is_empty());
    let row = |t: &crate::analysis::waiting::ThreadWork| {
        let all = t.works.saturating_add(t.waits);
        let mut text = format!("t{} {}: {}", t.track.0, track(p, t.track), words::cost(time.unit, all));
        if t.waits > 0 {
            text += &format!(
                ", works {}, waits {}",
                words::cost(time.unit, t.works),
                words::cost(time.unit, t.waits)
            );
            if let Some((f, cost)) = t.most {
                text += &format!(" ({} in {})", words::cost(time.unit, cost), names.full(f));
            }
        }
        let idle = whole.filter(|_| time.unit == Unit::Nanoseconds).map(|(a, b)| (b - a - all).max(0));
        if let Some(idle) = idle.filter(|idle| *idle > 0) {
            text += &format!(", nothing recorded {}", words::time(idle));
        }
        let json = json!({
            "track": format!("t{}", t.track.0), "name": p.track_label(t.track), "kind": p.track(t.track).kind.key(),
            "works": t.works, "waits": t.waits, "idle_ns": idle,
        });
        Row::new(text, json)
    };
    // What the tool did not tell apart by threads is no thread.
    if let [one] = &works[..]
        && one.waits == 0
        && p.track(one.track).kind == TrackKind::Profile
    {
        return Ok(());
    }
    let rows: Vec<Row> = works.iter().map(row).collect();
    let left: Vec<i64> = works.iter().map(|t| t.works.saturating_add(t.waits)).collect();
    let unit = time.unit;
    sheet.part(Part::new("threads", "threads, most work first:", rows).least(4).rest(move |shown| {
        match left.len() - shown {
            0 => String::new(),
            n => format!("… {n} more with {}", words::cost(unit, left[shown..].iter().sum())),
        }
    }));
    Ok(())
}

fn phases(
    asked: &Asked<'_>,
    overview: &Overview,
    elapsed: Option<i64>,
    sheet: &mut Sheet,
) -> Result<(), Refusal> {
    let p = asked.profile();
    let range = asked.range()?;
    let loops = asked.get(&Loops(range))?;
    let mut rows = Vec::new();
    for l in loops.iter() {
        let (min, middle, max) = l.spread();
        let first: Vec<String> = l.rounds.iter().take(4).map(|r| words::time(r.length())).collect();
        let uneven =
            if l.is_uneven() { format!(", uneven: first {}", first.join(", ")) } else { String::new() };
        let text = format!(
            "{} {} × {} = {}, from {} to {}, median {}{uneven}",
            words::share(l.total(), elapsed.unwrap_or(0)),
            l.rounds.len(),
            format::short(&l.label(), 60),
            words::time(l.total()),
            words::time(min),
            words::time(max),
            words::time(middle),
        );
        rows.push(Row::new(
            text,
            json!({ "loop": l.label(), "rounds": l.rounds.len(), "total_ns": l.total(), "min_ns": min,
                    "median_ns": middle, "max_ns": max }),
        ));
    }
    for share in &overview.phases.shares {
        let name = format::bare(p.function_name(share.function)).into_owned();
        let times = if share.count > 1 { format!(", {} times", share.count) } else { String::new() };
        let text = format!(
            "{} {} {}{times}",
            words::share(share.total, elapsed.unwrap_or(0)),
            words::time(share.total),
            format::short(&name, 80)
        );
        rows.push(Row::new(text, json!({ "phase": name, "total_ns": share.total, "count": share.count })));
    }
    sheet.part(Part::new("phases", "phases, % of elapsed:", rows));
    Ok(())
}

fn gpus(asked: &Asked<'_>, slice: &Slice, sheet: &mut Sheet) -> Result<(), Refusal> {
    let found = asked.get(&GpuWorkOf(slice.range))?;
    let rows = found.iter().map(|gpu| {
        let kinds: Vec<String> =
            gpu.kinds.iter().map(|(kind, time)| format!("{kind} {}", words::time(*time))).collect();
        let text = format!(
            "{} busy {} ({}), idle {}: {}",
            gpu.busy.name,
            words::time(gpu.busy.busy),
            words::share(gpu.busy.busy, gpu.busy.busy + gpu.busy.idle),
            words::time(gpu.busy.idle),
            kinds.join(", ")
        );
        Row::new(text, json!({ "gpu": gpu.busy.name, "busy_ns": gpu.busy.busy, "idle_ns": gpu.busy.idle }))
    });
    sheet.part(Part::new("gpus", "", rows.collect()));
    Ok(())
}

/// Event loops: busy, idle, and what held them.
fn event_loops(asked: &Asked<'_>, slice: &Slice, sheet: &mut Sheet) -> Result<(), Refusal> {
    let p = asked.profile();
    let names = Names::of(asked)?;
    let mut rows = Vec::new();
    for id in loops(p) {
        let found = asked.get(&EventLoopOf { track: p.keys().track_key(id), range: slice.range })?;
        let mut text = format!(
            "t{} {}: busy {} ({}), idle {}",
            id.0,
            track(p, id),
            words::time(found.busy),
            words::share(found.busy, found.whole),
            words::time(found.idle)
        );
        if let Some(late) = found.late.first() {
            let by = late.by.map_or_else(String::new, |f| format!(" because of {}", names.full(f)));
            text += &format!(
                ", ready tasks waited {} in all, longest {}{by}",
                words::time(found.all_late.1),
                words::time(late.end - late.start)
            );
        }
        let json = json!({
            "track": format!("t{}", id.0), "busy_ns": found.busy, "idle_ns": found.idle,
            "late_ns": found.all_late.1,
        });
        rows.push((found.busy, Row::new(text, json)));
    }
    rows.sort_by_key(|r| std::cmp::Reverse(r.0));
    sheet.part(Part::new("loops", "", rows.into_iter().map(|r| r.1).collect()).least(2));
    Ok(())
}

fn memory(overview: &Overview, sheet: &mut Sheet) {
    let row = |peak: &crate::analysis::overview::Peak| {
        let text = format!(
            "peak {} {} at {}",
            format::short(&peak.name, 60),
            words::cost(Unit::Bytes, peak.bytes as i64),
            words::time(peak.time)
        );
        Row::new(text, json!({ "counter": peak.name, "bytes": peak.bytes, "time_ns": peak.time }))
    };
    sheet.part(Part::new("memory", "", overview.peaks.iter().map(row).collect()).least(2));
}

/// What a benchmark or a comparison came to, as its maker wrote it.
fn results(p: &Profile, sheet: &mut Sheet) {
    let mut rows = Vec::new();
    for fact in p.meta.facts.iter().filter(|f| f.kind == FactKind::Result && !f.value.is_empty()) {
        let value = format::fact(&fact.value);
        let text = format!("{} {}", format::short(&fact.name, 60), format::short(&value, 100));
        rows.push(Row::new(text, json!({ "name": fact.name, "value": value })));
    }
    for table in p.meta.tables.iter().filter(|t| !t.minor) {
        for row in &table.rows {
            let cells = table.columns.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty());
            let cells: Vec<String> = cells.map(|(column, cell)| format!("{column} {cell}")).collect();
            let name = row.first().map_or("", String::as_str);
            let text = format!(
                "{} › {}: {}",
                format::short(&table.title, 60),
                format::short(name, 60),
                format::short(&cells.join(", "), 300)
            );
            let json = json!({ "table": table.title, "columns": table.columns, "row": row });
            rows.push(Row::new(text, json));
        }
    }
    let all = rows.len();
    sheet.part(Part::new("results", format!("results ({all}):"), rows).least(4).rest(move |shown| {
        match all - shown {
            0 => String::new(),
            n => format!("… {n} more results; report lists them"),
        }
    }));
}

/// The other counters: peaks of memory stand apart.
fn counters(p: &Profile, slice: &Slice, sheet: &mut Sheet) {
    let inside = |t: i64| slice.range.is_none_or(|(from, to)| (from..to).contains(&t));
    let row = |c: &Counter| {
        let values = c.times.iter().zip(&c.values).filter(|(t, v)| inside(**t) && v.is_finite());
        let values: Vec<f64> = values.map(|(_, v)| *v).collect();
        let last = *values.last()?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let process = p.text(c.process);
        let gap = if process.is_empty() { "" } else { " › " };
        let name = format!("{process}{gap}{}", p.text(c.name));
        let of = |value| format::value(c.unit, value);
        let text = format!(
            "{}: last {}, mean {}, max {} ({})",
            format::short(&name, 80),
            of(last),
            of(mean),
            of(most),
            words::counted(values.len() as u64, "value", "values")
        );
        let json = json!({
            "counter": name, "unit": c.unit.key(), "last": last, "mean": mean, "max": most, "values": values.len(),
        });
        Some(Row::new(text, json))
    };
    let rows: Vec<Row> = p.counters.iter().filter(|c| c.unit != Unit::Bytes).filter_map(row).collect();
    sheet.part(Part::new("counters", format!("counters ({}):", rows.len()), rows));
}

/// Who held the heap at its peak, where allocations were counted.
fn heap(asked: &Asked<'_>, sheet: &mut Sheet) -> Result<(), Refusal> {
    let found = asked.get(&AtHeapPeak)?;
    let Some(heap) = &*found else { return Ok(()) };
    let names = Names::of(asked)?;
    let row = |(path, bytes): &(Vec<FunctionId>, i64)| {
        let path: Vec<String> = path.iter().map(|&f| names.name(f)).collect();
        let text = format!(
            "{} {} {}",
            words::cost(Unit::Bytes, *bytes),
            format::percent(heap.share(*bytes)),
            path.join(" → ")
        );
        Row::new(text, json!({ "path": path, "bytes": bytes }))
    };
    let rows: Vec<Row> = heap.holders.iter().map(row).collect();
    let title = format!("heap at its peak of {}, by path:", words::cost(Unit::Bytes, heap.bytes));
    let left: Vec<i64> = heap.holders.iter().map(|h| h.1).collect();
    let (others, whole) = (heap.others + heap.outside, heap.bytes);
    sheet.part(Part::new("heap", title, rows).rest(move |shown| {
        let rest = left[shown..].iter().fold(others, |sum, &b| sum.saturating_add(b));
        if rest > 0 { format!("… {} held by others", words::share(rest, whole)) } else { String::new() }
    }));
    Ok(())
}

fn functions(asked: &Asked<'_>, slice: &Slice, sheet: &mut Sheet) -> Result<(), Refusal> {
    let p = asked.profile();
    let Some(metric) = Measure::of(slice.metric, p) else { return Ok(()) };
    let table = asked.get(&Functions(slice.clone()))?;
    let waits = asked.get(&Waiting)?;
    let names = Names::of(asked)?;
    let (whole, own_whole) = (table.whole.total, table.whole.own);
    let row = |cost: i64, whole: i64, r: &FunctionRow| {
        let calls = r.calls.map_or_else(String::new, |c| format!(" ×{}", words::calls(c)));
        let text = format!(
            "{} {} {}{calls}",
            words::cost(metric.unit, cost),
            words::share(cost, whole),
            names.symbol(r.symbol())
        );
        Row::new(
            text,
            json!({ "function": format!("f{}", r.function.0), "name": p.function_name(r.function), "cost": cost }),
        )
    };
    let working = |r: &&FunctionRow| r.measured && !waits[r.function.index()];
    let own: Vec<&FunctionRow> = table.rows.iter().filter(working).filter(|r| r.own > 0).collect();
    let of = |whole| format!("% of {} {}", words::cost(metric.unit, whole), metric.label);
    let own_of = of(own_whole);
    let rows = own.iter().take(FUNCTIONS).map(|r| row(r.own, own_whole, r)).collect();
    let costs: Vec<i64> = own.iter().map(|r| r.own).collect();
    let rest = move |shown: usize| match costs.len() - shown {
        0 => String::new(),
        n => {
            let cost = costs[shown..].iter().fold(0i64, |sum, &own| sum.saturating_add(own));
            format!("… {n} more with {} of self cost; hot lists them", words::share(cost, own_whole))
        }
    };
    sheet.part(Part::new("own", format!("largest self costs without waits, {own_of}:"), rows).rest(rest));
    let mut total: Vec<&FunctionRow> = table
        .rows
        .iter()
        .filter(|r| r.measured && r.total > r.own && !waits[r.function.index()])
        .filter(|r| format::share(r.total, whole).is_some_and(|s| s < EVERYTHING))
        .collect();
    total.sort_by_key(|r| (std::cmp::Reverse(r.total), r.function));
    // Functions that do nothing but call each other have one total and share a line.
    let chains = total
        .chunk_by(|a, b| a.total as f64 >= SAME * b.total as f64 && b.total as f64 >= SAME * a.total as f64);
    let chain = |rows: &[&FunctionRow]| {
        let mut line = row(rows[0].total, whole, rows[0]);
        for r in rows.iter().skip(1).take(ON_A_LINE - 1) {
            line.text += &format!(", {}", names.symbol(r.symbol()));
        }
        if rows.len() > ON_A_LINE {
            line.text += &format!(" and {} more", rows.len() - ON_A_LINE);
        }
        line
    };
    let lines: Vec<Row> = chains.map(chain).collect();
    let (all, by_total) = (lines.len(), asked.door.argument("sort", "total"));
    let rest = move |shown: usize| match all - shown {
        0 => String::new(),
        n => format!("… {n} more; hot with {by_total} lists them"),
    };
    let rows = lines.into_iter().take(FUNCTIONS).collect();
    // Outermost calls of estimated trees may cost more than all self costs together.
    let base = if whole == own_whole { String::new() } else { format!(", {}", of(whole)) };
    sheet.part(Part::new("total", format!("largest totals below 95 %{base}:"), rows).rest(rest));
    Ok(())
}
