//! A view on a profile without the application around it: for flows through egui_kittest, and for pictures.

use std::sync::Arc;

use egui::accesskit::Role;
use egui::{Theme, Ui, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::host::Host;
use super::{OtherRun, Out, View, ViewCx, ViewKind, Wish, shared, view};
use crate::analysis::prices::Prices;
use crate::analysis::source_file::SourceRule;
use crate::import::Input;
use crate::jobs::Cancelled;
use crate::model::Profile;
use crate::query::{Context, Engine, Mode, Pair, Query, Run, RunId, Subject};
use crate::state::{Command, History, Interaction, Item};
use crate::ui::software::{Headless, Software, encode_png, render_to_image};
use crate::ui::theme::{self, Palette};

/// A view, its profile and the shared state, which commands change as in the application.
pub struct Stage<V: View + ?Sized = dyn View> {
    /// Answers at once.
    pub engine: Engine,
    /// What is shown.
    pub subject: Subject,
    /// The shared state.
    pub history: History,
    /// The file behind the profile.
    pub input: Option<Input>,
    /// Where source files are.
    pub sources: Vec<SourceRule>,
    /// By which requests are priced.
    pub prices: Prices,
    /// Other open runs.
    pub others: Vec<OtherRun>,
    /// What the pointer was on in the last frame.
    pub hover: Option<Item>,
    /// Time under the pointer in the last frame.
    pub cursor: Option<i64>,
    /// Range being dragged in the last frame.
    pub preview: Option<(i64, i64)>,
    /// All commands so far.
    pub sent: Vec<Command>,
    /// All wishes so far.
    pub wishes: Vec<Wish>,
    /// What the pane does for the view.
    pub host: Host,
    /// What kind the view is of.
    pub kind: &'static ViewKind,
    /// The view.
    pub view: Box<V>,
}

impl Stage {
    /// The view with id `id` on a profile.
    pub fn new(id: &str, profile: impl Into<Arc<Profile>>) -> Self {
        let kind = view(id).unwrap_or_else(|| panic!("no view {id}"));
        Self::of(kind, (kind.make)(), Subject::One(Run::of(profile.into())))
    }

    /// The view with id `id` on two runs.
    pub fn pair(id: &str, base: Arc<Profile>, head: Arc<Profile>) -> Self {
        let kind = view(id).unwrap_or_else(|| panic!("no view {id}"));
        let run = |profile: Arc<Profile>, id| Run { id: RunId(id), ..Run::of(profile) };
        let subject = Subject::Pair(Pair::of(run(base, 1), run(head, 2)));
        Self::of(kind, kind.make_for(&subject), subject)
    }

    /// Draws the view into a PNG below the folder in `INFERSCOPE_PICTURES`, if that is set, and checks that
    /// something was drawn.
    pub fn picture(&mut self, name: &str, size: Vec2, theme: Theme) {
        // Textures belong to the context of one picture.
        let saved = self.view.save();
        self.view = self.kind.make_for(&self.subject);
        self.view.load(&saved);
        let image = render_to_image(size, 1.0, theme, 4, |ui| {
            egui::CentralPanel::no_frame().show(ui, |ui| self.pane(ui));
        });
        let image = image.expect("a picture");
        let first = *image.get_pixel(0, 0);
        let drawn = image.pixels().filter(|p| **p != first).count();
        assert!(drawn > 2000, "{name}: almost nothing is drawn ({drawn} pixels)");
        if let Some(folder) = std::env::var_os("INFERSCOPE_PICTURES") {
            let theme = if theme == Theme::Dark { "dark" } else { "light" };
            let file = format!("{name}-{}x{}-{theme}.png", size.x, size.y);
            image.save(std::path::Path::new(&folder).join(file)).expect("the folder is writable");
        }
    }

    /// Pictures in both themes and two sizes; one small one where nobody looks at them.
    pub fn pictures(&mut self, name: &str) {
        if std::env::var_os("INFERSCOPE_PICTURES").is_none() {
            return self.picture(name, vec2(640.0, 400.0), Theme::Dark);
        }
        for theme in [Theme::Dark, Theme::Light] {
            for size in [vec2(1600.0, 1000.0), vec2(1024.0, 640.0)] {
                self.picture(name, size, theme);
            }
        }
    }
}

impl<V: View + ?Sized> Stage<V> {
    /// A view of a kind, which shows `subject`.
    pub fn of(kind: &'static ViewKind, view: Box<V>, subject: Subject) -> Self {
        Self {
            engine: Engine::inline(),
            subject,
            history: History::default(),
            input: None,
            sources: Vec::new(),
            prices: Prices::default(),
            others: Vec::new(),
            hover: None,
            cursor: None,
            preview: None,
            sent: Vec::new(),
            wishes: Vec::new(),
            host: Host::default(),
            kind,
            view,
        }
    }

    /// The shared state.
    pub fn now(&self) -> &Interaction {
        self.history.now()
    }

    /// Applies a command from outside.
    pub fn send(&mut self, command: Command) {
        self.history.apply(command);
    }

    /// Puts the next revision of the run in its place, as a recording that goes on does.
    pub fn grow(&mut self, profile: Arc<Profile>) {
        let run = self.subject.head();
        self.subject = Subject::One(Run { id: run.id, revision: run.revision.next(), profile });
    }

    /// Answers on threads from now on, as in the window.
    pub fn in_background(&mut self) {
        self.engine = Engine::new(Mode::Background, || ());
    }

    /// Nothing that is asked from now on is answered.
    pub fn block(&self) {
        for i in 0..self.engine.threads() as u64 {
            let _ = self.engine.ask(self.subject.head(), &Blocks(i), u64::MAX - i);
        }
    }

    /// One frame.
    pub fn ui(&mut self, ui: &mut Ui) {
        let mut out = Out::default();
        let interaction = self.history.now().clone();
        let mut cx = ViewCx {
            input: self.input.as_ref(),
            sources: &self.sources,
            prices: &self.prices,
            others: &self.others,
            hover: self.hover.as_ref(),
            cursor: self.cursor,
            preview: self.preview,
            ..ViewCx::new(&self.engine, &self.subject, &interaction, &mut out)
        };
        self.host.show(&mut *self.view, &mut cx, ui);
        shared::badge(ui, &self.host.notes);
        (self.hover, self.cursor, self.preview) = (out.hover, out.cursor, out.preview);
        for wish in out.wishes {
            if let Wish::SetSources(rules) = &wish {
                self.sources.clone_from(rules);
            }
            self.wishes.push(wish);
        }
        for command in out.commands {
            self.sent.push(command.clone());
            self.history.apply(command);
        }
    }

    /// One frame of a pane of the window.
    pub fn pane(&mut self, ui: &mut Ui) {
        let fill = Palette::of(ui).panel;
        egui::Frame::new().fill(fill).inner_margin(6).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            self.ui(ui);
        });
    }
}

