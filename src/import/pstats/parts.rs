//! Parts of entries: keys, counts and times.

use super::super::read::marshal::{Code, Dump, Span, Value};

/// The function by which pyinstrument shows a caller's own time beside its callees. Versions 4.5 and 4.6 write it into
/// this format, too, where it says again what the callers' own times say already.
const OWN_TIME: &[u8] = b"[self]";

/// Which of a function's two counts comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallOrder {
    PrimitiveFirst,
    AllFirst,
}

/// A key in parts.
pub(super) struct Parts {
    pub(super) file: Span,
    pub(super) line: u32,
    pub(super) name: Name,
}

pub(super) enum Name {
    Text(Span),
    /// `profile` names the profiled program by its code object: its name, file and line.
    Code(Span, Span, i32),
}

impl CallOrder {
    pub(super) fn of(counts: impl Iterator<Item = (i64, i64)>) -> Self {
        let (mut rising, mut falling) = (0, 0);
        for (a, b) in counts.filter(|&(a, b)| a >= 0 && b >= 0) {
            rising += usize::from(a < b);
            falling += usize::from(a > b);
        }
        if falling > rising { Self::AllFirst } else { Self::PrimitiveFirst }
    }
}

impl Parts {
    /// Of a key that has the right form.
    pub(super) fn of(dump: &Dump<'_>, key: Value) -> Option<Self> {
        let &[Value::Text(file), line, name] = dump.children(key) else { return None };
        let line = u32::try_from(count(line)?.max(0)).unwrap_or(0);
        let name = match name {
            Value::Text(name) => Name::Text(name),
            Value::Code(id) => {
                let Code { name: Value::Text(name), file: Value::Text(file), line } = dump.code(id) else {
                    return None;
                };
                Name::Code(name, file, line)
            }
            _ => return None,
        };
        Some(Self { file, line, name })
    }
}

pub(super) fn is_builtin_place(file: &str) -> bool {
    !file.contains(['/', '\\']) && !file.ends_with(".py") && !file.starts_with('<')
}

/// True for the key of [`OWN_TIME`].
pub(super) fn is_own_time(dump: &Dump<'_>, key: Value) -> bool {
    let Some(Parts { file, name: Name::Text(name), .. }) = Parts::of(dump, key) else { return false };
    file.len == 0 && dump.raw_text(name) == OWN_TIME
}

fn number(dump: &Dump<'_>, value: Value) -> Option<f64> {
    match value {
        Value::Int(v) => Some(v as f64),
        Value::Float(v) => Some(v),
        Value::Text(span) => scalar(dump.raw_text(span)),
        _ => None,
    }
}

/// A scalar of numpy, which marshal writes as its bytes: what a timer returned that gives such.
fn scalar(bytes: &[u8]) -> Option<f64> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(f32::from_le_bytes(bytes).into());
    }
    let bytes = <[u8; 8]>::try_from(bytes).ok()?;
    let real = f64::from_le_bytes(bytes);
    // No duration is that short: the bytes are those of an integer.
    let is_integer = real != 0.0 && real.abs() < f64::MIN_POSITIVE;
    Some(if is_integer { i64::from_le_bytes(bytes) as f64 } else { real })
}

pub(super) fn count(value: Value) -> Option<i64> {
    match value {
        Value::Int(v) => Some(v),
        Value::Float(v) if v.is_finite() => Some(v as i64),
        _ => None,
    }
}

/// Two counts and two times.
pub(super) fn four(dump: &Dump<'_>, values: &[Value]) -> Option<((i64, i64), f64, f64)> {
    let &[a, b, own, total, ..] = values else { return None };
    Some(((count(a)?, count(b)?), number(dump, own)?, number(dump, total)?))
}
