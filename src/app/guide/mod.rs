//! The guide: one text for the repository, `inferscope help TOPIC` and the window of the Help menu.

mod window;

pub(super) use window::{Reader, ui};

/// A page of the guide.
#[derive(Debug)]
pub struct Topic {
    /// What is typed to see it, and the name of its file without the ending.
    pub name: &'static str,
    /// Markdown. The first line is the title.
    pub text: &'static str,
}

macro_rules! topics {
    ($($name:literal)*) => {
        &[$(Topic { name: $name, text: include_str!(concat!("../../../assets/guide/", $name, ".md")) }),*]
    };
}

/// All pages, in the order in which one reads them.
pub const TOPICS: &[Topic] = topics! {
    "installing" "opening" "viewing" "recording" "listening" "remote" "python" "llm" "comparing" "fleets" "terminal" "numbers" "speed" "privacy" "limits"
    "problems"
};

impl Topic {
    /// Its first line.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// How often it holds a text, whatever its case.
    fn count(&self, wanted: &str) -> usize {
        self.text.to_lowercase().matches(&wanted.to_lowercase()).count()
    }
}
