//! What the bundled workloads record.

use tracing::{Instrument, Span};

use crate::model::{Outcome, Profile, Severity, SpanStatus, TrackKind};
use crate::record::testing::*;
use crate::record::*;

const STAGES: [(&str, f64); 7] = [
    ("fetch_user_data", 2.0),
    ("preprocess_input", 1.0),
    ("make_parallel_api_calls", 2.0),
    ("process_request_with_llm", 3.0),
    ("postprocess_output", 2.0),
    ("unnecesary_io_operation", 1.0),
    ("store_results", 2.0),
];

#[test]
fn the_pipeline_has_its_seven_stages_with_their_times() {
    let (scale, p) = (0.03, &workload("asyncio", &["scale=0.03"]));
    let handle = one(p, "handle_user_request");
    assert_eq!((handle.parent.as_str(), handle.arg("user_id")), ("main", "user123"));
    let mut sum = 0;
    for (name, seconds) in STAGES {
        let span = one(p, name);
        // A timer fires late by a millisecond or two, and by more on a busy machine; never early.
        let over = span.waiting() as f64 - seconds * scale * 1e9;
        assert!(over > -1e5, "{name} waited {over} ns more than it sleeps");
        let nested = name == "unnecesary_io_operation";
        assert_eq!(span.parent, if nested { "postprocess_output" } else { "handle_user_request" });
        sum += if nested { 0 } else { span.duration() };
    }
    let gap = handle.duration() - sum;
    assert!(gap >= 0, "stages lie apart: {gap} ns missing");
    let calls = all(p, "api_call");
    assert_eq!(calls.len(), 2);
    assert_ne!(calls[0].lane, calls[1].lane);
    assert!(calls[0].start < calls[1].end && calls[1].start < calls[0].end);
    let said: Vec<_> = p.instants.iter().map(|i| p.text(i.name)).collect();
    let expected = [
        "Fetched data for user user123",
        "Preprocessed input data",
        "Made parallel API calls",
        "Processed request with LLM",
        "Postprocessed output data",
        "Unnecessary I/O operation",
        "Stored results",
    ];
    assert_eq!(said, expected);
    assert_eq!(one(p, "fetch_user_data").arg("returned"), "{'user_id': 'user123', 'data': 'Sample data'}");
    assert_eq!(p.warnings, []);
}

