"""gradio, imported so that it reports nothing and keeps to a folder of ours."""

import os
from pathlib import Path

from modalities.extras import import_extra

FOLDER = "gradio"


def import_gradio(folder: Path) -> None:
    """Import gradio; it asks the environment how to behave when it is imported, and not again.

    Args:
        folder: The server's; in it gradio makes an empty folder that it does without here.

    Raises:
        ValueError: It is not installed, or cannot be imported.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(folder / FOLDER)
    import_extra("gradio", "serve", "the page of `mcgurk serve`; --no-page does without")
