//! A call that was seen through two doors: by a hook on the program's HTTP library (or the recorder's proxy), and as a span of its
//! instrumentation. It is one request.
//!
//! One of the two lies within the other in time, they name the same model, and what both know of tokens and texts agrees. The one that
//! remains is that of the wire, which has stamps of the connection and of each piece; what it lacks comes from the span.

use std::collections::BTreeSet;

use crate::model::{Origin, ProfileBuilder, Request, RequestId, StringId};

/// Stamps of two libraries may be so far apart, ns.
const SLACK: i64 = 5_000_000;

/// Requests on either side, in order of time, among which a twin is looked for.
const NEAREST: usize = 256;

/// Requests that were there before spans came, by arrival.
pub(super) struct Twins {
    free: BTreeSet<(i64, RequestId)>,
}

impl Twins {
    pub(super) fn of(b: &ProfileBuilder) -> Self {
        let rows = b.requests().iter().enumerate().filter(|(_, r)| !r.undated);
        Self { free: rows.map(|(at, r)| (r.arrived, RequestId::from_index(at))).collect() }
    }

    /// Makes one of a span's request and its twin, when it has one; otherwise gives the span's back.
    pub(super) fn join(&mut self, of_span: Request, b: &mut ProfileBuilder) -> Result<(), Box<Request>> {
        let here = (of_span.arrived, RequestId::default());
        let near = self.free.range(..here).rev().take(NEAREST).chain(self.free.range(here..).take(NEAREST));
        let alike = near.filter_map(|key| Some((likeness(&b.requests()[key.1.index()], &of_span, b)?, *key)));
        let Some((_, key)) = alike.max() else { return Err(Box::new(of_span)) };
        self.free.remove(&key);
        complete(b.request_mut(key.1), &of_span);
        Ok(())
    }
}

/// How alike two requests are; `None` when they are not the same.
fn likeness(wire: &Request, span: &Request, b: &ProfileBuilder) -> Option<(u32, i64)> {
    let within = |a: &Request, b: &Request| {
        let ends = match (a.finished, b.finished) {
            (Some(a), Some(b)) => a <= b.saturating_add(SLACK),
            (None, Some(b_end)) => a.arrived <= b_end.saturating_add(SLACK),
            (_, None) => true,
        };
        a.arrived.saturating_add(SLACK) >= b.arrived && ends
    };
    if wire.undated || span.undated || !(within(wire, span) || within(span, wire)) {
        return None;
    }
    let named = |id: StringId| Some(b.text(id)).filter(|text| !text.is_empty());
    let models = |r: &Request| [named(r.model), named(r.requested_model)];
    let (ours, theirs) = (models(wire), models(span));
    let both_known = ours.iter().flatten().next().is_some() && theirs.iter().flatten().next().is_some();
    if both_known && !ours.iter().flatten().any(|model| theirs.contains(&Some(*model))) {
        return None;
    }
    let mut points = 0;
    // Of each thing that both know: the same, or they are two.
    let mut agrees = |same: Option<bool>| {
        points += u32::from(same == Some(true));
        same != Some(false)
    };
    let tokens = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a == b);
    let text = named(wire.completion)
        .zip(named(span.completion))
        .map(|(a, b)| a == b || b.contains(a) || a.contains(b));
    let is_same = agrees(tokens(wire.tokens.prompt(), span.tokens.prompt()))
        && agrees(
            tokens(wire.tokens.output, span.tokens.output)
                .filter(|_| wire.accounting.output != Origin::LowerBound),
        )
        && agrees(text);
    let apart = wire.arrived.saturating_sub(span.arrived).saturating_abs();
    is_same.then_some((points, apart.saturating_neg()))
}

/// Gives a request what its twin knows and it does not.
fn complete(wire: &mut Request, span: &Request) {
    let none = StringId::default();
    for (own, other) in [
        (&mut wire.model, span.model),
        (&mut wire.requested_model, span.requested_model),
        (&mut wire.provider, span.provider),
        (&mut wire.tier, span.tier),
        (&mut wire.requested_tier, span.requested_tier),
        (&mut wire.prompt, span.prompt),
        (&mut wire.completion, span.completion),
        (&mut wire.error, span.error),
    ] {
        if *own == none {
            *own = other;
        }
    }
    if wire.tokens.is_unknown() && !span.tokens.is_unknown() {
        (wire.tokens, wire.accounting, wire.tokens_why) = (span.tokens, span.accounting, span.tokens_why);
    }
    wire.cost = wire.cost.or(span.cost);
    wire.first_chunk = wire.first_chunk.or(span.first_chunk);
    wire.first_token = wire.first_token.or(span.first_token);
    // Its span tells where in the program it was made.
    wire.track = span.track.or(wire.track);
}
