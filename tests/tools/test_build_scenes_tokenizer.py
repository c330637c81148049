import pytest
import torch
from transformers import CLIPSegTextConfig, CLIPSegTextModel, CLIPTokenizer

from tools.build_scenes_tokenizer import GRAMMAR, SIZE, learn_tokenizer, read_scene_words

PROMPT = "One small circle-shaped benign tumor at the top in the breast ultrasound image."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    learn_tokenizer(read_scene_words(60)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder):
    return CLIPTokenizer.from_pretrained(folder)


def test_a_folder_is_small_and_gives_the_tokenizer_back(folder, tokenizer):
    assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000
    assert 1000 <= len(tokenizer) <= SIZE
    learned = learn_tokenizer(read_scene_words(60))
    assert learned.get_vocab() == tokenizer.get_vocab()
    assert learned(PROMPT).input_ids == tokenizer(PROMPT).input_ids


def test_the_end_is_the_highest_id_and_every_id_has_one_entry(tokenizer):
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == len(tokenizer) - 1
    ids = tokenizer("a red circle").input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids.index(tokenizer.eos_token_id) == len(ids) - 1


@pytest.mark.parametrize("text", ["pleural effusion", "naïve ñandú", "中文 ☃ 🩺", "zqxj", "4711"])
def test_any_text_can_be_written_without_an_end_in_its_middle(tokenizer, text):
    ids = tokenizer(text).input_ids
    assert tokenizer.eos_token_id not in ids[:-1]
    decoded = tokenizer.decode(ids, skip_special_tokens=True)
    assert decoded.replace(" ", "") == text.replace(" ", "")


def test_large_and_small_letters_are_alike(tokenizer):
    assert tokenizer(PROMPT.upper()).input_ids == tokenizer(PROMPT.lower()).input_ids


def test_words_of_the_medical_prompts_are_one_token(tokenizer):
    words = {word for words in GRAMMAR.values() for word in words.split() if "-" not in word}
    pieces = [len(tokenizer(word).input_ids) - 2 for word in words]
    assert sum(count == 1 for count in pieces) >= 0.95 * len(pieces)


def test_a_long_prompt_is_cut_at_77_and_keeps_its_end(tokenizer):
    batch = tokenizer(["a circle", "word " * 200], padding=True, truncation=True)
    assert [len(ids) for ids in batch.input_ids] == [77, 77]
    assert batch.input_ids[1][-1] == tokenizer.eos_token_id
    assert sum(batch.attention_mask[0]) == 4


@pytest.mark.parametrize("eos", [2, None])
def test_both_ways_of_transformers_read_a_prompt_at_its_own_end(tokenizer, eos):
    config = CLIPSegTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=eos or tokenizer.eos_token_id,
    )
    model = CLIPSegTextModel(config).eval()
    batch = tokenizer(["a circle", PROMPT], padding=True, return_tensors="pt")
    with torch.no_grad():
        read = model(**batch)
    ends = batch.attention_mask.sum(1) - 1
    assert torch.equal(read.pooler_output, read.last_hidden_state[torch.arange(2), ends])


def test_a_size_without_room_for_words_is_refused():
    with pytest.raises(ValueError, match="size is 500; expected 600"):
        learn_tokenizer([], 500)
