//! Pictures of every view on a sample that suits it, and of the workspace and opened context menus, compared with
//! those in `tests/snapshots/views`.
//!
//! Look at a changed one before you accept it: `UPDATE_SNAPSHOTS=true cargo test --lib goldens`. The pictures come
//! from the renderer on the CPU with the fonts that are built in, so they are the same on every machine but for
//! roundings, which the tolerance of `egui_kittest` takes.

use std::path::Path;
use std::sync::Arc;

use egui::{CentralPanel, Frame, Theme, Vec2, vec2};
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};

use super::{App, Overlay, Settings, testing};
use crate::analysis::source_file::SourceRule;
use crate::import::{Input, open};
use crate::jobs::Job;
use crate::model::{Profile, RequestId};
use crate::query::{Run, Subject};
use crate::state::{Command, Item};
use crate::ui::software::render_to_image;
use crate::ui::theme::Palette;
use crate::views::fixture::{agent, session};
use crate::views::testing::Stage;

const SMALL: Vec2 = vec2(800.0, 500.0);
/// For views of cards.
const LARGE: Vec2 = vec2(1200.0, 800.0);

fn sample(path: &str) -> Profile {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles").join(path);
    open(&Input::Path(file), &Job::new(), &mut |_| ()).expect("a sample that opens")
}

/// A callgrind file that carries its sources, so that the picture shows no path of this machine.
fn with_sources() -> Profile {
    let mut profile = sample("callgrind/hot-lines.callgrind.out");
    for (name, text) in [
        ("/build/hot/hot_lines.c", include_str!("../../tests/sources/hot_lines.c")),
        ("/build/hot/mix.h", include_str!("../../tests/sources/mix.h")),
    ] {
        let file = profile.strings.find(name).expect("a file of the sample");
        assert!(profile.sources.insert(file, text));
    }
    profile
}

fn select(name: &str) -> impl Fn(&Profile) -> Option<Command> + '_ {
    move |profile| {
        let function = profile.functions.ids().find(|f| profile.function_name(*f) == name);
        let function = function.expect("a function of the sample");
        Some(Command::Select(Some(Item::of_function(function, profile))))
    }
}

fn nothing(_: &Profile) -> Option<Command> {
    None
}

fn compare(results: &mut SnapshotResults, image: &image::RgbaImage, name: &str) {
    let options = SnapshotOptions::new().output_path("tests/snapshots/views");
    results.add(egui_kittest::try_image_snapshot_options(image, name, &options));
}

/// One view without the window around it.
fn view(id: &str, profile: Profile, command: &dyn Fn(&Profile) -> Option<Command>, size: Vec2, scale: f32) {
    let mut results = SnapshotResults::new();
    let profile = Arc::new(profile);
    for (theme, suffix) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut stage = Stage::new(id, Profile::default());
        stage.subject = Subject::One(Run::of(profile.clone()));
        if let Some(command) = command(&profile) {
            stage.send(command);
        }
        let image = render_to_image(size, scale, theme, 4, |ui| {
            CentralPanel::no_frame().show(ui, |ui| {
                let fill = Palette::of(ui).panel;
                Frame::new().fill(fill).inner_margin(6).show(ui, |ui| {
                    ui.set_min_size(ui.available_size());
                    stage.ui(ui);
                });
            });
        });
        let scaled = if scale > 1.0 { "_2x" } else { "" };
        compare(&mut results, &image.expect("a picture"), &format!("{id}{scaled}_{suffix}"));
    }
}

/// The view of source lines with instructions, whose text is in the program of the tests.
fn instructions(mode: &str, selected: &str, size: Vec2) {
    let mut results = SnapshotResults::new();
    let profile = Arc::new(sample("callgrind/words-instr.callgrind.out"));
    for (theme, suffix) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut stage = Stage::new("source", profile.clone());
        // Relative, so that the picture shows no path of this machine.
        stage.sources = vec![SourceRule { from: "/build/hot".into(), to: "tests/sources".into() }];
        stage.view.load(&serde_json::json!({ "mode": mode, "part": "function", "columns": {} }));
        stage.send(select(selected)(&profile).expect("a selection"));
        let image = render_to_image(size, 1.0, theme, 4, |ui| {
            CentralPanel::no_frame().show(ui, |ui| stage.pane(ui));
        });
        compare(&mut results, &image.expect("a picture"), &format!("source_{mode}_{suffix}"));
    }
}

