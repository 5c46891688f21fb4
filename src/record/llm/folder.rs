//! Model folders as the Hugging Face hub has them: config.json, tokenizer.json, and weights in one or more
//! safetensors files. They are shown under the names and in the row order of GGUF, so that the rest knows one
//! kind of model only.
//!
//! A safetensors file is eight bytes with the length of a header, the header (JSON: name, type, shape, place of
//! each tensor), and the numbers. Nothing is allocated by a length before it was compared with the file's own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor, ggml_file};
use serde_json::Value as Json;

use super::LlmError;
use super::config::Config;
use super::file::{MORE_ENDS, ROPE_FREQUENCIES, Store, TOKENIZER_JSON, bad};

/// Longest header of a safetensors file, as their library has it.
const LONGEST_HEADER: u64 = 100_000_000;
/// Longest JSON file that is read: tokenizers have tens of megabytes.
const LONGEST_JSON: u64 = 256 << 20;

/// Parts of a layer: GGUF's name, and the hub's.
pub(super) const PARTS: [(&str, &str); 9] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// A tensor of one of the files.
struct Entry {
    file: usize,
    format: GgmlDType,
    dims: Vec<usize>,
    start: u64,
    bytes: usize,
}

/// An opened and checked model folder.
pub(super) struct Folder {
    metadata: HashMap<String, Value>,
    files: Vec<(File, PathBuf)>,
    /// By GGUF's names.
    entries: HashMap<String, Entry>,
    /// Heads of queries and of keys, whose rows GGUF has in another order.
    heads: (usize, usize),
    /// Divisors of the rotary frequencies.
    frequencies: Option<Vec<f32>>,
}

fn wrong(why: impl std::fmt::Display) -> LlmError {
    LlmError::File(why.to_string())
}

impl Folder {
    /// Reads config and headers.
    pub(super) fn open(folder: &Path) -> Result<Self, LlmError> {
        let config = Config::parse(&json(folder, "config.json")?)?;
        let mut metadata = config.metadata();
        let tokenizer = text(folder, "tokenizer.json")?.ok_or_else(|| {
            wrong("tokenizer.json is missing; SentencePiece's tokenizer.model is not read, convert it or pass a GGUF file")
        })?;
        metadata.insert(TOKENIZER_JSON.into(), Value::String(tokenizer));
        if let Some(template) = chat_template(folder)? {
            metadata.insert("tokenizer.chat_template".into(), Value::String(template));
        }
        let mut ends = config.ends.clone();
        if folder.join("generation_config.json").exists() {
            ends.extend(super::config::ends(&json(folder, "generation_config.json")?));
        }
        let ends = ends.into_iter().map(Value::U32).collect();
        metadata.insert(MORE_ENDS.into(), Value::Array(ends));
        let mut files = Vec::new();
        let mut entries = HashMap::new();
        for (name, wanted) in shards(folder)? {
            let path = folder.join(&name);
            let mut file = File::open(&path).map_err(|e| wrong(format!("{name} cannot be opened: {e}")))?;
            let within = |e: LlmError| match e {
                LlmError::File(why) => wrong(format!("{name}: {why}")),
                other => other,
            };
            let found = header(&mut file, files.len()).map_err(within)?;
            for (tensor, entry) in found {
                if wanted.as_ref().is_some_and(|w| !w.contains(&tensor)) {
                    continue;
                }
                if let Some(known) = known_as(&tensor, config.tied)? {
                    entries.insert(known, entry);
                }
            }
            files.push((file, path));
        }
        if config.biases && !entries.contains_key("blk.0.attn_q.bias") {
            return Err(wrong("config.json says attention_bias, and the weights have none"));
        }
        let (heads, frequencies) = ((config.heads, config.kv_heads), config.frequencies());
        Ok(Self { metadata, files, entries, heads, frequencies })
    }
}

impl Store for Folder {
    fn metadata(&self) -> &HashMap<String, Value> {
        &self.metadata
    }

    fn names(&self) -> Vec<String> {
        let made = self.frequencies.is_some().then(|| ROPE_FREQUENCIES.to_owned());
        self.entries.keys().cloned().chain(made).collect()
    }

