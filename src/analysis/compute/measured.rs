//! Passes, and the time that work took: of requests that ran alone, or of all matrix products of a trace.

use super::{Given, Known, NO_LAYERS, NO_PARAMETERS, NO_WEIGHTS, Upload, Work};
use crate::analysis::ops::{Op, OpKind, OpTable};
use crate::model::{Outcome, Profile, Request, RequestId};

/// Calls of the operations of these names.
fn calls(profile: &Profile, ops: &OpTable, names: &[&str]) -> u64 {
    ops.rows.iter().filter(|op| names.contains(&operation(profile, op))).map(|op| op.calls).sum()
}

/// The operation of a row: a table that is grouped by input shapes has these behind its names.
fn operation<'a>(profile: &'a Profile, op: &Op) -> &'a str {
    profile.function_name(op.function).split(' ').next().unwrap_or_default()
}

/// Attention is computed once in a layer.
const ATTENTION: [&str; 1] = ["aten::scaled_dot_product_attention"];
/// Operations that multiply matrices themselves rather than call others that do.
const PRODUCTS: [&str; 7] = [
    "aten::mm",
    "aten::addmm",
    "aten::bmm",
    "aten::baddbmm",
    "aten::_addmm_activation",
    "aten::addmv_",
    "aten::_int_mm",
];

/// Products with a weight matrix.
pub(super) fn products(profile: &Profile, ops: &OpTable) -> Known<u64> {
    let n = calls(profile, ops, &["aten::linear"]);
    if n > 0 { Ok(n) } else { Err("no product with a weight matrix was recorded") }
}

/// Passes through the model: attention of all layers ÷ layers.
pub(super) fn passes(profile: &Profile, ops: &OpTable, given: &Given) -> Known<u64> {
    let attention = calls(profile, ops, &ATTENTION);
    if attention == 0 {
        return Err("no operation was recorded that runs once in each layer");
    }
    match given.layers.filter(|n| *n > 0) {
        None => Err(NO_LAYERS),
        Some(layers) if !attention.is_multiple_of(layers) => {
            Err("the attention that was recorded is no multiple of the layers")
        }
        Some(layers) => Ok(attention / layers),
    }
}

/// Matrix products of all passes, each as if it read one token: what a model that decodes does.
pub(super) fn of_ops(profile: &Profile, ops: &OpTable, given: &Given, passes: Known<u64>) -> Known<Work> {
    let products = ops.rows.iter().filter(|op| PRODUCTS.contains(&operation(profile, op)));
    let on_device = !ops.device.is_empty();
    let times = products.filter_map(|op| if on_device { op.self_device } else { op.self_cpu });
    let time: i64 = times.fold(0, i64::saturating_add);
    if time <= 0 {
        return Err("no product of matrices was recorded");
    }
    let passes = passes? as f64;
    Ok(Work {
        name: "all passes",
        of: "matrix products, a token a pass".into(),
        tokens: passes,
        time: time as f64,
        flops: given.parameters.ok_or(NO_PARAMETERS).map(|p| 2.0 * p as f64 * passes),
        bytes: given.weight_bytes.ok_or(NO_WEIGHTS).map(|bytes| bytes as f64 * passes),
    })
}

/// Operations of `tokens` that follow `before` others.
fn flops(given: &Given, before: f64, tokens: f64) -> Known<f64> {
    let parameters = given.parameters.ok_or(NO_PARAMETERS)? as f64;
    // Attention over what stands before; without layers or width it is left out, being small.
    let of_attention = given.layers.zip(given.width).map_or(0.0, |(l, d)| 4.0 * l as f64 * d as f64);
    let context = before + tokens / 2.0;
    Ok(tokens * (2.0 * parameters + of_attention * context))
}

/// Bytes that a pass over a context of so many tokens reads.
fn bytes(given: &Given, context: f64) -> Known<f64> {
    let weights = given.weight_bytes.ok_or(NO_WEIGHTS)? as f64;
    Ok(weights + given.kv_per_token().map_or(0.0, |kv| kv as f64 * context))
}

