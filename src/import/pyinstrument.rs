//! pyinstrument: saved sessions (`.pyisession`), the JSON renderer (`-r json`), and the data of its HTML
//! page.
//!
//! Written by pyinstrument 3 to 5 (`session.py`, `frame_info.py`, `renderers/jsonrenderer.py`).
//!
//! A session holds every sample: they are placed in time by the running sum of their seconds. The other
//! two hold a tree of sums: each node becomes one untimed sample of its own time (its time less its
//! children's).
//!
//! Kept: class names, first and running lines, `[await]` and `[out-of-context]` leaves as functions with a category (a
//! `[self]` leaf is its caller's own time), the thread as the track, the text header as facts. Lost: grouping of library
//! frames, which is pyinstrument's display. Frames marked with `__tracebackhide__` are left out and their
//! time goes to their callers, as in pyinstrument. Guessed: modules, from the paths of files.
//!
//! A method that is called on several classes is one function, named after the class on which it spent
//! most time: pyinstrument identifies functions by name, file and line only.

mod session;
mod tree;

use super::Gives::{Time, Tree};
use super::python::module_of;
use super::read::Oddities;
use super::read::json::{Decimal, Json, top_keys};
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::format::utc;
use crate::model::{
    FactValue, FunctionId, FunctionSpec, ProfileBuilder, TrackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "pyinstrument",
    title: "pyinstrument",
    written_by: "pyinstrument (saved sessions and -r json)",
    extensions: &["pyisession", "json"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let says = |sign| head.says(sign);
    let session = has("frame_records") || (has("start_call_stack") && has("sample_count"));
    let rendered = has("root_frame") && (says("\"file_path_short\"") || has("sample_count"));
    let page = (has("session") || has("frame_tree")) && says("\"sample_count\"");
    if session || rendered || page { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut file = File::default();
    let mut json = Json::new(source, cx.job)?;
    if let Err(e) = file.read(&mut json, &mut cx.builder) {
        if e.kind != ErrorKind::Malformed || !file.is_readable() {
            return Err(e);
        }
        let place = e.place.map_or(String::new(), |p| p.to_string());
        cx.builder.warn("broken JSON; what came before is shown", &place);
    }
    cx.builder.warn_many("characters that are not valid (shown as �)", "", json.bad_text());
    file.emit(&mut cx.builder)
}

/// What the file says about the whole session.
#[derive(Default)]
struct About {
    start: Option<i64>,
    duration: Option<i64>,
    cpu: Option<i64>,
    samples: Option<Decimal>,
    title: String,
    thread: String,
}

#[derive(Default)]
struct File {
    about: About,
    records: session::Records,
    tree: tree::Tree,
    odd: Oddities,
}

impl File {
    fn is_readable(&self) -> bool {
        !self.records.is_empty() || !self.tree.is_empty()
    }

    fn read(&mut self, json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Err(ImportError::malformed("is not a pyinstrument file: no object at the top"));
        }
        while json.next_key()? {
            match json.key() {
                b"frame_records" => self.records.read(json, &mut self.odd)?,
                b"root_frame" | b"frame_tree" => self.tree.read(json, builder, &mut self.odd)?,
                b"session" => {
                    if json.enter_object()? {
                        while json.next_key()? {
                            match json.key() {
                                b"frame_records" => self.records.read(json, &mut self.odd)?,
                                _ => self.about.read(json)?,
                            }
                        }
                    }
                }
                _ => self.about.read(json)?,
            }
        }
        if !json.at_end()? {
            let place = json.offset();
            self.odd.add("text after the end of the session (ignored)", || format!("byte {place}"));
        }
        Ok(())
    }

    fn emit(mut self, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if !self.is_readable() {
            let why = self.odd.first().unwrap_or_else(|| "no time was recorded".into());
            return Err(ImportError::malformed(format!("holds no samples ({why})"))
                .remedy("record for longer than pyinstrument's interval of 1 ms"));
        }
        self.about.report(builder);
        if self.records.is_empty() {
            self.tree.emit(&self.about, builder, &mut self.odd);
        } else {
            self.records.emit(&self.about, builder, &mut self.odd);
        }
        self.odd.report(builder);
        Ok(())
    }
}

impl About {
    /// Reads the value of the key that was just read.
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        let nanos = |d: Option<Decimal>| d.and_then(|d| d.scaled(9));
        match json.key() {
            b"start_time" => self.start = nanos(json.number()?),
            b"duration" => self.duration = nanos(json.number()?).filter(|&d| d >= 0),
            b"cpu_time" => self.cpu = nanos(json.number()?).filter(|&c| c >= 0),
            b"sample_count" => self.samples = json.number()?,
            b"target_description" | b"program" => {
                if json.string()? && self.title.is_empty() {
                    json.text().clone_into(&mut self.title);
                }
            }
            b"start_call_stack" => {
                if json.enter_array()? {
                    while json.next_item()? {
                        if json.string()? && self.thread.is_empty() {
                            json.text().clone_into(&mut self.thread);
                        }
                    }
                }
            }
            _ => json.skip()?,
        }
        Ok(())
    }

    fn report(&self, builder: &mut ProfileBuilder) {
        let meta = &mut builder.meta;
        meta.tool = "pyinstrument".into();
        meta.title.clone_from(&self.title);
        meta.origin_unix_ns = self.start;
        meta.duration = self.duration;
        meta.samples = self.samples.and_then(|d| d.scaled(0)).and_then(|n| u64::try_from(n).ok());
        let ratio = self.cpu.zip(self.duration).filter(|&(_, wall)| wall > 0);
        let facts: [(&str, Option<FactValue>); 5] = [
            ("Recorded", self.start.map(|start| utc(start).into())),
            ("Samples", meta.samples.map(FactValue::from)),
            ("Duration", self.duration.map(|ns| (ns, Unit::Nanoseconds).into())),
            ("CPU time", self.cpu.map(|ns| (ns, Unit::Nanoseconds).into())),
            ("CPU/wall", ratio.map(|(cpu, wall)| share(cpu, wall).into())),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                meta.result(name, value);
            }
        }
    }
}

