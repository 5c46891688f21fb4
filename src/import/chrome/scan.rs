//! A forgiving JSON scanner over bytes: finds values, makes none.
//!
//! Strings are skipped eight bytes at a time, nested values by counting brackets, so nothing here recurses
//! or allocates. When the bytes end inside a value the answer is [`Stop::More`]: the caller brings more and
//! asks again from the start of the event.

/// Why scanning stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end here.
    More,
    /// This position cannot be JSON.
    Bad(usize),
}

pub(super) type Scan<T> = Result<T, Stop>;

/// What a scanned value looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// No such value.
    #[default]
    Absent,
    /// A string without escapes; the bytes are its text.
    Plain,
    /// A string with escapes.
    Escaped,
    /// A number, `true`, `null`, or something that stands where these would.
    Literal,
    /// An object or a list, with its brackets.
    Nested,
}

/// A value as it stands in the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Raw<'a> {
    pub bytes: &'a [u8],
    pub kind: Kind,
}

impl Raw<'_> {
    /// True for a string, also an empty one.
    pub fn is_string(&self) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Escaped)
    }

    /// True when there is no value, or `null`.
    pub fn is_none(&self) -> bool {
        self.kind == Kind::Absent || (self.kind == Kind::Literal && self.bytes == b"null")
    }

    /// True for the literal `true`.
    pub fn is_true(&self) -> bool {
        self.kind == Kind::Literal && self.bytes == b"true"
    }
}

/// How a byte outside of strings counts while a nested value is skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    Quote,
    Open,
    Close,
    Never,
}

/// Bytes that never stand outside of strings show that a quote is missing somewhere: the sooner this is
/// seen, the fewer events are lost.
const CLASS: [Class; 256] = {
    let mut table = [Class::Never; 256];
    let other = b" \n\r\t,:0123456789+-.eEtrufalsnNIiyxX\0";
    let mut i = 0;
    while i < other.len() {
        table[other[i] as usize] = Class::Other;
        i += 1;
    }
    table[b'"' as usize] = Class::Quote;
    table[b'{' as usize] = Class::Open;
    table[b'[' as usize] = Class::Open;
    table[b'}' as usize] = Class::Close;
    table[b']' as usize] = Class::Close;
    table
};

/// The first `"` or `\` of eight bytes, if one is there.
#[inline]
fn first_special(chunk: [u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(chunk);
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let hit = zero_byte(word ^ (ONES * b'"' as u64)) | zero_byte(word ^ (ONES * b'\\' as u64));
    (hit != 0).then(|| (hit.trailing_zeros() / 8) as usize)
}

/// Number of bytes before the first `"` or `\`, or all of them. Most strings are short.
#[inline]
fn plain_run(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    for at in [0, 8, 16] {
        let Some((&chunk, more)) = rest.split_first_chunk::<8>() else { break };
        if let Some(i) = first_special(chunk) {
            return at + i;
        }
        rest = more;
    }
    let passed = bytes.len() - rest.len();
    memchr::memchr2(b'"', b'\\', rest).map_or(bytes.len(), |i| passed + i)
}

/// The place of the closing quote of a string whose text starts at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> Scan<(usize, Kind)> {
    let mut kind = Kind::Plain;
    loop {
        at += plain_run(bytes.get(at..).ok_or(Stop::More)?);
        match bytes.get(at) {
            None => return Err(Stop::More),
            Some(b'"') => return Ok((at, kind)),
            Some(_) => {
                kind = Kind::Escaped;
                at += 2;
            }
        }
    }
}

