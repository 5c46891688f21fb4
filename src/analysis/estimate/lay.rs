//! Laying out the calls of a cycle as paths, the largest first.
//!
//! A path node that stands for recorded outermost calls has a cost that is known; it and the recursive calls below it up to the next
//! such nodes are its zone, and what they spend themselves has to fill what the known calls leave of the zone's cost. So
//! everything adds up at each place. A call goes where it fits:
//!
//! - one call is at one place: the smallest room that holds it, places that have nothing else to hold first;
//! - calls that nearly fill a place whose cost is not yet explained belong there;
//! - other calls are shared out by the costs of their caller's places, outermost ones first;
//! - what finds no room waits for places that come later, and at the end takes any.

use std::cell::Cell;
use std::collections::{BTreeSet, BinaryHeap};

use super::cycle::{Cycle, Link};

/// No node, no link.
pub const NONE: u32 = u32::MAX;
/// Calls and places below this share of the whole are not laid out.
const LEAST: f64 = 5e-7;
/// Most nodes.
const MOST: usize = 150_000;
/// Most calls: of a cycle with more, which is no program that a person wrote, the smaller ones have no place.
const MOST_LINKS: usize = 60_000;
/// What is this much larger than a room still fits.
const TOLERANCE: f64 = 0.01;
/// Most steps up paths: paths may be as long as the cycle.
const MOST_STEPS: u64 = 20_000_000;
/// More than this share of a call is all of it.
const WHOLE: f64 = 0.98;
/// Recursive calls with less than this share of their zone are not followed.
const CHAIN: f64 = 0.05;
/// The same where all calls are followed.
const SPREAD: f64 = 1e-3;
/// A nested place takes what is at least this share of it as a whole.
const LARGE: f64 = 0.5;
/// Places of a function that are looked at more than once.
const MANY: usize = 256;
/// Less than this share of a call is no place for it.
const CRUMB: f64 = 0.02;

/// How calls are laid out. No one way fits all programs best.
#[derive(Clone, Copy, Debug)]
pub struct Strategy {
    /// How often a call waits for places that hold more of it.
    pub patience: u32,
    /// The share of a place's rest that a call fills to belong there; above 1 for never.
    pub tight: f64,
    /// True to lay what found no room wherever there is any in the end.
    pub finish: bool,
    /// True to lead zones on beyond recorded totals.
    pub far: bool,
    /// True to follow all calls of the cycle by their costs, as if no outermost call were known.
    pub spread: bool,
}

/// A node of a path.
#[derive(Clone, Copy, Debug)]
pub struct Laid {
    /// The function, or [`super::cycle::OUTSIDE`] for a call out of the cycle.
    pub function: u32,
    /// The call; [`NONE`] for an entry, which comes in the order of the entries.
    pub link: u32,
    /// The node above, or [`NONE`].
    pub parent: u32,
    /// Its zone; [`NONE`] for calls out of the cycle.
    pub zone: u32,
    /// Cost: known, or expected within a zone.
    pub total: f64,
    /// What a call through the zone to here spends on the way, on average.
    overhead: f64,
    /// False when the function is on the path above.
    outermost: bool,
    /// Key in the rooms of its function.
    key: u64,
}

/// A node of known cost and the recursive calls below it.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The node of known cost.
    pub top: u32,
    /// Its cost.
    pub total: f64,
    /// What calls of known cost leave.
    pub left: f64,
    /// The same without what calls will spend on the way to those that have a place of their own.
    room: f64,
    /// Its nodes that are places for calls.
    pub places: Vec<u32>,
}

/// Cost that a node's function spends itself ([`NONE`]) or in calls out of the cycle, as expected.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// The node.
    pub node: u32,
    /// The call, or [`NONE`].
    pub link: u32,
    /// Expected cost, in any measure.
    pub weight: f64,
}

#[derive(Clone, Copy, PartialEq)]
struct Event {
    size: f64,
    /// True for a call that looks for a place, false for a node that becomes one.
    call: bool,
    number: u32,
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let later = other.call.cmp(&self.call).then(other.number.cmp(&self.number));
        self.size.total_cmp(&other.size).then(later)
    }
}

