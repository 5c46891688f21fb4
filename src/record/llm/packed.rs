//! Products with weights of four and eight bits, for x86-64 processors with AVX2.
//!
//! candle has no vector instructions for Q4_1, and for Q8_0 only those of newer processors are fast. Here eight rows
//! lie side by side: one load gives four neighbouring weights of each, so the sums of eight rows grow in the lanes of
//! one register, and reading the weights is what takes the time. The weights keep the bits that they have in the file; a
//! comparison of formats shall compare the formats, so all of four and eight bits are computed in the same way.

#[cfg(target_arch = "x86_64")]
use std::ops::Range;
use std::sync::Arc;
#[cfg(target_arch = "x86_64")]
use std::sync::atomic::{AtomicU32, Ordering};

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

#[cfg(target_arch = "x86_64")]
use super::share::{Helpers, Work};

/// Rows side by side.
const ROWS: usize = 8;
/// Weights that share a scale.
const BLOCK: usize = 32;
/// Weights of a block of Q4_K, which holds eight of these.
const K_BLOCK: usize = 256;

/// `[i][4 × row + j]` holds weight 4i + j of the row in its low half, and weight 4i + j + 16 in its high half.
type Quants4 = [[u8; 32]; 4];

/// One block of eight rows, Q4_1: `scale × quant + min`. Scales are 16-bit floats. Q4_0 is the same with a min of −8
/// scales.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "nothing is packed there"))]
struct Tile4 {
    scales: [u16; ROWS],
    mins: [u16; ROWS],
    quants: Quants4,
}

/// One block of eight rows, Q4_K: the same, but scales and mins are products of two numbers, for which 16 bits are too few.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "nothing is packed there"))]
struct TileK {
    scales: [f32; ROWS],
    mins: [f32; ROWS],
    quants: Quants4,
}

/// One block of eight rows, Q8_0: `scale × quant`.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "nothing is packed there"))]
struct Tile8 {
    scales: [u16; ROWS],
    /// `[i][4 × row + j]` is weight 4i + j of the row, signed.
    quants: [[u8; 32]; 8],
}

/// Eight rows after eight rows, each from its first block to its last.
enum Tiles {
    Four(Vec<Tile4>),
    K(Vec<TileK>),
    Eight(Vec<Tile8>),
}

/// A matrix, packed.
pub(super) struct Packed {
    rows: usize,
    columns: usize,
    tiles: Arc<Tiles>,
}

/// A product that is being computed.
#[cfg(target_arch = "x86_64")]
struct Product {
    tiles: Arc<Tiles>,
    rows: usize,
    /// Blocks of each row.
    blocks: usize,
    /// The other factor, row after row.
    x: Vec<Block>,
    /// Bits of the result. Relaxed stores of whole words: nothing but a plain store, and threads may share it.
    out: Vec<AtomicU32>,
}

/// Tiles below which a product is over before help comes.
#[cfg(target_arch = "x86_64")]
const WORTH_SHARING: usize = 1 << 9;

/// 32 numbers of the other factor.
#[cfg(target_arch = "x86_64")]
struct Block {
    /// Four signed bytes in each.
    quants: [i32; 8],
    scale: f32,
    /// Sum of the numbers.
    sum: f32,
}

/// True where these products are faster than candle's.
pub(super) fn is_wanted(format: GgmlDType, rows: usize, columns: usize) -> bool {
    let fits = rows.is_multiple_of(ROWS) && columns.is_multiple_of(BLOCK);
    let format = match format {
        GgmlDType::Q4_0 | GgmlDType::Q4_1 => true,
        GgmlDType::Q4K => columns.is_multiple_of(K_BLOCK),
        // Rows of full length are candle's strength on processors with VNNI.
        GgmlDType::Q8_0 => !columns.is_multiple_of(256) || !has_vnni(),
        _ => false,
    };
    fits && format && is_possible()
}

#[cfg(target_arch = "x86_64")]
fn is_possible() -> bool {
    // Without optimisation these loops are far slower than candle, which is optimised in every build.
    !cfg!(debug_assertions) && has_avx2()
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

#[cfg(target_arch = "x86_64")]
fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni")
}

