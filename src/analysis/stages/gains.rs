//! What changing one stage alone would bring, for many stages at once.
//!
//! All paths to the end cross the moment at which a stage starts, what led to that moment does not depend on the stage,
//! and how long it takes from an event to the end is known from the measured times. So the new end is the longest path
//! among the arrows over that moment: one look at each arrow answers for all stages, and nothing is solved anew.

use super::net::{NONE, Net};
use super::what_if::{Change, solved};
use super::{StageGraph, Stages};
use crate::jobs::Cancelled;
use crate::query::{Context, Query};

/// What changing one stage alone would bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain {
    /// The stage.
    pub stage: u32,
    /// Time saved when it is dropped, ns.
    pub dropped: i64,
    /// The stage before it on the critical path, and the time saved when both start together, ns.
    pub beside: Option<(u32, i64)>,
}

/// Computes the [`Gain`]s of the stages that are on the critical path longest, by gain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gains {
    /// Of which graph.
    pub graph: Stages,
    /// Of how many stages.
    pub most: usize,
}

impl Query for Gains {
    type Output = Vec<Gain>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<Gain>, Cancelled> {
        let graph = cx.get(&self.graph)?;
        let mut before: Option<u32> = None;
        let mut found: Vec<(u32, i64, Option<u32>)> = Vec::new();
        for (stage, _) in graph.path_stages() {
            if graph.stages[stage as usize].is_rest_of_all(cx.profile()) {
                before = Some(stage);
                continue;
            }
            if before != Some(stage) {
                found.push((stage, graph.stages[stage as usize].on_path, before));
            }
            before = Some(stage);
        }
        found.sort_by_key(|f| std::cmp::Reverse(f.1));
        found.truncate(self.most);
        cx.job().checkpoint(0, 0)?;
        let beside = found.iter().filter_map(|&(stage, _, before)| Some((stage, Some(before?))));
        let asked: Vec<(u32, Option<u32>)> = found.iter().map(|f| (f.0, None)).chain(beside).collect();
        let saved: Vec<i64> = ends(&graph, &asked).iter().map(|&end| graph.end.saturating_sub(end)).collect();
        let mut beside = saved[found.len()..].iter();
        let gain = |(&(stage, _, before), &dropped): (&(u32, i64, Option<u32>), &i64)| Gain {
            stage,
            dropped,
            beside: before.and_then(|other| Some((other, *beside.next()?))),
        };
        let mut gains: Vec<Gain> = found.iter().zip(&saved).map(gain).collect();
        gains.sort_by_key(|g| (std::cmp::Reverse(g.dropped), g.stage));
        Ok(gains)
    }
}

/// A change, seen from the moment at which what it changes starts.
struct Cut {
    /// Place of the question.
    of: usize,
    /// Place of the moment in the order of events.
    place: u32,
    /// The event at that moment, and its time with the change.
    start: u32,
    time: i64,
    /// The stage that takes no time, or [`NONE`].
    dropped: u32,
    /// The event that waits for what `start` waited for.
    waits: Option<u32>,
    /// The longest path found so far.
    end: i64,
}

impl Cut {
    /// The change of a stage that is dropped, or starts together with `other`. `None` when no moment parts what it
    /// changes from what leads there.
    fn new(net: &Net, of: usize, (stage, other): (u32, Option<u32>)) -> Option<Self> {
        let first = |stage: u32| net.of_stage[stage as usize].0;
        let cut = |start: u32| {
            let (place, time) = (net.place(start), net.events[start as usize].time);
            Self { of, place, start, time, dropped: NONE, waits: None, end: i64::MIN }
        };
        let cut = match other {
            None => Self { dropped: stage, ..cut(first(stage)) },
            Some(other) => {
                let (earlier, later) = net.in_order(stage, other);
                let end = net.of_stage[later as usize].1;
                let time = net.events[first(earlier) as usize].time;
                let cut = Self { time, waits: Some(end), ..cut(first(later)) };
                if net.place(first(earlier)) >= cut.place {
                    return None;
                }
                cut
            }
        };
        (cut.place != NONE).then_some(cut)
    }
}

