//! From spans, callers and links to stages and what they wait for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::forest::Forest;
use super::net::{Arrow, Measured, NONE, Net};
use super::{Stage, StageEdge, StageGraph, StageId, StageTrack, Stages, Step};
use crate::analysis::phases::{PhaseSpan, phases};
use crate::jobs::{Cancelled, Job};
use crate::model::{Profile, TrackId, TrackKind};

/// Most stages of a track at the level that is chosen when nobody chooses one …
const OVERLOOKED: usize = 160;
/// … and of all tracks together.
const ALL_OVERLOOKED: usize = 4000;
/// Deepest level.
pub(super) const DEEPEST: u32 = 24;
/// Most stages of a graph.
const MOST: usize = 200_000;
/// A stretch of own time is a stage from this part of the whole on.
const LEAST_STRETCH: i64 = 200;
/// How far back a stage is searched that holds a moment.
const LOOK_BACK: usize = 64;
/// What begins within this part of a phase begins with it.
const SOON: i64 = 50;
/// Most stages that are listed as waited for by one.
const MOST_EDGES: usize = 16;
/// Most rows of a track.
const MOST_LANES: usize = 128;

pub(super) type Place = (TrackId, u32);

pub(super) fn build(profile: &Profile, query: &Stages, job: &Job) -> Result<StageGraph, Cancelled> {
    let has_spans = |id: &TrackId| {
        !profile.track(*id).spans.rows.is_empty() && profile.track(*id).kind != TrackKind::Untimed
    };
    let tracks: Vec<TrackId> = query.scope.work_tracks(profile).filter(has_spans).collect();
    let bounds = query.range.or_else(|| profile.time_bounds()).unwrap_or_default();
    let least = (bounds.1.saturating_sub(bounds.0) / LEAST_STRETCH).max(1);
    let forest = Forest::new(profile, &tracks, query.range, least);
    let budget = (ALL_OVERLOOKED / tracks.len().max(1)).clamp(8, OVERLOOKED);
    let mut levels: FxHashMap<TrackId, u32> = FxHashMap::default();
    let mut deepest = 0;
    for &track in &tracks {
        let (level, deep) = forest.level(track, query.level, budget, job)?;
        levels.insert(track, level);
        deepest = deepest.max(deep);
    }
    let level = levels.values().copied().max().unwrap_or(0);
    let mut builder = Builder {
        forest: &forest,
        level: 0,
        least,
        stages: Vec::new(),
        net: Net::default(),
        firsts: FxHashMap::default(),
        entries: FxHashMap::default(),
        left_out: 0,
    };
    for &track in &tracks {
        builder.level = levels.get(&track).copied().unwrap_or(0);
        builder.track(track, job)?;
    }
    let Builder { mut stages, mut net, firsts, mut entries, left_out, .. } = builder;
    sort_stages(&mut stages, &mut net);
    entries.values_mut().for_each(|of_track| of_track.sort_unstable_by_key(|entry| entry.start));
    links(profile, &stages, (&mut net, &firsts, &entries), job)?;
    let phases = phases(profile, query.range);
    let in_order = if phases.overlap { &[][..] } else { &phases.spans };
    one_after_another(in_order, &mut net);
    net.settle();
    let graph = StageGraph { stages, level, deepest, left_out, net, ..StageGraph::default() };
    let borders: Vec<i64> = in_order.iter().map(|s| s.end).collect();
    Ok(finish(graph, &tracks, &borders))
}

/// A caller, or the outermost spans of a track, and what is to be put into order there.
struct Group {
    caller: Option<Place>,
    /// Events of the caller.
    events: Option<(u32, u32)>,
    children: Vec<Place>,
    depth: u32,
    order: Order,
}

/// How the members of a group wait for each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Not at all.
    Free,
    /// Each for all that had ended.
    Calls,
    /// Each for the one that started last before: on a GPU stream work begins in its order, and what still runs then does
    /// not hold it up.
    Queue,
}

impl Order {
    fn of(kind: TrackKind) -> Self {
        if kind == TrackKind::GpuStream { Self::Queue } else { Self::Calls }
    }
}

#[derive(Clone, Copy)]
struct Member {
    start: i64,
    end: i64,
    place: Place,
    /// 0 for a span, otherwise the number of a stretch of the caller's own time.
    part: u32,
    busy: Option<i64>,
}

