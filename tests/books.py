"""Workbooks for tests: fill a form as a person would, change one as people do, dump one as text."""

import shutil
import zipfile

from openpyxl import load_workbook

from bioduty_xl.layout.sheets import CONTACTS_FORM, IDENTITY_SHEET, RETURN_FORM, WORKBOOK_NAME

FILLED = {
    "status": "推进中",
    "progress": "4月至6月开展巡护12次，出动60人次，完成监测点位18个。",
    "features": "建立部门会商机制。",
    "problems": "无",
    "next_steps": "7月底前完成剩余点位监测。",
    "remark": "附照片3张。",
}

SIGNED = {"filler": "赵某", "phone": "0812-0000001", "approver": "钱某"}


def heading_row(sheet, declared=RETURN_FORM):
    """Number of the row in which the declared sheet's first heading stands."""
    first = declared.columns[0].heading
    return next(cell.row for row in sheet.iter_rows() for cell in row if cell.value == first)


def columns_of(sheet, declared=RETURN_FORM):
    """Column number by key; where two columns share a heading, in their order."""
    row = heading_row(sheet, declared)
    found, taken = {}, set()
    for column in declared.columns:
        for cell in sheet[row]:
            if cell.value == column.heading and cell.column not in taken:
                found[column.key] = cell.column
                taken.add(cell.column)
                break
    return found


def key_column(sheet, declared=RETURN_FORM):
    """Number of the hidden key column."""
    row = heading_row(sheet, declared)
    return next(cell.column for cell in sheet[row] if str(cell.value).startswith("BD1."))


def without_marks(book, sheet):
    """Cut every mark but the visible code, as copying the shown columns elsewhere does."""
    sheet.delete_cols(key_column(sheet))
    del book[IDENTITY_SHEET]
    del book.defined_names[WORKBOOK_NAME]
    book.custom_doc_props.props.clear()


def rows_by_item(sheet, declared=RETURN_FORM):
    """Row number by item key."""
    column = key_column(sheet, declared)
    return {
        str(sheet.cell(row, column).value).split(".")[0]: row
        for row in range(heading_row(sheet, declared) + 1, sheet.max_row + 1)
        if sheet.cell(row, column).value
    }


def field_cell(sheet, key):
    """The value cell of a labelled field."""
    label = RETURN_FORM.field_by_key[key].label
    cell = next(c for row in sheet.iter_rows(max_row=4) for c in row if c.value == label)
    return sheet.cell(cell.row, cell.column + 1)


def write(cell, text):
    """Put a text into a cell as text, also where it looks like a formula."""
    cell.value = text
    if isinstance(text, str):
        cell.data_type = "s"


def fill(form, target, answers=FILLED, signed=SIGNED, change=None):
    """Fill a return form and save it.

    Args:
        answers: texts by column key for every item, or by item key and then column key.
        change: called with (workbook, sheet) before saving.
    """
    book = load_workbook(form)
    sheet = book[RETURN_FORM.title]
    columns = columns_of(sheet)
    for item, row in rows_by_item(sheet).items():
        texts = answers if set(answers) <= set(columns) else answers.get(item, {})
        for key, text in texts.items():
            write(sheet.cell(row, columns[key]), text)
    for key, text in signed.items():
        write(field_cell(sheet, key), text)
    if change is not None:
        change(book, sheet)
    target.parent.mkdir(parents=True, exist_ok=True)
    book.save(target)
    return target


def fill_contacts(form, target, rows):
    """Fill a contact form with a list of {column key: text}."""
    book = load_workbook(form)
    sheet = book[CONTACTS_FORM.title]
    columns = columns_of(sheet, CONTACTS_FORM)
    first = heading_row(sheet, CONTACTS_FORM) + 1
    for number, texts in enumerate(rows, start=first):
        for key, text in texts.items():
            write(sheet.cell(number, columns[key]), text)
    book.save(target)
    return target


def rezip(source, target, change):
    """Copy a package with each part passed through `change(name, content)`; None drops the part."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def records(path, title):
    """The rows of a real table from A1, each as {heading: value}."""
    book = load_workbook(path)
    rows = list(book[title].iter_rows(values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def copy(source, target):
    """Copy a file, making its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


def add_row(ws, sheet, *values):
    """Add an entry to a sheet of a workspace's register, below those that are there."""
    book = load_workbook(ws.register_file)
    row = 3
    while any(cell.value is not None for cell in book[sheet][row]):
        row += 1
    for column, value in enumerate(values, start=1):
        book[sheet].cell(row, column).value = value
    book.save(ws.register_file)
