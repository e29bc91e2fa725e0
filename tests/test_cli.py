"""The command line as a stranger meets it: exit statuses, streams, sentences."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from books import add_row
from commands import bioduty, failed
from filelock import FileLock

from bioduty_xl.cli import cli


def imported_by(*arguments):
    """The modules that a command in a process of its own has imported when it is done."""
    code = (
        "import sys, runpy\n"
        "sys.argv = ['bioduty', *sys.argv[1:]]\n"
        "try: runpy.run_module('bioduty_xl', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('', *sys.modules)\n"
    )
    command = [sys.executable, "-P", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    return set(done.stdout.splitlines()[-1].split())


WORKBOOKS = {"pandas", "openpyxl", "xlsxwriter", "numpy", "pyarrow"}


def test_help_imports_nothing_of_the_work():
    work = {"sqlite3", "pydantic", "rich", "logging", "json", "chinese_calendar"}
    imported = imported_by("--help")
    assert {"click", "bioduty_xl.usage"} <= imported
    assert not imported & (WORKBOOKS | work)


def test_status_imports_nothing_that_it_has_no_use_for(handed_out):
    use = ("status", "2024Q2", "--workspace", handed_out, "--as-of", "2024-06-20")
    mending = {"pydantic"} | {
        f"bioduty_xl.settings.{name}" for name in ("slips", "faults", "places", "stops")
    }
    judging = {"rapidfuzz", "bioduty_xl.rules.entry_rules", "bioduty_xl.rules.return_rules"}
    working = {"filelock", "psutil", "concurrent.futures", "multiprocessing", "asyncio", "smtplib"}
    imported = imported_by(*use)
    assert {"bioduty_xl.ledger", "bioduty_xl.rules.quarter_rules"} <= imported
    assert not imported & (WORKBOOKS | mending | judging | working)


def test_a_command_that_another_program_runs_leaves_its_logging_alone(handed_out):
    code = (
        "import logging, sys\n"
        "from click.testing import CliRunner\n"
        "from bioduty_xl.cli import cli\n"
        "done = CliRunner().invoke(cli, sys.argv[1:])\n"
        "assert done.exit_code == 0, done.output\n"
        "logging.getLogger('host').warning('from the host')\n"
    )
    arguments = ("status", "2024Q2", "--workspace", handed_out, "--as-of", "2024-06-20")
    command = [sys.executable, "-P", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    assert done.stderr.splitlines() == ["from the host"]


@pytest.mark.parametrize(
    "name",
    [
        *("demo", "init", "plan", "generate", "collect", "consolidate", "status", "inspect"),
        *("assign", "run", "schedule", "doctor", "rollup"),
    ],
)
def test_every_command_of_the_design_is_there_with_help(name):
    assert name in cli.commands
    assert bioduty(name, "--help")


@pytest.mark.parametrize("name", [n for n in sorted(cli.commands) if n not in ("plan", "template")])
def test_every_command_takes_the_options_of_all(name):
    options = {option for p in cli.commands[name].params for option in p.opts}
    assert {"--workspace", "--as-of", "--json", "-q", "-v"} <= options


def test_the_workspace_is_the_nearest_folder_upwards(handed_out):
    out = bioduty("status", "2024Q2", "--json", "--as-of", "2024-06-20", cwd=handed_out / "inbox")
    assert json.loads(out)["period"] == "2024Q2"


def test_outside_a_workspace_one_sentence_says_what_to_do(tmp_path):
    assert "bioduty init" in failed("status", cwd=tmp_path, expect=2)


def test_a_period_left_out_is_the_current_one(handed_out):
    out = bioduty("status", "--workspace", handed_out, "--as-of", "2024-07-09", "--json")
    assert json.loads(out)["period"] == "2024Q2"
    out = bioduty("status", "--workspace", handed_out, "--as-of", "2024-07-10", "--json")
    assert json.loads(out)["period"] == "2024Q3"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "2024Q9"),
        ("status", "--as-of", "昨天"),
        ("status", "--as-of", "0001-01-01"),
        ("status", "--as-of", "9999-12-31"),
        ("generate", "--unit", "市不存在局"),
    ],
)
def test_wrong_arguments_are_usage_errors(handed_out, arguments):
    assert failed(*arguments, "--workspace", handed_out, expect=2)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[office]\nnmae = 'x'\n", "name"),
        ("[deadlines]\ndue_day = 40\n", "due_day"),
        ("[deadlines\n", "应写成 [deadlines]"),
        ("[rules]\nrequired = ['leader']\n", "required"),
        ("[[deadlines.special]]\nperiod = '2024Q7'\ndue = 2024-01-01\n", "period"),
        ("[[deadlines.exemptions]]\nunit = '火星局'\nperiod = '2024Q2'\nreason = 'x'\n", "火星局"),
        (
            "[[deadlines.extensions]]\nunit = '市水利局'\nperiod = '2024Q2'\ndue = 2042-07-05\n",
            "92 天",
        ),
        (
            "[[deadlines.extensions]]\nunit = '市水利局'\nperiod = '2024Q2'\ndue = 2024-04-05\n",
            "“市水利局”的 due = 2024-04-05 早于 2024Q2 的截止日期 2024-06-25",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_key(tmp_path, content, says):
    (tmp_path / "bioduty.toml").write_text(content, encoding="utf-8")
    (tmp_path / "inbox").mkdir()
    assert says in failed("status", "2024Q2", "--workspace", tmp_path, expect=2)


def test_a_settings_file_saved_as_gbk_is_told_apart(tmp_path):
    (tmp_path / "bioduty.toml").write_bytes("[office]\nname = '办公室'\n".encode("gbk"))
    assert "UTF-8" in failed("status", "--workspace", tmp_path, expect=2)


def test_a_settings_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "bioduty.toml").write_text("[office]\nname = '某办'\n", encoding="utf-8-sig")
    assert bioduty("status", "2024Q2", "--workspace", tmp_path, "--json")


def test_a_second_run_exits_75_and_touches_nothing(q2, form):
    from books import fill

    fill(form("市林业局"), q2.inbox / "a.xlsx")
    before = sorted(q2.root.rglob("*"))
    with FileLock(q2.state_dir / "lock"):
        for command in ("collect", "run", "consolidate", "generate"):
            failed(command, "--workspace", q2.root, expect=75)
    assert [p for p in sorted(q2.root.rglob("*")) if p.suffix != ".log"] == [
        p for p in before if p.suffix != ".log"
    ]


def test_init_refuses_to_touch_a_workspace(handed_out):
    assert "已经是工作区" in failed("init", handed_out, expect=1)


def test_import_never_replaces_an_edited_plan_unasked(ws):
    letter = "tests/data/letter_2024_3.txt"
    bioduty("plan", "import", letter, "--workspace", ws.root)
    assert (ws.root / "plan.xlsx").exists()
    assert "-o" in failed("plan", "import", letter, "--workspace", ws.root, expect=1)
    bioduty("plan", "import", letter, "-o", ws.root / "plan.xlsx", "--workspace", ws.root)


def test_a_gbk_console_does_not_break_the_output(handed_out):
    import os

    done = subprocess.run(
        [sys.executable, "-P", "-m", "bioduty_xl", "doctor", "--workspace", str(handed_out)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "gbk", "PYTHONUTF8": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "√" in done.stdout.decode("gbk")


def test_doctor_names_what_is_wrong(q2):
    q2.template("quarterly_return.xlsx").write_bytes(b"no workbook")
    done = json.loads(bioduty("doctor", "--workspace", q2.root, "--json", expect=1))
    wrong = [check["name"] for check in done["checks"] if not check["is_well"]]
    assert wrong == ["模板"]


def test_doctor_looks_at_outbox_lock_and_fonts(q2):
    q2.outbox_root.rename(q2.root / "elsewhere")
    q2.outbox_root.write_bytes(b"a file where the folder should be")
    with q2.locked():
        done = json.loads(bioduty("doctor", "--workspace", q2.root, "--json", expect=1))
    checks = {check["name"]: check for check in done["checks"]}
    assert [name for name, check in checks.items() if not check["is_well"]] == ["发件夹"]
    assert checks["运行锁"]["message"] == "另一次运行正在进行"
    assert checks["字体"]["message"]


def test_plan_check_is_well_on_the_packaged_plan(tmp_path):
    assert "必报 224 项" in bioduty("plan", "check", cwd=tmp_path)


def test_stdout_is_json_alone_even_when_files_are_held(q2):
    (q2.inbox / "a.pdf").write_bytes(b"%PDF")
    out = bioduty(
        "collect", "--workspace", q2.root, "--as-of", "2024-06-20", "--json", "-v", expect=3
    )
    assert json.loads(out)["files"][0]["verdict"] == "held"


def test_the_log_is_utf8_and_holds_no_telephone_number(q2, form):
    from books import SIGNED, fill

    fill(
        form("市林业局"),
        q2.inbox / "赵某13900000000.xlsx",
        signed={**SIGNED, "phone": "13911112222"},
    )
    bioduty("run", "--workspace", q2.root, "--as-of", "2024-06-20", "-v")
    log = (q2.state_dir / "bioduty.log").read_text(encoding="utf-8")
    assert "accepted" in log
    assert "13900000000" not in log
    assert "13911112222" not in log


@pytest.mark.slow
def test_the_demo_plays_two_quarters_in_time_and_the_same_each_time(tmp_path):
    started = time.monotonic()
    out = bioduty("demo", tmp_path / "演示 一")
    took = time.monotonic() - started
    assert took < 20 * 2  # twenty seconds on a quiet machine; tests may share theirs
    assert "汇总_2024Q2.xlsx" in out
    again = json.loads(bioduty("demo", tmp_path / "二", "--json"))
    q1, q2 = again["quarters"]
    for quarter in (q1, q2):
        assert quarter["units"]["expected"] == 38
        assert min(quarter["units"].values()) >= 3
        assert quarter["items"]["nil"] >= 1
        assert quarter["files"]["rejected"] == 1
        assert quarter["files"]["held"] == 1
    for period in ("2024Q1", "2024Q2"):
        name = f"outbox/{period}/汇总_{period}.xlsx"
        first, second = (tmp_path / folder / name for folder in ("演示 一", "二"))
        assert first.read_bytes() == second.read_bytes()


def test_demo_does_not_play_in_a_folder_with_things_in_it(tmp_path):
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    assert "不是空文件夹" in failed("demo", tmp_path, expect=1)


def test_status_and_doctor_tell_of_the_last_pass(q2):
    said = bioduty("status", "2024Q2", "--workspace", q2.root, "--as-of", "2024-06-20")
    assert "最近一次运行" not in said
    q2.inbox.rename(q2.root / "elsewhere")
    bioduty("run", "--workspace", q2.root, "--as-of", "2024-06-20T08:30", expect=1)
    said = bioduty("status", "2024Q2", "--workspace", q2.root, "--as-of", "2024-06-20")
    assert said.splitlines()[-1].startswith("最近一次运行：2024-06-20 08:30")
    assert "未完成：收件：收件夹" in said.splitlines()[-1]
    assert "× 最近一次运行" in bioduty("doctor", "--workspace", q2.root, expect=1)


def test_a_bad_row_of_the_register_makes_the_pass_exit_3(q2):
    add_row(q2, "免报", "市某某局", "2024Q2", "", "经批准")
    out = bioduty("run", "--workspace", q2.root, "--as-of", "2024-06-20", expect=3)
    assert "登记表：“免报”第 3 行" in out


def test_what_the_system_needs_to_start_passes_is_printed_or_written(q2, tmp_path):
    for kind in ("systemd", "cron"):
        text = bioduty("schedule", "--workspace", q2.root, "--print", kind)
        assert sys.executable in text
        assert "08:30" in text or "30" in text
    target = tmp_path / "任务.xml"
    bioduty("schedule", "--workspace", q2.root, "--print", "schtasks", "-o", target)
    assert target.read_bytes().decode("utf-16").startswith("<?xml")
    assert not (q2.state_dir / "passes.jsonl").exists()


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM"])
def test_the_schedule_runs_at_once_and_ends_quietly_when_stopped(q2, how):
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "bioduty_xl", "schedule", "--workspace", str(q2.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A run in the background of a shell without job control inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        assert running.stdout.readline()
        os.kill(running.pid, signal.Signals[how])
        _, said = running.communicate(timeout=30)
    assert running.returncode == 0
    assert b"Traceback" not in said
    assert b"Aborted" not in said


def test_broken_settings_are_not_passed_over_for_the_packaged_plan(tmp_path):
    (tmp_path / "bioduty.toml").write_text("[office\n", encoding="utf-8")
    assert "应写成 [office]" in failed("plan", "show", cwd=tmp_path, expect=2)


@pytest.mark.parametrize("setting", ['off = ["NO_FIGUR"]', 'severity = {no_figure = "ERROR"}'])
def test_a_misspelt_rule_is_named_with_the_likely_one(ws, setting):
    settings = ws.root / "bioduty.toml"
    text = settings.read_text(encoding="utf-8")
    old = "off = []" if setting.startswith("off") else "severity = {}"
    assert old in text
    settings.write_text(text.replace(old, setting), encoding="utf-8")
    said = failed("status", "--workspace", ws.root, expect=2)
    assert "是否想写 NO_FIGURE" in said
