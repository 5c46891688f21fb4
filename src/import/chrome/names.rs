//! From the bytes of name and category to a function, without unescaping or allocating for a name that
//! was seen before.
//!
//! The table compares the raw bytes with the interned text: they are the same unless the name has escapes
//! or broken characters, which take the slow way each time.

use std::borrow::Cow;
use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::decode;
use super::oddities::{Odd, Oddities};
use super::scan::{Kind, Raw};
use crate::model::{Function, FunctionId, FunctionSpec, ProfileBuilder, StringId, Strings};

/// What the name and category of an event say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing special.
    Plain,
    /// Work on a GPU: a kernel, a copy.
    GpuWork,
    /// A range that the program marked, on the timeline of a GPU.
    GpuRange,
    /// Something else there: a wait.
    GpuOther,
    /// A call on the CPU that may start work on a GPU.
    Launch,
    /// A span of the profiler itself: how long it recorded.
    Window,
    /// What other spans are listed as already.
    Repeated,
    /// Perhaps a sum of other spans, as clang adds them: its arguments decide.
    Total,
    /// A range that the program marked with PyTorch's `record_function`.
    Annotation,
    /// A `[memory]` instant of the PyTorch profiler.
    Memory,
}

impl Role {
    /// True for what is on the timeline of a GPU.
    pub fn is_on_gpu(self) -> bool {
        matches!(self, Self::GpuWork | Self::GpuRange | Self::GpuOther)
    }
}

/// A name with its category.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    /// The name as the file has it.
    pub text: StringId,
    /// The category.
    pub cat: StringId,
    pub role: Role,
    index: u32,
}

/// Shown when an event has no name.
const UNNAMED: Raw<'static> = Raw { bytes: b"(unnamed)", kind: Kind::Plain };

#[derive(Debug, Default)]
pub(super) struct Names {
    table: HashTable<u32>,
    names: Vec<Name>,
    /// Made when a span first needs it: names of counters and instants are no functions.
    functions: Vec<Option<FunctionId>>,
}

fn hash(name: &[u8], cat: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name);
    hasher.write(cat);
    hasher.finish()
}

/// The text of a value, with its repairs counted.
pub(super) fn text<'a>(raw: Raw<'a>, odd: &mut Oddities) -> Cow<'a, str> {
    let (text, repairs) = decode::text(raw);
    if repairs.replaced {
        odd.count(Odd::Text);
    }
    if repairs.control {
        odd.count(Odd::Control);
    }
    if repairs.backslash {
        odd.count(Odd::Backslash);
    }
    text
}

fn or_unnamed(name: Raw<'_>) -> Raw<'_> {
    if name.is_none() || name.bytes.is_empty() { UNNAMED } else { name }
}

impl Names {
    /// The name and category of an event.
    pub fn resolve(
        &mut self,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
        name: Raw<'_>,
        cat: Raw<'_>,
    ) -> Name {
        let name = or_unnamed(name);
        let cat = if cat.is_none() { Raw::default() } else { cat };
        if name.kind != Kind::Escaped
            && cat.kind != Kind::Escaped
            && let Some(found) = self.find(b, name.bytes, cat.bytes)
        {
            return found;
        }
        let (name, cat) = (text(name, odd), text(cat, odd));
        if let Some(found) = self.find(b, name.as_bytes(), cat.as_bytes()) {
            return found;
        }
        self.add(b, &name, &cat)
    }

    fn find(&self, b: &ProfileBuilder, name: &[u8], cat: &[u8]) -> Option<Name> {
        let same = |&i: &u32| {
            let known = self.names[i as usize];
            b.text(known.text).as_bytes() == name && b.text(known.cat).as_bytes() == cat
        };
        self.table.find(hash(name, cat), same).map(|&i| self.names[i as usize])
    }

    fn add(&mut self, b: &mut ProfileBuilder, name: &str, cat: &str) -> Name {
        let index = self.names.len() as u32;
        let entry = Name { text: b.string(name), cat: b.string(cat), role: role(name, cat), index };
        self.names.push(entry);
        self.functions.push(None);
        let names = &self.names;
        self.table.insert_unique(hash(name.as_bytes(), cat.as_bytes()), index, |&i| {
            let known = names[i as usize];
            hash(b.text(known.text).as_bytes(), b.text(known.cat).as_bytes())
        });
        entry
    }

    /// The function that a span of this name is of.
    pub fn function(&mut self, b: &mut ProfileBuilder, name: Name) -> FunctionId {
        *self.functions[name.index as usize].get_or_insert_with(|| {
            let (text, cat) = (b.text(name.text).to_owned(), b.text(name.cat).to_owned());
            b.function(FunctionSpec { category: &cat, ..split(&text, &cat) })
        })
    }

    /// The name of an end event; `None` when it has none.
    pub fn end_name(&self, b: &mut ProfileBuilder, odd: &mut Oddities, name: Raw<'_>) -> Option<StringId> {
        (!name.is_none() && !name.bytes.is_empty()).then(|| b.string(&text(name, odd)))
    }

    /// True when some event was of one of these categories.
    pub fn has_category(&self, b: &ProfileBuilder, cats: &[&str]) -> bool {
        self.names.iter().any(|n| cats.contains(&b.text(n.cat)))
    }

    /// True when every event was of one of these categories.
    pub fn all_of(&self, b: &ProfileBuilder, cats: &[&str]) -> bool {
        self.names.iter().all(|n| cats.contains(&b.text(n.cat)))
    }

    /// The function of an event that names its source file.
    pub fn located(
        &self,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
        name: Name,
        (module, file, line): (Raw<'_>, Raw<'_>, u32),
    ) -> FunctionId {
        let [module, file] = [module, file].map(|raw| match raw.is_none() {
            true => Strings::EMPTY,
            false => b.string(&text(raw, odd)),
        });
        b.function_row(Function { name: name.text, module, file, line, category: name.cat })
    }
}

/// True for the categories of what a GPU stream works on: kernels, copies, fills.
pub(super) fn is_gpu_work(cat: &str) -> bool {
    matches!(cat, "kernel" | "gpu_memcpy" | "gpu_memset" | "Kernel" | "Memcpy" | "Memset")
}

fn role(name: &str, cat: &str) -> Role {
    match cat {
        _ if is_gpu_work(cat) => Role::GpuWork,
        "gpu_user_annotation" => Role::GpuRange,
        "cuda_sync" | "cuda_event" => Role::GpuOther,
        "cuda_runtime" | "cuda_driver" | "Runtime" | "xpu_runtime" | "xpu_driver" | "hpu_runtime" => {
            Role::Launch
        }
        "Trace" => Role::Window,
        "user_annotation" => Role::Annotation,
        "critical path component" => Role::Repeated,
        _ if name.starts_with("Total ") => Role::Total,
        _ if name == "[memory]" => Role::Memory,
        _ => Role::Plain,
    }
}

/// Takes file and line out of the names of Python functions.
fn split<'a>(name: &'a str, cat: &str) -> FunctionSpec<'a> {
    let located = match cat {
        "fee" | "FEE" => viztracer(name),
        "python_function" | "Python" => kineto(name),
        _ => None,
    };
    located.unwrap_or_else(|| FunctionSpec::named(name))
}

