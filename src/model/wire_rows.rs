//! Rows that sessions and journals both hold, each written and read in one place.
//!
//! A row names texts, tracks and requests by number; what a number stands for is known to who reads ([`Ids`]). The parts
//! that the two formats have in different places (later versions of sessions append columns) are left to them.

use super::wire::{DECIDED_BY, Damaged, INPUT_COUNTS, ORIGINS, OUTCOMES, Reader, SEVERITIES, Writer};
use super::{
    Accounting, Chunks, Finding, Money, Request, RequestId, Retry, ServerTimes, StringId, TokenCounts,
    TrackId,
};

/// What the numbers in rows stand for.
pub(crate) trait Ids {
    /// The text of the next number.
    fn string(&self, r: &mut Reader<'_>) -> Result<StringId, Damaged>;
    /// The track with a number.
    fn track_of(&self, number: u64) -> Result<TrackId, Damaged>;
}

/// 0 for none, otherwise the number + 1.
pub(crate) fn write_option(number: Option<u32>, w: &mut Writer) {
    w.unsigned(number.map_or(0, |n| u64::from(n) + 1));
}

/// The number that [`write_option`] wrote.
pub(crate) fn read_option(r: &mut Reader<'_>) -> Result<Option<u64>, Damaged> {
    Ok(r.unsigned()?.checked_sub(1))
}

/// The track of a row that may have none.
pub(crate) fn optional_track(r: &mut Reader<'_>, ids: &impl Ids) -> Result<Option<TrackId>, Damaged> {
    read_option(r)?.map(|n| ids.track_of(n)).transpose()
}

/// A request up to its outcome; the times of its tokens and what newer versions know stand elsewhere.
pub(crate) fn write_request(request: &Request, w: &mut Writer) {
    let Request { name, model, prompt, completion, track, .. } = request;
    [name, model, prompt, completion].iter().for_each(|id| w.unsigned(id.0.into()));
    write_option(track.map(|t| t.0), w);
    w.signed(request.arrived);
    for stamp in [request.scheduled, request.first_token, request.finished, request.cost.map(Money::nano)] {
        w.optional(stamp);
    }
    let TokenCounts { input, cache_read, cache_write_5m, output, reasoning, .. } = request.tokens;
    for count in [input, cache_read, cache_write_5m, output, reasoning, request.kv_cache_bytes] {
        w.optional(count.map(|c| c as i64));
    }
    w.choice(&OUTCOMES, &request.outcome);
}

/// What [`write_request`] wrote.
pub(crate) fn read_request(r: &mut Reader<'_>, ids: &impl Ids) -> Result<Request, Damaged> {
    let [name, model, prompt, completion] = [ids.string(r)?, ids.string(r)?, ids.string(r)?, ids.string(r)?];
    let (track, arrived) = (optional_track(r, ids)?, r.signed()?);
    let [scheduled, first_token, finished, cost] =
        [r.optional()?, r.optional()?, r.optional()?, r.optional()?];
    let mut count = || Ok(r.optional()?.map(|c| c as u64));
    let [input, cache_read, cache_write_5m, output, reasoning, kv_cache_bytes] =
        [count()?, count()?, count()?, count()?, count()?, count()?];
    Ok(Request {
        name,
        model,
        prompt,
        completion,
        track,
        arrived,
        scheduled,
        first_token,
        finished,
        cost: cost.map(Money::from_nano),
        tokens: TokenCounts {
            input,
            cache_read,
            cache_write_5m,
            output,
            reasoning,
            ..TokenCounts::default()
        },
        kv_cache_bytes,
        outcome: r.choice(&OUTCOMES)?,
        ..Request::default()
    })
}

/// How many tokens a request had and when each came.
pub(crate) fn write_token_times(request: &Request, w: &mut Writer) {
    w.size(request.token_times.len());
    w.differences(request.token_times.iter().copied());
}

/// What [`write_token_times`] wrote.
pub(crate) fn read_token_times(r: &mut Reader<'_>) -> Result<Vec<i64>, Damaged> {
    let times = r.rows()?;
    r.differences(times)
}

/// What went before the last attempt of a request, and how alike the closest prompt in a cache was.
pub(crate) fn write_retries(request: &Request, w: &mut Writer) {
    w.size(request.retries.len());
    for retry in &request.retries {
        w.differences([retry.began, retry.failed, retry.again]);
        w.unsigned(retry.reason.0.into());
    }
    w.byte(u8::from(request.similarity.is_some()));
    request.similarity.into_iter().for_each(|s| w.bits(s));
}

/// What [`write_retries`] wrote, added to `request`.
pub(crate) fn read_retries(request: &mut Request, r: &mut Reader<'_>, ids: &impl Ids) -> Result<(), Damaged> {
    let count = r.rows()?;
    request.retries = r.column(count, |r| {
        let [began, failed, again] = r.differences(3)?.try_into().map_err(|_| Damaged)?;
        Ok(Retry { began, failed, again, reason: ids.string(r)? })
    })?;
    request.similarity = match r.byte()? {
        0 => None,
        1 => Some(r.bits()?).filter(|s| s.is_finite()),
        _ => return Err(Damaged),
    };
    Ok(())
}

/// What is billed of a request and how that became known, and its stamps and phases that recordings do not have.
pub(crate) fn write_billing(request: &Request, w: &mut Writer) {
    let Request { requested_model, provider, tier, requested_tier, tokens_why, .. } = request;
    [requested_model, provider, tier, requested_tier, tokens_why]
        .iter()
        .for_each(|id| w.unsigned(id.0.into()));
    w.byte(u8::from(request.undated));
    for stamp in [request.first_chunk, request.first_output, request.last_token] {
        w.optional(stamp);
    }
    let ServerTimes { queue, load, prefill, decode, decode_holds_first } = request.phases;
    [queue, load, prefill, decode].into_iter().for_each(|length| w.optional(length));
    w.byte(u8::from(decode_holds_first));
    let TokenCounts { cache_write_1h, audio_input, image_input, tool_input, audio_output, .. } =
        request.tokens;
    let Accounting { input, output, input_count, decided_by, stated_total, write_time_stated } =
        request.accounting;
    for count in
        [cache_write_1h, audio_input, image_input, tool_input, audio_output, stated_total, request.searches]
    {
        w.optional(count.map(|c| c as i64));
    }
    w.choice(&ORIGINS, &input);
    w.choice(&ORIGINS, &output);
    w.choice(&INPUT_COUNTS, &input_count);
    w.choice(&DECIDED_BY, &decided_by);
    w.byte(u8::from(write_time_stated));
    w.byte(u8::from(request.chunks.is_some()));
    if let Some(Chunks { with_output, first_token, first_output }) = request.chunks {
        w.unsigned(with_output.into());
        write_option(first_token, w);
        write_option(first_output, w);
    }
    w.byte(u8::from(request.cost.is_some()));
    request.cost.into_iter().for_each(|cost| w.0.extend_from_slice(&cost.to_bytes()));
}

/// What [`write_billing`] wrote, added to `request`.
pub(crate) fn read_billing(request: &mut Request, r: &mut Reader<'_>, ids: &impl Ids) -> Result<(), Damaged> {
    let flag = |r: &mut Reader<'_>| match r.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Damaged),
    };
    let narrow = |n: Option<u64>| n.map(u32::try_from).transpose().map_err(|_| Damaged);
    request.requested_model = ids.string(r)?;
    request.provider = ids.string(r)?;
    request.tier = ids.string(r)?;
    request.requested_tier = ids.string(r)?;
    request.tokens_why = ids.string(r)?;
    request.undated = flag(r)?;
    [request.first_chunk, request.first_output, request.last_token] =
        [r.optional()?, r.optional()?, r.optional()?];
    let [queue, load, prefill, decode] = [r.optional()?, r.optional()?, r.optional()?, r.optional()?];
    request.phases = ServerTimes { queue, load, prefill, decode, decode_holds_first: flag(r)? };
    let mut count = || Ok(r.optional()?.map(|c| c as u64));
    let tokens = &mut request.tokens;
    tokens.cache_write_1h = count()?;
    tokens.audio_input = count()?;
    tokens.image_input = count()?;
    tokens.tool_input = count()?;
    tokens.audio_output = count()?;
    let stated_total = count()?;
    request.searches = count()?;
    request.accounting = Accounting {
        input: r.choice(&ORIGINS)?,
        output: r.choice(&ORIGINS)?,
        input_count: r.choice(&INPUT_COUNTS)?,
        decided_by: r.choice(&DECIDED_BY)?,
        stated_total,
        write_time_stated: flag(r)?,
    };
    request.chunks = match flag(r)? {
        false => None,
        true => Some(Chunks {
            with_output: r.narrow()?,
            first_token: narrow(read_option(r)?)?,
            first_output: narrow(read_option(r)?)?,
        }),
    };
    request.cost = match flag(r)? {
        false => None,
        true => Some(Money::from_bytes(r.bytes(16)?.try_into().map_err(|_| Damaged)?)),
    };
    Ok(())
}

