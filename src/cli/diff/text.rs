//! The comparison as text for a terminal, and as Markdown for a pull request.

use super::super::gate::Gate;
use super::{Comparison, Written, names, requests};
use crate::analysis::align::AlignAt;
use crate::analysis::diff::evidence::Verdict;
use crate::analysis::diff::functions::Row;
use crate::analysis::diff::headline::Words;
use crate::analysis::diff::list;
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::diff::{Compared, State, Two, tables};
use crate::format::{self, LONGEST_NAME, Page, short};
use crate::model::Unit;
use crate::state::Decision;

/// Rows of each list, unless told otherwise.
const TOP: usize = 15;
/// Warnings about the files that are told.
const WARNINGS: usize = 4;
/// Rows without a partner that are named.
const UNMATCHED: usize = 3;

/// A list of functions that changed one way.
pub(super) struct List<'a> {
    pub(super) title: &'static str,
    pub(super) rows: Vec<&'a Row>,
    /// What was left out, in words; empty when nothing.
    pub(super) rest: String,
}

/// One line of a list, in words.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) base: String,
    pub(super) head: String,
    pub(super) delta: String,
    pub(super) relative: String,
    pub(super) points: String,
    pub(super) calls: String,
    pub(super) state: String,
}

pub(super) const HEADINGS: [&str; 8] =
    ["Self, base", "head", "Δ", "Δ % of base", "Share, points", "Calls", "State", "Function"];

/// What takes more and what takes less, each by the size of the change; what costs the same is counted.
pub(super) fn lists(c: &Comparison) -> Vec<List<'_>> {
    let change = |r: &Row| match &c.chosen.why_not {
        None => c.related.own(r).change().unwrap_or(0.0),
        Some(_) => points(c, r).unwrap_or(0.0),
    };
    let top = c.top.unwrap_or(TOP);
    let list = |title, sign: f64| {
        let mut rows: Vec<&Row> = c.functions.rows.iter().filter(|r| change(r) * sign > 0.0).collect();
        rows.sort_by(|a, b| change(b).abs().total_cmp(&change(a).abs()));
        let left: Vec<&Row> = rows.split_off(top.min(rows.len()));
        let together: f64 = left.iter().map(|r| change(r)).sum();
        let together = match &c.chosen.why_not {
            None => format::signed_cost(c.metric(true).unit, together.round() as i64),
            Some(_) => format!("{} points", format::points(together)),
        };
        let rest = match left.len() {
            0 => String::new(),
            n => format!("+{n} more, together {together}"),
        };
        List { title, rows, rest }
    };
    vec![list("Takes more", 1.0), list("Takes less", -1.0)]
}

/// Percentage points by which the share of the whole changed.
fn points(c: &Comparison, r: &Row) -> Option<f64> {
    list::points(r.own(), c.functions.whole.own).map(|p| p * 100.0)
}

pub(super) fn line(c: &Comparison, r: &Row) -> Line {
    let unit = |base: bool| c.metric(base).unit;
    let shown = c.related.own(r);
    let unknown = || format::UNKNOWN.to_owned();
    let per = |cost: String| format!("{cost}{}", c.related.to.per());
    let cost = |v: Option<f64>, base| match v {
        Some(v) => per(format::cost(unit(base), v.round() as i64)),
        None => unknown(),
    };
    let delta = shown.change().filter(|_| c.chosen.why_not.is_none());
    let relative = shown.relative_change().filter(|_| c.chosen.why_not.is_none());
    let calls = r.halves.map(|h| h.calls.map(|c| c.all));
    let calls = match (calls.base.flatten(), calls.head.flatten()) {
        (None, None) => unknown(),
        (b, h) if b == h => b.map_or_else(unknown, |n| format::count(n as i64)),
        (b, h) => {
            let count = |n: Option<u64>| n.map_or_else(unknown, |n| format::count(n as i64));
            format!("{} → {}", count(b), count(h))
        }
    };
    let moved = c.functions.same_row(r).is_some_and(|at| c.moved[at as usize]);
    let mut state = match r.state() {
        State::Both if moved => "moved".to_owned(),
        State::Both => String::new(),
        other => other.key().to_owned(),
    };
    if c.related.to != Normalise::Nothing {
        let (own, same) = (r.own(), r.own().delta() == Some(0));
        let raw = |v: Option<i64>, base| format::cost_or_unknown(unit(base), v);
        let sign = if same { "=" } else { "→" };
        state = format!("{state} recorded {} {sign} {}", raw(own.base, true), raw(own.head, false));
    }
    if let (Some(step), Some(before)) = (r.step.filter(|step| step.pairs_other_names()), c.other_name(r)) {
        state = format!("{state} {} in base, paired by {}", short(&before, LONGEST_NAME), step.by());
    }
    let judged = r.evidence.filter(|e| e.verdict != Verdict::TooFewRuns && r.state() == State::Both);
    if let Some(e) = judged {
        state = format!("{state} {}", e.verdict.key());
    }
    let state = state.trim().to_owned();
    let place = match c.place(r) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file,
        _ => String::new(),
    };
    Line {
        name: c.name(r),
        place,
        base: cost(shown.base, true),
        head: cost(shown.head, false),
        delta: delta.map_or_else(unknown, |d| per(format::signed_cost(unit(true), d.round() as i64))),
        relative: match (relative, r.state()) {
            (Some(relative), _) => format::percent_change(relative),
            (None, State::Both) => unknown(),
            (None, state) => state.key().to_owned(),
        },
        points: points(c, r).map_or_else(unknown, format::points),
        calls,
        state,
    }
}

