"""The shipped model: plain loading, the numbers of its card, its tokenizer, its prompt sets."""

import csv
import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "gpt2-demo" / "training"))

import card
import corpus
import model as demo
import ngrams
import scores
import tokens
import train

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "models" / "gpt2-demo"
PROMPT_SETS = ROOT / "parcellation_datasets"
NUMBERS = json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))
BITS = NUMBERS["bits_per_token"]
FRESH_SEED = 31_337
MODEL_LIMIT_BYTES = 10_000_000


@pytest.fixture(scope="module")
def net() -> GPT2LMHeadModel:
    """Return the shipped model, loaded as a user would."""
    return AutoModelForCausalLM.from_pretrained(FOLDER).eval()


tokenizer = AutoTokenizer.from_pretrained(FOLDER)


def test_shape_and_dtype(net: GPT2LMHeadModel) -> None:
    assert isinstance(net, GPT2LMHeadModel)
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    assert len(net.transformer.h) == 4
    assert net.state_dict()["transformer.h.3.mlp.c_fc.weight"].shape == (256, 1024)
    assert (net.config.n_embd, net.config.n_head, net.config.n_positions) == (256, 4, 256)
    assert net.config.activation_function == "gelu_new"
    assert net.lm_head.weight is net.transformer.wte.weight


def test_weights_are_stored_as_float16() -> None:
    with safe_open(FOLDER / "model.safetensors", "pt") as stored:
        assert {stored.get_tensor(key).dtype for key in stored.keys()} == {torch.float16}  # noqa: SIM118
    assert (FOLDER / "model.safetensors").stat().st_size <= MODEL_LIMIT_BYTES


def test_shipped_files_hold_no_absolute_paths() -> None:
    for path in [*FOLDER.glob("*.json"), *FOLDER.glob("*.md")]:
        assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|usr)\b", path.read_text("utf-8")), (
            path
        )


@given(st.text(max_size=80))
def test_tokenizer_gives_every_text_back(text: str) -> None:
    if tokens.END not in text:
        assert (
            tokenizer.decode(tokenizer(text).input_ids, clean_up_tokenization_spaces=False) == text
        )


@pytest.mark.parametrize(
    "text", [" a", "a ", "a  b", "don't , stop .", "\U0001f642 caf\u00e9\n\t", ""]
)
def test_tokenizer_round_trip(text: str) -> None:
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_tokenizer_tokens() -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary = tokenizer.get_vocab()
    assert len(ByteLevel.alphabet()) == 256 and set(ByteLevel.alphabet()) <= set(vocabulary)
    assert 1500 <= len(vocabulary) <= 2500
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == vocabulary[tokens.END]
    assert tokenizer("hello").input_ids != tokenizer(" hello").input_ids
    assert tokenizer.convert_ids_to_tokens(tokenizer("I think love is ").input_ids)[-1] == "\u0120"


def test_tokenizer_files(tmp_path: Path) -> None:
    tokens.save_tokenizer(tokenizer.backend_tokenizer, tmp_path, 256)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_text("utf-8") == (FOLDER / name).read_text("utf-8")


def test_ids_agree(net: GPT2LMHeadModel) -> None:
    assert net.config.vocab_size == len(tokenizer)
    assert net.config.eos_token_id == net.config.bos_token_id == tokenizer.eos_token_id
    assert net.generation_config.eos_token_id == tokenizer.eos_token_id


@pytest.fixture(scope="module")
def trigrams() -> ngrams.KneserNey:
    sample = list(corpus.corpus(0, 2 * corpus.CHUNK_BYTES))
    training = scores.held_out_stream(tokenizer.backend_tokenizer, sample, 0)
    return ngrams.KneserNey(training, 3, len(tokenizer))


@pytest.mark.parametrize(("name", "seed"), [("cut", 7), ("whole", None)])
def test_bits_per_token_are_those_of_the_card(
    net: GPT2LMHeadModel, trigrams: ngrams.KneserNey, name: str, seed: int | None
) -> None:
    fresh = corpus.first_documents(FRESH_SEED, 130)
    stream = scores.held_out_stream(tokenizer.backend_tokenizer, fresh, seed)
    found = scores.model_bits(net, stream).mean()
    assert abs(found - BITS[name]["gpt2-demo"]) < 0.15
    assert found < BITS[name]["3-gram"] - 0.5
    assert found < trigrams.bits(stream).mean() - 0.5


