use crate::import::testing::{damage, open_bytes};
use crate::model::{Outcome, Unit};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/sample_profiles/bench/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn a_detailed_serving_benchmark_has_its_requests() {
    let bytes = sample("vllm-serve-detailed.json");
    let p = open_bytes(&bytes).unwrap();
    assert_eq!((p.meta.format.as_str(), p.meta.tool.as_str()), ("bench-serve", "vllm bench serve"));
    assert_eq!(p.meta.fact("Output tokens per second"), Some(&"3.50".into()));
    assert_eq!(p.meta.fact("Request rate"), Some(&"no limit".into()));
    assert_eq!(p.meta.fact("Input tokens"), Some(&(30, Unit::Tokens).into()));
    let rows = &p.requests.rows;
    assert_eq!(rows.len(), 3);
    assert_eq!((rows[0].ttft(), rows[0].latency()), (Some(100_000_000), Some(250_000_000)));
    assert_eq!(rows[1].arrived, 500_000_000);
    assert_eq!((rows[0].tokens.input, rows[0].tokens.output), (Some(10), Some(4)));
    assert_eq!((rows[2].outcome, p.text(rows[2].error)), (Outcome::Error, "TimeoutError"));
    let table = &p.meta.tables[0];
    assert_eq!(table.columns, ["Latency", "mean, ms", "median, ms", "p99, ms", "std, ms"]);
    assert_eq!(table.rows[0], ["Time to first token", "120.00", "120.00", "140.00", "20.00"]);
    damage(&bytes, drop);
}

#[test]
fn a_line_for_each_run_is_a_table_of_runs() {
    let run = |rate: &str, ttft: f64| {
        format!(
            r#"{{"tag": null, "backend": "sglang-oai", "request_rate": {rate}, "max_concurrency": 4, "request_throughput": 1.5, "output_throughput": 90.25, "median_ttft_ms": {ttft}, "total_output_tokens": 7}}"#
        )
    };
    let text = format!("{}\n{}\n", run("Infinity", 10.0), run("2.5", 20.0));
    let p = open_bytes(text.as_bytes()).unwrap();
    let table = p.meta.tables.last().unwrap();
    assert_eq!(table.rows[0], ["1", "no limit", "4", "1.50", "90.2", "10.00", "–", "–"]);
    assert_eq!(table.rows[1][..2], ["2".to_owned(), "2.5".to_owned()]);
    assert!(p.requests.rows.is_empty());
}

/// Numbers of `profile_export_aiperf.csv` of the same run.
#[test]
fn records_of_aiperf_are_requests_with_its_own_numbers() {
    let bytes = sample("aiperf.profile_export.jsonl");
    let p = open_bytes(&bytes).unwrap();
    assert_eq!((p.meta.format.as_str(), p.requests.rows.len()), ("aiperf", 40));
    let mut ttft: Vec<i64> = p.requests.rows.iter().filter_map(|r| r.ttft()).collect();
    ttft.sort_unstable();
    let mean = ttft.iter().sum::<i64>() as f64 / 40.0 / 1e6;
    assert!((mean - 51.1753).abs() < 1e-4, "{mean}");
    assert!((ttft[0] - 22_256_400).abs() <= 100 && (ttft[39] - 85_875_800).abs() <= 100, "{ttft:?}");
    let sum =
        |of: fn(&crate::model::Request) -> Option<u64>| p.requests.rows.iter().filter_map(of).sum::<u64>();
    assert_eq!(sum(|r| r.tokens.output), 24 * 40);
    assert_eq!(sum(|r| r.tokens.prompt()), 2885);
    assert_eq!(sum(|r| r.tokens.cache_read), 1431);
    damage(&bytes[..20_000], drop);
}

#[test]
fn the_summary_of_aiperf_is_a_table() {
    let p = open_bytes(b"Metric,avg,min,max,p99\nRequest Latency (ms),102.92,77.24,139.71,\n\nMetric,Value\nRequest Count,40\n").unwrap();
    assert_eq!(p.meta.tables[0].rows, [["Request Latency (ms)", "102.92", "77.24", "139.71", "–"]]);
    assert_eq!(p.meta.tables[1].rows, [["Request Count", "40"]]);
}

