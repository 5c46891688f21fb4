use super::*;
use crate::analysis::testing::{ask, built};
use crate::import::testing::open_bytes;
use crate::model::{Request, TokenCounts};
use crate::query::Run;

/// What torch printed of a generation with Llama 3.2 1B on a T4, `max_length=200`; sums as in its last lines.
const TABLE: &str = "\
----------------------------------------------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------
                                                Name    Self CPU %      Self CPU   CPU total %     CPU total  CPU time avg     Self CUDA   Self CUDA %    CUDA total  CUDA time avg    # of Calls
----------------------------------------------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------
                                        aten::linear         0.89%     131.999ms        13.02%        1.921s      89.962us       0.000us         0.00%        3.846s     180.092us         21357
                                            aten::mm         5.75%     848.979ms         7.94%        1.172s      54.869us        3.846s        68.81%        3.846s     180.092us         21357
std::enable_if<!(false), void>::type internal::ge...         0.00%       0.000us         0.00%       0.000us       0.000us        3.809s        68.14%        3.809s     179.288us         21245
                                         aten::copy_        40.93%        6.041s        50.54%        7.459s     858.901us        1.279s        22.88%        1.279s     147.296us          8684
                    Memcpy HtoD (Pageable -> Device)         0.00%       0.000us         0.00%       0.000us       0.000us        1.241s        22.20%        1.241s       7.432ms           167
                  aten::scaled_dot_product_attention         0.41%      60.214ms         2.29%     338.007ms     111.775us       0.000us         0.00%     111.852ms      36.988us          3024
----------------------------------------------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------  ------------
Self CPU time total: 14.759s
Self CUDA time total: 5.590s
";

/// The model's card, the memory of the GPU before and after loading (8.12 and 4722.39 MiB), and the T4's data sheet.
fn llama() -> Given {
    let t4 = &DEVICES[0];
    Given {
        parameters: Some(1_235_814_400),
        weight_bytes: Some(((4722.39 - 8.12) * 1024.0 * 1024.0) as u64),
        layers: Some(16),
        width: Some(2048),
        kv_heads: Some(8),
        head_width: Some(64),
        kv_element: Some(4),
        peak_bytes: Some(t4.bytes),
        peak_flops: Some(t4.fp32),
    }
}

fn explain(text: &str, given: Given) -> std::sync::Arc<Explained> {
    let run = Run::of(open_bytes(text.as_bytes()).unwrap().into());
    ask(&run, &Explain { given, ..Explain::default() })
}

#[test]
fn a_printed_table_tells_fp32_189_tokens_and_a_memory_bound() {
    let found = explain(TABLE, llama());
    assert_eq!(found.stored_as(), Ok("fp32"));
    assert!((found.bytes_per_parameter.unwrap() - 4.0).abs() < 1e-4);
    assert_eq!((found.passes, found.products_per_pass), (Ok(189), Ok(113)));
    assert_eq!(found.kv_per_token, Ok(64 * 1024));
    let (busy, whole) = found.busy.unwrap();
    assert_eq!((busy * 100 / whole, busy, whole), (37, 5_590_000_000, 14_759_000_000));
    assert_eq!(format!("{:.0} %", busy as f64 / whole as f64 * 100.0), "38 %");
    let [all] = &found.work[..] else { panic!("one kind of work") };
    let g = &found.given;
    assert_eq!((all.name, all.tokens), ("all passes", 189.0));
    assert_eq!(format!("{:.2} ms a token", all.time / all.tokens / 1e6), "20.35 ms a token");
    assert_eq!(format!("{:.0} GB", all.bytes.unwrap() / 1e9), "934 GB");
    assert_eq!(format!("{:.0} GB/s", all.bytes_rate().unwrap() / 1e9), "243 GB/s");
    assert_eq!(format!("{:.0} % MBU", all.mbu(g).unwrap() * 100.0), "76 % MBU");
    assert_eq!(format!("{:.1} % MFU", all.mfu(g).unwrap() * 100.0), "1.5 % MFU");
    assert_eq!(all.is_memory_bound(g), Ok(true));
    assert_eq!(format!("{:.1} ms", all.floor(g).unwrap() / 189.0 / 1e6), "15.4 ms");
    let upload = found.upload.unwrap();
    assert!(upload.pageable);
    assert_eq!((upload.time, upload.copies), (1_241_000_000, 167));
    assert_eq!(format!("{:.2} GB/s", upload.rate.unwrap() / 1e9), "3.98 GB/s");
}