/// Requests that no other one overlapped while they were computed.
fn alone<'a>(profile: &'a Profile, ids: &[RequestId]) -> Vec<&'a Request> {
    let begin = |r: &Request| r.scheduled.unwrap_or(r.arrived);
    // Others that are not looked at keep the device busy as well.
    let mut all: Vec<(i64, i64, usize)> = profile
        .requests
        .rows
        .iter()
        .enumerate()
        .map(|(i, r)| (begin(r), r.finished.unwrap_or(i64::MAX), i))
        .collect();
    all.sort_unstable();
    let mut single = vec![false; all.len()];
    let mut reached = i64::MIN;
    for (n, &(start, end, i)) in all.iter().enumerate() {
        let next = all.get(n + 1).map_or(i64::MAX, |next| next.0);
        single[i] = start >= reached && end <= next;
        reached = reached.max(end);
    }
    ids.iter()
        .filter(|id| single.get(id.index()).copied().unwrap_or(false))
        .filter_map(|id| profile.requests.get(*id))
        .filter(|r| r.outcome == Outcome::Ok && !r.undated)
        .collect()
}

/// Tokens, ns, operations and bytes of one request.
type Part = (f64, f64, Known<f64>, Known<f64>);

/// Prefill and decode of requests that ran alone: sums over them.
pub(super) fn of_requests(profile: &Profile, ids: &[RequestId], given: &Given) -> (Vec<Work>, &'static str) {
    let known = |r: &&Request| r.tpot().is_some() && !r.is_estimated() && r.tokens.prompt().is_some();
    if !ids.iter().filter_map(|id| profile.requests.get(*id)).any(|r| known(&r)) {
        return (Vec::new(), "no request tells its tokens and the time of each");
    }
    let rows: Vec<&Request> = alone(profile, ids).into_iter().filter(known).collect();
    if rows.is_empty() {
        let why = "all requests ran beside others, so nobody knows what one pass of the device did";
        return (Vec::new(), why);
    }
    let of = crate::format::counted(rows.len() as i64, "request that ran alone", "requests that ran alone");
    let sum = |part: &dyn Fn(&Request) -> Option<Part>, name| {
        let mut work = Work { name, of: of.clone(), tokens: 0.0, time: 0.0, flops: Ok(0.0), bytes: Ok(0.0) };
        for (tokens, time, flops, bytes) in rows.iter().filter_map(|r| part(r)) {
            (work.tokens, work.time) = (work.tokens + tokens, work.time + time);
            work.flops = work.flops.and_then(|sum| Ok(sum + flops?));
            work.bytes = work.bytes.and_then(|sum| Ok(sum + bytes?));
        }
        (work.time > 0.0).then_some(work)
    };
    let prefill = |r: &Request| {
        let measured = || Some(r.ttft()?.saturating_sub(r.queued().unwrap_or(0)));
        let time = r.phases.prefill.or_else(measured).filter(|t| *t > 0)? as f64;
        let read = r.tokens.input.filter(|n| *n > 0)? as f64;
        let before = r.tokens.cache_read.unwrap_or(0) as f64;
        Some((read, time, flops(given, before, read), bytes(given, before + read)))
    };
    let decode = |r: &Request| {
        let tokens = r.tokens.output?.checked_sub(1).filter(|n| *n > 0)? as f64;
        let (prompt, time) = (r.tokens.prompt()? as f64, r.tpot()? * tokens);
        let read = bytes(given, prompt + tokens / 2.0).map(|b| b * tokens);
        Some((tokens, time, flops(given, prompt, tokens), read))
    };
    let works = [sum(&prefill, "prefill"), sum(&decode, "decode")];
    (works.into_iter().flatten().collect(), "")
}

/// Copies from the host to the device.
pub(super) fn upload(profile: &Profile, ops: &OpTable, given: &Given) -> Option<Upload> {
    let name = |op: &Op| profile.function_name(op.function);
    let mut all = ops.of(Some(OpKind::Copy)).filter(|op| name(op).contains("HtoD")).peekable();
    all.peek()?;
    let (mut time, mut copies, mut pageable) = (0i64, 0, false);
    for op in all {
        time = time.saturating_add(op.self_device.unwrap_or(0));
        copies += op.calls;
        pageable |= name(op).contains("Pageable");
    }
    let rate = match given.weight_bytes {
        None => Err(NO_WEIGHTS),
        Some(_) if time <= 0 => Err("they took no time"),
        Some(bytes) => Ok(bytes as f64 * 1e9 / time as f64),
    };
    Some(Upload { time, copies, pageable, rate })
}
