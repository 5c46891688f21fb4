//! Prometheus' text format, as `curl http://server/metrics` prints it: vLLM, SGLang, TGI, llama.cpp and any other server.
//!
//! Specification: prometheus.io/docs/instrumenting/exposition_formats, and OpenMetrics 1.0. Kept: each series as a counter; several scrapes
//! one after the other (a loop of `curl >> file`) are its course; histograms as a table. Lost: exemplars, buckets beyond their quantiles. Guessed: scrapes
//! without timestamps are taken as a second apart, which is said; quantiles are interpolated in buckets, as `histogram_quantile` does it.

use rustc_hash::FxHashMap;

use super::Gives::Counters;
use super::read::Oddities;
use super::read::distribution::{self, Buckets};
use super::read::lines::for_each_text_line;
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, CounterId, FactValue, ProfileBuilder, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "prometheus",
    title: "Prometheus metrics",
    written_by: "/metrics of vLLM, SGLang, TGI, llama.cpp, Triton, DCGM and others",
    extensions: &["txt", "prom", "metrics"],
    gives: &[Counters],
    sniff,
    import,
    details: no_details,
};

const KINDS: [&str; 9] =
    ["counter", "gauge", "histogram", "summary", "untyped", "unknown", "info", "stateset", "gaugehistogram"];

/// `# TYPE name kind`.
fn kind_of(line: &str) -> Option<(&str, &str)> {
    let mut words = line.strip_prefix("# TYPE ")?.split_whitespace();
    let (name, kind) = (words.next()?, words.next()?);
    (KINDS.contains(&kind) && words.next().is_none()).then_some((name, kind))
}

fn sniff(head: &Head<'_>) -> Confidence {
    let text = String::from_utf8_lossy(head.bytes);
    if !head.says("# TYPE ") {
        return without_types(&text);
    }
    if text.lines().take(400).any(|line| kind_of(line).is_some()) {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

/// Without the lines that say what metrics are, as `grep` leaves them out: nearly all lines have labels in braces, or the name of a
/// server that is known.
fn without_types(text: &str) -> Confidence {
    let is_metric = |line: &&str| {
        sample(line.trim()).is_some_and(|s| {
            !s.labels.is_empty() || SERVERS.iter().any(|(front, _)| s.name.starts_with(front))
        })
    };
    let lines = || text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).take(200);
    let (all, metrics) = (lines().count(), lines().filter(is_metric).count());
    // The last line of a head may be cut.
    if metrics > 0 && metrics + all / 10 + 1 >= all { Confidence::Likely } else { Confidence::No }
}

/// How names of metrics begin, by the server that has them.
const SERVERS: [(&str, &str); 5] = [
    ("vllm:", "vLLM"),
    ("sglang:", "SGLang"),
    ("tgi_", "TGI"),
    ("llamacpp:", "llama.cpp"),
    ("DCGM_", "DCGM exporter"),
];

/// A line: `name{label="value",…} 12.5 1700000000000`.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
    /// Unix ms.
    time: Option<i64>,
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((label.trim(), value));
            rest = after;
        }
    }
    // An exemplar may follow.
    let rest = rest.split(" # ").next().unwrap_or(rest);
    let mut words = rest.split_whitespace();
    let value = match words.next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    // OpenMetrics gives seconds, the older text milliseconds.
    let time = words.next().and_then(|t| t.parse::<f64>().ok()).filter(|t| *t > 0.0);
    let time = time.map(|t| if t < 1e11 { (t * 1e3) as i64 } else { t as i64 });
    (!name.is_empty()).then_some(Sample { name, labels, value, time })
}

