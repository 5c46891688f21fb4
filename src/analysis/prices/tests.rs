use super::charge::{Call, charge};
use super::names::{Step, resolve};
use super::*;
use crate::import::unix_time;
use crate::model::{Accounting, Origin, TokenCounts};

fn tokens(input: u64, output: u64) -> TokenCounts {
    TokenCounts { input: Some(input), output: Some(output), ..TokenCounts::default() }
}

fn own(models: &str) -> Prices {
    Prices::with(read_table(&format!("{{\"models\": {models}}}")).unwrap())
}

/// The price of a call of `model` at a date.
fn price(prices: &Prices, model: &str, call: &Call<'_>) -> Result<Priced, (crate::model::Money, String)> {
    let found = resolve(prices, "", model, "").map_err(|why| (crate::model::Money::ZERO, why))?;
    let table = &prices.tables()[found.table];
    charge(&table.entries()[found.entry], table.newest, call)
}

fn cost(prices: &Prices, model: &str, call: &Call<'_>) -> String {
    price(prices, model, call).map_or_else(|(_, why)| why, |p| p.parts.sum().to_string())
}

#[test]
fn the_carried_table_knows_dates_hours_and_tiers() {
    let prices = Prices::carried();
    let table = &prices.tables()[0];
    assert!(
        table.entries().len() > 400 && table.source.contains("genai-prices") && table.unread.is_empty(),
        "{:?}",
        table.unread
    );
    let at = |model: &str, time: &str, tier: &str| {
        let call = Call { tokens: tokens(100_000, 0), at: unix_time(time), tier, ..Call::default() };
        cost(&prices, model, &call)
    };
    // What genai-prices 0.2.3 computes for these.
    assert_eq!(at("gpt-5.6-sol", "2026-08-15T12:00:00Z", ""), "0.5");
    assert_eq!(at("gpt-5.6-sol", "2026-09-15T12:00:00Z", ""), "0.4");
    assert_eq!(at("deepseek-v4-flash", "2026-08-16T12:00:00Z", ""), "0.014");
    assert_eq!(at("deepseek-v4-flash", "2026-08-17T12:00:00Z", ""), "0.022");
    assert_eq!(at("deepseek-v4-flash", "2026-10-01T12:00:00Z", ""), "0.015");
    assert_eq!(at("deepseek-v4-flash", "2026-10-01T03:59:59Z", ""), "0.03");
    assert_eq!(at("deepseek-v4-flash", "2026-10-01T04:00:00Z", ""), "0.015");
    assert_eq!(at("gpt-4o", "2026-11-01T12:00:00Z", "default"), "0.25");
    assert_eq!(at("gpt-4o", "2026-11-01T12:00:00Z", "priority"), "0.425");
    assert_eq!(at("gpt-4o", "2026-11-01T12:00:00Z", "batch"), "0.125");
    let odd = Call { tokens: tokens(10, 1), at: unix_time("2026-11-01"), tier: "ultra", ..Call::default() };
    assert_eq!(price(&prices, "gpt-4o", &odd).unwrap().about.len(), 1, "a tier without a price is said");
    let undated =
        price(&prices, "gpt-5.6-sol", &Call { tokens: tokens(100_000, 0), ..Call::default() }).unwrap();
    assert_eq!((undated.parts.sum().to_string().as_str(), undated.about.len()), ("0.4", 1));
}

