//! What a person does with the whole window, drawn without one.

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::*;
use crate::record::{self, Options, Work};

fn harness(app: App) -> Harness<'static, App> {
    testing::harness(app, egui::vec2(1024.0, 640.0))
}

fn picture(h: &mut Harness<'_, App>, name: &str) {
    if let Ok(folder) = std::env::var("OUT") {
        h.render().unwrap().save(format!("{folder}/{name}.png")).unwrap();
    }
}

/// A folder with the journal of a recording that nobody saved.
fn left_behind(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("inferscope-app-{}-{name}", std::process::id()));
    let work = Work::new("a long run", |_| {
        let _span = tracing::info_span!(target: "inferscope::test", "step").entered();
        Ok(())
    });
    let options = Options { journal: Some(folder.clone()), sample_hz: 0, ..Options::default() };
    record::record(work, options, Box::new(|_| ())).unwrap().join().unwrap();
    folder
}

#[test]
fn an_interrupted_recording_is_offered_and_opens_or_is_deleted() {
    for (label, opens) in [("Open it", true), ("Dismiss", false)] {
        let folder = left_behind(label);
        let settings = Settings { journal: Some(folder.clone()), ..Settings::default() };
        let mut app = App::headless();
        app.journals = journals::Journals::find(&settings);
        let mut h = harness(app);
        assert!(h.query_by_label_contains("The recording «a long run»").is_some());
        picture(&mut h, "interrupted");
        h.get_by_label(label).click();
        h.run_ok();
        assert!(h.query_by_label_contains("The recording «a long run»").is_none());
        if opens {
            let start = std::time::Instant::now();
            while h.state().active().is_none_or(|r| r.state != RunState::Ready) {
                assert!(start.elapsed() < std::time::Duration::from_secs(20));
                std::thread::sleep(std::time::Duration::from_millis(10));
                h.run_ok();
            }
            let profile = h.state().active().and_then(|r| r.profile.clone()).unwrap();
            assert_eq!((profile.meta.title.as_str(), profile.span_count()), ("a long run", 1));
        } else {
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_command_is_chosen_by_its_line() {
    let mut app = App::headless();
    let params = vec![("command".to_owned(), "python app.py --n 3".to_owned())];
    let settings = Settings { workload: Some(("command".into(), params)), ..Settings::default() };
    app.overlay = Overlay::Record(recorder::Chooser::new(&settings));
    let mut h = harness(app);
    for label in [
        "Command line",
        "Working directory",
        "Python profilers",
        "Samples per second",
        "Leave out prompts and answers",
    ] {
        assert!(h.query_all_by_label(label).next().is_some(), "{label}");
    }
    picture(&mut h, "chooser");
}

#[test]
fn the_record_dialog_says_why_it_cannot_start() {
    for (device, wrong) in [("auto", false), ("gpu", true)] {
        let mut app = App::headless();
        let params = vec![("device".to_owned(), device.to_owned())];
        let settings = Settings { workload: Some(("generate".into(), params)), ..Settings::default() };
        app.overlay = Overlay::Record(recorder::Chooser::new(&settings));
        let h = harness(app);
        assert_eq!(h.query_by_label("Device is auto, cpu, cuda or cuda:N").is_some(), wrong, "{device}");
        assert_eq!(h.get_by_label("Start recording").accesskit_node().is_disabled(), wrong);
    }
}

#[test]
fn a_slash_leads_to_the_search_and_the_palette_finds_what_is_typed() {
    let mut app = App::headless();
    app.add_profile("sample", None, Arc::new(crate::views::fixture::session()));
    let mut h = harness(app);
    // A letter is a key and a text, at once.
    let key = |key| egui::Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: egui::Modifiers::NONE,
    };
    h.input_mut().events.extend([key(egui::Key::Slash), egui::Event::Text("/".into())]);
    h.run_ok();
    h.event(egui::Event::Text("decode".into()));
    h.run_ok();
    assert_eq!(h.state().active().unwrap().history.now().search, "decode");
    h.key_press_modifiers(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::P);
    h.run_ok();
    // The text and Enter in one frame, as a slow machine sees them.
    h.input_mut().events.extend([egui::Event::Text("About".into()), key(egui::Key::Enter)]);
    h.run_ok();
    assert!(h.query_by_label_contains("licensed under MIT").is_some());
}

#[test]
fn without_file_dialogs_the_window_asks_for_a_path_itself() {
    let mut app = App::headless();
    app.add_profile("sample", None, Arc::new(crate::views::fixture::session()));
    let run = app.active().unwrap().id;
    let folder = std::env::temp_dir().join(format!("inferscope-app-{}-paths", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("run.inferscope");
    std::fs::write(&path, "something else").unwrap();
    let purpose = event::Purpose::Export { run, format: 0, sources: false };
    app.events.send(Event::NoDialog { purpose, suggested: path.to_string_lossy().into_owned() });
    let mut h = harness(app);
    assert!(h.query_by_label_contains("This system shows no file dialog").is_some());
    h.get_by_label("Save").click();
    h.run_ok();
    assert!(h.query_by_label_contains("is there already").is_some(), "nothing is written over unasked");
    picture(&mut h, "path");
    assert_eq!(std::fs::read(&path).unwrap(), b"something else");
    h.get_by_label("Replace").click();
    let start = std::time::Instant::now();
    while !h.state().note.as_ref().is_some_and(|n| n.text.starts_with("Saved")) {
        h.run_ok();
        assert!(start.elapsed().as_secs() < 60, "{:?}", h.state().note);
    }
    assert!(std::fs::read(&path).unwrap().len() > 1000);
    h.state_mut().act(Action::OpenPath, &egui::Context::default());
    h.run_ok();
    h.event(egui::Event::Text("/no/such/file".into()));
    h.run_ok();
    h.key_press(egui::Key::Enter);
    h.run_ok();
    assert!(h.query_by_label_contains("/no/such/file: is no file").is_some());
    std::fs::remove_dir_all(folder).unwrap();
}

/// An application with background work, as the window has it.
fn with_threads() -> App {
    let engine = Engine::new(Mode::Background, || ());
    App::with(engine, None, Settings::default(), None)
}

/// Draws frames until all questions are answered.
fn settle(h: &mut Harness<'_, App>) {
    let start = std::time::Instant::now();
    let mut calm = 0;
    while calm < 3 {
        h.step();
        let opening = h.state().session.runs.iter().any(|r| r.state == RunState::Loading);
        calm = if opening || h.state().engine.busy() > 0 { 0 } else { calm + 1 };
        assert!(start.elapsed().as_secs() < 60, "{:?}", h.state().engine.memory().running);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn run_of(app: &mut App, label: &str) -> (u32, std::sync::Weak<Profile>) {
    let profile = Arc::new(crate::views::fixture::session());
    let weak = Arc::downgrade(&profile);
    (app.add_profile(label, None, profile), weak)
}

#[test]
fn views_that_open_together_share_what_they_need() {
    let mut app = with_threads();
    let kinds: Vec<_> =
        ["summary", "functions", "calltree"].iter().filter_map(|id| crate::views::view(id)).collect();
    app.show_only(&kinds);
    run_of(&mut app, "sample");
    let mut h = harness(app);
    settle(&mut h);
    let memory = h.state().engine.memory();
    let of = |kind: &str| memory.answers.iter().filter(|a| a.question.starts_with(kind)).count();
    assert!(of("Summary") == 1 && of("FunctionList") == 1 && of("Rows") >= 1, "{:?}", memory.answers);
    assert_eq!((of("Shape"), of("Costs")), (1, 1), "one tree for all of them");
    assert_eq!(memory.computed, memory.answers.len() as u64, "every question was computed once: {memory:?}");
}

#[test]
fn a_closed_run_leaves_nothing_behind() {
    let mut app = with_threads();
    let (first, one) = run_of(&mut app, "one");
    let (second, two) = run_of(&mut app, "two");
    let mut h = harness(app);
    settle(&mut h);
    for run in [first, second, first] {
        h.state_mut().session.active = Some(run);
        settle(&mut h);
    }
    assert!(h.state().engine.memory().answers.iter().any(|a| a.run == second), "both are kept");
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    let start = std::time::Instant::now();
    while one.strong_count() > 0 {
        assert!(start.elapsed().as_secs() < 20, "{} hold the profile of a closed run", one.strong_count());
        h.step();
    }
    settle(&mut h);
    assert_eq!(h.state().session.active, Some(second));
    assert!(h.state().engine.memory().answers.iter().all(|a| a.run == second));
    // Opened again it is another run, and closed while its questions run it is as gone.
    let (again, third) = run_of(h.state_mut(), "one");
    h.step();
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    let start = std::time::Instant::now();
    while third.strong_count() > 0 {
        assert!(start.elapsed().as_secs() < 20, "{} hold the profile of a closed run", third.strong_count());
        h.step();
    }
    h.state_mut().on_event(Event::Revision { run: again, profile: two.upgrade().unwrap() });
    assert!(h.state().newer.is_empty(), "what comes late is dropped");
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    while two.strong_count() > 0 {
        assert!(start.elapsed().as_secs() < 20);
        h.step();
    }
    let memory = h.state().engine.memory();
    assert!(memory.answers.is_empty() && memory.profiles.is_empty() && memory.running.is_empty());
}

#[test]
fn the_window_lists_what_its_answers_take() {
    let mut app = with_threads();
    run_of(&mut app, "sample");
    let mut h = harness(app);
    settle(&mut h);
    h.key_press_modifiers(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::P);
    h.run_ok();
    h.event(egui::Event::Text("Show query memory".into()));
    h.run_ok();
    h.key_press(egui::Key::Enter);
    h.run_ok();
    assert!(h.query_by_label_contains("they keep the profile of sample r1").is_some());
    for column in ["Question", "Memory", "Time", "Hits"] {
        assert!(h.query_all_by_label(column).next().is_some(), "{column}");
    }
    assert!(
        h.query_all_by_label("sample r1").next().is_some() && h.query_all_by_label("shown").next().is_some()
    );
    picture(&mut h, "query-memory");
}
