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
