//! The cards of the view but for those about promises and the slowest requests.

use egui::{Color32, RichText, Ui};
use egui_plot::{Bar, BarChart, HLine, LineStyle, MarkerShape, Points, VLine};

use super::{Figure, Latency};
use crate::analysis::definitions as say;
use crate::analysis::histogram::{GapHistogram, Histogram, RequestHistogram};
use crate::analysis::latency::{FirstToken, Latency as Found, PhaseSums, Spread, UNACCOUNTED};
use crate::analysis::limits::{self, Limit};
use crate::analysis::load::{ENOUGH, Level, Little, RequestLoad, Step};
use crate::analysis::requests::RequestColumn;
use crate::format;
use crate::model::{RequestId, Unit};
use crate::ui::theme::{Palette, Tone, mix, space, strong};
use crate::ui::widgets::segmented;
use crate::views::ViewCx;
use crate::views::parts::{BarRow, card, remark, weak};
use crate::views::percentiles::{self, Statistic};
use crate::views::shared::bars::{self, Segment, StackedRow};
use crate::views::shared::plot;

/// A card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    Phases,
    Run,
    FirstToken,
    Percentiles,
    Distribution,
    InFlight,
    ByLoad,
    Promises,
    Slowest,
}

/// The cards that have something to say.
pub(super) fn wanted(found: &Found) -> Vec<Card> {
    [
        (Card::Phases, found.of_requests.total > 0),
        (Card::Run, found.of_run.is_some()),
        (Card::Percentiles, true),
        (Card::FirstToken, found.first_token.requests > 0),
        (Card::Distribution, found.spreads.iter().any(|s| s.values.is_some_and(|d| d.n > 2))),
        (Card::InFlight, found.average_concurrency.is_some()),
        (Card::ByLoad, found.average_concurrency.is_some()),
        (Card::Promises, true),
        (Card::Slowest, true),
    ]
    .into_iter()
    .filter_map(|(card, filled)| filled.then_some(card))
    .collect()
}

impl Latency {
    pub(super) fn card(&mut self, which: Card, cx: &mut ViewCx<'_>, ui: &mut Ui, found: &Found) {
        let title = match which {
            Card::Phases => "Where the time goes",
            Card::Run => "Phases of the run",
            Card::FirstToken => "What the first token waits for",
            Card::Percentiles => "Percentiles",
            Card::Distribution => "Distribution",
            Card::InFlight => "In flight",
            Card::ByLoad => "What load does",
            Card::Promises => "Promises (SLO)",
            Card::Slowest => "The slowest",
        };
        card(ui, title, |ui| match which {
            Card::Phases => of_requests(ui, found),
            Card::Run => of_run(ui, found),
            Card::FirstToken => first_token(ui, &found.first_token),
            Card::Percentiles => spreads(ui, found),
            Card::Distribution => self.distribution(cx, ui),
            Card::InFlight => in_flight(cx, ui, self.plots),
            Card::ByLoad => by_load(cx, ui, self.plots),
            Card::Promises => self.promises(cx, ui),
            Card::Slowest => super::promises::slowest(cx, ui),
        });
    }

    /// A histogram of one figure.
    fn distribution(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let choices = [
            (Figure::Ttft, "TTFT"),
            (Figure::Tpot, "TPOT"),
            (Figure::Latency, "Latency"),
            (Figure::Queued, "Queued"),
            (Figure::Gap, "Chunk gaps"),
        ];
        segmented(ui, "Figure", &mut self.figure, &choices);
        ui.add_space(space::SMALL);
        let figure = match self.figure {
            Figure::Ttft => RequestColumn::Ttft,
            Figure::Tpot => RequestColumn::Tpot,
            Figure::Latency => RequestColumn::Latency,
            Figure::Queued => RequestColumn::Queued,
            Figure::Gap => return gaps(cx, ui, self.plots),
        };
        let Some(found) =
            cx.ask(&RequestHistogram { figure, asked: cx.asked() }, 3).content(ui, "Reading requests")
        else {
            return;
        };
        match &*found {
            Some(found) => histogram(ui, found, self.plots, ("request", "requests")),
            None => {
                weak(ui, "Fewer than two requests have it.");
            }
        }
    }
}

/// Times between chunks: of the selected request, otherwise of all that are looked at.
fn gaps(cx: &mut ViewCx<'_>, ui: &mut Ui, height: f32) {
    let selected = cx.interaction.selection.as_ref().and_then(|item| item.request(cx.profile()));
    let streams = |id: &RequestId| cx.profile().requests.get(*id).is_some_and(|r| r.token_times.len() > 2);
    let only = selected.filter(streams);
    let asked = GapHistogram { asked: cx.asked(), only };
    let Some(found) = cx.ask(&asked, 5).content(ui, "Reading chunks") else { return };
    match &*found {
        Some(found) => histogram(ui, found, height, ("gap", "gaps")),
        None => {
            weak(ui, "No answer has chunks with times.");
        }
    }
    let whose = match only {
        Some(_) => "Of the selected request.",
        None => "Of all requests that are looked at; select one to see its own.",
    };
    weak(ui, whose).on_hover_text(say::CHUNK_GAP);
}