/// Keeps a thread of the engine busy until the engine is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Blocks(u64);

impl Query for Blocks {
    type Output = ();
    fn run(&self, cx: &Context<'_>) -> Result<(), Cancelled> {
        loop {
            cx.job().checkpoint(0, 0)?;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

/// A harness of 900 × 420 points around a pane.
pub fn harness<'a>(stage: Stage) -> Harness<'a, Stage> {
    let mut h = built(stage, [900.0, 420.0].into(), Stage::pane);
    h.run();
    h
}

/// A harness around a view alone, before its first frame.
pub fn sized<'a, V: View + ?Sized + 'a>(stage: Stage<V>, size: Vec2) -> Harness<'a, Stage<V>> {
    built(stage, size, Stage::ui)
}

fn built<'a, V: View + ?Sized + 'a>(
    stage: Stage<V>,
    size: Vec2,
    draw: fn(&mut Stage<V>, &mut Ui),
) -> Harness<'a, Stage<V>> {
    let mut installed = false;
    let build = Harness::builder().with_size(size).with_max_steps(20).renderer(Software::default());
    build.build_ui_state(
        move |ui, stage: &mut Stage<V>| {
            if !std::mem::replace(&mut installed, true) {
                theme::install(ui.ctx());
                return; // fonts are there from the next pass on
            }
            draw(stage, ui);
        },
        stage,
    )
}

/// Pictures to look at: `PROFILE=run.prof OUT=folder KINDS='graph stages' cargo test --lib view_pictures -- --ignored`;
/// with `BASE=before.prof` those of both.
#[test]
#[ignore = "writes pictures to look at"]
fn view_pictures() {
    let set = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("set {name}"));
    let read = |file: String| {
        let input = Input::Path(file.into());
        Arc::new(crate::import::open(&input, &crate::jobs::Job::new(), &mut |_| ()).unwrap())
    };
    let profile = read(set("PROFILE"));
    // Another run that it is compared with.
    let base = std::env::var("BASE").ok().map(read);
    let sizes: Vec<(f32, f32)> = std::env::var("SIZES").map_or_else(
        |_| vec![(1600.0, 1000.0), (1024.0, 640.0), (520.0, 300.0)],
        |text| {
            let side = |t: &str| t.parse().unwrap();
            text.split(' ').filter_map(|s| s.split_once('x')).map(|(w, h)| (side(w), side(h))).collect()
        },
    );
    let kinds = std::env::var("KINDS").unwrap_or_else(|_| "calltree functions callers".into());
    let scale = std::env::var("SCALE").map_or(1.0, |s| s.parse().unwrap());
    for id in kinds.split(' ') {
        for theme in [Theme::Dark, Theme::Light] {
            for &(w, h) in &sizes {
                let mut stage = match &base {
                    Some(base) => Stage::pair(id, base.clone(), profile.clone()),
                    None => Stage::new(id, profile.clone()),
                };
                if let Ok(to) = std::env::var("NORMALISE") {
                    stage.send(Command::SetNormalise(serde_json::from_value(to.into()).unwrap()));
                }
                if let Ok(search) = std::env::var("SEARCH") {
                    stage.send(Command::Search(search));
                }
                if let Ok(saved) = std::env::var("SAVED") {
                    stage.view.load(&serde_json::from_str(&saved).unwrap());
                }
                let mut headless = Headless::new(vec2(w, h), scale, theme).unwrap();
                for _ in 0..4 {
                    headless.pass(Vec::new(), |ui| stage.pane(ui));
                }
                let file = format!("{}/{id}-{theme:?}-{w}.png", set("OUT"));
                std::fs::write(file, encode_png(&headless.image().unwrap()).unwrap()).unwrap();
            }
        }
    }
}

/// Labels of the rows, top to bottom.
pub fn rows(h: &Harness<'_, Stage>) -> Vec<String> {
    let nodes = h.query_all_by_role(Role::Row);
    let mut rows: Vec<_> =
        nodes.filter_map(|n| Some((n.rect().top(), n.accesskit_node().label()?))).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|r| r.1).collect()
}
