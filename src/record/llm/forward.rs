//! The forward pass of a Llama, with a span for every operation.
//!
//! Weights are shared by all generations; each has its own KV cache, allocated once.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{D, DType, Device, Module, Result, Tensor};

use super::LlmError;
use super::engine::LoadOptions;
use super::file::{ModelFile, ROPE_FREQUENCIES, Shape};
use super::gguf::improve;
use super::op::{Detail, Op, op};
use super::packed::{self, Packed};

/// A matrix, in the form that is fastest here.
enum Weight {
    Packed(Packed),
    /// With its columns, padding included.
    Candle(QMatMul, usize),
}

impl Weight {
    /// Brings `tensor` into that form. Gives its bytes in memory, too.
    fn new(tensor: Arc<QTensor>) -> Result<(Self, usize)> {
        let (rows, columns) = tensor.shape().dims2()?;
        let is_cpu = tensor.device().is_cpu();
        if is_cpu && packed::is_wanted(tensor.dtype(), rows, columns) {
            let packed = Packed::new(&tensor)?;
            let bytes = packed.bytes();
            return Ok((Self::Packed(packed), bytes));
        }
        let tensor = if is_cpu { improve(tensor)? } else { tensor };
        let (_, columns) = tensor.shape().dims2()?;
        let bytes = bytes_in_products(&tensor);
        Ok((Self::Candle(QMatMul::from_arc(tensor)?, columns), bytes))
    }

    /// What computes the products.
    fn kernel(&self) -> &'static str {
        match self {
            Self::Packed(_) => "own, AVX2",
            Self::Candle(QMatMul::QTensor(weight), _) if weight.device().is_cpu() => "candle, quantised",
            Self::Candle(QMatMul::QTensor(_), _) => "candle, GPU",
            Self::Candle(..) => "candle, f32",
        }
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, columns) = match self {
            Self::Packed(weight) => return weight.forward(x),
            Self::Candle(weight, columns) => (weight, columns),
        };
        match columns - x.dim(D::Minus1)? {
            0 => weight.forward(x),
            padding => weight.forward(&x.pad_with_zeros(D::Minus1, 0, padding)?),
        }
    }
}

/// A matrix product.
struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
    span: Op,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let _span = self.span.enter();
        let product = self.weight.forward(x)?;
        match &self.bias {
            None => Ok(product),
            Some(bias) => product.broadcast_add(bias),
        }
    }
}

struct Norm {
    weight: Tensor,
    epsilon: f32,
    span: Op,
}

impl Norm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let _span = self.span.enter();
        candle_nn::ops::rms_norm(x, &self.weight, self.epsilon)
    }
}

/// Spans of a layer's parts that have no weights.
struct LayerSpans {
    layer: Op,
    attention: Op,
    rope: Op,
    append: Op,
    scores: Op,
    mask: Op,
    softmax: Op,
    values: Op,
    residual: Op,
    mlp: Op,
    silu: Op,
}

struct Layer {
    norm1: Norm,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    norm2: Norm,
    gate: Linear,
    up: Linear,
    down: Linear,
    spans: LayerSpans,
}

/// The weights.
pub(super) struct Llama {
    pub(super) shape: Shape,
    /// Bytes of all matrices, as they are in memory.
    pub(super) weight_bytes: usize,
    /// Numbers that it consists of, each once.
    pub(super) parameters: usize,
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    norm: Norm,
    head: Linear,
    cos: Tensor,
    sin: Tensor,
    pub(super) device: Device,
    forward: Op,
    embed: Op,
}

/// Keys and values of the tokens so far: for each layer two tensors (1, kv heads, positions, width).
pub(super) struct KvCache {
    layers: Vec<(Tensor, Tensor)>,
    len: usize,
}

/// One sequence of a pass: tokens that follow on what its cache holds.
pub(super) struct Part<'a> {
    pub(super) ids: &'a [u32],
    pub(super) cache: &'a mut KvCache,
}

impl KvCache {
    fn new(shape: &Shape, positions: usize, device: &Device) -> Result<Self> {
        // So that the memory has a cause.
        let _span = tracing::info_span!(target: "inferscope::llm", "allocate_kv_cache", positions).entered();
        let dims = (1, shape.kv_heads, positions, shape.head_width);
        let zeros = || Tensor::zeros(dims, DType::F32, device);
        let layers = (0..shape.layers).map(|_| Ok((zeros()?, zeros()?))).collect::<Result<_>>()?;
        Ok(Self { layers, len: 0 })
    }

