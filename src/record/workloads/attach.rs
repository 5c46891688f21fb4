//! A Python program that runs already: its stacks, memory and CPU, for as long as somebody wants to look.
//!
//! Nothing is put into the program and it is never stopped: it is read from outside, and goes on when the recording ends.

use std::time::{Duration, Instant};

use super::command::{Folder, stacks::Sampling, tasks};
use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::model::FactKind;
use crate::record::{echo, processes, stacks};

/// See the module.
pub(super) struct Attach;

const LOOK_EVERY: Duration = Duration::from_millis(20);

static PARAMS: [Param; 4] = [
    Param {
        key: "pid",
        label: "Process",
        help: "Number of the process, as ps and top show it.",
        default: "",
        kind: ParamKind::Process,
    },
    Param {
        key: "seconds",
        label: "Duration (s)",
        help: "How long; 0 until it is stopped or the program ends.",
        default: "0",
        kind: ParamKind::Float { min: 0.0, max: 604_800.0 },
    },
    Param {
        key: "children",
        label: "Its children",
        help: "Also the Python processes that it has started and starts.",
        default: "true",
        kind: ParamKind::Bool,
    },
    Param {
        key: "hz",
        label: "Stacks a second",
        help: "How often stacks are sampled; 100 cost 2 to 4 % of a core for each process.",
        default: "100",
        kind: ParamKind::Int { min: 1, max: 1000 },
    },
];

#[derive(serde::Deserialize)]
struct Settings {
    pid: String,
    seconds: f64,
    children: bool,
    hz: u32,
}

/// The process that is meant, or why it cannot be recorded.
pub(super) fn process(text: &str) -> Result<u32, String> {
    let number = text.parse::<u32>().ok().filter(|n| *n > 0 && i32::try_from(*n).is_ok());
    let pid =
        number.ok_or_else(|| format!("«{text}» is no number of a process; `pgrep -a python` shows them"))?;
    match stacks::of_process(pid) {
        Some(why) => Err(why),
        None => Ok(pid),
    }
}

impl Workload for Attach {
    fn id(&self) -> &'static str {
        "attach"
    }

    fn title(&self) -> &'static str {
        "A running program"
    }

    fn about(&self) -> &'static str {
        "Looks at a Python program that runs already: stacks of all its threads, memory and CPU. It is read from outside, not stopped and \
         not changed, and goes on afterwards."
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn other_process(&self) -> bool {
        true
    }

    fn problem(&self, params: &Params) -> Option<String> {
        let Settings { pid, .. } = params.read().ok()?;
        match &*pid {
            "" => Some("Process: name the one to look at; `pgrep -a python` shows them".into()),
            pid => process(pid).err(),
        }
    }

    fn run_title(&self, params: &Params) -> String {
        let pid = params.read::<Settings>().map(|s| s.pid).unwrap_or_default();
        let name = pid.parse().ok().and_then(processes::name);
        name.map_or_else(|| format!("process {pid}"), |name| format!("{name} ({pid})"))
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let Settings { pid, seconds, children, hz } = params.read()?;
        let pid = process(&pid).map_err(WorkloadError::Failed)?;
        let folder = Folder::beside(cx.folder()).map_err(WorkloadError::Failed)?;
        let trace = folder.trace().map_err(WorkloadError::Failed)?;
        let limit = Some(seconds).filter(|s| *s > 0.0).map(Duration::from_secs_f64);
        cx.watch(pid);
        let sampling = Sampling::start(pid, children, &trace, hz);
        let until = if limit.is_some() { "" } else { "; Ctrl-C ends the recording, the program goes on" };
        echo::ERR.say(&format!("inferscope: looks at process {pid}{until}\n"));
        cx.stage(&format!("Looking at process {pid}"));
        let begun = Instant::now();
        let end = loop {
            if cx.check().is_err() {
                break "stopped; the program goes on";
            }
            if !processes::lives(pid) {
                break "the program ended";
            }
            if limit.is_some_and(|limit| begun.elapsed() >= limit) {
                break "the time was over; the program goes on";
            }
            std::thread::sleep(LOOK_EVERY);
        };
        cx.watched_ended();
        sampling.end(cx);
        cx.fact(FactKind::Result, "Looked until", end);
        if !tasks::collect(&trace, cx) {
            return Err(WorkloadError::Failed(format!("nothing was seen of process {pid}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_cannot_be_recorded_is_refused_in_a_line() {
        let problem = |pid: &str| Params::parse(&PARAMS, &[format!("pid={pid}")]).map(|_| ()).unwrap_err();
        let unnamed = Params::parse(&PARAMS, &[]).unwrap();
        assert!(Attach.problem(&unnamed).unwrap().contains("name the one"));
        assert!(problem("python").contains("is no number"));
        assert!(problem("0").contains("is no number"));
        if cfg!(target_os = "linux") {
            assert!(problem("2147483647").contains("there is no process"));
            let own = problem(&std::process::id().to_string());
            assert!(own.contains("is no Python but") || own.contains("may not be read"), "{own}");
        }
    }
}
