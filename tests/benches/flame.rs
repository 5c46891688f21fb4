//! Flame charts of millions of spans: building the rows, and laying out while the chart is moved.
//!
//! Target: layout and mesh of 1 M spans in view within 8 ms, of 5 M within 16 ms.
#![allow(
    missing_docs,
    clippy::panic,
    reason = "criterion makes public functions, and a bench may fail loudly"
)]

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use inferscope::analysis::Scope;
use inferscope::analysis::flame_rows::{FlameRows, TimeOrder};
use inferscope::jobs::Job;
use inferscope::model::{ArgsRef, FunctionSpec, Profile, ProfileBuilder, TrackKind, TrackSpec};
use inferscope::query::{Engine, Subject};
use inferscope::ui::theme::Palette;
use inferscope::views::flame::layout::{Port, Stacking, layout};
use inferscope::views::flame::paint::box_mesh;
use inferscope::views::flame::{Coloring, Colors, METRICS};

/// `spans` spans in 60 rows: each row is one call chain's level, of random lengths.
fn profile(spans: usize) -> Arc<Profile> {
    const ROWS: usize = 60;
    let mut b = ProfileBuilder::new("bench");
    let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let functions: Vec<_> = (0..997)
        .map(|i| b.function(FunctionSpec::named(&format!("module_{}::function_{i}", i % 13))))
        .collect();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut t = 0i64;
    for _ in 0..spans / ROWS {
        let mut length = 2000 + (random() % 18_000) as i64;
        let mut start = t;
        t += length + (random() % 100) as i64;
        for _ in 0..ROWS {
            let function = functions[(random() % 997) as usize];
            b.span(track, start, start + length, function, ArgsRef::NONE);
            start += (random() % 4) as i64;
            length = (length - 4 - (random() % 60) as i64).max(1);
        }
    }
    Arc::new(b.finish())
}

fn rows(profile: &Arc<Profile>) -> Arc<FlameRows> {
    let subject = Subject { run: 0, revision: 0, profile: profile.clone() };
    Engine::inline()
        .now(&subject, &TimeOrder(Scope::default()), &Job::new())
        .unwrap_or_else(|e| panic!("{e}"))
}

fn flame(c: &mut Criterion) {
    let mut group = c.benchmark_group("flame");
    group.sample_size(10);
    for millions in [1, 5] {
        let profile = profile(millions * 1_000_000);
        group.bench_function(format!("rows of {millions} M spans"), |b| b.iter(|| rows(&profile)));
        let rows = rows(&profile);
        let stacking = Stacking::new(&rows, METRICS, false, &HashSet::new());
        let colors = Colors::new(&profile, Palette::dark(), Coloring::Name, None, "");
        let extent = rows.extent() as f64;
        for (name, share) in [("all in view", 1.0), ("a tenth", 0.1), ("a thousandth", 1e-3)] {
            let mut step = 0;
            group.bench_function(format!("layout and mesh, {millions} M spans, {name}"), |b| {
                b.iter(|| {
                    step = (step + 1) % 50;
                    let t0 = (extent * (1.0 - share)) * f64::from(step) / 50.0;
                    let t1 = t0 + extent * share;
                    let port = Port { t0, t1, scroll: 0.0, width: 1600.0, height: 1080.0, ppp: 1.0 };
                    let layout = layout(&rows, &stacking, &port);
                    let chart = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1600.0, 1080.0));
                    black_box(box_mesh(&layout, (&colors, &profile, Palette::dark()), chart, 1.0));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, flame);
criterion_main!(benches);