    /// Forgets all tokens; keeps the memory.
    pub(super) fn reset(&mut self) {
        self.len = 0;
    }

    /// Tokens held.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends at the present length (which [`Llama::forward`] moves on) and gives all of it.
    fn append(&self, layer: usize, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let (keys, values) = &self.layers[layer];
        let len = self.len + k.dim(2)?;
        keys.slice_set(k, 2, self.len)?;
        values.slice_set(v, 2, self.len)?;
        Ok((keys.narrow(2, 0, len)?, values.narrow(2, 0, len)?))
    }
}

impl Llama {
    /// What computes most of its products.
    pub(super) fn kernel(&self) -> &'static str {
        self.layers.first().map_or("", |layer| layer.up.weight.kernel())
    }
}

impl Shape {
    /// Bytes of a number in the KV cache.
    pub(super) const KV_ELEMENT: usize = size_of::<f32>();

    /// Bytes that one token holds in the KV cache.
    pub(super) fn kv_bytes_per_token(&self) -> usize {
        2 * self.layers * self.kv_heads * self.head_width * Self::KV_ELEMENT
    }
}

struct Loader<'a, 'b> {
    file: &'a mut ModelFile<'b>,
    device: &'a Device,
    detail: Detail,
    bytes: usize,
    parameters: usize,
}

impl Loader<'_, '_> {
    fn linear(&mut self, name: &str, dims: [usize; 2], span: Op) -> std::result::Result<Linear, LlmError> {
        let tensor = self.file.tensor(name, &dims, self.device)?;
        self.parameters += dims[0] * dims[1];
        let mut linear = self.product(Arc::new(tensor), span)?;
        let bias = name.replace(".weight", ".bias");
        if self.file.has(&bias) {
            linear.bias = Some(self.file.vector(&bias, dims[0], self.device)?);
            self.parameters += dims[0];
        }
        Ok(linear)
    }

    fn product(&mut self, tensor: Arc<QTensor>, span: Op) -> std::result::Result<Linear, LlmError> {
        let (weight, bytes) = Weight::new(tensor)?;
        self.bytes += bytes;
        Ok(Linear { weight, bias: None, span })
    }

    fn norm(&mut self, name: &str, shape: &Shape, span: Op) -> std::result::Result<Norm, LlmError> {
        let weight = self.file.vector(name, shape.width, self.device)?;
        self.parameters += shape.width;
        Ok(Norm { weight, epsilon: shape.norm_epsilon, span })
    }

    fn layer(&mut self, i: usize, shape: &Shape, ffn: usize) -> std::result::Result<Layer, LlmError> {
        let (detail, at) = (self.detail, u32::try_from(i).ok());
        let name = |part: &str| format!("blk.{i}.{part}.weight");
        let (d, q, kv) = (shape.width, shape.heads * shape.head_width, shape.kv_heads * shape.head_width);
        Ok(Layer {
            norm1: self.norm(&name("attn_norm"), shape, op!(detail, "rms_norm", at))?,
            q: self.linear(&name("attn_q"), [q, d], op!(detail, "q_proj", at))?,
            k: self.linear(&name("attn_k"), [kv, d], op!(detail, "k_proj", at))?,
            v: self.linear(&name("attn_v"), [kv, d], op!(detail, "v_proj", at))?,
            o: self.linear(&name("attn_output"), [d, q], op!(detail, "o_proj", at))?,
            norm2: self.norm(&name("ffn_norm"), shape, op!(detail, "rms_norm", at))?,
            gate: self.linear(&name("ffn_gate"), [ffn, d], op!(detail, "gate_proj", at))?,
            up: self.linear(&name("ffn_up"), [ffn, d], op!(detail, "up_proj", at))?,
            down: self.linear(&name("ffn_down"), [d, ffn], op!(detail, "down_proj", at))?,
            spans: LayerSpans {
                layer: op!(detail, "layer", at),
                attention: op!(detail, "attn", at),
                rope: op!(detail, "rope", at),
                append: op!(detail, "kv_append", at),
                scores: op!(detail, "matmul_qk", at),
                mask: op!(detail, "mask", at),
                softmax: op!(detail, "softmax", at),
                values: op!(detail, "matmul_av", at),
                residual: op!(detail, "residual", at),
                mlp: op!(detail, "mlp", at),
                silu: op!(detail, "silu_mul", at),
            },
        })
    }
}