/// A text up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[derive(Default)]
struct Reader {
    kinds: FxHashMap<String, String>,
    counters: FxHashMap<String, (CounterId, usize)>,
    histograms: Vec<((String, String), Buckets)>,
    by_name: FxHashMap<(String, String), usize>,
    /// Last values of each name by their labels, for the facts.
    last: FxHashMap<String, FxHashMap<String, f64>>,
    /// The largest value of each name.
    most: FxHashMap<String, f64>,
    /// Number of the scrape, and what it has had.
    scrape: usize,
    stamped: bool,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    for_each_text_line(source, cx, |cx, line| {
        let text = line.text.trim();
        if let Some((name, kind)) = kind_of(text) {
            reader.kinds.insert(name.to_owned(), kind.to_owned());
        } else if !text.is_empty() && !text.starts_with('#') {
            match sample(text) {
                Some(sample) => reader.add(&sample, &mut cx.builder),
                None => reader.odd.add("line that is no metric (left out)", || line.place()),
            }
        }
        Ok(())
    })?;
    let b = &mut cx.builder;
    reader.table(b);
    if b.is_empty() && b.meta.tables.is_empty() {
        return Err(ImportError::malformed("holds no metric with a value"));
    }
    b.meta.basis = Basis::Timed;
    reader.facts(b);
    if reader.stamped {
        b.rebase = true;
    } else if reader.scrape > 0 {
        b.meta.setting("Time between scrapes", "assumed to be 1 s: the file has no timestamps");
        b.meta.no_clock = "scrapes without timestamps are laid out a second apart".into();
    }
    reader.odd.report(b);
    Ok(())
}

fn unit_of(name: &str) -> (Unit, f64) {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name {
        n if n.ends_with("_bytes") => (Unit::Bytes, 1.0),
        n if n.ends_with("_seconds") && !n.ends_with("time_seconds") => (Unit::Nanoseconds, 1e9),
        n if n.ends_with("_perc") || n.ends_with("_hit_rate") || n == "sglang:token_usage" => {
            (Unit::MilliPercent, 1e5)
        }
        n if n.ends_with("tokens") || n.ends_with("tokens_predicted") => (Unit::Tokens, 1.0),
        _ => (Unit::None, 1.0),
    }
}

/// The unit of what a histogram counts. Here no time is a moment; TGI leaves «seconds» out.
fn unit_of_values(name: &str) -> (Unit, f64) {
    let is_length = name.ends_with("_seconds") || name.starts_with("tgi_") && name.ends_with("_duration");
    if is_length { (Unit::Nanoseconds, 1e9) } else { unit_of(name) }
}

