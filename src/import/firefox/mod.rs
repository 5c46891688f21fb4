//! Profiles of the Firefox profiler: what Firefox writes (Gecko format), what profiler.firefox.com and samply write
//! (processed format).
//!
//! Specification: `docs-developer/gecko-profile-format.md`, `processed-profile-format.md` and `CHANGELOG-formats.md` of
//! firefox-devtools/profiler. Read are Gecko versions from 3 on and all processed ones: stacks by `prefix` or
//! `prefixOffset`, tables per thread or shared, times or their differences.
//!
//! Kept: samples of every thread in time with their weight and CPU time, names, files, lines, libraries as modules;
//! markers with a length as spans on a track of their own, others as instants; counters. Lost: categories, data of
//! markers, allocations, screenshots, network, inlining depth. A sample lasts until the next one. Guessed: that each
//! sample stands for one interval of time (times its weight); names of addresses are not looked up.

mod build;
mod table;
#[cfg(test)]
mod tests;

use super::Gives::{Time, Tree};
use super::read::Oddities;
use super::read::json::{Json, top_keys};
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use table::{Table, strings};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "firefox",
    title: "Firefox profile",
    written_by: "Firefox profiler, samply, Python's sampling profiler (--gecko)",
    extensions: &["json", "json.gz"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let says = |sign| head.says(sign);
    let meta = has("meta")
        && (says("\"processType\"") || says("\"preprocessedProfileVersion\"") || says("\"stackwalk\""));
    // What the performance panel of the developer tools saved.
    let wrapped = has("label") && has("duration") && has("markers") && (has("profile") || !head.whole);
    let tables = (has("threads") || has("shared")) && says("\"stackTable\"") && says("\"frameTable\"");
    if meta || wrapped || tables { Confidence::Certain } else { Confidence::No }
}

/// Processes inside of processes that are read. Firefox has one level.
const MAX_DEPTH: u32 = 8;

/// Where a name or a table comes from.
#[derive(Default)]
struct Tables {
    strings: Vec<String>,
    stacks: Table,
    frames: Table,
    functions: Table,
    resources: Table,
    sources: Table,
}

#[derive(Default)]
struct Thread {
    name: String,
    process_name: String,
    pid: String,
    tid: String,
    tables: Tables,
    samples: Table,
    weight_type: String,
    markers: Table,
    /// Milliseconds from the start of the first process to that of this one.
    shift: f64,
}

#[derive(Default)]
struct Counter {
    name: String,
    pid: String,
    samples: Table,
}

#[derive(Default)]
struct Meta {
    start: f64,
    interval: f64,
    product: String,
    version: Option<i64>,
    cpu_unit: String,
    facts: Vec<(&'static str, String)>,
}

#[derive(Default)]
struct File {
    meta: Option<Meta>,
    libs: Vec<String>,
    shared: Tables,
    threads: Vec<Thread>,
    counters: Vec<Counter>,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut file = File::default();
    let mut json = Json::new(source, cx.job)?;
    match file.read(&mut json, 0) {
        Err(e) if e.kind == ErrorKind::Malformed && file.threads.iter().any(|t| !t.samples.is_empty()) => {
            file.odd.add("file is broken off; what came before is shown", || e.to_string());
        }
        other => other?,
    }
    cx.builder.warn_many("text with invalid characters (shown as �)", "", json.bad_text());
    if file.threads.is_empty() {
        return Err(ImportError::malformed("holds no threads"));
    }
    file.build(&mut cx.builder)
}

impl File {
    fn read(&mut self, json: &mut Json<'_>, depth: u32) -> Result<(), ImportError> {
        if depth > MAX_DEPTH {
            return Err(ImportError::at_byte(
                "holds processes inside of processes without end",
                json.offset(),
            ));
        }
        if !json.enter_object()? {
            return Ok(());
        }
        let (first, mut start) = (self.threads.len(), 0.0);
        while json.next_key()? {
            match json.key() {
                b"meta" => {
                    let meta = Meta::read(json)?;
                    start = meta.start;
                    self.meta.get_or_insert(meta);
                }
                b"libs" => self.read_libs(json)?,
                b"shared" => self.shared.read_all(json)?,
                b"threads" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            let thread = Thread::read(json)?;
                            self.threads.extend(thread);
                        }
                    }
                }
                b"counters" => self.read_counters(json)?,
                b"processes" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            self.read(json, depth + 1)?;
                        }
                    }
                }
                b"profile" => self.read(json, depth + 1)?,
                _ => json.skip()?,
            }
        }
        // Each process counts from its own start.
        let zero = self.meta.as_ref().map_or(0.0, |m| m.start);
        if start > 0.0 && zero > 0.0 {
            for thread in self.threads[first..].iter_mut().filter(|t| t.shift == 0.0) {
                thread.shift = start - zero;
            }
        }
        Ok(())
    }

    fn read_libs(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if json.enter_array()? {
            while json.next_item()? {
                let mut name = String::new();
                if json.enter_object()? {
                    while json.next_key()? {
                        match json.key() {
                            b"name" => json.string_into(&mut name)?,
                            _ => json.skip()?,
                        }
                    }
                }
                self.libs.push(name);
            }
        }
        Ok(())
    }

    fn read_counters(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_array()? {
            return Ok(());
        }
        while json.next_item()? {
            let mut counter = Counter::default();
            if json.enter_object()? {
                while json.next_key()? {
                    match json.key() {
                        b"name" => json.string_into(&mut counter.name)?,
                        b"pid" => counter.pid = json.text_or_number()?,
                        b"samples" => counter.samples.read(json)?,
                        _ => json.skip()?,
                    }
                }
            }
            self.counters.push(counter);
        }
        Ok(())
    }
}

