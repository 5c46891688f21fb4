//! `inferscope record`: record a workload without a window.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::Args;

use super::{Failure, print, render, report};
use crate::app::source_texts;
use crate::export::{self, FORMATS};
use crate::format;
use crate::model::Profile;
use crate::record::journal::{self, JournalFile};
use crate::record::workloads::command_line;
use crate::record::{self, Options, RecordError, Recording, WORKLOADS};

/// Arguments of `record`.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// What to record; see the list below.
    #[arg(default_value = "default")]
    workload: String,
    /// The session file to write.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sets a parameter of the workload; may be given several times.
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
    /// Record only such a share of root spans (requests, jobs), each with all below it: 1/N.
    #[arg(long, value_name = "1/N", value_parser = one_of, default_value = "1/1")]
    sample_spans: u32,
    /// Do not count allocations by span.
    #[arg(long)]
    no_allocations: bool,
    /// The folder for the journal, from which `inferscope recover` brings back a killed recording; by
    /// default one in the user's state folder.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Do not print the report at the end.
    #[arg(long)]
    quiet: bool,
    /// With the workload `command`: the program to run and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
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
            inferscope record command -o run.inferscope -- python app.py"
}

pub(super) fn run(args: &RecordArgs) -> Result<(), Failure> {
    let options = Options {
        sample_hz: args.sample_hz,
        journal: args.journal.clone().or_else(journal::folder),
        texts: !args.no_texts,
        one_root_of: args.sample_spans,
        allocations: !args.no_allocations,
        ..Options::default()
    };
    let recorded = record(&args.workload, &params(args)?, options)?;
    if let Some(path) = &args.output {
        recorded.save(path, args.sources)?;
        eprintln!("Saved {}", path.display());
    }
    recorded.discard_journal();
    let facts = &recorded.profile.meta.facts;
    let message = facts.iter().find(|(k, _)| k == "Ended").map_or(String::new(), |(_, why)| why.clone());
    if !args.quiet {
        finish(recorded.profile)?;
    }
    match recorded.exit_code {
        None | Some(0) => Ok(()),
        Some(code) => Err(Failure { message, code }),
    }
}

/// N of «1/N».
fn one_of(text: &str) -> Result<u32, String> {
    let n = text.strip_prefix("1/").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    n.ok_or_else(|| "one of how many? For a tenth write 1/10".into())
}

/// The parameters, with the command line among them when there is one.
fn params(args: &RecordArgs) -> Result<Vec<String>, Failure> {
    let mut params = args.set.clone();
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

fn finish(profile: Arc<Profile>) -> Result<(), Failure> {
    let text = report::text_of(profile).map_err(|e| Failure::new(e.to_string()))?;
    print(&text)
}

/// What the program does without a display: records the default workload, its pipeline at a fifth of the
/// time, and leaves a session and a picture in the current folder.
pub(super) fn without_display() -> Result<(), Failure> {
    let options = Options { journal: journal::folder(), ..Options::default() };
    let recorded = record("default", &["scale=0.2".to_owned()], options)?;
    let session = free_name("inferscope-run", "inferscope");
    let picture = session.with_extension("png");
    recorded.save(&session, false)?;
    recorded.discard_journal();
    let profile = recorded.profile;
    render::workspace(&session.to_string_lossy(), profile.clone(), &picture)?;
    finish(profile)?;
    print(&format!(
        "\nSession  {}  (open it with `inferscope {}` on a machine with a display)\nPicture  {}\n",
        session.display(),
        session.display(),
        picture.display()
    ))
}

/// The first of `stem.ext`, `stem-2.ext` … that is not there yet.
fn free_name(stem: &str, extension: &str) -> PathBuf {
    let name = |i: u32| match i {
        1 => PathBuf::from(format!("{stem}.{extension}")),
        i => PathBuf::from(format!("{stem}-{i}.{extension}")),
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
        let sources = sources.then(|| source_texts(&self.profile, Some(Path::new(".")), &[]));
        let options = export::Options { sources, ..export::Options::default() };
        save(&self.profile, &options, path).map_err(|mut failure| {
            if let Some(journal) = &self.journal {
                failure.message += &format!(
                    "; the recording is kept in {file}: `inferscope recover {file} -o run.inferscope`",
                    file = journal.path().display()
                );
            }
            failure
        })
    }

    fn discard_journal(&self) {
        if let Some(journal) = &self.journal {
            journal.discard();
        }
    }
}

/// Writes a session.
pub(super) fn save(profile: &Profile, options: &export::Options, path: &Path) -> Result<(), Failure> {
    export::write_file_with(&FORMATS[0], profile, options, path)
        .map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}

/// Records with a progress line. The first Ctrl-C stops and keeps, the second one throws away.
fn record(workload: &str, params: &[String], options: Options) -> Result<Recorded, Failure> {
    static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
    // A handler may be there already when this runs twice in one process; it counts for both.
    let _ = ctrlc::set_handler(|| {
        INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    });
    let code = |e: &RecordError| match e {
        RecordError::UnknownWorkload(_) | RecordError::Parameter(_) => 2,
        _ => 1,
    };
    let failed = |e: RecordError| Failure { code: code(&e), message: e.to_string() };
    let recording = record::start(workload, params, options, Box::new(|_| ())).map_err(failed)?;
    let mut line = ProgressLine::default();
    while !recording.is_finished() {
        match INTERRUPTS.load(Ordering::Relaxed) {
            0 => {}
            1 => recording.stop(),
            _ => recording.cancel(),
        }
        // A command's own output goes to the same terminal.
        if workload != "command" {
            line.show(&recording);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    line.end(&recording);
    let (journal, exit_code) = (recording.journal(), recording.status().exit_code);
    Ok(Recorded { profile: recording.join().map_err(failed)?, journal, exit_code })
}

/// One line that is written over on a terminal, or a line per stage elsewhere.
#[derive(Default)]
struct ProgressLine {
    stage: String,
    width: usize,
}

impl ProgressLine {
    fn text(recording: &Recording) -> String {
        let s = recording.status();
        let share = s.progress.map(|p| format!("{:>3.0} % ", p * 100.0)).unwrap_or_default();
        let time = format::duration(s.elapsed.as_nanos().min(i64::MAX as u128) as i64);
        format!(
            "Recording {share}{time:>8}  {}, {}",
            format::counted(s.spans as i64, "span", "spans"),
            s.stage
        )
    }

    fn show(&mut self, recording: &Recording) {
        let stage = recording.status().stage;
        let mut err = std::io::stderr().lock();
        // A progress line that cannot be written is no reason to stop.
        if err.is_terminal() {
            let text = Self::text(recording);
            let width = text.chars().count();
            let _ = write!(err, "\r{text}{}", " ".repeat(self.width.saturating_sub(width)));
            self.width = width;
        } else if stage != self.stage {
            let _ = writeln!(err, "{}", Self::text(recording));
            self.stage = stage;
        }
        let _ = err.flush();
    }

    fn end(&self, recording: &Recording) {
        let mut err = std::io::stderr().lock();
        let start = if err.is_terminal() { "\r" } else { "" };
        let text = Self::text(recording);
        let pad = " ".repeat(self.width.saturating_sub(text.chars().count()));
        let _ = writeln!(err, "{start}{text}{pad}");
    }
}
