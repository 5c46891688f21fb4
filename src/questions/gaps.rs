//! `gaps`: when a GPU, a thread or a loop had nothing to do and why; or the critical path.

use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, RANGE, TOP};
use super::names::{Names, track};
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, notes, words};
use crate::analysis::idle::{Cause, CauseOf, Idle, IdleOf, usual_tracks};
use crate::analysis::scope::Scope;
use crate::analysis::stages::{Gains, StageGraph, Stages, has_stages};
use crate::analysis::steps::Loops;
use crate::format;
use crate::model::{Profile, TrackId, TrackKind};

pub(super) const QUESTION: Question = Question {
    name: "gaps",
    about: "Idle time of a GPU, thread or loop: causes, what others ran meanwhile; or the critical path",
    files: &["file"],
    arguments: &[
        Argument::new(
            "track",
            Kind::Text,
            "a handle (t3), a part of a name, or gpu [default: the busiest GPU, else the main thread]",
        ),
        Argument::new("over", Kind::Text, "list gaps from this length on, such as 1ms"),
        Argument::new("path", Kind::Flag, "the critical path instead, and what shortening it would bring"),
        TOP,
        RANGE,
        BUDGET_OF,
    ],
    example: "inferscope gaps trace.json.gz --track gpu",
    answer,
};

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    if let Some(why) = notes::no_clock(p) {
        return Err(format!("gaps need times; {why}").into());
    }
    if !p.is_timed() || p.time_bounds().is_none() {
        return Err(
            "nothing in this file has a time: it holds sums, in which waiting cannot be seen as gaps; \
                    summary tells waits from work"
                .into(),
        );
    }
    if asked.values.flag("path") { path(asked) } else { idle(asked) }
}

/// The tracks that are asked about, and what they are called together.
fn wanted(asked: &Asked<'_>) -> Result<(Vec<TrackId>, String), Refusal> {
    let p = asked.profile();
    let streams = || p.track_ids().filter(|&t| p.track(t).kind == TrackKind::GpuStream);
    let tracks = match asked.values.text("track") {
        None => usual_tracks(p),
        Some(text) if text.eq_ignore_ascii_case("gpu") => {
            if streams().next().is_none() {
                return Err("track: this file has no GPU; leave it out or name a thread".into());
            }
            usual_tracks(p)
        }
        Some(_) => asked.tracks("track")?,
    };
    let name = match &tracks[..] {
        [] => return Err("no thread, task or stream of this file has times".into()),
        [one] => format!("t{} {}", one.0, track(p, *one)),
        [first, ..] => {
            let process = p.text(p.track(*first).process);
            let one_process =
                tracks.iter().all(|&t| p.text(p.track(t).process) == process) && !process.is_empty();
            let name = if one_process { process.to_owned() } else { track(p, *first) };
            format!("{} ({} tracks together)", format::short(&name, 60), tracks.len())
        }
    };
    let devices: std::collections::BTreeSet<_> = streams().map(|t| p.track(t).process).collect();
    let others = devices.len() > 1 && p.track(tracks[0]).kind == TrackKind::GpuStream;
    let others = if others { format!(", one of {} GPUs", devices.len()) } else { String::new() };
    Ok((tracks, name + &others))
}