/// The member of a queue that started last.
struct Started {
    events: (u32, u32),
    start: i64,
    end: i64,
    /// Its stage, or [`NONE`] when its members are stages.
    stage: u32,
}

/// A member that has begun: its end, the event of that, and the event that it waited for.
type Running = BinaryHeap<Reverse<(i64, u32, u32)>>;

/// Start of what ran elsewhere for a track: it waits for what woke that track before.
struct Entry {
    start: i64,
    event: u32,
    /// When the caller knew last of something that had ended.
    since: i64,
}

struct Builder<'a> {
    forest: &'a Forest<'a>,
    /// That of the track at hand.
    level: u32,
    least: i64,
    stages: Vec<Stage>,
    net: Net,
    /// Starts of what a caller called first, and the start of that caller.
    firsts: FxHashMap<u32, u32>,
    entries: FxHashMap<TrackId, Vec<Entry>>,
    left_out: usize,
}

impl Builder<'_> {
    fn track(&mut self, track: TrackId, job: &Job) -> Result<(), Cancelled> {
        let kind = self.forest.profile.track(track).kind;
        let order = if kind == TrackKind::Async { Order::Free } else { Order::of(kind) };
        let children = self.forest.roots(track);
        let mut open = vec![Group { caller: None, events: None, children, depth: 0, order }];
        while let Some(group) = open.pop() {
            job.checkpoint(0, 0)?;
            self.group(&group, &mut open);
        }
        Ok(())
    }

    fn group(&mut self, group: &Group, open: &mut Vec<Group>) {
        let mut running = Running::new();
        let mut now = group.events.map(|e| e.0);
        let mut before: Option<Started> = None;
        for member in self.members(group) {
            if self.stages.len() >= MOST {
                self.left_out += 1;
                continue;
            }
            let expanded =
                member.part == 0 && group.depth < self.level && self.forest.has_children(member.place);
            // It waited for others all the time: they decide what comes next.
            if expanded && self.only_waits(member.place) {
                continue;
            }
            if group.order == Order::Calls {
                now = self.join(now, &mut running, member.start);
            }
            let events = (self.net.event(member.start), self.net.event(member.end));
            match (&before, now) {
                (Some(last), _) if group.order == Order::Queue => self.queue_behind(last, &member, events.0),
                (_, Some(now)) => {
                    self.net.wait(now, events.0);
                    if group.events.is_some_and(|e| e.0 == now) {
                        self.firsts.insert(events.0, now);
                    }
                }
                (_, None) => {}
            }
            if let (Some(caller), Some(now)) = (group.caller.filter(|c| c.0 != member.place.0), now) {
                let since = self.net.events[now as usize].time;
                let entry = Entry { start: member.start, event: events.0, since };
                self.entries.entry(caller.0).or_default().push(entry);
            }
            running.push(Reverse((member.end, events.1, now.unwrap_or(NONE))));
            if expanded {
                open.push(Group {
                    caller: Some(member.place),
                    events: Some(events),
                    children: self.forest.children(member.place),
                    depth: group.depth + 1,
                    order: Order::of(self.forest.profile.track(member.place.0).kind),
                });
            } else {
                self.stage(&member, events);
            }
            let stage = if expanded { NONE } else { self.stages.len() as u32 - 1 };
            before = Some(Started { events, end: member.end, start: member.start, stage });
        }
        if let (Some(caller), Some((_, end))) = (group.caller, group.events) {
            let joined = self.join(now, &mut running, self.forest.span(caller).end);
            joined.into_iter().for_each(|event| self.net.wait(event, end));
        }
    }

    /// Lets a member of a queue begin after the one before it: when that has ended, or as long after its start as it did.
    fn queue_behind(&mut self, last: &Started, member: &Member, event: u32) {
        if last.end <= member.start {
            return self.net.wait(last.events.1, event);
        }
        let delay = member.start.saturating_sub(last.start);
        self.net.arrow(Arrow { from: last.events.0, to: event, delay, of: last.stage, link: false });
    }

    /// What a member that starts at `time` waits for: everything that has ended.
    fn join(&mut self, now: Option<u32>, running: &mut Running, time: i64) -> Option<u32> {
        let mut ended = Vec::new();
        while running.peek().is_some_and(|Reverse((end, ..))| *end <= time) {
            ended.extend(running.pop().map(|Reverse(r)| r));
        }
        match ended[..] {
            [] => now,
            // It waited for `now` itself.
            [(_, event, waited)] if Some(waited) == now || now.is_none() => Some(event),
            _ => {
                let latest = ended.iter().map(|e| e.0).max().unwrap_or(time);
                let before = now.map(|e| self.net.events[e as usize].time);
                let event = self.net.event(before.map_or(latest, |t| t.max(latest)));
                now.into_iter().for_each(|from| self.net.wait(from, event));
                ended.iter().for_each(|e| self.net.wait(e.1, event));
                Some(event)
            }
        }
    }

    fn members(&self, group: &Group) -> Vec<Member> {
        let forest = self.forest;
        let member = |&place: &Place| {
            let span = forest.span(place);
            Member { start: span.start, end: span.end, place, part: 0, busy: forest.busy(place) }
        };
        let mut members: Vec<Member> =
            group.children.iter().filter(|&&c| forest.is_seen(c)).map(member).collect();
        if let Some(caller) = group.caller {
            members.extend(self.stretches(caller, &group.children));
        }
        members.sort_by_key(|m| (m.start, m.end, m.part));
        members
    }

    /// True for a call of which nothing is left without what links tell of.
    fn only_waits(&self, place: Place) -> bool {
        let children = self.forest.children(place);
        children.is_empty() && self.stretches(place, &children).is_empty()
    }

    /// Long stretches of a caller's own time.
    fn stretches(&self, caller: Place, children: &[Place]) -> Vec<Member> {
        let span = self.forest.span(caller);
        let mut covered: Vec<(i64, i64)> =
            children.iter().map(|&c| self.forest.span(c)).map(|s| (s.start, s.end)).collect();
        covered.extend(self.forest.blocked(caller));
        covered.sort_unstable();
        covered.push((span.end, span.end));
        let mut reached = span.start;
        let mut found: Vec<Member> = Vec::new();
        for (start, end) in covered {
            let stretch = (reached, start.min(span.end));
            if stretch.1.saturating_sub(stretch.0) >= self.least && self.forest.touches(stretch) {
                let part = found.len() as u32 + 1;
                found.push(Member { start: stretch.0, end: stretch.1, place: caller, part, busy: None });
            }
            reached = reached.max(end);
        }
        if let [only] = &mut found[..] {
            only.busy = self.forest.own_busy(caller, children);
        }
        found
    }

    fn stage(&mut self, member: &Member, events: (u32, u32)) {
        let span = self.forest.span(member.place);
        let stage = self.stages.len() as u32;
        let delay = member.end.saturating_sub(member.start);
        self.net.arrow(Arrow { from: events.0, to: events.1, delay, of: stage, link: false });
        self.net.of_stage.push(events);
        self.stages.push(Stage {
            id: StageId { track: member.place.0, row: member.place.1, part: member.part },
            function: span.function,
            start: member.start,
            end: member.end,
            status: span.status,
            busy: member.busy,
            lane: 0,
            slack: 0,
            on_path: 0,
            critical: false,
        });
    }
}