#[cfg(not(target_arch = "x86_64"))]
fn is_possible() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_vnni() -> bool {
    false
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

impl Packed {
    /// Packs a matrix that [`is_wanted`].
    pub(super) fn new(weight: &QTensor) -> Result<Self> {
        let (rows, columns) = weight.shape().dims2()?;
        let format = weight.dtype();
        let data = weight.data()?;
        // Tiles of a block of the file: one, but for Q4_K.
        let (size, parts) = (format.type_size(), format.block_size() / BLOCK);
        let blocks = columns / (BLOCK * parts);
        let fits = rows.is_multiple_of(ROWS) && columns.is_multiple_of(BLOCK * parts);
        if !fits || data.len() != rows * blocks * size {
            bail!("{rows} × {columns} weights cannot be packed");
        }
        // The eight blocks that become one tile, or some.
        let eight = |tile: usize| {
            let (band, block) = (tile / (blocks * parts), tile / parts % blocks);
            std::array::from_fn(|row| {
                let at = ((band * ROWS + row) * blocks + block) * size;
                &data[at..at + size]
            })
        };
        let tiles = rows / ROWS * blocks * parts;
        let tiles = match format {
            GgmlDType::Q4_0 => Tiles::Four((0..tiles).map(|t| Tile4::symmetric(eight(t))).collect()),
            GgmlDType::Q4_1 => Tiles::Four((0..tiles).map(|t| Tile4::new(eight(t))).collect()),
            GgmlDType::Q4K => Tiles::K((0..tiles).map(|t| TileK::new(eight(t), t % parts)).collect()),
            GgmlDType::Q8_0 => Tiles::Eight((0..tiles).map(|t| Tile8::new(eight(t))).collect()),
            other => bail!("{other:?} cannot be packed"),
        };
        Ok(Self { rows, columns, tiles: Arc::new(tiles) })
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        match &*self.tiles {
            Tiles::Four(tiles) => size_of_val(tiles.as_slice()),
            Tiles::K(tiles) => size_of_val(tiles.as_slice()),
            Tiles::Eight(tiles) => size_of_val(tiles.as_slice()),
        }
    }

    /// `x` times the transposed matrix.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1_no_bwd(self)
    }

    /// `x` holds some rows; the result as many, each as long as the matrix has rows.
    #[cfg(target_arch = "x86_64")]
    fn product(&self, x: &[f32]) -> Vec<f32> {
        let (tiles, rows, blocks) = (self.tiles.clone(), self.rows, self.columns / BLOCK);
        let out = std::iter::repeat_with(AtomicU32::default).take(x.len() / self.columns * rows).collect();
        // SAFETY: `is_wanted` (or the test) made sure of the processor.
        #[expect(unsafe_code, reason = "vector instructions: three times as fast as the compiler's")]
        let x = unsafe { x86::quantise(x) };
        let (bands, many) = (rows / ROWS, rows / ROWS * x.len() >= WORTH_SHARING);
        let product = Arc::new(Product { tiles, rows, blocks, x, out });
        if many {
            Helpers::of_process().share(&product, bands);
        } else {
            product.parts(0..bands);
        }
        let bits = |v: &AtomicU32| f32::from_bits(v.load(Ordering::Relaxed));
        match Arc::try_unwrap(product) {
            Ok(product) => product.out.into_iter().map(|v| f32::from_bits(v.into_inner())).collect(),
            // Held by a helper that was not waited for.
            Err(product) => product.out.iter().map(bits).collect(),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn product(&self, _: &[f32]) -> Vec<f32> {
        Vec::new()
    }
}

#[cfg(target_arch = "x86_64")]
impl Work for Product {
    /// Bands of eight rows.
    fn parts(&self, bands: Range<usize>) {
        for band in bands {
            let tiles = band * self.blocks..(band + 1) * self.blocks;
            for (i, x) in self.x.chunks_exact(self.blocks).enumerate() {
                // SAFETY: only made by `Packed::product`.
                #[expect(unsafe_code, reason = "vector instructions: three times as fast as the compiler's")]
                let sums = unsafe {
                    match &*self.tiles {
                        Tiles::Four(all) => x86::dot4(&all[tiles.clone()], x),
                        Tiles::K(all) => x86::dot_k(&all[tiles.clone()], x),
                        Tiles::Eight(all) => x86::dot8(&all[tiles.clone()], x),
                    }
                };
                let at = i * self.rows + band * ROWS;
                for (out, sum) in self.out[at..at + ROWS].iter().zip(sums) {
                    out.store(sum.to_bits(), Ordering::Relaxed);
                }
            }
        }
    }
}

impl CustomOp1 for Packed {
    fn name(&self) -> &'static str {
        "packed product"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F32(all), Some((from, to))) = (storage, layout.contiguous_offsets()) else {
            bail!("packed weights take contiguous 32-bit numbers");
        };
        let mut dims = layout.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == self.columns => *last = self.rows,
            _ => bail!("{:?} does not fit {} columns", layout.dims(), self.columns),
        }
        Ok((CpuStorage::F32(self.product(&all[from..to])), Shape::from(dims)))
    }
}

