use std::sync::Arc;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use super::*;
use crate::analysis::stages::WhatIf;
pub(in crate::views) use crate::analysis::stages::tests::pipeline;
use crate::views::fixture::session;
use crate::views::testing::{Stage, sized};

fn stage(profile: &Arc<Profile>) -> Stage {
    Stage::new("stages", (**profile).clone())
}

fn harness() -> Harness<'static, Stage> {
    sized(stage(&pipeline().profile), vec2(1200.0, 700.0))
}

fn total(h: &Harness<'_, Stage>) -> Option<i64> {
    let stage = h.state();
    let what_if = stage.now().what_if.clone();
    let query = Estimate { graph: Stages::default(), what_if };
    let outcome = stage.engine.now(stage.subject.head(), &query, &crate::jobs::Job::new()).ok()?;
    Some(outcome.total / 1_000_000)
}

#[test]
fn a_stage_is_clicked_dropped_and_taken_back() {
    let mut h = harness();
    h.run();
    h.get_by_label("stage unnecesary_io_operation").click();
    h.run();
    assert!(matches!(h.state().now().selection, Some(Item::Span(_))));
    h.get_by_label("Drop").click();
    h.run();
    assert_eq!((h.state().now().what_if.changes.len(), total(&h)), (1, Some(11_000)));
    assert!(h.query_by_label("12.0 s → 11.0 s").is_some());
    h.get_by_label("Halve").click();
    h.run();
    assert_eq!((h.state().now().what_if.changes.len(), total(&h)), (1, Some(11_500)));
    h.get_by_label("Take back: unnecesary_io_operation").click();
    h.run();
    assert!(h.state().now().what_if.is_empty());
}

#[test]
fn what_ifs_can_be_undone() {
    let mut history = crate::state::History::default();
    let id = StageId { track: TrackId(0), row: 1, part: 0 };
    let id = id.key(&pipeline().profile).unwrap();
    assert!(history.apply(Command::WhatIf(WhatIf::default().toggled(id, Change::Drop))));
    assert!(history.undo() && history.now().what_if.is_empty());
    assert!(history.redo() && !history.now().what_if.is_empty());
}

#[test]
fn pictures_of_a_pipeline_and_of_a_service() {
    let mut one = stage(&pipeline().profile);
    one.pictures("stages-pipeline");
    one.view.load(&serde_json::json!({ "mode": "order" }));
    one.pictures("stages-order");
    Stage::new("stages", session()).pictures("stages-service");
}
