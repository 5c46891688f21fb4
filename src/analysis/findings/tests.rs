use super::*;
use crate::analysis::prices::read_table;
use crate::analysis::testing::{ask, profile};
use crate::model::{
    Accounting, ArgsRef, FunctionSpec, Outcome, ProfileBuilder, Request, Retry, TokenCounts, TrackId,
    TrackKind, TrackSpec,
};
use crate::query::Run;
use regex::Regex;

fn kinds(found: &[Noted]) -> Vec<&str> {
    found.iter().map(|n| n.kind.as_ref()).collect()
}

fn of(requests: Vec<(&str, &str, Request)>) -> Vec<Noted> {
    within(requests, |_| None)
}

/// The same with the track that they are on.
fn within(
    requests: Vec<(&str, &str, Request)>,
    track: impl Fn(&mut ProfileBuilder) -> Option<TrackId>,
) -> Vec<Noted> {
    let mut b = ProfileBuilder::new("test");
    let track = track(&mut b);
    for (prompt, completion, request) in requests {
        let (prompt, completion, model) = (b.string(prompt), b.string(completion), b.string("m"));
        b.request(Request { prompt, completion, model, track, ..request });
    }
    let run = Run::of(b.finish().into());
    let table = r#"{"models": [{"name": "m", "prices": [{"input": "1", "cache_read": "0.1", "cache_write": "1.25", "output": "2"}]}]}"#;
    (*ask(&run, &Findings { prices: Prices::with(read_table(table).unwrap()) })).clone()
}

fn request(arrived: i64, queue: i64, latency: i64) -> Request {
    Request {
        arrived,
        scheduled: Some(arrived + queue),
        first_token: Some(arrived + queue + 10),
        finished: Some(arrived + latency),
        tokens: TokenCounts { input: Some(2000), output: Some(10), ..TokenCounts::default() },
        ..Request::default()
    }
}

#[test]
fn nothing_is_found_in_what_is_well() {
    let quiet = (0..10).map(|i| ("", "", request(i * 50, 1, 100))).collect();
    assert_eq!(kinds(&of(quiet)), Vec::<&str>::new());
    assert_eq!(kinds(&of(Vec::new())), Vec::<&str>::new());
}

#[test]
fn waiting_retries_failures_and_repeats_are_found_with_what_they_cost() {
    let mut rows: Vec<_> = (0..10).map(|i| ("Same question", "", request(i * 50, 90, 120))).collect();
    let reason = crate::model::StringId::default();
    rows[3].2.retries = vec![Retry { began: 150, failed: 160, again: 190, reason }];
    rows[4].2.outcome = Outcome::Error;
    let found = of(rows);
    let by =
        |kind: &str| found.iter().find(|n| n.kind == kind).unwrap_or_else(|| panic!("{:?}", kinds(&found)));
    assert!(
        by("Requests wait in the queue").text.starts_with("9"),
        "{}",
        by("Requests wait in the queue").text
    );
    // The last one would have ended no sooner without it.
    assert_eq!(by("Attempts failed and were repeated").gain.time, None);
    assert_eq!(by("Attempts failed and were repeated").request, Some(RequestId(3)));
    // 2,000 tokens at 1 and 10 at 2 per million.
    assert_eq!(by("Requests failed").gain.money.map(|m| m.to_string()).as_deref(), Some("0.00202"));
    let again = by("The same is asked again");
    // The first one and the one that failed ran for 240 of 570.
    assert_eq!((again.gain.time, again.severity), (Some(330), Severity::Info));
    // They come by themselves: without a queue the last one ends at 480.
    assert_eq!(by("Requests wait in the queue").gain.time, Some(90));
    assert!(found.windows(2).all(|w| w[0].severity >= w[1].severity), "the worst first");
}

#[test]
fn a_cache_that_is_not_used_or_does_not_pay_is_found() {
    let beginning = "You are a kind and careful assistant. ".repeat(50);
    let prompts: Vec<String> = (0..6).map(|i| format!("{beginning}{i}")).collect();
    let with = |read: Option<u64>, written: Option<u64>| {
        let row = |(i, prompt): (usize, &String)| {
            let mut r = request(i as i64 * 50, 1, 100);
            r.tokens.cache_read = read;
            r.tokens.cache_write_5m = written;
            r.accounting = Accounting { write_time_stated: true, ..Accounting::default() };
            (prompt.as_str().to_owned(), r)
        };
        let rows: Vec<_> = prompts.iter().enumerate().map(row).collect();
        of(rows.iter().map(|(p, r)| (p.as_str(), "", r.clone())).collect())
    };
    assert!(kinds(&with(Some(0), None)).contains(&"A common beginning is not cached"));
    assert!(!kinds(&with(Some(1900), None)).contains(&"A common beginning is not cached"));
    assert!(!kinds(&with(None, None)).contains(&"A common beginning is not cached"), "nobody says");
    let written = with(Some(0), Some(500));
    let costs = written.iter().find(|n| n.kind == "The prompt cache costs more than it saves").unwrap();
    // 6 × 500 tokens at 0.25 above the price of input.
    assert_eq!(costs.gain.money.map(|m| m.to_string()).as_deref(), Some("0.00075"));
}

