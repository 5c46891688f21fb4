//! Any program: what it and all that it starts use, what it writes, and for Python the call profile.
//!
//! The command runs in a process group of its own, with our environment and, unless that is a terminal,
//! our standard input. A profile of calls knows no times of single calls, so a run that has one holds no spans:
//! its tables are the profiler's own numbers, and memory, CPU and log lines lie on the run's clock. Without one
//! (`profilers=none`, or programs that are no Python but start some) the spans that Python code marks lie there, too.

pub(super) mod calls;
mod folder;
mod inject;
mod otlp;
mod output;
mod python;
mod spans;
mod stop;
mod tasks;
mod through;

use std::process::{Child, Command as Process, Stdio};
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
pub(super) use folder::Folder;
use inject::{Inject, Parts};
use otlp::Otlp;
use output::{Counts, Reader, Stream};
use python::{PROFILERS, Prepared, Python};
use through::Through;

/// How long output is read that is still on its way when the command has ended.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

const TOO_OLD: &str = "the program ran without a profile of its calls: this Python is older than 3.6";

/// See the module.
pub(super) struct Command;

/// The parameter `command` for these words.
#[must_use]
pub fn command_line(words: &[String]) -> String {
    words::join(words.iter().map(String::as_str))
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
         output as log lines; for Python also its calls."
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
                "For a Python program: cprofile, pyinstrument, yappi-wall, yappi-cpu, with commas between them; none; or \
                 auto, which is cprofile until the program makes an asyncio task. The first is shown, the others are kept \
                 with the run; what cannot run together is left out.",
                "auto",
                ParamKind::Choices(PROFILERS),
            ),
            param(
                "tasks",
                "Asyncio tasks",
                "For programs that use asyncio (Python 3.8 on): their tasks, coroutines and what each await waits for, in all \
                 processes. Not beside a Python profiler that is asked for by name.",
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
                "How long it has to end after SIGINT, and again after SIGTERM, when the recording is stopped.",
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
        let words = match words::split(params.text("command")) {
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
        let forward = !params.text("forward").is_empty() && !params.flag("otlp");
        forward.then(|| format!("{}: goes with OpenTelemetry", FORWARD.label))
    }

    fn run_title(&self, params: &Params) -> String {
        params.text("command").to_owned()
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let words = words::split(params.text("command")).map_err(WorkloadError::Failed)?;
        if words.is_empty() {
            return Err(WorkloadError::Failed("no command is given".into()));
        }
        let profilers: Vec<&str> = params.text("profilers").split(',').map(str::trim).collect();
        let folder = Folder::beside(cx.folder()).map_err(WorkloadError::Failed)?;
        let prepared = match profilers[..] {
            ["none"] => Prepared::Other,
            [python::AUTO] => {
                Python::prepare(&words, python::AUTO, folder.path()).map_err(WorkloadError::Failed)?
            }
            _ if profilers.iter().any(|p| ["none", python::AUTO].contains(p)) => {
                return Err(WorkloadError::Failed("profilers: none and auto go with no other".into()));
            }
            _ => {
                Python::prepare(&words, &profilers.join(","), folder.path()).map_err(WorkloadError::Failed)?
            }
        };
        // What an earlier run lost is none of this one.
        let _ = (echo::OUT.take_cut(), echo::ERR.take_cut());
        if matches!(prepared, Prepared::TooOld) {
            cx.warn(TOO_OLD, &words[0]);
        }
        let is_python = !matches!(prepared, Prepared::Other);
        let python = match prepared {
            Prepared::Profiled(python) => Some(python),
            Prepared::Other | Prepared::TooOld => None,
        };
        let words_of_it = python.as_ref().map_or(&words, |p| &p.words);
        // Two that listen to every call would measure each other.
        let tasks = params.flag("tasks") && matches!(profilers[..], [python::AUTO] | ["none"]);
        let parts = Parts { tasks, requests: params.flag("requests") };
        let inject = Inject::prepare(folder.path(), parts).unwrap_or_else(|why| {
            cx.warn("the program was not recorded from inside", &why);
            None
        });
        let trace = folder.trace().map_err(WorkloadError::Failed)?;
        let through = params.flag("proxy").then(|| Through::start(secrets::texts().then_some(&trace)));
        let through = through.transpose().map_err(WorkloadError::Failed)?;
        if let Some(through) = &through {
            cx.fact(FactKind::Setting, "Proxy", through.about.clone());
        }
        let otlp = params
            .flag("otlp")
            .then(|| Otlp::start(secrets::texts().then_some(&trace), params.text("forward"), cx));
        let otlp = otlp.transpose().map_err(WorkloadError::Failed)?;
        let mut variables: Vec<(String, String)> = otlp.iter().flat_map(|o| o.variables.clone()).collect();
        let of_proxy = through.iter().flat_map(|t| &t.variables);
        variables.extend(of_proxy.map(|(name, value)| ((*name).to_owned(), value.clone())));
        let surroundings = Surroundings {
            folder: params.text("folder"),
            python: is_python,
            left: &folder,
            inject,
            variables: &variables,
        };
        let before = Moment::now();
        let mut child = spawn(words_of_it, &surroundings).map_err(|e| {
            // As a shell says it.
            cx.exit_code(if e.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 });
            WorkloadError::Failed(format!("{} could not be started: {e}", words[0]))
        })?;
        cx.watch(child.id());
        cx.stage(&format!("Running {}", params.text("command")));
        let counts = Arc::new(Counts::default());
        let readers = read(&mut child, params.flag("echo"), &counts);
        let grace = Duration::from_secs_f64(params.float("grace").clamp(0.0, 3600.0));
        let end = stop::wait(&mut child, grace, cx)
            .map_err(|e| WorkloadError::Failed(format!("{} could not be waited for: {e}", words[0])))?;
        let until = Instant::now() + LAST_OUTPUT;
        readers.iter().for_each(|r| r.end(until));
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
        // Spans say more about a program with tasks than sums of its calls.
        let shown = tasks::collect(surroundings.inject.as_ref(), cx) || traced;
        let profiled = python.as_ref().is_some_and(|python| collect(python, shown, params, cx));
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
    python: bool,
    /// Where it leaves files for the recorder.
    left: &'a Folder,
    inject: Option<Inject>,
    /// Further variables.
    variables: &'a [(String, String)],
}

