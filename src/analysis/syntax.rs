//! Words of source code, for colouring: comments, texts, numbers, keywords. Good enough to read by, and
//! never wrong for long: each line starts in a known state.

use std::path::Path;

/// Families of languages that are coloured alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Not known: nothing is coloured.
    #[default]
    Plain,
    /// `#` comments and long texts in triple quotes.
    Python,
    /// `#` comments: shells, Ruby, configuration.
    Hash,
    /// `//` and `/* */` comments: C, C++, Go, Java, JavaScript …
    Slash,
    /// The same with lifetimes.
    Rust,
}

/// What a line starts inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// Ordinary code.
    #[default]
    Code,
    /// A `/* */` comment.
    Comment,
    /// A text in triple quotes of this kind.
    Long(u8),
    /// A text in backticks.
    Template,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// A remark.
    Comment,
    /// A text in quotes.
    Text,
    /// A number.
    Number,
    /// A word of the language.
    Keyword,
}

const PYTHON: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "case", "class", "continue", "def", "del", "elif",
    "else", "except", "False", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "match", "None", "nonlocal", "not", "or", "pass", "raise", "return", "True", "try", "while", "with",
    "yield",
];
const HASH: &[&str] = &[
    "begin", "case", "class", "def", "do", "done", "elif", "else", "elsif", "end", "ensure", "esac", "false",
    "fi", "for", "function", "if", "in", "local", "module", "nil", "require", "rescue", "return", "self",
    "then", "true", "unless", "until", "when", "while", "yield",
];
const SLASH: &[&str] = &[
    "abstract",
    "as",
    "async",
    "auto",
    "await",
    "bool",
    "boolean",
    "break",
    "byte",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "constexpr",
    "continue",
    "crate",
    "default",
    "defer",
    "delete",
    "do",
    "double",
    "dyn",
    "else",
    "enum",
    "explicit",
    "export",
    "extends",
    "extern",
    "false",
    "final",
    "finally",
    "float",
    "fn",
    "for",
    "foreach",
    "from",
    "func",
    "function",
    "go",
    "goto",
    "if",
    "impl",
    "implements",
    "import",
    "in",
    "inline",
    "instanceof",
    "int",
    "interface",
    "let",
    "long",
    "loop",
    "map",
    "match",
    "mod",
    "move",
    "mut",
    "namespace",
    "new",
    "nil",
    "null",
    "nullptr",
    "operator",
    "override",
    "package",
    "private",
    "protected",
    "pub",
    "public",
    "range",
    "ref",
    "return",
    "select",
    "self",
    "Self",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "super",
    "switch",
    "template",
    "this",
    "throw",
    "throws",
    "trait",
    "true",
    "try",
    "type",
    "typedef",
    "typename",
    "typeof",
    "undefined",
    "union",
    "unsafe",
    "unsigned",
    "use",
    "using",
    "var",
    "virtual",
    "void",
    "volatile",
    "where",
    "while",
    "yield",
];

