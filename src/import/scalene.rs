//! scalene's JSON: time and memory per line, and stacks.
//!
//! Reference: `scalene/scalene_json.py` of scalene 1.5 to 2.4. Kept: per line the time in Python, in native code and in the
//! system (shares of the elapsed time), what was allocated, copied and held at most, GPU time; stacks with their time;
//! memory over time. Lost: leaks, core utilisation, tasks. Guessed: the function of a line, by the first lines of the
//! file's functions. Lines have no callers.

use super::Gives::{Counters, Memory, Tree};
use super::python::module_of;
use super::read::Oddities;
use super::read::json::{Json, top_keys};
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, ProfileBuilder, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "scalene",
    title: "scalene",
    written_by: "scalene --json",
    extensions: &["json"],
    gives: &[Tree, Memory, Counters],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let signs = [
        "alloc_samples",
        "async_profile",
        "combined_stacks",
        "elapsed_time_sec",
        "growth_rate",
        "max_footprint_mb",
        "files",
    ];
    let found = signs.iter().filter(|s| has(s)).count();
    let says = head.says("\"n_cpu_percent_python\"");
    match found {
        3.. => Confidence::Certain,
        _ if says && has("files") => Confidence::Certain,
        _ => Confidence::No,
    }
}

/// Numbers of a line, in the order of the metrics.
const FIELDS: [&[u8]; 7] = [
    b"n_cpu_percent_python",
    b"n_cpu_percent_c",
    b"n_sys_percent",
    b"n_gpu_percent",
    b"n_malloc_mb",
    b"n_peak_mb",
    b"n_mallocs",
];

#[derive(Default)]
struct Row {
    line: u32,
    name: String,
    values: [f64; FIELDS.len()],
}

#[derive(Default)]
struct SourceFile {
    path: String,
    lines: Vec<Row>,
    functions: Vec<Row>,
}

#[derive(Default)]
struct File {
    elapsed: f64,
    program: String,
    footprint: f64,
    memory: Vec<(f64, f64)>,
    files: Vec<SourceFile>,
    /// Frames, outermost first, seconds in Python and in native code, samples.
    stacks: Vec<(Vec<String>, [f64; 3])>,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut file, mut odd) = (File::default(), Oddities::default());
    let mut json = Json::new(source, cx.job)?;
    match file.read(&mut json) {
        Err(e) if e.kind == ErrorKind::Malformed && !file.files.is_empty() => {
            odd.add("file is broken off; what came before is shown", || e.to_string());
        }
        other => other?,
    }
    if file.files.is_empty() && file.stacks.is_empty() {
        return Err(ImportError::malformed("holds no files and no stacks"));
    }
    file.build(&mut cx.builder);
    odd.report(&mut cx.builder);
    Ok(())
}

