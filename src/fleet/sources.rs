//! Which files are meant, and which of them are this worker's.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::stable::Stable;

/// A file that may be a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is, from the root.
    pub path: PathBuf,
    /// The same as a text: what the run is known by.
    pub uri: String,
    /// Its length.
    pub bytes: u64,
    /// When it was changed last, ns since 1970.
    pub modified: Option<i64>,
    /// A person named this file, not a folder that holds it.
    pub named: bool,
}

/// A share of the files: one of so many workers that do not know each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which worker, from 0.
    pub index: u64,
    /// How many there are.
    pub count: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}

impl Shard {
    /// `i/n`, or `auto`, which asks the variables of Slurm, of Kubernetes' indexed jobs and of MPI.
    ///
    /// # Errors
    /// One line with what is expected.
    pub fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        if text == "auto" {
            return Self::auto(&|name| variable(name)?.trim().parse().ok());
        }
        let wrong = || format!("«{text}» is no share: i/n, such as 0/8 for the first of eight, or auto");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let shard = Self { index: number(index)?, count: number(count)? };
        if shard.index >= shard.count {
            return Err(format!("«{text}» is no share: they are counted from 0, so the last one is n-1/n"));
        }
        Ok(shard)
    }

    fn auto(variable: &dyn Fn(&str) -> Option<u64>) -> Result<Self, String> {
        let pair = |index, count| Some(Self { index: variable(index)?, count: variable(count)? });
        // An array of jobs, each of several tasks.
        let tasks = pair("SLURM_PROCID", "SLURM_NTASKS").unwrap_or_default();
        let array = pair("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT").map(|array| {
            let first = variable("SLURM_ARRAY_TASK_MIN").unwrap_or(0);
            let step = variable("SLURM_ARRAY_TASK_STEP").filter(|&s| s > 0).unwrap_or(1);
            Self { index: array.index.saturating_sub(first) / step, ..array }
        });
        let slurm = || variable("SLURM_JOB_ID").map(|_| tasks);
        let found = array
            .map(|array| Self {
                index: array.index * tasks.count + tasks.index,
                count: array.count * tasks.count,
            })
            .or_else(|| pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"))
            .or_else(|| pair("PMI_RANK", "PMI_SIZE"))
            .or_else(|| pair("JOB_COMPLETION_INDEX", "INFERSCOPE_SHARDS"))
            .or_else(slurm);
        let shard = found.ok_or(
            "--shard auto finds no variables of Slurm (SLURM_PROCID, SLURM_ARRAY_TASK_ID), of MPI (OMPI_COMM_WORLD_RANK, \
             PMI_RANK) or of an indexed job of Kubernetes (JOB_COMPLETION_INDEX with INFERSCOPE_SHARDS, the number of \
             completions)",
        )?;
        if shard.index >= shard.count {
            return Err(format!(
                "the variables say share {} of {}, counted from 0",
                shard.index, shard.count
            ));
        }
        Ok(shard)
    }

    /// True for files that are this worker's, whoever lists them.
    #[must_use]
    pub fn has(&self, uri: &str) -> bool {
        Stable::default().text(uri).value() % self.count == self.index
    }
}

/// The files that paths, folders (with all below them) and patterns with `*` and `?` name, each once and in order.
///
/// # Errors
/// When one names nothing, or cannot be read.
pub fn find(sources: &[PathBuf]) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for source in sources {
        let about = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", source.display()));
        let source = std::path::absolute(source)?;
        if source.exists() {
            below(&source, true, &mut all).map_err(about)?;
            continue;
        }
        let matching = expand(&source).map_err(about)?;
        if matching.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{}: there is no such file", source.display()),
            ));
        }
        for path in matching {
            below(&path, true, &mut all).map_err(about)?;
        }
    }
    all.sort_by(|a, b| a.uri.cmp(&b.uri).then(b.named.cmp(&a.named)));
    all.dedup_by(|next, first| next.uri == first.uri);
    Ok(all)
}

