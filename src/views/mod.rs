//! The panes. One line in [`VIEWS`] per view feeds menus, layouts, the command palette, headless
//! pictures and tests.
//!
//! A view is layout (pure: answers and viewport → quads, rows, labels) → paint → input (hits from
//! layout's own table). It reads the shared [`Interaction`] and changes it only by sending
//! [`Command`]s; aggregates come only from queries ([`ViewCx::ask`]), never from work on this thread.

#[cfg(test)]
mod access;
#[cfg(test)]
mod asking;
mod bands;
pub mod boxes;
mod caches;
pub mod call_tree;
pub mod callers;
#[cfg(test)]
mod compared;
mod compute;
mod cost;

mod details;
mod find;
#[cfg(test)]
pub mod fixture;
pub mod flame;
#[cfg(feature = "fleet")]
pub mod fleet;
mod flow;
pub mod functions;
mod gpu;
pub mod graph;
mod heap;
pub mod host;
mod latency;
mod memory;
mod moment;
mod parts;
mod percentiles;
mod reply;
mod requests;
pub mod shared;
pub mod source;
mod stages;
mod summary;
#[cfg(test)]
pub mod testing;
mod time;
mod timeline;
mod tokens;
mod trace;
pub mod treemap;

use std::sync::Arc;

use egui::{Rect, Response, Ui};

use self::host::Follow;
pub use self::reply::{Asking, Reply};
use self::shared::Note;
use self::time::Viewport;
use crate::analysis::Slice;
use crate::analysis::asked::Asked;
use crate::analysis::columns::Shown;
use crate::analysis::diff::metrics;
use crate::analysis::formula::Measure;
use crate::analysis::prices::Prices;
use crate::analysis::source_file::SourceRule;
use crate::format;
use crate::import::Input;
use crate::model::{MetricKey, Profile, SymbolKey, TrackId};
use crate::query::{Engine, Pair, Query, Run, Subject};
use crate::state::{Command, Interaction, Item};
use crate::ui::theme::Tone;

/// What only the application can do for a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Let the person choose the source file that the profile names so.
    LocateSource(String),
    /// Look for source files by these rules, in all runs.
    SetSources(Vec<SourceRule>),
    /// Save a picture of a pane.
    SavePicture(u64, Picture),
    /// Bring the view with this id to the front.
    Show(&'static str),
    /// Open a line of a source file in the person's editor.
    Edit {
        /// The file as the profile names it.
        file: String,
        /// The line, from 1.
        line: u32,
    },
    /// Take a function of the baseline and one of the new run for the same one, or do so no more.
    Pair {
        /// As the baseline calls it.
        base: SymbolKey,
        /// As the new run calls it.
        head: SymbolKey,
        /// False to end it.
        same: bool,
    },
    /// Show the window of prices.
    Prices,
    /// Open a sample that has something for the view with this id.
    Sample(&'static str),
    /// Open one of the parts that the profile was added up from alone.
    OpenPart(String),
}

/// What menus say above the forms of a picture.
pub const PICTURES: &str = "Save picture as";

/// A form of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Shapes and texts, which scale and can be searched.
    Svg,
    /// Pixels.
    Png,
}

impl Picture {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Svg, Self::Png];

    /// What an entry below [`PICTURES`] says.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Svg => "SVG…",
            Self::Png => "PNG…",
        }
    }

    /// The form that the ending of a file name asks for.
    #[must_use]
    pub fn of(path: &std::path::Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|p| p.extension() == ending)
    }

    /// Ending of its file names.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

/// What views ask for in one frame.
#[derive(Debug, Default)]
pub struct Out {
    /// Changes, in order.
    pub commands: Vec<Command>,
    /// What the pointer is on; lights up in all views in the next frame.
    pub hover: Option<Item>,
    /// Time under the pointer, ns; drawn as a cursor line in all time views in the next frame.
    pub cursor: Option<i64>,
    /// A time range that is being dragged and not yet committed.
    pub preview: Option<(i64, i64)>,
    /// What only the application can do.
    pub wishes: Vec<Wish>,
    /// What a reader must know about the numbers.
    pub notes: Vec<Note>,
    /// What became of its questions.
    pub asking: Asking,
}

