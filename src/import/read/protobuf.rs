//! Protocol buffers on the wire: fields of a message, one after the other, without a schema.
//!
//! Nothing is set aside by a claimed length: a field's bytes are a part of the message's.

use super::super::ImportError;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::import) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1, eight bytes.
    Fixed64(u64),
    /// Wire type 2: a text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5, four bytes.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// A whole number in any of its forms; 0 for anything else.
    pub fn number(self) -> u64 {
        match self {
            Self::Varint(n) | Self::Fixed64(n) => n,
            Self::Fixed32(n) => n.into(),
            Self::Bytes(_) => 0,
        }
    }

    /// The same, signed as `int64` is.
    pub fn signed(self) -> i64 {
        self.number() as i64
    }

    /// Bytes; none for anything else.
    pub fn bytes(self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    /// A message.
    pub fn message(self) -> Message<'a> {
        Message::new(self.bytes())
    }

    /// Appends the numbers of a repeated field, packed or single.
    pub fn numbers(self, to: &mut Vec<u64>) -> Result<(), Broken> {
        let Self::Bytes(packed) = self else {
            to.push(self.number());
            return Ok(());
        };
        let mut message = Message::new(packed);
        while message.at < packed.len() {
            to.push(message.varint()?);
        }
        Ok(())
    }
}

/// A message cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::import) struct Broken {
    /// Byte of the message.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl Broken {
    /// The error of a file whose outermost message this is.
    pub fn error(self) -> ImportError {
        ImportError::at_byte(self.what, self.at as u64)
    }
}

/// Fields of a message.
#[derive(Clone, Debug)]
pub(in crate::import) struct Message<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Message<'a> {
    /// The fields of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Byte of the next field.
    pub fn offset(&self) -> usize {
        self.at
    }

    fn broken(&self, what: &'static str) -> Broken {
        Broken { at: self.at, what }
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let start = self.at;
        let mut value = 0u64;
        for (n, &byte) in self.bytes[start..].iter().enumerate().take(10) {
            if n == 9 && byte > 1 {
                return Err(self.broken("holds a number of more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * n);
            if byte < 0x80 {
                self.at = start + n + 1;
                return Ok(value);
            }
        }
        Err(self.broken(if self.bytes.len() - start >= 10 {
            "holds an endless number"
        } else {
            "is cut short"
        }))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let taken = self.bytes[self.at..].get(..len).ok_or_else(|| self.broken("is cut short"))?;
        self.at += len;
        Ok(taken)
    }

    /// Number and value of the next field; `None` at the end. After an error the message stays where it was.
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Broken> {
        let start = self.at;
        if start == self.bytes.len() {
            return Ok(None);
        }
        let field = self.field();
        if field.is_err() {
            self.at = start;
        }
        field.map(Some)
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Broken> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|&n| n > 0);
        let number = number.ok_or_else(|| self.broken("holds a field without a number"))?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().unwrap_or_default())),
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(usize::try_from(len).unwrap_or(usize::MAX))?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().unwrap_or_default())),
            _ => return Err(self.broken("holds a field of a kind that does not exist")),
        };
        Ok((number, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind() {
        let bytes = [
            0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 2, 0, 0, 0, 0x2a, 3,
            1, 0x80, 1,
        ];
        let mut m = Message::new(&bytes);
        assert_eq!(m.next(), Ok(Some((1, Value::Varint(150)))));
        assert_eq!(m.next(), Ok(Some((2, Value::Fixed64(1)))));
        assert_eq!(m.next(), Ok(Some((3, Value::Bytes(b"hi")))));
        assert_eq!(m.next(), Ok(Some((4, Value::Fixed32(2)))));
        let mut numbers = vec![7];
        m.next().unwrap().unwrap().1.numbers(&mut numbers).unwrap();
        assert_eq!((numbers, m.next()), (vec![7, 1, 128], Ok(None)));
        let minus = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Message::new(&minus).next().unwrap().unwrap().1.signed(), -1);
    }

    #[test]
    fn broken_messages_say_where() {
        for (bytes, what) in [
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f][..], "is cut short"),
            (&[0x08, 0x80], "is cut short"),
            (
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                "holds a number of more than 64 bits",
            ),
            (&[0x0f], "holds a field of a kind that does not exist"),
            (&[0x0b], "holds a field of a kind that does not exist"),
            (&[0x00, 0x00], "holds a field without a number"),
        ] {
            let mut m = Message::new(bytes);
            assert_eq!(m.next().map_err(|b| b.what), Err(what));
            assert_eq!(m.offset(), 0);
        }
    }
}