/// What is known of a link on the way.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    left: f64,
    waits: bool,
    /// Places of its caller that were tried.
    tried: usize,
    laid: u32,
    deferred: u32,
}

/// The paths of a cycle while they are laid out.
pub struct Laying<'a> {
    pub cycle: &'a Cycle,
    pub strategy: Strategy,
    /// How much earlier each link is laid than its cost says.
    boost: &'a [f64],
    pub nodes: Vec<Laid>,
    pub zones: Vec<Zone>,
    pub terms: Vec<Term>,
    links: Vec<Progress>,
    /// What outermost calls of each function may still cost.
    pub allowed: Vec<f64>,
    /// Places by function.
    places: Vec<Vec<u32>>,
    /// Rooms of places by function: tops of zones, and others. For functions with calls that are made once.
    rooms: Vec<[BTreeSet<(u64, u32)>; 2]>,
    has_once: Vec<bool>,
    waiting: Vec<Vec<u32>>,
    heap: BinaryHeap<Event>,
    /// The node that met each link last on its path.
    met: Vec<u32>,
    finishing: bool,
    least: f64,
    /// Steps up paths so far.
    pub steps: Cell<u64>,
    /// Calls and places that were looked at.
    pub events: u64,
}

impl<'a> Laying<'a> {
    /// Lays out the paths of a cycle.
    pub fn run(cycle: &'a Cycle, strategy: Strategy, boost: &'a [f64]) -> Self {
        let (functions, links) = (cycle.own.len(), cycle.links.len());
        let mut this = Self {
            cycle,
            strategy,
            boost,
            nodes: Vec::new(),
            zones: Vec::new(),
            terms: Vec::new(),
            links: cycle.links.iter().map(|l| Progress { left: l.cost, ..Progress::default() }).collect(),
            allowed: cycle.total.clone(),
            places: vec![Vec::new(); functions],
            rooms: vec![Default::default(); functions],
            has_once: vec![false; functions],
            waiting: vec![Vec::new(); functions],
            heap: BinaryHeap::new(),
            met: vec![NONE; links],
            finishing: false,
            // Costs are whole numbers.
            least: (LEAST * cycle.whole).max(0.5),
            steps: Cell::new(0),
            events: 0,
        };
        for entry in &cycle.entries {
            this.allowed[entry.function as usize] -= entry.cost;
            this.add_known(entry.function, NONE, NONE, entry.cost);
        }
        let mut largest = Vec::new();
        for (i, link) in (0u32..).zip(&cycle.links) {
            this.has_once[link.from as usize] |= link.once;
            let known = link.once || link.is_inside() && !strategy.spread;
            if known && link.cost > this.least {
                largest.push(i);
            }
        }
        if largest.len() > MOST_LINKS {
            let cost = |&i: &u32| cycle.links[i as usize].cost;
            largest.select_nth_unstable_by(MOST_LINKS, |a, b| cost(b).total_cmp(&cost(a)).then(a.cmp(b)));
            largest.truncate(MOST_LINKS);
            largest.sort_unstable();
        }
        largest.into_iter().for_each(|i| this.queue(i, 1.0));
        while this.step() {
            this.events += 1;
        }
        this
    }

    /// Links with a cost that found no place, and the share of it.
    pub fn starved(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let waiting = self.waiting.iter().flatten().map(|&l| l as usize);
        waiting.map(|l| (l, self.links[l].left / self.cycle.links[l].cost)).filter(|s| s.1 > 0.1)
    }

    fn step(&mut self) -> bool {
        let full = self.nodes.len() >= MOST || self.steps.get() > MOST_STEPS;
        match self.heap.pop().filter(|e| e.size >= self.least && !full) {
            Some(Event { call: true, number, .. }) => self.lay(number),
            Some(Event { number, .. }) => self.open(number),
            None if self.finishing || !self.strategy.finish || full => return false,
            None => self.start_finishing(),
        }
        true
    }

