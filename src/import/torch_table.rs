//! Tables that PyTorch's profiler prints: `prof.key_averages().table(…)`, saved or pasted.
//!
//! Reference: `_build_table` of `torch/autograd/profiler_util.py`, PyTorch 1.8 to 2.15. Kept: every column of times, bytes, counts
//! and FLOPs as a metric under torch's name, each row as an operator; shapes and source locations as part of its name. Lost: the columns of
//! percent and of averages, which follow from the others. Guessed: what kind a row is, by its name and by where it has time; numbers are as the table rounds them. Columns
//! of totals hold what an operator called, so their sum counts nested operators more than once, which their names say.

use super::Gives::Tree;
use super::read::Oddities;
use super::read::lines::for_each_text_line;
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, FunctionSpec, Metric, MetricId, ProfileBuilder, TrackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "torch-table",
    title: "PyTorch key_averages table",
    written_by: "print(prof.key_averages().table())",
    extensions: &["txt", "log"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if !head.says("# of Calls") {
        return Confidence::No;
    }
    let text = String::from_utf8_lossy(head.bytes);
    if text.lines().any(|line| columns(line).is_some()) { Confidence::Certain } else { Confidence::No }
}

/// The headings of a table, when the line has them: the name first, and how often an operator was called.
fn columns(line: &str) -> Option<Vec<&str>> {
    let cells = cells(line);
    let is_ours = cells.first() == Some(&"Name")
        && cells.contains(&"# of Calls")
        && cells.iter().any(|c| c.starts_with("Self "));
    is_ours.then_some(cells)
}

/// Cells of a line: two blanks and more stand between them.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// A line of dashes, in as many runs as there are columns.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() > 10 && line.bytes().all(|b| matches!(b, b'-' | b' '))
}

/// What a column is.
enum Column {
    /// Follows from others.
    Left,
    /// The name, or what tells rows of one name apart.
    Name,
    Cost(MetricId, Unit, f64),
}

fn column(heading: &str, b: &mut ProfileBuilder) -> Column {
    match heading {
        "Name" | "Input Shapes" | "Source Location" | "Overload Name" | "Node ID" => return Column::Name,
        "# of Calls" => {
            return Column::Cost(b.metric(Metric::new("calls", "# of Calls", Unit::Count)), Unit::Count, 1.0);
        }
        _ => {}
    }
    // «Total KFLOPs», with the prefix that suits the largest one.
    if let Some(prefix) = heading.strip_prefix("Total ").and_then(|rest| rest.strip_suffix("FLOPs")) {
        let factor = match prefix {
            "" => 1.0,
            "K" => 1e3,
            "M" => 1e6,
            "G" => 1e9,
            "T" => 1e12,
            "P" => 1e15,
            _ => return Column::Left,
        };
        return Column::Cost(b.metric(Metric::new("flops", "FLOPs", Unit::Count)), Unit::Count, factor);
    }
    if heading.ends_with('%') || heading.contains(" avg") {
        return Column::Left;
    }
    let unit = if heading.ends_with(" Mem") { Unit::Bytes } else { Unit::Nanoseconds };
    let own = heading.starts_with("Self ");
    let total = heading.ends_with(" total") || unit == Unit::Bytes && !own;
    if !own && !total {
        return Column::Left;
    }
    let key = match heading {
        "Self CPU" => "time".to_owned(),
        other => other.to_lowercase().replace(' ', "_"),
    };
    let label = if own { heading.to_owned() } else { format!("{heading}, callees included") };
    Column::Cost(b.metric(Metric { overlaps: total, ..Metric::new(&key, &label, unit) }), unit, 1.0)
}

/// `388.679ms`, `1.712s`, `-4.00 KB`, `60` in the unit of its column; `None` for `--`.
fn number(cell: &str, unit: Unit, factor: f64) -> Option<i64> {
    let end = cell.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | 'e')).unwrap_or(cell.len());
    let value: f64 = cell[..end].parse().ok()?;
    let factor = match (unit, cell[end..].trim()) {
        (Unit::Nanoseconds, "s") => 1e9,
        (Unit::Nanoseconds, "ms") => 1e6,
        (Unit::Nanoseconds, "us") => 1e3,
        (Unit::Nanoseconds, "ns") => 1.0,
        (Unit::Bytes, "B" | "b") => 1.0,
        (Unit::Bytes, "KB" | "Kb") => 1024.0,
        (Unit::Bytes, "MB" | "Mb") => 1024.0 * 1024.0,
        (Unit::Bytes, "GB" | "Gb") => 1024.0 * 1024.0 * 1024.0,
        (Unit::Count, "") => factor,
        _ => return None,
    };
    Some((value * factor).round() as i64)
}

