use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::analysis::asked::Asked;
use crate::analysis::request_facets::{Facet, Filter};
use crate::model::{CacheOutcome, Outcome, Profile, ProfileBuilder, Request};
use crate::views::testing::{Stage, harness};

fn profile() -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    for i in 0..8i64 {
        let cache = match i {
            0..3 => Some(CacheOutcome::Exact),
            _ => Some(CacheOutcome::Miss),
        };
        b.request(Request {
            arrived: i * 1000,
            scheduled: Some(i * 1000 + 100),
            finished: Some(i * 1000 + 600),
            outcome: if i == 7 { Outcome::Error } else { Outcome::Ok },
            cache,
            ..Request::default()
        });
    }
    Arc::new(b.finish())
}

#[test]
fn a_click_on_a_place_looks_at_its_requests_and_another_one_at_all() {
    let mut h = harness(Stage::new("flow", profile()));
    h.run_ok();
    assert!(h.query_by_label("cache check 8").is_some());
    assert!(h.query_by_label("cache check to exact hit: 3 · 37.5 %, 600 ns").is_some());
    h.get_by_label("exact hit 3").click();
    h.run_ok();
    let exact = Filter::default().only(Facet::Way, "exact hit");
    assert_eq!(h.state().now().requests, exact);
    assert!(h.query_by_label("failed 1").is_some(), "the picture stays whole");
    h.get_by_label("exact hit 3").click();
    h.run_ok();
    assert_eq!(h.state().now().requests, Filter::default());
    h.get_by_label_contains("cache check to queue").click();
    h.run_ok();
    assert_eq!(h.state().now().requests, Filter::default().only(Facet::Way, "cache check → queue"));
    h.get_by_label_contains("model to answered").click();
    h.run_ok();
    let asked = Asked { filter: h.state().now().requests.clone(), ..Asked::default() };
    let run = crate::query::Run::of(profile());
    let picked = crate::analysis::testing::ask(&run, &crate::analysis::requests::RequestTable::of(asked));
    assert_eq!(picked.rows.len(), 4, "as many as the way says, without those that a cache answered");
}

#[test]
fn ways_of_two_runs_are_compared() {
    let mut h = harness(Stage::pair("flow", profile(), profile()));
    h.run_ok();
    assert!(h.query_by_label("cache check → exact hit 3 3 =").is_some());
}
