//! Flame charts of millions of spans: building the rows, and whole frames of the view while it is panned. And frames of
//! every view with 1 M spans of 100 k functions open, alone and compared with another such run, and with 10,000 requests whose answers
//! came in 1 M chunks, which are the steps of one trace.
//!
//! CPU time of the thread, so that a busy machine disturbs little. A frame is all that the view does from input to
//! triangles: controls, layout, meshes, labels, tessellation. Goal, in the 95th percentile: 1 M spans within 8 ms, 5 M
//! within 16 ms. The first picture of two compared runs, all queries of the view included: 1 s. Queries run beside on threads of their own, as in the window.
//!
//! Its rows in `assets/guide/speed.md`:
//!
//! - a frame of the flame chart while panning, 1 M spans
//! - the same, 5 M spans
//! - a frame of any view with 1 M spans of 100 k functions open
//! - two such runs compared, with 2 M different call paths: a frame of any view
//! - the same, all that a view asks until it is complete
//! - 10,000 requests with 1 M chunks, the steps of one trace: a frame of any view
#![allow(
    missing_docs,
    clippy::panic,
    reason = "criterion makes public functions, and a bench may fail loudly"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use inferscope::analysis::Scope;
use inferscope::analysis::flame_rows::{FlameRows, TimeOrder};
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use inferscope::model::{
    ArgsRef, CacheOutcome, FunctionSpec, Money, Profile, ProfileBuilder, Request, TokenCounts, TrackKind,
    TrackSpec,
};
use inferscope::query::{Engine, Mode, Pair, Run, RunId, Subject};
use inferscope::state::Interaction;
use inferscope::views::{Out, VIEWS, View, ViewCx, view};

/// CPU time of the calling thread.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of the process.
fn cpu_of_all() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// `spans` spans in 60 rows: each row is one call chain's level, of random lengths.
fn profile(spans: usize, functions: u64) -> Arc<Profile> {
    profile_of(spans, functions, 0x9E37_79B9_7F4A_7C15)
}

fn profile_of(spans: usize, functions: u64, mut seed: u64) -> Arc<Profile> {
    const ROWS: usize = 60;
    let mut b = ProfileBuilder::new("bench");
    let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let names: Vec<_> = (0..functions)
        .map(|i| b.function(FunctionSpec::named(&format!("module_{}::function_{i}", i % 13))))
        .collect();
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut t = 0i64;
    for _ in 0..spans / ROWS {
        let mut length = 2000 + (random() % 18_000) as i64;
        let mut start = t;
        t += length + (random() % 100) as i64;
        for _ in 0..ROWS {
            let function = names[(random() % functions) as usize];
            b.span(track, start, start + length, function, ArgsRef::NONE);
            start += (random() % 4) as i64;
            length = (length - 4 - (random() % 60) as i64).max(1);
        }
    }
    Arc::new(b.finish())
}

fn rows(profile: &Arc<Profile>) -> Arc<FlameRows> {
    let subject = Run::of(profile.clone());
    Engine::inline()
        .now(&subject, &TimeOrder(Scope::default()), &Job::new())
        .unwrap_or_else(|e| panic!("{e}"))
}

/// The view in a window of its own.
struct Window {
    ctx: egui::Context,
    view: Box<dyn View>,
    engine: Engine,
    subject: Subject,
    interaction: Interaction,
    now: f64,
    /// True while the last frame had a place without content.
    waits: bool,
}

const SIZE: egui::Vec2 = egui::vec2(1600.0, 1000.0);

impl Window {
    fn new(profile: &Arc<Profile>, id: &str) -> Self {
        Self::of(Subject::One(Run::of(profile.clone())), id)
    }

    fn of(subject: Subject, id: &str) -> Self {
        let ctx = egui::Context::default();
        inferscope::ui::theme::install(&ctx);
        let Some(kind) = view(id) else { panic!("no view {id}") };
        let (engine, interaction) = (Engine::new(Mode::Background, || ()), Interaction::default());
        Self { ctx, view: kind.make_for(&subject), engine, subject, interaction, now: 0.0, waits: true }
    }

