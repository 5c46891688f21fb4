//! The same library without a window: report, diff, render, record, export, fleet.
//!
//! Exit codes: 0 done; 1 a recording that failed, or a regression that `--fail-if` found; 2 a file that cannot be
//! read or is broken, or a wrong command line; 3 a file that nothing understands; 4 a gate that cannot tell.

mod align;
mod ask;
mod desktop;
mod diff;
mod export;
#[cfg(feature = "fleet")]
mod fleet;
mod gate;
mod guide;
mod help;
mod manual;
#[cfg(feature = "mcp")]
mod mcp;
mod out;
mod record;
mod recover;
mod remote;
mod render;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::analysis::formula;
use crate::analysis::prices::{PriceTable, Prices};
use crate::app;
use crate::app::display::{self, Display};
use crate::format::Page;
use crate::import::{self, ErrorKind, Input};
use crate::jobs::Job;
use crate::model::{MetricKey, Profile};
use crate::remote::{Address, RemoteFile};
use crate::state::{Link, Relative};
use out::{print_lines, say, say_all};

#[derive(Debug, Parser)]
#[command(
    name = "inferscope",
    version,
    about = "A profile viewer for people who build LLM applications",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct Args {
    /// Profiles to open in the window.
    files: Vec<PathBuf>,
    /// Price requests by this table first (JSON; see `inferscope report --help`).
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Look at the first profile as a link says, which «Copy link to this view» made.
    #[arg(long, value_name = "STATE", requires = "files")]
    at: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  inferscope                                  open the window
  inferscope run.prof trace.json.gz           open two profiles
  inferscope record command -- python app.py  record any program, with the calls of a Python one
  inferscope listen -- python app.py          the same with the spans that it sends (OpenTelemetry)
  inferscope diff before.prof after.prof      what takes more, what takes less
  inferscope report run.prof --sort cumulative --top 20
  inferscope report trace.json --json         the same numbers for programs
  inferscope report run.journal --follow      a running recording, again and again
  inferscope summary run.prof                 short answers: hot, tree, callers, gaps …
  inferscope fleet add traces/ --to job       a thousand ranks as tables; `inferscope help fleets`
  inferscope guide --install claude           how a coding agent asks them
  inferscope render run.prof -o run.png       a picture, without a display
  inferscope record -o run.inferscope         record the default run
  inferscope record asyncio --set scale=0.1   a built-in run, ten times as fast
  inferscope recover -o run.inferscope        what a killed or unsaved recording left
  inferscope record --on gpu-box command -- python train.py   the same on another machine
  inferscope open gpu-box:/tmp/trace.json.gz  a file there, parsed there
  inferscope export run.pyisession -o run.speedscope.json
  inferscope formats                          what can be opened
  inferscope help recording                   a page of the guide

Without arguments and without a display (over ssh, for example) `inferscope` records the default run as a demonstration, \
prints its report, and writes a session and a picture to your data folder (~/.local/share/inferscope).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Open profiles in the window, of this machine or of another one (TARGET:/path). The journal of a running recording is shown as it grows.
    ///
    /// Example: inferscope open run.prof
    Open {
        /// The profiles.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Price requests by this table first (JSON; see `inferscope report --help`).
        #[arg(long, value_name = "FILE")]
        prices: Option<PathBuf>,
        /// Look at the first profile as a link says, which «Copy link to this view» made.
        #[arg(long, value_name = "STATE")]
        at: Option<String>,
        /// Copy files of other machines (TARGET:/path) into this folder first.
        #[arg(long)]
        copy: bool,
    },
    /// Print what is in a profile.
    ///
    /// Example: inferscope report run.prof --sort cumulative --top 20
    Report(report::ReportArgs),
    /// Compare two runs, or several of each.
    Diff(diff::DiffArgs),
    /// Many runs as one thing: read the profiles of a job, of CI or of a service into tables, and ask about all of them.
    #[cfg(feature = "fleet")]
    #[command(after_help = fleet::EXAMPLES)]
    Fleet(fleet::FleetArgs),
    /// Draw a profile as a PNG or SVG picture, without a display.
    #[command(after_help = render::view_list())]
    Render(render::RenderArgs),
    /// Record a program of yours, requests to a language model, or a built-in run.
    #[command(after_help = record::workload_list())]
    Record(record::RecordArgs),
    /// Record what instrumented programs send by OpenTelemetry's protocol (OTLP): traces, logs, metrics.
    #[command(after_help = record::LISTEN_EXAMPLES)]
    Listen(record::ListenArgs),
    /// Bring back a recording whose process was killed, or that was not saved.
    ///
    /// Example: inferscope recover -o run.inferscope
    Recover(recover::RecoverArgs),
    /// Serve recordings and files to an inferscope on another machine, which starts this there.
    #[command(hide = true)]
    Remote(remote::RemoteArgs),
    /// Write a profile in another format.
    #[command(after_help = export::format_list())]
    Export(export::ExportArgs),
    /// Print how a coding agent uses this program, or install that text for a tool.
    Guide(guide::GuideArgs),
    /// Serve the questions as tools of the Model Context Protocol, on standard input and output.
    #[cfg(feature = "mcp")]
    Mcp(mcp::McpArgs),
    /// Print completions for a shell.
    #[command(
        after_help = "Example: inferscope completions bash > ~/.local/share/bash-completion/completions/inferscope"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// List the formats that can be opened.
    ///
    /// Example: inferscope formats
    Formats,
    /// Add inferscope to the menu of your desktop, or remove it; without root.
    ///
    /// Example: inferscope desktop --install
    Desktop(desktop::DesktopArgs),
    /// Write the manual pages into a folder.
    ///
    /// Example: inferscope man ~/.local/share/man/man1
    Man(manual::ManArgs),
    /// Print the help of a command, or a page of the guide.
    #[command(after_help = help::topic_list())]
    Help {
        /// The command or page.
        topic: Option<String>,
    },
}