/// Bytes of a matrix as candle holds it for products: on the CPU 16-bit numbers are widened to 32 bits.
fn bytes_in_products(weight: &QTensor) -> usize {
    if is_widened(weight) { weight.shape().elem_count() * 4 } else { weight.storage_size_in_bytes() }
}

fn is_widened(weight: &QTensor) -> bool {
    matches!(weight.dtype(), GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16)
}

impl Llama {
    /// An empty cache for so many tokens.
    pub(super) fn cache(&self, positions: usize) -> Result<KvCache> {
        KvCache::new(&self.shape, positions, &self.device)
    }

    /// Loads the weights; positions up to `positions` can be computed. `go_on` is asked between layers.
    pub(super) fn load(
        file: &mut ModelFile<'_>,
        positions: usize,
        device: &Device,
        options: LoadOptions,
        go_on: &dyn Fn() -> std::result::Result<(), LlmError>,
    ) -> std::result::Result<Self, LlmError> {
        let shape = file.shape()?;
        let (vocabulary, _) = file.matrix_dims("token_embd.weight")?;
        let (ffn, _) = file.matrix_dims("blk.0.ffn_up.weight")?;
        let factors = rope_factors(file, &shape)?;
        let mut loader = Loader { file, device, detail: options.detail, bytes: 0, parameters: 0 };
        let dims = [vocabulary, shape.width];
        let embedding = Arc::new(loader.file.tensor("token_embd.weight", &dims, device)?);
        loader.bytes += embedding.storage_size_in_bytes();
        loader.parameters += vocabulary * shape.width;
        let mut layers = Vec::new();
        for i in 0..shape.layers {
            go_on()?;
            layers.push(loader.layer(i, &shape, ffn)?);
        }
        let norm = loader.norm("output_norm.weight", &shape, op!(options.detail, "rms_norm", None))?;
        let span = op!(options.detail, "lm_head", None);
        let head = if loader.file.has("output.weight") {
            loader.linear("output.weight", dims, span)?
        } else {
            // One copy serves the lookup and the last product where both take the same form.
            let head = loader.product(embedding.clone(), span)?;
            if let Weight::Candle(QMatMul::QTensor(same), _) = &head.weight
                && Arc::ptr_eq(same, &embedding)
            {
                loader.bytes -= embedding.storage_size_in_bytes();
            }
            head
        };
        let (cos, sin) = rotations(&shape, &factors, positions, device)?;
        Ok(Self {
            shape,
            weight_bytes: loader.bytes,
            parameters: loader.parameters,
            embedding,
            layers,
            norm,
            head,
            cos,
            sin,
            device: device.clone(),
            forward: op!(options.detail, "forward", None),
            embed: op!(options.detail, "embed", None),
        })
    }

