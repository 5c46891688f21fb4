//! The requests that spans tell of: which spans are several attempts of one, or the same call as two programs saw it, and
//! what spans around calls count against what these count.

use std::collections::HashMap;

use super::super::llm::attempts::{self, Tried};
use super::super::read::value::count;
use super::attributes::Attributes;
use super::calls::{self, Judged};
use super::row::Row;
use crate::format;
use crate::model::{ProfileBuilder, Request, Retry, ServerTimes, TokenCounts, TrackId};

/// The label that holds what another span counts of the same call.
const OTHER_COUNT: &str = "counted by another span";
/// So far above a span it is looked for the request that it is part of.
const MOST_ABOVE: usize = 64;
/// Clocks of two machines may be so far apart, ns.
const SKEW: i64 = 1_000_000_000;
/// Statuses of HTTP after which a client usually tries again.
const AGAIN: [u64; 4] = [408, 409, 425, 429];
/// Names under which a span says how many attempts there were before.
const RESENT: &[&str] = &[
    "http.request.resend_count",
    "http.resend_count",
    "http.retry_count",
    "gen_ai.request.retry_count",
    "gen_ai.retry.count",
    "llm.retry_count",
    "llm.request.retries",
    "retry.count",
    "retry_count",
];

/// Spans as [`super::build`] has them.
pub(super) struct Spans<'a> {
    pub rows: &'a [&'a Row],
    pub parents: &'a [Option<u32>],
    pub judged: &'a [Judged],
    pub tracks: &'a [TrackId],
    /// Unix time of the profile's 0, ns.
    pub origin: i64,
}

