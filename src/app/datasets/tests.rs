//! What a person does with a dataset in the window, drawn without one.

use egui::{Key, Modifiers, PointerButton, Theme, Vec2, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::super::testing::{harness, picture, wait};
use super::super::{Action, Settings};
use super::*;
use crate::fleet::tests::job::{Fault, Job};
use crate::fleet::tests::settings::evals;
use crate::fleet::tests::{Folder, ci, dataset};
use crate::query::{Engine, Mode};
use crate::state::RunState;
use crate::ui::software::render_to_image;

const SIZE: Vec2 = vec2(1024.0, 640.0);

/// A job whose rank 5 computes longer from step 14 on, and the folder of its tables.
fn job(name: &str, ranks: usize) -> (Folder, PathBuf) {
    let fault = move |rank, step| match (rank, step) {
        (5, 4..) => Some(Fault::Kernels(1.3)),
        (1, 2) => Some(Fault::Host(2_000_000)),
        _ => None,
    };
    let clock = |rank: usize| rank as i64 * 37_000;
    let job =
        Job { ranks, fault: Box::new(fault), clock: Box::new(clock), missing: Some(3), ..Job::default() };
    let folder = Folder::new(&format!("window-{name}"));
    let tables = dataset(&job, &folder).folder().to_owned();
    (folder, tables)
}

fn opened(tables: &Path) -> Harness<'static, App> {
    let mut app = App::headless();
    app.open_paths(&[tables.to_owned()]);
    harness(app, SIZE)
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("it is a folder".to_owned())
    }
}

/// The label of the heatmap, which says what is selected.
fn heatmap(h: &Harness<'_, App>) -> String {
    h.get_by_label_contains(" rows by step").accesskit_node().label().unwrap()
}

fn click(h: &mut Harness<'_, App>, at: egui::Pos2, modifiers: Modifiers) {
    h.hover_at(at);
    h.run_ok();
    h.event(egui::Event::ModifiersChanged(modifiers));
    for pressed in [true, false] {
        h.event(egui::Event::PointerButton { pos: at, button: PointerButton::Primary, pressed, modifiers });
        h.run_ok();
    }
    h.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    h.run_ok();
}

/// The middle of a cell of the heatmap.
fn cell(h: &Harness<'_, App>, (row, rows): (usize, usize), (step, steps): (usize, usize)) -> egui::Pos2 {
    let chart = h.get_by_label_contains(" rows by step").rect();
    let at = |i: usize, n: usize| (i as f32 + 0.5) / n as f32;
    pos2(chart.left() + chart.width() * at(step, steps), chart.top() + chart.height() * at(row, rows))
}

#[test]
fn a_dataset_opens_in_a_tab_and_its_slow_rank_is_named_and_selected() {
    let (_folder, tables) = job("opens", 8);
    let mut h = opened(&tables);
    picture(&mut h, "dataset");
    assert!(h.query_by_label_contains("rank 5 (node01): since step 14 +").is_some());
    assert!(h.query_by_label_contains("7 of 8 ranks on 2 hosts · 12 steps (10 to 21)").is_some());
    assert!(h.query_by_label("missing: rank 3 of 8").is_some());
    let selected = heatmap(&h);
    assert!(selected.starts_with("Lateness of 7 rows by step; rank 5 (node01), step 17: "), "{selected}");
    assert!(h.query_by_label_contains("changes at step 14").is_some());
    assert!(h.query_by_label("Step 17 of 7 ranks on one clock").is_some());
    // Once more it is the same tab; beside it a profile.
    h.state_mut().open_paths(std::slice::from_ref(&tables));
    h.run_ok();
    assert_eq!(h.state().tabs().len(), 1);
    let profile = crate::analysis::testing::profile("main 0 100");
    h.state_mut().add_profile("run.prof", None, profile);
    h.run_ok();
    assert!(!h.state().shows_dataset() && h.state().tabs().len() == 2);
    h.key_press_modifiers(Modifiers::COMMAND, Key::Tab);
    h.run_ok();
    assert!(h.state().shows_dataset(), "its tab is one of all");
    h.key_press_modifiers(Modifiers::COMMAND, Key::W);
    h.run_ok();
    assert!(
        h.state().dataset_tabs().is_empty() && h.state().active().is_some(),
        "the tab beside it is shown"
    );
    assert_eq!(h.state().settings.recent, [std::path::absolute(&tables).unwrap()]);
}

