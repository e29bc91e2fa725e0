"""What a competent analyst writes who has heard of polars and fastexcel (calamine).

python peer_polars.py RETURNS PLAN OUT: a folder of returned forms, the plan's workbook, and the
workbook to write.
"""

import json
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import xlsxwriter


def read(path: Path) -> pl.DataFrame:
    """The rows of one returned form, with its unit and the day on which it was saved."""
    sheet = pl.read_excel(
        path, sheet_name="工作推进情况", engine="calamine", has_header=False, infer_schema_length=0
    )
    top = sheet[:, 0].to_list().index("序号")
    names = dict(zip(sheet.columns, sheet.row(top)[:-1], strict=False))  # the last one is hidden
    saved = datetime.fromtimestamp(path.stat().st_mtime)
    return (
        sheet[top + 1 :]
        .select(names.keys())
        .rename(names)
        .with_columns(
            单位=pl.lit(sheet[1, 2]),
            截止日期=pl.lit(sheet[1, 7]),
            收到=pl.lit(saved),
            文件=pl.lit(path.name),
        )
    )


def main(folder: str, plan: str, out: str) -> None:
    """Merge the returns, hold them against the plan, write the workbook."""
    detail = pl.concat([read(path) for path in sorted(Path(folder).glob("*.xlsx"))])
    items = pl.read_excel(plan, sheet_name="任务").select("任务编号", "任务名称")
    duties = pl.read_excel(plan, sheet_name="分工")
    led = duties.filter(pl.col("职责") == "牵头")["任务编号"]
    required = pl.col("职责").is_in(["牵头", "属地"]) | ~pl.col("任务编号").is_in(led.to_list())
    duties = duties.with_columns(必报=required).join(items, on="任务编号")
    duties = duties.join(
        detail, how="left", left_on=["单位", "任务名称"], right_on=["单位", "重点任务"]
    ).with_columns(已填=pl.col("必报") & pl.col("工作开展情况").is_not_null())
    missing = duties.filter(pl.col("必报") & ~pl.col("已填"))
    late = pl.col("收到").dt.date() > pl.col("截止日期").str.to_date()
    summary = (
        duties.group_by("单位", maintain_order=True)
        .agg(pl.col("必报", "已填").sum(), pl.col("收到", "截止日期").drop_nulls().first())
        .with_columns(
            缺项=pl.col("必报") - pl.col("已填"),
            状态=pl.when(late)
            .then(pl.lit("迟报"))
            .when(~late)
            .then(pl.lit("按时"))
            .otherwise(pl.lit("逾期")),
        )
    )
    with xlsxwriter.Workbook(out) as book:
        summary.write_excel(book, worksheet="总览")
        detail.write_excel(book, worksheet="明细")
        missing.select("单位", "任务编号", "任务名称").write_excel(book, worksheet="缺项")
    print(json.dumps({"answered": summary["已填"].sum(), "missing": len(missing)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