#[test]
fn names_lead_to_entries_in_steps_and_never_by_guess() {
    let prices = own(r#"[{"name": "m-large", "prices": [{"input": "1", "output": "2"}]},
            {"name": "m-large-2024-05-13", "prices": [{"input": "9", "output": "9"}]},
            {"name": "twice", "provider": "a", "prices": [{"input": "1"}]}, {"name": "twice", "provider": "b", "prices": [{"input": "2"}]},
            {"name": "same", "provider": "a", "prices": [{"input": "1"}]}, {"name": "same", "provider": "b", "prices": [{"input": "1"}]},
            {"name": "fam", "match": ["fam-*", ["*dam*", "!/mini/"]], "prices": [{"input": "3"}]}]"#);
    let step = |provider: &str, response: &str, request: &str| {
        resolve(&prices, provider, response, request)
            .map(|r| (r.entry, r.step))
            .map_err(|e| e.chars().take(40).collect::<String>())
    };
    assert_eq!(step("", "m-large", "x"), Ok((0, Step::Response)));
    assert_eq!(
        step("", "M-Large-2024-05-13", ""),
        Ok((1, Step::Response)),
        "a dated name that is listed is another price"
    );
    assert_eq!(step("", "m-large-2024-07-18", "m-large"), Ok((0, Step::Request)));
    assert_eq!(step("", "m-large-2024-07-18", ""), Ok((0, Step::ResponseAlias)));
    for name in [
        "openai/m-large",
        "eu.anthropic.m-large-20240718-v1:0",
        "m-large@20240718",
        "vertex_ai/m-large-latest",
        "m-large:0",
    ] {
        assert_eq!(step("", name, ""), Ok((0, Step::ResponseAlias)), "{name}");
    }
    assert_eq!(step("", "deployment", "openai/m-large"), Ok((0, Step::RequestAlias)));
    assert_eq!(step("", "fam-9", ""), Ok((6, Step::Response)));
    assert_eq!(step("", "a-dam-x", ""), Ok((6, Step::Response)));
    assert!(step("", "a-dam-mini", "").is_err());
    assert_eq!(step("b", "twice", ""), Ok((3, Step::Response)));
    assert!(step("", "twice", "").unwrap_err().contains("may be"));
    assert_eq!(step("", "same", ""), Ok((4, Step::Response)));
    assert!(step("", "m-larger", "").unwrap_err().contains("no table lists"));
    assert!(step("", "", "").is_err());
    // What runs on a person's own machine has no list price of others.
    assert!(step("ollama", "gpt-4o", "").unwrap_err().contains("ollama"));
    assert_eq!(step("ollama", "m-large", ""), Ok((0, Step::Response)));
}

#[test]
fn providers_that_sell_models_of_others_have_prices_of_their_own() {
    let prices = Prices::carried();
    let provider = |provider: &str, model: &str| {
        let found = resolve(&prices, provider, model, "").unwrap();
        (prices.tables()[0].entries()[found.entry].provider.clone(), found.instead)
    };
    assert_eq!(provider("openai", "gpt-4o"), ("openai".into(), false));
    assert_eq!(provider("", "gpt-4o-2024-08-06"), ("openai".into(), false));
    assert_eq!(provider("azure.ai.openai", "gpt-4o"), ("openai".into(), true));
    assert_eq!(provider("gcp.vertex_ai", "gemini-2.5-pro").0, "google");
    assert_eq!(
        provider("aws.bedrock", "claude-opus-4-8"),
        ("aws".into(), false),
        "its own pattern, not the maker's name"
    );
    assert_eq!(provider("anthropic", "claude-3-5-haiku-20241022"), ("anthropic".into(), false));
}

#[test]
fn a_threshold_reprices_the_whole_request_and_counts_the_cache() {
    let prices = own(
        r#"[{"name": "m", "prices": [{"input": {"base": "1", "above": {"1000": "2"}}, "cache_read": "0.1",
        "output": {"base": "10", "above": {"1000": "15"}}}]}]"#,
    );
    let call = |input, read, output| Call {
        tokens: TokenCounts { cache_read: Some(read), ..tokens(input, output) },
        ..Call::default()
    };
    assert_eq!(cost(&prices, "m", &call(500, 500, 100)), "0.00155");
    let above = price(&prices, "m", &call(501, 500, 100)).unwrap();
    // What has no price above keeps its own.
    assert_eq!((above.parts.sum().to_string().as_str(), above.above), ("0.002552", Some(1000)));
    assert_eq!(above.no_cache.to_string(), "0.003502");
}

