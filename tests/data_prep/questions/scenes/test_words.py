import re

import pytest

from data_prep.questions.scenes.words import PROMPTS, build_tokenizer, words_of, words_of_worlds
from modalities.vision_language.vl_files import (
    load_vision_language,
    random_vision_language,
    save_vision_language,
)

PROMPT = dict(zip(("vqa", "gqa", "nlvr2", "caption"), PROMPTS, strict=True))
SMALL = dict(
    d_model=16,
    encoder_layers=1,
    decoder_layers=1,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    encoder_ffn_dim=16,
    decoder_ffn_dim=16,
    max_position_embeddings=48,
)
STRANGE = ["pleural effusion", "naïve ñandú", "中文 ☃ 🩺", "zqxj!", "4711", "x"]


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def texts_of(row):
    return [PROMPT[row.task] + row.text, *row.answers, *row.references]


def test_all_texts_come_back_as_they_were(tokenizer, made):
    texts = sorted({text for row in made[1] for text in texts_of(row)})
    ids = tokenizer(texts).input_ids
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == texts


def test_every_word_of_the_rows_is_one_token(tokenizer, look, made):
    found = {
        word for row in made[1] for text in texts_of(row) for word in re.findall(r"[a-z]+", text)
    }
    assert found - {"vqa", "gpa", "nlvr", "caption"} <= words_of(look)
    assert {len(ids) for ids in tokenizer(sorted(found)).input_ids} == {3}


def test_questions_take_20_tokens_at_most_and_captions_40(tokenizer, made):
    lengths = []
    for row in made[1]:
        if row.task == "caption":
            lengths += map(len, tokenizer(list(row.references)).input_ids)
        else:
            assert len(tokenizer(PROMPT[row.task] + row.text).input_ids) <= 20
            assert max(map(len, tokenizer(list(row.answers)).input_ids)) <= 10
    assert max(lengths) <= 40
    assert sum(length <= 20 for length in lengths) > 0.9 * len(lengths)


@pytest.mark.parametrize("text", [*STRANGE, *PROMPTS])
def test_any_other_text_can_be_written_too(tokenizer, text):
    ids = tokenizer(text).input_ids
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_case_and_space_make_no_difference(tokenizer):
    assert tokenizer("What  COLOUR\tis it?").input_ids == tokenizer("what colour is it?").input_ids


def test_it_is_small_and_has_the_marks_of_bart_in_their_places(tokenizer):
    assert len(words_of_worlds()) + 256 + 5 >= len(tokenizer) >= 400
    assert len(tokenizer) <= 700
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>"]) == [0, 1, 2, 3]
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))


def test_a_saved_model_reads_and_spells_with_it_as_before(tokenizer, tmp_path):
    built = random_vision_language("bart", tokenizer, SMALL, feature_dim=4)
    save_vision_language(built, tmp_path)
    loaded = load_vision_language(tmp_path)
    texts = ["vqa: is there a red star?", "caption: ", *STRANGE]
    ids = loaded.tokenize(texts, None).ids
    assert ids.equal(built.tokenize(texts, None).ids)
    assert loaded.spell(ids) == [text.strip() for text in texts]
    assert loaded.identity == built.identity