    fn start_finishing(&mut self) {
        self.finishing = true;
        self.heap.clear();
        let mut waiting: Vec<u32> = self.waiting.iter_mut().flat_map(std::mem::take).collect();
        waiting.sort_unstable();
        waiting.dedup();
        for link in waiting {
            let progress = &mut self.links[link as usize];
            let size = progress.left;
            (progress.waits, progress.tried) = (true, 0);
            self.heap.push(Event { size, call: true, number: link });
        }
    }

    fn queue(&mut self, link: u32, factor: f64) {
        let i = link as usize;
        self.links[i].waits = true;
        let size = self.links[i].left * self.boost[i] * factor;
        self.heap.push(Event { size, call: true, number: link });
    }

    fn left(&self, node: u32) -> f64 {
        self.zones[self.nodes[node as usize].zone as usize].left
    }

    /// Whether a link, and its callee, are on the path that ends in `node`.
    fn on_path(&self, node: u32, link: u32, callee: u32) -> (bool, bool) {
        let (mut called, mut open, mut at, mut steps) = (false, false, node, 0);
        while at != NONE {
            steps += 1;
            let here = &self.nodes[at as usize];
            called |= here.link == link;
            open |= here.function == callee;
            at = here.parent;
        }
        self.steps.set(self.steps.get() + steps);
        (called, open)
    }

    /// Whether a link can be laid at a place, and whether its callee is on the path there.
    fn fits(&self, place: u32, number: u32, again: bool) -> Option<bool> {
        let link = &self.cycle.links[number as usize];
        let (called, open) = self.on_path(place, number, link.to);
        let recurs = !open || !link.is_inside() || self.cycle.recursive[link.to as usize];
        (recurs && (!called || again && link.again)).then_some(open)
    }

    /// A node of known cost, which makes a zone when it is in the cycle.
    fn add_known(&mut self, function: u32, link: u32, parent: u32, total: f64) {
        let node = self.nodes.len() as u32;
        let inside = function != super::cycle::OUTSIDE;
        let overhead = if inside { self.cycle.per_call[function as usize] } else { 0.0 };
        let zone = if inside { self.zones.len() as u32 } else { NONE };
        self.nodes.push(Laid { function, link, parent, zone, total, overhead, outermost: true, key: 0 });
        if inside {
            self.zones.push(Zone { top: node, total, left: total, room: total, places: Vec::new() });
            self.heap.push(Event { size: total, call: false, number: node });
        }
    }

    /// A node within a zone.
    pub fn add_expected(&mut self, function: u32, link: u32, parent: u32, zone: u32) -> u32 {
        let overhead = self.nodes[parent as usize].overhead + self.cycle.per_call[function as usize];
        self.nodes.push(Laid {
            function,
            link,
            parent,
            zone,
            total: 0.0,
            overhead,
            outermost: false,
            key: 0,
        });
        self.nodes.len() as u32 - 1
    }

    /// Lays `cost` of a link below a place.
    fn put(&mut self, link: u32, place: u32, cost: f64) {
        let parent = &self.nodes[place as usize];
        let (zone, overhead) = (parent.zone as usize, parent.overhead);
        let Link { to, once, .. } = self.cycle.links[link as usize];
        self.zones[zone].left -= cost;
        self.zones[zone].room -= if once { cost + overhead } else { cost };
        self.add_known(to, link, place, cost);
        let places = std::mem::take(&mut self.zones[zone].places);
        places.iter().for_each(|&place| self.sort_in(place));
        self.zones[zone].places = places;
    }

    /// Whether a call can be laid at another place than it is.
    pub fn can_move(&self, node: u32, place: u32) -> bool {
        let above = |at: &u32| Some(self.nodes[*at as usize].parent).filter(|&p| p != NONE);
        let inside = std::iter::successors(Some(place), above).any(|at| at == node);
        !inside && self.fits(place, self.nodes[node as usize].link, false).is_some()
    }

