//! `inferscope help`: the help of a command, or a page of the guide.

use clap::Command;

use super::Failure;
use super::out::print_lines;
use crate::app::guide::TOPICS;

/// The pages of the guide, for help texts.
pub(super) fn topic_list() -> String {
    let lines = TOPICS.iter().map(|topic| format!("  {:<12} {}\n", topic.name, topic.title()));
    format!("Pages of the guide:\n{}\nExample: inferscope help recording", lines.collect::<String>())
}

pub(super) fn run(topic: Option<&str>, mut program: Command) -> Result<(), Failure> {
    program.build();
    let Some(name) = topic else {
        return print_lines(&format!("{}\n\n{}\n", program.render_long_help(), topic_list()));
    };
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) {
        return print_lines(topic.text);
    }
    if let Some(command) = program.find_subcommand_mut(name) {
        let mut text = command.render_long_help().to_string();
        // A command of several has nothing to say without them.
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            text += &format!(
                "\n\n{}\n\n{}",
                sub.get_bin_name().unwrap_or_default().to_uppercase(),
                sub.render_long_help()
            );
        }
        return print_lines(&text);
    }
    // «compare» for «comparing».
    let stem = name.trim_end_matches('e');
    if let Some(topic) = TOPICS.iter().find(|topic| stem.len() >= 4 && topic.name.starts_with(stem)) {
        return print_lines(topic.text);
    }
    let pages: Vec<_> = TOPICS.iter().map(|topic| topic.name).collect();
    let commands: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
    Err(Failure::new(format!(
        "there is no help on «{name}»; commands: {}; pages of the guide: {}",
        commands.join(", "),
        pages.join(", ")
    )))
}
