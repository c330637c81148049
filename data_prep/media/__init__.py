"""Decoding of audio and video by timestamps."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from data_prep.media.audio import read_audio, stream_audio
    from data_prep.media.info import AudioInfo, MediaInfo, VideoInfo, probe
    from data_prep.media.orientation import letterbox_area
    from data_prep.media.tracks import Track, describe_choice
    from data_prep.media.video import VideoFrame, stream_video
    from data_prep.media.waveform import MonoBlocks, check_waveform

__all__ = [
    "AudioInfo",
    "MediaInfo",
    "Track",
    "VideoFrame",
    "VideoInfo",
    "MonoBlocks",
    "check_waveform",
    "describe_choice",
    "letterbox_area",
    "probe",
    "read_audio",
    "stream_audio",
    "stream_video",
]
__getattr__ = hand_on(
    __name__,
    {
        **dict.fromkeys(["read_audio", "stream_audio"], "data_prep.media.audio"),
        **dict.fromkeys(["AudioInfo", "MediaInfo", "VideoInfo", "probe"], "data_prep.media.info"),
        **dict.fromkeys(["Track", "describe_choice"], "data_prep.media.tracks"),
        **dict.fromkeys(["VideoFrame", "stream_video"], "data_prep.media.video"),
        "letterbox_area": "data_prep.media.orientation",
        "MonoBlocks": "data_prep.media.waveform",
        "check_waveform": "data_prep.media.waveform",
    },
)