    /// Lays a call at another place.
    pub fn relocate(&mut self, node: u32, place: u32) {
        let (from, cost) = (self.nodes[node as usize].parent, self.nodes[node as usize].total);
        for (place, sign) in [(from, 1.0), (place, -1.0)] {
            let zone = self.nodes[place as usize].zone as usize;
            self.zones[zone].left += sign * cost;
        }
        self.nodes[node as usize].parent = place;
    }

    /// Keeps the room of a place in order.
    fn sort_in(&mut self, place: u32) {
        let node = self.nodes[place as usize];
        let function = node.function as usize;
        if !self.has_once[function] {
            return;
        }
        let zone = &self.zones[node.zone as usize];
        let rooms = &mut self.rooms[function][usize::from(zone.top != place)];
        rooms.remove(&(node.key, place));
        let key = (zone.room - node.overhead).max(0.0).to_bits();
        rooms.insert((key, place));
        self.nodes[place as usize].key = key;
    }

    /// A node becomes a place: what it spends is noted, recursive calls are followed, and calls that waited look again.
    fn open(&mut self, node: u32) {
        let Laid { function, zone, total, .. } = self.nodes[node as usize];
        let (cycle, f) = (self.cycle, function as usize);
        let (mut at, mut outermost) = (node, true);
        while at != NONE {
            let here = &self.nodes[at as usize];
            if here.link != NONE {
                self.met[here.link as usize] = node;
            }
            outermost &= at == node || here.function != function;
            at = here.parent;
            self.steps.set(self.steps.get() + 1);
        }
        self.nodes[node as usize].outermost = outermost;
        let share = total / cycle.activity[f];
        self.terms.push(Term { node, link: NONE, weight: cycle.own[f] * share });
        let of_zone = self.zones[zone as usize].total;
        let chain = if self.strategy.spread { SPREAD } else { CHAIN };
        for l in cycle.links_of(f) {
            let link = &cycle.links[l];
            let (expected, met) = (link.flow * share, self.met[l] == node);
            if !link.is_inside() {
                if !link.once {
                    self.terms.push(Term { node, link: l as u32, weight: expected });
                }
            } else if (self.strategy.spread && !link.once
                || met && link.again && cycle.recursive[link.to as usize])
                && expected > self.least.max(chain * of_zone)
            {
                let number = self.add_expected(link.to, l as u32, node, zone);
                self.nodes[number as usize].total = expected;
                // Calls that fit into the zone may stand here, so it must be there before them.
                self.heap.push(Event { size: of_zone, call: false, number });
            }
        }
        self.places[f].push(node);
        self.zones[zone as usize].places.push(node);
        self.sort_in(node);
        for link in std::mem::take(&mut self.waiting[f]) {
            let progress = self.links[link as usize];
            if cycle.links[link as usize].once && progress.laid > 0 && !self.finishing {
                self.waiting[f].push(link);
            } else if !progress.waits {
                self.queue(link, 1.0);
            }
        }
    }

    /// Finds places for a link.
    fn lay(&mut self, number: u32) {
        let i = number as usize;
        self.links[i].waits = false;
        if self.links[i].left < self.least {
            return;
        }
        let link = &self.cycle.links[i];
        let found = if self.finishing {
            self.any_places(number)
        } else if link.once {
            self.one_place(number)
        } else if let Some(place) = self.tight_place(number) {
            place
        } else if self.links[i].deferred < self.strategy.patience
            && !self.places[link.from as usize].is_empty()
            && !self.enough(number)
        {
            self.links[i].deferred += 1;
            return self.queue(number, 0.9f64.powi(self.links[i].deferred as i32));
        } else {
            self.shared_places(number)
        };
        if self.links[i].left > self.least {
            self.waiting[link.from as usize].push(number);
        }
        for (place, cost) in found {
            self.put(number, place, cost);
        }
    }

