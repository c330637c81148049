"""Data sets of questions and captions by name."""

from data_prep.datasets.questions import captions, flickr30k, gqa, nlvr2, vqa
from data_prep.datasets.questions.dataset import QuestionDataset
from data_prep.datasets.questions.media import FEATURES
from data_prep.datasets.questions.value import CLIP_VIT, Videos


def _videos(task: str, subtitles: str) -> QuestionDataset:
    read = Videos(task, f"{subtitles}_subtitles.jsonl")
    return QuestionDataset(read, read.layout, FEATURES, CLIP_VIT)


QUESTION_DATASETS: dict[str, QuestionDataset] = {
    "vqav2": QuestionDataset(vqa.read_vqa, vqa.LAYOUT),
    "gqa": QuestionDataset(gqa.read_gqa, gqa.LAYOUT),
    "nlvr2": QuestionDataset(nlvr2.read_nlvr2, nlvr2.LAYOUT),
    "coco": QuestionDataset(captions.read_coco, captions.COCO_LAYOUT),
    "flickr30k": QuestionDataset(flickr30k.read_flickr30k, flickr30k.LAYOUT),
    "tvqa": _videos("tvqa", "tv"),
    "how2qa": _videos("how2qa", "how2"),
    "tvc": _videos("tvc", "tv"),
    "yc2c": _videos("yc2c", "yc2"),
}
