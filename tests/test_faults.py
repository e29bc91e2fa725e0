"""What goes wrong out there, row by row: each fault is made for real and must end as promised.

Whatever a file is, its bytes are in the store, its row is on record, and its reason says what to
do next (`kept`). docs/reliability.md is the promise; killed runs are in test_killed.py, full and
remote disks in test_disk.py.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from books import (
    FILLED,
    columns_of,
    copy,
    field_cell,
    fill,
    heading_row,
    key_column,
    records,
    rezip,
    rows_by_item,
)
from office import opening
from openpyxl import load_workbook

from bioduty_xl import Workspace
from bioduty_xl.errors import BiodutyError
from bioduty_xl.intake import filing
from bioduty_xl.layout.sheets import RETURN_FORM

AS_OF = "2024-06-20"
SHEET_PART = "xl/worksheets/sheet2.xml"


def kept(ws, path_or_bytes, name):
    """Collect one file; returns its report once its bytes, its row and its reason are there."""
    content = path_or_bytes if isinstance(path_or_bytes, bytes) else path_or_bytes.read_bytes()
    target = ws.inbox / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    reports = ws.collect(as_of=AS_OF).files
    report = next(report for report in reports if report.file == name)
    assert (ws.originals / report.sha256).read_bytes() == content
    rows = records(ws.consolidate("2024Q2", as_of=AS_OF), "收件台账")
    assert [row["SHA-256"] for row in rows if row["文件"] == name] == [report.sha256]
    assert report.reason or report.verdict == "accepted"
    return report


def codes(report):
    return {finding.code for finding in report.findings}


@pytest.fixture
def filled(form, tmp_path):
    """A filled return of 市林业局, not yet in the inbox."""
    return fill(form("市林业局"), tmp_path / "filled.xlsx")


def in_sheet(source, target, old, new, part=SHEET_PART):
    """Copy a workbook with bytes of one part replaced once."""

    def change(name, content):
        if name != part:
            return content
        assert old in content
        return content.replace(old, new, 1)

    return rezip(source, target, change)


def with_parts(source, target, *parts):
    """Copy a workbook with parts added."""
    shutil.copyfile(source, target)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts:
            package.writestr(name, content)
    return target


def answers(ws, item="T01"):
    entries = ws.entries("2024Q2").query("code == 'U02' and state != ''")
    return entries.set_index("item").loc[item]


HOSTILE = {
    "zip bomb": lambda form, path: with_parts(form, path, ("xl/a.bin", b"\0" * (410 << 20))),
    "huge used area": lambda form, path: in_sheet(
        form, path, b"</sheetData>", b"<row><c><v>1</v></c></row>" * 2_100_000 + b"</sheetData>"
    ),
    "huge merge": lambda form, path: in_sheet(
        form, path, b"<mergeCells", b'<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells><x'
    ),
    "very many entries": lambda form, path: with_parts(
        form, path, *((f"xl/{n}.xml", b"<x/>") for n in range(2500))
    ),
    "nested deep": lambda form, path: with_parts(
        form, path, ("xl/deep.xml", b"<a>" * 100_000 + b"</a>" * 100_000)
    ),
    "document type": lambda form, path: with_parts(
        form, path, ("xl/dtd.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    ),
    "case twin of a part": lambda form, path: with_parts(
        form, path, ("xl/Worksheets/Sheet2.xml", b"<worksheet/>")
    ),
    "name upwards": lambda form, path: with_parts(form, path, ("../../evil.xml", b"<x/>")),
    "absolute name": lambda form, path: with_parts(form, path, ("/etc/evil.xml", b"<x/>")),
    "stated size too small": lambda form, path: _understate(
        with_parts(form, path, ("xl/a.bin", b"\0" * (410 << 20)))
    ),
}


def _understate(path):
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 16 : place + 20] = zlib.crc32(b"\0" * 10).to_bytes(4, "little")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_packages_are_rejected_before_parsing(q2, filled, tmp_path, monkeypatch, fault):
    (tmp_path / "parsing_nothing.py").write_text(
        "from bioduty_xl.intake import parse\nparse.parse = None\nparse.main()\n", "utf-8"
    )
    monkeypatch.setattr("bioduty_xl.intake.sandbox._CHILD", "parsing_nothing")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report = kept(q2, HOSTILE[fault](filled, tmp_path / "bad.xlsx"), "a.xlsx")
    assert report.verdict == "rejected"
    assert "TypeError" not in report.reason


def test_a_million_styled_blank_rows_are_read_not_refused(q2, filled, tmp_path):
    rows = b"".join(
        b'<row r="%d" spans="1:12" s="1" customFormat="1">'
        b'<c r="A%d" s="1"/><c r="B%d" s="1"/><c r="C%d" s="1"/></row>' % (n, n, n, n)
        for n in range(100, 1_048_577)
    )
    bad = in_sheet(filled, tmp_path / "a.xlsx", b"</sheetData>", rows + b"</sheetData>")
    report = kept(q2, bad, "a.xlsx")
    assert (report.verdict, report.unit, report.findings) == ("accepted", "U02", ())
    assert answers(q2)["progress"] == FILLED["progress"]


@pytest.mark.parametrize("cell", ["XFD1048576", "A1048576", "XFD7"])
def test_one_stray_far_cell_is_read_not_refused(q2, filled, tmp_path, cell):
    row = cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    stray = f'<row r="{row}"><c r="{cell}"><v>1</v></c></row></sheetData>'.encode()
    report = kept(q2, in_sheet(filled, tmp_path / "a.xlsx", b"</sheetData>", stray), "a.xlsx")
    assert (report.verdict, report.unit) == ("accepted", "U02")
    assert answers(q2)["progress"] == FILLED["progress"]
    if cell != "XFD7":  # sixteen thousand columns of some thirty rows need no cutting
        (finding,) = report.findings
        assert (finding.code, finding.cell) == ("FAR_CELLS", cell)


def test_a_reader_that_aborts_costs_one_file_and_the_batch_goes_on(
    q2, form, filled, tmp_path, monkeypatch
):
    (tmp_path / "aborting.py").write_text(
        "import os\n"
        "from bioduty_xl.intake import parse\n"
        "whole = parse.parse\n"
        "def parse_or_die(content, form, parts):\n"
        "    book = whole(content, form, parts)\n"
        "    return os.abort() if 'abort here' in str(book) else book\n"
        "parse.parse = parse_or_die\n"
        "parse.main()\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("bioduty_xl.intake.sandbox._CHILD", "aborting")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fill(form("市水利局"), q2.inbox / "1.xlsx", answers={**FILLED, "remark": "abort here"})
    copy(filled, q2.inbox / "2.xlsx")
    first, second = sorted(q2.collect(as_of=AS_OF).files, key=lambda report: report.file)
    assert (first.verdict, second.verdict) == ("held", "accepted")
    assert "异常退出" in first.reason


@pytest.mark.office
@pytest.mark.parametrize("form_name", ["xlsx", "xls", "ods"])
def test_an_encrypted_workbook_is_held_remove_the_password(q2, office, filled, tmp_path, form_name):
    locked = tmp_path / f"locked.{form_name}"
    store = {"do": "store", "path": str(locked), "form": form_name, "password": "secret"}
    office.run(opening(filled), store)
    report = kept(q2, locked, f"a.{form_name}")
    assert report.verdict == "held"
    assert "密码" in report.reason


def test_a_macro_enabled_workbook_is_read_flagged_and_its_macro_never_leaves(q2, filled, tmp_path):
    macro = with_parts(filled, tmp_path / "a.xlsm", ("xl/vbaProject.bin", b"macro"))
    report = kept(q2, macro, "a.xlsm")
    assert (report.verdict, codes(report)) == ("accepted", {"MACRO"})
    written = list(q2.path(q2.settings.paths.outbox).rglob("*.xls*"))
    assert written
    for path in written:
        assert "xl/vbaProject.bin" not in zipfile.ZipFile(path).namelist()


def test_a_folder_is_walked_and_its_name_never_decides(q2, filled, tmp_path):
    report = kept(q2, filled, "市水利局/第二季度/市水利局.xlsx")
    assert (report.verdict, report.unit) == ("accepted", "U02")
    report = kept(q2, b"%PDF-1.7", "市水利局/总结.pdf")
    assert (report.verdict, report.unit) == ("held", None)
    assert "市水利局" in report.reason


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("总结.pdf", b"%PDF-1.7 x", "PDF"),
        ("照片.jpg", b"\xff\xd8\xff\xe0 x", "图片"),
        ("总结.docx", None, "Word"),
    ],
)
def test_another_document_is_held_and_counts_beside_the_unit_a_person_assigns_it_to(
    q2, tmp_path, name, content, says
):
    if content is None:
        with zipfile.ZipFile(tmp_path / name, "w") as package:
            package.writestr("[Content_Types].xml", "<Types/>")
            package.writestr("word/document.xml", "<x/>")
        content = (tmp_path / name).read_bytes()
    report = kept(q2, content, name)
    assert report.verdict == "held"
    assert says in report.reason
    settled = q2.assign(name, "市林业局", "2024Q2", "电话核实", as_of=AS_OF)
    assert (settled.verdict, settled.unit) == ("held", "U02")
    book = q2.consolidate("2024Q2", as_of="2024-06-26")
    row = next(row for row in records(book, "报送台账") if row["单位代码"] == "U02")
    assert (row["报送状态"], row["其他来件"]) == ("逾期", name)


@pytest.mark.office
@pytest.mark.parametrize(
    ("made_as", "name"), [("xlsx", "a.xls"), ("xls", "a.xlsx"), ("xls", "a.et"), ("ods", "a.xls")]
)
def test_an_extension_that_lies_changes_nothing(q2, office, filled, tmp_path, made_as, name):
    saved = tmp_path / f"saved.{made_as}"
    office.change(filled, saved)
    report = kept(q2, saved, name)
    assert (report.verdict, report.unit, report.findings) == ("accepted", "U02", ())
    assert answers(q2)["progress"] == FILLED["progress"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("网页.xls", b"<html><table></table></html>", "网页"),
        ("逗号.xls", "单位,情况\n市林业局,已开展\n".encode("gb18030"), "不是 Excel"),
        ("xml.xls", b'<?xml version="1.0"?><Workbook/>', "XML"),
    ],
)
def test_what_is_no_workbook_is_held_with_plain_advice(q2, name, content, says):
    report = kept(q2, content, name)
    assert report.verdict == "held"
    assert says in report.reason
    assert "报送表" in report.reason


def gbk_zip(path, members):
    """A zip as Windows in China writes it: names in GBK, unflagged."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for number, (name, content) in enumerate(members):
            entry = zipfile.ZipInfo("?" + chr(97 + number) * (len(name.encode("gbk")) - 1))
            package.writestr(entry, content)
    content = path.read_bytes()
    for number, (name, _) in enumerate(members):
        raw = name.encode("gbk")
        content = content.replace(b"?" + chr(97 + number).encode() * (len(raw) - 1), raw)
    path.write_bytes(content)
    return path