    /// Takes `cost` of a link for a place, which has not got it yet.
    fn take(&mut self, number: u32, cost: f64, open: bool) {
        let progress = &mut self.links[number as usize];
        progress.left -= cost;
        progress.laid += 1;
        let link = &self.cycle.links[number as usize];
        if !open && link.is_inside() {
            self.allowed[link.to as usize] -= cost;
        }
    }

    /// The smallest room that holds a call as a whole, or the largest one that holds more than half of it.
    fn one_place(&mut self, number: u32) -> Vec<(u32, f64)> {
        /// Places that are tried in vain.
        const TRIES: usize = 16;
        let (link, size) = (&self.cycle.links[number as usize], self.links[number as usize].left);
        let rooms = &self.rooms[link.from as usize];
        let least = ((size / (1.0 + TOLERANCE)).to_bits(), 0);
        let holding = rooms.iter().flat_map(|r| r.range(least..).take(TRIES));
        let mut large: Vec<_> = rooms.iter().flat_map(|r| r.iter().rev().take(TRIES)).collect();
        large.sort_by_key(|r| std::cmp::Reverse(r.0));
        let large = large.into_iter().filter(|r| self.left(r.1) > 0.5 * size);
        let Some((place, open)) =
            holding.chain(large).find_map(|r| Some((r.1, self.fits(r.1, number, false)?)))
        else {
            return Vec::new();
        };
        let cost = size.min(self.left(place));
        self.take(number, cost, open);
        // Most of a call at a place is the call; what does not fit there may have room elsewhere in the end.
        if cost > WHOLE * size {
            self.links[number as usize].left = 0.0;
        }
        vec![(place, cost)]
    }

    /// A place that the link nearly fills, if all of it is still to be laid.
    fn tight_place(&mut self, number: u32) -> Option<Vec<(u32, f64)>> {
        let (link, progress) = (&self.cycle.links[number as usize], self.links[number as usize]);
        let places = &self.places[link.from as usize];
        if progress.tried >= places.len() || progress.left < 0.99 * link.cost {
            return None;
        }
        let filled = |&p: &u32| {
            let left = self.left(p);
            left * (1.0 + TOLERANCE) >= progress.left && progress.left >= self.strategy.tight * left
        };
        // Rooms only shrink: what was too large once may fit later, but thousands are not looked at again and again.
        let first = if places.len() > MANY { progress.tried } else { 0 };
        let tight = places[first..]
            .iter()
            .copied()
            .filter(filled)
            .filter_map(|p| Some((p, self.fits(p, number, false)?)));
        let (place, open) = tight.min_by(|a, b| self.left(a.0).total_cmp(&self.left(b.0)))?;
        let cost = progress.left.min(self.left(place));
        self.links[number as usize].tried = places.len();
        self.take(number, cost, open);
        self.links[number as usize].left = 0.0;
        Some(vec![(place, cost)])
    }

    /// The part of the link that an outermost place of its caller has.
    fn share(&self, place: u32, link: &Link) -> f64 {
        let total = self.cycle.total[link.from as usize];
        let total = if total.is_finite() { total } else { self.cycle.activity[link.from as usize] };
        link.cost * (self.nodes[place as usize].total / total.max(1e-9)).min(1.0)
    }

    /// Whether places that were not tried yet hold most of what is left of a link.
    fn enough(&self, number: u32) -> bool {
        let (link, progress) = (&self.cycle.links[number as usize], self.links[number as usize]);
        let mut zones: Vec<(u32, f64)> = Vec::new();
        for &place in &self.places[link.from as usize][progress.tried..] {
            if self.fits(place, number, false).is_none() {
                continue;
            }
            let node = &self.nodes[place as usize];
            let mut holds = self.left(place).min(node.total);
            if node.outermost {
                holds = holds.min(self.share(place, link));
            }
            match zones.iter_mut().find(|z| z.0 == node.zone) {
                Some(zone) => zone.1 = zone.1.max(holds),
                None => zones.push((node.zone, holds)),
            }
        }
        zones.iter().map(|z| z.1).sum::<f64>() >= 0.9 * progress.left
    }