/// What percentages are a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RelativeArg {
    /// Numbers only.
    None,
    /// The whole: the sum of all self costs, or what outermost calls cost, if that is more.
    Total,
    /// What is one level up.
    Parent,
}

impl From<RelativeArg> for Relative {
    fn from(arg: RelativeArg) -> Self {
        match arg {
            RelativeArg::None => Self::Numbers,
            RelativeArg::Total => Self::Total,
            RelativeArg::Parent => Self::Parent,
        }
    }
}

/// A failed command: what to print and the exit code.
#[derive(Debug)]
struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// A failure that was explained already, in more than one line.
    fn said() -> Self {
        Self::new("")
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let code = match command().try_get_matches() {
        Ok(matches) => understood(&matches),
        Err(e) => usage(&e),
    };
    // What is on its way comes before the end. Who cannot be told cannot be told that either.
    let _ = crate::record::echo::ERR.flush();
    crate::record::workloads::hand_over_output();
    code
}

/// Whether a command line, without the program's name, is one of ours; nothing is done.
///
/// # Errors
/// What would be said of it.
pub fn understands<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let line = std::iter::once("inferscope").chain(words);
    match command().try_get_matches_from(line) {
        Err(e) if e.use_stderr() => Err(e.to_string()),
        _ => Ok(()),
    }
}

/// The whole command line: what is written here, and a subcommand for each question.
fn command() -> clap::Command {
    ask::augment(Args::command())
}

/// Does what an understood command line says.
fn understood(matches: &ArgMatches) -> ExitCode {
    if let Some((name, own)) = matches.subcommand()
        && let Some(question) = ask::named(name)
    {
        return ended(ask::run(question, own));
    }
    match Args::from_arg_matches(matches) {
        Ok(args) => obey(args),
        Err(e) => usage(&e.format(&mut command())),
    }
}

