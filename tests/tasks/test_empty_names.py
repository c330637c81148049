import pytest

from tasks.audio_classification.classifier_files import load_classifier
from tasks.avsr.sets.collection import find_collection
from tasks.cli.classify import find_set
from tasks.cli.segment_options import check_model
from tasks.segmentation.segmenter import Segmenter
from tasks.segmentation.segmenter_files import load_segmenter
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.answerer_files import load_answerer

LOADERS = (
    *(load_classifier, find_collection, find_set, check_model),
    *(Segmenter.load, load_segmenter, Answerer.load, load_answerer),
)


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__qualname__)
def test_an_empty_name_is_refused_and_not_the_current_folder(load):
    with pytest.raises(ValueError, match=r"The name of the \w+ is empty \(''\); expected a folder"):
        load("")
