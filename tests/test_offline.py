"""Installing without a network: gathered here, installed into an empty environment; for Windows
gathered only, since it cannot be installed here.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

import bioduty_xl
from bioduty_xl import offline
from bioduty_xl.errors import BiodutyError, ConfigError

ROOT = Path(__file__).resolve().parents[1]
WINDOWS = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "extra": ""}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Skips where pip reaches no index."""
    asked = ["-m", "pip", "download", "--no-deps", "--quiet", "--retries", "0", "schedule"]
    folder = tmp_path_factory.mktemp("asked")
    done = subprocess.run(
        [sys.executable, *asked, "--dest", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("pip reaches no package index")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT))
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def gathered(network, tmp_path_factory):
    """What the command gathers for this machine, from the checkout."""
    folder = tmp_path_factory.mktemp("离线") / "安装 包"
    done = gather(folder)
    assert done.returncode == 0, done.stderr
    assert "说明.txt" in done.stdout
    return folder


def gather(folder, *options):
    return subprocess.run(
        [sys.executable, "-P", "-m", "bioduty_xl.offline", str(folder), *options],
        env={**os.environ, "PYTHONPATH": str(Path(bioduty_xl.__file__).parents[1])},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def without_network():
    """An environment in which pip has no index, no proxy and no folders of wheels of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("PIP_", "PYTHON")) and "PROXY" not in name.upper()
    }
    dead = "http://127.0.0.1:9"  # where nothing listens
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "http_proxy": dead,
        "https_proxy": dead,
        "PYTHON": sys.executable,
    }


def run(*command, **more):
    done = subprocess.run(
        [str(word) for word in command],
        env=without_network(),
        capture_output=True,
        encoding="utf-8",
        check=False,
        **more,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the shell's command is installed by")
def test_what_was_gathered_installs_without_a_network_and_leaves_workspaces_alone(
    gathered, tmp_path
):
    target = tmp_path / "空 环境"
    said = run("sh", gathered / "安装.sh", target, cwd="/")
    assert said.endswith(f"安装完成：{target}/bin/bioduty\n")
    command, root = target / "bin" / "bioduty", tmp_path / "演示 一"
    assert "collect" in run(command, "--help", cwd="/")
    assert "汇总_2024Q2.xlsx" in run(command, "demo", root, "-q", cwd="/")
    assert str(target / "bin" / "python") in (root / "运行.sh").read_text(encoding="utf-8")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    run(target / "bin" / "python", "-m", "pip", "uninstall", "-y", "bioduty-xl", cwd="/")
    assert not command.exists()
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    run("sh", gathered / "安装.sh", target, cwd="/")  # the upgrade is the same command
    assert "2024Q2" in run(command, "status", "2024Q2", "--json", "--workspace", root, cwd="/")


@pytest.mark.slow
def test_all_that_windows_needs_is_gathered_and_nothing_that_it_cannot_use(
    network, wheel, tmp_path
):
    wheels = offline.gather(tmp_path / "w", ["windows"], ["3.12"], wheel)
    names = {}
    for path in wheels:
        name, version, _, tags = parse_wheel_filename(path.name)
        assert {tag.platform for tag in tags} <= {"any", "win_amd64"}, path.name
        names[name] = version
    marks = {**WINDOWS, "python_version": "3.12", "python_full_version": "3.12.0"}
    for path in wheels:
        for text in offline._requirements(path):
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate(marks):
                found = names[canonicalize_name(need.name)]
                assert need.specifier.contains(found, prereleases=True), (path.name, text)
    assert "pywin32" in names  # which pip leaves out on other systems
    assert {path.name for path in (tmp_path / "w").iterdir()} == {"wheels", "安装.bat", "说明.txt"}


@pytest.mark.slow
def test_without_a_network_it_says_so_in_a_sentence(wheel, tmp_path, monkeypatch):
    for name, value in without_network().items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(BiodutyError, match="请检查网络"):
        offline.gather(tmp_path, ["here"], wheel=wheel)


def test_the_windows_command_as_cmd_reads_it():
    """Simulated: ASCII until the code page is set, then GBK; CRLF; paths in quotes."""
    found = {name: content for name, content, _ in offline._commands(["windows"], ["3.12", "3.11"])}
    assert found.keys() == {"安装.bat", "说明.txt"}
    content = found["安装.bat"]
    assert content.startswith(b"@echo off\r\nchcp 936 >nul\r\n")
    text = content.decode("gbk")
    assert "\n" not in text.replace("\r\n", "")
    assert "for %%v in (3.11 3.12) do " in text
    assert r'"%target%\Scripts\python.exe" -m pip install --no-index --find-links wheels' in text
    assert "Windows（64 位）：Python 3.11、3.12" in found["说明.txt"].decode("utf-8-sig")


def test_the_wheel_that_is_given_is_the_one_that_is_gathered(tmp_path):
    """Also where an older one is in the folder already."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "bioduty_xl-0.0.1-py3-none-any.whl").write_bytes(b"old")
    given = tmp_path / "bioduty_xl-0.2.0-py3-none-any.whl"
    with zipfile.ZipFile(given, "w") as package:
        package.writestr("bioduty_xl-0.2.0.dist-info/METADATA", "Name: bioduty-xl\n")
    own = offline._own_wheel(tmp_path / "wheels", given)
    assert [path.name for path in (tmp_path / "wheels").iterdir()] == [given.name]
    assert own.read_bytes() == given.read_bytes()


def test_an_older_wheel_stays_where_no_new_one_can_be_had(tmp_path, monkeypatch):
    def fails(*arguments):
        raise BiodutyError("no network")

    old = tmp_path / "bioduty_xl-0.0.1-py3-none-any.whl"
    old.write_bytes(b"old")
    monkeypatch.setattr(offline, "_pip", fails)
    with pytest.raises(BiodutyError, match="no network"):
        offline._own_wheel(tmp_path, None)
    assert list(tmp_path.iterdir()) == [old]


def test_what_is_no_whole_wheel_of_this_program_is_one_sentence(tmp_path):
    other = tmp_path / "other-1.0-py3-none-any.whl"
    with zipfile.ZipFile(other, "w") as package:
        package.writestr("other-1.0.dist-info/METADATA", "Name: other\n")
    broken, empty = (tmp_path / f"bioduty_xl-0.{n}-py3-none-any.whl" for n in (1, 2))
    broken.write_bytes(b"PK broken")
    zipfile.ZipFile(empty, "w").close()
    cases = ((other, 2, "不是本程序的安装包"), (broken, 1, "已损坏"), (empty, 1, "已损坏"))
    for wheel, status, said in cases:
        for platform in ("here", "windows"):
            done = gather(tmp_path / "离线", "--wheel", str(wheel), "--platform", platform)
            assert done.returncode == status
            assert said in done.stderr
            assert "Traceback" not in done.stderr
    assert list((tmp_path / "离线" / "wheels").iterdir()) == []


def test_a_broken_wheel_in_the_folder_is_named(tmp_path):
    broken = tmp_path / "click-8.0-py3-none-any.whl"
    broken.write_bytes(b"")
    with pytest.raises(BiodutyError, match=r"click-8\.0-py3-none-any\.whl 已损坏"):
        list(offline._needed(tmp_path, {}))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_cannot_be_made_is_one_sentence():
    done = gather("/proc/x")
    assert done.returncode == 1
    assert done.stderr.startswith("错误：")
    assert "/proc/x" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_console_breaks_it(tmp_path):
    """Neither one that cannot show Chinese, nor one that is not there."""
    given = tmp_path / "other-1.0-𠮷-none-any.whl"
    given.touch()
    command = [sys.executable, "-P", "-m", "bioduty_xl.offline", tmp_path / "w", "--wheel", given]
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(bioduty_xl.__file__).parents[1]),
        "PYTHONIOENCODING": "gbk",
        "PYTHONUTF8": "0",
    }
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 2
    assert r"\U00020bb7" in done.stderr.decode("gbk")
    if os.name == "posix":
        script = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
        assert subprocess.run(script, env=env, check=False).returncode == 2