    fn info(&self, name: &str) -> Option<(Vec<usize>, GgmlDType)> {
        match &self.frequencies {
            Some(numbers) if name == ROPE_FREQUENCIES => Some((vec![numbers.len()], GgmlDType::F32)),
            _ => self.entries.get(name).map(|e| (e.dims.clone(), e.format)),
        }
    }

    fn read(&mut self, name: &str, device: &Device) -> Result<QTensor, LlmError> {
        if let Some(numbers) = self.frequencies.as_ref().filter(|_| name == ROPE_FREQUENCIES) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            return Ok(ggml_file::qtensor_from_ggml(GgmlDType::F32, &bytes, vec![numbers.len()], device)?);
        }
        let entry = self.entries.get(name).ok_or_else(|| bad(format!("the tensor {name} is missing")))?;
        let (file, path) = &mut self.files[entry.file];
        let mut bytes = vec![0; entry.bytes];
        let read = file.seek(SeekFrom::Start(entry.start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|e| wrong(format!("{} cannot be read: {e}", path.display())))?;
        let heads = match name.split('.').nth(2) {
            Some("attn_q") => self.heads.0,
            Some("attn_k") => self.heads.1,
            _ => 0,
        };
        if heads > 0 {
            bytes = pair_rows(&bytes, entry.dims[0], heads)
                .ok_or_else(|| bad(format!("{name} has {} rows for {heads} heads", entry.dims[0])))?;
        }
        Ok(ggml_file::qtensor_from_ggml(entry.format, &bytes, entry.dims.clone(), device)?)
    }

    fn content(&self) -> Option<&Content> {
        None
    }
}

/// The hub rotates the first half of a head against the second; GGUF neighbours. The same numbers, the rows of
/// each head in another order. `None` when the rows are not those of so many heads.
fn pair_rows(bytes: &[u8], rows: usize, heads: usize) -> Option<Vec<u8>> {
    let width = rows.checked_div(heads)?;
    if rows == 0 || width * heads != rows || !width.is_multiple_of(2) {
        return None;
    }
    let row = bytes.len() / rows;
    let mut out = Vec::with_capacity(bytes.len());
    for i in 0..rows {
        let (head, at) = (i / width, i % width);
        let from = head * width + (at % 2) * (width / 2) + at / 2;
        out.extend_from_slice(&bytes[from * row..(from + 1) * row]);
    }
    Some(out)
}

/// GGUF's name of a tensor; `None` for one that is not needed.
fn known_as(name: &str, tied: bool) -> Result<Option<String>, LlmError> {
    let known = match name {
        "model.embed_tokens.weight" => Some("token_embd.weight".to_owned()),
        "model.norm.weight" => Some("output_norm.weight".to_owned()),
        "lm_head.weight" if tied => return Ok(None),
        "lm_head.weight" => Some("output.weight".to_owned()),
        _ if name.ends_with("rotary_emb.inv_freq") => return Ok(None),
        _ => name.strip_prefix("model.layers.").and_then(|rest| {
            let (layer, rest) = rest.split_once('.')?;
            let (part, kind) =
                rest.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "weight" | "bias"))?;
            let layer: usize = layer.parse().ok()?;
            let (ours, _) = PARTS.iter().find(|(_, theirs)| *theirs == part)?;
            Some(format!("blk.{layer}.{ours}.{kind}"))
        }),
    };
    match known {
        Some(known) => Ok(Some(known)),
        None => Err(wrong(format!(
            "the tensor «{name}» is none of a Llama; quantised and adapted weights are not read"
        ))),
    }
}

/// Names of weight files; each with the tensors that are to be taken from it, or `None` for all.
type Shards = BTreeMap<String, Option<BTreeSet<String>>>;

/// The weight files.
fn shards(folder: &Path) -> Result<Shards, LlmError> {
    const INDEX: &str = "model.safetensors.index.json";
    if !folder.join(INDEX).exists() {
        if folder.join("model.safetensors").exists() {
            return Ok(BTreeMap::from([("model.safetensors".to_owned(), None)]));
        }
        return Err(wrong(format!(
            "there is neither model.safetensors nor {INDEX}; other weight files are not read"
        )));
    }
    let index = json(folder, INDEX)?;
    let Some(map) = index.get("weight_map").and_then(Json::as_object) else {
        return Err(wrong(format!("{INDEX} has no weight_map")));
    };
    let mut shards = Shards::new();
    for (tensor, file) in map {
        let name = file.as_str().unwrap_or_default();
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) || name.contains('\\')
        {
            let shown: String = name.chars().take(80).collect();
            return Err(wrong(format!("{INDEX} names «{shown}», which is no file of this folder")));
        }
        let tensors = shards.entry(name.to_owned()).or_insert_with(|| Some(Default::default()));
        tensors.get_or_insert_default().insert(tensor.clone());
    }
    Ok(shards)
}

