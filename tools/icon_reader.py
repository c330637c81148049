"""Which icons a picture shows: those of rendered ones that come nearest, place by place."""

from collections.abc import Sequence

import numpy as np

from data_prep.mixtures.scenes.icons import ICONS, PLACES, render_icons

SEED = 900_001  # of the rendered icons that are compared with: no mixture has it
Area = tuple[slice, slice]


class IconReader:
    """Tells icons by the nearest of rendered ones, at each place where they may be.

    It knows how many icons a picture may have and where (`PLACES`), and takes the number and the
    icons that leave the least of the picture unexplained. It always finds some, so that of a
    picture of nothing it tells icons by chance.

    Args:
        size: Edge of the pictures in pixels, 32 or more.
        each: Rendered icons of each kind that are compared with at each place, 1 or more.
    """

    def __init__(self, size: int = 32, each: int = 40):
        self.size, self.kinds = size, list(ICONS)
        self.areas = {
            count: [_area(place, size) for place in places] for count, places in PLACES.items()
        }
        random = np.random.default_rng(SEED)
        self.known = {
            (count, place): self._render(count, place, each, random)
            for count, areas in self.areas.items()
            for place in range(len(areas))
        }

    def read(self, pictures: Sequence[np.ndarray]) -> list[tuple[str, ...]]:
        """Tell the icons of each picture, from the top left.

        Args:
            pictures: uint8 [size, size, 3], RGB.

        Raises:
            ValueError: One has another size.
        """
        return [self._read_one(picture) for picture in pictures]

    def _read_one(self, picture: np.ndarray) -> tuple[str, ...]:
        if picture.shape != (self.size, self.size, 3):
            raise ValueError(
                f"A picture is {list(picture.shape)}; expected [{self.size}, {self.size}, 3]. "
                "Make a reader of its size."
            )
        drawn = _without_ground(picture)
        found = [self._explain(drawn, count) for count in self.areas]
        return min(found)[1]

    def _explain(self, drawn: np.ndarray, count: int) -> tuple[float, tuple[str, ...]]:
        """Return what is left of a picture, squared, and the icons, where it has so many."""
        left, kinds, rest = 0.0, [], np.square(drawn)
        for place, area in enumerate(self.areas[count]):
            distances = np.square(self.known[count, place] - drawn[area]).sum((2, 3, 4))
            kind = int(distances.min(1).argmin())  # of [kinds, each]
            left += float(distances[kind].min())
            kinds.append(self.kinds[kind])
            rest[area] = 0
        return left + float(rest.sum()), tuple(kinds)

    def _render(self, count: int, place: int, each: int, random: np.random.Generator) -> np.ndarray:
        """Return icons at a place, float32 [kinds, each, height, width, 3]."""
        area, found = self.areas[count][place], []
        for kind in self.kinds:
            others = [other for other in self.kinds if other != kind]
            for _ in range(each):
                shown = [str(other) for other in random.choice(others, count, replace=False)]
                shown[place] = kind
                found.append(_without_ground(render_icons(shown, random, self.size))[area])
        return np.stack(found).reshape(len(self.kinds), each, *found[0].shape)


def _area(place: tuple[float, float, float], size: int) -> Area:
    """Return rows and columns of a place, whose centre and edge are shares of the picture's."""
    column, row, edge = place

    def reach(centre: float) -> slice:
        ends = np.clip(np.round((centre + np.array([-0.5, 0.5]) * edge) * size), 0, size)
        return slice(*ends.astype(int).tolist())

    return reach(row), reach(column)


def _without_ground(picture: np.ndarray) -> np.ndarray:
    """Return how a picture differs from its ground, the middle colour of its rim, about -1..1."""
    values = picture.astype(np.float32) / 255
    rim = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    return values - np.median(rim, 0)
