"""Data sets of recordings in which several things sound, by name."""

from data_prep.datasets.mixtures import audioset, fsd50k, landscape, llp
from data_prep.datasets.mixtures.dataset import MixtureDataset

MIXTURE_DATASETS: dict[str, MixtureDataset] = {
    "llp": MixtureDataset(llp.read_llp, llp.LAYOUT),
    "llp_multi": MixtureDataset(llp.read_llp_multi, llp.LAYOUT),
    "audioset_eval": MixtureDataset(audioset.read_audioset_eval, audioset.LAYOUT),
    "landscape": MixtureDataset(landscape.read_landscape, landscape.LAYOUT, landscape.fold_of),
    "fsd50k": MixtureDataset(fsd50k.read_fsd50k, fsd50k.LAYOUT, seen=False),
}
