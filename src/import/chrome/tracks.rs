//! Processes and threads of a trace and the tracks that show them.
//!
//! Names may come at any time, also after the last event, and may be changed: tracks get their labels and
//! their order when a picture is due ([`Tracks::label`]).

use rustc_hash::FxHashMap;

use super::number;
use super::oddities::{Odd, Oddities};
use super::scan::{Members, Raw};
use super::{decode, names};
use crate::model::{ProfileBuilder, Strings, TrackId, TrackKind, TrackSpec};

/// A process, thread or event id: mostly a number, sometimes a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Id {
    /// Missing or null.
    #[default]
    Absent,
    /// A number, also when it was written as a string.
    Number(i64),
    /// A text of [`Ids`].
    Text(u32),
}

/// The texts among the ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    texts: Strings,
}

impl Ids {
    /// The id of a process or thread.
    pub fn of(&mut self, raw: Raw<'_>) -> Id {
        match number::integer(raw) {
            Some(n) => Id::Number(n),
            None => self.text(raw),
        }
    }

    /// The id of an event, of which «0x1f» is a usual form.
    pub fn of_event(&mut self, raw: Raw<'_>) -> Id {
        match number::hex_or_integer(raw) {
            Some(n) => Id::Number(n),
            None => self.text(raw),
        }
    }

    fn text(&mut self, raw: Raw<'_>) -> Id {
        if raw.is_none() {
            return Id::Absent;
        }
        Id::Text(self.texts.intern(&decode::text(raw).0).0)
    }

    /// What a person reads; `None` for a missing id.
    pub fn shown(&self, id: Id) -> Option<String> {
        match id {
            Id::Absent => None,
            Id::Number(n) => Some(n.to_string()),
            Id::Text(id) => Some(self.texts.get(crate::model::StringId(id)).to_owned()),
        }
    }
}

#[derive(Debug, Default)]
struct Process {
    id: Id,
    name: String,
    labels: String,
    sort: i64,
}

/// A thread, or a group of async operations.
#[derive(Debug)]
pub(super) struct Lane {
    process: u32,
    id: Id,
    name: String,
    sort: i64,
    kind: TrackKind,
    /// Its name came after its first event.
    named_late: bool,
    pub track: Option<TrackId>,
    /// Its stack of open begin events, once it has one.
    pub stack: Option<u32>,
}

/// All processes, threads and async groups, in the order in which the file mentions them.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub ids: Ids,
    processes: Vec<Process>,
    process_of: FxHashMap<Id, u32>,
    lanes: Vec<Lane>,
    thread_of: FxHashMap<(Id, Id), u32>,
    async_of: FxHashMap<(u32, crate::model::StringId), u32>,
    annotations_of: FxHashMap<u32, u32>,
    last: Option<(Id, Id, u32)>,
    relabel: bool,
}

impl Tracks {
    /// The process with this id.
    pub fn process(&mut self, id: Id) -> u32 {
        *self.process_of.entry(id).or_insert_with(|| {
            self.processes.push(Process { id, ..Process::default() });
            (self.processes.len() - 1) as u32
        })
    }

    /// The thread that an event names.
    pub fn thread(&mut self, pid: Raw<'_>, tid: Raw<'_>) -> u32 {
        let (pid, tid) = (self.ids.of(pid), self.ids.of(tid));
        self.thread_by_id(pid, tid)
    }

    /// The thread with these ids.
    pub fn thread_by_id(&mut self, pid: Id, tid: Id) -> u32 {
        if let Some((p, t, lane)) = self.last
            && (p, t) == (pid, tid)
        {
            return lane;
        }
        let lane = match self.thread_of.get(&(pid, tid)) {
            Some(&lane) => lane,
            None => {
                let process = self.process(pid);
                let lane = self.add_lane(process, tid, TrackKind::Thread);
                self.thread_of.insert((pid, tid), lane);
                lane
            }
        };
        self.last = Some((pid, tid, lane));
        lane
    }

    /// The group of async operations called `name` of a process.
    pub fn async_group(&mut self, process: u32, name: crate::model::StringId, text: &str) -> u32 {
        if let Some(&lane) = self.async_of.get(&(process, name)) {
            return lane;
        }
        let lane = self.add_lane(process, Id::Absent, TrackKind::Async);
        text.clone_into(&mut self.lanes[lane as usize].name);
        self.async_of.insert((process, name), lane);
        lane
    }