/// Side by side what each row has in 16 bytes, which `pair` gives: two weights each, 16 places apart.
fn side_by_side(pair: impl Fn(usize, usize) -> u8) -> Quants4 {
    let mut quants = [[0; 32]; 4];
    for (i, group) in quants.iter_mut().enumerate() {
        for (at, byte) in group.iter_mut().enumerate() {
            *byte = pair(at / 4, 4 * i + at % 4);
        }
    }
    quants
}

impl Tile4 {
    /// Of eight Q4_1 blocks: scale, min, and 16 bytes with two weights each, 16 places apart.
    fn new(rows: [&[u8]; ROWS]) -> Self {
        let quants = side_by_side(|row, at| rows[row][4 + at]);
        Self { scales: rows.map(|r| half(r, 0)), mins: rows.map(|r| half(r, 2)), quants }
    }

    /// Of eight Q4_0 blocks: the same without the min.
    fn symmetric(rows: [&[u8]; ROWS]) -> Self {
        let scales = rows.map(|r| half(r, 0));
        Self { scales, mins: scales.map(minus_eight), quants: side_by_side(|row, at| rows[row][2 + at]) }
    }
}

/// A 16-bit float times −8, which changes its exponent alone, and so is exact but for numbers that no scale has.
fn minus_eight(bits: u16) -> u16 {
    let (sign, exponent, fraction) = (!bits & 0x8000, bits >> 10 & 31, bits & 0x3ff);
    sign | match (exponent, fraction) {
        (31, _) => bits & 0x7fff,
        (28.., _) => 0x7bff,
        (0, f) => {
            // Below the normal numbers; times eight it may be one of them.
            let f = f << 3;
            let shift = u16::from(f >= 0x800) + u16::from(f >= 0x1000);
            let exponent = if f >= 0x400 { 1 + shift } else { 0 };
            exponent << 10 | f >> shift & 0x3ff
        }
        (e, f) => (e + 3) << 10 | f,
    }
}

