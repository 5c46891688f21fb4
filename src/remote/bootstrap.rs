//! From a shell on the other side to a helper: is the program there, does it fit, and if not, is it put there.
//!
//! The shell gets lines of a POSIX script on its standard input and answers with lines that begin with [`MARK`]; whatever
//! else a login script prints is not looked at, also when it ends within a line: each answer begins on one of its own. Of a program that is sent, no byte leaves before the shell has said that it
//! waits for it: a shell reads its input in blocks, and what it read is gone for the commands that it starts.

use std::io::Read;
use std::sync::OnceLock;

use super::Trouble;
use super::wire;

/// Begin of the lines that are ours. Written by octal escapes, so that an echo of the script is none of them.
pub(super) const MARK: &[u8] = b"\x89inferscope\t";
/// Hexadecimal digits that name the bytes of a program.
pub(super) const HASH_LEN: usize = 16;
/// How to have it on the other side's own way.
const INSTALL: &str =
    "install inferscope there (cargo install --locked inferscope) so that it is found on its PATH";

/// What the shell answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// System, machine and a place for the program, or where it cannot be put and why.
    Need { system: String, machine: String, place: Result<String, String> },
    /// It waits for the program.
    Go,
    /// How putting it there went: exit code and what was said.
    Put { code: String, said: String },
}

impl Said {
    /// What a line says, if it is one of ours.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(line.strip_prefix(MARK)?).into_owned();
        let mut parts = text.trim_end_matches(['\r', '\n']).split('\t').map(str::to_owned);
        let word = parts.next()?;
        let mut next = || parts.next().unwrap_or_default();
        match word.as_str() {
            "need" => {
                let (system, machine, place, why) = (next(), next(), next(), next());
                let place = if place.is_empty() { Err(why) } else { Ok(place) };
                Some(Self::Need { system, machine, place })
            }
            "go" => Some(Self::Go),
            "put" => Some(Self::Put { code: next(), said: next() }),
            _ => None,
        }
    }
}

/// The program that runs, as it is sent.
pub(super) struct Parcel {
    /// Names its bytes.
    pub hash: String,
    bytes: Vec<u8>,
}

impl Parcel {
    /// This very program.
    pub(super) fn own() -> Result<&'static Self, Trouble> {
        static OWN: OnceLock<Result<Parcel, String>> = OnceLock::new();
        let own = OWN.get_or_init(|| {
            let path = std::env::current_exe().map_err(|e| format!("the program cannot find itself: {e}"))?;
            let bytes =
                std::fs::read(&path).map_err(|e| format!("{}: cannot be read ({e})", path.display()))?;
            Ok(Self { hash: hash(&bytes), bytes })
        });
        own.as_ref().map_err(|why| Trouble::Refused(why.clone()))
    }

    /// Its bytes for `gunzip`, which is everywhere.
    pub(super) fn packed(&self) -> Result<Vec<u8>, Trouble> {
        let mut packed = Vec::new();
        let mut packer = flate2::bufread::GzEncoder::new(&self.bytes[..], flate2::Compression::fast());
        packer
            .read_to_end(&mut packed)
            .map_err(|e| Trouble::Refused(format!("the program cannot be packed: {e}")))?;
        Ok(packed)
    }
}

/// Names bytes; only the same program ever compares such names.
fn hash(bytes: &[u8]) -> String {
    use std::hash::Hasher;
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    format!("{:0width$x}", hasher.finish(), width = HASH_LEN)
}

/// Folders for the program, the best one first.
const FOLDERS: &str = r#""${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/inferscope" "/tmp/inferscope-$(id -u)" "/dev/shm/inferscope-$(id -u)""#;

/// Becomes the helper where a program that fits is there; otherwise says what is needed and where it can lie. A place is one
/// that is ours and from which a program starts.
pub(super) fn probe(hash: &str) -> String {
    let version = wire::version();
    format!(
        r#"{{ for D in {FOLDERS}; do F="$D/{hash}/inferscope"; [ -x "$F" ] && [ -O "$F" ] && [ -O "$D" ] && "$F" --version >/dev/null 2>&1 </dev/null && printf '\n' && exec "$F" remote; done
P=$(command -v inferscope) && "$P" remote --fits {version} >/dev/null 2>&1 </dev/null && printf '\n' && exec "$P" remote
T=; O=; for D in {FOLDERS}; do F="$D/{hash}"; if (umask 077; mkdir -p "$F") 2>/dev/null && [ -O "$D" ] && printf '#!/bin/sh\nexit 0\n' 2>/dev/null >"$F/try.$$"; then chmod 700 "$F/try.$$"; if "$F/try.$$" >/dev/null 2>&1 </dev/null; then O="$F"; else T="$T$D lets no program start; "; fi; rm -f "$F/try.$$"; else T="$T$D cannot be written; "; fi; [ -n "$O" ] && break; done
printf '\n\211inferscope\tneed\t%s\t%s\t%s\t%s\n' "$(uname -s)" "$(uname -m)" "$O" "$T"
}}
"#
    )
}