/// «func (path:line)», and in files of 2020 «path.py.func».
fn viztracer(name: &str) -> Option<FunctionSpec<'_>> {
    if let Some(inner) = name.strip_suffix(')') {
        let (function, place) = inner.rsplit_once(" (")?;
        let (file, line) = place.rsplit_once(':')?;
        return Some(FunctionSpec { file, line: line.parse().ok()?, ..FunctionSpec::named(function) });
    }
    let at = name.rfind(".py.")?;
    Some(FunctionSpec { file: &name[..at + 3], ..FunctionSpec::named(&name[at + 4..]) })
}

/// «path(line): func».
fn kineto(name: &str) -> Option<FunctionSpec<'_>> {
    let (place, function) = name.split_once("): ")?;
    let (file, line) = place.rsplit_once('(')?;
    Some(FunctionSpec { file, line: line.parse().ok()?, ..FunctionSpec::named(function) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_names_give_file_and_line() {
        let parts = |name, cat| {
            let s = split(name, cat);
            (s.name, s.file, s.line)
        };
        assert_eq!(parts("fib (/a b/x.py:8)", "fee"), ("fib", "/a b/x.py", 8));
        assert_eq!(parts("<module> (C:\\x.py:1)", "FEE"), ("<module>", "C:\\x.py", 1));
        assert_eq!(parts("time.sleep", "fee"), ("time.sleep", "", 0));
        assert_eq!(parts("/a/merge_sort.py.merge", "FEE"), ("merge", "/a/merge_sort.py", 0));
        assert_eq!(parts("fib (/a/x.py:8)", "other"), ("fib (/a/x.py:8)", "", 0));
        assert_eq!(
            parts("torch/nn/modules/module.py(1791): _call_impl", "python_function"),
            ("_call_impl", "torch/nn/modules/module.py", 1791)
        );
        assert_eq!(parts("<built-in method f>", "python_function"), ("<built-in method f>", "", 0));
    }

    #[test]
    fn a_name_is_one_function_however_it_is_written() {
        let (mut b, mut odd, mut names) =
            (ProfileBuilder::new("chrome"), Oddities::default(), Names::default());
        let plain = |bytes| Raw { bytes, kind: Kind::Plain };
        let cat = plain(b"c");
        let first = names.resolve(&mut b, &mut odd, plain(b"a/b"), cat);
        let escaped = Raw { bytes: br"a\/b", kind: Kind::Escaped };
        let other = names.resolve(&mut b, &mut odd, plain(b"a/b"), plain(b"d"));
        assert_eq!(first.index, names.resolve(&mut b, &mut odd, escaped, cat).index);
        assert_eq!(names.function(&mut b, first), names.function(&mut b, first));
        assert_ne!(names.function(&mut b, first), names.function(&mut b, other));
        let unnamed = names.resolve(&mut b, &mut odd, Raw::default(), Raw::default());
        assert_eq!(b.text(unnamed.text), "(unnamed)");
        assert_eq!(odd.of(Odd::Text), 0);
        names.resolve(&mut b, &mut odd, plain(b"\xff"), cat);
        assert_eq!(odd.of(Odd::Text), 1);
    }
}
