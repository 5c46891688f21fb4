//! Samples inside a trace: `samples` and sample events with `stackFrames` (Hermes, Catapult), and the CPU
//! profiles of V8 in pieces (`Profile`, `ProfileChunk`) or in one (`CpuProfile`).
//!
//! Stacks may stand behind the samples that name them, so all is collected and put together at the end. A
//! sample lasts until the next one of its thread.

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::names;
use super::number;
use super::oddities::{Odd, Oddities};
use super::scan::{Members, Raw};
use super::tracks::{Id, Ids, Tracks};
use crate::model::{FrameId, FunctionSpec, Metric, MetricId, ProfileBuilder, StackId, TrackId};

/// A frame of a tree of stacks.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// `None` for V8's artificial root, which is on no stack.
    frame: Option<FrameId>,
    parent: Option<Id>,
}

/// A tree of stacks and the samples that point into it.
#[derive(Debug, Default)]
struct Tree {
    nodes: FxHashMap<Id, Node>,
    stacks: FxHashMap<Id, Known>,
}

/// What is known about the stack of a node.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// Its parents are being looked up.
    Walking,
    Is(Option<StackId>),
}

impl Tree {
    /// The stack that ends in node `id`; `Err` when there is no such node. No recursion: the chain of parents
    /// may be as long as the file.
    fn stack(&mut self, b: &mut ProfileBuilder, odd: &mut Oddities, id: Id) -> Result<Option<StackId>, ()> {
        let mut path = Vec::new();
        let mut at = id;
        let mut stack = loop {
            match self.stacks.get(&at) {
                Some(&Known::Is(known)) => break known,
                Some(Known::Walking) => {
                    odd.count(Odd::StackCycle);
                    break None;
                }
                None => {}
            }
            let Some(node) = self.nodes.get(&at) else {
                if path.is_empty() {
                    return Err(());
                }
                break None;
            };
            self.stacks.insert(at, Known::Walking);
            path.push((at, node.frame));
            match node.parent {
                Some(parent) => at = parent,
                None => break None,
            }
        };
        for (id, frame) in path.into_iter().rev() {
            if let Some(frame) = frame {
                stack = Some(b.stack(stack, frame));
            }
            self.stacks.insert(id, Known::Is(stack));
        }
        Ok(stack)
    }
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    time: i64,
    node: Id,
}

/// One V8 profile.
#[derive(Debug)]
struct V8 {
    lane: u32,
    tree: Tree,
    /// Time of the latest sample so far.
    clock: i64,
    samples: Vec<Sample>,
    end: i64,
}

/// All samples of a trace.
#[derive(Debug, Default)]
pub(super) struct Samples {
    frames: Tree,
    on: FxHashMap<u32, Vec<Sample>>,
    profiles: FxHashMap<(u32, Id), V8>,
    order: Vec<(u32, Id)>,
}

impl Samples {
    /// A member of `stackFrames`.
    pub fn frame(
        &mut self,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
        ids: &mut Ids,
        key: Raw<'_>,
        value: Raw<'_>,
    ) {
        let (mut name, mut category, mut parent) = (Raw::default(), Raw::default(), Raw::default());
        for (field, value) in Members::of(value) {
            match field.bytes {
                b"name" => name = value,
                b"category" => category = value,
                b"parent" => parent = value,
                _ => {}
            }
        }
        let (name, category) = (names::text(name, odd), names::text(category, odd));
        let function = b.function(FunctionSpec { category: &category, ..FunctionSpec::named(&name) });
        let frame = Some(b.frame(function, 0));
        let parent = (!parent.is_none()).then(|| ids.of(parent));
        self.frames.nodes.insert(ids.of(key), Node { frame, parent });
    }

    /// A sample of a thread, with the id of its frame.
    pub fn sample(&mut self, lane: u32, time: i64, frame: Id) {
        self.on.entry(lane).or_default().push(Sample { time, node: frame });
    }

