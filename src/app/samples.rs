//! Profiles that come with the program: cards with the question that each answers and a picture of the answer, which is
//! drawn of the profile itself, in the background, while somebody looks at the start page.

use std::sync::Arc;

use egui::{
    CentralPanel, ColorImage, Frame, Image, Margin, Response, Role, Sense, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Theme, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::App;
use super::event::{Event, Events};
use crate::import::{self, Input};
use crate::jobs::{self, Job};
use crate::model::MetricKey;
use crate::query::{Engine, Run, RunId, Subject};
use crate::state::{Command, Interaction};
use crate::ui::software::render_to_image;
use crate::ui::theme::{Palette, space, strong};
use crate::ui::widgets;
use crate::views::host::Host;
use crate::views::{self, Out, ViewCx};

/// A profile that comes with the program.
pub(super) struct Sample {
    name: &'static str,
    question: &'static str,
    /// Who made it.
    about: &'static str,
    /// The view that answers the question.
    view: &'static str,
    /// The metric in which it does; `None` for the first one.
    metric: Option<&'static str>,
    bytes: &'static [u8],
}

macro_rules! sample {
    ($path:literal, $name:literal, $question:literal, $about:literal, $view:literal, $metric:expr) => {
        Sample {
            name: $name,
            question: $question,
            about: $about,
            view: $view,
            metric: $metric,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/", $path)),
        }
    };
}

static SAMPLES: [Sample; 6] = [
    sample!(
        "native/rag.inferscope",
        "rag.inferscope",
        "What do requests to a language model wait for?",
        "recorded here",
        "latency",
        None
    ),
    sample!(
        "native/asyncio.inferscope",
        "asyncio.inferscope",
        "Where does an async pipeline wait, and what would less waiting save?",
        "recorded here",
        "stages",
        None
    ),
    sample!(
        "chrome-trace/pytorch-decode.pt.trace.json.gz",
        "decode.pt.trace.json.gz",
        "What does PyTorch do for each token?",
        "PyTorch profiler",
        "timeline",
        None
    ),
    sample!(
        "pstats/workload-py311.prof",
        "workload.prof",
        "Which function is slow, and who calls it?",
        "cProfile",
        "callers",
        None
    ),
    sample!(
        "callgrind/sort-caches.callgrind.out",
        "sort.callgrind.out",
        "Where do the cache misses come from?",
        "valgrind’s callgrind",
        "flame",
        Some("D1mr")
    ),
    sample!(
        "speedscope/py-spy-threads.speedscope.json",
        "threads.speedscope.json",
        "What do several threads do at once?",
        "py-spy",
        "timeline",
        None
    ),
];

/// Other views, and the samples that have something for them.
const ALSO: [(&str, &str); 6] = [
    ("compute", "decode.pt.trace.json.gz"),
    ("cost", "rag.inferscope"),
    ("memory", "rag.inferscope"),
    ("requests", "rag.inferscope"),
    ("tokens", "rag.inferscope"),
    ("trace", "rag.inferscope"),
];

/// Width of a card, points.
pub(super) const CARD: f32 = 300.0;
/// Between cards.
pub(super) const GAP: f32 = 10.0;
/// Points of the view that is drawn: its texts are small in the picture, and can be read.
const VIEW: Vec2 = vec2(450.0, 234.0);
/// Passes until tables and charts know their sizes.
const PASSES: usize = 5;

/// Height of the picture in a card.
fn height() -> f32 {
    (CARD * VIEW.y / VIEW.x).round()
}

/// How pictures are drawn: theme, and pixels for each point of the view.
type Look = (Theme, f32);

/// The pictures of the samples.
#[derive(Default)]
pub(super) struct Pictures {
    /// False where nobody sees them.
    drawn: bool,
    job: Option<(Look, Job)>,
    /// Those that no frame has taken over yet.
    fresh: Vec<Picture>,
    textures: [Option<TextureHandle>; SAMPLES.len()],
    /// Samples that are being opened, and the views in which they are to be shown.
    opening: Vec<(RunId, &'static Sample, &'static str)>,
}

/// A picture of a sample.
#[derive(Debug)]
pub struct Picture {
    sample: usize,
    look: Look,
    image: ColorImage,
}

impl Pictures {
    /// Pictures that are drawn when the start page is shown.
    pub(super) fn of_a_window() -> Self {
        Self { drawn: true, ..Self::default() }
    }

    /// Takes over what was drawn, and has all of them drawn as the window looks now, if they are not.
    fn want(&mut self, ui: &Ui, events: &Events) {
        for fresh in self.fresh.drain(..) {
            let name = SAMPLES[fresh.sample].name;
            let texture = ui.ctx().load_texture(name, fresh.image, TextureOptions::LINEAR);
            self.textures[fresh.sample] = Some(texture);
        }
        let look = (ui.theme(), ui.pixels_per_point() * CARD / VIEW.x);
        if !self.drawn || self.job.as_ref().is_some_and(|(of, _)| *of == look) {
            return;
        }
        self.stop();
        let job = Job::new();
        self.job = Some((look, job.clone()));
        let events = events.clone();
        jobs::spawn("sample pictures", move || {
            crate::record::leave_out_this_thread();
            for (sample, of) in SAMPLES.iter().enumerate() {
                if job.is_cancelled() {
                    return;
                }
                if let Some(image) = picture(of, look, &job) {
                    events.send(Event::SamplePicture(Box::new(Picture { sample, look, image })));
                }
            }
        });
    }

    /// Ends the drawing of what is not drawn yet: nobody looks at it.
    pub(super) fn stop(&mut self) {
        if let Some((_, job)) = &self.job {
            job.cancel();
        }
        if self.textures.iter().any(Option::is_none) {
            self.job = None;
        }
    }

    /// Takes a picture that was drawn.
    pub(super) fn take(&mut self, picture: Picture) {
        if self.job.as_ref().is_some_and(|(look, _)| *look == picture.look) {
            self.fresh.push(picture);
        }
    }
}

/// A picture of the view that answers the question of a sample.
fn picture(sample: &Sample, (theme, scale): Look, job: &Job) -> Option<ColorImage> {
    let input = Input::Bytes(sample.name.into(), sample.bytes.into());
    let profile = import::open(&input, job, &mut |_| ()).ok()?;
    let engine = Engine::inline();
    let subject = Subject::One(Run::of(Arc::new(profile)));
    let mut interaction = Interaction::default();
    if let Some(command) = sample.command() {
        command.apply(&mut interaction);
    }
    let kind = views::view(sample.view)?;
    let (mut view, mut host) = (kind.make_for(&subject), Host::default());
    let image = render_to_image(VIEW, scale, theme, PASSES, |ui| {
        let frame = Frame::new().fill(Palette::of(ui).panel).inner_margin(Margin::same(6));
        CentralPanel::default().frame(frame).show(ui, |ui| {
            let mut out = Out::default();
            let mut cx = ViewCx::new(&engine, &subject, &interaction, &mut out);
            host.show(&mut *view, &mut cx, ui);
        });
    });
    let image = image.ok()?;
    let size = [image.width() as usize, image.height() as usize];
    Some(ColorImage::from_rgba_premultiplied(size, image.as_raw()))
}

impl Sample {
    fn command(&self) -> Option<Command> {
        Some(Command::SetMetric(MetricKey::declared(self.metric?)))
    }
}

/// The sample for the view with this id: the one that answers its question there, else one that has something for it.
pub(super) fn sample_for(view: &str) -> Option<&'static Sample> {
    let also = || ALSO.iter().find(|(id, _)| *id == view);
    let named = || also().and_then(|(_, name)| SAMPLES.iter().find(|sample| sample.name == *name));
    SAMPLES.iter().find(|sample| sample.view == view).or_else(named)
}