#[test]
fn llama_bench_is_read_however_it_was_written() {
    let bytes = sample("llama-bench.json");
    let p = open_bytes(&bytes).unwrap();
    assert_eq!(
        (p.meta.format.as_str(), p.meta.title.as_str()),
        ("llama-bench", "models/qwen2-0.5b-q4_0.gguf")
    );
    let table = &p.meta.tables[0];
    assert_eq!(
        table.columns,
        ["Test", "n_threads", "Tokens/s", "Spread (standard deviation)", "Time, ms", "Repetitions"]
    );
    assert_eq!(table.rows[0], ["pp512", "4", "412.33", "3.10", "1241.72", "2"]);
    assert_eq!(table.rows[1][0], "tg128 @ d64");
    assert_eq!(p.meta.fact("flash_attn"), Some(&"no".into()));
    damage(&bytes, drop);
    let csv = "build_commit,build_number,model_filename,model_type,n_prompt,n_gen,avg_ns,avg_ts,stddev_ts\n\"a1\",\"7\",\"m.gguf\",\"m\",\"8\",\"0\",\"5000000\",\"1600.5\",\"2\"\n";
    assert_eq!(
        open_bytes(csv.as_bytes()).unwrap().meta.tables[0].rows[0][..2],
        ["pp8".to_owned(), "1600.50".to_owned()]
    );
    let printed = "| model | size | test | t/s |\n| --- | ---: | --: | --: |\n| qwen2 | 1 GiB | pp512 | 412.33 ± 3.10 |\n\nbuild: a1b2 (7)\n";
    let p = open_bytes(printed.as_bytes()).unwrap();
    assert_eq!(
        (p.meta.tables[0].rows[0][3].as_str(), p.meta.tool.as_str()),
        ("412.33 ± 3.10", "llama-bench, build a1b2 (7)")
    );
    damage(printed.as_bytes(), drop);
}

#[test]
fn requests_without_a_start_have_no_place_in_time() {
    let text = r#"{"backend":"vllm","model_id":"m","duration":10.0,"completed":2,"request_throughput":0.2,"output_throughput":4.0,"total_output_tokens":40,
        "total_output_tokens_retokenized":39,"input_lens":[9,9],"output_lens":[20,20],"ttfts":[0.1,0.1],"itls":[[0.1,0.2],[]],"errors":["",""],"mean_ttft_ms":100}"#;
    let p = open_bytes(text.as_bytes()).unwrap();
    let rows = &p.requests.rows;
    assert!(rows.iter().all(|r| r.undated));
    assert_eq!(rows[0].latency(), Some(400_000_000));
    assert_eq!((rows[1].latency(), rows[1].tpot()), (None, None), "only the first token has a time");
    assert_eq!(p.meta.fact("Output tokens, counted by the client"), Some(&(39, Unit::Tokens).into()));
}

#[test]
fn a_mean_between_tokens_is_their_time_and_a_warm_up_is_left_out() {
    let record = |phase: &str, start: u64| {
        format!(
            r#"{{"metadata":{{"request_start_ns":{start},"request_end_ns":{},"benchmark_phase":"{phase}"}},"metrics":{{"time_to_first_token":{{"value":500.0,"unit":"ms"}},"inter_token_latency":{{"value":15.0,"unit":"ms"}},"request_latency":{{"value":2000.0,"unit":"ms"}},"output_sequence_length":{{"value":101,"unit":"tokens"}}}},"error":null}}"#,
            start + 2_000_000_000
        )
    };
    let text = [record("warmup", 1_000_000_000), record("profiling", 9_000_000_000)].join("\n");
    let p = open_bytes(text.as_bytes()).unwrap();
    let [r] = &p.requests.rows[..] else { panic!("{:?}", p.requests.rows.len()) };
    assert_eq!((r.tpot(), r.token_times.len(), r.ttft()), (Some(15e6), 0, Some(500_000_000)));
    assert!(p.warnings.iter().any(|w| w.kind.contains("warm-up") && w.count == 1));
}

#[test]
fn nothing_comes_after_the_end_and_both_counts_are_told() {
    let text = r#"{"metadata":{"request_start_ns":1000000000,"request_end_ns":3000000000},"metrics":{"time_to_first_token":{"value":500.0,"unit":"ms"},"inter_token_latency":{"value":10.0,"unit":"ms"},"request_latency":{"value":2000.0,"unit":"ms"},"output_sequence_length":{"value":151,"unit":"tokens"},"usage_completion_tokens":{"value":160,"unit":"tokens"}},"error":null}"#;
    let p = open_bytes(text.as_bytes()).unwrap();
    let r = &p.requests.rows[0];
    assert_eq!(
        (r.last_token, r.finished, r.tokens.output),
        (Some(2_000_000_000), Some(2_000_000_000), Some(160))
    );
    let name = p.strings.find("output tokens by the client").unwrap();
    assert_eq!(r.attribute(name).map(|value| p.text(value)), Some("151"));
}
