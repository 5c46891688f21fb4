//! Text to tokens and back, and the form of a chat prompt.

use candle_core::quantized::tokenizer::TokenizerFromGguf;
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence};

use super::LlmError;
use super::gguf::Gguf;

/// How a question is put to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chat {
    /// The bundled model.
    Tiny,
    /// `<|im_start|>` (SmolLM2 and others).
    Im,
    /// Llama 3.
    Llama3,
    /// A model without chat tokens continues the text.
    Plain,
}

/// Tokenizer, prompt form and stop tokens of a model.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    chat: Chat,
    stops: Vec<u32>,
}

fn failed(e: impl std::fmt::Display) -> LlmError {
    LlmError::File(format!("the model file has no tokenizer that can be used: {e}"))
}

impl Tokens {
    pub(super) fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, LlmError> {
        let mut tokenizer = Tokenizer::from_gguf(&gguf.content)
            .map_err(|e| failed(e.to_string().lines().next().unwrap_or_default()))?;
        if gguf.text("tokenizer.ggml.pre") == "smollm" {
            // candle takes it for GPT-2's, which puts a space before the text and keeps digits together.
            let (digits, bytes) = (Digits::new(true), ByteLevel::new(false, true, true));
            tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![digits.into(), bytes.into()])));
        }
        let has = |token: &str| tokenizer.token_to_id(token).is_some();
        let chat = if has("<|user|>") && has("<|assistant|>") {
            Chat::Tiny
        } else if has("<|im_start|>") {
            Chat::Im
        } else if has("<|start_header_id|>") {
            Chat::Llama3
        } else {
            Chat::Plain
        };
        let ends = ["<|end|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "</s>"];
        let mut stops: Vec<u32> = ends.iter().filter_map(|t| tokenizer.token_to_id(t)).collect();
        stops.extend(gguf.end_token());
        Ok(Self { tokenizer, chat, stops })
    }

    /// The whole prompt for a question.
    pub(super) fn prompt(&self, question: &str) -> String {
        match self.chat {
            Chat::Tiny => format!("<|user|>{question}<|assistant|>"),
            Chat::Im => {
                format!("<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")
            }
            Chat::Llama3 => format!(
                "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{question}<|eot_id|>\
                 <|start_header_id|>assistant<|end_header_id|>\n\n"
            ),
            Chat::Plain => question.to_owned(),
        }
    }

    pub(super) fn encode(&self, prompt: &str) -> Result<Vec<u32>, LlmError> {
        // Chat prompts bring their own special tokens.
        let plain = self.chat == Chat::Plain;
        let encoding = self.tokenizer.encode(prompt, plain).map_err(|e| LlmError::Compute(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn decode(&self, ids: &[u32]) -> Result<String, LlmError> {
        self.tokenizer.decode(ids, true).map_err(|e| LlmError::Compute(e.to_string()))
    }

    pub(super) fn is_stop(&self, id: u32) -> bool {
        self.stops.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::BUNDLED;
    use super::*;

    #[test]
    fn text_survives_the_way_there_and_back_and_digits_stand_alone() {
        let mut source = std::io::Cursor::new(BUNDLED);
        let gguf = Gguf::open(&mut source).unwrap();
        let tokens = Tokens::from_gguf(&gguf).unwrap();
        for text in ["What is a span?", " two  spaces", "1234 ms", "naïve – 12 µs", "line\nbreak"] {
            let ids = tokens.encode(text).unwrap();
            assert_eq!(tokens.decode(&ids).unwrap(), text);
        }
        assert_eq!(tokens.encode("1234").unwrap().len(), 4);
        let prompt = tokens.encode(&tokens.prompt("Hi")).unwrap();
        assert_eq!((prompt[0], *prompt.last().unwrap()), (1, 2));
        assert!(tokens.is_stop(0) && !tokens.is_stop(5));
    }
}