/// The number that 16 bits are.
fn float(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        e => (1024.0 + fraction) * 2f32.powi(e - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

impl TileK {
    /// Part `part` of eight Q4_K blocks: scale of the scales, scale of the mins, 12 bytes with eight of each in six bits, and
    /// 128 bytes, of which each 32 hold one part in their low halves and the next in their high ones.
    fn new(rows: [&[u8]; ROWS], part: usize) -> Self {
        let six = |row: &[u8]| {
            let packed = &row[4..16];
            match part {
                0..4 => (packed[part] & 63, packed[part + 4] & 63),
                _ => (
                    packed[part + 4] & 15 | packed[part - 4] >> 6 << 4,
                    packed[part + 4] >> 4 | packed[part] >> 6 << 4,
                ),
            }
        };
        let weight = |row: usize, at: usize| {
            let byte = rows[row][16 + part / 2 * 32 + at];
            if part.is_multiple_of(2) { byte & 15 } else { byte >> 4 }
        };
        Self {
            scales: rows.map(|r| float(half(r, 0)) * f32::from(six(r).0)),
            mins: rows.map(|r| -float(half(r, 2)) * f32::from(six(r).1)),
            quants: side_by_side(|row, at| weight(row, at) | weight(row, at + 16) << 4),
        }
    }
}

impl Tile8 {
    /// Of eight Q8_0 blocks: scale, and 32 bytes.
    fn new(rows: [&[u8]; ROWS]) -> Self {
        let mut quants = [[0; 32]; 8];
        for (i, group) in quants.iter_mut().enumerate() {
            for (row, four) in group.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&rows[row][2 + 4 * i..6 + 4 * i]);
            }
        }
        Self { scales: rows.map(|r| half(r, 0)), quants }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Block, Quants4, ROWS, Tile4, Tile8, TileK};

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn bytes(of: &[u8; 32]) -> __m256i {
        #[expect(unsafe_code, reason = "the way to load a vector")]
        // SAFETY: 32 bytes, no alignment needed.
        unsafe {
            _mm256_loadu_si256(of.as_ptr().cast())
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn floats(of: &[u16; ROWS]) -> __m256 {
        #[expect(unsafe_code, reason = "the way to load a vector")]
        // SAFETY: 16 bytes, no alignment needed.
        let halves = unsafe { _mm_loadu_si128(of.as_ptr().cast()) };
        _mm256_cvtph_ps(halves)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn array(of: __m256) -> [f32; ROWS] {
        let mut out = [0.0; ROWS];
        #[expect(unsafe_code, reason = "the way to store a vector")]
        // SAFETY: 32 bytes, no alignment needed.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), of);
        }
        out
    }

    /// Each 32 numbers as signed bytes with one scale.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn quantise(x: &[f32]) -> Vec<Block> {
        let block = |x: &[f32]| {
            let most = x.iter().fold(0f32, |most, v| most.max(v.abs()));
            let scale = most / 127.0;
            let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
            let mut bytes = [0i8; BLOCK];
            let mut sum = 0i32;
            for (byte, v) in bytes.iter_mut().zip(x) {
                *byte = (v * inverse).round_ties_even() as i8;
                sum += i32::from(*byte);
            }
            let four = |i: usize| i32::from_le_bytes(std::array::from_fn(|j| bytes[4 * i + j] as u8));
            Block { quants: std::array::from_fn(four), scale, sum: sum as f32 * scale }
        };
        x.chunks_exact(BLOCK).map(block).collect()
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn wide(of: &[f32; ROWS]) -> __m256 {
        #[expect(unsafe_code, reason = "the way to load a vector")]
        // SAFETY: 32 bytes, no alignment needed.
        unsafe {
            _mm256_loadu_ps(of.as_ptr())
        }
    }

    /// The sums of the products of a block, before they are scaled.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn products4(quants: &Quants4, x: &Block) -> __m256 {
        let low = _mm256_set1_epi8(15);
        // Eight products of 15 × 127 twice fit 16 bits.
        let mut pairs = _mm256_setzero_si256();
        for (i, quants) in quants.iter().enumerate() {
            let quants = bytes(quants);
            let first = _mm256_and_si256(quants, low);
            let second = _mm256_and_si256(_mm256_srli_epi16(quants, 4), low);
            let first = _mm256_maddubs_epi16(first, _mm256_set1_epi32(x.quants[i]));
            let second = _mm256_maddubs_epi16(second, _mm256_set1_epi32(x.quants[i + 4]));
            pairs = _mm256_add_epi16(pairs, _mm256_add_epi16(first, second));
        }
        _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }

    /// Eight rows times one.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn dot_k(tiles: &[TileK], x: &[Block]) -> [f32; ROWS] {
        let (mut sums, mut mins) = (_mm256_setzero_ps(), _mm256_setzero_ps());
        for (tile, x) in tiles.iter().zip(x) {
            let scales = _mm256_mul_ps(wide(&tile.scales), _mm256_set1_ps(x.scale));
            sums = _mm256_fmadd_ps(products4(&tile.quants, x), scales, sums);
            mins = _mm256_fmadd_ps(wide(&tile.mins), _mm256_set1_ps(x.sum), mins);
        }
        array(_mm256_add_ps(sums, mins))
    }

    /// Eight rows times one.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn dot4(tiles: &[Tile4], x: &[Block]) -> [f32; ROWS] {
        let (mut sums, mut mins) = (_mm256_setzero_ps(), _mm256_setzero_ps());
        for (tile, x) in tiles.iter().zip(x) {
            let products = products4(&tile.quants, x);
            let scales = _mm256_mul_ps(floats(&tile.scales), _mm256_set1_ps(x.scale));
            sums = _mm256_fmadd_ps(products, scales, sums);
            mins = _mm256_fmadd_ps(floats(&tile.mins), _mm256_set1_ps(x.sum), mins);
        }
        array(_mm256_add_ps(sums, mins))
    }

    /// Eight rows times one.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn dot8(tiles: &[Tile8], x: &[Block]) -> [f32; ROWS] {
        let ones = _mm256_set1_epi16(1);
        let mut sums = _mm256_setzero_ps();
        for (tile, x) in tiles.iter().zip(x) {
            let mut products = _mm256_setzero_si256();
            for (quants, &four) in tile.quants.iter().zip(&x.quants) {
                let quants = bytes(quants);
                // One factor has to be unsigned: the sign goes to the other one.
                let signed = _mm256_sign_epi8(_mm256_set1_epi32(four), quants);
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(quants), signed);
                products = _mm256_add_epi32(products, _mm256_madd_epi16(pairs, ones));
            }
            let scales = _mm256_mul_ps(floats(&tile.scales), _mm256_set1_ps(x.scale));
            sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scales, sums);
        }
        array(sums)
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Numbers without a pattern, between -1 and 1.
    fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = super::super::Pcg32::new(seed, 1);
        (0..n).map(|_| rng.unit() as f32 * 2.0 - 1.0).collect()
    }

    #[test]
    fn products_are_those_of_the_same_weights_one_by_one() {
        if !has_avx2() {
            return;
        }
        for (format, rows, columns) in [
            (GgmlDType::Q4_1, 16, 96),
            (GgmlDType::Q4_0, 16, 96),
            (GgmlDType::Q4K, 16, 512),
            (GgmlDType::Q8_0, 24, 64),
            (GgmlDType::Q8_0, 8, 576),
        ] {
            let weights =
                Tensor::from_vec(numbers(rows * columns, 1), (rows, columns), &Device::Cpu).unwrap();
            let weights = QTensor::quantize(&weights, format).unwrap();
            let packed = Packed::new(&weights).unwrap();
            let file = weights.storage_size_in_bytes();
            match format {
                GgmlDType::Q4_0 | GgmlDType::Q4K => assert!(packed.bytes() < file * 3 / 2, "{format:?}"),
                _ => assert_eq!(packed.bytes(), file),
            }
            let mut x = numbers(3 * columns, 2);
            x[..BLOCK].fill(0.0); // a block without a scale
            let weights = weights.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
            let got = Tensor::from_vec(x.clone(), (1, 3, columns), &Device::Cpu).unwrap();
            let got = packed.forward(&got).unwrap().squeeze(0).unwrap().to_vec2::<f32>().unwrap();
            for (x, got) in x.chunks(columns).zip(got) {
                // The other factor is rounded to 127 steps of each block's largest number.
                let rounded: Vec<f32> = x
                    .chunks(BLOCK)
                    .flat_map(|block| {
                        let step = block.iter().fold(0f32, |m, v| m.max(v.abs())) / 127.0;
                        block.iter().map(move |v| if step > 0.0 { (v / step).round() * step } else { 0.0 })
                    })
                    .collect();
                for (weights, got) in weights.iter().zip(got) {
                    let wanted: f32 = weights.iter().zip(&rounded).map(|(w, x)| w * x).sum();
                    assert!((wanted - got).abs() < 2e-2, "{format:?}: {got} and not {wanted}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_left_to_candle() {
        assert!(!is_wanted(GgmlDType::Q4_1, 12, 64) && !is_wanted(GgmlDType::Q6K, 256, 256));
        assert!(!is_wanted(GgmlDType::Q4K, 8, 288), "no whole blocks");
        let odd = Tensor::zeros((12, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
        let odd = QTensor::quantize(&odd, GgmlDType::Q8_0).unwrap();
        assert!(Packed::new(&odd).is_err());
    }

    #[test]
    fn sixteen_bit_floats_are_read_and_multiplied_exactly() {
        for bits in 0..=u16::MAX {
            let value = float(bits);
            if bits >> 10 & 31 == 31 || value.abs() > 8000.0 {
                continue;
            }
            assert_eq!(float(minus_eight(bits)), value * -8.0, "{bits:#x}");
        }
        assert_eq!(
            [0x3c00, 0xc000, 0x3555, 1, 0x0400].map(float),
            [1.0, -2.0, 0.333_251_95, 2f32.powi(-24), 2f32.powi(-14)]
        );
    }
}
