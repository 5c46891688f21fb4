//! The report as text: header, totals, phases, requests, memory, functions, tree, warnings.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fmt::Write;

use rustc_hash::FxHashMap;

use super::super::RelativeArg;
use super::Report;
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::columns::functions as columns;
use crate::analysis::columns::{Relative, Shown};
use crate::analysis::findings::Noted;
use crate::analysis::function_list::FunctionList;
use crate::analysis::heap_peak::HeapPeak;
use crate::analysis::nothing;
use crate::analysis::overview::RequestFigures;
use crate::analysis::path::Symbol;
use crate::analysis::tree_rows::heaviest_path;
use crate::analysis::{Costs, FunctionRow, Functions, Slice, TreeCosts};
use crate::format::{self, Column, LONGEST_NAME, Page, Value, short};
use crate::jobs::{Cancelled, Job};
use crate::model::{Basis, FunctionId, NodeId, Profile, ResultTable};

/// Levels that are shown by how far a name is to the right.
const MOST_INDENT: u32 = 30;

/// Children below this share of the whole are not printed in the tree.
const MIN_SHARE: f64 = 0.005;
/// Paths that are named at the heap's peak.
const MOST_HOLDERS: usize = 8;
/// Most lines of the tree.
const TREE_LINES: usize = 40;

pub(super) fn render(report: &Report) -> Result<Page, Cancelled> {
    let mut out = Page::default();
    header(&mut out, report);
    findings(&mut out, &report.findings);
    phases(&mut out, report);
    report.profile.meta.tables.iter().for_each(|t| table(&mut out, t));
    if let Some(figures) = &report.overview.requests {
        requests(&mut out, figures);
        super::requests::text(&mut out, report);
    }
    if let Some(compute) = &report.compute {
        super::compute::text(&mut out, compute);
    }
    super::critical::text(&mut out, report);
    memory(&mut out, report);
    functions(&mut out, report)?;
    tree(&mut out, report)?;
    warnings(&mut out, &report.profile);
    Ok(out)
}

/// The name of a function as far as a line has room for it.
pub(super) fn name(p: &Profile, f: FunctionId) -> Cow<'_, str> {
    short(p.function_name(f), LONGEST_NAME)
}

/// «label   value» lines.
fn line(out: &mut Page, label: &str, value: &str) {
    if !value.is_empty() {
        out.line(format_args!("{label:<14} {value}"));
    }
}

fn section(out: &mut Page, title: &str) {
    out.gap();
    out.line(title);
}

fn header(out: &mut Page, report: &Report) {
    let p = &*report.profile;
    line(out, "Profile", &p.meta.title);
    let format = crate::import::importer(&p.meta.format).map_or(p.meta.format.as_str(), |i| i.title);
    line(out, "Format", format);
    line(out, "Tool", &p.meta.tool);
    let basis = match &p.meta.basis {
        Basis::Timed if p.span_count() == 0 => "timed: stamps and values as the file states them".to_owned(),
        Basis::Timed => "timed: start and end of each span were measured".to_owned(),
        Basis::Sampled => "sampled: counts times an interval".to_owned(),
        Basis::Aggregated => "aggregated: sums that the tool made itself".to_owned(),
        Basis::Estimated(why) => format!("estimated: {why}"),
    };
    line(out, "Basis", &basis);
    line(out, "Elapsed", &report.overview.elapsed.map_or_else(|| format::UNKNOWN.into(), format::duration));
    line(out, "Times", &no_clock(&p.meta.no_clock));
    for total in &report.overview.totals {
        let m = &total.metric;
        let Some(sum) = total.known() else {
            line(out, &m.label, "– (a sum would count what a row holds of others again)");
            continue;
        };
        let mut text = format!("{} in {}", format::cost(m.unit, sum), report.overview.sum_of);
        if total.at_once > 0 {
            text +=
                &format!(", {} of it at the same time as other calls", format::cost(m.unit, total.at_once));
        }
        if total.is_saturated() {
            text += " (more than can be counted: sums and shares are wrong)";
        }
        line(out, &m.label, &text);
    }
    for gpu in &report.overview.gpus {
        let whole = gpu.busy + gpu.idle;
        let share =
            if whole > 0 { format::percent(gpu.busy as f64 / whole as f64) } else { format::UNKNOWN.into() };
        let (busy, of) = (format::duration(gpu.busy), format::duration(whole));
        line(out, "GPU busy", &format!("{busy} of {of}, {share} ({})", gpu.name));
    }
    if let Some(used) = &report.overview.energy {
        line(out, "Energy", &format!("{} by {}", used.amount(), used.devices()));
    }
    line(out, "Launches", &super::compute::launches_in_words(&report.launches));
    for fact in p.meta.facts.iter().chain(&p.meta.machine) {
        line(out, &fact.name, &format::fact(&fact.value));
    }
    let attached: Vec<_> = p.attached.iter().map(|a| format!("{} (--part {})", a.name, a.name)).collect();
    line(out, "Attached", &attached.join(", "));
    let parts: Vec<_> = p.meta.parts.iter().map(|part| format!("--part {part}")).collect();
    line(out, "Parts", &parts.join(", "));
    let counts = [
        (report.functions, "function", "functions"),
        (p.tracks.len(), "track", "tracks"),
        (p.span_count(), "span", "spans"),
        (p.samples_taken().unwrap_or(0) as usize, "sample", "samples"),
        (p.counters.len(), "counter", "counters"),
        (p.instants.len(), "event", "events"),
        (p.requests.rows.len(), "request", "requests"),
    ];
    let counts: Vec<_> =
        counts.iter().filter(|c| c.0 > 0).map(|c| format::counted(c.0 as i64, c.1, c.2)).collect();
    line(out, "Contents", &counts.join(", "));
}

