//! Python's functions: writers put the place of a function into its name («load C:\\models.py:44» as yappi and Django,
//! «fib:2» as pprofile, and pyprof2calltree where a file has two of a name).

use super::super::python::module_of;
use super::graph::Key;
use crate::model::{Function, ProfileBuilder, StringId, Strings};

/// Lines at which functions begin, as far as the lines of their costs tell: a profiler that knows only where functions
/// begin has one line for each.
pub(super) struct Python {
    /// Which functions are Python's. Empty when none is, or lines turned out to be those that ran.
    is_python: Vec<bool>,
    /// By the number of the function; 0 when unknown.
    lines: Vec<u32>,
}

impl Python {
    pub(super) fn of(functions: &[Key], builder: &ProfileBuilder) -> Self {
        let is_python: Vec<bool> = functions.iter().map(|key| is_python(builder.text(key.file))).collect();
        match is_python.contains(&true) {
            true => Self { lines: vec![0; functions.len()], is_python },
            false => Self { is_python: Vec::new(), lines: Vec::new() },
        }
    }

    /// True while lines of costs tell something.
    pub(super) fn wants_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// A line of a function's self cost.
    pub(super) fn line(&mut self, function: u32, functions: &[Key], file: StringId, line: u32) {
        let function = function as usize;
        if !self.is_python.get(function).is_some_and(|&p| p) {
            return;
        }
        let Some(known) = self.lines.get_mut(function) else { return };
        if file != functions[function].file || (*known != 0 && *known != line) {
            self.lines.clear();
        } else {
            *known = line;
        }
    }

    /// The function with number `number`; `None` for what is no Python.
    pub(super) fn function(&self, number: usize, key: Key, builder: &mut ProfileBuilder) -> Option<Function> {
        let (name, file) = (builder.text(key.name), builder.text(key.file));
        let python = is_python(file);
        let (name, line) = match split(name, file) {
            Some((name, line)) => (name.to_owned(), line),
            None if python => (name.to_owned(), self.lines.get(number).copied().unwrap_or(0)),
            None if file == "~" => (name.to_owned(), 0),
            None => return None,
        };
        let builtin = line == 0 && !python && !file.contains(['/', '\\']) && !file.starts_with('<');
        // As pstats prints them.
        let inner = name.strip_prefix('<').and_then(|n| n.strip_suffix('>')).filter(|_| file == "~");
        let name = inner.map_or(name.clone(), |inner| format!("{{{inner}}}"));
        let module = match (builtin, file) {
            (true, "~") => String::new(),
            (true, module) => module.to_owned(),
            (false, file) => module_of(file).into_owned(),
        };
        let module = if key.object == Strings::EMPTY { builder.string(&module) } else { key.object };
        Some(Function {
            name: builder.string(&name),
            module,
            file: key.file,
            line,
            category: builder.string(if builtin { "builtin" } else { "" }),
        })
    }
}

/// True for the file of a Python program.
fn is_python(file: &str) -> bool {
    [".py", ".pyw", ".pyx", ".pyc"].iter().any(|ending| file.ends_with(ending))
}

/// A name and the line in it: «name file:line», or in a Python file «name:line».
fn split<'n>(name: &'n str, file: &str) -> Option<(&'n str, u32)> {
    let (head, line) = name.rsplit_once(':')?;
    let line = line.parse().ok()?;
    let with_file = head.strip_suffix(file).and_then(|h| h.strip_suffix(' ')).filter(|_| !file.is_empty());
    let name = with_file.or_else(|| (is_python(file) || file.starts_with('<')).then_some(head))?;
    (!name.is_empty()).then_some((name, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_carry_their_place_come_apart() {
        for (name, file, want) in [
            ("load C:\\dev user\\models.py:44", "C:\\dev user\\models.py", Some(("load", 44))),
            ("Thread.run /usr/lib/threading.py:938", "/usr/lib/threading.py", Some(("Thread.run", 938))),
            ("<len> ~:0", "~", Some(("<len>", 0))),
            ("foo:4", "rec.py", Some(("foo", 4))),
            ("<listcomp>:7", "rec.py", Some(("<listcomp>", 7))),
            ("<module>:1", "<string>", Some(("<module>", 1))),
            ("foo", "rec.py", None),
            ("a::b", "a.cc", None),
            ("operator:3", "a.cc", None),
            ("{closure:/srv/a.php:12}", "/srv/a.php", None),
            (":4", "rec.py", None),
            ("foo:99999999999", "rec.py", None),
        ] {
            assert_eq!(split(name, file), want, "{name}");
        }
    }
}
