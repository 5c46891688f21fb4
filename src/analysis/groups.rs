//! Which file, module or package a function belongs to, for the graph that shows such groups as one.
//!
//! File and module are what the profile says. A package is the outermost name of a module («torch» of
//! `torch.nn.modules.linear`, «tokio» of `tokio::runtime`), the library of native code, and for own code,
//! which has no installed package, the folder of its file.

use std::borrow::Cow;

use super::libraries::is_library;
use crate::model::{FunctionId, Profile};

/// What functions are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// Source file.
    File,
    /// Module, or native library.
    Module,
    /// Outermost part of the module.
    Package,
}

impl GroupBy {
    /// The group of a function; empty when the profile does not say.
    #[must_use]
    pub fn group(self, profile: &Profile, function: FunctionId) -> Cow<'_, str> {
        let row = profile.functions.get(function);
        let [name, module, file] = [row.name, row.module, row.file].map(|id| profile.text(id));
        let file = if matches!(file, "~" | "???") { "" } else { file };
        match self {
            Self::File => Cow::Borrowed(file),
            Self::Module if module.is_empty() => Cow::Borrowed(file),
            Self::Module => Cow::Borrowed(module),
            Self::Package => Cow::Borrowed(package(name, module, file)),
        }
    }
}

fn package<'a>(name: &'a str, module: &'a str, file: &'a str) -> &'a str {
    let last = |path: &'a str| path.rsplit(['/', '\\']).find(|p| !p.is_empty()).unwrap_or(path);
    if module.contains('/') || module.contains(".so") || module.ends_with(".dll") {
        return last(module);
    }
    if is_library(file) == Some(false)
        && let Some((folder, _)) = file.rsplit_once(['/', '\\'])
        && !matches!(last(folder), "" | ".")
    {
        return last(folder);
    }
    let outermost = |name: &'a str| match name.split_once("::").or_else(|| name.split_once('\\')) {
        Some((first, _)) if !first.contains([' ', '<', '(', '{']) => Some(first),
        _ => None,
    };
    match module {
        "" => outermost(name).unwrap_or_else(|| last(file)),
        module => outermost(module).unwrap_or_else(|| module.split('.').next().unwrap_or(module)),
    }
}

/// What a person reads of a group: the end of a path is what tells files apart.
#[must_use]
pub fn group_label(name: &str) -> Cow<'_, str> {
    match name.rsplit_once(['/', '\\']) {
        Some((folder, file)) if !file.is_empty() => {
            let above = folder.rsplit(['/', '\\']).next().filter(|f| !f.is_empty());
            above.map_or(Cow::Borrowed(file), |above| Cow::Owned(format!("{above}/{file}")))
        }
        _ => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_what_one_installs_and_folders_of_own_code() {
        for (name, module, file, want) in [
            ("forward", "torch.nn.modules.linear", "/v/site-packages/torch/nn/modules/linear.py", "torch"),
            ("wait", "threading", "/usr/lib/python3.11/threading.py", "threading"),
            ("main", "train", "/home/me/app/train.py", "app"),
            ("main", "train", "train.py", "train"),
            ("poll", "tokio::runtime::task", "", "tokio"),
            ("core::ops::function::FnOnce::call_once", "", "", "core"),
            ("<T as core::fmt::Debug>::fmt", "", "", ""),
            ("memcpy", "/usr/lib/x86_64-linux-gnu/libc.so.6", "", "libc.so.6"),
            ("App\\Svc\\fib", "", "", "App"),
            ("len", "", "", ""),
        ] {
            assert_eq!(package(name, module, file), want, "{name} {module} {file}");
        }
        assert_eq!(group_label("/home/me/app/train.py"), "app/train.py");
        assert_eq!(group_label("json.decoder"), "json.decoder");
    }
}
