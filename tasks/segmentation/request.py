"""What is asked of pictures, checked before a model is loaded."""

from dataclasses import dataclass

THRESHOLD = 0.5


@dataclass(frozen=True)
class Request:
    """What to find.

    Attributes:
        prompts: One or more, each with words in it.
        threshold: Probability above which a pixel belongs to what a prompt names, 0 to 1.
        window: Centre and width of the values to show of grey pictures deeper than 8 bits; None:
            as the file says, see `read_image`.
    """

    prompts: tuple[str, ...]
    threshold: float = THRESHOLD
    window: tuple[float, float] | None = None

    def __post_init__(self):
        if not self.prompts:
            raise ValueError("No prompts; expected what to find, as 'tumor in the breast'.")
        for number, prompt in enumerate(self.prompts, 1):
            if not prompt.strip():
                many = len(self.prompts) > 1
                which = f"Prompt {number} of {len(self.prompts)}" if many else "The prompt"
                raise ValueError(
                    f"{which} is empty; expected what to find, as 'tumor in the breast'."
                )
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"Threshold is {self.threshold}; expected a probability, 0 to 1.")
        if self.window is not None and not self.window[1] > 0:
            raise ValueError(
                f"The window's width is {self.window[1]:g}; expected more than 0. Give centre and "
                "width, as 40 and 400."
            )
