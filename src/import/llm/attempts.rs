//! Attempts of one call that a source lists as calls of their own: one that failed, and the same again soon after.
//!
//! Only facts link them: the same model and prompt in the same trace, an id that names one request, or a count of attempts that the later
//! one states. Which of these it was is kept with the request. An attempt that was paid for stays a request of its own.

use std::collections::HashMap;

use crate::format;
use crate::model::{Outcome, ProfileBuilder, Request, Retry, StringId};

/// Longest wait after an attempt that failed for the next one to count as another try, ns.
pub(in crate::import) const LONGEST_BACK_OFF: i64 = 120_000_000_000;
/// The label that says what linked attempts.
const LINKED_BY: &str = "attempts linked by";
/// Longest reason that is kept, characters.
const REASON: usize = 80;

/// A call as a source lists it.
pub(in crate::import) struct Tried {
    pub request: Request,
    /// Its trace; 0 for none.
    pub trace: u128,
    /// The id under which its program asks; empty when it states none.
    pub id: String,
    /// How many attempts there were before it, as it states.
    pub resent: u64,
}

/// What is the same of two attempts.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Same {
    /// Trace, model, prompt.
    Asked(u128, StringId, StringId),
    /// Id.
    Id(String),
    /// Trace and model; the later one says that it is another attempt.
    Trace(u128, StringId),
}

impl Same {
    fn words(&self) -> &'static str {
        match self {
            Self::Asked(..) => "same trace, model and prompt",
            Self::Id(_) => "same request id",
            Self::Trace(..) => "count of attempts",
        }
    }
}

/// An attempt that failed: its place, and when it began.
type Failed = (usize, i64);

/// Makes one request of the attempts of each call. `all` is in the order of time, or of the file.
pub(in crate::import) fn link(all: Vec<Tried>, b: &mut ProfileBuilder) -> Vec<Request> {
    // An id that several answers share is of something larger than a request.
    let mut answered: HashMap<String, usize> = HashMap::new();
    for one in all.iter().filter(|one| !one.id.is_empty() && one.request.outcome == Outcome::Ok) {
        *answered.entry(one.id.clone()).or_default() += 1;
    }
    let mut rows: Vec<Option<Request>> = Vec::with_capacity(all.len());
    let mut failed: HashMap<Same, Failed> = HashMap::new();
    let none = StringId::default();
    for Tried { mut request, trace, id, resent } in all {
        let asked_for = if request.requested_model == none { request.model } else { request.requested_model };
        let asked = (trace != 0 && request.prompt != none && asked_for != none).then_some(Same::Asked(
            trace,
            asked_for,
            request.prompt,
        ));
        let of_id = (!id.is_empty() && answered.get(&id).is_none_or(|n| *n < 2)).then_some(Same::Id(id));
        let of_trace = (trace != 0 && asked_for != none).then_some(Same::Trace(trace, asked_for));
        let began = request.arrived;
        let ways = [asked.as_ref(), of_id.as_ref(), of_trace.as_ref().filter(|_| resent > 0)];
        let before = ways.into_iter().flatten().find_map(|way| {
            let known = failed.get(way).copied()?;
            let earlier = rows[known.0].as_ref().filter(|earlier| follows(earlier, &request, way))?;
            Some((way.words(), known, earlier.finished))
        });
        if let Some((by, (place, start), end)) = before
            && let Some(earlier) = rows[place].take()
        {
            let text = format::short(b.text(earlier.error), REASON).into_owned();
            let reason = b.string(if text.is_empty() { "failed" } else { &text });
            let timed = !earlier.undated && !request.undated;
            let retry = match timed {
                true => Retry { began: start, failed: end.unwrap_or(began), again: began, reason },
                // Nobody knows how long it took.
                false => Retry { began, failed: began, again: began, reason },
            };
            let own = std::mem::take(&mut request.retries);
            request.retries = earlier.retries.into_iter().chain([retry]).chain(own).collect();
            request.arrived = if timed { earlier.arrived } else { began };
            say(&mut request, by, b);
        }
        let unpaid = request.tokens.is_unknown() && request.cost.is_none();
        if request.outcome == Outcome::Error && unpaid {
            let ways = [asked, of_id, of_trace].into_iter().flatten();
            failed.extend(ways.map(|way| (way, (rows.len(), began))));
        }
        rows.push(Some(request));
    }
    rows.into_iter().flatten().collect()
}