def test_an_archive_is_opened_one_level_deep_each_member_a_file_of_its_own(
    q2, form, filled, tmp_path
):
    other = fill(form("市水利局"), tmp_path / "b.xlsx")
    nested = gbk_zip(tmp_path / "nested.zip", [("再一层.xlsx", filled.read_bytes())])
    packed = gbk_zip(
        tmp_path / "packed.zip",
        [
            ("林业局报送表.xlsx", filled.read_bytes()),
            ("县区/水利局填报.xlsx", other.read_bytes()),
            ("县区/林业局填报 - 副本.xlsx", filled.read_bytes()),
            ("再打包.zip", nested.read_bytes()),
            ("__MACOSX/._林业局", b"x"),
        ],
    )
    report = kept(q2, packed, "各单位.zip")
    assert report.verdict == "held"
    rows = records(q2.consolidate("2024Q2", as_of=AS_OF), "收件台账")
    assert {row["文件"]: row["处理结果"] for row in rows} == {
        "各单位.zip": "待处理",
        "各单位.zip/林业局报送表.xlsx": "已收",
        "各单位.zip/县区/水利局填报.xlsx": "已收",
        "各单位.zip/县区/林业局填报 - 副本.xlsx": "重复",
        "各单位.zip/再打包.zip": "待处理",
    }
    standing = q2.standing("2024Q2", as_of=AS_OF)
    assert {line.unit.code for line in standing.returned} == {"U02", "U10"}
    # The archive itself is no file beside those that were in it.
    assert (standing.files.accepted, standing.files.held) == (2, 1)


