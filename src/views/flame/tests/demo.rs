//! A made-up trace of an LLM service, rich enough to judge pictures by.

use std::sync::Arc;

use crate::model::{
    ArgsRef, FunctionSpec, Metric, Profile, ProfileBuilder, SpanStatus, TrackId, TrackKind, TrackSpec, Value,
};

struct Maker {
    b: ProfileBuilder,
    seed: u64,
}

impl Maker {
    fn random(&mut self, below: i64) -> i64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.seed >> 33) % below.max(1) as u64) as i64
    }

    fn track(&mut self, process: &str, name: &str, kind: TrackKind) -> TrackId {
        self.b.track(TrackSpec { name, process, kind, sort: 0 })
    }

    fn span(&mut self, track: TrackId, at: i64, length: i64, name: &str, module: &str) -> u32 {
        let category = if module == "cuda" { "kernel" } else { module };
        let function = FunctionSpec { name, module, file: "src/serve.py", line: 40, category };
        let function = self.b.function(function);
        self.b.span(track, at, at + length, function, ArgsRef::NONE)
    }

    /// One token: layers on the CPU, kernels on the GPU. Returns its end.
    fn token(&mut self, (cpu, gpu): (TrackId, TrackId), at: i64, name: &str, scale: i64) -> i64 {
        let mut t = at + 4_000;
        for layer in 0..6 {
            let begin = t;
            for (op, module, cost) in [
                ("aten::rms_norm", "torch", 9),
                ("aten::linear", "torch", 26),
                ("aten::rotary_embedding", "torch", 6),
                ("aten::scaled_dot_product_attention", "torch", 44),
                ("aten::linear", "torch", 22),
                ("aten::silu", "torch", 7),
            ] {
                let length = (cost + self.random(6)) * scale;
                self.span(cpu, t + 300, length, op, module);
                self.span(gpu, t + 700, length - 200, &format!("{}_kernel", &op[6..]), "cuda");
                t += length + 500;
            }
            self.span(cpu, begin, t - begin, &format!("layer {layer}"), "llama.model");
        }
        self.span(cpu, t, 20 * scale, "sample_top_p", "llama.sampling");
        t += 24 * scale;
        self.span(cpu, at, t - at, name, "llama.generate");
        t + 2_000
    }
}

/// The trace.
pub fn profile() -> Arc<Profile> {
    let mut m = Maker { b: ProfileBuilder::new("demo"), seed: 7 };
    m.b.metric(Metric::time());
    let server = m.track("server", "asyncio main", TrackKind::Thread);
    let cpu = m.track("server", "inference worker", TrackKind::Thread);
    let gpu = m.track("GPU 0", "stream 7", TrackKind::GpuStream);
    let tasks = m.track("server", "requests", TrackKind::Async);
    let mut t = 0;
    for request in 0..7 {
        let begin = t;
        m.span(server, t + 2_000, 90_000, "parse_request", "server.http");
        m.span(server, t + 10_000, 60_000, "tokenize", "tokenizers");
        m.span(server, t + 120_000, 260_000, "retrieve_context", "rag.store");
        m.span(server, t + 140_000, 200_000, "embed_query", "rag.embed");
        if request == 3 {
            let function = m.b.function(FunctionSpec {
                name: "rerank",
                module: "rag.rerank",
                ..FunctionSpec::default()
            });
            let (key, text) = (m.b.string("error.message"), m.b.string("HTTP 429: too many requests"));
            let args = m.b.args([(key, Value::Text(text))]);
            let span = m.b.open_span(server, t + 400_000, function, args);
            m.b.close_span(server, span, t + 620_000, SpanStatus::Error);
        }
        let start = t + 400_000;
        let mut now = m.token((cpu, gpu), start, "prefill", 900);
        let tokens = 12 + m.random(20);
        for _ in 0..tokens {
            now = m.token((cpu, gpu), now, "decode", 60 + request);
        }
        m.span(cpu, start - 5_000, now - start + 10_000, "generate", "llama.generate");
        m.span(server, t, now - t + 30_000, "handle_request", "server.http");
        m.span(tasks, begin, now - begin + 40_000, "POST /v1/chat/completions", "server.http");
        m.span(tasks, begin + 500_000, 900_000, "stream response", "server.http");
        t = now - 900_000.min(now - t - 10_000);
        t = t.max(now + 40_000);
    }
    let function =
        m.b.function(FunctionSpec { name: "health_check", module: "server.http", ..FunctionSpec::default() });
    m.b.open_span(server, t + 20_000, function, ArgsRef::NONE);
    m.span(cpu, t, 900_000, "flush_cache", "llama.cache");
    Arc::new(m.b.finish())
}
