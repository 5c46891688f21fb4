//! Function names with less in them, for places where the whole one has no room.
//!
//! What tells least goes first: template arguments and parameters, then the marks that they were there.

use std::borrow::Cow;

/// Parameters of a signature up to this length stay.
const SHORT_PARAMETERS: usize = 12;

/// A name without template arguments and parameters of C++, Rust and the like.
#[must_use]
pub fn bare(name: &str) -> Cow<'_, str> {
    if let Some(address) = address(name) {
        return Cow::Owned(address);
    }
    if !name.contains('<') && !name.contains('(') {
        return Cow::Borrowed(name);
    }
    let name = name.strip_prefix("void ").unwrap_or(name);
    let bytes = name.as_bytes();
    let is_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let qualified = name.contains("::") || name.contains(", ");
    let mut out = String::with_capacity(name.len());
    let mut at = 0;
    while at < bytes.len() {
        let before = at.checked_sub(1).and_then(|i| bytes.get(i));
        let named = |word: &str| name[..at].ends_with(word);
        let end = match bytes[at] {
            b'<' if (is_word(before) || named("::")) && !named("operator") => closing(bytes, at),
            b'(' if qualified && (is_word(before) || before == Some(&b'>')) && !named("operator") => {
                closing(bytes, at).filter(|end| end - at > SHORT_PARAMETERS)
            }
            _ => None,
        };
        match end {
            Some(end) if end > at + 1 => {
                out.push(char::from(bytes[at]));
                out.push('…');
                out.push(char::from(bytes[end]));
                at = end + 1;
            }
            _ => {
                let next = (at + 1..=name.len()).find(|&i| name.is_char_boundary(i)).unwrap_or(name.len());
                out += &name[at..next];
                at = next;
            }
        }
    }
    Cow::Owned(out)
}

/// Place of the bracket that closes the one at `open`.
fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (i, &b) in bytes.iter().enumerate().skip(open) {
        match b {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            // An arrow closes nothing.
            b'>' if bytes[i - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// An address that stands for a name, without its leading zeros.
fn address(name: &str) -> Option<String> {
    let digits = name.strip_prefix("0x")?;
    if !digits.starts_with('0') || digits.len() < 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let rest = digits.trim_start_matches('0');
    Some(format!("0x{}", if rest.is_empty() { "0" } else { rest }))
}

/// Shorter forms of a name, the longest first; none where nothing can go.
pub fn shorter(name: &str) -> impl Iterator<Item = String> {
    let bare = match bare(name) {
        Cow::Owned(bare) => Some(bare),
        Cow::Borrowed(_) => None,
    };
    let bald =
        bare.as_ref().filter(|bare| bare.contains('…')).map(|b| b.replace("<…>", "").replace("(…)", ""));
    let bald = bald.filter(|bald| !bald.trim().is_empty());
    bare.into_iter().chain(bald)
}

/// The longest form of a name that fits, or the shortest there is.
#[must_use]
pub fn fitting(name: &str, mut fits: impl FnMut(&str) -> bool) -> Cow<'_, str> {
    // Zeros that lead an address tell nothing, however much room there is.
    if let Some(address) = address(name) {
        return Cow::Owned(address);
    }
    if fits(name) {
        return Cow::Borrowed(name);
    }
    let mut last = None;
    for form in shorter(name) {
        let enough = fits(&form);
        last = Some(form);
        if enough {
            break;
        }
    }
    last.map_or(Cow::Borrowed(name), Cow::Owned)
}

/// The first `most` characters of a name, escaped; `…` where more follow.
#[must_use]
pub fn beginning(name: &str, most: usize) -> String {
    let name = if let Some(address) = address(name) { Cow::Owned(address) } else { super::escaped(name) };
    let mut chars = name.chars();
    let head: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() { format!("{head}…") } else { head }
}

/// Number of letters to change, add or drop; names that differ much are far apart, however much.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    const FAR: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(FAR).collect(), b.chars().take(FAR).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// A name as it begins a line.
#[must_use]
pub fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Words that have no capital and no full stop as a sentence; nothing stays nothing.
#[must_use]
pub fn sentence(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("{}.", capitalised(words)) }
}

/// A name as it is written within a line: «instructions (Ir)», but «RSS».
#[must_use]
pub fn within_a_line(name: &str) -> String {
    let mut chars = name.chars();
    match (chars.next(), chars.as_str()) {
        (Some(first), rest) if rest.starts_with(char::is_lowercase) => {
            first.to_lowercase().chain(rest.chars()).collect()
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_arguments_and_parameters_go_and_other_brackets_stay() {
        for (name, want) in [
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul> >(int, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul>)",
                "at::native::vectorized_elementwise_kernel<…>(…)",
            ),
            ("std::vector<int>::push_back(int const&)", "std::vector<…>::push_back(int const&)"),
            (
                "at::native::(anonymous namespace)::work(float)",
                "at::native::(anonymous namespace)::work(float)",
            ),
            ("core::iter::Map<I,F>::next", "core::iter::Map<…>::next"),
            ("<T as core::fmt::Display>::fmt", "<T as core::fmt::Display>::fmt"),
            ("operator<<", "operator<<"),
            ("<module>", "<module>"),
            ("outer.<locals>.<lambda>", "outer.<locals>.<lambda>"),
            ("{method 'poll' of 'select.epoll' objects}", "{method 'poll' of 'select.epoll' objects}"),
            (
                "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__",
                "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__",
            ),
            ("Memcpy HtoD (Pageable -> Device)", "Memcpy HtoD (Pageable -> Device)"),
            ("größe<", "größe<"),
            ("0x00000000000cb5040", "0xcb5040"),
            ("0x0000000000000000", "0x0"),
            ("0xcb5040_helper", "0xcb5040_helper"),
        ] {
            assert_eq!(bare(name), want);
        }
    }

    #[test]
    fn letters_between_names_are_counted() {
        assert_eq!([distance("hash", "hash"), distance("hash", "hsh"), distance("ab", "xyz")], [0, 1, 3]);
    }

    #[test]
    fn a_name_loses_no_more_than_it_has_to() {
        let name = "std::vector<std::pair<int, long>>::emplace_back<int, long>(int&&, long const&)";
        let within = |n: usize| fitting(name, |form| form.chars().count() <= n).into_owned();
        assert_eq!(within(100), name);
        assert_eq!(within(45), "std::vector<…>::emplace_back<…>(…)");
        assert_eq!(within(26), "std::vector::emplace_back");
        assert_eq!(within(3), "std::vector::emplace_back");
        assert_eq!(fitting("plain", |_| false), "plain");
        assert_eq!(fitting("0x000000000001ab70", |_| true), "0x1ab70", "zeros never tell anything");
        assert_eq!(beginning("0x000000000001ab70", 40), "0x1ab70");
        assert_eq!(beginning("größer als", 6), "größer…");
    }
}
