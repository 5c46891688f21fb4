//! A model as the loader sees it, whatever files it lies in: metadata and tensors under the names that GGUF gives them.
//!
//! What the files claim about the model's shape is checked here, before anything is allocated or computed by it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::gguf::{Gguf, Source};
use super::{LlmError, folder};

/// The key under which GGUF files may hold a whole tokenizer.json.
pub(super) const TOKENIZER_JSON: &str = "tokenizer.huggingface.json";
/// Tensor of the divisors of the rotary frequencies (Llama 3.1 and later).
pub(super) const ROPE_FREQUENCIES: &str = "rope_freqs.weight";
/// End tokens beside the one that `tokenizer.ggml.eos_token_id` names; a key of our own.
pub(super) const MORE_ENDS: &str = "inferscope.end_token_ids";

/// Where metadata and tensors come from.
pub(super) trait Store {
    fn metadata(&self) -> &HashMap<String, Value>;
    /// Names of all tensors, in no order.
    fn names(&self) -> Vec<String>;
    /// Rows and columns (or the length), and the format.
    fn info(&self, name: &str) -> Option<(Vec<usize>, GgmlDType)>;
    /// Reads a tensor. Its name and size were checked.
    fn read(&mut self, name: &str, device: &Device) -> Result<QTensor, LlmError>;
    /// The GGUF header, if it is one: candle makes tokenizers of it.
    fn content(&self) -> Option<&Content>;
}

/// An opened and checked model.
pub(super) struct ModelFile<'a>(pub(super) Box<dyn Store + 'a>);

/// The shape of a Llama model, checked for sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) layers: usize,
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_width: usize,
    pub(super) context: usize,
    pub(super) norm_epsilon: f32,
    pub(super) rope_base: f32,
    /// Positions are divided by this.
    pub(super) rope_factor: f32,
}

/// Parts of a layer that may have a bias.
const WITH_BIAS: [&str; 4] = ["attn_q", "attn_k", "attn_v", "attn_output"];

/// True for a tensor of a Llama with so many layers.
fn is_known(name: &str, layers: usize) -> bool {
    let Some(rest) = name.strip_prefix("blk.") else {
        return matches!(
            name,
            "token_embd.weight" | "output_norm.weight" | "output.weight" | ROPE_FREQUENCIES
        );
    };
    let mut parts = rest.splitn(2, '.');
    let layer = parts.next().and_then(|n| n.parse::<usize>().ok());
    let part = parts.next().and_then(|part| part.rsplit_once('.'));
    layer.is_some_and(|n| n < layers)
        && part.is_some_and(|(part, kind)| match kind {
            // Old files repeat the rotations, which follow from the header.
            "weight" => folder::PARTS.iter().any(|(ours, _)| *ours == part) || part == "attn_rot_embd",
            "bias" => WITH_BIAS.contains(&part),
            _ => false,
        })
}

/// The error for a file that is not what it claims to be.
pub(super) fn bad(why: impl std::fmt::Display) -> LlmError {
    LlmError::File(format!("the model file is damaged or cut off: {why}; download it again"))
}

/// Puts the path before the reason.
pub(super) fn at(path: &Path) -> impl Fn(LlmError) -> LlmError + '_ {
    move |error| match error {
        LlmError::File(why) => LlmError::File(format!("{}: {why}", path.display())),
        other => other,
    }
}

/// The folder of a model that does not lie in one file: `path` itself, or where `path` is one of its parts.
pub(super) fn folder_of(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let part = path.extension().is_some_and(|e| e == "safetensors" || e == "json");
    let parent = path.parent().filter(|_| part)?;
    Some(if parent.as_os_str().is_empty() { Path::new(".").to_owned() } else { parent.to_owned() })
}

/// Opens a GGUF file.
pub(super) fn open_gguf(source: &mut dyn Source) -> Result<ModelFile<'_>, LlmError> {
    Ok(ModelFile(Box::new(Gguf::open(source)?)))
}

/// Opens a folder with config.json, tokenizer.json and safetensors files.
pub(super) fn open_folder(folder: &Path) -> Result<ModelFile<'static>, LlmError> {
    Ok(ModelFile(Box::new(folder::Folder::open(folder).map_err(at(folder))?)))
}

