//! Folded stacks: one line a stack, `outer;inner count`.
//!
//! Written by Brendan Gregg's stackcollapse scripts and inferno, async-profiler (`collapsed`), py-spy (`raw`), austin,
//! rbspy, bpftrace tools, Python's own sampling profiler (`--collapsed`). There is no specification;
//! `flamegraph.pl` is the reference, and austin's wiki for its `P…;T…;file:function:line` with a head of
//! comments.
//!
//! Kept: every stack and its count; of austin the time in microseconds (or the bytes, or both); of files with two
//! counts (`difffolded.pl`) both, as two metrics; processes and threads where the first frames name them; files and
//! lines where frames hold them. Fractions are rounded so that their sum stays right.
//!
//! Lost: the fractions of single counts, which is said. Guessed: that a number at the end of a line is its count: names may hold blanks. What a count counts
//! is not in the file.

mod stacks;
#[cfg(test)]
mod tests;

use super::Gives::Tree;
use super::read::lines::{Line, for_each_text_line};
use super::read::{Oddities, Rounding, json::Decimal};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FactValue, Metric, MetricId, ProfileBuilder, Unit};
use stacks::Stacks;

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "folded",
    title: "folded stacks",
    written_by: "stackcollapse-*.pl, inferno, py-spy raw, austin, async-profiler, bpftrace",
    extensions: &["folded", "collapsed", "txt", "austin"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

/// Lines of the head that are looked at.
const LOOKED_AT: usize = 200;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'a> {
    /// Blank, or a comment.
    Nothing,
    /// `# key: value`.
    Note(&'a str, &'a str),
    /// A stack and its count.
    Stack(&'a str, &'a str),
    /// Anything else.
    Bad,
}

fn kind(line: &str) -> Kind<'_> {
    if let Some(comment) = line.strip_prefix('#').filter(|c| !c.contains(';')) {
        return match comment.split_once(':') {
            Some((key, value)) => Kind::Note(key.trim(), value.trim()),
            None => Kind::Nothing,
        };
    }
    if line.trim().is_empty() || line.starts_with("//") {
        return Kind::Nothing;
    }
    match line.trim_end().rsplit_once([' ', '\t']) {
        // A comma in front of the count: a row of CSV.
        Some((stack, count)) if is_count(count) && !stack.trim_end().ends_with(',') => {
            Kind::Stack(stack, count)
        }
        _ => Kind::Bad,
    }
}

/// A number, or several with commas between them.
fn is_count(text: &str) -> bool {
    let number =
        |t: &str| t.as_bytes().iter().any(u8::is_ascii_digit) && Decimal::parse(t.as_bytes()).is_some();
    let number = |t: &str| number(t) || t.len() > 15 && t.bytes().all(|b| b.is_ascii_digit());
    text.split(',').all(number)
}

/// The first of two counts at the end of a line, when the file has two.
fn first_of_two(stack: &str) -> Option<(&str, &str)> {
    stack.rsplit_once([' ', '\t']).filter(|(stack, count)| !stack.is_empty() && is_count(count))
}

fn whole_lines<'a>(head: &Head<'a>) -> impl Iterator<Item = std::borrow::Cow<'a, str>> {
    let end = if head.whole { None } else { memchr::memrchr(b'\n', head.bytes) };
    let bytes = &head.bytes[..end.unwrap_or(head.bytes.len())];
    bytes
        .split(|&b| b == b'\n')
        .take(LOOKED_AT)
        .map(|l| String::from_utf8_lossy(l.strip_suffix(b"\r").unwrap_or(l)))
}

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.contains(&0) || head.bytes.starts_with(b"{") || head.bytes.starts_with(b"[") {
        return Confidence::No;
    }
    if head.bytes.starts_with(b"# austin:") {
        return Confidence::Certain;
    }
    let (mut good, mut deep, mut bad) = (0, 0, 0);
    for line in whole_lines(head) {
        match kind(&line) {
            Kind::Stack(stack, _) => {
                good += 1;
                deep += usize::from(stack.contains(';'));
            }
            Kind::Bad => bad += 1,
            Kind::Nothing | Kind::Note(..) => {}
        }
    }
    let endless = !head.whole && !head.bytes.contains(&b'\n');
    match (good, deep) {
        _ if endless && memchr::memchr_iter(b';', head.bytes).count() > 100 => Confidence::Possible,
        (1.., 1..) if good > 2 * bad => Confidence::Likely,
        (1.., 1..) if good >= bad => Confidence::Possible,
        (1.., 0) if bad == 0 => Confidence::Possible,
        _ => Confidence::No,
    }
}

/// What the counts of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    /// One count of something.
    One,
    /// Before and after.
    Two,
    /// Austin, microseconds.
    Time,
    /// Austin, bytes gained or lost.
    Memory,
    /// Austin: microseconds, idle or not, bytes.
    Full,
}