/// Sorts stages by start and tells the events.
fn sort_stages(stages: &mut Vec<Stage>, net: &mut Net) {
    let mut order: Vec<u32> = (0..stages.len() as u32).collect();
    order.sort_by_key(|&i| (stages[i as usize].start, Reverse(stages[i as usize].end), i));
    let mut new_of = vec![0u32; stages.len()];
    (0u32..).zip(&order).for_each(|(new, &old)| new_of[old as usize] = new);
    *stages = order.iter().map(|&i| stages[i as usize]).collect();
    net.of_stage = order.iter().map(|&i| net.of_stage[i as usize]).collect();
    net.arrows.iter_mut().filter(|a| a.of != NONE).for_each(|a| a.of = new_of[a.of as usize]);
}

/// Adds the links of the profile.
fn links(
    profile: &Profile,
    stages: &[Stage],
    (net, firsts, entries): (&mut Net, &FxHashMap<u32, u32>, &FxHashMap<TrackId, Vec<Entry>>),
    job: &Job,
) -> Result<(), Cancelled> {
    let sources = Sources::new(profile, stages);
    for (n, link) in profile.links.iter().enumerate() {
        if n % 4096 == 0 {
            job.checkpoint(n as u64, profile.links.len() as u64)?;
        }
        let Some((a, time)) = sources.of(link.from) else { continue };
        let (to, arrived) = link.to;
        if let Some(b) = sources.on.get(&to).and_then(|on| effect(stages, on, arrived)).filter(|b| a != *b) {
            add_link(stages, (net, firsts), (a, time), (b, arrived));
        }
        let entries = entries.get(&to).map_or(&[][..], Vec::as_slice);
        let next = &entries[entries.partition_point(|entry| entry.start < arrived)..];
        let (from, delay, of) = end_or_moment(stages, net, (a, time));
        for entry in next.iter().take(LOOK_BACK).take_while(|entry| entry.since <= arrived) {
            net.arrow(Arrow { from, to: entry.event, delay, of, link: true });
        }
    }
    Ok(())
}