impl Meta {
    fn read(json: &mut Json<'_>) -> Result<Self, ImportError> {
        let mut meta = Self { interval: 1.0, ..Self::default() };
        if !json.enter_object()? {
            return Ok(meta);
        }
        while json.next_key()? {
            match json.key() {
                b"startTime" => meta.start = json.real()?.unwrap_or(0.0),
                b"interval" => meta.interval = json.real()?.filter(|i| *i > 0.0).unwrap_or(1.0),
                b"product" => json.string_into(&mut meta.product)?,
                b"version" => meta.version = json.integer()?,
                b"oscpu" => meta.facts.push(("System", json.text_or_number()?)),
                b"CPUName" => meta.facts.push(("CPU", json.text_or_number()?)),
                b"sampleUnits" => {
                    if json.enter_object()? {
                        while json.next_key()? {
                            match json.key() {
                                b"threadCPUDelta" => json.string_into(&mut meta.cpu_unit)?,
                                _ => json.skip()?,
                            }
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        Ok(meta)
    }
}

impl Tables {
    /// Takes a field of a thread or of `shared`; false (and nothing is read) when it is none of the tables.
    fn field(&mut self, json: &mut Json<'_>) -> Result<bool, ImportError> {
        match json.key() {
            b"stringArray" | b"stringTable" => self.strings = strings(json)?,
            b"stackTable" => self.stacks.read(json)?,
            b"frameTable" => self.frames.read(json)?,
            b"funcTable" => self.functions.read(json)?,
            b"resourceTable" => self.resources.read(json)?,
            b"sources" => self.sources.read(json)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_all(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if json.enter_object()? {
            while json.next_key()? {
                if !self.field(json)? {
                    json.skip()?;
                }
            }
        }
        Ok(())
    }
}

impl Thread {
    fn read(json: &mut Json<'_>) -> Result<Option<Self>, ImportError> {
        // Old Gecko versions have the threads of other processes as texts here.
        if !json.enter_object()? {
            return Ok(None);
        }
        let mut thread = Self::default();
        while json.next_key()? {
            match json.key() {
                b"name" => json.string_into(&mut thread.name)?,
                b"processName" => json.string_into(&mut thread.process_name)?,
                b"pid" => thread.pid = json.text_or_number()?,
                b"tid" => thread.tid = json.text_or_number()?,
                b"samples" => thread.weight_type = thread.samples.read_with_type(json)?,
                b"markers" => thread.markers.read(json)?,
                _ => {
                    if !thread.tables.field(json)? {
                        json.skip()?;
                    }
                }
            }
        }
        Ok(Some(thread))
    }
}
