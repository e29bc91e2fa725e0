import pytest

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.stamp import Forged, FormKind, Seal

SEAL = Seal(b"k" * 32)
STAMP = SEAL.stamp(FormKind.RETURN, "U02", Period(2024, 2))


def test_a_token_gives_back_its_stamp():
    assert SEAL.read(SEAL.token(STAMP)) == STAMP


def test_the_hash_has_128_bits():
    assert len(SEAL.token(STAMP).rpartition(".")[2]) * 4 == 128


def test_every_single_changed_character_is_noticed():
    token = SEAL.token(STAMP)
    for place, char in enumerate(token):
        other = "0" if char != "0" else "1"
        with pytest.raises(Forged):
            SEAL.read(token[:place] + other + token[place + 1 :])


def test_another_workspace_key_makes_no_valid_token():
    with pytest.raises(Forged):
        Seal(b"x" * 32).read(SEAL.token(STAMP))


def test_a_row_mark_belongs_to_one_form_alone():
    mark = SEAL.row_mark(STAMP, "T05")
    assert SEAL.read_row_mark(STAMP, mark) == "T05"
    other = SEAL.stamp(FormKind.RETURN, "U03", Period(2024, 2))
    with pytest.raises(Forged):
        SEAL.read_row_mark(other, mark)
    with pytest.raises(Forged):
        SEAL.read_row_mark(STAMP, mark.replace("T05", "T06"))


def test_the_visible_code_differs_by_unit_and_period():
    codes = {
        SEAL.visible_code(SEAL.stamp(FormKind.RETURN, f"U{n:02d}", Period(2024, q)))
        for n in range(1, 34)
        for q in range(1, 5)
    }
    assert len(codes) == 33 * 4