/// Does what the arguments say.
fn obey(args: Args) -> ExitCode {
    ended(match args.command {
        None => window(args.files, args.prices.as_deref(), args.at.as_deref()),
        Some(Command::Open { files, prices, at, copy }) => {
            let files = files.into_iter().map(|file| if copy { copied(file) } else { Ok(file) });
            files.collect::<Result<_, _>>().and_then(|files| window(files, prices.as_deref(), at.as_deref()))
        }
        Some(Command::Report(args)) => report::run(args),
        Some(Command::Diff(args)) => diff::run(&args),
        #[cfg(feature = "fleet")]
        Some(Command::Fleet(args)) => fleet::run(args),
        Some(Command::Render(args)) => render::run(&args),
        Some(Command::Record(args)) => record::run(&args),
        Some(Command::Listen(args)) => record::listen(args),
        Some(Command::Recover(args)) => recover::run(&args),
        Some(Command::Remote(args)) => remote::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Guide(args)) => guide::run(&args),
        #[cfg(feature = "mcp")]
        Some(Command::Mcp(args)) => mcp::run(&args),
        Some(Command::Completions { shell }) => completions(shell),
        Some(Command::Formats) => formats(),
        Some(Command::Desktop(args)) => desktop::run(&args),
        Some(Command::Man(args)) => manual::run(&args, command()),
        Some(Command::Help { topic }) => help::run(topic.as_deref(), command()),
    })
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                say(format_args!("inferscope: {}", failure.message));
            }
            ExitCode::from(failure.code)
        }
    }
}

/// What is said of a command line that is not understood, or asked for help.
fn usage(e: &clap::Error) -> ExitCode {
    if e.use_stderr() {
        // Without colours, because it repeats what was typed.
        let mut page = Page::default();
        page.lines(&e.render().to_string());
        say_all(&page);
    } else {
        // A help text that cannot be written is no reason to fail.
        let _ = e.print();
    }
    ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2))
}

/// What `--at` says.
fn link(text: &str) -> Result<Link, Failure> {
    Link::read(text).map_err(|why| Failure::new(format!("--at {} {why}", crate::format::short(text, 24))))
}

/// Opens the window. Without a display it says so and, unless files were named, records the default run.
fn window(files: Vec<PathBuf>, prices: Option<&Path>, at: Option<&str>) -> Result<(), Failure> {
    let at = at.map(link).transpose()?;
    let is_there = |file: &&PathBuf| **file == Path::new("-") || file.exists() || Address::is_one(file);
    if let Some(missing) = files.iter().find(|file| !is_there(file)) {
        // A command that is mistyped looks like a file.
        let plain = missing.parent() == Some(Path::new("")) && missing.extension().is_none();
        let hint = if plain { ", and there is no such command: `inferscope help` lists them" } else { "" };
        return Err(Failure::new(format!("{}: there is no such file{hint}", missing.display())));
    }
    let named = files.first().map_or_else(|| "FILE".to_owned(), |file| file.display().to_string());
    let instead = format!("`inferscope report {named}` or `inferscope render {named} -o picture.png`");
    let without = |why: String| Failure::new(format!("{why}. Without a window: {instead}"));
    match display::find() {
        Display::Ready(session) => {
            let prices = price_table(prices)?;
            app::window::run(&app::window::Start { files, prices, at }, session).map_err(without)
        }
        Display::Lacking(what) => Err(without(format!("no window can be opened: {what}"))),
        Display::None(why) if files.is_empty() => {
            say(format_args!(
                "inferscope: there is no display ({why}), so the default run is recorded here instead."
            ));
            record::without_display()
        }
        Display::None(why) => {
            Err(Failure::new(format!("there is no display ({why}) to show {named}: use {instead}")))
        }
    }
}

/// Opens a file, or standard input for «-», or says in one line why not.
fn open(path: &Path) -> Result<Profile, Failure> {
    open_input(&input_of(path)?)
}

/// What a path on the command line means: `-` is standard input.
fn input_of(path: &Path) -> Result<Input, Failure> {
    if path != Path::new("-") {
        return named_input(path);
    }
    Input::standard_input().map_err(|e| Failure::new(format!("-: {e}")))
}

/// A file of this machine or of another one.
fn named_input(path: &Path) -> Result<Input, Failure> {
    match crate::remote::input(path) {
        Some(there) => there.map_err(Failure::new),
        None => Ok(Input::named(path)),
    }
}

