//! `inferscope record`: record a workload without a window.

mod apart;
mod elsewhere;
mod listen;
mod progress;
mod repeat;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::export::list;
use super::out::{self, print_lines, say};
use super::{Failure, ask, named, render, report};
use crate::app::{Settings, source_texts};
use crate::export::{self, Inputs};
use crate::format::Page;
use crate::model::{Profile, Sources};
use crate::query::Run;
use crate::questions::Opened;
use crate::record::echo;
use crate::record::journal::{self, JournalFile};
use crate::record::workloads::command_line;
use crate::record::{Options, WORKLOADS};
use crate::remote::Anywhere;
pub(super) use listen::{EXAMPLES as LISTEN_EXAMPLES, ListenArgs, listen};
use progress::{COMMAND, record, was_interrupted};
use stream::Stream;

/// Arguments of `record`.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// What to record; see the list below.
    #[arg(default_value = "default")]
    workload: String,
    /// With the workload `attach`: the number of the process.
    #[arg(value_name = "PID")]
    process: Option<String>,
    #[command(flatten)]
    how: How,
    /// Record on another machine: a name of ssh's config or ssh://[user@]host[:port], docker://NAME,
    /// kubectl://[CONTEXT/]NAMESPACE/POD[/CONTAINER], or cmd:COMMAND for any command that gives a POSIX shell on its standard
    /// streams. The recording goes on there when the link breaks; the session is written here.
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true)]
    on: Option<String>,
    /// The folder of a recording that `inferscope remote` starts.
    #[arg(long, value_name = "DIR", hide = true)]
    apart: Option<PathBuf>,
    /// Record one of N root spans (requests, jobs), each with all spans below it: 1/N.
    #[arg(long, value_name = "1/N", value_parser = one_of, default_value = "1/1")]
    sample_spans: u32,
    /// Do not count allocations by span.
    #[arg(long)]
    no_allocations: bool,
    /// Record N times, one after the other, and save `run-1.inferscope`, `run-2.inferscope` … for `-o
    /// run.inferscope`: `diff --base A,B,… --head C,D,…` then tells a change from noise.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// With the workload `attach`: how many seconds; without, until Ctrl-C or the end of the program.
    #[arg(short, long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// With the workload `proxy`: the base URL of the server or provider that requests are passed on to.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// With the workload `command`: calls of language models go through a proxy of the recorder, to which the environment's
    /// base URLs point, so that programs in any language are recorded.
    #[arg(long)]
    proxy: bool,
    /// With the workload `command`: the program to run and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How something is recorded, whatever it is.