impl App {
    /// Opens a sample that has something for the view with this id, in that view.
    pub(super) fn open_sample_in(&mut self, view: &'static str) {
        if let Some(sample) = sample_for(view) {
            self.open_sample(sample, view);
        }
    }

    fn open_sample(&mut self, sample: &'static Sample, view: &'static str) {
        let run = self.open_input(Input::Bytes(sample.name.into(), sample.bytes.into()));
        self.samples.opening.push((run, sample, view));
    }

    /// Shows a sample that was opened in the view for which it was.
    pub(super) fn show_sample(&mut self, run: RunId) {
        let Some(at) = self.samples.opening.iter().position(|(of, ..)| *of == run) else { return };
        let (_, sample, view) = self.samples.opening.swap_remove(at);
        if self.session.active != Some(run) {
            return;
        }
        if let Some(command) = sample.command() {
            self.command(command);
        }
        if let Some(kind) = views::view(view) {
            self.panes_mut().show(kind);
        }
    }
}

/// Draws the cards, as many beside each other as there is room for.
pub(super) fn cards(app: &mut App, ui: &mut Ui) {
    app.samples.want(ui, &app.events);
    let width = CARD.min(ui.available_width());
    let columns = (((ui.available_width() + GAP) / (width + GAP)).floor() as usize).max(1);
    let mut opened = None;
    for (row, samples) in SAMPLES.chunks(columns).enumerate() {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = GAP;
            for (i, sample) in samples.iter().enumerate() {
                let texture = app.samples.textures[row * columns + i].as_ref();
                if card(ui, sample, texture, width).clicked() {
                    opened = Some(sample);
                }
            }
        });
        ui.add_space(GAP - ui.spacing().item_spacing.y);
    }
    if let Some(sample) = opened {
        app.open_sample(sample, sample.view);
    }
}