fn spawn(words: &[String], with: &Surroundings<'_>) -> std::io::Result<Child> {
    use std::io::IsTerminal;
    let mut command = Process::new(&words[0]);
    command.args(&words[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !with.folder.is_empty() {
        command.current_dir(with.folder);
    }
    command.env(spans::VARIABLE, with.left.path());
    if let Some(inject) = &with.inject {
        command.envs(inject.variables());
    }
    command.envs(with.variables.iter().map(|(name, value)| (name, value)));
    if with.python {
        // Lines get the time at which they were written, not that at which a buffer was full.
        command.env("PYTHONUNBUFFERED", "1");
    }
    // A group in the background may not read from its terminal.
    if std::io::stdin().is_terminal() {
        command.stdin(Stdio::null());
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

fn read(child: &mut Child, echo: bool, counts: &Arc<Counts>) -> Vec<Reader> {
    let out = child.stdout.take().map(|from| Reader::start(from, Stream::Out, echo, counts.clone()));
    let err = child.stderr.take().map(|from| Reader::start(from, Stream::Err, echo, counts.clone()));
    out.into_iter().chain(err).collect()
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
fn collect(python: &Python, other_is_shown: bool, params: &Params, cx: &Context) -> bool {
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
                cx.keep_file(Attachment { name, bytes: bytes.into() }, !attached);
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
    if files.is_empty() && (about.python.is_empty() || !about.profilers.is_empty()) {
        cx.warn(
            "there is no Python profile: the program was killed, crashed or replaced itself (exec) before it could write one",
            "",
        );
    }
    let keep = params.text("keep");
    if let (false, Some(file)) = (keep.is_empty(), files.first())
        && let Err(e) = std::fs::copy(file, keep)
    {
        cx.warn("the Python profile could not be kept", &format!("{keep}: {e}"));
    }
    shown
}