def test_a_program_that_was_installed_from_a_checkout_is_gathered_from_it(tmp_path, monkeypatch):
    """Pip notes a folder as it notes a wheel; the command runs from where it is installed."""

    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return json.dumps({"url": folder.as_uri(), "dir_info": {}})

    folder = tmp_path / "检出 一"
    folder.mkdir()
    monkeypatch.setattr(offline, "__file__", str(tmp_path / "site-packages/bioduty_xl/offline.py"))
    monkeypatch.setattr(offline, "distribution", lambda name: Installed())
    assert offline._installed_from() is None  # it is gone
    (folder / "pyproject.toml").touch()
    assert offline._installed_from() == folder


@pytest.mark.parametrize("version", ["3", "3.9", "2.7", "3.x", "三.十二", "3.12.1"])
def test_what_is_no_version_of_python_is_refused(version, tmp_path):
    with pytest.raises(ConfigError, match="不是 Python 的版本"):
        offline._versions([version])
    done = gather(tmp_path, "--python", version)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_python_without_pip_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(
        offline.subprocess,
        "run",
        lambda *_, **__: subprocess.CompletedProcess((), 1, b"", b"x: No module named pip\n"),
    )
    with pytest.raises(BiodutyError, match="ensurepip"):
        offline._pip("download")
