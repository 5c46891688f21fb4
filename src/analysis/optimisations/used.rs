//! What a run itself shows of each lever.

use super::Said;
use crate::analysis::asked::Asked;
use crate::analysis::billing::Bill;
use crate::analysis::caches::{CacheFigures, CacheKind, Caches};
use crate::analysis::compute::{Explain, Explained, Given};
use crate::analysis::gpu::{GpuBusy, gpu_busy};
use crate::analysis::kernels::{GpuWorkTable, WorkClass};
use crate::analysis::levers::Lever;
use crate::analysis::overview::{Distribution, RequestFigures, Summary};
use crate::analysis::prices::{Prices, is_local};
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Fact, FactValue, Outcome, Profile, Request, WEIGHT_FORMATS};
use crate::query::Context;
use std::sync::Arc;

/// Bytes of a parameter from which on weights have the width that models are trained with.
const FULL_WIDTH: f64 = 1.9;

/// What is known of a run.
pub(super) struct Seen<'a> {
    profile: &'a Profile,
    limits: Arc<Explained>,
    gpus: Vec<GpuBusy>,
    /// Kernels that GPUs talk with.
    talks: u64,
    figures: Option<RequestFigures>,
    caches: Arc<Vec<CacheFigures>>,
    /// All models run at providers.
    hosted: bool,
}

impl<'a> Seen<'a> {
    pub fn of(cx: &Context<'a>, prices: &Prices) -> Result<Self, Cancelled> {
        let profile: &Profile = cx.profile();
        let asked = Asked::all(prices);
        let limits = cx.get(&Explain { asked: asked.clone(), given: Given::default() })?;
        let summary = cx.get(&Summary { prices: prices.clone(), ..Summary::default() })?;
        let rows = &profile.requests.rows;
        let provider = |r: &Request| profile.text(r.provider);
        let gpus = gpu_busy(profile, None);
        let own = !gpus.is_empty() || limits.given.parameters.is_some();
        let bill = cx.get(&Bill { prices: prices.clone() })?;
        // Where nobody names the provider, a model with a list price is one of a provider.
        let away = |(i, r): (usize, &Request)| match provider(r) {
            "" => bill.charges.get(i).is_some_and(|c| c.resolved.is_some()),
            name => !is_local(name),
        };
        Ok(Self {
            hosted: !own && !rows.is_empty() && rows.iter().enumerate().all(away),
            talks: cx.get(&GpuWorkTable(None))?.of(WorkClass::Communication).1,
            caches: cx.get(&Caches { asked })?,
            figures: summary.requests.clone(),
            limits,
            gpus,
            profile,
        })
    }

    /// What it shows of a lever.
    pub fn said(&self, lever: Lever) -> Said {
        let of_model = !matches!(lever, Lever::Requests | Lever::Caching | Lever::Streaming);
        if of_model && self.hosted {
            return Said::Never("The models run at their providers, who decide this".into());
        }
        if !of_model && self.figures.is_none() {
            return Said::Never("The run holds no requests to a model".into());
        }
        match lever {
            Lever::Quantization => self.quantization(),
            Lever::Batching => self.batching(),
            Lever::Pruning => self.pruning(),
            Lever::Hardware => self.hardware(),
            Lever::Distribution => self.distribution(),
            Lever::Memory => self.memory(),
            Lever::Requests => self.requests(),
            Lever::Caching => self.caching(),
            Lever::Streaming => self.streaming(),
        }
    }

    /// A setting of the run that is said to do more than nothing.
    fn setting(&self, lever: Lever) -> Option<(&'a Fact, f64)> {
        let facts = self.profile.meta.facts.iter().filter(|f| Lever::of_setting(&f.name) == Some(lever));
        facts.filter_map(|fact| Some((fact, number(&fact.value)?))).find(|(_, n)| *n > 1.0)
    }

    fn quantization(&self) -> Said {
        let formats = self.profile.meta.tables.iter().find(|t| t.title == WEIGHT_FORMATS);
        if let Some(table) = formats.filter(|t| t.rows.len() > 1) {
            let decode = table.columns.iter().position(|c| c == "Decode");
            let each = table.rows.iter().filter_map(|row| {
                let speed = decode.and_then(|i| row.get(i)).map_or("", String::as_str);
                Some(format!("{} {speed}", row.first()?).trim_end().to_owned())
            });
            return Said::Used(format!("Compared in this run: {}", each.collect::<Vec<_>>().join(", ")));
        }
        match (self.limits.bytes_per_parameter, self.limits.stored_as()) {
            (Ok(bytes), Ok(name)) => {
                let text = format!(
                    "The weights are stored as {name}: {} bytes per parameter",
                    format::number(bytes)
                );
                if bytes < FULL_WIDTH { Said::Used(text) } else { Said::Open(text) }
            }
            (Err(why), _) | (_, Err(why)) => Said::Open(format!("How the weights are stored: {why}")),
        }
    }

    fn batching(&self) -> Said {
        let mut sizes = rustc_hash::FxHashMap::<u64, usize>::default();
        let batches = self.profile.requests.rows.iter().filter_map(|r| r.batch);
        batches.for_each(|batch| *sizes.entry(batch).or_default() += 1);
        let all: usize = sizes.values().sum();
        let text = format!(
            "{} were generated in {}",
            format::counted(all as i64, "request", "requests"),
            format::counted(sizes.len() as i64, "batch", "batches")
        );
        match (all > sizes.len(), all, self.setting(Lever::Batching)) {
            (true, ..) => Said::Used(text),
            (_, 1.., _) => Said::Open(format!("{text}, each alone")),
            (_, _, Some((fact, _))) => Said::Used(stated(fact)),
            _ if self.figures.is_none() => {
                Said::Open("The run does not say how large its batches are".into())
            }
            _ => Said::Open("No request says in which batch it was generated".into()),
        }
    }