#[test]
fn requests_in_a_row_could_overlap_only_where_no_answer_is_needed() {
    let row = |i: i64| request(i * 100, 1, 100);
    let prompts = ["What is a?", "What is b?", "What is c?", "What is d?", "What is e?"];
    // The spans that the requests are in.
    let spans = |spans: &'static [(i64, i64)]| {
        move |b: &mut ProfileBuilder| {
            let spec = TrackSpec { name: "work", process: "", kind: TrackKind::Async, sort: 0 };
            let (track, function) = (b.track(spec), b.function(FunctionSpec::named("answer")));
            for (start, end) in spans {
                b.span(track, *start, *end, function, ArgsRef::NONE);
            }
            Some(track)
        }
    };
    let asked = |prompts: [&'static str; 5]| -> Vec<_> {
        prompts.iter().enumerate().map(|(i, p)| (*p, "An answer of its own", row(i as i64))).collect()
    };
    let apart = |prompts: [&'static str; 5]| within(asked(prompts), spans(&[(0, 500)]));
    let found = apart(prompts);
    let noted = found.iter().find(|n| n.kind == "Requests could run at the same time").expect("found");
    assert_eq!(noted.gain.time, Some(400));
    let chained = apart(["What is a?", "An answer of its own: and b?", "c?", "d?", "e?"]);
    assert!(!kinds(&chained).contains(&"Requests could run at the same time"));
    // Traffic: nothing says that one piece of work made them.
    let traffic = within(asked(prompts), spans(&[(0, 100), (100, 200), (200, 300), (300, 400), (400, 500)]));
    assert!(!kinds(&traffic).contains(&"Requests could run at the same time"));
    assert!(!kinds(&of(asked(prompts))).contains(&"Requests could run at the same time"));
}

#[test]
fn a_profile_that_only_sees_the_poll_says_so_and_one_function_stands_out() {
    let blind = Run::of(profile("fn main 1 5 100; fn epoll_wait 10 95 95; main -> epoll_wait 10 95 95"));
    assert_eq!(
        kinds(&ask(&blind, &Findings::default())),
        ["What coroutines wait for is not in this profile"]
    );
    let text = "fn main 1 5 100; fn a 1 5 90; fn hot 9 80 80; fn b 1 5 5; fn c 1 5 5; \
        main -> a 1 5 90; a -> hot 9 80 80; main -> b 1 5 5; b -> c 1 5 5";
    let found = ask(&Run::of(profile(text)), &Findings::default());
    assert_eq!(kinds(&found), ["One function stands out"]);
    assert!(found[0].text.contains("hot itself, nearly all of it called from a"), "{}", found[0].text);
}

/// A request with what its program says of it.
fn labelled(b: &mut ProfileBuilder, prompt: &str, labels: &[(&str, &str)], request: Request) {
    let prompt = b.string(prompt);
    let attributes = labels.iter().map(|(name, value)| (b.string(name), b.string(value))).collect();
    b.request(Request { prompt, attributes, ..request });
}

#[test]
fn keys_that_change_and_keys_of_several_questions_are_found() {
    let of = |rows: &[(&str, &str)]| {
        let run = crate::analysis::testing::built(|b| {
            for (i, (prompt, key)) in (0i64..).zip(rows) {
                let request = Request { arrived: i, finished: Some(i + 100), ..Request::default() };
                labelled(b, prompt, &[("cache.key", key)], request);
            }
        });
        (*ask(&run, &Findings::default())).clone()
    };
    let salted = of(&[("What is a span?", "1"), ("What is a span?", "2")]);
    let noted = salted.iter().find(|n| n.kind == "Equal requests have different keys").expect("found");
    assert!(noted.text.contains("«What is a span?» has 2 keys"), "{}", noted.text);
    assert_eq!((noted.lever, noted.request), (Some(Lever::Caching), Some(RequestId(1))));
    assert_eq!(noted.gain.time, Some(100), "what the second one took");
    let shared = of(&[("What is a span?", "1"), ("What is a track?", "1")]);
    let noted = shared.iter().find(|n| n.kind == "Different requests have the same key").expect("found");
    assert_eq!(noted.severity, Severity::Error);
    assert!(of(&[("What is a span?", "1"), ("What is a span?", "1")]).is_empty());
}