/// One of several baselines.
#[derive(Clone, Debug)]
pub struct OneOfBaselines {
    /// The run.
    pub run: Run,
    /// What the person calls it.
    pub name: String,
    /// Its colour, a place for [`crate::ui::theme::Palette::series`].
    pub color: u8,
}

/// Another open run.
#[derive(Clone, Debug)]
pub struct OtherRun {
    /// The run.
    pub run: Run,
    /// What the person calls it.
    pub name: String,
}

/// What a view works with during one frame.
pub struct ViewCx<'a> {
    /// Answers queries.
    pub engine: &'a Engine,
    /// What is shown: a run, or two compared.
    pub subject: &'a Subject,
    /// The file that the shown run was read from, for details that stay there.
    pub input: Option<&'a Input>,
    /// The same of the baseline, where two are compared.
    pub base_input: Option<&'a Input>,
    /// What the person calls baseline and shown run.
    pub names: [&'a str; 2],
    /// All baselines that are not hidden, where there are several.
    pub baselines: &'a [OneOfBaselines],
    /// The latest of the other open runs.
    pub others: &'a [OtherRun],
    /// The shared view state.
    pub interaction: &'a Interaction,
    /// Metrics that the person defined and the shown profile can have.
    pub defined: &'a [MetricKey],
    /// Where source files are that profiles name otherwise.
    pub sources: &'a [SourceRule],
    /// By which requests are priced.
    pub prices: &'a Prices,
    /// What the pointer was on in the last frame, in any view.
    pub hover: Option<&'a Item>,
    /// Time under the pointer in the last frame, in any view.
    pub cursor: Option<i64>,
    /// The range being dragged in the last frame, in any view.
    pub preview: Option<(i64, i64)>,
    /// True while the run is being recorded: time views follow the end.
    pub live: bool,
    /// Number of the pane, unique among open panes.
    pub pane: u64,
    /// True for a view that goes with one above it, whose controls are for both.
    pub follower: bool,
    /// True for the baseline of two runs of which each has a view in this pane: its questions have places of their own.
    pub of_base: bool,
    /// What the axis of a chart spans at least, in its units: as much as that of the chart beside it.
    pub extent: f64,
    /// The other run, where each of two has a view in this pane.
    pub beside: Option<&'a Run>,
    /// Empty time before the start of the run, ns, so that a moment of it stands below that of the run beside it.
    pub lead: i64,
    /// The selection that the pane has seen; its host's.
    pub(crate) follow: Follow,
    /// What this view asks for.
    pub out: &'a mut Out,
}

impl<'a> ViewCx<'a> {
    /// A context without a pointer, for pane 1; fields that matter are set over it.
    #[must_use]
    pub fn new(
        engine: &'a Engine,
        subject: &'a Subject,
        interaction: &'a Interaction,
        out: &'a mut Out,
    ) -> Self {
        Self {
            engine,
            subject,
            input: None,
            base_input: None,
            names: ["baseline", "new run"],
            baselines: &[],
            others: &[],
            interaction,
            defined: &[],
            sources: &[],
            prices: Prices::carried_alone(),
            hover: None,
            cursor: None,
            preview: None,
            live: false,
            pane: 1,
            of_base: false,
            follower: false,
            extent: 0.0,
            beside: None,
            lead: 0,
            follow: Follow::default(),
            out,
        }
    }

    /// The same place and state for one of two compared runs, as if it were shown alone. `subject` is that run.
    pub fn side<'b>(&'b mut self, subject: &'b Subject, base: bool) -> ViewCx<'b> {
        ViewCx {
            engine: self.engine,
            subject,
            input: if base { self.base_input } else { self.input },
            base_input: None,
            names: self.names,
            baselines: self.baselines,
            others: self.others,
            interaction: self.interaction,
            defined: self.defined,
            sources: self.sources,
            prices: self.prices,
            hover: self.hover,
            cursor: self.cursor,
            preview: self.preview,
            live: self.live && !base,
            pane: self.pane,
            of_base: base,
            follower: self.follower,
            extent: self.extent,
            beside: self.subject.pair().map(|pair| pair.run(!base)),
            lead: self.lead,
            follow: Follow::default(),
            out: self.out,
        }
    }
}