    fn pruning(&self) -> Said {
        let facts = &self.profile.meta.facts;
        match facts.iter().find(|f| Lever::of_setting(&f.name) == Some(Lever::Pruning)) {
            Some(fact) => Said::Used(stated(fact)),
            None => Said::Open("The run does not say whether weights were left out".into()),
        }
    }

    fn hardware(&self) -> Said {
        if let Some(gpu) = self.gpus.iter().max_by_key(|g| g.busy) {
            let whole = gpu.busy.saturating_add(gpu.idle).max(1);
            let share = format::percent(gpu.busy as f64 / whole as f64);
            return Said::Used(format!("{} worked {share} of the run", gpu.name));
        }
        if let (Ok((busy, whole)), true) = (self.limits.busy, self.profile.meta.format == "torch-table") {
            let share = format::percent(busy as f64 / whole.max(1) as f64);
            return Said::Used(format!("A device worked {share} of the time on the CPU"));
        }
        match self.profile.meta.fact("Computed on").map(format::fact) {
            Some(on) if !on.to_lowercase().contains("cpu") => Said::Used(format!("Computed on {on}")),
            Some(on) => Said::Open(format!("Computed on {on}")),
            None => Said::Open("The run does not say what the model ran on".into()),
        }
    }

    fn distribution(&self) -> Said {
        match (&self.gpus[..], self.talks, self.setting(Lever::Distribution)) {
            ([_, _, ..], talks, _) => {
                let gpus = format::counted(self.gpus.len() as i64, "GPU", "GPUs");
                let talks = match talks {
                    0 => String::new(),
                    n => {
                        format!(", {} between devices", format::counted(n as i64, "transfer", "transfers"))
                    }
                };
                Said::Used(format!("{gpus} worked{talks}"))
            }
            (_, 1.., _) => Said::Used("Kernels exchanged data between devices".into()),
            (_, _, Some((fact, _))) => Said::Used(stated(fact)),
            ([_], ..) => Said::Open("One GPU worked".into()),
            _ => Said::Open("The run names one place of work only".into()),
        }
    }

    fn memory(&self) -> Said {
        if let Some(fact) = self.profile.meta.facts.iter().find(|f| {
            f.kind == crate::model::FactKind::Setting && Lever::of_setting(&f.name) == Some(Lever::Memory)
        }) {
            return Said::Used(stated(fact));
        }
        if let Some(kv) = self.caches.iter().find(|c| c.kind == CacheKind::Kv && c.hits > 0) {
            let rate = kv.hit_rate.map_or_else(|| format::UNKNOWN.to_owned(), format::percent);
            return Said::Used(format!("The server found {rate} of the input tokens in its KV cache"));
        }
        if self.limits.upload.is_some_and(|u| !u.pageable) {
            return Said::Used("Copies to the device come from pinned memory".into());
        }
        match self.limits.kv_most {
            Ok(bytes) => {
                let most = format::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
                Said::Open(format!("The KV cache of a request holds at most {most}"))
            }
            Err(_) => Said::Open("The run does not say how memory was shared out".into()),
        }
    }

    fn requests(&self) -> Said {
        match self.figures.as_ref().and_then(|f| f.peak_concurrency).unwrap_or(0) {
            n @ 2.. => Said::Used(format!("Up to {n} requests were in flight")),
            1 => Said::Open("One request was in flight at a time".into()),
            _ => Said::Open("No request says when it began".into()),
        }
    }

    fn caching(&self) -> Said {
        let asked = self.caches.iter().filter(|c| c.hits > 0 || c.kind == CacheKind::Answers);
        let each = asked.map(|c| {
            let rate = c.hit_rate.map_or_else(|| format::UNKNOWN.to_owned(), format::percent);
            match c.kind {
                CacheKind::Answers => format!("{rate} of the look-ups found an answer"),
                CacheKind::Prompt => {
                    format!("{rate} of the input tokens were read from the provider's cache")
                }
                CacheKind::Kv => format!("{rate} of the input tokens were found in the server's KV cache"),
            }
        });
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            false => Said::Used(each.join("; ")),
            true if self.caches.is_empty() => Said::Open("No request says anything of a cache".into()),
            true => Said::Open("Caches were asked and had nothing".into()),
        }
    }

    fn streaming(&self) -> Said {
        let done = || self.profile.requests.rows.iter().filter(|r| r.outcome == Outcome::Ok);
        let streamed =
            |r: &&Request| r.chunks.is_some() || r.began().zip(r.finished).is_some_and(|(a, b)| a < b);
        let n = done().filter(streamed).count();
        if n == 0 {
            return Said::Open(
                "No request says when its first token came: not streamed, or not recorded".into(),
            );
        }
        let median = |of: fn(&Request) -> Option<i64>| {
            let values = done().filter(streamed).filter_map(|r| Some(of(r)? as f64)).collect();
            Distribution::of(values)
                .map_or_else(|| format::UNKNOWN.to_owned(), |d| format::duration(d.p50.round() as i64))
        };
        Said::Used(format!(
            "{} of {} answers were streamed: first token after {}, all after {} (medians)",
            format::count(n as i64),
            format::count(done().count() as i64),
            median(Request::ttft),
            median(Request::latency)
        ))
    }
}

fn number(value: &FactValue) -> Option<f64> {
    match value {
        FactValue::Number(n, _) => Some(*n as f64),
        FactValue::Text(text) => text.trim().parse().ok(),
    }
}

fn stated(fact: &Fact) -> String {
    format!("{}: {}", fact.name, format::fact(&fact.value))
}
