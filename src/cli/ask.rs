//! The questions of [`crate::questions`] as subcommands, made of their table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::out::{self, print};
use super::{Failure, open, prices_of};
use crate::analysis::prices::Prices;
use crate::format::{self, Page};
use crate::jobs::Job;
use crate::query::{Engine, Run, RunId};
use crate::questions::{Asked, Door, Kind, Opened, QUESTIONS, Question, SourcesFrom, Values, question};

/// The question whose answer `diff` gives with `--budget` or `--by`; it has a subcommand of its own.
const OWN_COMMAND: &str = "diff";

/// Questions whose answers have prices.
const PRICED: [&str; 3] = ["summary", "requests", "findings"];

/// A subcommand for each question, after those of `command`.
pub(super) fn augment(mut command: Command) -> Command {
    for q in QUESTIONS.iter().filter(|q| q.name != OWN_COMMAND) {
        command = command.subcommand(subcommand(q));
    }
    command
}

fn subcommand(q: &'static Question) -> Command {
    let mut command = Command::new(q.name).about(q.about).after_help(format!("Example: {}", q.example));
    for &file in q.files {
        let help = "The profile; - for standard input, TARGET:/path for a file on another machine.";
        let arg = Arg::new(file).value_name("FILE").required(true).help(help);
        command = command.arg(arg.value_parser(clap::value_parser!(PathBuf)));
    }
    for a in q.arguments {
        let arg = Arg::new(a.name).long(a.name).help(format::sentence(a.help)).required(a.required);
        command = command.arg(match a.kind {
            Kind::Flag => arg.action(ArgAction::SetTrue),
            Kind::Number => arg.value_name("N").value_parser(clap::value_parser!(usize)),
            Kind::Text => arg.value_name("TEXT"),
            Kind::Choice(words) => arg
                .value_name("WORD")
                .help(format!("{} [default: {}]", format::sentence(a.help), words[0]))
                .value_parser(PossibleValuesParser::new(words)),
        });
    }
    if PRICED.contains(&q.name) {
        let help = "Price requests by this table first (JSON; see `inferscope report --help`).";
        let prices = Arg::new("prices").long("prices").value_name("FILE").help(help);
        command = command.arg(prices.value_parser(clap::value_parser!(PathBuf)));
    }
    if q.name == "requests" {
        let help = "Show the texts of prompts and answers, where the file holds them.";
        command = command.arg(Arg::new("texts").long("texts").action(ArgAction::SetTrue).help(help));
    }
    let help = "Print one JSON object, with all rows.";
    command.arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help(help))
}

/// The question of a subcommand, if it is one.
pub(super) fn named(name: &str) -> Option<&'static Question> {
    question(name).filter(|q| q.name != OWN_COMMAND)
}

/// Answers a subcommand.
pub(super) fn run(question: &'static Question, matches: &ArgMatches) -> Result<(), Failure> {
    let mut values = Values::default();
    for a in question.arguments {
        match a.kind {
            Kind::Flag if matches.get_flag(a.name) => values.set(a.name, "true"),
            Kind::Flag => {}
            Kind::Number => {
                if let Some(n) = matches.get_one::<usize>(a.name) {
                    values.set(a.name, n.to_string());
                }
            }
            Kind::Text | Kind::Choice(_) => {
                if let Some(text) = matches.get_one::<String>(a.name) {
                    values.set(a.name, text);
                }
            }
        }
    }
    let files: Vec<PathBuf> =
        question.files.iter().filter_map(|f| matches.get_one::<PathBuf>(f).cloned()).collect();
    let texts = question.name == "requests" && matches.get_flag("texts");
    let table = PRICED.contains(&question.name).then(|| matches.get_one::<PathBuf>("prices")).flatten();
    let prices = prices_of(table.map(PathBuf::as_path))?;
    answer(question, &files, &values, &prices, matches.get_flag("json"), texts)
}

/// The answer of a question without arguments, as JSON.
pub(super) fn json(name: &str, files: &[Opened]) -> Result<Value, Failure> {
    let Some(question) = question(name) else {
        return Err(Failure::new(format!("there is no question «{name}»")));
    };
    let (engine, job, values) = (Engine::inline(), Job::new(), Values::default());
    let asked = Asked {
        files,
        values: &values,
        engine: &engine,
        job: &job,
        door: Door::Cli,
        whole: true,
        texts: false,
        prices: Prices::carried_alone(),
        sources: SourcesFrom::Anywhere,
    };
    Ok(question.ask(&asked).map_err(|refusal| Failure::new(refusal.0))?.json())
}

/// Prints the answer about some files.
pub(super) fn answer(
    question: &Question,
    files: &[PathBuf],
    values: &Values,
    prices: &Prices,
    json: bool,
    texts: bool,
) -> Result<(), Failure> {
    if files.iter().filter(|f| *f == Path::new("-")).count() > 1 {
        return Err(Failure::new("-: standard input holds one file; name the other one"));
    }
    let one = |(number, path): (u32, &PathBuf)| {
        let run = Run { id: RunId(number), ..Run::of(Arc::new(open(path)?)) };
        Ok(Opened::new(path, run))
    };
    let opened: Vec<Opened> = (0..).zip(files).map(one).collect::<Result<_, Failure>>()?;
    let engine = Engine::inline();
    let asked = Asked {
        files: &opened,
        values,
        engine: &engine,
        job: &Job::new(),
        door: Door::Cli,
        whole: json,
        texts,
        prices,
        sources: SourcesFrom::Anywhere,
    };
    let sheet = match question.ask(&asked) {
        Ok(sheet) => sheet,
        Err(refusal) => {
            let file = opened.first().map_or_else(String::new, |f| format!("{}: ", f.label));
            let mut lines = refusal.0.lines();
            let mut page = Page::default();
            page.line(format_args!("inferscope: {file}{}", lines.next().unwrap_or_default()));
            lines.for_each(|candidate| page.line(candidate));
            out::say_all(&page);
            return Err(Failure::said());
        }
    };
    if json {
        return out::write_json(|out| {
            serde_json::to_writer_pretty(&mut *out, &sheet.json())?;
            out.write_all(b"\n")
        })
        .map(drop);
    }
    print(&sheet.text())
}
