//! `inferscope render`: a picture of the workspace, drawn on the CPU without a display.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::{Failure, RelativeArg, metric_of, open_part};
use crate::analysis::source_file::SourceRule;
use crate::app::App;
use crate::import::Input;
use crate::model::Profile;
use crate::state::Command;
use crate::ui::software::{self, RenderError};
use crate::views::{self, ViewKind};

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
    /// The profile.
    file: PathBuf,
    /// Take a file that is attached to it instead, such as the profile of a second profiler.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// The picture to write: SVG when it ends with .svg, otherwise PNG.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Show only these views, side by side [default: the whole workspace]. Ids are in the list below.
    #[arg(long, value_name = "ID", num_args = 1.., value_delimiter = ',')]
    view: Vec<String>,
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
    /// Select the function with this name.
    #[arg(long, value_name = "FUNCTION")]
    select: Option<String>,
    /// Source files that the profile names below FROM are below TO on this computer.
    #[arg(long, value_name = "FROM=TO", value_parser = parse_rule)]
    source: Vec<SourceRule>,
}

pub(super) fn parse_rule(text: &str) -> Result<SourceRule, String> {
    let (from, to) = text.split_once('=').ok_or("say FROM=TO, such as /build/project=/home/me/project")?;
    Ok(SourceRule { from: from.into(), to: to.into() })
}

fn parse_size(text: &str) -> Result<(f32, f32), String> {
    let side = |t: &str| t.parse::<u32>().ok().filter(|n| (1..=16_384).contains(n)).map(|n| n as f32);
    text.split_once('x')
        .and_then(|(w, h)| Some((side(w)?, side(h)?)))
        .ok_or_else(|| "a size is WIDTHxHEIGHT in points, such as 1600x1000".into())
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
    let input = Input::Path(args.file.clone());
    let profile = open_part(&args.file, args.part.as_deref())?;
    let metric = metric_of(&profile, args.metric.as_deref(), &args.file)?;
    let profile = Arc::new(profile);
    let mut app = App::headless();
    app.add_profile(&input.file_name(), Some(input), profile.clone());
    if !kinds.is_empty() {
        app.show_only(&kinds);
    }
    app.command(Command::SetMetric(metric));
    app.command(Command::SetRelative(args.relative.into()));
    app.set_sources(args.source.clone());
    if !args.search.is_empty() {
        app.command(Command::Search(args.search.clone()));
    }
    if let Some(name) = &args.select {
        let function = profile.functions.ids().find(|&f| profile.function_name(f) == name);
        let function = function
            .ok_or_else(|| Failure::new(format!("{}: has no function «{name}»", args.file.display())))?;
        app.command(Command::Select(Some(crate::state::Item::of_function(function, &profile))));
    }
    draw(&mut app, args.size, args.scale, args.theme, &args.output)
}

/// Draws the whole workspace of a profile into a file.
pub(super) fn workspace(label: &str, profile: Arc<Profile>, path: &Path) -> Result<(), Failure> {
    let mut app = App::headless();
    app.add_profile(label, None, profile);
    draw(&mut app, (1600.0, 1000.0), 1.0, ThemeArg::Dark, path)
}

fn draw(app: &mut App, size: (f32, f32), scale: f32, theme: ThemeArg, path: &Path) -> Result<(), Failure> {
    let theme = match theme {
        ThemeArg::Dark => egui::Theme::Dark,
        ThemeArg::Light => egui::Theme::Light,
    };
    let size = egui::vec2(size.0, size.1);
    let ui = |ui: &mut egui::Ui| {
        let ctx = ui.ctx().clone();
        app.logic(&ctx);
        app.ui(ui);
    };
    let bytes = if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg")) {
        software::render_to_svg(size, scale, theme, PASSES, ui).map(String::into_bytes)
    } else {
        software::render_to_image(size, scale, theme, PASSES, ui)
            .and_then(|image| software::encode_png(&image))
    };
    let bytes = bytes.map_err(|e: RenderError| Failure::new(format!("{}: {e}", path.display())))?;
    std::fs::write(path, bytes)
        .map_err(|e| Failure::new(format!("{}: cannot be written ({e})", path.display())))
}
