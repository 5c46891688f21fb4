//! Which spans are requests, and what a request is made of.
//!
//! A span around others repeats their usage, so a request is a span with usage of which no descendant has any: the leaves, or
//! the span around them where they were sampled away. A call without usage is a request, too, unless a span around it
//! stands for it.

use std::collections::HashMap;

use super::super::llm::{Call, Clock, Said};
use super::super::read::time::unix_time;
use super::super::read::value::milliseconds;
use super::attributes::Attributes;
use super::kind::Kind;
use super::row::Row;
use crate::model::{Outcome, ServerTimes};

/// So far above a call it is looked for what evaluation and session it belongs to.
const MOST_ABOVE: usize = 64;

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub kind: Kind,
    /// It is a request.
    pub is_request: bool,
}

/// Judges all spans; `parents` are rows.
pub(super) fn judge(rows: &[&Row], parents: &[Option<u32>]) -> Vec<Judged> {
    let mut judged = Vec::with_capacity(rows.len());
    let mut counted = vec![false; rows.len()];
    for (n, row) in rows.iter().enumerate() {
        let kind = if Attributes::may_tell(row) {
            let attributes = Attributes::of(row);
            counted[n] = !attributes.usage().says_nothing();
            Kind::of(&attributes)
        } else {
            Kind::Other
        };
        judged.push(Judged { kind, is_request: false });
    }
    // Whether a span has a descendant with usage, or an innermost call among them. A call of another model by a tool is none of the
    // call that the tool ran for.
    let (mut usage_below, mut call_below) = (vec![false; rows.len()], vec![false; rows.len()]);
    for n in 0..rows.len() {
        let mark = |marks: &mut [bool]| {
            let (mut at, mut by_tool) = (parents[n], judged[n].kind == Kind::Tool);
            while let Some(up) = at.map(|up| up as usize).filter(|up| !marks[*up]) {
                marks[up] = !(by_tool && judged[up].kind.is_call() && are_of_two_models(rows[up], rows[n]));
                by_tool |= judged[up].kind == Kind::Tool;
                at = parents[up];
            }
        };
        if counted[n] {
            mark(&mut usage_below);
        }
        if judged[n].kind.is_call() {
            mark(&mut call_below);
        }
    }
    let stands_for_all = |n: usize| counted[n] && !usage_below[n];
    let covered = covered(parents, stands_for_all);
    for n in 0..rows.len() {
        let is_bare_call = judged[n].kind.is_call() && !call_below[n] && !covered[n];
        judged[n].is_request = if counted[n] { stands_for_all(n) } else { is_bare_call };
    }
    judged
}

/// True for calls whose models are known and are none of each other's.
fn are_of_two_models(a: &Row, b: &Row) -> bool {
    let models = |row: &Row| {
        let a = Attributes::of(row);
        let names = [a.model(), a.requested_model()].map(str::to_ascii_lowercase);
        names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>()
    };
    let (a, b) = (models(a), models(b));
    // A dated name begins as the plain one.
    let same = |a: &String, b: &String| a.starts_with(b.as_str()) || b.starts_with(a.as_str());
    !a.is_empty() && !b.is_empty() && !a.iter().any(|a| b.iter().any(|b| same(a, b)))
}

/// Whether some span around each one is a request for all below it.
fn covered(parents: &[Option<u32>], stands: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut known: Vec<Option<bool>> = vec![None; parents.len()];
    for n in 0..parents.len() {
        let (mut way, mut at) = (Vec::new(), Some(n));
        let mut above = false;
        while let Some(here) = at {
            if let Some(answer) = known[here] {
                above = answer || stands(here);
                break;
            }
            way.push(here);
            at = parents[here].map(|up| up as usize);
        }
        for here in way.into_iter().rev() {
            known[here] = Some(above);
            above |= stands(here);
        }
    }
    known.into_iter().map(|k| k.unwrap_or(false)).collect()
}

/// The row of each row's parent, where it is there; no circles.
pub(super) fn parents(rows: &[&Row]) -> Vec<Option<u32>> {
    let by_id: HashMap<(u128, u64), u32> =
        rows.iter().enumerate().map(|(n, row)| ((row.trace, row.id), n as u32)).collect();
    let mut parents: Vec<Option<u32>> = rows
        .iter()
        .enumerate()
        .map(|(n, row)| by_id.get(&(row.trace, row.parent)).copied().filter(|up| *up as usize != n))
        .collect();
    // 0: not seen, 1: on the way up, 2: leads to a root.
    let mut seen = vec![0u8; rows.len()];
    for n in 0..rows.len() {
        let (mut way, mut at) = (Vec::new(), n);
        while seen[at] == 0 {
            seen[at] = 1;
            way.push(at);
            match parents[at] {
                Some(up) if seen[up as usize] == 1 => parents[at] = None,
                Some(up) => at = up as usize,
                None => {}
            }
        }
        way.into_iter().for_each(|at| seen[at] = 2);
    }
    parents
}

/// The outermost caller of each row, itself where it has none. `parents` hold no circle.
pub(super) fn roots(parents: &[Option<u32>]) -> Vec<u32> {
    let mut roots: Vec<u32> = vec![u32::MAX; parents.len()];
    let mut way = Vec::new();
    for n in 0..parents.len() {
        let mut at = n;
        let root = loop {
            match (roots[at], parents[at]) {
                (u32::MAX, Some(up)) => {
                    way.push(at);
                    at = up as usize;
                }
                (u32::MAX, None) => break at as u32,
                (known, _) => break known,
            }
        };
        roots[at] = root;
        way.drain(..).for_each(|below| roots[below] = root);
    }
    roots
}

