//! What a person does with the whole window, drawn without one.

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::recorder::What;
use super::testing::{picture, wait};
use super::*;
use crate::query::RunId;
use crate::record::{self, Options, Work};

fn harness(app: App) -> Harness<'static, App> {
    testing::harness(app, egui::vec2(1024.0, 640.0))
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

/// Frames until `ready` says so: journals on the start page and a folder for them.
fn with_journals(folder: &Path) -> App {
    let mut app = App::headless();
    app.settings.journal = Some(folder.to_owned());
    app.journals = journals::Journals::find(&app.settings);
    app
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn an_unsaved_recording_is_offered_and_opens_or_is_deleted() {
    for (label, opens) in [("a long run", true), ("Delete", false)] {
        let folder = left_behind(label);
        let mut h = harness(with_journals(&folder));
        assert!(h.query_by_label("Unsaved recordings").is_some());
        picture(&mut h, "unsaved");
        h.get_by_label(label).click();
        h.run_ok();
        assert!(h.query_by_label("Unsaved recordings").is_none());
        if opens {
            wait(&mut h, "it opens", |app| app.active().is_some_and(|r| r.state == RunState::Ready));
            let profile = h.state().active().and_then(|r| r.profile.clone()).unwrap();
            assert_eq!((profile.meta.title.as_str(), profile.span_count()), ("a long run", 1));
            assert!(h.query_by_label_contains("a long run ●").is_some(), "its tab has the mark");
            // Closed without having been saved, it is offered again.
            h.state_mut().act(Action::CloseRun, &egui::Context::default());
            h.run_ok();
            assert!(h.query_by_label("Unsaved recordings").is_some());
        } else {
            assert_eq!(files(&folder), 0);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// A window with a recording of `workload` that has ended.
fn recorded(folder: &Path, workload: &str, params: &[(&str, &str)]) -> Harness<'static, App> {
    let mut h = harness(with_journals(folder));
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    h.state_mut().start_recording(What::here(workload, params));
    h.run_ok();
    wait(&mut h, "the recording ends", |app| app.active().is_some_and(|r| r.state == RunState::Ready));
    h
}

#[test]
fn closing_never_loses_a_recording_and_saving_removes_its_journal() {
    let folder = std::env::temp_dir().join(format!("inferscope-app-{}-closing", std::process::id()));
    let short = [("scale", "0.001")];
    // The tab.
    let mut h = recorded(&folder, "asyncio", &short);
    picture(&mut h, "unsaved-tab");
    assert!(h.query_by_label_contains("●").is_some());
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    h.run_ok();
    assert!(h.query_by_label("Unsaved recordings").is_some() && files(&folder) == 1);
    // The window, also while it records.
    let mut h = recorded(&folder, "asyncio", &short);
    h.state_mut().end();
    let mut h = harness(with_journals(&folder));
    h.state_mut().start_recording(What::here("asyncio", vec![("scale".into(), "50".into())]));
    wait(&mut h, "it records", |app| app.active().is_some_and(|r| r.profile.is_some()));
    h.state_mut().end();
    drop(h);
    assert_eq!(files(&folder), 3);
    // The tab of a recording that runs: it is stopped and kept.
    let mut h = harness(with_journals(&folder));
    h.state_mut().start_recording(What::here("asyncio", vec![("scale".into(), "50".into())]));
    wait(&mut h, "it records", |app| app.active().is_some_and(|r| r.profile.is_some()));
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    wait(&mut h, "it is stopped", |app| app.recording.is_none());
    h.run_ok();
    assert_eq!(files(&folder), 4);
    for found in record::journal::unsaved(&folder) {
        assert!(found.ended, "{found:?}");
        let input = Input::Path(found.path);
        assert!(crate::import::open_whole(&input, &Job::new()).unwrap().span_count() > 0);
    }
    // A saved one has none.
    let mut h = recorded(&folder, "asyncio", &short);
    assert_eq!(files(&folder), 5);
    let run = h.state().active().unwrap().id;
    let session = folder.join("saved.inferscope");
    h.state_mut().export_to(run, (0, false), session.clone());
    wait(&mut h, "it is saved", |app| app.note.as_ref().is_some_and(|n| n.text.starts_with("Saved")));
    assert!(session.exists() && files(&folder) == 5, "the session is there and its journal is not");
    assert!(h.query_by_label_contains("●").is_none());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_recording_of_another_process_is_followed_to_its_end() {
    let folder = std::env::temp_dir().join(format!("inferscope-app-{}-follow", std::process::id()));
    let (go, end) = mpsc::channel::<()>();
    let work = Work::new("elsewhere", move |_| {
        drop(tracing::info_span!(target: "inferscope::test", "first").entered());
        let _ = end.recv();
        drop(tracing::info_span!(target: "inferscope::test", "second").entered());
        Ok(())
    });
    let options = Options { journal: Some(folder.clone()), sample_hz: 0, ..Options::default() };
    let recording = record::record(work, options, Box::new(|_| ())).unwrap();
    while recording.journal().is_none_or(|j| j.path().metadata().unwrap().len() == 0) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut h = harness(App::headless());
    let path = recording.journal().unwrap().path().to_owned();
    h.state_mut().open_path(&path);
    let spans = |app: &App| app.active().and_then(|r| r.profile.as_ref()).map_or(0, |p| p.span_count());
    wait(&mut h, "its first span", |app| spans(app) == 1);
    assert_eq!(h.state().active().unwrap().state, RunState::Live);
    go.send(()).unwrap();
    recording.join().unwrap();
    wait(&mut h, "its end", |app| app.active().is_some_and(|r| r.state == RunState::Ready));
    assert_eq!(spans(h.state()), 2);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn unsaved_recordings_are_bounded_by_bytes_and_the_newest_stays() {
    let folder = left_behind("bounded");
    for _ in 0..3 {
        left_behind("bounded");
    }
    let found = record::journal::unsaved(&folder);
    assert_eq!(found.len(), 4);
    let mut app = with_journals(&folder);
    app.settings.set_unsaved_bytes(found[0].bytes + found[1].bytes);
    app.journals = journals::Journals::find(&app.settings);
    assert_eq!(record::journal::unsaved(&folder), found[..2]);
    app.settings.set_unsaved_bytes(1);
    app.journals = journals::Journals::find(&app.settings);
    assert_eq!(record::journal::unsaved(&folder), found[..1]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_failed_recording_says_so_in_red_and_why() {
    let folder = std::env::temp_dir().join(format!("inferscope-app-{}-failed", std::process::id()));
    let mut h = recorded(&folder, "asyncio", &[("scale", "0.001"), ("fault", "true")]);
    assert!(h.query_by_label_contains("failed ●").is_some(), "its tab");
    let why = "The recorded program failed: NameError: name 'processed' is not defined";
    assert_eq!(h.query_all_by_label(why).count(), 2, "above the views and in the last line");
    assert_eq!(h.state().note.as_ref().map(|n| n.tone), Some(Tone::Bad));
    picture(&mut h, "failed");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_command_is_chosen_by_its_line() {
    let mut app = App::headless();
    let params = vec![("command".to_owned(), "python app.py --n 3".to_owned())];
    let settings = Settings { workload: Some(("command".into(), params)), ..Settings::default() };
    app.overlay = Overlay::Record(record_dialog::Chooser::new(&settings));
    let mut h = harness(app);
    for label in ["Command line", "Working directory", "Python profilers", "Leave out prompts and answers"] {
        assert!(h.query_all_by_label(label).next().is_some(), "{label}");
    }
    picture(&mut h, "chooser");
    assert!(h.query_by_label("Samples per second").is_none(), "what few people set is folded");
    h.get_by_label("More settings").click();
    h.run();
    for label in ["Stacks a second", "Asyncio tasks", "Samples per second"] {
        assert!(h.query_all_by_label(label).next().is_some(), "{label}");
    }
    picture(&mut h, "chooser_more");
}

#[test]
fn a_command_that_cannot_be_found_cannot_be_started() {
    for (line, why) in [
        ("", "Command line: name the program to run"),
        ("no_such_program_here --n 3", "there is no program «no_such_program_here»"),
        ("sh -c 'echo", "the command line lacks a closing '"),
        ("sh -c exit", ""),
    ] {
        let params = vec![("command".to_owned(), line.to_owned())];
        let settings = Settings { workload: Some(("command".into(), params)), ..Settings::default() };
        let mut app = App::headless();
        app.overlay = Overlay::Record(record_dialog::Chooser::new(&settings));
        let h = harness(app);
        assert_eq!(
            h.get_by_label("Start recording").accesskit_node().is_disabled(),
            !why.is_empty(),
            "{line}"
        );
        assert!(why.is_empty() || h.query_by_label(why).is_some(), "{why}");
    }
}

#[test]
fn the_record_dialog_says_why_it_cannot_start() {
    for (device, wrong) in [("auto", false), ("gpu", true)] {
        let mut app = App::headless();
        let params = vec![("device".to_owned(), device.to_owned())];
        let settings = Settings { workload: Some(("generate".into(), params)), ..Settings::default() };
        app.overlay = Overlay::Record(record_dialog::Chooser::new(&settings));
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

/// A window with a file.
fn with_file(name: &str) -> Harness<'static, App> {
    let mut app = App::headless();
    app.open_path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles").join(name));
    let mut h = harness(app);
    wait(&mut h, "it opens", |app| app.active().is_some_and(|r| r.state == RunState::Ready));
    h
}

/// The text that a field shows.
fn field(h: &Harness<'_, App>, label: &str) -> String {
    let role = if label == "Answer" { egui::Role::MultilineTextInput } else { egui::Role::TextInput };
    h.get_by_role_and_label(role, label).value().unwrap_or_default()
}

#[test]
fn the_palette_asks_the_questions_of_the_terminal_about_what_is_selected_or_typed() {
    let mut h = with_file("pstats/workload-py311.prof");
    let profile = h.state().active().and_then(|r| r.profile.clone()).unwrap();
    let f = profile.functions.ids().find(|&f| profile.function_name(f) == "_iterencode_dict").unwrap();
    h.state_mut().command(Command::Select(Some(crate::state::Item::of_function(f, &profile))));
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::K);
    h.run_ok();
    picture(&mut h, "ask-palette");
    h.event(egui::Event::Text("callers".into()));
    h.run_ok();
    assert!(h.query_by_label("callers _iterencode_dict").is_some(), "the selected function is filled in");
    h.key_press(egui::Key::Enter);
    h.run_ok();
    wait(&mut h, "the answer", |app| app.answer.as_ref().is_some_and(answer::Answer::is_there));
    let said = field(&h, "Answer");
    assert!(said.starts_with("_iterencode_dict ") && said.contains("callers: calls"), "{said}");
    picture(&mut h, "ask-answer");
    h.get_by_label("Copy answer").click();
    let copies = |c: &egui::OutputCommand| matches!(c, egui::OutputCommand::CopyText(text) if *text == said);
    let copied = (0..4).any(|_| {
        h.step();
        h.output().platform_output.commands.iter().any(copies)
    });
    assert!(copied);
    h.run_ok();
    // Another function, typed; then the view that shows the same.
    h.state_mut().act(Action::Palette, &egui::Context::default());
    h.run_ok();
    h.event(egui::Event::Text("callers dumps --top 3".into()));
    h.run_ok();
    h.key_press(egui::Key::Enter);
    h.run_ok();
    wait(&mut h, "the answer", |app| app.answer.as_ref().is_some_and(answer::Answer::is_there));
    assert!(field(&h, "Answer").starts_with("dumps "), "{}", field(&h, "Answer"));
    let kind = crate::views::view("callers").unwrap();
    h.get_by_label(&format!("Show in {}", kind.title)).click();
    h.run_ok();
    assert!(h.state_mut().panes_mut().in_front().contains(&kind.id.to_owned()));
    let selected = h.state().session.now().unwrap().selection.clone().unwrap();
    assert_eq!(profile.function_name(selected.function(&profile).unwrap()), "dumps");
    // The line can be changed; what is wrong is said in its window.
    h.state_mut().ask_line("callers no_such_function".into());
    h.run_ok();
    wait(&mut h, "the refusal", |app| app.answer.as_ref().is_some_and(answer::Answer::is_there));
    assert!(field(&h, "Answer").contains("no_such_function"), "{}", field(&h, "Answer"));
    h.state_mut().ask_line("host".into());
    h.run_ok();
    assert!(field(&h, "Answer").contains("there are summary, hot"));
}

#[test]
fn a_question_of_the_palette_is_about_the_time_and_threads_that_are_looked_at() {
    let mut app = App::headless();
    app.add_profile("sample", None, Arc::new(crate::views::fixture::session()));
    let profile = app.active().and_then(|r| r.profile.clone()).unwrap();
    let track = profile.track_ids().next().unwrap();
    app.command(Command::SetRange(Some((1_000_000, 5_500_000))));
    app.command(Command::SetTracks(vec![profile.keys().track_key(track)]));
    let of = |name, rest| app.line_of(crate::questions::question(name).unwrap(), rest);
    assert_eq!(of("hot", ""), format!("hot --thread t{} --range 1ms..5.5ms", track.0));
    assert_eq!(
        of("hot", "decode --range 0s..1s"),
        format!("hot decode --range 0s..1s --thread t{}", track.0)
    );
    assert!(!app.can_ask(crate::questions::question("diff").unwrap()), "there is one run");
    for q in crate::questions::QUESTIONS {
        let line = of(q.name, "");
        assert!(crate::questions::typed(&line).is_ok(), "{line}");
    }
}

#[test]
fn the_guide_opens_turns_to_what_is_searched_and_to_what_a_link_names() {
    let mut app = App::headless();
    app.add_profile("sample", None, Arc::new(crate::views::fixture::session()));
    let mut h = harness(app);
    h.key_press(egui::Key::F1);
    h.run_ok();
    assert!(h.query_by_label("From Python's index").is_some());
    h.get_by_role_and_label(egui::Role::Link, "Python").click();
    h.run_ok();
    assert!(h.query_by_label("Spans of your own").is_some());
    let field = h.get_by_role_and_label(egui::Role::TextInput, "Search the guide");
    field.focus();
    h.run_ok();
    h.event(egui::Event::Text("KCachegrind".into()));
    h.run_ok();
    assert!(h.query_by_label("Installing").is_none() && h.query_by_label_contains("Numbers (").is_some());
    picture(&mut h, "guide");
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
    assert!(h.query_by_label_contains("/no/such/file: is no file or folder").is_some());
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

fn run_of(app: &mut App, label: &str) -> (RunId, std::sync::Weak<Profile>) {
    let profile = Arc::new(crate::views::fixture::session());
    let weak = Arc::downgrade(&profile);
    (app.add_profile(label, None, profile), weak)
}

fn about(answer: &crate::query::KeptAnswer, run: RunId) -> bool {
    answer.about.revisions().any(|(id, _)| id == run)
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
    assert!(h.state().engine.memory().answers.iter().any(|a| about(a, second)), "both are kept");
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    let start = std::time::Instant::now();
    while one.strong_count() > 0 {
        assert!(start.elapsed().as_secs() < 20, "{} hold the profile of a closed run", one.strong_count());
        h.step();
    }
    settle(&mut h);
    assert_eq!(h.state().session.active, Some(second));
    assert!(h.state().engine.memory().answers.iter().all(|a| about(a, second)));
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

#[test]
fn a_run_is_compared_with_the_baseline_and_shown() {
    let mut app = with_threads();
    let (base, weak) = run_of(&mut app, "before");
    let mut h = harness(app);
    settle(&mut h);
    h.key_press_modifiers(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::P);
    h.run_ok();
    h.event(egui::Event::Text("Set as baseline".into()));
    h.run_ok();
    h.key_press(egui::Key::Enter);
    h.run_ok();
    let (head, _) = run_of(h.state_mut(), "after");
    settle(&mut h);
    let pair = h.state().session.subject().and_then(|s| s.pair().cloned()).expect("a pair");
    assert_eq!((pair.base.id, pair.head.id), (base, head));
    // What no view compares yet is shown of the head; the base can be asked like any run.
    assert!(h.state().engine.memory().answers.iter().any(|a| about(a, head)));
    let query = crate::analysis::matches::MatchQuery;
    let matches = h.state().engine.now(&pair, &query, &Job::new()).unwrap();
    assert_eq!(matches.len(), pair.base.profile.functions.len(), "both are the same program");
    drop((pair, matches));
    h.state_mut().session.active = Some(base);
    h.state_mut().act(Action::CloseRun, &egui::Context::default());
    let start = std::time::Instant::now();
    while weak.strong_count() > 0 {
        assert!(start.elapsed().as_secs() < 20, "{} hold the profile of a closed run", weak.strong_count());
        h.step();
    }
    assert!(h.state().session.subject().is_some_and(|s| s.pair().is_none()));
    assert!(!h.state().can(Action::StopComparing));
}

#[test]
fn a_thing_is_recorded_several_times_and_both_series_are_compared() {
    let folder = std::env::temp_dir().join(format!("inferscope-app-{}-series", std::process::id()));
    let mut h = harness(with_journals(&folder));
    let params = vec![("scale".to_owned(), "0.001".to_owned())];
    let ready = |app: &App, n: usize| {
        let runs = &app.session.runs;
        runs.len() == n && runs.iter().all(|r| r.state == RunState::Ready) && app.recording.is_none()
    };
    h.state_mut().start_series(What::here("asyncio", params), 2, None);
    wait(&mut h, "two runs", |app| ready(app, 2));
    let said = h.state().note.as_ref().map(|n| n.text.clone()).unwrap_or_default();
    assert!(said.starts_with("Recorded 2 runs: elapsed") && said.contains("median"), "{said}");
    h.state_mut().record_again();
    wait(&mut h, "two more", |app| ready(app, 4));
    assert!(h.query_by_label("Compare as new run").is_some(), "it is offered");
    h.get_by_label("Compare as new run").click();
    h.run_ok();
    let pair = h.state().session.subject().and_then(|s| s.pair().cloned()).expect("a pair");
    assert_eq!(pair.counts(), [2, 2]);
    assert!(h.query_by_label_contains("2 + 2 runs: cannot tell").is_some(), "Summary says what they tell");
    picture(&mut h, "series");
    h.state_mut().swap_runs();
    let [base, head] = [pair.base.id, pair.head.id];
    let session = &h.state().session;
    assert_eq!((session.baseline(), session.active), (Some(head), Some(base)));
    assert_eq!(
        session.baselines().map(|r| r.id).collect::<Vec<_>>(),
        [head],
        "turned round there is one baseline"
    );
    let other = session.runs[0].id;
    h.state_mut().session.set_baseline(Some(other));
    h.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::X);
    h.run_ok();
    assert_eq!(h.state().session.baseline(), Some(head), "of two baselines the next one");
    drop(h);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_window_comes_to_rest_whatever_its_answers_weigh() {
    for budget in [0, 20_000] {
        let engine = Engine::within(budget, Mode::Background, || (), || ());
        let mut app = App::with(engine, None, Settings::default(), None);
        run_of(&mut app, "sample");
        let mut h = harness(app);
        settle(&mut h);
        let done = h.state().engine.memory().computed;
        // Other panes take their turn, and these come back.
        for place in (0..crate::views::VIEWS.len()).chain(0..crate::views::VIEWS.len()) {
            h.state_mut().act(Action::Show(place), &egui::Context::default());
            settle(&mut h);
        }
        let all = h.state().engine.memory();
        assert!(done > 0 && all.computed > done && all.running.is_empty());
        for _ in 0..20 {
            h.step();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let after = h.state().engine.memory();
        assert_eq!((after.computed, after.running.len()), (all.computed, 0), "nothing is computed again");
        assert!(h.try_run().is_ok(), "nothing asks for another frame");
        assert!(h.query_by_label_contains("Computing").is_none());
    }
}

#[test]
fn only_a_session_that_was_read_whole_is_saved_over_itself() {
    let folder = std::env::temp_dir().join(format!("inferscope-app-{}-itself", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (trace, session) = (folder.join("t.json"), folder.join("t.inferscope"));
    let text = r#"{"traceEvents":[{"ph":"X","name":"a","ts":0,"dur":5,"pid":1,"tid":1,"args":{"n":1}}]}"#;
    std::fs::write(&trace, text).unwrap();
    let mut h = harness(App::headless());
    let mut save = |open: &Path, to: &Path| -> String {
        h.state_mut().open_path(open);
        wait(&mut h, "it is read", |app| app.active().is_some_and(|r| r.state == RunState::Ready));
        let run = h.state().active().unwrap().id;
        h.state_mut().note = None;
        h.state_mut().export_to(run, (0, false), to.to_owned());
        wait(&mut h, "it is said", |app| app.note.is_some());
        let note = h.state().note.as_ref().unwrap().text.clone();
        h.state_mut().act(Action::CloseRun, &egui::Context::default());
        note
    };
    assert!(save(&trace, &trace).contains("name another file"));
    assert!(save(&trace, &session).starts_with("Saved"));
    assert!(save(&session, &session).starts_with("Saved"), "a session over itself");
    assert!(save(&session, &trace).contains("name another file"), "its arguments are there");
    assert_eq!(std::fs::read_to_string(&trace).unwrap(), text);
    std::fs::remove_dir_all(folder).unwrap();
}
