//! GHC's time and allocation profiles: the text of `+RTS -p` and `-P`.
//!
//! Specification: «Profiling» in GHC's user guide. Kept: the tree of cost centres with own time, own bytes, entries,
//! modules and places. Lost: inherited costs, which are sums. Guessed: nothing; with `-p` the file has shares of a tenth
//! of a percent only, so times and bytes are rounded to that.

use super::super::Gives::{Memory, Tree};
use super::super::read::lines::{Line, for_each_text_line};
use super::super::read::outline::Outline;
use super::super::read::{Oddities, json::Decimal};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, FunctionSpec, Metric, MetricId, ProfileBuilder, TrackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "ghc",
    title: "GHC profile",
    written_by: "GHC (+RTS -p, -P)",
    extensions: &["prof"],
    gives: &[Tree, Memory],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let has = |sign| head.says(sign);
    if has("Time and Allocation Profiling Report") && has("COST CENTRE") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

struct Reader {
    /// 0 before the tree, 1 behind its heading.
    headings: u32,
    /// The tree has exact ticks and bytes.
    exact: bool,
    tick: i64,
    total_time: i64,
    total_bytes: i64,
    track: TrackId,
    metrics: [MetricId; 3],
    outline: Outline,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let b = &mut cx.builder;
    let metrics = [
        Metric::time(),
        Metric::new("alloc", "Allocated", Unit::Bytes),
        Metric::new("entries", "Entries", Unit::Count),
    ];
    let metrics = metrics.map(|m| b.metric(m));
    let track = b.track(TrackSpec { name: "Cost centres", process: "", kind: TrackKind::Profile, sort: 0 });
    let (outline, odd) = (Outline::default(), Oddities::default());
    let mut reader = Reader {
        headings: 0,
        exact: false,
        tick: 1_000_000,
        total_time: 0,
        total_bytes: 0,
        track,
        metrics,
        outline,
        odd,
    };
    for_each_text_line(source, cx, |cx, line| {
        reader.line(line, &mut cx.builder);
        Ok(())
    })?;
    if cx.builder.is_empty() {
        return Err(ImportError::malformed("holds no tree of cost centres"));
    }
    (cx.builder.meta.basis, cx.builder.meta.tool) = (Basis::Sampled, "GHC".into());
    reader.odd.report(&mut cx.builder);
    Ok(())
}

/// The number before `sign`.
fn before<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    text.split_once(sign)?.0.split([' ', '(', '=']).rfind(|w| !w.is_empty())
}

impl Reader {
    fn line(&mut self, line: Line<'_>, b: &mut ProfileBuilder) {
        let text = line.text;
        if text.starts_with("COST CENTRE") {
            self.headings += 1;
            self.exact = text.trim_end().ends_with("bytes");
        } else if self.headings < 2 {
            self.head(text.trim(), b);
        } else if !text.trim().is_empty() && self.row(text, b).is_none() {
            self.odd.add("line that cannot be read (skipped)", || line.place());
        }
    }

    fn head(&mut self, text: &str, b: &mut ProfileBuilder) {
        if text.starts_with("total time") {
            let seconds = before(text, " secs").and_then(|s| Decimal::parse(s.as_bytes())?.scaled(9));
            self.total_time = seconds.unwrap_or(0);
            let micros = before(text, " us").and_then(|t| t.parse::<i64>().ok());
            self.tick = micros.map_or(self.tick, |us| us.saturating_mul(1000));
            b.meta.duration = seconds;
            b.meta.samples = before(text, " ticks").and_then(|n| n.parse().ok());
        } else if text.starts_with("total alloc") {
            self.total_bytes = before(text, " bytes").map_or(0, |t| t.replace(',', "").parse().unwrap_or(0));
        } else if text.contains("+RTS") {
            b.meta.title = text.into();
        }
    }

    fn row(&mut self, text: &str, b: &mut ProfileBuilder) -> Option<()> {
        let depth = text.len() - text.trim_start().len();
        let words: Vec<_> = text.split_whitespace().collect();
        let numbers = if self.exact { 8 } else { 6 };
        let (names, numbers) = words.split_at_checked(words.len().checked_sub(numbers)?)?;
        let [name, module, place @ ..] = names else { return None };
        let entries: i64 = numbers[1].parse().ok()?;
        let share =
            |text: &str, total: i64| Some((text.parse::<f64>().ok()? / 100.0 * total as f64).round() as i64);
        let (time, bytes) = if self.exact {
            (numbers[6].parse::<i64>().ok()?.saturating_mul(self.tick), numbers[7].parse().ok()?)
        } else {
            (share(numbers[2], self.total_time)?, share(numbers[3], self.total_bytes)?)
        };
        let place = place.join(" ");
        let (file, line) = located(&place);
        let function = b.function(FunctionSpec { name, module, file, line, ..FunctionSpec::default() });
        let frame = b.frame(function, 0);
        let stack = self.outline.at(depth, frame, b);
        let weights: Vec<_> = self.metrics.into_iter().zip([time, bytes, entries]).collect();
        b.sample(self.track, Some(stack), &weights);
        Some(())
    }
}

/// `app/Main.hs:6:1-11` or `Lib.hs:(14,1)-(15,41)`.
fn located(place: &str) -> (&str, u32) {
    if place.starts_with('<') {
        return ("", 0);
    }
    let Some((file, rest)) = place.split_once(':') else { return (place, 0) };
    let digits = rest.trim_start_matches('(');
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    (file, digits[..end].parse().unwrap_or(0))
}