    /// A `Profile`, `ProfileChunk` (pieces that share an id) or `CpuProfile` event (whole, no id).
    pub fn v8(
        &mut self,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
        (process, lane, id): (u32, u32, Option<Id>),
        time: Option<i64>,
        args: Raw<'_>,
    ) {
        let Ok(args) = serde_json::from_slice::<Value>(args.bytes) else {
            odd.count(Odd::BadProfile);
            return;
        };
        let data = &args["data"];
        let tree = &data["cpuProfile"];
        let start = us(&data["startTime"]).or_else(|| us(&tree["startTime"])).filter(|&t| t > 0);
        let key = (process, id.unwrap_or(Id::Text(u32::MAX - self.order.len() as u32)));
        let profile = self.profiles.entry(key).or_insert_with(|| {
            self.order.push(key);
            let clock = start.or(time).unwrap_or(0);
            V8 { lane, tree: Tree::default(), clock, samples: Vec::new(), end: i64::MIN }
        });
        for node in tree["nodes"].as_array().into_iter().flatten() {
            profile.node(b, node);
        }
        let deltas = data["timeDeltas"].as_array().or_else(|| tree["timeDeltas"].as_array());
        let samples = tree["samples"].as_array();
        for (sample, delta) in samples.into_iter().flatten().zip(deltas.into_iter().flatten()) {
            let (Some(node), Some(delta)) = (sample.as_i64(), us(delta)) else {
                odd.count(Odd::BadSample);
                continue;
            };
            profile.clock = profile.clock.saturating_add(delta);
            profile.samples.push(Sample { time: profile.clock, node: Id::Number(node) });
        }
        for end in [us(&data["endTime"]), us(&tree["endTime"])].into_iter().flatten() {
            profile.end = profile.end.max(end);
        }
    }

    /// Puts stacks and samples together. True when there were samples.
    pub fn finish(mut self, b: &mut ProfileBuilder, odd: &mut Oddities, tracks: &mut Tracks) -> bool {
        let mut any = false;
        let mut lanes: Vec<_> = std::mem::take(&mut self.on).into_iter().collect();
        lanes.sort_unstable_by_key(|(lane, _)| *lane);
        for (lane, samples) in lanes {
            any = true;
            let track = tracks.track(b, lane);
            add(b, odd, track, &mut self.frames, samples, i64::MIN);
        }
        let mut profiles: Vec<_> = self.order.iter().filter_map(|key| self.profiles.remove(key)).collect();
        profiles.retain(|p| !p.samples.is_empty());
        profiles.sort_by_key(|p| (p.lane, p.samples[0].time));
        let lanes: Vec<u32> = profiles.iter().map(|p| p.lane).collect();
        for (i, mut profile) in profiles.into_iter().enumerate() {
            any = true;
            let track = tracks.track(b, profile.lane);
            add(b, odd, track, &mut profile.tree, profile.samples, profile.end);
            // Ends the last sample where another profile of the same thread follows.
            if profile.end > i64::MIN && lanes.get(i + 1) == Some(&profile.lane) {
                b.timed_sample(track, (profile.end, profile.end), None, &[]);
            }
        }
        any
    }
}

impl V8 {
    fn node(&mut self, b: &mut ProfileBuilder, node: &Value) {
        let Some(id) = node["id"].as_i64().map(Id::Number) else { return };
        let call = &node["callFrame"];
        let text = |key: &str| call[key].as_str().unwrap_or("");
        // Lines and columns count from 0; -1 stands for none.
        let line = call["lineNumber"].as_i64().and_then(|n| u32::try_from(n + 1).ok()).unwrap_or(0);
        let frame = match text("functionName") {
            "(root)" => None,
            name => {
                let name = if name.is_empty() { "(anonymous)" } else { name };
                // Only inferscope writes category and module.
                let (category, module) = (text("category"), text("module"));
                let function = b.function(FunctionSpec { name, module, file: text("url"), line, category });
                Some(b.frame(function, 0))
            }
        };
        let known = self.tree.nodes.get(&id).and_then(|n| n.parent);
        let parent = node["parent"].as_i64().map(Id::Number).or(known);
        self.tree.nodes.insert(id, Node { frame, parent });
        for child in node["children"].as_array().into_iter().flatten().filter_map(Value::as_i64) {
            let child =
                self.tree.nodes.entry(Id::Number(child)).or_insert(Node { frame: None, parent: None });
            child.parent = Some(id);
        }
    }
}

/// Nanoseconds from microseconds in JSON.
fn us(value: &Value) -> Option<i64> {
    let number = value.as_number()?.to_string();
    number::nanoseconds(Raw { bytes: number.as_bytes(), kind: super::scan::Kind::Literal })
}

fn add(
    b: &mut ProfileBuilder,
    odd: &mut Oddities,
    track: TrackId,
    tree: &mut Tree,
    mut samples: Vec<Sample>,
    end: i64,
) {
    let time: MetricId = b.metric(Metric::time());
    samples.sort_by_key(|s| s.time);
    for (i, sample) in samples.iter().enumerate() {
        let until = samples.get(i + 1).map_or(end.max(sample.time), |next| next.time);
        let stack = tree.stack(b, odd, sample.node).unwrap_or_else(|()| {
            odd.count(Odd::BadSample);
            None
        });
        b.timed_sample(track, (sample.time, until), stack, &[(time, until - sample.time)]);
    }
}