def test_card_claims() -> None:
    for name in ("cut", "whole"):
        row = BITS[name]
        assert row["gpt2-demo"] <= row["3-gram"] - 0.5
        assert row["1-gram"] > row["2-gram"] > row["3-gram"] > row["4-gram"]
    size = NUMBERS["model"]
    assert size["parameters"] == 3_737_088 and size["file_bytes"] <= MODEL_LIMIT_BYTES
    assert size["file_bytes"] == (FOLDER / "model.safetensors").stat().st_size


def test_card_shows_the_numbers_of_the_evaluation() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert text == card.render(NUMBERS)
    rows = dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+ \| [\d.]+) \|$", text, re.MULTILINE))
    for name, cut in BITS["cut"].items():
        assert rows[name] == f"{cut:.3f} | {BITS['whole'][name]:.3f}"
    assert f"{NUMBERS['training']['steps']:,}" in text
    assert NUMBERS["training"] == json.loads((FOLDER / "training.json").read_text())


def test_completions_of_the_card(net: GPT2LMHeadModel) -> None:
    assert list(NUMBERS["completions"]) == list(card.PROMPTS)
    vocabulary = {
        word for text in corpus.first_documents(FRESH_SEED, 4000) for word in _words(text)
    }
    said = [
        word for rows in NUMBERS["completions"].values() for row in rows for word in _words(row)
    ]
    # The last word may be cut short by the limit of new tokens, and a few may be made up.
    assert sum(word in vocabulary for word in said) / len(said) > 0.9


