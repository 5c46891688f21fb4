//! Events and what they wait for: solving forward, latest times backward, the walk along the critical path.

/// No stage.
pub(super) const NONE: u32 = u32::MAX;

/// Start or end of something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Event {
    /// When it was measured, ns.
    pub time: i64,
    /// What lay between the latest of what it waited for and itself, ns.
    pub gap: i64,
}

/// `to` is never before `from` plus `delay`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrow {
    pub from: u32,
    pub to: u32,
    pub delay: i64,
    /// The stage whose time the delay is, or [`NONE`].
    pub of: u32,
    /// True for a link of the profile.
    pub link: bool,
}

/// All events.
#[derive(Clone, Debug, Default)]
pub(super) struct Net {
    pub events: Vec<Event>,
    pub arrows: Vec<Arrow>,
    /// Start and end of each stage.
    pub of_stage: Vec<(u32, u32)>,
    /// Events so that what is waited for comes first.
    order: Vec<u32>,
    /// Place of each event there; [`NONE`] on a circle.
    places: Vec<u32>,
    /// Arrows by their end: places in `arrows`.
    first_in: Vec<u32>,
    into: Vec<u32>,
}

/// How long the stages last, in thousandths of what was measured.
pub(super) trait Lengths {
    fn permille(&self, stage: u32) -> u32;
}

/// As measured.
pub(super) struct Measured;

impl Lengths for Measured {
    fn permille(&self, _: u32) -> u32 {
        1000
    }
}

impl Net {
    pub fn event(&mut self, time: i64) -> u32 {
        self.events.push(Event { time, gap: 0 });
        (self.events.len() - 1) as u32
    }

    /// Adds an arrow unless the measured times contradict it.
    pub fn arrow(&mut self, arrow: Arrow) {
        let (from, to) = (self.events[arrow.from as usize].time, self.events[arrow.to as usize].time);
        if arrow.from != arrow.to && from.saturating_add(arrow.delay) <= to {
            self.arrows.push(arrow);
        }
    }

    pub fn wait(&mut self, from: u32, to: u32) {
        self.arrow(Arrow { from, to, delay: 0, of: NONE, link: false });
    }

    /// Sorts events and sets their gaps. Call after the last arrow.
    pub fn settle(&mut self) {
        self.sort();
        for to in 0..self.events.len() {
            let latest = self
                .incoming(to as u32)
                .map(|a| self.events[a.from as usize].time.saturating_add(a.delay))
                .max();
            self.events[to].gap = latest.map_or(0, |t| self.events[to].time.saturating_sub(t));
        }
    }

    /// Sorts events. Call after a change of arrows.
    pub fn sort(&mut self) {
        let n = self.events.len();
        let by_end = grouped(n, self.arrows.iter().map(|a| a.to));
        let by_start = grouped(n, self.arrows.iter().map(|a| a.from));
        let mut waiting: Vec<u32> = by_end.0.windows(2).map(|w| w[1] - w[0]).collect();
        self.order = (0..n as u32).filter(|&e| waiting[e as usize] == 0).collect();
        let mut next = 0;
        while let Some(&event) = self.order.get(next) {
            next += 1;
            let range = by_start.0[event as usize] as usize..by_start.0[event as usize + 1] as usize;
            for &arrow in &by_start.1[range] {
                let to = self.arrows[arrow as usize].to;
                waiting[to as usize] -= 1;
                if waiting[to as usize] == 0 {
                    self.order.push(to);
                }
            }
        }
        // Events on a circle (zero lengths at one moment) are left out of the order and keep their time.
        self.places.clear();
        self.places.resize(n, NONE);
        for (place, &event) in (0u32..).zip(&self.order) {
            self.places[event as usize] = place;
        }
        (self.first_in, self.into) = by_end;
    }

