//! What inferscope can record by itself.
//!
//! A workload is a title, parameters, and code that emits spans. One line in [`WORKLOADS`] feeds the
//! dialog, the command line and the tests.

mod asyncio;
mod attach;
mod command;
mod demo;
mod endpoint;
mod generate;
mod listen;
mod proxy;
mod rag;
mod service;
mod settings;
mod start;
mod variants;

use super::context::{Context, WorkloadError};
use super::llm::DeviceChoice;
use super::secrets;
pub use command::{command_line, hand_over_output, shares_terminal};
pub use settings::Params;
pub use start::{run_title, runs_in_recorder, start};

/// All workloads.
pub static WORKLOADS: &[&dyn Workload] = &[
    &demo::Demo,
    &asyncio::Asyncio,
    &generate::Generate,
    &command::Command,
    &attach::Attach,
    &rag::Rag,
    &service::ServiceWorkload,
    &endpoint::Endpoint,
    &proxy::ProxyWorkload,
    &listen::Listen,
];

/// Something to record.
pub trait Workload: Sync {
    /// Short stable name.
    fn id(&self) -> &'static str;
    /// What a person reads.
    fn title(&self) -> &'static str;
    /// One or two sentences: what it does and what can be seen in it.
    fn about(&self) -> &'static str;
    /// Its parameters.
    fn params(&self) -> &'static [Param];
    /// Keys of the parameters that most people set; the others are for special cases. All of them when it names none.
    fn usual_params(&self) -> &'static [&'static str] {
        &[]
    }
    /// Title of a run with these parameters.
    fn run_title(&self, _params: &Params) -> String {
        self.title().into()
    }
    /// True when the work is done by another process, whose memory and CPU use are to be sampled.
    fn other_process(&self) -> bool {
        false
    }
    /// Why it cannot be started with these parameters, as far as that is known before; one line.
    fn problem(&self, _params: &Params) -> Option<String> {
        None
    }
    /// True when it marks its requests for the sampling of roots; otherwise every outermost span is a root.
    fn marks_requests(&self) -> bool {
        false
    }
    /// Does it. Ends within 100 ms once `cx` says so; another process may need longer to end in order.
    ///
    /// # Errors
    /// [`WorkloadError::Stopped`] when `cx` asked for it, else why it failed.
    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError>;
}

/// A parameter of a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Its name on the command line.
    pub key: &'static str,
    /// What a person reads.
    pub label: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// The value when none is given.
    pub default: &'static str,
    /// What values it takes.
    pub kind: ParamKind,
}

/// Values that a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamKind {
    /// A whole number.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A decimal number.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// `true` or `false`.
    Bool,
    /// A file that is read; empty for none.
    Path,
    /// A file that is written; empty for none.
    Output,
    /// A folder; empty for the present one.
    Folder,
    /// A language model: a GGUF file or a folder; empty for the bundled one.
    Model,
    /// What a language model is computed on.
    Device,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words with commas between them.
    Choices(&'static [&'static str]),
    /// Whole numbers with commas between them; empty for none.
    Numbers {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Any text; empty for none.
    Text,
    /// What is said to a model, or holds such a text; empty for none.
    Prompt,
    /// A program with its arguments.
    Command,
    /// The number of a process whose stacks can be read; empty for none.
    Process,
    /// An address. It becomes part of the recording, so it holds no password and no key.
    Url,
    /// The name of an environment variable, in capitals, so that nobody types the secret itself.
    Variable,
}

/// Most numbers in a [`ParamKind::Numbers`].
const MOST_NUMBERS: usize = 32;

impl Param {
    /// Why `text` is no value of this parameter, with its key; `None` when it is one.
    #[must_use]
    pub fn problem(&self, text: &str) -> Option<String> {
        let why = self.why_not(text)?;
        Some(match self.kind {
            // What was typed is not repeated: it may be the secret.
            ParamKind::Url | ParamKind::Variable => format!("{}: {why}", self.key),
            _ => format!("{}={text}: {why}", self.key),
        })
    }

    /// The value as a recording may hold it. What is said to a model is a text, which only stays where `texts` are kept.
    fn kept(&self, value: &str, texts: bool) -> String {
        match self.kind {
            ParamKind::Command => secrets::command(value, texts),
            ParamKind::Prompt if !texts => secrets::left_out(value),
            _ => value.to_owned(),
        }
    }

