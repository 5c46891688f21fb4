//! Several files as one run, on one clock: traces of the ranks of one job, a log of memory beside a profile.
//!
//! Asked for by `*` as the name of a file in a folder or an archive. Files that say when they began are laid beside each other by that; the others
//! begin with the first. Tracks and counters have the name of their file before that of their process. Lost: requests (which belong to one
//! file's clock and texts) and details that files keep for themselves; both are said.

use super::{ErrorKind, ImportError, Input, open_whole};
use crate::jobs::Job;
use crate::model::{CounterId, Profile, ProfileBuilder, TrackId, TrackSpec};

/// The name that stands for all files.
pub(super) const ALL: &str = "*";
/// Most files that are laid together.
const MOST: usize = 256;

/// The files of `input`, when it asks for all of them.
pub(super) fn files(input: &Input) -> Option<Result<Vec<Input>, ImportError>> {
    let Input::Part(whole, name) = input else { return None };
    if name != ALL {
        return None;
    }
    let of = |name: String| match &**whole {
        Input::Path(folder) if folder.is_dir() => Input::Path(folder.join(name)),
        archive => Input::Part(Box::new(archive.clone()), name),
    };
    let members = match whole.members() {
        Ok(members) => members?,
        Err(e) => return Some(Err(e)),
    };
    let files: Vec<Input> = members.into_iter().filter(|m| m.opens).take(MOST).map(|m| of(m.name)).collect();
    Some(if files.is_empty() {
        Err(ImportError {
            kind: ErrorKind::Unrecognised,
            ..ImportError::malformed("holds no profile that is read")
        })
    } else {
        Ok(files)
    })
}

/// Opens all files as one profile.
pub(super) fn open(files: &[Input], job: &Job) -> Result<Profile, ImportError> {
    let mut opened: Vec<(String, Profile)> = Vec::new();
    let (mut refused, mut first_error) = (Vec::new(), None);
    for file in files {
        let name = file
            .part()
            .map_or_else(|| file.file_name(), |part| part.rsplit('/').next().unwrap_or(part).to_owned());
        match open_whole(file, job) {
            Ok(profile) => opened.push((name, profile)),
            Err(e) if e.kind == ErrorKind::Cancelled => return Err(e),
            Err(e) => {
                refused.push(format!("{name}: {e}"));
                first_error.get_or_insert(e);
            }
        }
    }
    if opened.is_empty() {
        return Err(first_error.unwrap_or_else(|| ImportError::malformed("holds no profile that is read")));
    }
    let mut b = ProfileBuilder::new("together");
    let origin = opened.iter().filter_map(|(_, p)| p.meta.origin_unix_ns).min();
    let first = &opened[0].1.meta;
    (b.meta.basis, b.meta.origin_unix_ns) = (first.basis.clone(), origin);
    let mut tools: Vec<&str> =
        opened.iter().map(|(_, p)| p.meta.tool.as_str()).filter(|t| !t.is_empty()).collect();
    tools.dedup();
    b.meta.tool = tools.join(", ");
    b.meta.result("Files", opened.len());
    for (name, profile) in &opened {
        add(name, profile, origin, &mut b);
    }
    refused.iter().for_each(|why| b.warn("file that could not be opened (left out)", why));
    Ok(b.finish())
}

fn add(name: &str, profile: &Profile, origin: Option<i64>, b: &mut ProfileBuilder) {
    let shift = match (profile.meta.origin_unix_ns, origin) {
        (Some(own), Some(first)) => own.saturating_sub(first),
        (None, Some(_)) if profile.is_timed() => {
            b.warn("file that does not say when it began (it begins with the first)", name);
            0
        }
        _ => 0,
    };
    let (tracks, counters) = (b.track_count(), b.counter_count());
    b.merge(profile, shift);
    let process = |own: &str| if own.is_empty() { name.to_owned() } else { format!("{name}: {own}") };
    for (n, track) in profile.tracks.iter().enumerate() {
        let process = process(profile.text(track.process));
        let spec = TrackSpec {
            name: profile.text(track.name),
            process: &process,
            kind: track.kind,
            sort: track.sort,
        };
        b.set_track(TrackId::from_index(tracks + n), spec);
    }
    for (n, counter) in profile.counters.iter().enumerate() {
        let process = process(profile.text(counter.process));
        b.set_counter(
            CounterId::from_index(counters + n),
            profile.text(counter.name),
            &process,
            counter.unit,
        );
    }
    for table in &profile.meta.tables {
        b.meta
            .tables
            .push(crate::model::ResultTable { title: format!("{name}: {}", table.title), ..table.clone() });
    }
    let requests = profile.requests.rows.len() as u64;
    b.warn_many(
        "request of a file that was laid together with others (open the file alone to see it)",
        name,
        requests,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &str)]) -> Input {
        // A tar archive by hand: headers, contents, zeros up to a block.
        let mut all = Vec::new();
        for (name, content) in files {
            let mut header = vec![0; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[156] = b'0';
            header[257..263].copy_from_slice(b"ustar\0");
            all.extend(header);
            all.extend(content.as_bytes());
            all.resize(all.len().next_multiple_of(512), 0);
        }
        all.resize(all.len() + 1024, 0);
        Input::Part(Box::new(Input::Bytes("job.tar".into(), all.into())), ALL.into())
    }

    #[test]
    fn ranks_lie_on_one_clock_under_the_names_of_their_files() {
        let rank = |base: u64, name: &str| {
            format!(
                r#"{{"schemaVersion": 1, "baseTimeNanoseconds": {base}, "traceEvents": [{{"ph": "X", "cat": "cpu_op", "name": "{name}", "pid": 7, "tid": 7, "ts": 1000, "dur": 10}}], "traceName": "x"}}"#
            )
        };
        let start = 1_770_000_000_000_000_000;
        let files = [
            ("rank0.json", rank(start, "aten::mm")),
            ("rank1.json", rank(start + 5000, "aten::add")),
            ("notes.txt", "hello".into()),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        let p = open_whole(&archive(&files), &Job::new()).unwrap();
        let mut spans: Vec<_> =
            p.tracks
                .iter()
                .flat_map(|t| {
                    t.spans.rows.iter().map(|s| {
                        (p.text(t.process).to_owned(), s.start, p.function_name(s.function).to_owned())
                    })
                })
                .collect();
        spans.sort_by_key(|s| s.1);
        assert_eq!((spans[0].0.as_str(), spans[1].0.as_str()), ("rank0.json", "rank1.json"));
        assert_eq!(
            (spans[0].2.as_str(), spans[1].2.as_str(), spans[1].1 - spans[0].1),
            ("aten::mm", "aten::add", 5000)
        );
    }

    #[test]
    fn what_has_no_date_begins_with_the_first_and_says_so() {
        let log = "timestamp, index, power.draw [W]\n2026/02/03 10:00:00.000, 0, 18.81 W\n2026/02/03 10:00:01.000, 0, 20 W\n";
        let stacks = "a;b 5\na;c 3\n";
        let p = open_whole(&archive(&[("power.csv", log), ("stacks.txt", stacks)]), &Job::new()).unwrap();
        assert_eq!((p.counters.len(), p.sample_count()), (1, 2));
        assert_eq!(p.text(p.counters[0].process), "power.csv: GPU 0");
        assert!(
            p.warnings.iter().all(|w| !w.kind.contains("does not say when")),
            "stacks have no time at all"
        );
    }
}