/// When everything would end if each of these stages alone were dropped, or started together with the other one.
fn ends(graph: &StageGraph, asked: &[(u32, Option<u32>)]) -> Vec<i64> {
    let net = &graph.net;
    let mut ends = vec![graph.end; asked.len()];
    let mut cuts: Vec<Cut> = Vec::new();
    for (of, &(stage, other)) in asked.iter().enumerate() {
        match (Cut::new(net, of, (stage, other)), other) {
            (Some(cut), _) => cuts.push(cut),
            (None, Some(other)) => {
                let outcome = solved(graph, &[(stage, Change::Beside(other))]);
                ends[of] = graph.start.saturating_add(outcome.total);
            }
            (None, None) => {} // on a circle: its events keep their times
        }
    }
    cuts.sort_by_key(|cut| cut.place);
    let latest = net.latest(graph.end);
    let time = |event: u32| net.events[event as usize].time;
    // How long it takes at least from when an event is ready to the end.
    let rest = |event: u32| {
        let gap = net.events[event as usize].gap;
        gap.saturating_add(graph.end.saturating_sub(latest[event as usize]))
    };
    ended(net, &mut cuts);
    begun(net, &mut cuts, &rest);
    let before = before(net, &cuts);
    for arrow in &net.arrows {
        let (from, to) = (net.place(arrow.from), net.place(arrow.to));
        if from == NONE || to == NONE {
            continue;
        }
        for cut in &mut cuts[before[from as usize] as usize..before[to as usize] as usize] {
            let ready = if arrow.from == cut.start { cut.time } else { time(arrow.from) };
            let delay = if arrow.of != NONE && arrow.of == cut.dropped { 0 } else { arrow.delay };
            cut.end = cut.end.max(ready.saturating_add(delay).saturating_add(rest(arrow.to)));
        }
    }
    for cut in &mut cuts {
        for arrow in cut.waits.iter().flat_map(|_| net.incoming(cut.start)) {
            let ready = time(arrow.from).saturating_add(arrow.delay);
            cut.end = cut.end.max(ready.saturating_add(cut.waits.map_or(0, rest)));
        }
        ends[cut.of] = cut.end;
    }
    ends
}

/// Paths that end at the moment of each cut or before.
fn ended(net: &Net, cuts: &mut [Cut]) {
    let alone = (0..net.events.len() as u32).filter(|&e| net.place(e) == NONE);
    let time = |event: u32| net.events[event as usize].time;
    let mut reached = alone.map(time).max().unwrap_or(i64::MIN);
    let mut next = 0;
    for (place, &event) in (0u32..).zip(net.order()) {
        while let Some(cut) = cuts.get_mut(next).filter(|cut| cut.place == place) {
            cut.end = reached.max(cut.time);
            next += 1;
        }
        reached = reached.max(time(event));
    }
}

/// Paths that begin after the moment of each cut.
fn begun(net: &Net, cuts: &mut [Cut], rest: &impl Fn(u32) -> i64) {
    let mut cuts = cuts.iter_mut().rev().peekable();
    let mut longest = i64::MIN;
    for (place, &event) in net.order().iter().enumerate().rev() {
        while let Some(cut) = cuts.next_if(|cut| cut.place as usize == place) {
            cut.end = cut.end.max(longest);
        }
        if net.incoming(event).next().is_none() {
            longest = longest.max(net.events[event as usize].time.saturating_add(rest(event)));
        }
    }
}

/// For each place how many cuts lie before it.
fn before(net: &Net, cuts: &[Cut]) -> Vec<u32> {
    let mut before = Vec::with_capacity(net.order().len());
    let mut next = 0;
    for place in 0..net.order().len() as u32 {
        before.push(next as u32);
        while cuts.get(next).is_some_and(|cut| cut.place == place) {
            next += 1;
        }
    }
    before
}
