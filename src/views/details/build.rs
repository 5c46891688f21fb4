//! What is known about each kind of thing, as a [`Sheet`].
//!
//! Reads rows of the profile directly where that costs nothing; sums and searches come from queries, and
//! while one is being computed its facts are left out.

use super::args::EventArgs;
use super::sheet::{Amount, Block, Fact, Sheet};
use crate::analysis::Slice;
use crate::analysis::formula::Measure;
use crate::analysis::functions::Functions;
use crate::analysis::most_probable::ProbableStack;
use crate::analysis::span_facts::{self, SpanFacts};
use crate::analysis::tree_costs::Costs;
use crate::analysis::whole::Whole;
use crate::format;
use crate::model::{ArgsPlace, ArgsRef, FunctionId, Metric, Profile, Severity, SpanStatus, TrackId, Unit};
use crate::state::Item;
use crate::ui::theme::Tone;
use crate::views::ViewCx;
use crate::views::shared::clock;

/// Most enclosing spans that a path lists.
const LONGEST_PATH: usize = 40;

/// The sheet of an item; `None` when the profile does not have it.
pub(super) fn sheet(cx: &ViewCx<'_>, item: &Item) -> Option<Sheet> {
    let (profile, keys) = (cx.profile(), cx.profile().keys());
    match item {
        Item::Span(_) => item.span(profile).and_then(|(track, row)| span(cx, track, row)),
        Item::Function(f) => function(cx, keys.function(*f)?),
        Item::Path(_) => call_path(cx, &item.path(profile)?),
        Item::Edge(a, b) => edge(cx, keys.function(*a)?, keys.function(*b)?),
        Item::Instant(_) => instant(cx, item.instant(profile)?),
        Item::Request(_) => super::request::sheet(cx, item.request(profile)?),
        Item::Track(id) => track(cx, keys.track(*id)?),
        Item::Time(t) => Some(moment(cx, *t)),
    }
}

fn of(share: i64, whole: i64) -> String {
    format::percent(share as f64 / whole.max(1) as f64)
}

/// The same as a number.
fn share(share: i64, whole: i64) -> Amount {
    Amount::Cost(Unit::MilliPercent, (share as f64 / whole.max(1) as f64 * 1e5).round() as i64)
}

fn nanoseconds(value: i64) -> Amount {
    Amount::Cost(Unit::Nanoseconds, value)
}

fn run_length(cx: &ViewCx<'_>) -> i64 {
    let profile = cx.profile();
    profile.time_bounds().map(|(a, b)| b.saturating_sub(a)).or(profile.meta.duration).unwrap_or(0)
}

/// A moment, which a click leads to.
pub(super) fn time(cx: &ViewCx<'_>, name: &str, t: i64) -> Fact {
    let hint = "Since the start of the profile. Click to see what ran then.";
    let start = cx.profile().time_bounds().map_or(0, |(from, _)| from);
    let amount = Amount::Moment(t.saturating_sub(start));
    Fact::new(name, format::duration_exact(t)).go(Item::Time(t)).hint(hint).is(amount)
}

/// The calendar time of a moment, where the profile knows its own.
pub(super) fn clock(cx: &ViewCx<'_>, t: i64) -> Option<Fact> {
    let origin = cx.profile().meta.origin_unix_ns?;
    let at = origin.saturating_add(t);
    let (local, utc) = (clock::local(at), format::utc(at));
    Some(Fact::new("Clock", if local == utc { utc } else { format!("{local}  ({utc})") }))
}

/// Where a function comes from.
fn origin(profile: &Profile, f: FunctionId) -> Vec<Fact> {
    let row = profile.functions.get(f);
    let mut facts = Vec::new();
    let module = profile.text(row.module);
    if !module.is_empty() {
        facts.push(Fact::new("Module", module));
    }
    let file = profile.text(row.file);
    if !file.is_empty() {
        let place = if row.line > 0 { format!("{file}:{}", row.line) } else { file.to_owned() };
        facts.push(Fact::new("Source", place));
    }
    let category = profile.text(row.category);
    if !category.is_empty() {
        facts.push(Fact::new("Category", category));
    }
    facts
}