/// A place in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte that is not blank, which is not consumed.
    #[inline]
    pub fn peek(&mut self) -> Scan<u8> {
        match self.bytes.get(self.at) {
            Some(&b) if b > b' ' => Ok(b),
            _ => self.peek_past_blanks(),
        }
    }

    fn peek_past_blanks(&mut self) -> Scan<u8> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let blanks = rest.iter().position(|&b| b > b' ').unwrap_or(rest.len());
        self.at += blanks;
        rest.get(blanks).copied().ok_or(Stop::More)
    }

    /// Consumes `wanted` after blanks.
    #[inline]
    pub fn expect(&mut self, wanted: u8) -> Scan<()> {
        if self.peek()? != wanted {
            return Err(Stop::Bad(self.at));
        }
        self.at += 1;
        Ok(())
    }

    /// The string whose opening quote is here.
    #[inline]
    pub fn string(&mut self) -> Scan<Raw<'a>> {
        let start = self.at + 1;
        let (end, kind) = string_end(self.bytes, start)?;
        self.at = end + 1;
        Ok(Raw { bytes: &self.bytes[start..end], kind })
    }

    /// Skips the object or list whose opening bracket is here.
    fn nested(&mut self) -> Scan<Raw<'a>> {
        let bytes = self.bytes;
        let mut at = self.at;
        let mut depth = 0u64;
        loop {
            let Some(&b) = bytes.get(at) else { return Err(Stop::More) };
            match CLASS[b as usize] {
                Class::Other => {}
                Class::Quote => at = string_end(bytes, at + 1)?.0,
                Class::Open => depth += 1,
                Class::Close => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Class::Never => return Err(Stop::Bad(at)),
            }
            at += 1;
        }
        let start = std::mem::replace(&mut self.at, at + 1);
        Ok(Raw { bytes: &bytes[start..=at], kind: Kind::Nested })
    }

    /// The value that starts after blanks.
    pub fn value(&mut self) -> Scan<Raw<'a>> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => {
                let start = self.at;
                let rest = &self.bytes[start..];
                let ends = |&b: &u8| b <= b' ' || matches!(b, b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[');
                let len = rest.iter().position(ends).ok_or(Stop::More)?;
                if len == 0 {
                    return Err(Stop::Bad(start));
                }
                self.at += len;
                Ok(Raw { bytes: &rest[..len], kind: Kind::Literal })
            }
        }
    }

    /// The next key of an object with its value not yet scanned; `None` after its end. Call it first right
    /// after the opening bracket. A comma more or less at the end is forgiven.
    #[inline]
    pub fn key(&mut self) -> Scan<Option<Raw<'a>>> {
        let mut b = self.peek()?;
        while b == b',' {
            self.at += 1;
            b = self.peek()?;
        }
        match b {
            b'}' => {
                self.at += 1;
                Ok(None)
            }
            b'"' => {
                let key = self.string()?;
                self.expect(b':')?;
                Ok(Some(key))
            }
            _ => Err(Stop::Bad(self.at)),
        }
    }

    /// After a value: the separator must follow (it is left for [`Self::key`]).
    #[inline]
    pub fn separator(&mut self) -> Scan<()> {
        match self.peek()? {
            b',' | b'}' | b']' => Ok(()),
            _ => Err(Stop::Bad(self.at)),
        }
    }
}

/// Members of an object value. What follows a broken place is left out.
pub(super) struct Members<'a> {
    scanner: Scanner<'a>,
    done: bool,
}

impl<'a> Members<'a> {
    /// The members of `raw`; none when it is no object.
    pub fn of(raw: Raw<'a>) -> Self {
        let object = raw.kind == Kind::Nested && raw.bytes.first() == Some(&b'{');
        Self { scanner: Scanner { bytes: raw.bytes, at: 1 }, done: !object }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Raw<'a>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let member = match self.scanner.key() {
            Ok(Some(key)) => self.scanner.value().ok().map(|value| (key, value)),
            _ => None,
        };
        self.done = member.is_none() || self.scanner.separator().is_err();
        member
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_wherever_they_end() {
        for text in [
            "abc",
            "",
            "a\\\"b",
            "0123456\\\\",
            "01234567",
            "0123456789012345678901234567890123456789\\n",
            "é",
        ] {
            let json = format!("\"{text}\" ");
            let mut s = Scanner::new(json.as_bytes());
            assert_eq!(s.string().unwrap().bytes, text.as_bytes());
            assert_eq!(s.at, json.len() - 1);
            for cut in 1..json.len() - 1 {
                assert_eq!(Scanner::new(&json.as_bytes()[..cut]).string().unwrap_err(), Stop::More);
            }
        }
        let mut s = Scanner::new(br#" {"a":[1,{"b":"}]"}],"c":null} ,"#);
        assert_eq!(s.value().unwrap().bytes, br#"{"a":[1,{"b":"}]"}],"c":null}"#);
        assert_eq!(Scanner::new(b"-1.5e3,").value().unwrap().bytes, b"-1.5e3");
        assert_eq!(Scanner::new(b",").value().unwrap_err(), Stop::Bad(0));
        assert_eq!(Scanner::new(br#"{"a":"b,"Dog":"d"}"#).value().unwrap_err(), Stop::Bad(9));
    }

    #[test]
    fn members_are_listed() {
        let mut s = Scanner::new(br#"{"a":1 , "b" : "x","c":[2],}"#);
        let raw = s.value().unwrap();
        let got: Vec<_> = Members::of(raw).map(|(k, v)| (k.bytes, v.bytes)).collect();
        assert_eq!(got, [(&b"a"[..], &b"1"[..]), (b"b", b"x"), (b"c", b"[2]")]);
    }
}