impl Spans<'_> {
    /// All requests, in the order of their spans.
    pub fn requests(&self, b: &mut ProfileBuilder) -> Vec<Request> {
        let sent = self.sent();
        let outside = self.outside(b);
        let mut tried: Vec<Tried> = Vec::new();
        let mut answers: HashMap<String, usize> = HashMap::new();
        for n in (0..self.rows.len()).filter(|n| self.judged[*n].is_request) {
            let row = self.rows[n];
            let a = Attributes::of(row);
            let mut call = calls::call(self.rows, self.parents, n, self.judged[n].kind);
            let resent = a.get(RESENT).and_then(count).unwrap_or(0);
            if resent > 0 {
                call.said.add("retries", &resent.to_string());
            }
            let mut request = call.request(b, self.origin, Some(self.tracks[n]));
            if let Some(exchanges) = sent.get(&n) {
                self.attempts(exchanges, &mut request, b);
            }
            if let Some(&around) = outside.get(&n) {
                let (other, accounting) = Attributes::of(self.rows[around]).usage().settle();
                let stated = accounting.stated_total.or(other.total());
                compare(&mut request, (other.prompt(), other.output, stated), b);
            }
            // Whoever asked a server that tells of its own phases waited longer than that worked.
            let client =
                self.above(n).find(|up| self.judged[*up].kind.is_call() && !self.judged[*up].is_request);
            if let Some(client) = client.filter(|_| request.phases != ServerTimes::default()) {
                self.as_its_client_saw(&mut request, client);
            }
            let answer = a.text(&["gen_ai.response.id", "llm.response.id", "ai.response.id"]);
            if let Some(&known) = answers.get(answer).filter(|_| answer.len() >= 8)
                && is_within(&tried[known].request, &request)
            {
                same_call(&mut tried[known].request, &request, b);
                continue;
            }
            answers.insert(answer.to_owned(), tried.len());
            tried.push(Tried { request, trace: row.trace, id: String::new(), resent });
        }
        attempts::link(tried, b)
    }

    /// Gives a server's request the stamps of the client's span around it.
    fn as_its_client_saw(&self, request: &mut Request, client: usize) {
        let call = calls::call(self.rows, self.parents, client, self.judged[client].kind);
        let own = |t: i64| t.saturating_sub(self.origin);
        request.arrived = request.arrived.min(own(call.start));
        request.finished = match (request.finished, call.end.map(own)) {
            (Some(server), Some(client)) => Some(server.max(client)),
            (server, client) => client.or(server),
        };
        request.first_chunk = call.first_chunk.map(own).or(request.first_chunk);
        request.first_token = call.first_token.map(own).or(call.first_chunk.map(own)).or(request.first_token);
    }

    /// The spans around one, the innermost first.
    fn above(&self, n: usize) -> impl Iterator<Item = usize> + '_ {
        let way = std::iter::successors(self.parents[n], |up| self.parents[*up as usize]);
        way.take(MOST_ABOVE).map(|up| up as usize)
    }

    /// Requests over HTTP by the call of a model that they were made for, in order of time.
    fn sent(&self) -> HashMap<usize, Vec<usize>> {
        let mut sent: HashMap<usize, Vec<usize>> = HashMap::new();
        let is_http = |row: &Row| row.attributes.iter().any(|(key, _)| key.starts_with("http."));
        for (n, row) in self.rows.iter().enumerate() {
            if self.judged[n].is_request || !is_http(row) {
                continue;
            }
            if let Some(of) = self.above(n).find(|up| self.judged[*up].is_request) {
                sent.entry(of).or_default().push(n);
            }
        }
        sent
    }

    /// Attempts as spans of requests over HTTP tell of them.
    fn attempts(&self, exchanges: &[usize], request: &mut Request, b: &mut ProfileBuilder) {
        let mut by = None;
        for pair in exchanges.windows(2) {
            let [first, second] = [pair[0], pair[1]].map(|n| self.rows[n]);
            let [before, after] = [first, second].map(Attributes::of);
            let status = before.get(&["http.response.status_code", "http.status_code"]).and_then(count);
            let failed = status.map_or(first.failed, |s| s >= 500 || AGAIN.contains(&s));
            let counted = after.get(RESENT).and_then(count).is_some_and(|n| n > 0);
            let address = |a: &Attributes<'_>| {
                let of = |names: &[&str]| a.text(names).to_owned();
                [of(&["url.full", "http.url", "http.target"]), of(&["server.address", "net.peer.name"])]
            };
            let same = address(&before) == address(&after) && !address(&after).concat().is_empty();
            let Some(end) = first.end.filter(|end| *end <= second.start && failed && (counted || same))
            else {
                continue;
            };
            let at = |time: i64| time.saturating_sub(self.origin);
            let reason = status.map_or_else(|| "no answer".to_owned(), |s| format!("HTTP {s}"));
            let reason = b.string(&reason);
            request.retries.push(Retry {
                began: at(first.start),
                failed: at(end),
                again: at(second.start),
                reason,
            });
            by = Some(if counted { "http.request.resend_count" } else { "same address after a failure" });
        }
        by.into_iter().for_each(|by| attempts::say(request, by, b));
    }

    /// By request the span around it that counts tokens of it alone: its client's own count. What spans around several count is
    /// compared with their sum.
    fn outside(&self, b: &mut ProfileBuilder) -> HashMap<usize, usize> {
        let mut below: HashMap<usize, Vec<usize>> = HashMap::new();
        for n in (0..self.rows.len()).filter(|n| self.judged[*n].is_request) {
            for up in self.above(n).filter(|up| Attributes::may_tell(self.rows[*up])) {
                below.entry(up).or_default().push(n);
            }
        }
        let mut outside = HashMap::new();
        let mut order: Vec<_> = below.into_iter().collect();
        order.sort_unstable_by_key(|(up, _)| *up);
        for (up, parts) in order {
            let (around, _) = Attributes::of(self.rows[up]).usage().settle();
            let (Some(prompt), Some(output)) = (around.prompt(), around.output) else { continue };
            let whole = (prompt, output);
            // One that is a request itself made the other one by a tool.
            if self.judged[up].is_request {
                continue;
            }
            if let [only] = parts[..]
                && self.judged[up].kind.is_call()
            {
                outside.insert(only, up);
                continue;
            }
            let mut parts = parts.iter().map(|n| Attributes::of(self.rows[*n]).usage().settle().0);
            let sum = parts.try_fold(Sums::default(), |sum, part| sum.plus(&part));
            if let Some(sum) = sum.filter(|sum| !sum.are(whole)) {
                let what = "span that counts other tokens than the calls in it: these count";
                let place = format!(
                    "{}: {} in and {} out, its calls {} and {}",
                    self.rows[up].name,
                    format::count(prompt as i64),
                    format::count(output as i64),
                    format::count(sum.prompt as i64),
                    format::count(sum.output as i64)
                );
                b.warn(what, &place);
            }
        }
        outside
    }
}

