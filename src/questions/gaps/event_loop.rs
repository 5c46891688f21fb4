//! An event loop: what it was idle for, and what held it while tasks were ready.

use serde_json::json;

use super::super::names::{Names, track};
use super::super::sheet::{Part, Row};
use super::super::{Asked, Refusal, Sheet, words};
use super::{TINIEST, TINY, meanwhile, more, over, smaller, unlisted};
use crate::analysis::event_loop::{Awaited, EventLoop, EventLoopOf, Held, loops};
use crate::format;
use crate::model::{FunctionId, Profile, TrackId};

pub(super) fn event_loop(asked: &Asked<'_>, id: TrackId) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let over = over(asked)?;
    let query = EventLoopOf { track: p.keys().track_key(id), range: asked.range()? };
    let found = asked.get(&query)?;
    let names = Names::of(asked)?;
    let others = loops(p).count().saturating_sub(1);
    let others = match others {
        0 => String::new(),
        n => format!(", beside {}", words::counted(n as u64, "other loop", "other loops")),
    };
    let head = format!(
        "t{} {}{others}: busy {} ({}) in {}, idle {} ({}) in {}, of {} from the first step to the last; {}",
        id.0,
        track(p, id),
        words::time(found.busy),
        words::share(found.busy, found.whole),
        words::counted(found.steps as u64, "step", "steps"),
        words::time(found.idle),
        words::share(found.idle, found.whole),
        words::counted(found.gaps as u64, "gap", "gaps"),
        words::time(found.whole),
        words::basis(p, &p.meta.basis),
    );
    let mut sheet = Sheet::new(head, asked.budget());
    sheet.value("busy_ns", found.busy);
    sheet.value("idle_ns", found.idle);
    sheet.value("gaps", found.gaps);
    sheet.value("late", found.all_late.0);
    sheet.value("late_ns", found.all_late.1);
    sheet.part(held(asked, &found, &names));
    sheet.part(late(asked, &found, &names, over));
    sheet.part(causes(asked, &found, &names));
    sheet.part(meanwhile(p, &found.meanwhile, found.idle));
    sheet.part(largest(asked, &found, &names, over));
    if found.all_late.0 == 0 {
        sheet.notes.push("no task was ready and had to wait for 50 µs: nothing held the loop".into());
    }
    Ok(sheet)
}

/// What held the loop.
fn held(asked: &Asked<'_>, found: &EventLoop, names: &Names<'_>) -> Part {
    let row = |h: &Held| {
        let what = by(h.by, names);
        let (length, at) = h.longest_step;
        let steps = match h.steps {
            0 => String::new(),
            1 => format!(", 1 step of {} at {}", words::time(length), words::time(at)),
            n => format!(", {n} steps, longest {} at {}", words::time(length), words::time(at)),
        };
        let longest = if h.steps == 0 { format::UNKNOWN.to_owned() } else { words::time(h.longest) };
        let text = format!("{longest} {} {what}{steps}", words::time(h.waited));
        let json = json!({
            "what": what, "steps": h.steps, "longest_step_ns": length, "at_ns": at,
            "longest_wait_ns": (h.steps > 0).then_some(h.longest), "waited_ns": h.waited,
        });
        Row::new(text, json)
    };
    let rows: Vec<Row> = found.held.iter().take(asked.top()).map(row).collect();
    let title = format!(
        "held while tasks were ready ({} of {}): longest wait for one step, all waits, what ran",
        words::counted(found.all_late.0 as u64, "wait", "waits"),
        words::time(found.all_late.1)
    );
    let waited: Vec<i64> = found.held.iter().map(|h| h.waited).collect();
    let (all, budget) = (found.all_late.1, asked.more_budget());
    let longest: Vec<i64> = found.held.iter().map(|h| h.longest).collect();
    let most = words::worth(&longest, longest.first().copied().unwrap_or(0), TINY);
    Part::new("held", title, rows).least(4).most(most).rest(move |shown| match waited.len() - shown {
        0 => String::new(),
        n => format!(
            "… {n} more with {} of the waits; {}",
            words::share(waited[shown..].iter().sum(), all),
            if shown < most { &*budget } else { "each below 2 % of the longest" }
        ),
    })
}

fn by(function: Option<FunctionId>, names: &Names<'_>) -> String {
    function.map_or_else(|| "callbacks and the loop itself".to_owned(), |f| names.full(f))
}

