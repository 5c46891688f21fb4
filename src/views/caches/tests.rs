use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::model::{CacheOutcome, FALSE_HIT, Finding, Profile, ProfileBuilder, Request, Severity};
use crate::views::testing::{Stage, harness};
use crate::views::view;

fn profile() -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    for (i, (cache, similarity)) in [
        (CacheOutcome::Miss, None),
        (CacheOutcome::Exact, None),
        (CacheOutcome::Semantic, Some(0.97)),
        (CacheOutcome::Semantic, Some(0.91)),
        (CacheOutcome::Miss, Some(0.89)),
    ]
    .into_iter()
    .enumerate()
    {
        let arrived = i as i64 * 1_000_000;
        let took = if cache == CacheOutcome::Miss { 900_000 } else { 100_000 };
        let prompt = b.string(&format!("question {i}"));
        let request = Request {
            cache: Some(cache),
            similarity,
            arrived,
            prompt,
            finished: Some(arrived + took),
            ..Request::default()
        };
        let id = b.request(request);
        if i == 3 {
            let (kind, text) = (b.string(FALSE_HIT), b.string("of another question"));
            let finding = Finding {
                kind,
                text,
                severity: Severity::Warning,
                request: Some(id),
                track: None,
                time: None,
            };
            b.finding(finding);
        }
    }
    Arc::new(b.finish())
}

#[test]
fn a_cache_of_answers_is_told_with_its_threshold() {
    let mut stage = Stage::new("caches", profile());
    stage.view.load(&serde_json::json!({ "threshold": 0.95 }));
    let mut h = harness(stage);
    h.set_size(egui::vec2(1400.0, 900.0));
    h.run_ok();
    assert!(h.query_by_label("Hit rate 60.0 %").is_some());
    assert!(h.query_by_label_contains("1 exact").is_some());
    // Raised from 0.91 to 0.95: the wrong answer would not have been given.
    assert!(h.query_by_label_contains("40.0 % (in the run 60.0 %)").is_some());
    assert!(h.query_by_label_contains("0 (in the run 1)").is_some());
    h.get_by_label("Reset").click();
    h.run_ok();
    assert!(h.query_by_label_contains("60.0 % (in the run 60.0 %)").is_some());
}

#[test]
fn two_runs_are_compared_by_kind_of_cache() {
    let mut h = harness(Stage::pair("caches", profile(), profile()));
    h.run_ok();
    assert!(
        h.query_by_label("Hit rate 60.000 % 60.000 % =").is_some()
            || h.query_by_label_contains("Hit rate 60").is_some()
    );
}

#[test]
fn a_file_without_caches_or_prompts_says_so() {
    let mut b = ProfileBuilder::new("test");
    b.request(Request::default());
    let profile = b.finish();
    assert!((view("caches").unwrap().needs)(&profile).is_err());
}
