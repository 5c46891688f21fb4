//! nvidia-smi's logs: `--query-gpu=… --format=csv -lms …` and `dmon`.
//!
//! Reference: `nvidia-smi --help-query-gpu` and `nvidia-smi dmon -h`. Kept: every column of numbers as a counter per GPU,
//! with its unit. Lost: columns of text. Guessed: lines of `dmon` have no time: they are a second apart, as is its
//! usual interval, unless it was asked for times (`-o T`). Times of nvidia-smi have no zone; they are taken as UTC.

use super::super::Gives::Counters;
use super::super::read::lines::{Line, for_each_text_line};
use super::super::read::time::unix_time;
use super::super::read::{Oddities, csv};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::format;
use crate::model::{Basis, CounterId, ProfileBuilder, Unit};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "nvidia-smi",
    title: "nvidia-smi log",
    written_by: "nvidia-smi --query-gpu … --format=csv, nvidia-smi dmon",
    extensions: &["csv", "txt", "log"],
    gives: &[Counters],
    sniff,
    import,
    details: no_details,
};

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&b| b == b'\n').next().unwrap_or_default()).trim().to_lowercase()
}

/// Fields that name a GPU or a moment, and columns that only nvidia-smi has.
const SIGNS: [&str; 10] = [
    "power.draw",
    "utilization.gpu",
    "utilization.memory",
    "memory.used",
    "memory.free",
    "temperature.gpu",
    "clocks.sm",
    "clocks.mem",
    "clocks.current.sm",
    "pstate",
];

fn delimiter(head: &str) -> char {
    if head.contains(',') || !head.contains(';') { ',' } else { ';' }
}

fn sniff(head: &Head<'_>) -> Confidence {
    let first = first_line(head.bytes);
    let columns = csv::fields(&first, delimiter(&first));
    let known = columns.iter().filter(|c| SIGNS.iter().any(|s| c.trim().starts_with(s))).count();
    if known > 0 && columns.len() > 1 || is_dmon(&first) { Confidence::Certain } else { Confidence::No }
}

fn is_dmon(first: &str) -> bool {
    // Some versions leave no space behind the sign.
    let Some(names) = first.strip_prefix('#') else { return false };
    let words: Vec<_> = names.split_whitespace().collect();
    matches!(words[..], ["gpu" | "date" | "time", ..])
        && words.iter().any(|w| matches!(*w, "pwr" | "sm" | "gtemp"))
}

struct Column {
    name: String,
    unit: Unit,
    /// From the written unit to ours.
    factor: f64,
}

/// What slows a GPU down, by its name behind `clocks_throttle_reasons.` or `clocks_event_reasons.`, its bit in `active` (nvml.h,
/// `nvmlClocksEventReasons`), and in words. To be idle and to run at chosen clocks are no such reasons.
const REASONS: [(&str, u64, &str); 6] = [
    ("sw_power_cap", 0x4, "power limit"),
    ("hw_power_brake_slowdown", 0x80, "power brake"),
    ("sw_thermal_slowdown", 0x20, "temperature"),
    ("hw_thermal_slowdown", 0x40, "temperature (hardware)"),
    ("hw_slowdown", 0x8, "hardware slowdown"),
    ("sync_boost", 0x10, "sync boost group"),
];

/// For how long each of [`REASONS`] held, ns: a row stands for half of the time to the rows beside it.
#[derive(Default)]
struct Slowed {
    gpu: String,
    whole: i64,
    times: [i64; 6],
    /// The last row: its time and its reasons.
    last: Option<(i64, u64)>,
}

impl Slowed {
    fn row(&mut self, time: i64, bits: u64) {
        if let Some((since, held)) = self.last.replace((time, bits)) {
            let length = time.saturating_sub(since).max(0);
            self.whole = self.whole.saturating_add(length);
            for (sum, (_, bit, _)) in self.times.iter_mut().zip(REASONS) {
                let half = |bits: u64| if bits & bit != 0 { length / 2 } else { 0 };
                *sum = sum.saturating_add(half(held)).saturating_add(half(bits));
            }
        }
    }

    fn words(&self) -> String {
        // A single row is all that is known.
        let once = self.last.map_or(0, |(_, bits)| bits);
        let share = |n: i64, bit: u64| match self.whole {
            0 => f64::from(u8::from(once & bit != 0)),
            whole => n as f64 / whole as f64,
        };
        let held = self.times.iter().zip(REASONS).map(|(n, (_, bit, why))| (share(*n, bit), why));
        let words: Vec<String> = held
            .filter(|(share, _)| *share > 0.0)
            .map(|(share, why)| format!("{why} {} of the time", format::percent(share)))
            .collect();
        if words.is_empty() { "by nothing".to_owned() } else { words.join(", ") }
    }
}