/// Calls `item` for each item of an array.
fn each(
    json: &mut Json<'_>,
    mut item: impl FnMut(&mut Json<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    if json.enter_array()? {
        while json.next_item()? {
            item(json)?;
        }
    }
    Ok(())
}

impl File {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            match json.key() {
                b"elapsed_time_sec" => self.elapsed = json.real()?.unwrap_or(0.0),
                b"max_footprint_mb" => self.footprint = json.real()?.unwrap_or(0.0),
                b"program" => json.string_into(&mut self.program)?,
                b"samples" => each(json, |json| {
                    let mut pair = Vec::new();
                    each(json, |json| {
                        pair.extend(json.real()?);
                        Ok(())
                    })?;
                    if let [time, size] = pair[..] {
                        self.memory.push((time, size));
                    }
                    Ok(())
                })?,
                b"stacks" => each(json, |json| {
                    let stack = stack(json)?;
                    self.stacks.push(stack);
                    Ok(())
                })?,
                b"files" => {
                    if json.enter_object()? {
                        while json.next_key()? {
                            let path = String::from_utf8_lossy(json.key()).into_owned();
                            self.files.push(SourceFile { path, ..SourceFile::default() });
                            if let Some(file) = self.files.last_mut() {
                                file.read(json)?;
                            }
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        Ok(())
    }

    fn build(&self, b: &mut ProfileBuilder) {
        let meta = &mut b.meta;
        (meta.tool, meta.basis, meta.title) = ("scalene".into(), Basis::Sampled, self.program.clone());
        meta.duration = (self.elapsed > 0.0).then(|| nanos(self.elapsed));
        if self.footprint > 0.0 {
            meta.result(
                "Largest footprint",
                ((self.footprint * f64::from(1 << 20)).round() as i64, Unit::Bytes),
            );
        }
        if !self.memory.is_empty() {
            let counter = b.counter("Memory", "", Unit::Bytes);
            for &(time, size) in &self.memory {
                b.point(counter, time as i64, size * f64::from(1 << 20));
            }
        }
        self.build_stacks(b);
        self.build_lines(b);
    }

    fn build_stacks(&self, b: &mut ProfileBuilder) {
        if self.stacks.is_empty() {
            return;
        }
        let metrics = [
            Metric::time(),
            Metric::new("native", "Native time", Unit::Nanoseconds),
            Metric::new("samples", "Samples", Unit::Count),
        ];
        let metrics = metrics.map(|m| b.metric(m));
        // Rows are sums of samples.
        b.meta.samples = Some(self.stacks.iter().map(|(_, s)| s[2].max(0.0) as u64).sum());
        let track = b.track(TrackSpec { name: "Stacks", process: "", kind: TrackKind::Profile, sort: 0 });
        for (frames, [python, native, count]) in &self.stacks {
            let mut stack = None;
            for text in frames {
                // `file function:line;`
                let text = text.trim_end_matches(';');
                let (rest, line) = text.rsplit_once(':').unwrap_or((text, ""));
                let (file, name) = rest.rsplit_once(' ').unwrap_or(("", rest));
                let module = module_of(file);
                let function =
                    b.function(FunctionSpec { name, module: &module, file, ..FunctionSpec::default() });
                let frame = b.frame(function, line.parse().unwrap_or(0));
                stack = Some(b.stack(stack, frame));
            }
            let values = [nanos(python + native), nanos(*native), *count as i64];
            let weights: Vec<_> = metrics.into_iter().zip(values).collect();
            b.sample(track, stack, &weights);
        }
    }

    fn build_lines(&self, b: &mut ProfileBuilder) {
        // A line of a file with stacks would count twice in one metric.
        let first = if self.stacks.is_empty() {
            Metric::time()
        } else {
            Metric::new("lines", "Time of lines", Unit::Nanoseconds)
        };
        let metrics = [
            first,
            Metric::new("python_line", "Python time of lines", Unit::Nanoseconds),
            Metric::new("native_line", "Native time of lines", Unit::Nanoseconds),
            Metric::new("system_line", "System time of lines", Unit::Nanoseconds),
            Metric::new("gpu_line", "GPU time of lines", Unit::Nanoseconds),
            Metric::new("malloc", "Allocated", Unit::Bytes),
            Metric::new("peak", "Most held by a line", Unit::Bytes),
            Metric::new("mallocs", "Allocations", Unit::Count),
        ];
        let there =
            |n: usize| n < 4 || self.files.iter().flat_map(|f| &f.lines).any(|l| l.values[n - 1] != 0.0);
        let metrics: Vec<_> =
            metrics.into_iter().enumerate().map(|(n, m)| there(n).then(|| b.metric(m))).collect();
        let track = b.track(TrackSpec { name: "Lines", process: "", kind: TrackKind::Profile, sort: 1 });
        for file in &self.files {
            let module = module_of(&file.path);
            for row in file.lines.iter().filter(|r| r.values.iter().any(|v| *v != 0.0)) {
                let around = file.functions.iter().filter(|f| f.line <= row.line).max_by_key(|f| f.line);
                let (name, line) = around.map_or(("<module>", 0), |f| (f.name.as_str(), f.line));
                let spec =
                    FunctionSpec { name, module: &module, file: &file.path, line, ..FunctionSpec::default() };
                let function = b.function(spec);
                let frame = b.frame(function, row.line);
                let stack = b.stack(None, frame);
                let [python, native, system, gpu, malloc, peak, mallocs] = row.values;
                let share = |percent: f64| nanos(percent / 100.0 * self.elapsed);
                let bytes = |mb: f64| (mb * f64::from(1 << 20)).round() as i64;
                let values = [
                    share(python + native + system),
                    share(python),
                    share(native),
                    share(system),
                    share(gpu),
                    bytes(malloc),
                    bytes(peak),
                    mallocs as i64,
                ];
                let weights: Vec<_> =
                    metrics.iter().zip(values).filter_map(|(m, v)| Some(((*m)?, v))).collect();
                b.sample(track, Some(stack), &weights);
            }
        }
    }
}

fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

impl SourceFile {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            match json.key() {
                b"lines" => each(json, |json| {
                    let row = row(json)?;
                    self.lines.push(row);
                    Ok(())
                })?,
                b"functions" => each(json, |json| {
                    let row = row(json)?;
                    self.functions.push(row);
                    Ok(())
                })?,
                _ => json.skip()?,
            }
        }
        Ok(())
    }
}

fn row(json: &mut Json<'_>) -> Result<Row, ImportError> {
    let mut row = Row::default();
    if json.enter_object()? {
        while json.next_key()? {
            if let Some(n) = FIELDS.iter().position(|f| *f == json.key()) {
                row.values[n] = json.real()?.unwrap_or(0.0);
            } else {
                match json.key() {
                    b"lineno" => row.line = json.index()?.unwrap_or(0),
                    b"line" => json.string_into(&mut row.name)?,
                    _ => json.skip()?,
                }
            }
        }
    }
    Ok(row)
}

/// `[[frames], {count, python_time, c_time}]`; older files have only a count.
fn stack(json: &mut Json<'_>) -> Result<(Vec<String>, [f64; 3]), ImportError> {
    let (mut frames, mut values, mut first) = (Vec::new(), [0.0; 3], true);
    each(json, |json| {
        if std::mem::take(&mut first) {
            return each(json, |json| {
                let text = json.text_or_number()?;
                frames.push(text);
                Ok(())
            });
        }
        if json.peek()? != b'{' {
            values[2] = json.real()?.unwrap_or(0.0);
        } else if json.enter_object()? {
            while json.next_key()? {
                match json.key() {
                    b"python_time" => values[0] = json.real()?.unwrap_or(0.0),
                    b"c_time" => values[1] = json.real()?.unwrap_or(0.0),
                    b"count" => values[2] = json.real()?.unwrap_or(0.0),
                    _ => json.skip()?,
                }
            }
        }
        Ok(())
    })?;
    Ok((frames, values))
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    const SAMPLE: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/scalene/gui-profile.json.gz"));

    #[test]
    fn lines_have_shares_of_the_elapsed_time() {
        let p = open_bytes(SAMPLE).unwrap();
        assert_eq!(p.meta.format, "scalene");
        let elapsed = p.meta.duration.unwrap() as f64;
        let own = totals(&p)["doit1"].0 as f64 / elapsed * 100.0;
        // What the file itself says of the function: Python, native and system.
        assert!(
            (own - (24.701_295_519_855_705 + 5.794_062_255_858_617 + 1.646_950_116_865_111)).abs() < 0.01,
            "{own}"
        );
        assert_eq!(p.counters.len(), 1);
    }

    #[test]
    fn stacks_have_seconds() {
        let text = r#"{"elapsed_time_sec": 2, "growth_rate": 0, "max_footprint_mb": 0, "alloc_samples": 0, "files": {},
            "stacks": [[["/a b.py main:1;", "/a b.py f:3;"], {"count": 2, "python_time": 0.5, "c_time": 0.25}]]}"#;
        let p = open_bytes(text.as_bytes()).unwrap();
        assert_eq!(totals(&p)["f"], (750_000_000, 750_000_000));
        damage(text.as_bytes(), drop);
    }
}
