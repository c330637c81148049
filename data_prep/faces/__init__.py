"""Face tracks, mouth crops and the choice of the talking face."""

from data_prep.faces.crops import crop_mouth
from data_prep.faces.finder import FaceFinder, FinderConfig
from data_prep.faces.first_picture import FromFirstPicture
from data_prep.faces.landmark_file import load_landmarks
from data_prep.faces.ready import ReadyMouths, use_box, use_landmarks, use_mouth_video
from data_prep.faces.replay import FaceView, replay
from data_prep.faces.report import build_report
from data_prep.faces.results import FaceTrack, MouthChunk, MouthSource, Totals

__all__ = [
    "FaceFinder",
    "FaceTrack",
    "FaceView",
    "FinderConfig",
    "FromFirstPicture",
    "MouthChunk",
    "MouthSource",
    "ReadyMouths",
    "Totals",
    "build_report",
    "crop_mouth",
    "load_landmarks",
    "replay",
    "use_box",
    "use_landmarks",
    "use_mouth_video",
]