/// The sentences above the tables: the headline, and the others.
pub(super) fn sentences(c: &Comparison) -> (String, Vec<String>) {
    let Words { headline, certainty, caution } = c.words();
    let mut said: Vec<String> = [certainty, caution].into_iter().filter(|text| !text.is_empty()).collect();
    let warnings: Vec<_> = c.warnings().collect();
    let told =
        warnings.iter().take(WARNINGS).map(|(side, w)| format!("Warning about the {side}: {}.", w.words()));
    said.extend(told);
    if warnings.len() > WARNINGS {
        said.push(format!("{} more; `inferscope report` lists them.", warnings.len() - WARNINGS));
    }
    let several = |side: &[super::Opened]| format::counted(side.len() as i64, "run", "runs");
    said.extend(c.same.iter().map(|same| {
        let why = match same.is_copy {
            true => "one measurement, counted once",
            false => "a copy, or counts that never vary",
        };
        format!("{} holds the same bytes as {}: {why}.", same.file.display(), same.other.display())
    }));
    if c.base.len() + c.head.len() > 2 {
        said.push(format!(
            "Medians of {} before and {} after: their differences need not add up to that of the total.",
            several(&c.base),
            several(&c.head)
        ));
    }
    if !c.related.factors.legend.is_empty() {
        said.push(format!(
            "Normalised {}; the sentences above are of costs as recorded.",
            c.related.factors.legend
        ));
    }
    if let (Some(base), Some(head)) = (c.elapsed().base, c.elapsed().head) {
        let change = Two::both(base, head).relative().map(|r| format!(" ({})", format::percent_change(r)));
        let sums = match c.functions.rows.is_empty() {
            true => String::new(),
            false => format!(
                "; sum of self costs {} → {}",
                format::cost_or_unknown(c.metric(true).unit, c.functions.sum.base),
                format::cost_or_unknown(c.metric(false).unit, c.functions.sum.head),
            ),
        };
        said.push(format!(
            "Elapsed {} → {}{}{sums}.",
            format::duration(base),
            format::duration(head),
            change.unwrap_or_default(),
        ));
    }
    if c.align != AlignAt::Start
        && let (Some(base), Some(head)) = (c.moments.base, c.moments.head)
    {
        let at = format!(
            "Aligned at {}: {} → {}",
            c.align.label(),
            format::duration(base),
            format::duration(head)
        );
        said.push(format!("{at} after the start."));
    }
    said.push(matched(c));
    if let Some(r) = &c.requests {
        said.extend(r.sentences());
    }
    (headline, said)
}

fn matched(c: &Comparison) -> String {
    let m = &c.functions.matched;
    if c.functions.rows.is_empty() {
        return "No costs of functions to compare.".into();
    }
    let percent = |share: f64| format::percent(share.clamp(0.0, 1.0));
    let alone: Vec<String> = c
        .functions
        .rows
        .iter()
        .filter(|r| r.state() != State::Both && r.own().delta() != Some(0))
        .take(UNMATCHED)
        .map(|r| format!("{} ({})", c.name(r), r.state().key()))
        .collect();
    let alone =
        if alone.is_empty() { String::new() } else { format!("; without a partner: {}", alone.join(", ")) };
    format!(
        "{} in both: {} of the baseline's cost, {} of the new run's{alone}.",
        format::counted(m.rows as i64, "function is", "functions are"),
        percent(m.share_base),
        percent(m.share_head),
    )
}