fn span(cx: &ViewCx<'_>, track: TrackId, row: u32) -> Option<Sheet> {
    let profile = cx.profile();
    let spans = &profile.tracks.get(track.index())?.spans;
    let span = *spans.rows.get(row as usize)?;
    let name = profile.function_name(span.function);
    let mut sheet = Sheet::new("Span", name);
    name.clone_into(&mut sheet.color_of);
    sheet.badge = match span.status {
        SpanStatus::Ok => None,
        SpanStatus::Error => Some((Tone::Bad, "error".into())),
        SpanStatus::Unfinished => Some((Tone::Warning, "never ended".into())),
    };
    let facts = cx.ask(&SpanFacts { track, row }, 0).later("Looking up the span");
    let facts = facts.as_deref();
    let duration = span.duration();
    let exact = Fact::new("Duration", format::duration_exact(duration));
    let mut rows = vec![exact.is(nanoseconds(duration))];
    if let Some(f) = facts {
        rows.push(
            Fact::new("Self", format!("{}  ({})", format::duration_exact(f.own), of(f.own, duration)))
                .is(nanoseconds(f.own))
                .hint("Duration without the time in which what it called ran, on any lane"),
        );
    }
    if let Some((on, parent)) = profile.span_ancestors(track, row).nth(1) {
        let parent_row = &profile.track(on).spans.rows[parent as usize];
        let value = format!(
            "{} of {}",
            of(duration, parent_row.duration()),
            profile.function_name(parent_row.function)
        );
        let amount = share(duration, parent_row.duration());
        rows.push(Fact::new("Of parent", value).go(Item::of_span(on, parent, profile)).is(amount));
    }
    rows.push(
        Fact::new("Of run", of(duration, run_length(cx)))
            .is(share(duration, run_length(cx)))
            .hint("Duration ÷ time from the first to the last thing in the profile"),
    );
    rows.push(time(cx, "Start", span.start));
    rows.push(time(cx, "End", span.end));
    for (metric, values) in &spans.costs {
        let metric = profile.metric(*metric);
        rows.push(Fact::cost(&metric.label, metric.unit, values[row as usize]));
    }
    if let Some(f) = facts.filter(|f| f.below > 0) {
        let below = format::counted(f.below as i64, "span", "spans");
        let below = format!("{below}, {} directly", format::count(f.children as i64));
        rows.push(Fact::new("Below it", below).is(Amount::Cost(Unit::Count, f.below as i64)));
    }
    sheet.facts("", rows);
    if let Some(f) = facts {
        links(profile, &mut sheet, f);
        called(profile, &mut sheet, f, duration);
    }
    let mut place = vec![Fact::new("Track", profile.track_label(track)).go(Item::of_track(track, profile))];
    place.push(
        Fact::new("Function", name)
            .go(Item::of_function(span.function, profile))
            .hint("All calls of the function"),
    );
    place.extend(origin(profile, span.function));
    sheet.facts("Where", place);
    args(cx, &mut sheet, span.args);
    let path = span_facts::path(profile, track, row, LONGEST_PATH);
    if path.len() > 1 {
        let step = |&(track, row): &(TrackId, u32)| {
            let function = profile.track(track).spans.rows[row as usize].function;
            Some((profile.function_name(function).to_owned(), Item::of_span(track, row, profile)?))
        };
        sheet.blocks.push(Block::Path(path.iter().filter_map(step).collect()));
    }
    sheet.blocks.push(Block::Durations(span.function, Some(duration)));
    Some(sheet)
}

/// What the span called, longest first.
fn called(profile: &Profile, sheet: &mut Sheet, facts: &span_facts::Facts, whole: i64) {
    let fact = |&(track, row): &(TrackId, u32)| {
        let span = &profile.track(track).spans.rows[row as usize];
        let value = format!("{}  ({})", format::duration(span.duration()), of(span.duration(), whole));
        let fact = Fact::new(profile.function_name(span.function), value);
        fact.go(Item::of_span(track, row, profile)).is(nanoseconds(span.duration()))
    };
    let rows: Vec<Fact> = facts.called.iter().map(fact).collect();
    let more = facts.children.saturating_sub(rows.len() as u64);
    let note = if more > 0 {
        format!("and {} more, all shorter", format::count(more as i64))
    } else {
        String::new()
    };
    sheet.noted("Called", rows, &note);
}