/// A unit may stand behind the number; `[N/A]` and `-` are unknown. Masks of bits are hexadecimal, switches are words.
fn number(field: &str) -> Option<f64> {
    match field.trim() {
        "Active" => return Some(1.0),
        "Not Active" => return Some(0.0),
        _ => {}
    }
    let first = field.split_whitespace().next()?;
    if let Some(bits) = first.strip_prefix("0x") {
        return u64::from_str_radix(bits, 16).ok().map(|bits| bits as f64);
    }
    first.trim_end_matches('%').parse().ok()
}

#[derive(Default)]
struct Reader {
    columns: Vec<Column>,
    delimiter: char,
    /// Columns of the time, the date and the GPU.
    time: Option<usize>,
    date: Option<usize>,
    gpu: Option<usize>,
    counters: Vec<(String, usize, CounterId)>,
    slow: Vec<Slowed>,
    /// In a file that names no GPUs: the time of the last row, and how many rows had it.
    of_moment: (i64, usize),
    rows: i64,
    first_gpu: Option<String>,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let dmon = is_dmon(&first_line(source.head()));
    let mut reader = Reader::default();
    for_each_text_line(source, cx, |cx, line| {
        if dmon {
            reader.dmon(line, &mut cx.builder)
        } else {
            reader.row(line, &mut cx.builder)
        }
        Ok(())
    })?;
    if cx.builder.is_empty() {
        return Err(ImportError::malformed("holds no measurements"));
    }
    (cx.builder.meta.basis, cx.builder.meta.tool) = (Basis::Timed, "nvidia-smi".into());
    cx.builder.rebase = true;
    for slow in &reader.slow {
        let name = if slow.gpu.is_empty() { "GPU".to_owned() } else { format!("GPU {}", slow.gpu) };
        cx.builder.meta.result(format!("{name} slowed down"), slow.words());
    }
    reader.odd.report(&mut cx.builder);
    Ok(())
}

/// `power.draw [W]`: what it is called, and its unit.
fn column(text: &str) -> Column {
    let (name, unit) = text.split_once(" [").map_or((text, ""), |(n, u)| (n, u.trim_end_matches(']')));
    let (unit_kind, factor, shown) = unit_of(unit);
    let name = if shown.is_empty() { name.trim().to_owned() } else { format!("{} ({shown})", name.trim()) };
    Column { name, unit: unit_kind, factor }
}

/// Our unit, the factor to it, and what the name has to say where we have none.
fn unit_of(unit: &str) -> (Unit, f64, &str) {
    match unit.trim() {
        "MiB" | "MB" => (Unit::Bytes, f64::from(1 << 20), ""),
        "%" => (Unit::MilliPercent, 1000.0, ""),
        other => (Unit::None, 1.0, other),
    }
}

impl Reader {
    fn row(&mut self, line: Line<'_>, b: &mut ProfileBuilder) {
        if line.text.trim().is_empty() {
            return;
        }
        if self.columns.is_empty() {
            self.delimiter = delimiter(line.text);
            let names: Vec<String> =
                csv::fields(line.text, self.delimiter).iter().map(|c| c.trim().to_owned()).collect();
            let find = |wanted: &[&str]| names.iter().position(|n| wanted.contains(&n.as_str()));
            self.time = find(&["timestamp"]);
            self.gpu =
                find(&["index"]).or(find(&["uuid", "gpu_uuid"])).or(find(&["pci.bus_id", "gpu_bus_id"]));
            self.columns = names.iter().map(|n| column(n)).collect();
            return;
        }
        let fields = csv::fields(line.text, self.delimiter);
        let time = self.time.and_then(|t| unix_time(fields.get(t)?));
        if self.time.is_some() && time.is_none() {
            self.odd.add("row without a usable time (skipped)", || line.place());
            return;
        }
        let gpu = match self.gpu.and_then(|g| fields.get(g)) {
            Some(gpu) => gpu.trim().to_owned(),
            None => self.unnamed(time, line),
        };
        let time = time.unwrap_or_else(|| self.second(&gpu));
        self.slowed(&gpu, time, &fields);
        for (n, field) in fields.iter().enumerate().take(self.columns.len()) {
            if Some(n) != self.time && Some(n) != self.gpu {
                let field = if self.delimiter == ';' { field.replace(',', ".") } else { field.to_string() };
                self.point(n, &gpu, time, &field, b);
            }
        }
    }

