//! Choosing the next token. The random numbers are written out here, so that a seed gives the same
//! text with every version of every library.

/// PCG-XSH-RR 64/32 by Melissa O'Neill: small, good, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Pcg32 {
    state: u64,
    increment: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

impl Pcg32 {
    /// A generator; streams of one seed are independent of each other.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = Self { state: 0, increment: stream << 1 | 1 };
        rng.next_u32();
        rng.state = rng.state.wrapping_add(seed);
        rng.next_u32();
        rng
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
        let shifted = (((old >> 18) ^ old) >> 27) as u32;
        shifted.rotate_right((old >> 59) as u32)
    }

    /// A number from 0 up to, and never, 1.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}

/// A chosen token and how probable the model thought it, before temperature and cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) id: u32,
    pub(super) probability: f64,
}

/// Chooses by temperature, the `top_k` best (0: all), and of those the fewest whose probabilities
/// reach `top_p`. Temperature 0 takes the best. `None` for scores of which none is a number.
pub(super) fn choose(
    scores: &[f32],
    temperature: f64,
    top_k: usize,
    top_p: f64,
    rng: &mut Pcg32,
) -> Option<Choice> {
    let best = scores.iter().copied().filter(|s| s.is_finite()).fold(f32::NEG_INFINITY, f32::max);
    if best == f32::NEG_INFINITY {
        return None;
    }
    let weight = |s: f32, t: f64| if s.is_finite() { (f64::from(s - best) / t).exp() } else { 0.0 };
    let sum: f64 = scores.iter().map(|&s| weight(s, 1.0)).sum();
    let chosen = |id: usize| Choice { id: id as u32, probability: weight(scores[id], 1.0) / sum };
    if temperature <= 0.0 {
        return scores.iter().position(|&s| s == best).map(chosen);
    }
    let mut order: Vec<usize> = (0..scores.len()).filter(|&i| scores[i].is_finite()).collect();
    // Best first; equal scores by id, so that the order never depends on the sort.
    let better = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    if top_k > 0 && top_k < order.len() {
        order.select_nth_unstable_by(top_k - 1, better);
        order.truncate(top_k);
    }
    order.sort_unstable_by(better);
    let weights: Vec<f64> = order.iter().map(|&i| weight(scores[i], temperature)).collect();
    let total: f64 = weights.iter().sum();
    let mut kept = 0.0;
    let count = weights.iter().take_while(|&&w| {
        let needed = kept < top_p * total;
        kept += if needed { w } else { 0.0 };
        needed
    });
    let count = count.count().max(1);
    let mut left = rng.unit() * weights[..count].iter().sum::<f64>();
    let place = weights[..count].iter().position(|w| {
        left -= w;
        left < 0.0
    });
    order.get(place.unwrap_or(count - 1)).copied().map(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut rng = Pcg32::new(42, 54); // pcg32-demo's seed and stream
        let got: Vec<u32> = (0..6).map(|_| rng.next_u32()).collect();
        assert_eq!(got, [0xa15c_02b7, 0x7b47_f409, 0xba1d_3330, 0x83d2_f293, 0xbfa4_784b, 0xcbed_606e]);
    }

    #[test]
    fn temperature_zero_takes_the_best_and_cuts_keep_the_rest_out() {
        let scores = [1.0, 3.0, 2.0, f32::NAN, 3.0, f32::NEG_INFINITY];
        let mut rng = Pcg32::new(1, 1);
        let best = choose(&scores, 0.0, 0, 1.0, &mut rng).unwrap();
        assert_eq!(best.id, 1, "the first of equals");
        let e = std::f64::consts::E;
        let exact = 1.0 / (2.0 + 1.0 / e + 1.0 / (e * e));
        assert!((best.probability - exact).abs() < 1e-6);
        for _ in 0..500 {
            assert!([1, 4].contains(&choose(&scores, 1.0, 2, 1.0, &mut rng).unwrap().id));
            assert_eq!(choose(&scores, 1.0, 0, 0.01, &mut rng).unwrap().id, 1);
        }
        assert_eq!(choose(&[f32::NAN], 1.0, 0, 1.0, &mut rng), None);
        assert_eq!(choose(&[], 0.0, 0, 1.0, &mut rng), None);
    }

    #[test]
    fn tokens_come_as_often_as_their_probability() {
        let scores = [0.0, 1.0];
        let mut rng = Pcg32::new(7, 3);
        let ones = (0..20_000).filter(|_| choose(&scores, 1.0, 0, 1.0, &mut rng).unwrap().id == 1).count();
        let share = ones as f64 / 20_000.0;
        assert!((share - 0.731).abs() < 0.015, "{share}");
    }
}
