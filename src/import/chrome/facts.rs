//! What stands beside the events: who wrote the trace, when and on what.

use serde_json::Value;

use super::times::Times;
use super::tracks::Tracks;
use crate::model::{Basis, Fact, FactKind, ProfileBuilder};

/// Keys whose values are read. All others are skipped, whatever their size.
pub(super) fn is_read(key: &[u8]) -> bool {
    matches!(
        key,
        b"schemaVersion"
            | b"with_stack"
            | b"deviceProperties"
            | b"computeProperties"
            | b"distributedInfo"
            | b"traceName"
            | b"host_name"
            | b"baseTimeNanoseconds"
            | b"viztracer_metadata"
            | b"metadata"
            | b"otherData"
    )
}

/// Facts collected on the way.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Written by the profiler of PyTorch.
    pub kineto: bool,
    /// Has Python's frames beside the operations of PyTorch.
    pub with_stack: bool,
    /// Has events as viztracer writes them.
    pub python_calls: bool,
    /// Has source places as the Rust crate tracing-chrome writes them.
    pub tracing_chrome: bool,
    /// Has events of py-spy.
    pub py_spy: bool,
    /// What is known about the times.
    pub times: Times,
    viztracer: Option<String>,
    /// Where inferscope wrote the file: what made the profile, and its basis.
    own: Option<(String, Option<Basis>)>,
    overflow: bool,
    base: Option<i64>,
    title: String,
    chrome: Option<String>,
    rows: Vec<Fact>,
    machine: Vec<Fact>,
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(s) if !s.is_empty() => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

impl Facts {
    /// Takes in a value for which [`is_read`] holds.
    pub fn take(&mut self, key: &[u8], value: &Value) {
        match key {
            b"schemaVersion" => self.kineto = true,
            b"with_stack" => self.with_stack = value.as_i64().is_some_and(|n| n != 0),
            b"deviceProperties" | b"computeProperties" => {
                self.kineto = true;
                value.as_array().into_iter().flatten().for_each(|d| self.device(d));
            }
            b"distributedInfo" => {
                for (key, label) in [("rank", "Rank"), ("world_size", "World size"), ("backend", "Backend")] {
                    self.row(FactKind::Setting, label, &value[key]);
                }
            }
            b"traceName" => self.title = shown(value).unwrap_or_default(),
            b"host_name" => self.row(FactKind::Machine, "Host", value),
            b"baseTimeNanoseconds" => self.base = value.as_i64(),
            b"viztracer_metadata" => {
                self.viztracer = Some(shown(&value["version"]).unwrap_or_default());
                self.overflow = value["overflow"] == true;
                self.base = value["baseTimeNanoseconds"].as_i64().or(self.base);
            }
            _ => self.chrome(value),
        }
    }

    /// What the spans were made of, where inferscope wrote the file.
    pub fn basis(&self) -> Option<Basis> {
        self.own.as_ref().and_then(|(_, basis)| basis.clone())
    }

    /// Metadata as Chrome writes it, or inferscope.
    fn chrome(&mut self, value: &Value) {
        if let Some(writer) = shown(&value["writer"]).filter(|w| w.starts_with("inferscope ")) {
            let tool = shown(&value["tool"]).unwrap_or(writer);
            let text = |key: &str| shown(&value[key]).unwrap_or_default();
            self.own = Some((tool, Basis::of_key(&text("basis"), &text("why"))));
            self.title = shown(&value["title"]).unwrap_or_default();
            return;
        }
        let product = shown(&value["product-version"]).or_else(|| shown(&value["version"]));
        if let Some(product) = product.filter(|p| p.contains("Chrom")) {
            self.chrome = Some(product);
        } else if value["source"] == "DevTools" {
            self.chrome = Some("Chrome DevTools".into());
        }
        self.row(FactKind::Input, "Command", &value["command_line"]);
        self.row(FactKind::Result, "Recorded", &value["trace-capture-datetime"]);
        for (key, label) in [("cpu-brand", "CPU"), ("os-name", "System"), ("gpu-gl-renderer", "GPU")] {
            if let Some(text) = shown(&value[key]) {
                self.machine.push(Fact::new(FactKind::Machine, label, text));
            }
        }
    }

    fn row(&mut self, kind: FactKind, label: &str, value: &Value) {
        if let Some(text) = shown(value) {
            self.rows.push(Fact::new(kind, label, text));
        }
    }

    fn device(&mut self, device: &Value) {
        let Some(name) = shown(&device["name"]) else { return };
        let mut text = name;
        if let Some(bytes) = device["totalGlobalMem"].as_u64() {
            text = format!("{text}, {:.1} GB", bytes as f64 / 1e9);
        }
        let part = |a: &str, b: &str| device[a].as_u64().or_else(|| device[b].as_u64());
        if let (Some(major), Some(minor)) = (part("computeMajor", "major"), part("computeMinor", "minor")) {
            text = format!("{text}, compute capability {major}.{minor}");
        }
        let label = device["id"].as_u64().map_or_else(|| "GPU".into(), |id| format!("GPU {id}"));
        self.machine.push(Fact::new(FactKind::Machine, label, text));
    }

    /// Fills in the profile's own description.
    pub fn apply(self, b: &mut ProfileBuilder, tracks: &Tracks) {
        b.meta.tool = if let Some((tool, _)) = self.own {
            tool
        } else if let Some(version) = &self.viztracer {
            format!("viztracer {version}").trim_end().into()
        } else if self.kineto {
            "PyTorch Kineto".into()
        } else if let Some(chrome) = self.chrome {
            chrome
        } else if self.python_calls {
            "viztracer".into()
        } else if self.tracing_chrome {
            "tracing-chrome".into()
        } else if self.py_spy {
            "py-spy".into()
        } else if tracks.has_thread("CrBrowserMain") || tracks.has_thread("CrRendererMain") {
            "Chrome".into()
        } else {
            String::new()
        };
        // Older files of PyTorch count microseconds since 1970.
        let since_1970 = self.kineto && self.times.latest().is_some_and(|ns| ns > 1_000_000_000_000_000_000);
        b.meta.origin_unix_ns = self.base.or(since_1970.then_some(0));
        b.meta.title = self.title;
        if let Some(process) = tracks.only_process() {
            b.meta.result("Process", process);
        }
        b.meta.facts.extend(self.rows);
        b.meta.machine.extend(self.machine);
        b.rebase = true;
        if self.overflow {
            b.warn("viztracer's buffer was full: the oldest calls are missing", "");
        }
    }
}