    /// For each sequence the scores of the token after its last one. All sequences go through the weights
    /// together, as rows of the same products, and each attends to its own cache: what a sequence gets does
    /// not depend on the others. `go_on` is asked before each layer.
    pub(super) fn forward(
        &self,
        parts: &mut [Part<'_>],
        go_on: &dyn Fn() -> std::result::Result<(), LlmError>,
    ) -> std::result::Result<Vec<Vec<f32>>, LlmError> {
        #[cfg(feature = "cuda")]
        let _watching = super::cuda::pass(&self.device);
        let _forward = self.forward.enter();
        let x = self.layers(parts, go_on)?;
        let mut end = 0;
        let last = parts.iter().map(|part| {
            end += part.ids.len();
            x.narrow(1, end - 1, 1)?.contiguous()?.squeeze(1)
        });
        let last = self.norm.forward(&joined(last.collect::<Result<Vec<_>>>()?, 0)?)?;
        Ok(self.head.forward(&last)?.to_vec2()?)
    }

    /// The mean of the last hidden states of `ids`: what the model makes of a text as a whole. Fills `cache`.
    pub(super) fn embed(
        &self,
        ids: &[u32],
        cache: &mut KvCache,
        go_on: &dyn Fn() -> std::result::Result<(), LlmError>,
    ) -> std::result::Result<Vec<f32>, LlmError> {
        #[cfg(feature = "cuda")]
        let _watching = super::cuda::pass(&self.device);
        let _forward = self.forward.enter();
        let x = self.layers(&mut [Part { ids, cache }], go_on)?;
        Ok(self.norm.forward(&x)?.mean(1)?.squeeze(0)?.to_vec1()?)
    }

    /// Scores of the tokens after each of `ids`: (tokens, vocabulary). Fills `cache`.
    pub(super) fn forward_all(
        &self,
        ids: &[u32],
        cache: &mut KvCache,
        go_on: &dyn Fn() -> std::result::Result<(), LlmError>,
    ) -> std::result::Result<Tensor, LlmError> {
        #[cfg(feature = "cuda")]
        let _watching = super::cuda::pass(&self.device);
        let _forward = self.forward.enter();
        let x = self.layers(&mut [Part { ids, cache }], go_on)?;
        Ok(self.head.forward(&self.norm.forward(&x)?.squeeze(0)?)?)
    }

    /// Hidden states (1, all tokens, width) after the last layer. The caches hold the tokens afterwards.
    fn layers(
        &self,
        parts: &mut [Part<'_>],
        go_on: &dyn Fn() -> std::result::Result<(), LlmError>,
    ) -> std::result::Result<Tensor, LlmError> {
        let mut x = {
            let _span = self.embed.enter();
            let ids: Vec<u32> = parts.iter().flat_map(|p| p.ids.iter().copied()).collect();
            self.embedding.embedding(&Tensor::new(ids, &self.device)?.unsqueeze(0)?)?
        };
        let turns = |table: &Tensor| {
            let rows = parts.iter().map(|p| table.narrow(0, p.cache.len, p.ids.len()));
            joined(rows.collect::<Result<Vec<_>>>()?, 0)
        };
        let (cos, sin) = (turns(&self.cos)?, turns(&self.sin)?);
        let mask = |p: &Part<'_>| {
            (p.ids.len() > 1).then(|| causal_mask(p.cache.len, p.ids.len(), &self.device)).transpose()
        };
        let masks: Vec<Option<Tensor>> = parts.iter().map(mask).collect::<Result<_>>()?;
        for (i, layer) in self.layers.iter().enumerate() {
            go_on()?;
            let _layer = layer.spans.layer.enter();
            let h = layer.norm1.forward(&x)?;
            let attended = self.attend(i, &h, (&cos, &sin), parts, &masks)?;
            x = add(&layer.spans.residual, &x, &attended)?;
            let h = layer.norm2.forward(&x)?;
            let changed = layer.mlp(&h)?;
            x = add(&layer.spans.residual, &x, &changed)?;
        }
        for part in parts {
            part.cache.len += part.ids.len();
        }
        Ok(x)
    }

    fn attend(
        &self,
        index: usize,
        h: &Tensor,
        (cos, sin): (&Tensor, &Tensor),
        parts: &[Part<'_>],
        masks: &[Option<Tensor>],
    ) -> Result<Tensor> {
        let layer = &self.layers[index];
        let _attention = layer.spans.attention.enter();
        let (_, count, _) = h.dims3()?;
        let Shape { heads, kv_heads, head_width, .. } = self.shape;
        let (q, k, v) = (layer.q.forward(h)?, layer.k.forward(h)?, layer.v.forward(h)?);
        let (q, k, v) = {
            let _span = layer.spans.rope.enter();
            let split = |x: &Tensor, heads: usize| match count {
                // One row is in the order of its heads already.
                1 => x.reshape((1, heads, 1, head_width)),
                _ => x.reshape((1, count, heads, head_width))?.transpose(1, 2)?.contiguous(),
            };
            let (q, k, v) = (split(&q, heads)?, split(&k, kv_heads)?, split(&v, kv_heads)?);
            let rope = candle_nn::rotary_emb::rope_i;
            (rope(&q, cos, sin)?, rope(&k, cos, sin)?, v)
        };
        let mut mixed = Vec::with_capacity(parts.len());
        let mut at = 0;
        for (part, mask) in parts.iter().zip(masks) {
            let own = |x: &Tensor| match parts.len() {
                1 => Ok(x.clone()),
                _ => x.narrow(2, at, part.ids.len())?.contiguous(),
            };
            mixed.push(self.mix(index, [own(&q)?, own(&k)?, own(&v)?], mask.as_ref(), part.cache)?);
            at += part.ids.len();
        }
        layer.o.forward(&joined(mixed, 1)?)
    }

    /// Attention of one sequence. The heads that share keys are rows of one product, so keys are not copied.
    fn mix(
        &self,
        index: usize,
        [q, k, v]: [Tensor; 3],
        mask: Option<&Tensor>,
        cache: &KvCache,
    ) -> Result<Tensor> {
        let spans = &self.layers[index].spans;
        let Shape { heads, kv_heads, head_width, .. } = self.shape;
        let (group, count) = (heads / kv_heads, q.dim(2)?);
        let (k, v) = {
            let _span = spans.append.enter();
            cache.append(index, &k, &v)?
        };
        let scores = {
            let _span = spans.scores.enter();
            let q = q.reshape((1, kv_heads, group * count, head_width))?;
            (q.matmul(&k.transpose(2, 3)?)? * (head_width as f64).sqrt().recip())?
        };
        let scores = match mask {
            None => scores,
            Some(mask) => {
                let _span = spans.mask.enter();
                let len = scores.dim(D::Minus1)?;
                let wide = scores.reshape((1, kv_heads, group, count, len))?.broadcast_add(mask)?;
                wide.reshape((1, kv_heads, group * count, len))?
            }
        };
        let weights = {
            let _span = spans.softmax.enter();
            candle_nn::ops::softmax_last_dim(&scores)?
        };
        let _span = spans.values.enter();
        let y = weights.matmul(&v)?.reshape((1, heads, count, head_width))?;
        y.transpose(1, 2)?.reshape((1, count, heads * head_width))
    }
}

/// Tensors end to end; a single one as it is.
fn joined(mut tensors: Vec<Tensor>, dim: usize) -> Result<Tensor> {
    match tensors.pop() {
        Some(only) if tensors.is_empty() => Ok(only),
        last => {
            tensors.extend(last);
            Tensor::cat(&tensors, dim)
        }
    }
}

impl Layer {
    fn mlp(&self, h: &Tensor) -> Result<Tensor> {
        let _mlp = self.spans.mlp.enter();
        let (gate, up) = (self.gate.forward(h)?, self.up.forward(h)?);
        let gated = {
            let _span = self.spans.silu.enter();
            (candle_nn::ops::silu(&gate)? * up)?
        };
        self.down.forward(&gated)
    }
}

fn add(span: &Op, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let _span = span.enter();
    a + b
}

/// A token sees itself and those before it.
fn causal_mask(done: usize, count: usize, device: &Device) -> Result<Tensor> {
    let len = done + count;
    let see = |i: usize, j: usize| if j > done + i { f32::NEG_INFINITY } else { 0.0 };
    let mask: Vec<f32> = (0..count).flat_map(|i| (0..len).map(move |j| see(i, j))).collect();
    Tensor::from_vec(mask, (1, 1, 1, count, len), device)
}

/// Divisors of the rotary frequencies, where the model has its own.
fn rope_factors(file: &mut ModelFile<'_>, shape: &Shape) -> std::result::Result<Vec<f32>, LlmError> {
    let pairs = shape.head_width / 2;
    let own = if file.has(ROPE_FREQUENCIES) {
        file.vector(ROPE_FREQUENCIES, pairs, &Device::Cpu)?.to_vec1()?
    } else {
        vec![1.0; pairs]
    };
    Ok(own.into_iter().map(|f: f32| f * shape.rope_factor).collect())
}

/// Cosines and sines of the rotary positions.
fn rotations(shape: &Shape, factors: &[f32], positions: usize, device: &Device) -> Result<(Tensor, Tensor)> {
    let width = shape.head_width;
    let pairs = (0..width).step_by(2).zip(factors);
    let turns: Vec<f32> =
        pairs.map(|(i, f)| shape.rope_base.powf(i as f32 / width as f32).recip() / f).collect();
    let turns = Tensor::from_vec(turns, (1, width / 2), device)?;
    let steps = Tensor::arange(0f32, positions as f32, device)?.reshape((positions, 1))?;
    let angles = steps.matmul(&turns)?;
    Ok((angles.cos()?, angles.sin()?))
}