#[test]
fn users_of_the_pipeline_run_side_by_side() {
    let p = workload("asyncio", &["scale=0.01", "users=3"]);
    let users = all(&p, "handle_user_request");
    let mut ids: Vec<_> = users.iter().map(|u| u.arg("user_id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["user123", "user124", "user125"]);
    let latest_start = users.iter().map(|u| u.start).max().unwrap();
    assert!(users.iter().all(|u| u.end > latest_start), "they overlap");
    let tasks: Vec<_> =
        p.tracks.iter().filter(|t| t.kind == TrackKind::Task).map(|t| p.text(t.name)).collect();
    assert_eq!(tasks.len(), 4, "main and three users: {tasks:?}");
    assert_eq!(links(&p).iter().filter(|l| l.0 == "spawn" && l.1 == "main").count(), 3);
}

#[test]
fn a_fault_fails_its_stage_and_all_above_it() {
    let p = workload("asyncio", &["scale=0.01", "fault=true"]);
    for name in ["postprocess_output", "handle_user_request", "main"] {
        let span = one(&p, name);
        assert_eq!(span.status, SpanStatus::Error, "{name}");
        assert_eq!(span.arg("error"), "NameError: name 'processed' is not defined");
    }
    assert_eq!(one(&p, "unnecesary_io_operation").status, SpanStatus::Ok);
    assert!(all(&p, "store_results").is_empty());
    assert!(fact(&p, "Ended").starts_with("failed: NameError"));
    assert!(p.instants.iter().any(|i| i.severity == Severity::Error));
}

#[test]
fn generation_is_recorded_down_to_the_operations_of_each_layer() {
    let params = ["questions=2", "concurrency=3", "max_new_tokens=12", "temperature=0"];
    let p = workload("generate", &params);
    let rows = &p.requests.rows;
    assert_eq!(rows.len(), 5);
    for row in rows {
        assert_eq!(row.outcome, Outcome::Ok);
        let n = row.tokens.output.unwrap();
        assert!(n > 3 && n <= 12 && row.token_times.len() as u64 == n);
        assert!(row.token_times.is_sorted());
        let stamps = [row.arrived, row.scheduled.unwrap(), row.first_token.unwrap(), row.finished.unwrap()];
        assert!(stamps.is_sorted(), "{stamps:?}");
        let held = row.kv_cache_bytes.unwrap();
        // 4 layers × 2 heads × 64 numbers × keys and values × 4 bytes for each token; the last token
        // of a cut answer is never fed back.
        assert!(held % 4096 == 0 && held >= (row.tokens.prompt().unwrap() + n - 1) * 4096);
        assert!(p.track(row.track.unwrap()).kind == TrackKind::Thread);
        assert!(!p.text(row.completion).is_empty() && !p.text(row.prompt).is_empty());
    }
    // One after another: nobody waits. At once with two workers: the third does.
    assert!(rows[1].arrived >= rows[0].finished.unwrap());
    assert!(rows[4].scheduled.unwrap() >= rows[2].finished.unwrap().min(rows[3].finished.unwrap()));
    let tokens = all(&p, "token");
    let steps: u64 = rows.iter().map(|r| r.tokens.output.unwrap()).sum();
    assert!(tokens.len() as u64 >= steps - 5 && tokens.len() as u64 <= steps);
    assert!(tokens.iter().all(|t| t.parent == "decode"));
    assert!(tokens.iter().all(|t| (0.0..=1.0).contains(&t.arg("probability").parse().unwrap())));
    let forwards = tokens.len() + 5;
    assert_eq!(all(&p, "forward").len(), forwards);
    for (op, per_forward, parent) in
        [("layer", 4, "forward"), ("q_proj", 4, "attn"), ("down_proj", 4, "mlp"), ("rms_norm", 9, "")]
    {
        let seen = all(&p, op);
        assert_eq!(seen.len(), forwards * per_forward, "{op}");
        assert!(parent.is_empty() || seen.iter().all(|s| s.parent == parent), "{op}");
    }
    assert!(all(&p, "layer").iter().all(|s| s.arg("layer").parse::<u8>().unwrap() < 4));
    let phases: Vec<_> = ["load", "one after another", "all at once"].map(|n| one(&p, n).kind).into();
    assert_eq!(phases, [TrackKind::Phase; 3]);
    assert_eq!(p.tracks[0].kind, TrackKind::Phase);
    assert!(fact(&p, "Weights").starts_with("Q8_0, 2.8 MB"), "{}", fact(&p, "Weights"));
    let kv = p.counters.iter().find(|c| p.text(c.name) == "KV cache").unwrap();
    assert_eq!(kv.values.last(), Some(&0.0), "all caches are given back");
}

#[test]
fn a_request_lies_on_the_track_of_the_task_that_serves_it_and_keeps_what_came_before_it_failed() {
    let p = run(|_| {
        block_on(async {
            let serve = |name: &'static str, fails: bool| {
                async move {
                    let request = request(name, "m", "why?");
                    nap(2).await;
                    request.scheduled_on(&Span::current());
                    request.reported(crate::model::TokenCounts::default());
                    nap(2).await;
                    request.first_byte();
                    request.push_text("be");
                    request.token();
                    request.push_text("cause");
                    if fails { request.fail("gone: api_key=hunter2") } else { request.done() }
                }
                .instrument(sp!("client", name))
            };
            tokio::join!(tokio::spawn(serve("good", false)), tokio::spawn(serve("bad", true)))
        })
        .0
        .unwrap();
        Ok(())
    });
    for row in &p.requests.rows {
        let name = p.text(row.name);
        let span = all(&p, "client").into_iter().find(|s| s.arg("name") == name).unwrap();
        assert_eq!(row.track, Some(span.track));
        assert!(row.arrived < row.scheduled.unwrap() && row.scheduled < row.first_byte);
        assert_eq!((p.text(row.completion), row.token_times.len(), row.tokens.output), ("because", 1, None));
        let (outcome, error) =
            if name == "bad" { (Outcome::Error, "gone: api_key=[hidden]") } else { (Outcome::Ok, "") };
        assert_eq!((row.outcome, p.text(row.error)), (outcome, error));
    }
    assert_eq!(p.requests.rows.len(), 2);
}

#[test]
fn the_same_seed_gives_the_same_text() {
    let texts = |seed: &str| {
        let seed = format!("seed={seed}");
        let p = workload("generate", &["questions=3", "concurrency=3", "temperature=1.0", &seed]);
        let mut texts: Vec<_> = p
            .requests
            .rows
            .iter()
            .map(|r| (p.text(r.name).to_owned(), p.text(r.completion).to_owned()))
            .collect();
        texts.sort();
        texts
    };
    let first = texts("7");
    assert_eq!(first, texts("7"));
    assert_ne!(first, texts("8"));
}

#[test]
fn the_small_model_knows_what_it_was_made_for() {
    let p = workload("generate", &["questions=1", "concurrency=0", "temperature=0"]);
    let answer = p.text(p.requests.rows[0].completion);
    assert!(answer.contains("slow") && answer.ends_with('.'), "{answer}");
}

#[test]
fn a_bad_model_file_is_an_error_in_one_line() {
    let dir = std::env::temp_dir().join(format!("inferscope-model-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("cut.gguf");
    std::fs::write(&path, &llm::BUNDLED[..1_000_000]).unwrap();
    let model = format!("model={}", path.display());
    let p = workload("generate", &[&model]);
    let ended = fact(&p, "Ended");
    assert!(ended.contains("cut.gguf") && ended.contains("cut off"), "{ended}");
    let p = workload("generate", &["model=/no/such/file.gguf"]);
    assert!(fact(&p, "Ended").contains("cannot be opened"));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn variants_of_a_model_are_compared_in_a_table() {
    let params = ["variants=f32,q8_0,q4_0", "questions=2", "max_new_tokens=10", "prompt=What is a span?"];
    let p = workload("generate", &params);
    assert_eq!(fact(&p, "Ended"), "");
    let table = &p.meta.tables[0];
    assert_eq!((table.title.as_str(), table.rows.len()), ("Weight formats", 3));
    let column = |name: &str| {
        let i = table.columns.iter().position(|c| c == name).unwrap();
        table.rows.iter().map(|r| r[i].as_str()).collect::<Vec<_>>()
    };
    let number = |cell: &str| cell.split(' ').next().unwrap().parse::<f64>().unwrap();
    assert_eq!(column("Format"), ["f32", "q8_0", "q4_0"]);
    let perplexity: Vec<f64> = column("Perplexity").into_iter().map(number).collect();
    assert!(perplexity.iter().all(|&p| (1.0..20.0).contains(&p)), "{perplexity:?}");
    assert!(
        (perplexity[0] - perplexity[1]).abs() < 0.05 * perplexity[0],
        "eight bits change little: {perplexity:?}"
    );
    let far: Vec<f64> = column("KL divergence")[1..].iter().map(|c| number(c)).collect();
    assert!(far[0] < 0.01 && far[0] < far[1] && far[1] < 1.0, "{far:?}");
    assert_eq!((column("Same best token")[0], column("KL divergence")[0]), ("–", "–"));
    assert!(number(column("Same best token")[1]) > 95.0);
    assert!(column("Decode").iter().all(|c| c.ends_with("tok/s")), "{:?}", column("Decode"));
    assert!(fact(&p, "Variant q4_0").contains("Perplexity"), "{}", fact(&p, "Variant q4_0"));
    assert_eq!(p.requests.rows.len(), 6);
    assert!(
        p.requests.rows.iter().all(|r| p.text(r.prompt) == "What is a span?" && r.outcome == Outcome::Ok)
    );
    assert_eq!(
        all(&p, "convert").iter().map(|s| s.arg("variant")).collect::<Vec<_>>(),
        ["f32", "q8_0", "q4_0"]
    );
    let started = start("generate", &["variants=f32,int3".into()], quiet(), Box::new(|_| ()));
    let Err(why) = started else { panic!("int3 is no format") };
    assert!(why.to_string().contains("Weight formats is some of f32, f16, bf16, q8_0"), "{why}");
}

/// Sum of the phases of a name.
fn phase_sum(p: &Profile, name: &str) -> i64 {
    all(p, name).iter().filter(|s| s.kind == TrackKind::Phase).map(Seen::duration).sum()
}

const RAG_PHASES: [&str; 6] = [
    "preprocessing",
    "embedding_lookup",
    "llm_queue_wait",
    "time_to_first_token",
    "token_generation",
    "postprocessing",
];

#[test]
fn the_mock_of_the_rag_pipeline_sleeps_the_times_of_the_example() {
    let p = &workload("rag", &["mode=mock", "questions=2", "scale=0.25"]);
    for (name, ms) in RAG_PHASES.into_iter().zip([10.0, 50.0, 20.0, 150.0, 200.0, 10.0]) {
        let (got, ideal) = (phase_sum(p, name) as f64 / 1e6, ms * 0.25 * 2.0);
        // Timers fire late, never early; 21 naps may each be late.
        assert!(got >= ideal, "{name}: {got} ms for {ideal} ms");
        let spans: Vec<_> = all(p, name).into_iter().filter(|s| s.kind == TrackKind::Task).collect();
        assert_eq!(spans.len(), 2, "{name}");
        assert!(spans.iter().all(|s| s.parent == "profile_request"));
        let waited: i64 = spans.iter().map(Seen::waiting).sum();
        assert!(waited as f64 / 1e6 >= ideal - 0.1, "{name} waited {waited} ns for {ideal} ms");
    }
    let profile: serde_json::Value = serde_json::from_str(&fact(p, "Latency profile (mean, s)")).unwrap();
    assert!(profile["total"].as_f64().unwrap() >= 0.110);
    assert!(profile["unaccounted"].as_f64().unwrap() >= 0.0);
    let sum: f64 = profile
        .as_object()
        .unwrap()
        .iter()
        .filter(|(k, _)| *k != "total")
        .map(|(_, v)| v.as_f64().unwrap())
        .sum();
    assert!((sum - profile["total"].as_f64().unwrap()).abs() < 1e-4, "{profile}");
    assert!(fact(p, "Bottleneck").starts_with("token_generation 0."));
    assert!(p.requests.rows.iter().all(|r| r.token_times.len() == 20 && r.ttft().unwrap() >= 42_000_000));
}

#[test]
fn the_rag_pipeline_has_real_parts_and_the_same_text_each_time() {
    let run = || workload("rag", &["questions=2", "others=1", "max_new_tokens=10", "temperature=1"]);
    let p = run();
    for name in RAG_PHASES.into_iter().chain(["store"]) {
        let phases = all(&p, name).iter().filter(|s| s.kind == TrackKind::Phase).count();
        assert_eq!(phases, 2, "{name}");
        assert!(all(&p, name).iter().any(|s| s.parent == "profile_request"), "{name}");
    }
    assert!(
        all(&p, "sql")
            .iter()
            .any(|s| s.parent == "embedding_lookup" && s.arg("statement").contains("SELECT"))
    );
    assert!(all(&p, "sql").iter().any(|s| s.parent == "store" && s.arg("statement").contains("INSERT")));
    assert!(all(&p, "embed_text").iter().any(|s| s.parent == "embedding_lookup"));
    let own = |p: &Profile| -> Vec<(String, String)> {
        let rows = p.requests.rows.iter().filter(|r| p.text(r.name).starts_with('#'));
        rows.map(|r| (p.text(r.prompt).to_owned(), p.text(r.completion).to_owned())).collect()
    };
    assert!(p.requests.rows.iter().all(|r| r.outcome == Outcome::Ok), "{:?}", p.requests.rows);
    assert_eq!(own(&p).len(), 2);
    assert!(p.requests.rows.len() > 2, "another client keeps the model busy");
    assert_eq!(own(&p), own(&run()));
    assert_eq!(p.warnings, []);
}

#[test]
fn one_of_n_requests_is_recorded_in_every_workload() {
    let sampled = |id: &str, params: &[&str]| {
        let params: Vec<String> = params.iter().map(ToString::to_string).collect();
        let options = Options { one_root_of: 4, ..quiet() };
        start(id, &params, options, Box::new(|_| ())).unwrap().join().unwrap()
    };
    let p = sampled("asyncio", &["scale=0.001", "users=12"]);
    for name in ["handle_user_request", "fetch_user_data", "store_results"] {
        assert_eq!(all(&p, name).len(), 3, "{name}");
    }
    assert!(fact(&p, "Root spans").starts_with("3 of 12 recorded"), "{}", fact(&p, "Root spans"));
    assert_eq!(all(&p, "main").len(), 1, "what is in no request is recorded");

    let p = sampled("generate", &["questions=8", "concurrency=4", "max_new_tokens=3", "detail=tokens"]);
    assert_eq!((p.requests.rows.len(), all(&p, "question").len(), all(&p, "serve").len()), (3, 3, 3));
    assert!(p.requests.rows.iter().all(|r| r.outcome == Outcome::Ok && r.token_times.len() == 3));
    assert_eq!((all(&p, "ask_in_turn").len(), all(&p, "ask_at_once").len()), (1, 1));

    let p = sampled("rag", &["questions=8", "others=0", "max_new_tokens=3"]);
    let counts = ["profile_request", "serve"].map(|name| all(&p, name).len());
    assert_eq!((p.requests.rows.len(), counts), (2, [2, 2]));
}

/// Where texts are not kept no prompt is: neither in the profile nor in the journal, whatever the workload says.
#[test]
fn without_texts_no_prompt_is_anywhere() {
    let folder = std::env::temp_dir().join(format!("inferscope-texts-{}", std::process::id()));
    let few = ["max_new_tokens=2"];
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("generate", &["questions=2", "concurrency=2"], &["Why is my app slow", "What is a span"]),
        ("generate", &["questions=1", "concurrency=0", "prompt=Where is my zebra?"], &["zebra"]),
        ("generate", &["questions=1", "variants=q8_0"], &["Why is my app slow"]),
        ("rag", &["questions=2"], &["Why is my app slow", "What is a span"]),
        ("service", &["clients=2", "batch=3", "requests=6"], &["What is a span", "a trace", "a flame graph"]),
        ("service", &["clients=2", "batch=3", "requests=3", "mode=faithful"], &["What is a span", "a trace"]),
    ];
    for (id, params, prompts) in cases {
        let params: Vec<String> = params.iter().chain(&few).map(ToString::to_string).collect();
        let options = Options { texts: false, journal: Some(folder.clone()), ..quiet() };
        let recording = start(id, &params, options, Box::new(|_| ())).unwrap();
        while recording.journal().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let journal = recording.journal().unwrap();
        let p = recording.join().unwrap();
        assert_eq!(p.meta.failed, None, "{id} {params:?}");
        let written = String::from_utf8_lossy(&std::fs::read(journal.path()).unwrap()).into_owned();
        for prompt in prompts {
            let all: String = p.strings.iter().collect::<Vec<_>>().join("\n");
            assert!(!all.contains(prompt), "{id} {params:?}: «{prompt}» in the texts");
            let meta = serde_json::to_string(&p.meta).unwrap();
            assert!(!meta.contains(prompt), "{id} {params:?}: «{prompt}» in {meta}");
            assert!(!written.contains(prompt), "{id} {params:?}: «{prompt}» in the journal");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