/// Parts of a frame's identifier: name, file, first line, and the attributes that follow.
struct Parts<'a> {
    name: &'a str,
    file: &'a str,
    line: u32,
    attributes: std::str::Split<'a, char>,
}

fn parts(text: &str) -> Parts<'_> {
    let mut attributes = text.split('\u{1}');
    let mut fields = attributes.next().unwrap_or("").split('\0');
    let mut field = || fields.next().unwrap_or("");
    let (name, file, line) = (field(), field(), field().parse().unwrap_or(0));
    Parts { name, file, line, attributes }
}

/// True for the frame that stands for the thread.
fn is_thread(file: &str) -> bool {
    file == "<thread>"
}

/// The track of the thread whose root frame is `root` (empty when unknown).
fn thread_track(root: &str, sort: i64, builder: &mut ProfileBuilder) -> TrackId {
    let root = parts(root);
    if is_thread(root.file) {
        builder.track(TrackSpec { name: root.name, process: "", kind: TrackKind::Thread, sort })
    } else {
        builder.track(TrackSpec { name: "Session", process: "", kind: TrackKind::Profile, sort })
    }
}

/// Interns a function under its class and module.
fn function(builder: &mut ProfileBuilder, class: &str, (name, file, line): (&str, &str, u32)) -> FunctionId {
    if file.is_empty() && name.starts_with(['[', '<']) {
        let category = if matches!(name, "[await]" | "<await>") { "await" } else { "synthetic" };
        return builder.function(FunctionSpec { name, category, ..FunctionSpec::default() });
    }
    let method;
    let name = if class.is_empty() {
        name
    } else {
        method = format!("{class}.{name}");
        &method
    };
    if file == "<built-in>" {
        return builder.function(FunctionSpec {
            name,
            module: file,
            category: "builtin",
            ..FunctionSpec::default()
        });
    }
    builder.function(FunctionSpec { name, module: &module_of(file), file, line, category: "" })
}

/// A share in words.
fn share(part: i64, whole: i64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests;
