//! How well a model predicts a text: perplexity, and how far its predictions are from another model's.

use candle_core::{DType, Tensor};
use tracing::info_span;

use super::LlmError;
use super::engine::Model;

/// Questions and answers that variants read, one JSON pair a line, of the kind that the bundled model was made for.
/// Most occurred in its training, too: enough to tell formats apart, but no measure of the model.
static TEXT: &str = include_str!("../../../assets/model/reading.jsonl");

/// Tokens that are read at once.
const STEP: usize = 32;
/// Predictions that are kept for comparing, in numbers of four bytes.
const MOST_KEPT: usize = 32 << 20;

/// What reading a text showed.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Predicted tokens.
    pub tokens: usize,
    /// e to the mean negative log-likelihood of a token.
    pub perplexity: f64,
    /// Log-probabilities of all tokens at each place, as far as they are kept.
    predictions: Vec<Vec<f32>>,
}

/// How far two readings of a text are from each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Share of places where both think the same token most probable.
    pub same_best: f64,
    /// Mean Kullback–Leibler divergence from the reference, in nats.
    pub divergence: f64,
}

impl Reading {
    /// The difference of this reading from a reference's. `None` when they are not of the same text or
    /// vocabulary.
    #[must_use]
    pub fn difference(&self, reference: &Self) -> Option<Difference> {
        let (ours, theirs) = (&self.predictions, &reference.predictions);
        let fits = ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.len() == b.len());
        if ours.is_empty() || !fits {
            return None;
        }
        let best = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i);
        let pairs = || ours.iter().zip(theirs);
        let same = pairs().filter(|(a, b)| best(a) == best(b)).count();
        let far = |(q, p): (&Vec<f32>, &Vec<f32>)| -> f64 {
            let terms = p.iter().zip(q).map(|(&p, &q)| f64::from(p).exp() * f64::from(p - q));
            terms.filter(|t| t.is_finite()).sum()
        };
        let places = ours.len() as f64;
        let divergence = pairs().map(far).sum::<f64>() / places;
        // Rounding can put it below zero by nothing.
        Some(Difference { same_best: same as f64 / places, divergence: divergence.max(0.0) })
    }
}

impl Model {
    /// Reads bundled questions with their answers; only the answers count. `go_on` is asked before each layer.
    ///
    /// # Errors
    /// [`LlmError::Compute`], or the error of `go_on`.
    pub fn read_answers(&self, go_on: &dyn Fn() -> Result<(), LlmError>) -> Result<Reading, LlmError> {
        let pairs = TEXT.lines().filter_map(|line| serde_json::from_str::<(String, String)>(line).ok());
        let span = info_span!(target: "inferscope::llm", "read_answers");
        let _span = span.enter();
        let mut so_far = Progress { tokens: 0, loss: 0.0, predictions: Vec::new(), room: MOST_KEPT };
        for (question, answer) in pairs {
            let mut ids = self.encode(&self.prompt(&question))?;
            let from = ids.len();
            ids.extend(self.encode(&answer)?);
            if from > 0 && from < ids.len() && ids.len() <= self.positions() {
                self.read_pair(&ids, from, &mut so_far, go_on)?;
            }
        }
        let Progress { tokens, loss, predictions, .. } = so_far;
        if tokens == 0 {
            return Err(LlmError::Compute("the model is too small to read a text".into()));
        }
        Ok(Reading { tokens, perplexity: (loss / tokens as f64).exp(), predictions })
    }

    /// Reads `ids`; those from `from` on count.
    fn read_pair(
        &self,
        ids: &[u32],
        from: usize,
        so_far: &mut Progress,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<(), LlmError> {
        let last = ids.len() - 1;
        let mut cache = self.llama().cache(last)?;
        for start in (0..last).step_by(STEP) {
            let end = (start + STEP).min(last);
            let scores = self.llama().forward_all(&ids[start..end], &mut cache, go_on)?;
            for (row, at) in log_probabilities(&scores)?.into_iter().zip(start + 1..) {
                if at >= from {
                    so_far.add(row, ids[at]);
                }
            }
        }
        Ok(())
    }
}

/// What was read so far.
struct Progress {
    tokens: usize,
    loss: f64,
    predictions: Vec<Vec<f32>>,
    room: usize,
}

impl Progress {
    fn add(&mut self, row: Vec<f32>, next: u32) {
        self.tokens += 1;
        self.loss -= row.get(next as usize).copied().map_or(f64::NEG_INFINITY, f64::from);
        if self.room >= row.len() {
            self.room -= row.len();
            self.predictions.push(row);
        }
    }
}

fn log_probabilities(scores: &Tensor) -> Result<Vec<Vec<f32>>, LlmError> {
    let scores = scores.to_dtype(DType::F32)?;
    Ok(candle_nn::ops::log_softmax(&scores, 1)?.to_vec2()?)
}

#[cfg(test)]
mod tests {
    use super::super::LoadOptions;
    use super::super::forward::Part;
    use super::*;

    #[test]
    fn scores_of_all_tokens_are_those_of_one_after_another() {
        let model = Model::load(None, LoadOptions::default(), &|| Ok(())).unwrap();
        let ids = model.encode(&model.prompt("What is a span?")).unwrap();
        let mut cache = model.llama().cache(ids.len()).unwrap();
        let all = model.llama().forward_all(&ids, &mut cache, &|| Ok(())).unwrap().to_vec2::<f32>().unwrap();
        let mut cache = model.llama().cache(ids.len()).unwrap();
        for (i, &id) in ids.iter().enumerate() {
            let part = Part { ids: &[id], cache: &mut cache };
            let one = model.llama().forward(&mut [part], &|| Ok(())).unwrap().remove(0);
            let far = one.iter().zip(&all[i]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 0.2, "token {i}: {far}");
        }
    }

    #[test]
    fn a_reading_is_no_different_from_itself() {
        let model = Model::load(None, LoadOptions::default(), &|| Ok(())).unwrap();
        let reading = model.read_answers(&|| Ok(())).unwrap();
        assert!(reading.tokens > 300 && (1.0..20.0).contains(&reading.perplexity), "{}", reading.perplexity);
        assert_eq!(reading.difference(&reading), Some(Difference { same_best: 1.0, divergence: 0.0 }));
        let other = Reading { predictions: reading.predictions[1..].to_vec(), ..reading.clone() };
        assert_eq!(reading.difference(&other), None);
        assert!(matches!(model.read_answers(&|| Err(LlmError::Stopped)), Err(LlmError::Stopped)));
    }
}