/// Takes `length` packed bytes as the program in the folder that the probe named, tries it, and becomes the helper.
pub(super) fn put(length: usize) -> String {
    format!(
        r#"{{ printf '\n\211inferscope\tgo\n'
E=$( {{ head -c {length} | gunzip >"$O/part.$$"; }} 2>&1 ) && chmod 700 "$O/part.$$" && V=$("$O/part.$$" --version 2>&1 </dev/null) && mv "$O/part.$$" "$O/inferscope" && printf '\n' && exec "$O/inferscope" remote
C=$?; rm -f "$O/part.$$"; printf '\n\211inferscope\tput\t%s\t%s\n' "$C" "$(printf '%s %s' "$E" "$V" | tr '\n\t' '  ' | cut -c 1-400)"; exit 1
}}
"#
    )
}

/// Refuses another system than ours, whose programs do not run there.
pub(super) fn check(target: &str, system: &str, machine: &str) -> Result<(), Trouble> {
    let os = match system {
        "Linux" => "linux",
        "Darwin" => "macos",
        other => other,
    };
    let arch = match machine {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    if (os, arch) == (std::env::consts::OS, std::env::consts::ARCH) {
        return Ok(());
    }
    let (own_os, own_arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Err(Trouble::Refused(format!(
        "{target} is {os} on {arch}, and this inferscope is made for {own_os} on {own_arch}: {INSTALL}"
    )))
}

/// Why there is no place for the program.
pub(super) fn no_place(target: &str, tried: &str) -> Trouble {
    let tried = tried.trim_end_matches("; ");
    Trouble::Refused(format!(
        "{target} has no place for inferscope ({tried}): set XDG_CACHE_HOME there to a folder from which programs start, \
         or {INSTALL}"
    ))
}

/// Why the program that was put there does not run.
pub(super) fn does_not_run(target: &str, code: &str, said: &str) -> Trouble {
    let said = said.trim();
    let why = if said.contains("GLIBC") {
        "its glibc is older than this inferscope needs"
    } else if said.contains("libgcc_s") {
        return Trouble::Refused(format!(
            "inferscope does not start on {target}: libgcc_s.so.1 is missing there; install it (apt-get install libgcc-s1, or \
             libgcc in other systems)"
        ));
    } else if said.contains("gunzip") && said.contains("not found") {
        "it has no gunzip to unpack it"
    } else if said.contains("No space left") || said.contains("write error") {
        return Trouble::Refused(format!(
            "{target} has no room for inferscope ({said}): make some, or set XDG_CACHE_HOME there"
        ));
    } else if matches!(code, "126" | "127") && (said.contains("not found") || said.is_empty()) {
        "it has no glibc (as Alpine), which this inferscope needs"
    } else {
        return Trouble::Refused(format!(
            "inferscope does not start on {target} (exit code {code}: {said}): {INSTALL}"
        ));
    };
    Trouble::Refused(format!("inferscope does not start on {target}, {why}: {INSTALL}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_lines_are_answers() {
        let need = |place: &str, why: &str| {
            let line = [MARK, format!("need\tLinux\tx86_64\t{place}\t{why}\r\n").as_bytes()].concat();
            Said::read(&line).unwrap()
        };
        let Said::Need { system, machine, place } = need("/c/h", "") else { panic!() };
        assert_eq!((system.as_str(), machine.as_str(), place), ("Linux", "x86_64", Ok("/c/h".into())));
        assert!(matches!(need("", "/a cannot be written; "), Said::Need { place: Err(_), .. }));
        for line in
            [&b"Welcome to box\n"[..], b"need\tLinux\n", b"\x89inferscope\n", b"\x89inferscope\twhat\n", b""]
        {
            assert_eq!(Said::read(line), None, "{line:?}");
        }
        assert!(!probe("0").as_bytes().windows(MARK.len()).any(|w| w == MARK), "an echo is no answer");
    }

    #[test]
    fn each_obstacle_has_one_line_with_its_remedy() {
        let said = [
            does_not_run("box", "1", "/c/part: /lib/libc.so.6: version `GLIBC_2.34' not found"),
            does_not_run("box", "127", "error while loading shared libraries: libgcc_s.so.1: cannot open"),
            does_not_run("box", "127", "sh: /c/part.1: not found"),
            does_not_run("box", "1", "gzip: stdout: No space left on device"),
            does_not_run("box", "127", "sh: gunzip: not found"),
            does_not_run("box", "139", ""),
            no_place("box", "/home/me/.cache/inferscope lets no program start; "),
            check("box", "Linux", "riscv64").unwrap_err(),
        ];
        let words = ["glibc", "libgcc", "glibc", "room", "gunzip", "139", "lets no program start", "riscv64"];
        for (trouble, word) in said.iter().zip(words) {
            let text = trouble.to_string();
            assert!(text.contains(word) && text.contains("box") && !text.contains('\n'), "{text}");
            assert!(text.contains("install") || text.contains("XDG_CACHE_HOME"), "a remedy: {text}");
        }
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        #[cfg(target_os = "linux")]
        assert!(check("box", "Linux", machine).is_ok());
    }
}
