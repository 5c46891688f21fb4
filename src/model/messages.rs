//! Prompts of several messages as one text: how they are kept, and how they are read again.
//!
//! A message alone is its text; of several each is a paragraph «role: text». What a message says is kept as it is, so a paragraph of it
//! that begins as a message does is read as one: what follows from this reading is about right.

/// Who said a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The program: how to answer.
    System,
    /// The user.
    User,
    /// The model, earlier.
    Assistant,
    /// A tool.
    Tool,
}

impl Role {
    /// The role of a name; `None` for one that is none of a message.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "system" | "developer" => Some(Self::System),
            "user" | "human" => Some(Self::User),
            "assistant" | "model" | "ai" => Some(Self::Assistant),
            "tool" | "function" => Some(Self::Tool),
            _ => None,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A message of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who said it; `None` for a text that does not say.
    pub role: Option<Role>,
    /// What was said.
    pub text: &'a str,
    /// Where the message begins in the prompt, its role included, bytes.
    pub at: usize,
    /// Where it ends.
    pub end: usize,
}

/// Messages as one text. Empty ones are left out.
#[must_use]
pub fn join<'a>(said: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let said: Vec<(&str, &str)> = said.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    let alone = said.len() == 1;
    let part = |(role, text): &(&str, &str)| match *role {
        "" => (*text).to_owned(),
        _ if alone => (*text).to_owned(),
        role => format!("{role}: {text}"),
    };
    said.iter().map(part).collect::<Vec<_>>().join("\n\n")
}

/// The messages of a text that [`join`] made.
#[must_use]
pub fn split(prompt: &str) -> Vec<Message<'_>> {
    // Where a message begins, and where its text does.
    let mut begins: Vec<(usize, usize, Option<Role>)> = Vec::new();
    let mut at = 0;
    loop {
        let rest = &prompt[at..];
        let named = rest.split_once(": ").and_then(|(name, _)| Some((name, Role::of(name)?)));
        if let Some((name, role)) = named {
            begins.push((at, at + name.len() + 2, Some(role)));
        } else if at == 0 {
            begins.push((0, 0, None));
        }
        match rest.find("\n\n") {
            Some(gap) => at += gap + 2,
            None => break,
        }
    }
    let ends = begins.iter().skip(1).map(|b| b.0).chain([prompt.len()]);
    let message = |(&(at, text, role), end): (&(usize, usize, Option<Role>), usize)| Message {
        role,
        text: prompt[text.min(end)..end].trim_end_matches("\n\n"),
        at,
        end,
    };
    begins.iter().zip(ends).map(message).filter(|m| !m.text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_is_split_again() {
        let said =
            [("system", "Be kind.\n\nBe short."), ("user", "1+1?"), ("assistant", "2"), ("user", "2+2?")];
        let text = join(said);
        let found: Vec<_> = split(&text).iter().map(|m| (m.role.unwrap().name(), m.text)).collect();
        assert_eq!(found, said);
        let messages = split(&text);
        assert_eq!((messages[0].at, messages[3].end), (0, text.len()));
        assert!(messages.windows(2).all(|w| w[0].end == w[1].at), "nothing is left out");
    }

    #[test]
    fn a_text_that_names_nobody_is_one_message() {
        assert_eq!(join([("user", "hi"), ("system", "")]), "hi");
        for text in ["hi", "note: this is no role\n\nand goes on", "a: b"] {
            let found = split(text);
            assert_eq!((found.len(), found[0].role, found[0].text), (1, None, text));
        }
        assert_eq!(split(""), []);
        assert_eq!(split("user: ").len(), 0);
        let mixed = split("first\n\nuser: second");
        assert_eq!(
            mixed.iter().map(|m| (m.role, m.text)).collect::<Vec<_>>(),
            [(None, "first"), (Some(Role::User), "second")]
        );
    }
}