@pytest.mark.parametrize(
    ("name", "magic"), [("a.rar", b"Rar!\x1a\x07\x00"), ("a.7z", b"7z\xbc\xaf\x27\x1c")]
)
def test_other_archives_are_held_please_send_the_xlsx(q2, name, magic):
    report = kept(q2, magic + b"x" * 100, name)
    assert report.verdict == "held"
    assert "xlsx" in report.reason


def test_a_locked_archive_is_held(q2, filled, tmp_path):
    path = gbk_zip(tmp_path / "a.zip", [("a.xlsx", filled.read_bytes())])
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    report = kept(q2, bytes(content), "a.zip")
    assert report.verdict == "held"
    assert "密码" in report.reason


@pytest.mark.parametrize("column", ["progress", "status", "problems"])
def test_an_error_cell_or_a_formula_without_a_value_is_a_finding_never_a_blank(
    q2, form, tmp_path, column
):
    def break_cells(book, sheet):
        rows, columns = rows_by_item(sheet), columns_of(sheet)
        sheet.cell(rows["T01"], columns[column]).value = "#REF!"
        sheet.cell(rows["T01"], columns[column]).data_type = "e"
        sheet.cell(rows["T02"], columns[column]).value = '=CONCATENATE("a","b")'

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=break_cells), "a.xlsx")
    found = {(finding.code, finding.item) for finding in report.findings}
    assert found == {("CELL_ERROR", "T01"), ("FORMULA_WITHOUT_VALUE", "T02")}
    assert all(finding.cell and finding.severity == "ERROR" for finding in report.findings)
    entries = q2.entries("2024Q2").query("code == 'U02'").set_index("item")
    assert entries.loc["T01", column] == "#REF!"
    assert entries.loc["T02", column] == '=CONCATENATE("a","b")'
    expected = "返回未填" if column == "progress" else "已填"
    assert set(entries.loc[["T01", "T02"], "state"]) == {expected}


