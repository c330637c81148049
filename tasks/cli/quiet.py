"""Keep the chatter of libraries off the terminal."""

import logging
import os
import warnings


def silence_libraries() -> None:
    """Turn off warnings and log lines of libraries, in this process and those that it starts.

    Of damaged media libav, of unusual inputs transformers says much that helps nobody who did not
    write them; what is wrong is told in a line of ours. To be called before they are loaded.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    warnings.filterwarnings("ignore")
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    logging.getLogger("transformers").setLevel(logging.ERROR)
