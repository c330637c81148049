"""Keep the chatter of libraries off the terminal."""

import logging
import os
import warnings


def silence_libraries() -> None:
    """Turn off warnings and log lines of libraries; call before they are imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore")
    logging.getLogger("libav").setLevel(logging.CRITICAL)
