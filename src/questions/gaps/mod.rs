//! `gaps`: when a GPU, a thread or a loop had nothing to do and why; or the critical path.

mod event_loop;
mod path;

use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, RANGE, TOP};
use super::names::{Names, track};
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, notes, words};
use crate::analysis::event_loop::{busiest, is_loop};
use crate::analysis::idle::{Cause, CauseOf, Idle, IdleOf, Meanwhile, usual_tracks};
use crate::format;
use crate::model::{Profile, TrackId, TrackKind};

pub(super) const QUESTION: Question = Question {
    name: "gaps",
    about: "Idle time of a GPU, thread or event loop: causes, what others ran, what held a loop; or the critical path",
    files: &["file"],
    arguments: &[
        Argument::new(
            "track",
            Kind::Text,
            "a handle (t3), a part of a name, gpu, or loop [default: GPU, else event loop, else main thread]",
        ),
        Argument::new("over", Kind::Text, "list gaps from this length on, such as 1ms"),
        Argument::new("path", Kind::Flag, "the critical path instead, and what shortening it would bring"),
        TOP,
        RANGE,
        BUDGET_OF,
    ],
    bare: "track",
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
    if asked.values.flag("path") { path::path(asked) } else { idle(asked) }
}

/// The tracks that are asked about, and what they are called together.
fn wanted(asked: &Asked<'_>) -> Result<(Vec<TrackId>, String), Refusal> {
    let p = asked.profile();
    let streams = || p.track_ids().filter(|&t| p.track(t).kind == TrackKind::GpuStream);
    let event_loop = || busiest(p).into_iter().collect::<Vec<_>>();
    let tracks = match asked.values.text("track") {
        None if streams().next().is_none() && busiest(p).is_some() => event_loop(),
        None => usual_tracks(p),
        Some(text) if text.eq_ignore_ascii_case("loop") => match busiest(p) {
            Some(_) => event_loop(),
            None => {
                return Err(
                    "track: this file has no steps of an event loop; leave it out or name a thread".into()
                );
            }
        },
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
    if let Some(&one) = tracks.iter().find(|&&t| is_loop(p, t)) {
        return event_loop::event_loop(asked, one);
    }
    let over = over(asked)?;
    let keys = tracks.iter().map(|&t| p.keys().track_key(t)).collect();
    let found = asked.get(&IdleOf { tracks: Some(keys), range })?;
    let names = Names::of(asked)?;
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
    let worked: Vec<i64> = found.meanwhile.iter().map(|m| m.worked).collect();
    let most = words::worth(&worked, found.idle, TINIEST);
    sheet.part(meanwhile(p, &found.meanwhile, found.idle).most(most));
    let least = over.unwrap_or(0);
    let gaps = found.gaps.iter().filter(|g| g.end - g.start >= least).take(asked.room());
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
    let (small, listed) = (smaller(asked), over.is_some());
    let more = more(asked, rows.len());
    let at_least = unlisted(found.gaps.len(), found.count, all.len());
    let most = words::worth(&all, all.first().copied().unwrap_or(0), TINY);
    let most = if listed { usize::MAX } else { most };
    sheet.part(Part::new("largest", title, rows).least(5).most(most).rest(move |shown| {
        let time: i64 = all[..shown.min(all.len())].iter().sum();
        let left = if listed { all.len() - shown } else { count - shown };
        match left {
            0 => String::new(),
            n if listed => format!("… {at_least}{n} more; {}", more(shown)),
            n => format!(
                "… {n} smaller gaps with {} of the idle time; {}",
                words::share(idle - time, idle),
                if shown < most { more(shown) } else { small.clone() }
            ),
        }
    }));
    Ok(sheet)
}

/// What other tracks did in the idle time.
fn meanwhile(p: &Profile, others: &[Meanwhile], idle: i64) -> Part {
    let row = |m: &Meanwhile| {
        let text = format!(
            "t{} {} ran {} of the idle time ({})",
            m.track.0,
            track(p, m.track),
            words::share(m.worked, idle),
            words::time(m.worked)
        );
        Row::new(text, json!({ "track": format!("t{}", m.track.0), "worked_ns": m.worked }))
    };
    Part::new("meanwhile", "", others.iter().map(row).collect()).least(2)
}

/// Share of the longest row of a list, and of all idle time, below which a row is not worth a line.
const TINY: f64 = 0.02;
const TINIEST: f64 = 0.0002;

/// What to write to get more rows than are shown, of those that were given.
fn more(asked: &Asked<'_>, given: usize) -> impl Fn(usize) -> String + Send + Sync + use<> {
    let (door, budget, top) = (asked.door, asked.more_budget(), asked.values.number("top"));
    move |shown| match top {
        Some(top) if shown >= given && given >= top => door.argument("top", top.max(1) * 2),
        _ => budget.clone(),
    }
}

/// What stands before a number of gaps where more were found than are kept and those may be among them.
fn unlisted(kept: usize, count: usize, long_enough: usize) -> &'static str {
    if kept < count && long_enough == kept { "at least " } else { "" }
}

/// What to write to get small rows, too.
fn smaller(asked: &Asked<'_>) -> String {
    asked.door.argument("over", "0ms")
}

/// The length from which on gaps are listed.
fn over(asked: &Asked<'_>) -> Result<Option<i64>, Refusal> {
    let Some(text) = asked.values.text("over") else { return Ok(None) };
    let time = format::typed_time(text);
    time.map(Some).ok_or_else(|| format!("over: «{}» is no time; write it as 1ms", words::said(text)).into())
}

fn what(p: &Profile, idle: &Idle, cause: &Cause, names: &Names<'_>) -> String {
    let name = match cause.what {
        CauseOf::Function(f) => names.full(f),
        CauseOf::Loop(i) => format!("{} itself", format::short(&idle.loops[i].label(), 60)),
        CauseOf::Nothing => "nothing that was recorded".to_owned(),
    };
    match cause.track {
        Some(t) if cause.waits && idle.own.contains(&t) => format!("it waits in {name}"),
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
    let most = words::worth(&times, idle, TINIEST);
    Part::new("causes", "idle while (time, % of idle, what ran meanwhile):", rows).least(5).most(most).rest(
        move |shown| {
            let left: i64 = times[shown..].iter().sum();
            match times.len() - shown {
                0 => String::new(),
                n => format!(
                    "… {n} more causes with {} of the idle time; {}",
                    words::share(left, idle),
                    if shown < most { &*budget } else { "each below 0.02 %" }
                ),
            }
        },
    )
}