def test_strict_ooxml_is_never_mistaken_for_an_empty_return(q2, filled, tmp_path):
    old = b"http://schemas.openxmlformats.org/"
    strict = b"http://purl.oclc.org/ooxml/"

    def convert(name, content):
        content = content.replace(old + b"spreadsheetml/2006/main", strict + b"spreadsheetml/main")
        for family in (b"officeDocument", b"drawingml"):
            content = content.replace(old + family + b"/2006/", strict + family + b"/")
        return content

    report = kept(q2, rezip(filled, tmp_path / "a.xlsx", convert), "a.xlsx")
    assert (report.verdict, report.unit) == ("accepted", "U02")
    assert answers(q2)["progress"] == FILLED["progress"]


def test_a_missing_sheet_part_is_never_mistaken_for_an_empty_return(q2, filled, tmp_path):
    without = rezip(filled, tmp_path / "a.xlsx", lambda n, c: None if n == SHEET_PART else c)
    assert kept(q2, without, "a.xlsx").verdict == "rejected"


@pytest.mark.parametrize("stated", [b"A1", b"A1:XFD1048576", b"A1:B2", b"nonsense"])
def test_a_lying_dimension_is_not_believed(q2, filled, tmp_path, stated):
    with zipfile.ZipFile(filled) as package:
        sheet = package.read(SHEET_PART)
    start = sheet.index(b'<dimension ref="') + len(b'<dimension ref="')
    true = sheet[start : sheet.index(b'"', start)]
    lying = in_sheet(
        filled, tmp_path / "a.xlsx", b'<dimension ref="' + true, b'<dimension ref="' + stated
    )
    report = kept(q2, lying, "a.xlsx")
    assert report.verdict == ("rejected" if stated == b"nonsense" else "accepted")
    if report.verdict == "accepted":
        assert answers(q2, "T23")["progress"] == FILLED["progress"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes a file")
def test_a_slow_copy_is_deferred_however_long_it_stalls(q2, filled):
    whole = filled.read_bytes()
    target = q2.inbox / "a.xlsx"
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "out = open(sys.argv[1], 'wb', buffering=0)\n"
            "for line in sys.stdin.buffer:\n"
            "    out.write(bytes.fromhex(line.decode()))\n"
            "    print(flush=True)\n",
            str(target),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    step = len(whole) // 4 + 1
    for place in range(0, len(whole), step):
        writer.stdin.write(whole[place : place + step].hex().encode() + b"\n")
        writer.stdin.flush()
        writer.stdout.readline()
        (report,) = q2.collect(as_of=AS_OF).files
        assert report.verdict == "deferred"
        assert target.exists()
    assert list(filing.originals_in(q2.originals)) == []
    writer.stdin.close()
    writer.wait()
    writer.stdout.close()
    (report,) = q2.collect(as_of=AS_OF).files
    assert (report.verdict, report.findings) == ("accepted", ())


def test_a_torn_copy_that_nobody_could_see_being_written_is_read_once_it_is_whole(q2, filled):
    """On a share the writer is on another machine: the torn copy is rejected and put aside, and the
    writer goes on in the file that was moved.
    """
    whole = filled.read_bytes()
    report = kept(q2, whole[: len(whole) // 2], "a.xlsx")
    assert report.verdict == "rejected"
    aside = q2.inbox / "待处理" / "a.xlsx"
    assert q2.collect(as_of=AS_OF).files == ()
    aside.write_bytes(whole)
    (report,) = q2.collect(as_of=AS_OF).files
    assert (report.verdict, report.unit) == ("accepted", "U02")
    assert not aside.exists()


@pytest.mark.parametrize("lock", ["~$a.xlsx", ".~lock.a.xlsx#", ".~a.xlsx"])
def test_a_file_open_in_an_office_program_is_deferred_and_its_age_said(q2, filled, lock):
    copy(filled, q2.inbox / "a.xlsx")
    (q2.inbox / lock).write_bytes(b"x")
    for day in ("2024-06-20", "2024-06-21"):
        reports = {report.file: report for report in q2.collect(as_of=day).files}
        assert (reports["a.xlsx"].verdict, reports[lock].verdict) == ("deferred", "ignored")
    reports = {r.file: r for r in q2.collect(as_of="2100-01-01").files}
    assert "已等待" in reports["a.xlsx"].reason
    (q2.inbox / lock).unlink()
    (report,) = q2.collect(as_of=AS_OF).files
    assert report.verdict == "accepted"


def test_a_sharing_violation_defers(q2, filled, monkeypatch):
    copy(filled, q2.inbox / "a.xlsx")

    def refuse(path, *arguments, **named):
        raise PermissionError(13, "sharing violation", str(path))

    read = Path.open

    def refuse_inbox(path, *arguments, **named):
        return (refuse if path.is_relative_to(q2.inbox) else read)(path, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(filing.Path, "open", refuse_inbox)
        (report,) = q2.collect(as_of=AS_OF).files
    assert report.verdict == "deferred"
    (report,) = q2.collect(as_of=AS_OF).files
    assert report.verdict == "accepted"


@pytest.mark.parametrize(
    "name",
    [
        *("~$a.xlsx", ".~lock.a.xlsx#", "~WPS9A.tmp", "Thumbs.db", "desktop.ini", ".DS_Store"),
        *("._a.xlsx", ".gitkeep", "下载.tmp", "→.lnk"),
    ],
)
def test_leftovers_are_ignored_but_counted_and_said(q2, name):
    path = q2.inbox / name
    if name.endswith(".lnk"):
        path.symlink_to("/etc/hostname")
    else:
        path.write_bytes(b"x")
    (report,) = q2.collect(as_of=AS_OF).files
    assert (report.file, report.verdict) == (name, "ignored")
    assert report.reason
    assert list(filing.originals_in(q2.originals)) == []


def test_one_units_sheet_in_anothers_file_is_held(q2, form, tmp_path):
    one, other = form("市林业局"), form("市水利局")
    with zipfile.ZipFile(fill(other, tmp_path / "b.xlsx")) as package:
        foreign = package.read(SHEET_PART)
    swapped = rezip(one, tmp_path / "a.xlsx", lambda n, c: foreign if n == SHEET_PART else c)
    report = kept(q2, swapped, "市林业局.xlsx")
    assert (report.verdict, report.unit) == ("held", None)


def test_a_token_that_was_tampered_with_is_held(q2, form, tmp_path):
    def tamper(book, sheet):
        cell = sheet.cell(heading_row(sheet), key_column(sheet))
        cell.value = cell.value[:-1] + ("0" if cell.value[-1] != "0" else "1")

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=tamper), "a.xlsx")
    assert report.verdict == "held"


def test_the_same_bytes_and_the_same_content_renamed_are_duplicates(q2, form, filled, tmp_path):
    kept(q2, filled, "a.xlsx")
    report = kept(q2, filled, "a - 副本.xlsx")
    assert (report.verdict, report.revision) == ("duplicate", 1)
    anew = fill(
        form("市林业局"),
        tmp_path / "b.xlsx",
        change=lambda b, _: setattr(b.properties, "title", "x"),
    )
    assert anew.read_bytes() != filled.read_bytes()
    report = kept(q2, anew, "a(1)最终版.xlsx")
    assert (report.verdict, report.revision) == ("duplicate", 1)


def test_a_share_that_is_not_mounted_is_unavailable_never_no_returns(q2, filled):
    kept(q2, filled, "a.xlsx")
    mounted = q2.inbox.rename(q2.root / "mounted")
    q2.inbox.mkdir()
    with pytest.raises(BiodutyError, match="不可用"):
        q2.collect(as_of=AS_OF)
    q2.inbox.rmdir()
    with pytest.raises(BiodutyError, match="不可用"):
        q2.collect(as_of=AS_OF)
    mounted.rename(q2.inbox)
    (q2.inbox / filing.SENTINEL).unlink()  # tidied away by somebody; 已收 still shows whose it is
    assert q2.collect(as_of=AS_OF).files == ()
    assert (q2.inbox / filing.SENTINEL).exists()


def test_an_inbox_moved_in_the_settings_is_taken_for_a_new_one(q2, filled):
    kept(q2, filled, "a.xlsx")
    settings = q2.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('inbox = "inbox"', 'inbox = "收件"'), encoding="utf-8")
    moved = Workspace.open(q2.root)
    moved.inbox.mkdir()
    assert moved.collect(as_of=AS_OF).files == ()


def test_a_target_open_in_excel_is_written_beside_and_said(q2, filled, monkeypatch):
    kept(q2, filled, "a.xlsx")
    usual = q2.report_file("2024Q2")
    replace = os.replace

    def refuse(source, target):
        if Path(target) == usual:
            raise PermissionError(13, "open elsewhere", str(target))
        replace(source, target)

    monkeypatch.setattr("bioduty_xl.layout.atomic.os.replace", refuse)
    monkeypatch.setattr("bioduty_xl.layout.atomic.time.sleep", lambda _: None)
    path = q2.consolidate("2024Q2", as_of="2024-06-26")
    assert path.name == "汇总_2024Q2_2.xlsx"
    assert load_workbook(path).sheetnames[0] == "总览"


def test_a_clock_set_back_or_forward_neither_skips_nor_repeats_a_file(q2, form, filled):
    copy(filled, q2.inbox / "a.xlsx")
    assert [r.verdict for r in q2.collect(as_of="2034-06-20").files] == ["accepted"]
    assert q2.collect(as_of="2014-06-20").files == ()
    fill(form("市林业局"), q2.inbox / "b.xlsx", answers={**FILLED, "progress": "更正：巡护15次。"})
    (second,) = q2.collect(as_of="2034-06-20").files
    assert (second.verdict, second.revision) == ("accepted", 2)
    assert answers(q2)["progress"] == "更正：巡护15次。"


@pytest.mark.parametrize("text", ["=1+1", "+86", "-5", "@某", "http://a.example/?b=1", "=cmd|x!A0"])
def test_text_that_looks_like_a_formula_or_a_link_stays_text(q2, form, tmp_path, text):
    sent = {**FILLED, "progress": text + "，已完成", "problems": text}
    kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", answers=sent), "a.xlsx")
    book = load_workbook(q2.report_file("2024Q2"))
    for title, heading in (("汇总明细", "工作开展情况"), ("问题清单", "存在的问题")):
        sheet = book[title]
        column = next(cell.column for cell in sheet[1] if cell.value == heading)
        cell = sheet.cell(2, column)
        assert cell.value in (sent["progress"], sent["problems"])
        assert (cell.data_type, cell.hyperlink) == ("s", None)


def test_a_mobile_number_stored_as_a_number_is_restored(q2, form, tmp_path):
    def type_in(book, sheet):
        field_cell(sheet, "phone").value = 13900000000

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=type_in), "a.xlsx")
    assert report.findings == ()
    row = next(
        row for row in records(q2.report_file("2024Q2"), "报送台账") if row["单位代码"] == "U02"
    )
    assert row["联系电话"] == "13900000000"