    /// One frame from input to triangles; the CPU time it took, and the number of vertices.
    fn frame(&mut self, events: Vec<egui::Event>) -> (Duration, usize) {
        self.now += 1.0 / 60.0;
        let input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            time: Some(self.now),
            events,
            ..egui::RawInput::default()
        };
        let start = cpu();
        let mut waits = false;
        let mut output = self.ctx.run_ui(input, |ui| {
            let mut out = Out::default();
            let mut cx = ViewCx::new(&self.engine, &self.subject, &self.interaction, &mut out);
            self.view.ui(&mut cx, ui);
            waits = out.asking.waits();
        });
        self.waits = waits;
        let shapes = std::mem::take(&mut output.shapes);
        let meshes = self.ctx.tessellate(shapes, output.pixels_per_point);
        let took = cpu().saturating_sub(start);
        output.drop_without_applying_deltas();
        let vertices = meshes.iter().map(|m| match &m.primitive {
            egui::epaint::Primitive::Mesh(mesh) => mesh.vertices.len(),
            egui::epaint::Primitive::Callback(_) => 0,
        });
        (took, vertices.sum())
    }
}

/// Frames until nothing is computed any more; the middle of the view is under the pointer. The CPU time of all threads until the
/// picture is there, and until all that stands beside it is.
fn settled(window: &mut Window) -> [Duration; 2] {
    let start = cpu_of_all();
    window.frame(vec![egui::Event::PointerMoved((SIZE / 2.0).to_pos2())]);
    let mut first = None;
    loop {
        if !window.waits && first.is_none() {
            first = Some(cpu_of_all().saturating_sub(start));
        }
        if window.engine.busy() == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
        window.frame(Vec::new());
    }
    let all = cpu_of_all().saturating_sub(start);
    [first.unwrap_or(all), all]
}

/// Prints what [`settled`] says.
fn print_settled(name: &str, [first, all]: [Duration; 2]) {
    println!("first picture of {name}: CPU {:.2} s, at rest {:.2} s", first.as_secs_f64(), all.as_secs_f64());
}

/// Frames while the view is panned to and fro with the wheel.
fn pan(window: &mut Window, name: &str) {
    let wheel = |x: f32, y: f32| egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(x, y),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: egui::Modifiers::NONE,
    };
    let mut took = Vec::new();
    let mut vertices = 0;
    for i in 0..300 {
        let (x, y) = if i / 50 % 2 == 0 { (-37.0, -3.0) } else { (37.0, 3.0) };
        let (time, n) = window.frame(vec![wheel(x, y)]);
        took.push(time);
        vertices = vertices.max(n);
    }
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "panning {name}: CPU ms a frame p50 {:.2}, p95 {:.2}, max {:.2}; at most {vertices} vertices",
        at(50),
        at(95),
        at(100)
    );
}

/// Two files of one's own, with a comma between them: they are compared, and nothing else is done.
const PAIR: &str = "INFERSCOPE_BENCH_PAIR";
/// Ids of views with commas between them: no others are compared.
const ONLY: &str = "INFERSCOPE_BENCH_VIEWS";

