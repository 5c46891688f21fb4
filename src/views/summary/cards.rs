//! The cards of the summary. Each says one thing; those that have nothing to say are left out.

use crate::analysis::asked::Asked;
use crate::analysis::caches::Caches;
use crate::analysis::definitions;
use crate::analysis::findings::Findings;
use crate::analysis::functions::{FunctionRow, FunctionTable, Functions, LARGEST};
use crate::analysis::overview::{Peak, RequestFigures, Summary, Total};
use crate::analysis::waiting::LargestOwn;
use crate::format;
use crate::model::{Fact, Profile, Unit};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, space};
use crate::ui::widgets::{KeyValues, link_button};
use crate::views::Reply;
use crate::views::heap;
use crate::views::parts::{BarRow, card, remark, row, text_in, weak};
use crate::views::percentiles::{self, Statistic};
use crate::views::shared::{bars, clock};
use crate::views::{ViewCx, Wish, shared};
use egui::{Align, Sense, Ui, vec2};

/// A card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    Findings,
    Own,
    Total,
    Requests,
    Caches,
    Optimisations,
    Memory,
    Run,
    Totals,
    Contents,
    Machine,
    Warnings,
}

/// The cards that this profile fills, in order of interest.
pub(super) fn wanted(cx: &ViewCx<'_>) -> Vec<Card> {
    let profile = cx.profile();
    let found = cx.ask(&Findings { prices: cx.prices.clone() }, 7).beside();
    let found = found.is_some_and(|all| !all.is_empty());
    let functions = !profile.metrics.is_empty() && !profile.functions.is_empty();
    let memory = profile.counters.iter().any(|c| c.unit == Unit::Bytes && !c.times.is_empty());
    [
        (Card::Findings, found),
        (Card::Own, functions),
        (Card::Total, functions),
        (Card::Requests, !profile.requests.rows.is_empty()),
        (
            Card::Caches,
            profile.requests.rows.iter().any(|r| r.cache.is_some() || r.tokens.cache_read.is_some()),
        ),
        (Card::Optimisations, super::optimisations::wanted(cx)),
        (Card::Memory, memory),
        (Card::Run, true),
        (Card::Contents, true),
        (Card::Warnings, !profile.warnings.is_empty()),
        (Card::Totals, profile.metrics.len() > 1 || profile.requests.rows.is_empty() && functions),
        (Card::Machine, !profile.meta.machine.is_empty()),
    ]
    .into_iter()
    .filter_map(|(card, filled)| filled.then_some(card))
    .collect()
}

impl Card {
    pub(super) fn show(self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let metric = shared::metric_name(cx.profile(), cx.interaction);
        let title = match self {
            Self::Findings => "Findings".into(),
            Self::Own => format!("Top functions by self {}", format::within_a_line(&metric)),
            Self::Total => format!("Top functions by total {}", format::within_a_line(&metric)),
            Self::Requests => "LLM requests".into(),
            Self::Caches => "Caches".into(),
            Self::Optimisations => "Optimisations".into(),
            Self::Memory => "Memory peaks".into(),
            Self::Run => "Run".into(),
            Self::Totals => "Totals".into(),
            Self::Contents => "Contents".into(),
            Self::Machine => "Machine".into(),
            Self::Warnings => "Warnings".into(),
        };
        card(ui, &title, |ui| match self {
            Self::Findings => super::findings::show(cx, ui),
            Self::Own => top_by_self(cx, ui),
            Self::Total => top_by_total(cx, ui),
            Self::Requests => requests(cx, ui),
            Self::Caches => caches(cx, ui),
            Self::Optimisations => super::optimisations::show(cx, ui),
            Self::Memory => memory(cx, ui),
            Self::Run => run(cx, ui),
            Self::Totals => totals(cx, ui),
            Self::Contents => contents(cx.profile(), ui),
            Self::Machine => pairs(ui, &rows_of(&cx.profile().meta.machine).collect::<Vec<_>>()),
            Self::Warnings => warnings(cx.profile(), ui),
        });
    }
}

fn summary<'a>(cx: &'a ViewCx<'_>) -> Reply<'a, crate::analysis::overview::Overview> {
    cx.ask(&summary_query(cx), 0)
}

/// Most parts that are offered.
const MOST_PARTS: usize = 32;
/// How many functions a card lists in a low pane, and in one from this height on.
const TOP: [usize; 2] = [5, LARGEST];
const TALL: f32 = 700.0;
/// How many functions that wait it lists below them.
const WAITS: usize = 3;
const NOTHING_RAN: &str = "Nothing ran in the part that is shown.";

