//! A client at the socket of a window, which is drawn without one.

use std::sync::mpsc;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use serde_json::{Value, json};

use super::super::testing::{harness, picture, wait};
use super::super::{Action, App};
use super::Request;
use crate::state::{Command, Item};

fn sample(name: &str) -> String {
    format!("{}/sample_profiles/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn window() -> Harness<'static, App> {
    let mut app = App::headless();
    app.open_path(sample("pstats/workload-py311.prof").as_ref());
    let mut h = harness(app, egui::vec2(1024.0, 640.0));
    wait(&mut h, "it opens", |app| app.active().is_some_and(|r| r.profile.is_some()));
    h
}

/// What the window answers.
fn ask(h: &mut Harness<'_, App>, message: Value) -> Result<Value, String> {
    let (reply, answer) = mpsc::channel();
    h.state_mut().heard(Request::Do { message, reply });
    let start = std::time::Instant::now();
    loop {
        h.run_ok();
        match answer.try_recv() {
            Ok(answer) => return answer,
            Err(_) => assert!(start.elapsed().as_secs() < 60, "no answer"),
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn an_agent_in_another_folder_is_told_where_a_file_lies() {
    let mut app = App::headless();
    app.open_path("sample_profiles/pstats/workload-py311.prof".as_ref());
    let mut h = harness(app, egui::vec2(1024.0, 640.0));
    wait(&mut h, "it opens", |app| app.active().is_some_and(|r| r.profile.is_some()));
    let shown = ask(&mut h, json!({ "shown": {} })).unwrap();
    let path = std::path::absolute("sample_profiles/pstats/workload-py311.prof").unwrap();
    assert_eq!(shown["runs"][0]["path"].as_str(), path.to_str());
}

#[test]
fn what_an_agent_shows_is_one_step_and_one_undo_takes_it_back() {
    let mut h = window();
    let profile = h.state().active().and_then(|r| r.profile.clone()).unwrap();
    let own = profile.functions.ids().find(|&f| profile.function_name(f) == "dumps").unwrap();
    h.state_mut().command(Command::Select(Some(Item::of_function(own, &profile))));
    let before = ask(&mut h, json!({ "shown": {} })).unwrap();
    assert!(before["selection"].as_str().unwrap().starts_with("function dumps "), "{before}");
    assert_eq!((before["shown"].as_u64(), before["base"].as_u64()), (Some(0), None));
    let wanted = json!({
        "file": sample("pstats/workload-py313.prof"), "base": sample("pstats/workload-py311.prof"),
        "select": "iterencode", "search": "encode", "view": "callers",
    });
    let shown = ask(&mut h, json!({ "show": wanted })).unwrap();
    assert_eq!((shown["shown"].as_u64(), shown["base"].as_u64()), (Some(1), Some(0)), "{shown}");
    assert_eq!((&shown["views"][0], &shown["search"]), (&json!("callers"), &json!("encode")), "{shown}");
    assert!(shown["selection"].as_str().unwrap().contains("function iterencode "), "{shown}");
    picture(&mut h, "agent-shows");
    // The mark says who did that, and one undo takes back all of it.
    assert!(h.query_by_label("Undo what an agent showed (Ctrl-Z)").is_some());
    h.state_mut().act(Action::Undo, &egui::Context::default());
    h.run_ok();
    let after = ask(&mut h, json!({ "shown": {} })).unwrap();
    for key in ["selection", "search", "shown", "base", "views"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert!(h.query_by_label("Undo (Ctrl-Z)").is_some());
    h.state_mut().act(Action::Redo, &egui::Context::default());
    h.run_ok();
    let again = ask(&mut h, json!({ "shown": {} })).unwrap();
    for key in ["selection", "search", "shown", "base"] {
        assert_eq!(again[key], shown[key], "{key}");
    }
    // What the person does then is a step of its own.
    h.state_mut().act(Action::Undo, &egui::Context::default());
    h.state_mut().act(Action::Undo, &egui::Context::default());
    h.run_ok();
    assert!(h.state().session.now().unwrap().selection.is_none());
}

#[test]
fn names_times_and_views_that_do_not_exist_change_nothing() {
    let mut h = window();
    let before = ask(&mut h, json!({ "shown": {} })).unwrap();
    for (wanted, says) in [
        (json!({ "show": { "select": "__init__" } }), "by its handle"),
        (json!({ "show": { "select": "no_such_name_at_all" } }), "no_such_name"),
        (json!({ "show": { "range": "yesterday" } }), "no time"),
        (json!({ "show": { "view": "kitchen" } }), "there are summary"),
        (json!({ "show": { "file": "/no/such/file" } }), "cannot be read"),
        (json!({ "show": { "file": sample("README.md") } }), "README.md"),
        (json!({ "show": { "base": sample("pstats/workload-py311.prof") } }), "with itself"),
        (json!({ "show": { "colour": "red" } }), "colour"),
        (json!({ "show": [1] }), "show"),
        (json!({ "quit": true }), "show and shown"),
        (json!(7), "show and shown"),
    ] {
        let why = ask(&mut h, wanted.clone()).expect_err(&wanted.to_string());
        assert!(why.contains(says), "{wanted}: {why}");
    }
    let after = ask(&mut h, json!({ "shown": {} })).unwrap();
    for key in ["selection", "search", "shown", "base", "views", "range"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert!(!h.state().can(Action::Undo));
}

#[cfg(unix)]
#[test]
fn a_window_listens_only_while_it_is_switched_on_and_shows_who_is_there() {
    use super::{Client, Lost};
    use crate::jobs::Job;
    let mut h = window();
    assert!(h.query_by_label("agents").is_none() && h.state().agents.clients().is_none());
    h.state_mut().act(Action::Agents(true), &egui::Context::default());
    h.run_ok();
    assert!(h.query_by_label("agents").is_some() && h.state().settings.agents);
    let (said, client) = mpsc::channel();
    std::thread::spawn(move || {
        let mut client = Client::connect().unwrap();
        let answer = client.ask(&json!({ "shown": {} }), &Job::new());
        said.send((client, answer)).unwrap();
    });
    let mut came = None;
    wait(&mut h, "the client is answered", |_| {
        came = came.take().or_else(|| client.try_recv().ok());
        came.is_some()
    });
    let (mut client, answer) = came.unwrap();
    assert_eq!(answer.unwrap()["runs"][0]["name"], "workload-py311.prof");
    assert!(h.query_by_label("agent connected").is_some());
    picture(&mut h, "agent-connected");
    h.state_mut().act(Action::Agents(false), &egui::Context::default());
    h.run_ok();
    assert!(h.query_by_label("agent connected").is_none());
    assert!(matches!(client.ask(&json!({ "shown": {} }), &Job::new()), Err(Lost::Gone | Lost::Said(_))));
}
