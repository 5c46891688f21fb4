//! Exchanges become requests and spans.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::llm::attempts::LONGEST_BACK_OFF;
use super::super::llm::{Call, Clock, Said};
use super::super::secrets::mask;
use super::doors::{Seen, join, shift};
use super::exchange::{Exchange, How};
use super::hosts;
use super::records::Calls;
use crate::format;
use crate::model::{
    ArgsRef, FactKind, Finding, FunctionSpec, Outcome, ProfileBuilder, RequestId, Retry, Severity,
    SpanStatus, TrackId, TrackKind, TrackSpec, Value,
};

/// A shorter wait for a connection is the library's own work.
const SHORT_WAIT: i64 = 100_000;
/// Numbers of spans, apart from those that other parts of a recording use.
const NUMBERS: u64 = 0x4854_5450 << 32;

/// Something that a person should know about the requests.
#[derive(Debug)]
pub(crate) struct Remark {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    pub(crate) request: Option<RequestId>,
    pub(crate) time: i64,
}

/// What was added to a builder.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// Calls of models.
    pub(crate) calls: usize,
    /// All exchanges, attempts apart.
    pub(crate) exchanges: usize,
    /// How many each library made.
    libraries: Vec<(String, usize)>,
    pub(crate) remarks: Vec<Remark>,
}

impl Built {
    /// The figures for the header.
    pub(crate) fn fact(&self) -> (&'static str, String) {
        let by: Vec<_> = self.libraries.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let calls = format::counted(self.calls as i64, "call of a model", "calls of models");
        let text =
            format!("{}, {calls} among them ({})", format::count(self.exchanges as i64), by.join(", "));
        ("HTTP requests made", text)
    }

    /// Adds fact and findings where nobody else does.
    pub(in crate::import) fn tell(&self, b: &mut ProfileBuilder) {
        let (name, text) = self.fact();
        b.meta.facts.push(crate::model::Fact::new(FactKind::Result, name, text));
        for remark in &self.remarks {
            let (kind, text) = (b.string(remark.kind), b.string(&remark.text));
            let (request, time) = (remark.request, Some(remark.time));
            b.finding(Finding { kind, severity: Severity::Warning, text, request, track: None, time });
        }
    }
}

/// What spans of requests are beside the rest of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nothing else tells where the time went: they are its spans.
    Nothing,
    /// Tasks or stacks are recorded, in which the program waits for the requests: their spans are a summary of the same time.
    Tasks,
    /// A call profile has the numbers: there are no spans.
    #[cfg(feature = "workloads")]
    Calls,
}

/// Attempts of one call, or one exchange.
struct Group(Vec<Seen>);

/// Adds the exchanges of processes, each with what is to be added to its times. `beside` says what else the run has.
pub(crate) fn build(mut files: Vec<(Calls, i64)>, beside: Beside, b: &mut ProfileBuilder) -> Built {
    files.iter_mut().for_each(|(calls, _)| calls.report(b));
    let seen = files.into_iter().flat_map(|(calls, shift)| {
        let pid = calls.pid;
        let name = if calls.program.is_empty() { "process" } else { &calls.program };
        let process: Rc<str> = format!("{name} ({pid})").into();
        calls.exchanges.into_iter().map(move |exchange| Seen {
            pid,
            process: process.clone(),
            shift,
            exchange,
        })
    });
    let seen = join(seen.collect());
    let several = seen.iter().any(|one| seen.first().is_some_and(|first| first.pid != one.pid));
    let mut built = Built { exchanges: seen.len(), ..Built::default() };
    for one in &seen {
        let library = &one.exchange.library;
        match built.libraries.iter_mut().find(|(name, _)| name == library) {
            Some((_, n)) => *n += 1,
            None => built.libraries.push((library.clone(), 1)),
        }
    }
    let mut building = Building { b, tracks: HashMap::new(), several, beside, next: NUMBERS, chain: 0 };
    let mut blocking: Vec<(i64, i64, Option<RequestId>)> = Vec::new();
    for Group(attempts) in groups(seen) {
        let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else { continue };
        let is_call = last.exchange.is_call();
        let start = first.exchange.start.saturating_add(first.shift);
        let length = last.exchange.end.map_or(0, |end| end.saturating_sub(last.exchange.start));
        let blocks = last.exchange.blocks;
        built.calls += usize::from(is_call);
        let track = building.track(last, is_call);
        if let Some(track) = track {
            building.spans(track, &attempts, is_call);
        }
        let request = is_call.then(|| building.request(track, attempts, built.calls));
        if blocks {
            blocking.push((start, length, request));
        }
    }
    if let Some(&(time, longest, request)) = blocking.iter().max_by_key(|(_, length, _)| *length) {
        let sum = blocking.iter().fold(0i64, |sum, (_, length, _)| sum.saturating_add(*length));
        let text = format!(
            "{} in a thread whose asyncio loop ran: for {} no other task of it could run, {} at the longest. The \
             library's asynchronous client, or asyncio.to_thread, lets the loop go on.",
            format::counted(
                blocking.len() as i64,
                "request was made synchronously",
                "requests were made synchronously"
            ),
            format::duration(sum),
            format::duration(longest),
        );
        built.remarks.push(Remark { kind: "Synchronous request held the event loop", text, request, time });
    }
    built
}