impl ModelFile<'_> {
    pub(super) fn metadata(&self) -> &HashMap<String, Value> {
        self.0.metadata()
    }

    fn number(&self, key: &str) -> Option<usize> {
        match self.metadata().get(key)? {
            Value::I32(v) => usize::try_from(*v).ok(),
            Value::I64(v) => usize::try_from(*v).ok(),
            value => value.to_u64().ok().and_then(|v| usize::try_from(v).ok()),
        }
    }

    fn real(&self, key: &str, default: f32) -> f32 {
        self.metadata().get(key).and_then(|v| v.to_f32().ok()).unwrap_or(default)
    }

    /// A text of the metadata; empty when it is missing.
    pub(super) fn text(&self, key: &str) -> &str {
        self.metadata().get(key).and_then(|v| v.to_string().ok()).map_or("", String::as_str)
    }

    /// The end-of-text tokens that the file names.
    pub(super) fn end_tokens(&self) -> Vec<u32> {
        let mut ends: Vec<u32> = self
            .number("tokenizer.ggml.eos_token_id")
            .and_then(|v| u32::try_from(v).ok())
            .into_iter()
            .collect();
        if let Some(Value::Array(more)) = self.metadata().get(MORE_ENDS) {
            ends.extend(more.iter().filter_map(|v| v.to_u32().ok()));
        }
        ends
    }

    pub(super) fn shape(&self) -> Result<Shape, LlmError> {
        let architecture = self.text("general.architecture");
        if architecture != "llama" {
            return Err(LlmError::File(format!(
                "models of the kind «{architecture}» cannot be run; pass one of the Llama family (such as SmolLM2)"
            )));
        }
        let need = |key: &str| self.number(key).ok_or_else(|| bad(format!("{key} is missing")));
        let (layers, width) = (need("llama.block_count")?, need("llama.embedding_length")?);
        let heads = need("llama.attention.head_count")?;
        let kv_heads = self.number("llama.attention.head_count_kv").unwrap_or(heads);
        let head_width =
            self.number("llama.rope.dimension_count").or(width.checked_div(heads)).unwrap_or_default();
        let shape = Shape {
            layers,
            width,
            heads,
            kv_heads,
            head_width,
            context: self.number("llama.context_length").unwrap_or(2048),
            norm_epsilon: self.real("llama.attention.layer_norm_rms_epsilon", 1e-5),
            rope_base: self.real("llama.rope.freq_base", 10_000.0),
            rope_factor: self.rope_factor()?,
        };
        let sane = (1..=1024).contains(&layers)
            && (1..=1 << 20).contains(&width)
            && (1..=4096).contains(&heads)
            && (1..=heads).contains(&kv_heads)
            && heads % kv_heads == 0
            && (2..=4096).contains(&head_width)
            && head_width.is_multiple_of(2)
            && shape.context > 0
            && shape.rope_base > 0.0
            && shape.rope_factor > 0.0;
        if !sane {
            return Err(bad(format!("its shape makes no sense ({shape:?})")));
        }
        self.check_names(layers)?;
        Ok(shape)
    }

    /// A tensor that is left out of the computation would make wrong text, so an unknown one is refused.
    fn check_names(&self, layers: usize) -> Result<(), LlmError> {
        let unknown = self.0.names().into_iter().filter(|name| !is_known(name, layers)).min();
        match unknown {
            None => Ok(()),
            Some(name) => Err(LlmError::File(format!(
                "the tensor «{name}» is not computed here, and without it the text would be wrong; pass a model of the \
                 Llama family (such as SmolLM2)"
            ))),
        }
    }

    fn rope_factor(&self) -> Result<f32, LlmError> {
        match self.text("llama.rope.scaling.type") {
            "" | "none" => Ok(1.0),
            "linear" => Ok(self.real("llama.rope.scaling.factor", 1.0)),
            other => {
                Err(LlmError::File(format!("rotary positions scaled by «{other}» are not computed here")))
            }
        }
    }

    /// Reads a tensor, which must have these dimensions.
    pub(super) fn tensor(
        &mut self,
        name: &str,
        dims: &[usize],
        device: &Device,
    ) -> Result<QTensor, LlmError> {
        let Some((has, _)) = self.0.info(name) else {
            return Err(bad(format!("the tensor {name} is missing")));
        };
        if has != dims {
            return Err(bad(format!("{name} has the shape {has:?} and not {dims:?}")));
        }
        self.0.read(name, device)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.info(name).is_some()
    }

    /// A vector, as numbers.
    pub(super) fn vector(&mut self, name: &str, len: usize, device: &Device) -> Result<Tensor, LlmError> {
        Ok(self.tensor(name, &[len], device)?.dequantize(device)?)
    }

    /// Rows and columns of a matrix.
    pub(super) fn matrix_dims(&self, name: &str) -> Result<(usize, usize), LlmError> {
        match self.0.info(name).map(|(dims, _)| dims).as_deref() {
            Some(&[rows, columns]) => Ok((rows, columns)),
            _ => Err(bad(format!("the matrix {name} is missing"))),
        }
    }

    /// The format of most weights, as the file has them.
    pub(super) fn weight_format(&self) -> Option<GgmlDType> {
        ["blk.0.ffn_up.weight", "blk.0.attn_q.weight"]
            .into_iter()
            .find_map(|name| self.0.info(name))
            .map(|(_, format)| format)
    }
}