/// Questions about the baseline have places of their own.
const OF_BASE: u64 = 1 << 40;

impl ViewCx<'_> {
    /// The run that is shown: of two compared ones the later.
    #[must_use]
    pub fn run(&self) -> &Run {
        self.subject.head()
    }

    /// The profile of the shown run.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        self.subject.profile()
    }

    /// The metric that is shown.
    #[must_use]
    pub fn metric(&self) -> MetricKey {
        metrics::shown_of(self.subject, self.interaction.metric)
    }

    /// All metrics that can be shown.
    pub fn metrics(&self) -> impl Iterator<Item = MetricKey> + '_ {
        let profile = self.profile();
        profile.metric_ids().map(|id| profile.metric_key(id)).chain(self.defined.iter().copied())
    }

    /// What costs in it are; `None` for a profile without metrics.
    #[must_use]
    pub fn measure(&self) -> Option<Measure> {
        Measure::of(self.metric(), self.profile())
    }

    /// The same with what it is called and what shares are a share of, for columns.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown::of(self.interaction.metric, self.interaction.relative, self.profile())
    }

    /// The part that is looked at, in the metric that is shown: what most questions about costs begin with.
    #[must_use]
    pub fn slice(&self) -> Slice {
        let now = self.interaction;
        Slice { scope: now.scope.clone(), metric: self.metric(), range: now.range }
    }

    /// The requests that are looked at, and by which prices: what all questions about requests begin with.
    #[must_use]
    pub fn asked(&self) -> Asked {
        let now = self.interaction;
        Asked {
            range: now.range,
            search: now.search.clone(),
            filter: now.requests.clone(),
            prices: self.prices.clone(),
        }
    }

    /// Asks a query on behalf of this pane. `place` tells apart several questions of the same type in
    /// one pane.
    pub fn ask<Q: Query>(&self, query: &Q, place: u64) -> Reply<'_, Q::Output> {
        let answer = self.engine.ask(self.run(), query, self.slot(place));
        Reply::new(Some(answer), &self.out.asking)
    }

    /// Asks a question about the baseline; where none is compared there is no answer.
    pub fn ask_base<Q: Query>(&self, query: &Q, place: u64) -> Reply<'_, Q::Output> {
        let base = self.subject.pair().map(|pair| &pair.base);
        let answer = base.map(|base| self.engine.ask(base, query, self.slot(place) | OF_BASE));
        Reply::new(answer, &self.out.asking)
    }

    /// Asks a question about the run beside the one that this view shows.
    pub fn ask_beside<Q: Query>(&self, query: &Q, place: u64) -> Reply<'_, Q::Output> {
        let answer = self.beside.map(|run| self.engine.ask(run, query, self.slot(place)));
        Reply::new(answer, &self.out.asking)
    }

    /// Asks a question about both runs; where none are compared there is no answer. An answer about one of them is part of
    /// that question's, so what both forms of a view ask is computed once.
    pub fn ask_pair<Q: Query<Pair>>(&self, query: &Q, place: u64) -> Reply<'_, Q::Output> {
        let answer = self.subject.pair().map(|pair| self.engine.ask(pair, query, self.slot(place)));
        Reply::new(answer, &self.out.asking)
    }

    /// Asks a question about two runs that are not those that are compared.
    pub fn ask_of<Q: Query<Pair>>(&self, pair: &Pair, query: &Q, place: u64) -> Reply<'_, Q::Output> {
        Reply::new(Some(self.engine.ask(pair, query, self.slot(place))), &self.out.asking)
    }

    /// Asks the same of base and head, for content that is made of both.
    pub fn both<Q: Query>(
        &self,
        ui: &mut Ui,
        query: &Q,
        place: u64,
        doing: &str,
    ) -> Option<[Arc<Q::Output>; 2]> {
        let base = self.ask_base(query, place).content(ui, &format!("{doing} of base"));
        let head = self.ask(query, place).content(ui, &format!("{doing} of head"));
        Some([base?, head?])
    }

    /// The same for what stands beside the content.
    pub fn both_beside<Q: Query>(&self, query: &Q, place: u64) -> [Option<Arc<Q::Output>>; 2] {
        [self.ask_base(query, place).beside(), self.ask(query, place).beside()]
    }

    fn slot(&self, place: u64) -> u64 {
        self.pane << 8 | place | if self.of_base { OF_BASE } else { 0 }
    }

    /// Sends a command.
    pub fn send(&mut self, command: Command) {
        self.out.commands.push(command);
    }

    /// True once for each selection that was made elsewhere.
    pub fn selected_elsewhere(&mut self) -> bool {
        self.follow.see(&self.interaction.selection)
    }

    /// The function that was selected elsewhere, once for each selection.
    pub fn symbol_elsewhere(&mut self) -> Option<SymbolKey> {
        if self.selected_elsewhere() { self.interaction.selection.as_ref()?.symbol() } else { None }
    }

    /// Lets the next look at the selection find it new.
    pub fn look_again(&mut self) {
        self.follow = Follow::default();
    }

    /// Selects something, or nothing, for all views: for this one nothing new.
    pub fn select(&mut self, item: Option<Item>) {
        self.follow.see(&item);
        self.send(Command::Select(item));
    }

    /// Notes something that a reader must know about the numbers, in one or two words and whole.
    pub fn note(&mut self, tone: Tone, short: &'static str, text: String) {
        let note = Note { tone, short, text };
        if !self.out.notes.contains(&note) {
            self.out.notes.push(note);
        }
    }

    /// Hover and click of a widget that stands for `item`: lights up everywhere, a click selects.
    pub fn interact(&mut self, response: &Response, item: &Item) {
        if response.hovered() {
            self.out.hover = Some(item.clone());
        }
        if response.clicked() {
            self.send(Command::Select(Some(item.clone())));
        }
    }

    /// True when `item` is selected, or is where the selected function runs.
    #[must_use]
    pub fn is_selected(&self, item: &Item) -> bool {
        self.interaction.selection.as_ref().is_some_and(|s| crate::state::related(s, item, self.profile()))
    }

    /// True when the pointer is on `item` or a relative of it, in any view.
    #[must_use]
    pub fn is_hovered(&self, item: &Item) -> bool {
        self.hover.is_some_and(|h| crate::state::related(h, item, self.profile()))
    }
}