#[derive(Debug, Args)]
struct How {
    /// The session file to write.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sets a parameter of what is recorded; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Samples of memory, CPU and GPU per second; 0 for none.
    #[arg(long, value_name = "HZ", default_value_t = 25)]
    sample_hz: u32,
    /// Leave out the texts of prompts and answers, and lines that a command writes.
    #[arg(long)]
    no_texts: bool,
    /// Keep the texts of the source files of recorded functions in the session (without keys and passwords).
    #[arg(long)]
    sources: bool,
    /// Memory for what is recorded, in MiB; when it is full the oldest spans are left out.
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    memory_limit: u32,
    /// The folder for the journal, from which `inferscope recover` brings back a recording that was killed or not
    /// saved; by default one in the user's state folder. With - the journal there is also written to standard output as it
    /// grows, instead of the report; what the program writes there goes to standard error.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Do not print the report at the end: standard output is that of the recorded program alone.
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object instead of the report: where the recording is, how it ended, and its summary. What the
    /// program writes to standard output goes to standard error.
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

/// Workloads with their parameters, for help texts.
pub(super) fn workload_list() -> String {
    let mut text = "Workloads:\n".to_owned();
    for workload in WORKLOADS {
        text += &format!("  {}: {}\n", workload.id(), workload.about());
        for p in workload.params() {
            text += &format!(
                "      {:<18} {} [default: {}]\n",
                p.key,
                p.help,
                if p.default.is_empty() { "–" } else { p.default }
            );
        }
    }
    text + "\nExample: inferscope record asyncio --set scale=0.1 -o run.inferscope\n         \
            inferscope record command -o run.inferscope -- python app.py\n         \
            inferscope record attach 4321 --duration 10 -o run.inferscope\n         \
            inferscope record proxy --to https://api.openai.com -o run.inferscope\n         \
            inferscope record --on gpu-box command -o run.inferscope -- python train.py"
}

/// Something that is done at each look at a recording that runs.
trait Beside {
    fn look(&self, recording: &Anywhere);
}

pub(super) fn run(args: &RecordArgs) -> Result<(), Failure> {
    if let Some(folder) = &args.apart {
        return apart::run(args, folder);
    }
    let streamed = args.how.journal.as_deref() == Some(Path::new("-"));
    if args.repeat > 1 {
        return match &args.how.output {
            Some(_) if streamed => Err(Failure::new("one recording is streamed, not --repeat of them")),
            Some(output) => repeat::run(args, output),
            None => Err(Failure::new("--repeat saves each run: name them with -o run.inferscope")),
        };
    }
    if streamed && args.on.is_some() {
        return Err(Failure::new(
            "--journal -: a recording on another machine comes here anyway; leave it out",
        ));
    }
    if let Some(path) = &args.how.output {
        writable(args, path)?;
    }
    if args.how.json && streamed {
        return Err(Failure::new("--journal - takes standard output: leave out --json"));
    }
    if args.how.json {
        echo::OUT.divert_to(&echo::ERR);
    }
    let stream = streamed.then(Stream::begin).transpose()?;
    let recorded = once(args, stream.as_ref())?;
    if let Some(path) = &args.how.output {
        recorded.save(path, args.how.sources)?;
        say(format_args!("Saved {}", path.display()));
    }
    let read = match (stream, args.how.quiet) {
        (Some(stream), _) => stream.end()?,
        (None, true) => false,
        // The object does not hold the recording: what was not saved stays in its journal.
        (None, false) if args.how.json => {
            print_json(&recorded.json(args.how.output.as_deref())?)?;
            false
        }
        (None, false) => out::deliver(&recorded.report()?)?,
    };
    recorded.settle(args, read);
    recorded.outcome()
}

impl RecordArgs {
    /// A script wants no more than where the recording of its command is; what a proxy says of its course is its address.
    fn says_nothing_of_its_course(&self) -> bool {
        self.how.json || self.how.quiet && self.workload == COMMAND
    }
}

/// Records what the arguments say, here or there.
fn once(args: &RecordArgs, stream: Option<&Stream>) -> Result<Recorded, Failure> {
    let params = params(args)?;
    let asked = args.how.journal.as_deref().filter(|_| stream.is_none());
    let options = options(args, journal_folder(asked, stream.is_some() || args.on.is_some())?);
    if let Some(on) = &args.on {
        return elsewhere::record(args, on, params, options);
    }
    let beside = stream.map(|stream| stream as &dyn Beside);
    record(&args.workload, &params, options, beside, args.says_nothing_of_its_course())
}

fn print_json(value: &Value) -> Result<(), Failure> {
    out::write_json(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
    .map(drop)
}

/// Refuses a session file that cannot be written or that the recording reads.
fn writable(args: &RecordArgs, path: &Path) -> Result<(), Failure> {
    named(path)?;
    inputs(args).refuse(path).map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
    export::can_write(path).map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}

fn options(args: &RecordArgs, journal: Option<PathBuf>) -> Options {
    Options {
        sample_hz: args.how.sample_hz,
        journal,
        texts: !args.how.no_texts,
        one_root_of: args.sample_spans,
        allocations: !args.no_allocations,
        max_bytes: (args.how.memory_limit as usize) << 20,
        terminal: args.workload == COMMAND,
        ..Options::default()
    }
}

/// The folder for the journal. One that was asked for must be fit before anything starts; without the usual one there is no
/// journal, which the recording says, but a stream has nothing to send then.
fn journal_folder(asked: Option<&Path>, needed: bool) -> Result<Option<PathBuf>, Failure> {
    let Some(folder) = asked.map(Path::to_owned).or_else(journal::folder) else {
        let why = "this system has no place for journals; name a folder with --journal DIR";
        return if needed { Err(Failure::new(why)) } else { Ok(None) };
    };
    match journal::prepare(&folder) {
        Err(why) if asked.is_some() || needed => {
            let other = "; --journal DIR takes a folder, --journal - writes to standard output";
            Err(Failure::new(
                why + if asked.is_some() { other } else { "; set XDG_STATE_HOME to another place" },
            ))
        }
        _ => Ok(Some(folder)),
    }
}

/// N of «1/N».
fn one_of(text: &str) -> Result<u32, String> {
    let n = text.strip_prefix("1/").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    n.ok_or_else(|| "one of how many? For a tenth write 1/10".into())
}

/// The parameters, with the command line among them when there is one.
fn params(args: &RecordArgs) -> Result<Vec<String>, Failure> {
    let mut params = args.how.set.clone();
    match &args.to {
        Some(_) if args.workload != "proxy" => {
            return Err(Failure::new(
                "--to goes with `record proxy`; for a command try `record command --proxy -- …`",
            ));
        }
        Some(url) => params.push(format!("to={url}")),
        None if args.workload == "proxy" && !params.iter().any(|p| p.trim_start().starts_with("to=")) => {
            let why = "name where requests go: inferscope record proxy --to https://api.openai.com";
            return Err(Failure::new(why));
        }
        None => {}
    }
    match (&args.process, args.workload.as_str()) {
        (Some(pid), "attach") => params.push(format!("pid={pid}")),
        (Some(word), _) => {
            let why = format!(
                "«{word}» is too much; a process goes with `record attach {word}`, a command behind `--`"
            );
            return Err(Failure::new(why));
        }
        (None, "attach") if !params.iter().any(|p| p.trim_start().starts_with("pid=")) => {
            return Err(Failure::new("name the process: inferscope record attach PID"));
        }
        _ => {}
    }
    match args.duration {
        Some(seconds) if args.workload == "attach" => params.push(format!("seconds={seconds}")),
        Some(_) => return Err(Failure::new("--duration goes with `record attach`")),
        None => {}
    }
    match args.workload.as_str() {
        "command" if args.proxy => params.push("proxy=true".to_owned()),
        _ if args.proxy => return Err(Failure::new("--proxy goes with `record command`")),
        _ => {}
    }
    if !args.command.is_empty() {
        if args.workload != "command" {
            let workload = &args.workload;
            return Err(Failure::new(format!("{workload} takes no command; try `record command -- …`")));
        }
        params.push(format!("command={}", command_line(&args.command)));
    } else if args.workload == "command" && !params.iter().any(|p| p.trim_start().starts_with("command=")) {
        return Err(Failure::new("name the command: inferscope record command -- python app.py"));
    }
    Ok(params)
}

/// The files that are named as what is recorded or what it reads: a script, a model, a file of prompts.
fn inputs(args: &RecordArgs) -> Inputs {
    let set = args.how.set.iter().filter_map(|text| text.split_once('=')).map(|(_, value)| value.trim());
    let mut files = Vec::new();
    for named in set.chain(args.command.iter().map(String::as_str)) {
        files.push(named.into());
    }
    // A model may be a folder with files of usual names.
    let folders =
        args.how.set.iter().filter_map(|text| text.split_once("model=")).map(|(_, folder)| folder.trim());
    for entry in folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        files.push(entry.path());
    }
    Inputs::files(files)
}

/// What the program does without a display: records the default workload, its pipeline at a fifth of the
/// time, and leaves a session and a picture in the user's data folder: nobody asked for files where the program was started.
pub(super) fn without_display() -> Result<(), Failure> {
    let options = Options { journal: journal::folder(), ..Options::default() };
    let recorded = record("default", &["scale=0.2".to_owned()], options, None, false)?;
    let folder = dirs::data_local_dir().unwrap_or_else(std::env::temp_dir).join("inferscope");
    std::fs::create_dir_all(&folder).map_err(|e| Failure::new(format!("{}: {e}", folder.display())))?;
    let session = free_name(&folder, "inferscope-run", "inferscope");
    let picture = session.with_extension("png");
    recorded.save(&session, false)?;
    recorded.discard_journal();
    render::workspace(&session.to_string_lossy(), recorded.profile.clone(), &picture)?;
    out::deliver(&recorded.report()?)?;
    print_lines(&format!(
        "\nSession  {}  (open it with `inferscope {}` on a machine with a display)\nPicture  {}\n",
        session.display(),
        session.display(),
        picture.display()
    ))
}

/// The first of `stem.ext`, `stem-2.ext` … that is not in the folder yet.
fn free_name(folder: &Path, stem: &str, extension: &str) -> PathBuf {
    let name = |i: u32| match i {
        1 => folder.join(format!("{stem}.{extension}")),
        i => folder.join(format!("{stem}-{i}.{extension}")),
    };
    (1..).map(name).find(|p| !p.exists()).unwrap_or_else(|| name(1))
}

/// A recording that ended, and its journal.
struct Recorded {
    profile: Arc<Profile>,
    journal: Option<Arc<JournalFile>>,
    /// Of the recorded command.
    exit_code: Option<u8>,
}

impl Recorded {
    /// Writes the session. When that fails the journal stays, and the error says where.
    fn save(&self, path: &Path, sources: bool) -> Result<(), Failure> {
        let sources = sources.then(|| source_texts(&self.profile, Some(Path::new(".")), &[], true));
        let sources = sources.map(|found| list(found, path));
        save(&self.profile, sources.as_ref(), path).map_err(|mut failure| {
            if let Some(journal) = &self.journal {
                failure.message += &format!(
                    "; the recording is kept in {file}: `inferscope recover {file} -o run.inferscope`",
                    file = journal.path().display()
                );
            }
            failure
        })
    }