def test_eighteen_digits_stored_as_a_number_are_a_finding_and_not_repaired(q2, form, tmp_path):
    def type_in(book, sheet):
        sheet.cell(rows_by_item(sheet)["T01"], columns_of(sheet)["remark"]).value = 10**17 + 1

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=type_in), "a.xlsx")
    assert [(f.code, f.item) for f in report.findings] == [("NUMBER_PRECISION", "T01")]
    assert answers(q2)["remark"] == "1e+17"


@pytest.mark.parametrize("word", ["NA", "None", "nan", "无", "NULL", "#N/A"])
def test_nan_like_words_are_text_never_missing_values(q2, form, tmp_path, word):
    kept(
        q2,
        fill(form("市林业局"), tmp_path / "a.xlsx", answers={**FILLED, "problems": word}),
        "a.xlsx",
    )
    assert answers(q2)["problems"] == word
    row = records(q2.report_file("2024Q2"), "汇总明细")[0]
    assert row["存在的问题"] == word


def test_an_unreadable_file_answers_within_the_time_and_without_a_traceback(q2, tmp_path):
    """inspect, for anything at all: devices, pipes, huge and odd files."""
    huge = tmp_path / "huge.xlsx"
    with huge.open("wb") as file:
        file.truncate(200 << 30)
    os.mkfifo(tmp_path / "pipe.xlsx")
    for path in (huge, tmp_path / "pipe.xlsx", Path("/dev/zero")):
        started = time.monotonic()
        report = q2.inspect(path)
        assert report.verdict in ("rejected", "ignored")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", [".市林业局.xlsx", "市林业局.xlsx.tmp", "市林业局.part"])