    /// The lane beside a thread for the ranges that its program marked. Such a range begins within Python's `__enter__`
    /// and ends within `__exit__`, so among the frames it would nest nowhere, and all its time would count twice.
    pub fn annotations(&mut self, thread: u32) -> u32 {
        if let Some(&lane) = self.annotations_of.get(&thread) {
            return lane;
        }
        let (process, id) = (self.lanes[thread as usize].process, self.lanes[thread as usize].id);
        let lane = self.add_lane(process, id, TrackKind::Phase);
        "annotations".clone_into(&mut self.lanes[lane as usize].name);
        self.annotations_of.insert(thread, lane);
        lane
    }

    fn add_lane(&mut self, process: u32, id: Id, kind: TrackKind) -> u32 {
        let name = String::new();
        let lane = Lane { process, id, name, sort: 0, kind, named_late: false, track: None, stack: None };
        self.lanes.push(lane);
        (self.lanes.len() - 1) as u32
    }

    /// The process of a lane.
    pub fn process_of_lane(&self, lane: u32) -> u32 {
        self.lanes[lane as usize].process
    }

    /// A lane.
    pub fn lane(&mut self, lane: u32) -> &mut Lane {
        &mut self.lanes[lane as usize]
    }

    /// The track of a lane; made when first needed.
    pub fn track(&mut self, b: &mut ProfileBuilder, lane: u32) -> TrackId {
        let lane = &mut self.lanes[lane as usize];
        *lane.track.get_or_insert_with(|| {
            self.relabel = true;
            b.track(TrackSpec { name: "", process: "", kind: lane.kind, sort: 0 })
        })
    }

    /// Says that what looks like a thread stands for something else.
    pub fn set_kind(&mut self, lane: u32, kind: TrackKind) {
        let lane = &mut self.lanes[lane as usize];
        if lane.kind == TrackKind::Thread {
            lane.kind = kind;
            self.relabel = true;
        }
    }

    /// Of a file of viztracer: it names threads before all events and tasks of asyncio, whatever these are called, after them.
    pub fn late_names_are_tasks(&mut self) {
        for lane in self.lanes.iter_mut().filter(|l| l.named_late && l.kind == TrackKind::Thread) {
            lane.kind = TrackKind::Task;
            self.relabel = true;
        }
    }

    /// Takes in a metadata event.
    pub fn metadata(
        &mut self,
        odd: &mut Oddities,
        name: &[u8],
        (pid, tid): (Raw<'_>, Raw<'_>),
        args: Raw<'_>,
    ) {
        if name == b"inferscope_kind" {
            let lane = self.thread(pid, tid);
            let kind = Members::of(args).find(|(k, _)| k.bytes == b"kind").map(|(_, v)| v.bytes);
            if let Some(kind) = kind.and_then(kind_of) {
                self.lanes[lane as usize].kind = kind;
                self.relabel = true;
            }
            return;
        }
        let key: &[u8] = match name {
            b"process_name" | b"thread_name" => b"name",
            b"process_labels" => b"labels",
            b"process_sort_index" | b"thread_sort_index" => b"sort_index",
            _ => return,
        };
        let value = Members::of(args).find(|(k, _)| k.bytes == key).map(|(_, v)| v).filter(|v| !v.is_none());
        let Some(value) = value else {
            odd.count(Odd::BadMetadata);
            return;
        };
        let pid = self.ids.of(pid);
        let sort = number::integer(value);
        if key == b"sort_index" && sort.is_none() {
            odd.count(Odd::BadMetadata);
            return;
        }
        self.relabel = true;
        if name.starts_with(b"thread") {
            let tid = self.ids.of(tid);
            let lane = self.thread_by_id(pid, tid) as usize;
            let lane = &mut self.lanes[lane];
            match sort {
                Some(sort) if key == b"sort_index" => lane.sort = sort,
                _ => {
                    lane.named_late |= lane.name.is_empty() && lane.track.is_some();
                    lane.name = names::text(value, odd).trim().to_owned();
                }
            }
        } else {
            let process = self.process(pid) as usize;
            let process = &mut self.processes[process];
            match (name, sort) {
                (b"process_sort_index", Some(sort)) => process.sort = sort,
                (b"process_labels", _) => process.labels = names::text(value, odd).trim().to_owned(),
                _ => process.name = names::text(value, odd).trim().to_owned(),
            }
        }
    }