#[test]
fn empty_batches_whole_answers_and_large_chunks_are_found() {
    let batched = |each: u64| {
        let run = crate::analysis::testing::built(|b| {
            b.meta.setting("Batch size", "8");
            for i in 0..24u64 {
                let batch = Some(i / each);
                b.request(Request {
                    batch,
                    arrived: i as i64,
                    finished: Some(i as i64 + 100),
                    ..Request::default()
                });
            }
        });
        (*ask(&run, &Findings::default())).clone()
    };
    let empty = batched(2);
    let noted = empty.iter().find(|n| n.kind == "Batches are mostly empty").expect("found");
    assert!(noted.text.starts_with("12 batches hold 2 of at most 8 requests"), "{}", noted.text);
    assert!(!kinds(&batched(4)).contains(&"Batches are mostly empty"), "half of each is used");
    const S: i64 = 1_000_000_000;
    let whole = |first_byte: Option<i64>| {
        let row = |i: i64| Request {
            arrived: i * 10 * S,
            first_byte: first_byte.map(|t| i * 10 * S + t),
            finished: Some(i * 10 * S + 4 * S),
            ..Request::default()
        };
        of((0..6).map(|i| ("", "", row(i))).collect())
    };
    let found = whole(Some(4 * S));
    let noted = found.iter().find(|n| n.kind == "Long answers come in one piece").expect("found");
    assert!(noted.text.contains("nothing for 4.00 s"), "{}", noted.text);
    assert!(!kinds(&whole(None)).contains(&"Long answers come in one piece"), "nobody watched");
    let chunks = |tokens: u64| {
        let row = |i: i64| Request {
            arrived: i * 100,
            first_token: Some(i * 100 + 1),
            finished: Some(i * 100 + 50),
            token_times: (1..11).map(|n| i * 100 + n).collect(),
            tokens: TokenCounts { input: Some(1), output: Some(tokens), ..TokenCounts::default() },
            ..Request::default()
        };
        of((0..6).map(|i| ("", "", row(i))).collect())
    };
    assert!(kinds(&chunks(30)).contains(&"Chunks hold several tokens"));
    assert!(!kinds(&chunks(10)).contains(&"Chunks hold several tokens"));
}

#[test]
fn waits_for_the_device_loading_and_a_slow_gpu_are_found() {
    let table = "\
--------  ------------  ------------  ------------  ------------  ------------
    Name    Self CPU %      Self CPU   CPU total %     CPU total    # of Calls
--------  ------------  ------------  ------------  ------------  ------------
aten::mm        70.00%     700.000ms        70.00%     700.000ms            20
cudaStreamSynchronize  30.00%  300.000ms  30.00%  300.000ms  200
--------  ------------  ------------  ------------  ------------  ------------
Self CPU time total: 1.000s
";
    let run = Run::of(crate::import::testing::open_bytes(table.as_bytes()).unwrap().into());
    let found = ask(&run, &Findings::default());
    let noted = found.iter().find(|n| n.kind == "The program waits for the device");
    let noted = noted.unwrap_or_else(|| panic!("{:?}", kinds(&found)));
    assert_eq!(noted.gain.time, Some(300_000_000));
    let loaded = of(vec![(
        "",
        "",
        Request {
            finished: Some(900),
            phases: crate::model::ServerTimes {
                load: Some(600),
                prefill: Some(100),
                decode: Some(200),
                ..crate::model::ServerTimes::default()
            },
            ..Request::default()
        },
    )]);
    assert!(kinds(&loaded).contains(&"Loading takes longest"));
    let slow = crate::analysis::testing::built(|b| {
        b.meta.result("GPU 0 slowed down", "temperature 30 % of the time");
        b.meta.result("GPU 1 slowed down", "by nothing");
    });
    let found = ask(&slow, &Findings::default());
    assert_eq!(kinds(&found), ["The GPU was slowed down"]);
}

#[test]
fn only_answered_requests_need_a_price() {
    let row = |outcome, known: bool| {
        let mut r = Request { outcome, ..request(0, 1, 100) };
        if !known {
            r.tokens = TokenCounts::default();
        }
        ("", "", r)
    };
    let kind = "Requests without a price";
    let failed = of(vec![row(Outcome::Ok, true), row(Outcome::Error, false), row(Outcome::Cancelled, false)]);
    assert!(!kinds(&failed).contains(&kind), "{:?}", kinds(&failed));
    let found = of(vec![row(Outcome::Error, false), row(Outcome::Ok, true), row(Outcome::Ok, false)]);
    let noted = found.iter().find(|n| n.kind == kind).unwrap_or_else(|| panic!("{:?}", kinds(&found)));
    assert!(noted.text.starts_with("1 answered request is in no sum"), "{}", noted.text);
    assert_eq!(noted.request, Some(RequestId(2)));
}

