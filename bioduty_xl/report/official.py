"""An official paper as GB/T 9704-2012 sets it: frozen values in, one docx out.

The same paper gives the same bytes. Measures are those of the standard's clauses 5 and 7; what a
paper says is none of this module's business.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from xml.sax.saxutils import quoteattr

import docx
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.opc.constants import RELATIONSHIP_TYPE as RT
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.section import Section, _Footer
from docx.shared import Mm
from docx.text.paragraph import Paragraph

from bioduty_xl.layout.package import ZIP_TIME

LINES, CHARACTERS = 22, 28
"""Lines on a page and characters in a line (5.2.3)."""

LINE_PITCH = 28.9
"""From one base line to the next, in points: 22 lines fill the 225 mm of the text area."""

_MARGINS = {
    "top_margin": Mm(37),
    "left_margin": Mm(28),
    "right_margin": Mm(26),
    "bottom_margin": Mm(35),
    "footer_distance": Mm(25.5),
}
"""天头 37 mm and 订口 28 mm leave a text area of 156 × 225 mm on A4 (5.2.1); the dashes of the page
number stand 7 mm below it (7.5).
"""

_BODY, _PAGE_NUMBER, _TABLE = 16.0, 14.0, 9.0
"""3号, 4号 and 小5号, in points."""

_TIGHTENING = -0.25
"""Points between two letters of 3号, so that 28 fit into 156 mm. A grid of characters in the page's
own settings would do the same in Word, but LibreOffice gives each letter two of its cells.
"""

_LATIN = "Times New Roman"
_SONG, _FANGSONG, _HEI, _KAI = "宋体", "仿宋_GB2312", "黑体", "楷体_GB2312"
_XIAOBIAOSONG = "方正小标宋简体"

_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Heading:
    """A heading without its number, which is counted: 一、 on level 1, （一） on level 2."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Body:
    """A paragraph of the text."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table whose headings stand again on each page.

    Attributes:
        headings: one for each column.
        rows: as many texts each.
        widths: of the columns, in mm.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]


Block = Heading | Body | Table


@dataclass(frozen=True)
class Annex:
    """附件. One without content is named in the paper and comes in a file of its own."""

    title: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Paper:
    """What an official paper says, from top to bottom.

    Attributes:
        urgency: 加急, 特急 or nothing (7.2.3).
        title: its lines, broken where the sense allows (7.3.1).
        subtitle: below the title, such as （草稿）.
        addressee: 主送机关, without the colon (7.3.2).
        blocks: the text (7.3.3).
        annexes: named below the text, and printed each from a new page (7.3.4, 7.3.7).
        organ: who signs (7.3.5).
        dated: 成文日期.
        note: 附注, without its brackets (7.3.6).
    """

    title: tuple[str, ...]
    blocks: tuple[Block, ...]
    organ: str
    dated: date
    urgency: str = ""
    subtitle: str = ""
    addressee: str = ""
    annexes: tuple[Annex, ...] = ()
    note: str = ""


def render(paper: Paper) -> bytes:
    """The paper as a docx file's content."""
    document = docx.Document()
    _set_page(document)
    _set_styles(document)
    _set_page_numbers(document.sections[0])
    _write_urgency(document, paper.urgency)
    _write_title(document, paper.title, paper.subtitle)
    _write_addressee(document, paper.addressee)
    _write_blocks(document, paper.blocks)
    _write_attachments(document, [annex.title for annex in paper.annexes])
    _write_signature(document, paper.organ, chinese_date(paper.dated))
    _write_note(document, paper.note)
    _write_annexes(document, paper.annexes)
    _set_properties(document, paper)
    return _packed(document)


def numbered(texts: Iterable[str]) -> tuple[Body, ...]:
    """Paragraphs that begin with 1. 2. 3. (7.3.3, the third level)."""
    return tuple(Body(f"{n}. {text}") for n, text in enumerate(texts, start=1))


def chinese_date(day: date) -> str:
    """A date as papers write it, without leading noughts: 2024年6月26日."""
    return f"{day.year}年{day.month}月{day.day}日"


def writable(text: str) -> str:
    """A text that XML 1.0 can hold: no control characters, no lone surrogates."""
    return _SURROGATES.sub("\ufffd", _ILLEGAL.sub("", text))


