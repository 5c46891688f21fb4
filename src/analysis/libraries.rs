//! Which functions are library code, as far as their files tell.
//!
//! The folder decides: package folders of Python, Node and Rust, the language's own library, system libraries.
//! Tools that shorten paths leave «torch/nn/modules/module.py»; there the first part of a relative path is
//! compared with Python's own modules and well-known packages. A function without a file is native or built in
//! when others have files; in a profile without any files nobody knows, and nothing is called a library.

use rustc_hash::FxHashMap;

use crate::jobs::Cancelled;
use crate::model::{Profile, StringId};
use crate::query::{Context, Query};

/// Asks [`of`] for the whole profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Libraries;

impl Query for Libraries {
    type Output = Vec<bool>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        Ok(of(cx.profile()))
    }

    fn weight(library: &Self::Output) -> usize {
        library.len()
    }
}

/// For each function whether it is library code. Empty when the profile does not tell libraries from own code:
/// no files, only own code, or only libraries.
#[must_use]
pub fn of(profile: &Profile) -> Vec<bool> {
    let mut known: FxHashMap<StringId, Option<bool>> = FxHashMap::default();
    let mut file = |id| *known.entry(id).or_insert_with(|| is_library(profile.text(id)));
    let rows = profile.functions.rows();
    let by_file: Vec<Option<bool>> = rows.iter().map(|f| file(f.file)).collect();
    if !by_file.contains(&Some(false)) {
        return Vec::new();
    }
    let found: Vec<bool> = by_file
        .iter()
        .zip(rows)
        .map(|(library, f)| library.unwrap_or_else(|| !profile.text(f.name).starts_with('[')))
        .collect();
    if found.contains(&true) { found } else { Vec::new() }
}

/// True for files of libraries; `None` without a file.
pub(super) fn is_library(file: &str) -> Option<bool> {
    if matches!(file, "" | "~") {
        return None;
    }
    if file.starts_with('<') {
        // What a person typed in has no file either.
        let typed = ["<string>", "<stdin>", "<console>", "<ipython", "<doctest"];
        return Some(!typed.iter().any(|t| file.starts_with(t)));
    }
    let url = file.strip_prefix("file://").unwrap_or(file);
    if url.starts_with("node:") {
        return Some(true);
    }
    let parts: Vec<&str> = url.split(['/', '\\']).collect();
    let folders = &parts[..parts.len() - 1];
    let folder = |name: &str| {
        matches!(
            name,
            "site-packages"
                | "dist-packages"
                | "lib-dynload"
                | "node_modules"
                | "rustlib"
                | "rustc"
                | "lib64"
        ) || is_python_folder(name)
    };
    let pair = |a: &str, b: &str| folders.windows(2).any(|w| w == [a, b]);
    let system = url.starts_with("/usr/lib/") || url.starts_with("/usr/include/") || url.starts_with("/lib/");
    let cargo = pair(".cargo", "registry") || pair("cargo", "registry");
    let last = parts.last().copied().unwrap_or_default();
    let binary = [".so", ".dll", ".dylib"].iter().any(|e| last.ends_with(e)) || last.contains(".so.");
    let relative = !folders.first().is_some_and(|f| f.is_empty() || f.ends_with(':') || *f == ".");
    let first = parts[0];
    let known = relative && WELL_KNOWN.contains(&first.strip_suffix(".py").unwrap_or(first));
    Some(folders.iter().any(|f| folder(f)) || system || cargo || binary || known)
}

/// «python3.11», «python311.zip».
fn is_python_folder(name: &str) -> bool {
    let Some(version) = name.strip_prefix("python") else { return false };
    let version = version.strip_suffix(".zip").unwrap_or(version);
    version.starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b't'))
}