/// Counts in equal steps, with median and 95th percentile.
fn histogram(ui: &mut Ui, found: &Histogram, height: f32, (one, many): (&str, &str)) {
    let palette = Palette::of(ui);
    let (of, width) = (found.values, found.width);
    let bar = |(i, n): (usize, &usize)| {
        Bar::new(of.min + (i as f64 + 0.5) * width, *n as f64).width(width * 0.92).fill(palette.series(0))
    };
    let chart =
        BarChart::new(many, found.counts.iter().enumerate().map(bar).collect()).color(palette.series(0));
    let drawn =
        plot::plot(ui, "distribution of a figure", height, [Unit::Nanoseconds, Unit::Count]).include_y(0.0);
    plot::show(ui, drawn, "Distribution", |shown| {
        shown.bar_chart(chart);
        for (name, at) in [("p50", of.p50), ("p95", of.p95)] {
            shown.vline(VLine::new(name, at).color(palette.accent).width(1.0));
        }
    });
    let [p50, p95] = [of.p50, of.p95].map(|ns| format::duration(ns.round() as i64));
    let n = format::counted(of.n as i64, one, many);
    remark(ui, &format!("Lines: p50 {p50} and p95 {p95} of {n}."));
}

/// Phases of the requests.
fn of_requests(ui: &mut Ui, found: &Found) {
    let sums = &found.of_requests;
    let activity = found.activity;
    phases(ui, sums, |ui| {
        let told = activity.parts().into_iter().filter(|p| p.1 > 0);
        let words: Vec<String> = told
            .map(|(name, ns)| format!("{name} {}", format::percent(ns as f64 / sums.total.max(1) as f64)))
            .collect();
        weak(ui, &format::capitalised(&words.join(", "))).on_hover_text(say::ACTIVITY);
        if let (told, all) = found.told
            && told < all
        {
            let count = |n: usize| format::count(n as i64);
            weak(
                ui,
                &format!("Only {} of {} requests say what they spent time on.", count(told), count(all)),
            );
        }
    });
    remark(
        ui,
        &format!(
            "Sums over requests that ended well, {} in all. Where they ran at the same time, that is more than the time that passed.",
            format::duration(sums.total)
        ),
    );
}

/// Phases that the recording names.
fn of_run(ui: &mut Ui, found: &Found) {
    let Some(sums) = &found.of_run else { return };
    phases(ui, sums, |ui| {
        if sums.overlap {
            weak(ui, "They overlap, so their shares add up to more than the time that passed.");
        }
    });
    remark(ui, say::RUN_PHASES);
}

/// Phases with their shares, and the longest in words.
fn phases(ui: &mut Ui, found: &PhaseSums, below: impl FnOnce(&mut Ui)) {
    let palette = Palette::of(ui);
    let color = |name: &str| match name {
        UNACCOUNTED => palette.idle().fill,
        name => palette.phase(phase_of(name)).fill,
    };
    let told: Vec<_> = found.phases.iter().filter(|p| p.time > 0).collect();
    let words: Vec<String> = told.iter().map(|p| readable(&p.name)).collect();
    if let Some((longest, share)) = found.bottleneck() {
        let text = format!(
            "Bottleneck: {} {}, {}",
            readable(&longest.name),
            format::duration(longest.time),
            format::percent(share)
        );
        ui.label(RichText::new(text).font(strong(14.0)).color(palette.text_strong));
        below(ui);
        ui.add_space(space::SMALL);
    }
    let segments: Vec<Segment<'_>> = told
        .iter()
        .zip(&words)
        .map(|(p, name)| Segment { name, size: p.time as f64, color: color(&p.name), hatched: false })
        .collect();
    let whole = told.iter().map(|p| p.time as f64).sum::<f64>().max(found.total as f64);
    bars::strip(ui, &segments, whole, 24.0);
    ui.add_space(space::SMALL);
    for (p, name) in told.iter().zip(&words) {
        let share = p.time as f64 / found.total.max(1) as f64;
        let (value, note) = (format::duration(p.time), format::percent(share));
        let row = BarRow { note: &note, swatch: Some(color(&p.name)), ..BarRow::new(name, &value) };
        row.show(ui);
    }
}

/// A phase's name as people write it.
pub(super) fn readable(name: &str) -> String {
    match name {
        "llm_queue_wait" => "queued".to_owned(),
        "time_to_first_token" => "to the first token".to_owned(),
        "token_generation" => "token generation".to_owned(),
        name => name.replace('_', " "),
    }
}

