//! Text to tokens and back, and the form of a chat prompt.

use candle_core::quantized::tokenizer::TokenizerFromGguf;
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence};

use super::LlmError;
use super::file::{ModelFile, TOKENIZER_JSON};

/// How a question is put to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chat {
    /// The bundled model.
    Tiny,
    /// `<|im_start|>` (SmolLM2 and others).
    Im,
    /// Llama 3.
    Llama3,
    /// `[INST]` (Mistral, Llama 2).
    Inst,
    /// A model without a chat template that is known here continues the text.
    Plain,
}

/// Tokenizer, prompt form and stop tokens of a model.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    /// What a person calls the tokenizer.
    pub(super) name: String,
    chat: Chat,
    stops: Vec<u32>,
    has_template: bool,
}

impl Chat {
    /// The form that the model's own template writes, as far as it is known here.
    fn of(template: &str, has: &dyn Fn(&str) -> bool) -> Self {
        let writes = |token: &str| template.contains(token) && has(token);
        // The bundled model's template puts the role between the bars.
        if template.contains("<|{{") && has("<|user|>") && has("<|assistant|>") {
            Self::Tiny
        } else if writes("<|im_start|>") {
            Self::Im
        } else if writes("<|start_header_id|>") {
            Self::Llama3
        } else if template.contains("[INST]") {
            Self::Inst
        } else {
            Self::Plain
        }
    }
}

pub(super) fn tokenizer(file: &ModelFile<'_>) -> Result<Tokenizer, LlmError> {
    let json = file.text(TOKENIZER_JSON);
    if !json.is_empty() {
        let read = std::panic::catch_unwind(|| Tokenizer::from_bytes(json.as_bytes()));
        return match read {
            Ok(Ok(tokenizer)) => Ok(tokenizer),
            Ok(Err(e)) => Err(failed(e.to_string().lines().next().unwrap_or_default())),
            Err(_) => Err(failed("it makes no sense")),
        };
    }
    let Some(content) = file.0.content() else { return Err(failed("it has none")) };
    let mut tokenizer = Tokenizer::from_gguf(content)
        .map_err(|e| failed(e.to_string().lines().next().unwrap_or_default()))?;
    if file.text("tokenizer.ggml.pre") == "smollm" {
        // candle takes it for GPT-2's, which puts a space before the text and keeps digits together.
        let (digits, bytes) = (Digits::new(true), ByteLevel::new(false, true, true));
        tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![digits.into(), bytes.into()])));
    }
    Ok(tokenizer)
}

/// What a person calls the tokenizer of a file: where it is from, and how it splits.
fn name(file: &ModelFile<'_>) -> String {
    if !file.text(TOKENIZER_JSON).is_empty() {
        return "tokenizer.json (Hugging Face)".to_owned();
    }
    let [model, splits] = ["tokenizer.ggml.model", "tokenizer.ggml.pre"].map(|key| file.text(key));
    match splits {
        "" => format!("{model} (GGUF)"),
        splits => format!("{model}, {splits} (GGUF)"),
    }
}

fn failed(e: impl std::fmt::Display) -> LlmError {
    LlmError::File(format!("the model has no tokenizer that can be used: {e}"))
}

impl Tokens {
    pub(super) fn of(file: &ModelFile<'_>) -> Result<Self, LlmError> {
        let tokenizer = tokenizer(file)?;
        let has = |token: &str| tokenizer.token_to_id(token).is_some();
        let template = file.text("tokenizer.chat_template");
        let chat = Chat::of(template, &has);
        let ends = ["<|end|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "</s>"];
        let mut stops: Vec<u32> = ends.iter().filter_map(|t| tokenizer.token_to_id(t)).collect();
        stops.extend(file.end_tokens());
        Ok(Self { tokenizer, name: name(file), chat, stops, has_template: !template.is_empty() })
    }

    /// How a question becomes a prompt, in words.
    pub(super) fn form(&self) -> &'static str {
        match self.chat {
            Chat::Tiny => "the bundled model's chat form",
            Chat::Im => "<|im_start|> chat, without a system text",
            Chat::Llama3 => "Llama 3 chat, without a system text",
            Chat::Inst => "[INST] chat, without a system text",
            Chat::Plain if self.has_template => {
                "plain text, because the model's chat template is not known here"
            }
            Chat::Plain => "plain text, because the model has no chat template",
        }
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
            Chat::Inst => format!("[INST] {question} [/INST]"),
            Chat::Plain => question.to_owned(),
        }
    }

    pub(super) fn encode(&self, prompt: &str) -> Result<Vec<u32>, LlmError> {
        // The other chat prompts bring their own special tokens.
        let plain = matches!(self.chat, Chat::Plain | Chat::Inst);
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
    use super::super::file::open_gguf;
    use super::*;

    #[test]
    fn text_survives_the_way_there_and_back_and_digits_stand_alone() {
        let mut source = std::io::Cursor::new(BUNDLED);
        let tokens = Tokens::of(&open_gguf(&mut source).unwrap()).unwrap();
        for text in ["What is a span?", " two  spaces", "1234 ms", "naïve – 12 µs", "line\nbreak"] {
            let ids = tokens.encode(text).unwrap();
            assert_eq!(tokens.decode(&ids).unwrap(), text);
        }
        assert_eq!(tokens.encode("1234").unwrap().len(), 4);
        let prompt = tokens.encode(&tokens.prompt("Hi")).unwrap();
        assert_eq!((prompt[0], *prompt.last().unwrap()), (1, 2));
        assert!(tokens.is_stop(0) && !tokens.is_stop(5));
    }

    #[test]
    fn a_chat_form_is_used_only_where_the_template_writes_it() {
        let every = |_: &str| true;
        let of = |template: &str, has: &dyn Fn(&str) -> bool| Chat::of(template, has);
        let im = "{{'<|im_start|>' + message['role'] + '\n'}}";
        assert_eq!(of(im, &every), Chat::Im);
        assert_eq!(of(im, &|_| false), Chat::Plain, "the vocabulary has no such token");
        assert_eq!(of("", &every), Chat::Plain, "a base model with chat tokens in its vocabulary");
        assert_eq!(of("<|start_header_id|>{{role}}", &every), Chat::Llama3);
        assert_eq!(of("{{ '[INST] ' + content + ' [/INST]' }}", &every), Chat::Inst);
        assert_eq!(of("<|user|>\n{{ content }}", &every), Chat::Plain);
    }
}
