use std::sync::Arc;

use super::*;
use crate::model::{
    ArgsRef, FunctionSpec, Instant, Profile, ProfileBuilder, Request, RequestId, Severity, TrackId,
    TrackKind, TrackSpec,
};
use crate::views::fixture::session;
use crate::views::testing::{Stage, sized};
use egui_kittest::{Harness, kittest::Queryable};

fn harness(stage: Stage) -> Harness<'static, Stage> {
    sized(stage, vec2(340.0, 2400.0))
}

fn selected(item: Item) -> Stage {
    let mut stage = Stage::new("details", session());
    stage.send(Command::Select(Some(item)));
    stage
}

/// A decode step of a request.
fn a_span(stage: &Stage) -> Item {
    let p = stage.subject.profile();
    let track = p.track_ids().find(|&t| p.track(t).kind == TrackKind::Task).unwrap();
    let rows = &p.track(track).spans.rows;
    let row = rows.iter().position(|s| p.function_name(s.function) == "attention").unwrap();
    Item::of_span(track, row as u32, p).unwrap()
}

#[test]
fn a_span_leads_to_its_parents_and_its_function() {
    let mut stage = Stage::new("details", session());
    let span = a_span(&stage);
    stage.send(Command::Select(Some(span)));
    let mut h = harness(stage);
    h.run();
    assert!(h.query_by_label_contains("Self: ").is_some());
    h.get_by_label("path handle_request").click();
    h.run();
    assert!(h.query_by_label_contains("request: req-").is_some(), "arguments of the parent");
    assert!(h.query_by_label_contains("spawn from: ").is_some(), "the link that started it");
    h.get_by_label("Function: handle_request").click();
    h.run();
    assert!(matches!(h.state().now().selection, Some(Item::Function(_))));
    assert!(h.query_by_label("n 20").is_some(), "durations of all calls");
    h.get_by_label("Go to the longest call").click();
    h.run();
    assert!(matches!(h.state().now().selection, Some(Item::Span(_))));
}

#[test]
fn what_the_pointer_is_on_is_shown_until_something_is_selected() {
    let mut stage = Stage::new("details", session());
    let request = Item::of_request(RequestId(3), stage.subject.profile());
    stage.hover = Some(request.clone());
    let mut h = harness(stage);
    h.step();
    // The harness has taken the hover of its own first frame; give it back.
    h.state_mut().hover = Some(request);
    h.step();
    assert!(h.query_by_label_contains("Request under the pointer").is_some());
    h.run();
    assert!(h.query_by_label("Nothing selected").is_some());
}

#[test]
fn values_are_copied_one_by_one_and_all_together() {
    let mut h = harness(selected(Item::of_request(RequestId(0), &session())));
    h.run();
    let ttft = h.state().subject.profile().requests.rows[0].ttft().unwrap();
    let node = h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("TTFT: "))).next().unwrap();
    node.click();
    let copied = (0..6).find_map(|_| {
        h.step();
        h.output().platform_output.commands.iter().find_map(|c| match c {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    });
    assert_eq!(copied, Some(format::duration(ttft)));
    let stage = Stage::new("details", session());
    let mut out = crate::views::Out::default();
    let cx = ViewCx::new(&stage.engine, &stage.subject, stage.now(), &mut out);
    let item = Item::of_request(RequestId(0), stage.subject.profile());
    let text = build::sheet(&cx, &item).unwrap().markdown();
    assert!(
        text.starts_with("## Request req-00") && text.contains("### Prompt") && text.contains("| TTFT |")
    );
}

#[test]
fn args_that_stand_in_the_file_are_read_or_explained() {
    let mut b = ProfileBuilder::new("chrome");
    let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
    let f = b.function(FunctionSpec::named("f"));
    b.span(track, 0, 9, f, ArgsRef::offset(3));
    let mut stage = Stage::new("details", b.finish());
    let span = Item::of_span(TrackId(0), 0, stage.subject.profile());
    stage.send(Command::Select(span));
    let mut h = harness(stage);
    h.run();
    assert!(h.query_by_label_contains("which is not open").is_some());
    h.state_mut().input = Some(crate::import::Input::Path("/nowhere/trace.json".into()));
    h.run();
    assert!(h.query_by_label_contains("cannot be read").is_some());
}

#[test]
fn every_kind_of_thing_has_a_sheet_and_what_is_gone_is_said() {
    let profile = session();
    let function = profile.tracks[1].spans.rows[0].function;
    for item in [
        Item::of_function(function, &profile),
        Item::of_path(&[function], &profile),
        Item::of_edge(function, function, &profile),
        Item::of_instant(0, &profile).unwrap(),
        Item::of_track(TrackId(0), &profile),
        Item::Time(2_000_000_000),
        Item::of_request(RequestId(13), &profile),
    ] {
        let mut h = harness(selected(item.clone()));
        h.run();
        assert!(h.query_by_label("Not in this profile").is_none(), "{item:?}");
    }
    let (other, stranger) = (strange(), crate::model::FunctionId(0));
    for item in [
        Item::of_function(stranger, &other),
        Item::of_path(&[stranger], &other),
        Item::Edge(profile.keys().symbol(function), other.keys().symbol(stranger)),
        Item::of_instant(0, &other).unwrap(),
        Item::of_track(TrackId(0), &other),
        Item::of_request(RequestId(0), &other),
        Item::of_span(TrackId(0), 0, &other).unwrap(),
    ] {
        let mut h = harness(selected(item.clone()));
        h.run();
        assert!(h.query_by_label("Not in this profile").is_some(), "{item:?}");
    }
}

/// Nothing of it is in the session.
fn strange() -> Profile {
    let mut b = ProfileBuilder::new("chrome");
    let track = b.track(TrackSpec { name: "strange", process: "x", kind: TrackKind::Thread, sort: 0 });
    let f = b.function(FunctionSpec::named("stranger"));
    b.span(track, 0, 9, f, ArgsRef::NONE);
    let name = b.string("strange");
    b.instant(Instant { time: 1, track: None, name, args: ArgsRef::NONE, severity: Severity::Info });
    b.request(Request { name, arrived: 1, ..Request::default() });
    b.finish()
}

/// A service that loads and answers; the answer is a span with attributes.
fn service(clock: i64, load: i64, answer: i64, tokens: i64) -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    b.metric(crate::model::Metric::time());
    let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let [all, loads, answers, decode] =
        ["serve", "load", "answer", "decode"].map(|name| b.function(FunctionSpec::named(name)));
    let names = ["tokens", "model", "session_id"].map(|name| b.string(name));
    let model = b.string("small");
    let values = [
        crate::model::Value::Int(tokens),
        crate::model::Value::Text(model),
        crate::model::Value::Int(clock + 7),
    ];
    let args = b.args(names.into_iter().zip(values));
    let start = clock + load;
    let whole = b.open_span(track, clock, all, ArgsRef::NONE);
    b.span(track, clock, start, loads, ArgsRef::NONE);
    let outer = b.open_span(track, start, answers, args);
    b.span(track, start + answer / 4, start + answer, decode, ArgsRef::NONE);
    b.close_span(track, outer, start + answer, crate::model::SpanStatus::Ok);
    b.close_span(track, whole, start + answer + 1_000_000, crate::model::SpanStatus::Ok);
    Arc::new(b.finish())
}