/// Tasks that were ready for long.
fn late(asked: &Asked<'_>, found: &EventLoop, names: &Names<'_>, over: Option<i64>) -> Part {
    let p = asked.profile();
    let least = over.unwrap_or(0);
    let rows = found.late.iter().filter(|l| l.end - l.start >= least).map(|l| {
        let text = format!(
            "{} at {} t{} {}, most of it {}",
            words::time(l.end - l.start),
            words::time(l.start),
            l.task.0,
            track(p, l.task),
            by(l.by, names)
        );
        let json = json!({
            "task": format!("t{}", l.task.0), "start_ns": l.start, "end_ns": l.end, "by": l.by.map(|f| names.full(f)),
        });
        Row::new(text, json)
    });
    let rows: Vec<Row> = rows.take(asked.room()).collect();
    let (all, listed) = (found.all_late.0, over.is_some());
    let (more, small) = (more(asked, rows.len()), smaller(asked));
    let title = "ready and not run, longest first: length, start, task, what ran";
    let lengths: Vec<i64> =
        found.late.iter().map(|l| l.end - l.start).filter(|&length| length >= least).collect();
    let at_least = if listed { unlisted(found.late.len(), all, lengths.len()) } else { "" };
    let long = lengths.len();
    let most = words::worth(&lengths, lengths.first().copied().unwrap_or(0), TINY);
    let most = if listed { usize::MAX } else { most };
    Part::new("late", title, rows).least(3).most(most).rest(move |shown| {
        match if listed { long - shown } else { all - shown } {
            0 => String::new(),
            n => {
                let more = if listed || shown < most { more(shown) } else { small.clone() };
                format!("… {at_least}{n} more; {more}")
            }
        }
    })
}

fn cause(p: &Profile, cause: Awaited, names: &Names<'_>) -> String {
    match cause {
        Awaited::Wait { who: Some(who), what } => format!("{} → {}", names.full(who), names.name(what)),
        Awaited::Wait { who: None, what } => format!("a task → {}", names.name(what)),
        Awaited::Began(f) => format!("a new task of {}, made outside of the loop", p.function_name(f)),
        Awaited::Unknown => "not known".to_owned(),
    }
}

/// What the loop was idle for.
fn causes(asked: &Asked<'_>, found: &EventLoop, names: &Names<'_>) -> Part {
    let p = asked.profile();
    let rows = found.causes.iter().take(asked.top()).map(|c| {
        let what = cause(p, c.cause, names);
        let gaps = words::counted(c.gaps as u64, "gap", "gaps");
        let text = format!("{} {} {what} ({gaps})", words::time(c.time), words::share(c.time, found.idle));
        Row::new(text, json!({ "what": what, "time_ns": c.time, "gaps": c.gaps }))
    });
    let rows: Vec<Row> = rows.collect();
    let times: Vec<i64> = found.causes.iter().map(|c| c.time).collect();
    let (idle, budget) = (found.idle, asked.more_budget());
    let title = "idle until (time, % of idle, who → in which wait went on):";
    let most = words::worth(&times, idle, TINIEST);
    Part::new("causes", title, rows).least(5).most(most).rest(move |shown| match times.len() - shown {
        0 => String::new(),
        n => {
            let left: i64 = times[shown..].iter().sum();
            let more = if shown < most { &*budget } else { "each below 0.02 %" };
            format!("… {n} more causes with {} of the idle time; {more}", words::share(left, idle))
        }
    })
}

fn largest(asked: &Asked<'_>, found: &EventLoop, names: &Names<'_>, over: Option<i64>) -> Part {
    let p = asked.profile();
    let least = over.unwrap_or(0);
    let gaps = found.largest.iter().filter(|(start, end, _)| end - start >= least);
    let rows = gaps.take(asked.room()).map(|&(start, end, what)| {
        let what = cause(p, what, names);
        let text = format!("{} at {} {what}", words::time(end - start), words::time(start));
        Row::new(text, json!({ "start_ns": start, "end_ns": end, "cause": what }))
    });
    let rows: Vec<Row> = rows.collect();
    let lengths: Vec<i64> =
        found.largest.iter().map(|(start, end, _)| end - start).filter(|&l| l >= least).collect();
    let (count, idle, listed) = (found.gaps, found.idle, over.is_some());
    let (more, small) = (more(asked, rows.len()), smaller(asked));
    let at_least = unlisted(found.largest.len(), found.gaps, lengths.len());
    let title = match over {
        Some(over) => format!("gaps from {} on: length, start, until", words::time(over)),
        None => "largest gaps: length, start, until".to_owned(),
    };
    let most = words::worth(&lengths, lengths.first().copied().unwrap_or(0), TINY);
    let most = if listed { usize::MAX } else { most };
    Part::new("largest", title, rows).least(2).most(most).rest(move |shown| {
        let time: i64 = lengths[..shown.min(lengths.len())].iter().sum();
        match if listed { lengths.len() - shown } else { count - shown } {
            0 => String::new(),
            n if listed => format!("… {at_least}{n} more; {}", more(shown)),
            n => format!(
                "… {n} smaller gaps with {} of the idle time; {}",
                words::share(idle - time, idle),
                if shown < most { more(shown) } else { small.clone() }
            ),
        }
    })
}
