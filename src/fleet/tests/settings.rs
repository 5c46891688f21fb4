//! Runs of an evaluation by their settings.

use super::{Folder, options, read};
use crate::fleet::add::Options;
use crate::fleet::ask::Chosen;
use crate::fleet::ask::settings::settings;
use crate::fleet::dataset::Dataset;

/// An evaluation of two models at three temperatures: one answer a run, which takes 100 ms more for each step, and fails at 1.0.
pub(crate) fn evals(folder: &Folder) -> Dataset {
    let (files, tables) = (folder.0.join("evals"), folder.0.join("tables"));
    std::fs::create_dir_all(&files).unwrap();
    for (m, model) in ["large", "small"].into_iter().enumerate() {
        for (t, temperature) in ["0.2", "0.7", "1.0"].into_iter().enumerate() {
            let latency = 200 + 300 * m + 100 * t;
            let level = if t == 2 { "ERROR" } else { "DEFAULT" };
            let score = 0.9 - 0.2 * m as f64 - 0.1 * t as f64;
            let text = format!(
                r#"{{"id": "t1", "name": "answer", "projectId": "p", "timestamp": "2025-01-01T00:00:00Z",
                "scores": [{{"name": "faithful", "value": {score}, "observationId": "a"}}],
                "observations": [{{"id": "a", "traceId": "t1", "type": "GENERATION", "name": "a", "model": "{model}",
                "level": "{level}", "startTime": "2025-01-01T00:00:00Z", "endTime": "2025-01-01T00:00:00.{latency:03}Z",
                "usageDetails": {{"input": 10, "output": 5}}, "completionStartTime": null}}]}}"#
            );
            std::fs::write(files.join(format!("{model}-{temperature}.json")), text).unwrap();
            let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let labels = vec![label("model", model), label("temperature", temperature), label("suite", "qa")];
            // What was read before has its labels already.
            read(&files, &tables, &Options { labels, ..options() });
        }
    }
    Dataset::new(&tables)
}

#[test]
fn each_setting_says_what_came_of_it() {
    let folder = Folder::new("settings");
    let dataset = evals(&folder);
    let found = dataset.read(|s| settings(s, &Chosen::default(), &[])).unwrap();
    assert_eq!(
        (found.labels.join(" "), found.score.as_str()),
        ("model temperature".to_owned(), "score faithful")
    );
    let rows: Vec<String> = found
        .rows
        .iter()
        .map(|row| {
            let g = &row.requests;
            let latency = g.latency.map_or(0, |t| t[0] / 1_000_000);
            let quality = row.quality.map_or(0.0, |q| q.0);
            format!("{} {}/{} {latency} ms {quality:.1}", row.values.join(" "), g.failed, g.requests)
        })
        .collect();
    assert_eq!(
        rows,
        [
            "large 0.2 0/1 200 ms 0.9",
            "large 0.7 0/1 300 ms 0.8",
            "large 1.0 1/1 0 ms 0.7",
            "small 0.2 0/1 500 ms 0.7",
            "small 0.7 0/1 600 ms 0.6",
            "small 1.0 1/1 0 ms 0.5",
        ]
    );
    let by_model = dataset.read(|s| settings(s, &Chosen::default(), &["model".to_owned()])).unwrap();
    let large = &by_model.rows[0];
    assert_eq!((large.runs.len(), large.requests.requests, large.requests.failed), (3, 3, 1));
    let ms = large.duration.map(|d| [d.least, d.middle, d.most].map(|ns| ns / 1_000_000));
    assert_eq!(ms, Some([200, 300, 400]));
    let (mean, n) = large.quality.unwrap();
    assert!((mean - 0.8).abs() < 1e-9 && n == 3);
    let other = dataset.read(|s| settings(s, &Chosen::default(), &["team".to_owned()])).unwrap();
    assert_eq!((other.rows.len(), other.rows[0].values[0].as_str()), (1, "–"));
}
