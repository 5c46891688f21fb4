use super::*;
use crate::analysis::prices::read_table;
use crate::analysis::testing::{ask, profile};
use crate::model::{Accounting, Outcome, ProfileBuilder, Request, Retry, TokenCounts};
use crate::query::Run;

fn kinds(found: &[Noted]) -> Vec<&str> {
    found.iter().map(|n| n.kind.as_ref()).collect()
}

fn of(requests: Vec<(&str, &str, Request)>) -> Vec<Noted> {
    let mut b = ProfileBuilder::new("test");
    for (prompt, completion, request) in requests {
        let (prompt, completion, model) = (b.string(prompt), b.string(completion), b.string("m"));
        b.request(Request { prompt, completion, model, ..request });
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
    assert_eq!(by("Attempts failed and were repeated").gain.time, Some(40));
    assert_eq!(by("Attempts failed and were repeated").request, Some(RequestId(3)));
    // 2,000 tokens at 1 and 10 at 2 per million.
    assert_eq!(by("Requests failed").gain.money.map(|m| m.to_string()).as_deref(), Some("0.00202"));
    let again = by("The same is asked again");
    assert_eq!((again.gain.time, again.severity), (Some(8 * 120), Severity::Info));
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
    let apart = |prompts: [&'static str; 5]| {
        of(prompts.iter().enumerate().map(|(i, p)| (*p, "An answer of its own", row(i as i64))).collect())
    };
    let found = apart(prompts);
    let noted = found.iter().find(|n| n.kind == "Requests could run at the same time").expect("found");
    assert_eq!(noted.gain.time, Some(400));
    let chained = apart(["What is a?", "An answer of its own: and b?", "c?", "d?", "e?"]);
    assert!(!kinds(&chained).contains(&"Requests could run at the same time"));
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