    /// The GPU of a row in a file that names none: the rows of one moment are those of the GPUs in order.
    fn unnamed(&mut self, time: Option<i64>, line: Line<'_>) -> String {
        let Some(time) = time else { return String::new() };
        self.of_moment = match self.of_moment {
            (at, n) if at == time => (at, n + 1),
            _ => (time, 1),
        };
        if self.of_moment.1 == 1 {
            return String::new();
        }
        self.odd.add("rows of one time without an index are taken for GPUs in this order", || line.place());
        self.of_moment.1.to_string()
    }

    /// Notes why a GPU ran slower than it could.
    fn slowed<T: AsRef<str>>(&mut self, gpu: &str, time: i64, fields: &[T]) {
        let mut all: Option<u64> = None;
        for (column, field) in self.columns.iter().zip(fields) {
            let Some((_, reason)) = column.name.split_once("_reasons.") else { continue };
            let Some(value) = number(field.as_ref()) else { continue };
            let bits = match REASONS.iter().find(|(name, ..)| *name == reason) {
                Some((_, bit, _)) if value > 0.0 => *bit,
                None if reason == "active" => value as u64,
                _ => 0,
            };
            all = Some(all.unwrap_or(0) | bits);
        }
        let Some(bits) = all else { return };
        let place = match self.slow.iter().position(|s| s.gpu == gpu) {
            Some(place) => place,
            None => {
                self.slow.push(Slowed { gpu: gpu.to_owned(), ..Slowed::default() });
                self.slow.len() - 1
            }
        };
        self.slow[place].row(time, bits);
    }

    /// Rows without times: each time the first GPU comes round, a second has passed.
    fn second(&mut self, gpu: &str) -> i64 {
        let first = self.first_gpu.get_or_insert_with(|| gpu.to_owned());
        self.rows += i64::from(*first == gpu);
        (self.rows - 1) * 1_000_000_000
    }

    fn dmon(&mut self, line: Line<'_>, b: &mut ProfileBuilder) {
        let words: Vec<_> = line.text.trim_start_matches('#').split_whitespace().collect();
        if line.text.starts_with('#') {
            // Names, and below them units; both are repeated on the way.
            if self.columns.is_empty() {
                self.columns = words.iter().map(|w| column(w)).collect();
                let find = |wanted: &str| words.iter().position(|w| w.eq_ignore_ascii_case(wanted));
                (self.gpu, self.time, self.date) = (find("gpu"), find("time"), find("date"));
            } else if self.counters.is_empty() && words.len() == self.columns.len() {
                for (column, unit) in self.columns.iter_mut().zip(&words) {
                    let unit = if *unit == "MB" { "MiB" } else { unit };
                    let (kind, factor, shown) = unit_of(unit);
                    (column.unit, column.factor) = (kind, factor);
                    if !shown.is_empty() && shown != "Idx" {
                        column.name = format!("{} ({shown})", column.name);
                    }
                }
            }
            return;
        }
        if words.len() != self.columns.len() {
            if !words.is_empty() {
                self.odd.add("row with too many or too few fields (skipped)", || line.place());
            }
            return;
        }
        let gpu = self.gpu.map_or("", |g| words[g]).to_owned();
        let clock = self.time.and_then(|t| {
            let date = self.date.map_or("19700101", |d| words[d]);
            unix_time(&format!("{}/{}/{} {}", date.get(..4)?, date.get(4..6)?, date.get(6..)?, words[t]))
        });
        let time = clock.unwrap_or_else(|| self.second(&gpu));
        for (n, word) in words.iter().enumerate() {
            if ![self.gpu, self.time, self.date].contains(&Some(n)) {
                self.point(n, &gpu, time, word, b);
            }
        }
    }

