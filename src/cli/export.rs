//! `inferscope export`: a profile in another format.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Failure, open_part};
use crate::analysis::source_file::SourceRule;
use crate::app::source_texts;
use crate::export::{self, FORMATS, Format, Options};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The profile.
    file: PathBuf,
    /// Take a file that is attached to it instead, such as the profile of a second profiler.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The format [default: by the ending of the output].
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// Keep the texts of the source files in the session.
    #[arg(long)]
    sources: bool,
    /// With --sources: source files that the profile names below FROM are below TO on this computer.
    #[arg(long, value_name = "FROM=TO", value_parser = super::render::parse_rule)]
    source: Vec<SourceRule>,
}

/// «id  what it keeps» per format, for help texts.
pub(super) fn format_list() -> String {
    let mut text = "Formats:\n".to_owned();
    for format in FORMATS {
        text += &format!("  {:<11} .{:<16} {}\n", format.id, format.extension, format.about);
    }
    text += &format!(
        "  {:<11} .{:<16} {}\n",
        "csv", "csv", "every function with its self and total cost in each metric"
    );
    text + "\nExample: inferscope export run.pyisession -o run.speedscope.json"
}

/// Functions as CSV: made of queries, which formats of profiles know nothing of.
fn csv(args: &ExportArgs) -> Result<(), Failure> {
    let text = super::report::csv_of(open_part(&args.file, args.part.as_deref())?)
        .map_err(|e| Failure::new(e.to_string()))?;
    std::fs::write(&args.output, text)
        .map_err(|e| Failure::new(format!("{}: cannot be written ({e})", args.output.display())))
}

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let by_name = args.output.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    if args.to.as_deref() == Some("csv") || (args.to.is_none() && by_name) {
        return csv(args);
    }
    let known = || FORMATS.iter().map(|f| f.id).chain(["csv"]).collect::<Vec<_>>().join(", ");
    let format: &Format = match &args.to {
        Some(id) => export::format(id)
            .ok_or_else(|| Failure::new(format!("there is no format «{id}»; known: {}", known())))?,
        None => {
            let name = args.output.to_string_lossy();
            let longest = FORMATS.iter().filter(|f| name.ends_with(&format!(".{}", f.extension)));
            longest.max_by_key(|f| f.extension.len()).ok_or_else(|| {
                Failure::new(format!("{name}: its ending names no format; say one with --to ({})", known()))
            })?
        }
    };
    if args.sources && format.id != "native" {
        return Err(Failure::new(
            "only inferscope sessions hold source texts: leave out --sources, or use --to native",
        ));
    }
    let profile = Arc::new(open_part(&args.file, args.part.as_deref())?);
    let sources = args.sources.then(|| source_texts(&profile, args.file.parent(), &args.source));
    let options = Options { sources, ..Options::default() };
    export::write_file_with(format, &profile, &options, &args.output)
        .map_err(|e| Failure::new(format!("{}: {e}", args.output.display())))
}
