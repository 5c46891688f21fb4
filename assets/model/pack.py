#!/usr/bin/env python3
"""Pack a trained model into GGUF: pack.py DIR OUT.gguf   (needs: pip install gguf numpy)
DIR holds what train.py wrote: w.npz (weights), tokenizer.json, config.json. Matrices become Q8_0, norms stay F32."""
import json, sys
import gguf, numpy as np

directory, out = sys.argv[1:3]
config = json.load(open(f"{directory}/config.json"))
model = json.load(open(f"{directory}/tokenizer.json"))["model"]
tokens = sorted(model["vocab"], key=model["vocab"].get)
merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
SPECIAL = 3  # <|end|>, <|user|>, <|assistant|>
CHAT = ("{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% if m['role'] == 'assistant' %}<|end|>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}")

w = gguf.GGUFWriter(out, "llama")
w.add_name("tiny-profiler")
w.add_block_count(config["layers"])
w.add_context_length(1024)
w.add_embedding_length(config["d"])
w.add_feed_forward_length(config["ff"])
w.add_head_count(config["heads"])
w.add_head_count_kv(config["kv"])
w.add_rope_dimension_count(config["hd"])
w.add_rope_freq_base(10000.0)
w.add_layer_norm_rms_eps(1e-5)
w.add_vocab_size(config["vocab"])
w.add_tokenizer_model("gpt2")
w.add_tokenizer_pre("smollm")  # digits apart, then byte-level BPE without a leading space
w.add_token_list(tokens)
w.add_token_types([3 if i < SPECIAL else 1 for i in range(len(tokens))])
w.add_token_merges(merges)
w.add_bos_token_id(1)
w.add_eos_token_id(0)
w.add_add_bos_token(False)
w.add_chat_template(CHAT)

PARTS = dict(n1="attn_norm", n2="ffn_norm", q="attn_q", k="attn_k", v="attn_v", o="attn_output", gate="ffn_gate",
             up="ffn_up", down="ffn_down")
def name_of(parameter):
    if parameter == "emb.weight": return "token_embd.weight"
    if parameter == "norm.weight": return "output_norm.weight"
    _, layer, part, _ = parameter.split(".")
    return f"blk.{layer}.{PARTS[part]}.weight"

Q8 = gguf.GGMLQuantizationType.Q8_0
weights = np.load(f"{directory}/w.npz")
for parameter in sorted(weights.files):
    tensor = weights[parameter].astype(np.float32)
    if tensor.ndim == 2:
        w.add_tensor(name_of(parameter), gguf.quants.quantize(tensor, Q8), raw_dtype=Q8)
    else:
        w.add_tensor(name_of(parameter), tensor)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
