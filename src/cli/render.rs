//! `inferscope render`: a picture of the workspace, drawn on the CPU without a display.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::align::AlignArg;
use super::out::say;
use super::{Failure, RelativeArg, metric_of, named, named_input, on_disk, open_part, price_table};
use crate::analysis::align::AlignAt;
use crate::analysis::formula::Measure;
use crate::analysis::named::{Named, place_of};
use crate::analysis::source_file::SourceRule;
use crate::app::App;
use crate::export::Inputs;
use crate::format;
use crate::jobs::Job;
use crate::model::{FunctionId, MetricKey, Profile, Unit};
use crate::query::{Engine, Run};
use crate::state::Command;
use crate::ui::software::{self, MAX_SIDE, RenderError};
use crate::views::{self, ViewKind};

/// Most pixels of a picture: each takes some bytes more than once.
const MOST_PIXELS: f64 = 100e6;
/// Passes that a picture takes at most: tables and panels need some to settle.
const PASSES: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ThemeArg {
    /// Light text on dark.
    Dark,
    /// Dark text on light.
    Light,
}

/// Arguments of `render`.
#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    /// The profile, - for standard input; or a dataset of many runs.
    file: PathBuf,
    /// Take a part of it instead: a file that is attached, such as the profile of a second profiler, or one of the files
    /// and parts that a run of callgrind was added up from.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// Compare the profile with this one, the run before: every view shows both.
    #[arg(long, value_name = "BASE")]
    compare: Option<PathBuf>,
    /// Lay both runs over each other on this moment: start, first-token, phase:NAME, event:NAME, fn:NAME, or a time such
    /// as 12ms or -3s that moves the new run.
    #[arg(long, value_name = "MOMENT", value_parser = AlignArg::parse, requires = "compare", allow_hyphen_values = true)]
    align: Option<AlignArg>,
    /// The picture to write: SVG when it ends with .svg, otherwise PNG.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Show only these views, side by side [default: the whole workspace]. Ids are in the list below.
    #[arg(long, value_name = "ID", num_args = 1.., value_delimiter = ',')]
    view: Vec<String>,
    /// Only the views, without the bars of the window.
    #[arg(long)]
    bare: bool,
    /// Size in points.
    #[arg(long, value_name = "WxH", default_value = "1600x1000", value_parser = parse_size)]
    size: (f32, f32),
    /// Pixels per point.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    scale: f32,
    /// Colours.
    #[arg(long, default_value = "dark")]
    theme: ThemeArg,
    /// Show costs in this metric: a key, or a formula such as 'Ir + 10*Bm' [default: the first one].
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// What percentages are a share of.
    #[arg(long, value_name = "WHOLE", default_value = "total")]
    relative: RelativeArg,
    /// Search for this in every view.
    #[arg(long, value_name = "TEXT", default_value = "")]
    search: String,
    /// Select a function: by its name (of several the one with the largest total), or by file:line.
    #[arg(long, value_name = "FUNCTION")]
    select: Option<String>,
    /// Look at the profile as a link says, which «Copy link to this view» in the window made.
    #[arg(long, value_name = "STATE")]
    at: Option<String>,
    /// Source files that the profile names below FROM are below TO on this computer.
    #[arg(long, value_name = "FROM=TO", value_parser = parse_rule)]
    source: Vec<SourceRule>,
    /// Price requests by this table first (JSON; see `inferscope report --help`).
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

pub(super) fn parse_rule(text: &str) -> Result<SourceRule, String> {
    if let Some((from, to)) = text.split_once('=') {
        return Ok(SourceRule { from: from.into(), to: to.into() });
    }
    let folder = Path::new(text);
    if !folder.is_dir() {
        return Err("say FROM=TO, such as /build/project=/home/me/project, or a folder".into());
    }
    let whole = std::path::absolute(folder).map_err(|e| e.to_string())?;
    Ok(SourceRule { from: whole.to_string_lossy().into_owned(), to: whole })
}

fn parse_size(text: &str) -> Result<(f32, f32), String> {
    let sides = text.split_once(['x', 'X', '×']).map(|(w, h)| [w, h].map(|side| side.trim().parse::<f64>()));
    let Some([Ok(w), Ok(h)]) = sides else {
        return Err("a size is WIDTHxHEIGHT in points, such as 1600x1000".into());
    };
    for (side, name) in [(w, "width"), (h, "height")] {
        if !(1.0..=MAX_SIDE as f64).contains(&side) {
            return Err(format!("the {name} is {side}; it must be 1 to {MAX_SIDE}"));
        }
    }
    Ok((w.round() as f32, h.round() as f32))
}