/// Puts attempts of one call together: the same body to the same address, by the same task, after a failure.
fn groups(seen: Vec<Seen>) -> Vec<Group> {
    type Key = (u32, Option<i64>, Option<i64>, String, u64);
    let mut failed: HashMap<Key, (usize, i64)> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for one in seen {
        let e = &one.exchange;
        let (start, end) =
            (e.start.saturating_add(one.shift), e.end.map(|end| end.saturating_add(one.shift)));
        let hash = e.asked.as_ref().map(|asked| asked.hash);
        let key =
            hash.map(|hash| (one.pid, e.thread.filter(|_| e.task.is_none()), e.task, e.url.clone(), hash));
        let earlier = key.as_ref().and_then(|key| failed.remove(key));
        let is_another = |since: i64| (since..=since.saturating_add(LONGEST_BACK_OFF)).contains(&start);
        let place = match earlier.filter(|(_, since)| is_another(*since)) {
            Some((place, _)) => place,
            None => {
                groups.push(Group(Vec::new()));
                groups.len() - 1
            }
        };
        if let (Some(key), Some(end), true) = (key, end, e.may_be_tried_again()) {
            failed.insert(key, (place, end));
        }
        groups[place].0.push(one);
    }
    groups
}

struct Building<'a> {
    b: &'a mut ProfileBuilder,
    tracks: HashMap<(u32, bool), TrackId>,
    several: bool,
    beside: Beside,
    next: u64,
    /// One for each call.
    chain: u32,
}