/// A pane's content.
pub trait View {
    /// Draws the view and reads its input.
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui);

    /// Options that belong to the saved workspace (sort order, mode).
    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Restores what [`View::save`] gave; unknown content is ignored.
    fn load(&mut self, _saved: &serde_json::Value) {}

    /// What part of the run's time is seen, where that alone says what a chart shows.
    fn viewport(&self) -> Option<&Viewport> {
        None
    }

    /// The same, to be changed.
    fn viewport_mut(&mut self) -> Option<&mut Viewport> {
        None
    }

    /// The part of its axis that a chart shows, for a chart of another run beside it.
    fn seen(&self) -> Option<Seen> {
        self.viewport().map(Viewport::seen)
    }

    /// Shows the same part as a chart beside it.
    fn see(&mut self, seen: Seen) {
        if let Some(viewport) = self.viewport_mut() {
            viewport.see(seen);
        }
    }

    /// The time that a chart over the time of the run shows, for other panes of that run.
    fn window(&self) -> Option<TimeWindow> {
        self.viewport().map(Viewport::window)
    }

    /// Shows the same time as another pane.
    fn show_window(&mut self, window: TimeWindow) {
        if let Some(viewport) = self.viewport_mut() {
            viewport.show_window(window);
        }
    }

    /// Where a span was drawn in the last frame, to join it with the same call of another run; `None` where it is not seen.
    fn place_of(&self, _profile: &Profile, _track: TrackId, _row: u32) -> Option<Rect> {
        None
    }

    /// False for a span that is joined with its partner only where that matters, or when it is selected.
    fn matters(&self, _track: TrackId, _row: u32) -> bool {
        true
    }
}

