//! Asyncio tasks of a Python program, as our recorder in it wrote them (`assets/python/inferscope_inject/_records.py`).
//!
//! A file is stacks that were sampled ([`super::stacks`]) and segments of one or more processes, one after the other. Kept: tasks with their coroutine calls, waits, time ready
//! and not run, who made and who woke whom, steps of each loop, jobs of thread pools; a finding for what held a loop up. Tasks,
//! calls and jobs that were open at the last record are unfinished. Lost: what a coroutine called that is none.

mod draw;
mod held;
mod pack;
mod reasons;
mod records;
mod samples;
mod task;
#[cfg(test)]
mod tests;
mod world;

use super::Gives::{Time, Tree};
use super::stacks::{self, Metrics, Plain};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::format;
use crate::model::Basis;
use draw::Drawing;
pub use pack::pack;
use records::MAGIC;
use task::State;
use world::World;

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "asyncio",
    title: "asyncio tasks and sampled stacks",
    written_by: "inferscope record command, of Python programs",
    extensions: &["tasks"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

/// What the file of a run is called.
pub(crate) const NAME: &str = "asyncio.tasks";

fn sniff(head: &Head<'_>) -> Confidence {
    let begins = |word: u64| head.bytes.starts_with(&word.to_le_bytes());
    if begins(MAGIC) || begins(pack::STACKS) { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let (texts, records) = pack::unpack(&bytes);
    let mut sampled = Vec::new();
    for text in texts {
        cx.checkpoint(source)?;
        match stacks::read(text) {
            Ok(stacks) if stacks.first_look().is_some() => sampled.push(stacks),
            Ok(_) => {}
            Err(e) => cx.builder.warn("sampled stacks of a process cannot be read", &e.to_string()),
        }
    }
    let contents = records::contents(records);
    cx.builder.warn_many("records of tasks that are damaged (left out)", "", contents.damaged);
    let mut worlds = Vec::new();
    for process in &contents.processes {
        cx.checkpoint(source)?;
        let world = World::of(process);
        let calendar = process.clocks.1.saturating_sub(process.clocks.0);
        worlds.push((process, world, calendar));
    }
    worlds.retain(|(_, world, _)| !world.tasks.is_empty());
    let begins = worlds.iter().filter_map(|(_, w, calendar)| Some(w.bounds?.0.saturating_add(*calendar)));
    let looks = sampled.iter().filter_map(|s| Some(s.first_look()?.saturating_add(s.calendar())));
    let Some(first) = begins.chain(looks).min() else {
        return Err(ImportError::malformed("holds no record of a task and no sample"));
    };
    let processes = worlds.iter().map(|w| w.0.pid).chain(sampled.iter().map(|s| s.pid));
    let many = processes.collect::<std::collections::BTreeSet<_>>().len() > 1;
    let mut programs = worlds.iter().map(|w| &w.1.program).chain(sampled.iter().map(|s| &s.program));
    let program = programs.find(|p| !p.is_empty()).cloned().unwrap_or_default();
    let called = |program: &str, pid: u64| if many { format!("{program} ({pid})") } else { String::new() };
    let mut taken = vec![false; sampled.len()];
    for (place, (process, world, calendar)) in worlds.iter().enumerate() {
        cx.checkpoint(source)?;
        if let Some((time, why)) = process.stopped {
            let from = time.saturating_add(*calendar).saturating_sub(first);
            let text = format!("process {}, from {} on", process.pid, format::duration(from));
            cx.builder.warn(&format!("tasks were recorded until {why}; what came then is missing"), &text);
        }
        let shift = calendar.saturating_sub(first);
        let drawing = Drawing {
            world,
            shift,
            process: called(&world.program, process.pid),
            place: place as u64 & 0x7F,
        };
        let tracks = drawing.draw(&mut cx.builder);
        let of_it: Vec<_> = sampled.iter().filter(|s| s.pid == process.pid).collect();
        drawing.findings(&tracks, &of_it, &mut cx.builder);
        // A process may have been sampled in parts, before and after it became another program.
        for (n, stacks) in sampled.iter().enumerate().filter(|(_, s)| s.pid == process.pid) {
            if !std::mem::replace(&mut taken[n], true) {
                let metrics = Metrics::new(&mut cx.builder);
                drawing.samples(stacks, &tracks, &metrics, &mut cx.builder);
            }
        }
    }
    for (place, stacks) in sampled.iter().enumerate().filter(|(n, _)| !taken[*n]) {
        cx.checkpoint(source)?;
        let metrics = Metrics::new(&mut cx.builder);
        let shift = stacks.calendar().saturating_sub(first);
        let sort = (1000 + place as i64) * 1_000_000;
        let process = called(&stacks.program, stacks.pid);
        Plain { stacks, shift, process: &process, sort }.draw(&metrics, &mut cx.builder);
    }
    if !worlds.is_empty() {
        facts(&worlds.iter().map(|w| &w.1).collect::<Vec<_>>(), cx);
    }
    if !sampled.is_empty() {
        stacks::tell(&sampled.iter().collect::<Vec<_>>(), &mut cx.builder);
    }
    let meta = &mut cx.builder.meta;
    meta.tool = "inferscope".into();
    meta.title = program;
    meta.origin_unix_ns = Some(first);
    meta.basis = if worlds.is_empty() { Basis::Sampled } else { Basis::Timed };
    Ok(())
}

fn facts(worlds: &[&World], cx: &mut Context<'_>) {
    let tasks = || worlds.iter().flat_map(|w| &w.tasks).filter(|t| t.is_shown());
    let states = [State::Returned, State::Failed, State::Cancelled, State::Pending];
    let states = states.map(|state| (tasks().filter(|t| t.state == state).count() as i64, state.name()));
    let states = states.iter().filter(|s| s.0 > 0).map(|(n, name)| format!("{} {name}", format::count(*n)));
    let all = format::count(tasks().count() as i64);
    let states = states.collect::<Vec<_>>().join(", ");
    cx.builder.meta.result("Tasks", format!("{all}: {states}"));
    let mut versions: Vec<&str> =
        worlds.iter().map(|w| w.version.as_str()).filter(|v| !v.is_empty()).collect();
    versions.sort_unstable();
    versions.dedup();
    if !versions.is_empty() {
        cx.builder.meta.setting("Python", versions.join(", "));
    }
}