/// The copy here of a file on another machine; any other file is here.
fn copied(path: PathBuf) -> Result<PathBuf, Failure> {
    let there = path.to_str().filter(|_| !path.exists()).and_then(Address::parse);
    let Some(there) = there else { return Ok(path) };
    let file = RemoteFile::new(there.map_err(Failure::new)?);
    let copy = file.copy_to(Path::new("."), &Job::new());
    let copy = copy.map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
    say(format_args!("Copied {} to {}", path.display(), copy.display()));
    Ok(copy)
}

/// The file that a path on the command line means. Standard input may be one, too.
fn on_disk(path: &Path) -> PathBuf {
    if path == Path::new("-") { "/dev/stdin".into() } else { path.to_owned() }
}

/// Refuses `-` as the name of a file to write, where nothing is written to standard output.
fn named(output: &Path) -> Result<(), Failure> {
    if output == Path::new("-") {
        return Err(Failure::new("-: this goes to a file only; name one"));
    }
    Ok(())
}

fn open_input(input: &Input) -> Result<Profile, Failure> {
    import::open_whole(input, &Job::new()).map_err(|e| Failure {
        code: if e.kind == ErrorKind::Unrecognised { 3 } else { 2 },
        message: format!("{}: {e}", input.label()),
    })
}

/// Opens a file, or one that is attached to it.
fn open_part(path: &Path, part: Option<&str>) -> Result<Profile, Failure> {
    let input = input_of(path)?;
    let whole = open_input(&input)?;
    let Some(part) = part else { return Ok(whole) };
    if whole.meta.parts.iter().any(|name| name == part) {
        return open_input(&Input::Part(Box::new(input), part.to_owned()));
    }
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let Some(file) = whole.attached.iter().find(|a| a.name == part || stem(&a.name) == part) else {
        let names = whole.attached.iter().map(|a| &a.name).chain(&whole.meta.parts);
        let names: Vec<_> = names.map(String::as_str).collect();
        let known =
            if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
        return Err(Failure::new(format!("{}: has no part called «{part}»; {known}", path.display())));
    };
    let input = Input::Bytes(file.name.clone(), file.bytes.clone());
    import::open_whole(&input, &Job::new())
        .map_err(|e| Failure::new(format!("{}, attached {}: {e}", path.display(), file.name)))
}

/// Prices as `--prices` says: a person's table above the carried one.
fn prices_of(file: Option<&Path>) -> Result<Prices, Failure> {
    Ok(price_table(file)?.map_or_else(Prices::default, |(_, table)| Prices::above([table])))
}

/// The table that `--prices` names, with its file.
fn price_table(file: Option<&Path>) -> Result<Option<(PathBuf, Arc<PriceTable>)>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let table = app::price_file(file).map_err(Failure::new)?;
    if let Some(remark) = table.remark() {
        say(format!("{}: {remark}", file.display()));
    }
    Ok(Some((file.to_owned(), Arc::new(table))))
}

/// The metric that `--metric` names: a key, a label, a formula, or «name = formula».
fn metric_of(profile: &Profile, name: Option<&str>, file: &Path) -> Result<MetricKey, Failure> {
    let Some(name) = name else { return Ok(formula::shown(MetricKey::default(), profile)) };
    formula::named(name, profile)
        .map_err(|why| Failure::new(format!("{}: metric «{name}»: {why}", file.display())))
}

/// Completions of the whole command line, for a shell to read.
fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "inferscope", &mut script);
    out::print_script(&script)
}

fn formats() -> Result<(), Failure> {
    print_lines(&formats_text())
}

/// Two lines a format.
fn formats_text() -> String {
    let mut text = "ID                 FORMAT                               GIVES\n".to_owned();
    text += "                   USUAL ENDINGS                        WRITTEN BY\n";
    for i in import::IMPORTERS {
        let endings: Vec<_> = i.extensions.iter().map(|e| format!(".{e}")).collect();
        let gives: Vec<_> = i.gives.iter().map(|g| g.word()).collect();
        let (endings, gives) = (endings.join(" "), gives.join(", "));
        text += &format!("{:<18} {:<36} {gives}\n{:<18} {endings:<36} {}\n", i.id, i.title, "", i.written_by);
    }
    text + "\nFiles may be packed with gzip or zstd. The content decides, not the name.\n"
}