/// Refuses a picture that is too large or has no size, before anything is read.
fn check_size((width, height): (f32, f32), scale: f32) -> Result<(), Failure> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(Failure::new(format!(
            "--scale {scale}: pixels per point must be more than 0, such as 2"
        )));
    }
    let pixels = [width, height].map(|side| (f64::from(side) * f64::from(scale)).round());
    if pixels.iter().any(|side| !(1.0..=MAX_SIDE as f64).contains(side)) {
        let [w, h] = pixels;
        return Err(Failure::new(format!(
            "--size and --scale make a picture of {w} × {h} pixels; each side must have 1 to {MAX_SIDE}"
        )));
    }
    if pixels[0] * pixels[1] > MOST_PIXELS {
        let most = MOST_PIXELS / 1e6;
        return Err(Failure::new(format!("--size and --scale make more than {most} million pixels")));
    }
    Ok(())
}

/// «id  what it shows» per view, for help texts.
pub(super) fn view_list() -> String {
    let mut text = "Views:\n".to_owned();
    for view in views::VIEWS {
        text += &format!("  {:<10} {}\n", view.id, view.about);
    }
    text + "\nExample: inferscope render run.prof -o run.png --view flame --size 1600x600 --theme light"
}

pub(super) fn run(args: &RenderArgs) -> Result<(), Failure> {
    let kinds: Vec<&ViewKind> = args
        .view
        .iter()
        .map(|id| {
            views::view(id).ok_or_else(|| {
                let known: Vec<_> = views::VIEWS.iter().map(|v| v.id).collect();
                Failure::new(format!("there is no view «{id}»; known: {}", known.join(", ")))
            })
        })
        .collect::<Result<_, _>>()?;
    check_size(args.size, args.scale)?;
    let label = named_input(&args.file)?.file_name();
    let input = if args.file == Path::new("-") { None } else { Some(named_input(&args.file)?) };
    named(&args.output)?;
    let refuse = |inputs: &Inputs| {
        inputs.refuse(&args.output).map_err(|e| Failure::new(format!("{}: {e}", args.output.display())))
    };
    refuse(&Inputs::files([on_disk(&args.file)]))?;
    if crate::import::is_dataset(&args.file) {
        return dataset(args);
    }
    let profile = open_part(&args.file, args.part.as_deref())?;
    refuse(&Inputs::of(&profile, Some(&on_disk(&args.file))))?;
    let metric = metric_of(&profile, args.metric.as_deref(), &args.file)?;
    let profile = Arc::new(profile);
    let mut app = App::headless();
    let mut base: Option<Arc<Profile>> = None;
    if let Some(path) = &args.compare {
        let input = named_input(path)?;
        let opened = open_part(path, None)?;
        metric_of(&opened, args.metric.as_deref(), path)?;
        let opened = Arc::new(opened);
        let run = app.add_profile(&input.file_name(), Some(input), opened.clone());
        app.compare_with(run);
        base = Some(opened);
    }
    app.add_profile(&label, input, profile.clone());
    if !kinds.is_empty() {
        app.show_only(&kinds);
    }
    if let (Some(align), Some(base)) = (&args.align, &base) {
        app.command(Command::SetAlign(align.of(base, &profile)?));
    }
    app.command(Command::SetMetric(metric));
    app.command(Command::SetRelative(args.relative.into()));
    app.set_sources(args.source.clone());
    if let Some((path, table)) = price_table(args.prices.as_deref())? {
        app.give_price_table(path, table);
    }
    if !args.search.is_empty() {
        app.command(Command::Search(args.search.clone()));
    }
    if let Some(name) = &args.select {
        // What only the baseline has can be selected too.
        let sides = std::iter::once(&profile).chain(&base);
        let found = sides.filter_map(|side| Some((function_of(side, name, metric)?, side))).next();
        let (function, side) = found
            .ok_or_else(|| Failure::new(format!("{}: has no function «{name}»", args.file.display())))?;
        app.command(Command::Select(Some(crate::state::Item::of_function(function, side))));
    }
    if let Some(text) = &args.at {
        app.look_at(&super::link(text)?);
    }
    let form = Form { size: args.size, scale: args.scale, theme: args.theme, bare: args.bare };
    draw(&mut app, &form, &args.output)
}

