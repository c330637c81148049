"""Languages are found by any name that people give them, and by no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES, TO_LANGUAGE_CODE

from modalities.speech.decoding import DecodingOptions, WindowDecoder
from modalities.speech.generation import build_config, build_generation_config
from modalities.speech.languages import NAMES, name_language, read_language
from modalities.speech.tokenizer import load_tokenizer
from modalities.speech.torch_engine import TorchEngine
from modalities.speech.whisper import Whisper

CODES = tuple(LANGUAGES)


@pytest.fixture
def whisper_of_three_languages(multilingual_tokenizer) -> Whisper:
    """Random weights; English, Chinese and German."""
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 51_865}
    sizes |= {"encoder_attention_heads": 1, "decoder_attention_heads": 1}
    sizes |= {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    tokenizer = load_tokenizer(multilingual_tokenizer)
    config = build_config(sizes, tokenizer)
    model = WhisperForConditionalGeneration(config).eval()
    model.generation_config = build_generation_config(config, tokenizer)
    return Whisper(model, tokenizer, "whisper-three", 80)


def test_all_of_whispers_names_and_aliases_mean_what_they_do_there():
    assert set(NAMES) == set(CODES)
    for name, code in TO_LANGUAGE_CODE.items():
        assert read_language(name, CODES, "whisper-tiny") == code


@given(
    st.sampled_from([(name, code) for code, row in NAMES.items() for name in row.split(", ")]),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.sampled_from(["", "-US", "_gb", "-419", ".UTF-8", "_DE.utf8", "@euro", " (X)", "-Latn"]),
)
def test_case_and_region_change_no_language(named, case, region):
    name, code = named
    if " " in name and region.startswith(("-", "_")):
        region = ""
    assert read_language(f" {case(name)}{region} ", CODES, "whisper-tiny") == code


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("English", "en"),
        ("en_GB.UTF-8", "en"),
        ("zh-Hans", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh-yue-HK", "yue"),
        ("pt-BR", "pt"),
        ("Castilian", "es"),
        ("Mandarin", "zh"),
        ("Burmese", "my"),
        ("ger", "de"),
        ("francais", "fr"),
        ("nb-NO", "no"),
        ("iw", "he"),
        ("jv-ID", "jw"),
        ("<|en|>", "en"),
        ("auto", None),
    ],
)
def test_a_language_is_found(asked, code):
    assert read_language(asked, CODES, "whisper-tiny") == code


@pytest.mark.parametrize("asked", ["English", "EN", "en-US", "eng", "auto", "en_GB.UTF-8"])
def test_an_english_model_takes_english_by_any_name(asked):
    assert read_language(asked, (), "whisper-tiny.en") == "en"


@pytest.mark.parametrize("asked", ["de", "German", "Deutsch", "de-AT"])
def test_an_english_model_refuses_others_by_their_name(asked):
    with pytest.raises(ValueError, match=f"'{asked}' was asked of tiny.en, which knows English"):
        read_language(asked, (), "tiny.en")


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("Englsh", "'english' (en)"), ("Portugese", "'portuguese' (pt)"), ("sapnish", "'spanish'")],
)
def test_an_unknown_name_is_refused_with_the_nearest(asked, nearest):
    with pytest.raises(ValueError) as refused:
        read_language(asked, CODES, "whisper-tiny")
    assert f"'{asked}'" in str(refused.value) and nearest in str(refused.value)


@pytest.mark.parametrize("asked", ["", "xx", "Klingon", "C.UTF-8", "tlh", "english german dog"])
def test_what_is_no_language_is_refused(asked):
    with pytest.raises(ValueError, match="No language is called"):
        read_language(asked, CODES, "whisper-tiny")


def test_an_english_model_does_not_list_the_languages_of_others():
    with pytest.raises(ValueError, match="called 'xx', and tiny.en knows English only. Leave the"):
        read_language("xx", (), "tiny.en")


@pytest.mark.parametrize("asked", ["\ufeffen", "en\u200b", "\u200edeutsch"])
def test_marks_that_nobody_sees_change_no_language(asked):
    assert read_language(asked, CODES, "whisper-tiny") in ("en", "de")


def test_a_language_that_the_model_lacks_lists_its_own():
    with pytest.raises(ValueError, match=r"does not know 'Cantonese' \(yue\); known: de, en"):
        read_language("Cantonese", ("en", "de"), "whisper-tiny")


def test_a_decoder_reads_names(whisper_of_three_languages):
    for asked, code in (("Deutsch", "de"), ("zh_CN.UTF-8", "zh"), ("auto", None), (None, None)):
        engine = TorchEngine(whisper_of_three_languages)
        decoder = WindowDecoder(engine, DecodingOptions(language=asked))
        assert decoder.options.language == code
    with pytest.raises(ValueError, match=r"'French' \(fr\); known: de, en, zh"):
        WindowDecoder(TorchEngine(whisper_of_three_languages), DecodingOptions(language="French"))


@pytest.mark.parametrize(
    ("code", "name"), [("en", "english"), ("zh", "chinese"), ("yue", "cantonese"), ("qq", "qq")]
)
def test_a_code_has_an_english_name(code, name):
    assert name_language(code) == name


def test_english_names_lead_back_to_their_codes():
    for code in NAMES:
        assert read_language(name_language(code), set(NAMES), "model") == code