/// What calls count. A span around them may leave out what was cached, or reasoning.
#[derive(Clone, Copy, Default)]
struct Sums {
    prompt: u64,
    uncached: u64,
    output: u64,
    /// Output without reasoning.
    answer: u64,
}

impl Sums {
    fn plus(self, t: &TokenCounts) -> Option<Self> {
        let (prompt, output) = (t.prompt()?, t.output?);
        Some(Self {
            prompt: self.prompt.saturating_add(prompt),
            uncached: self.uncached.saturating_add(t.input.unwrap_or(prompt)),
            output: self.output.saturating_add(output),
            answer: self.answer.saturating_add(output.saturating_sub(t.reasoning.unwrap_or(0))),
        })
    }

    /// Whether these may be the same counts.
    fn are(self, (prompt, output): (u64, u64)) -> bool {
        [self.prompt, self.uncached].contains(&prompt) && [self.output, self.answer].contains(&output)
    }
}

/// Notes with a request what its client counts (prompt, output, total), where that is something else.
fn compare(
    request: &mut Request,
    (prompt, output, total): (Option<u64>, Option<u64>, Option<u64>),
    b: &mut ProfileBuilder,
) {
    let Some(own) = Sums::default().plus(&request.tokens) else { return };
    if own.are((prompt.unwrap_or(own.prompt), output.unwrap_or(own.output))) {
        return;
    }
    let count = |n: Option<u64>| n.map_or_else(|| format::UNKNOWN.to_owned(), |n| format::count(n as i64));
    let (name, text) =
        (b.string(OTHER_COUNT), b.string(&format!("{} in, {} out", count(prompt), count(output))));
    request.attributes.push((name, text));
    // What is taken adds up by itself: shown is what contradicts it.
    request.accounting.stated_total = total.or(request.accounting.stated_total);
    b.warn("call that two spans count differently: the inner one, or the first, is taken", "");
}

/// Whether one of two calls lies within the other, but for clocks that differ.
fn is_within(a: &Request, b: &Request) -> bool {
    let within = |a: &Request, b: &Request| {
        let ends = a.finished.zip(b.finished).is_none_or(|(a, b)| a <= b.saturating_add(SKEW));
        a.arrived.saturating_add(SKEW) >= b.arrived && ends
    };
    within(a, b) || within(b, a)
}

/// Gives a call what another program, which saw the same answer, knows of it.
fn same_call(known: &mut Request, other: &Request, b: &mut ProfileBuilder) {
    if known.tokens.is_unknown() {
        (known.tokens, known.accounting, known.tokens_why) =
            (other.tokens, other.accounting, other.tokens_why);
    } else {
        let t = other.tokens;
        compare(known, (t.prompt(), t.output, t.total()), b);
    }
    if known.phases == ServerTimes::default() {
        (known.phases, known.scheduled) = (other.phases, known.scheduled.or(other.scheduled));
    }
    known.cost = known.cost.or(other.cost);
    known.first_chunk = known.first_chunk.or(other.first_chunk);
    known.first_token = known.first_token.or(other.first_token);
    b.warn("call that client and server both tell of (one request)", "");
}
