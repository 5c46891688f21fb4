use egui::accesskit::Role;
use egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::*;
use crate::model::{ProfileBuilder, RequestId};
use crate::state::Command;
use crate::views::fixture::{agent, session};
use crate::views::testing::{self, Stage, rows};

fn harness(profile: Profile) -> Harness<'static, Stage> {
    let mut h = testing::sized(Stage::new("trace", profile), vec2(1300.0, 900.0));
    h.run_ok();
    h
}

fn place(h: &Harness<'_, Stage>, text: &str) -> usize {
    rows(h).iter().position(|r| r.starts_with(text)).unwrap_or_else(|| panic!("no {text} in {:#?}", rows(h)))
}

#[test]
fn a_run_is_a_tree_that_opens_and_says_what_was_said() {
    let mut h = harness(agent(3));
    let all = rows(&h);
    assert!(all[0].starts_with("agent invoke_agent support: "), "{all:?}");
    assert!(all[1].starts_with("model chat gpt-4o-mini: ") && all[1].contains("tokens, $"), "{all:?}");
    assert!(all.iter().any(|r| r.starts_with("tool read_file") && r.ends_with("failed")), "{all:?}");
    let folded = all.len();
    // What lies between the tool and nothing below it.
    h.query_all_by(|n| n.label().is_some_and(|l| l == "… 3 ordinary spans of search_tickets"))
        .next()
        .unwrap()
        .click();
    h.run_ok();
    assert_eq!(rows(&h).len(), folded + 3);
    assert!(rows(&h).iter().any(|r| r.starts_with("span connect")));
    // A later call repeats what the ones before said.
    let told = "Show what was said in chat gpt-4o-mini";
    h.query_all_by(|n| n.label().is_some_and(|l| l == told)).last().unwrap().click();
    h.run_ok();
    let at = place(&h, "… 7 messages as before");
    assert!(rows(&h)[at + 1].starts_with("tool: Ticket 4102"), "{:?}", &rows(&h)[at..]);
    assert!(rows(&h)[at + 2].starts_with("answer: The update brought"), "{:?}", &rows(&h)[at..]);
    h.get_by_label("… 7 messages as before").click();
    h.run_ok();
    assert!(rows(&h)[place(&h, "hide 7 messages") + 1].starts_with("system: You look into"));
}

#[test]
fn keys_walk_open_and_close_and_the_selection_is_shared() {
    let mut h = harness(agent(3));
    h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("agent invoke_agent")))
        .next()
        .unwrap()
        .click();
    h.run_ok();
    let selected = |h: &Harness<'_, Stage>| h.state().now().selection.clone();
    assert!(matches!(selected(&h), Some(Item::Span(_))));
    let press = |h: &mut Harness<'_, Stage>, key| {
        h.key_press_modifiers(Modifiers::NONE, key);
        h.run_ok();
    };
    press(&mut h, Key::ArrowDown);
    let first = Item::of_request(RequestId(0), h.state().subject.profile());
    assert_eq!(selected(&h), Some(first));
    press(&mut h, Key::Enter);
    assert!(rows(&h).iter().any(|r| r.starts_with("answer: I look at")), "{:?}", rows(&h));
    press(&mut h, Key::ArrowLeft);
    press(&mut h, Key::ArrowLeft);
    assert_eq!(rows(&h).len(), 1, "the run is closed: {:?}", rows(&h));
    press(&mut h, Key::ArrowRight);
    assert!(rows(&h).len() > 10);
}

#[test]
fn a_sequence_selects_what_is_clicked() {
    let profile = agent(3);
    let mut h = harness(profile);
    h.state_mut().view.load(&serde_json::json!({ "mode": "sequence" }));
    let run = h.state().subject.profile().clone();
    h.state_mut().send(Command::Select(Some(Item::of_request(RequestId(1), &run))));
    h.run_ok();
    let all = rows(&h);
    for wanted in
        ["attempt 1", "HTTP 429: rate limit · 120", "back-off · 400", "first token · ", "last token · "]
    {
        assert!(all.iter().any(|r| r.starts_with(wanted)), "{wanted}: {all:#?}");
    }
    assert!(h.query_by_label("Lifeline gpt-4o-mini").is_some());
    // Of the whole run its tools take part.
    let root = Item::of_span(crate::model::TrackId(0), 0, &run);
    h.state_mut().send(Command::Select(root));
    h.run_ok();
    h.query_all_by(|n| n.role() == Role::Row && n.label().is_some_and(|l| l == "search_tickets"))
        .next()
        .unwrap()
        .click();
    h.run_ok();
    let span = h.state().now().selection.as_ref().and_then(|item| item.span(&run));
    let (track, row) = span.expect("a tool");
    assert_eq!(run.function_name(run.track(track).spans.rows[row as usize].function), "search_tickets");
}

