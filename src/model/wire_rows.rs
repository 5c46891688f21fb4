//! Rows that sessions and journals both hold, each written and read in one place.
//!
//! A row names texts, tracks and requests by number; what a number stands for is known to who reads ([`Ids`]). The parts
//! that the two formats have in different places (later versions of sessions append columns) are left to them.

use super::wire::{Damaged, OUTCOMES, Reader, SEVERITIES, Writer};
use super::{Finding, Request, RequestId, Retry, StringId, TokenCounts, TrackId};

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
    for stamp in [request.scheduled, request.first_token, request.finished, request.cost_nano_dollars] {
        w.optional(stamp);
    }
    let TokenCounts { input, cache_read, cache_write, output, reasoning } = request.tokens;
    for count in [input, cache_read, cache_write, output, reasoning, request.kv_cache_bytes] {
        w.optional(count.map(|c| c as i64));
    }
    w.choice(&OUTCOMES, &request.outcome);
}

/// What [`write_request`] wrote.
pub(crate) fn read_request(r: &mut Reader<'_>, ids: &impl Ids) -> Result<Request, Damaged> {
    let [name, model, prompt, completion] = [ids.string(r)?, ids.string(r)?, ids.string(r)?, ids.string(r)?];
    let (track, arrived) = (optional_track(r, ids)?, r.signed()?);
    let [scheduled, first_token, finished, cost_nano_dollars] =
        [r.optional()?, r.optional()?, r.optional()?, r.optional()?];
    let mut count = || Ok(r.optional()?.map(|c| c as u64));
    let [input, cache_read, cache_write, output, reasoning, kv_cache_bytes] =
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
        cost_nano_dollars,
        tokens: TokenCounts { input, cache_read, cache_write, output, reasoning },
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
