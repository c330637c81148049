"""Face tracks, mouth crops and the choice of the talking face."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from data_prep.faces.crops import crop_mouth
    from data_prep.faces.face_views import FaceView, replay
    from data_prep.faces.finder import FaceFinder, FinderConfig
    from data_prep.faces.first_picture import FromFirstPicture
    from data_prep.faces.landmark_file import load_landmarks
    from data_prep.faces.ready import ReadyMouths, use_box, use_landmarks, use_mouth_video
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
__getattr__ = hand_on(
    __name__,
    {
        "crop_mouth": "data_prep.faces.crops",
        **dict.fromkeys(["FaceFinder", "FinderConfig"], "data_prep.faces.finder"),
        "FromFirstPicture": "data_prep.faces.first_picture",
        "load_landmarks": "data_prep.faces.landmark_file",
        **dict.fromkeys(
            ["ReadyMouths", "use_box", "use_landmarks", "use_mouth_video"], "data_prep.faces.ready"
        ),
        **dict.fromkeys(["FaceView", "replay"], "data_prep.faces.face_views"),
        "build_report": "data_prep.faces.report",
        **dict.fromkeys(
            ["FaceTrack", "MouthChunk", "MouthSource", "Totals"], "data_prep.faces.results"
        ),
    },
)
