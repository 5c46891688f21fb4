//! Who called whom in one step of a trace, and when: lifelines, calls, answers, what ran at the same time, and which way a cache sent
//! it.
//!
//! Spans tell of caches, queues, workers and tools. Where there are none, the stamps of a request do.

use rustc_hash::{FxHashMap, FxHashSet};

use super::kind::Kind;
use super::tree::{Step, TraceOf, Tree};
use crate::analysis::requests::{RequestPart, parts};
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{CacheOutcome, Outcome, Profile, Request, RequestId};
use crate::query::{Context, Query};

/// Most arrows.
const MOST: usize = 400;
/// Most lifelines: further tools share one.
const MOST_LINES: usize = 14;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Who asks: a client, an agent, a chain.
    Caller,
    /// A cache.
    Cache,
    /// A queue.
    Queue,
    /// Who works on requests.
    Worker,
    /// A model.
    Model,
    /// What makes embeddings.
    Embedding,
    /// What looks up documents.
    Retrieval,
    /// A tool.
    Tool,
}

/// A lifeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub role: Role,
    /// What it is called.
    pub name: String,
}

/// What an arrow tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Says {
    /// Somebody is called.
    Call,
    /// The answer.
    Answer,
    /// The answer begins.
    FirstToken,
    /// It failed.
    Failed,
}

/// A call or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// When, ns.
    pub time: i64,
    /// From this lifeline.
    pub from: u32,
    /// To this one; the same for what somebody does alone.
    pub to: u32,
    /// What it tells.
    pub says: Says,
    /// In words.
    pub label: String,
    /// How long what ends here took, ns.
    pub took: Option<i64>,
    /// The step of the tree that it is about.
    pub step: u32,
}

/// A time in which a lifeline was busy, or waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Which.
    pub line: u32,
    /// From, ns.
    pub from: i64,
    /// To.
    pub to: i64,
    /// What it did.
    pub what: &'static str,
    /// Nothing was done meanwhile.
    pub waits: bool,
    /// The step of the tree.
    pub step: u32,
}

/// A frame around a part of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// At the same time; otherwise one of several ways.
    pub parallel: bool,
    /// In words.
    pub label: String,
    /// From, ns.
    pub from: i64,
    /// To.
    pub to: i64,
}

/// A streamed answer: its tokens are in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Whose.
    pub request: RequestId,
    /// From this lifeline.
    pub from: u32,
    /// To this one.
    pub to: u32,
}

/// A sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Those who took part, from left to right.
    pub lines: Vec<Line>,
    /// Calls and answers by time.
    pub arrows: Vec<Arrow>,
    /// What lifelines did.
    pub busy: Vec<Busy>,
    /// What ran at the same time, and which way was taken.
    pub blocks: Vec<Block>,
    /// Streamed answers.
    pub streams: Vec<Stream>,
    /// There are more calls than are shown.
    pub cut: bool,
}

/// Computes the [`Sequence`] of one step of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SequenceOf {
    /// The trace.
    pub trace: TraceOf,
    /// The step.
    pub key: u64,
}

impl Query for SequenceOf {
    type Output = Sequence;

    fn run(&self, cx: &Context<'_>) -> Result<Sequence, Cancelled> {
        let tree = cx.get(&self.trace)?;
        let Some(at) = tree.steps.iter().position(|s| s.key == self.key).filter(|_| tree.dated) else {
            return Ok(Sequence::default());
        };
        Ok(Telling::new(cx.profile(), &tree).tell(at))
    }

    fn weight(of: &Sequence) -> usize {
        of.arrows.len() * (size_of::<Arrow>() + 24) + of.busy.len() * size_of::<Busy>()
    }
}

/// A sequence that is being told.
struct Telling<'a> {
    profile: &'a Profile,
    tree: &'a Tree,
    out: Sequence,
    /// The lifeline that a step's own calls come from.
    actors: FxHashMap<u32, u32>,
    /// Lifelines of workers, by the request that they work on.
    workers: FxHashMap<u32, u32>,
}

/// What steps below a request tell, so that its stamps need not.
#[derive(Clone, Copy, Default)]
struct Told {
    cache: Option<i64>,
    waits: bool,
    attempts: bool,
    worker: bool,
}

impl<'a> Telling<'a> {
    fn new(profile: &'a Profile, tree: &'a Tree) -> Self {
        Self {
            profile,
            tree,
            out: Sequence::default(),
            actors: FxHashMap::default(),
            workers: FxHashMap::default(),
        }
    }