impl Reader {
    fn add(&mut self, sample: &Sample<'_>, b: &mut ProfileBuilder) {
        let label = |skip: &str| {
            let shown =
                sample.labels.iter().filter(|l| l.0 != skip).map(|(key, value)| format!("{key}={value}"));
            shown.collect::<Vec<_>>().join(", ")
        };
        if sample.labels.iter().any(|(label, _)| *label == "le")
            && let Some(base) =
                sample.name.strip_suffix("_bucket").filter(|base| !self.kinds.contains_key(*base))
        {
            self.kinds.insert(base.to_owned(), "histogram".to_owned());
        }
        let part = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| {
            let base = sample.name.strip_suffix(end)?;
            matches!(self.kinds.get(base)?.as_str(), "histogram" | "summary" | "gaugehistogram")
                .then_some((base, end))
        });
        if let Some((base, end)) = part {
            let key = (base.to_owned(), label("le"));
            let at = *self.by_name.entry(key.clone()).or_insert_with(|| {
                self.histograms.push((key, Buckets::default()));
                self.histograms.len() - 1
            });
            let histogram = &mut self.histograms[at].1;
            match end {
                "_sum" => histogram.sum = Some(sample.value),
                "_count" => histogram.count = Some(sample.value),
                _ => {
                    let edge = sample.labels.iter().find(|l| l.0 == "le").map(|l| l.1.as_str());
                    let edge = match edge {
                        Some("+Inf") => Some(f64::INFINITY),
                        edge => edge.and_then(|e| e.parse::<f64>().ok()),
                    };
                    let Some(edge) = edge else { return };
                    histogram.set(edge, sample.value);
                }
            }
            return;
        }
        // When a series was created is no course of it.
        if sample.name.ends_with("_created") || !sample.value.is_finite() {
            return;
        }
        let labels = label("");
        let (unit, factor) = unit_of(sample.name);
        let (counter, times) =
            self.counters.entry(format!("{}\0{labels}", sample.name)).or_insert_with(|| {
                let process = if labels.chars().count() > 120 {
                    format!("{}…", labels.chars().take(120).collect::<String>())
                } else {
                    labels.clone()
                };
                (b.counter(sample.name, &process, unit), 0)
            });
        self.scrape = self.scrape.max(*times);
        let time = match sample.time {
            Some(ms) => {
                self.stamped = true;
                ms.saturating_mul(1_000_000)
            }
            None => *times as i64 * 1_000_000_000,
        };
        *times += 1;
        b.point(*counter, time, sample.value * factor);
        self.last.entry(sample.name.to_owned()).or_default().insert(labels, sample.value);
        let most = self.most.entry(sample.name.to_owned()).or_insert(sample.value);
        *most = most.max(sample.value);
    }

    fn table(&self, b: &mut ProfileBuilder) {
        let all = self.histograms.iter().map(|((name, labels), buckets)| {
            let shown = if labels.is_empty() { name.clone() } else { format!("{name} ({labels})") };
            (shown, unit_of_values(name), buckets)
        });
        let since = "Since the server began, as of the last scrape.";
        b.meta.tables.extend(distribution::table(all, since));
    }

    /// How full the KV cache is: of several engines the fullest, at the last scrape and at most.
    fn kv_cache(&self, b: &mut ProfileBuilder) {
        const NAMES: [&str; 4] = [
            "vllm:kv_cache_usage_perc",
            "vllm:gpu_cache_usage_perc",
            "sglang:token_usage",
            "llamacpp:kv_cache_usage_ratio",
        ];
        let Some(name) = NAMES.into_iter().find(|name| self.last.contains_key(*name)) else { return };
        let share = |value: f64| ((value * 1e5).round() as i64, Unit::MilliPercent);
        let last = self.last[name].values().copied().fold(0.0, f64::max);
        b.meta.result("KV cache in use", share(last));
        if let Some(most) = self.most.get(name).filter(|most| **most > last) {
            b.meta.result("KV cache in use, most", share(*most));
        }
    }

    /// What the servers of language models count, over all labels.
    fn facts(&self, b: &mut ProfileBuilder) {
        let sum = |names: &[&str]| {
            let found = names.iter().find_map(|name| self.last.get(*name));
            found.map(|series| series.values().sum::<f64>())
        };
        let whole = |value: f64, unit: Unit| FactValue::Number(value.round() as i64, unit);
        let counts: [(&str, &[&str], Unit); 6] = [
            (
                "Input tokens",
                &["vllm:prompt_tokens_total", "sglang:prompt_tokens_total", "llamacpp:prompt_tokens_total"],
                Unit::Tokens,
            ),
            (
                "Output tokens",
                &[
                    "vllm:generation_tokens_total",
                    "sglang:generation_tokens_total",
                    "llamacpp:tokens_predicted_total",
                ],
                Unit::Tokens,
            ),
            (
                "Requests completed",
                &["vllm:request_success_total", "sglang:num_requests_total", "tgi_request_success"],
                Unit::Count,
            ),
            ("Preemptions", &["vllm:num_preemptions_total"], Unit::Count),
            (
                "Requests running",
                &["vllm:num_requests_running", "sglang:num_running_reqs", "llamacpp:requests_processing"],
                Unit::Count,
            ),
            (
                "Requests waiting",
                &[
                    "vllm:num_requests_waiting",
                    "sglang:num_queue_reqs",
                    "tgi_queue_size",
                    "llamacpp:requests_deferred",
                ],
                Unit::Count,
            ),
        ];
        for (name, series, unit) in counts {
            if let Some(value) = sum(series) {
                b.meta.result(name, whole(value, unit));
            }
        }
        self.kv_cache(b);
        let hits = sum(&["vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"]);
        let asked = sum(&["vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"]);
        if let (Some(hits), Some(asked)) = (hits, asked.filter(|n| *n > 0.0)) {
            b.meta.result("Prefix cache hits", (((hits / asked) * 1e5).round() as i64, Unit::MilliPercent));
        }
        let named = SERVERS.iter().find(|(prefix, _)| self.last.keys().any(|name| name.starts_with(prefix)));
        b.meta.tool = named.map_or("Prometheus", |tool| tool.1).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::testing::{damage, open_bytes};

    const SAMPLE: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/prometheus/vllm.metrics.txt"));

    #[test]
    fn a_servers_metrics_are_counters_a_table_and_facts() {
        let p = open_bytes(SAMPLE).unwrap();
        assert_eq!((p.meta.format.as_str(), p.meta.tool.as_str()), ("prometheus", "vLLM"));
        let named = |name: &str| p.counters.iter().find(|c| p.text(c.name) == name).unwrap();
        let running = named("vllm:num_requests_running");
        assert_eq!((&running.times, &running.values), (&vec![0, 1_000_000_000], &vec![3.0, 1.0]));
        let used = named("vllm:kv_cache_usage_perc");
        assert_eq!((used.unit, used.values[0]), (Unit::MilliPercent, 12_500.0));
        assert_eq!(p.meta.fact("Output tokens"), Some(&(3500, Unit::Tokens).into()));
        assert_eq!(p.meta.fact("Prefix cache hits"), Some(&(25_000, Unit::MilliPercent).into()));
        assert_eq!(p.meta.fact("Requests completed"), Some(&5u64.into()), "over all reasons");
        let row = &p.meta.tables[0].rows[0];
        // 10 values, of which 6 up to 0.1 s and 9 up to 0.5 s.
        assert_eq!(row[1..], ["10", "200 ms", "83.3 ms", "> 500 ms", "> 500 ms"].map(str::to_owned));
        damage(SAMPLE, drop);
    }

    #[test]
    fn lines_without_their_types_are_metrics_too() {
        let text = std::str::from_utf8(SAMPLE).unwrap();
        let bare: String =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let (typed, untyped) = (open_bytes(SAMPLE).unwrap(), open_bytes(bare.as_bytes()).unwrap());
        assert_eq!(untyped.meta.format, "prometheus");
        assert_eq!(untyped.meta.tables[0].rows, typed.meta.tables[0].rows);
        assert_eq!(untyped.meta.fact("Output tokens"), typed.meta.fact("Output tokens"));
        assert_eq!(unit_of_values("vllm:request_queue_time_seconds").0, Unit::Nanoseconds);
        assert_eq!(unit_of_values("tgi_request_queue_duration").0, Unit::Nanoseconds);
        assert_eq!(unit_of("process_start_time_seconds").0, Unit::None);
        let two = "llamacpp:prompt_tokens_total 12\nllamacpp:tokens_predicted_total 7\n";
        assert_eq!(
            open_bytes(two.as_bytes()).unwrap().meta.fact("Input tokens"),
            Some(&(12, Unit::Tokens).into())
        );
        assert_eq!(open_bytes(b"main;work 12\nmain;rest 7\n").unwrap().meta.format, "folded");
    }

    #[test]
    fn labels_and_stamps_are_read() {
        let s = sample(r#"a:b{x="1, \"q\"",y="z\\"} 2.5e3 1700000000000"#).unwrap();
        assert_eq!((s.name, s.value, s.time), ("a:b", 2500.0, Some(1_700_000_000_000)));
        assert_eq!(s.labels, [("x", "1, \"q\"".to_owned()), ("y", "z\\".to_owned())]);
        assert_eq!(sample("a 1 1700000000.5").unwrap().time, Some(1_700_000_000_500));
        assert!(sample("a{x=\"1 2").is_none() && sample("").is_none() && sample("name only").is_none());
    }
}