/// The phase whose colour a phase of requests has.
fn phase_of(name: &str) -> &str {
    match name {
        "llm_queue_wait" => "queued",
        "time_to_first_token" => "prefill",
        "token_generation" => "decode",
        "failed_attempts" => "failed attempt",
        "back_off" => "back-off",
        "whole_answer" => "whole answer",
        "model_load" => "load model",
        name => name,
    }
}

/// Parts of the mean time to first token.
fn first_token(ui: &mut Ui, first: &FirstToken) {
    let palette = Palette::of(ui);
    let parts = [
        ("cache lookup", first.lookup.unwrap_or(0), palette.phase("cache lookup").fill),
        ("queued", first.queue.unwrap_or(0), palette.phase("queued").fill),
        ("loading the model", first.load.unwrap_or(0), palette.phase("load model").fill),
        ("prefill", first.prefill.unwrap_or(0), palette.phase("prefill").fill),
        ("the rest", first.rest, palette.idle().fill),
    ];
    let mean = |ns: i64| format::duration((ns as f64 / first.requests.max(1) as f64).round() as i64);
    let segments =
        parts.map(|(name, ns, color)| Segment { name, size: ns.max(0) as f64, color, hatched: false });
    bars::strip(ui, &segments, first.total.max(1) as f64, 18.0);
    ui.add_space(space::SMALL);
    for (name, ns, color) in parts.into_iter().filter(|p| p.1 != 0) {
        let (value, note) = (mean(ns), format::percent(ns as f64 / first.total.max(1) as f64));
        BarRow { note: &note, swatch: Some(color), ..BarRow::new(name, &value) }.show(ui);
    }
    let text = format!(
        "Mean of {}: {}. The rest is prefill where nobody states it, and the way to and from the server.",
        format::counted(first.requests as i64, "request", "requests"),
        mean(first.total)
    );
    remark(ui, &text);
}

fn spreads(ui: &mut Ui, found: &Found) {
    use Statistic::{N, P50, P90, P95, P99};
    let of = |name: &str| found.spreads.iter().find(|s: &&Spread| s.name == name).and_then(|s| s.values);
    let rows = [
        ("TTFT", of("ttft"), say::TTFT),
        ("TTFO", of("ttfo"), say::TTFO),
        ("TPOT", of("tpot"), say::TPOT),
        ("Latency", of("latency"), say::LATENCY),
        ("Queued", of("queue"), say::QUEUED),
        ("Chunk gap", of("chunk_gap"), say::CHUNK_GAP),
    ];
    let told: Vec<_> = rows.into_iter().filter(|r| r.1.is_some()).collect();
    percentiles::table(ui, &told, &[P50, P90, P95, P99, N]);
    remark(ui, say::FINISHED);
}

