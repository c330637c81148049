"""Every type of CTranslate2's model.bin is read; a damaged one is told in one line."""

import numpy as np
import pytest
import torch

from modalities.speech.ctranslate2_tensors import read_model
from modalities.speech.whisper import load_whisper

VALUES = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
NEAR = {"float32": 0.0, "float16": 1e-3, "int8": 4e-3}


def says(error) -> str:
    line = str(error.value)
    assert "\n" not in line and "model.bin" in line
    return line


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6])
def test_binary_versions(pack, tmp_path, version):
    path = tmp_path / "model.bin"
    variables = {"a/weight": VALUES, "a/heads": np.array(6, dtype=np.int16)}
    aliases = {"b/weight": "a/weight"} if version >= 3 else {}
    path.write_bytes(pack(variables, aliases, version))
    model = read_model(path)
    assert torch.equal(model.weight("a/weight"), torch.from_numpy(VALUES))
    assert int(model.variables["a/heads"]) == 6
    assert version < 3 or torch.equal(model.weight("b/weight"), torch.from_numpy(VALUES))


def test_whole_numbers_are_scaled_row_by_row(pack, tmp_path):
    scale = np.float32([127, 254, 63.5])
    stored = np.rint(VALUES * scale[:, None]).astype(np.int8)
    path = tmp_path / "model.bin"
    path.write_bytes(pack({"w": stored, "w_scale": scale}, {"v": "w"}))
    for name in ("w", "v"):
        found = read_model(path).weight(name)
        assert torch.allclose(found, torch.from_numpy(VALUES), atol=1 / 63)


def test_reading_changes_nothing_in_the_file(pack, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(before := pack({"w": VALUES}))
    read_model(path).weight("w").zero_()
    assert path.read_bytes() == before


def test_any_truncation_is_an_error(pack, tmp_path):
    whole = pack({"w": VALUES, "n": np.array(6, dtype=np.int16)}, {"v": "w"})
    path = tmp_path / "model.bin"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError) as error:
            read_model(path)
        assert "again" in says(error)


def test_trailing_bytes_are_an_error(pack, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(pack({"w": VALUES}) + b"\0")
    with pytest.raises(ValueError) as error:
        read_model(path)
    assert "1 bytes after its end" in says(error)


@pytest.mark.parametrize(
    "contents", [b"PK\3\4" + bytes(500), b"\x93NUMPY" * 90, b"{}" * 300, bytes(5000), b"\xff" * 999]
)
def test_foreign_files_are_an_error(tmp_path, contents):
    path = tmp_path / "model.bin"
    path.write_bytes(contents)
    with pytest.raises(ValueError) as error:
        read_model(path)
    says(error)


def test_wrong_sizes_types_and_aliases_are_errors(pack, tmp_path):
    path = tmp_path / "model.bin"
    good = pack({"w": VALUES})
    head = good.index(b"w\0") + 2
    for at, value in ((head + 1, 4), (head + 9, 77), (head + 9, 1)):  # height, type, other type
        path.write_bytes(good[:at] + bytes([value]) + good[at + 1 :])
        with pytest.raises(ValueError) as error:
            read_model(path)
        says(error)
    path.write_bytes(pack({"w": VALUES}, {"v": "missing"}))
    with pytest.raises(ValueError, match="missing"):
        read_model(path)


@pytest.mark.parametrize("to", ["float32", "float16", "int8"])
def test_folder_gives_the_weights_that_were_written(small_whisper, write_folder, to):
    found = load_whisper(write_folder(to)).model.state_dict()
    for name, weight in small_whisper.state_dict().items():
        largest = float(weight.abs().max())
        assert torch.allclose(found[name], weight, atol=NEAR[to] * largest), name


def test_another_kind_of_model_is_an_error(pack, tmp_path):
    (tmp_path / "model.bin").write_bytes(pack({"w": VALUES}, spec="TransformerSpec"))
    with pytest.raises(ValueError, match="TransformerSpec.*WhisperSpec"):
        load_whisper(tmp_path)


def test_missing_variable_is_an_error(pack, tmp_path):
    (tmp_path / "model.bin").write_bytes(pack({"w": VALUES}))
    with pytest.raises(ValueError) as error:
        load_whisper(tmp_path)
    assert "encoder/conv1/weight" in says(error)


def test_settings_that_are_not_json_are_an_error(write_folder):
    folder = write_folder()
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json is not JSON"):
        load_whisper(folder)


@pytest.mark.parametrize("to", ["float32", "float16", "int8", "int8_float16", "bfloat16", "int16"])
def test_folders_of_the_real_converter(small_whisper, tmp_path, to):
    converters = pytest.importorskip("ctranslate2.converters")
    from modalities.speech.tokenizer import find_offline_folder, load_tokenizer

    offline = find_offline_folder()
    assert offline is not None
    small_whisper.save_pretrained(tmp_path / "from")
    load_tokenizer(offline / "tokenizer.json").save_pretrained(tmp_path / "from")
    converter = converters.TransformersConverter(str(tmp_path / "from"))
    folder = converter.convert(str(tmp_path / "to"), quantization=to)
    torch.manual_seed(1)
    mel, tokens = torch.randn(1, 80, 3000), torch.randint(50_000, (1, 6))
    with torch.inference_mode():
        ours = load_whisper(folder).model(mel, decoder_input_ids=tokens).logits
        expected = small_whisper(mel, decoder_input_ids=tokens).logits
    bound = 0.05 if to in ("bfloat16", "int16") or "int8" in to else 2e-3
    assert float((ours - expected).abs().mean() / expected.std()) < (
        1e-6 if to == "float32" else bound
    )