/// The same of two runs of one program.
fn compared_instructions(theme: Theme) {
    let base = sample("callgrind/words-instr.callgrind.out");
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles/callgrind/words-instr.callgrind.out");
    let text = std::fs::read_to_string(path).expect("the sample");
    // One branch is taken more often.
    let text = text.replace(" 720\n", " 1720\n").replace(" 2920\n", " 2420\n");
    let input = Input::Bytes("head".into(), text.into_bytes().into());
    let head = open(&input, &Job::new(), &mut |_| ()).expect("a sample that opens");
    let mut stage = Stage::pair("source", Arc::new(base), Arc::new(head));
    stage.sources = vec![SourceRule { from: "/build/hot".into(), to: "tests/sources".into() }];
    stage.view.load(&serde_json::json!({ "assembly": true }));
    let image = render_to_image(SMALL, 1.0, theme, 4, |ui| {
        CentralPanel::no_frame().show(ui, |ui| stage.pane(ui));
    });
    compare(&mut SnapshotResults::new(), &image.expect("a picture"), "compared_source_assembly");
}

/// The whole window.
fn workspace(name: &str, profile: Profile, size: Vec2, theme: Theme) {
    let mut app = App::headless();
    app.add_profile(name, None, Arc::new(profile));
    let image = render_to_image(size, 1.0, theme, 6, |ui| {
        let ctx = ui.ctx().clone();
        app.logic(&ctx);
        app.ui(ui);
    });
    compare(&mut SnapshotResults::new(), &image.expect("a picture"), &format!("workspace_{name}"));
}

/// One view of two runs in the window.
fn compared(id: &str, [base, head]: [Profile; 2], theme: Theme) {
    let mut app = App::headless();
    let base = app.add_profile("base", None, Arc::new(base));
    app.compare_with(base);
    app.add_profile("head", None, Arc::new(head));
    app.show_only(&[crate::views::view(id).expect("a view")]);
    let image = render_to_image(SMALL, 1.0, theme, 6, |ui| {
        let ctx = ui.ctx().clone();
        app.logic(&ctx);
        app.ui(ui);
    });
    compare(&mut SnapshotResults::new(), &image.expect("a picture"), &format!("compared_{id}"));
}

/// The same program under two versions of Python.
fn two() -> [Profile; 2] {
    [sample(PSTATS), sample("pstats/workload-py313.prof")]
}

/// The dialog that asks what to record, with these values.
fn chooser(name: &str, workload: &str, values: &[(&str, &str)], theme: Theme) {
    let mut app = App::headless();
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let settings = Settings { workload: Some((workload.into(), values)), ..Settings::default() };
    app.overlay = Overlay::Record(super::record_dialog::Chooser::new(&settings));
    let image = render_to_image(vec2(1024.0, 640.0), 1.0, theme, 6, |ui| {
        let ctx = ui.ctx().clone();
        app.logic(&ctx);
        app.ui(ui);
    });
    compare(&mut SnapshotResults::new(), &image.expect("a picture"), &format!("record_{name}"));
}

/// A window with one view whose context menu is open, in which `entries` stand.
fn menu(id: &str, profile: Profile, at: &dyn Fn(&Harness<'_, App>) -> egui::Pos2, entries: &[&str]) {
    let mut app = App::headless();
    app.add_profile("sample", None, Arc::new(profile));
    app.show_only(&[crate::views::view(id).expect("a view")]);
    let mut h = testing::harness(app, SMALL);
    let at = at(&h);
    h.hover_at(at);
    h.run_ok();
    for pressed in [true, false] {
        let (button, modifiers) = (egui::PointerButton::Secondary, egui::Modifiers::NONE);
        h.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers });
        h.run_ok();
    }
    for entry in entries.iter().chain(&[crate::views::PICTURES]) {
        assert!(h.query_by_label_contains(entry).is_some(), "{id}: no entry «{entry}»");
    }
    let image = h.render().expect("a picture");
    compare(&mut SnapshotResults::new(), &image, &format!("menu_{id}"));
}