fn links(profile: &Profile, sheet: &mut Sheet, facts: &span_facts::Facts) {
    let mut rows = Vec::new();
    for link in &facts.links {
        let name = match link.row {
            Some(row) => {
                let function = profile.track(link.track).spans.rows[row as usize].function;
                format!("{} on {}", profile.function_name(function), profile.track_label(link.track))
            }
            None => format!("{} on {}", format::duration_exact(link.time), profile.track_label(link.track)),
        };
        let gap = if link.outgoing { link.time - link.here } else { link.here - link.time };
        let kind = profile.text(link.name);
        let label = match (kind, link.outgoing) {
            ("launch", true) => "Launched".to_owned(),
            ("launch", false) => "Launched by".to_owned(),
            ("", true) => "to".to_owned(),
            ("", false) => "from".to_owned(),
            (kind, true) => format!("{kind} to"),
            (kind, false) => format!("{kind} from"),
        };
        let item = match link.row {
            Some(row) => Item::of_span(link.track, row, profile),
            None => Some(Item::Time(link.time)),
        };
        let value = match (gap >= 0, link.outgoing) {
            (true, true) => format!("{name} ({} later)", format::duration(gap)),
            (true, false) => format!("{name} ({} before)", format::duration(gap)),
            (false, _) => format!("{name}, {}", format::duration(gap)),
        };
        rows.push(Fact::new(&label, value).go(item).hint("Cause and effect, with the time between them"));
    }
    let more = facts.link_count - facts.links.len();
    let note = if more > 0 { format!("and {} more", format::count(more as i64)) } else { String::new() };
    sheet.noted("Links", rows, &note);
}

/// Details: inline at once, from the file when they have been read.
fn args(cx: &ViewCx<'_>, sheet: &mut Sheet, args: ArgsRef) {
    let pairs = match args.place() {
        ArgsPlace::None => return,
        ArgsPlace::Inline(_) => cx.profile().inline_args(args),
        ArgsPlace::Offset(offset) => {
            let Some(input) = cx.input else {
                return sheet.noted("Arguments", Vec::new(), "They stand in the file, which is not open.");
            };
            let query = EventArgs { input: input.clone(), offset };
            let Some(read) = cx.ask(&query, 0).exact().later("Reading arguments") else { return };
            match &*read {
                Ok(pairs) => pairs.clone(),
                Err(why) => {
                    let note = format!("They cannot be read from the file: {why}");
                    return sheet.noted("Arguments", Vec::new(), &note);
                }
            }
        }
    };
    let fact = |(name, value): &(String, String)| Fact::new(name, value.as_str()).is(number(name, value));
    let rows = pairs.iter().map(fact).collect();
    sheet.facts("Arguments", rows);
}

/// The number that an argument is, unless it names something.
fn number(name: &str, value: &str) -> Option<Amount> {
    const NAMES: [&str; 4] = ["id", "port", "seed", "line"];
    let names = |name: &str| NAMES.iter().any(|end| name.to_ascii_lowercase().ends_with(end));
    let value = value.trim().parse::<f64>().ok().filter(|v| v.is_finite() && !names(name))?;
    Some(Amount::Number(value))
}

/// A cost with its share of `sum`, which is named where self and total costs have different ones.
fn with_share(unit: Unit, cost: i64, sum: i64, whole: Whole) -> String {
    let of_sum = if whole.is_one() { String::new() } else { format!(" of {}", format::cost(unit, sum)) };
    format!("{}  ({}{of_sum})", format::cost(unit, cost), of(cost, sum))
}

