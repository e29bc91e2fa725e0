from unicodedata import normalize

import pytest

from bioduty_xl.domain.returns import Entry, ItemState, Wording, progress_of, state_of

WORDING = Wording()


def entry(**answers):
    return Entry("T01", answers)


@pytest.mark.parametrize(
    "text", ["无", "无。", "/", "／", " 略 ", "同上", "——", "N/A", "None", "暂无", "…"]
)
def test_a_placeholder_in_progress_is_no_answer(text):
    assert WORDING.is_placeholder(text)
    assert state_of(entry(status="推进中", progress=text), WORDING) is ItemState.NOT_FILLED


@pytest.mark.parametrize(
    "text", ["召开会议1次。", "无违法案件发生，巡查12次。", "=1+1", "5", "Natura 2000"]
)
def test_real_text_is_an_answer(text):
    assert state_of(entry(progress=text), WORDING) is ItemState.FILLED


def test_none_in_problems_is_an_answer_but_no_reason():
    assert state_of(entry(status="不涉及", problems="无"), WORDING) is ItemState.NOT_FILLED


@pytest.mark.parametrize("where", ["progress", "problems", "remark"])
@pytest.mark.parametrize(
    ("status", "state"),
    [("本季度无进展", ItemState.NO_PROGRESS), ("不涉及", ItemState.NOT_APPLICABLE)],
)
def test_nothing_to_report_counts_with_a_reason_only(status, state, where):
    assert state_of(entry(status=status, **{where: "上级文件未出台"}), WORDING) is state
    assert state_of(entry(status=status), WORDING) is ItemState.NOT_FILLED


def test_repeating_the_status_is_no_reason():
    assert (
        state_of(entry(status="本季度无进展", progress="本季度无进展"), WORDING)
        is ItemState.NOT_FILLED
    )


def test_no_return_is_told_apart_from_a_blank_one():
    assert state_of(None, WORDING) is ItemState.NOT_RETURNED
    assert state_of(entry(), WORDING) is ItemState.NOT_FILLED


def test_a_status_is_read_through_blanks_and_widths():
    assert progress_of(entry(status=" 推进中 ")).value == "推进中"
    assert progress_of(entry(status="进行中")) is None


def test_further_placeholders_are_a_setting():
    assert not WORDING.is_placeholder("按计划推进")
    assert Wording((*WORDING.placeholders, "按计划推进")).is_placeholder("按计划推进。")


@pytest.mark.parametrize("text", ["本季度无进展", "한" * 6, "㍿" * 2, "ﷺ", "none"])
def test_a_placeholder_is_one_however_long_punctuation_and_forms_make_it(text):
    wording = Wording((*WORDING.placeholders, "한" * 6, "株式会社" * 2, normalize("NFKC", "ﷺ")))
    for written in (
        text,
        normalize("NFKD", text),
        "　".join(text),
        f"{'（' * 60}{text}{'！' * 60}",
    ):
        assert wording.is_placeholder(written)
        assert wording.is_answer(f"{written}{'已完成' * 20}")
