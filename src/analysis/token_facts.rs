//! How many tokens requests have, and how that is known.

use super::asked::Asked;
use super::overview::{Distribution, sign};
use crate::jobs::Cancelled;
use crate::model::{Origin, Request, RequestId};
use crate::query::{Context, Query};

/// A request with its counts, where known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Which.
    pub request: RequestId,
    /// When it arrived, ns; `None` when nobody says.
    pub arrived: Option<i64>,
    /// All input tokens.
    pub prompt: Option<u64>,
    /// Output tokens.
    pub output: Option<u64>,
}

/// Tokens of requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Input tokens of each request that has a count.
    pub prompt: Option<Distribution>,
    /// Output tokens of each.
    pub output: Option<Distribution>,
    /// The request with most input tokens.
    pub largest_prompt: Option<RequestId>,
    /// The request with most output tokens.
    pub largest_output: Option<RequestId>,
    /// Requests by the worse origin of their counts: reported, computed, lower bound, unknown; without those that a cache of answers
    /// answered, which need no tokens.
    pub origins: [usize; 4],
    /// The first request whose counts are unknown or a lower bound.
    pub first_incomplete: Option<RequestId>,
    /// Requests whose stated total is not the sum of their parts, and the first of them.
    pub disagreeing: (usize, Option<RequestId>),
    /// Requests whose stated total is that sum.
    pub agreeing: usize,
    /// At most [`POINTS`] requests: of more every nth.
    pub points: Vec<Counted>,
    /// How many requests a point stands for.
    pub every: usize,
}

impl Facts {
    /// What stands before sums over all of them: ≥ where some count is a lower bound or unknown, ≈ where some is computed.
    #[must_use]
    pub fn sign(&self) -> &'static str {
        let all = [Origin::Reported, Origin::Computed, Origin::LowerBound, Origin::Unknown];
        sign(all.into_iter().zip(self.origins).filter(|(_, n)| *n > 0).map(|(origin, _)| origin))
    }
}

/// Most [`Facts::points`].
pub const POINTS: usize = 2000;

/// Computes the [`Facts`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenFacts {
    /// Which requests.
    pub asked: Asked,
}

impl Query for TokenFacts {
    type Output = Facts;

    fn run(&self, cx: &Context<'_>) -> Result<Facts, Cancelled> {
        let rows = &cx.profile().requests.rows;
        let ids = self.asked.ids(cx)?;
        let mut out = Facts { every: ids.len().div_ceil(POINTS).max(1), ..Facts::default() };
        let (mut prompts, mut outputs) = (Vec::new(), Vec::new());
        let (mut most_in, mut most_out) = (0, 0);
        for (n, &id) in ids.iter().enumerate() {
            let r = &rows[id.index()];
            let (prompt, output) = (r.tokens.prompt(), r.tokens.output);
            prompts.extend(prompt.map(|n| n as f64));
            outputs.extend(output.map(|n| n as f64));
            for (count, most, largest) in [
                (prompt, &mut most_in, &mut out.largest_prompt),
                (output, &mut most_out, &mut out.largest_output),
            ] {
                if let Some(count) = count.filter(|c| *c > *most) {
                    (*most, *largest) = (count, Some(id));
                }
            }
            let origin = origin(r);
            out.origins[origin as usize] += usize::from(!r.needed_no_tokens());
            if !r.needed_no_tokens() && matches!(origin, Origin::LowerBound | Origin::Unknown) {
                out.first_incomplete.get_or_insert(id);
            }
            match r.accounting.agrees(&r.tokens) {
                Some(true) => out.agreeing += 1,
                Some(false) => {
                    out.disagreeing.0 += 1;
                    out.disagreeing.1.get_or_insert(id);
                }
                None => {}
            }
            if n % out.every == 0 {
                let arrived = (!r.undated).then_some(r.arrived);
                out.points.push(Counted { request: id, arrived, prompt, output });
            }
        }
        (out.prompt, out.output) = (Distribution::of(prompts), Distribution::of(outputs));
        Ok(out)
    }

    fn weight(facts: &Facts) -> usize {
        size_of_val(&*facts.points)
    }
}

/// The worse origin of a request's counts.
fn origin(r: &Request) -> Origin {
    if r.tokens.is_unknown() { Origin::Unknown } else { r.accounting.origin() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::model::{Accounting, ProfileBuilder, TokenCounts};
    use crate::query::Run;

    #[test]
    fn counts_are_told_with_how_they_are_known() {
        let mut b = ProfileBuilder::new("test");
        let of = |input, output, accounting| Request {
            tokens: TokenCounts { input, output, ..TokenCounts::default() },
            accounting,
            ..Request::default()
        };
        let said = |total| Accounting { stated_total: Some(total), ..Accounting::default() };
        b.request(of(Some(100), Some(10), said(110)));
        b.request(of(Some(900), Some(20), said(1000)));
        b.request(of(Some(50), Some(5), Accounting { output: Origin::LowerBound, ..Accounting::default() }));
        b.request(of(None, None, Accounting::default()));
        let run = Run::of(b.finish().into());
        let facts = ask(&run, &TokenFacts { asked: Asked::default() });
        assert_eq!(facts.origins, [2, 0, 1, 1]);
        assert_eq!((facts.sign(), Facts::default().sign()), ("≥ ", ""));
        assert_eq!((facts.agreeing, facts.disagreeing), (1, (1, Some(RequestId(1)))));
        assert_eq!((facts.largest_prompt, facts.first_incomplete), (Some(RequestId(1)), Some(RequestId(2))));
        assert_eq!(facts.prompt.map(|d| (d.n, d.p50, d.max)), Some((3, 100.0, 900.0)), "unknown is not 0");
        assert_eq!(facts.points.len(), 4);
    }
}