/// Requests in flight and waiting over time.
fn in_flight(cx: &mut ViewCx<'_>, ui: &mut Ui, height: f32) {
    let asked = RequestLoad { asked: cx.asked() };
    let Some(load) = cx.ask(&asked, 1).content(ui, "Counting requests in flight") else { return };
    let palette = Palette::of(ui);
    type Series = (&'static str, Color32, fn(&Step) -> u32);
    let lines: [Series; 2] =
        [("in flight", palette.series(0), |s| s.in_flight), ("waiting", palette.series(1), |s| s.waiting)];
    let shown = lines.into_iter().take(if load.knows_queue { 2 } else { 1 });
    let limit = limits::of_requests(cx.profile());
    let near = limit.as_ref().filter(|limit| limit.is_near(f64::from(load.peak)));
    let flying = plot::plot(ui, "in flight", height, [Unit::Nanoseconds, Unit::Count]).include_y(0.0);
    let lines: Vec<_> = shown.clone().collect();
    plot::show(ui, flying, "Requests in flight over time", |drawn| {
        for (name, color, value) in lines {
            let points: Vec<_> = load.steps.iter().map(|s| [s.time as f64, f64::from(value(s))]).collect();
            drawn.line(plot::line(name, plot::steps(&points), color));
        }
        if let Some(limit) = near {
            let line = HLine::new(limit.words(), limit.value).style(LineStyle::dashed_loose());
            drawn.hline(line.color(palette.tone(Tone::Warning)).width(1.0));
        }
    });
    let words = near.map(Limit::words);
    let of_limit = words.as_deref().map(|words| (palette.tone(Tone::Warning), words));
    bars::legend(ui, shown.map(|(name, color, _)| (color, name)).chain(of_limit));
    let average = load.average.map_or_else(|| format::UNKNOWN.to_owned(), format::number);
    let waiting = if load.knows_queue {
        format!(", at most {} waiting", format::count(i64::from(load.peak_waiting)))
    } else {
        String::new()
    };
    let far =
        limit.as_ref().filter(|_| near.is_none()).map_or_else(String::new, |l| format!("; {}", l.words()));
    remark(
        ui,
        &format!(
            "On average {average} in flight, at most {}{waiting}{far}.",
            format::count(i64::from(load.peak))
        ),
    );
    if let Some(little) = &load.little {
        weak(ui, &little_words(little)).on_hover_text(say::LITTLE);
    }
}

/// «Little's law: 3.2 requests/s × 1.50 s = 4.8; measured 4.9, +2.1 %».
fn little_words(little: &Little) -> String {
    let by = match little.counter.as_str() {
        "" => String::new(),
        name => format!(" («{name}»)"),
    };
    let difference = match little.difference() {
        d if d.abs() < 0.0005 => "the same".to_owned(),
        d => format::percent_change(d),
    };
    format!(
        "Little\u{2019}s law: {} × {} = {}; measured{by} {}, {difference}.",
        format::rate(little.rate, "requests"),
        format::duration(little.latency.round() as i64),
        format::number(little.expected),
        format::number(little.measured)
    )
}

/// Mean latency and throughput by requests in flight.
fn by_load(cx: &mut ViewCx<'_>, ui: &mut Ui, height: f32) {
    let asked = RequestLoad { asked: cx.asked() };
    let Some(load) = cx.ask(&asked, 1).beside() else { return };
    if load.levels.len() < 2 {
        weak(
            ui,
            "All requests met the same load: record a run with more and with less at once to see what load does.",
        );
        return;
    }
    let palette = Palette::of(ui);
    let (color, faint) = (palette.series(0), mix(palette.canvas, palette.text_weak, 0.6));
    let at = |l: &Level| [f64::from(l.in_flight), l.latency];
    let sound: Vec<[f64; 2]> = load.levels.iter().filter(|l| l.requests >= ENOUGH).map(at).collect();
    let sound_levels = sound.len();
    let few: Vec<[f64; 2]> = load.levels.iter().filter(|l| l.requests < ENOUGH).map(at).collect();
    let knee = load.knee.map(|i| load.levels[i]);
    let drawn = plot::plot(ui, "latency by load", height, [Unit::Count, Unit::Nanoseconds]);
    plot::show(ui, drawn.include_x(0.0).include_y(0.0), "Latency by requests in flight", |shown| {
        shown.line(plot::line("", sound.clone(), plot::see_through(color)).allow_hover(false));
        shown.points(Points::new("in flight", sound).radius(3.5).color(color));
        shown.points(Points::new("in flight, of one or two requests", few).radius(2.5).color(faint));
        if let Some(knee) = knee {
            let ring = Points::new("knee", vec![at(&knee)]).radius(7.0).filled(false);
            shown.points(ring.shape(MarkerShape::Circle).color(palette.accent));
        }
    });
    if let Some([low, high]) = load.ends {
        let levels =
            |(from, to): (u32, u32)| if from == to { from.to_string() } else { format!("{from} to {to}") };
        let latency = |ns: f64| format::duration(ns.round() as i64);
        let text = format!(
            "The quarter with least load ({} in flight) took {} on average, that with most ({}) {}: {}.",
            levels(low.in_flight),
            latency(low.latency),
            levels(high.in_flight),
            latency(high.latency),
            format::factor(high.latency / low.latency)
        );
        weak(ui, &text);
    }
    if knee.is_none() && sound_levels >= 3 {
        weak(ui, "No knee: no load stands out from which on more of it only costs latency.");
    }
    if let Some(knee) = knee {
        let text = format!(
            "Knee at {} in flight: {}, {}.",
            knee.in_flight,
            format::rate(knee.throughput, "requests"),
            format::duration(knee.latency.round() as i64)
        );
        weak(ui, &text).on_hover_text(say::KNEE);
    }
    remark(ui, say::BY_LOAD);
}

/// A row of a bar, for promises.
pub(super) fn share_row(ui: &mut Ui, name: &str, [kept, broken, unknown]: [usize; 3], tip: &str) {
    let palette = Palette::of(ui);
    let part = |name, n: usize, color| Segment { name, size: n as f64, color, hatched: false };
    let segments = [
        part("kept", kept, palette.tone(Tone::Good)),
        part("broken", broken, palette.tone(Tone::Bad)),
        part("not known", unknown, palette.idle().fill),
    ];
    let known = kept + broken;
    let value =
        if known == 0 { format::UNKNOWN.to_owned() } else { format::percent(kept as f64 / known as f64) };
    StackedRow { tip, ..StackedRow::new(name, &value, &segments, (known + unknown) as f64) }.show(ui);
    let texts = segments.map(|s| (s.color, format!("{} {}", format::count(s.size as i64), s.name)));
    bars::legend(
        ui,
        texts.iter().filter(|t| !t.1.starts_with("0 ")).map(|(color, text)| (*color, text.as_str())),
    );
}
