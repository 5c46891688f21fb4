//! What a person writes to name another machine, and the command that gives a shell there.

use std::path::Path;

use crate::record::split_words;
use crate::record::workloads::command_line;

/// Another machine, container or pod; or this one, for a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: String,
    words: Vec<String>,
    /// The words start the helper itself, not a shell.
    here: bool,
}

/// Known ways, for messages.
const WAYS: &str = "a name of ssh's config, ssh://[user@]host[:port], docker://NAME, \
                    kubectl://[CONTEXT/]NAMESPACE/POD[/CONTAINER] or cmd:COMMAND";

impl Target {
    /// Reads a target.
    ///
    /// # Errors
    /// One line, when it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = |why: &str| format!("«{text}» is no target: {why}");
        let words = if let Some(rest) = text.strip_prefix("cmd:") {
            let words = split_words(rest).map_err(|why| wrong(&why))?;
            if words.is_empty() {
                return Err(wrong("cmd: takes a command that gives a shell, such as cmd:sh"));
            }
            words
        } else if let Some(rest) = text.strip_prefix("ssh://") {
            let (host, port) = match rest.trim_end_matches('/').rsplit_once(':') {
                // An address of IPv6 stands in brackets.
                Some((host, port)) if !port.contains(']') => (host, Some(port)),
                _ => (rest.trim_end_matches('/'), None),
            };
            if port.is_some_and(|p| p.parse::<u16>().is_err()) {
                return Err(wrong("the port is a number"));
            }
            ssh(&host.replace(['[', ']'], ""), port).map_err(|why| wrong(&why))?
        } else if let Some(name) = text.strip_prefix("docker://") {
            name_of(name).map_err(|why| wrong(&why))?;
            owned(&["docker", "exec", "-i", name, "sh"])
        } else if let Some(rest) = text.strip_prefix("kubectl://") {
            kubectl(rest).map_err(|why| wrong(&why))?
        } else if text.contains("://") {
            return Err(wrong(&format!("it is {WAYS}")));
        } else {
            ssh(text, None).map_err(|why| wrong(&why))?
        };
        Ok(Self { text: text.to_owned(), words, here: false })
    }

    /// This machine, where `program` is started as a process of its own.
    #[must_use]
    pub fn here(program: &Path) -> Self {
        let words = vec![program.to_string_lossy().into_owned(), "remote".to_owned()];
        Self { text: "this machine".to_owned(), words, here: true }
    }

    /// True for this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.here
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As it is written at a prompt.
    #[must_use]
    pub fn quoted(&self) -> String {
        command_line(std::slice::from_ref(&self.text))
    }

    /// The command that gives a shell there.
    #[must_use]
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// Refuses what the program that gets it would take for an option, or for something else than a name.
fn name_of(name: &str) -> Result<(), String> {
    match name {
        "" => Err(format!("it is {WAYS}")),
        name if name.starts_with('-') => Err("a name does not begin with «-»".into()),
        name if name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') => {
            Err("a name has no blanks and no «/»".into())
        }
        _ => Ok(()),
    }
}