fn idle(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let range = asked.range()?;
    let (tracks, name) = wanted(asked)?;
    let over = match asked.values.text("over") {
        None => None,
        Some(text) => Some(
            format::typed_time(text).ok_or_else(|| format!("over: «{text}» is no time; write it as 1ms"))?,
        ),
    };
    let keys = tracks.iter().map(|&t| p.keys().track_key(t)).collect();
    let found = asked.get(&IdleOf { tracks: Some(keys), range })?;
    let names = Names::of(p);
    let within = match (found.within, range) {
        (Some(i), _) => {
            let l = &found.loops[i];
            format!("the {} rounds of {}", l.rounds.len(), format::short(&l.label(), 60))
        }
        (None, Some((from, to))) => {
            format!("{}..{}", format::duration_exact(from), format::duration_exact(to))
        }
        (None, None) => "the whole run".to_owned(),
    };
    let head = format!(
        "{name}: busy {} ({}), idle {} ({}) in {} gaps, of {} in {within}; {}",
        words::time(found.busy),
        words::share(found.busy, found.whole),
        words::time(found.idle),
        words::share(found.idle, found.whole),
        found.count,
        words::time(found.whole),
        words::basis(p, &p.meta.basis),
    );
    let mut sheet = Sheet::new(head, asked.budget());
    sheet.value("busy_ns", found.busy);
    sheet.value("idle_ns", found.idle);
    sheet.value("gaps", found.count);
    sheet.part(causes(asked, &found, &names));
    let rows = found.meanwhile.iter().map(|m| {
        let text = format!(
            "t{} {} ran {} of the idle time ({})",
            m.track.0,
            track(p, m.track),
            words::share(m.worked, found.idle),
            words::time(m.worked)
        );
        Row::new(text, json!({ "track": format!("t{}", m.track.0), "worked_ns": m.worked }))
    });
    sheet.part(Part::new("meanwhile", "", rows.collect()).least(2));
    let least = over.unwrap_or(0);
    let gaps = found.gaps.iter().filter(|g| g.end - g.start >= least).take(asked.top().min(100));
    let rows: Vec<Row> = gaps
        .map(|g| {
            let cause = found.causes.get(g.cause);
            let text = format!(
                "{} at {} {}",
                words::time(g.end - g.start),
                words::time(g.start),
                cause.map_or_else(String::new, |c| what(p, &found, c, &names))
            );
            let cause = cause.map(|c| what(p, &found, c, &names));
            Row::new(text, json!({ "start_ns": g.start, "end_ns": g.end, "cause": cause }))
        })
        .collect();
    let all: Vec<i64> =
        found.gaps.iter().filter(|g| g.end - g.start >= least).map(|g| g.end - g.start).collect();
    let (count, idle) = (found.count, found.idle);
    let title = match over {
        Some(over) => format!("gaps from {} on: length, start, most of it", words::time(over)),
        None => "largest gaps: length, start, most of it".to_owned(),
    };
    let (budget, listed) = (asked.more_budget(), over.is_some());
    sheet.part(Part::new("largest", title, rows).least(5).rest(move |shown| {
        let time: i64 = all[..shown.min(all.len())].iter().sum();
        let left = if listed { all.len() - shown } else { count - shown };
        match left {
            0 => String::new(),
            n if listed => format!("… {n} more; {budget}"),
            n => format!(
                "… {n} smaller gaps with {} of the idle time; {budget}",
                words::share(idle - time, idle)
            ),
        }
    }));
    Ok(sheet)
}

fn what(p: &Profile, idle: &Idle, cause: &Cause, names: &Names<'_>) -> String {
    let name = match cause.what {
        CauseOf::Function(f) => names.full(f),
        CauseOf::Loop(i) => format!("{} itself", format::short(&idle.loops[i].label(), 60)),
        CauseOf::Nothing => "nothing that was recorded".to_owned(),
    };
    match cause.track {
        Some(t) if cause.waits => format!("waits, too: {name} on t{} {}", t.0, track(p, t)),
        _ => name,
    }
}

fn causes(asked: &Asked<'_>, found: &Idle, names: &Names<'_>) -> Part {
    let p = asked.profile();
    let row = |c: &Cause| {
        let calls = c.calls.map_or_else(String::new, |n| {
            format!(" ({} of {} in all)", words::counted(n, "call", "calls"), words::time(c.length))
        });
        let mut text = format!(
            "{} {} {}{calls}",
            words::time(c.time),
            words::share(c.time, found.idle),
            what(p, found, c, names)
        );
        if !c.inside.is_empty() {
            let inside: Vec<String> = c
                .inside
                .iter()
                .take(4)
                .map(|(f, time)| format!("{} {}", names.name(*f), words::time(*time)))
                .collect();
            text += &format!(", in it {}", inside.join(" → "));
        }
        let json = json!({
            "what": what(p, found, c, names), "time_ns": c.time, "calls": c.calls, "length_ns": c.length,
            "waits": c.waits, "track": c.track.map(|t| format!("t{}", t.0)),
        });
        Row::new(text, json)
    };
    let rows: Vec<Row> = found.causes.iter().take(asked.top()).map(row).collect();
    let times: Vec<i64> = found.causes.iter().map(|c| c.time).collect();
    let (idle, budget) = (found.idle, asked.more_budget());
    Part::new("causes", "idle while (time, % of idle, what ran meanwhile):", rows).least(5).rest(
        move |shown| {
            let left: i64 = times[shown..].iter().sum();
            match times.len() - shown {
                0 => String::new(),
                n => {
                    format!("… {n} more causes with {} of the idle time; {budget}", words::share(left, idle))
                }
            }
        },
    )
}

