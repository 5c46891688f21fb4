//! line_profiler's `.lprof`: a pickle of its `LineStats`.
//!
//! Reference: `line_profiler/line_profiler.py` and `_line_profiler.pyx`: `timings` holds (line, hits, time) per (file,
//! first line, function), in units of `unit` seconds. Kept: everything. Lost: nothing; the text of the lines is not in
//! the file. A line's time contains the functions that it calls, so times of functions may contain each other.

use super::Gives::Graph;
use super::python::module_of;
use super::read::pickle::{Pickle, Value, looks_like_pickle};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "line_profiler",
    title: "line_profiler",
    written_by: "kernprof -l, line_profiler",
    extensions: &["lprof"],
    gives: &[Graph],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let has = |sign| head.says(sign);
    if looks_like_pickle(head.bytes) && has("line_profiler") && has("LineStats") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let pickle = Pickle::read(&bytes)?;
    let timings = pickle.get(pickle.root(), "timings").map(|t| pickle.entries(t)).unwrap_or_default();
    if timings.is_empty() {
        return Err(ImportError::malformed("holds no timings"));
    }
    let unit = match pickle.get(pickle.root(), "unit") {
        Some(Value::Float(unit)) if unit > 0.0 => unit,
        _ => 1e-6,
    };
    let b = &mut cx.builder;
    b.meta.basis = Basis::Aggregated;
    b.meta.tool = "line_profiler".into();
    b.meta.setting("Times", "of a line contain the functions that it calls");
    let (time, hits) = (b.metric(Metric::time()), b.metric(Metric::new("hits", "Hits", Unit::Count)));
    let track = b.track(TrackSpec { name: "Lines", process: "", kind: TrackKind::Profile, sort: 0 });
    for (key, lines) in timings {
        let [file, first, name] = *pickle.items(*key) else {
            b.warn("function that is not named as expected (skipped)", "");
            continue;
        };
        let (file, name) = (pickle.text(file), pickle.text(name));
        let module = module_of(&file);
        let line = if let Value::Int(n) = first { u32::try_from(n).unwrap_or(0) } else { 0 };
        let spec =
            FunctionSpec { name: &name, module: &module, file: &file, line, ..FunctionSpec::default() };
        let function = b.function(spec);
        for row in pickle.items(*lines) {
            let [Value::Int(line), Value::Int(count), Value::Int(ticks)] = *pickle.items(*row) else {
                b.warn("line that is not counted as expected (skipped)", &name);
                continue;
            };
            let frame = b.frame(function, u32::try_from(line).unwrap_or(0));
            let stack = b.stack(None, frame);
            let nanos = (ticks as f64 * unit * 1e9).round() as i64;
            b.sample(track, Some(stack), &[(time, nanos), (hits, count)]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    const SAMPLE: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/line_profiler/work.lprof"));

    /// What `python -m line_profiler` prints.
    #[test]
    fn times_are_those_of_line_profiler() {
        let p = open_bytes(SAMPLE).unwrap();
        let totals = totals(&p);
        let micros = |name: &str| (totals[name].1 as f64 / 100.0).round() / 10.0;
        assert_eq!((micros("inner"), micros("outer")), (11_703.2, 13_807.8));
        let hits: i64 = p.tracks[0].samples.weights[1].1.iter().sum();
        assert_eq!(hits, 200 + 20_100 + 19_900 + 200 + 1 + 201 + 200 + 1);
        damage(SAMPLE, drop);
    }
}