    fn line(&mut self, role: Role, name: &str) -> u32 {
        let known = self.out.lines.iter().position(|l| l.role == role && l.name == name);
        if let Some(at) = known {
            return at as u32;
        }
        let full = self.out.lines.len() >= MOST_LINES && role != Role::Model;
        let name = if full { "others" } else { name };
        if full && let Some(at) = self.out.lines.iter().position(|l| l.role == role && l.name == name) {
            return at as u32;
        }
        self.out.lines.push(Line { role, name: name.to_owned() });
        self.out.lines.len() as u32 - 1
    }

    fn arrow(&mut self, (from, to): (u32, u32), time: i64, says: Says, label: &str, step: usize) {
        let label = label.to_owned();
        self.out.arrows.push(Arrow { time, from, to, says, label, took: None, step: step as u32 });
    }

    fn steps(&self, at: usize) -> impl Iterator<Item = (usize, &'a Step)> {
        let steps = &self.tree.steps;
        (at + 1..steps[at].below as usize).map(move |i| (i, &steps[i])).filter(|(_, s)| s.kind.is_step())
    }

    /// The nearest caller above that has a lifeline.
    fn actor(&self, at: usize) -> u32 {
        let up = |&i: &u32| self.tree.steps.get(i as usize).map(|s| s.parent);
        let above = std::iter::successors(Some(self.tree.steps[at].parent), up);
        above.take_while(|&i| i != super::NO_STEP).find_map(|i| self.actors.get(&i).copied()).unwrap_or(0)
    }

    fn tell(mut self, at: usize) -> Sequence {
        let root = self.tree.steps[at];
        let name = match (root.request, root.name(self.profile)) {
            (Some(_), _) | (None, "") => "client",
            (None, name) => name,
        };
        let caller = self.line(Role::Caller, name);
        self.actors.insert(at as u32, caller);
        // Answers of steps whose end has not been told yet, with the first step after them.
        let mut open: Vec<(u32, Vec<Arrow>)> = Vec::new();
        if root.request.is_some() {
            let ends = self.request(at, caller);
            open.push((root.below, ends));
        }
        let all: Vec<(usize, &Step)> = self.steps(at).collect();
        for (i, step) in all {
            while let Some((_, ends)) = open.pop_if(|(below, _)| *below as usize <= i) {
                self.out.arrows.extend(ends);
            }
            if self.out.arrows.len() >= MOST {
                self.out.cut = true;
                break;
            }
            let ends = self.step(i, step);
            open.push((step.below, ends));
        }
        while let Some((_, ends)) = open.pop() {
            self.out.arrows.extend(ends);
        }
        // Of one time calls and answers stand in the order in which they were told.
        self.out.arrows.sort_by_key(|a| a.time);
        self.parallel(at);
        self.order();
        self.out
    }

    /// Tells of the call of a step; gives what is told at its end.
    fn step(&mut self, i: usize, step: &Step) -> Vec<Arrow> {
        let caller = self.actor(i);
        let name = step.name(self.profile);
        let role = match step.kind {
            Kind::Stream | Kind::Ordinary => return Vec::new(),
            Kind::Model if step.request.is_some() => {
                self.actors.insert(i as u32, caller);
                return self.request(i, caller);
            }
            Kind::Embedding if step.request.is_some() => Role::Embedding,
            Kind::Agent | Kind::Model => Role::Caller,
            Kind::Tool => Role::Tool,
            Kind::Retrieval => Role::Retrieval,
            Kind::Embedding => Role::Embedding,
            Kind::Cache => Role::Cache,
            Kind::Wait if !is_back_off(name) => Role::Queue,
            Kind::Worker => return self.worker(i, step, caller),
            Kind::Attempt => return self.attempt(i, step, caller),
            Kind::Stage | Kind::Wait => {
                // What somebody does alone.
                self.actors.insert(i as u32, caller);
                self.busy(caller, step, i);
                self.arrow((caller, caller), step.start, Says::Call, name, i);
                if let Some(arrow) = self.out.arrows.last_mut() {
                    arrow.took = step.duration();
                    arrow.says = if step.failed { Says::Failed } else { Says::Call };
                }
                return Vec::new();
            }
        };
        let shown = match role {
            Role::Cache => "cache",
            Role::Queue => "queue",
            Role::Embedding => step.request.map_or("embedding", |id| self.model(id)),
            _ => name,
        };
        let line = self.line(role, shown);
        self.actors.insert(i as u32, line);
        self.busy(line, step, i);
        self.arrow((caller, line), step.start, Says::Call, name, i);
        let label = match step.kind {
            Kind::Cache => self.verdict(step).to_owned(),
            Kind::Wait => "turn".to_owned(),
            _ => String::new(),
        };
        let to = if role == Role::Queue { self.served(i).unwrap_or(caller) } else { caller };
        vec![self.end(step, i, (line, to), label)]
    }