/// Phases come one after another: what begins with a phase, and of which nothing else is known that it waited for, waited for
/// all that ended before.
fn one_after_another(phases: &[PhaseSpan], net: &mut Net) {
    let (mut waits, mut awaited) = (vec![false; net.events.len()], vec![false; net.events.len()]);
    for arrow in &net.arrows {
        (waits[arrow.to as usize], awaited[arrow.from as usize]) = (true, true);
    }
    let times: Vec<i64> = net.events.iter().map(|e| e.time).collect();
    let time = |event: &u32| times[*event as usize];
    let without = |arrows: &[bool]| {
        let mut events: Vec<u32> = (0u32..).zip(arrows).filter(|e| !e.1).map(|e| e.0).collect();
        events.sort_by_key(time);
        events
    };
    let (first, last) = (without(&waits), without(&awaited));
    let (mut ended, mut before): (&[u32], Option<(u32, i64)>) = (&last, None);
    for phase in phases.iter().skip(1) {
        let (in_time, later) = ended.split_at(ended.partition_point(|e| time(e) <= phase.start));
        ended = later;
        let soon = phase.start.saturating_add(phase.end.saturating_sub(phase.start) / SOON);
        let begun = &first[first.partition_point(|e| time(e) < phase.start)..];
        let begun = &begun[..begun.partition_point(|e| time(e) <= soon)];
        let latest = in_time.last().map(time).into_iter().chain(before.map(|b| b.1)).max();
        let Some(latest) = latest else { continue };
        let border = net.event(latest);
        in_time.iter().chain(before.as_ref().map(|b| &b.0)).for_each(|&event| net.wait(event, border));
        begun.iter().for_each(|&event| net.wait(border, event));
        before = Some((border, latest));
    }
}

/// The stages by track, and the links that reached each.
struct Sources<'a> {
    profile: &'a Profile,
    stages: &'a [Stage],
    on: FxHashMap<TrackId, Vec<u32>>,
    /// When links arrived, and which.
    arrived: FxHashMap<TrackId, Vec<(i64, usize)>>,
}

impl<'a> Sources<'a> {
    fn new(profile: &'a Profile, stages: &'a [Stage]) -> Self {
        let mut on: FxHashMap<TrackId, Vec<u32>> = FxHashMap::default();
        for (i, stage) in (0u32..).zip(stages) {
            on.entry(stage.id.track).or_default().push(i);
        }
        let mut arrived: FxHashMap<TrackId, Vec<(i64, usize)>> = FxHashMap::default();
        for (n, link) in profile.links.iter().enumerate() {
            arrived.entry(link.to.0).or_default().push((link.to.1, n));
        }
        arrived.values_mut().for_each(|of_track| of_track.sort_unstable());
        Self { profile, stages, on, arrived }
    }

