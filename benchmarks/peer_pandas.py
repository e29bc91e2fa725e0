"""What a competent analyst writes in an afternoon, with pandas and openpyxl.

python peer_pandas.py RETURNS PLAN OUT: a folder of returned forms, the plan's workbook, and the
workbook to write.
"""

import json
import sys
from pathlib import Path

import pandas as pd


def read(path: Path) -> pd.DataFrame:
    """The rows of one returned form, with its unit and the day on which it was saved."""
    sheet = pd.read_excel(
        path, sheet_name="工作推进情况", header=None, dtype=str, engine="openpyxl"
    )
    top = sheet.index[sheet[0] == "序号"][0]
    rows = sheet.iloc[top + 1 :].set_axis(sheet.iloc[top].to_list(), axis=1)
    rows = rows.drop(columns=rows.columns[-1])  # the hidden column
    saved = pd.Timestamp.fromtimestamp(path.stat().st_mtime)
    unit, due = str(sheet.iat[1, 2]), str(sheet.iat[1, 7])
    return rows.assign(单位=unit, 截止日期=due, 收到=saved, 文件=path.name)


def main(folder: str, plan: str, out: str) -> None:
    """Merge the returns, hold them against the plan, write the workbook."""
    detail = pd.concat([read(path) for path in sorted(Path(folder).glob("*.xlsx"))])
    items = pd.read_excel(plan, sheet_name="任务", engine="openpyxl")
    duties = pd.read_excel(plan, sheet_name="分工", engine="openpyxl")
    led = duties.loc[duties["职责"] == "牵头", "任务编号"]
    duties["必报"] = duties["职责"].isin(["牵头", "属地"]) | ~duties["任务编号"].isin(led)
    duties = duties.merge(items[["任务编号", "任务名称"]], on="任务编号").merge(
        detail, how="left", left_on=["单位", "任务名称"], right_on=["单位", "重点任务"]
    )
    duties["已填"] = duties["必报"] & duties["工作开展情况"].notna()
    missing = duties[duties["必报"] & ~duties["已填"]]
    summary = duties.groupby("单位", sort=False)[["必报", "已填"]].sum()
    summary["缺项"] = summary["必报"] - summary["已填"]
    came = detail.drop_duplicates("单位").set_index("单位")[["收到", "截止日期"]]
    summary = summary.join(came)
    late = summary["收到"].dt.normalize() > pd.to_datetime(summary["截止日期"])
    summary["状态"] = late.map({True: "迟报", False: "按时"}).where(summary["收到"].notna(), "逾期")
    with pd.ExcelWriter(out) as book:
        summary.reset_index().to_excel(book, sheet_name="总览", index=False)
        detail.to_excel(book, sheet_name="明细", index=False)
        missing[["单位", "任务编号", "任务名称"]].to_excel(book, sheet_name="缺项", index=False)
    print(json.dumps({"answered": int(summary["已填"].sum()), "missing": len(missing)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