/// Self and total of a function in every metric, how often it was called, and whether all that is known.
fn metrics(cx: &ViewCx<'_>, f: FunctionId) -> (Vec<Fact>, Option<Fact>, bool) {
    let profile = cx.profile();
    let (mut rows, mut calls, mut known) = (Vec::new(), None, true);
    for (i, metric) in cx.metrics().take(100).enumerate() {
        let query = Functions(Slice { metric, ..cx.slice() });
        let Some(table) = cx.ask(&query, 16 + i as u64).later("Adding up functions") else {
            known = false;
            continue;
        };
        let Some(row) = table.rows.iter().find(|r| r.function == f && r.module.is_none()) else { continue };
        let Some(Measure { label, unit, .. }) = Measure::of(metric, profile) else { continue };
        let least = format::at_least(row.unfinished);
        let cost = |v: Option<i64>, sum: i64| {
            v.map_or_else(
                || format::UNKNOWN.into(),
                |v| format!("{least}{}", with_share(unit, v, sum, table.whole)),
            )
        };
        rows.push(
            Fact::new(&format!("Self {}", label.to_lowercase()), cost(row.known_own(), table.whole.own))
                .is(row.known_own().map(|v| Amount::Cost(unit, v)))
                .hint("Its own cost, without what it called"),
        );
        rows.push(
            Fact::new(&format!("Total {}", label.to_lowercase()), cost(row.known_total(), table.whole.total))
                .is(row.known_total().map(|v| Amount::Cost(unit, v)))
                .hint("Its own cost and that of all it called; recursion counts once"),
        );
        if row.unfinished > 0 && i == 0 {
            let text = format::counted(row.unfinished as i64, "call", "calls");
            let hint = "They had not ended when the recording did: self and total are at least what they say";
            rows.push(Fact::new("Unfinished", text).hint(hint));
        }
        calls = match (row.calls, row.samples) {
            (Some(c), _) if c.all != c.primitive => {
                let text = format!(
                    "{}, {} without recursion",
                    format::count(c.all as i64),
                    format::count(c.primitive as i64)
                );
                Some(Fact::new("Calls", text).is(Amount::Cost(Unit::Count, c.all as i64)))
            }
            (Some(c), _) => Some(Fact::count("Calls", c.all as usize)),
            (None, Some(own)) => {
                let total = row.samples_total.unwrap_or(own);
                let text = format!(
                    "{} innermost, {} anywhere",
                    format::count(own as i64),
                    format::count(total as i64)
                );
                Some(
                    Fact::new("Samples", text)
                        .is(Amount::Cost(Unit::Count, total as i64))
                        .hint("Samples in which it was the innermost function, and in which it was any"),
                )
            }
            (None, None) => calls,
        };
    }
    (rows, calls, known)
}

fn function(cx: &ViewCx<'_>, f: FunctionId) -> Option<Sheet> {
    let profile = cx.profile();
    profile.functions.rows().get(f.index())?;
    let name = profile.function_name(f);
    let mut sheet = Sheet::new("Function", name);
    name.clone_into(&mut sheet.color_of);
    let (mut rows, calls, known) = metrics(cx, f);
    rows.extend(calls);
    let note = if known && rows.is_empty() { "It did not run in the part that is shown." } else { "" };
    sheet.noted("", rows, note);
    sheet.facts("Where", origin(profile, f));
    sheet.blocks.extend(probable_stack(cx, f));
    sheet.blocks.push(Block::Durations(f, None));
    Some(sheet)
}

/// The stack that is most probable while the function runs.
fn probable_stack(cx: &ViewCx<'_>, function: FunctionId) -> Option<Block> {
    let profile = cx.profile();
    let query = ProbableStack { slice: cx.slice(), function: profile.keys().symbol(function) };
    let stack = Option::clone(&*cx.ask(&query, 0).beside()?)?;
    let start = stack.path.len().saturating_sub(LONGEST_PATH).min(stack.at);
    let end = stack.path.len().min(start + LONGEST_PATH);
    let step = |n: usize| {
        (profile.function_name(stack.path[n]).to_owned(), Item::of_path(&stack.path[..=n], profile))
    };
    let unit = crate::views::shared::unit(profile, cx.interaction);
    let mut note = format!(
        "Exactly this stack has {} of the function's total {}",
        of(stack.own, stack.total),
        format::cost(unit, stack.total),
    );
    note += &match &stack.basis {
        crate::model::Basis::Estimated(why) => format!(". Estimated: {why}."),
        _ => ", more than any other stack with it.".to_owned(),
    };
    let hidden = stack.path.len() - (end - start);
    if hidden > 0 {
        note += &format!(" {} are left out here.", format::counted(hidden as i64, "function", "functions"));
    }
    Some(Block::Stack { steps: (start..end).map(step).collect(), at: stack.at - start, note })
}

