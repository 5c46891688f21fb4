//! What the clients measured, as facts of the recording: caches, generations, and the load sweep.

use std::time::{Duration, Instant};

use super::shared::{Counts, Measured, Service};
use crate::format;
use crate::model::{FactKind, Severity};
use crate::record::{Context, finding};

/// What a good request is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slo {
    pub(super) ttft_ms: f64,
    pub(super) tpot_ms: f64,
}

impl Slo {
    fn is_met(self, m: &Measured) -> bool {
        let ms = |d: Duration| d.as_secs_f64() * 1000.0;
        m.ok && ms(m.ttft) <= self.ttft_ms && m.tpot.is_none_or(|t| ms(t) <= self.tpot_ms)
    }
}

/// Results of the run so far.
pub(super) struct Results {
    slo: Slo,
    began: Instant,
    before: Counts,
    /// All requests that might have come from a cache.
    measured: Vec<Measured>,
    /// Clients and requests per second of each load.
    loads: Vec<(usize, f64)>,
}

fn text(d: Duration) -> String {
    format::duration(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}

fn mean(times: impl Iterator<Item = Duration>) -> Option<Duration> {
    let (sum, n) = times.fold((Duration::ZERO, 0u32), |(sum, n), t| (sum + t, n + 1));
    (n > 0).then(|| sum / n)
}

/// The value below which the share `q` lies (nearest rank).
fn quantile(times: &mut [Duration], q: f64) -> Option<Duration> {
    times.sort_unstable();
    let rank = (q * times.len() as f64).ceil() as usize;
    times.get(rank.saturating_sub(1)).copied()
}

fn or_unknown(time: Option<Duration>) -> String {
    time.map_or_else(|| format::UNKNOWN.to_owned(), text)
}

impl Results {
    pub(super) fn new(slo: Slo) -> Self {
        let before = Counts::default();
        Self { slo, began: Instant::now(), before, measured: Vec::new(), loads: Vec::new() }
    }

    pub(super) fn begin(&mut self, service: &Service) {
        (self.began, self.before) = (Instant::now(), service.counts());
    }

    /// Requests that the caches might have answered are done.
    pub(super) fn end(&mut self, name: &str, service: &Service, measured: Vec<Measured>, cx: &Context) {
        let made = service.counts().generations - self.before.generations;
        cx.fact(
            FactKind::Result,
            &format!("Generations, {name}"),
            format!("{made} for {} requests", measured.len()),
        );
        let answered = measured.iter().filter(|m| m.ok && !m.hit).count();
        let failed = measured.iter().filter(|m| !m.ok).count();
        if made > answered + failed {
            let text = format!(
                "{made} generations for {answered} answers that no cache had ({name}): a request that does not \
                 fill the batch is generated alone, stays in the queue, and is generated again with the batch."
            );
            finding("Work that is done twice", Severity::Error, &text, None);
        }
        self.measured.extend(measured);
    }

    /// A load of the sweep is done.
    pub(super) fn load(&mut self, clients: usize, measured: &[Measured], cx: &Context) {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-9);
        let done: Vec<&Measured> = measured.iter().filter(|m| m.ok).collect();
        let rate = done.len() as f64 / seconds;
        let tokens = done.iter().map(|m| m.tokens).sum::<usize>() as f64 / seconds;
        let good = measured.iter().filter(|m| self.slo.is_met(m)).count();
        let mut ttft: Vec<Duration> = done.iter().map(|m| m.ttft).collect();
        let mut tpot: Vec<Duration> = done.iter().filter_map(|m| m.tpot).collect();
        cx.fact(
            FactKind::Result, &format!("Load of {clients}"),
            format!(
                "{rate:.1} requests/s, {tokens:.0} tokens/s, TTFT p50 {} p95 {}, TPOT p50 {}, goodput {:.1}/s ({})",
                or_unknown(quantile(&mut ttft, 0.5)),
                or_unknown(quantile(&mut ttft, 0.95)),
                or_unknown(quantile(&mut tpot, 0.5)),
                good as f64 / seconds,
                format::percent(good as f64 / measured.len().max(1) as f64),
            ),
        );
        self.loads.push((clients, rate));
    }

    /// Facts of the whole run.
    pub(super) fn report(&self, service: &Service, cx: &Context, complete: bool) {
        let counts = service.counts();
        cx.fact(FactKind::Result, "Wrong receivers", counts.wrong);
        cx.fact(FactKind::Result, "Failed requests", counts.failed);
        if let Some(rate) = counts.hit_rate() {
            cx.fact(FactKind::Result, "Cache hit rate", format::percent(rate));
            let Counts { exact, semantic, misses, .. } = counts;
            cx.fact(
                FactKind::Result,
                "Cache",
                format!("{exact} exact, {semantic} semantic, {misses} missed"),
            );
        }
        savings(service, cx);
        if counts.semantic > 0 {
            cx.fact(
                FactKind::Result,
                "False semantic hits",
                format!("{} of {}", counts.false_hits, counts.semantic),
            );
        }
        let latency =
            |hit: bool| mean(self.measured.iter().filter(|m| m.ok && m.hit == hit).map(|m| m.latency));
        cx.fact(FactKind::Result, "Latency of a hit", or_unknown(latency(true)));
        cx.fact(FactKind::Result, "Latency of a miss", or_unknown(latency(false)));
        if let (Some(hit), Some(miss)) = (latency(true), latency(false)) {
            let share = 1.0 - hit.as_secs_f64() / miss.as_secs_f64().max(1e-9);
            cx.fact(FactKind::Result, "Latency saved by a hit", format::percent(share));
        }
        if counts.batches > 0 {
            let size = counts.batched as f64 / counts.batches as f64;
            cx.fact(
                FactKind::Result,
                "Batches",
                format!("{} of {size:.1} requests on average", counts.batches),
            );
        }
        cx.fact(
            FactKind::Setting,
            "SLO",
            format!("TTFT {} ms, TPOT {} ms", self.slo.ttft_ms, self.slo.tpot_ms),
        );
        if complete {
            self.knee();
        }
    }

    /// Where more clients stop to bring more.
    fn knee(&self) {
        let knee = self.loads.windows(2).find(|w| w[1].0 > w[0].0 && w[1].1 < w[0].1 * 1.1);
        if let Some(&[(clients, rate), (more, then)]) = knee {
            let text = format!(
                "{clients} clients get {rate:.1} requests/s; {more} get {then:.1}, so what they add is waiting."
            );
            finding("Throughput stops growing", Severity::Info, &text, None);
        }
    }
}

