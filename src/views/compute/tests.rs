use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::import::testing::open_bytes;
use crate::model::Profile;
use crate::views::testing::{Stage, harness};

fn trace() -> Arc<Profile> {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/chrome-trace/pytorch-alexnet-gpu.json.gz");
    Arc::new(open_bytes(&std::fs::read(file).unwrap()).unwrap())
}

#[test]
fn chips_show_rows_of_one_kind_and_headings_sort_by_torchs_keys() {
    let mut h = harness(Stage::new("compute", trace()));
    h.set_size(egui::vec2(1400.0, 900.0));
    h.run_ok();
    assert!(h.query_by_label_contains("Self CUDA time total").is_some());
    let rows = |h: &egui_kittest::Harness<'_, Stage>, name: &str| {
        h.query_all_by(|n| n.role() == egui::Role::Row && n.label().is_some_and(|l| l.contains(name))).count()
    };
    assert!(rows(&h, "aten::") > 3 && rows(&h, "Memcpy") == 0);
    h.get_by_label("Copies").click();
    h.run_ok();
    assert!(rows(&h, "Memcpy") > 0 && rows(&h, "aten::") == 0);
    h.get_by_label("All").click();
    h.run_ok();
    assert!(rows(&h, "aten::") + rows(&h, "Memcpy") + rows(&h, "gemm") > 3);
    let saved = h.state().view.save();
    assert_eq!(saved["kind"], serde_json::Value::Null);
}

#[test]
fn what_is_typed_counts_and_what_is_missing_says_so() {
    let mut h = harness(Stage::new("compute", trace()));
    h.set_size(egui::vec2(1400.0, 1200.0));
    h.run_ok();
    assert!(h.query_by_label_contains("Stored as: – the number of parameters is not known").is_some());
    for (name, text) in [("Parameters", "61.1M"), ("Bytes of weights", "244.4 MB")] {
        let field = |h: &egui_kittest::Harness<'_, Stage>, act: &dyn Fn(&egui_kittest::Node<'_>)| {
            act(&h.get_by(|n| n.role() == egui::Role::TextInput && n.label().as_deref() == Some(name)));
        };
        field(&h, &|node| node.focus());
        h.run_ok();
        field(&h, &|node| node.type_text(text));
        h.run_ok();
    }
    assert!(h.query_by_label_contains("Stored as: fp32: 4 bytes per parameter").is_some());
}

#[test]
fn operations_of_two_runs_pair_by_name() {
    let mut h = harness(Stage::pair("compute", trace(), trace()));
    h.set_size(egui::vec2(1200.0, 800.0));
    h.run_ok();
    assert!(h.query_all_by_label_contains("aten::").count() > 3);
    let told = h.query_all_by_label_contains("Self CPU time total").count();
    assert_eq!(told, 1, "a line with both sums");
}