fn label(text: &'static str) -> impl Fn(&Harness<'_, App>) -> egui::Pos2 {
    move |h| {
        let mut found = h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with(text)));
        found.next().expect(text).rect().center()
    }
}

/// A dataset of many runs in the window: a job of sixteen ranks, one of which computes longer from a step on.
#[cfg(feature = "fleet")]
fn dataset(name: &str, size: Vec2, theme: Theme) {
    use crate::fleet::tests::job::{Fault, Job};
    let fault = |rank, step| match (rank, step) {
        (11, 5..) => Some(Fault::Kernels(1.3)),
        (2, 3) => Some(Fault::Host(1_500_000)),
        _ => None,
    };
    let job = Job { ranks: 16, fault: Box::new(fault), missing: Some(4), double: Some(9), ..Job::default() };
    let folder = crate::fleet::tests::Folder::new(&format!("golden-{name}"));
    let tables = crate::fleet::tests::dataset(&job, &folder);
    let mut app = App::headless();
    app.open_dataset(tables.folder());
    let image = render_to_image(size, 1.0, theme, 6, |ui| {
        app.logic(&ui.ctx().clone());
        app.ui(ui);
    });
    compare(&mut SnapshotResults::new(), &image.expect("a picture"), &format!("dataset_{name}"));
}

#[cfg(feature = "fleet")]
#[test]
fn dataset_large_and_dark() {
    dataset("dark", vec2(1600.0, 1000.0), Theme::Dark);
}

#[cfg(feature = "fleet")]
#[test]
fn dataset_small_and_light() {
    dataset("light", vec2(1024.0, 640.0), Theme::Light);
}

