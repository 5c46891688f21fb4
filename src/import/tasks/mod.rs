//! Asyncio tasks of a Python program, as our recorder in it wrote them (`assets/python/inferscope_inject/_records.py`).
//!
//! A file is segments of one or more processes, one after the other. Kept: tasks with their coroutine calls, waits, time ready
//! and not run, who made and who woke whom, steps of each loop, jobs of thread pools; a finding for what held a loop up. Tasks,
//! calls and jobs that were open at the last record are unfinished. Lost: what a coroutine called that is none.

mod draw;
mod pack;
mod reasons;
mod records;
mod task;
#[cfg(test)]
mod tests;
mod world;

use super::Gives::{Time, Tree};
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
    title: "asyncio tasks",
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
    if head.bytes.starts_with(&MAGIC.to_le_bytes()) { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let contents = records::contents(&bytes);
    if contents.processes.iter().all(|p| p.len() == 0) {
        return Err(ImportError::malformed("holds no record of a task"));
    }
    cx.builder.warn_many("records of tasks that are damaged (left out)", "", contents.damaged);
    let mut worlds = Vec::new();
    for process in &contents.processes {
        cx.checkpoint(source)?;
        let world = World::of(process);
        let calendar = process.clocks.1.saturating_sub(process.clocks.0);
        worlds.push((process, world, calendar));
    }
    worlds.retain(|(_, world, _)| !world.tasks.is_empty());
    let first =
        worlds.iter().filter_map(|(_, w, calendar)| Some(w.bounds?.0.saturating_add(*calendar))).min();
    let Some(first) = first else {
        return Err(ImportError::malformed("holds no record of a task"));
    };
    let many = worlds.len() > 1;
    for (place, (process, world, calendar)) in worlds.iter().enumerate() {
        cx.checkpoint(source)?;
        if let Some(full) = world.full {
            let from = full.saturating_add(*calendar).saturating_sub(first);
            let text = format!("process {}, from {} on", process.pid, format::duration(from));
            cx.builder.warn("tasks were recorded until the room for them was used up", &text);
        }
        let process = if many { format!("{} ({})", world.program, process.pid) } else { String::new() };
        let shift = calendar.saturating_sub(first);
        Drawing { world, shift, process, place: place as u64 & 0x7F }.draw(&mut cx.builder);
    }
    facts(&worlds.iter().map(|w| &w.1).collect::<Vec<_>>(), cx);
    let meta = &mut cx.builder.meta;
    meta.tool = "inferscope".into();
    meta.title = worlds.first().map(|w| w.1.program.clone()).unwrap_or_default();
    meta.origin_unix_ns = Some(first);
    meta.basis = Basis::Timed;
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
