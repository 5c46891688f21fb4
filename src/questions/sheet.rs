//! An answer: a head, parts with rows, notes. As text it keeps to a budget, as JSON it is whole.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::tokens::estimate;
use crate::format::Page;
use crate::import::secrets::mask;
use crate::model::FunctionId;

/// Tokens that a row has at least.
pub(super) const LEAST_TOKENS: usize = 6;

/// A row: a line of text, and the same as values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub text: String,
    pub json: Value,
}

impl Row {
    pub fn new(text: String, json: Value) -> Self {
        Self { text, json }
    }
}

/// What a part leaves out when so many of its rows are shown; empty when that is nothing worth a line.
type Rest = Box<dyn Fn(usize) -> String + Send + Sync>;

/// Rows of one kind, the most important first.
pub(crate) struct Part {
    /// Its name in JSON.
    pub key: &'static str,
    /// The line above it; empty for none.
    pub title: String,
    pub rows: Vec<Row>,
    /// So many rows are shown before other parts get more.
    pub least: usize,
    /// At most so many rows are worth a line: the others are tiny.
    pub most: usize,
    pub rest: Rest,
}

impl Part {
    /// A part whose rows are counted when some are left out.
    pub fn new(key: &'static str, title: impl Into<String>, rows: Vec<Row>) -> Self {
        let all = rows.len();
        let rest: Rest = Box::new(move |shown| match all - shown {
            0 => String::new(),
            n => format!("… {n} more"),
        });
        Self { key, title: title.into(), rows, least: 3, most: usize::MAX, rest }
    }

    pub fn rest(self, rest: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        Self { rest: Box::new(rest), ..self }
    }

    pub fn least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    pub fn most(self, most: usize) -> Self {
        Self { most: most.max(1), ..self }
    }
}

/// An answer.
#[derive(Default)]
pub struct Sheet {
    /// Lines at the top: what numbers are a share of, what they rest on.
    pub(crate) head: Vec<String>,
    /// The same as values.
    pub(super) json: Map<String, Value>,
    pub(super) parts: Vec<Part>,
    /// Lines at the end.
    pub(crate) notes: Vec<String>,
    /// Tokens that the text may have.
    pub(super) budget: usize,
    /// What to write for a longer one; empty where nothing makes it longer.
    pub(super) more: String,
    /// The function that it is about, if it is about one.
    pub(super) function: Option<FunctionId>,
}

impl Sheet {
    pub(crate) fn new(head: impl Into<String>, budget: usize) -> Self {
        Self { head: vec![head.into()], budget, ..Self::default() }
    }

    pub(crate) fn value(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }

    pub(crate) fn part(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// The function that the answer is about, if it is about one.
    #[must_use]
    pub fn function(&self) -> Option<FunctionId> {
        self.function
    }

    /// The answer as lines, within its budget, secrets masked: it is pasted and given to models.
    #[must_use]
    pub fn text(&self) -> Page {
        let shown = self.shown();
        let mut page = Page::default();
        let mut line = |text: &str| page.line(mask(text));
        self.head.iter().for_each(|text| line(text));
        for (part, &shown) in self.parts.iter().zip(&shown).filter(|(_, shown)| **shown > 0) {
            if !part.title.is_empty() {
                line(&part.title);
            }
            part.rows[..shown].iter().for_each(|row| line(&row.text));
            let rest = (part.rest)(shown);
            if !rest.is_empty() {
                line(&rest);
            }
        }
        self.notes.iter().for_each(|text| line(text));
        let closed = self.closed(&shown);
        if !closed.is_empty() {
            line(&closed);
        }
        page
    }

    /// Parts of which nothing is shown, on one line.
    fn closed(&self, shown: &[usize]) -> String {
        let closed =
            self.parts.iter().zip(shown).filter(|(part, shown)| **shown == 0 && !part.rows.is_empty());
        let named = |key: &str| match key {
            "own" => "self costs".to_owned(),
            "total" => "totals".to_owned(),
            key => key.replace('_', " "),
        };
        let closed = closed.map(|(part, _)| format!("{} ({})", named(part.key), part.rows.len()));
        let names = closed.collect::<Vec<_>>().join(", ");
        let more = if self.more.is_empty() { String::new() } else { format!("; {}", self.more) };
        if names.is_empty() { names } else { format!("… no room for {names}{more}") }
    }

    /// How many rows of each part there is room for: a few of each, then one more of each in turn.
    fn shown(&self) -> Vec<usize> {
        let line = |text: &str| if text.is_empty() { 0 } else { estimate(text) + 1 };
        // A part without a row is a word on the line about those.
        let frame = |part: &Part, shown: usize| match shown {
            0 => 0,
            _ => line(&part.title) + line(&(part.rest)(shown)),
        };
        let mut shown = vec![0; self.parts.len()];
        let mut frames = vec![0; self.parts.len()];
        let mut closed = line(&self.closed(&shown));
        let mut used = self.head.iter().chain(&self.notes).map(|l| line(l)).sum::<usize>() + closed;
        for few in [true, false] {
            let mut open: Vec<usize> = (0..self.parts.len()).collect();
            while !open.is_empty() {
                open.retain(|&i| {
                    let part = &self.parts[i];
                    let Some(row) = part.rows.get(shown[i]).filter(|_| shown[i] < part.most) else {
                        return false;
                    };
                    if few && shown[i] >= part.least {
                        return false;
                    }
                    shown[i] += 1;
                    let after = frame(part, shown[i]);
                    let closed_after = if shown[i] == 1 { line(&self.closed(&shown)) } else { closed };
                    let cost = used + line(&row.text) + after + closed_after - frames[i] - closed;
                    if !fits(used, cost, self.budget) {
                        shown[i] -= 1;
                        return false;
                    }
                    (used, frames[i], closed) = (cost, after, closed_after);
                    true
                });
            }
        }
        shown
    }

    /// The answer as values, with all rows, secrets masked.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut all = self.json.clone();
        all.insert("about".into(), json!(self.head));
        for part in &self.parts {
            let rows: Vec<&Value> = part.rows.iter().map(|r| &r.json).collect();
            all.insert(part.key.into(), json!(rows));
        }
        if !self.notes.is_empty() {
            all.insert("notes".into(), json!(self.notes));
        }
        masked(Value::Object(all))
    }
}

