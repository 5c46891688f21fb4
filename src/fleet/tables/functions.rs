//! Functions with what they cost, and how long single calls took.

use super::Making;
use crate::analysis::formula::Measure;
use crate::analysis::functions::FunctionTable;
use crate::fleet::frame::{Frame, known};
use crate::fleet::schema::FUNCTIONS;
use crate::model::{MetricKey, SpanStatus, Unit};

/// Durations that occurred, by rank among all of them.
struct Durations {
    min: i64,
    p50: i64,
    p95: i64,
    max: i64,
}

impl Durations {
    fn of(calls: &mut [i64]) -> Option<Self> {
        let last = calls.len().checked_sub(1)?;
        // Nearest rank, as everywhere.
        let mut at = |share: f64| {
            let place = ((calls.len() as f64 * share).ceil() as usize).saturating_sub(1).min(last);
            *calls.select_nth_unstable(place).1
        };
        let (p50, p95) = (at(0.5), at(0.95));
        Some(Self { min: *calls.iter().min()?, p50, p95, max: *calls.iter().max()? })
    }
}

/// One row a function that cost anything or was called.
pub(super) fn frame(making: &Making<'_>, table: &FunctionTable, metric: MetricKey) -> Frame {
    let profile = making.profile;
    let mut calls: Vec<Vec<i64>> = vec![Vec::new(); profile.functions.ids().count()];
    for span in profile.tracks.iter().filter(|t| !t.kind.is_view()).flat_map(|t| &t.spans.rows) {
        if span.status != SpanStatus::Unfinished {
            calls[span.function.index()].push(span.duration());
        }
    }
    let measure = Measure::of(metric, profile);
    let (name, unit) = measure.map_or(("", Unit::None), |m| (m.key.value().key.value(), m.unit));
    let mut rows: Vec<_> = table.rows.iter().filter(|r| !r.hidden).collect();
    rows.sort_by_key(|r| making.ids[r.function.index()]);
    let mut frame = Frame::new(&FUNCTIONS);
    for row in rows {
        let at = row.function.index();
        let key = profile.keys().symbol(row.function).value();
        let took = Durations::of(&mut calls[at]);
        let of = |value: fn(&Durations) -> i64| took.as_ref().map(value);
        frame.row(&[
            making.run_id.into(),
            making.rank.into(),
            making.ids[at].into(),
            (&**key.name.value()).into(),
            known(&key.module).into(),
            known(&key.file).into(),
            known(&key.category).into(),
            name.into(),
            unit.key().into(),
            row.calls.map(|c| c.all).into(),
            row.known_own().into(),
            row.known_total().into(),
            of(|d| d.min).into(),
            of(|d| d.p50).into(),
            of(|d| d.p95).into(),
            of(|d| d.max).into(),
        ]);
    }
    frame
}
