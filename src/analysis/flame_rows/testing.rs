//! A text notation for profiles in tests of flame charts.

use std::sync::Arc;

use super::{FlameRows, TimeOrder};
use crate::analysis::scope::Scope;
use crate::jobs::Job;
use crate::model::{FunctionSpec, Metric, Profile, ProfileBuilder, SpanStatus, TrackKind, TrackSpec, Unit};
use crate::query::{Engine, Query, Subject};

pub(crate) fn track<'a>(name: &'a str) -> TrackSpec<'a> {
    TrackSpec { name, process: "", kind: TrackKind::Thread, sort: 0 }
}

/// Spans as `name start end`, one a line; `-- name` opens another track, `!` marks an error, `~` leaves
/// the span open.
pub(crate) fn spans(text: &str) -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    let mut at = None;
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if let Some(name) = line.strip_prefix("-- ") {
            at = Some(b.track(track(name)));
            continue;
        }
        let id = *at.get_or_insert_with(|| b.track(track("main")));
        let parts: Vec<&str> = line.split_whitespace().collect();
        let function = b.function(FunctionSpec::named(parts[0].trim_matches(['!', '~'])));
        let handle = b.open_span(id, parts[1].parse().unwrap(), function, Default::default());
        let status = if parts[0].ends_with('!') { SpanStatus::Error } else { SpanStatus::Ok };
        if !parts[0].ends_with('~') {
            b.close_span(id, handle, parts[2].parse().unwrap(), status);
        }
    }
    Arc::new(b.finish())
}

/// Samples as `weight a;b;c`, one a line, each as long as its weight; `-` is a sample without a stack.
pub(crate) fn samples(text: &str, timed: bool) -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    let metric = b.metric(Metric::new("samples", "Samples", Unit::Count));
    let id = b.track(track("main"));
    let mut now = 0;
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (weight, path) = line.split_once(' ').unwrap();
        let weight: i64 = weight.parse().unwrap();
        let mut stack = None;
        for name in path.split(';').filter(|p| *p != "-") {
            // `f:7` is line 7 of f.
            let (name, line) = name.split_once(':').unwrap_or((name, "0"));
            let function = b.function(FunctionSpec::named(name));
            let frame = b.frame(function, line.parse().unwrap());
            stack = Some(b.stack(stack, frame));
        }
        if timed {
            b.timed_sample(id, (now, now + weight), stack, &[(metric, weight)]);
        } else {
            b.sample(id, stack, &[(metric, weight)]);
        }
        now += weight;
    }
    Arc::new(b.finish())
}

pub(crate) fn ask<Q: Query<Output = FlameRows>>(profile: &Arc<Profile>, query: &Q) -> Arc<FlameRows> {
    let subject = Subject { run: 1, revision: 0, profile: profile.clone() };
    Engine::inline().now(&subject, query, &Job::new()).unwrap()
}

pub(crate) fn time(profile: &Arc<Profile>) -> Arc<FlameRows> {
    ask(profile, &TimeOrder(Scope::default()))
}