def test_a_return_under_a_leftovers_name_is_a_return(q2, filled, tmp_path, name):
    assert kept(q2, filled, name).verdict == "accepted"


def test_a_return_under_a_hidden_name_in_an_archive_is_a_return(q2, filled, tmp_path):
    packed = gbk_zip(tmp_path / "a.zip", [(".林业局.xlsx", filled.read_bytes())])
    kept(q2, packed, "a.zip")
    assert {line.unit.code for line in q2.standing("2024Q2", as_of=AS_OF).returned} == {"U02"}


@pytest.mark.parametrize(
    "place", ["已收/2024Q2/市林业局.xlsx", "已收/林业.xlsx", "待处理/林业.xlsx"]
)
def test_a_return_dropped_among_those_filed_is_taken(q2, filled, place):
    report = kept(q2, filled, place)
    assert (report.verdict, report.unit) == ("accepted", "U02")
    assert q2.collect(as_of=AS_OF).files == ()


def test_a_return_mended_among_those_taken_is_the_next_revision(q2, form, filled):
    kept(q2, filled, "a.xlsx")
    there = q2.inbox / "已收" / "2024Q2" / "a.xlsx"
    fill(form("市林业局"), there, answers={**FILLED, "progress": "更正：巡护15次。"})
    (report,) = q2.collect(as_of=AS_OF).files
    assert (report.verdict, report.revision) == ("accepted", 2)
    assert there.exists()


