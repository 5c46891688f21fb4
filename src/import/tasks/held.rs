//! What held a loop while tasks were due: a finding for each kind of step, that which cost others most first. What ran in it is
//! told where stacks were sampled: the function, or who had the interpreter's lock meanwhile.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::draw::{Drawing, Tracks};
use super::samples::last_part;
use super::task::Index;
use super::world::{Step, Thread};
use crate::format;
use crate::import::stacks::{Code, INSIDE, Run, Sampled, Stacks, State};
use crate::model::{Finding, LOOP_HELD, ProfileBuilder, Severity};

/// A step that others waited for this long is a finding, ns; findings of a process.
const HELD: i64 = 10_000_000;
const MOST_FINDINGS: usize = 20;
/// Parts of paths of the standard library and of installed packages.
const LIBRARIES: [&str; 3] = ["site-packages", "dist-packages", "/lib/python"];

impl Drawing<'_> {
    /// Adds the findings; `sampled` is what was sampled of the process.
    pub(super) fn findings(&self, tracks: &Tracks, sampled: &[&Stacks], b: &mut ProfileBuilder) {
        let mut by: FxHashMap<(u32, Index), Vec<&Step>> = FxHashMap::default();
        for (n, thread) in self.world.threads.iter().enumerate() {
            for step in thread.steps.iter().filter(|s| s.delay >= HELD) {
                by.entry((step.symbol, n)).or_default().push(step);
            }
        }
        let mut held: Vec<_> = by.into_iter().collect();
        // What others waited because of all of them.
        held.sort_by_key(|(key, steps)| {
            (Reverse(steps.iter().fold(0i64, |sum, s| sum.saturating_add(s.delay))), *key)
        });
        for ((symbol, thread), steps) in held.into_iter().take(MOST_FINDINGS) {
            let Some(worst) = steps.iter().max_by_key(|s| (s.delay, Reverse(s.start))) else { continue };
            let task = &self.world.tasks[worst.task];
            let name = self.symbol(symbol).map_or(&task.coroutine, |s| &s.name);
            let thread = &self.world.threads[thread];
            let seen = sampled.iter().find_map(|stacks| Seen::of(stacks, thread, &steps, name));
            let mut text = format!(
                "{name} held the event loop of {} for {}{}; {} ready meanwhile, and the longest wait for it was {}.",
                thread.name,
                format::duration(worst.end - worst.start),
                seen.map(|seen| seen.words()).unwrap_or_default(),
                format::counted(i64::from(worst.delayed), "task was", "tasks were"),
                format::duration(worst.delay),
            );
            if steps.len() > 1 {
                let all = steps.iter().fold(0i64, |sum, s| sum.saturating_add(s.end - s.start));
                text.push_str(&format!(
                    " {} such steps took {} together.",
                    format::count(steps.len() as i64),
                    format::duration(all)
                ));
            }
            let kind = b.string(LOOP_HELD);
            let text = b.string(&text);
            let track = tracks.tasks.get(&worst.task).map(|t| t.0);
            let time = Some(self.at(worst.start.midpoint(worst.end)));
            b.finding(Finding { kind, severity: Severity::Warning, text, request: None, track, time });
        }
    }
}

/// What most looks into steps saw.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Seen<'a> {
    function: &'a str,
    /// The thread that ran it, where the loop's own waited for the interpreter's lock.
    elsewhere: Option<&'a str>,
}

impl<'a> Seen<'a> {
    fn of(stacks: &'a Stacks, thread: &Thread, steps: &[&Step], name: &str) -> Option<Self> {
        let own = stacks.threads.iter().find(|t| thread.is_sampled_as(t.native, t.ident))?;
        let mut seen: FxHashMap<Self, usize> = FxHashMap::default();
        let mut all = 0;
        for step in steps {
            let from = stacks.looks.partition_point(|at| *at < step.start);
            let to = stacks.looks.partition_point(|at| *at < step.end);
            for look in from..to {
                let Some(run) = run_at(own, look) else { continue };
                all += 1;
                let found = if run.state == State::Idle {
                    holder(stacks, own, look)
                } else {
                    function(stacks, run, name).map(|function| Self { function, elsewhere: None })
                };
                found.into_iter().for_each(|found| *seen.entry(found).or_default() += 1);
            }
        }
        let (most, looks) = seen.into_iter().max_by_key(|(seen, looks)| (*looks, Reverse(seen.function)))?;
        (looks > 1 && looks * 2 >= all).then_some(most)
    }

    fn words(self) -> String {
        match self.elsewhere {
            None => format!(", mostly in {} (sampled)", self.function),
            Some(thread) => format!(
                ", mostly because its thread waited for the interpreter's lock, held by {} in {thread} (sampled)",
                self.function
            ),
        }
    }
}

/// Who has the interpreter's lock at a look at which `own` waits.
fn holder<'a>(stacks: &'a Stacks, own: &Sampled, look: usize) -> Option<Seen<'a>> {
    let others = stacks.threads.iter().filter(|t| !std::ptr::eq(*t, own));
    let (thread, run) = others
        .filter_map(|t| Some((t, run_at(t, look)?)))
        .find(|(_, run)| matches!(run.state, State::HasGil))?;
    let function = function(stacks, run, "")?;
    Some(Seen { function, elsewhere: Some(&thread.name) })
}

fn run_at(thread: &Sampled, look: usize) -> Option<&Run> {
    let next = thread.runs.partition_point(|run| run.looks.1 as usize <= look);
    thread.runs.get(next).filter(|run| run.looks.0 as usize <= look)
}

/// The innermost function of one's own below `coroutine`, or else the innermost one; `None` for what the coroutine did itself.
fn function<'a>(stacks: &'a Stacks, run: &Run, coroutine: &str) -> Option<&'a str> {
    let frame = |n: u32| stacks.stacks.get(n as usize);
    let stack = std::iter::successors(frame(run.stack?), |s| s.below.and_then(frame));
    let codes = stack.filter_map(|s| stacks.codes.get(s.code as usize));
    let below: Vec<&Code> = codes.take_while(|c| last_part(&c.name) != last_part(coroutine)).collect();
    let is_own = |c: &&&Code| !c.file.starts_with('<') && !LIBRARIES.iter().any(|part| c.file.contains(part));
    let found = below.iter().find(is_own).or_else(|| below.iter().find(|c| !c.file.starts_with(INSIDE)));
    found.map(|code| code.name.as_str())
}
