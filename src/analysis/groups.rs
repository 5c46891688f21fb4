//! Which file, module, package or class a function belongs to, for the graph and the list that show such groups as one.
//!
//! File and module are what the profile says. A package is the outermost name of a module («torch» of
//! `torch.nn.modules.linear`, «tokio» of `tokio::runtime`), the library of native code, and for own code,
//! which has no installed package, the folder of its file.

use std::borrow::Cow;

use super::libraries::is_library;
use crate::format::bare;
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
    /// The class of a method, where names say it.
    Class,
}

impl GroupBy {
    /// All, with what a menu says.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::File, "file"), (Self::Module, "module"), (Self::Package, "package"), (Self::Class, "class")];

    /// What a menu says.
    #[must_use]
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(by, _)| *by == self).map_or("", |(_, label)| label)
    }

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
            Self::Class => class(name),
        }
    }
}

/// The class in the name of a method: `Session` of `Session.get`, `std::vector<…>` of `std::vector<int>::push_back(int)`, `T` of
/// `<T as Display>::fmt`.
fn class(name: &str) -> Cow<'_, str> {
    let bare = bare(name);
    if let Some((owner, _)) = bare.strip_prefix('<').and_then(|rest| rest.split_once(">::")) {
        let owner = owner.split_once(" as ").map_or(owner, |(owner, _)| owner);
        return Cow::Owned(owner.to_owned());
    }
    let named = bare.split_once('(').map_or(&*bare, |(before, _)| before);
    let named =
        named.rsplit_once(' ').filter(|(_, last)| last.contains("::")).map_or(named, |(_, last)| last);
    let (owner, _) = match (named.rsplit_once("::"), named.rsplit_once('.')) {
        (Some(parts), _) => parts,
        // What is defined within a function has its name, but is no method of it.
        (None, Some((owner, method))) if !owner.ends_with("<locals>") && !owner.contains('/') => {
            (owner, method)
        }
        _ => return Cow::Borrowed(""),
    };
    let last = owner.rsplit(['.', ':']).next().unwrap_or(owner);
    let is_class = last.starts_with(char::is_uppercase) || last.contains('<') || owner.contains("<locals>.");
    if is_class { Cow::Owned(owner.to_owned()) } else { Cow::Borrowed("") }
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
        for (name, want) in [
            ("Session.get", "Session"),
            ("requests.sessions.Session.get", "requests.sessions.Session"),
            ("fetch.<locals>.<lambda>", ""),
            ("make.<locals>.Inner.run", "make.<locals>.Inner"),
            ("json.loads", ""),
            ("void std::vector<int>::push_back(int const&)", "std::vector<…>"),
            ("llama::Model::forward", "llama::Model"),
            ("core::ptr::drop_in_place", ""),
            ("<llama::Cache as core::fmt::Debug>::fmt", "llama::Cache"),
            ("main", ""),
        ] {
            assert_eq!(class(name), want, "{name}");
        }
        assert_eq!(group_label("/home/me/app/train.py"), "app/train.py");
        assert_eq!(group_label("json.decoder"), "json.decoder");
    }
}
