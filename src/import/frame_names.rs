//! What a frame's text says about its function, for formats that write a frame as one text.

use super::python::module_of;
use crate::model::{FrameId, FunctionSpec, ProfileBuilder};

/// How the frames of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `name`, `name (file:line)` as py-spy writes, `name_[k]` as stackcollapse-perf marks kernel code.
    Plain,
    /// `file:function:line`: austin, Python's own sampling profiler.
    Located,
}

/// The frame that a text stands for.
pub(super) fn frame(text: &str, form: Form, builder: &mut ProfileBuilder) -> FrameId {
    let (name, file, line) = match form {
        Form::Located => located(text).unwrap_or((text, "", 0)),
        Form::Plain => in_brackets(text).unwrap_or((text, "", 0)),
    };
    let category = match name.get(name.len().saturating_sub(4)..) {
        Some("_[k]") => "kernel",
        Some("_[j]") => "JIT",
        Some("_[i]") => "inlined",
        _ => "",
    };
    let module = if is_python(file) { module_of(file) } else { "".into() };
    let function = builder.function(FunctionSpec { name, module: &module, file, line: 0, category });
    builder.frame(function, line)
}

fn is_python(file: &str) -> bool {
    file.ends_with(".py") || file.starts_with("<frozen ")
}

/// `file:function:line`; the file may hold colons itself (`C:\…`).
fn located(text: &str) -> Option<(&str, &str, u32)> {
    let (rest, line) = text.rsplit_once(':')?;
    let (file, name) = rest.rsplit_once(':')?;
    let line = line.parse().ok()?;
    (!name.is_empty()).then_some((name, file, line))
}

/// `name (file:line)` or `name (file)`; what stands in brackets must look like a file, because names of C++
/// end in brackets too.
fn in_brackets(text: &str) -> Option<(&str, &str, u32)> {
    let inner = text.strip_suffix(')')?;
    let (name, place) = inner.rsplit_once(" (")?;
    if name.is_empty() || place.contains(['(', ')', ',']) {
        return None;
    }
    match place.rsplit_once(':') {
        Some((file, line)) if !file.is_empty() && !file.ends_with(':') => {
            Some((name, file, line.parse().ok()?))
        }
        None if is_python(place) => Some((name, place, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_lines_are_told_from_names() {
        for (text, want) in [
            ("dumps (json/__init__.py:238)", Some(("dumps", "json/__init__.py", 238))),
            ("<listcomp> (a b.py:3)", Some(("<listcomp>", "a b.py", 3))),
            ("run (busy.py)", Some(("run", "busy.py", 0))),
            ("thread (3131): cpu_loop", None),
            ("thread (3131)", None),
            ("f(int) (anonymous)", None),
            ("operator() (std::string)", None),
            ("g(char const*, long)", None),
        ] {
            assert_eq!(in_brackets(text), want, "{text}");
        }
        for (text, want) in [
            ("<frozen site>:main:599", Some(("main", "<frozen site>", 599))),
            ("C:\\app\\x.py:f.<locals>.g:12", Some(("f.<locals>.g", "C:\\app\\x.py", 12))),
            ("GC", None),
            ("main", None),
        ] {
            assert_eq!(located(text), want, "{text}");
        }
    }
}
