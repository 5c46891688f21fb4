use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::model::{ArgsRef, FunctionSpec, Profile, ProfileBuilder, TrackKind, TrackSpec};
use crate::state::Item;
use crate::views::testing::{Stage, harness};
use crate::views::view;

const MS: i64 = 1_000_000;

/// Four steps of 10 ms; the GPU works 4 ms of each.
fn profile() -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    let main = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let gpu = b.track(TrackSpec { name: "stream 7", process: "GPU 0", kind: TrackKind::GpuStream, sort: 1 });
    let spec = |name| FunctionSpec { category: "kernel", ..FunctionSpec::named(name) };
    let (gemm, add) = (b.function(spec("gemm")), b.function(spec("elementwise_add")));
    let tokenise = b.function(FunctionSpec::named("tokenise"));
    for i in 0..4 {
        let step = b.function(FunctionSpec::named(&format!("step#{i}")));
        let at = i * 10 * MS;
        b.span(main, at, at + 10 * MS, step, ArgsRef::NONE);
        b.span(main, at, at + 6 * MS, tokenise, ArgsRef::NONE);
        b.span(gpu, at + 6 * MS, at + 9 * MS, gemm, ArgsRef::NONE);
        b.span(gpu, at + 9 * MS, at + 10 * MS, add, ArgsRef::NONE);
    }
    Arc::new(b.finish())
}

#[test]
fn busy_idle_causes_and_kernels_are_told_and_a_kernel_is_selected() {
    let profile = profile();
    let mut h = harness(Stage::new("gpu", profile.clone()));
    h.set_size(egui::vec2(1400.0, 900.0));
    h.run_ok();
    assert!(h.query_by_label("GPU 0 40.0 %").is_some());
    assert!(h.query_by_label("matrix products 12.0 ms").is_some());
    assert!(h.query_by_label_contains("Idle 60.0 %: 24.0 ms").is_some());
    assert!(h.query_by_label("tokenise 24.0 ms").is_some());
    assert!(h.query_by_label_contains("step#*: 4 rounds").is_some());
    h.get_by_label("gemm 12.0 ms").click();
    h.run_ok();
    let gemm = profile.functions.ids().find(|f| profile.function_name(*f) == "gemm").unwrap();
    assert_eq!(h.state().now().selection, Some(Item::of_function(gemm, &profile)));
    h.get_by_label("step#2 10.0 ms").click();
    h.run_ok();
    assert_eq!(h.state().now().range, Some((20 * MS, 30 * MS)));
}

#[test]
fn two_runs_are_compared_by_class_and_kernel() {
    let mut h = harness(Stage::pair("gpu", profile(), profile()));
    h.set_size(egui::vec2(1400.0, 900.0));
    h.run_ok();
    assert!(h.query_by_label("matrix products 12.0 ms 12.0 ms =").is_some());
    assert!(h.query_by_label("elementwise_add 4.00 ms 4.00 ms =").is_some());
}

#[test]
fn a_file_without_a_gpu_says_what_would_fill_the_view() {
    assert!((view("gpu").unwrap().needs)(&Profile::default()).is_err());
}
