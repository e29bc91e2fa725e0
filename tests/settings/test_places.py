"""Where each key stands, in every way that TOML lets one write it."""

import tomllib

import pytest

from bioduty_xl.layout.packaged import packaged
from bioduty_xl.settings.places import Places

TEXT = """\
# a = 1
top = 1
a.b.c = "x = [1]" # d = 2

[one]
text = \"\"\"
[not]
a = heading
\"\"\"
list = [
  1, # two = 2
  [2, 3], {inner = 4},
]
inline = {x = 1, y = {z = '[a]'}}
"quoted key" = 1
'literal.key' = 2

[[many]]
n = 1
[many.below]
deep = 1
[[many]]
n = 2
[[many.more]]
m = 1
[[many.more]]
m = 2
"""


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("top",), 2, 1),
        (("a",), 3, 1),
        (("a", "b", "c"), 3, 1),
        (("one",), 5, 1),
        (("one", "text"), 6, 1),
        (("one", "list"), 10, 1),
        (("one", "list", 0), 11, 3),
        (("one", "list", 1, 1), 12, 7),
        (("one", "list", 2, "inner"), 12, 12),
        (("one", "inline", "x"), 14, 11),
        (("one", "inline", "y", "z"), 14, 23),
        (("one", "quoted key"), 15, 1),
        (("one", "literal.key"), 16, 1),
        (("many",), 18, 1),
        (("many", 0, "n"), 19, 1),
        (("many", 0, "below", "deep"), 21, 1),
        (("many", 1), 22, 1),
        (("many", 1, "n"), 23, 1),
        (("many", 1, "more", 1, "m"), 27, 1),
        (("many", 1, "gone"), 22, 1),
        (("nowhere",), 1, 1),
    ],
)
def test_a_key_is_found_where_it_is_written(path, line, column):
    place = Places(TEXT).of(path)
    assert (place.line, place.column) == (line, column)


def every_path(data, above=()):
    yield above
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from every_path(value, (*above, key))
        else:
            yield (*above, key)


@pytest.mark.parametrize("text", [TEXT, packaged("bioduty.toml").read_text("utf-8")])
def test_every_key_that_the_parser_reads_has_a_place_of_its_own(text):
    seen = {sighting.path for sighting in Places(text).sightings}
    starts = {path[:length] for path in seen for length in range(len(path) + 1)}
    assert set(every_path(tomllib.loads(text))) == starts


@pytest.mark.parametrize("cut", range(len(TEXT)))
def test_text_that_breaks_off_is_walked_to_its_end(cut):
    assert isinstance(Places(TEXT[:cut]).sightings, tuple)