#[test]
fn a_folder_that_is_dropped_or_chosen_opens_and_another_one_says_why_not() {
    let (folder, tables) = job("dropped", 4);
    let mut h = harness(App::headless(), SIZE);
    h.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(tables.clone())));
    h.run_ok();
    assert!(h.state().shows_dataset());
    h.state_mut().picked(super::super::event::Purpose::Dataset, std::slice::from_ref(&folder.0));
    assert!(h.state().note.as_ref().unwrap().text.contains("is no dataset"));
    // One that cannot be read says why in its place.
    for file in std::fs::read_dir(tables.join("runs")).unwrap().flatten() {
        std::fs::write(file.path(), "PAR1 and nothing else").unwrap();
    }
    h.get_by_label_contains("Read the dataset again").click();
    h.run_ok();
    assert!(h.query_by_label_contains(".parquet: ").is_some());
}

#[test]
fn the_heatmap_is_walked_by_keys_and_shows_what_was_chosen() {
    let (_folder, tables) = job("keys", 8);
    let mut h = opened(&tables);
    h.get_by_label_contains(" rows by step").focus();
    h.run_ok();
    for (key, expected) in [
        (Key::ArrowDown, "rank 6 (node01), step 17"),
        (Key::ArrowRight, "rank 6 (node01), step 18"),
        (Key::Home, "rank 0 (node00), step 18"),
        (Key::ArrowUp, "rank 0 (node00), step 18"),
        (Key::End, "rank 7 (node01), step 18"),
    ] {
        h.key_press(key);
        h.run_ok();
        assert!(heatmap(&h).contains(expected), "{key:?}: {}", heatmap(&h));
    }
    h.get_by_label("slowest first").click();
    h.run_ok();
    h.get_by_label_contains(" rows by step").focus();
    h.run_ok();
    h.key_press(Key::Home);
    h.run_ok();
    assert!(heatmap(&h).contains("rank 5 "), "the slowest is the first: {}", heatmap(&h));
    h.get_by_label("Measure").click();
    h.run_ok();
    h.get_by_label("Compute").click();
    h.run_ok();
    assert!(heatmap(&h).starts_with("Compute of 7 rows"), "{}", heatmap(&h));
    h.get_by_label("values").click();
    h.run_ok();
    assert!(h.query_by_label_contains("Colours: from ").is_some());
    picture(&mut h, "dataset-compute");
    // A finding leads back.
    h.get_by_label_contains("rank 1 (node00): late once").click();
    h.run_ok();
    assert!(heatmap(&h).contains("rank 1 (node00), step 12"), "{}", heatmap(&h));
}