def _words(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return re.findall(r"[a-z]+", text.replace(tokens.END, "").lower())


def test_model_bits_equal_a_direct_computation(net: GPT2LMHeadModel) -> None:
    stream = np.random.default_rng(0).integers(0, 2000, 300)
    found = scores.model_bits(net, stream)
    with torch.inference_mode():
        logits = net(torch.from_numpy(stream[None, :256])).logits.log_softmax(-1)[0].numpy()
        late = net(torch.from_numpy(stream[None, 44:])).logits.log_softmax(-1)[0].numpy()
    start, end = scores.FIRST, 299
    assert found[0] == pytest.approx(-logits[start - 1, stream[start]] / np.log(2), rel=1e-4)
    assert found[255 - start] == pytest.approx(-logits[254, stream[255]] / np.log(2), rel=1e-4)
    assert found[-1] == pytest.approx(-late[end - 44 - 1, stream[end]] / np.log(2), rel=1e-4)
    assert len(found) == 300 - start and not np.isnan(found).any()


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_ngram_probabilities_sum_to_one(order: int) -> None:
    stream = np.random.default_rng(order).integers(0, 7, 400) ** 2 % 7
    grams = ngrams.KneserNey(stream, order, 7)
    for context in product(range(0, 7, 3), repeat=4):
        chances = [2 ** -grams.bits(np.array([*context, last]))[0] for last in range(7)]
        assert sum(chances) == pytest.approx(1)


def test_bigram_by_hand() -> None:
    # In 0 1 0 1 0 2: after 0 come 1, 1, 2; the counts 2, 2, 1 give D = 1 / (1 + 2 * 2).  Three
    # bigrams, one ending in each token, none of them twice: D = 0.5 for the lowest order.
    grams = ngrams.KneserNey(np.array([0, 1, 0, 1, 0, 2]), 2, 3)
    lower = (1 - 0.5) / 3 + 0.5 * 3 / 3 / 3
    chance = (2 - 0.2) / 3 + 0.2 * 2 / 3 * lower
    assert 2 ** -grams.bits(np.array([9, 9, 9, 0, 1]))[0] == pytest.approx(chance)


def test_ngram_order_is_checked() -> None:
    with pytest.raises(ValueError, match="order must be"):
        ngrams.KneserNey(np.arange(9), 6, 9)


@given(st.text(alphabet="ab .\n", max_size=60), st.integers(0, 99))
def test_cuts_lose_nothing(text: str, seed: int) -> None:
    import random

    pieces = tokens.cut(text, random.Random(seed), every=2)
    assert "".join(pieces) == text
    assert all(piece.endswith(" ") for piece in pieces[:-1])


def test_streams_hold_documents_and_their_starts() -> None:
    texts = corpus.first_documents(3, 20)
    stream, starts = tokens.encode(tokenizer.backend_tokenizer, texts, seed=1)
    whole, _ = tokens.encode(tokenizer.backend_tokenizer, texts, seed=None)
    joined = "".join(tokens.END + text for text in texts) + tokens.END
    assert tokenizer.decode(stream) == tokenizer.decode(whole) == joined
    assert len(stream) > len(whole)
    assert all(stream[start - 1] == tokenizer.eos_token_id for start in starts)
    assert len(scores.labels(tokenizer.backend_tokenizer, texts)) == len(whole)


def test_the_tokenizer_is_reproducible() -> None:
    texts = corpus.first_documents(8, 300)
    one, two = (tokens.train_tokenizer(texts, 0).to_str() for _ in range(2))
    assert one == two


def _losses(seed: int, steps: int = 6) -> list[float]:
    """Return the losses of a short training from scratch."""
    torch.set_num_threads(1)
    texts = corpus.first_documents(0, 60)
    stream, starts = tokens.encode(tokenizer.backend_tokenizer, texts, seed=0)
    net = demo.new_model(len(tokenizer), 0, seed)
    losses: list[float] = []
    # Short windows: products in bfloat16 take thirty times as long where a processor has none.
    windows = (window[:, :48] for window in demo.batches(stream, starts, 1, seed))
    demo.fit(net, windows, steps, lambda _, loss: losses.append(loss))
    return losses


def test_training_is_seeded_and_learns() -> None:
    losses = _losses(0)
    assert _losses(0, 2) == _losses(0, 2)
    assert losses[0] != _losses(1, 1)[0]
    assert losses[-1] < losses[0] - 0.3


def test_learning_rate() -> None:
    rates = [demo.rate(step, 1000) for step in range(1000)]
    peak = rates.index(max(rates))
    assert max(rates) == demo.LEARNING_RATE and peak <= demo.WARMUP_STEPS
    assert rates == sorted(rates[:peak]) + sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(demo.FINAL_RATE, rel=0.01)


def test_saving_rounds_to_float16(tmp_path: Path) -> None:
    net = demo.new_model(300, 0, 0)
    demo.save_model(net, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    for name, weight in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight.half().float()), name


def test_install_replaces_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "model"
    train.install(lambda folder: (folder / "a").write_text("1"), target)
    with pytest.raises(RuntimeError):
        train.install(_fail, target)
    train.install(lambda folder: (folder / "a").write_text("2"), target)
    assert [(p.name, p.read_text()) for p in tmp_path.rglob("*") if p.is_file()] == [("a", "2")]


def _fail(folder: Path) -> None:
    """Leave half a file and stop."""
    (folder / "a").write_text("half")
    raise RuntimeError


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("train.py", ["--steps", "0"]),
        ("train.py", ["--corpus_mb", "x"]),
        ("train.py", ["--output_dir", __file__]),
        ("train.py", ["--no_such"]),
        ("card.py", ["--model_dir", "no/such/folder"]),
        ("card.py", ["--documents", "1"]),
    ],
)
def test_user_errors_are_one_line(script: str, arguments: list[str]) -> None:
    command = [sys.executable, str(FOLDER / "training" / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "error" in done.stderr


def test_help_shows_examples_and_defaults() -> None:
    command = [sys.executable, str(FOLDER / "training" / "train.py"), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Examples:" in text and "--corpus_mb" in text and "default:" in text


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a prompt set."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_standard_prompts() -> None:
    expected = [
        {"prompts": prompt, "number_of_new_tokens": "20", "num_samples": "5"}
        for prompt in (
            "I am feeling like gloomy day and ",
            "I think love is ",
            "My opinion on communism is that ",
        )
    ]
    assert rows_of(PROMPT_SETS / "test_1.csv") == expected


@pytest.mark.parametrize("path", sorted(PROMPT_SETS.glob("*.csv")), ids=lambda path: path.stem)
def test_prompt_set(path: Path) -> None:
    rows = rows_of(path)
    for row in rows:
        assert list(row) == ["prompts", "number_of_new_tokens", "num_samples"]
        new, samples = int(row["number_of_new_tokens"]), int(row["num_samples"])
        assert 1 <= new <= 120 and 1 <= samples <= 5
        assert len(tokenizer(row["prompts"]).input_ids) + new <= 256
        if path.stem != "test_1":
            assert row["prompts"] == row["prompts"].strip()
    assert len({row["prompts"] for row in rows}) == len(rows)
    assert len(rows) >= 30 or path.stem in ("test_1", "emotions_short")
    shown = (PROMPT_SETS / "README.md").read_text(encoding="utf-8")
    assert f"| `{path.name}` | {len(rows)} |" in shown


def test_the_short_set_of_emotions_is_every_third_of_them() -> None:
    short, whole = (rows_of(PROMPT_SETS / f"{name}.csv") for name in ("emotions_short", "emotions"))
    assert short == whole[::3]


def test_there_are_enough_prompt_sets() -> None:
    assert len(list(PROMPT_SETS.glob("*.csv"))) >= 5
