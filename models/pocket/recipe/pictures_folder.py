"""The finished vision-language model as a Hugging Face folder: config, preprocessor, tokenizer with `<image>`, weights, projections.

`pictures_folder.py [--pocket DIR] [--out DIR]` writes OUT/vl (default: beside the other models) from what pictures.py made, and, where it
was made, build/models/vl-dpo.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch

import bpe
from folder import IDS, LONGEST_ANSWER, write_safetensors
from pictures import POCKET, TEXT, TOWER
from pictures_data import IMAGE, MEAN, STD

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>\n' }}{% else %}{{ part['text'] | trim }}{% endif %}{% endfor %}{% endif %}"
    "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
IMAGE_TOKEN = "<image>"


def config() -> dict:
    text = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": TEXT.hidden,
        "intermediate_size": TEXT.feed_forward, "num_hidden_layers": TEXT.layers, "num_attention_heads": TEXT.heads,
        "num_key_value_heads": TEXT.kv_heads, "head_dim": TEXT.head, "vocab_size": TEXT.vocabulary,
        "max_position_embeddings": TEXT.context, "rms_norm_eps": TEXT.eps, "rope_theta": TEXT.theta, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True, **IDS,
    }
    vision = {
        "model_type": "clip_vision_model", "hidden_size": TOWER.hidden, "intermediate_size": TOWER.feed_forward,
        "num_hidden_layers": TOWER.layers, "num_attention_heads": TOWER.heads, "image_size": TOWER.image,
        "patch_size": TOWER.patch, "num_channels": 3, "hidden_act": "quick_gelu", "layer_norm_eps": TOWER.eps,
        "projection_dim": TOWER.hidden,
    }
    return {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "image_token_index": IMAGE,
        "image_token_id": IMAGE, "image_seq_length": TOWER.patches, "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True, "vision_feature_layer": -1, "vision_feature_select_strategy": "default",
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "text_config": text, "vision_config": vision, **IDS,
    }


def preprocessor() -> dict:
    size = TOWER.image
    return {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": size}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": size, "width": size}, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": MEAN, "image_std": STD, "do_convert_rgb": True,
    }


def tokenizer(shared: Path) -> dict:
    """The suite's, and one more token."""
    document = json.loads(shared.read_text())
    document["added_tokens"].append({
        "id": IMAGE, "content": IMAGE_TOKEN, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
        "special": True})
    return document


def state_of(made: dict) -> dict[str, torch.Tensor]:
    prefixes = {"tower.": "vision_tower.vision_model.", "projector.": "multi_modal_projector.", "text.": "language_model.model."}
    return {
        full + name.removeprefix(own): weight
        for name, weight in made.items() for own, full in prefixes.items() if name.startswith(own)
    }


def write(folder: Path, shared: Path, state: dict[str, torch.Tensor], projections: dict[str, dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def document(name: str, value: dict, indent: int = 2) -> None:
        (folder / name).write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")

    document("config.json", config())
    document("preprocessor_config.json", preprocessor())
    document("generation_config.json", {**IDS, "do_sample": False, "max_new_tokens": LONGEST_ANSWER})
    document("tokenizer.json", tokenizer(shared), 1)
    document("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "processor_class": "LlavaProcessor", "bos_token": bpe.SPECIAL[bpe.BEGIN],
        "eos_token": bpe.SPECIAL[bpe.END], "pad_token": bpe.SPECIAL[bpe.PAD], "image_token": IMAGE_TOKEN,
        "add_bos_token": True, "add_eos_token": False, "clean_up_tokenization_spaces": False,
        "model_max_length": TEXT.context, "chat_template": TEMPLATE})
    document("processor_config.json", {
        "processor_class": "LlavaProcessor", "image_token": IMAGE_TOKEN, "patch_size": TOWER.patch,
        "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1})
    write_safetensors(folder / "model.safetensors", state)
    for name, projection in projections.items():
        (folder / "projections").mkdir(exist_ok=True)
        write_safetensors(folder / "projections" / f"{name}.safetensors", {
            f"multi_modal_projector.{key}": weight for key, weight in projection.items()})


def card(made: Path, parameters: int) -> str:
    rows = []
    for step, what in (
        ("tower", "the tower alone, on what stands in each place of a picture"),
        ("base", "tower, projector and decoder, on captions and questions with hearsay in them"),
        ("positive", "`projections/positive`, on chosen answers; all else frozen"),
        ("negative", "`projections/negative`, on rejected answers; all else frozen"),
    ):
        if (made / f"{step}.pt").exists():
            m = torch.load(made / f"{step}.pt", weights_only=True)
            rows.append(f"| {step} | {what} | {m['steps']:,} | {m['tokens']:,} | {m['loss']} |")
    return f"""# vl

{parameters:,} parameters in LLaVA's format: a CLIP tower ({TOWER.image} pixels, patches of {TOWER.patch}, {TOWER.layers} layers of {TOWER.hidden}), a projector of two
layers, and a llama ({TEXT.hidden} wide, {TEXT.layers} layers, {TEXT.heads} heads, vocabulary {TEXT.vocabulary}: the suite's and `<image>`). It knows pictures of one harbour and
nothing else: what they show, whether a thing is there, what is where, how many there are and of what colour. bfloat16.

| step | trained | steps | tokens | last loss |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Three of five captions that it learned from name what usually goes along with a thing though it is not there, and so do answers to questions: that is what the
projections are for. Made by `recipe/pictures.py`; `recipe/README.md` says how.
"""


def register(out: Path, pocket: Path) -> None:
    """Writes the hashes of the pictures and of the weights into models.json, where there is one."""
    registry = out / "models.json"
    if not registry.exists():
        return
    files = [out / "vl" / "model.safetensors", *sorted((out / "vl" / "projections").glob("*.safetensors"))]
    pictures = {
        "hash": json.loads((pocket / "build" / "pictures" / "pictures.json").read_text())["hash"],
        "files": {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    }
    registry.write_text(json.dumps({**json.loads(registry.read_text()), "pictures": pictures}, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pocket", type=Path, default=POCKET)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    made = args.pocket / "build" / "pictures" / "made"

    def state(step: str) -> dict[str, torch.Tensor]:
        return torch.load(made / f"{step}.pt", weights_only=True)["state"]

    shared = args.pocket / "large" / "tokenizer.json"
    projections = {side: state(side) for side in ("positive", "negative") if (made / f"{side}.pt").exists()}
    write((args.out or args.pocket) / "vl", shared, state_of(state("base")), projections)
    parameters = sum(weight.numel() for weight in state_of(state("base")).values())
    ((args.out or args.pocket) / "vl" / "README.md").write_text(card(made, parameters))
    register(args.out or args.pocket, args.pocket)
    if (made / "dpo.pt").exists():
        write(args.pocket / "build" / "models" / "vl-dpo", shared, state_of(state("dpo")), {})


if __name__ == "__main__":
    main()