    /// The stage behind what happened on a track, and when: where the track only waited since, that of what woke it.
    fn of(&self, (mut track, mut time): (TrackId, i64)) -> Option<(u32, i64)> {
        for _ in 0..LOOK_BACK {
            let found = self.on.get(&track).and_then(|on| cause(self.stages, on, time));
            let woken = self.arrived.get(&track).and_then(|of_track| {
                let before = of_track.partition_point(|(at, _)| *at <= time);
                of_track[..before].last()
            });
            let woken = woken.filter(|(at, _)| found.is_none_or(|a| self.stages[a as usize].end < *at));
            let Some(&(_, link)) = woken else { return found.map(|a| (a, time)) };
            let from = self.profile.links[link].from;
            if from == (track, time) {
                return found.map(|a| (a, time));
            }
            (track, time) = from;
        }
        None
    }
}

/// What is waited for: the end of a stage, or a moment in it.
fn end_or_moment(stages: &[Stage], net: &Net, (a, time): (u32, i64)) -> (u32, i64, u32) {
    let (stage, (start, end)) = (&stages[a as usize], net.of_stage[a as usize]);
    if time >= stage.end { (end, 0, NONE) } else { (start, time.saturating_sub(stage.start).max(0), a) }
}

fn add_link(
    stages: &[Stage],
    (net, firsts): (&mut Net, &FxHashMap<u32, u32>),
    (a, cause): (u32, i64),
    (b, effect): (u32, i64),
) {
    let (first, second) = (&stages[a as usize], &stages[b as usize]);
    if first.start > second.start {
        return;
    }
    let ends = net.of_stage[b as usize];
    let (from, delay, of) = end_or_moment(stages, net, (a, cause));
    if effect <= second.start || second.start >= cause {
        // Callers that begin with it wait, too.
        let outer =
            |event: &u32| firsts.get(event).copied().filter(|&o| net.events[o as usize].time >= effect);
        let to = std::iter::successors(Some(ends.0), outer).last().unwrap_or(ends.0);
        net.arrow(Arrow { from, to, delay, of, link: true });
    } else if of == NONE {
        // It arrived while the effect ran: what came after it could not end earlier.
        let rest = second.end.saturating_sub(effect.max(first.end)).max(0);
        net.arrow(Arrow { from, to: ends.1, delay: rest, of: NONE, link: true });
    }
}

/// The stage in which a cause happened: the last one to start that holds it, or the last one that had ended.
fn cause(stages: &[Stage], on: &[u32], time: i64) -> Option<u32> {
    let begun = on.partition_point(|&i| stages[i as usize].start <= time);
    let recent = || on[..begun].iter().rev().take(LOOK_BACK).copied();
    recent()
        .find(|&i| stages[i as usize].end >= time)
        .or_else(|| recent().max_by_key(|&i| stages[i as usize].end))
}

/// The stage at which an effect arrived: one that starts then, holds it, or is the next.
fn effect(stages: &[Stage], on: &[u32], time: i64) -> Option<u32> {
    let next = on.partition_point(|&i| stages[i as usize].start < time);
    let starts = on.get(next).copied();
    if starts.is_some_and(|i| stages[i as usize].start == time) {
        return starts;
    }
    let holds = |i: &u32| stages[*i as usize].end > time;
    on[..next].iter().rev().take(LOOK_BACK).copied().find(holds).or(starts)
}

/// Walks back from the end. Phases come one after another: none can begin before the one before it is over, so no stage has
/// slack beyond the end of its phase.
fn finish(mut graph: StageGraph, tracks: &[TrackId], borders: &[i64]) -> StageGraph {
    let times: Vec<i64> = graph.net.events.iter().map(|e| e.time).collect();
    let (Some(&start), Some(&end)) = (times.iter().min(), times.iter().max()) else { return graph };
    (graph.start, graph.end) = (start, end);
    let latest = graph.net.latest(end);
    for (stage, events) in graph.stages.iter_mut().zip(&graph.net.of_stage) {
        stage.slack = latest[events.1 as usize].saturating_sub(times[events.1 as usize]).max(0);
    }
    // What comes next on a stream waits for a moment in the stage.
    for arrow in graph.net.arrows.iter().filter(|a| a.of != NONE && !a.link) {
        let to = arrow.to as usize;
        let reached = times[arrow.from as usize].saturating_add(arrow.delay);
        let slack = latest[to].saturating_sub(graph.net.events[to].gap).saturating_sub(reached).max(0);
        let stage = &mut graph.stages[arrow.of as usize];
        stage.slack = stage.slack.min(slack);
    }
    for stage in graph.stages.iter_mut().filter(|s| s.slack > 0) {
        if let Some(border) = borders.get(borders.partition_point(|&border| border < stage.end)) {
            stage.slack = stage.slack.min(border.saturating_sub(stage.end));
        }
    }
    graph.path = path(&graph.net, &times, start, &Measured);
    graph.path_names = graph.sum_path_by_name();
    graph.path_gaps = graph.sum_gaps();
    for step in &graph.path {
        if let Step::Stage { stage, length } = *step {
            let stage = &mut graph.stages[stage as usize];
            (stage.critical, stage.on_path) = (true, stage.on_path.saturating_add(length));
        }
    }
    set_lanes(&mut graph, tracks);
    set_edges(&mut graph);
    graph
}