    /// The same in words, for whoever sees the field.
    #[must_use]
    pub fn why_not(&self, text: &str) -> Option<String> {
        let wants = match self.kind {
            ParamKind::Int { min, max } => match text.parse::<i64>() {
                Ok(v) if (min..=max).contains(&v) => return None,
                _ => format!("a whole number from {min} to {max}"),
            },
            ParamKind::Float { min, max } => match text.parse::<f64>() {
                Ok(v) if (min..=max).contains(&v) => return None,
                _ => format!("a number from {min} to {max}"),
            },
            ParamKind::Process if text.is_empty() => return None,
            ParamKind::Process => return attach::process(text).err(),
            ParamKind::Bool if matches!(text, "true" | "false") => return None,
            ParamKind::Bool => "true or false".to_owned(),
            ParamKind::Path
            | ParamKind::Output
            | ParamKind::Folder
            | ParamKind::Model
            | ParamKind::Text
            | ParamKind::Prompt
            | ParamKind::Command => return None,
            ParamKind::Device => match DeviceChoice::parse(text) {
                Ok(_) => return None,
                Err(why) => return Some(format!("{} {why}", self.label)),
            },
            ParamKind::Choice(words) if words.contains(&text) => return None,
            ParamKind::Choice(words) => format!("one of {}", words.join(", ")),
            // An empty list is only right where nothing is what is usual.
            ParamKind::Choices(_) if text.is_empty() && self.default.is_empty() => return None,
            ParamKind::Choices(words) if text.split(',').all(|w| words.contains(&w.trim())) => return None,
            ParamKind::Choices(words) => format!("some of {}, with commas between them", words.join(", ")),
            ParamKind::Url if !holds_secret(text) => return None,
            ParamKind::Url => {
                let why = "must not hold a user name, password or key: it is stored with the recording";
                return Some(format!("{} {why}", self.label));
            }
            ParamKind::Variable if is_variable(text) => return None,
            ParamKind::Variable => {
                let why = "is the name of an environment variable, in capitals, and never the key itself";
                return Some(format!("{} {why}", self.label));
            }
            ParamKind::Numbers { min, max } => {
                let numbers = || text.split(',').map(|n| n.trim().parse::<i64>());
                let fits = numbers().all(|n| n.is_ok_and(|n| (min..=max).contains(&n)));
                if text.is_empty() || fits && numbers().count() <= MOST_NUMBERS {
                    return None;
                }
                format!("a list such as 1,2,4 of at most {MOST_NUMBERS} whole numbers from {min} to {max}")
            }
        };
        Some(format!("{} is {wants}", self.label))
    }
}

/// True if an address names a user or has a query parameter that sounds like a key.
fn holds_secret(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let user = rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'));
    let query = rest.split_once('?').map_or("", |(_, query)| query).to_ascii_lowercase();
    let mut names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    user || names.any(|name| ["key", "token", "secret", "password", "sig"].iter().any(|s| name.contains(s)))
}

fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        let problem = |kind, text: &str| Param { kind, ..asyncio::SCALE }.problem(text);
        for fine in ["", "none", "http://x:1/v1", "https://x/v1?api-version=3", "http://x/@me"] {
            assert_eq!(problem(ParamKind::Url, fine), None, "{fine}");
        }
        for bad in ["http://me:hunter2@x/v1", "me:hunter2@x", "https://x/?api_key=hunter2"] {
            assert!(!problem(ParamKind::Url, bad).unwrap().contains("hunter2"));
        }
        assert_eq!(problem(ParamKind::Variable, "OPENAI_API_KEY"), None);
        for bad in ["", "sk-abcdef", "hf_abcdef", "1ABC"] {
            assert!(!problem(ParamKind::Variable, bad).unwrap().contains("abcdef"));
        }
    }

    #[test]
    fn lists_and_choices_are_checked_too() {
        let of = |kind| Param { key: "p", label: "P", help: "", default: "", kind };
        let list = of(ParamKind::Numbers { min: 1, max: 8 });
        assert_eq!([list.problem(""), list.problem("1, 2,8")], [None, None]);
        for wrong in ["0", "9", "1,,2", "a", &"1,".repeat(40)] {
            assert!(list.problem(wrong).unwrap().contains("such as 1,2,4"), "{wrong}");
        }
        let choice = of(ParamKind::Choice(&["one", "two"]));
        assert_eq!(choice.problem("two"), None);
        assert_eq!(choice.problem("three").unwrap(), "p=three: P is one of one, two");
    }

    #[test]
    fn every_workload_has_a_name_of_its_own_and_defaults_that_are_values() {
        for (i, workload) in WORKLOADS.iter().enumerate() {
            assert!(WORKLOADS[..i].iter().all(|w| w.id() != workload.id()));
            assert!(!workload.title().is_empty() && !workload.about().is_empty());
            for param in workload.params() {
                assert_eq!(param.problem(param.default), None, "{}", workload.id());
            }
        }
    }
}