#[test]
fn what_is_selected_elsewhere_is_found_and_empty_files_say_what_is_missing() {
    let mut h = harness(session());
    let run = h.state().subject.profile().clone();
    h.state_mut().send(Command::Select(Some(Item::of_request(RequestId(7), &run))));
    h.run_ok();
    assert!(rows(&h)[0].starts_with("model req-07: "), "{:?}", rows(&h));
    assert!((KIND.needs)(&ProfileBuilder::new("x").finish()).unwrap_err().contains("language model"));
}

#[test]
fn markdown_and_text_hold_the_steps_and_what_is_opened() {
    let profile = Arc::new(agent(2));
    let run = crate::query::Run::of(profile.clone());
    let which = traces::of_span(&profile, (crate::model::TrackId(0), 0)).unwrap();
    let tree = crate::analysis::testing::ask(&run, &TraceOf { which, prices: Default::default() });
    let mut folds = Folds::default();
    let chat = tree.steps.iter().find(|s| s.request.is_some()).unwrap();
    folds.told.insert(chat.key);
    let listed = Listed::of(&profile, &tree, &folds, &|_, _| 20.0);
    let markdown = copy::text(&profile, None, &tree, &listed, Form::Markdown);
    let lines: Vec<&str> = markdown.lines().collect();
    assert!(lines[0].starts_with("- agent invoke\\_agent support: "), "{markdown}");
    assert!(lines.iter().any(|l| l.trim() == "> Why does the export button do nothing since the update?"));
    let text = copy::text(&profile, None, &tree, &listed, Form::Text);
    assert!(text.lines().next().is_some_and(|l| l.ends_with(", 1 span between")), "{text}");
}

/// A run of 10,000 steps: what is seen is drawn, and nothing is made anew while nobody changes anything.
#[test]
fn of_many_steps_only_the_seen_ones_are_drawn() {
    let mut h = harness(agent(1400));
    let tree_steps = h.state().subject.profile().span_count();
    assert!(tree_steps > 10_000, "{tree_steps}");
    assert!(rows(&h).len() < 60, "{}", rows(&h).len());
    let last = RequestId::from_index(h.state().subject.profile().requests.rows.len() - 1);
    let run = h.state().subject.profile().clone();
    h.state_mut().send(Command::Select(Some(Item::of_request(last, &run))));
    h.run_ok();
    assert!(rows(&h).iter().any(|r| r.starts_with("model chat gpt-4o-mini")), "{:?}", rows(&h));
}

#[test]
fn two_runs_stand_beside_each_other() {
    let mut h = testing::harness(Stage::pair("trace", Arc::new(agent(2)), Arc::new(agent(3))));
    h.run_ok();
    let all: Vec<String> =
        h.query_all_by_role(Role::Row).filter_map(|n| n.accesskit_node().label()).collect();
    assert!(all[0].starts_with("agent invoke_agent support, base "), "{all:?}");
    assert!(all[0].contains(", change +"), "{all:?}");
    assert!(all.iter().any(|r| r.contains("base –")), "a step that only head has: {all:?}");
    h.query_all_by_role(Role::Row).nth(1).unwrap().click();
    h.run_ok();
    assert!(matches!(h.state().now().selection, Some(Item::Request(_))));
}

#[test]
fn pictures() {
    let mut stage = Stage::new("trace", agent(20));
    stage.pictures("trace");
    stage.view.load(&serde_json::json!({ "mode": "sequence" }));
    stage.pictures("trace-sequence");
    let run = stage.subject.profile().clone();
    stage.send(Command::Select(Some(Item::of_request(RequestId(1), &run))));
    stage.pictures("trace-sequence-request");
}
