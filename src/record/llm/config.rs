//! config.json of a model folder: which model it is, and its shape in GGUF's words.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Value;
use serde_json::Value as Json;

use super::LlmError;
use super::engine::MOST_POSITIONS;

/// What is known of a model from its config.
pub(super) struct Config {
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    /// One matrix for the embedding and the last product.
    pub(super) tied: bool,
    /// The products of attention have biases.
    pub(super) biases: bool,
    /// Tokens that end an answer.
    pub(super) ends: Vec<u32>,
    numbers: Vec<(&'static str, u32)>,
    norm_epsilon: f32,
    head_width: usize,
    rope: Rope,
}

/// The rotary positions.
struct Rope {
    base: f32,
    /// Positions are divided by this.
    linear: Option<f32>,
    llama3: Option<Llama3>,
}

/// Llama 3.1's stretching of slow rotations.
struct Llama3 {
    factor: f32,
    low: f32,
    high: f32,
    context: f32,
}

fn wrong(why: impl std::fmt::Display) -> LlmError {
    LlmError::File(format!("config.json: {why}"))
}

fn real(json: &Json, key: &str) -> Option<f32> {
    json.get(key).and_then(Json::as_f64).map(|v| v as f32).filter(|v| v.is_finite())
}

/// `eos_token_id`: one number or a list.
pub(super) fn ends(json: &Json) -> Vec<u32> {
    let id = |v: &Json| v.as_u64().and_then(|v| u32::try_from(v).ok());
    match json.get("eos_token_id") {
        Some(Json::Array(list)) => list.iter().filter_map(id).collect(),
        Some(one) => id(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn is_on(json: &Json, key: &str) -> bool {
    json.get(key).is_some_and(|v| *v == Json::Bool(true))
}

impl Config {
    pub(super) fn parse(json: &Json) -> Result<Self, LlmError> {
        check_kind(json)?;
        let number = |key: &str| {
            json.get(key).and_then(Json::as_u64).and_then(|v| u32::try_from(v).ok()).filter(|&v| v > 0)
        };
        let need = |key: &str| number(key).ok_or_else(|| wrong(format!("{key} is missing or no number")));
        let (layers, width) = (need("num_hidden_layers")?, need("hidden_size")?);
        let heads = need("num_attention_heads")?;
        let kv_heads = number("num_key_value_heads").unwrap_or(heads);
        let head_width = number("head_dim").unwrap_or(width / heads);
        Ok(Self {
            heads: heads as usize,
            kv_heads: kv_heads as usize,
            tied: json.get("tie_word_embeddings").and_then(Json::as_bool).unwrap_or(false),
            biases: is_on(json, "attention_bias"),
            ends: ends(json),
            numbers: vec![
                ("llama.block_count", layers),
                ("llama.embedding_length", width),
                ("llama.attention.head_count", heads),
                ("llama.attention.head_count_kv", kv_heads),
                ("llama.rope.dimension_count", head_width),
                ("llama.context_length", number("max_position_embeddings").unwrap_or(2048)),
            ],
            norm_epsilon: real(json, "rms_norm_eps").unwrap_or(1e-6),
            head_width: head_width as usize,
            rope: Rope::parse(json)?,
        })
    }

    /// The same in GGUF's words.
    pub(super) fn metadata(&self) -> HashMap<String, Value> {
        let text = |t: &str| Value::String(t.to_owned());
        let mut all = HashMap::from([("general.architecture".to_owned(), text("llama"))]);
        all.extend(self.numbers.iter().map(|&(key, v)| (key.to_owned(), Value::U32(v))));
        all.insert("llama.attention.layer_norm_rms_epsilon".into(), Value::F32(self.norm_epsilon));
        all.insert("llama.rope.freq_base".into(), Value::F32(self.rope.base));
        if let Some(factor) = self.rope.linear {
            all.insert("llama.rope.scaling.type".into(), text("linear"));
            all.insert("llama.rope.scaling.factor".into(), Value::F32(factor));
        }
        all
    }

    /// Divisors of the rotary frequencies, one for each pair of a head. Of Llama 3.1 and later: fast rotations stay,
    /// slow ones are stretched by the factor, and between the two bounds it is blended.
    pub(super) fn frequencies(&self) -> Option<Vec<f32>> {
        let Llama3 { factor, low, high, context } = self.rope.llama3.as_ref()?;
        // A width that makes no sense is refused where the shape is checked.
        let width = self.head_width.min(4096);
        let divisor = |i: usize| {
            let wave = std::f32::consts::TAU * self.rope.base.powf((2 * i) as f32 / width as f32);
            let smooth = ((context / wave - low) / (high - low)).clamp(0.0, 1.0);
            ((1.0 - smooth) / factor + smooth).recip()
        };
        Some((0..width / 2).map(divisor).collect())
    }
}

/// Refuses what would be computed wrongly.
fn check_kind(json: &Json) -> Result<(), LlmError> {
    let listed = json.get("architectures").and_then(|a| a.get(0)).and_then(Json::as_str);
    let kind = match (listed, json.get("model_type").and_then(Json::as_str)) {
        (Some(kind), _) => kind,
        (None, Some("llama")) => "LlamaForCausalLM",
        (None, Some("mistral")) => "MistralForCausalLM",
        (None, other) => other.unwrap_or("unknown"),
    };
    if !matches!(kind, "LlamaForCausalLM" | "MistralForCausalLM") {
        return Err(LlmError::File(format!(
            "models of the kind «{kind}» cannot be run; pass one of the Llama family (such as SmolLM2)"
        )));
    }
    if is_on(json, "mlp_bias") {
        return Err(wrong("biases of the MLP are not computed here"));
    }
    let activation = json.get("hidden_act").and_then(Json::as_str).unwrap_or("silu");
    if activation != "silu" {
        return Err(wrong(format!("the activation «{activation}» is not computed here")));
    }
    if let Some(method) = json.get("quantization_config").filter(|q| !q.is_null()) {
        let method = method.get("quant_method").and_then(Json::as_str).unwrap_or("unknown");
        return Err(wrong(format!(
            "weights quantised by «{method}» are not read; pass the original ones or a GGUF file"
        )));
    }
    // A window that is no shorter than what is computed changes nothing.
    let window = json.get("sliding_window").and_then(Json::as_u64).filter(|_| kind == "MistralForCausalLM");
    match window {
        Some(window) if window < MOST_POSITIONS as u64 => {
            Err(wrong(format!("attention within a sliding window (of {window} tokens) is not computed here")))
        }
        _ => Ok(()),
    }
}

impl Rope {
    fn parse(json: &Json) -> Result<Self, LlmError> {
        // Newer files have everything in `rope_parameters`.
        let scaling =
            ["rope_scaling", "rope_parameters"].iter().find_map(|k| json.get(k).filter(|v| v.is_object()));
        let none = Json::Null;
        let scaling = scaling.unwrap_or(&none);
        let base = real(json, "rope_theta").or(real(scaling, "rope_theta")).unwrap_or(10_000.0);
        let kind = ["rope_type", "type"].iter().find_map(|k| scaling.get(k)).and_then(Json::as_str);
        let need = |key: &str| {
            real(scaling, key)
                .filter(|&v| v > 0.0)
                .ok_or_else(|| wrong(format!("rope_scaling without {key}")))
        };
        let mut rope = Self { base, linear: None, llama3: None };
        match kind.unwrap_or("default") {
            "default" => {}
            "linear" => rope.linear = Some(need("factor")?),
            "llama3" => {
                let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
                if high <= low {
                    return Err(wrong("rope_scaling has its bounds the wrong way round"));
                }
                let context = need("original_max_position_embeddings")?;
                rope.llama3 = Some(Llama3 { factor: need("factor")?, low, high, context });
            }
            other => {
                return Err(wrong(format!("rotary positions scaled by «{other}» are not computed here")));
            }
        }
        Ok(rope)
    }
}
