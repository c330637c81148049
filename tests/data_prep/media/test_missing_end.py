import av
import pytest

from data_prep.media.missing_end import describe_missing_end


@pytest.fixture
def remux(demo_clip, tmp_path):
    """Copy streams of the demo clip, 8.8 s, into another container, the given part of its bytes."""

    def remux(name, part=1.0, sound_s=9.0, pictures_s=9.0):
        path = tmp_path / name
        options = {"movflags": "faststart"} if name.endswith(".mp4") else {}
        with av.open(str(demo_clip)) as source, av.open(str(path), "w", options=options) as made:
            streams = (*source.streams.video, *source.streams.audio)
            copies = {one.index: made.add_stream_from_template(one) for one in streams}
            last_s = {"video": pictures_s, "audio": sound_s}
            for packet in source.demux(*streams):
                time_s = None if packet.dts is None else packet.dts * packet.time_base
                if time_s is not None and time_s < last_s[packet.stream.type]:
                    packet.stream = copies[packet.stream_index]
                    made.mux(packet)
        whole = path.read_bytes()
        path.write_bytes(whole[: round(part * len(whole))])
        return path

    return remux


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.flv"])
def test_what_is_cut_says_where_it_ends_and_where_it_should(remux, name):
    assert describe_missing_end(remux(name)) == ""
    told = describe_missing_end(remux(name, part=0.5))
    assert told.startswith("it ends after 3.") and " of 8.8 s, so the rest of it is missing" in told


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.flv"])
def test_sound_or_pictures_that_end_before_the_other_miss_nothing(remux, name):
    assert describe_missing_end(remux(name, pictures_s=4.0)) == ""
    assert describe_missing_end(remux(name, sound_s=4.0)) == ""