/// Stages whose gain is computed.
const MOST_GAINS: usize = 24;
/// What-ifs below this share of the total are not worth a line.
const LEAST_GAIN: f64 = 0.01;

/// The critical path, and what would shorten it.
fn path(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    if !has_stages(p) {
        return Err(
            "this file has one thread and no links: its critical path is that thread; tree shows it".into()
        );
    }
    let range = asked.range()?;
    let tracks = match asked.values.text("track") {
        Some(_) => wanted(asked)?.0.iter().map(|&t| p.keys().track_key(t)).collect(),
        None => Vec::new(),
    };
    let stages = Stages { scope: Scope { tracks, ..Scope::default() }, range, level: None };
    let graph = asked.get(&stages)?;
    let gains = asked.get(&Gains { graph: stages, most: MOST_GAINS })?;
    let names = Names::of(p);
    let total = graph.total();
    let mut sheet = Sheet::new(
        format!(
            "critical path: {} from the first start to the last end, {} stages on {} tracks; what-ifs are estimates; {}",
            words::time(total),
            graph.stages.len(),
            graph.tracks.len(),
            words::basis(p, &p.meta.basis)
        ),
        asked.budget(),
    );
    sheet.value("total_ns", total);
    let (between, unknown) = graph.path_gaps();
    // Rounds of a loop are one line.
    let loops = asked.get(&Loops(range))?;
    let mut stages: Vec<(String, usize, i64)> = Vec::new();
    for s in &graph.path_names {
        let of = loops.iter().find(|l| l.rounds.iter().any(|r| r.function == s.function));
        let name = of.map_or_else(|| names.full(s.function), |l| format::short(&l.label(), 60).into_owned());
        match stages.iter_mut().find(|known| known.0 == name) {
            Some(known) => (known.1, known.2) = (known.1 + s.stages, known.2.saturating_add(s.length)),
            None => stages.push((name, s.stages, s.length)),
        }
    }
    stages.sort_by_key(|s| std::cmp::Reverse(s.2));
    let row = |(name, count, length): &(String, usize, i64)| {
        let times = if *count > 1 { format!("{count} × ") } else { String::new() };
        let text = format!("{} {} {times}{name}", words::time(*length), words::share(*length, total));
        Row::new(text, json!({ "name": name, "stages": count, "on_path_ns": length }))
    };
    let mut rows: Vec<Row> = stages.iter().map(row).collect();
    for (length, what) in [(between, "between stages"), (unknown, "nothing known to wait for")] {
        if length > 0 {
            let text = format!("{} {} ({what})", words::time(length), words::share(length, total));
            rows.push(Row::new(text, json!({ "name": what, "on_path_ns": length })));
        }
    }
    let lengths: Vec<i64> = stages.iter().map(|s| s.2).chain([between, unknown]).collect();
    let budget = asked.more_budget();
    sheet.part(Part::new("path", "on the path: time, %, stage", rows).least(6).rest(move |shown| {
        let left: i64 = lengths.iter().skip(shown).sum();
        match lengths.iter().skip(shown).filter(|l| **l > 0).count() {
            0 => String::new(),
            n => format!("… {n} more with {}; {budget}", words::share(left, total)),
        }
    }));
    sheet.part(
        Part::new("what_if", "the total would be about:", what_ifs(&graph, &gains, p, &names))
            .rest(|_| String::new()),
    );
    Ok(sheet)
}

fn what_ifs(
    graph: &StageGraph,
    gains: &[crate::analysis::stages::Gain],
    p: &Profile,
    names: &Names<'_>,
) -> Vec<Row> {
    let total = graph.total();
    let function = |stage: u32| graph.stages[stage as usize].function;
    let worth = gains.iter().filter(|g| g.dropped as f64 >= total as f64 * LEAST_GAIN);
    worth
        .map(|g| {
            let change = format::percent_change(-(g.dropped as f64) / total.max(1) as f64);
            let mut text = format!(
                "≈{} ({change}) without {}",
                words::time(total - g.dropped),
                names.full(function(g.stage))
            );
            if let Some((other, saved)) = g.beside.filter(|b| b.1 as f64 >= total as f64 * LEAST_GAIN) {
                text += &format!(
                    "; ≈{} with it beside {}",
                    words::time(total - saved),
                    names.full(function(other))
                );
            }
            let json = json!({
                "without": p.function_name(function(g.stage)), "estimated_total_ns": total - g.dropped,
            });
            Row::new(text, json)
        })
        .collect()
}
