//! What Python's file names tell about modules, for every format that names Python functions.
//!
//! A module name is what stays the same when a program runs on another machine or from another
//! folder. It is derived from the path alone: what stands behind the library folder, or the file's own
//! name. Nothing is guessed about the folders of an application.

use std::borrow::Cow;

/// The module that a file holds, dotted; empty when the name does not tell (`<string>`, builtins).
#[must_use]
pub fn module_of(file: &str) -> Cow<'_, str> {
    if let Some(inner) = file.strip_prefix('<').and_then(|f| f.strip_suffix('>')) {
        return Cow::Borrowed(inner.strip_prefix("frozen ").unwrap_or(""));
    }
    let mut rest = file;
    let mut library = false;
    let mut at = 0;
    for part in file.split(['/', '\\']) {
        at += part.len() + 1;
        if is_library_folder(part) && at < file.len() {
            (rest, library) = (&file[at..], true);
        }
    }
    let mut parts: Vec<&str> = rest.split(['/', '\\']).filter(|p| !p.is_empty()).collect();
    if let Some(last) = parts.last_mut() {
        *last = stem(last);
    }
    if parts.last() == Some(&"__init__") {
        parts.pop();
    }
    match parts[..] {
        [] => Cow::Borrowed(""),
        [.., last] if !library => Cow::Borrowed(last),
        [only] => Cow::Borrowed(only),
        _ => Cow::Owned(parts.join(".")),
    }
}

fn is_library_folder(part: &str) -> bool {
    matches!(part, "site-packages" | "dist-packages" | "lib-dynload" | "Lib")
        || part.strip_prefix("python").is_some_and(|v| {
            let v = v.strip_suffix(".zip").unwrap_or(v);
            v.starts_with(|c: char| c.is_ascii_digit())
                && v.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b't')
        })
}

fn stem(name: &str) -> &str {
    [".py", ".pyc", ".pyw", ".pyx"].iter().find_map(|e| name.strip_suffix(e)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::module_of;

    #[test]
    fn a_module_does_not_depend_on_where_python_is_installed() {
        for (file, module) in [
            ("/opt/pythons/versions/3.11.7/lib/python3.11/json/encoder.py", "json.encoder"),
            ("/usr/lib/python3.11/json/__init__.py", "json"),
            ("/tmp/venv/lib/python3.11/site-packages/sympy/core/cache.py", "sympy.core.cache"),
            (
                "/usr/local/Cellar/python@3.8/3.8.5/Frameworks/Python.framework/Versions/3.8/lib/python3.8/os.py",
                "os",
            ),
            ("C:\\Python311\\Lib\\json\\encoder.py", "json.encoder"),
            ("<frozen importlib._bootstrap>", "importlib._bootstrap"),
            ("<string>", ""),
            ("/home/bench/gen/workload.py", "workload"),
            ("workload.py", "workload"),
            ("/srv/app/__init__.py", "app"),
            ("/usr/lib/python3.11/", "python3.11"),
            ("~", "~"),
            ("", ""),
        ] {
            assert_eq!(module_of(file), module, "{file}");
        }
    }
}