/// What hits saved: the tokens that their answers took when they were generated, and their price.
fn savings(service: &Service, cx: &Context) {
    let (spent, saved) = service.tokens();
    if service.counts().asked() == 0 {
        return;
    }
    let count = |n: u64| format::count(i64::try_from(n).unwrap_or(i64::MAX));
    let share = |part: f64, rest: f64| format::percent(part / (part + rest).max(f64::MIN_POSITIVE));
    let of_all = share(saved.sum() as f64, spent.sum() as f64);
    cx.fact(
        FactKind::Result,
        "Tokens saved by hits",
        format!(
            "{} ({} of prompts, {} of answers), {of_all} of what all requests would have taken",
            count(saved.sum()),
            count(saved.prompt),
            count(saved.output),
        ),
    );
    if let Some(price) = service.config.price {
        let (saved, spent) = (price.of(saved), price.of(spent));
        let of_all = share(saved.to_f64(), spent.to_f64());
        cx.fact(FactKind::Result, "Cost saved by hits", format!("{}, {of_all}", format::money(saved)));
        cx.fact(FactKind::Result, "Cost of generations", format::money(spent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_request_keeps_both_limits_and_quantiles_are_values_that_were_measured() {
        let slo = Slo { ttft_ms: 100.0, tpot_ms: 10.0 };
        let ms = Duration::from_millis;
        let m = |ttft, tpot: Option<u64>, ok| Measured {
            ttft: ms(ttft),
            latency: ms(500),
            tpot: tpot.map(ms),
            tokens: 5,
            hit: false,
            ok,
        };
        assert!(slo.is_met(&m(100, Some(10), true)) && slo.is_met(&m(5, None, true)));
        assert!(!slo.is_met(&m(101, Some(1), true)) && !slo.is_met(&m(5, Some(11), true)));
        assert!(!slo.is_met(&m(5, Some(1), false)));
        let mut times: Vec<Duration> = (1..=20).rev().map(ms).collect();
        assert_eq!(quantile(&mut times, 0.5), Some(ms(10)));
        assert_eq!(quantile(&mut times, 0.95), Some(ms(19)));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
