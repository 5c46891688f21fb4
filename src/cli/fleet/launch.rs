//! `fleet run --print`: the lines that read profiles on many machines or cores. Nothing is started.

use clap::ValueEnum;

use super::add::SourceArgs;

/// What starts the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Launcher {
    /// A job array of Slurm.
    Slurm,
    /// An indexed job of Kubernetes.
    K8s,
    /// Processes of this machine.
    Xargs,
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// `fleet add` with all that was said, by absolute paths.
fn command(source: &SourceArgs, shard: &str) -> String {
    let path = |path: &std::path::Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        quoted(&path.to_string_lossy())
    };
    let mut words = vec!["inferscope fleet add".to_owned()];
    words.extend(source.sources.iter().map(|source| path(source)));
    words.push(format!("--to {}", path(&source.dataset)));
    words.extend(source.labels.iter().map(|label| format!("--label {}", quoted(&label.text()))));
    let spans = source.spans.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
    if spans != "all" {
        words.push(format!("--spans {spans}"));
    }
    if let Some(jobs) = source.jobs {
        words.push(format!("--jobs {jobs}"));
    }
    if let Some(pattern) = &source.rank_pattern {
        words.push(format!("--rank-pattern {}", quoted(pattern.text())));
    }
    words.push(format!("--shard {shard}"));
    words.join(" ")
}

pub(super) fn lines(source: &SourceArgs, launcher: Launcher, shards: u64) -> String {
    let last = shards - 1;
    match launcher {
        Launcher::Slurm => format!(
            "#!/bin/sh\n\
             #SBATCH --job-name=inferscope\n\
             #SBATCH --array=0-{last}\n\
             #SBATCH --cpus-per-task=2\n\
             #SBATCH --mem=1G\n\
             # Save this as add.sh and submit it: sbatch add.sh\n\
             {}\n",
            command(source, "auto")
        ),
        Launcher::Xargs => {
            // A process for each core, each of which reads a file at a time.
            let jobs = if source.jobs.is_none() { " --jobs 1" } else { "" };
            format!(
                "seq 0 {last} | xargs -P \"$(nproc)\" -I{{}} {}{jobs}\n",
                command(source, &format!("{{}}/{shards}"))
            )
        }
        Launcher::K8s => {
            let command = command(source, "auto").replace('\'', "''");
            format!(
                "# Save this as add.yaml, name an image with inferscope in it and the volume with the files, then: kubectl apply -f \
                 add.yaml\n\
                 apiVersion: batch/v1\n\
                 kind: Job\n\
                 metadata:\n  name: inferscope-fleet-add\n\
                 spec:\n  completionMode: Indexed\n  completions: {shards}\n  parallelism: {shards}\n  template:\n    spec:\n      \
                 restartPolicy: OnFailure\n      containers:\n        - name: add\n          image: IMAGE\n          command: \
                 [sh, -c, '{command}']\n          env:\n            - name: INFERSCOPE_SHARDS\n              value: \
                 \"{shards}\"\n          resources:\n            requests:\n              cpu: \"1\"\n              memory: \
                 512Mi\n"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        source: SourceArgs,
    }

    fn printed(launcher: Launcher) -> String {
        let line = ["x", "/data/it's here", "--to", "/out", "--label", "run=a b", "--spans", "gpu"];
        lines(&Line::parse_from(line).source, launcher, 4)
    }

    #[test]
    fn lines_keep_all_that_was_said() {
        let add =
            r"inferscope fleet add '/data/it'\''s here' --to /out --label 'run=a b' --spans gpu --shard";
        let slurm = printed(Launcher::Slurm);
        assert!(slurm.starts_with("#!/bin/sh\n") && slurm.contains("--array=0-3"), "{slurm}");
        assert!(slurm.ends_with(&format!("{add} auto\n")), "{slurm}");
        let xargs = printed(Launcher::Xargs);
        assert_eq!(xargs, format!("seq 0 3 | xargs -P \"$(nproc)\" -I{{}} {add} {{}}/4 --jobs 1\n"));
        let k8s = printed(Launcher::K8s);
        assert!(k8s.contains("completions: 4") && k8s.contains("INFERSCOPE_SHARDS"), "{k8s}");
        assert!(k8s.contains(&format!("[sh, -c, '{} auto']", add.replace('\'', "''"))), "{k8s}");
    }
}
