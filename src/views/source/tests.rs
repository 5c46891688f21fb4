//! Flows through the source view, and the numbers that `callgrind_annotate` prints beside each line.

use std::sync::Arc;

use egui::{Key, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::*;
use crate::analysis::Slice;
use crate::analysis::source_file::SourceRule;
use crate::analysis::source_lines::LineCall;
use crate::analysis::testing::{ask, symbol};
use crate::import::{Input, open};
use crate::jobs::Job;
use crate::model::{
    FunctionSpec, Metric, MetricKey, NameKey, Profile, ProfileBuilder, TrackKind, TrackSpec, Unit,
};
use crate::query::Run;
use crate::state::Item;
use crate::views::Wish;
use crate::views::testing::{Stage, harness};

fn file(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn sample(path: &str) -> Arc<Profile> {
    let input = Input::Path(file("sample_profiles").join(path));
    Arc::new(open(&input, &Job::new(), &mut |_| ()).unwrap())
}

fn stage(path: &str, selected: &str) -> Stage {
    let profile = sample(path);
    let main = symbol(&profile, selected);
    let mut stage = Stage::new(KIND.id, profile);
    stage.send(Command::Select(Some(Item::Function(main))));
    stage
}

/// Rows as «line self text», top to bottom.
fn rows(h: &Harness<'_, Stage>) -> Vec<String> {
    let mut rows: Vec<_> = h
        .query_all_by_role(egui::Role::Row)
        .filter_map(|n| Some((n.rect().top(), n.accesskit_node().label()?)))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|r| r.1).collect()
}

#[test]
fn costs_per_line_are_those_of_callgrind_annotate() {
    let s = Run::of(sample("callgrind/hot-lines.callgrind.out"));
    let p = &s.profile;
    let main = symbol(p, "main");
    let lines = |metric: &str, ending: &str, part: Part| -> Vec<(u32, i64)> {
        let metric = MetricKey::declared(metric);
        let file = p.functions.rows().iter().map(|f| f.file).chain((0..p.strings.len() as u32).map(StringId));
        let file = file.into_iter().find(|f| p.text(*f).ends_with(ending)).unwrap();
        let whole_file = (part == Part::File).then_some(file);
        let query = Lines {
            slice: Slice::whole(metric),
            function: main,
            whole_file: whole_file.map(|file| NameKey::from(p.text(file))),
        };
        let table = ask(&s, &query);
        let lines = table.files.iter().find(|f| f.file == file).unwrap();
        lines.rows.iter().map(|r| (r.line, r.own)).filter(|r| r.1 != 0).collect()
    };
    let whole = [
        (9, 16_385),
        (11, 20_480),
        (16, 4),
        (17, 36_867),
        (22, 101),
        (23, 102),
        (25, 150),
        (26, 101),
        (28, 3),
        (29, 10),
        (30, 2),
        (32, 6),
        (33, 3),
        (34, 12),
        (35, 7),
        (37, 5),
    ];
    assert_eq!(lines("Ir", "hot_lines.c", Part::File), whole);
    let own: Vec<_> = whole.into_iter().filter(|(line, _)| !(22..=26).contains(line)).collect();
    assert_eq!(lines("Ir", "hot_lines.c", Part::Function), own, "without depth");
    assert_eq!(lines("Bc", "hot_lines.c", Part::File), [(9, 4096), (17, 12_288), (23, 51), (32, 3)]);
    assert_eq!(lines("Ir", "mix.h", Part::Function), [(3, 12_288), (4, 12_288), (5, 36_864)]);
}

#[test]
fn calls_per_line_are_those_of_callgrind_annotate() {
    let s = Run::of(sample("callgrind/hot-lines.callgrind.out"));
    let metric = MetricKey::declared("Ir");
    let of = |name: &str| {
        let function = symbol(&s.profile, name);
        let query = Lines { slice: Slice::whole(metric), function, whole_file: None };
        let table = ask(&s, &query);
        let call = |c: &LineCall| (c.line, s.profile.function_name(c.callee).to_owned(), c.count, c.cost);
        table.files.iter().flat_map(|f| &f.calls).map(call).collect::<Vec<_>>()
    };
    let call = |line, name: &str, cost| (line, name.to_owned(), Some(1), cost);
    let resolve = |line, cost| call(line, "_dl_runtime_resolve_xsave", cost);
    let main = [
        call(29, "malloc", 1728),
        resolve(29, 649),
        call(34, "printf", 1444),
        resolve(34, 617),
        call(34, "depth", 454),
        resolve(35, 605),
        call(35, "free", 131),
    ];
    assert_eq!(of("main"), main);
    assert_eq!(of("depth"), [call(25, "depth'2", 445)]);
}

#[test]
fn calls_stand_below_their_line_and_lead_to_the_callee() {
    let mut h = harness(stage("callgrind/hot-lines.callgrind.out", "main"));
    h.set_size(Vec2::new(900.0, 1200.0));
    h.run();
    let at = |h: &Harness<'_, Stage>, start: &str| {
        rows(h).iter().position(|r| r.starts_with(start)).unwrap_or_else(|| panic!("{:?}", rows(h)))
    };
    let line = at(&h, "Line 29, self 10");
    assert_eq!(rows(&h)[line + 1], "Line 29 calls malloc: 1, total 1\u{202f}728");
    assert!(rows(&h)[line + 3].starts_with("Line 30"), "{:?}", rows(&h));
    h.get_by_label_contains("Line 29 calls malloc").click();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    assert!(h.query_by_label("malloc").is_some(), "its source is shown");
    h.query_all_by_label("Calls").next().unwrap().click();
    h.run();
    assert!(!rows(&h).iter().any(|r| r.contains(" calls ")));
}