/// Compared forms beside the first one of each view, as the view keeps its settings.
const FORMS: [(&str, &str, &str); 6] = [
    ("flame", ", both", r#"{ "form": "both" }"#),
    ("flame", ", by the new run", r#"{ "width": "head", "colour": "own" }"#),
    ("stages", ", by order", r#"{ "mode": "order" }"#),
    ("stages", ", all rows", r#"{ "all_rows": true }"#),
    ("graph", ", the new run", r#"{ "shows": "head" }"#),
    ("requests", ", both", r#"{ "form": "both" }"#),
];

fn given() -> Option<(Run, Run)> {
    let pair = std::env::var(PAIR).ok()?;
    let Some((base, head)) = pair.split_once(',') else { panic!("{PAIR} is BASE,HEAD") };
    let run = |id, path: &str| {
        let profile = import::open_whole(&Input::Path(path.into()), &Job::new());
        let profile = profile.unwrap_or_else(|e| panic!("{path}: {e}"));
        Run { id: RunId(id), ..Run::of(profile.into()) }
    };
    Some((run(1, base), run(2, head)))
}

/// Frames of every view.
fn views(_: &mut Criterion) {
    if std::env::var_os(PAIR).is_some() {
        return;
    }
    let profile = profile(1_000_000, 100_000);
    for kind in VIEWS {
        let mut window = Window::new(&profile, kind.id);
        settled(&mut window);
        pan(&mut window, &format!("1 M spans of 100 k functions, {}", kind.title));
    }
}

/// An agent's run: one span with 10,000 calls of a model, whose answers came in 100 chunks each.
fn requests() -> Arc<Profile> {
    const CALLS: i64 = 10_000;
    const CHUNKS: i64 = 100;
    const MS: i64 = 1_000_000;
    let mut b = ProfileBuilder::new("bench");
    let track = b.track(TrackSpec { name: "agent", process: "", kind: TrackKind::Task, sort: 0 });
    let run = b.function(FunctionSpec::named("invoke_agent"));
    let calls: Vec<_> = (0..4).map(|i| b.function(FunctionSpec::named(&format!("chat model-{i}")))).collect();
    b.span(track, 0, CALLS * 150 * MS, run, ArgsRef::NONE);
    let rules = "You answer questions about the harbour and never guess. ".repeat(8);
    for i in 0..CALLS {
        let arrived = i * 150 * MS;
        let finished = arrived + 120 * MS + (i % 17) * MS;
        b.span(track, arrived, finished, calls[(i % 4) as usize], ArgsRef::NONE);
        let [name, model, prompt, completion, session, key] = [
            format!("call {i}"),
            format!("model-{}", i % 4),
            format!("{rules}Question {}: when does ship {i} come?", i % 500),
            format!("Ship {i} comes at noon."),
            format!("session {}", i % 100),
            "session".to_owned(),
        ]
        .map(|text| b.string(&text));
        b.request(Request {
            name,
            model,
            prompt,
            completion,
            track: Some(track),
            arrived,
            scheduled: Some(arrived + (i % 13) * MS),
            first_token: Some(arrived + 20 * MS),
            finished: Some(finished),
            token_times: (0..CHUNKS).map(|n| arrived + 20 * MS + n * MS).collect(),
            tokens: TokenCounts { input: Some(120), output: Some(CHUNKS as u64), ..TokenCounts::default() },
            cost: Money::parse("0.0001"),
            cache: Some(if i % 3 == 0 { CacheOutcome::Exact } else { CacheOutcome::Miss }),
            attributes: vec![(key, session)],
            ..Request::default()
        });
    }
    Arc::new(b.finish())
}

/// Frames of every view that such a run fills.
fn views_of_requests(_: &mut Criterion) {
    if std::env::var_os(PAIR).is_some() {
        return;
    }
    let profile = requests();
    for kind in VIEWS.iter().filter(|kind| (kind.needs)(&profile).is_ok()) {
        let mut window = Window::new(&profile, kind.id);
        let took = settled(&mut window);
        print_settled(&format!("10,000 requests, {}", kind.title), took);
        pan(&mut window, &format!("10,000 requests with 1 M chunks, {}", kind.title));
    }
}

/// Frames of every view of two runs, and what it takes to the first picture.
fn compared(_: &mut Criterion) {
    let made = |id: u32, seed| Run { id: RunId(id), ..Run::of(profile_of(1_000_000, 100_000, seed)) };
    let (base, head) =
        given().unwrap_or_else(|| (made(1, 0x9E37_79B9_7F4A_7C15), made(2, 0xD1B5_4A32_D192_ED03)));
    let only = std::env::var(ONLY).ok();
    let wanted = |id: &str| only.as_ref().is_none_or(|only| only.split(',').any(|one| one == id));
    for kind in VIEWS.iter().filter(|kind| wanted(kind.id)) {
        let forms = FORMS.iter().filter(|form| form.0 == kind.id);
        for (form, state) in [("", "null")].into_iter().chain(forms.map(|(_, name, state)| (*name, *state))) {
            let pair = Pair::of(base.clone(), head.clone());
            let mut window = Window::of(Subject::Pair(pair), kind.id);
            if let Ok(state) = serde_json::from_str(state) {
                window.view.load(&state);
            }
            let took = settled(&mut window);
            let name = format!("two runs, {}{form}", kind.title);
            print_settled(&name, took);
            pan(&mut window, &name);
        }
    }
}

fn flame(c: &mut Criterion) {
    if std::env::var_os(PAIR).is_some() {
        return;
    }
    let mut group = c.benchmark_group("flame");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for millions in [1, 5] {
        let profile = profile(millions * 1_000_000, 997);
        for (name, zoom) in [
            ("all in view", 1.0),
            ("half", 2.0),
            ("a tenth", 10.0),
            ("a thousandth", 1e3),
            ("a 50000th", 5e4),
        ] {
            let mut window = Window::new(&profile, "flame");
            settled(&mut window);
            window.frame(vec![egui::Event::Zoom(zoom)]);
            pan(&mut window, &format!("{millions} M spans, {name}"));
        }
        group.bench_function(format!("rows of {millions} M spans"), |b| {
            b.iter_custom(|n| {
                let start = cpu();
                (0..n).for_each(|_| drop(black_box(rows(&profile))));
                cpu().saturating_sub(start)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, views_of_requests, views, compared, flame);
criterion_main!(benches);