/// The part of an axis that is seen.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Seen {
    /// Left end, in units since the start of the axis.
    pub from: f64,
    /// Right end.
    pub to: f64,
    /// What the axis spans by itself.
    pub extent: f64,
}

/// The time that is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TimeWindow {
    /// All of it, however long it grows.
    All,
    /// From one time to another, ns.
    Part(f64, f64),
}

impl TimeWindow {
    /// True for windows between which nobody sees a difference.
    #[must_use]
    pub fn is_near(self, other: Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::Part(a, b), Self::Part(c, d)) => {
                let near = (b - a).abs().max(1.0) * 1e-6;
                (a - c).abs() <= near && (b - d).abs() <= near
            }
            _ => false,
        }
    }
}

/// How a kind of view shows two runs.
#[derive(Clone, Copy)]
pub enum Comparing {
    /// By a view of its own, made of questions about both.
    Own(fn() -> Box<dyn View>),
    /// Twice, the baseline above the new run, on one scale.
    Stacked,
    /// Twice, the baseline left of the new run.
    Beside,
}

/// A kind of view.
pub struct ViewKind {
    /// Short stable name, for layouts and the command line («flame»).
    pub id: &'static str,
    /// Title of its tab.
    pub title: &'static str,
    /// One sentence for menus.
    pub about: &'static str,
    /// Whether a profile has what the view shows; otherwise what is missing and what would fill it.
    pub needs: fn(&Profile) -> Result<(), &'static str>,
    /// Makes one.
    pub make: fn() -> Box<dyn View>,
    /// How it shows two runs.
    pub comparing: Comparing,
}

impl ViewKind {
    /// One for a run, or for two that are compared.
    #[must_use]
    pub fn make_for(&self, subject: &Subject) -> Box<dyn View> {
        match (subject, self.comparing) {
            (Subject::One(_), _) => (self.make)(),
            (Subject::Pair(_), Comparing::Own(make)) => make(),
            (Subject::Pair(_), Comparing::Stacked) => Box::new(bands::Bands::new(self, true)),
            (Subject::Pair(_), Comparing::Beside) => Box::new(bands::Bands::new(self, false)),
        }
    }

    /// Whether what is shown has what the view needs: of two runs one is enough.
    ///
    /// # Errors
    /// What is missing, and what would fill it.
    pub fn can_show(&self, subject: &Subject) -> Result<(), &'static str> {
        let base = subject.pair().map_or(Err(""), |pair| (self.needs)(&pair.base.profile));
        base.or_else(|_| (self.needs)(subject.profile()))
    }
}

/// What a pane says instead of a view of that title: there is nothing that it shows.
#[must_use]
pub fn lacks(title: &str) -> String {
    format!("No {} in this file", format::within_a_line(title))
}

/// Every view, in menu order.
pub static VIEWS: &[ViewKind] = &[
    summary::KIND,
    functions::KIND,
    call_tree::KIND,
    callers::KIND,
    graph::KIND,
    stages::KIND,
    flame::KIND,
    timeline::KIND,
    treemap::KIND,
    memory::KIND,
    gpu::KIND,
    compute::KIND,
    requests::KIND,
    trace::KIND,
    flow::KIND,
    latency::KIND,
    tokens::KIND,
    cost::KIND,
    caches::KIND,
    source::KIND,
    find::KIND,
    details::KIND,
];

/// What views of requests need.
///
/// # Errors
/// What is missing, and what would fill it.
fn needs_requests(profile: &Profile) -> Result<(), &'static str> {
    if profile.requests.rows.is_empty() {
        return Err(
            "This file has no calls of a language model; open an OpenTelemetry or vLLM trace, or record a generation.",
        );
    }
    Ok(())
}

/// The kind with id `id`.
#[must_use]
pub fn view(id: &str) -> Option<&'static ViewKind> {
    VIEWS.iter().find(|v| v.id == id)
}
