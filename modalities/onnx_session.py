"""Sessions of onnxruntime on the CPU, for all networks alike."""

from typing import Any

ONLY_ERRORS = 3


def build_options(threads: int) -> Any:
    """Return onnxruntime's options of a session that tells of errors alone.

    Args:
        threads: How many compute an operator; operators run one after the other.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = ONLY_ERRORS
    return options


def open_session(model: str | bytes, options: Any, *, keep: bool = False) -> Any:
    """Open a session.

    Args:
        model: The content of an .onnx file, or its path.
        options: What `build_options` returned, changed or not.
        keep: Keep weights of other types than float32 as they are; they are turned into float32
            each time they are needed, in place of once, which takes their memory twice over.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    import onnxruntime  # pyright: ignore[reportMissingImports]

    return onnxruntime.InferenceSession(
        model,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["ConstantFolding"] if keep else None,
    )
