//! How the service ends when somebody ends it, and what its caches are worth.

use std::time::{Duration, Instant};

use super::cache::Exact;
use super::shared::{Price, Reply, Tokens};
use super::*;
use crate::analysis::asked::Asked;
use crate::analysis::billing::Bill;
use crate::analysis::cached_answers::cached_answer;
use crate::analysis::caches::{CacheKind, Caches};
use crate::analysis::testing::ask;
use crate::format;
use crate::model::{CacheOutcome, Outcome, Profile};
use crate::query::Run;
use crate::record::testing::{fact, quiet, workload};
use crate::record::{RecordError, Recording, start};

/// More work than anybody waits for, well under way.
fn under_way(mode: &str) -> Recording {
    let params = [mode, "requests=100000", "max_new_tokens=40"].map(str::to_owned);
    let recording = start("service", &params, quiet(), Box::new(|_| ())).unwrap();
    let begun = Instant::now();
    // Other recordings come first.
    while recording.status().spans < 300 && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    recording
}

#[test]
fn stopped_in_the_middle_it_ends_soon_and_keeps_what_was_done() {
    for mode in ["mode=fixed", "mode=faithful"] {
        let recording = under_way(mode);
        let asked = Instant::now();
        recording.stop();
        let p = recording.join().unwrap();
        // One layer of a model that is not optimised, and a profile to be put together.
        assert!(asked.elapsed() < Duration::from_secs(20), "{mode}: {:?}", asked.elapsed());
        assert_eq!(fact(&p, "Ended"), "stopped by the user", "{mode}");
        assert!(!p.requests.rows.is_empty(), "{mode}");
        let ended = |o| p.requests.rows.iter().filter(|r| r.outcome == o).count();
        assert_eq!(ended(Outcome::Running), 0, "{mode}: who still waited was given up");
        assert!(ended(Outcome::Ok) < 100_000);
        assert_ne!(fact(&p, "Wrong receivers"), "", "{mode}: the results so far are there");
    }
}

#[test]
fn cancelled_it_leaves_nothing() {
    let recording = under_way("mode=fixed");
    recording.cancel();
    assert_eq!(recording.join().unwrap_err(), RecordError::Cancelled);
}

#[test]
fn hits_save_what_their_answers_took_when_they_were_generated() {
    let params = Params::parse(ServiceWorkload.params(), &[]).unwrap();
    let (settings, of_model) = (params.read::<Settings>().unwrap(), params.read().unwrap());
    let service = Service::new(settings.config(&of_model, "m"), Exact::open("", 0).unwrap());
    let reply = |text: &str, tokens, cache| Reply {
        text: text.into(),
        tokens,
        prompt_tokens: None,
        kv_cache_bytes: None,
        cache,
    };
    let book = |reply: Reply, prompt: Option<usize>| {
        // Recordings of other tests must not see it.
        let request = crate::record::request::unseen();
        prompt.into_iter().for_each(|n| request.prompt_tokens(n));
        service.book(&reply, &request);
    };
    // A cache may have an answer before its own request is booked.
    service.took("a", Tokens { prompt: 5, output: 20 });
    book(reply("a", 0, Some(CacheOutcome::Exact)), None);
    book(reply("a", 20, Some(CacheOutcome::Miss)), Some(5));
    book(reply("b", 7, None), Some(3));
    book(reply("a", 0, Some(CacheOutcome::Semantic)), None);
    let (spent, saved) = service.tokens();
    assert_eq!((spent, saved), (Tokens { prompt: 8, output: 27 }, Tokens { prompt: 10, output: 40 }));
    let price = Price::of_millions(1.0, 10.0).unwrap();
    assert_eq!(price.of(saved).to_string(), "0.00041", "410 millionths of a dollar");
    assert_eq!(service.config.price, None, "nobody said a price");
}

#[test]
fn a_run_says_what_its_caches_saved_and_all_places_say_the_same() {
    let settings = ["batch=4", "clients=4", "requests=12", "max_new_tokens=5", "price_answer=2"];
    let p = workload("service", &settings);
    let saved = fact(&p, "Tokens saved by hits");
    assert!(saved.ends_with("of what all requests would have taken") && !saved.starts_with("0 "), "{saved}");
    let [of_hits, of_generations] = ["Cost saved by hits", "Cost of generations"].map(|name| fact(&p, name));
    assert!(of_hits.starts_with('$'), "{:?}", p.meta.facts);
    // The view of caches and that of costs say what the results say.
    let asked = Asked::default();
    let run = Run::of(p);
    let caches = ask(&run, &Caches { asked: asked.clone() });
    let found = caches.iter().find(|c| c.kind == CacheKind::Answers).unwrap();
    let tokens = format::count(found.saved_tokens.unwrap() as i64);
    assert!(saved.starts_with(&format!("{tokens} ")), "{tokens}: {saved}");
    let money = format::money(found.saved_cost.unwrap());
    assert!(of_hits.starts_with(&format!("{money},")), "{money}: {of_hits}");
    let bill = ask(&run, &Bill { prices: asked.prices });
    assert_eq!(bill.all.cost.map(format::money), Some(of_generations));
    // Requests that other tests report meanwhile are in the recording, too.
    let rows = run.profile.requests.rows.iter().zip(&bill.charges);
    assert!(rows.filter(|(r, _)| r.cache.is_some()).all(|(_, charge)| charge.cost.is_some()));
    let hits = run.profile.requests.rows.iter().filter(|r| r.answered_by_cache());
    let ages: Vec<Option<i64>> = hits.map(|r| cached_answer(&run.profile, r).age).collect();
    assert!(ages.len() == found.hits && ages.iter().all(|age| age.is_some_and(|ns| ns >= 0)), "{ages:?}");

    let unpriced = workload("service", &settings[..4]);
    assert_eq!(
        fact(&unpriced, "Cost saved by hits"),
        "",
        "an unknown price saves nothing that could be told"
    );
}

#[test]
fn expiry_and_eviction_are_events_and_misses_keep_their_similarity() {
    let few = ["batch=4", "clients=2", "requests=16", "max_new_tokens=3"];
    let said = |p: &Profile, text: &str| p.instants.iter().filter(|i| p.text(i.name) == text).count();
    let p = workload("service", &[&few[..], &["entries=2"]].concat());
    assert!(said(&p, "cache entry evicted") > 0 && said(&p, "cache entry stored") > 4);
    let entries = p.counters.iter().find(|c| p.text(c.name) == "Exact cache entries").unwrap();
    assert_eq!(entries.peak().map(|peak| peak.1), Some(2.0));
    let misses = p.requests.rows.iter().filter(|r| r.cache == Some(CacheOutcome::Miss));
    let known: Vec<f64> = misses.filter_map(|r| r.similarity).collect();
    assert!(!known.is_empty() && known.iter().all(|s| (-1.0..0.97).contains(s)), "{known:?}");

    let p = workload("service", &[&few[..], &["ttl=0.001", "similarity=jaccard"]].concat());
    assert!(said(&p, "cache entry expired") > 0, "it is noticed when an old one is looked at");
}