fn call_path(cx: &ViewCx<'_>, path: &[FunctionId]) -> Option<Sheet> {
    let profile = cx.profile();
    let &last = path.last()?;
    if path.iter().any(|f| f.index() >= profile.functions.len()) {
        return None;
    }
    let name = profile.function_name(last);
    let mut sheet = Sheet::new("Call path", name);
    name.clone_into(&mut sheet.color_of);
    if let Some(metric) = cx.measure()
        && let Some(costs) = cx.ask(&Costs(cx.slice()), 0).later("Adding up the call tree")
        && let Some(node) = costs.tree.find(path, &profile.functions)
    {
        let (node, count) = (node as usize, costs.count(node));
        let cost = |v: i64, sum: i64| with_share(metric.unit, v, sum, costs.whole);
        let label = metric.label.to_lowercase();
        let called = costs.calls.get(node).is_some_and(|&calls| calls > 0);
        let counted = if called || costs.samples.is_empty() { "Calls" } else { "Samples" };
        let mut rows = vec![
            Fact::new(&format!("Self {label}"), cost(costs.own[node], costs.whole.own))
                .is(Amount::Cost(metric.unit, costs.own[node]))
                .hint("On exactly this path, without what it called"),
            Fact::new(&format!("Total {label}"), cost(costs.total[node], costs.whole.total))
                .is(Amount::Cost(metric.unit, costs.total[node]))
                .hint("On this path and below"),
            Fact::new(counted, count.map_or_else(|| format::UNKNOWN.to_owned(), |n| format::count(n as i64)))
                .is(count.map(|n| Amount::Cost(Unit::Count, n as i64))),
        ];
        if let Some(parent) =
            path.len().checked_sub(2).and_then(|n| costs.tree.find(&path[..=n], &profile.functions))
        {
            let (total, whole) = (costs.total[node], costs.total[parent as usize]);
            rows.push(Fact::new("Of parent", of(total, whole)).is(share(total, whole)));
        }
        let note = match &costs.tree.basis {
            crate::model::Basis::Estimated(why) => format!("Estimated: {why}."),
            _ => String::new(),
        };
        sheet.noted("", rows, &note);
    }
    if path.len() > 1 {
        let start = path.len().saturating_sub(LONGEST_PATH);
        let step =
            |n: usize| (profile.function_name(path[n]).to_owned(), Item::of_path(&path[..=n], profile));
        sheet.blocks.push(Block::Path((start..path.len()).map(step).collect()));
    }
    let (mut rows, calls, _) = metrics(cx, last);
    rows.extend(calls);
    rows.push(Fact::new("Function", name).go(Item::of_function(last, profile)));
    sheet.facts("On all paths", rows);
    sheet.facts("Where", origin(profile, last));
    sheet.blocks.push(Block::Durations(last, None));
    Some(sheet)
}

fn edge(cx: &ViewCx<'_>, caller: FunctionId, callee: FunctionId) -> Option<Sheet> {
    let profile = cx.profile();
    if caller.index().max(callee.index()) >= profile.functions.len() {
        return None;
    }
    let (from, to) = (profile.function_name(caller), profile.function_name(callee));
    let mut sheet = Sheet::new("Calls", format!("{from} → {to}"));
    let mut rows = vec![
        Fact::new("Caller", from).go(Item::of_function(caller, profile)),
        Fact::new("Callee", to).go(Item::of_function(callee, profile)),
    ];
    if let Some(graph) = &profile.call_graph {
        let node = |f| graph.nodes.iter().position(|n| n.function == f).map(crate::model::NodeId::from_index);
        let ends = (node(caller), node(callee));
        let find = |e: &crate::model::CallEdge| (Some(e.caller), Some(e.callee)) == ends;
        if let Some(i) = graph.edges.iter().position(find) {
            if let Some(calls) = graph.edges[i].calls {
                rows.push(Fact::count("Calls", calls.all as usize));
            }
            for costs in &graph.costs {
                let Metric { label, unit, .. } = profile.metric(costs.metric);
                let name = format!("Total {}", label.to_lowercase());
                rows.push(
                    Fact::cost(&name, *unit, costs.edge_total[i])
                        .hint("Of the callee and all below it, for these calls"),
                );
            }
        }
    }
    sheet.facts("", rows);
    sheet.facts("Where the callee is", origin(profile, callee));
    Some(sheet)
}