    /// Gives the tracks their names and their order, when something changed since the last time.
    pub fn label(&mut self, b: &mut ProfileBuilder, counted: &[u32]) {
        if !std::mem::take(&mut self.relabel) {
            return;
        }
        let processes = self.process_labels(counted);
        let labels = self.lane_labels();
        let mut order: Vec<u32> = (0..self.lanes.len() as u32).collect();
        order.sort_by_key(|&i| {
            let lane = &self.lanes[i as usize];
            (
                self.processes[lane.process as usize].sort,
                lane.process,
                lane.kind == TrackKind::Async,
                lane.sort,
                i,
            )
        });
        for (sort, i) in (0..).zip(order) {
            let lane = &self.lanes[i as usize];
            let Some(track) = lane.track else { continue };
            let kind = if lane.kind == TrackKind::Thread && is_task(&lane.name) {
                TrackKind::Task
            } else {
                lane.kind
            };
            let process = &processes[lane.process as usize];
            b.set_track(track, TrackSpec { name: &labels[i as usize], process, kind, sort });
        }
    }

    /// What to call each process; nothing when there is only one. `counted` are processes with counters.
    pub fn process_labels(&self, counted: &[u32]) -> Vec<String> {
        let mut shown = vec![false; self.processes.len()];
        self.lanes.iter().filter(|l| l.track.is_some()).for_each(|l| shown[l.process as usize] = true);
        counted.iter().for_each(|&p| shown[p as usize] = true);
        let shown_count = shown.iter().filter(|&&s| s).count();
        let plain: Vec<_> = self.processes.iter().map(|p| self.process_name(p)).collect();
        let mut uses: FxHashMap<&str, u32> = FxHashMap::default();
        for (name, _) in plain.iter().zip(&shown).filter(|(_, shown)| **shown) {
            *uses.entry(name).or_default() += 1;
        }
        let label = |(process, name): (&Process, &String)| match self.ids.shown(process.id) {
            _ if shown_count < 2 => String::new(),
            Some(id) if uses.get(name.as_str()).is_some_and(|&n| n > 1) => format!("{name} (pid {id})"),
            _ => name.clone(),
        };
        self.processes.iter().zip(&plain).map(label).collect()
    }

    fn process_name(&self, process: &Process) -> String {
        if process.labels.starts_with("GPU") {
            return process.labels.clone();
        }
        if !process.name.is_empty() {
            return process.name.clone();
        }
        match process.id {
            Id::Number(n) => format!("pid {n}"),
            id => self.ids.shown(id).unwrap_or_else(|| "no process id".into()),
        }
    }

    fn lane_labels(&self) -> Vec<String> {
        let plain = |lane: &Lane| match lane.id {
            _ if !lane.name.is_empty() => lane.name.clone(),
            Id::Number(n) => format!("tid {n}"),
            id => self.ids.shown(id).unwrap_or_else(|| "no thread id".into()),
        };
        let mut labels: Vec<_> = self.lanes.iter().map(plain).collect();
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

    /// The id of the process, when there is one only.
    pub fn single_pid(&self) -> Id {
        match &self.processes[..] {
            [only] => only.id,
            _ => Id::Absent,
        }
    }

    /// The process that everything belongs to, when there is only one: its name and id.
    pub fn only_process(&self) -> Option<String> {
        let mut shown = self.lanes.iter().filter(|l| l.track.is_some()).map(|l| l.process);
        let first = shown.next()?;
        let process = &self.processes[first as usize];
        let id = self.ids.shown(process.id)?;
        shown.all(|p| p == first).then(|| match &*process.name {
            "" => format!("pid {id}"),
            name => format!("{name} (pid {id})"),
        })
    }

    /// True when a thread has this name.
    pub fn has_thread(&self, name: &str) -> bool {
        self.lanes.iter().any(|l| l.name == name)
    }
}

/// The kind of track of this key.
fn kind_of(key: &[u8]) -> Option<TrackKind> {
    use TrackKind as K;
    let all = [K::Thread, K::Task, K::GpuStream, K::Async, K::Phase, K::Profile];
    all.into_iter().find(|kind| kind.key().as_bytes() == key)
}

/// asyncio calls its tasks «Task-7» unless told otherwise; viztracer gives each a thread of its own.
fn is_task(name: &str) -> bool {
    name.strip_prefix("Task-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