/// Notes with a request what linked its attempts.
pub(in crate::import) fn say(request: &mut Request, by: &str, b: &mut ProfileBuilder) {
    let name = b.string(LINKED_BY);
    if request.attribute(name).is_none() {
        let by = b.string(by);
        request.attributes.push((name, by));
    }
}

/// Whether a call begins after the end of an attempt, and soon enough. Where times are missing an id tells.
fn follows(earlier: &Request, request: &Request, way: &Same) -> bool {
    let alike = earlier.provider == request.provider || StringId::default() == earlier.provider;
    if earlier.undated || request.undated {
        return alike && matches!(way, Same::Id(_));
    }
    let within = |end: i64| (end..=end.saturating_add(LONGEST_BACK_OFF)).contains(&request.arrived);
    alike && earlier.finished.is_some_and(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls of a model: arrival, end, prompt, how they ended.
    fn linked(calls: &[(i64, i64, &str, Outcome)], trace: u128, ids: &[&str], resent: u64) -> Vec<Request> {
        let mut b = ProfileBuilder::new("test");
        let (model, error) = (b.string("m"), b.string("429 Too Many Requests"));
        let all = calls.iter().enumerate().map(|(n, &(arrived, end, prompt, outcome))| {
            let request = Request {
                model,
                arrived,
                finished: Some(end),
                prompt: b.string(prompt),
                outcome,
                error: if outcome == Outcome::Error { error } else { StringId::default() },
                ..Request::default()
            };
            let id = ids.get(n).copied().unwrap_or_default().to_owned();
            Tried { request, trace, id, resent: if n > 0 { resent } else { 0 } }
        });
        let all: Vec<Tried> = all.collect();
        link(all, &mut b)
    }

    #[test]
    fn a_call_that_failed_and_was_made_again_is_one_request() {
        use Outcome::{Error, Ok};
        let calls = [(0, 10, "q", Error), (30, 40, "q", Error), (90, 200, "q", Ok), (300, 400, "q", Ok)];
        let found = linked(&calls, 7, &[], 0);
        assert_eq!(found.len(), 2, "what is asked again after an answer is no attempt");
        let times: Vec<_> = found[0].retries.iter().map(|r| (r.began, r.failed, r.again)).collect();
        assert_eq!(times, [(0, 10, 30), (30, 40, 90)]);
        assert_eq!((found[0].arrived, found[0].lost(), found[0].outcome), (0, 90, Ok));
        assert_eq!(linked(&calls, 0, &[], 0).len(), 4, "nothing says that they are of one piece of work");
        let other = [(0, 10, "q", Error), (30, 40, "another", Ok)];
        assert_eq!(linked(&other, 7, &[], 0).len(), 2, "another question");
        assert_eq!(linked(&other, 7, &[], 1).len(), 1, "it says itself that it is another attempt");
        let late = [(0, 10, "q", Error), (LONGEST_BACK_OFF + 20, LONGEST_BACK_OFF + 30, "q", Ok)];
        assert_eq!(linked(&late, 7, &[], 0).len(), 2, "much later");
    }

    #[test]
    fn an_id_links_attempts_unless_it_names_more_than_a_request() {
        use Outcome::{Error, Ok};
        let calls = [(0, 10, "", Error), (30, 40, "", Ok)];
        assert_eq!(linked(&calls, 0, &["a", "a"], 0)[0].retries.len(), 1);
        assert_eq!(linked(&calls, 0, &["a", "b"], 0).len(), 2);
        let of_a_user = [(0, 10, "", Error), (30, 40, "", Ok), (50, 60, "", Ok)];
        assert_eq!(linked(&of_a_user, 0, &["a", "a", "a"], 0).len(), 3, "several answers have it");
    }
}