#[test]
fn r02_a_span_of_two_runs_tells_each_figure_and_attribute_with_its_change() {
    let base = service(0, 20_000_000, 40_000_000, 128);
    let head = service(5_000_000_000, 30_000_000, 60_000_000, 192);
    for (of_head, clicked) in [(true, &head), (false, &base)] {
        let mut stage = Stage::pair("details", base.clone(), head.clone());
        let spans = &clicked.track(TrackId(0)).spans.rows;
        let row = spans.iter().position(|s| clicked.function_name(s.function) == "answer").unwrap();
        stage.send(Command::Select(Item::of_span(TrackId(0), row as u32, clicked)));
        if of_head {
            stage.picture("details-of-two", vec2(340.0, 640.0), egui::Theme::Light);
        }
        let mut h = harness(stage);
        h.run();
        for line in [
            "Duration 40.0 ms 60.0 ms +20.0 ms +50.0 %",
            "Self 10.0 ms 15.0 ms +5.00 ms +50.0 %",
            "Start 20.0 ms 30.0 ms +10.0 ms",
            "tokens 128 192 +64 +50.0 %",
            "model: small → small",
        ] {
            assert!(h.query_by_label(line).is_some(), "{line}");
        }
        assert!(h.query_by_label("session_id: 7 → 5000000007").is_some(), "an id has no change");
    }
}

#[test]
fn pictures() {
    let mut stage = Stage::new("details", session());
    let span = a_span(&stage);
    stage.send(Command::Select(Some(span)));
    stage.pictures("details-span");
    let narrow = vec2(340.0, 900.0);
    stage.picture("details-span", narrow, egui::Theme::Dark);
    let request = Item::of_request(RequestId(4), stage.subject.profile());
    stage.send(Command::Select(Some(request)));
    stage.picture("details-request", narrow, egui::Theme::Dark);
    stage.picture("details-request", narrow, egui::Theme::Light);
    stage.send(Command::Select(Some(Item::Time(2_500_000_000))));
    stage.picture("details-time", narrow, egui::Theme::Dark);
    let instant = Item::of_instant(5, stage.subject.profile());
    stage.send(Command::Select(instant));
    stage.picture("details-instant", narrow, egui::Theme::Light);
    stage.send(Command::Select(None));
    stage.picture("details-empty", vec2(340.0, 380.0), egui::Theme::Dark);
    let run = Arc::new(session());
    let mut two = Stage::pair("details", run.clone(), run.clone());
    two.send(Command::Select(Some(Item::of_request(RequestId(4), &run))));
    two.picture("details-request-of-two", narrow, egui::Theme::Dark);
}
