//! The tables of a dataset and their columns. The guide's page on fleets says what each column means; a test holds the two together.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number, signed, 64 bit.
    Int,
    /// A hash, unsigned, 64 bit.
    Id,
    /// A number, 64 bit.
    Float,
    /// Text in UTF-8.
    Text,
    /// Texts by name.
    Labels,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, with the unit at its end where it has one (`_ns`, `_unix_ns`).
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// True when a value may be unknown.
    pub nulls: bool,
}

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
    /// Whether `pack` puts the rows of many runs into one file.
    pub packs: bool,
}

impl Table {
    /// Place of a column.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}

/// Version of the tables, written into each file.
pub const SCHEMA: &str = "1";

macro_rules! columns {
    ($($name:ident: $kind:ident $(($nulls:ident))?),* $(,)?) => {
        &[$(Column { name: stringify!($name), kind: Kind::$kind, nulls: columns!(@ $($nulls)?) }),*]
    };
    (@) => { false };
    (@ null) => { true };
}

/// One row a run. Written last: a run without a row here is not there.
pub static RUNS: Table = Table {
    name: "runs",
    packs: true,
    columns: columns! {
        run_id: Text, job: Text, uri: Text, bytes: Int, modified_unix_ns: Int(null), ingest: Text, format: Text, tool: Text(null),
        title: Text(null), basis: Text, origin_unix_ns: Int(null), duration_ns: Int(null), host: Text(null), rank: Int(null),
        rank_from: Text(null), world_size: Int(null), spans: Int, functions: Int, collectives: Int, warnings: Int,
        spans_kept: Text, labels: Labels,
    },
};

/// One row a function and run.
pub static FUNCTIONS: Table = Table {
    name: "functions",
    packs: true,
    columns: columns! {
        run_id: Text, rank: Int(null), function_id: Id, name: Text, module: Text(null), file: Text(null), category: Text(null),
        metric: Text, unit: Text, calls: Int(null), self_value: Int(null), total_value: Int(null), min_ns: Int(null),
        p50_ns: Int(null), p95_ns: Int(null), max_ns: Int(null),
    },
};

/// The heaviest call paths of a run, with all that lead to them.
pub static PATHS: Table = Table {
    name: "paths",
    packs: true,
    columns: columns! {
        run_id: Text, rank: Int(null), path_id: Id, parent_id: Id(null), depth: Int, function_id: Id, calls: Int(null),
        self_value: Int, total_value: Int,
    },
};

/// One row a step of a loop and run.
pub static STEPS: Table = Table {
    name: "steps",
    packs: true,
    columns: columns! {
        run_id: Text, rank: Int(null), step: Int, start_ns: Int, dur_ns: Int, gpu_busy_ns: Int(null), compute_ns: Int(null),
        comm_ns: Int(null), exposed_comm_ns: Int(null), memcpy_ns: Int(null), gpu_idle_ns: Int(null),
    },
};

/// One row a collective operation and run.
pub static COLLECTIVES: Table = Table {
    name: "collectives",
    packs: true,
    columns: columns! {
        run_id: Text, rank: Int(null), step: Int(null), group_name: Text(null), group_ranks: Text(null), group_size: Int(null),
        seq: Int(null), nth: Int, kind: Text, dtype: Text(null), bytes: Int(null), stream: Text, start_ns: Int, dur_ns: Int,
        function_id: Id,
    },
};

/// One row a request to a model.
pub static REQUESTS: Table = Table {
    name: "requests",
    packs: true,
    columns: columns! {
        run_id: Text, name: Text(null), model: Text(null), provider: Text(null), arrived_ns: Int(null), arrived_unix_ns: Int(null),
        ttft_ns: Int(null), tpot_ns: Float(null), queued_ns: Int(null), latency_ns: Int(null), prompt_tokens: Int(null),
        output_tokens: Int(null), outcome: Text, error: Text(null), labels: Labels,
    },
};

/// One row a counter and run.
pub static COUNTERS: Table = Table {
    name: "counters",
    packs: true,
    columns: columns! {
        run_id: Text, rank: Int(null), name: Text, process: Text(null), unit: Text, points: Int, min: Float, mean: Float, p95: Float,
        max: Float, peak_ns: Int,
    },
};

/// One row a finding and run.
pub static FINDINGS: Table = Table {
    name: "findings",
    packs: true,
    columns: columns! {
        run_id: Text, rank: Int(null), severity: Text, kind: Text, text: Text, concluded: Text, time_ns: Int(null),
    },
};

/// One row a span. Large, so each run keeps a file of its own.
pub static SPANS: Table = Table {
    name: "spans",
    packs: false,
    columns: columns! {
        run_id: Text, rank: Int(null), track: Text, track_kind: Text, start_ns: Int, dur_ns: Int, function_id: Id, depth: Int,
        parent_back: Int(null), step: Int(null),
    },
};

/// All tables; `runs` last, because it says that the others are there.
pub static TABLES: [&Table; 9] =
    [&FUNCTIONS, &PATHS, &STEPS, &COLLECTIVES, &REQUESTS, &COUNTERS, &FINDINGS, &SPANS, &RUNS];

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of a table in the guide, as «name, kind, nulls».
    fn documented(page: &str, table: &str) -> Vec<(String, String, bool)> {
        let part =
            page.split(&format!("### {table}\n")).nth(1).unwrap_or_else(|| panic!("{table} is missing"));
        let part = part.split("\n#").next().unwrap();
        let rows = part.lines().filter(|l| l.starts_with("| `"));
        rows.map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert!(cells.len() == 7 && !cells[5].is_empty(), "{row}");
            (cells[1].trim_matches('`').to_owned(), cells[2].to_owned(), cells[4] != "never")
        })
        .collect()
    }

    #[test]
    fn the_guide_describes_each_column() {
        let page = include_str!("../../assets/guide/fleets.md");
        for table in TABLES {
            let kind = |kind| match kind {
                Kind::Int => "integer",
                Kind::Id => "unsigned",
                Kind::Float => "number",
                Kind::Text => "text",
                Kind::Labels => "map",
            };
            let columns = table.columns.iter().map(|c| (c.name.to_owned(), kind(c.kind).to_owned(), c.nulls));
            assert_eq!(documented(page, table.name), columns.collect::<Vec<_>>(), "{}", table.name);
        }
    }
}
