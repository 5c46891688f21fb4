//! Any program: what it and all that it starts use, what it writes, and for Python the call profile.
//!
//! The command runs with the environment and the standard input that we were started with. Where that is a terminal which it may use, it
//! stays in our process group, so that it can read and Ctrl-C reaches it; else it gets a group of its own. Of Python programs, whoever starts them, stacks of all threads lie on the run's clock, beside tasks, memory, CPU and
//! log lines. A profile of calls, which is made when it is asked for, knows no times of single calls, so a run that shows one holds no spans:
//! its tables are the profiler's own numbers.

pub(super) mod calls;
mod choice;
mod folder;
mod inject;
mod otlp;
mod outlive;
mod output;
mod python;
mod spans;
pub(super) mod stacks;
mod stop;
pub(super) mod tasks;
mod through;
mod torch;

use std::io::{self, PipeReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::listen::FORWARD;
use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::format;
use crate::import::http::Beside;
use crate::model::{Attachment, FactKind};
use crate::record::calls::Moment;
use crate::record::context::Sight;
use crate::record::{echo, secrets, words};
use choice::{AUTO, Choice, PROFILERS};
pub(super) use folder::Folder;
use inject::{Inject, Parts};
use otlp::Otlp;
pub use outlive::hand_over_output;
use output::{Counts, Reader, Stream, is_one};
use python::{Around, Prepared, Python};
use stacks::Sampling;
use through::Through;

/// How long output is read that is still on its way when the command has ended.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

const TOO_OLD: &str = "the program ran without a profile of its calls: this Python is older than 3.6";

/// The file in which an interpreter that is too old to record from inside leaves its version.
const TOO_OLD_INSIDE: &str = "too-old";

/// See the module.
pub(super) struct Command;

/// The parameter `command` for these words.
#[must_use]
pub fn command_line(words: &[String]) -> String {
    words::join(words.iter().map(String::as_str))
}

#[derive(serde::Deserialize)]
struct Settings {
    command: String,
    folder: String,
    profilers: String,
    hz: u32,
    reader: String,
    torch: String,
    /// s.
    torch_seconds: f64,
    tasks: bool,
    requests: bool,
    proxy: bool,
    otlp: bool,
    forward: String,
    keep: String,
    echo: bool,
    /// s.
    grace: f64,
}

impl Workload for Command {
    fn id(&self) -> &'static str {
        "command"
    }

    fn title(&self) -> &'static str {
        "A command"
    }

    fn about(&self) -> &'static str {
        "Runs any program and records memory, CPU, threads and GPU memory of it and all that it starts, and its \
         output as log lines; for Python also stacks in time, asyncio tasks and calls of language models."
    }

    fn usual_params(&self) -> &'static [&'static str] {
        &["command", "folder", "profilers"]
    }

    fn params(&self) -> &'static [Param] {
        const fn param(
            key: &'static str,
            label: &'static str,
            help: &'static str,
            default: &'static str,
            kind: ParamKind,
        ) -> Param {
            Param { key, label, help, default, kind }
        }
        const PARAMS: &[Param] = &[
            param(
                "command",
                "Command line",
                "The program and its arguments, quoted as for a shell; nothing is expanded.",
                "",
                ParamKind::Command,
            ),
            param(
                "folder",
                "Working directory",
                "Where it runs; empty for the present one.",
                "",
                ParamKind::Folder,
            ),
            param(
                "profilers",
                "Python profilers",
                "For Python: stacks (of all threads and processes, in time, from outside: the program runs at its speed); torch (what \
                 torch.profiler sees: operators, kernels); cprofile, pyinstrument, yappi-wall, yappi-cpu (of the program's own \
                 process), with commas between them; none; or auto, which is stacks. Of the last four the first is shown where there \
                 is nothing in time; the others are kept with the run.",
                AUTO,
                ParamKind::Choices(PROFILERS),
            ),
            param(
                "hz",
                "Stacks a second",
                "How often stacks are sampled; 100 cost 2 to 4 % of a core for each process.",
                "100",
                ParamKind::Int { min: 1, max: 1000 },
            ),
            param(
                "reader",
                "Stacks are read",
                "From outside, where this system lets the recorder; or inside the program, by a thread of it that leans to places where \
                 the interpreter's lock is free.",
                "outside",
                ParamKind::Choice(&["outside", "inside"]),
            ),
            param(
                "torch",
                "torch.profiler",
                "What it records beside times of operators: shapes, stacks, memory. Each makes the program slower and takes memory.",
                "none",
                ParamKind::Choices(&["none", "shapes", "stacks", "memory"]),
            ),
            param(
                "torch_seconds",
                "Trace of torch (s)",
                "Length of each of its traces, because one is in memory until it is written; 0 for one of all.",
                "30",
                ParamKind::Float { min: 0.0, max: 86_400.0 },
            ),
            param(
                "tasks",
                "Asyncio tasks",
                "For programs that use asyncio (Python 3.8 on): their tasks, coroutines and what each await waits for, in all \
                 processes. Not beside a profiler that listens to calls (cprofile, pyinstrument, yappi).",
                "true",
                ParamKind::Bool,
            ),
            param(
                "requests",
                "HTTP requests",
                "Of Python programs (3.8 on): requests that httpx, aiohttp, requests, urllib3 and urllib make; calls of \
                 language models with prompt, answer and tokens.",
                "true",
                ParamKind::Bool,
            ),
            param(
                "proxy",
                "Through a proxy",
                "Of programs in any language: calls of language models go through a proxy of the recorder, to which \
                 OPENAI_BASE_URL, ANTHROPIC_BASE_URL and GOOGLE_GEMINI_BASE_URL point; it sees when pieces arrive.",
                "false",
                ParamKind::Bool,
            ),
            param(
                "otlp",
                "OpenTelemetry",
                "Of instrumented programs in any language: the environment points their exporters (OTLP) to a receiver of the \
                 recorder; their spans, logs and metrics lie on the run's clock.",
                "false",
                ParamKind::Bool,
            ),
            FORWARD,
            param(
                "keep",
                "Keep the profile as",
                "Where to write the first Python profiler's own file, too; empty for nowhere.",
                "",
                ParamKind::Output,
            ),
            param(
                "echo",
                "Show output in the terminal",
                "Also writes its output to where inferscope's own goes.",
                "true",
                ParamKind::Bool,
            ),
            param(
                "grace",
                "Grace period (s)",
                "How long it has to end after the signal that stops the recording (SIGINT or SIGHUP, then SIGTERM), before it is killed.",
                "5",
                ParamKind::Float { min: 0.0, max: 3600.0 },
            ),
        ];
        PARAMS
    }

    fn other_process(&self) -> bool {
        true
    }

    fn problem(&self, params: &Params) -> Option<String> {
        let Settings { command, otlp, forward, .. } = params.read().ok()?;
        let words = match words::split(&command) {
            Ok(words) => words,
            Err(why) => return Some(why),
        };
        let Some(program) = words.first() else {
            return Some("Command line: name the program to run".into());
        };
        // Where a path leads is known when the working directory is.
        let is_path = program.contains(['/', '\\']);
        if !is_path && python::find(program).is_none() {
            return Some(format!("there is no program «{program}»"));
        }
        (!forward.is_empty() && !otlp).then(|| format!("{}: goes with OpenTelemetry", FORWARD.label))
    }

    fn run_title(&self, params: &Params) -> String {
        params.read::<Settings>().map(|s| s.command).unwrap_or_default()
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let settings: Settings = params.read()?;
        let words = words::split(&settings.command).map_err(WorkloadError::Failed)?;
        if words.is_empty() {
            return Err(WorkloadError::Failed("no command is given".into()));
        }
        let choice = Choice::of(&settings.profilers).map_err(WorkloadError::Failed)?;
        let folder = Folder::beside(cx.folder()).map_err(WorkloadError::Failed)?;
        // Two that listen to every call would measure each other.
        let tasks = settings.tasks && choice.calls.is_empty();
        let around = Around {
            profilers: &choice.calls,
            inside: tasks || settings.requests || choice.stacks || choice.torch,
            tasks,
            at: &settings.folder,
        };
        let prepared = match choice.nothing {
            true => Prepared::Other,
            false => Python::prepare(&words, &around, folder.path()).map_err(WorkloadError::Failed)?,
        };
        // What an earlier run lost is none of this one.
        let _ = (echo::OUT.take_cut(), echo::ERR.take_cut());
        if matches!(prepared, Prepared::TooOld) && !choice.calls.is_empty() {
            cx.warn(TOO_OLD, &words[0]);
        }
        let is_python = !matches!(prepared, Prepared::Other);
        let python = match prepared {
            Prepared::Profiled(python) => Some(python),
            Prepared::Other | Prepared::TooOld | Prepared::Plain => None,
        };
        let words_of_it = python.as_ref().map_or(&words, |p| &p.words);
        let hz = settings.hz;
        let reader = choice.stacks.then(|| stacks::reader(&settings.reader, cx));
        if reader == Some(inject::Reader::Inside) && !choice.calls.is_empty() {
            cx.warn("stacks were left out: from inside they do not go beside a profiler of calls", "");
        }
        let reader = reader.filter(|r| *r == inject::Reader::Outside || choice.calls.is_empty());
        let torch = choice.torch.then(|| inject::Torch {
            seconds: settings.torch_seconds,
            shapes: settings.torch.contains("shapes"),
            stacks: settings.torch.contains("stacks"),
            memory: settings.torch.contains("memory"),
        });
        let stacks = reader.map(|r| (hz, r));
        let parts = Parts { tasks, requests: settings.requests, stacks, torch };
        let inject = Inject::prepare(folder.path(), parts).unwrap_or_else(|why| {
            cx.warn("the program was not recorded from inside", &why);
            None
        });
        let trace = folder.trace().map_err(WorkloadError::Failed)?;
        let through = settings.proxy.then(|| Through::start(secrets::texts().then_some(&trace)));
        let through = through.transpose().map_err(WorkloadError::Failed)?;
        if let Some(through) = &through {
            cx.fact(FactKind::Setting, "Proxy", through.about.clone());
        }
        let otlp =
            settings.otlp.then(|| Otlp::start(secrets::texts().then_some(&trace), &settings.forward, cx));
        let otlp = otlp.transpose().map_err(WorkloadError::Failed)?;
        let mut variables: Vec<(String, String)> = otlp.iter().flat_map(|o| o.variables.clone()).collect();
        let of_proxy = through.iter().flat_map(|t| &t.variables);
        variables.extend(of_proxy.map(|(name, value)| ((*name).to_owned(), value.clone())));
        let terminal = cx.terminal() && shares_terminal();
        let surroundings =
            Surroundings { folder: &settings.folder, terminal, left: &folder, inject, variables: &variables };
        let before = Moment::now();
        let one = settings.echo && is_one();
        let (mut child, both) = spawn(words_of_it, &surroundings, one).map_err(|e| {
            // As a shell says it.
            let code = if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            WorkloadError::NotStarted { why: format!("{} could not be started: {e}", words[0]), code }
        })?;
        cx.watch(child.id());
        let sampling = reader.filter(|r| *r == inject::Reader::Outside);
        let sampling = sampling.map(|_| Sampling::start(child.id(), true, &trace, hz));
        cx.stage(&format!("Running {}", settings.command));
        let counts = Arc::new(Counts::default());
        let readers = read(&mut child, both, settings.echo, &counts)
            .map_err(|e| WorkloadError::Failed(format!("its output could not be read: {e}")))?;
        let grace = Duration::from_secs_f64(settings.grace);
        let end = stop::wait(&mut child, terminal, grace, cx)
            .map_err(|e| WorkloadError::Failed(format!("{} could not be waited for: {e}", words[0])))?;
        cx.watched_ended();
        let until = Instant::now() + LAST_OUTPUT;
        let mut outlived = false;
        for reader in readers {
            outlived |= reader.end(until);
        }
        if outlived {
            cx.warn(
                "a process outlives the command; what it does and writes from then on was not recorded",
                "",
            );
        }
        let left_out = match counts.left_out.load(Ordering::Relaxed) {
            0 => String::new(),
            n => format!(", {n} of them not kept"),
        };
        cx.fact(
            FactKind::Result,
            "Output lines",
            format!("{}{left_out}", counts.lines.load(Ordering::Relaxed)),
        );
        unread(cx);
        cx.fact(FactKind::Result, "Exit status", stop::words(end.status));
        cx.exit_code(stop::code(end.status));
        let receiver = otlp.as_ref().map(Otlp::address);
        let traced = otlp.is_some_and(|otlp| otlp.end(cx));
        if let Some(sampling) = sampling {
            sampling.end(cx);
        }
        // What lies on the clock says more about a program than sums of its calls.
        let shown = tasks::collect(&trace, cx);
        let too_old = std::fs::read_to_string(trace.join(TOO_OLD_INSIDE)).unwrap_or_default();
        if !too_old.is_empty() && (tasks || settings.requests) {
            let kind = "asyncio tasks and requests were not recorded: that takes Python 3.8 or later";
            cx.warn(kind, &format!("Python {too_old}"));
        }
        if !shown && choice.stacks && is_python && end.status.success() {
            let why = match (reader, &*too_old) {
                (Some(inject::Reader::Inside), version) if !version.is_empty() => {
                    "sampling them inside the program takes Python 3.8 or later"
                }
                _ => "the program ended before a look at it",
            };
            cx.warn(
                &format!("there are no stacks: {why}; --set profilers=cprofile counts the program's calls"),
                "",
            );
        }
        if choice.torch {
            torch::collect(&trace, cx);
        }
        let shown = shown || choice.torch || traced;
        let profiled =
            python.as_ref().is_some_and(|python| collect(python, &choice, shown, &settings.keep, cx));
        spans::collect(folder.path(), profiled, cx);
        let kept = through.and_then(|through| {
            let (kept, failed) = through.proxy.end();
            failed.into_iter().for_each(|why| cx.warn("the proxy could not write all requests down", &why));
            kept
        });
        let beside = match (shown, profiled) {
            (true, _) => Beside::Tasks,
            (false, true) => Beside::Calls,
            (false, false) => Beside::Nothing,
        };
        calls::collect(&trace, kept.into_iter().collect(), before, (beside, receiver.as_deref()), cx);
        match (end.stopped, end.needed) {
            (true, needed) => {
                cx.fact(FactKind::Result, "Ended by", needed.unwrap_or("SIGINT"));
                Err(WorkloadError::Stopped)
            }
            (false, _) if end.status.success() => Ok(()),
            (false, _) => {
                Err(WorkloadError::Failed(format!("exit status of the command: {}", stop::words(end.status))))
            }
        }
    }
}

