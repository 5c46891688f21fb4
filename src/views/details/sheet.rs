//! What is known about a thing as plain data: sections of facts, and pictures in between. Painted by the
//! view, copied as Markdown.

use crate::format;
use crate::model::{FunctionId, RequestId, Unit};
use crate::state::Item;
use crate::ui::theme::Tone;

/// The number behind a fact, by which two runs are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amount {
    /// In its unit.
    Cost(Unit, i64),
    /// A moment, ns since the start of its run.
    Moment(i64),
    /// Without a unit that is known.
    Number(f64),
}

/// One fact.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fact {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// What the name means.
    pub hint: &'static str,
    /// What a click leads to.
    pub go: Option<Item>,
    /// Its number, where it is one.
    pub amount: Option<Amount>,
}

impl Fact {
    /// A plain fact.
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), ..Self::default() }
    }

    /// A cost in its unit.
    pub fn cost(name: &str, unit: Unit, value: i64) -> Self {
        Self::new(name, format::cost(unit, value)).is(Amount::Cost(unit, value))
    }

    /// How often.
    pub fn count(name: &str, value: usize) -> Self {
        Self::cost(name, Unit::Count, value as i64)
    }

    /// With the number behind the text, where it is known.
    pub fn is(self, amount: impl Into<Option<Amount>>) -> Self {
        Self { amount: amount.into(), ..self }
    }

    /// With an explanation.
    pub fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// Leads to `item`.
    pub fn go(self, item: impl Into<Option<Item>>) -> Self {
        Self { go: item.into(), ..self }
    }
}

/// A part of a sheet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    /// Facts under a heading (empty for none).
    Facts {
        /// Heading.
        title: String,
        /// The facts.
        facts: Vec<Fact>,
        /// A remark below them; empty for none.
        note: String,
    },
    /// From the outermost caller to the thing itself.
    Path(Vec<(String, Item)>),
    /// The most probable stack of a function.
    Stack {
        /// From the root to the innermost function.
        steps: Vec<(String, Item)>,
        /// Place of the function itself.
        at: usize,
        /// How probable, and what that rests on.
        note: String,
    },
    /// Durations of all calls of a function; the length of the selected one is marked, ns.
    Durations(FunctionId, Option<i64>),
    /// Tokens of a request over time.
    Tokens(RequestId),
    /// A longer text.
    Text {
        /// Heading.
        title: String,
        /// The text.
        text: String,
    },
    /// What ran at a moment, ns.
    Moment(i64),
}

/// Everything about one thing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sheet {
    /// What kind of thing.
    pub kind: &'static str,
    /// Its name.
    pub title: String,
    /// Name that gives the colour of its swatch; empty for none.
    pub color_of: String,
    /// A word on its state.
    pub badge: Option<(Tone, String)>,
    /// The parts.
    pub blocks: Vec<Block>,
}

impl Sheet {
    /// A sheet without parts.
    pub fn new(kind: &'static str, title: impl Into<String>) -> Self {
        Self { kind, title: title.into(), color_of: String::new(), badge: None, blocks: Vec::new() }
    }

    /// Adds a section unless it is empty.
    pub fn facts(&mut self, title: &str, facts: Vec<Fact>) {
        self.noted(title, facts, "");
    }

    /// Adds a section with a remark unless both are empty.
    pub fn noted(&mut self, title: &str, facts: Vec<Fact>, note: &str) {
        if !facts.is_empty() || !note.is_empty() {
            self.blocks.push(Block::Facts { title: title.into(), facts, note: note.into() });
        }
    }

    /// Adds a text unless it is empty.
    pub fn text(&mut self, title: &str, text: &str) {
        if !text.is_empty() {
            self.blocks.push(Block::Text { title: title.into(), text: text.into() });
        }
    }

    /// The sheet for a note or an issue.
    pub fn markdown(&self) -> String {
        let line = |text: &str| text.replace(['\n', '\r'], " ").replace('|', "\\|");
        let mut out = format!("## {} {}\n", self.kind, line(&self.title));
        for block in &self.blocks {
            match block {
                Block::Facts { title, facts, note } => {
                    if !title.is_empty() {
                        out.push_str(&format!("\n### {title}\n"));
                    }
                    if !facts.is_empty() {
                        out.push_str("\n| | |\n|---|---|\n");
                    }
                    for fact in facts {
                        out.push_str(&format!("| {} | {} |\n", line(&fact.name), line(&fact.value)));
                    }
                    if !note.is_empty() {
                        out.push_str(&format!("\n{note}\n"));
                    }
                }
                Block::Path(steps) => {
                    let names: Vec<_> = steps.iter().map(|(name, _)| line(name)).collect();
                    out.push_str(&format!("\n### Path\n\n{}\n", names.join(" › ")));
                }
                Block::Stack { steps, note, .. } => {
                    let names: Vec<_> = steps.iter().map(|(name, _)| line(name)).collect();
                    out.push_str(&format!("\n### Most probable stack\n\n{}\n\n{note}\n", names.join(" › ")));
                }
                Block::Text { title, text } => {
                    // A fence longer than any in the text.
                    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
                    out.push_str(&format!("\n### {title}\n\n{fence}\n{text}\n{fence}\n"));
                }
                Block::Durations(..) | Block::Tokens(_) | Block::Moment(_) => {}
            }
        }
        out
    }
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut best, mut now) = (0, 0);
    for c in text.chars() {
        now = if c == of { now + 1 } else { 0 };
        best = best.max(now);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_holds_every_fact_and_survives_odd_texts() {
        let mut sheet = Sheet::new("Span", "a|b\nc");
        sheet.facts("Times", vec![Fact::new("Start", "1 ms"), Fact::new("x|y", "line\nbreak")]);
        sheet.facts("Empty", Vec::new());
        sheet.text("Prompt", "use ```rust```");
        let text = sheet.markdown();
        assert!(text.starts_with("## Span a\\|b c\n\n### Times\n\n| | |\n|---|---|\n| Start | 1 ms |\n"));
        assert!(text.contains("| x\\|y | line break |"));
        assert!(!text.contains("Empty"));
        assert!(text.ends_with("````\nuse ```rust```\n````\n"));
    }
}