#[test]
fn a_cell_opens_its_run_at_that_step_and_two_are_compared() {
    let (folder, tables) = job("runs", 8);
    let mut h = opened(&tables);
    let at = cell(&h, (2, 7), (3, 12));
    click(&mut h, at, Modifiers::NONE);
    assert!(heatmap(&h).contains("rank 2 (node00), step 13"), "{}", heatmap(&h));
    h.get_by_label("Open rank 2 (node00)").click();
    h.run_ok();
    let ready = |app: &App| app.session.runs.iter().all(|r| r.state == RunState::Ready);
    wait(&mut h, "the run", ready);
    let run = h.state().active().expect("it is shown");
    assert_eq!(run.label, "rank0002.pt.trace.json");
    let range = run.history.now().range.expect("the step alone is looked at");
    let profile = run.profile.clone().unwrap();
    let step = profile
        .tracks
        .iter()
        .flat_map(|t| &t.spans.rows)
        .find(|s| profile.function_name(s.function) == "ProfilerStep#13");
    let step = step.expect("the mark of the step");
    assert_eq!(range, (step.start, step.end));
    // Two cells are two runs.
    let shown = h.state().dataset_tabs()[0].id;
    h.state_mut().session.active = Some(shown);
    h.run_ok();
    let other = cell(&h, (4, 7), (3, 12));
    click(&mut h, other, Modifiers::COMMAND);
    h.get_by_label("Compare rank 2 (node00) with rank 5 (node01)").click();
    h.run_ok();
    wait(&mut h, "both runs", ready);
    let pair = h.state().session.subject().and_then(|s| s.pair().cloned()).expect("a comparison");
    let label = |run| h.state().session.get(run).unwrap().label.clone();
    assert_eq!([pair.base.id, pair.head.id].map(label), ["rank0002.pt.trace.json", "rank0005.pt.trace.json"]);
    // A file that is gone is named.
    h.state_mut().session.active = Some(shown);
    let gone = folder.0.join("traces/rank0007.pt.trace.json");
    std::fs::remove_file(&gone).unwrap();
    h.run_ok();
    h.get_by_label_contains(" rows by step").focus();
    h.run_ok();
    h.key_press(Key::Escape);
    h.key_press(Key::End);
    h.run_ok();
    h.key_press(Key::Enter);
    h.run_ok();
    let note = &h.state().note.as_ref().unwrap().text;
    assert!(note.contains("rank0007.pt.trace.json") && note.contains("not there any more"), "{note}");
}

/// The rows of the table, from top to bottom.
fn rows(h: &Harness<'_, App>) -> Vec<String> {
    let nodes = h.query_all_by_role(egui::accesskit::Role::Row);
    let mut rows: Vec<_> =
        nodes.filter_map(|n| Some((n.rect().top(), n.accesskit_node().label()?))).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|r| r.1).collect()
}

#[test]
fn runs_are_listed_filtered_and_grouped_and_their_selection_is_that_of_the_heatmap() {
    let (_folder, tables) = job("table", 8);
    let mut h = opened(&tables);
    h.get_by_label("Runs").click();
    h.run_ok();
    picture(&mut h, "dataset-runs");
    assert!(rows(&h)[0].starts_with("rank 5 (node01): Lateness "), "{:?}", rows(&h));
    h.get_by_label("Rank").click();
    h.run_ok();
    assert!(rows(&h)[0].starts_with("rank 0 (node00)"), "{:?}", rows(&h));
    h.get_by_label_contains("rank 4 (node01): ").click();
    h.run_ok();
    assert!(heatmap(&h).contains("rank 4 (node01), step 17"), "{}", heatmap(&h));
    h.key_press_modifiers(Modifiers::COMMAND, Key::F);
    h.run_ok();
    h.get_by_label_contains("Filter runs").type_text("node01");
    h.run_ok();
    assert_eq!(rows(&h).len(), 4, "{:?}", rows(&h));
    h.get_by_label("Group by").click();
    h.run_ok();
    h.get_by_label("host").click();
    h.run_ok();
    assert_eq!(rows(&h), ["node01: 4 runs"]);
}

#[test]
fn runs_of_ci_say_which_function_costs_more_and_show_it_over_time() {
    let folder = Folder::new("window-ci");
    let tables = ci(&folder).folder().to_owned();
    let mut h = opened(&tables);
    picture(&mut h, "dataset-ci");
    assert!(h.query_by_label("30 runs over time").is_some(), "what changed most, at first");
    let found = "work_7: own cost ";
    h.get_by_label_contains(found).click();
    h.run_ok();
    picture(&mut h, "dataset-ci-function");
    assert!(h.query_by_label_contains("own cost of work_7").is_some());
    let said = h.query_all_by_label_contains("(+20.").count();
    assert_eq!(said, 2, "in the finding and beside the line");
    h.get_all_by_label("run004.folded").next().unwrap().click();
    h.run_ok();
    assert!(h.query_by_label("Open run004.folded").is_some());
}

