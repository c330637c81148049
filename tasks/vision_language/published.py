"""What papers printed of VL-Adapter and its baselines, and how sure that is."""

from typing import NamedTuple

SOURCE = "VL-Adapter (2022, arXiv 2112.06825)"
AGAIN = "VL-PET (2023, arXiv 2308.09804), which trained the same rows anew with three seeds"
MEASURES = ("VQA", "GQA", "NLVR2", "COCO CIDEr", "average")


class Printed(NamedTuple):
    """A row of a table.

    Attributes:
        share: Trained parameters in percent of all, those that were added among them.
        vqa: VQA accuracy on Karpathy's test part, percent.
        gqa: Exactly right answers on testdev, percent.
        nlvr2: Right judgements on test-P, percent.
        caption: CIDEr-D on Karpathy's test part, 100 for the usual 1.0; at most 20 tokens.
        average: Plain mean of the four.
    """

    share: float
    vqa: float
    gqa: float
    nlvr2: float
    caption: float
    average: float


# The paper's own rows, one seed each, by names of `tasks.vision_language.variants.ROWS`. Shares and
# averages agree with the rest; single cells could not be looked up again.
PAPER: dict[str, Printed] = {
    "full": Printed(100.0, 67.6, 56.7, 73.0, 112.9, 77.6),
    "multiple_adapters": Printed(12.22, 65.4, 54.0, 69.8, 114.3, 75.9),
    "half_shared_adapters": Printed(8.36, 65.2, 53.4, 71.2, 113.7, 75.9),
    "single_adapter": Printed(4.18, 65.9, 54.5, 74.2, 114.9, 77.4),
    "hyperformer": Printed(5.79, 65.1, 53.4, 72.3, 114.6, 76.4),
    "multiple_compacters": Printed(7.05, 64.6, 53.4, 69.1, 116.0, 75.8),
    "single_compacter": Printed(2.70, 64.2, 53.3, 71.7, 114.1, 75.8),
    "multiple_lora": Printed(17.72, 65.5, 53.0, 62.8, 115.4, 74.2),
    "single_lora": Printed(5.93, 65.2, 53.6, 71.9, 115.3, 76.5),
    "multiple_prompts": Printed(4.53, 43.8, 38.1, 51.1, 104.6, 59.4),
    "single_prompt": Printed(2.00, 44.0, 36.3, 51.8, 103.9, 59.0),
}
# Means of three seeds, and their standard deviations where they were told: what to expect.
REPRODUCED: dict[str, Printed] = {
    "full": Printed(100.0, 66.88, 56.79, 73.66, 112.01, 77.33),
    "bitfit": Printed(1.21, 52.94, 43.15, 52.29, 111.44, 64.96),
    "single_prompt": Printed(2.00, 44.12, 36.37, 51.34, 105.02, 59.21),
    "single_compacter": Printed(2.70, 64.63, 52.70, 71.11, 114.69, 75.78),
    "hyperformer": Printed(5.79, 64.62, 52.55, 70.74, 114.84, 75.69),
    "single_lora": Printed(5.93, 65.15, 53.66, 72.58, 115.01, 76.60),
    "single_adapter": Printed(4.18, 65.76, 54.16, 73.19, 114.61, 76.93),
    "vl_pet_large": Printed(4.16, 66.17, 55.11, 73.43, 122.03, 79.18),
}
DEVIATIONS: dict[str, tuple[float, ...]] = {
    "full": (0.17, 0.41, 0.21, 0.93, 0.39),
    "single_adapter": (0.28, 0.44, 0.71, 0.26, 0.25),
}
# T5-base, as "LST" (2022, arXiv 2206.06522) printed them; its LoRA has rank 150.
T5: dict[str, Printed] = {
    "full": Printed(100.0, 67.10, 56.30, 74.30, 112.20, 77.50),
    "single_adapter": Printed(7.98, 67.10, 56.00, 72.70, 111.80, 76.90),
    "single_lora": Printed(7.54, 63.7, 53.3, 70.0, 110.3, 74.3),
    "single_prompt": Printed(1.26, 47.4, 40.6, 51.0, 96.1, 58.8),
}


class PrintedVideo(NamedTuple):
    """A row of the table of videos.

    Attributes:
        share: Trained parameters in percent of all.
        tvqa: Right choices, percent.
        how2qa: Right choices, percent.
        tvc: CIDEr-D, 100 for the usual 1.0.
        yc2c: CIDEr-D likewise.
        average: Plain mean of the four.
    """

    share: float
    tvqa: float
    how2qa: float
    tvc: float
    yc2c: float
    average: float


# Recalled, not looked up: take none of them for certain.
VIDEO: dict[str, PrintedVideo] = {
    "full": PrintedVideo(100.0, 76.3, 73.9, 45.7, 154.0, 87.5),
    "single_adapter": PrintedVideo(3.39, 76.6, 73.9, 46.3, 152.9, 87.4),
    "single_lora": PrintedVideo(5.17, 75.5, 72.9, 44.6, 140.9, 83.5),
}
