//! A trace as text and as Markdown.

use std::fmt::Write as _;

use super::rows::{Listed, What};
use crate::analysis::billing::Billing;
use crate::analysis::overview::token_signs;
use crate::analysis::prices::Charge;
use crate::analysis::trace::{Step, Tree};
use crate::format;
use crate::model::Profile;

/// A form of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Markdown,
}

/// What a step took, had and cost, in words.
pub(super) fn figures(profile: &Profile, bill: Option<&Billing>, tree: &Tree, step: &Step) -> String {
    let mut words: Vec<String> = Vec::new();
    if tree.dated {
        words.extend(step.duration().map(format::duration));
    }
    if let Some(id) = step.request {
        let r = &profile.requests.rows[id.index()];
        if let Some(tokens) = tokens(r) {
            words.push(format!("{tokens} tokens"));
        }
        let charge = bill.and_then(|bill| bill.charges.get(id.index())).filter(|c| c.cost.is_some());
        words.extend(charge.map(Charge::cost_text));
        words.extend(outcome(profile, step));
    } else if step.failed {
        words.push("failed".into());
    }
    words.join(", ")
}

/// «1,200 → 35»; `None` where nobody counted.
pub(super) fn tokens(r: &crate::model::Request) -> Option<String> {
    let side = |n: Option<u64>, sign: &str| {
        n.map_or_else(|| format::UNKNOWN.to_owned(), |n| format!("{sign}{}", format::count(n as i64)))
    };
    let (input, output) = (r.tokens.prompt(), r.output().map(|o| o.0));
    let signs = token_signs(r);
    (input.is_some() || output.is_some())
        .then(|| format!("{} → {}", side(input, signs[0]), side(output, signs[1])))
}

/// How a request ended, where that is not as usual: with why, or whose answer it was.
pub(super) fn outcome(profile: &Profile, step: &Step) -> Option<String> {
    use crate::model::{CacheOutcome, Outcome};
    let r = &profile.requests.rows[step.request?.index()];
    match r.outcome {
        Outcome::Ok => match r.cache {
            Some(CacheOutcome::Exact) => Some("exact hit".to_owned()),
            Some(CacheOutcome::Semantic) => Some("semantic hit".to_owned()),
            Some(CacheOutcome::Miss) => Some("miss".to_owned()),
            None => None,
        },
        Outcome::Error => Some(match profile.text(r.error) {
            "" => "failed".to_owned(),
            why => format!("failed: {why}"),
        }),
        other => Some(other.name().to_owned()),
    }
}

/// Text that Markdown shows as it is.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '<' | '[' | '|') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The rows that are listed, each under its caller, with what was said in opened ones.
pub(super) fn text(
    profile: &Profile,
    bill: Option<&Billing>,
    tree: &Tree,
    listed: &Listed,
    form: Form,
) -> String {
    let mut out = String::new();
    for row in &listed.rows {
        let step = &tree.steps[row.step as usize];
        let indent = "  ".repeat(row.depth as usize);
        let bullet = if form == Form::Markdown { "- " } else { "" };
        let plain = |text: &str| match form {
            Form::Text => text.to_owned(),
            Form::Markdown => escape(text),
        };
        match row.what {
            What::Step { hidden, .. } => {
                let name = match step.name(profile) {
                    "" => "conversation",
                    name => name,
                };
                let model =
                    step.request.map_or("", |id| profile.text(profile.requests.rows[id.index()].model));
                let model = if model.is_empty() { String::new() } else { format!(" ({})", plain(model)) };
                let mut figures = figures(profile, bill, tree, step);
                if hidden > 0 {
                    let spans = format::counted(hidden as i64, "span", "spans");
                    figures += &format!(", {spans} between");
                }
                let _ = writeln!(
                    out,
                    "{indent}{bullet}{} {}{model}: {}",
                    step.kind.name(),
                    plain(&format::one_line(name)),
                    plain(&figures)
                );
            }
            What::Before { parts } => {
                let parts = format::counted(parts as i64, "message", "messages");
                let _ = writeln!(out, "{indent}{bullet}… {parts} as before");
            }
            What::Part { part, .. } => {
                let Some(part) = listed.said.get(&row.step).and_then(|said| said.parts.get(part)) else {
                    continue;
                };
                let quote = if form == Form::Markdown { "> " } else { "| " };
                let _ = writeln!(out, "{indent}{bullet}{}:", part.who.name());
                for line in part.text.lines() {
                    let _ = writeln!(out, "{indent}  {quote}{}", format::escaped(line));
                }
            }
        }
    }
    out
}
