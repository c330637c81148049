import pytest

from modalities.audio.ast import load_ast
from modalities.audio.clap import load_clap_audio
from modalities.catalog import load_audio_encoder, load_encoder
from modalities.speech.whisper import load_whisper
from modalities.vision.lips import load_lip_encoder
from modalities.vision_language.clipseg_files import load_clipseg
from modalities.vision_language.vl_files import load_vision_language

LOADERS = (
    *(load_ast, load_clap_audio, load_audio_encoder, load_encoder, load_whisper),
    *(load_clipseg, load_vision_language),
)


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_of_a_model_is_refused_and_not_the_current_folder(load, name):
    with pytest.raises(ValueError) as error:
        load(name)
    assert str(error.value).startswith(f"The name of the model is empty ({name!r}); expected a ")


def test_of_lips_it_is_no_known_name():
    with pytest.raises(FileNotFoundError, match="No lip encoder ''; known: "):
        load_lip_encoder("")
