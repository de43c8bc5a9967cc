"""CTranslate2: the same greedy texts as transformers, its stop rules, and the occasions of a conversion."""

import math
import os
import signal
from collections import Counter

import pytest
import torch
from bigram_model import bigram_model
from generating import chain
from scipy.stats import chisquare
from small_models import END, random_model, tiny_tokenizer

from utils.errors import UserError
from utils.inference.ctranslate2.convert import convert
from utils.inference.ctranslate2.engine import open_text_generator
from utils.inference.generation import encode_prompts, generate_from_ids
from utils.inference.sampling import Sampling
from utils.inference.streaming import AnswerInterrupt, AnswerStopped, AnswerStreamer
from utils.models import checkpoint, saving
from utils.models.tokenization import token_ids

pytestmark = pytest.mark.usefixtures("_no_progress_bars")


PROMPTS = ["a", "", "some longer prompt", "Été", "x" * 120, "a", "the end of it", "bc"]


GREEDY = {"max_new_tokens": 20, "do_sample": False}


RUN = {"task": "tweets", "base_model": "tiny"}


def saved(path, model, run=None):
    """A model on disk, and as it is loaded from there."""
    saving.save(path, checkpoint.Trained(model, tiny_tokenizer(), run or RUN), "", "")
    return checkpoint.load(str(path))


def writer_of(path, model, batch_size=64):
    return open_text_generator(convert(str(path), saved(path, model)), "float32", batch_size, None)


@pytest.fixture(scope="module", params=[("gpt2", True), ("gpt2", False), ("llama", False)], ids=str)
def both(request, tmp_path_factory, _no_progress_bars):
    """(a random model, what CTranslate2 writes in its place); GPT-2 with a tied and with an untied head."""
    kind, tied = request.param
    model = random_model(kind, tie_word_embeddings=tied)
    return model, writer_of(tmp_path_factory.mktemp("models") / kind, model, batch_size=5)


@pytest.mark.parametrize(
    "settings",
    [{}, {"min_new_tokens": 9}, {"no_repeat_ngram_size": 2}, {"stop": ("a", "é")}],
    ids=str,
)
def test_greedy_texts_are_those_of_transformers(both, settings):
    model, write = both
    ids, tokenizer = encode_prompts(tiny_tokenizer(), PROMPTS), tiny_tokenizer()
    sampling = Sampling(**{**GREEDY, **settings})
    plain = generate_from_ids(model, tokenizer, ids, Sampling(**GREEDY))
    written = token_ids(tokenizer, ["".join(text.text for (text,) in plain)])[0]
    end = Counter(written).most_common()[5][0]  # a token that some texts come to
    expected = generate_from_ids(model, tokenizer, ids, sampling, end=end)
    assert len({text.tokens for (text,) in expected}) > 1
    assert write(ids, sampling, end=end) == expected


def streamed(write, prompt, sampling, end=END, show=lambda piece: None, interrupt=None):
    """(what is returned, the pieces that were shown) of one text that is shown as it is written."""
    pieces = []

    def take(piece):
        pieces.append(piece)
        show(piece)

    streamer = AnswerStreamer(tiny_tokenizer(), end, sampling.stop, take, interrupt or AnswerInterrupt())
    [[text]] = write([prompt], sampling, end=end, streamer=streamer)
    assert (len(streamer.ids), streamer.text) == (text.tokens, "".join(pieces))
    return text, pieces


@pytest.mark.parametrize(
    "settings",
    [{}, {"do_sample": True, "seed": 3}, {"no_repeat_ngram_size": 2}, {"min_new_tokens": 9}, {"max_new_tokens": 1}],
    ids=str,
)
def test_pieces_that_are_shown_are_the_whole_text(both, settings):
    _, write = both
    sampling = Sampling(**{**GREEDY, **settings})
    for prompt in encode_prompts(tiny_tokenizer(), PROMPTS):
        [[whole]] = write([prompt], sampling)
        end = token_ids(tiny_tokenizer(), [whole.text[-1:] or "a"])[0][-1]  # a token that the text comes to
        for last in (END, end):
            [[whole]] = write([prompt], sampling, end=last)
            text, pieces = streamed(write, prompt, sampling, last)
            assert (text, "".join(pieces)) == (whole, whole.text)


def test_a_character_of_several_tokens_is_shown_when_it_is_whole(tmp_path):
    ids = [END, *token_ids(tiny_tokenizer(), ["où 🚀"])[0], END]
    write = writer_of(tmp_path / "model", chain(tiny_tokenizer(), *ids))
    assert streamed(write, [END], Sampling(**GREEDY))[1] == list("où 🚀")
    # Cut in the middle of the rocket: what is there of it is never shown.
    cut, pieces = streamed(write, [END], Sampling(**{**GREEDY, "max_new_tokens": 6}))
    assert (cut.text, cut.tokens, cut.finished, pieces) == ("où ", 6, False, list("où "))