struct Reader {
    counts: Counts,
    metrics: Vec<MetricId>,
    rounding: Vec<Rounding>,
    stacks: Stacks,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let head = Head { bytes: source.head(), whole: source.is_whole_head(), name: "" };
    let stacks = || {
        whole_lines(&head)
            .filter_map(
                |l| if let Kind::Stack(s, _) = kind(&l) { Some(first_of_two(s).is_some()) } else { None },
            )
            .collect::<Vec<_>>()
    };
    let two = stacks();
    let counts = if !two.is_empty() && two.iter().all(|&t| t) { Counts::Two } else { Counts::One };
    let mut reader = Reader {
        counts,
        metrics: Vec::new(),
        rounding: Vec::new(),
        stacks: Stacks::default(),
        odd: Oddities::default(),
    };
    cx.builder.meta.basis = Basis::Aggregated;
    for_each_text_line(source, cx, |cx, line| {
        reader.line(line, &mut cx.builder);
        Ok(())
    })?;
    if cx.builder.is_empty() {
        let what = reader.odd.first().map_or(String::new(), |first| format!(" ({first})"));
        return Err(ImportError::malformed(format!("holds no stack with a count{what}")));
    }
    reader.odd.report(&mut cx.builder);
    reader.rounding.iter().for_each(|rounding| rounding.report(&mut cx.builder));
    Ok(())
}

impl Reader {
    fn line(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) {
        match kind(line.text) {
            Kind::Nothing => {}
            Kind::Note(key, value) => self.note(key, value, builder),
            Kind::Bad => self.odd.add("line without a count at its end (skipped)", || line.place()),
            Kind::Stack(stack, count) => self.stack(line, stack, count, builder),
        }
    }

    /// A comment of austin's head.
    fn note(&mut self, key: &str, value: &str, builder: &mut ProfileBuilder) {
        match key {
            "austin" => {
                builder.meta.tool = format!("austin {value}");
                builder.meta.basis = Basis::Sampled;
                self.counts = Counts::Time;
            }
            "mode" if self.counts != Counts::One => {
                builder.meta.setting("Mode", value);
                self.counts = match value {
                    "memory" => Counts::Memory,
                    "full" => Counts::Full,
                    _ => self.counts,
                };
            }
            "interval" if self.counts != Counts::One => {
                let us = value.parse().ok().and_then(|us: i64| us.checked_mul(1000));
                let stated: FactValue =
                    us.map_or_else(|| format!("{value} µs").into(), |ns| (ns, Unit::Nanoseconds).into());
                builder.meta.setting("Sampling interval", stated);
            }
            "duration" if self.counts != Counts::One => {
                builder.meta.duration = value.parse().ok().and_then(|us: i64| us.checked_mul(1000));
            }
            _ => {}
        }
    }

    fn metrics(&mut self, builder: &mut ProfileBuilder) {
        let memory = || Metric::new("memory", "Memory", Unit::Bytes);
        let metrics = match self.counts {
            Counts::One => vec![Metric::new("count", "Count", Unit::Count)],
            Counts::Two => {
                vec![Metric::new("before", "Before", Unit::Count), Metric::new("after", "After", Unit::Count)]
            }
            Counts::Time => vec![Metric::time()],
            Counts::Memory => vec![memory()],
            Counts::Full => vec![Metric::time(), Metric::new("cpu", "CPU time", Unit::Nanoseconds), memory()],
        };
        self.metrics = metrics.into_iter().map(|m| builder.metric(m)).collect();
        self.rounding.resize_with(self.metrics.len(), Rounding::default);
    }

    fn stack(&mut self, line: Line<'_>, stack: &str, count: &str, builder: &mut ProfileBuilder) {
        if self.metrics.is_empty() {
            self.metrics(builder);
        }
        let (stack, first) = match (self.counts, first_of_two(stack)) {
            (Counts::Two, Some((stack, first))) => (stack, Some(first)),
            (Counts::Two, None) => {
                self.odd.add("line with one count in a file of two (skipped)", || line.place());
                return;
            }
            _ => (stack, None),
        };
        let mut values = [0; 3];
        let mut texts = first.into_iter().chain(count.split(','));
        for (n, value) in values.iter_mut().enumerate().take(self.metrics.len()) {
            let Some(text) = texts.next() else {
                self.odd.add("line with too few numbers (the others count as 0)", || line.place());
                break;
            };
            *value = self.value(n, text, line);
        }
        match self.counts {
            Counts::Time => values[0] = values[0].saturating_mul(1000),
            // The second number says whether the thread was idle.
            Counts::Full => {
                values[0] = values[0].saturating_mul(1000);
                values[1] = if values[1] == 0 { values[0] } else { 0 };
            }
            _ => {}
        }
        let may_fall = matches!(self.counts, Counts::Memory | Counts::Full);
        if !may_fall && values.iter().any(|&v| v < 0) {
            self.odd.add("negative count (skipped)", || line.place());
            return;
        }
        let weights: Vec<_> = self.metrics.iter().copied().zip(values).collect();
        let (track, stack) = self.stacks.read(stack, line, &mut self.odd, builder);
        builder.sample(track, stack, &weights);
    }

    fn value(&mut self, n: usize, text: &str, line: Line<'_>) -> i64 {
        if let Ok(value) = text.parse() {
            return value;
        }
        let whole = Decimal::parse(text.as_bytes()).and_then(|d| self.rounding[n].next(d));
        whole.unwrap_or_else(|| {
            self.odd.add("count too large (the largest possible one instead)", || line.place());
            i64::MAX
        })
    }
}