/// A stretch of an exchange.
type Phase = (&'static str, i64, i64);

impl Building<'_> {
    fn track(&mut self, one: &Seen, is_call: bool) -> Option<TrackId> {
        let kind = match self.beside {
            Beside::Nothing => TrackKind::Async,
            Beside::Tasks => TrackKind::Summary,
            #[cfg(feature = "workloads")]
            Beside::Calls => return None,
        };
        let (several, b) = (self.several, &mut *self.b);
        let known = self.tracks.entry((one.pid, is_call)).or_insert_with(|| {
            let process: &str = if several { &one.process } else { "" };
            let name = if is_call { "LLM calls" } else { "HTTP requests" };
            let sort = if is_call { 50 } else { 51 };
            b.track(TrackSpec { name, process, kind, sort })
        });
        Some(*known)
    }

    fn span(
        &mut self,
        track: TrackId,
        (spec, args): (FunctionSpec<'_>, ArgsRef),
        (start, end): (i64, Option<i64>),
        status: SpanStatus,
        parent: Option<u64>,
    ) -> u64 {
        let function = self.b.function(spec);
        let handle = self.b.open_span(track, start, function, args);
        if let Some(end) = end {
            self.b.close_span(track, handle, end.max(start), status);
        }
        self.next += 1;
        self.b.nest_span(track, handle, self.next, parent);
        // Calls of one time did not call each other, though one may last longer than another.
        self.b.chain_span(track, handle, self.chain);
        self.next
    }

    fn spans(&mut self, track: TrackId, attempts: &[Seen], is_call: bool) {
        let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else { return };
        let e = &last.exchange;
        let host = hosts::host(&e.url);
        let category = match (is_call, hosts::route(&e.url)) {
            (true, "embeddings") => "embedding",
            (true, _) => "llm",
            (false, _) => "http",
        };
        let name = if is_call { hosts::route(&e.url).to_owned() } else { format!("{} {host}", e.method) };
        let spec = FunctionSpec { module: host, category, ..FunctionSpec::named(&name) };
        let args = self.details(e, attempts.len());
        let times = (
            first.exchange.start.saturating_add(first.shift),
            e.end.map(|end| end.saturating_add(last.shift)),
        );
        self.chain += 1;
        let outer = self.span(track, (spec, args), times, status(e), None);
        let mut before: Option<i64> = None;
        for (n, one) in attempts.iter().enumerate() {
            let e = &one.exchange;
            let start = e.start.saturating_add(one.shift);
            let end = e.end.map(|end| end.saturating_add(one.shift));
            let mut around = outer;
            if attempts.len() > 1 {
                if let Some(before) = before.filter(|before| *before < start) {
                    let spec = FunctionSpec { category: "idle", ..FunctionSpec::named("back_off") };
                    self.span(
                        track,
                        (spec, ArgsRef::NONE),
                        (before, Some(start)),
                        SpanStatus::Ok,
                        Some(outer),
                    );
                }
                let args = self.details(e, n + 1);
                let spec = FunctionSpec { category, ..FunctionSpec::named("attempt") };
                around = self.span(track, (spec, args), (start, end), status(e), Some(outer));
            }
            for (name, from, to) in phases(e) {
                // Whoever looks for work finds none there.
                let category = if name.starts_with("wait_") { "idle" } else { category };
                let spec = FunctionSpec { category, ..FunctionSpec::named(name) };
                let times = (from.saturating_add(one.shift), Some(to.saturating_add(one.shift)));
                self.span(track, (spec, ArgsRef::NONE), times, SpanStatus::Ok, Some(around));
            }
            before = end;
        }
    }

    /// What a person may want to know of an exchange.
    fn details(&mut self, e: &Exchange, attempts: usize) -> ArgsRef {
        let mut texts: Vec<(&str, String)> = vec![
            ("url", mask(&hosts::shown(&e.url)).into_owned()),
            ("method", e.method.clone()),
            ("library", e.library.clone()),
            ("thread", e.thread_name.clone()),
            ("task", e.task_name.clone()),
            ("request_id", e.id.clone()),
            ("error", mask(&e.failure().unwrap_or_default()).into_owned()),
        ];
        if e.how == How::Aborted && e.outcome() == Outcome::Cancelled {
            texts.push(("ended", "by the program, before the answer was whole".into()));
        }
        texts.retain(|(_, text)| !text.is_empty());
        let mut numbers: Vec<(&str, i64)> =
            e.status.map(|status| ("status", i64::from(status))).into_iter().collect();
        if attempts > 1 {
            numbers.push(("attempts", attempts as i64));
        }
        let bytes = [("bytes_sent", e.sent), ("bytes_received", e.received)];
        let bytes = bytes.into_iter().filter(|(_, n)| *n > 0);
        numbers.extend(bytes.map(|(key, n)| (key, i64::try_from(n).unwrap_or(i64::MAX))));
        let texts =
            texts.into_iter().map(|(key, text)| (self.b.string(key), Value::Text(self.b.string(&text))));
        let mut pairs: Vec<_> = texts.collect();
        pairs.extend(numbers.into_iter().map(|(key, n)| (self.b.string(key), Value::Int(n))));
        self.b.args(pairs)
    }

    fn request(&mut self, track: Option<TrackId>, attempts: Vec<Seen>, number: usize) -> RequestId {
        let mut retries = Vec::new();
        for pair in attempts.windows(2) {
            let at = |s: &Seen, time: i64| time.saturating_add(s.shift);
            let (began, again) = (at(&pair[0], pair[0].exchange.start), at(&pair[1], pair[1].exchange.start));
            let failed = pair[0].exchange.end.map_or(again, |end| at(&pair[0], end));
            let reason = match pair[0].exchange.status {
                Some(status) => format!("HTTP {status}"),
                None => "no answer".to_owned(),
            };
            retries.push(Retry { began, failed, again, reason: self.b.string(&reason) });
        }
        let start = attempts.first().map_or(0, |s| s.exchange.start.saturating_add(s.shift));
        let queued = attempts.first().and_then(|s| {
            let stamps = &s.exchange.stamps;
            Some(stamps.connect.or(stamps.send)?.saturating_add(s.shift))
        });
        let mut attempts = attempts;
        let Some(Seen { shift: by, exchange: e, .. }) = attempts.pop() else { return RequestId(0) };
        let call = call(e, number, by, start);
        let call = Call { scheduled: queued, ..call };
        let mut request = call.request(self.b, 0, track);
        request.retries = retries;
        self.b.request(request)
    }
}

/// The call of a model that an exchange is; its times are those of the profile.
fn call(e: Exchange, number: usize, by: i64, start: i64) -> Call {
    let (outcome, failure, is_whole) = (e.outcome(), e.failure(), e.is_whole());
    let provider = hosts::provider(&e.url);
    let name = format!("#{number} {}", hosts::route(&e.url));
    let asked = e.asked.unwrap_or_default();
    let mut call = e.call.unwrap_or_default();
    shift(&mut call, by);
    if is_whole && call.broken_off && call.outcome != Outcome::Error {
        (call.broken_off, call.why) = (false, String::new());
    }
    let at = |time: i64| time.saturating_add(by);
    if call.requested_model.is_empty() {
        call.requested_model = if asked.model.is_empty() { hosts::model(&e.url) } else { asked.model };
    }
    if !provider.is_empty() {
        provider.clone_into(&mut call.provider);
    }
    if !e.unread.is_empty() && call.usage.says_nothing() {
        e.unread.clone_into(&mut call.why);
    }
    let hidden = |text: &str| mask(text).into_owned();
    let error = failure.unwrap_or_else(|| std::mem::take(&mut call.error));
    Call {
        clock: Clock::Unix,
        name,
        requested_tier: asked.tier,
        start,
        first_byte: e.stamps.first_byte.map(at),
        end: e.end.map(at),
        prompt: hidden(&asked.prompt),
        completion: hidden(&call.completion),
        said: Said(asked.said.0.iter().map(|(name, value)| (name.clone(), hidden(value))).collect()),
        error: hidden(&error),
        outcome,
        ..call
    }
}

fn status(e: &Exchange) -> SpanStatus {
    match e.outcome() {
        Outcome::Error => SpanStatus::Error,
        Outcome::Running => SpanStatus::Unfinished,
        _ => SpanStatus::Ok,
    }
}

/// The stretches of an exchange in order, each where both its ends are known.
fn phases(e: &Exchange) -> Vec<Phase> {
    let s = &e.stamps;
    let mut phases: Vec<Phase> = Vec::new();
    let mut at = e.start;
    let mut step = |name, from: Option<i64>, to: Option<i64>| {
        let Some(to) = to else { return };
        let from = from.unwrap_or(at).max(at);
        if to > from {
            phases.push((name, from, to));
        }
        at = at.max(to);
    };
    if let Some(begun) = s.connect.or(s.send).filter(|t| t.saturating_sub(e.start) >= SHORT_WAIT) {
        step("wait_for_connection", None, Some(begun));
    }
    step("connect", s.connect, s.connected);
    step("tls", s.connected, s.tls);
    step("send", s.send, s.sent);
    step("wait_for_first_byte", s.sent, s.first_byte);
    let first = e.call.as_ref().and_then(|call| call.first_token);
    if first.is_some() {
        step("wait_for_first_token", s.first_byte, first);
    }
    if s.first_byte.is_some() {
        step("receive", None, e.end);
    }
    phases
}
