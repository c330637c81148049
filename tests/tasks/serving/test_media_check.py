"""What an upload may be."""

import shutil

import av
import pytest

from data_prep.media import probe
from tasks.serving.media_check import check_media
from tasks.serving.refusals import Refusal


@pytest.fixture
def upload(tmp_path):
    return tmp_path / "upload-0"


def test_media_of_any_name_are_measured(upload, demo_clip, make_sound):
    shutil.copy(demo_clip, upload)
    assert 8 < check_media(upload, 10) < 10
    with pytest.raises(Refusal, match="longer than 5 seconds"):
        check_media(upload, 5)
    upload.write_bytes(make_sound(3))
    assert check_media(upload, 3.5) == 3.0


def test_a_length_that_is_stated_too_long_is_measured_and_one_far_too_long_is_not(
    upload, make_sound, monkeypatch
):
    measured = []

    def look(path, measure=True):
        measured.append(measure)
        return probe(path, measure)

    monkeypatch.setattr("data_prep.media.probe", look)
    for seconds, looks in ((2, [False]), (4, [False, True]), (13, [False])):
        measured.clear()
        upload.write_bytes(make_sound(seconds))
        if seconds == 2:
            check_media(upload, 3)
        else:
            with pytest.raises(Refusal, match="longer than 3 seconds"):
                check_media(upload, 3)
        assert measured == looks


LISTS = {
    "concat": "ffconcat version 1.0\nfile other.wav\n",
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nother.wav\n#EXT-X-ENDLIST\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_lists_of_other_files_are_not_followed(upload, make_sound, text):
    (upload.parent / "other.wav").write_bytes(make_sound(3))
    upload.write_text(text)
    with pytest.raises(Refusal, match="corrupted or unsupported"):
        check_media(upload, 10)


def test_the_list_would_have_been_followed(upload, make_sound):
    (upload.parent / "other.wav").write_bytes(make_sound(3))
    upload.write_text(LISTS["concat"])
    with av.open(str(upload)) as container:
        assert container.format.name == "concat"


@pytest.mark.parametrize("content", [b"", b"text " * 99, b"RIFF" + bytes(40)])
def test_what_is_no_media_is_refused_without_its_path(upload, content):
    upload.write_bytes(content)
    with pytest.raises(Refusal) as caught:
        check_media(upload, 10)
    assert caught.value.status == 400 and str(upload) not in caught.value.message


def test_pictures_without_sound_are_refused(upload):
    with av.open(str(upload), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 16
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(Refusal, match="without sound"):
        check_media(upload, 10)