pub(super) fn summary_query(cx: &ViewCx<'_>) -> Summary {
    let now = cx.interaction;
    let (defined, prices) = (cx.defined.to_vec(), cx.prices.clone());
    Summary { scope: now.scope.clone(), range: now.range, defined, prices }
}

/// Functions that work, then those that wait: who waits does not lead, however long.
fn top_by_self(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(table) = cx.ask(&Functions(cx.slice()), 0).content(ui, "Adding up the profile") else { return };
    let Some(largest) = cx.ask(&LargestOwn(cx.slice()), 9).content(ui, "Adding up the profile") else {
        return;
    };
    let Some(metric) = cx.measure() else { return };
    let most = most_functions(ui);
    for &place in largest.work.iter().take(most) {
        function_bar(cx, ui, &table, place, |row| row.own, table.whole.own);
    }
    if !largest.waits.is_empty() {
        ui.add_space(space::SMALL);
        let share = largest.waited as f64 / table.whole.own.max(1) as f64;
        let waited = format::cost(metric.unit, largest.waited);
        remark(ui, &format!("Waits: {waited}, {} of all", format::percent(share)));
        for &place in largest.waits.iter().take(WAITS) {
            function_bar(cx, ui, &table, place, |row| row.own, table.whole.own);
        }
    }
    if table.rows.is_empty() {
        weak(ui, NOTHING_RAN);
    }
}

fn top_by_total(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(table) = cx.ask(&Functions(cx.slice()), 0).content(ui, "Adding up the profile") else { return };
    for &place in table.by_total.iter().take(most_functions(ui)) {
        function_bar(cx, ui, &table, place, |row| row.total, table.whole.total);
    }
    if table.rows.is_empty() {
        weak(ui, NOTHING_RAN);
    }
}

fn most_functions(ui: &Ui) -> usize {
    TOP[usize::from(ui.clip_rect().height() >= TALL)]
}

fn function_bar(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    table: &FunctionTable,
    place: u32,
    cost: impl Fn(&FunctionRow) -> i64,
    whole: i64,
) {
    let (profile, function) = (cx.subject.profile().clone(), &table.rows[place as usize]);
    let Some(metric) = cx.measure() else { return };
    let share = cost(function) as f64 / whole.max(1) as f64;
    let item = Item::of_function(function.function, &profile);
    let name = function.symbol().label(&profile);
    let mut line = BarRow::new(&name, "");
    let (text, note) = (format::cost(metric.unit, cost(function)), format::percent(share));
    let text = format!("{}{text}", format::at_least(function.unfinished));
    (line.value, line.note, line.share) = (&text, &note, Some(share));
    (line.selected, line.lit) = (cx.is_selected(&item), cx.is_hovered(&item));
    let response = line.show(ui);
    cx.interact(&response, &item);
}

fn memory(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(overview) = summary(cx).content(ui, "Adding up the profile") else { return };
    let top = overview.peaks.iter().map(|p| p.bytes).fold(0.0, f64::max);
    for Peak { name, time, bytes, .. } in &overview.peaks {
        let item = Item::Time(*time);
        let (value, note) = (format::bytes(*bytes as i64), format!("at {}", format::duration(*time)));
        let mut line = BarRow::new(name, &value);
        (line.note, line.share) = (&note, Some(bytes / top.max(1.0)));
        (line.selected, line.lit) = (cx.is_selected(&item), cx.is_hovered(&item));
        let response = line.show(ui);
        cx.interact(&response, &item);
        if response.hovered() {
            cx.out.cursor = Some(*time);
        }
    }
    if overview.peaks.is_empty() {
        weak(ui, "No memory counter has a value in the chosen range.");
    } else {
        remark(ui, "Counters are samples: the true peak may be higher.");
        if let Some(why) = overview.heap_above_rss() {
            remark(ui, &why);
        }
    }
    let heap = heap::peak(cx);
    if let Some(heap) = heap.as_deref().and_then(Option::as_ref) {
        ui.add_space(space::MEDIUM);
        weak(ui, &format!("Heap at its peak, {}, by call path", format::bytes(heap.bytes)));
        heap::holders(cx, ui, heap, TOP[0]);
    }
}

