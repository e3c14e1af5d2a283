"""What comes of a picture: its finished maps."""

from dataclasses import dataclass

from imgconv.pictures import Picture


@dataclass(frozen=True, eq=False)
class Map:
    """One finished map: its name and its picture; a number of a vector is a map of one cell, and `vector` is that vector's name."""

    name: str
    picture: Picture
    vector: str = ""
