use std::fs;
use std::io::Cursor;
use std::sync::Arc;

use serde_json::json;

use super::super::file::{ModelFile, open_gguf};
use super::super::{BUNDLED, Generator, LoadOptions, Model, Sampling, VariantFile, WeightFormat};
use super::*;
use crate::record::request;

/// A folder that goes away.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("inferscope-folder-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), content).unwrap();
    }

    /// What opening it says.
    fn error(&self) -> String {
        let error = Folder::open(&self.0).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The bytes of a safetensors file.
fn safetensors(tensors: &[(String, &str, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    for (name, dtype, dims, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert(name.clone(), json!({"dtype": dtype, "shape": dims, "data_offsets": offsets}));
        data.extend_from_slice(bytes);
    }
    with_header(&Json::Object(header).to_string(), &data)
}

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// The opposite of [`pair_rows`].
fn split_rows(bytes: &[u8], rows: usize, heads: usize) -> Vec<u8> {
    let (width, row) = (rows / heads, bytes.len() / rows);
    let mut out = vec![0; bytes.len()];
    for i in 0..rows {
        let (head, at) = (i / width, i % width);
        let to = head * width + (at % 2) * (width / 2) + at / 2;
        out[to * row..(to + 1) * row].copy_from_slice(&bytes[i * row..(i + 1) * row]);
    }
    out
}

fn config() -> Json {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "num_hidden_layers": 4, "hidden_size": 256, "intermediate_size": 512, "vocab_size": 1024,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true, "eos_token_id": 0
    })
}

/// The weights of a GGUF file under the hub's names, in the hub's order of rows.
fn hub_tensors(gguf: &Path, dtype: &'static str) -> Vec<(String, &'static str, Vec<usize>, Vec<u8>)> {
    let mut source = File::open(gguf).unwrap();
    let mut file: ModelFile<'_> = open_gguf(&mut source).unwrap();
    let mut names = file.0.names();
    names.sort();
    let tensors = names.into_iter().map(|name| {
        let (dims, _) = file.0.info(&name).unwrap();
        let tensor = file.tensor(&name, &dims, &Device::Cpu).unwrap();
        let bytes = tensor.data().unwrap().into_owned();
        let hub = match name.strip_prefix("blk.") {
            None if name == "token_embd.weight" => "model.embed_tokens.weight".to_owned(),
            None => "model.norm.weight".to_owned(),
            Some(rest) => {
                let (layer, rest) = rest.split_once('.').unwrap();
                let (part, kind) = rest.split_once('.').unwrap();
                let theirs = PARTS.iter().find(|p| p.0 == part).unwrap().1;
                format!("model.layers.{layer}.{theirs}.{kind}")
            }
        };
        let heads = [("q_proj", 4), ("k_proj", 2)].into_iter().find(|(part, _)| hub.contains(part));
        let bytes = heads.map_or_else(|| bytes.clone(), |(_, heads)| split_rows(&bytes, dims[0], heads));
        // Norms are F32 in every GGUF file.
        (hub, if dims.len() == 1 { "F32" } else { dtype }, dims, bytes)
    });
    tensors.collect()
}

fn tokenizer() -> String {
    let mut source = Cursor::new(BUNDLED);
    let file = open_gguf(&mut source).unwrap();
    super::super::tokens::tokenizer(&file).unwrap().to_string(false).unwrap()
}

const TEMPLATE: &str =
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}<|assistant|>";

fn answer(path: &Path) -> Vec<u32> {
    let model = Arc::new(Model::load(Some(path), LoadOptions::default(), &|| Ok(())).unwrap());
    let sampling =
        Sampling { temperature: 0.7, top_k: 40, top_p: 0.95, seed: 7, stream: 0, max_new_tokens: 8 };
    let mut generator = Generator::new(model).unwrap();
    let handle = request("", "", "");
    generator.answer("Hi", sampling, &handle, &|| Ok(())).unwrap().tokens
}