    /// Who takes a request out of its queue: the worker of the request above.
    fn served(&mut self, i: usize) -> Option<u32> {
        let up = |&i: &u32| self.tree.steps.get(i as usize).map(|s| s.parent);
        let request = std::iter::successors(Some(i as u32), up)
            .take_while(|&i| i != super::NO_STEP)
            .find(|&i| self.tree.steps[i as usize].request.is_some())?;
        self.worker_of(request as usize)
    }

    fn worker_of(&mut self, request: usize) -> Option<u32> {
        if let Some(known) = self.workers.get(&(request as u32)) {
            return Some(*known);
        }
        let place = self.steps(request).find(|(_, s)| s.kind == Kind::Worker)?.1.place?;
        let name = self.profile.text(self.profile.track(place.0).name);
        let line = self.line(Role::Worker, name);
        self.workers.insert(request as u32, line);
        Some(line)
    }

    fn worker(&mut self, i: usize, step: &Step, caller: u32) -> Vec<Arrow> {
        let Some(place) = step.place else { return Vec::new() };
        let line = self.line(Role::Worker, self.profile.text(self.profile.track(place.0).name));
        self.actors.insert(i as u32, line);
        self.busy(line, step, i);
        let queued = self.out.lines.iter().any(|l| l.role == Role::Queue);
        if !queued && caller != line {
            self.arrow((caller, line), step.start, Says::Call, step.name(self.profile), i);
        }
        Vec::new()
    }

    fn attempt(&mut self, i: usize, step: &Step, caller: u32) -> Vec<Arrow> {
        let up = |&i: &u32| self.tree.steps.get(i as usize).map(|s| s.parent);
        let request = std::iter::successors(Some(step.parent), up)
            .take_while(|&i| i != super::NO_STEP)
            .find_map(|i| self.tree.steps[i as usize].request);
        let line = self.line(Role::Model, request.map_or("server", |id| self.model(id)));
        self.actors.insert(i as u32, caller);
        self.busy(line, step, i);
        self.arrow((caller, line), step.start, Says::Call, step.name(self.profile), i);
        vec![self.end(step, i, (line, caller), String::new())]
    }

    fn end(&self, step: &Step, i: usize, (from, to): (u32, u32), label: String) -> Arrow {
        let says = if step.failed { Says::Failed } else { Says::Answer };
        let label = if step.failed && label.is_empty() { "failed".to_owned() } else { label };
        Arrow { time: step.end, from, to, says, label, took: step.duration(), step: i as u32 }
    }

    fn busy(&mut self, line: u32, step: &Step, i: usize) {
        let waits = step.kind == Kind::Wait;
        let (from, to, what) = (step.start, step.end, step.kind.name());
        self.out.busy.push(Busy { line, from, to, what, waits, step: i as u32 });
    }