fn requests(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(overview) = summary(cx).content(ui, "Adding up requests") else { return };
    match &overview.requests {
        Some(figures) => request_figures(ui, figures),
        None => {
            weak(ui, "No request was in flight in the chosen range.");
        }
    }
}

/// What caches did, by kind.
fn caches(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let asked = Caches { asked: Asked { range: cx.interaction.range, ..Asked::all(cx.prices) } };
    let Some(kinds) = cx.ask(&asked, 6).content(ui, "Adding up the profile") else { return };
    for (i, figures) in kinds.iter().enumerate() {
        if kinds.len() > 1 {
            ui.add_space(if i > 0 { space::SMALL } else { 0.0 });
            bars::caption(ui, shared::caches::title(figures.kind));
        }
        shared::caches::figures(ui, figures);
    }
    if kinds.is_empty() {
        weak(ui, "No request in the chosen range says anything of a cache.");
    }
}

fn request_figures(ui: &mut Ui, f: &RequestFigures) {
    let mut rows = vec![("TTFT", f.ttft, definitions::TTFT)];
    if f.retries > 0 {
        rows.push(("Waited", f.waited, definitions::WAITED));
    }
    rows.extend([
        (if f.estimated { "≈ TPOT" } else { "TPOT" }, f.tpot, definitions::TPOT),
        ("Latency", f.latency, definitions::LATENCY),
        ("Queued", f.queued, definitions::QUEUED),
    ]);
    percentiles::table(ui, &rows, &[Statistic::P50, Statistic::P95, Statistic::P99, Statistic::N]);
    ui.add_space(space::SMALL);
    let known = |v: Option<u64>, sign: &str| {
        v.map_or_else(|| format::UNKNOWN.into(), |v| format!("{sign}{}", format::count(v as i64)))
    };
    let per_user = f.tpot.filter(|t| t.p50 > 0.0).map(|t| format::rate(1e9 / t.p50, "tok"));
    let cost = match f.cost {
        Some(cost) if f.unpriced > 0 => {
            format!("{} and {} unpriced", format::money(cost), format::count(f.unpriced as i64))
        }
        Some(cost) => format::money(cost),
        None => "unpriced".to_owned(),
    };
    let outcome = match f.failed + f.cancelled {
        0 => "none".to_owned(),
        _ => format!("{} of {}", f.outcomes(), format::count(f.count as i64)),
    };
    let about = |text: Option<String>| match text {
        None => format::UNKNOWN.to_owned(),
        Some(text) if f.estimated => format!("≈ {text}"),
        Some(text) => text,
    };
    if f.retries > 0 {
        let retries = format!("{}, {} lost", format::count(f.retries as i64), format::duration(f.lost));
        line(ui, "Retries", &retries, definitions::RETRIES);
    }
    for (name, value, hint) in [
        ("Prompt tokens", known(f.prompt_tokens, f.signs[0]), definitions::PROMPT),
        ("Output tokens", known(f.output_tokens, f.signs[1]), definitions::OUTPUT),
        ("Rate per user", about(per_user), definitions::RATE),
        (
            "System rate",
            about(f.system_tokens_per_second.map(|r| format::rate(r, "tok"))),
            definitions::SYSTEM_RATE,
        ),
        ("Peak concurrency", known(f.peak_concurrency.map(|n| n as u64), ""), definitions::CONCURRENCY),
        ("Failed or cancelled", outcome, definitions::FINISHED),
        ("Cost", cost, definitions::COST),
    ] {
        line(ui, name, &value, hint);
    }
}

/// Name and value with an explanation on hover.
fn line(ui: &mut Ui, name: &str, value: &str, hint: &str) {
    let palette = Palette::of(ui);
    let (rect, response) = row(ui, 20.0, Sense::hover());
    let label = format!("{name}: {value}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    if response.hovered() {
        ui.painter().rect_filled(rect, space::RADIUS_SMALL, palette.hover);
    }
    let mut inner = rect.shrink2(vec2(4.0, 0.0));
    let (width, _) = text_in(ui.painter(), inner, value, regular(13.0), palette.text, Align::Max);
    inner.max.x -= width + space::MEDIUM;
    text_in(ui.painter(), inner, name, regular(13.0), palette.text_weak, Align::Min);
    response.on_hover_text(hint);
}

/// Facts as rows of texts.
fn rows_of(facts: &[Fact]) -> impl Iterator<Item = (String, String)> + '_ {
    facts.iter().map(|fact| (fact.name.clone(), format::fact(&fact.value).into_owned()))
}

