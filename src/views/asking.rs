//! Every view waits, dims what is out of date and fails in the same way, alone and with two runs.

use std::sync::Arc;

use egui::{Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::fixture::session;
use super::testing::{Stage, sized};
use super::{VIEWS, ViewKind};
use crate::analysis::Transform;
use crate::import::testing::open_bytes;
use crate::model::{CacheOutcome, FunctionId, Profile, ProfileBuilder, Request};
use crate::state::{Command, Item};

fn profiles() -> Vec<Arc<Profile>> {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/chrome-trace/pytorch-alexnet-gpu.json.gz");
    let trace = open_bytes(&std::fs::read(file).unwrap()).expect("a sample that opens");
    let mut cached = ProfileBuilder::new("test");
    for i in 0..4 {
        let (cache, arrived) = (Some(CacheOutcome::Miss), i * 1_000_000);
        cached.request(Request { cache, arrived, finished: Some(arrived + 900_000), ..Request::default() });
    }
    vec![Arc::new(session()), Arc::new(trace), Arc::new(cached.finish())]
}

/// Each view on a profile that it can show, as `make` puts it on the screen, after `first`.
fn every_view(
    make: impl Fn(&ViewKind, &Arc<Profile>) -> Stage,
    first: impl Fn(&Stage),
    mut check: impl FnMut(&str, Harness<'_, Stage>),
) {
    let profiles = profiles();
    for kind in VIEWS {
        let profile = profiles.iter().find(|p| (kind.needs)(p).is_ok());
        let profile = profile.unwrap_or_else(|| panic!("no profile for {}", kind.id));
        let mut stage = make(kind, profile);
        stage.in_background();
        if !profile.functions.is_empty() {
            stage.send(Command::Select(Some(Item::of_function(FunctionId(0), profile))));
        }
        first(&stage);
        check(kind.id, sized(stage, vec2(900.0, 700.0)));
    }
}

fn alone(kind: &ViewKind, profile: &Arc<Profile>) -> Stage {
    Stage::new(kind.id, profile.clone())
}

fn two(kind: &ViewKind, profile: &Arc<Profile>) -> Stage {
    Stage::pair(kind.id, profile.clone(), profile.clone())
}

/// What is said to be computed.
fn computed(h: &Harness<'_, Stage>) -> Vec<String> {
    h.query_all_by_role(Role::ProgressIndicator).filter_map(|n| n.accesskit_node().label()).collect()
}

/// What a reader is told about failures, here and in the badge of the pane.
fn failed(h: &Harness<'_, Stage>) -> Option<String> {
    h.state().host.notes.iter().find(|note| note.short == "Failed").map(|note| note.text.clone())
}

#[test]
fn every_view_says_what_it_waits_for() {
    for make in [alone, two] {
        every_view(make, Stage::block, |id, mut h| {
            h.run_steps(4);
            assert!(!computed(&h).is_empty(), "{id} does not say that it waits");
            assert_eq!(failed(&h), None, "{id}");
        });
    }
}

#[test]
fn every_view_says_that_it_has_failed() {
    for make in [alone, two] {
        let close = |stage: &Stage| {
            let runs = [Some(stage.subject.head().id), stage.subject.pair().map(|pair| pair.base.id)];
            runs.into_iter().flatten().for_each(|run| stage.engine.close(run));
        };
        every_view(make, close, |id, mut h| {
            h.run_steps(4);
            assert_eq!(failed(&h).as_deref(), Some("this run is closed"), "{id}");
            assert_eq!(computed(&h), [""; 0], "{id} has nothing to wait for");
        });
    }
}

#[test]
fn every_view_dims_what_is_out_of_date_and_says_what_is_computed() {
    for make in [alone, two] {
        let mut dimmed = 0;
        every_view(make, |_| (), |id, mut h| dimmed += usize::from(is_dimmed(id, &mut h)));
        assert!(dimmed >= 15, "only {dimmed} views were asked something else");
    }
}

/// True when a view dims its old answers while those about another range and tree are computed; false when none of its
/// questions is about either.
fn is_dimmed(id: &str, h: &mut Harness<'_, Stage>) -> bool {
    // The answers of one frame lead to further questions.
    for _ in 0..4 {
        h.step();
        while h.state().engine.busy() > 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
            h.step();
        }
    }
    assert!(!h.state().host.dims() && computed(h).is_empty(), "{id}: {:?}", computed(h));
    h.state().block();
    let blocked = h.state().engine.busy();
    let (from, to) = h.state().subject.profile().time_bounds().expect("a profile with times");
    let length = to - from;
    let stage = h.state_mut();
    stage.send(Command::SetRange(Some((from + length / 4, to - length / 4))));
    stage.send(Command::Push(Transform::CollapseRecursion));
    h.run_steps(4);
    assert_eq!(failed(h), None, "{id}");
    let asked = h.state().engine.busy() > blocked;
    if asked {
        assert!(h.state().host.dims(), "{id} shows what is out of date as if it were new");
        assert!(!computed(h).is_empty(), "{id} does not say what it waits for");
    }
    asked
}