/// The example of a data set that a span, or what is around it, is about; empty when nothing says.
fn example(rows: &[&Row], parents: &[Option<u32>], at: usize) -> String {
    let way = std::iter::successors(Some(at), |&n| parents[n].map(|up| up as usize)).take(MOST_ABOVE);
    way.map(|n| Attributes::example(rows[n])).find(|id| !id.is_empty()).unwrap_or_default()
}

/// What the program says of a span, the nearest first.
fn said(rows: &[&Row], parents: &[Option<u32>], at: usize) -> Said {
    let way = std::iter::successors(Some(at), |&n| parents[n].map(|up| up as usize)).take(MOST_ABOVE);
    let mut said = Said::default();
    way.for_each(|n| Attributes::say(rows[n], &mut said));
    said
}

/// The call that a span tells of. In an evaluation it is called as its example, which is the same in all versions.
pub(super) fn call(rows: &[&Row], parents: &[Option<u32>], at: usize, kind: Kind) -> Call {
    let row = rows[at];
    let example = example(rows, parents, at);
    let a = Attributes::of(row);
    let (tier, requested_tier) = a.tiers();
    let (mut prompt, mut completion) = a.texts();
    if prompt.is_empty() || completion.is_empty() {
        let (asked, answered) = super::events::texts(row);
        prompt = if prompt.is_empty() { asked } else { prompt };
        completion = if completion.is_empty() { answered } else { completion };
    }
    let (first_chunk, first_token) = first(row, &a);
    let mut usage = a.usage();
    if kind == Kind::Embedding && usage.input.is_some() {
        usage.output = usage.output.or(Some(0));
    }
    let times = a.phases();
    let mut provider = a.provider();
    if provider.is_empty() && times != ServerTimes::default() {
        provider = "vllm";
    }
    let nothing = usage.says_nothing();
    let why = if nothing && row.dropped > 0 {
        format!("{} attributes dropped by the SDK (limit 128): usage unknown, not 0", row.dropped)
    } else if nothing && a.has_broken_usage() {
        "usage is stated as something that is no number: unknown, not 0".to_owned()
    } else {
        String::new()
    };
    let outcome = outcome(row, &a);
    let mut call = Call {
        clock: Clock::Unix,
        name: if example.is_empty() { row.name.clone() } else { example },
        model: a.model().to_owned(),
        requested_model: a.requested_model().to_owned(),
        provider: provider.to_owned(),
        tier: tier.to_owned(),
        requested_tier: requested_tier.to_owned(),
        usage,
        why,
        start: row.start,
        scheduled: times.queue.map(|queue| row.start.saturating_add(queue)),
        first_chunk,
        first_token,
        end: row.end,
        times,
        token_times: chunk_times(row),
        error: if outcome == Outcome::Error { error(row, &a) } else { String::new() },
        said: said(rows, parents, at),
        sequences: a.sequences(),
        from_cache: a.is_from_cache(),
        outcome,
        prompt,
        completion,
        ..Call::default()
    };
    a.cost().into_iter().for_each(|stated| call.billed(stated));
    call
}

fn outcome(row: &Row, a: &Attributes<'_>) -> Outcome {
    if row.end.is_none() {
        return Outcome::Running;
    }
    let kind = a.text(&["error.type"]);
    if !row.failed && kind.is_empty() {
        return Outcome::Ok;
    }
    let cancelled = ["cancel", "abort"].iter().any(|word| kind.to_ascii_lowercase().contains(word));
    if cancelled { Outcome::Cancelled } else { Outcome::Error }
}

/// Why a span failed, in one line.
fn error(row: &Row, a: &Attributes<'_>) -> String {
    let exception = row.events.iter().find(|e| e.name == "exception");
    let of_event = exception.and_then(|e| {
        let get = |key: &str| e.attributes.iter().find(|(k, _)| k == key)?.1.as_str();
        get("exception.message").or_else(|| get("exception.type"))
    });
    let said = [row.message.as_str(), of_event.unwrap_or(""), a.text(&["error.message", "error.type"])];
    let said = said.into_iter().find(|s| !s.is_empty()).unwrap_or("failed");
    said.split_whitespace().take(60).collect::<Vec<_>>().join(" ")
}

/// First chunk and first token, unix ns: as attributes say, or by events.
fn first(row: &Row, a: &Attributes<'_>) -> (Option<i64>, Option<i64>) {
    let (chunk, token) = a.first();
    let at = |length: i64| row.start.saturating_add(length);
    let event = row.events.iter().find(|e| {
        let name = e.name.to_ascii_lowercase();
        ["firstchunk", "first_chunk", "first chunk", "first token", "first_token"]
            .iter()
            .any(|n| name.contains(n))
    });
    let event = event.map(|e| {
        let stated = e.attributes.iter().find(|(key, _)| key == "ai.response.msToFirstChunk");
        stated.and_then(|(_, value)| milliseconds(value)).map_or(e.time, at)
    });
    let completed = a.text(&["langfuse.observation.completion_start_time"]).trim_matches('"');
    let completed = unix_time(completed);
    let chunk = chunk.map(at).or(event).or_else(|| chunk_times(row).first().copied());
    (chunk, token.map(at).or(completed))
}

/// When each chunk of the answer came, where events tell.
fn chunk_times(row: &Row) -> Vec<i64> {
    let is_chunk =
        |name: &str| matches!(name, "gen_ai.content.completion.chunk" | "llm.content.completion.chunk");
    let mut times: Vec<i64> = row.events.iter().filter(|e| is_chunk(&e.name)).map(|e| e.time).collect();
    times.sort_unstable();
    times
}