/// «no clock: …», where times are none.
fn no_clock(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!("no clock: {why}") }
}

/// Most findings of one kind that are printed.
const MOST_OF_A_KIND: usize = 3;

fn findings(out: &mut Page, all: &[Noted]) {
    if all.is_empty() {
        return;
    }
    section(out, "Findings");
    for (i, finding) in all.iter().enumerate() {
        let before = all[..i].iter().filter(|f| f.kind == finding.kind).count();
        if before < MOST_OF_A_KIND {
            let (kind, text, gain) = (&finding.kind, &finding.text, finding.gain.words());
            let severity = format!("{:?}", finding.severity).to_lowercase();
            out.line(format_args!("  {severity:<8} {kind}: {text}"));
            match (finding.advice, gain.as_str()) {
                ("", _) => {}
                (advice, "") => out.line(format_args!("  {:<8} try: {advice}", "")),
                (advice, gain) => out.line(format_args!("  {:<8} try: {advice} ({gain})", "")),
            }
        } else if before == MOST_OF_A_KIND {
            let of_kind = all.iter().filter(|f| f.kind == finding.kind).count();
            out.line(format_args!("  {:<8} … {} more of this kind", "", of_kind - before));
        }
    }
}

fn phases(out: &mut Page, report: &Report) {
    let phases = &report.overview.phases;
    if phases.shares.is_empty() {
        return;
    }
    section(out, "Phases");
    let whole: i64 = report.overview.elapsed.unwrap_or_default().max(1);
    for p in &phases.shares {
        let share = format::percent(p.total as f64 / whole as f64);
        let name = name(&report.profile, p.function);
        out.line(format_args!("  {name:<24} {:>10} {share:>8} of elapsed", format::duration(p.total)));
    }
    let rest = whole - (phases.elapsed - phases.unaccounted);
    if rest > 0 {
        let share = format::percent(rest as f64 / whole as f64);
        out.line(format_args!(
            "  {:<24} {:>10} {share:>8} of elapsed",
            "unaccounted",
            format::duration(rest)
        ));
    }
}