@dataclass(frozen=True)
class _Look:
    """A paragraph style.

    Attributes:
        font: for Chinese; Latin letters and digits are in Times New Roman.
        latin: for Latin letters and digits.
        size, pitch: of letters and lines, in points.
        align: as WordprocessingML names it.
        first, left, right: indents in characters; `first` is of the first line, from `left` on.
        outline: level in the navigation pane, from 0; None: no heading.
        on_grid: whether 28 letters fill a line and lines keep to the grid of the page.
        keep: whether the paragraph stays on a page with the next.
    """

    font: str = _FANGSONG
    size: float = _BODY
    align: str = "both"
    first: float = 0
    left: float = 0
    right: float = 0
    outline: int | None = None
    on_grid: bool = True
    pitch: float = LINE_PITCH
    latin: str = _LATIN
    keep: bool = False


_PLAIN = "Normal"
_LOOKS = {
    _PLAIN: _Look(),
    "公文紧急程度": _Look(_HEI, align="left"),
    "公文标题": _Look(_XIAOBIAOSONG, 22, "center", on_grid=False),
    "公文副题": _Look(_KAI, align="center"),
    "公文主送机关": _Look(),
    "公文正文": _Look(first=2),
    "公文一级标题": _Look(_HEI, first=2, outline=0, keep=True),
    "公文二级标题": _Look(_KAI, first=2, outline=1, keep=True),
    "公文附件说明": _Look(keep=True),
    "公文落款": _Look(align="right", keep=True),
    "公文附注": _Look(first=2),
    "公文附件": _Look(_HEI, align="left", outline=0),
    "公文表头": _Look(_HEI, _TABLE, "center", on_grid=False, pitch=12.5, keep=True),
    "公文表格": _Look(_FANGSONG, _TABLE, "left", on_grid=False, pitch=12.5),
    "公文页码": _Look(_SONG, _PAGE_NUMBER, "left", on_grid=False, pitch=14, latin=_SONG),
}

_DEFAULT_LOOK = """
<w:rPrDefault %s><w:rPr>
  <w:lang w:val="en-US" w:eastAsia="zh-CN" w:bidi="ar-SA"/>
</w:rPr></w:rPrDefault>
"""


def _set_page(document: Document) -> None:
    document.settings.odd_and_even_pages_header_footer = True
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    for name, measure in _MARGINS.items():
        setattr(section, name, measure)
    grid = section._sectPr.find(qn("w:docGrid"))
    grid.set(qn("w:type"), "lines")
    grid.set(qn("w:linePitch"), _twips(LINE_PITCH))


def _set_styles(document: Document) -> None:
    defaults = document.styles.element.find(qn("w:docDefaults"))
    for child in list(defaults):
        defaults.remove(child)
    defaults.append(_element(_DEFAULT_LOOK % nsdecls("w")))
    for name, look in _LOOKS.items():
        if name == _PLAIN:
            style = document.styles[name]
        else:
            style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
            style.base_style = document.styles[_PLAIN]
            style.quick_style = True
        style.element.get_or_add_pPr().extend(_paragraph_properties(look))
        style.element.get_or_add_rPr().extend(_letter_properties(look))


def _paragraph_properties(look: _Look) -> Iterator[BaseOxmlElement]:
    """In the order that the schema wants."""
    keep, grid = int(look.keep), int(look.on_grid)
    outline = "" if look.outline is None else f'<w:outlineLvl w:val="{look.outline}"/>'
    return _elements(
        f'<w:keepNext w:val="{keep}"/><w:widowControl w:val="0"/>'
        f'<w:autoSpaceDE w:val="0"/><w:autoSpaceDN w:val="0"/><w:snapToGrid w:val="{grid}"/>'
        f'<w:spacing w:before="0" w:after="0" w:line="{_twips(look.pitch)}" w:lineRule="exact"/>'
        f'{_indents(look)}<w:jc w:val="{look.align}"/>{outline}'
    )


def _letter_properties(look: _Look) -> Iterator[BaseOxmlElement]:
    size, spacing = round(look.size * 2), _twips(_TIGHTENING) if look.on_grid else "0"
    latin, font = quoteattr(look.latin), quoteattr(look.font)
    return _elements(
        f"<w:rFonts w:ascii={latin} w:hAnsi={latin} w:eastAsia={font} w:cs={latin}/>"
        f'<w:spacing w:val="{spacing}"/><w:sz w:val="{size}"/><w:szCs w:val="{size}"/>'
    )


