//! Processes and threads of a trace and the tracks that show them.
//!
//! Names may come at any time, also after the last event, and may be changed: tracks get their labels and
//! their order when a picture is due (`labels.rs`).

use rustc_hash::{FxHashMap, FxHashSet};

use super::number::{self, grain};
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
pub(super) struct Process {
    pub id: Id,
    pub name: String,
    /// The device that its labels name («GPU 0»).
    pub device: String,
    pub sort: i64,
}

/// Whose work a lane holds. In containers the numbers of processes are as small as those of devices, and threads and
/// streams of the same numbers are no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Of threads.
    Cpu,
    /// Of a stream.
    Gpu,
}

/// A thread, a stream, or a group of async operations.
#[derive(Debug)]
pub(super) struct Lane {
    pub process: u32,
    pub id: Id,
    pub name: String,
    /// A name that only a stream has.
    pub stream: String,
    pub sort: i64,
    pub kind: TrackKind,
    /// Its name came after its first event.
    named_late: bool,
    pub track: Option<TrackId>,
    /// Its stack of open begin events, once it has one.
    pub stack: Option<u32>,
    /// What it holds; set with its first span.
    pub side: Option<Side>,
    /// The lane of the other side with the same numbers.
    pub twin: Option<u32>,
    /// How fine the times of its complete events are, see [`super::number::grain`].
    pub grain: u8,
    /// Spans that sum up those of other lanes.
    pub totals: u64,
}