/// Cells of a column are as wide as its longest one; the first is flush left, numbers flush right.
fn table(out: &mut Page, table: &ResultTable) {
    section(out, &table.title);
    let cell = |row: &[String], i: usize| row.get(i).map_or(format::UNKNOWN, String::as_str).to_owned();
    let width = |i: usize| {
        let cells = table.rows.iter().map(|row| cell(row, i).chars().count());
        cells.chain([table.columns[i].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    for row in std::iter::once(&table.columns).chain(&table.rows) {
        let mut text = String::new();
        for (i, &width) in widths.iter().enumerate() {
            let cell = cell(row, i);
            let _ = if i == 0 { write!(text, "  {cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        out.line(text);
    }
    if !table.note.is_empty() {
        out.line(format_args!("  {}", table.note));
    }
}

fn requests(out: &mut Page, f: &RequestFigures) {
    section(out, "Requests to language models");
    let unknown = || format::UNKNOWN.to_owned();
    let tokens = |n: Option<u64>| n.map_or_else(unknown, |n| format::count(n as i64));
    let about = if f.estimated { "≈" } else { "" };
    out.line(format_args!(
        "  {} ({}), {}{} input and {}{} output tokens, at most {} at once",
        format::counted(f.count as i64, "request", "requests"),
        f.outcomes(),
        f.signs[0].trim(),
        tokens(f.prompt_tokens),
        f.signs[1].trim(),
        tokens(f.output_tokens),
        f.peak()
    ));
    let rate = f.system_tokens_per_second.map_or_else(unknown, |r| format::rate(r, "tokens"));
    out.line(format_args!("  throughput {about}{rate} (output tokens over the time of all requests)"));
    if f.estimated {
        out.line("  ≈: no tokens were counted, so chunks of the answers stand for them");
    }
    if f.retries > 0 {
        let retries = format::counted(f.retries as i64, "failed attempt", "failed attempts");
        out.line(format_args!("  {} lost to {retries} and the waits after them", format::duration(f.lost)));
    }
    out.line(format_args!("  {:<10} {:>10} {:>10} {:>10} {:>10} {:>6}", "", "p50", "p90", "p99", "max", "n"));
    let mut figures = vec![("TTFT", &f.ttft)];
    if f.retries > 0 {
        figures.push(("waited", &f.waited));
    }
    let tpot = if f.estimated { "≈TPOT" } else { "TPOT" };
    figures.extend([(tpot, &f.tpot), ("latency", &f.latency), ("queued", &f.queued)]);
    for (name, d) in figures {
        let Some(d) = d else { continue };
        let t = |v: f64| format::duration(v.round() as i64);
        out.line(format_args!(
            "  {name:<10} {:>10} {:>10} {:>10} {:>10} {:>6}",
            t(d.p50),
            t(d.p90),
            t(d.p99),
            t(d.max),
            d.n
        ));
    }
}

fn memory(out: &mut Page, report: &Report) {
    if report.overview.peaks.is_empty() {
        return;
    }
    section(out, "Memory peaks");
    for peak in &report.overview.peaks {
        out.line(format_args!(
            "  {:<24} {:>10} at {}",
            short(&peak.name, LONGEST_NAME),
            format::bytes(peak.bytes as i64),
            format::duration(peak.time)
        ));
    }
    if let Some(why) = report.overview.heap_above_rss() {
        out.line(format_args!("  {why}"));
    }
    if let Some(heap) = &*report.heap {
        heap_peak(out, &report.profile, heap);
    }
}

/// Who held the heap at its peak.
fn heap_peak(out: &mut Page, p: &Profile, heap: &HeapPeak) {
    section(out, &format!("Heap at its peak of {}, by call path", format::bytes(heap.bytes)));
    let mut line = |bytes: i64, what: &str| {
        let (value, share) = (format::bytes(bytes), format::percent(heap.share(bytes)));
        out.line(format_args!("  {value:>10} {share:>7}  {what}"));
    };
    for (path, bytes) in heap.holders.iter().take(MOST_HOLDERS) {
        let names: Vec<_> = path.iter().map(|&f| name(p, f)).collect();
        line(*bytes, &names.join(" > "));
    }
    let more: i64 =
        heap.holders.iter().skip(MOST_HOLDERS).map(|h| h.1).sum::<i64>().saturating_add(heap.others);
    for (bytes, what) in [(more, "(other paths)"), (heap.outside, "(outside of spans)")] {
        if bytes > 0 {
            line(bytes, what);
        }
    }
}

/// Lines of functions that ran, where the tool does not say which is a function's first.
type Ran = FxHashMap<FunctionId, BTreeSet<u32>>;

fn lines_that_ran(p: &Profile) -> Ran {
    let mut ran = Ran::default();
    let Some(graph) = p.call_graph.as_ref().filter(|_| p.meta.basis == Basis::Sampled) else { return ran };
    let mut add = |node: NodeId, line: u32| {
        if let Some(node) = graph.nodes.get(node.index()).filter(|_| line > 0) {
            ran.entry(node.function).or_default().insert(line);
        }
    };
    graph.lines.for_each(|l| add(l.place.node, l.place.line));
    graph.sites.for_each(|s| add(s.place.caller, s.place.line));
    ran
}

/// Most lines of a function that are named.
const MOST_LINES: usize = 6;

fn some_of(lines: &BTreeSet<u32>) -> String {
    let mut shown: Vec<_> = lines.iter().take(MOST_LINES).map(u32::to_string).collect();
    if lines.len() > MOST_LINES {
        shown.push("…".into());
    }
    shown.join(",")
}

/// Columns of the window that a line of a terminal has no room for.
const LEFT_OUT: [&str; 4] = ["self per call", "total per call", "module", "category"];

/// The rows with the columns of the window: in its words, and with the numbers of the same answer.
fn functions(out: &mut Page, report: &Report) -> Result<(), Cancelled> {
    let p = &*report.profile;
    let i = report.metric;
    let Some(metric) = report.metrics.get(i) else { return Ok(()) };
    let slice = Slice { scope: report.scope.clone(), ..Slice::whole(metric.key) };
    let query = FunctionList::new(Functions(slice), Vec::new(), "");
    let list = report.engine.now(&report.subject, &query, &Job::new())?;
    let whole = list.table.whole;
    let (of, relative) = match report.relative {
        RelativeArg::None => (String::new(), Relative::Numbers),
        _ => {
            let of =
                format!(", % of the sum of self {}, {}", metric.label, format::cost(metric.unit, whole.own));
            let of_total = match whole.is_one() {
                true => String::new(),
                false => format!("; of totals % of {}", format::cost(metric.unit, whole.total)),
            };
            let own = report.rows.iter().map(|r| r.costs[i].0);
            (of + &of_total + cancelled(whole.own, own), Relative::Total)
        }
    };
    section(out, &format!("Functions ({} of {}){of}", report.rows.len(), report.functions));
    // Of all rows only the few that are printed are looked for.
    let places: FxHashMap<Symbol, usize> = report.rows.iter().map(|r| r.symbol).zip(0..).collect();
    let printed = |r: &FunctionRow| places.get(&r.symbol()).copied();
    let mut rows: Vec<&FunctionRow> = list.table.rows.iter().filter(|r| printed(r).is_some()).collect();
    rows.sort_by_key(|r| printed(r));
    let shown = Shown::of(metric.key, relative, p);
    let ran = lines_that_ran(p);
    let mut columns = columns::functions(p, &list.table, (&list.max, list.known), &[], &shown);
    columns.retain(|c| !LEFT_OUT.contains(&c.key));
    for column in &mut columns {
        match column.key {
            "function" => {
                *column = Column::name("function", "Function", |r: &FunctionRow| {
                    Value::text(short(&r.symbol().label(p), LONGEST_NAME).into_owned())
                });
            }
            "place" => {
                *column =
                    Column::path("place", "File:line", |r: &FunctionRow| Value::text(place(p, r, &ran)));
            }
            _ => {}
        }
    }
    for line in format::aligned(&columns, rows.into_iter()) {
        out.line(format_args!("  {line}"));
    }
    Ok(())
}

/// «file:line», with the lines that ran where the tool says these only.
fn place(p: &Profile, row: &FunctionRow, ran: &Ran) -> String {
    let f = p.functions.get(row.function);
    let file = short(p.text(f.file), LONGEST_NAME);
    let lines = ran.get(&row.function).filter(|_| f.line == 0);
    match (row.module, &*file, lines) {
        (Some(_), ..) | (None, "" | "~", _) => String::new(),
        (None, file, Some(lines)) => format!("{file}:{}", some_of(lines)),
        (None, file, None) if f.line == 0 => file.to_owned(),
        (None, file, None) => format!("{file}:{}", f.line),
    }
}

fn tree(out: &mut Page, report: &Report) -> Result<(), Cancelled> {
    let p = &*report.profile;
    let Some(metric) = report.metrics.get(report.metric) else { return Ok(()) };
    let slice = Slice { scope: report.scope.clone(), ..Slice::whole(metric.key) };
    let query = Costs(slice.clone());
    let costs = report.engine.now(&report.subject, &query, &Job::new())?;
    if costs.tree.nodes.is_empty() || costs.whole.total == 0 {
        section(out, "Call tree");
        let why = nothing::why(p, &slice);
        out.line(format_args!("  {}", why.text(p, metric.key)));
        return Ok(());
    }
    let title = match &costs.tree.basis {
        Basis::Estimated(why) => format!("Call tree, estimated: {why}"),
        _ => "Call tree".to_owned(),
    };
    let of = match report.relative {
        RelativeArg::None => String::new(),
        RelativeArg::Total => {
            let of = format!(", % of {}", format::cost(metric.unit, costs.whole.total));
            of + cancelled(costs.whole.total, costs.own.iter().copied())
        }
        RelativeArg::Parent => ", % of the caller's total (of a root: of all)".to_owned(),
    };
    section(out, &format!("{title}{of}"));
    let whole = costs.whole.total.max(1) as f64;
    let nodes = &costs.tree.nodes;
    let shown = report
        .tree
        .as_ref()
        .map_or_else(|| pick_nodes(&costs, whole), |tree| tree.shown.iter().copied().collect());
    let hidden = nodes.len() - shown.len();
    for &n in &shown {
        let i = n as usize;
        let indent = indent(nodes[i].depth);
        let open = costs.unfinished.get(i).copied().unwrap_or(0);
        out.line(format_args!(
            "  {:>10} {:>7}  {indent}{}",
            least(open, &format::cost(metric.unit, costs.total[i])),
            share_in_tree(report.relative, &costs, i),
            marked(open, &name(p, nodes[i].symbol.function()))
        ));
    }
    if hidden > 0 {
        out.line(format_args!("  … {} smaller or deeper", format::counted(hidden as i64, "path", "paths")));
    }
    for words in costs.gaps.iter().flat_map(|gaps| gaps.words(metric.unit, costs.whole.total)) {
        out.line(format_args!("  … {words}"));
    }
    if let Some((median, p90)) = report.tree.as_ref().and_then(|tree| tree.errors.total) {
        let (median, p90) = (format::percent(median), format::percent(p90));
        out.line(format_args!(
            "  Totals differ from recorded ones by {median} (median), {p90} (90th percentile)"
        ));
    }
    Ok(())
}

/// A cost that calls without an end make a lower bound.
fn least(unfinished: u64, cost: &str) -> String {
    format!("{}{cost}", format::at_least(unfinished))
}

/// A name, with the number of its calls that had not ended.
fn marked(unfinished: u64, name: &str) -> String {
    match unfinished {
        0 => name.to_owned(),
        n => format!("{name} ({} unfinished)", format::count(n as i64)),
    }
}

/// The place of a name in the tree. What is so deep that it would leave the screen says how deep.
fn indent(depth: u32) -> String {
    let blanks = "  ".repeat(depth.min(MOST_INDENT) as usize);
    if depth > MOST_INDENT { format!("{blanks}[{depth}] ") } else { blanks }
}

fn share_in_tree(relative: RelativeArg, costs: &TreeCosts, i: usize) -> String {
    let whole = match relative {
        RelativeArg::None => return String::new(),
        RelativeArg::Total => costs.whole.total,
        RelativeArg::Parent => match costs.tree.nodes[i].parent {
            NO_NODE => costs.whole.total,
            parent => costs.total[parent as usize],
        },
    };
    let total = costs.total[i];
    format::share_text(match relative {
        RelativeArg::Parent => format::share_of_parent(total, whole),
        _ => format::share(total, whole),
    })
}

/// Why there are costs without a share of the whole.
fn cancelled(whole: i64, mut own: impl Iterator<Item = i64>) -> &'static str {
    if whole < 0 || own.any(|own| own < 0) { " (costs below 0 cancel out others)" } else { "" }
}

/// The heaviest path and then the largest nodes, each with all its callers. A node is looked at only below one that is
/// shown, so that the depth of the tree costs nothing.
fn pick_nodes(costs: &TreeCosts, whole: f64) -> BTreeSet<u32> {
    let total = |n: u32| costs.total[n as usize];
    let large = |n: &u32| total(*n) as f64 >= whole * MIN_SHARE;
    let path = heaviest_path(costs).into_iter().take_while(large).take(TREE_LINES);
    let mut shown: BTreeSet<u32> = path.collect();
    let below = |at: Option<u32>| costs.tree.children(at).filter(large).map(|n| (total(n), Reverse(n)));
    let mut next: BinaryHeap<(i64, Reverse<u32>)> = below(None).collect();
    shown.iter().for_each(|&n| next.extend(below(Some(n))));
    while let Some((_, Reverse(n))) = next.pop().filter(|_| shown.len() < TREE_LINES) {
        if shown.insert(n) {
            next.extend(below(Some(n)));
        }
    }
    shown
}

fn warnings(out: &mut Page, p: &Profile) {
    if p.warnings.is_empty() {
        return;
    }
    section(
        out,
        &format!(
            "Opened with {}",
            format::counted(p.warnings.len() as i64, "kind of warning", "kinds of warnings")
        ),
    );
    p.warnings.iter().for_each(|w| out.line(format_args!("  {}", w.words())));
}