#[test]
fn what_has_no_price_of_its_own_is_said_and_what_has_none_is_unpriced() {
    let prices = own(
        r#"[{"name": "in", "prices": [{"input": "1"}]}, {"name": "both", "prices": [{"input": "1", "output": "4", "audio_input": "8"}]}]"#,
    );
    assert_eq!(
        cost(&prices, "in", &Call { tokens: tokens(1000, 0), ..Call::default() }),
        "0.001",
        "embeddings"
    );
    assert!(
        cost(&prices, "in", &Call { tokens: tokens(1000, 1), ..Call::default() })
            .contains("no price for output")
    );
    let cached = TokenCounts {
        cache_read: Some(10),
        cache_write_1h: Some(20),
        audio_input: Some(5),
        ..tokens(100, 0)
    };
    let p = price(&prices, "both", &Call { tokens: cached, searches: 3, ..Call::default() }).unwrap();
    assert_eq!(p.parts.sum().to_string(), "0.000165", "95 + 5 × 8 + 10 + 20");
    assert_eq!((p.about.len(), p.left_out), (2, vec!["3 web searches".to_owned()]));
    // Sound without a rate of its own costs at least as much as text: that this is a guess is said.
    let spoken = TokenCounts { audio_input: Some(40), audio_output: Some(6), ..tokens(100, 10) };
    let p = price(&prices, "both", &Call { tokens: spoken, ..Call::default() }).unwrap();
    assert_eq!(p.parts.sum().to_string(), "0.00042", "60 + 40 × 8 + 10 × 4");
    assert_eq!(p.about, ["no price for spoken output: that of output"]);
    let half = Call { tokens: TokenCounts { output: None, ..tokens(100, 0) }, ..Call::default() };
    assert_eq!(price(&prices, "both", &half).unwrap_err().0.to_string(), "0.0001");
    let least = Accounting { output: Origin::LowerBound, ..Accounting::default() };
    assert!(
        price(&prices, "both", &Call { tokens: tokens(100, 9), accounting: least, ..Call::default() })
            .is_err()
    );
}

#[test]
fn litellms_table_is_read_with_what_it_does_not_say() {
    let table = read_table(
        r#"{"sample_spec": {"input_cost_per_token": 0}, "m": {"litellm_provider": "openai", "input_cost_per_token": 2.9999900000000002e-06,
            "output_cost_per_token": 1e-5, "output_cost_per_token_priority": 2e-5, "output_cost_per_image": 0.04},
            "r": {"tiered_pricing": [{"range": [0, 1000], "input_cost_per_token": 1e-6, "output_cost_per_token": 0},
                {"range": [1000, 9000], "input_cost_per_token": 3e-6, "output_cost_per_token": 0}]}, "none": {"mode": "chat"}}"#,
    )
    .unwrap();
    assert_eq!(table.unread, [("output_cost_per_image".to_owned(), 1)]);
    let prices = Prices::with(table);
    let call = |tier| Call { tokens: tokens(1, 1), tier, ..Call::default() };
    assert_eq!(cost(&prices, "m", &call("")), "0.0000129999900000000002");
    assert_eq!(cost(&prices, "m", &call("priority")), "0.0000229999900000000002");
    assert_eq!(cost(&prices, "r", &Call { tokens: tokens(1001, 1), ..Call::default() }), "0.003003");
    assert_eq!(Prices::carried(), Prices::default());
    assert_ne!(prices, Prices::default());
}

#[test]
fn a_slip_in_ones_own_table_is_said_with_its_place_and_what_to_write() {
    let why = |models: &str| read_table(&format!("{{\"models\": [{models}]}}")).unwrap_err();
    for (models, place, write) in [
        (
            r#"{"name": "m", "prices": [{"input": "1", "outptu": "2"}]}"#,
            "models[0].prices[0].outptu",
            "«output»",
        ),
        (r#"{"name": "m", "prices": [{"input": "1", "cached_read": "2"}]}"#, ".cached_read", "«cache_read»"),
        (
            r#"{"name": "m", "prices": [{"input": {"base": "1", "abov": {"9": "2"}}}]}"#,
            ".input.abov",
            "«above»",
        ),
        (r#"{"name": "m", "prices": [{"input": "1"}], "contxt": 9}"#, "models[0].contxt", "«context»"),
        (
            r#"{"name": "m", "prices": [{"input": "1", "latency": "2"}]}"#,
            ".latency",
            "it takes input, cache_read",
        ),
    ] {
        let why = why(models);
        assert!(why.contains(place) && why.contains(write) && !why.contains('\n'), "{why}");
    }
    let per = read_table(r#"{"models": [], "pre": 1000}"#).unwrap_err();
    assert!(per.contains(".pre") && per.contains("«per»"), "{per}");
    let remarked = r#"{"_by": "me", "models": [{"name": "m", "comment": "list", "prices": [{"input": "1", "output": "2"}]}]}"#;
    assert!(read_table(remarked).is_ok());
    // LiteLLM's layout has fields by the hundred: what is not read of it is counted.
    let table = read_table(r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_tokn": 2e-6}}"#).unwrap();
    let remark = table.remark().unwrap();
    assert!(remark.starts_with("1 field") && remark.contains("«output_cost_per_tokn»"), "{remark}");
    assert_eq!(Prices::carried_alone().tables()[0].remark(), None);
}