/// Modules of Python's library that take part in stacks, and packages of people who build LLM applications.
const WELL_KNOWN: &[&str] = &[
    "abc",
    "aiohttp",
    "aiosignal",
    "accelerate",
    "anthropic",
    "anyio",
    "argparse",
    "ast",
    "asyncio",
    "base64",
    "bdb",
    "bisect",
    "bitsandbytes",
    "boto3",
    "botocore",
    "bs4",
    "certifi",
    "chromadb",
    "click",
    "codecs",
    "collections",
    "concurrent",
    "contextlib",
    "copy",
    "cProfile",
    "csv",
    "ctypes",
    "datasets",
    "dataclasses",
    "datetime",
    "decimal",
    "deepspeed",
    "django",
    "email",
    "encodings",
    "enum",
    "faiss",
    "fastapi",
    "flask",
    "flash_attn",
    "fsspec",
    "functools",
    "genericpath",
    "glob",
    "gzip",
    "h11",
    "h2",
    "hashlib",
    "heapq",
    "http",
    "httpcore",
    "httpx",
    "huggingface_hub",
    "importlib",
    "inspect",
    "io",
    "ipykernel",
    "IPython",
    "jax",
    "jinja2",
    "json",
    "keras",
    "langchain",
    "langchain_core",
    "langgraph",
    "linecache",
    "litellm",
    "llama_index",
    "logging",
    "matplotlib",
    "multiprocessing",
    "numba",
    "numpy",
    "openai",
    "opentelemetry",
    "os",
    "pandas",
    "pathlib",
    "peft",
    "pickle",
    "PIL",
    "pkgutil",
    "posixpath",
    "pstats",
    "pydantic",
    "pydantic_core",
    "pyinstrument",
    "pytest",
    "queue",
    "random",
    "ray",
    "re",
    "requests",
    "runpy",
    "safetensors",
    "scipy",
    "selectors",
    "sentence_transformers",
    "sentencepiece",
    "sglang",
    "shutil",
    "site",
    "sklearn",
    "socket",
    "socketserver",
    "sqlalchemy",
    "sqlite3",
    "sre_compile",
    "sre_parse",
    "ssl",
    "starlette",
    "statistics",
    "string",
    "subprocess",
    "sympy",
    "tempfile",
    "tensorflow",
    "threading",
    "tiktoken",
    "timeit",
    "tokenize",
    "tokenizers",
    "torch",
    "torchaudio",
    "torchvision",
    "tornado",
    "tqdm",
    "traceback",
    "trace",
    "transformers",
    "triton",
    "trl",
    "types",
    "typing",
    "typing_extensions",
    "urllib",
    "urllib3",
    "uuid",
    "uvicorn",
    "uvloop",
    "viztracer",
    "vllm",
    "warnings",
    "weakref",
    "websockets",
    "xformers",
    "xml",
    "yappi",
    "zipfile",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FunctionSpec, ProfileBuilder};

    #[test]
    fn folders_tell_libraries_from_own_code() {
        for file in [
            "/usr/lib/python3.11/json/encoder.py",
            "/home/me/.venv/lib/python3.12/site-packages/torch/nn/modules/module.py",
            "C:\\Python311\\Lib\\site-packages\\httpx\\_client.py",
            "<frozen importlib._bootstrap>",
            "torch/nn/modules/module.py",
            "asyncio/runners.py",
            "threading.py",
            "/home/me/app/node_modules/express/index.js",
            "node:internal/process/task_queues",
            "/rustc/abc/library/core/src/ops/function.rs",
            "/home/me/.cargo/registry/src/index/tokio-1.0/src/lib.rs",
            "/opt/nvidia/libcudart.so.12",
        ] {
            assert_eq!(is_library(file), Some(true), "{file}");
        }
        for file in [
            "/home/me/app/main.py",
            "main.py",
            "./torch/train.py",
            "src/lib.rs",
            "app/re.py",
            "<string>",
            "<ipython-input-3-abc>",
            "C:\\work\\app.py",
            "http://localhost/app.js",
            "/",
        ] {
            assert_eq!(is_library(file), Some(false), "{file}");
        }
        assert_eq!((is_library(""), is_library("~")), (None, None));
    }

    #[test]
    fn without_both_kinds_nothing_is_told_apart() {
        let found = |files: &[(&str, &str)]| {
            let mut b = ProfileBuilder::new("test");
            for &(name, file) in files {
                b.function(FunctionSpec { name, file, ..FunctionSpec::default() });
            }
            of(&b.finish())
        };
        assert_eq!(
            found(&[("f", "a.py"), ("g", "json/decoder.py"), ("sum", ""), ("[await]", "")]),
            [false, true, true, false]
        );
        assert!(found(&[("f", "a.py"), ("g", "b.py")]).is_empty(), "only own code");
        assert!(found(&[("aten::mm", ""), ("kernel", "")]).is_empty(), "no files");
        assert!(found(&[("loads", "json/decoder.py"), ("sum", "")]).is_empty(), "only libraries");
    }
}
