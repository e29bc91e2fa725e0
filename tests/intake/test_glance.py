"""A glance at a plainly written sheet finds what a walk over its XML finds, or leaves it to one."""

import contextlib
import random
import zipfile
from xml.parsers.expat import ExpatError

import pytest
from books import FILLED, fill

from bioduty_xl.intake.raw import Odd
from bioduty_xl.intake.xlsx import _glance, _XmlWalk

HEAD = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = "</sheetData></worksheet>"


def sheet(*cells):
    return f'{HEAD}<row r="1">{"".join(cells)}</row>{TAIL}'.encode()


def found(walk):
    return walk.odd, walk.texts, walk.far


@pytest.mark.parametrize(
    ("cell", "odd"),
    [
        ('<c r="A1"><v>1</v></c>', {}),
        ('<c r="A1" t="inlineStr"><is><t>a&amp;b</t></is></c>', {}),
        ('<c r="A1" t="str"><f>1+1</f><v>two</v></c>', {}),
        ('<c r="A1" t="str"><f>""</f><v></v></c>', {}),
        ('<c r="B2"><f>1+1</f><v></v></c>', {(1, 1): (Odd.FORMULA, "=1+1")}),
        ('<c r="A1"><f>A2&amp;"x"&#38;1</f></c>', {(0, 0): (Odd.FORMULA, '=A2&"x"&1')}),
        ('<c r="A1"><f ca="1">NOW()</f><v/></c>', {(0, 0): (Odd.FORMULA, "=NOW()")}),
        ('<c r="FZ9999"><v>1</v></c>', {}),
    ],
)
def test_what_programs_write_is_told_at_a_glance_as_by_a_walk(cell, odd):
    content = sheet(cell)
    glance = _glance(content)
    assert glance is not None
    assert found(glance)[0] == odd
    assert found(glance)[0] == found(_XmlWalk(content))[0]
    assert found(glance)[2] == found(_XmlWalk(content))[2]


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="A1" t="e"><v>#REF!</v></c>',
        "<c r='A1' t='e'><v>#REF!</v></c>",
        '<c r="A1" t = "e"><v>#REF!</v></c>',
        '<c r="A1" t="inlineStr"><v>text</v></c>',
        '<c r="XFD1048576"><v>1</v></c>',
        '<c r="A10000"><v>1</v></c>',
        '<c r="GA1"><v>1</v></c>',
        "<c><v>1</v></c>",
        '<c t="n" r="A1"><v>1</v></c>',
        '<c r="A1"><f t="shared" si="0"/><v>1</v></c>',
        '<c r="A1"><f>1</f><is><t>x</t></is></c>',
        '<c r="A1"><v><![CDATA[1]]></v></c>',
        '<!-- <c r="A1"> --><c r="A1"><v>1</v></c>',
    ],
)
def test_whatever_else_there_is_is_walked(cell):
    assert _glance(sheet(cell)) is None


def test_prefixed_names_are_walked():
    content = sheet('<c r="A1"><v>1</v></c>').replace(b"<", b"<x:").replace(b"<x:/", b"</x:")
    assert _glance(content) is None


def test_on_real_forms_and_on_what_chance_makes_of_them_both_say_the_same(form, tmp_path):
    filled = fill(form("市林业局"), tmp_path / "a.xlsx", answers=FILLED)
    with zipfile.ZipFile(filled) as package:
        parts = [package.read(f"xl/worksheets/sheet{n}.xml") for n in (1, 2, 3)]
    assert all(_glance(part) is not None for part in parts)
    chance, agreed = random.Random(5), 0
    pieces = (b'<c r="B7" t="e"><v>#N/A</v></c>', b"<f>1</f>", b"<v></v>", b"<v>3</v>", b' t="str"')
    for _ in range(200):
        content = bytearray(chance.choice(parts))
        for _ in range(chance.randint(1, 3)):
            place = content.find(chance.choice((b"<c ", b"</c>", b"<f", b"<v", b"</row>", b">")))
            place = content.find(b"<", chance.randrange(len(content))) if place < 0 else place
            content[place:place] = chance.choice(pieces)
        try:
            walk = _XmlWalk(bytes(content))
        except (ExpatError, ValueError):  # no XML any more, or an address that is none
            with contextlib.suppress(ExpatError):
                assert _glance(bytes(content)) is None
            continue
        glance = _glance(bytes(content))
        if glance is not None:
            assert (glance.odd, glance.far) == (walk.odd, walk.far)
            agreed += 1
    assert agreed > 5