/// A file, or all files below a folder. Hidden ones, and those of a dataset, are left out.
fn below(path: &Path, named: bool, found: &mut Vec<Found>) -> io::Result<()> {
    let about = std::fs::metadata(path)?;
    if about.is_file() {
        let since_1970 = about.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        found.push(Found {
            path: path.to_owned(),
            uri: path.to_string_lossy().into_owned(),
            bytes: about.len(),
            modified: since_1970.and_then(|t| i64::try_from(t.as_nanos()).ok()),
            named,
        });
        return Ok(());
    }
    let mut todo = vec![path.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') || is_table(&entry.path()) {
                continue;
            }
            // A link to a folder could lead in a circle; one to a file is a file.
            match entry.file_type()? {
                kind if kind.is_dir() => todo.push(entry.path()),
                _ if entry.path().is_file() => below(&entry.path(), false, found)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "parquet")
}

/// The paths that fit a pattern, part by part.
fn expand(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = vec![PathBuf::new()];
    for part in pattern.components() {
        let text = part.as_os_str().to_string_lossy();
        let wild = matches!(part, Component::Normal(_)) && text.contains(['*', '?']);
        let mut next = Vec::new();
        for path in paths {
            if !wild {
                next.push(path.join(part));
                continue;
            }
            if !path.is_dir() {
                continue;
            }
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if !name.starts_with('.') && fits(&name, &text) {
                    next.push(entry.path());
                }
            }
        }
        paths = next;
    }
    paths.retain(|path| path.exists());
    Ok(paths)
}

/// True when a name fits a pattern in which `*` stands for anything and `?` for one character.
fn fits(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) = (name.chars().collect(), pattern.chars().collect());
    let (mut n, mut p) = (0, 0);
    // Where the last star stands, and how much of the name it took.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                n += 1;
                p += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    n = taken + 1;
                    p = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(variables: &[(&str, &str)]) -> Result<(u64, u64), String> {
        let of = |name: &str| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_owned());
        Shard::parse("auto", of).map(|s| (s.index, s.count))
    }

    #[test]
    fn launchers_say_which_share_is_whose() {
        let slurm = [("SLURM_JOB_ID", "9"), ("SLURM_PROCID", "3"), ("SLURM_NTASKS", "8")];
        assert_eq!(auto(&slurm), Ok((3, 8)));
        let array =
            [("SLURM_ARRAY_TASK_ID", "5"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "16")];
        assert_eq!(auto(&array), Ok((4, 16)));
        let both: Vec<_> = slurm.into_iter().chain(array).collect();
        assert_eq!(auto(&both), Ok((4 * 8 + 3, 16 * 8)));
        assert_eq!(auto(&[("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2")]), Ok((0, 2)));
        assert_eq!(auto(&[("JOB_COMPLETION_INDEX", "7"), ("INFERSCOPE_SHARDS", "8")]), Ok((7, 8)));
        assert!(auto(&[("JOB_COMPLETION_INDEX", "7")]).unwrap_err().contains("INFERSCOPE_SHARDS"));
        assert!(auto(&[]).unwrap_err().contains("SLURM_PROCID"));
    }

    #[test]
    fn each_file_is_in_one_share() {
        let shards: Vec<Shard> = (0..4).map(|i| Shard::parse(&format!("{i}/4"), |_| None).unwrap()).collect();
        let mut sizes = [0; 4];
        for rank in 0..1000 {
            let uri = format!("/traces/rank{rank}.json");
            let of: Vec<usize> = (0..4).filter(|&i| shards[i].has(&uri)).collect();
            assert_eq!(of.len(), 1);
            sizes[of[0]] += 1;
        }
        assert!(sizes.iter().all(|&n| n > 200), "{sizes:?}");
        for wrong in ["4/4", "1", "a/b", "1/0", ""] {
            assert!(Shard::parse(wrong, |_| None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (name, pattern, is) in [
            ("rank0.json", "rank*.json", true),
            ("rank0.json.gz", "rank*.json", false),
            ("rank12.json", "rank?.json", false),
            ("abab", "*ab", true),
            ("a", "a**", true),
            ("", "*", true),
            ("b", "a*", false),
        ] {
            assert_eq!(fits(name, pattern), is, "{name} {pattern}");
        }
    }
}
