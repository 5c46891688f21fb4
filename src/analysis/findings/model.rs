//! What the work of a model on its device says: how its weights are stored, what limits it, what it waits for.

use super::Noted;
use crate::analysis::asked::Asked;
use crate::analysis::compute::{Explain, Explained, Given, Peak, Work};
use crate::analysis::gpu::gpu_busy;
use crate::analysis::latency::RequestLatency;
use crate::analysis::levers::Lever;
use crate::analysis::ops::{OpKind, OpTable, Ops, has_ops};
use crate::analysis::prices::Prices;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{FactValue, Outcome, Profile, Severity};
use crate::query::Context;

/// Bytes of a parameter from which on weights have the width that models are trained with.
const FULL_WIDTH: f64 = 1.9;
/// Share of the CPU's time in waits for the device that is worth to know, and how many there are at least.
const SYNCHRONISED: (f64, u64) = (0.1, 10);
/// Share of a run that loading has.
const LOADING: f64 = 0.5;

pub(super) fn find(cx: &Context<'_>, prices: &Prices) -> Result<Vec<Noted>, Cancelled> {
    let profile = cx.profile();
    let mut out = Vec::new();
    if has_ops(profile) {
        out.extend(waits_for_device(profile, &*cx.get(&Ops(None))?));
    }
    if has_ops(profile) || Given::of_run(profile).parameters.is_some() {
        let limits = cx.get(&Explain { asked: Asked::all(prices), given: Given::default() })?;
        out.extend(limited_by_memory(&limits));
        out.extend(cannot_be(&limits));
    }
    out.extend(loading(cx, prices)?);
    out.extend(slowed_down(profile));
    Ok(out)
}

/// Decoding is limited by what it reads, and the weights could be narrower.
fn limited_by_memory(limits: &Explained) -> Option<Noted> {
    let bytes = limits.bytes_per_parameter.ok().filter(|b| *b >= FULL_WIDTH)?;
    let work = limits.work.iter().find(|w| w.name != "prefill")?;
    let (given, name) = (&limits.given, limits.stored_as().ok()?);
    if work.is_memory_bound(given) != Ok(true) || work.doubt(Peak::Bytes, given).is_some() {
        return None;
    }
    let each = |ns: f64| format::duration((ns / work.tokens.max(1.0)).round() as i64);
    let floor = work.floor(given).ok()?;
    let text = format!(
        "The weights are stored as {name} ({} bytes per parameter), and reading them limits each token: {} at least, {} measured (MBU {}).",
        format::number(bytes),
        each(floor),
        each(work.time),
        format::percent(work.mbu(given).ok()?)
    );
    let advice =
        "Fewer bits: fp16 or bf16, 8 or 4 bits; look at the answers, too. Fewer operations do not help";
    let mut noted =
        Noted::new("Memory limits the model", Severity::Info, text, advice).on(Lever::Quantization);
    // Half the bits are half the bytes.
    noted.gain.time = Some((floor / 2.0) as i64);
    Some(noted)
}

/// A share of what the device can do is above 1.
fn cannot_be(limits: &Explained) -> Option<Noted> {
    let of = |w: &Work| {
        let told = Peak::ALL.into_iter().find_map(|peak| Some((peak, w.doubt(peak, &limits.given)?)));
        told.map(|(peak, why)| format!("The {} of {} {why}.", peak.share_name(), w.name))
    };
    let text = limits.work.iter().find_map(of)?;
    let advice = "Compute has fields for the sizes of the model and the peaks of the device";
    Some(Noted::new("More than the device can do", Severity::Warning, text, advice))
}

/// The program waits for the device again and again.
fn waits_for_device(profile: &Profile, ops: &OpTable) -> Option<Noted> {
    let rows = ops.of(Some(OpKind::Runtime));
    let waits = rows.filter(|op| profile.function_name(op.function).contains("Synchronize"));
    let (mut calls, mut time, mut longest) = (0u64, 0i64, None);
    for op in waits {
        let own = op.self_cpu.unwrap_or(0);
        (calls, time) = (calls + op.calls, time.saturating_add(own));
        if longest.is_none_or(|(most, _)| own > most) {
            longest = Some((own, op.function));
        }
    }
    let (_, function) = longest?;
    let whole = ops.self_cpu_total.filter(|whole| *whole > 0)?;
    let share = time as f64 / whole as f64;
    if calls < SYNCHRONISED.1 || share < SYNCHRONISED.0 {
        return None;
    }
    let text = format!(
        "{} of the CPU's {} are waits until the device has done everything ({}, mostly {}): nothing is launched meanwhile.",
        format::duration(time),
        format::duration(whole),
        format::counted(calls as i64, "call", "calls"),
        profile.function_name(function)
    );
    let advice = "Read results less often: .item(), .cpu(), print and comparisons of tensors wait";
    let mut noted = Noted::new("The program waits for the device", Severity::Info, text, advice);
    // Who does not wait launches sooner what the device then does: it can gain no more than the time in which that did nothing.
    let idle = gpu_busy(profile, None).into_iter().map(|gpu| gpu.idle).max();
    noted.gain.time = Some(idle.map_or(time, |idle| time.min(idle))).filter(|t| *t > 0);
    noted.function = Some(function);
    Some(noted)
}

/// Loading takes longer than what the model was loaded for.
fn loading(cx: &Context<'_>, prices: &Prices) -> Result<Option<Noted>, Cancelled> {
    let profile = cx.profile();
    let rows = || profile.requests.rows.iter().filter(|r| r.outcome == Outcome::Ok);
    let sum = |of: fn(&crate::model::ServerTimes) -> Option<i64>| {
        rows().filter_map(|r| of(&r.phases)).fold(0i64, i64::saturating_add)
    };
    let (load, work) = (sum(|p| p.load), sum(|p| p.prefill).saturating_add(sum(|p| p.decode)));
    let noted = |text: String, load: i64| {
        let advice = "Load the model once and keep it (keep_alive of Ollama, a server): a short run measures its loading";
        let mut noted = Noted::new("Loading takes longest", Severity::Info, text, advice).on(Lever::Memory);
        noted.gain.time = Some(load);
        noted
    };
    if load > work && work > 0 {
        let text = format!(
            "Loading the model took {}, prefill and decoding {}.",
            format::duration(load),
            format::duration(work)
        );
        return Ok(Some(noted(text, load)));
    }
    let latency = cx.get(&RequestLatency { asked: Asked::all(prices) })?;
    let Some(run) = &latency.of_run else { return Ok(None) };
    let found = run.bottleneck().filter(|(phase, share)| phase.name.starts_with("load") && *share >= LOADING);
    Ok(found.map(|(phase, share)| {
        let text = format!(
            "{} of the run is its phase «{}»: {}.",
            format::percent(share),
            phase.name,
            format::duration(phase.time)
        );
        noted(text, phase.time)
    }))
}

/// A GPU ran slower than it could.
fn slowed_down(profile: &Profile) -> Vec<Noted> {
    let facts = profile.meta.facts.iter().filter(|f| f.name.ends_with("slowed down"));
    let slowed = facts.filter_map(|fact| match &fact.value {
        FactValue::Text(text) if text != "by nothing" => Some((&fact.name, text)),
        _ => None,
    });
    let noted = |(name, text): (&String, &String)| {
        let text = format!("{name}: {text}.");
        let advice = "Cooling, or a higher power limit; compare runs at the same clocks only";
        Noted::new("The GPU was slowed down", Severity::Warning, text, advice).on(Lever::Hardware)
    };
    slowed.map(noted).collect()
}