def test_a_stop_string_ends_the_answer_and_nothing_of_it_is_shown(tmp_path):
    write = writer_of(tmp_path / "model", chain(tiny_tokenizer(), None, *"abcdefghij", None))
    sampling = Sampling(**GREEDY, stop=("defg",))
    [[whole]] = write([[END]], sampling)
    assert (whole.text, whole.tokens, whole.finished) == ("abc", 7, True)
    assert streamed(write, [END], sampling) == (whole, list("abc"))


def test_ctrl_c_ends_the_answer_after_the_piece_that_is_shown(tmp_path):
    model = bigram_model(tiny_tokenizer(), {"a": {"b": 0.0}, "b": {"a": 0.0}, None: {"a": 0.0}})
    write, interrupt = writer_of(tmp_path / "model", model), AnswerInterrupt()
    shown, sampling = [], Sampling(max_new_tokens=60, do_sample=False)

    def press(piece):
        shown.append(piece)
        if len(shown) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with interrupt.listening(), pytest.raises(AnswerStopped):
        streamed(write, [END], sampling, show=press, interrupt=interrupt)
    assert "".join(shown) == "aba"
    # The engine writes the next answer as if nothing had happened.
    assert streamed(write, [END], sampling)[0].text == "ab" * 30


def test_a_sequence_of_the_prompt_may_be_written_once_whatever_the_other_prompts(tmp_path):
    model = bigram_model(tiny_tokenizer(), {"a": {"b": 4, None: 2}, "b": {"a": 4, None: 2}, None: {"a": 1}})
    ids, sampling = encode_prompts(tiny_tokenizer(), ["a", "ababa"]), Sampling(**GREEDY, no_repeat_ngram_size=2)
    expected = generate_from_ids(model, tiny_tokenizer(), ids, sampling)
    assert [text.text for (text,) in expected] == ["bab", "bab"]
    assert writer_of(tmp_path / "model", model)(ids, sampling) == expected


def test_draws_follow_the_probabilities_and_the_seed(tmp_path):
    logits = {token: math.log(share) for token, share in zip("abcd", (8, 4, 2, 1), strict=True)} | {None: 0.0}
    write = writer_of(
        tmp_path / "model", bigram_model(tiny_tokenizer(), {None: logits, **dict.fromkeys("abcd", logits)})
    )

    def drawn(**settings):
        sampling = Sampling(max_new_tokens=1, num_return_sequences=3000, **settings)
        return [text.text for text in write([[END]], sampling)[0]]

    for settings, expected in [
        ({"top_k": 0, "top_p": 1.0}, {"a": 8 / 16, "b": 4 / 16, "c": 2 / 16, "d": 1 / 16, "": 1 / 16}),
        ({"top_k": 3, "top_p": 0.85}, {"a": 2 / 3, "b": 1 / 3}),
        # A temperature of 0.5 squares the probabilities; of 64, 16, 4, 1 and 1 the first two are more than 0.85.
        ({"top_k": 0, "top_p": 0.85, "temperature": 0.5}, {"a": 64 / 80, "b": 16 / 80}),
    ]:
        counts = Counter(drawn(**settings))
        assert counts.keys() <= expected.keys()
        assert chisquare([counts[text] for text in expected], [3000 * p for p in expected.values()]).pvalue > 0.001
    assert drawn(seed=1) == drawn(seed=1) != drawn(seed=2)


@pytest.mark.parametrize("name", ["model", "model.pt"])
def test_a_model_is_converted_once_and_again_when_its_weights_change(tmp_path, name):
    path, model = tmp_path / name, random_model("gpt2")
    folder = convert(str(path), saved(path, model)).folder
    assert folder == tmp_path / f"{name}.ctranslate2"
    before = (folder / "int8" / "model.bin").stat()
    assert convert(str(path), checkpoint.load(str(path))).folder == folder
    assert (folder / "int8" / "model.bin").stat() == before
    with torch.no_grad():
        model.transformer.h[1].mlp.c_fc.weight[0, 0] += 0.5
    saving.save(path, checkpoint.Trained(model, tiny_tokenizer(), RUN), "", "")
    assert convert(str(path), checkpoint.load(str(path))).folder == folder
    assert (folder / "int8" / "model.bin").stat() != before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [name, f"{name}.ctranslate2"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    trained = saved(tmp_path / "model", random_model("gpt2"))
    (tmp_path / "model.ctranslate2").mkdir()
    (tmp_path / "model.ctranslate2" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is not one that we converted"):
        convert(str(tmp_path / "model"), trained)
    assert (tmp_path / "model.ctranslate2" / "thesis.txt").read_text() == "mine"


def test_a_model_that_ctranslate2_does_not_compute_is_refused(tmp_path):
    with pytest.raises(UserError, match="is a opt model, but --engine ctranslate2 supports gpt2 and llama models"):
        convert(str(tmp_path / "opt"), saved(tmp_path / "opt", random_model("opt")))
    trained = saved(tmp_path / "odd", random_model("gpt2", scale_attn_by_inverse_layer_idx=True))
    with pytest.raises(UserError, match="computes other log probabilities than this model"):
        convert(str(tmp_path / "odd"), trained)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["odd", "opt"]
