//! The older texts: heaps, contention, threads, counts, Go's dump of goroutines.

use super::super::{Confidence, ImportError};
use super::legacy::{Mapped, Raw, Symbol};
use super::metric;
use crate::model::{Fact, FactKind, Metric};

/// What the first lines say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `heap profile: …`, with the sampling rate where the samples are to be scaled.
    Heap { scale: Option<i64>, allocated: bool },
    /// `--- contentionz`, `--- mutex`.
    Contention,
    /// `--- heapz`: Java.
    JavaHeap,
    /// `--- threadz`.
    Threads,
    /// `goroutine profile: total 3`.
    Count,
    /// Go's `debug=2`: each goroutine with its frames.
    Goroutines,
}

pub(super) fn sniff(head: &[u8]) -> Confidence {
    let text = String::from_utf8_lossy(&head[..head.len().min(4096)]);
    let first = text.lines().find(|l| !l.trim().is_empty() && !l.starts_with('#')).unwrap_or("");
    match kind(first) {
        Some(Kind::Goroutines) if !text.contains("\n\t") => Confidence::No,
        Some(_) => Confidence::Certain,
        None => Confidence::No,
    }
}

fn kind(line: &str) -> Option<Kind> {
    if let Some(rest) = line.strip_prefix("heap profile:") {
        let (counts, name) = rest.split_once('@')?;
        let numbers: Vec<_> = counts.split([':', '[', ']', ' ']).filter(|t| !t.is_empty()).collect();
        let &[n, b, all_n, all_b] = &numbers[..] else { return None };
        let (name, rate) = name.trim().split_once('/').unwrap_or((name.trim(), ""));
        let rate: Option<i64> = rate.parse().ok();
        let scale = match name {
            "heapz_v2" | "heap_v2" => rate,
            "heap" => rate.map(|r| r / 2),
            _ => None,
        };
        let allocated =
            name.starts_with("heap") && (n != all_n && all_n != "0" || b != all_b && all_b != "0");
        return Some(Kind::Heap { scale, allocated });
    }
    if line.starts_with("goroutine ") && line.ends_with("]:") {
        return Some(Kind::Goroutines);
    }
    if let Some((name, total)) = line.split_once(" profile: total ") {
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_/.".contains(&b));
        return (is_name && total.trim().parse::<u64>().is_ok()).then_some(Kind::Count);
    }
    let name = line.strip_prefix("--- ")?.strip_suffix("---")?.trim();
    match name.split(' ').next()? {
        "contentionz" | "contention" | "mutex:" | "mutex" => Some(Kind::Contention),
        "heapz" => Some(Kind::JavaHeap),
        "threadz" => Some(Kind::Threads),
        _ => None,
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

/// A line of the part after the samples: a mapped file, or the name of an address.
pub(super) fn tail_line(line: &str, raw: &mut Raw) {
    let line = line.trim();
    let Some((first, rest)) = line.split_once([' ', '\t']) else { return };
    let (range, rest) = match first.strip_suffix(':') {
        Some(range) => (range, rest),
        None => (first, rest),
    };
    if let Some((start, end)) = range.split_once('-').and_then(|(a, b)| Some((hex(a)?, hex(b)?))) {
        // `r-xp offset device inode file`, or only the file.
        let mut words = rest.split_whitespace();
        let rights = words.next().filter(|w| w.len() == 4 && w.ends_with(['p', 's']));
        let file = if rights.is_some() { words.nth(3).unwrap_or("") } else { rest.trim() };
        let is_program = rights.is_none_or(|r| r.contains('x')) && !file.is_empty() && !file.starts_with('[');
        if raw.title.is_empty() && is_program {
            raw.title = file.rsplit('/').next().unwrap_or("").into();
        }
        raw.maps.push(Mapped { start, end, file: file.into() });
    } else if let (true, Some(address)) = (first.starts_with("0x"), hex(first)) {
        raw.symbols.insert(address, symbol(rest.trim()));
    }
}

/// `com.example.function (source.java:03)` or a bare name.
fn symbol(text: &str) -> Symbol {
    let place = text.strip_suffix(')').and_then(|t| t.rsplit_once(" ("));
    match place.and_then(|(name, place)| Some((name, place.rsplit_once(':')?))) {
        Some((name, (file, line))) => {
            Symbol { name: name.into(), file: file.into(), line: line.parse().unwrap_or(0) }
        }
        None => Symbol { name: text.into(), ..Symbol::default() },
    }
}

fn metrics(names: &[(&str, &str)]) -> Vec<Metric> {
    names.iter().map(|(kind, unit)| metric(kind, unit).0).collect()
}

const OBJECTS: [(&str, &str); 2] = [("objects", "count"), ("space", "bytes")];
const ALL_OBJECTS: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

/// State of reading.
struct Reader {
    kind: Kind,
    /// In the part that names addresses or maps of memory.
    tail: bool,
    period: i64,
    per_second: i64,
    micros: bool,
}

pub(super) fn read(text: &str, raw: &mut Raw) -> Result<(), ImportError> {
    let mut lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let first = lines.find(|(_, l)| !l.starts_with('#')).and_then(|(_, l)| kind(l));
    let kind = first.ok_or_else(|| ImportError::malformed("is no profile of a kind that pprof reads"))?;
    raw.metrics = match kind {
        Kind::Heap { allocated: true, .. } => metrics(&ALL_OBJECTS),
        Kind::Heap { .. } | Kind::JavaHeap => metrics(&OBJECTS),
        Kind::Contention => metrics(&[("contentions", "count"), ("delay", "nanoseconds")]),
        Kind::Threads => metrics(&[("thread", "count")]),
        Kind::Count => metrics(&[("count", "count")]),
        Kind::Goroutines => metrics(&[("goroutine", "count")]),
    };
    match kind {
        Kind::Threads => threads(text, raw),
        Kind::Goroutines => goroutines(text, raw),
        _ => {
            let mut reader = Reader { kind, tail: false, period: 0, per_second: 0, micros: false };
            for (n, line) in lines {
                reader.line(n + 1, line, raw);
            }
        }
    }
    Ok(())
}

impl Reader {
    fn line(&mut self, number: usize, line: &str, raw: &mut Raw) {
        let line = line.trim_end();
        // Go names the addresses of the sample above.
        if let Some(named) = line.strip_prefix("#\t") {
            let mut parts = named.split('\t').filter(|p| !p.is_empty());
            if let (Some(address), Some(name)) = (parts.next().and_then(hex), parts.next()) {
                let name = name.rsplit_once("+0x").map_or(name, |n| n.0).into();
                let (file, line) = parts.next().and_then(|p| p.rsplit_once(':')).unwrap_or(("", ""));
                raw.symbols
                    .insert(address, Symbol { name, file: file.into(), line: line.parse().unwrap_or(0) });
            }
            return;
        }
        if line.contains("MAPPED_LIBRARIES") || line.starts_with("--- Memory map") {
            self.tail = true;
            return;
        }
        if let Some((key, value)) = line.split_once('=').filter(|(k, _)| !k.contains('@')) {
            self.setting(key.trim(), value.trim(), raw);
        } else if let (false, Some((values, stack))) = (self.tail, line.split_once('@')) {
            let start = raw.addresses.len();
            raw.addresses.extend(stack.split_whitespace().map_while(hex));
            match self.values(values) {
                Some(values) => raw.samples.push((values, start..raw.addresses.len())),
                None => {
                    raw.addresses.truncate(start);
                    raw.odd.add("sample whose numbers cannot be read (skipped)", || format!("line {number}"));
                }
            }
        } else {
            tail_line(line, raw);
        }
    }

    fn setting(&mut self, key: &str, value: &str, raw: &mut Raw) {
        match key {
            "cycles/second" => self.per_second = value.parse().unwrap_or(0),
            "sampling period" => self.period = value.parse().unwrap_or(0),
            "resolution" => self.micros = value == "microseconds",
            "ms since reset" => {
                raw.facts.push(Fact::new(FactKind::Result, "Time since reset", format!("{value} ms")))
            }
            "discarded samples" if value != "0" => {
                raw.facts.push(Fact::new(FactKind::Result, "Discarded samples", value));
            }
            _ => {}
        }
    }

    fn values(&self, text: &str) -> Option<Vec<i64>> {
        let numbers = text.split([' ', ':', '[', ']', '\t']).filter(|t| !t.is_empty());
        let numbers: Vec<i64> = numbers.map(|t| t.parse().ok()).collect::<Option<_>>()?;
        match (self.kind, &numbers[..]) {
            (Kind::Heap { scale, allocated }, &[n, b, all_n, all_b]) => {
                let scaled = |n, b| scale.map_or((n, b), |rate| scaled(n, b, rate));
                let (live, all) = (scaled(n, b), scaled(all_n, all_b));
                Some(if allocated { vec![all.0, all.1, live.0, live.1] } else { vec![live.0, live.1] })
            }
            (Kind::JavaHeap, &[bytes, count]) => Some(vec![count, bytes]),
            (Kind::Contention, &[delay, count]) => {
                let (mut delay, mut count) = (delay, count);
                if self.period > 0 {
                    (delay, count) = (delay.saturating_mul(self.period), count.saturating_mul(self.period));
                }
                if self.per_second > 0 {
                    delay = (delay as f64 / (self.per_second as f64 / 1e9)) as i64;
                } else if self.micros {
                    delay = delay.saturating_mul(1000);
                }
                Some(vec![count, delay])
            }
            (Kind::Count, &[n]) => Some(vec![n]),
            _ => None,
        }
    }
}

/// Count and bytes of all allocations that a sampled stack stands for, as pprof estimates them.
fn scaled(count: i64, bytes: i64, rate: i64) -> (i64, i64) {
    if count == 0 || bytes == 0 || rate <= 1 {
        return (count, bytes);
    }
    let scale = 1.0 / (1.0 - (-(bytes as f64 / count as f64) / rate as f64).exp());
    ((count as f64 * scale) as i64, (bytes as f64 * scale) as i64)
}

/// Each thread counts once, at its stack.
fn threads(text: &str, raw: &mut Raw) {
    let (mut start, mut open, mut tail) = (0, false, false);
    let mut last = 0..0;
    let mut end = |raw: &mut Raw, start: usize, open: bool| {
        if open && raw.addresses.len() > start {
            last = start..raw.addresses.len();
            raw.samples.push((vec![1], last.clone()));
        } else if open {
            raw.samples.push((vec![1], last.clone()));
        }
    };
    for line in text.lines().skip(1) {
        if line.starts_with("--- Thread ") {
            end(raw, start, open);
            (start, open) = (raw.addresses.len(), true);
        } else if line.starts_with("--- Memory map") {
            end(raw, start, std::mem::take(&mut open));
            tail = true;
        } else if tail {
            tail_line(line, raw);
        } else if let Some((address, name)) = line.trim().trim_start_matches("PC:").trim().split_once(": ") {
            let creator = line.contains("creator");
            if let (Some(address), false) = (hex(address), creator) {
                raw.addresses.push(address);
                raw.symbols.insert(address, Symbol { name: name.into(), ..Symbol::default() });
            }
        }
    }
    end(raw, start, open);
}

/// Each goroutine counts once. Places have no addresses that name them; each function and line gets a number.
fn goroutines(text: &str, raw: &mut Raw) {
    let mut known = rustc_hash::FxHashMap::default();
    let (mut start, mut name) = (0, "");
    for line in text.lines() {
        if line.starts_with("goroutine ") {
            start = raw.addresses.len();
            raw.samples.push((vec![1], start..start));
        } else if let Some(place) = line.strip_prefix('\t') {
            let place = place.rsplit_once(" +0x").map_or(place, |p| p.0);
            let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
            let next = known.len() as u64 + 1;
            let id = *known.entry((name, place)).or_insert(next);
            raw.addresses.push(id);
            let (name, line) = (name.into(), line.parse().unwrap_or(0));
            raw.symbols.insert(id, Symbol { name, file: file.into(), line });
            if let Some(sample) = raw.samples.last_mut() {
                sample.1 = start..raw.addresses.len();
            }
        } else {
            let call = line.strip_prefix("created by ").unwrap_or(line);
            let end = if line.ends_with(')') { call.rfind('(') } else { None };
            name = &call[..end.unwrap_or(call.len())];
        }
    }
}
