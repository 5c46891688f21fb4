//! Instruments: a call tree that was copied («Deep Copy») from Xcode's profiler.
//!
//! Reference: what Instruments 7 to 16 copies, and speedscope's `instruments.ts`. Kept: names and the tree; own time,
//! bytes or counts as printed. Lost: libraries and threads, which are not in the text. Guessed: that `K` is 1024.

use super::super::Gives::Tree;
use super::super::read::lines::{Line, for_each_text_line};
use super::super::read::outline::Outline;
use super::super::read::{Oddities, json::Decimal};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, FunctionSpec, Metric, MetricId, ProfileBuilder, TrackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "instruments",
    title: "Instruments call tree",
    written_by: "Xcode Instruments (Deep Copy)",
    extensions: &["txt"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let first = head.bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    let names = first.contains("\tSymbol Name");
    let own = first.contains("Self Weight") || first.contains("\tSelf ") || first.contains("# Self");
    if names && own { Confidence::Certain } else { Confidence::No }
}

struct Reader {
    /// Column of own costs, and their unit where the heading says it.
    own: usize,
    unit: &'static str,
    track: TrackId,
    metric: Option<MetricId>,
    outline: Outline,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let spec = TrackSpec { name: "Call tree", process: "", kind: TrackKind::Profile, sort: 0 };
    let track = cx.builder.track(spec);
    let (outline, odd) = (Outline::default(), Oddities::default());
    let mut reader = Reader { own: 1, unit: "", track, metric: None, outline, odd };
    for_each_text_line(source, cx, |cx, line| {
        if line.number == 1 {
            let columns: Vec<_> = line.text.split('\t').collect();
            reader.own = columns.iter().position(|c| c.contains("Self")).unwrap_or(1);
            reader.unit = match columns[reader.own].trim() {
                "Self (ms)" => "ms",
                "Self (s)" => "s",
                _ => "",
            };
        } else if !line.text.trim().is_empty() && reader.row(line, &mut cx.builder).is_none() {
            reader.odd.add("line that cannot be read (skipped)", || line.place());
        }
        Ok(())
    })?;
    if cx.builder.is_empty() {
        return Err(ImportError::malformed("holds no rows"));
    }
    cx.builder.meta.basis = Basis::Sampled;
    cx.builder.meta.tool = "Instruments".into();
    reader.odd.report(&mut cx.builder);
    Ok(())
}

impl Reader {
    fn row(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) -> Option<()> {
        let columns: Vec<_> = line.text.split('\t').collect();
        let name = *columns.last()?;
        let content = name.trim_start();
        let depth = name.len() - content.len();
        let (value, unit) = cost(columns.get(self.own)?, self.unit)?;
        let metric = *self.metric.get_or_insert_with(|| {
            builder.metric(match unit {
                Unit::Nanoseconds => Metric::time(),
                Unit::Bytes => Metric::new("bytes", "Bytes", Unit::Bytes),
                _ => Metric::new("count", "Count", Unit::Count),
            })
        });
        let function = builder.function(FunctionSpec::named(content.trim_end()));
        let frame = builder.frame(function, 0);
        let stack = self.outline.at(depth, frame, builder);
        builder.sample(self.track, Some(stack), &[(metric, value)]);
        Some(())
    }
}

/// `846.00 ms`, `0 s`, `1.5 KB`, or a number in the unit of the heading.
fn cost(text: &str, heading: &str) -> Option<(i64, Unit)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number = Decimal::parse(&text.as_bytes()[..end])?;
    let unit = match text[end..].split_whitespace().next().unwrap_or("") {
        "" => heading,
        unit => unit,
    };
    let bytes =
        |power: u32| Some(((number.to_f64() * 1024f64.powi(power as i32)).round() as i64, Unit::Bytes));
    match unit.to_lowercase().as_str() {
        "s" => Some((number.scaled(9)?, Unit::Nanoseconds)),
        "min" => Some((number.scaled(9)?.checked_mul(60)?, Unit::Nanoseconds)),
        "ms" => Some((number.scaled(6)?, Unit::Nanoseconds)),
        "µs" | "μs" | "us" => Some((number.scaled(3)?, Unit::Nanoseconds)),
        "ns" => Some((number.scaled(0)?, Unit::Nanoseconds)),
        "b" | "bytes" => bytes(0),
        "kb" | "kib" => bytes(1),
        "mb" | "mib" => bytes(2),
        "gb" | "gib" => bytes(3),
        _ => Some((number.scaled(0)?, Unit::Count)),
    }
}
