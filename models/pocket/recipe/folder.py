"""Model folders in Hugging Face's format: config, generation config, tokenizer files and bfloat16 safetensors, written and read."""

import json
import struct
from pathlib import Path

import torch

import bpe
from model import Llama, Scorer, Size

IDS = {"bos_token_id": bpe.BEGIN, "eos_token_id": bpe.END, "pad_token_id": bpe.PAD}
LONGEST_ANSWER = 96


def config_of(model: Llama | Scorer) -> dict:
    s = model.size
    kind = {"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True}
    if isinstance(model, Scorer):
        kind = {
            "architectures": ["LlamaForSequenceClassification"], "tie_word_embeddings": False,
            "id2label": {str(i): head for i, head in enumerate(model.heads)},
            "label2id": {head: i for i, head in enumerate(model.heads)},
        }
    return {
        **kind, "model_type": "llama", "hidden_size": s.hidden, "intermediate_size": s.feed_forward,
        "num_hidden_layers": s.layers, "num_attention_heads": s.heads, "num_key_value_heads": s.kv_heads,
        "head_dim": s.head, "vocab_size": s.vocabulary, "max_position_embeddings": s.context, "rms_norm_eps": s.eps,
        "rope_theta": s.theta, "rope_scaling": None, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "initializer_range": 0.02, "torch_dtype": "bfloat16", "use_cache": True, **IDS,
    }


def tokenizer_config_of(size: Size, template: str) -> dict:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bpe.SPECIAL[bpe.BEGIN],
        "eos_token": bpe.SPECIAL[bpe.END], "pad_token": bpe.SPECIAL[bpe.PAD], "add_bos_token": True,
        "add_eos_token": False, "clean_up_tokenization_spaces": False, "model_max_length": size.context,
        "chat_template": template,
    }


def write_safetensors(path: Path, state: dict[str, torch.Tensor]) -> None:
    header: dict = {"__metadata__": {"format": "pt"}}
    blobs, offset = [], 0
    for name, weight in state.items():
        data = weight.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(weight.shape), "data_offsets": [offset, offset + len(data)]}
        blobs.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_suffix(".partial")
    partial.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    partial.rename(path)


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    state = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            data = torch.frombuffer(bytearray(raw[8 + length + start : 8 + length + end]), dtype=torch.bfloat16)
            state[name] = data.view(entry["shape"]).float()
    return state


def write(model: Llama | Scorer, folder: Path, template: str, tokenizer: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def document(name: str, value: dict) -> None:
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")

    document("config.json", config_of(model))
    document("tokenizer_config.json", tokenizer_config_of(model.size, template))
    if isinstance(model, Llama):
        document("generation_config.json", {**IDS, "do_sample": False, "max_new_tokens": LONGEST_ANSWER})
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    prefix = "model." if isinstance(model, Llama) else ""
    write_safetensors(folder / "model.safetensors", {prefix + name: weight for name, weight in model.state_dict().items()})


def read(folder: Path) -> Llama | Scorer:
    config = json.loads((folder / "config.json").read_text())
    llama = Llama(Size(
        hidden=config["hidden_size"], layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"], feed_forward=config["intermediate_size"],
        vocabulary=config["vocab_size"], context=config["max_position_embeddings"],
    ))
    state = read_safetensors(folder / "model.safetensors")
    if "id2label" in config:
        scorer = Scorer(llama, tuple(config["id2label"].values()))
        scorer.load_state_dict(state)
        return scorer
    llama.load_state_dict({name.removeprefix("model."): weight for name, weight in state.items()})
    return llama


def template_of(folder: Path) -> str:
    return json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
