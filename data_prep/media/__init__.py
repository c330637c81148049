"""Decoding of audio and video by timestamps."""

from data_prep.media.audio import read_audio, stream_audio
from data_prep.media.info import AudioInfo, MediaInfo, VideoInfo, probe
from data_prep.media.picture import letterbox_area
from data_prep.media.video import VideoFrame, stream_video
from data_prep.media.waveform import check_waveform

__all__ = [
    "AudioInfo",
    "MediaInfo",
    "VideoFrame",
    "VideoInfo",
    "check_waveform",
    "letterbox_area",
    "probe",
    "read_audio",
    "stream_audio",
    "stream_video",
]