/// The tensors of a safetensors file.
fn header(file: &mut File, number: usize) -> Result<Vec<(String, Entry)>, LlmError> {
    let unreadable = |e: std::io::Error| wrong(format!("cannot be read: {e}"));
    let size = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| bad("it has no header"))?;
    let length = u64::from_le_bytes(length);
    if length > size.saturating_sub(8) || length > LONGEST_HEADER {
        return Err(bad(format!("its header would have {length} bytes, and the file has {size}")));
    }
    let mut text = Vec::new();
    Read::by_ref(file).take(length).read_to_end(&mut text).map_err(unreadable)?;
    let header: Json =
        serde_json::from_slice(&text).map_err(|e| bad(format!("its header is no JSON ({e})")))?;
    let Some(header) = header.as_object() else { return Err(bad("its header is no object")) };
    let data = 8 + length;
    let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
    tensors.map(|(name, about)| Ok((name.clone(), entry(name, about, number, data, size)?))).collect()
}

fn entry(name: &str, about: &Json, file: usize, data: u64, size: u64) -> Result<Entry, LlmError> {
    let format = match about.get("dtype").and_then(Json::as_str).unwrap_or_default() {
        "F32" => GgmlDType::F32,
        "F16" => GgmlDType::F16,
        "BF16" => GgmlDType::BF16,
        other => {
            return Err(wrong(format!("{name} has the type «{other}»; F32, F16 and BF16 are read")));
        }
    };
    let numbers =
        |key: &str| -> Option<Vec<u64>> { about.get(key)?.as_array()?.iter().map(Json::as_u64).collect() };
    let dims = numbers("shape").filter(|d| (1..=2).contains(&d.len()));
    let wanted = dims.as_ref().and_then(|dims| {
        dims.iter().try_fold(format.type_size() as u64, |product, &d| product.checked_mul(d))
    });
    let place = numbers("data_offsets");
    match (dims, wanted, place.as_deref()) {
        (Some(dims), Some(bytes), Some(&[from, to])) if bytes > 0 && to.checked_sub(from) == Some(bytes) => {
            let end = data.checked_add(to).filter(|&end| end <= size);
            let end = end.ok_or_else(|| bad(format!("{name} ends behind the file's {size} bytes")))?;
            let dims = dims.into_iter().map(|d| d as usize).collect();
            Ok(Entry { file, format, dims, start: end - bytes, bytes: bytes as usize })
        }
        _ => Err(bad(format!("the shape and the place of {name} do not fit together"))),
    }
}

/// A file of the folder as text; `None` when there is none.
fn text(folder: &Path, name: &str) -> Result<Option<String>, LlmError> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let unreadable = |e: std::io::Error| wrong(format!("{name} cannot be read: {e}"));
    let mut text = String::new();
    let file = File::open(&path).map_err(unreadable)?;
    file.take(LONGEST_JSON + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LONGEST_JSON {
        return Err(wrong(format!("{name} is longer than any real one")));
    }
    Ok(Some(text))
}

fn json(folder: &Path, name: &str) -> Result<Json, LlmError> {
    let text = text(folder, name)?
        .ok_or_else(|| wrong(format!("{name} is missing; pass a GGUF file or a model's whole folder")))?;
    serde_json::from_str(&text).map_err(|e| wrong(format!("{name} is damaged: {e}")))
}

/// The template of chat prompts, if the folder has one.
fn chat_template(folder: &Path) -> Result<Option<String>, LlmError> {
    if let Some(template) = text(folder, "chat_template.jinja")? {
        return Ok(Some(template));
    }
    if !folder.join("tokenizer_config.json").exists() {
        return Ok(None);
    }
    let config = json(folder, "tokenizer_config.json")?;
    Ok(config.get("chat_template").and_then(Json::as_str).map(str::to_owned))
}

#[cfg(test)]
mod tests;