struct Reader {
    columns: Vec<Column>,
    track: TrackId,
    rules: u8,
    /// The columns that tell what runs on a device: it has time there and none on the CPU.
    cpu_total: Option<MetricId>,
    self_device: Option<MetricId>,
    /// The CPU's own time, and how much of it the rows have.
    self_cpu: Option<MetricId>,
    own: i64,
    /// The sum that stands below the table.
    stated: Option<i64>,
    /// Whether operators, and whether kernels have time on the device: the one is the other once more.
    timed: [bool; 2],
    odd: Oddities,
}

impl Reader {
    fn row(&mut self, line: &str, place: impl FnOnce() -> String, b: &mut ProfileBuilder) {
        let cells = cells(line);
        if cells.len() != self.columns.len() {
            self.odd.add("row with too many or too few cells (left out)", place);
            return;
        }
        let names: Vec<&str> = self
            .columns
            .iter()
            .zip(&cells)
            .filter_map(|(c, cell)| matches!(c, Column::Name).then_some(*cell))
            .collect();
        if names.first().is_some_and(|name| name.ends_with("...")) {
            self.odd.add("name that was cut when the table was printed (`max_name_column_width`)", place);
        }
        let mut name = names[0].to_owned();
        for more in names[1..].iter().filter(|more| !matches!(**more, "--" | "[]")) {
            name = format!("{name} {more}");
        }
        let weights: Vec<(MetricId, i64)> = self
            .columns
            .iter()
            .zip(&cells)
            .filter_map(|(column, cell)| match column {
                Column::Cost(metric, unit, factor) => Some((*metric, number(cell, *unit, *factor)?)),
                _ => None,
            })
            .collect();
        let value =
            |metric: Option<MetricId>| weights.iter().find(|(m, _)| Some(*m) == metric).map(|(_, v)| *v);
        self.own = self.own.saturating_add(value(self.self_cpu).unwrap_or(0));
        let on_device = value(self.self_device).is_some_and(|v| v > 0) && value(self.cpu_total) == Some(0);
        if value(self.self_device).is_some_and(|v| v > 0) {
            self.timed[usize::from(on_device)] = true;
        }
        let category = category(names[0], on_device);
        let function = b.function(FunctionSpec { category, ..FunctionSpec::named(&name) });
        let frame = b.frame(function, 0);
        let stack = b.stack(None, frame);
        b.sample(self.track, Some(stack), &weights);
    }
}

impl Reader {
    /// A table of the first rows only: without the others every share would be too large.
    fn rest(&self, b: &mut ProfileBuilder) {
        let (Some(metric), Some(stated)) = (self.self_cpu, self.stated) else { return };
        let rest = stated.saturating_sub(self.own);
        // Each row is rounded.
        if rest as f64 > stated as f64 * 0.005 {
            let function =
                b.function(FunctionSpec::named("[rows that were not printed, only their Self CPU is known]"));
            let frame = b.frame(function, 0);
            let stack = b.stack(None, frame);
            b.sample(self.track, Some(stack), &[(metric, rest)]);
        }
    }
}

