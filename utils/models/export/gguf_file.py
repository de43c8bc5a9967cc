"""Writing a trained model as a .gguf file, and reading it back before it gets its name."""

import logging
from pathlib import Path

from utils.files import atomic_write
from utils.models.chat_templates import open_chat_template
from utils.models.checkpoint import Trained
from utils.models.export.gguf_vocabulary import vocabulary_of
from utils.models.export.gguf_weights import add_settings, tensors_of
from utils.models.gguf import open_gguf
from utils.models.saving import probe_logits
from utils.models.tokenization import start_and_end
from utils.tasks.kinds import INSTRUCT

log = logging.getLogger(__name__)
FORMATS = ("f16", "q8_0")
# Of each weight, as a share of the largest one of its matrix, and of a probe's logits, of their norm: rounding to half
# precision, and to blocks of 32 numbers in 8 bits. Small random models have logits that differ by 0.002 and 0.07.
TOLERANCES = {"f16": (5e-4, 0.01), "q8_0": (0.005, 0.2)}


def write_gguf(path: Path, trained: Trained, number_format: str) -> None:
    """Write a model that `check_gguf` accepts to a .gguf file, whole or not at all, in one of FORMATS.

    UserError where it cannot be written; RuntimeError where the file does not give the model's logits.
    """
    from gguf import GGUFWriter

    with atomic_write(path) as file:
        writer = GGUFWriter(file.name, trained.model.config.model_type)
        try:
            writer.add_name(path.stem)
            add_settings(writer, trained.model.config)
            _add_tokenizer(writer, trained)
            _add_tensors(writer, trained, number_format)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
        _verify(Path(file.name), trained, number_format)


def _add_tokenizer(writer, trained: Trained) -> None:
    """Write the vocabulary, where texts start and end, and the chat template, which writes the start token itself."""
    tokenizer = trained.tokenizer
    vocabulary = vocabulary_of(tokenizer, trained.model.get_input_embeddings().num_embeddings)
    start, end = start_and_end(tokenizer)
    writer.add_tokenizer_model("gpt2")  # BPE over bytes
    writer.add_tokenizer_pre(vocabulary.split)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(start)
    writer.add_eos_token_id(end)
    writer.add_pad_token_id(end if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
    answers = trained.run["kind"] == INSTRUCT.name
    writer.add_add_bos_token(not answers)
    writer.add_add_eos_token(False)
    if answers:
        writer.add_eot_token_id(open_chat_template(tokenizer).end)
        writer.add_chat_template(tokenizer.chat_template)


def _add_tensors(writer, trained: Trained, number_format: str) -> None:
    """Write matrices in the format, and as llama.cpp needs them, vectors and embeddings of positions in float32."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType, quantize

    chosen = GGMLQuantizationType[number_format.upper()]
    writer.add_file_type(LlamaFileType[f"MOSTLY_{number_format.upper()}"])
    if number_format == "q8_0":
        writer.add_quantization_version(2)
    for name, weight in tensors_of(trained.model):
        kind = chosen
        if weight.ndim == 1 or name.startswith("position_embd"):
            kind = GGMLQuantizationType.F32
        elif weight.shape[-1] % GGML_QUANT_SIZES[chosen][0]:  # rows that no whole number of blocks fills
            kind = GGMLQuantizationType.F16
        writer.add_tensor(name, quantize(weight, kind), raw_dtype=kind)


def _verify(path: Path, trained: Trained, number_format: str) -> None:
    """Raise RuntimeError where the file, opened as --model_path opens it, is another model."""
    model, tokenizer = open_gguf(path)
    if not tokenizer.get_vocab().items() >= trained.tokenizer.get_vocab().items():
        raise RuntimeError(f"{path} does not have the vocabulary of the model")
    of_weights, of_logits = TOLERANCES[number_format]
    written = model.state_dict()
    for name, weight in trained.model.state_dict().items():
        if not (written[name] - weight).abs().max() <= of_weights * weight.abs().max():
            raise RuntimeError(f"{path} does not have the weights of the model: {name}")
    expected, actual = (probe_logits(each, trained.tokenizer) for each in (trained.model, model))
    error = ((expected - actual).norm() / expected.norm()).item()
    log.info("read back, the file gives logits that differ from the model's by %.2g of their norm", error)
    if not error <= of_logits:
        raise RuntimeError(f"{path} does not give the logits of the model: off by {error} of their norm")
