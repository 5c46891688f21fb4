//! What is wrong or worth to know: what the maker of a profile states itself, and what its numbers say. One list for the window, the
//! reports, the questions and the comparison.
//!
//! What is concluded rests on data that is there, says how much it is about and what to try; where something could be otherwise for
//! a good reason, it is a remark (info) and no warning.

mod model;
mod overlap;
mod program;
mod prompt_cache;
mod requests;
mod serving;
#[cfg(test)]
mod tests;
mod tools;

use std::borrow::Cow;

use super::event_loop::loops;
use super::levers::Lever;
use super::prices::Prices;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Finding, FunctionId, LOOP_HELD, Money, Profile, RequestId, Severity, Span, TrackId};
use crate::query::{Context, Query};

/// What could be gained at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gain {
    /// Time, ns; of several requests added up.
    pub time: Option<i64>,
    /// Money.
    pub money: Option<Money>,
}

impl Gain {
    /// «up to 1.20 s, $0.0300»; empty where nothing is known.
    #[must_use]
    pub fn words(&self) -> String {
        let time = self.time.filter(|t| *t > 0).map(format::duration);
        let money = self.money.filter(|m| *m > Money::ZERO).map(format::money);
        let parts: Vec<String> = time.into_iter().chain(money).collect();
        if parts.is_empty() { String::new() } else { format!("up to {}", parts.join(", ")) }
    }
}

/// Something wrong, or worth to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What kind, in a few words: the same words each time.
    pub kind: Cow<'static, str>,
    /// How bad.
    pub severity: Severity,
    /// One or two sentences with the figures of this case.
    pub text: String,
    /// What to try; empty where the maker of the profile states the finding.
    pub advice: &'static str,
    /// What could be gained.
    pub gain: Gain,
    /// What it suggests to turn.
    pub lever: Option<Lever>,
    /// The request that it is about, or the first of several.
    pub request: Option<RequestId>,
    /// The function that it is about.
    pub function: Option<FunctionId>,
    /// Where it was found.
    pub track: Option<TrackId>,
    /// When, ns.
    pub time: Option<i64>,
    /// It was concluded from the numbers, not stated.
    pub concluded: bool,
}

impl Noted {
    /// One that is concluded.
    fn new(kind: &'static str, severity: Severity, text: String, advice: &'static str) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            severity,
            text,
            advice,
            gain: Gain::default(),
            lever: None,
            request: None,
            function: None,
            track: None,
            time: None,
            concluded: true,
        }
    }

    /// The same, suggesting a lever.
    fn on(self, lever: Lever) -> Self {
        Self { lever: Some(lever), ..self }
    }

    fn stated(profile: &Profile, finding: &Finding) -> Self {
        let kind = profile.text(finding.kind);
        Self {
            kind: Cow::Owned(kind.to_owned()),
            severity: finding.severity,
            text: profile.text(finding.text).to_owned(),
            advice: "",
            gain: Gain { time: held(profile, finding), money: None },
            lever: Lever::of_finding(kind),
            request: finding.request,
            function: None,
            track: finding.track,
            time: finding.time,
            concluded: false,
        }
    }

    /// The innermost span at its place: track and row.
    #[must_use]
    pub fn span(&self, profile: &Profile) -> Option<(TrackId, u32)> {
        let track = self.track?;
        let row = profile.tracks.get(track.index())?.spans.innermost_at(self.time?)?;
        Some((track, row))
    }
}

/// What all steps of a function took of a loop that one of them held up: as much could go to others. A step this short holds up
/// nobody.
fn held(profile: &Profile, finding: &Finding) -> Option<i64> {
    const LEAST: i64 = 10_000_000;
    let time = finding.time.filter(|_| profile.text(finding.kind) == LOOP_HELD)?;
    let of_loop = |track| {
        let spans = &profile.track(track).spans;
        let step = spans.rows.get(spans.innermost_at(time)? as usize)?;
        let alike = spans.rows.iter().filter(|s| s.function == step.function).map(Span::duration);
        Some((step.duration(), alike.filter(|length| *length >= LEAST).sum()))
    };
    // Of loops in several threads that whose step is the longest.
    loops(profile).filter_map(of_loop).max().map(|(_, all)| all)
}

/// Finds all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Findings {
    /// By which requests are priced.
    pub prices: Prices,
}

impl Query for Findings {
    type Output = Vec<Noted>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<Noted>, Cancelled> {
        let profile = cx.profile();
        let mut all: Vec<Noted> = profile.findings.iter().map(|f| Noted::stated(profile, f)).collect();
        all.extend(program::find(cx)?);
        all.extend(model::find(cx, &self.prices)?);
        all.extend(overlap::find(cx)?);
        all.extend(tools::find(cx)?);
        if !profile.requests.rows.is_empty() {
            all.extend(requests::find(cx, &self.prices)?);
            all.extend(serving::find(cx, &self.prices)?);
        }
        // What a recording states of itself is not said again.
        let stated: Vec<String> = all.iter().filter(|n| !n.concluded).map(|n| n.kind.to_string()).collect();
        all.retain(|n| !n.concluded || !stated.contains(&n.kind.to_string()));
        // What several requests or threads took at the same time is no longer than the run.
        if let Some(elapsed) = profile.elapsed() {
            all.iter_mut().for_each(|n| n.gain.time = n.gain.time.map(|t| t.min(elapsed)));
        }
        // The worst first; what is stated before what is concluded; then by what can be gained.
        all.sort_by_key(|n| {
            let gain = (n.gain.money, n.gain.time);
            (std::cmp::Reverse(n.severity), n.concluded, std::cmp::Reverse(gain))
        });
        Ok(all)
    }

    fn weight(all: &Vec<Noted>) -> usize {
        all.iter().map(|n| size_of::<Noted>() + n.text.len() + n.kind.len()).sum()
    }
}
