//! The tree of sums that the JSON renderer and the HTML page hold.
//!
//! Nodes are read with a stack of our own: a tree is as deep as the program's stack was, which is deeper
//! than general JSON readers allow.

use super::{About, function, is_thread, parts, thread_track};
use crate::import::ImportError;
use crate::import::read::Oddities;
use crate::import::read::json::{Decimal, Json};
use crate::model::{Basis, Metric, ProfileBuilder, StackId, StringId, Strings};

/// No node.
const ROOT: u32 = u32::MAX;

struct Node {
    parent: u32,
    name: StringId,
    class: StringId,
    file: StringId,
    line: u32,
    /// The running line on which most time was spent; 0 when unknown.
    running: u32,
    hidden: bool,
    time: Option<i64>,
}

/// A tree of frames; parents precede their children.
#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn open(&mut self, parent: u32) -> u32 {
        let empty = Strings::EMPTY;
        self.nodes.push(Node {
            parent,
            name: empty,
            class: empty,
            file: empty,
            line: 0,
            running: 0,
            hidden: false,
            time: None,
        });
        self.nodes.len() as u32 - 1
    }

    pub fn read(
        &mut self,
        json: &mut Json<'_>,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
    ) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        let mut current = self.open(ROOT);
        // True while the current node's object is being read, false while its list of children is.
        let mut in_object = true;
        loop {
            if !in_object {
                if !json.next_item()? {
                    in_object = true;
                } else if json.enter_object()? {
                    current = self.open(current);
                    in_object = true;
                } else {
                    let place = json.offset();
                    odd.add("child that is not a frame (skipped)", || format!("byte {place}"));
                }
            } else if !json.next_key()? {
                current = self.nodes[current as usize].parent;
                if current == ROOT {
                    return Ok(());
                }
                in_object = false;
            } else if json.key() == b"children" {
                in_object = !json.enter_array()?;
            } else {
                read_field(json, &mut self.nodes[current as usize], b)?;
            }
        }
    }

    pub fn emit(&self, about: &About, b: &mut ProfileBuilder, odd: &mut Oddities) {
        b.meta.basis = Basis::Aggregated;
        let time = b.metric(Metric::time());
        let mut of_children = vec![(0i64, 0i64); self.nodes.len()];
        for node in self.nodes.iter().filter(|n| n.parent != ROOT) {
            let (sum, count) = &mut of_children[node.parent as usize];
            *sum = sum.saturating_add(node.time.unwrap_or(0));
            *count += 1;
        }
        let root = &self.nodes[0];
        let thread = if is_thread(b.text(root.file)) {
            format!("{}\0<thread>\0", b.text(root.name))
        } else {
            about.thread.clone()
        };
        let track = thread_track(&thread, 0, b);
        let mut stacks: Vec<Option<StackId>> = Vec::with_capacity(self.nodes.len());
        for (node, &(sum, count)) in self.nodes.iter().zip(&of_children) {
            let caller = stacks.get(node.parent as usize).copied().flatten();
            let [name, file, class] = [node.name, node.file, node.class].map(|id| b.text(id).to_owned());
            // The caller's own time, which stands beside its callees here.
            let own_time = name == "[self]" && file.is_empty() && caller.is_some();
            stacks.push(if node.hidden || own_time || (is_thread(&file) && node.parent == ROOT) {
                caller
            } else {
                let id = function(b, &class, (&name, &file, node.line));
                let frame = b.frame(id, node.running);
                Some(b.stack(caller, frame))
            });
            let Some(total) = node.time else {
                odd.add("frame without a usable time (its children count)", || name.clone());
                continue;
            };
            let own = total.saturating_sub(sum);
            // Times are rounded to a microsecond each; a difference of that size is no time of its own.
            let noise = 500 * (count + 1);
            if own < -noise {
                odd.add("frame shorter than its children together", || name);
            }
            if own > if count > 0 { noise } else { 0 } {
                b.sample(track, stacks.last().copied().flatten(), &[(time, own)]);
            }
        }
    }
}

/// Reads the value of the key that was just read.
fn read_field(json: &mut Json<'_>, node: &mut Node, b: &mut ProfileBuilder) -> Result<(), ImportError> {
    match json.key() {
        b"function" => {
            if json.string()? {
                node.name = b.string(json.text());
            }
        }
        b"file_path" => {
            if json.string()? {
                node.file = b.string(json.text());
            }
        }
        b"class_name" => {
            if json.string()? {
                node.class = b.string(json.text());
            }
        }
        b"identifier" => {
            if json.string()? {
                let parts = parts(json.text());
                (node.name, node.file, node.line) = (b.string(parts.name), b.string(parts.file), parts.line);
            }
        }
        b"line_no" => node.line = json.index()?.unwrap_or(0),
        b"time" => node.time = json.number()?.and_then(|d| d.scaled(9)).filter(|&t| t >= 0),
        b"attributes" => read_attributes(json, node, b)?,
        _ => json.skip()?,
    }
    Ok(())
}

/// Reads `{"l12": seconds, "cName": seconds, "h1": seconds}`; the longest of each kind counts.
fn read_attributes(json: &mut Json<'_>, node: &mut Node, b: &mut ProfileBuilder) -> Result<(), ImportError> {
    if !json.enter_object()? {
        return Ok(());
    }
    let (mut line, mut class) = (i64::MIN, i64::MIN);
    while json.next_key()? {
        let key = String::from_utf8_lossy(json.key()).into_owned();
        let spent = json.number()?.and_then(|d: Decimal| d.scaled(9)).unwrap_or(0);
        match key.split_at_checked(1) {
            Some(("l", text)) if spent > line => (line, node.running) = (spent, text.parse().unwrap_or(0)),
            Some(("c", text)) if spent > class => (class, node.class) = (spent, b.string(text)),
            Some(("h", "1")) => node.hidden = true,
            _ => {}
        }
    }
    Ok(())
}
