//! VTune: the hotspots report in CSV with a stack per row by indentation.
//!
//! Reference: `vtune -report top-down -call-stack-mode all -column="CPU Time:Self","Module" -format csv`, and inferno's
//! `collapse/vtune.rs`. Kept: the tree, own CPU time, modules. Lost: other columns. Guessed: nothing.

use super::super::Gives::Tree;
use super::super::read::lines::{Line, for_each_text_line};
use super::super::read::outline::Outline;
use super::super::read::{Oddities, csv, json::Decimal};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, MetricId, ProfileBuilder, TrackId, TrackKind, TrackSpec};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "vtune",
    title: "VTune CSV",
    written_by: "vtune -report top-down -format csv",
    extensions: &["csv"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.starts_with(b"Function Stack,CPU Time") { Confidence::Certain } else { Confidence::No }
}

struct Reader {
    own: usize,
    module: Option<usize>,
    track: TrackId,
    metric: MetricId,
    outline: Outline,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let metric = cx.builder.metric(Metric::new("time", "CPU time", crate::model::Unit::Nanoseconds));
    let spec = TrackSpec { name: "Call tree", process: "", kind: TrackKind::Profile, sort: 0 };
    let track = cx.builder.track(spec);
    let (outline, odd) = (Outline::default(), Oddities::default());
    let mut reader = Reader { own: 1, module: None, track, metric, outline, odd };
    for_each_text_line(source, cx, |cx, line| {
        if line.number == 1 {
            let columns = csv::fields(line.text, ',');
            let find = |name: &str| columns.iter().position(|c| c.trim() == name);
            reader.own = find("CPU Time:Self").or(find("CPU Time")).unwrap_or(1);
            reader.module = find("Module");
        } else if !line.text.trim().is_empty() && reader.row(line, &mut cx.builder).is_none() {
            reader.odd.add("row without a stack and a time (skipped)", || line.place());
        }
        Ok(())
    })?;
    if cx.builder.is_empty() {
        return Err(ImportError::malformed("holds no rows"));
    }
    cx.builder.meta.basis = Basis::Sampled;
    cx.builder.meta.tool = "VTune".into();
    reader.odd.report(&mut cx.builder);
    Ok(())
}

impl Reader {
    fn row(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) -> Option<()> {
        // Indentation stands before the quotes.
        let content = line.text.trim_start_matches(' ');
        let outer = line.text.len() - content.len();
        let fields = csv::fields(content, ',');
        let name = fields.first()?;
        let depth = outer + name.len() - name.trim_start().len();
        let own = fields.get(self.own)?.trim();
        let own = Decimal::parse(own.trim_end_matches('s').as_bytes())?.scaled(9)?;
        let module = self.module.and_then(|m| fields.get(m)).map_or("", |m| m.trim());
        let module = if module == "[Unknown]" { "" } else { module };
        // The first row is the sum.
        if name.trim() == "Total" && depth == 0 {
            return Some(());
        }
        let function =
            builder.function(FunctionSpec { name: name.trim(), module, ..FunctionSpec::default() });
        let frame = builder.frame(function, 0);
        let stack = self.outline.at(depth, frame, builder);
        builder.sample(self.track, Some(stack), &[(self.metric, own)]);
        Some(())
    }
}