/// All processes, threads and async groups, in the order in which the file mentions them.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub ids: Ids,
    pub(super) processes: Vec<Process>,
    process_of: FxHashMap<Id, u32>,
    pub(super) lanes: Vec<Lane>,
    thread_of: FxHashMap<(Id, Id), u32>,
    async_of: FxHashMap<(u32, crate::model::StringId), u32>,
    annotations_of: FxHashMap<u32, u32>,
    last: Option<(Id, Id, u32)>,
    pub(super) relabel: bool,
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
        self.lanes.push(Lane {
            process,
            id,
            name: String::new(),
            stream: String::new(),
            sort: 0,
            kind,
            named_late: false,
            track: None,
            stack: None,
            side: None,
            twin: None,
            grain: 0,
            totals: 0,
        });
        (self.lanes.len() - 1) as u32
    }

    /// The lane of a thread, or of a stream, with the numbers of `lane`: itself unless it holds what is of the
    /// other side.
    #[inline]
    pub fn side(&mut self, lane: u32, side: Side) -> u32 {
        let own = &mut self.lanes[lane as usize].side;
        if *own.get_or_insert(side) == side { lane } else { self.other_side(lane, side) }
    }

    #[cold]
    fn other_side(&mut self, lane: u32, side: Side) -> u32 {
        let first = &self.lanes[lane as usize];
        if let Some(twin) = first.twin {
            return twin;
        }
        let (process, id, sort) = (first.process, first.id, first.sort);
        let kind = if side == Side::Gpu { TrackKind::GpuStream } else { TrackKind::Thread };
        let twin = self.add_lane(process, id, kind);
        let added = &mut self.lanes[twin as usize];
        (added.side, added.twin, added.sort) = (Some(side), Some(lane), sort);
        self.lanes[lane as usize].twin = Some(twin);
        twin
    }

    /// Tracks of threads whose numbers a stream has, too, with that of the stream.
    pub fn twins(&self) -> FxHashMap<TrackId, TrackId> {
        let pair = |lane: &Lane| {
            let twin = &self.lanes[lane.twin? as usize];
            let (cpu, gpu) = if lane.side == Some(Side::Gpu) { (twin, lane) } else { (lane, twin) };
            Some((cpu.track?, gpu.track?))
        };
        self.lanes.iter().filter_map(pair).collect()
    }

    /// The process of each track, and what rank it belongs to: the text before the number in ids such as
    /// «[TP00-DP01] 1000», which programs write that merge the traces of several ranks.
    pub fn owners(&self) -> Owners {
        let mut ranks: FxHashMap<&str, u32> = FxHashMap::default();
        let rank_of: Vec<u32> = self
            .processes
            .iter()
            .map(|process| {
                let Id::Text(text) = process.id else { return 0 };
                let next = ranks.len() as u32 + 1;
                rank_text(self.ids.texts.get(crate::model::StringId(text)))
                    .map_or(0, |rank| *ranks.entry(rank).or_insert(next))
            })
            .collect();
        let mut owners = Owners { of: Vec::new(), ranked: rank_of.iter().any(|&r| r != 0) };
        for lane in &self.lanes {
            let Some(track) = lane.track else { continue };
            if owners.of.len() <= track.index() {
                owners.of.resize(track.index() + 1, (0, 0));
            }
            owners.of[track.index()] = (lane.process, rank_of[lane.process as usize]);
        }
        owners
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
                    let name = names::text(value, odd).trim().to_owned();
                    let of = if name.starts_with("stream ") { &mut lane.stream } else { &mut lane.name };
                    *of = name;
                }
            }
        } else {
            let process = self.process(pid) as usize;
            let process = &mut self.processes[process];
            match (name, sort) {
                (b"process_sort_index", Some(sort)) => process.sort = sort,
                (b"process_labels", _) => {
                    let label = names::text(value, odd).trim().to_owned();
                    if is_device(&label) {
                        process.device = label;
                    }
                }
                _ => process.name = names::text(value, odd).trim().to_owned(),
            }
        }
    }

    /// Says which lanes of async operations are summed up beside: clang lists them for each kind, and what they cover
    /// is work of threads already.
    pub fn sum_up(&mut self, b: &ProfileBuilder) {
        let is_sum = |l: &&Lane| l.totals > 0 && l.track.is_some_and(|t| b.span_count(t) as u64 == l.totals);
        let sums = self.lanes.iter().filter(is_sum).filter_map(|l| l.track);
        let names = sums.flat_map(|track| b.spans(track)).map(|s| b.function_name(s.function));
        let summed: FxHashSet<&str> = names.filter_map(|name| name.strip_prefix("Total ")).collect();
        for lane in self.lanes.iter_mut().filter(|l| l.kind == TrackKind::Async) {
            if summed.contains(lane.name.as_str()) {
                (lane.kind, self.relabel) = (TrackKind::Summary, true);
            }
        }
    }

    /// Says how far the ends of spans may be off, as far as their digits show it.
    pub fn resolution(&self, b: &mut ProfileBuilder) {
        for lane in self.lanes.iter().filter(|l| l.kind != TrackKind::Async) {
            let Some(track) = lane.track else { continue };
            b.set_resolution(track, if lane.grain == grain::QUARTER { 250 } else { 1 });
        }
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

/// Process and rank of each track.
#[derive(Debug, Default)]
pub(super) struct Owners {
    of: Vec<(u32, u32)>,
    /// True when ids of processes name ranks.
    pub ranked: bool,
}

impl Owners {
    /// Process and rank.
    pub fn of(&self, track: TrackId) -> (u32, u32) {
        self.of.get(track.index()).copied().unwrap_or_default()
    }
}

/// What names the rank in the id of a process.
fn rank_text(id: &str) -> Option<&str> {
    if let Some((rank, _)) = id.split_once(']').filter(|_| id.starts_with('[')) {
        return Some(rank);
    }
    let rank = id.trim_end_matches(|c: char| c.is_ascii_digit());
    (rank.len() < id.len() && !rank.trim().is_empty()).then_some(rank)
}

/// True for «GPU 0» and its like, by which the PyTorch profiler labels devices.
fn is_device(label: &str) -> bool {
    let kinds = ["GPU", "XPU", "HPU", "NPU", "TPU", "MPS", "MTIA", "PrivateUse1"];
    kinds.iter().any(|kind| label.strip_prefix(kind).is_some_and(|n| n.is_empty() || n.starts_with(' ')))
}

/// The kind of track of this key.
fn kind_of(key: &[u8]) -> Option<TrackKind> {
    use TrackKind as K;
    let all = [K::Thread, K::Task, K::GpuStream, K::Async, K::Phase, K::Profile, K::Summary, K::Untimed];
    all.into_iter().find(|kind| kind.key().as_bytes() == key)
}
