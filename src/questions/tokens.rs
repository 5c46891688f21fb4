//! How many tokens a text has, about: the pieces that a tokenizer of the GPT-4o kind (o200k) cuts first, each with what
//! such a piece costs on the average. `tests/tokens.py` measures how far that is from the truth.

/// Thousandths of a token for a run of letters by its length: names of programs are rarer words than those of a language.
const LETTERS: [u32; 17] =
    [0, 1000, 1000, 1000, 1010, 1060, 1150, 1270, 1400, 1560, 1720, 1900, 2080, 2270, 2460, 2660, 2850];

/// Tokens of `text`, about.
#[must_use]
pub fn estimate(text: &str) -> usize {
    let mut thousandths = 0u64;
    let mut chars = text.chars().peekable();
    let mut space = false;
    while let Some(c) = chars.next() {
        if c.is_alphabetic() {
            // Capitals begin a new piece, unless several stand together.
            let mut length = 1usize;
            let mut lower = c.is_lowercase();
            let mut wide = usize::from(!c.is_ascii());
            while let Some(&next) = chars.peek() {
                if !next.is_alphabetic() || (lower && next.is_uppercase()) {
                    break;
                }
                lower |= next.is_lowercase();
                wide += usize::from(!next.is_ascii());
                length += 1;
                chars.next();
            }
            thousandths += letters(length) + 500 * wide as u64;
        } else if c.is_numeric() {
            let mut length = 1u64;
            while chars.peek().is_some_and(|c| c.is_numeric()) {
                length += 1;
                chars.next();
            }
            // A space before a number is a token of its own.
            thousandths += 1000 * (length.div_ceil(3) + u64::from(space));
        } else if c == '\n' {
            thousandths += 1000;
        } else if c.is_whitespace() {
            // One space belongs to the word after it, more are a token together.
            if chars.peek().is_some_and(|c| c.is_whitespace() && *c != '\n') {
                while chars.peek().is_some_and(|c| c.is_whitespace() && *c != '\n') {
                    chars.next();
                }
                thousandths += 1000;
            }
            space = true;
            continue;
        } else {
            let mut length = 1u64;
            while chars.peek().is_some_and(|c| !c.is_alphanumeric() && !c.is_whitespace()) {
                length += 1;
                chars.next();
            }
            // A single mark before letters is often a part of their token.
            let joins = length == 1 && chars.peek().is_some_and(|c| c.is_alphabetic());
            thousandths += if joins { 450 } else { 1000 + 420 * (length - 1) };
        }
        space = false;
    }
    thousandths.div_ceil(1000) as usize
}

fn letters(length: usize) -> u64 {
    let known = LETTERS.len() - 1;
    u64::from(LETTERS[length.min(known)]) + 200 * length.saturating_sub(known) as u64
}

#[cfg(test)]
mod tests {
    use super::estimate;

    /// As o200k_base counts them.
    #[test]
    fn short_texts_are_estimated_closely() {
        for (text, tokens) in
            [("", 0), ("the main thread waits", 4), ("1779256", 3), ("12.3 ms", 4), ("99.9 %", 4)]
        {
            assert!(estimate(text).abs_diff(tokens) <= 1, "{text}: {}", estimate(text));
        }
    }
}