fn pairs(ui: &mut Ui, pairs: &[(String, String)]) {
    let names = (ui.available_width() * 0.34).clamp(70.0, 120.0);
    ui.set_max_width(ui.available_width() - space::SMALL);
    let mut grid = KeyValues::new(ui, names);
    for (name, value) in pairs {
        grid.row(name, value);
    }
}

fn run(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let profile = cx.profile();
    let meta = &profile.meta;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push((name.to_owned(), value));
        }
    };
    add("File", cx.input.map_or_else(String::new, crate::import::Input::label));
    add("Format", super::header::format_title(profile).to_owned());
    add("Tool", meta.tool.clone());
    add("Title", meta.title.clone());
    add("Started", meta.origin_unix_ns.map_or_else(String::new, clock::local));
    add("Duration", meta.duration.map_or_else(|| format::UNKNOWN.into(), format::duration_exact));
    add("Basis", super::header::basis_text(&meta.basis).0.to_owned());
    rows.extend(rows_of(&meta.facts));
    pairs(ui, &rows);
    parts(cx, ui);
}

/// The parts that the run was added up from; a click opens one alone.
fn parts(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let names = cx.profile().meta.parts.clone();
    if names.is_empty() || cx.input.is_none() {
        return;
    }
    weak(ui, "Open one part alone:");
    ui.horizontal_wrapped(|ui| {
        for part in names.iter().take(MOST_PARTS) {
            if link_button(ui, part).clicked() {
                cx.out.wishes.push(Wish::OpenPart(part.clone()));
            }
        }
    });
}

fn totals(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(overview) = summary(cx).content(ui, "Adding up the profile") else { return };
    for total @ Total { metric, at_once, .. } in &overview.totals {
        let value =
            total.known().map_or_else(|| format::UNKNOWN.into(), |sum| format::cost(metric.unit, sum));
        let mut line = BarRow::new(&metric.label, &value);
        let note = format!("{} of it at the same time as other calls", format::cost(metric.unit, *at_once));
        line.note = if *at_once > 0 { &note } else { "" };
        line.selected = metric.key == cx.metric() && overview.totals.len() > 1;
        let response = line.show(ui).on_hover_text(match total.overlaps {
            true => "A sum would count what a row holds of others again. Click to show costs in this metric",
            false => "Click to show costs in this metric",
        });
        if response.clicked() {
            cx.send(Command::SetMetric(metric.key));
        }
    }
    remark(
        ui,
        &match overview.totals[..] {
            [] => "No costs of functions were measured.".to_owned(),
            _ => format!("Each is the sum over {}.", overview.sum_of),
        },
    );
}

fn contents(profile: &Profile, ui: &mut Ui) {
    let edges = profile.call_graph.as_ref().map_or(0, |g| g.edges.len());
    for (name, count) in [
        ("Functions", profile.functions.len()),
        ("Tracks", profile.tracks.len()),
        ("Spans", profile.span_count()),
        ("Samples", profile.samples_taken().unwrap_or(0) as usize),
        ("Call edges", edges),
        ("Requests", profile.requests.rows.len()),
        ("Counters", profile.counters.len()),
        ("Counter values", profile.counters.iter().map(|c| c.times.len()).sum()),
        ("Events", profile.instants.len()),
        ("Links", profile.links.len()),
    ] {
        if count > 0 {
            line(ui, name, &format::count(count as i64), "In the whole profile");
        }
    }
}

fn warnings(profile: &Profile, ui: &mut Ui) {
    let palette = Palette::of(ui);
    for warning in &profile.warnings {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::MEDIUM;
            ui.vertical(|ui| {
                ui.add_space(2.0);
                Icon::Warning.show(ui, 14.0, Tone::Warning);
            });
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                let label =
                    |text: String, color| egui::Label::new(egui::RichText::new(text).color(color)).wrap();
                ui.add(label(warning.kind.clone(), palette.text));
                let times = format::counted(warning.count as i64, "time", "times");
                let place = if warning.first.is_empty() {
                    times
                } else if warning.count > 1 {
                    format!("{times}, first at {}", warning.first)
                } else {
                    format!("{times}, at {}", warning.first)
                };
                ui.add(label(place, palette.text_weak));
            });
        });
        ui.add_space(space::SMALL);
    }
    remark(ui, "What could be repaired was; the rest of the file is shown as it is.");
}