def _indents(look: _Look) -> str:
    """Indents in characters for Word and WPS, and in twips for programs that know only these."""
    width = look.size + _TIGHTENING if look.on_grid else look.size
    first = "firstLine" if look.first >= 0 else "hanging"
    sides = {first: abs(look.first), "left": look.left, "right": look.right}
    said = (
        f'w:{side}Chars="{round(count * 100)}" w:{side}="{_twips(count * width)}"'
        for side, count in sides.items()
    )
    return f"<w:ind {' '.join(said)}/>"


def _set_page_numbers(section: Section) -> None:
    """— 1 — on the outer side: odd pages right, even pages left, one character blank (7.5)."""
    look = _LOOKS["公文页码"]
    _write_number(section.footer, replace(look, align="right", right=1))
    _write_number(section.even_page_footer, replace(look, left=1))


def _write_number(footer: _Footer, look: _Look) -> None:
    paragraph = footer.paragraphs[0]
    paragraph.style = "公文页码"
    _set_own(paragraph, look)
    for piece in ("— ", "PAGE", " —"):
        if piece == "PAGE":
            paragraph._p.extend(_elements(_PAGE_FIELD))
        else:
            _write_run(paragraph, piece)


_PAGE_FIELD = (
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
    '<w:r><w:instrText xml:space="preserve"> PAGE </w:instrText></w:r>'
    '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    '<w:r><w:t>1</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
)


def _write_urgency(document: Document, urgency: str) -> None:
    """On the first line, at its beginning, with a blank line before the title."""
    for text in (urgency, "") if urgency else ():
        _write(document, text, "公文紧急程度")


def _write_title(document: Document, lines: tuple[str, ...], subtitle: str) -> None:
    for line in lines:
        _write(document, line, "公文标题")
    if subtitle:
        _write(document, subtitle, "公文副题")
    _write(document, "", "公文正文")


def _write_addressee(document: Document, addressee: str) -> None:
    if addressee:
        _write(document, f"{addressee}：", "公文主送机关")


def _write_blocks(document: Document, blocks: Iterable[Block]) -> None:
    counts = [0, 0]
    for block in blocks:
        if isinstance(block, Heading):
            counts = [counts[0] + 1, 0] if block.level == 1 else [counts[0], counts[1] + 1]
            _write_heading(document, block, counts)
        elif isinstance(block, Body):
            _write(document, block.text, "公文正文")
        else:
            _write_table(document, block)


def _write_heading(document: Document, heading: Heading, counts: list[int]) -> None:
    if heading.level == 1:
        _write(document, f"{_numeral(counts[0])}、{heading.text}", "公文一级标题")
    else:
        _write(document, f"（{_numeral(counts[1])}）{heading.text}", "公文二级标题")


def _write_table(document: Document, table: Table) -> None:
    made = document.add_table(len(table.rows) + 1, len(table.headings), style="Table Grid")
    made.autofit, made.alignment = False, WD_TABLE_ALIGNMENT.CENTER
    for row, texts in zip(made.rows, (table.headings, *table.rows), strict=True):
        row._tr.get_or_add_trPr().append(_element(f"<w:cantSplit {nsdecls('w')}/>"))
        for cell, text, width in zip(row.cells, texts, table.widths, strict=True):
            cell.width = Mm(width)
            _write_into(cell.paragraphs[0], text, "公文表格")
    first = made.rows[0]
    first._tr.get_or_add_trPr().append(_element(f"<w:tblHeader {nsdecls('w')}/>"))
    for cell in first.cells:
        cell.paragraphs[0].style = "公文表头"
    for column, width in zip(made.columns, table.widths, strict=True):
        column.width = Mm(width)


def _write_attachments(document: Document, titles: list[str]) -> None:
    """One line below the text; of several, each has a number, and all begin in one column."""
    if not titles:
        return
    _keep_last(document)
    _write(document, "", "公文附件说明")
    for n, title in enumerate(titles, start=1):
        number = f"{n}. " if len(titles) > 1 else ""
        paragraph = _write(document, ("附件：" if n == 1 else "") + number + title, "公文附件说明")
        hang = 5 + _characters(number)
        first = 2 - hang if n == 1 else 5 - hang
        _set_own(paragraph, replace(_LOOKS["公文附件说明"], left=hang, first=first))


