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

/// The sample with instructions in a mode, with the program of the tests or without.
fn assembly(mode: &str, selected: &str, with_program: bool) -> Harness<'static, Stage> {
    let mut stage = stage("callgrind/words-instr.callgrind.out", selected);
    if with_program {
        stage.sources = vec![SourceRule { from: "/build/hot".into(), to: file("tests/sources") }];
    }
    stage.view.load(&serde_json::json!({ "mode": mode, "part": "function", "columns": {} }));
    let mut h = harness(stage);
    h.set_size(Vec2::new(1100.0, 1300.0));
    h.run();
    h
}

#[test]
fn instructions_have_costs_text_and_jumps() {
    let h = assembly("assembly", "count", true);
    let rows = rows(&h);
    assert_eq!(rows.len(), 42, "{rows:?}");
    assert_eq!(
        rows[12],
        "0x694 jne 0x6df, self 2\u{202f}200, jumps to 0x6df: executed 2\u{202f}200 times, followed 27.3 %"
    );
    assert_eq!(rows[36], "0x6d8 jmp 0x698, self 1\u{202f}320, jumps to 0x698: 1\u{202f}320 times");
    assert!(h.query_by_label_contains("54\u{202f}600 of 54\u{202f}846 in all").is_some());
}

#[test]
fn an_arrow_says_its_numbers_and_a_click_follows_it() {
    let mut h = assembly("assembly", "count", true);
    let row = |h: &Harness<'_, Stage>, start: &str| {
        let found = h.query_all_by_role(egui::Role::Row);
        let node =
            found.into_iter().find(|n| n.accesskit_node().label().unwrap_or_default().starts_with(start));
        node.unwrap_or_else(|| panic!("no row {start}")).rect()
    };
    // The end of the innermost arrow, right beside its instruction.
    let jump = row(&h, "0x6d8");
    let left = h.get_by_label("Address").rect().left();
    h.hover_at(egui::pos2(left - 6.0, jump.center().y));
    h.run();
    h.run();
    let said = "0x6d8 jumps to 0x698: 1\u{202f}320 times. Click to follow.";
    assert!(h.query_all_by_label_contains(said).count() > 0, "{:?}", rows(&h)[36]);
    for pressed in [true, false] {
        let (pos, button) = (egui::pos2(left - 6.0, jump.center().y), egui::PointerButton::Primary);
        h.event(egui::Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE });
        h.run();
    }
    let selected = |h: &Harness<'_, Stage>| {
        let row = h
            .query_all_by_role(egui::Role::Row)
            .find(|n| n.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True));
        row.and_then(|n| n.accesskit_node().label()).unwrap_or_default()
    };
    assert!(selected(&h).starts_with("0x698 add"), "{}", selected(&h));
    // Keys: down to a jump, along it, and to the next lighter and heaviest instruction.
    h.get_by_label_contains("0x6a1 je").click();
    h.run();
    for (key, at) in [
        (Key::Enter, "0x6e3"),
        (Key::H, "0x698"),
        (Key::N, "0x69c"),
        (Key::ArrowDown, "0x69f"),
        (Key::P, "0x69c"),
    ] {
        h.key_press(key);
        h.run();
        assert!(selected(&h).starts_with(at), "{key:?}: {}", selected(&h));
    }
}

#[test]
fn calls_of_instructions_lead_to_the_callee() {
    let mut h = assembly("assembly", "main", true);
    let at = rows(&h).iter().position(|r| r.contains("call 0x669")).unwrap();
    assert_eq!(rows(&h)[at + 1], "0x760 calls count: 40, total 54\u{202f}600");
    h.get_by_label_contains("0x760 calls count").click();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    assert!(rows(&h)[0].starts_with("0x669 mov rdx, rdi"), "{:?}", rows(&h));
}

#[test]
fn source_lines_stand_above_their_instructions() {
    let h = assembly("both", "weight", true);
    let rows = rows(&h);
    let loops =
        rows.iter().position(|r| r.starts_with("line 32: sum +=")).unwrap_or_else(|| panic!("{rows:?}"));
    assert!(rows[loops + 1].starts_with("0x6f2 lea ecx"), "{rows:?}");
    assert!(rows.iter().any(|r| r.starts_with("line 31: for (int i = 0;")), "{rows:?}");
}

#[test]
fn without_the_object_file_all_but_the_text_is_there() {
    let mut h = assembly("both", "count", false);
    assert!(
        h.query_by_label_contains("The text of instructions is not shown: /build/hot/words is not there.")
            .is_some()
    );
    assert!(
        rows(&h).iter().any(|r| r.starts_with("0x694, self 2\u{202f}200, jumps to 0x6df")),
        "{:?}",
        rows(&h)
    );
    h.get_by_label("Locate file…").click();
    h.run();
    assert_eq!(h.state().wishes, [Wish::LocateSource("/build/hot/words".to_owned())]);
    h.get_by_label("Choose folder…").click();
    h.run();
    h.get_by_label("Folder on this computer").focus();
    h.run();
    h.get_by_label("Folder on this computer").type_text(&file("tests/sources").display().to_string());
    h.run();
    h.get_by_label("Add").click();
    h.run();
    h.run();
    assert!(rows(&h).iter().any(|r| r.starts_with("0x694 jne 0x6df")), "{:?}", rows(&h));
    assert!(rows(&h).iter().any(|r| r.starts_with("line 15: for (; *text; text++)")), "the source, too");
}

#[test]
fn a_file_without_instructions_says_how_to_record_them() {
    let mut h = harness(stage("callgrind/hot-lines.callgrind.out", "main"));
    h.get_by_label("Assembly").click();
    h.run();
    assert!(h.query_by_label("This file has no instructions").is_some());
    assert!(h.query_by_label_contains("--dump-instr=yes --collect-jumps=yes").is_some());
    h.get_by_label("Source").click();
    h.run();
    assert!(rows(&h).iter().any(|r| r.starts_with("Line 17, self")));
    // What cannot have any offers none.
    let h = harness(stage("pstats/workload-py311.prof", "fib"));
    assert!(h.query_by_label("Assembly").is_none());
}

#[test]
fn transforms_do_not_change_lines_and_instructions_and_it_is_said() {
    let mut stage = stage("callgrind/words-instr.callgrind.out", "count");
    let main = symbol(stage.subject.profile(), "main");
    stage.send(Command::Push(crate::analysis::Transform::FocusFunction(main)));
    stage.view.load(&serde_json::json!({ "mode": "assembly", "part": "function", "columns": {} }));
    let h = harness(stage);
    assert!(
        h.query_by_label_contains("Costs of lines and instructions are those of the whole run").is_some()
    );
    assert!(h.query_by_label_contains("54\u{202f}600 of 54\u{202f}846 in all").is_some());
}