    /// The arrows that end in an event.
    pub fn incoming(&self, event: u32) -> impl Iterator<Item = &Arrow> + '_ {
        let at = event as usize;
        let range = self.first_in[at] as usize..self.first_in[at + 1] as usize;
        self.into[range].iter().map(|&a| &self.arrows[a as usize])
    }

    /// Events so that what is waited for comes first; those on a circle are left out.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Place of an event in the order, or [`NONE`].
    pub fn place(&self, event: u32) -> u32 {
        self.places[event as usize]
    }

    /// When each event is with other lengths.
    pub fn solve(&self, lengths: &impl Lengths) -> Vec<i64> {
        let mut times: Vec<i64> = self.events.iter().map(|e| e.time).collect();
        for &event in &self.order {
            let latest =
                self.incoming(event).map(|a| times[a.from as usize].saturating_add(delay(a, lengths))).max();
            if let Some(latest) = latest {
                times[event as usize] = latest.saturating_add(self.events[event as usize].gap);
            }
        }
        times
    }

    /// The latest time of each event that does not move `end`.
    pub fn latest(&self, end: i64) -> Vec<i64> {
        let mut latest = vec![end; self.events.len()];
        for &event in self.order.iter().rev() {
            let at = latest[event as usize].saturating_sub(self.events[event as usize].gap);
            for arrow in self.incoming(event) {
                let from = &mut latest[arrow.from as usize];
                *from = (*from).min(at.saturating_sub(arrow.delay));
            }
        }
        latest
    }

    /// From the last event back to the first: what each stretch of the time was. `visit` gets the stage or
    /// [`NONE`], start and end of the stretch, and whether something is known before it.
    pub fn walk(
        &self,
        times: &[i64],
        lengths: &impl Lengths,
        visit: impl FnMut(u32, i64, i64),
    ) -> Option<u32> {
        let rank = |e: &u32| (times[*e as usize], self.incoming(*e).any(|a| a.of != NONE));
        let last = (0..self.events.len() as u32).max_by_key(rank)?;
        // Of several that end last the one before which most is known.
        let alike = (0..self.events.len() as u32).rev().filter(|e| rank(e) == rank(&last)).take(MOST_ALIKE);
        let explained = |&end: &u32| {
            let mut stages = 0i64;
            let count = |stage, from: i64, to: i64| {
                stages = stages.saturating_add(if stage == NONE { 0 } else { to.saturating_sub(from) });
            };
            self.walk_from(end, times, lengths, count);
            stages
        };
        let mut best = (last, explained(&last));
        for end in alike.filter(|&end| end != last) {
            let found = explained(&end);
            if found > best.1 {
                best = (end, found);
            }
        }
        Some(self.walk_from(best.0, times, lengths, visit))
    }

    /// The same from the event `at`.
    fn walk_from(
        &self,
        mut at: u32,
        times: &[i64],
        lengths: &impl Lengths,
        mut visit: impl FnMut(u32, i64, i64),
    ) -> u32 {
        for _ in 0..=self.events.len() {
            let reached = |a: &&Arrow| times[a.from as usize].saturating_add(delay(a, lengths));
            // Of two that end together the one that runs longer explains more.
            let Some(arrow) = self.incoming(at).max_by_key(|a| (reached(a), delay(a, lengths))) else {
                break;
            };
            let ready = reached(&arrow);
            if times[at as usize] > ready {
                visit(NONE, ready, times[at as usize]);
            }
            let from = times[arrow.from as usize];
            if arrow.of != NONE || ready > from {
                visit(arrow.of, from, ready);
            }
            at = arrow.from;
        }
        at
    }

    pub fn heap_bytes(&self) -> usize {
        self.events.len() * (size_of::<Event>() + 12)
            + self.arrows.len() * (size_of::<Arrow>() + 4)
            + self.of_stage.len() * 8
    }
}

/// Events that end last together and are looked at, at most.
const MOST_ALIKE: usize = 16;

fn delay(arrow: &Arrow, lengths: &impl Lengths) -> i64 {
    if arrow.of == NONE {
        return arrow.delay;
    }
    match lengths.permille(arrow.of) {
        1000 => arrow.delay,
        permille => (i128::from(arrow.delay) * i128::from(permille) / 1000) as i64,
    }
}

/// Places of `keys` grouped by key: first place of each group, and the places.
pub(super) fn grouped(groups: usize, keys: impl Iterator<Item = u32> + Clone) -> (Vec<u32>, Vec<u32>) {
    let mut first = vec![0u32; groups + 1];
    keys.clone().for_each(|k| first[k as usize + 1] += 1);
    for i in 0..groups {
        first[i + 1] += first[i];
    }
    let mut next = first.clone();
    let mut places = vec![0u32; next[groups] as usize];
    for (place, key) in (0u32..).zip(keys) {
        places[next[key as usize] as usize] = place;
        next[key as usize] += 1;
    }
    (first, places)
}