fn instant(cx: &ViewCx<'_>, i: u32) -> Option<Sheet> {
    let profile = cx.profile();
    let instant = *profile.instants.get(i as usize)?;
    let text = profile.text(instant.name);
    let first = text.lines().next().unwrap_or("").chars().take(160).collect::<String>();
    let mut sheet = Sheet::new("Event", first.clone());
    let (tone, severity) = match instant.severity {
        Severity::Debug => (Tone::Neutral, "debug"),
        Severity::Info => (Tone::Info, "info"),
        Severity::Warning => (Tone::Warning, "warning"),
        Severity::Error => (Tone::Bad, "error"),
    };
    sheet.badge = Some((tone, severity.into()));
    let mut rows = vec![time(cx, "Time", instant.time)];
    rows.extend(clock(cx, instant.time));
    rows.push(match instant.track {
        Some(track) => Fact::new("Track", profile.track_label(track)).go(Item::of_track(track, profile)),
        None => Fact::new("Track", "the whole profile"),
    });
    sheet.facts("", rows);
    if first != text {
        sheet.text("Text", text);
    }
    args(cx, &mut sheet, instant.args);
    sheet.blocks.push(Block::Moment(instant.time));
    Some(sheet)
}

fn track(cx: &ViewCx<'_>, id: TrackId) -> Option<Sheet> {
    let profile = cx.profile();
    let track = profile.tracks.get(id.index())?;
    let mut sheet = Sheet::new("Track", profile.track_label(id));
    let kind = match track.kind {
        crate::model::TrackKind::Thread => "thread",
        crate::model::TrackKind::Task => "async task",
        crate::model::TrackKind::GpuStream => "GPU stream",
        crate::model::TrackKind::Async => "async operations",
        crate::model::TrackKind::Phase => "phases of the run",
        crate::model::TrackKind::Profile => "profile without threads",
        crate::model::TrackKind::Summary => "summary of other tracks, not part of any sum",
        crate::model::TrackKind::Untimed => "spans whose times are not known",
    };
    let mut rows = vec![Fact::new("Kind", kind)];
    let process = profile.text(track.process);
    if !process.is_empty() {
        rows.push(Fact::new("Process", process));
    }
    if !track.spans.rows.is_empty() {
        rows.push(Fact::count("Spans", track.spans.rows.len()));
        let depth = track.spans.lanes.iter().map(|l| l.depth).max().unwrap_or(0);
        let levels = format::counted(i64::from(depth), "level", "levels");
        rows.push(Fact::new("Depth", levels).is(Amount::Cost(Unit::Count, i64::from(depth))));
        if track.spans.lanes.len() > 1 {
            rows.push(
                Fact::count("Lanes", track.spans.lanes.len())
                    .hint("Spans that overlap without nesting are drawn in lanes"),
            );
        }
    }
    if !track.samples.is_empty() {
        let known = profile.counts_samples();
        let (label, count) = match known {
            true => ("Samples", profile.samples_on(id) as usize),
            false => ("Sums of samples", track.samples.len()),
        };
        rows.push(Fact::count(label, count));
    }
    let events = profile.instants.iter().filter(|i| i.track == Some(id)).count();
    if events > 0 {
        rows.push(Fact::count("Events", events));
    }
    sheet.facts("", rows);
    Some(sheet)
}

fn moment(cx: &ViewCx<'_>, t: i64) -> Sheet {
    let profile = cx.profile();
    let mut sheet = Sheet::new("Moment", format::duration_exact(t));
    sheet.facts("", clock(cx, t).into_iter().collect());
    let mut rows = Vec::new();
    for (i, counter) in profile.counters.iter().enumerate().take(200) {
        let name = crate::views::shared::counter_name(profile, crate::model::CounterId::from_index(i));
        let value = counter.at(t);
        let text = value.map_or_else(|| format::UNKNOWN.to_owned(), |v| format::value(counter.unit, v));
        let amount = value.map(|v| match counter.unit {
            Unit::None => Amount::Number(v),
            unit => Amount::Cost(unit, v.round() as i64),
        });
        rows.push(Fact::new(&name, text).is(amount));
    }
    sheet.blocks.push(Block::Moment(t));
    sheet.facts("Counters", rows);
    sheet
}