/// The critical path, first to last.
pub(super) fn path(net: &Net, times: &[i64], start: i64, lengths: &impl super::net::Lengths) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let first = net.walk(times, lengths, |stage, from, to| {
        let step = match (stage, steps.last_mut()) {
            (NONE, Some(Step::Gap { from: gap, .. })) if *gap == to => {
                *gap = from;
                return;
            }
            (NONE, _) => Step::Gap { from, to, explained: true },
            _ => Step::Stage { stage, length: to.saturating_sub(from) },
        };
        steps.push(step);
    });
    if let Some(first) = first.map(|e| times[e as usize]).filter(|&t| t > start) {
        steps.push(Step::Gap { from: start, to: first, explained: false });
    }
    steps.reverse();
    steps
}

/// Puts stages of a track that overlap into different rows.
fn set_lanes(graph: &mut StageGraph, tracks: &[TrackId]) {
    let mut ends: FxHashMap<TrackId, Vec<i64>> = FxHashMap::default();
    for stage in &mut graph.stages {
        let rows = ends.entry(stage.id.track).or_default();
        let free = rows.iter().position(|&end| end <= stage.start);
        let row = free.unwrap_or_else(|| {
            if rows.len() < MOST_LANES {
                rows.push(i64::MIN);
            }
            rows.len() - 1
        });
        rows[row] = rows[row].max(stage.end);
        stage.lane = row as u32;
    }
    let rows = tracks.iter().filter_map(|&track| Some((track, ends.get(&track)?.len() as u32)));
    graph.tracks = rows.map(|(track, lanes)| StageTrack { track, lanes }).collect();
}

/// Who waited for whom, past the events that are no stages.
fn set_edges(graph: &mut StageGraph) {
    let net = &graph.net;
    let mut ends_of: FxHashMap<u32, u32> = FxHashMap::default();
    for (stage, events) in (0u32..).zip(&net.of_stage) {
        ends_of.insert(events.1, stage);
    }
    let on_path: FxHashSet<(u32, u32)> = {
        let stages: Vec<u32> = graph.path_stages().map(|(stage, _)| stage).collect();
        stages.windows(2).map(|w| (w[0], w[1])).collect()
    };
    let mut edges = Vec::new();
    for (to, events) in (0u32..).zip(&net.of_stage) {
        let (mut open, mut seen) = (vec![events.0, events.1], FxHashSet::default());
        let mut found: Vec<StageEdge> = Vec::new();
        while let Some(event) = open.pop() {
            let before = found.len();
            let mut further = Vec::new();
            for arrow in net.incoming(event).filter(|a| a.of != to) {
                let from = if arrow.of == NONE { ends_of.get(&arrow.from).copied() } else { Some(arrow.of) };
                match from {
                    Some(from) => {
                        let critical = on_path.contains(&(from, to));
                        found.push(StageEdge { from, to, link: arrow.link, critical });
                    }
                    None => further.push(arrow.from),
                }
            }
            // Events before a join matter only when no stage ended there.
            let passed = found.len() > before && event != events.0 && event != events.1;
            open.extend(further.into_iter().filter(|e| !passed && seen.insert(*e) && seen.len() < 64));
        }
        found.sort_by_key(|e| (Reverse(e.critical), Reverse(graph.stages[e.from as usize].end), e.from));
        found.dedup_by_key(|e| e.from);
        found.truncate(MOST_EDGES);
        edges.extend(found);
    }
    graph.edges = edges;
}
