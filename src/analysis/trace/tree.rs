//! The steps of one trace, in order, each under what called it.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Which;
use super::kind::Kind;
use super::list::session;
use super::places::{FindPlaces, Place, Places, span};
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::intervals::covered;
use crate::analysis::overview::{RequestFigures, request_figures_of};
use crate::analysis::prices::Prices;
use crate::analysis::requests::parts;
use crate::jobs::Cancelled;
use crate::model::{Outcome, Profile, Request, RequestId, SpanStatus};
use crate::query::{Context, Query};

/// Most spans of a trace that are looked at.
const MOST: usize = 200_000;
/// A trace of which nothing is a step is shown as it is up to so many spans, and a few levels deep above.
const SMALL: usize = 400;
/// These levels.
const LEVELS: u32 = 3;
/// No step.
pub const NO_STEP: u32 = u32::MAX;

/// A step of a trace, or an ordinary span between steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its span; `None` for a request without one, and for what stands above several traces.
    pub place: Option<Place>,
    /// The request that it is.
    pub request: Option<RequestId>,
    /// What it does.
    pub kind: Kind,
    /// When it began, ns.
    pub start: i64,
    /// When it ended, or what is last known of it.
    pub end: i64,
    /// The end is one: false for a request of which nobody wrote when it was answered.
    pub ended: bool,
    /// What called it, or [`NO_STEP`].
    pub parent: u32,
    /// First step after all below it.
    pub below: u32,
    /// Callers above.
    pub depth: u32,
    /// It is shown from the start; ordinary spans are counted.
    pub shown: bool,
    /// A link led here: nobody waited in it.
    pub linked: bool,
    /// It failed.
    pub failed: bool,
    /// Names it in all revisions of a run.
    pub key: u64,
}

impl Step {
    /// How long it took, ns, where its end is known.
    #[must_use]
    pub fn duration(&self) -> Option<i64> {
        self.ended.then(|| self.end.saturating_sub(self.start))
    }

    /// What it is called; empty for what stands above several traces.
    #[must_use]
    pub fn name<'a>(&self, profile: &'a Profile) -> &'a str {
        let of_span = |place| profile.function_name(span(profile, place).function);
        match (self.request, self.place) {
            (Some(id), _) => match profile.text(profile.requests.rows[id.index()].name) {
                "" => self.place.map_or("request", of_span),
                name => name,
            },
            (None, Some(place)) => of_span(place),
            (None, None) => "",
        }
    }
}

/// Sums of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Over its requests; `None` where it has none.
    pub requests: Option<RequestFigures>,
    /// Requests and other steps that failed.
    pub failed: usize,
    /// Requests without a count of tokens.
    pub uncounted: usize,
    /// From the first to the last moment, ns.
    pub wall: i64,
    /// Time in which a model worked, ns.
    pub models: i64,
    /// Time in which a tool, a retrieval or a cache did.
    pub tools: i64,
    /// Time in which something waited for its turn or for another attempt.
    pub waiting: i64,
    /// Time in which none of these.
    pub rest: i64,
}

/// A trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// Its spans and requests in preorder, by start under each caller.
    pub steps: Vec<Step>,
    /// From the first to the last moment, ns.
    pub time: (i64, i64),
    /// Times mean something.
    pub dated: bool,
    /// Sums.
    pub totals: Totals,
    /// There are more spans than are looked at.
    pub cut: bool,
}

/// Computes the [`Tree`] of a trace; an empty one where the profile does not have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceOf {
    /// Which.
    pub which: Which,
    /// By which prices what it cost is counted.
    pub prices: Prices,
}

impl Query for TraceOf {
    type Output = Tree;

    fn run(&self, cx: &Context<'_>) -> Result<Tree, Cancelled> {
        let profile = cx.profile();
        let places = cx.get(&FindPlaces)?;
        let bill = cx.get(&Bill { prices: self.prices.clone() })?;
        let mut tree = Growing::new(profile, &places);
        match &self.which {
            Which::Span(key) => {
                if let Some(place) = profile.find_span(*key) {
                    tree.plant(place, NO_STEP, false);
                }
            }
            Which::Session(name) => tree.requests(|id| session(profile, id) == name),
            Which::Loose => {
                tree.requests(|id| session(profile, id).is_empty() && places.homes[id.index()].is_none());
            }
        }
        tree.grow(cx)?;
        Ok(tree.finish(&bill))
    }

    fn weight(tree: &Tree) -> usize {
        tree.steps.len() * size_of::<Step>()
    }
}

/// A tree before its steps are in order.
struct Growing<'a> {
    profile: &'a Profile,
    places: &'a Places,
    steps: Vec<Step>,
    /// Outermost spans of lanes that wait to be added: where, under which step, and whether by a link.
    open: Vec<(Place, u32, bool)>,
    planted: FxHashSet<Place>,
    dated: bool,
    cut: bool,
}

