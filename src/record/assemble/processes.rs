//! Processes of a recorded command: their lives, and what its profiler could not see of them.

use std::time::Duration;

use super::Assembler;
use crate::format;
use crate::model::{ArgsRef, FunctionSpec, Severity, TrackKind, TrackSpec};
use crate::record::context::Sight;
use crate::record::processes::Life;

/// A process that used less CPU time and lived for less is a helper of the start, such as `uname`, that nobody misses.
const SHORT_CPU: Duration = Duration::from_millis(100);
const SHORT_LIFE: i64 = 250_000_000;
/// Names that a finding lists.
const NAMED: usize = 3;

impl Assembler {
    /// Adds the lives of processes as spans, each on a track of its own. Beside spans of what they did (`told`) that is no
    /// further work.
    pub(in crate::record) fn processes(&mut self, lives: &[Life], told: bool) {
        for (i, life) in lives.iter().enumerate() {
            let name = format!("{} ({})", life.name, life.pid);
            let kind = if told { TrackKind::Summary } else { TrackKind::Task };
            let track =
                self.builder.track(TrackSpec { name: &name, process: "", kind, sort: 100 + i as i64 });
            let program = life.name.split(' ').next().unwrap_or_default();
            let function = self.builder.function(FunctionSpec::named(program));
            let (from, to) = (self.scale.ns(life.from), self.scale.ns(life.to));
            self.builder.span(track, from, to, function, ArgsRef::NONE);
        }
    }

    /// Reports threads and processes that ran and that the profiler, which saw `root`, could not see.
    pub(in crate::record) fn blind_spots(&mut self, lives: &[Life], root: u32, sight: &Sight) {
        let tool = &sight.tool;
        let threads = lives.iter().filter(|l| l.pid == root).filter_map(|l| l.threads).max();
        if let Some(threads) = threads.filter(|&n| n > 1 && !sight.all_threads) {
            let seen = if sight.mixes {
                format!(
                    "{tool} from Python 3.12 on takes calls of other threads for those of the main one, so calls and times \
                     may be of either."
                )
            } else {
                format!("{tool} sees the main one alone: what the others did is not in the call profile.")
            };
            let text = format!(
                "Up to {threads} threads ran. {seen} yappi tells all threads apart (profilers=yappi-wall or yappi-cpu)."
            );
            self.found_in_run("Threads that the profiler does not see", Severity::Warning, &text);
        }
        let lived = |l: &Life| self.scale.ns(l.to) - self.scale.ns(l.from);
        let counts = |l: &&Life| l.pid != root && (l.cpu >= SHORT_CPU || lived(l) >= SHORT_LIFE);
        let others: Vec<&Life> = lives.iter().filter(counts).collect();
        if others.is_empty() {
            return;
        }
        let cpu: Duration = others.iter().map(|l| l.cpu).sum();
        let mut names: Vec<&str> = others.iter().map(|l| l.name.as_str()).take(NAMED).collect();
        if others.len() > NAMED {
            names.push("…");
        }
        let text = format!(
            "{} that the program started ({}; {} of CPU time) are not in the call profile: {tool} sees the program's own \
             process alone.",
            format::counted(others.len() as i64, "process", "processes"),
            names.join(", "),
            format::duration(i64::try_from(cpu.as_nanos()).unwrap_or(i64::MAX)),
        );
        self.found_in_run("Processes that the profiler does not see", Severity::Warning, &text);
    }
}
