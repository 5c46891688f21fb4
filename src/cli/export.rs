//! `inferscope export`: a profile in another format.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, open};
use crate::export::{self, FORMATS, Format};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The profile.
    file: PathBuf,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The format [default: by the ending of the output].
    #[arg(long, value_name = "ID")]
    to: Option<String>,
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
    let text = super::report::csv_of(open(&args.file)?).map_err(|e| Failure::new(e.to_string()))?;
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
    let profile = open(&args.file)?;
    export::write_file(format, &profile, &args.output)
        .map_err(|e| Failure::new(format!("{}: {e}", args.output.display())))
}