/// No terminal, which would change bytes; none of the forwards of the person's configuration, which a second connection
/// could not open; and no other command than ours.
fn ssh(host: &str, port: Option<&str>) -> Result<Vec<String>, String> {
    name_of(host)?;
    // ssh takes «user@-x» apart, too.
    name_of(host.rsplit('@').next().unwrap_or(host))?;
    let mut words = owned(&["ssh", "-T", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none"]);
    if let Some(port) = port {
        words.extend(owned(&["-p", port]));
    }
    words.extend(owned(&["--", host, "sh"]));
    Ok(words)
}

fn kubectl(rest: &str) -> Result<Vec<String>, String> {
    let parts: Vec<&str> = rest.split('/').collect();
    parts.iter().try_for_each(|part| name_of(part))?;
    let (context, namespace, pod, container) = match parts[..] {
        [namespace, pod] => (None, namespace, pod, None),
        // A context has a name that no namespace can have, or all four parts are there.
        [first, second, third]
            if first.chars().any(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-') =>
        {
            (Some(first), second, third, None)
        }
        [namespace, pod, container] => (None, namespace, pod, Some(container)),
        [context, namespace, pod, container] => (Some(context), namespace, pod, Some(container)),
        _ => return Err("kubectl:// takes [CONTEXT/]NAMESPACE/POD[/CONTAINER]".into()),
    };
    let mut words = owned(&["kubectl"]);
    words.extend(context.map(|c| format!("--context={c}")));
    words.extend([format!("--namespace={namespace}"), "exec".into(), "-i".into(), pod.to_owned()]);
    words.extend(container.map(|c| format!("--container={c}")));
    words.extend(owned(&["--", "sh"]));
    Ok(words)
}

/// A file on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Where.
    pub target: Target,
    /// Its path there: absolute, or below the home folder with «~/».
    pub path: String,
}

impl Address {
    /// What a path means that is `TARGET:/path`; `None` for a path of this machine.
    ///
    /// # Errors
    /// One line, when the target is none.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let known =
            ["ssh://", "docker://", "kubectl://", "cmd:"].into_iter().find(|way| text.starts_with(way));
        let at = [":/", ":~/"].into_iter().filter_map(|sign| {
            let from = known.map_or(0, str::len);
            // A command may hold such a thing itself.
            let found =
                if known == Some("cmd:") { text[from..].rfind(sign) } else { text[from..].find(sign) };
            found.map(|at| at + from)
        });
        let (target, path) = match at.min() {
            Some(at) => (&text[..at], &text[at + 1..]),
            // ssh://host/path
            None if known == Some("ssh://") => {
                let slash = "ssh://".len() + text["ssh://".len()..].find('/')?;
                (&text[..slash], &text[slash..])
            }
            None => return None,
        };
        if known.is_none() && (target.len() < 2 || target.contains(['/', '\\'])) {
            // A drive of Windows, or a folder with a colon in its name.
            return None;
        }
        Some(Target::parse(target).map(|target| Self { target, path: path.to_owned() }))
    }

    /// True for a path that is no file of this machine and names one of another.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        path.to_str().and_then(Self::parse).is_some_and(|address| address.is_ok()) && !path.exists()
    }

    /// The file's name without folders.
    #[must_use]
    pub fn file_name(&self) -> String {
        Path::new(&self.path)
            .file_name()
            .map_or_else(|| self.path.clone(), |n| n.to_string_lossy().into_owned())
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.target, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        Target::parse(text).unwrap().words().join(" ")
    }

    #[test]
    fn targets_become_commands_that_give_a_shell() {
        let ssh = "ssh -T -o ClearAllForwardings=yes -o RemoteCommand=none";
        assert_eq!(words("gpu-box"), format!("{ssh} -- gpu-box sh"));
        assert_eq!(words("ssh://me@box:2222"), format!("{ssh} -p 2222 -- me@box sh"));
        assert_eq!(words("ssh://me@[::1]:22/"), format!("{ssh} -p 22 -- me@::1 sh"));
        assert_eq!(words("docker://web_1"), "docker exec -i web_1 sh");
        assert_eq!(words("kubectl://ml/train-0"), "kubectl --namespace=ml exec -i train-0 -- sh");
        assert_eq!(
            words("kubectl://prod/ml/train-0/main"),
            "kubectl --context=prod --namespace=ml exec -i train-0 --container=main -- sh"
        );
        assert_eq!(
            words("kubectl://admin@prod/ml/train-0"),
            "kubectl --context=admin@prod --namespace=ml exec -i train-0 -- sh"
        );
        assert_eq!(
            words("kubectl://ml/train-0/main"),
            "kubectl --namespace=ml exec -i train-0 --container=main -- sh"
        );
        assert_eq!(Target::parse("cmd:ssh 'my box' sh").unwrap().words(), ["ssh", "my box", "sh"]);
    }

    #[test]
    fn what_a_program_would_take_for_an_option_is_refused() {
        for text in [
            "-oProxyCommand=touch x",
            "ssh://-oProxyCommand=x",
            "ssh://me@-oProxyCommand=x",
            "docker://-x",
            "docker://--privileged",
            "kubectl://-n/pod",
            "kubectl://ns/--as=root",
            "kubectl://ns",
            "kubectl://a/b/c/d/e",
            "",
            "cmd:",
            "cmd:'sh",
            "ssh://host:port",
            "http://host",
            "two words",
        ] {
            let why = Target::parse(text).unwrap_err();
            assert!(why.contains("is no target") && !why.contains('\n'), "{text}: {why}");
        }
    }

    #[test]
    fn files_there_are_told_from_files_here() {
        let read = |text: &str| Address::parse(text).map(|a| a.map(|a| (a.target.text().to_owned(), a.path)));
        let there = |target: &str, path: &str| Some(Ok((target.to_owned(), path.to_owned())));
        assert_eq!(read("box:/tmp/a.prof"), there("box", "/tmp/a.prof"));
        assert_eq!(read("me@box:~/a.prof"), there("me@box", "~/a.prof"));
        assert_eq!(read("ssh://me@box:22/tmp/a"), there("ssh://me@box:22", "/tmp/a"));
        assert_eq!(read("ssh://box:/tmp/a"), there("ssh://box", "/tmp/a"));
        assert_eq!(read("docker://web:/tmp/a"), there("docker://web", "/tmp/a"));
        assert_eq!(read("kubectl://ml/pod:/tmp/a"), there("kubectl://ml/pod", "/tmp/a"));
        assert_eq!(read("cmd:env A=x:/y sh:/tmp/a"), there("cmd:env A=x:/y sh", "/tmp/a"));
        assert_eq!(Address::parse("box:/d/a.prof").unwrap().unwrap().file_name(), "a.prof");
        for here in
            ["a.prof", "/tmp/a.prof", "C:/a.prof", "./a:/b", "dir/a:/b", "-", "box:relative", "ssh://box"]
        {
            assert_eq!(Address::parse(here), None, "{here}");
        }
        assert!(Address::parse("-x:/tmp/a").unwrap().is_err());
    }
}