fn settings(c: &Comparison) -> Vec<String> {
    let value = |v: &Option<String>| v.clone().unwrap_or_else(|| format::UNKNOWN.into());
    let mut said: Vec<String> = c
        .settings
        .iter()
        .map(|s| {
            let note = if s.note.is_empty() { String::new() } else { format!(" ({})", s.note) };
            format!("{}: {} → {}{note}", s.what, value(&s.values.base), value(&s.values.head))
        })
        .collect();
    if said.len() > 1 {
        said.push("More than one thing was changed: the difference has no single cause.".into());
    }
    said
}

/// Paths that held the heap and are named.
const HOLDERS: usize = 6;

/// Results that both runs state, and who held the heap at its peak: headings with their lines.
pub(super) fn more(c: &Comparison) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for table in &c.results {
        let line = |(name, cells): &(String, Vec<Two<String>>)| {
            let cell = |(column, cell): (&String, &Two<String>)| format!("{column} {}", tables::words(cell));
            let cells: Vec<String> = table.columns.iter().skip(1).zip(cells).map(cell).collect();
            format!("{name}: {}", cells.join(", "))
        };
        found.push((table.title.clone(), table.rows.iter().map(line).collect()));
    }
    let tried = &c.optimisations;
    if !tried.steps.is_empty() {
        let lines = tried.steps.iter().map(|s| format!("{}: {}", s.lever.name(), s.words()));
        let came = Some(tried.came_of_it()).filter(|text| !text.is_empty());
        found.push(("Optimisations".to_owned(), lines.chain(came).collect()));
    }
    if let Some(heap) = &*c.heap {
        let side = |bytes: Option<i64>, time: Option<i64>| {
            format!("{} after {}", format::bytes(bytes.unwrap_or(0)), format::duration(time.unwrap_or(0)))
        };
        let (bytes, time) = (heap.bytes, heap.time);
        let title =
            format!("Heap at its peak: {} → {}", side(bytes.base, time.base), side(bytes.head, time.head));
        let known = |bytes: Option<i64>| bytes.map_or_else(|| format::UNKNOWN.to_owned(), format::bytes);
        let changed = heap.holders.iter().filter(|&&n| heap.held(n).delta() != Some(0)).take(HOLDERS);
        let line = |&node: &u32| {
            let held = heap.held(node);
            let delta = format::signed_cost(Unit::Bytes, held.delta().unwrap_or(0));
            let name = heap.name(node, c.profile(true), c.profile(false));
            format!("{delta} ({} → {}) {name}", known(held.base), known(held.head))
        };
        found.push((title, changed.map(line).collect()));
    }
    found
}

/// What was written about a run or about all: its heading, and the text.
pub(super) fn written(note: &Written) -> (String, &str) {
    let decision = match note.decision {
        Decision::Open => String::new(),
        other => format!(" ({})", other.label()),
    };
    let about = if note.about.is_empty() { "Notes" } else { &note.about };
    (format!("{about}{decision}"), note.text.trim())
}