#[test]
fn what_nobody_states_is_unknown_with_the_reason() {
    let found = explain(TABLE, Given::default());
    assert_eq!(found.stored_as(), Err(NO_PARAMETERS));
    assert_eq!((found.passes, found.kv_per_token), (Err(NO_LAYERS), Err(NO_KV)));
    assert_eq!((found.work.len(), found.no_work), (0, NO_LAYERS));
    assert!(found.upload.unwrap().rate.is_err() && found.busy.is_ok());
    let without_peaks = Given { peak_bytes: None, peak_flops: None, ..llama() };
    let found = explain(TABLE, without_peaks);
    let all = &found.work[0];
    assert_eq!((all.mbu(&found.given), all.mfu(&found.given)), (Err(NO_BANDWIDTH), Err(NO_FLOPS)));
    assert!(all.bytes_rate().is_ok(), "what is read does not depend on what could be");
}

#[test]
fn only_requests_that_ran_alone_tell_what_a_pass_did() {
    let ms = 1_000_000i64;
    let request = |at: i64, end: i64| Request {
        arrived: at * ms,
        scheduled: Some(at * ms),
        first_token: Some((at + 10) * ms),
        last_token: Some(end * ms),
        finished: Some(end * ms),
        tokens: TokenCounts { input: Some(100), output: Some(11), ..TokenCounts::default() },
        kv_cache_bytes: Some(7 << 20),
        ..Request::default()
    };
    let given = Given {
        parameters: Some(1_000_000),
        weight_bytes: Some(2_000_000),
        peak_bytes: Some(1_000_000_000),
        peak_flops: Some(100_000_000_000),
        ..Given::default()
    };
    let explained = |rows: Vec<Request>| {
        let run = built(|b| {
            rows.iter().for_each(|r| {
                b.request(r.clone());
            })
        });
        ask(&run, &Explain { given: given.clone(), ..Explain::default() })
    };
    let one = explained(vec![request(0, 60), request(100, 200), request(150, 260)]);
    let [prefill, decode] = &one.work[..] else { panic!("two kinds of work") };
    assert_eq!((prefill.tokens, prefill.time), (100.0, 10e6));
    assert_eq!((decode.tokens, decode.time), (10.0, 50e6));
    // 2 × parameters × 100 tokens in 10 ms; 2 MB for each of ten tokens in 50 ms.
    assert_eq!((prefill.flops_rate(), decode.bytes_rate()), (Ok(2e10), Ok(4e8)));
    assert_eq!((prefill.mfu(&given), decode.mbu(&given)), (Ok(0.2), Ok(0.4)));
    assert_eq!((decode.is_memory_bound(&given), one.kv_most), (Ok(true), Ok(7 << 20)));
    assert_eq!(one.stored_as(), Ok("fp16 or bf16"));
    let beside = explained(vec![request(0, 60), request(30, 90)]);
    assert!(beside.work.is_empty() && beside.no_work.contains("beside others"), "{}", beside.no_work);
}

#[test]
fn bytes_tell_formats() {
    let names = [4.0, 2.0, 1.0625, 0.5625, 0.3, 3.0].map(stored_as);
    assert_eq!(names, ["fp32", "fp16 or bf16", "8 bits", "4 bits", "fewer than 4 bits", "several formats"]);
}

#[test]
fn a_share_above_one_says_that_it_cannot_be_and_what_to_check() {
    // The T4's bandwidth taken for a tenth of what it is.
    let wrong = Given { peak_bytes: Some(32_000_000_000), ..llama() };
    let found = explain(TABLE, wrong);
    let all = &found.work[0];
    assert!(all.mbu(&found.given).unwrap() > 1.0);
    let why = all.doubt(Peak::Bytes, &found.given).unwrap();
    assert!(why.starts_with("cannot be above 100 %") && why.contains("32 GB/s"), "{why}");
    assert_eq!(all.doubt(Peak::Operations, &found.given), None, "1.5 % can be");
    assert_eq!(explain(TABLE, llama()).work[0].doubt(Peak::Bytes, &llama()), None);
}
