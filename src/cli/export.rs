//! `inferscope export`: a profile in another format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::out::{self, say};
use super::{Failure, on_disk, open_part};
use crate::analysis::source_file::SourceRule;
use crate::analysis::source_texts::FoundTexts;
use crate::analysis::{Scope, Transform};
use crate::app::source_texts;
use crate::exchange::{self, Asked, FORMATS, Format};
use crate::export::{ExportError, Inputs};
use crate::format;
use crate::model::Sources;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The profile; - for standard input.
    file: PathBuf,
    /// Take a part of it instead: a file that is attached, such as the profile of a second profiler, or one of the files
    /// and parts that a run of callgrind was added up from.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// The file to write; - for standard output, with --to.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The format [default: by the ending of the output].
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// Leave out calls that had not ended when the recording did, where costs are written (speedscope, folded, csv).
    #[arg(long)]
    finished: bool,
    /// Keep the texts of the source files in the session.
    #[arg(long)]
    sources: bool,
    /// With --sources: source files that the profile names below FROM are below TO on this computer. A folder alone says
    /// that the sources below it may be taken; without it only those below the profile's own folder are.
    #[arg(long, value_name = "FROM=TO", value_parser = super::render::parse_rule)]
    source: Vec<SourceRule>,
}

/// «id  what it keeps» per format, for help texts.
pub(super) fn format_list() -> String {
    let mut text = "Formats:\n".to_owned();
    for format in FORMATS {
        text += &format!("  {:<11} .{:<16} {}\n", format.id, format.extension, format.about);
    }
    text + "\nExample: inferscope export run.pyisession -o run.speedscope.json"
}

/// Lists what was taken for a session, and what was not.
pub(super) fn list(found: FoundTexts, output: &Path) -> Sources {
    let texts = format::counted(found.sources.len() as i64, "source file", "source files");
    say(format_args!("{}: holds the texts of {texts}", output.display()));
    found.taken.iter().for_each(|path| say(format_args!("  {}", path.display())));
    for (path, why) in &found.refused {
        say(format_args!("  not {}: it {why}", path.display()));
    }
    found.sources
}

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let known = || FORMATS.iter().map(|f| f.id).collect::<Vec<_>>().join(", ");
    let format: &Format = match &args.to {
        Some(id) => exchange::format(id)
            .ok_or_else(|| Failure::new(format!("there is no format «{id}»; known: {}", known())))?,
        None => {
            let name = args.output.to_string_lossy().to_lowercase();
            let longest = FORMATS.iter().filter(|f| name.ends_with(&format!(".{}", f.extension)));
            longest.max_by_key(|f| f.extension.len()).ok_or_else(|| {
                let name = args.output.display();
                Failure::new(format!("{name}: its ending names no format; say one with --to ({})", known()))
            })?
        }
    };
    if args.sources && format.id != "native" {
        return Err(Failure::new(
            "only inferscope sessions hold source texts: leave out --sources, or use --to native",
        ));
    }
    let failed = |e: ExportError| Failure::new(format!("{}: {e}", args.output.display()));
    Inputs::files([on_disk(&args.file)]).refuse(&args.output).map_err(failed)?;
    let profile = Arc::new(open_part(&args.file, args.part.as_deref())?);
    let sources = args.sources.then(|| source_texts(&profile, args.file.parent(), &args.source, false));
    let sources = sources.map(|found| list(found, &args.output));
    let transforms = if args.finished { vec![Transform::FinishedOnly] } else { Vec::new() };
    let scope = Scope { transforms, ..Scope::default() };
    let inputs = Inputs::of(&profile, Some(&on_disk(&args.file)));
    let asked = Asked { sources, scope, inputs, ..Asked::all(profile) };
    let said = if args.output == Path::new("-") {
        out::export(|out| exchange::write(format, &asked, out))?
    } else {
        exchange::write_file(format, &asked, &args.output).map_err(failed)?
    };
    for part in said {
        say(format_args!("{}: {part}", args.output.display()));
    }
    Ok(())
}