    /// The report, as `report` prints it.
    fn report(&self) -> Result<Page, Failure> {
        report::text_of(self.profile.clone()).map_err(|e| Failure::new(e.to_string()))
    }

    /// What a script needs of it.
    fn json(&self, session: Option<&Path>) -> Result<Value, Failure> {
        let opened = Opened::new(session.unwrap_or(Path::new("recording")), Run::of(self.profile.clone()));
        let summary = ask::json("summary", &[opened])?;
        let journal = self.journal.as_ref().filter(|_| session.is_none());
        Ok(json!({
            "session": session,
            "journal": journal.map(|j| j.path()),
            "exit_code": self.exit_code,
            "failed": self.profile.meta.failed,
            "elapsed_ns": self.profile.meta.duration,
            "summary": summary,
        }))
    }

    fn discard_journal(&self) {
        if let Some(journal) = &self.journal {
            journal.discard();
        }
    }

    /// Removes the journal of a recording that was saved or whose report was `read`; otherwise it is all that is left, so
    /// it stays, and says where.
    fn settle(&self, args: &RecordArgs, read: bool) {
        if args.how.output.is_some() || read {
            return self.discard_journal();
        }
        let Some(journal) = &self.journal else { return };
        let why = if args.how.quiet { "was not saved (-o FILE)" } else { "was neither saved nor read" };
        let file = journal.path().display();
        say(format_args!("The recording {why} and is kept: inferscope recover {file} -o run.inferscope"));
        // A folder that was named is its owner's to clear.
        if let (None | Some("-"), Some(folder)) =
            (args.how.journal.as_deref().and_then(Path::to_str), journal::folder())
        {
            let settings = Settings::path().as_deref().map(Settings::load).unwrap_or_default();
            journal::keep_within(settings.unsaved_bytes(), &mut journal::unsaved(&folder));
        }
    }

    /// Exit code and reason of a recording that failed.
    fn outcome(&self) -> Result<(), Failure> {
        match (self.exit_code, &self.profile.meta.failed) {
            (None | Some(0), None) => Ok(()),
            (code, why) => Err(Failure {
                message: why.clone().unwrap_or_else(|| "stopped by the user".into()),
                code: code.filter(|code| *code != 0).unwrap_or(1),
            }),
        }
    }
}

/// Writes a session.
pub(super) fn save(profile: &Profile, sources: Option<&Sources>, path: &Path) -> Result<(), Failure> {
    export::write_session_with(profile, sources.unwrap_or(&profile.sources), path)
        .map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}