fn category(name: &str, on_device: bool) -> &'static str {
    if name.starts_with("Memcpy ") {
        "gpu_memcpy"
    } else if name.starts_with("Memset ") {
        "gpu_memset"
    } else if on_device {
        "kernel"
    } else if name.starts_with("aten::") {
        "cpu_op"
    } else if name.starts_with("cuda") || name.starts_with("hip") {
        "cuda_runtime"
    } else if name.starts_with("void ") || name.contains("_kernel") {
        "kernel"
    } else {
        // Ranges that the program marked, autograd's functions: they run on the CPU as operations do.
        "cpu_op"
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader: Option<Reader> = None;
    for_each_text_line(source, cx, |cx, line| {
        let b = &mut cx.builder;
        match &mut reader {
            None => {
                if let Some(headings) = columns(line.text) {
                    let columns: Vec<Column> = headings.iter().map(|heading| column(heading, b)).collect();
                    let metric = |is: &dyn Fn(&str) -> bool| {
                        headings.iter().zip(&columns).find_map(|(heading, column)| match column {
                            Column::Cost(metric, Unit::Nanoseconds, _) if is(heading) => Some(*metric),
                            _ => None,
                        })
                    };
                    let cpu_total = metric(&|h| h == "CPU total");
                    let self_cpu = metric(&|h| h == "Self CPU");
                    let self_device = metric(&|h| h.starts_with("Self ") && h != "Self CPU");
                    let spec =
                        TrackSpec { name: "Operators", process: "", kind: TrackKind::Profile, sort: 0 };
                    let track = b.track(spec);
                    let odd = Oddities::default();
                    reader = Some(Reader {
                        columns,
                        track,
                        rules: 0,
                        cpu_total,
                        self_cpu,
                        own: 0,
                        stated: None,
                        self_device,
                        timed: [false; 2],
                        odd,
                    });
                }
            }
            // The second rule below the headings ends the table; sums and other tables may follow.
            Some(reader) if is_rule(line.text) => reader.rules += 1,
            Some(reader) if reader.rules < 2 && !line.text.trim().is_empty() => {
                reader.row(line.text, || line.place(), b)
            }
            Some(reader) if columns(line.text).is_some() => {
                reader.odd.add("second table (left out)", || line.place())
            }
            Some(reader) => {
                if let Some((what, value)) = line.text.split_once(" time total: ")
                    && let Some(ns) = number(value.trim(), Unit::Nanoseconds, 1.0)
                {
                    if what.trim() == "Self CPU" {
                        reader.stated = Some(ns);
                    }
                    b.meta.result(format!("{} time total", what.trim()), (ns, Unit::Nanoseconds));
                }
            }
        }
        Ok(())
    })?;
    let Some(reader) = reader.filter(|_| !cx.builder.is_empty()) else {
        return Err(ImportError::malformed("holds headings of a PyTorch table and no rows"));
    };
    reader.rest(&mut cx.builder);
    if let (Some(metric), [true, true]) = (reader.self_device, reader.timed) {
        cx.builder.set_overlaps(metric);
    }
    (cx.builder.meta.basis, cx.builder.meta.tool) = (Basis::Aggregated, "PyTorch".into());
    reader.odd.report(&mut cx.builder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::testing::{damage, open_bytes, totals};

    const SAMPLE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/sample_profiles/torch-table/cpu-train.key_averages.txt"
    ));

    #[test]
    fn a_pasted_table_has_torchs_columns() {
        let p = open_bytes(SAMPLE).unwrap();
        assert_eq!(p.meta.format, "torch-table");
        let labels: Vec<&str> = p.metrics.iter().map(|m| m.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "Self CPU",
                "CPU total, callees included",
                "CPU Mem, callees included",
                "Self CPU Mem",
                "# of Calls",
                "FLOPs"
            ]
        );
        assert_eq!(totals(&p)["aten::mm"], (791_316_000, 791_316_000));
        let column = |n: usize, name: &str| {
            let samples = &p.tracks[0].samples;
            let row =
                samples.stacks.iter().position(|s| p.function_name(p.stack_functions(s.unwrap())[0]) == name);
            samples.weights[n].1[row.unwrap()]
        };
        assert_eq!(
            [1, 2, 3, 4, 5].map(|n| column(n, "aten::native_layer_norm_backward")),
            [202_552_000, 130 << 10, -4 << 10, 4, 0]
        );
        assert_eq!(column(5, "aten::mm"), 48_234_496);
        assert_eq!(p.meta.fact("Self CPU time total"), Some(&(1_740_000_000, Unit::Nanoseconds).into()));
        damage(SAMPLE, drop);
    }

    #[test]
    fn a_table_of_the_first_rows_keeps_its_whole() {
        let sample = std::str::from_utf8(SAMPLE).unwrap();
        let text = sample.replace("Self CPU time total: 1.740s", "Self CPU time total: 2.000s");
        assert_ne!(text, sample);
        let (whole, more) = (open_bytes(SAMPLE).unwrap(), open_bytes(text.as_bytes()).unwrap());
        let sum = |p: &crate::model::Profile| totals(p).values().map(|t| t.0).sum::<i64>();
        let rest = totals(&more)["[rows that were not printed, only their Self CPU is known]"].0;
        assert_eq!((sum(&whole) + rest, sum(&more)), (2_000_000_000, 2_000_000_000));
    }

    #[test]
    fn cells_are_numbers_with_units() {
        let ns = |cell| number(cell, Unit::Nanoseconds, 1.0);
        assert_eq!((ns("1.712s"), ns("898.199us"), ns("--")), (Some(1_712_000_000), Some(898_199), None));
        let bytes = |cell| number(cell, Unit::Bytes, 1.0);
        assert_eq!((bytes("-4.00 KB"), bytes("0 B"), bytes("540 B")), (Some(-4096), Some(0), Some(540)));
        assert_eq!(number("2e+400", Unit::Count, 1e15), Some(i64::MAX));
    }
}
