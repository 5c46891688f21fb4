//! Requests, counters and findings as rows.

use super::Making;
use crate::analysis::findings::Noted;
use crate::fleet::frame::{Frame, Labels, known};
use crate::fleet::schema::{COUNTERS, FINDINGS, REQUESTS};
use crate::model::{Counter, Severity};

/// One row a request.
pub(super) fn requests(making: &Making<'_>) -> Frame {
    let profile = making.profile;
    let mut frame = Frame::new(&REQUESTS);
    for r in &profile.requests.rows {
        let arrived = (!r.undated).then_some(r.arrived);
        let unix = arrived.zip(profile.meta.origin_unix_ns).map(|(t, origin)| origin.saturating_add(t));
        let text = |id| known(profile.text(id));
        let labels: Labels = r
            .attributes
            .iter()
            .map(|&(name, value)| (profile.text(name).to_owned(), profile.text(value).to_owned()))
            .collect();
        frame.row(&[
            making.run_id.into(),
            text(r.name).into(),
            text(r.model).into(),
            text(r.provider).into(),
            arrived.into(),
            unix.into(),
            r.ttft().into(),
            r.tpot().into(),
            r.queued().into(),
            r.latency().into(),
            r.tokens.prompt().into(),
            r.tokens.output.into(),
            r.outcome.name().into(),
            text(r.error).into(),
            labels.as_slice().into(),
        ]);
    }
    frame
}

/// Mean over time and 95th percentile of a level's points.
fn middle(counter: &Counter) -> Option<(f64, f64)> {
    let mut sorted = counter.values.clone();
    sorted.sort_by(f64::total_cmp);
    let p95 = *sorted.get(((sorted.len() as f64 * 0.95).ceil() as usize).checked_sub(1)?)?;
    let held = counter.times.windows(2).map(|w| w[1].saturating_sub(w[0]) as f64);
    let (sum, time) =
        held.zip(&counter.values).fold((0.0, 0.0), |(sum, time), (t, v)| (sum + v * t, time + t));
    let plain = || counter.values.iter().sum::<f64>() / counter.values.len() as f64;
    Some((if time > 0.0 { sum / time } else { plain() }, p95))
}

/// One row a counter that has points.
pub(super) fn counters(making: &Making<'_>) -> Frame {
    let profile = making.profile;
    let mut frame = Frame::new(&COUNTERS);
    for counter in &profile.counters {
        let (Some((peak, max)), Some((mean, p95))) = (counter.peak(), middle(counter)) else { continue };
        frame.row(&[
            making.run_id.into(),
            making.rank.into(),
            profile.text(counter.name).into(),
            known(profile.text(counter.process)).into(),
            counter.unit.key().into(),
            counter.times.len().into(),
            counter.values.iter().copied().fold(f64::INFINITY, f64::min).into(),
            mean.into(),
            p95.into(),
            max.into(),
            peak.into(),
        ]);
    }
    frame
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// One row a finding, the worst first.
pub(super) fn findings(making: &Making<'_>, noted: &[Noted]) -> Frame {
    let mut frame = Frame::new(&FINDINGS);
    for finding in noted {
        frame.row(&[
            making.run_id.into(),
            making.rank.into(),
            word(finding.severity).into(),
            (&*finding.kind).into(),
            (&finding.text).into(),
            if finding.concluded { "concluded" } else { "stated" }.into(),
            finding.time.into(),
        ]);
    }
    frame
}