/// What a command is started with.
struct Surroundings<'a> {
    /// Its working directory; empty for ours.
    folder: &'a str,
    /// It uses our terminal.
    terminal: bool,
    /// Where it leaves files for the recorder.
    left: &'a Folder,
    inject: Option<Inject>,
    /// Further variables.
    variables: &'a [(String, String)],
}

/// Starts it. Its output comes through two pipes, or through `one`, which is given then.
fn spawn(words: &[String], with: &Surroundings<'_>, one: bool) -> io::Result<(Child, Option<PipeReader>)> {
    use std::io::IsTerminal;
    let mut command = crate::record::program(&words[0]);
    command.args(&words[1..]);
    let both = if one {
        let (from, to) = io::pipe()?;
        command.stdout(to.try_clone()?).stderr(to);
        Some(from)
    } else {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        None
    };
    if !with.folder.is_empty() {
        command.current_dir(with.folder);
    }
    command.env(spans::VARIABLE, with.left.path());
    if let Some(inject) = &with.inject {
        command.envs(inject.variables());
    }
    command.envs(with.variables.iter().map(|(name, value)| (name, value)));
    if !with.terminal {
        // A group in the background may not read from its terminal.
        if io::stdin().is_terminal() {
            command.stdin(Stdio::null());
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    Ok((command.spawn()?, both))
}

/// Whether a program that may use our terminal finds one.
#[must_use]
pub fn shares_terminal() -> bool {
    cfg!(unix) && io::IsTerminal::is_terminal(&io::stdin())
}

fn read(
    child: &mut Child,
    both: Option<PipeReader>,
    echo: bool,
    counts: &Arc<Counts>,
) -> io::Result<Vec<Reader>> {
    let both = both.map(|from| Reader::start(from, Stream::Both, echo, counts.clone()));
    let out = child.stdout.take().map(|from| Reader::start(from, Stream::Out, echo, counts.clone()));
    let err = child.stderr.take().map(|from| Reader::start(from, Stream::Err, echo, counts.clone()));
    both.into_iter().chain(out).chain(err).collect()
}

/// Says what was not passed on because nobody read it. The recording has its lines all the same.
fn unread(cx: &Context) {
    for (name, stream) in [("standard output", &echo::OUT), ("standard error", &echo::ERR)] {
        let cut = i64::try_from(stream.take_cut()).unwrap_or(i64::MAX);
        if cut > 0 {
            let text = format!("{} of {name}", format::bytes(cut));
            cx.warn("output was not passed on, because nobody read inferscope's own", &text);
        }
    }
}

/// Adds what the Python profilers measured to the run: the first one as its numbers, unless something else is shown, the
/// others as files. True when there is a first one.
fn collect(python: &Python, choice: &Choice, other_is_shown: bool, keep: &str, cx: &Context) -> bool {
    let (about, files) = python.result();
    if !about.python.is_empty() {
        cx.fact(FactKind::Setting, "Python", about.python.clone());
    }
    for (name, why) in &about.missing {
        cx.warn(&format!("{name} was left out: {why}"), "");
    }
    if let Some(part) = about.part_without_calls() {
        cx.warn(&part, "");
    }
    let mut shown = false;
    let mut tools = Vec::new();
    for file in &files {
        match (std::fs::read(file), python::read(file)) {
            (Ok(bytes), Ok(profile)) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let tool =
                    if profile.meta.tool.is_empty() { name.clone() } else { profile.meta.tool.clone() };
                let attached = shown || other_is_shown;
                tools.push(if attached { format!("{tool} (attached as {name})") } else { tool });
                // Its own file stays beside what is merged: there are readers of that format.
                cx.keep_file(Attachment { name, bytes: bytes.into() });
                if !attached {
                    cx.attach(profile);
                    shown = true;
                }
            }
            (Err(e), _) => cx.warn("a Python profile could not be read", &e.to_string()),
            (_, Err(why)) => cx.warn("a Python profile could not be read", &why),
        }
    }
    if !tools.is_empty() {
        cx.fact(FactKind::Result, "Call profile", tools.join(", "));
    }
    if let Some(tool) = about.profilers.first().filter(|_| shown) {
        // From Python 3.12 on cProfile listens to all threads, and takes their calls for those of one.
        let mixes = tool == "cprofile" && python::is_at_least(&about.python, (3, 12));
        cx.set_sight(Sight { tool: tool.clone(), all_threads: tool.starts_with("yappi"), mixes });
    }
    // When no profiler ran, it is said already.
    if !choice.calls.is_empty()
        && files.is_empty()
        && (about.python.is_empty() || !about.profilers.is_empty())
    {
        cx.warn(
            "there is no Python profile: the program was killed, crashed or replaced itself (exec) before it could write one",
            "",
        );
    }
    if let (false, Some(file)) = (keep.is_empty(), files.first())
        && let Err(e) = std::fs::copy(file, keep)
    {
        cx.warn("the Python profile could not be kept", &format!("{keep}: {e}"));
    }
    shown
}