    fn point(&mut self, n: usize, gpu: &str, time: i64, field: &str, b: &mut ProfileBuilder) {
        let Some(value) = number(field) else { return };
        let known = self.counters.iter().find(|c| c.0 == gpu && c.1 == n).map(|c| c.2);
        let column = &self.columns[n];
        let counter = known.unwrap_or_else(|| {
            let process = if gpu.is_empty() { String::new() } else { format!("GPU {gpu}") };
            let counter = b.counter(&column.name, &process, column.unit);
            self.counters.push((gpu.to_owned(), n, counter));
            counter
        });
        b.point(counter, time, value * column.factor);
    }
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes};
    use crate::model::Unit;

    const QUERY: &str = "timestamp, index, power.draw [W], utilization.gpu [%], memory.used [MiB]\n\
        2025/04/24 15:58:57.879, 0, 18.81 W, 5 %, 100 MiB\n2025/04/24 15:58:57.879, 1, [N/A], 7 %, 3 MiB\n\
        2025/04/24 15:58:58.879, 0, 20.00 W, 6 %, 200 MiB\n";

    #[test]
    fn queries_have_a_counter_per_gpu_and_column() {
        let p = open_bytes(QUERY.as_bytes()).unwrap();
        assert_eq!((p.meta.format.as_str(), p.counters.len()), ("nvidia-smi", 5));
        let power = &p.counters[0];
        assert_eq!((p.text(power.name), p.text(power.process)), ("power.draw (W)", "GPU 0"));
        assert_eq!((&power.times, &power.values), (&vec![0, 1_000_000_000], &vec![18.81, 20.0]));
        assert_eq!((p.counters[2].unit, p.counters[2].values[1]), (Unit::Bytes, 200.0 * f64::from(1 << 20)));
        damage(QUERY.as_bytes(), drop);
    }

    #[test]
    fn why_a_gpu_was_slowed_down_is_told() {
        let text = "timestamp, index, power.draw [W], clocks_throttle_reasons.active, clocks_throttle_reasons.sw_thermal_slowdown\n\
            2025/04/24 15:58:57.879, 0, 18.81 W, 0x0000000000000004, Not Active\n\
            2025/04/24 15:58:58.879, 0, 18.81 W, 0x0000000000000001, Active\n\
            2025/04/24 15:58:58.879, 1, 18.81 W, 0x0000000000000001, Not Active\n";
        let p = open_bytes(text.as_bytes()).unwrap();
        let said = |name: &str| p.meta.fact(name).map(|v| crate::format::fact(v).into_owned());
        assert_eq!(
            said("GPU 0 slowed down").as_deref(),
            Some("power limit 50.0 % of the time, temperature 50.0 % of the time")
        );
        assert_eq!(said("GPU 1 slowed down").as_deref(), Some("by nothing"));
        assert_eq!(p.counters.len(), 6, "what is on is 1, what is off is 0");
        // Rows that come quicker count no more.
        let uneven = "timestamp, index, pstate, clocks_throttle_reasons.active\n\
            2025/04/24 15:00:00.000, 0, P0, 0x1\n2025/04/24 15:00:00.500, 0, P0, 0x1\n\
            2025/04/24 15:00:01.000, 0, P0, 0x4\n2025/04/24 15:00:51.000, 0, P0, 0x4\n";
        let p = open_bytes(uneven.as_bytes()).unwrap();
        let words = p.meta.fact("GPU 0 slowed down").map(|v| crate::format::fact(v).into_owned());
        assert_eq!(words.as_deref(), Some("power limit 98.5 % of the time"));
    }

    #[test]
    fn gpus_without_an_index_are_told_apart_by_their_order() {
        let text = "timestamp, power.draw [W]\n\
            2025/04/24 15:00:00.000, 10 W\n2025/04/24 15:00:00.000, 30 W\n\
            2025/04/24 15:00:01.000, 10 W\n2025/04/24 15:00:01.000, 30 W\n";
        let p = open_bytes(text.as_bytes()).unwrap();
        let values: Vec<_> = p.counters.iter().map(|c| c.values.clone()).collect();
        assert_eq!(values, [[10.0, 10.0], [30.0, 30.0]]);
        assert!(p.warnings.iter().any(|w| w.kind.contains("in this order") && w.count == 2));
    }

    #[test]
    fn dmon_has_times_where_it_was_asked_for_them_with_and_without_a_space_in_its_heading() {
        for heading in ["#Date       Time        gpu    pwr  sm", "# Date       Time        gpu    pwr  sm"] {
            let text = format!(
                "{heading}\n#YYYYMMDD   HH:MM:SS    Idx      W      %\n 20261101   10:00:00     0    100     0\n 20261101   10:00:05     0    110     9\n"
            );
            let p = open_bytes(text.as_bytes()).unwrap();
            assert_eq!((p.meta.format.as_str(), p.counters.len()), ("nvidia-smi", 2), "{heading}");
            assert_eq!(p.counters[0].times, [0, 5_000_000_000]);
            assert_eq!(p.text(p.counters[0].name), "pwr (W)");
        }
        let short = "#Time        gpu    pwr  sm\n#HH:MM:SS    Idx      W      %\n 10:00:00     0    100     0\n 10:00:01     0    110     9\n";
        assert_eq!(open_bytes(short.as_bytes()).unwrap().counters[1].times, [0, 1_000_000_000]);
    }

    #[test]
    fn dmon_counts_seconds_and_leaves_out_dashes() {
        let text = "# gpu    pwr  sm\n# Idx      W      %\n    0     70     99\n    1      -      -\n    0     71     50\n";
        let p = open_bytes(text.as_bytes()).unwrap();
        assert_eq!((p.counters.len(), &p.counters[0].times), (2, &vec![0, 1_000_000_000]));
        assert_eq!(p.text(p.counters[0].name), "pwr (W)");
        damage(text.as_bytes(), drop);
    }
}