#[test]
fn a_folder_gives_the_tokens_of_the_same_weights_as_gguf() {
    let folder = Temp::new("same");
    folder.write("tokenizer.json", tokenizer());
    folder.write("config.json", config().to_string());
    folder.write("tokenizer_config.json", json!({ "chat_template": TEMPLATE }).to_string());
    for (format, dtype) in [("f32", "F32"), ("bf16", "BF16")] {
        let gguf = VariantFile::make(None, WeightFormat::list(format).unwrap()[0], &|| Ok(())).unwrap();
        let tensors = hub_tensors(gguf.path(), dtype);
        let expected = answer(gguf.path());
        assert!(expected.len() > 4);
        folder.write("model.safetensors", safetensors(&tensors));
        assert_eq!(answer(&folder.0), expected, "{format}, one file");
        assert_eq!(answer(&folder.0.join("config.json")), expected, "a file of it stands for the folder");
        let (first, second) = tensors.split_at(tensors.len() / 2);
        folder.write("a.safetensors", safetensors(first));
        folder.write("b.safetensors", safetensors(second));
        let of = |list: &[(String, _, _, _)], file: &str| -> Vec<(String, Json)> {
            list.iter().map(|t| (t.0.clone(), json!(file))).collect()
        };
        let map = [of(first, "a.safetensors"), of(second, "b.safetensors")].concat();
        let map: serde_json::Map<String, Json> = map.into_iter().collect();
        fs::remove_file(folder.0.join("model.safetensors")).unwrap();
        folder.write("model.safetensors.index.json", json!({ "weight_map": map }).to_string());
        assert_eq!(answer(&folder.0), expected, "{format}, two files");
        fs::remove_file(folder.0.join("model.safetensors.index.json")).unwrap();
    }
    // Formats can be compared, too: the variant takes the tokenizer and the template along.
    folder.write("model.safetensors", with_header("{}", &[]));
    let format = WeightFormat::list("q8_0").unwrap()[0];
    let made = VariantFile::make(Some(&folder.0), format, &|| Ok(())).unwrap();
    let mut source = File::open(made.path()).unwrap();
    let file = open_gguf(&mut source).unwrap();
    assert_eq!(file.text("tokenizer.chat_template"), TEMPLATE);
    assert!(super::super::tokens::Tokens::of(&file).unwrap().is_stop(0));
}

/// A GGUF file of the bundled model with further vectors.
fn with_vectors(folder: &Temp, name: &str, more: &[(String, Vec<f32>)]) -> PathBuf {
    use candle_core::{Tensor, quantized::gguf_file};
    let mut source = Cursor::new(BUNDLED);
    let mut file = open_gguf(&mut source).unwrap();
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    for name in file.0.names() {
        let (dims, _) = file.0.info(&name).unwrap();
        let numbers = file.tensor(&name, &dims, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
        tensors.push((name, QTensor::quantize(&numbers, GgmlDType::F32).unwrap()));
    }
    for (name, numbers) in more {
        let numbers = Tensor::from_slice(numbers, numbers.len(), &Device::Cpu).unwrap();
        tensors.push((name.clone(), QTensor::quantize(&numbers, GgmlDType::F32).unwrap()));
    }
    let metadata: Vec<(&str, &Value)> = file.metadata().iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    let path = folder.0.join(name);
    gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &tensors).unwrap();
    path
}