    /// Shares a link out over its caller's new places, outermost and large ones first, as many as there are calls.
    fn shared_places(&mut self, number: u32) -> Vec<(u32, f64)> {
        let (cycle, i) = (self.cycle, number as usize);
        let link = &cycle.links[i];
        let places = &self.places[link.from as usize];
        let tried = std::mem::replace(&mut self.links[i].tried, places.len());
        let possible = places[tried..].iter().copied().filter(|&p| self.left(p) > self.least);
        let mut possible: Vec<(u32, bool)> =
            possible.filter_map(|p| Some((p, self.fits(p, number, false)?))).collect();
        possible.sort_by(|a, b| {
            let (a, b) = (&self.nodes[a.0 as usize], &self.nodes[b.0 as usize]);
            b.outermost.cmp(&a.outermost).then(b.total.total_cmp(&a.total))
        });
        let outermost = |list: &[(u32, bool)]| -> f64 {
            list.iter().map(|p| &self.nodes[p.0 as usize]).filter(|n| n.outermost).map(|n| n.total).sum()
        };
        let all = outermost(&possible);
        possible.truncate((link.places - f64::from(self.links[i].laid)).max(0.0) as usize);
        let kept = outermost(&possible);
        let gain = if kept > 0.0 { all / kept } else { 1.0 };
        let mut found = Vec::new();
        let mut taken: Vec<(u32, f64)> = Vec::new();
        for (place, open) in possible {
            let node = self.nodes[place as usize];
            let of_zone: f64 = taken.iter().filter(|t| t.0 == node.zone).map(|t| t.1).sum();
            let left = self.links[i].left;
            let mut cost = left.min(self.left(place) - of_zone);
            if node.outermost {
                cost = cost.min((gain * self.share(place, link)).min(link.cost));
            } else {
                cost = cost.min(node.total);
                if left < LARGE * node.total {
                    cost = cost.min(left * (node.total / cycle.activity[link.from as usize]).min(1.0));
                }
                if !open && link.is_inside() {
                    cost = cost.min(self.allowed[link.to as usize].max(0.0));
                }
            }
            if cost < 0.5 * self.least || cost < CRUMB * left {
                continue;
            }
            self.take(number, cost, open);
            taken.push((node.zone, cost));
            found.push((place, cost));
        }
        found
    }

    /// What the function of a zone spends there itself, if its calls are never inside of one another: then it is known.
    fn reserved(&self, zone: u32) -> f64 {
        let zone = &self.zones[zone as usize];
        let f = self.nodes[zone.top as usize].function as usize;
        if self.cycle.recursive[f] {
            return 0.0;
        }
        self.cycle.spread[f] * zone.total / self.cycle.activity[f]
    }

    /// Any rooms, the largest first.
    fn any_places(&mut self, number: u32) -> Vec<(u32, f64)> {
        let link = &self.cycle.links[number as usize];
        let places = &self.places[link.from as usize];
        let tried = std::mem::replace(&mut self.links[number as usize].tried, places.len());
        let mut rooms: Vec<u32> =
            places[tried..].iter().copied().filter(|&p| self.left(p) > self.least).collect();
        rooms.sort_by(|&a, &b| self.left(b).total_cmp(&self.left(a)).then(a.cmp(&b)));
        let mut found: Vec<(u32, f64)> = Vec::new();
        for place in rooms {
            let Some(open) = self.fits(place, number, true) else { continue };
            let zone = self.nodes[place as usize].zone;
            let of_zone: f64 =
                found.iter().filter(|f| self.nodes[f.0 as usize].zone == zone).map(|f| f.1).sum();
            let room = self.left(place) - of_zone - self.reserved(zone);
            let mut cost = self.links[number as usize].left.min(room);
            if !open && link.is_inside() {
                cost = cost.min(self.allowed[link.to as usize].max(0.0));
            }
            if cost < self.least {
                continue;
            }
            self.take(number, cost, open);
            found.push((place, cost));
            if self.links[number as usize].left < self.least {
                break;
            }
        }
        found
    }
}