    /// What a look-up in a cache found.
    fn verdict(&self, step: &Step) -> &'static str {
        let Some(place) = step.place else { return "" };
        let args = self.profile.inline_args(super::places::span(self.profile, place).args);
        let of = |name: &str| args.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        match (of("hit"), of("verdict")) {
            (Some("true"), _) => "hit",
            (Some("false"), _) | (_, Some("miss")) => "miss",
            (_, Some(_)) => "hit",
            _ => "",
        }
    }

    fn model(&self, id: RequestId) -> &'a str {
        match self.profile.text(self.profile.requests.rows[id.index()].model) {
            "" => "model",
            name => name,
        }
    }

    fn told(&self, at: usize, r: &Request) -> Told {
        let mut told = Told::default();
        for (_, step) in self.steps(at) {
            match step.kind {
                // An answer is stored after the model: that is no look-up.
                Kind::Cache if r.began().or(r.finished).is_none_or(|t| step.start < t) => {
                    told.cache = Some(told.cache.unwrap_or(step.end).max(step.end));
                }
                Kind::Wait => told.waits |= !is_back_off(step.name(self.profile)),
                Kind::Attempt => told.attempts = true,
                Kind::Worker => told.worker = true,
                _ => {}
            }
        }
        told
    }

    /// Tells of a request by its stamps, as far as no step below does.
    fn request(&mut self, at: usize, caller: u32) -> Vec<Arrow> {
        let (profile, step) = (self.profile, &self.tree.steps[at]);
        let Some(id) = step.request else { return Vec::new() };
        let r = &profile.requests.rows[id.index()];
        let told = self.told(at, r);
        if let Some(cache) = r.cache {
            self.looked_up(at, caller, cache, told);
        }
        if r.answered_by_cache() {
            let cached = told.cache.is_none().then(|| self.line(Role::Cache, "cache"));
            return cached.map(|line| self.end(step, at, (line, caller), "hit".into())).into_iter().collect();
        }
        let began = r.scheduled.filter(|t| *t > r.arrived);
        let queue = began.filter(|_| !told.waits).map(|t| (self.line(Role::Queue, "queue"), t));
        if let Some((line, until)) = queue {
            self.arrow((caller, line), r.arrived, Says::Call, "enqueue", at);
            let (from, to, what) = (r.arrived, until, RequestPart::Queued.name());
            self.out.busy.push(Busy { line, from, to, what, waits: true, step: at as u32 });
        }
        let worker = if told.worker { self.worker_of(at) } else { None };
        let model = self.line(Role::Model, self.model(id));
        if let Some((line, until)) = queue {
            // Of several attempts each is a call of its own.
            let several = told.attempts || !r.retries.is_empty();
            let (to, says) = match worker {
                Some(worker) => (worker, Says::Call),
                None if several => (caller, Says::Answer),
                None => (model, Says::Call),
            };
            self.arrow((line, to), until, says, "turn", at);
            if let Some(arrow) = self.out.arrows.last_mut() {
                arrow.took = Some(until - r.arrived);
            }
        }
        if !told.attempts {
            self.retries(at, r, caller, model);
        }
        let last = r.retries.last().map(|retry| retry.again);
        let start = last.or(began).unwrap_or(r.arrived);
        if !told.attempts && (queue.is_none() || worker.is_some() || last.is_some()) {
            self.arrow((worker.unwrap_or(caller), model), start, Says::Call, profile.text(r.name), at);
        }
        let doing = parts(r, step.end).into_iter().filter(|p| p.0 >= start && !p.2.is_waiting());
        for (from, to, part) in doing {
            let what = part.name();
            self.out.busy.push(Busy { line: model, from, to, what, waits: false, step: at as u32 });
        }
        self.batch(r, start, step.end);
        let first = r.began().filter(|t| *t < step.end);
        if let Some(time) = first {
            let says = Says::FirstToken;
            let label = if r.first_token.is_some() { "first token" } else { "first chunk" };
            self.arrow((model, caller), time, says, label, at);
            if let Some(arrow) = self.out.arrows.last_mut() {
                arrow.took = r.ttft();
            }
            self.out.streams.push(Stream { request: id, from: model, to: caller });
        }
        if told.attempts || r.outcome == Outcome::Running {
            return Vec::new();
        }
        let label = match r.outcome {
            Outcome::Error => match profile.text(r.error) {
                "" => "failed",
                why => why,
            },
            Outcome::Cancelled => "cancelled",
            _ if first.is_some() => "last token",
            _ => "answer",
        };
        vec![self.end(step, at, (model, caller), format::short(label, 60).into_owned())]
    }

    fn looked_up(&mut self, at: usize, caller: u32, cache: CacheOutcome, told: Told) {
        let step = &self.tree.steps[at];
        let label = match cache {
            CacheOutcome::Exact => "hit: the same request",
            CacheOutcome::Semantic => "hit: a similar request",
            CacheOutcome::Miss => "miss",
        };
        let from = told.cache.unwrap_or(step.start);
        self.out.blocks.push(Block { parallel: false, label: label.to_owned(), from, to: step.end });
        if told.cache.is_none() {
            let line = self.line(Role::Cache, "cache");
            self.arrow((caller, line), step.start, Says::Call, "look up", at);
            if cache == CacheOutcome::Miss {
                // Nobody says how long it took.
                self.arrow((line, caller), step.start, Says::Answer, "miss", at);
            }
        }
    }

    fn retries(&mut self, at: usize, r: &Request, caller: u32, model: u32) {
        for (n, retry) in r.retries.iter().enumerate() {
            let label = format!("attempt {}", n + 1);
            self.arrow((caller, model), retry.began, Says::Call, &label, at);
            let failed = format::short(self.profile.text(retry.reason), 60).into_owned();
            self.arrow((model, caller), retry.failed, Says::Failed, &failed, at);
            if let Some(arrow) = self.out.arrows.last_mut() {
                arrow.took = Some(retry.failed.saturating_sub(retry.began));
            }
            let (attempt, back_off) = (RequestPart::Attempt.name(), RequestPart::BackOff.name());
            let step = at as u32;
            let tried = (model, retry.began, retry.failed, attempt, false);
            let waited = (caller, retry.failed, retry.again, back_off, true);
            for (line, from, to, what, waits) in [tried, waited] {
                self.out.busy.push(Busy { line, from, to, what, waits, step });
            }
            if retry.back_off() > 0 {
                self.arrow((caller, caller), retry.failed, Says::Call, back_off, at);
                if let Some(arrow) = self.out.arrows.last_mut() {
                    arrow.took = Some(retry.back_off());
                }
            }
        }
    }

    /// Requests that were generated together run at the same time.
    fn batch(&mut self, r: &Request, from: i64, to: i64) {
        let Some(batch) = r.batch else { return };
        let others = self.profile.requests.rows.iter().filter(|o| o.batch == Some(batch)).count();
        if others > 1 {
            let others = format::counted(others as i64 - 1, "other request", "other requests");
            let label = format!("batch {batch} with {others}");
            self.out.blocks.push(Block { parallel: true, label, from, to });
        }
    }

    /// Frames around calls of one caller that overlap in time.
    fn parallel(&mut self, at: usize) {
        let mut by_caller: FxHashMap<u32, Vec<(i64, i64)>> = FxHashMap::default();
        let mut told: FxHashSet<u32> = FxHashSet::default();
        told.insert(at as u32);
        let shown: FxHashSet<u32> = self.out.arrows.iter().map(|a| a.step).collect();
        for (i, step) in self.steps(at) {
            let up = |&i: &u32| self.tree.steps.get(i as usize).map(|s| s.parent);
            let caller = std::iter::successors(Some(step.parent), up).find(|i| told.contains(i));
            told.insert(i as u32);
            let calls = !matches!(step.kind, Kind::Worker | Kind::Stream | Kind::Wait);
            if let Some(caller) = caller.filter(|_| calls && shown.contains(&(i as u32))) {
                by_caller.entry(caller).or_default().push((step.start, step.end));
            }
        }
        let mut found: Vec<Block> = Vec::new();
        for times in by_caller.values_mut() {
            times.sort_unstable();
            let mut group: Option<(i64, i64, usize)> = None;
            for &(start, end) in times.iter().chain([&(i64::MAX, i64::MAX)]) {
                group = match group {
                    Some((from, to, n)) if start < to => Some((from, to.max(end), n + 1)),
                    other => {
                        if let Some((from, to, n)) = other.filter(|g| g.2 > 1) {
                            let label = format!("{} at the same time", format::count(n as i64));
                            found.push(Block { parallel: true, label, from, to });
                        }
                        Some((start, end, 1))
                    }
                };
            }
        }
        found.sort_by_key(|b| (b.from, std::cmp::Reverse(b.to)));
        self.out.blocks.extend(found);
    }

    /// Puts lifelines in the order in which calls go through them: who asks at the left, models and tools at the right.
    fn order(&mut self) {
        let lines = &self.out.lines;
        let mut order: Vec<u32> = (0..lines.len() as u32).collect();
        order.sort_by_key(|&i| (lines[i as usize].role, i));
        let mut new = vec![0u32; order.len()];
        (0u32..).zip(&order).for_each(|(at, &old)| new[old as usize] = at);
        self.out.lines = order.iter().map(|&i| lines[i as usize].clone()).collect();
        for arrow in &mut self.out.arrows {
            (arrow.from, arrow.to) = (new[arrow.from as usize], new[arrow.to as usize]);
        }
        self.out.busy.iter_mut().for_each(|b| b.line = new[b.line as usize]);
        for stream in &mut self.out.streams {
            (stream.from, stream.to) = (new[stream.from as usize], new[stream.to as usize]);
        }
    }
}

fn is_back_off(name: &str) -> bool {
    name.contains("back_off") || name.contains("backoff")
}