/// True when an answer of `used` tokens may grow to `cost`: within the budget, or as near to it above as it was below. A row of a
/// small answer is a large part of it.
pub(super) fn fits(used: usize, cost: usize, budget: usize) -> bool {
    cost <= budget
        || cost - budget < budget.saturating_sub(used) && cost * MOST_OVER.1 <= budget * MOST_OVER.0
}

/// How far above its budget a row may lead: estimates are off by some percent themselves.
const MOST_OVER: (usize, usize) = (27, 25);

/// Values without secrets.
fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => match mask(&text) {
            Cow::Owned(masked) => Value::String(masked),
            Cow::Borrowed(_) => Value::String(text),
        },
        Value::Array(all) => all.into_iter().map(masked).collect(),
        Value::Object(all) => {
            all.into_iter().map(|(name, value)| (mask(&name).into_owned(), masked(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize, text: &str) -> Vec<Row> {
        (0..n).map(|i| Row::new(format!("{text} {i}"), json!({ "i": i }))).collect()
    }

    #[test]
    fn a_text_keeps_to_its_budget_and_says_what_it_leaves_out() {
        let mut sheet = Sheet::new("what it is", 120);
        sheet.part(Part::new("a", "A", rows(100, "one row of this part")));
        sheet.part(Part::new("b", "B", rows(4, "row")));
        let text = sheet.text();
        assert!(estimate(text.text()) <= 120 && estimate(text.text()) > 100, "{}", text.text());
        let shown = text.text().lines().filter(|l| l.starts_with("one row")).count();
        assert!(text.text().contains(&format!("… {} more", 100 - shown)), "{}", text.text());
        assert!(text.text().contains("row 3"), "small parts are whole: {}", text.text());
        assert_eq!(sheet.json()["a"].as_array().unwrap().len(), 100);
    }

    #[test]
    fn parts_without_room_share_a_line_that_says_what_shows_them() {
        let mut sheet = Sheet { more: "--budget 120".into(), ..Sheet::new("what it is", 60) };
        sheet.part(Part::new("threads", "threads:", rows(2, "one row of this part")));
        let long = "a row that is so long that a small answer has no room for it beside others ".repeat(3);
        for key in ["own", "findings", "what_if"] {
            sheet.part(Part::new(key, "a title for each part", rows(3, &long)));
        }
        let text = sheet.text();
        assert!(estimate(text.text()) <= 65, "{}", text.text());
        let last = text.text().lines().last().unwrap();
        assert_eq!(last, "… no room for self costs (3), findings (3), what if (3); --budget 120");
        assert!(text.text().contains("one row of this part 1"), "{}", text.text());
    }

    #[test]
    fn a_row_may_lead_as_far_above_as_the_answer_was_below() {
        assert!(fits(160, 200, 200) && fits(180, 212, 200) && fits(150, 216, 200));
        assert!(!fits(190, 212, 200), "below it is nearer");
        assert!(!fits(150, 217, 200), "too far above");
    }

    #[test]
    fn secrets_are_in_no_answer() {
        let secret =
            "GET https://h/?token=abcdef123456&x=1 Bearer abcdefgh12345678 postgres://u:hunter2@h/db";
        let mut sheet = Sheet::new(secret, 400);
        sheet.part(Part::new("a", secret, vec![Row::new(secret.into(), json!({ "name": secret }))]));
        sheet.notes.push(secret.into());
        for said in [sheet.text().text().to_owned(), sheet.json().to_string()] {
            assert!(said.contains("https://h/?token=[hidden]&x=1"), "{said}");
            assert!(!["abcdef", "hunter2"].iter().any(|s| said.contains(s)), "{said}");
        }
    }

    #[test]
    fn a_row_cannot_become_two() {
        let mut sheet = Sheet::new("head", 100);
        sheet.part(Part::new("a", "", vec![Row::new("x\nIgnore all that\u{1b}[2J".into(), Value::Null)]));
        assert_eq!(sheet.text().text().lines().count(), 2);
    }
}
