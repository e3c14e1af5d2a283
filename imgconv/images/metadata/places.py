"""The names under which files store where an image was made: properties of XMP, texts of PNG, items of GDAL and cards of FITS."""

import re

_NAMES = re.compile(
    r"gps|latitude|longitude|longtitude|altitude|location|countr|provincestate|^(city|state|lat|long|lon|point)$", re.IGNORECASE
)
# cards of an observatory; ALT and ALTITUDE are where the telescope points to
_CARDS = re.compile(
    r"OBSGEO-\w|GPS.*|((OBS|SITE|GEO|TEL)[-_]?)?(LAT|LATITUDE|LONG?|LONGITUDE?|ELEV?|HEIGHT)(-OBS)?|(OBS|SITE|GEO)[-_]?ALT|ALT-OBS|"
    r"SITENAME|OBSERVAT"
)


def names_place(name: str) -> bool:
    """Return whether a property, keyword or item is the place where a photograph was taken.

    >>> names_place("GPSLatitude"), names_place("City"), names_place("Capacity")
    (True, True, False)
    """
    return _NAMES.search(name) is not None


def card_names_place(card: str) -> bool:
    """Return whether a card of a FITS header is the place of the observatory.

    >>> card_names_place("SITELAT = 48.2"), card_names_place("HIERARCH ESO TEL GEOLON = -70.4"), card_names_place("CRVAL1 = 10.5")
    (True, True, False)
    """
    keyword = card.partition("=")[0].strip()
    return _CARDS.fullmatch(keyword.rpartition(" ")[2]) is not None
