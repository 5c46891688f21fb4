//! What people read: every command in it exists, every link leads somewhere, and the program prints it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use inferscope::app::guide::TOPICS;

use crate::support::{file, run, stdout};

/// The pages of the repository that show commands.
pub fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![file("README.md"), file("CONTRIBUTING.md"), file("SECURITY.md")];
    paths.extend(std::fs::read_dir(file("assets/guide")).unwrap().map(|entry| entry.unwrap().path()));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The texts in backquotes, the lines of fenced blocks, and those of comments.
pub fn code(text: &str) -> Vec<String> {
    let comments = text.split("<!--").skip(1).filter_map(|rest| rest.split("-->").next());
    let mut found: Vec<String> = comments.flat_map(str::lines).map(str::to_owned).collect();
    for (i, part) in text.split("```").enumerate() {
        if i % 2 == 1 {
            found.extend(part.lines().skip(1).map(str::to_owned));
        } else {
            found.extend(
                part.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|t| t.split_whitespace().collect::<Vec<_>>().join(" ")),
            );
        }
    }
    found
}

/// The words of a command line of ours, without what starts it and what follows it.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next()?.split(" >").next()?.split(" |").next()?.trim();
    let starts = [
        "cargo run --release -- ",
        "cargo run -- ",
        "uvx inferscope-profiler ",
        "inferscope ",
        "python -m inferscope_profiler ",
    ];
    let rest = starts.iter().find_map(|start| line.strip_prefix(start))?;
    let mut words = Vec::new();
    let mut quoted = false;
    let mut word = String::new();
    for c in rest.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    Some(words.into_iter().filter(|word| !word.is_empty() && word != "…").collect())
}

#[test]
fn every_command_that_is_shown_is_understood() {
    let mut checked = 0;
    for (path, text) in pages() {
        for line in code(&text) {
            let Some(words) = words(&line) else { continue };
            let page = path.display();
            checked += 1;
            // A command that is named alone.
            if let [name] = &words[..]
                && !name.contains('.')
            {
                assert!(name == "FILE" || run(&["help", name]).status.success(), "{page}: {line}");
                continue;
            }
            if let Err(why) = inferscope::cli::understands(words.iter().map(String::as_str)) {
                panic!("{page}: {line}\n{why}");
            }
            if words.first().is_some_and(|word| word == "help") && words.len() > 1 && words[1] != "TOPIC" {
                assert!(run(&["help", &words[1]]).status.success(), "{page}: {line}");
            }
        }
        // Options and parameters that are named alone belong to some command.
        for option in code(&text).iter().filter(|code| code.starts_with("--") && code.len() > 2) {
            let option = option.split([' ', '=']).next().unwrap();
            // Of apt, of cargo, of the notebook's magic, of a script of the benches.
            let foreign = ["--no-install-recommends", "--bench", "--open", "--threads"];
            assert!(foreign.contains(&option) || options().contains(option), "{}: {option}", path.display());
        }
    }
    assert!(checked > 30, "{checked} commands are shown");
}

/// All options of all commands.
fn options() -> BTreeSet<String> {
    let help = stdout(&["help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|l| l.starts_with("  "));
    let names =
        commands.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let texts = names.map(|name| stdout(&["help", name]));
    let all: String = texts.collect();
    let words = all.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    let mut all = pages();
    for name in ["ARCHITECTURE.md", "CHANGELOG.md"] {
        all.push((file(name), std::fs::read_to_string(file(name)).unwrap()));
    }
    for (path, text) in all {
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let pictures = text.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
        for link in links.chain(pictures) {
            // Whatever is a picture can be made again.
            let made = || {
                code(&text).iter().any(|line| line.starts_with("inferscope render") && line.contains(link))
            };
            assert!(!link.ends_with(".png") || made(), "{}: no command makes {link}", path.display());
            if link.starts_with("https://") {
                continue;
            }
            let target = link.split('#').next().unwrap();
            let there = target.is_empty() || path.parent().unwrap_or(Path::new("")).join(target).exists();
            assert!(there, "{}: {link}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} links");
}

/// A stranger reads it to the end.
#[test]
fn the_readme_is_short() {
    let text = std::fs::read_to_string(file("README.md")).unwrap();
    assert!(text.lines().count() <= 130, "{} lines", text.lines().count());
    // The name on PyPI is somebody else's.
    for (path, text) in pages() {
        assert!(
            !text.contains("pip install inferscope\n") && !text.contains("pip install inferscope "),
            "{}",
            path.display()
        );
    }
}

#[test]
fn help_prints_each_page_of_the_guide() {
    let list = stdout(&["help"]);
    let files: BTreeSet<String> = std::fs::read_dir(file("assets/guide"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let named: BTreeSet<String> = TOPICS.iter().map(|topic| format!("{}.md", topic.name)).collect();
    assert_eq!(files, named, "each page is a topic");
    for topic in TOPICS {
        assert!(list.contains(topic.name) && list.contains(topic.title()), "{list}");
        let commands = list.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        // Else only one of both could be asked for.
        assert!(!commands.contains(&format!("  {} ", topic.name)), "{} is a command", topic.name);
        assert!(topic.text.starts_with("# ") && !topic.title().is_empty(), "{}", topic.name);
        let text = stdout(&["help", topic.name]);
        assert!(text.contains(topic.title()) && text.lines().count() >= topic.text.lines().count(), "{text}");
    }
    assert!(stdout(&["help", "record"]).contains("--sample-hz"));
    let out = run(&["help", "cooking"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2));
    assert!(said.contains("«cooking»") && said.contains("recording") && said.lines().count() == 1, "{said}");
    assert_eq!(stdout(&["help", "compare"]), stdout(&["help", "comparing"]), "the word is enough");
}
