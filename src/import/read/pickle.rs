//! Python's pickle format, protocols 2 to 5, as data only.
//!
//! Reference: `Lib/pickletools.py`. Nothing is ever imported, called or built: where a pickle names a class or a
//! function, an inert record with that name takes its place. Invariants: nothing recurses, objects that hold
//! themselves are harmless because they refer to each other by number, and a claimed length is a part of the input.

use super::super::ImportError;

/// Most values that may lie on the stack at once, and most objects.
const MOST: usize = 1 << 26;

/// Most keys of a dict that is looked up by key.
const MOST_KEYS: usize = 256;

/// A value. Containers are looked up in the [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::import) enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer; past 64 bits the nearest `i64`.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A text: a part of the input.
    Text(usize, usize),
    /// A list, tuple, set, dict or record, by number.
    Object(u32),
}

#[derive(Clone, Debug)]
enum Object {
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// Something that a class or function would make: its state.
    Record(Value),
}

/// A pickle that was read.
pub(in crate::import) struct Pickle<'a> {
    bytes: &'a [u8],
    objects: Vec<Object>,
    root: Value,
}

/// True when `bytes` may be a pickle of protocol 2 to 5.
pub(in crate::import) fn looks_like_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

impl<'a> Pickle<'a> {
    /// Reads a pickle.
    ///
    /// # Errors
    /// When it is broken off or holds what data never does.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ImportError> {
        if !looks_like_pickle(bytes) {
            return Err(ImportError::malformed("is no pickle of protocol 2 to 5"));
        }
        let mut reader = Reader {
            bytes,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            objects: Vec::new(),
        };
        let root = reader.run().map_err(|what| ImportError::at_byte(what, reader.at as u64))?;
        Ok(Self { bytes, objects: reader.objects, root })
    }

    /// The outermost value; of a record its state.
    pub fn root(&self) -> Value {
        self.state(self.root)
    }

    /// What a record was built with; any other value itself.
    pub fn state(&self, value: Value) -> Value {
        match value {
            Value::Object(id) => match self.objects[id as usize] {
                Object::Record(state) => state,
                _ => value,
            },
            _ => value,
        }
    }

    /// Items of a list, tuple or set; none for other values.
    pub fn items(&self, value: Value) -> &[Value] {
        match value {
            Value::Object(id) => match &self.objects[id as usize] {
                Object::List(items) => items,
                _ => &[],
            },
            _ => &[],
        }
    }

    /// Entries of a dict; none for other values.
    pub fn entries(&self, value: Value) -> &[(Value, Value)] {
        match value {
            Value::Object(id) => match &self.objects[id as usize] {
                Object::Dict(entries) => entries,
                _ => &[],
            },
            _ => &[],
        }
    }

    /// The value of a text key, among the last entries of the dict: one that is looked up by key has few, and many places may hold
    /// the same dict.
    pub fn get(&self, dict: Value, key: &str) -> Option<Value> {
        let found = self
            .entries(dict)
            .iter()
            .rev()
            .take(MOST_KEYS)
            .find(|(k, _)| self.raw(*k) == Some(key.as_bytes()));
        found.map(|e| e.1)
    }

    fn raw(&self, value: Value) -> Option<&'a [u8]> {
        if let Value::Text(start, len) = value { self.bytes.get(start..start + len) } else { None }
    }

    /// A text; empty for other values.
    pub fn text(&self, value: Value) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.raw(value).unwrap_or_default())
    }

    /// An integer of a dict.
    pub fn int(&self, dict: Value, key: &str) -> Option<i64> {
        match self.get(dict, key)? {
            Value::Int(n) => Some(n),
            Value::Float(f) if f.is_finite() => Some(f as i64),
            _ => None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Value>,
    objects: Vec<Object>,
}

const CUT: &str = "is cut short";
const BROKEN: &str = "is a broken pickle";

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Result<&[u8], &'static str> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len)).ok_or(CUT)?;
        self.at += len;
        Ok(taken)
    }

    /// A number of `len` bytes, low byte first.
    fn number(&mut self, len: usize) -> Result<u64, &'static str> {
        Ok(self.take(len)?.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    fn text(&mut self, digits: usize) -> Result<Value, &'static str> {
        let len = usize::try_from(self.number(digits)?).map_err(|_| CUT)?;
        let start = self.at;
        self.take(len)?;
        Ok(Value::Text(start, len))
    }

    fn long(&mut self, digits: usize) -> Result<Value, &'static str> {
        let len = usize::try_from(self.number(digits)?).map_err(|_| CUT)?;
        let bytes = self.take(len)?;
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let fill = if negative { 0xff } else { 0 };
        let fits = bytes.iter().skip(8).all(|&b| b == fill)
            && bytes.get(7).is_none_or(|b| (b & 0x80 != 0) == negative);
        if !fits {
            return Ok(Value::Int(if negative { i64::MIN } else { i64::MAX }));
        }
        let mut all = [fill; 8];
        all.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(Value::Int(i64::from_le_bytes(all)))
    }

    fn pop(&mut self) -> Result<Value, &'static str> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= bottom { Err(BROKEN) } else { self.stack.pop().ok_or(BROKEN) }
    }

    fn object(&mut self, object: Object) -> Result<Value, &'static str> {
        if self.objects.len() >= MOST {
            return Err("holds too many objects");
        }
        self.objects.push(object);
        Ok(Value::Object(self.objects.len() as u32 - 1))
    }

    /// Values above the last mark.
    fn marked(&mut self) -> Result<Vec<Value>, &'static str> {
        let mark = self.marks.pop().ok_or(BROKEN)?;
        Ok(self.stack.split_off(mark))
    }

    fn last(&mut self) -> Result<&mut Object, &'static str> {
        let Some(&Value::Object(id)) = self.stack.last() else { return Err(BROKEN) };
        self.objects.get_mut(id as usize).ok_or(BROKEN)
    }

    fn append(&mut self, values: Vec<Value>) -> Result<(), &'static str> {
        match self.last()? {
            Object::List(items) => items.extend(values),
            // A list of a class of its own.
            _ => return Ok(()),
        }
        Ok(())
    }

    fn set(&mut self, values: &[Value]) -> Result<(), &'static str> {
        if let Object::Dict(entries) = self.last()? {
            entries.extend(values.chunks_exact(2).map(|c| (c[0], c[1])));
        }
        Ok(())
    }

    fn tuple(&mut self, len: usize) -> Result<Value, &'static str> {
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(self.pop()?);
        }
        items.reverse();
        self.object(Object::List(items))
    }

    fn remember(&mut self, place: u64) -> Result<(), &'static str> {
        let value = *self.stack.last().ok_or(BROKEN)?;
        let place = usize::try_from(place).map_err(|_| BROKEN)?;
        // Places are given one after the other.
        if place > self.memo.len() + 1024 {
            return Err(BROKEN);
        }
        if place >= self.memo.len() {
            self.memo.resize(place + 1, Value::None);
        }
        self.memo[place] = value;
        Ok(())
    }

    fn recall(&mut self, place: u64) -> Result<Value, &'static str> {
        usize::try_from(place).ok().and_then(|p| self.memo.get(p)).copied().ok_or(BROKEN)
    }

    fn line(&mut self) -> Result<(), &'static str> {
        let end = memchr::memchr(b'\n', self.bytes.get(self.at..).unwrap_or_default()).ok_or(CUT)?;
        self.at += end + 1;
        Ok(())
    }

    fn run(&mut self) -> Result<Value, &'static str> {
        loop {
            let op = self.take(1)?[0];
            if self.stack.len() > MOST {
                return Err("holds too many values");
            }
            let value = match op {
                b'.' => return self.pop(),
                0x80 => {
                    self.take(1)?;
                    continue;
                }
                0x95 => {
                    self.take(8)?;
                    continue;
                }
                b'(' => {
                    self.marks.push(self.stack.len());
                    continue;
                }
                b'0' => {
                    self.pop()?;
                    continue;
                }
                b'1' => {
                    self.marked()?;
                    continue;
                }
                b'a' | b'e' | b's' | b'u' | 0x90 | b'b' | 0x94 | b'q' | b'r' => {
                    self.change(op)?;
                    continue;
                }
                _ => self.value(op)?,
            };
            self.stack.push(value);
        }
    }

    /// Opcodes that change what lies on the stack.
    fn change(&mut self, op: u8) -> Result<(), &'static str> {
        match op {
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])
            }
            b'e' | 0x90 => {
                let values = self.marked()?;
                self.append(values)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])
            }
            b'u' => {
                let values = self.marked()?;
                self.set(&values)
            }
            b'b' => {
                let state = self.pop()?;
                if let Object::Record(old) = self.last()? {
                    *old = state;
                }
                Ok(())
            }
            0x94 => self.remember(self.memo.len() as u64),
            b'q' => {
                let place = self.number(1)?;
                self.remember(place)
            }
            _ => {
                let place = self.number(4)?;
                self.remember(place)
            }
        }
    }

    /// Opcodes that put a value on the stack.
    fn value(&mut self, op: u8) -> Result<Value, &'static str> {
        match op {
            b'N' => Ok(Value::None),
            0x88 | 0x89 => Ok(Value::Bool(op == 0x88)),
            b'J' => Ok(Value::Int(i64::from(self.number(4)? as u32 as i32))),
            b'K' => Ok(Value::Int(self.number(1)? as i64)),
            b'M' => Ok(Value::Int(self.number(2)? as i64)),
            0x8a => self.long(1),
            0x8b => self.long(4),
            b'G' => Ok(Value::Float(f64::from_bits(self.number(8)?.swap_bytes()))),
            0x8c | b'C' | b'U' => self.text(1),
            b'X' | b'B' | b'T' => self.text(4),
            0x8d | 0x8e => self.text(8),
            b']' | b')' | 0x8f => self.object(Object::List(Vec::new())),
            b'}' => self.object(Object::Dict(Vec::new())),
            b'l' | b't' | 0x91 => {
                let items = self.marked()?;
                self.object(Object::List(items))
            }
            b'd' => {
                let items = self.marked()?;
                let entries = items.chunks_exact(2).map(|c| (c[0], c[1])).collect();
                self.object(Object::Dict(entries))
            }
            0x85..=0x87 => self.tuple(usize::from(op - 0x84)),
            b'h' => {
                let place = self.number(1)?;
                self.recall(place)
            }
            b'j' => {
                let place = self.number(4)?;
                self.recall(place)
            }
            // A name of a class or function, and what it would be called with: a record.
            b'c' => {
                self.line()?;
                self.line()?;
                self.object(Object::Record(Value::None))
            }
            0x93 => {
                self.pop()?;
                self.pop()?;
                self.object(Object::Record(Value::None))
            }
            0x81 | b'R' => {
                let arguments = self.pop()?;
                self.pop()?;
                self.object(Object::Record(arguments))
            }
            0x92 => {
                self.pop()?;
                let arguments = self.pop()?;
                self.pop()?;
                self.object(Object::Record(arguments))
            }
            _ => Err("is a pickle with more than data in it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_and_references() {
        // {"a": [1, 2.5], "b": (None, True)} of protocol 4, with a reference to "a".
        let bytes = b"\x80\x04}\x94(\x8c\x01a\x94]\x94(K\x01G\x40\x04\0\0\0\0\0\0e\x8c\x01bN\x88\x86h\x01J\xfe\xff\xff\xffu.";
        let p = Pickle::read(bytes).unwrap();
        let list = p.entries(p.root())[0].1;
        assert_eq!(p.items(list), [Value::Int(1), Value::Float(2.5)]);
        assert_eq!(p.items(p.get(p.root(), "b").unwrap()), [Value::None, Value::Bool(true)]);
        assert_eq!(p.int(p.root(), "a"), Some(-2), "the last entry counts");
    }

    #[test]
    fn classes_are_records() {
        // os.system("x") by REDUCE: nothing is called.
        let p = Pickle::read(b"\x80\x02cos\nsystem\nX\x01\0\0\0x\x85R.").unwrap();
        assert_eq!(p.items(p.root()).len(), 1);
        let p = Pickle::read(b"\x80\x05\x8c\x01m\x8c\x01C\x93)\x81}\x8c\x01kK\x07sb.").unwrap();
        assert_eq!(p.int(p.root(), "k"), Some(7));
    }

    #[test]
    fn hostile_pickles_are_errors() {
        for bytes in [
            &b"\x80\x05\x8d\xff\xff\xff\xff\xff\xff\xff\x7f."[..],
            b"\x80\x05\x8b\xff\xff\xff\x7f",
            b"\x80\x02(K\x01",
            b"\x80\x02a.",
            b"\x80\x02r\xff\xff\xff\x7f.",
            b"\x80\x02j\xff\xff\xff\x7f.",
            b"c__builtin__\neval\n.",
        ] {
            assert!(Pickle::read(bytes).is_err(), "{bytes:?}");
        }
        let deep = [b"\x80\x02".to_vec(), vec![b']'; 100_000], vec![b'a'; 99_999], b".".to_vec()].concat();
        assert_eq!(Pickle::read(&deep).map(|p| p.items(p.root()).len()).unwrap(), 1);
        let own = Pickle::read(b"\x80\x02]q\0h\0a.").unwrap();
        assert_eq!(own.items(own.root()), [own.root()]);
    }
}
