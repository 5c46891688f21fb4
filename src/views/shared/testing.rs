//! A view on a profile without the application around it: for flows through egui_kittest.

use std::sync::Arc;

use egui::Ui;
use egui_kittest::Harness;

use crate::analysis::prices::Prices;
use crate::analysis::source_file::SourceRule;
use crate::model::Profile;
use crate::query::{Engine, Mode, Pair, Run, RunId, Subject};
use crate::state::{Command, History, Item};
use crate::ui::software::{Headless, Software, encode_png};
use crate::ui::theme::{self, Palette};
use crate::views::{Out, View, ViewCx, ViewKind, Wish};

/// A view, its profile and the shared state, which commands change as in the application.
pub struct Stage {
    /// The view.
    pub view: Box<dyn View>,
    /// Answers at once.
    pub engine: Engine,
    /// What is shown.
    pub subject: Subject,
    /// The shared state.
    pub history: History,
    /// Where source files are.
    pub sources: Vec<SourceRule>,
    /// By which requests are priced.
    pub prices: Prices,
    /// What the pointer was on in the last frame.
    pub hover: Option<Item>,
    /// All commands so far.
    pub sent: Vec<Command>,
    /// All wishes so far.
    pub wishes: Vec<Wish>,
}

impl Stage {
    /// A fresh view of a kind.
    pub fn new(kind: &ViewKind, profile: Arc<Profile>) -> Self {
        Self {
            view: (kind.make)(),
            engine: Engine::new(Mode::Inline, || ()),
            subject: Subject::One(Run::of(profile)),
            history: History::default(),
            sources: Vec::new(),
            prices: Prices::default(),
            hover: None,
            sent: Vec::new(),
            wishes: Vec::new(),
        }
    }

    /// A fresh view of a kind that compares two runs.
    pub fn pair(kind: &ViewKind, base: Arc<Profile>, head: Arc<Profile>) -> Self {
        let run = |profile: Arc<Profile>, id| Run { id: RunId(id), ..Run::of(profile) };
        let (base, head) = (run(base, 1), run(head, 2));
        let subject = Subject::Pair(Pair::of(base, head));
        Self { view: kind.make_for(&subject), subject, ..Self::new(kind, Arc::new(Profile::default())) }
    }

    /// Puts the next revision of the run in its place, as a recording that goes on does.
    pub fn grow(&mut self, profile: Arc<Profile>) {
        let run = self.subject.head();
        self.subject = Subject::One(Run { id: run.id, revision: run.revision.next(), profile });
    }

    /// One frame.
    pub fn ui(&mut self, ui: &mut Ui) {
        let mut out = Out::default();
        let interaction = self.history.now().clone();
        let mut cx = ViewCx {
            hover: self.hover.as_ref(),
            sources: &self.sources,
            prices: &self.prices,
            ..ViewCx::new(&self.engine, &self.subject, &interaction, &mut out)
        };
        let fill = Palette::of(ui).panel;
        egui::Frame::new().fill(fill).inner_margin(6).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            self.view.ui(&mut cx, ui);
        });
        super::badge(ui, &out.notes);
        self.hover = out.hover;
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
}

/// A harness of 900 × 420 points around a stage.
pub fn harness<'a>(stage: Stage) -> Harness<'a, Stage> {
    let mut installed = false;
    let mut harness = Harness::builder()
        .with_size([900.0, 420.0])
        .with_max_steps(20)
        .renderer(Software::default())
        .build_ui_state(
            move |ui, stage: &mut Stage| {
                if !installed {
                    installed = true;
                    theme::install(ui.ctx());
                    return; // fonts are there from the next pass on
                }
                stage.ui(ui);
            },
            stage,
        );
    harness.run();
    harness
}

/// Pictures to look at: `PROFILE=run.prof OUT=folder KINDS='graph stages' cargo test --lib view_pictures -- --ignored`.
#[test]
#[ignore = "writes pictures to look at"]
fn view_pictures() {
    let set = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("set {name}"));
    let input = crate::import::Input::Path(set("PROFILE").into());
    let profile = crate::import::open(&input, &crate::jobs::Job::new(), &mut |_| ()).unwrap();
    let profile = Arc::new(profile);
    let sizes: Vec<(f32, f32)> = std::env::var("SIZES").map_or_else(
        |_| vec![(1600.0, 1000.0), (1024.0, 640.0), (520.0, 300.0)],
        |text| {
            let side = |t: &str| t.parse().unwrap();
            text.split(' ').filter_map(|s| s.split_once('x')).map(|(w, h)| (side(w), side(h))).collect()
        },
    );
    let kinds = std::env::var("KINDS").unwrap_or_else(|_| "calltree functions callers".into());
    let scale = std::env::var("SCALE").map_or(1.0, |s| s.parse().unwrap());
    for kind in kinds.split(' ').map(|id| super::super::view(id).unwrap_or_else(|| panic!("no view {id}"))) {
        for theme in [egui::Theme::Dark, egui::Theme::Light] {
            for &(w, h) in &sizes {
                let mut stage = Stage::new(kind, profile.clone());
                if let Ok(search) = std::env::var("SEARCH") {
                    stage.history.apply(Command::Search(search));
                }
                if let Ok(saved) = std::env::var("SAVED") {
                    stage.view.load(&serde_json::from_str(&saved).unwrap());
                }
                let mut headless = Headless::new(egui::vec2(w, h), scale, theme).unwrap();
                for _ in 0..4 {
                    headless.pass(Vec::new(), |ui| stage.ui(ui));
                }
                let file = format!("{}/{}-{theme:?}-{w}.png", set("OUT"), kind.id);
                std::fs::write(file, encode_png(&headless.image().unwrap()).unwrap()).unwrap();
            }
        }
    }
}