#[test]
fn settings_of_an_evaluation_are_a_table_and_lead_to_their_runs() {
    let folder = Folder::new("window-evals");
    let tables = evals(&folder).folder().to_owned();
    let mut h = opened(&tables);
    h.get_by_label("Settings").click();
    h.run_ok();
    picture(&mut h, "dataset-settings");
    assert_eq!(rows(&h).len(), 6);
    assert_eq!(rows(&h)[0], "large, 0.2: 1 run", "by labels, numbers by size");
    h.get_by_label("Latency p50").click();
    h.run_ok();
    assert_eq!(rows(&h)[0], "small, 0.7: 1 run", "the slowest of those that answered");
    h.get_by_label("Settings by").click();
    h.run_ok();
    let entry = |n: &egui_kittest::Node<'_>| n.accesskit_node().role() == egui::accesskit::Role::Button;
    h.get_all_by_label("temperature").find(entry).unwrap().click();
    h.run_ok();
    h.key_press(Key::Escape);
    h.run_ok();
    picture(&mut h, "dataset-settings-one");
    assert_eq!(rows(&h), ["0.7: 2 runs", "0.2: 2 runs", "1.0: 2 runs"], "what has none stands last");
    h.get_by_label("0.2: 2 runs").click();
    h.run_ok();
    h.key_press(Key::Enter);
    h.run_ok();
    assert!(h.query_by_label("temperature = 0.2").is_some(), "the runs of that setting alone");
    assert_eq!(rows(&h).len(), 2);
}

#[test]
fn the_window_comes_to_rest_and_asks_nothing_twice() {
    let (_folder, tables) = job("rest", 8);
    let engine = Engine::new(Mode::Background, || ());
    let mut app = App::with(engine, None, Settings::default(), None);
    app.open_dataset(&tables);
    let mut h = harness(app, SIZE);
    let settle = |h: &mut Harness<'_, App>| {
        let mut calm = 0;
        for _ in 0..5_000 {
            h.step();
            calm = if h.state().engine.busy() > 0 { 0 } else { calm + 1 };
            if calm > 3 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        panic!("{:?}", h.state().engine.memory().running);
    };
    settle(&mut h);
    assert!(h.query_by_label_contains("rank 5 (node01): since step 14").is_some());
    let done = h.state().engine.memory().computed;
    for _ in 0..20 {
        h.step();
    }
    assert_eq!(h.state().engine.memory().computed, done, "nothing is computed again");
    assert!(h.try_run().is_ok(), "nothing asks for another frame");
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    assert!(h.state().engine.memory().answers.is_empty(), "its answers are gone with its tab");
}

/// Pictures of datasets to look at: `DATASETS='job8 job64' OUT=folder cargo test --lib dataset_pictures -- --ignored`.
#[test]
#[ignore = "writes pictures to look at"]
fn dataset_pictures() {
    let set = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("set {name}"));
    for name in set("DATASETS").split(' ') {
        for (theme, suffix) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
            for size in [vec2(1600.0, 1000.0), SIZE] {
                let mut app = App::headless();
                app.open_dataset(Path::new(name));
                let mut frame = std::time::Duration::ZERO;
                let image = render_to_image(size, 1.0, theme, 6, |ui| {
                    let begun = std::time::Instant::now();
                    app.logic(&ui.ctx().clone());
                    app.ui(ui);
                    frame = begun.elapsed();
                });
                for answer in app.engine.memory().answers {
                    println!("{name} {}: {:?}", answer.question, answer.time);
                }
                println!("{name}, a frame once all is there: {frame:?}");
                let short = Path::new(name).file_name().unwrap().to_string_lossy().into_owned();
                image.unwrap().save(format!("{}/{short}-{suffix}-{}.png", set("OUT"), size.x)).unwrap();
            }
        }
    }
}