#[test]
fn the_heaviest_line_is_marked_and_keys_walk_by_cost() {
    let mut stage = stage("callgrind/hot-lines.callgrind.out", "main");
    let rules = vec![SourceRule { from: "/build/hot".into(), to: file("tests/sources") }];
    stage.sources = rules;
    let mut h = harness(stage);
    h.run();
    let marked = |h: &Harness<'_, Stage>| {
        let row = h
            .query_all_by_role(egui::Role::Row)
            .find(|n| n.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True));
        row.and_then(|n| n.accesskit_node().label()).unwrap_or_default()
    };
    let first = marked(&h);
    assert!(
        first.starts_with("Line 17, self 36") && first.ends_with("for (int i = 0; i < n; i++)"),
        "{first}"
    );
    h.get_by_label_contains("Line 15").click();
    h.run();
    for (key, line) in [
        (Key::H, "Line 17"),
        (Key::N, "Line 11"),
        (Key::N, "Line 9"),
        (Key::P, "Line 11"),
        (Key::ArrowDown, "Line 12"),
    ] {
        h.key_press(key);
        h.run();
        assert!(marked(&h).starts_with(line), "{key:?}: {}", marked(&h));
    }
}

#[test]
fn a_missing_file_has_costs_and_ways_to_find_it() {
    let mut h = harness(stage("callgrind/hot-lines.callgrind.out", "main"));
    h.run();
    assert!(
        h.query_by_label_contains("The source is not shown: /build/hot/hot_lines.c is not there").is_some()
    );
    assert!(rows(&h).iter().any(|r| r.starts_with("Line 17, self 36")), "{:?}", rows(&h));
    h.get_by_label("Locate file…").click();
    h.run();
    let file = "/build/hot/hot_lines.c".to_owned();
    assert_eq!(h.state().wishes, [Wish::LocateSource(file)]);
    h.get_by_label("Source folders…").click();
    h.run();
    h.get_by_label("Folder on this computer").focus();
    h.run();
    h.get_by_label("Folder on this computer").type_text(&self::file("tests/sources").display().to_string());
    h.run();
    h.get_by_label("Add").click();
    h.run();
    h.run();
    assert_eq!(h.state().sources[0].from, "/build/hot");
    assert!(h.query_all_by_label_contains("for (int i = 0").count() > 0);
}

#[test]
fn a_profile_without_lines_says_so() {
    let mut h = harness(stage("pstats/workload-py311.prof", "fib"));
    h.set_size(Vec2::new(900.0, 600.0));
    h.run();
    assert!(h.query_by_label_contains("knows costs per function, not per line").is_some());
    assert!(rows(&h)[0].starts_with("Line 9, self"), "{:?}", rows(&h));
    let h = harness(stage("pstats/workload-py311.prof", "{built-in method builtins.isinstance}"));
    assert!(h.query_by_label_contains("built into Python").is_some());
}

#[test]
fn samples_have_lines() {
    let s = Run::of(sample("pyinstrument/cpu-v4.6.1.pyisession"));
    let with_lines = s.profile.functions.ids().filter(|&function| {
        let query =
            Lines { slice: Slice::default(), function: s.profile.keys().symbol(function), whole_file: None };
        let table = ask(&s, &query);
        let own: i64 = table.files.iter().flat_map(|f| &f.rows).map(|r| r.own).sum();
        table.grain == Grain::Lines && own + table.unplaced == table.own && !table.files.is_empty()
    });
    assert!(with_lines.count() > 3);
}

/// `work` of a file that its tool kept, below so many functions that other revisions do not have.
fn with_source(above: u32, cost: i64) -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    let metric = b.metric(Metric::new("time", "Time", Unit::Nanoseconds));
    let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let mut spec = FunctionSpec { file: "/app/work.py", ..FunctionSpec::default() };
    for i in 0..above {
        b.function(FunctionSpec { name: &format!("f{i}"), line: 2 * i + 1, ..spec });
    }
    let line = 2 * above + 1;
    (spec.name, spec.line) = ("work", line);
    let work = b.function(spec);
    let frame = b.frame(work, line + 1);
    let stack = b.stack(None, frame);
    b.sample(track, Some(stack), &[(metric, cost)]);
    let text: String = (0..above).map(|i| format!("def f{i}():\n    pass\n")).collect();
    let file = b.string("/app/work.py");
    b.source(file, &format!("{text}def work():\n    busy()\n"));
    Arc::new(b.finish())
}

#[test]
fn the_selected_function_stays_while_the_run_grows_and_after_an_edit_above_it() {
    let before = with_source(0, 1000);
    let mut stage = Stage::new(KIND.id, before.clone());
    stage.send(Command::Select(Some(Item::Function(symbol(&before, "work")))));
    let mut h = harness(stage);
    assert!(rows(&h).iter().any(|r| r.starts_with("Line 2, self 1")), "{:?}", rows(&h));
    h.state_mut().grow(with_source(3, 5000));
    h.run();
    let rows = rows(&h);
    assert!(rows.iter().any(|r| r.starts_with("Line 8, self 5") && r.ends_with("busy()")), "{rows:?}");
}