/// Draws a dataset of many runs.
fn dataset(args: &RenderArgs) -> Result<(), Failure> {
    let of_profiles = [
        ("--view", !args.view.is_empty()),
        ("--compare", args.compare.is_some()),
        ("--part", args.part.is_some()),
        ("--metric", args.metric.is_some()),
        ("--select", args.select.is_some()),
        ("--search", !args.search.is_empty()),
        ("--at", args.at.is_some()),
    ];
    if let Some((name, _)) = of_profiles.iter().find(|(_, given)| *given) {
        let what = "is a dataset of many runs, which has one picture";
        return Err(Failure::new(format!("{}: {what}: {name} is for profiles", args.file.display())));
    }
    if cfg!(not(feature = "fleet")) {
        let why = "is a dataset of many runs: this build reads none, one with the feature «fleet» does";
        return Err(Failure::new(format!("{}: {why}", args.file.display())));
    }
    let mut app = App::headless();
    app.open_dataset(&args.file);
    let form = Form { size: args.size, scale: args.scale, theme: args.theme, bare: args.bare };
    draw(&mut app, &form, &args.output)
}

/// The function that `--select` names. Where there are several, says which one was taken.
fn function_of(profile: &Arc<Profile>, text: &str, metric: MetricKey) -> Option<FunctionId> {
    let run = Run::of(profile.clone());
    let query = Named { text: text.to_owned(), metric };
    let found = Engine::inline().now(&run, &query, &Job::new()).ok()?;
    let first = found.first()?;
    if found.len() > 1 {
        let unit = Measure::of(metric, profile).map_or(Unit::None, |m| m.unit);
        let shown = |&(f, total): &(FunctionId, i64)| {
            let place = place_of(profile, f);
            format!("{} ({})", if place.is_empty() { text } else { &place }, format::cost(unit, total))
        };
        let others: Vec<_> = found.iter().skip(1).take(5).map(shown).collect();
        let n = found.len();
        say(format_args!("«{text}» names {n} functions: took {}, not {}", shown(first), others.join(", ")));
    }
    Some(first.0)
}

/// Draws the whole workspace of a profile into a file.
pub(super) fn workspace(label: &str, profile: Arc<Profile>, path: &Path) -> Result<(), Failure> {
    let mut app = App::headless();
    app.add_profile(label, None, profile);
    let size = Form { size: (1600.0, 1000.0), scale: 1.0, theme: ThemeArg::Dark, bare: false };
    draw(&mut app, &size, path)
}

/// One view of two runs as an SVG picture; `size` in points.
pub(super) fn compared(
    base: (&str, Arc<Profile>),
    head: (&str, Arc<Profile>),
    (metric, align): (MetricKey, &AlignAt),
    (kind, size): (&ViewKind, egui::Vec2),
) -> Result<String, RenderError> {
    let mut app = App::headless();
    let run = app.add_profile(base.0, None, base.1);
    app.compare_with(run);
    app.add_profile(head.0, None, head.1);
    app.show_only(&[kind]);
    app.command(Command::SetMetric(metric));
    app.command(Command::SetAlign(align.clone()));
    let ui = |ui: &mut egui::Ui| {
        app.logic(&ui.ctx().clone());
        app.ui_of_panes(ui);
    };
    software::render_to_svg(size, 1.0, egui::Theme::Light, PASSES, ui)
}

/// What a picture is like.
struct Form {
    size: (f32, f32),
    scale: f32,
    theme: ThemeArg,
    bare: bool,
}

fn draw(app: &mut App, form: &Form, path: &Path) -> Result<(), Failure> {
    let theme = match form.theme {
        ThemeArg::Dark => egui::Theme::Dark,
        ThemeArg::Light => egui::Theme::Light,
    };
    let (size, scale) = (egui::vec2(form.size.0, form.size.1), form.scale);
    let ui = |ui: &mut egui::Ui| {
        app.logic(&ui.ctx().clone());
        if form.bare { app.ui_of_panes(ui) } else { app.ui(ui) }
    };
    let bytes = if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg")) {
        software::render_to_svg(size, scale, theme, PASSES, ui).map(String::into_bytes)
    } else {
        software::render_to_image(size, scale, theme, PASSES, ui)
            .and_then(|image| software::encode_png(&image))
    };
    let bytes = bytes.map_err(|e: RenderError| Failure::new(format!("{}: {e}", path.display())))?;
    crate::export::write_bytes(&bytes, path)
        .map_err(|e| Failure::new(format!("{}: cannot be written ({e})", path.display())))
}
