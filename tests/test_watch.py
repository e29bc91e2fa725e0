"""What a pass leaves for whoever looks later: the log, the page, and what may not stand in them."""

import logging

import pytest
from year import lose_marks

from bioduty_xl import Workspace, batch, watch
from bioduty_xl.domain.calendar import moment
from bioduty_xl.errors import BiodutyError

FORESTRY = "市林业局"


def page(city):
    return (city.ws.outbox_root / watch.PAGE).read_text("utf-8-sig")


def test_a_file_of_a_closed_quarter_that_waits_is_on_the_page(city):
    city.run("2024-07-10")
    (city.ws.inbox / "通知.pdf").write_bytes(b"%PDF-1.7 x")
    city.run("2024-07-12")
    city.give(FORESTRY, "迟来.xlsx", change=lose_marks)
    assert city.run("2024-07-20").collected.files[0].verdict == "held"
    assert "一切正常" not in page(city)
    assert "迟来.xlsx：" in page(city) and "通知.pdf：" in page(city)
    assert city.run("2024-08-01").collected.files == ()
    assert "迟来.xlsx：" in page(city)
    city.register("归属认定", "迟来.xlsx", FORESTRY, "2024Q2", "电话核实")
    city.register("归属认定", "通知.pdf", FORESTRY, "2024Q2", "与本项工作无关")
    city.run("2024-08-02")
    assert "一切正常" in page(city)  # also of the one that holds no form, and stays held


def test_the_last_believed_pass_is_found_however_many_were_refused(city):
    city.run("2024-06-20T08:30", by_clock=True)
    city.run("2027-06-20T08:30", by_clock=True)
    log = city.ws.state_dir / watch.PASSES
    first, refused = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + refused * 1000)
    assert watch.last_pass(city.ws.state_dir)["as_of"].startswith("2024-06-20")
    done = city.run("2027-06-20T08:30", by_clock=True)
    assert done.refused
    assert done.closed == []


@pytest.mark.parametrize("block", [1, 7, 50, 1 << 16])
def test_lines_are_read_backwards_whole_whatever_the_block(city, monkeypatch, block):
    monkeypatch.setattr(watch, "_BLOCK", block)
    lines = [f'{{"as_of": "{n}", "refused": false, "word": "结账"}}' for n in range(9)]
    text = "\n".join((*lines[:4], '{"as_of": "torn', *lines[4:], ""))
    (city.ws.state_dir / watch.PASSES).write_text(text, "utf-8")
    found = [line["as_of"] for line in watch._lines_backwards(city.ws.state_dir)]
    assert found == [str(n) for n in reversed(range(9))]


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("收件：没有联系上 13800138000", "收件：没有联系上 （号码略）"),
        ("请拨 0812-3334444 核实", "请拨 （号码略） 核实"),
        ("请拨 0812 333 4444 核实", "请拨 （号码略） 核实"),
        ("本机时间 2024-06-18 08:30 早于 2024-06-20", "本机时间 2024-06-18 08:30 早于 2024-06-20"),
        ("用 --as-of 2024-06-18T08:30 运行", "用 --as-of 2024-06-18T08:30 运行"),
        ("身份证号 510411199001011234", "身份证号 （号码略）"),
        ("2024Q2 第 123456 行", "2024Q2 第 123456 行"),
        ("结账 2024Q2：打不开\n  /工作/王某 13800138000.xlsx", "结账 2024Q2：打不开"),
        ("", ""),
    ],
)
def test_telephone_numbers_and_names_of_files_stay_out_of_the_log(said, logged):
    assert watch.loggable(said) == logged


def test_why_a_step_failed_is_in_both_logs(city, monkeypatch, caplog):
    def fail(*_, **__):
        raise BiodutyError("收件夹不可用，请联系 13800138000", "服务器答复：550 user@example.org")

    monkeypatch.setattr(Workspace, "collect", fail)
    with caplog.at_level(logging.ERROR, "bioduty_xl"):
        done = city.run("2024-06-20")
    assert done.failures[0].startswith("收件：收件夹不可用，请联系 13800138000\n")
    line = watch.last_pass(city.ws.state_dir)
    assert line["failures"] == ["收件：收件夹不可用，请联系 （号码略）"]
    assert "收件：收件夹不可用，请联系 （号码略）" in caplog.text
    assert "收件夹不可用" in watch.summary(line)
    assert "13800138000" not in caplog.text and "example.org" not in caplog.text


def test_so_it_is_of_a_whole_pass_that_failed(caplog):
    def work():
        raise BiodutyError("另一个 bioduty 正在处理，请拨 0812-3334444")

    with caplog.at_level(logging.ERROR, "bioduty_xl"):
        batch._guarded(work)
    assert "正在处理，请拨 （号码略）" in caplog.text


def test_a_disk_that_is_full_is_told_with_the_place_on_a_line_of_its_own(city, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device", "/工作/outbox/x 13800138000.xlsx")

    monkeypatch.setattr(Workspace, "renew", fail)
    done = city.run("2024-06-20")
    said = "汇总 2024Q2：磁盘已满"
    assert done.failures == [f"{said}\n  /工作/outbox/x 13800138000.xlsx"]
    assert watch.last_pass(city.ws.state_dir)["failures"] == [said]


def test_a_workspace_given_twice_is_read_anew(city):
    """An entry that was made between two passes takes effect in the second."""
    ws = Workspace.open(city.ws.root)
    batch.run_pass(ws, moment("2024-06-20"), lambda *_: None)
    city.register("免报", FORESTRY, "2024Q2", "李某", "经批准")
    batch.run_pass(ws, moment("2024-06-26"), lambda *_: None)
    assert not city.letter(FORESTRY).exists()
    assert city.letter("市水利局").exists()