#[test]
fn a_gpu_that_waits_is_found_however_few_kernels_it_ran() {
    let gpu = |work: &[(i64, i64)], run: i64| {
        let run = crate::analysis::testing::built(|b| {
            let stream =
                b.track(TrackSpec { name: "stream 7", process: "", kind: TrackKind::GpuStream, sort: 0 });
            let kernel = b.function(FunctionSpec::named("gemm"));
            for (start, end) in work {
                b.span(stream, *start, *end, kernel, ArgsRef::NONE);
            }
            b.meta.duration = Some(run);
        });
        kinds(&ask(&run, &Findings::default())).contains(&"A GPU has nothing to do")
    };
    const MS: i64 = 1_000_000;
    assert!(gpu(&[(0, 10 * MS), (90 * MS, 100 * MS)], 100 * MS), "two kernels, 80 ms apart");
    assert!(!gpu(&[(0, 40 * MS), (50 * MS, 100 * MS)], 100 * MS), "a tenth of the time");
    assert!(!gpu(&[(0, 10_000), (90_000, 100_000)], 100_000), "80 us are nothing");
    assert!(!gpu(&[(0, MS), (4 * MS, 5 * MS)], 10_000 * MS), "3 ms of ten seconds");
    assert!(!gpu(&[(0, 10 * MS)], 100 * MS), "nothing lies between one and the same");
}

#[test]
fn findings_about_prices_say_how_much_there_is_to_gain() {
    // 7,000 of 10,000 characters of each prompt are those of the one before: 1,400 of 2,000 tokens.
    let beginning = "You are a kind and careful assistant. ".repeat(184);
    let prompts: Vec<String> =
        (0..6).map(|i| format!("{beginning}{}", format!("{i} other words ").repeat(230))).collect();
    let row = |(i, prompt): (usize, &String)| {
        let mut r = request(i as i64 * 50, 1, 100);
        r.tokens.cache_read = Some(0);
        (prompt.as_str().to_owned(), r)
    };
    let rows: Vec<_> = prompts.iter().enumerate().map(row).collect();
    let found = of(rows.iter().map(|(p, r)| (p.as_str(), "", r.clone())).collect());
    let noted = found.iter().find(|n| n.kind == "A common beginning is not cached").expect("found");
    // Five prompts after the first, at 0.9 dollars a million less for what is the same.
    let share =
        Regex::new(r"≈ ([\d.]+) %").unwrap().captures(&noted.text).unwrap()[1].parse::<f64>().unwrap();
    let gain = noted.gain.money.unwrap().to_f64();
    assert!((gain - 5.0 * 2000.0 * share / 100.0 * 0.9e-6).abs() < 1e-5, "{gain} for {share} %");

    let mut b = ProfileBuilder::new("test");
    let model = b.string("m");
    for input in [900, 2_000] {
        let tokens = TokenCounts { input: Some(input), output: Some(0), ..TokenCounts::default() };
        b.request(Request { model, tokens, ..Request::default() });
    }
    let run = Run::of(b.finish().into());
    let table = r#"{"models": [{"name": "m", "prices": [{"input": {"base": "1", "above": {"1000": "3"}}, "output": "2"}]}]}"#;
    let found = ask(&run, &Findings { prices: Prices::with(read_table(table).unwrap()) });
    let noted = found.iter().find(|n| n.kind == "Prompts above a step of the price").expect("found");
    assert_eq!(
        noted.gain.money.map(|m| m.to_string()).as_deref(),
        Some("0.004"),
        "2,000 tokens at 3 instead of 1"
    );
}

#[test]
fn only_what_was_refused_for_being_too_many_was_throttled() {
    let throttles = |error: &str| {
        let run = crate::analysis::testing::built(|b| {
            let error = b.string(error);
            b.request(Request { outcome: Outcome::Error, error, ..Request::default() });
        });
        ask(&run, &Findings::default()).iter().any(|n| n.kind == "The provider throttles")
    };
    for error in [
        "HTTP 429: rate limit",
        "Error code: 429 - {'error': {'message': 'Rate limit reached for gpt-4o'}}",
        "429 Too Many Requests",
        "RateLimitError: slow down",
        "rate_limit_exceeded",
        "status_code=429",
        "ThrottlingException: Rate exceeded",
        "RESOURCE_EXHAUSTED: quota",
    ] {
        assert!(throttles(error), "{error}");
    }
    for error in [
        "BadRequestError: maximum context length is 8192 tokens, you requested 8429 tokens",
        "request id req_4290ab",
        "429 ms timeout",
        "tool rate_limiter failed: division by zero",
        "content_filter",
        "cut off after 429 tokens",
    ] {
        assert!(!throttles(error), "{error}");
    }
}
