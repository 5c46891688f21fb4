//! What tracks and processes are called, and in which order they stand.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;

use super::tracks::{Id, Lane, Process, Side, Tracks};
use crate::model::{ProfileBuilder, TrackKind, TrackSpec};

/// What to call each process, by side. Nothing when there is only one and it is no device.
pub(super) struct ProcessLabels(Vec<[String; 2]>);

impl ProcessLabels {
    /// The label for what a process has counted.
    pub fn counted(&self, process: u32) -> &str {
        &self.0[process as usize][0]
    }

    fn of(&self, lane: &Lane) -> &str {
        &self.0[lane.process as usize][place(lane)]
    }
}

fn place(lane: &Lane) -> usize {
    usize::from(lane.side == Some(Side::Gpu))
}

impl Tracks {
    /// Gives the tracks their names and their order, when something changed since the last time.
    pub fn label(&mut self, b: &mut ProfileBuilder, counted: &[u32]) {
        if !std::mem::take(&mut self.relabel) {
            return;
        }
        let processes = self.process_labels(counted);
        let labels = self.lane_labels();
        for (sort, i) in (0..).zip(self.in_order()) {
            let lane = &self.lanes[i as usize];
            let Some(track) = lane.track else { continue };
            let spec = TrackSpec {
                name: &labels[i as usize],
                process: processes.of(lane),
                kind: kind(lane, b),
                sort,
            };
            b.set_track(track, spec);
        }
    }

    /// Lanes as they are displayed: by the stated places, equal ones by name, unnamed ones last by number.
    fn in_order(&self) -> Vec<u32> {
        let names: Vec<_> = self.processes.iter().map(given_name).collect();
        let mut order: Vec<u32> = (0..self.processes.len() as u32).collect();
        order.sort_by(|&a, &b| {
            let (p, q) = (&self.processes[a as usize], &self.processes[b as usize]);
            let by_name = by_name(names[a as usize], names[b as usize]);
            p.sort.cmp(&q.sort).then(by_name).then_with(|| self.by_id(p.id, q.id)).then(a.cmp(&b))
        });
        let mut process_place = vec![0u32; order.len()];
        (0u32..).zip(order).for_each(|(place, process)| process_place[process as usize] = place);
        let names: Vec<_> = self.lanes.iter().map(|lane| self.lane_name(lane)).collect();
        let mut order: Vec<u32> = (0..self.lanes.len() as u32).collect();
        order.sort_by(|&a, &b| {
            let key = |i: u32| {
                let lane = &self.lanes[i as usize];
                (process_place[lane.process as usize], place(lane), lane.kind == TrackKind::Async, lane.sort)
            };
            let id = |i: u32| self.lanes[i as usize].id;
            let by_name = || by_name(names[a as usize], names[b as usize]);
            key(a).cmp(&key(b)).then_with(by_name).then_with(|| self.by_id(id(a), id(b))).then(a.cmp(&b))
        });
        order
    }

    /// Numbers, then texts, then none.
    fn by_id(&self, a: Id, b: Id) -> Ordering {
        let rank = |id| match id {
            Id::Number(_) => 0,
            Id::Text(_) => 1,
            Id::Absent => 2,
        };
        let text = |id| self.ids.shown(id).unwrap_or_default();
        match (a, b) {
            (Id::Number(a), Id::Number(b)) => a.cmp(&b),
            (Id::Text(_), Id::Text(_)) => natural(&text(a), &text(b)),
            _ => rank(a).cmp(&rank(b)),
        }
    }

    /// What to call each process. `counted` are processes with counters.
    pub fn process_labels(&self, counted: &[u32]) -> ProcessLabels {
        let mut shown = vec![[false; 2]; self.processes.len()];
        for lane in self.lanes.iter().filter(|l| l.track.is_some()) {
            shown[lane.process as usize][place(lane)] = true;
        }
        let mixed: Vec<bool> = shown.iter().map(|s| s[0] && s[1]).collect();
        counted.iter().for_each(|&p| shown[p as usize][0] = true);
        // A process that only has streams, or only threads, is one whichever label it has.
        let plain: Vec<[String; 2]> = self
            .processes
            .iter()
            .zip(&mixed)
            .map(|(process, mixed)| {
                let name = self.process_name(process);
                if !mixed {
                    return [name.clone(), name];
                }
                let device =
                    if process.device.is_empty() { format!("{name} GPU") } else { process.device.clone() };
                [self.program_name(process), device]
            })
            .collect();
        let mut uses: FxHashMap<&str, u32> = FxHashMap::default();
        let mut count = 0;
        for ((names, shown), mixed) in plain.iter().zip(&shown).zip(&mixed) {
            let places: &[usize] = if *mixed { &[0, 1] } else { &[0] };
            for &place in places.iter().filter(|&&place| shown[place] || !mixed && (shown[0] || shown[1])) {
                *uses.entry(&names[place]).or_default() += 1;
                count += 1;
            }
        }
        let label = |process: &Process, name: &String| match self.ids.shown(process.id) {
            // Which GPU it is says more than that there is one process.
            _ if count < 2 && *name != process.device => String::new(),
            Some(id) if uses.get(name.as_str()).is_some_and(|&n| n > 1) => format!("{name} (pid {id})"),
            _ => name.clone(),
        };
        ProcessLabels(
            self.processes.iter().zip(&plain).map(|(p, [a, b])| [label(p, a), label(p, b)]).collect(),
        )
    }