@pytest.mark.parametrize("what", ["inserted row", "extra column", "second sheet"])
def test_a_revision_that_adds_what_is_not_read_is_no_duplicate(q2, form, filled, tmp_path, what):
    def add(book, sheet):
        if what == "inserted row":
            row = heading_row(sheet) + 2
            sheet.insert_rows(row)
            sheet.cell(row, columns_of(sheet)["progress"]).value = "新建保护站3处"
        elif what == "extra column":
            sheet.cell(heading_row(sheet), key_column(sheet) + 1).value = "补充情况"
        else:
            book.create_sheet("补充")["A1"] = "新建保护站3处"

    kept(q2, filled, "a.xlsx")
    report = kept(q2, fill(form("市林业局"), tmp_path / "b.xlsx", change=add), "b.xlsx")
    assert (report.verdict, report.revision) == ("accepted", 2)
    assert codes(report) & {"ROW_WITHOUT_MARK", "EXTRA_COLUMN", "EXTRA_SHEET"}


@pytest.mark.office
def test_a_block_lost_in_an_xls_never_makes_a_short_return(q2, office, filled, tmp_path):
    saved = tmp_path / "a.xls"
    office.change(filled, saved)
    whole = saved.read_bytes()
    taken = 0
    for block in range(1, len(whole) // 512):
        damaged = tmp_path / f"{block}.xls"
        damaged.write_bytes(whole[: block * 512] + b"\0" * 512 + whole[(block + 1) * 512 :])
        report = q2.inspect(damaged)
        if report.verdict == "accepted":
            taken += 1
            assert not codes(report) & {"ROW_WITHOUT_MARK", "ROW_MISSING", "REQUIRED_BLANK"}, block
    assert taken < len(whole) // 512 // 2  # what is taken has lost what nobody reads


def test_rows_sorted_without_their_hidden_marks_are_held(q2, form, tmp_path):
    def sort_shown(book, sheet):
        first, last = heading_row(sheet) + 1, max(rows_by_item(sheet).values())
        rows = [
            [sheet.cell(row, column).value for column in range(1, key_column(sheet))]
            for row in range(first, last + 1)
        ]
        for row, texts in enumerate(reversed(rows), start=first):
            for column, text in enumerate(texts, start=1):
                sheet.cell(row, column).value = text

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=sort_shown), "a.xlsx")
    assert report.verdict == "held"
    assert "错行" in report.reason


@pytest.mark.parametrize("hide", [False, True])
def test_a_filled_copy_beside_a_blank_original_is_held(q2, form, tmp_path, hide):
    def copy_sheet(book, sheet):
        made = book.copy_worksheet(sheet)
        made.title = "工作推进情况 (2)"
        made.cell(rows_by_item(sheet)["T01"], columns_of(sheet)["progress"]).value = "另一份内容"
        sheet.sheet_state = "hidden" if hide else "visible"

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=copy_sheet), "a.xlsx")
    assert report.verdict == "held"
    assert "几张" in report.reason


def test_an_identical_copy_of_the_sheet_does_no_harm(q2, form, tmp_path):
    def copy_sheet(book, sheet):
        book.copy_worksheet(sheet).title = "工作推进情况 (2)"

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=copy_sheet), "a.xlsx")
    assert report.verdict == "accepted"


@pytest.mark.parametrize(
    "headings", [("工作开展情况", "工作开展情况"), ("上季度工作开展情况", "本季度工作开展情况")]
)
def test_two_columns_that_could_be_the_same_are_held(q2, form, tmp_path, headings):
    def double(book, sheet):
        row, column = heading_row(sheet), columns_of(sheet)["progress"]
        sheet.insert_cols(column)
        sheet.cell(row, column).value, sheet.cell(row, column + 1).value = headings

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=double), "a.xlsx")
    assert report.verdict == "held"
    assert "工作开展情况" in report.reason


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (b'<c r="%s" t="str"><v><![CDATA[\xe5\xb7\xa1\xe6\x8a\xa412]]></v></c>', "巡护12"),
        (b'<c r="%s" t="inlineStr"><v>\xe5\xb7\xa1\xe6\x8a\xa412</v></c>', "巡护12"),
        (b'<c r="%s" t="str"><f>A1&amp;B1</f></c>', "=A1&B1"),
        (b'<c r="%s" t="str"><f>A1&amp;B1</f><v></v></c>', ""),
    ],
)
def test_a_filled_cell_is_never_read_as_blank_however_it_is_written(q2, form, tmp_path, cell, text):
    filled = fill(form("市林业局"), tmp_path / "filled.xlsx", answers={"T01": {"progress": "@@"}})
    sheet = load_workbook(filled)[RETURN_FORM.title]
    at = sheet.cell(rows_by_item(sheet)["T01"], columns_of(sheet)["progress"]).coordinate.encode()
    with zipfile.ZipFile(filled) as package:
        part = package.read(SHEET_PART)
    start = part.index(b'<c r="%s"' % at)
    old = part[start : part.index(b"</c>", start) + 4]
    report = kept(q2, in_sheet(filled, tmp_path / "a.xlsx", old, cell % at), "a.xlsx")
    assert report.verdict == "accepted"
    entries = q2.entries("2024Q2").query("code == 'U02'").set_index("item")
    assert entries.loc["T01", "progress"] == text
    assert ("FORMULA_WITHOUT_VALUE" in codes(report)) == (text == "=A1&B1")