pub(super) fn plain(c: &Comparison, gate: &Gate) -> Page {
    let mut out = Page::default();
    out.line(format_args!("base  {}", names(&c.base)));
    out.line(format_args!("head  {}", names(&c.head)));
    out.line(format_args!("Δ = head − base, {}", c.metric(true).label));
    out.gap();
    let (headline, others) = sentences(c);
    out.line(headline);
    others.into_iter().for_each(|sentence| out.line(sentence));
    let differing = settings(c);
    if !differing.is_empty() {
        out.gap();
        out.line("Differs besides costs");
        differing.iter().for_each(|line| out.line(format_args!("  {line}")));
    }
    for (heading, lines) in more(c) {
        out.gap();
        out.line(heading);
        lines.iter().for_each(|line| out.line(format_args!("  {line}")));
    }
    for note in &c.notes {
        let (heading, text) = written(note);
        out.gap();
        out.line(heading);
        text.lines().for_each(|line| out.line(format_args!("  {line}")));
    }
    for list in lists(c).iter().filter(|l| !l.rows.is_empty()) {
        out.gap();
        out.line(list.title);
        out.line(format_args!(
            "{:>12} {:>12} {:>12} {:>8} {:>7}  {:<14} {}",
            "BASE", "HEAD", "Δ SELF", "Δ %", "POINTS", "CALLS", "FUNCTION"
        ));
        for row in &list.rows {
            let l = line(c, row);
            let state = if l.state.is_empty() { String::new() } else { format!("  [{}]", l.state) };
            let place = if l.place.is_empty() { String::new() } else { format!("  {}", l.place) };
            out.line(format_args!(
                "{:>12} {:>12} {:>12} {:>8} {:>7}  {:<14} {}{place}{state}",
                l.base,
                l.head,
                l.delta,
                l.relative,
                l.points,
                l.calls,
                short(&l.name, LONGEST_NAME)
            ));
        }
        if !list.rest.is_empty() {
            out.line(format_args!("  {}", list.rest));
        }
    }
    if let Some(listed) = requests::list(c) {
        out.gap();
        out.line("Requests");
        let widths: Vec<usize> = (0..requests::HEADINGS.len() - 1)
            .map(|i| {
                let cells = listed.rows.iter().map(|row| row[i].chars().count());
                cells.max().unwrap_or(0).max(requests::HEADINGS[i].chars().count())
            })
            .collect();
        let line = |cells: &[&str]| {
            let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
            let name = cells.last().map(|name| short(name, LONGEST_NAME).into_owned());
            padded.chain(name).collect::<Vec<_>>().join("  ")
        };
        let headings: Vec<String> = requests::HEADINGS.iter().map(|h| h.to_uppercase()).collect();
        out.line(line(&headings.iter().map(String::as_str).collect::<Vec<_>>()));
        for row in &listed.rows {
            out.line(line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        if !listed.rest.is_empty() {
            out.line(format_args!("  {}", listed.rest));
        }
    }
    for judged in &gate.0 {
        out.gap();
        out.line(format_args!("{}: {} ({})", judged.condition, judged.outcome.key(), judged.why));
    }
    out
}

pub(super) fn markdown(c: &Comparison, gate: &Gate) -> String {
    let (headline, others) = sentences(c);
    let mut out = format!("**{}**\n\n", escaped(&headline));
    for sentence in &others {
        out += &format!("{}\n", escaped(sentence));
    }
    out += &format!(
        "\nBaseline: {}. New run: {}. Δ = head − base.\n",
        code(&names(&c.base)),
        code(&names(&c.head))
    );
    let differing = settings(c);
    if !differing.is_empty() {
        out += "\nDiffers besides costs:\n\n";
        differing.iter().for_each(|line| out += &format!("- {}\n", escaped(line)));
    }
    for (heading, lines) in more(c) {
        out += &format!("\n{}\n\n", escaped(&heading));
        lines.iter().for_each(|line| out += &format!("- {}\n", escaped(line)));
    }
    for note in &c.notes {
        let (heading, text) = written(note);
        out += &format!("\n**{}**\n\n", escaped(&heading));
        text.lines().for_each(|line| out += &format!("{}\n", escaped(line)));
    }
    for list in lists(c).iter().filter(|l| !l.rows.is_empty()) {
        out += &format!(
            "\n#### {}\n\n| {} |\n|{}\n",
            list.title,
            HEADINGS.join(" | "),
            "---:|".repeat(6) + "---|---|"
        );
        for row in &list.rows {
            let l = line(c, row);
            let cells = [l.base, l.head, l.delta, l.relative, l.points, l.calls, l.state];
            let place = if l.place.is_empty() { String::new() } else { format!(" {}", escaped(&l.place)) };
            out += &format!("| {} | {}{place} |\n", cells.join(" | "), code(&l.name));
        }
        if !list.rest.is_empty() {
            out += &format!("\n{}\n", list.rest);
        }
    }
    if let Some(listed) = requests::list(c) {
        let heads = requests::HEADINGS.join(" | ");
        out += &format!("\n#### Requests\n\n| {heads} |\n|{}\n", "---:|".repeat(5) + "---|---|");
        for [cells @ .., name] in &listed.rows {
            out += &format!("| {} | {} |\n", cells.join(" | "), code(name));
        }
        if !listed.rest.is_empty() {
            out += &format!("\n{}\n", listed.rest);
        }
    }
    for judged in &gate.0 {
        out += &format!(
            "\n{}: **{}** ({})\n",
            code(&judged.condition),
            judged.outcome.key(),
            escaped(&judged.why)
        );
    }
    out
}

/// Text that is no markup and stays within its cell.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text as code; backticks within are replaced.
fn code(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|c| {
            if c == '`' {
                '\''
            } else if c == '|' {
                '¦'
            } else if c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    format!("`{safe}`")
}