/// What the program of a request says of it.
pub(crate) fn write_attributes(request: &Request, w: &mut Writer) {
    w.size(request.attributes.len());
    request.attributes.iter().flat_map(|(name, value)| [name, value]).for_each(|id| w.unsigned(id.0.into()));
}

/// What [`write_attributes`] wrote, added to `request`.
pub(crate) fn read_attributes(
    request: &mut Request,
    r: &mut Reader<'_>,
    ids: &impl Ids,
) -> Result<(), Damaged> {
    let count = r.rows()?;
    request.attributes = r.column(count, |r| Ok((ids.string(r)?, ids.string(r)?)))?;
    Ok(())
}

/// A finding.
pub(crate) fn write_finding(finding: &Finding, w: &mut Writer) {
    w.unsigned(finding.kind.0.into());
    w.choice(&SEVERITIES, &finding.severity);
    w.unsigned(finding.text.0.into());
    write_option(finding.request.map(|r| r.0), w);
    write_option(finding.track.map(|t| t.0), w);
    w.optional(finding.time);
}

/// What [`write_finding`] wrote; `request` says which request a number stands for.
pub(crate) fn read_finding(
    r: &mut Reader<'_>,
    ids: &impl Ids,
    request: impl FnOnce(u64) -> Result<RequestId, Damaged>,
) -> Result<Finding, Damaged> {
    let (kind, severity, text) = (ids.string(r)?, r.choice(&SEVERITIES)?, ids.string(r)?);
    let request = read_option(r)?.map(request).transpose()?;
    let (track, time) = (optional_track(r, ids)?, r.optional()?);
    Ok(Finding { kind, severity, text, request, track, time })
}