impl Language {
    /// By the ending of a file's name.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        match ending.as_str() {
            "rs" => Self::Rust,
            "py" | "pyi" | "pyx" | "pxd" => Self::Python,
            "rb" | "sh" | "bash" | "zsh" | "toml" | "yaml" | "yml" | "r" | "pl" | "pm" | "jl" => Self::Hash,
            "c" | "h" | "cc" | "hh" | "cpp" | "hpp" | "cxx" | "hxx" | "inl" | "cu" | "cuh" | "m" | "mm"
            | "go" | "java" | "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" | "kt" | "scala" | "cs"
            | "swift" | "php" | "zig" | "d" | "dart" | "metal" | "wgsl" | "glsl" => Self::Slash,
            _ => Self::Plain,
        }
    }

    fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Python => PYTHON,
            Self::Hash => HASH,
            Self::Slash | Self::Rust => SLASH,
        }
    }

    /// Tells `word` the byte range and kind of each word of a line that starts in `state`; what is not told is
    /// ordinary text. Returns what the next line starts in.
    pub fn words(
        self,
        state: State,
        line: &str,
        word: &mut dyn FnMut(std::ops::Range<usize>, Word),
    ) -> State {
        if self == Self::Plain {
            return State::Code;
        }
        let (bytes, mut at, mut state) = (line.as_bytes(), 0, state);
        loop {
            // What is left open from before, or was opened just now.
            let (end, kind) = match state {
                State::Code => (Some(at), Word::Text),
                State::Comment => (find(bytes, at, b"*/"), Word::Comment),
                State::Long(quote) => (find(bytes, at, &[quote; 3]), Word::Text),
                State::Template => (closing(bytes, at, b'`'), Word::Text),
            };
            if state != State::Code {
                word(at..end.unwrap_or(bytes.len()), kind);
                let Some(end) = end else { return state };
                (at, state) = (end, State::Code);
            }
            let Some(&byte) = bytes.get(at) else { return State::Code };
            let rest = &bytes[at..];
            if self.starts_comment(bytes, at) {
                word(at..bytes.len(), Word::Comment);
                return State::Code;
            }
            match byte {
                b'/' if self.has_slashes() && rest.starts_with(b"/*") => {
                    word(at..at + 2, Word::Comment);
                    (at, state) = (at + 2, State::Comment);
                }
                b'"' | b'\'' if self == Self::Python && rest.starts_with(&[byte; 3]) => {
                    word(at..at + 3, Word::Text);
                    (at, state) = (at + 3, State::Long(byte));
                }
                b'`' if self == Self::Slash => {
                    word(at..at + 1, Word::Text);
                    (at, state) = (at + 1, State::Template);
                }
                b'"' | b'\'' => {
                    let end = self.text_end(bytes, at);
                    if end > at + 1 {
                        word(at..end, Word::Text);
                    }
                    at = end;
                }
                b'0'..=b'9' => {
                    let end = run(bytes, at, |b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_');
                    word(at..end, Word::Number);
                    at = end;
                }
                _ if is_name(byte) => {
                    let end = run(bytes, at, |b| is_name(b) || b.is_ascii_digit());
                    if self.keywords().contains(&&line[at..end]) {
                        word(at..end, Word::Keyword);
                    }
                    at = end;
                }
                _ => at += 1,
            }
        }
    }

    fn has_slashes(self) -> bool {
        matches!(self, Self::Slash | Self::Rust)
    }

    fn starts_comment(self, bytes: &[u8], at: usize) -> bool {
        match self {
            Self::Slash | Self::Rust => bytes[at..].starts_with(b"//"),
            Self::Python | Self::Hash => bytes[at] == b'#',
            Self::Plain => false,
        }
    }

    /// The end of a text that starts at `at`; right after its quote when it is none: 'a of Rust is a lifetime,
    /// 'a' is a text.
    fn text_end(self, bytes: &[u8], at: usize) -> usize {
        let end = closing(bytes, at + 1, bytes[at]);
        if self != Self::Rust || bytes[at] == b'"' {
            return end.unwrap_or(bytes.len());
        }
        let one =
            bytes.get(at + 1).is_some_and(|b| *b == b'\\' || *b >= 0x80 || bytes.get(at + 2) == Some(&b'\''));
        end.filter(|end| one && end - at <= 12).unwrap_or(at + 1)
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn run(bytes: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|b| !fits(*b)).map_or(bytes.len(), |n| at + n)
}

/// The end of the first `needle` at or after `at`.
fn find(bytes: &[u8], at: usize, needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(&bytes[at..], needle).map(|n| at + n + needle.len())
}

/// The end of the first `quote` at or after `at` that no backslash escapes.
fn closing(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(language: Language, state: State, line: &str) -> (String, State) {
        let mut out = Vec::new();
        let state = language.words(state, line, &mut |range, word| {
            let mark = match word {
                Word::Comment => '/',
                Word::Text => '"',
                Word::Number => '1',
                Word::Keyword => 'k',
            };
            out.push(format!("{mark}{}", &line[range]));
        });
        (out.join(" "), state)
    }

    #[test]
    fn words_are_told_apart() {
        let code = |l, line: &str| show(l, State::Code, line).0;
        assert_eq!(
            code(Language::Python, "def f(x): return 'a#b' + 1.5  # sum"),
            "kdef kreturn \"'a#b' 11.5 /# sum"
        );
        assert_eq!(
            code(Language::Rust, "fn f<'a>(x: &'a str) -> char { 'x' } // y"),
            "kfn kchar \"'x' /// y"
        );
        let (line, words) = (r#"s = "a\"b//c"; /* d */ if (0x1F)"#, r#"""a\"b//c" //* / d */ kif 10x1F"#);
        assert_eq!(code(Language::Slash, line), words);
        assert_eq!(code(Language::Plain, "def 'x'"), "");
    }

    #[test]
    fn long_texts_and_comments_go_on_in_the_next_line() {
        let (_, state) = show(Language::Python, State::Code, "x = '''one");
        assert_eq!(state, State::Long(b'\''));
        assert_eq!(
            show(Language::Python, state, "two\"\"\"''' if"),
            ("\"two\"\"\"''' kif".into(), State::Code)
        );
        let (_, state) = show(Language::Slash, State::Code, "a /* b");
        assert_eq!(show(Language::Slash, state, "c */ for"), ("/c */ kfor".into(), State::Code));
        assert_eq!(show(Language::Slash, State::Code, "`a").1, State::Template);
    }

    proptest! {
        #[test]
        fn any_line_is_cut_at_characters(line in "[-'\"`/*#a-z0-9\\\\ äπ🦀]{0,40}", language in 0u8..5, state in 0u8..4) {
            let language = [Language::Plain, Language::Python, Language::Hash, Language::Slash, Language::Rust][language as usize];
            let state = [State::Code, State::Comment, State::Long(b'"'), State::Template][state as usize];
            let mut last = 0;
            language.words(state, &line, &mut |range, _| {
                assert!(range.start >= last && range.end <= line.len());
                let _ = &line[range.clone()];
                last = range.end;
            });
        }
    }
}
