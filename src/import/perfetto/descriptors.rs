//! What tracks, processes and threads are called.

use rustc_hash::FxHashMap;

use super::super::read::protobuf::Message;
use crate::model::{TrackKind, Unit};

/// A track as its descriptor tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Descriptor {
    pub parent: u64,
    pub name: String,
    pub pid: Option<i64>,
    pub tid: Option<i64>,
    pub counter: Option<Counter>,
    pub rank: i64,
}

/// Of a track of numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    unit: u64,
    unit_name: String,
    factor: i64,
    /// Each value counts from the one before.
    pub counts_on: bool,
}

impl Counter {
    /// Our unit, and the factor to it.
    pub fn unit(&self) -> (Unit, f64) {
        let factor = self.factor.max(1) as f64;
        match (self.unit, self.unit_name.as_str()) {
            (1, _) | (_, "ns") => (Unit::Nanoseconds, factor),
            (2, _) => (Unit::Count, factor),
            (3, _) | (_, "bytes" | "B") => (Unit::Bytes, factor),
            _ => (Unit::None, factor),
        }
    }
}

/// All names of a trace.
#[derive(Default)]
pub(super) struct Descriptors {
    pub tracks: FxHashMap<u64, Descriptor>,
    pub processes: FxHashMap<i64, String>,
    pub threads: FxHashMap<i64, String>,
}

fn string(value: super::Value<'_>) -> String {
    String::from_utf8_lossy(value.bytes()).into_owned()
}

impl Descriptors {
    /// Reads the descriptor of a track; it may come again with more.
    pub fn track(&mut self, mut message: Message<'_>) -> u64 {
        let (mut id, mut new) = (0, Descriptor::default());
        while let Ok(Some((field, value))) = message.next() {
            match field {
                1 => id = value.number(),
                5 => new.parent = value.number(),
                2 | 10 | 13 => new.name = string(value),
                3 => new.pid = self.process(value.message()),
                4 => (new.pid, new.tid) = self.thread(value.message()),
                8 => new.counter = Some(counter(value.message())),
                12 => new.rank = value.signed(),
                _ => {}
            }
        }
        let known = self.tracks.entry(id).or_default();
        if !new.name.is_empty() {
            known.name = new.name;
        }
        if new.parent != 0 {
            known.parent = new.parent;
        }
        known.rank = new.rank;
        (known.pid, known.tid) = (new.pid.or(known.pid), new.tid.or(known.tid));
        known.counter = new.counter.or(known.counter.take());
        id
    }

    /// Reads a process; returns its number.
    pub fn process(&mut self, mut message: Message<'_>) -> Option<i64> {
        let (mut pid, mut name, mut command) = (None, String::new(), String::new());
        while let Ok(Some((field, value))) = message.next() {
            match field {
                1 => pid = Some(i64::from(value.number() as i32)),
                2 if command.is_empty() => command = string(value),
                6 => name = string(value),
                _ => {}
            }
        }
        let name = if name.is_empty() { command.rsplit('/').next().unwrap_or("").to_owned() } else { name };
        if let (Some(pid), false) = (pid, name.is_empty()) {
            self.processes.insert(pid, name);
        }
        pid
    }

    /// Reads a thread; returns the numbers of its process and its own.
    pub fn thread(&mut self, mut message: Message<'_>) -> (Option<i64>, Option<i64>) {
        let (mut pid, mut tid, mut name) = (None, None, String::new());
        while let Ok(Some((field, value))) = message.next() {
            match field {
                1 => pid = Some(i64::from(value.number() as i32)),
                2 => tid = Some(i64::from(value.number() as i32)),
                5 => name = string(value),
                _ => {}
            }
        }
        if let (Some(tid), false) = (tid, name.is_empty()) {
            self.threads.insert(tid, name);
        }
        (pid, tid)
    }

    /// Reads the list of processes and threads that the kernel gave.
    pub fn process_tree(&mut self, mut message: Message<'_>) {
        while let Ok(Some((field, value))) = message.next() {
            let (mut id, mut name, mut entry) = (None, String::new(), value.message());
            // A process has its command in field 3, a thread its name in field 2.
            let name_field = if field == 1 { 3 } else { 2 };
            while let Ok(Some((inner, value))) = entry.next() {
                if inner == 1 {
                    id = Some(i64::from(value.number() as i32));
                } else if inner == name_field && name.is_empty() {
                    name = string(value);
                }
            }
            let Some(id) = id.filter(|_| !name.is_empty()) else { continue };
            match field {
                1 => drop(self.processes.entry(id).or_insert(name)),
                2 => drop(self.threads.entry(id).or_insert(name)),
                _ => {}
            }
        }
    }

    fn process_name(&self, pid: Option<i64>) -> String {
        match pid.map(|pid| (pid, self.processes.get(&pid))) {
            Some((pid, Some(name))) => format!("{name} {pid}"),
            Some((pid, None)) => format!("process {pid}"),
            None => String::new(),
        }
    }

    fn thread_name(&self, tid: i64) -> String {
        self.threads.get(&tid).map_or_else(|| format!("thread {tid}"), |name| format!("{name} ({tid})"))
    }

    /// Name and process of a thread.
    pub fn of_thread(&self, tid: i64, pid: Option<i64>) -> (String, String) {
        (self.thread_name(tid), self.process_name(pid))
    }

    /// Name, process, kind and place of a track.
    pub fn of(&self, id: u64) -> (String, String, TrackKind, i64) {
        let none = Descriptor::default();
        let own = self.tracks.get(&id).unwrap_or(&none);
        // The process is that of the track or of one around it.
        let (mut pid, mut at) = (own.pid, own);
        for _ in 0..32 {
            if pid.is_some() || at.parent == 0 {
                break;
            }
            let Some(up) = self.tracks.get(&at.parent) else { break };
            (pid, at) = (up.pid, up);
        }
        let process = self.process_name(pid);
        let kind = if own.tid.is_some() { TrackKind::Thread } else { TrackKind::Async };
        let name = match (own.tid, own.name.as_str()) {
            (Some(tid), "") => self.thread_name(tid),
            (_, "") if own.pid.is_some() => "process".to_owned(),
            (_, "") => "events".to_owned(),
            (_, name) => name.to_owned(),
        };
        (name, process, kind, own.rank)
    }
}

fn counter(mut message: Message<'_>) -> Counter {
    let mut counter = Counter::default();
    while let Ok(Some((field, value))) = message.next() {
        match field {
            3 => counter.unit = value.number(),
            4 => counter.factor = value.signed(),
            5 => counter.counts_on = value.number() != 0,
            6 => counter.unit_name = string(value),
            _ => {}
        }
    }
    counter
}
