//! Known answers at every boundary, and laws over all of `i64`.

use super::*;
use proptest::prelude::*;

/// Writes groups with `_` for legibility.
fn spaced(text: &str) -> String {
    text.replace(GROUP, "_")
}

#[test]
fn durations_pick_the_unit_that_fits() {
    let cases = [
        (0, "0 s"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (12_345, "12.3 µs"),
        (999_499, "999 µs"),
        (999_500, "1.00 ms"),
        (9_995_000, "10.0 ms"),
        (-1_234_567, "−1.23 ms"),
        (999_999_999, "1.00 s"),
        (1_234_000_000, "1.23 s"),
        (59_949_999_999, "59.9 s"),
        (59_950_000_000, "1 min 00 s"),
        (125_000_000_000, "2 min 05 s"),
        (3_599_499_999_999, "59 min 59 s"),
        (3_599_500_000_000, "1 h 00 min"),
        (7_380_000_000_000, "2 h 03 min"),
        (90_000_000_000_000, "1 d 01 h"),
        (i64::MAX, "≥ 106_752 d 00 h"),
        (i64::MIN, "≤ −106_752 d 00 h"),
    ];
    for (ns, text) in cases {
        assert_eq!(spaced(&duration(ns)), text, "{ns}");
    }
}

#[test]
fn exact_durations_lose_nothing() {
    let cases = [
        (0, "0 s"),
        (7, "7 ns"),
        (1_234_567, "1.234567 ms"),
        (83_500_000_000, "83.5 s"),
        (100_000_000_000, "100 s"),
        (-5_000, "−5 µs"),
        (1_000_000_000_001, "1_000.000000001 s"),
    ];
    for (ns, text) in cases {
        assert_eq!(spaced(&duration_exact(ns)), text, "{ns}");
    }
}

#[test]
fn sizes_use_binary_units() {
    let cases = [
        (0, "0 B"),
        (1023, "1_023 B"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (1_047_552, "1_023 KiB"),
        (1_048_064, "1.00 MiB"),
        (-3 << 20, "−3.00 MiB"),
        (80 << 30, "80.0 GiB"),
        (i64::MAX, "≥ 8_192 PiB"),
    ];
    for (n, text) in cases {
        assert_eq!(spaced(&bytes(n)), text, "{n}");
    }
}

#[test]
fn counts_are_grouped_and_large_ones_shortened() {
    let cases = [
        (0, "0"),
        (999, "999"),
        (1_000, "1_000"),
        (1_234_567, "1_234_567"),
        (9_999_999, "9_999_999"),
        (12_345_678, "12.3 M"),
        (999_500_000, "1.00 G"),
        (-25_000_000_000_000, "−25.0 T"),
    ];
    for (n, text) in cases {
        assert_eq!(spaced(&count(n)), text, "{n}");
    }
    assert_eq!(tokens(1), "1 token");
    assert_eq!(spaced(&tokens(4096)), "4_096 tokens");
}

#[test]
fn money_shows_cents_or_three_digits() {
    let cases = [
        (0, "$0"),
        (12, "$0.000000012"),
        (1_500, "$0.0000015"),
        (12_345_678, "$0.0123"),
        (500_000_000, "$0.50"),
        (999_000_000, "$1.00"),
        (1_234_567_890, "$1.23"),
        (1_234_567_000_000_000, "$1_234_567.00"),
        (-20_000_000, "−$0.02"),
    ];
    for (n, text) in cases {
        assert_eq!(spaced(&dollars(n)), text, "{n}");
    }
}

#[test]
fn no_part_is_less_than_nothing_or_more_than_the_whole() {
    assert_eq!([share(1, 4), share(4, 4), share(0, 4)], [Some(0.25), Some(1.0), Some(0.0)]);
    assert_eq!([share(5, 4), share(-1, 4), share(-1, -4), share(0, 0), share(1, 0)], [None; 5]);
    assert_eq!(
        [share_of_parent(8, 4), share_of_parent(-1, 4), share_of_parent(1, -4)],
        [Some(2.0), None, None]
    );
    assert_eq!((share_text(share(1, 4)), share_text(None)), ("25.0 %".to_owned(), UNKNOWN.to_owned()));
}

#[test]
fn lines_and_tabs_of_a_text_stay() {
    assert_eq!(escaped_lines("a\r\nb\tc\n"), "a\r\nb\tc\n".replace('\r', ""));
    assert_eq!(escaped_lines("a\u{1b}b\n\tc\u{202e}"), "a\\u{1b}b\n\tc\\u{202e}");
    assert_eq!(escaped("a\n\tb\u{1b}"), "a\\n\\tb\\u{1b}");
    assert_eq!(plain("a\n\tb"), "a␊␉b");
}

#[test]
fn shares_never_round_to_none_or_all() {
    let cases = [
        (0.0, "0 %"),
        (0.0001, "<0.1 %"),
        (-0.0001, "<0.1 %"),
        (0.0005, "0.1 %"),
        (0.1234, "12.3 %"),
        (0.9994, "99.9 %"),
        (0.99999, ">99.9 %"),
        (1.0, "100 %"),
        (12.5, "1_250 %"),
        (f64::NAN, "–"),
        (f64::INFINITY, "–"),
    ];
    for (share, text) in cases {
        assert_eq!(spaced(&percent(share)), text, "{share}");
    }
    assert_eq!(percent_change(0.123), "+12.3 %");
    assert_eq!(percent_change(-0.5), "−50.0 %");
    assert_eq!((percent_change(10.0), percent_change(249.0)), ("+1\u{202f}000 %".into(), "×250".into()));
    assert_eq!(percent_change(0.0), "0 %");
    assert_eq!((&*percent_change(0.00001), &*percent_change(-0.00001)), ("+<0.1 %", "−<0.1 %"));
}

#[test]
fn plain_numbers_keep_three_digits() {
    let cases = [
        (0.0, "0"),
        (3.0, "3"),
        (3.125, "3.13"),
        (9.996, "10.0"),
        (99.96, "100"),
        (0.01234, "0.0123"),
        (1234.5, "1_235"),
        (12_345_678.0, "12.3 M"),
        (-2.5, "−2.50"),
        (0.000_012, "1.20e-5"),
        (1e300, "1.00e300"),
        (f64::NAN, "–"),
    ];
    for (v, text) in cases {
        assert_eq!(spaced(&number(v)), text, "{v}");
    }
    assert_eq!(rate(23.44, "tokens"), "23.4 tokens/s");
    assert_eq!(bytes_rate(1.5 * 1024.0 * 1024.0), "1.50 MiB/s");
    assert_eq!(factor(2.5), "2.50×");
}

#[test]
fn costs_follow_their_unit() {
    assert_eq!(cost(Unit::Nanoseconds, 1_500), "1.50 µs");
    assert_eq!(cost(Unit::MilliPercent, 12_345), "12.3 %");
    assert_eq!(cost(Unit::NanoDollars, 50_000_000), "$0.05");
    assert_eq!(cost_or_unknown(Unit::Bytes, None), "–");
    assert_eq!(signed_cost(Unit::Bytes, 2048), "+2.00 KiB");
    assert_eq!(signed_cost(Unit::Tokens, -5), "−5 tokens");
    assert_eq!(signed_cost(Unit::Nanoseconds, 0), "0 s");
    assert_eq!(value(Unit::None, 0.25), "0.250");
    assert_eq!(value(Unit::Bytes, 1535.9), "1.50 KiB");
}

#[test]
fn a_column_has_one_unit_and_one_number_of_decimals() {
    let ms = Scale::for_max(Unit::Nanoseconds, 12_345_678);
    assert_eq!(ms.suffix(), "ms");
    assert_eq!(ms.number(Some(12_345_678)), "12.35");
    assert_eq!(ms.number(Some(5_000)), "0.01");
    assert_eq!(ms.number(Some(4_000)), "<0.01");
    assert_eq!(ms.number(Some(0)), "0");
    assert_eq!(ms.number(None), "–");
    assert_eq!(ms.text(Some(-1_000_000)), "−1.00 ms");
    assert_eq!(ms.signed(Some(1_000_000)), "+1.00");
    assert_eq!(ms.padded(Some(1_000_000), 12_345_678), "\u{2007}1.00");
    assert_eq!(Scale::for_max(Unit::NanoDollars, 12_300_000).number(Some(1_230_000)), "$0.0012");
    assert_eq!(spaced(&Scale::for_max(Unit::Count, 50_000).text(Some(1234))), "1_234");
    assert_eq!(Scale::for_max(Unit::Tokens, 50_000_000).text(Some(1_500_000)), "1.50 M");
}

fn labels(t0: f64, t1: f64, n: usize) -> Vec<String> {
    time_ticks(t0, t1, n).ticks.into_iter().map(|(_, label)| spaced(&label)).collect()
}

#[test]
fn ticks_are_round_and_share_a_unit() {
    assert_eq!(labels(0.0, 10e6, 5), ["0 ms", "2 ms", "4 ms", "6 ms", "8 ms", "10 ms"]);
    assert_eq!(labels(0.0, 1.5e6, 4), ["0.0 ms", "0.5 ms", "1.0 ms", "1.5 ms"]);
    assert_eq!(labels(-1.2e9, 0.6e9, 4), ["−1.0 s", "−0.5 s", "0.0 s", "0.5 s"]);
    assert_eq!(labels(0.0, 300e9, 5), ["0 min", "1 min", "2 min", "3 min", "4 min", "5 min"]);
    assert_eq!(labels(0.0, 100e9, 5), ["0 s", "30 s", "60 s", "90 s"]);
    assert_eq!(labels(0.0, 3.0 * 3600e9, 4), ["0 h", "1 h", "2 h", "3 h"]);
    assert_eq!(labels(0.0, 3.0, 5), ["0 ns", "1 ns", "2 ns", "3 ns"]);
}

#[test]
fn deep_zoom_counts_from_an_anchor() {
    let ticks = time_ticks(5_123_456_789.0, 5_123_457_589.0, 5);
    assert_eq!(ticks.step, 200);
    assert_eq!(ticks.anchor, Some((5_123_450_000, "5.12345 s".to_owned())));
    assert_eq!(ticks.ticks[0], (5_123_456_800, "+6.8 µs".to_owned()));
    assert!(ticks.ticks.iter().all(|(_, label)| label.starts_with('+') && label.ends_with(" µs")));
}

#[test]
fn hostile_ranges_give_no_ticks() {
    for (t0, t1) in [(0.0, 0.0), (1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        assert_eq!(time_ticks(t0, t1, 5), TimeTicks::default());
    }
    assert_eq!(time_ticks(0.0, 1.0, 0), TimeTicks::default());
    assert!(time_ticks(-1e300, 1e300, 8).ticks.len() <= 9);
}

#[test]
fn value_steps_are_nice() {
    for (least, step) in [(0.9, 1.0), (1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (600.0, 1000.0), (0.013, 0.02)] {
        assert!((value_step(least) - step).abs() < 1e-9 * step, "{least}");
    }
    assert_eq!(value_step(f64::NAN).to_bits(), 1f64.to_bits());
}

proptest! {
    #[test]
    fn no_value_panics_and_only_zero_prints_as_zero(v: i64, max: i64, f: f64) {
        for unit in [Unit::Nanoseconds, Unit::Bytes, Unit::Count, Unit::Tokens, Unit::NanoDollars,
                     Unit::MilliPercent, Unit::None] {
            let texts = [cost(unit, v), Scale::for_max(unit, max).number(Some(v)), signed_cost(unit, v)];
            for text in texts {
                let nonzero_digit = text.chars().any(|c| c.is_ascii_digit() && c != '0');
                prop_assert_eq!(nonzero_digit, v != 0, "{}", text);
            }
            let _ = value(unit, f);
        }
        let _ = duration_exact(v);
        let _ = percent(f);
        let _ = factor(f);
    }

    #[test]
    fn ticks_lie_in_the_range_on_multiples_of_the_step(t0 in -1e15f64..1e15, span in 1f64..1e13, n in 1usize..40) {
        let ticks = time_ticks(t0, t0 + span, n);
        prop_assert!(ticks.ticks.len() <= n + 1);
        prop_assert!(ticks.step % ticks.minor_step == 0);
        let mut labels = std::collections::HashSet::new();
        for (time, label) in &ticks.ticks {
            prop_assert!(time % ticks.step == 0);
            prop_assert!(*time as f64 >= t0 && *time as f64 <= t0 + span);
            prop_assert!(labels.insert(label.clone()), "label {} twice", label);
        }
    }
}