/// A picture with the question below it.
fn card(ui: &mut Ui, sample: &Sample, texture: Option<&TextureHandle>, width: f32) -> Response {
    let palette = Palette::of(ui);
    let picture = (height() * width / CARD).round();
    let room = width - 2.0 * space::LARGE;
    let question = ui.painter().layout(sample.question.to_owned(), strong(13.0), palette.text_strong, room);
    let about = format!("{}  ·  {}", sample.about, sample.name);
    let about = ui.painter().layout_no_wrap(about, crate::ui::theme::small(), palette.text_weak);
    // Two lines of a question, so that cards of a row are equally high.
    let text = ui.fonts_mut(|f| f.row_height(&strong(13.0))) * 2.0 + about.size().y;
    let size = vec2(width, picture + text + 2.0 * space::MEDIUM + space::SMALL);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let name = format!("{}: {}", sample.name, sample.question);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &name));
    let (fill, line) = match (response.is_pointer_button_down_on(), response.hovered()) {
        (true, _) => (palette.pressed, palette.accent),
        (_, true) => (palette.hover, palette.accent),
        _ => (palette.raised, palette.line),
    };
    let painter = ui.painter();
    painter.rect_filled(rect, space::RADIUS, fill);
    let above = egui::Rect::from_min_size(rect.min, vec2(width, picture));
    let corners = egui::CornerRadius { nw: space::RADIUS, ne: space::RADIUS, ..egui::CornerRadius::ZERO };
    match texture {
        Some(texture) => Image::new(texture).corner_radius(corners).paint_at(ui, above),
        None => _ = painter.rect_filled(above, corners, palette.panel),
    }
    painter.hline(rect.x_range(), above.bottom(), Stroke::new(1.0, palette.line));
    painter.rect_stroke(rect, space::RADIUS, Stroke::new(1.0, line), StrokeKind::Inside);
    let left = rect.left() + space::LARGE;
    let top = above.bottom() + space::MEDIUM;
    painter.galley(pos2(left, top), question, palette.text_strong);
    let bottom = rect.bottom() - space::MEDIUM - about.size().y;
    painter.galley(pos2(left, bottom), about, palette.text_weak);
    widgets::focus_ring(ui, &response, rect);
    response
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::super::testing::{harness, picture as written, wait};
    use super::*;
    use egui_kittest::kittest::Queryable;

    #[test]
    fn samples_have_something_for_the_views_that_offer_them() {
        for (view, name) in ALSO {
            let sample = SAMPLES.iter().find(|sample| sample.name == name).expect(name);
            let input = Input::Bytes(sample.name.into(), sample.bytes.into());
            let profile = import::open(&input, &Job::new(), &mut |_| ()).expect(name);
            let subject = Subject::One(Run::of(Arc::new(profile)));
            assert!(views::view(view).expect(view).can_show(&subject).is_ok(), "{view} of {name}");
        }
    }

    #[test]
    fn every_sample_opens_and_has_a_picture() {
        for sample in &SAMPLES {
            let image = picture(sample, (Theme::Dark, CARD / VIEW.x), &Job::new()).expect(sample.name);
            assert_eq!(image.size[0], CARD as usize, "{}", sample.name);
            let first = image.pixels[0];
            let drawn = image.pixels.iter().filter(|p| **p != first).count();
            assert!(drawn * 5 > image.pixels.len(), "{}: {drawn} pixels", sample.name);
        }
    }

    #[test]
    fn the_start_page_has_pictures_after_a_while_and_a_card_opens_in_its_view() {
        let settings = Settings {
            recent: vec![
                "/data/run-7.prof".into(),
                "/data/a-name-that-is-much-too-long-for-one-column-of-the-page.json".into(),
            ],
            recent_about: vec![("/data/run-7.prof".into(), "cProfile  ·  decode 62 %".into())],
            ..Settings::default()
        };
        let app = App { settings, samples: Pictures::of_a_window(), ..App::headless() };
        let mut h = harness(app, vec2(1280.0, 1000.0));
        assert!(h.query_by_label_contains("workload.prof: Which function").is_some(), "at once");
        wait(&mut h, "pictures", |app| {
            app.samples.fresh.is_empty() && app.samples.textures.iter().all(Option::is_some)
        });
        written(&mut h, "start");
        h.get_by_label_contains("workload.prof: Which function").click();
        h.run_ok();
        wait(&mut h, "the sample", |app| app.active().is_some_and(|run| run.profile.is_some()));
        h.run_ok();
        assert_eq!(h.state_mut().panes_mut().in_front()[0], "callers");
    }

    #[test]
    fn the_metric_of_a_sample_is_shown() {
        let mut h = harness(App::headless(), vec2(1280.0, 900.0));
        h.get_by_label_contains("sort.callgrind.out: ").click();
        h.run_ok();
        wait(&mut h, "the sample", |app| app.active().is_some_and(|run| run.profile.is_some()));
        assert_eq!(h.state().session.now().expect("a run").metric, MetricKey::declared("D1mr"));
    }
}