impl<'a> Growing<'a> {
    fn new(profile: &'a Profile, places: &'a Places) -> Self {
        let planted = FxHashSet::default();
        Self { profile, places, steps: Vec::new(), open: Vec::new(), planted, dated: true, cut: false }
    }

    /// Adds a span with all below, later.
    fn plant(&mut self, place: Place, parent: u32, linked: bool) {
        if self.planted.insert(place) {
            self.open.push((place, parent, linked));
        }
    }

    /// Requests under a step of their own that stands for all of them. Of a trace whose requests are all among them all is shown,
    /// of another one the span of the request.
    fn requests(&mut self, is_one: impl Fn(RequestId) -> bool) {
        let (profile, places) = (self.profile, self.places);
        let ids = (0..profile.requests.rows.len()).map(RequestId::from_index).filter(|id| is_one(*id));
        let ids: Vec<RequestId> = ids.collect();
        if ids.is_empty() {
            return;
        }
        let mut others: FxHashSet<Place> = FxHashSet::default();
        for (n, home) in places.homes.iter().enumerate() {
            if let Some(home) = home.filter(|_| !is_one(RequestId::from_index(n))) {
                others.extend(profile.span_ancestors(home.place.0, home.place.1));
            }
        }
        self.steps.push(Step { kind: Kind::Agent, ..self.nothing(NO_STEP) });
        for id in ids {
            self.dated &= !profile.requests.rows[id.index()].undated;
            let Some(home) = places.homes[id.index()] else {
                self.request(id, 0);
                continue;
            };
            let above = profile.span_ancestors(home.place.0, home.place.1);
            match above.take_while(|place| !others.contains(place)).last() {
                Some(place) => self.plant(place, 0, false),
                None => self.request(id, 0),
            }
        }
    }

    fn nothing(&self, parent: u32) -> Step {
        Step {
            place: None,
            request: None,
            kind: Kind::Ordinary,
            start: i64::MAX,
            end: i64::MIN,
            ended: true,
            parent,
            below: 0,
            depth: 0,
            shown: true,
            linked: false,
            failed: false,
            key: 0,
        }
    }

    fn request(&mut self, id: RequestId, parent: u32) {
        let r = &self.profile.requests.rows[id.index()];
        self.steps.push(Step {
            request: Some(id),
            kind: Kind::Model,
            start: r.arrived,
            end: r.finished.unwrap_or_else(|| self.end_of(r)).max(r.arrived),
            ended: r.finished.is_some() || r.outcome == Outcome::Running,
            failed: r.outcome == Outcome::Error,
            ..self.nothing(parent)
        });
    }

    /// The end of a request that runs.
    fn end_of(&self, r: &Request) -> i64 {
        match r.outcome {
            Outcome::Running => self.profile.time_bounds().map_or(r.arrived, |b| b.1),
            _ => r.last_token.or(r.first_token).unwrap_or(r.arrived),
        }
    }

    /// Adds all that was planted, with what it called and caused.
    fn grow(&mut self, cx: &Context<'_>) -> Result<(), Cancelled> {
        while let Some((place, parent, linked)) = self.open.pop() {
            cx.job().checkpoint(self.steps.len() as u64, 0)?;
            let spans = &self.profile.track(place.0).spans;
            let top = spans.rows[place.1 as usize].depth;
            let under = spans.rows[place.1 as usize + 1..].iter().take_while(|s| s.depth > top).count();
            let room = MOST.saturating_sub(self.steps.len());
            self.cut |= under + 1 > room;
            let rows = place.1..place.1 + (under + 1).min(room) as u32;
            let first = self.steps.len() as u32;
            for row in rows.clone() {
                // A run of a lane is in preorder, so steps stand as far apart as their rows.
                let up =
                    if row == place.1 { parent } else { first + (spans.rows[row as usize].parent - place.1) };
                self.span((place.0, row), up, linked && row == place.1);
            }
            for row in rows {
                self.under((place.0, row), first + (row - place.1), linked);
            }
        }
        Ok(())
    }

    /// Adds the requests that were made in a span, and plants what it called elsewhere and caused. What a link led to is not
    /// followed further.
    fn under(&mut self, place: Place, step: u32, linked: bool) {
        let places = self.places;
        for id in places.made_in(place) {
            self.request(id, step);
        }
        for &callee in places.callees.get(&place).into_iter().flatten() {
            self.plant(callee, step, false);
        }
        if !linked {
            for &caused in places.follows.get(&place).into_iter().flatten() {
                self.plant(caused, step, true);
            }
        }
    }

    fn span(&mut self, place: Place, parent: u32, linked: bool) {
        let (profile, places) = (self.profile, self.places);
        let of = span(profile, place);
        let kind = places.kind(profile, place);
        let request = places.request(place);
        let r = request.map(|id| &profile.requests.rows[id.index()]);
        let is_top = parent == NO_STEP || self.steps[parent as usize].place.is_none();
        self.steps.push(Step {
            place: Some(place),
            request,
            kind,
            start: r.map_or(of.start, |r| r.arrived),
            end: r.and_then(|r| r.finished).unwrap_or(of.end),
            shown: kind.is_step() || is_top,
            linked,
            failed: of.status == SpanStatus::Error || r.is_some_and(|r| r.outcome == Outcome::Error),
            ..self.nothing(parent)
        });
    }