macro_rules! goldens {
    ($($name:ident: $body:expr;)*) => { $(#[test] fn $name() { $body; })* };
}

const DECODE: &str = "chrome-trace/pytorch-decode.pt.trace.json.gz";
const GPU_TRACE: &str = "chrome-trace/pytorch-alexnet-gpu.json.gz";
const PSTATS: &str = "pstats/workload-py311.prof";

goldens! {
    summary: view("summary", session(), &nothing, SMALL, 1.0);
    functions: view("functions", sample(PSTATS), &nothing, SMALL, 1.0);
    call_tree: view("calltree", sample("pyinstrument/cpu-v4.6.1.pyisession"), &nothing, SMALL, 1.0);
    callers: view("callers", sample(PSTATS), &select("_iterencode"), SMALL, 1.0);
    graph: view("graph", sample(PSTATS), &nothing, SMALL, 1.0);
    stages: view("stages", sample("native/asyncio.inferscope"), &nothing, SMALL, 1.0);
    flame: view("flame", sample(DECODE), &nothing, SMALL, 1.0);
    timeline: view("timeline", session(), &nothing, SMALL, 1.0);
    treemap: view("treemap", sample(PSTATS), &nothing, SMALL, 1.0);
    memory: view("memory", session(), &nothing, SMALL, 1.0);
    requests: view("requests", session(), &nothing, SMALL, 1.0);
    trace: view("trace", agent(4), &nothing, LARGE, 1.0);
    flow: view("flow", session(), &nothing, SMALL, 1.0);
    latency: view("latency", session(), &nothing, LARGE, 1.0);
    cost: view("cost", session(), &nothing, LARGE, 1.0);
    tokens: view("tokens", session(), &nothing, LARGE, 1.0);
    caches: view("caches", session(), &nothing, LARGE, 1.0);
    gpu: view("gpu", sample(GPU_TRACE), &nothing, LARGE, 1.0);
    compute: view("compute", sample(GPU_TRACE), &nothing, LARGE, 1.0);
    source: view("source", with_sources(), &select("depth"), SMALL, 1.0);
    source_assembly: instructions("assembly", "count", SMALL);
    source_both: instructions("both", "main", SMALL);
    find: view("find", sample(DECODE), &nothing, SMALL, 1.0);
    details: view("details", session(), &|p| Some(Command::Select(Some(Item::of_request(RequestId(3), p)))), vec2(400.0, 600.0), 1.0);
    functions_at_scale_2: view("functions", sample(PSTATS), &nothing, vec2(400.0, 250.0), 2.0);
    flame_at_scale_2: view("flame", sample(DECODE), &nothing, vec2(400.0, 250.0), 2.0);
    compared_summary: compared("summary", two(), Theme::Dark);
    compared_functions: compared("functions", two(), Theme::Light);
    compared_call_tree: compared("calltree", two(), Theme::Dark);
    compared_callers: compared("callers", two(), Theme::Light);
    compared_graph: compared("graph", two(), Theme::Dark);
    compared_flame: compared("flame", two(), Theme::Dark);
    compared_treemap: compared("treemap", two(), Theme::Light);
    compared_source: compared("source", [with_sources(), with_sources()], Theme::Dark);
    compared_source_assembly: compared_instructions(Theme::Light);
    compared_memory: compared("memory", [session(), session()], Theme::Light);
    compared_requests: compared("requests", [session(), session()], Theme::Dark);
    compared_trace: compared("trace", [agent(3), agent(4)], Theme::Dark);
    compared_flow: compared("flow", [session(), session()], Theme::Light);
    compared_latency: compared("latency", [session(), session()], Theme::Light);
    compared_cost: compared("cost", [session(), session()], Theme::Dark);
    compared_tokens: compared("tokens", [session(), session()], Theme::Light);
    compared_caches: compared("caches", [session(), session()], Theme::Dark);
    compared_compute: compared("compute", [sample(GPU_TRACE), sample(GPU_TRACE)], Theme::Light);
    compared_gpu: compared("gpu", [sample(GPU_TRACE), sample(GPU_TRACE)], Theme::Dark);
    compared_find: compared("find", [session(), session()], Theme::Dark);
    compared_timeline: compared("timeline", [session(), session()], Theme::Dark);
    compared_stages: compared("stages", [sample("native/asyncio.inferscope"), session()], Theme::Light);
    compared_details: compared("details", two(), Theme::Light);
    workspace_timed: workspace("timed", session(), vec2(1600.0, 1000.0), Theme::Dark);
    workspace_untimed: workspace("untimed", sample(PSTATS), vec2(1600.0, 1000.0), Theme::Light);
    workspace_timed_small: workspace("timed_small", session(), vec2(1024.0, 640.0), Theme::Light);
    workspace_untimed_small: workspace("untimed_small", sample(PSTATS), vec2(1024.0, 640.0), Theme::Dark);
    record_a_command: chooser("command", "command", &[("command", "python app.py --n 3"), ("profilers", "cprofile,pyinstrument")], Theme::Light);
    record_with_a_wrong_value: chooser("wrong", "generate", &[("model", "/models/SmolLM2-135M-Instruct.Q4_1.gguf"), ("device", "gpu")], Theme::Dark);
    menu_of_functions: menu("functions", sample(PSTATS), &label("_iterencode,"), &["Merge into callers", "Copy row", "Copy table as CSV"]);
    menu_of_source: menu("source", with_sources(), &label("Line 17, self"), &["Copy line", "Copy file:line", "Copy table as Markdown"]);
    menu_of_requests: menu("requests", session(), &label("req-01 "), &["Copy prompt", "Copy answer", "Copy table as text"]);
    menu_of_memory: menu("memory", session(), &label("RSS:"), &["Copy name", "Copy row", "Copy table as CSV"]);
    menu_of_summary: menu("summary", session(), &|_| egui::pos2(500.0, 300.0), &[]);
    menu_of_flame: menu("flame", sample(DECODE), &|_| egui::pos2(120.0, 250.0), &["Zoom to this box", "Search for this name"]);
    menu_of_treemap: menu("treemap", sample(PSTATS), &|_| egui::pos2(200.0, 350.0), &["Focus on this function"]);
    menu_of_timeline: menu("timeline", session(), &|_| egui::pos2(60.0, 250.0), &["Hide all others"]);
    menu_of_details: menu("details", session(), &|_| egui::pos2(400.0, 400.0), &[]);
}