    fn process_name(&self, process: &Process) -> String {
        if process.device.is_empty() { self.program_name(process) } else { process.device.clone() }
    }

    fn program_name(&self, process: &Process) -> String {
        if !process.name.is_empty() {
            return process.name.clone();
        }
        match process.id {
            Id::Number(n) => format!("pid {n}"),
            id => self.ids.shown(id).unwrap_or_else(|| "no process id".into()),
        }
    }

    /// The name that the file gives a lane.
    fn lane_name<'a>(&'a self, lane: &'a Lane) -> Option<&'a str> {
        // Names came before it was known that two lanes have the same numbers.
        let twin = lane.twin.map(|twin| &self.lanes[twin as usize]);
        let known = |part: fn(&Lane) -> &str| {
            let theirs = twin.map(part).filter(|name| !name.is_empty());
            Some(part(lane)).filter(|name| !name.is_empty()).or(theirs)
        };
        let (name, stream) = (known(|l| &l.name), known(|l| &l.stream));
        match (lane.side, twin) {
            (Some(Side::Gpu), Some(_)) => stream,
            (_, Some(_)) => name,
            (Some(Side::Gpu), None) => stream.or(name),
            _ => name.or(stream),
        }
    }

    fn lane_label(&self, lane: &Lane) -> String {
        match (self.lane_name(lane), lane.id) {
            (Some(name), _) => name.to_owned(),
            (None, Id::Number(n)) if lane.twin.is_some() && lane.side == Some(Side::Gpu) => {
                format!("stream {n}")
            }
            (None, Id::Number(n)) => format!("tid {n}"),
            (None, id) => self.ids.shown(id).unwrap_or_else(|| "no thread id".into()),
        }
    }

    fn lane_labels(&self) -> Vec<String> {
        let mut labels: Vec<_> = self.lanes.iter().map(|lane| self.lane_label(lane)).collect();
        let mut uses: FxHashMap<(u32, &str), u32> = FxHashMap::default();
        for (lane, label) in self.lanes.iter().zip(&labels).filter(|(l, _)| l.track.is_some()) {
            *uses.entry((lane.process, label)).or_default() += 1;
        }
        let ambiguous = |(lane, label): (&Lane, &String)| {
            uses.get(&(lane.process, label.as_str())).is_some_and(|&n| n > 1)
        };
        let marked: Vec<_> = self.lanes.iter().zip(&labels).map(ambiguous).collect();
        for ((lane, label), marked) in self.lanes.iter().zip(&mut labels).zip(marked) {
            if marked && let Some(id) = self.ids.shown(lane.id) {
                *label = format!("{label} (tid {id})");
            }
        }
        labels
    }
}

fn kind(lane: &Lane, b: &ProfileBuilder) -> TrackKind {
    // A lane of sums only is one that clang adds for each kind of its events.
    let spans = lane.track.map_or(0, |track| b.span_count(track) as u64);
    if lane.totals > 0 && lane.totals == spans {
        return TrackKind::Summary;
    }
    if lane.kind == TrackKind::Thread && is_task(&lane.name) { TrackKind::Task } else { lane.kind }
}

/// The name that the file gives a process.
fn given_name(process: &Process) -> Option<&str> {
    [&process.device, &process.name].into_iter().find(|name| !name.is_empty()).map(String::as_str)
}

/// Named ones come first, and numbers in names count as such: «worker 2» before «worker 10».
fn by_name(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => natural(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let number = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (n, m) = (number(a), number(b));
        if n > 0 && m > 0 {
            let (x, y) = (a[..n].trim_start_matches('0'), b[..m].trim_start_matches('0'));
            let ordering = x.len().cmp(&y.len()).then(x.cmp(y)).then(n.cmp(&m));
            if ordering != Ordering::Equal {
                return ordering;
            }
            (a, b) = (&a[n..], &b[m..]);
            continue;
        }
        let (mut left, mut right) = (a.chars(), b.chars());
        match (left.next(), right.next()) {
            (Some(x), Some(y)) if x == y => (a, b) = (left.as_str(), right.as_str()),
            (x, y) => return x.cmp(&y),
        }
    }
}

/// asyncio calls its tasks «Task-7» unless told otherwise; viztracer gives each a thread of its own.
fn is_task(name: &str) -> bool {
    name.strip_prefix("Task-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_in_their_order() {
        let mut names = ["worker 10", "worker 2", "worker", "a", "worker 02", "Worker 1", ""];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["", "Worker 1", "a", "worker", "worker 2", "worker 02", "worker 10"]);
    }
}