    fn finish(self, bill: &Billing) -> Tree {
        let mut steps = in_order(&self.steps);
        let is_plain = !steps.iter().any(|s| s.shown && s.kind.is_step() && s.depth > 0);
        let few = steps.len() <= SMALL;
        steps.iter_mut().filter(|s| is_plain && (few || s.depth < LEVELS)).for_each(|s| s.shown = true);
        let shown = || steps.iter().filter(|s| s.shown && (s.place.is_some() || s.request.is_some()));
        let from = shown().map(|s| s.start).min().unwrap_or(0);
        let time = (from, shown().map(|s| s.end).max().unwrap_or(from).max(from));
        if let Some(all) = steps.first_mut().filter(|s| s.place.is_none() && s.request.is_none()) {
            (all.start, all.end) = time;
        }
        name(self.profile, &mut steps);
        let totals = totals(self.profile, bill, &steps, time, self.dated);
        Tree { steps, time, dated: self.dated, totals, cut: self.cut }
    }
}

/// The steps in preorder: under each caller by start, the longer first.
fn in_order(steps: &[Step]) -> Vec<Step> {
    let mut children: Vec<u32> = (0..steps.len() as u32).collect();
    let parent = |i: u32| steps[i as usize].parent;
    // Callees of one caller stand together; those without a caller come last.
    children.sort_by_key(|&i| {
        let s = &steps[i as usize];
        (s.parent, s.start, Reverse(s.end), i)
    });
    let of = |up: u32| {
        let from = children.partition_point(|&c| parent(c) < up);
        let to = children.partition_point(|&c| parent(c) <= up);
        from..to
    };
    let mut out: Vec<Step> = Vec::with_capacity(steps.len());
    // What is still to come, the next one last, each with where its caller went.
    let mut open: Vec<(u32, u32)> = of(NO_STEP).rev().map(|c| (children[c], NO_STEP)).collect();
    while let Some((i, up)) = open.pop() {
        let at = out.len() as u32;
        let depth = out.get(up as usize).map_or(0, |s| s.depth + 1);
        out.push(Step { parent: up, depth, below: at + 1, ..steps[i as usize] });
        open.extend(of(i).rev().map(|c| (children[c], at)));
    }
    for i in (0..out.len()).rev() {
        let (up, below) = (out[i].parent, out[i].below);
        if let Some(caller) = out.get_mut(up as usize) {
            caller.below = caller.below.max(below);
        }
    }
    out
}

/// Gives each step the number that it is known by while a run grows.
fn name(profile: &Profile, steps: &mut [Step]) {
    use std::hash::{Hash, Hasher};
    let mut seen: FxHashMap<u64, u32> = FxHashMap::default();
    for step in steps {
        let mut hasher = rustc_hash::FxHasher::default();
        (step.start, step.depth, step.name(profile)).hash(&mut hasher);
        let nth = seen.entry(hasher.finish()).or_default();
        *nth += 1;
        nth.hash(&mut hasher);
        step.key = hasher.finish();
    }
}

fn totals(profile: &Profile, bill: &Billing, steps: &[Step], time: (i64, i64), dated: bool) -> Totals {
    let mut out = Totals { wall: time.1.saturating_sub(time.0), ..Totals::default() };
    let (mut models, mut tools, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    let mut requests = Vec::new();
    for step in steps {
        out.failed += usize::from(step.failed && (step.request.is_some() || step.kind.is_step()));
        let Some(id) = step.request else {
            match step.kind {
                Kind::Tool | Kind::Retrieval | Kind::Embedding | Kind::Cache => {
                    tools.push((step.start, step.end))
                }
                Kind::Wait => waiting.push((step.start, step.end)),
                _ => {}
            }
            continue;
        };
        let r = &profile.requests.rows[id.index()];
        requests.push((r, bill.charges.get(id.index())));
        out.uncounted += usize::from(r.tokens.prompt().is_none() && r.output().is_none());
        if r.answered_by_cache() {
            tools.push((step.start, step.end));
            continue;
        }
        for (from, to, part) in parts(r, step.end) {
            if part.is_waiting() { &mut waiting } else { &mut models }.push((from, to));
        }
    }
    out.requests = request_figures_of(&requests);
    if dated {
        let all: Vec<_> = models.iter().chain(&tools).chain(&waiting).copied().collect();
        let length = |times: Vec<(i64, i64)>| covered(times, Some(time));
        out.rest = out.wall - length(all);
        (out.models, out.tools, out.waiting) = (length(models), length(tools), length(waiting));
    }
    out
}