def _write_signature(document: Document, organ: str, dated: str) -> None:
    """With room for the seal, on the page where the text ends (7.3.5.1)."""
    _keep_last(document)
    for _ in range(2):
        _write(document, "", "公文落款")
    for text, right in zip((organ, dated), signature_indents(organ, dated), strict=True):
        _set_own(_write(document, text, "公文落款"), replace(_LOOKS["公文落款"], right=right))


def _keep_last(document: Document) -> None:
    """The last lines of the text stay with what follows: no page holds the signature alone."""
    document.paragraphs[-1].paragraph_format.keep_with_next = True


def signature_indents(organ: str, dated: str) -> tuple[float, float]:
    """How many characters from the right edge the organ's name and the date end: the date four,
    the name centred above it; both further left where the name would not have room.
    """
    wide = (_characters(organ) - _characters(dated)) / 2
    date_ends = max(4.0, wide)
    return date_ends - wide, date_ends


def _write_note(document: Document, note: str) -> None:
    if note:
        _write(document, f"（{note}）", "公文附注")
    else:
        document.paragraphs[-1].paragraph_format.keep_with_next = False


def _write_annexes(document: Document, annexes: tuple[Annex, ...]) -> None:
    """Each from a new page: 附件 and its number on the first line, its title on the third."""
    for n, annex in enumerate(annexes, start=1):
        if annex.blocks:
            label = _write(document, f"附件{n}" if len(annexes) > 1 else "附件", "公文附件")
            label.paragraph_format.page_break_before = True
            _write(document, "", "公文正文")
            _write_title(document, (annex.title,), "")
            _write_blocks(document, annex.blocks)


def _set_properties(document: Document, paper: Paper) -> None:
    """The day of the paper stands for the moment at which the file was made."""
    package = document.part.package
    for key in [key for key, rel in package.rels.items() if rel.reltype == RT.THUMBNAIL]:
        del package.rels[key]  # a picture of the blank page that python-docx begins with
    known = document.core_properties
    known.title = writable("".join(paper.title))
    known.author = known.last_modified_by = writable(paper.organ)
    known.comments = ""
    known.created = known.modified = datetime.combine(paper.dated, time(), UTC)


def _packed(document: Document) -> bytes:
    """The package with its times fixed."""
    buffer, out = io.BytesIO(), io.BytesIO()
    document.save(buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, source.read(name))
    return out.getvalue()


def _write(document: Document, text: str, style: str) -> Paragraph:
    return _write_into(document.add_paragraph(), text, style)


def _write_into(paragraph: Paragraph, text: str, style: str) -> Paragraph:
    paragraph.style = style
    if text:
        _write_run(paragraph, text)
    return paragraph


def _write_run(paragraph: Paragraph, text: str) -> None:
    """The hint makes quotation marks and dashes Chinese ones, which share their codes with Latin
    ones.
    """
    run = paragraph.add_run(writable(text))
    run._r.get_or_add_rPr().extend(_elements('<w:rFonts w:hint="eastAsia"/>'))


def _set_own(paragraph: Paragraph, look: _Look) -> None:
    """What this paragraph has apart from its style: indents and alignment."""
    properties = paragraph._p.get_or_add_pPr()
    properties.extend(_elements(f'{_indents(look)}<w:jc w:val="{look.align}"/>'))


def _elements(markup: str) -> Iterator[BaseOxmlElement]:
    return iter(list(_element(f"<w:body {nsdecls('w')}>{markup}</w:body>")))


def _element(markup: str) -> BaseOxmlElement:
    return parse_xml(markup)


def _twips(points: float) -> str:
    """A measure in twentieths of a point."""
    return str(round(points * 20))


def _characters(text: str) -> float:
    """The width of a text in Chinese characters; Latin letters and digits count half."""
    return sum(1 if unicodedata.east_asian_width(char) in "WFA" else 0.5 for char in text)


def _numeral(value: int) -> str:
    """A number from 1 to 99 as a Chinese numeral."""
    digits = ["", *"一二三四五六七八九"]
    tens, ones = divmod(value, 10)
    head = f"{digits[tens]}十" if tens > 1 else "十" * tens
    return f"{head}{digits[ones]}"