/// Scores of the tokens after a short text.
fn scores(path: &Path) -> Vec<f32> {
    let model = Model::load(Some(path), LoadOptions::default(), &|| Ok(())).unwrap();
    let mut cache = model.llama().cache(16).unwrap();
    let all = model.llama().forward_all(&[5, 200, 31, 77, 12], &mut cache, &|| Ok(())).unwrap();
    all.flatten_all().unwrap().to_vec1().unwrap()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn biases_of_attention_are_added() {
    let folder = Temp::new("biases");
    let bias = |part: &str, len: usize| {
        let number = |i: usize| ((i * 37 + part.len() * 11) % 17) as f32 / 8.0 - 1.0;
        (format!("blk.1.attn_{part}.bias"), (0..len).map(number).collect::<Vec<f32>>())
    };
    let plain = scores(&with_vectors(&folder, "plain.gguf", &[]));
    let all = [bias("q", 256), bias("k", 128), bias("v", 128), bias("output", 256)];
    for one in &all {
        let with = scores(&with_vectors(&folder, "one.gguf", std::slice::from_ref(one)));
        assert!(farthest(&plain, &with) > 0.01, "{} changes nothing", one.0);
    }
    // What is added to all values passes through attention as it is, since its weights add up to 1: so it is the same
    // as what the last product makes of it, added there.
    let [_, _, values, _] = &all;
    let mut source = Cursor::new(BUNDLED);
    let matrix =
        open_gguf(&mut source).unwrap().tensor("blk.1.attn_output.weight", &[256, 256], &Device::Cpu);
    let matrix = matrix.unwrap().dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
    let repeated: Vec<f32> = values.1.chunks(64).flat_map(|head| [head, head].concat()).collect();
    let through = matrix.iter().map(|row| row.iter().zip(&repeated).map(|(w, x)| w * x).sum()).collect();
    let output = ("blk.1.attn_output.bias".to_owned(), through);
    let [values, output] = [values.clone(), output].map(|b| scores(&with_vectors(&folder, "v.gguf", &[b])));
    assert!(farthest(&values, &output) < 1e-3, "{}", farthest(&values, &output));
    // The hub's order of rows holds for biases, too.
    let gguf = with_vectors(&folder, "all.gguf", &all);
    let hub = Temp::new("biases-hub");
    hub.write("tokenizer.json", tokenizer());
    let mut config = config();
    config["attention_bias"] = json!(true);
    hub.write("config.json", config.to_string());
    hub.write("model.safetensors", safetensors(&hub_tensors(&gguf, "F32")));
    assert!(hub.error().contains("attention_bias"), "the first layer has none");
    config["attention_bias"] = json!(false);
    hub.write("config.json", config.to_string());
    assert!(farthest(&scores(&hub.0), &scores(&gguf)) < 1e-5);
}

#[test]
fn tensors_that_would_be_left_out_are_refused_by_name() {
    let folder = Temp::new("unknown");
    for name in ["blk.0.ffn_up.bias", "blk.2.attn_q_norm.weight", "blk.4.attn_q.bias", "output.bias", "x"] {
        let path = with_vectors(&folder, "unknown.gguf", &[(name.to_owned(), vec![0.5; 256])]);
        let error = Model::load(Some(&path), LoadOptions::default(), &|| Ok(())).unwrap_err().to_string();
        let says = error.contains("unknown.gguf: ") && error.contains(&format!("«{name}»"));
        assert!(says && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn what_cannot_be_computed_is_named() {
    let folder = Temp::new("kinds");
    folder.write("tokenizer.json", "{}");
    let with = |change: Json| {
        let mut config = config();
        config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        folder.write("config.json", config.to_string());
        folder.error()
    };
    for (change, says) in [
        (json!({"architectures": ["Qwen2ForCausalLM"]}), "«Qwen2ForCausalLM» cannot be run"),
        (json!({"architectures": null, "model_type": "gemma"}), "«gemma» cannot be run"),
        (json!({"architectures": ["MistralForCausalLM"], "sliding_window": 1024}), "sliding window"),
        (json!({"mlp_bias": true}), "biases of the MLP"),
        (json!({"hidden_act": "gelu"}), "«gelu»"),
        (json!({"quantization_config": {"quant_method": "gptq"}}), "«gptq»"),
        (json!({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}), "«yarn»"),
        (json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}), "low_freq_factor"),
        (json!({"hidden_size": "big"}), "hidden_size"),
        (json!({"num_hidden_layers": 0}), "num_hidden_layers"),
        // These are fine, so that the weights are missed next.
        (json!({"architectures": ["MistralForCausalLM"], "sliding_window": null}), "model.safetensors"),
        (json!({"rope_scaling": {"type": "linear", "factor": 2.0}}), "model.safetensors"),
        (json!({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}), "model.safetensors"),
    ] {
        let error = with(change);
        assert!(error.contains(says), "{error} / {says}");
    }
}

#[test]
fn hostile_files_are_errors_of_one_line() {
    let folder = Temp::new("hostile");
    assert!(folder.error().contains("config.json is missing"));
    folder.write("config.json", "{\"archi");
    assert!(folder.error().contains("config.json is damaged"));
    folder.write("config.json", config().to_string());
    assert!(folder.error().contains("tokenizer.json is missing"));
    folder.write("tokenizer.json", "{}");
    for name in ["../out.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "", "c\\..\\d"] {
        let index = json!({"weight_map": {"model.norm.weight": name}});
        folder.write("model.safetensors.index.json", index.to_string());
        assert!(folder.error().contains("no file of this folder"), "{name}");
    }
    folder.write("model.safetensors.index.json", "{\"weight_map\": {\"x\": \"gone.safetensors\"}}");
    assert!(folder.error().contains("gone.safetensors cannot be opened"));
    fs::remove_file(folder.0.join("model.safetensors.index.json")).unwrap();
    let norm = |dtype: &str, shape: Json, place: Json| {
        json!({"model.norm.weight": {"dtype": dtype, "shape": shape, "data_offsets": place}}).to_string()
    };
    let data = [0; 1024];
    let fine = with_header(&norm("F32", json!([256]), json!([0, 1024])), &data);
    folder.write("model.safetensors", &fine);
    assert!(Folder::open(&folder.0).is_ok());
    let huge = u64::MAX / 2;
    for (bytes, says) in [
        (vec![], "no header"),
        (fine[..7].to_vec(), "no header"),
        (fine[..40].to_vec(), "its header would have"),
        (fine[..fine.len() - 1].to_vec(), "ends behind"),
        (u64::MAX.to_le_bytes().to_vec(), "its header would have"),
        ([&200u64.to_le_bytes()[..], &[b'['; 200]].concat(), "no JSON"),
        (with_header("[]", &data), "no object"),
        (with_header(&norm("F8_E4M3", json!([256]), json!([0, 256])), &data), "«F8_E4M3»"),
        (with_header(&norm("F32", json!([256]), json!([0, 1000])), &data), "do not fit together"),
        (with_header(&norm("F32", json!([256]), json!([1024, 0])), &data), "do not fit together"),
        (with_header(&norm("F32", json!([huge, huge]), json!([0, 1024])), &data), "do not fit together"),
        (with_header(&norm("F32", json!([0]), json!([0, 0])), &data), "do not fit together"),
        (with_header(&norm("F32", json!([256]), json!([huge, huge + 1024])), &data), "ends behind"),
        (with_header(&norm("F32", json!([-1]), json!([0, 1024])), &data), "do not fit together"),
        (with_header("{\"model.norm.weight\": 3}", &data), "has the type «»"),
        (
            with_header(&norm("F32", json!([256]), json!([0, 1024])).replace("norm", "vision"), &data),
            "none of a Llama",
        ),
    ] {
        folder.write("model.safetensors", bytes);
        assert!(folder.error().contains(says), "{} / {says}", folder.error());
    }
    // What lacks tensors fails when it is loaded, before anything is computed.
    folder.write("model.safetensors", &fine);
    folder.write("tokenizer.json", tokenizer());
    let error = Model::load(Some(&folder.0), LoadOptions::default(), &|| Ok(())).unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
    folder.write("tokenizer.json", "{\"model\": 5}");
    let error = Model::load(Some(&folder.0), LoadOptions::default(), &|| Ok(())).unwrap_err().to_string();
    assert!(error.contains("no tokenizer"), "{error}");
}

#[test]
fn frequencies_of_llama_3_are_stretched_where_they_are_slow() {
    let mut config = config();
    config["rope_theta"] = json!(500_000.0);
    config["rope_scaling"] = json!({"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    let divisors = Config::parse(&config).unwrap().frequencies().unwrap();
    assert_eq!(divisors.len(), 32);
    assert_eq!((divisors[0], divisors[31]), (1.0, 32.0));
    assert!(divisors.windows(2).all(|w| w[0] <= w[1]), "{divisors:?}");
    assert!(divisors.iter().any(|&d| d > 1.0 && d < 32.0));
}