def test_a_row_repeated_with_an_error_cell_keeps_its_answer_and_its_finding(q2, form, tmp_path):
    def repeat(book, sheet):
        source, target = rows_by_item(sheet)["T01"], sheet.max_row + 1
        for column in range(1, key_column(sheet) + 1):
            sheet.cell(target, column).value = sheet.cell(source, column).value
        cell = sheet.cell(target, columns_of(sheet)["progress"])
        cell.value, cell.data_type = "#REF!", "e"

    report = kept(q2, fill(form("市林业局"), tmp_path / "a.xlsx", change=repeat), "a.xlsx")
    assert {"ROW_REPEATED", "CELL_ERROR"} <= codes(report)
    assert (answers(q2)["progress"], answers(q2)["state"]) == (FILLED["progress"], "已填")


def test_marks_filled_downwards_over_thousands_of_rows_are_held_in_time(q2, form, tmp_path):
    def fill_down(book, sheet):
        mark = sheet.cell(heading_row(sheet) + 1, key_column(sheet)).value
        for row in range(40, 6000):
            sheet.cell(row, key_column(sheet)).value = mark
            sheet.cell(row, 7).value = "x"

    path = fill(form("市林业局"), tmp_path / "a.xlsx", change=fill_down)
    started = time.monotonic()
    assert q2.inspect(path).verdict == "held"
    assert time.monotonic() - started < 10


def test_a_file_name_that_speaks_of_another_period_is_said(q2, filled):
    assert codes(kept(q2, filled, "市林业局_2024Q3.xlsx")) == {"PERIOD_DOUBTFUL"}


@pytest.mark.parametrize("broken", ["local name", "offset", "utf-8 flag"])
def test_a_broken_archive_stops_nobody(q2, form, filled, tmp_path, broken):
    packed = gbk_zip(tmp_path / "a.zip", [("林业局.xlsx", filled.read_bytes())])
    content = bytearray(packed.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    if broken == "local name":
        content[30] ^= 0xFF
    elif broken == "offset":
        content[central + 42 : central + 46] = b"\xff\xff\xff\x7f"
    else:
        content[central + 9] |= 8
    (q2.inbox / "0.zip").write_bytes(content)
    fill(form("市水利局"), q2.inbox / "1.xlsx")
    for _ in range(2):
        q2.inspect(tmp_path / "a.zip")
        q2.collect(as_of=AS_OF)
    units = {line.unit.code for line in q2.standing("2024Q2", as_of=AS_OF).returned}
    assert "U10" in units
    assert (q2.originals / hashlib.sha256(content).hexdigest()).exists()


def test_a_document_types_folder_in_an_archive_is_only_a_folder(q2, filled, tmp_path):
    packed = gbk_zip(
        tmp_path / "a.zip", [("word/林业.xlsx", filled.read_bytes()), ("xl/a.pdf", b"%PDF")]
    )
    report = kept(q2, packed, "a.zip")
    assert "a.zip/xl/a.pdf" in report.reason
    assert {line.unit.code for line in q2.standing("2024Q2", as_of=AS_OF).returned} == {"U02"}


def test_the_same_archive_again_is_a_duplicate(q2, filled, tmp_path):
    packed = gbk_zip(tmp_path / "a.zip", [("林业局.xlsx", filled.read_bytes())])
    assert kept(q2, packed, "a.zip").verdict == "accepted"
    assert kept(q2, packed, "b.zip").verdict == "duplicate"


def test_a_colleagues_telephone_stays_with_its_owner_when_columns_move(ws):
    from books import fill_contacts

    from bioduty_xl.layout.sheets import CONTACTS_FORM

    blank = ws.generate("2024Q1", "市林业局", as_of="2024-04-19")[1]
    person = {
        "leader": "赵某某",
        "leader_phone": "0812-0000001",
        "office": "保护科",
        "name": "钱某",
        "phone": "0812-0000002",
    }
    path = fill_contacts(blank, ws.inbox / "联系人.xlsx", [person])
    book = load_workbook(path)
    sheet = book[CONTACTS_FORM.title]
    for row in range(heading_row(sheet, CONTACTS_FORM), sheet.max_row + 1):
        leader, contact = (
            [sheet.cell(row, column).value for column in columns] for columns in ((2, 3), (5, 6))
        )
        for columns, texts in (((2, 3), contact), ((5, 6), leader)):
            for column, text in zip(columns, texts, strict=True):
                sheet.cell(row, column).value = text
    book.save(path)
    ws.collect(as_of="2024-04-22")
    rows = records(ws.consolidate("2024Q1", as_of="2024-04-26"), "联系人名单")
    row = next(row for row in rows if row["单位代码"] == "U02")
    assert list(row.values())[1:6] == list(person.values())
