"""Drives a listening LibreOffice: one JSON job on standard input, one JSON answer on output.

A job is {"address": ..., "steps": [...]}; each step is {"do": name, ...} and gives one result.
The script runs under whichever Python has the `uno` module, and so imports nothing else of ours.
"""

import json
import os
import sys
import time

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException
from com.sun.star.lang import DisposedException

FILTERS = {"xlsx": "Calc MS Excel 2007 XML", "xls": "MS Excel 97", "ods": "calc8"}


def connect(address, seconds):
    """The desktop of the office that listens at an address."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext(
        "com.sun.star.bridge.UnoUrlResolver", local
    )
    until = time.monotonic() + seconds
    while True:
        try:
            context = resolver.resolve(f"uno:{address};urp;StarOffice.ComponentContext")
            return context.ServiceManager.createInstanceWithContext(
                "com.sun.star.frame.Desktop", context
            )
        except NoConnectException:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


class Job:
    """The workbooks that a job has open, the first one being worked on."""

    def __init__(self, desktop):
        self.desktop = desktop
        self.books = []

    @property
    def sheets(self):
        return self.books[0].Sheets

    def load(self, path):
        url = uno.systemPathToFileUrl(path)
        book = self.desktop.loadComponentFromURL(url, "_blank", 0, (_property("Hidden", True),))
        if book is None:
            raise ValueError(f"LibreOffice does not open {path}")
        self.books.append(book)
        return book

    def open(self, path):
        self.load(path)

    def store(self, path, form, password=""):
        target = uno.systemPathToFileUrl(path)
        properties = [_property("FilterName", FILTERS[form])]
        if password and form == "xlsx":
            named = "com.sun.star.beans.NamedValue"
            given = [
                uno.createUnoStruct(named, name, value)
                for name, value in (("OOXPassword", password), ("CryptoType", "Standard"))
            ]
            properties.append(_property("EncryptionData", uno.Any(f"[]{named}", tuple(given))))
        elif password:
            properties.append(_property("Password", password))
        self.books[0].storeToURL(target, tuple(properties))

    def texts(self, sheet, cells):
        for name, text in cells.items():
            self.sheets[sheet].getCellRangeByName(name).setString(text)

    def numbers(self, sheet, cells):
        for name, number in cells.items():
            self.sheets[sheet].getCellRangeByName(name).setValue(float(number))

    def formulas(self, sheet, cells):
        for name, formula in cells.items():
            self.sheets[sheet].getCellRangeByName(name).setFormula(formula)

    def read(self, sheet, cells):
        return {name: self.sheets[sheet].getCellRangeByName(name).getString() for name in cells}

    def states(self):
        found = (self.sheets.getByName(name) for name in self.sheets.ElementNames)
        return {
            sheet.Name: {"protected": sheet.isProtected(), "hidden": not sheet.IsVisible}
            for sheet in found
        }

    def unlocked(self, sheet, cells):
        ranges = {name: self.sheets[sheet].getCellRangeByName(name) for name in cells}
        return [name for name, cell in ranges.items() if not cell.CellProtection.IsLocked]

    def values(self):
        return {name: self._values(name) for name in self.sheets.ElementNames}

    def _values(self, name):
        sheet = self.sheets[name]
        cursor = sheet.createCursor()
        cursor.gotoEndOfUsedArea(False)
        end = cursor.RangeAddress
        return sheet.getCellRangeByPosition(0, 0, end.EndColumn, end.EndRow).getDataArray()

    def insert_rows(self, sheet, at, count):
        self.sheets[sheet].Rows.insertByIndex(at, count)

    def insert_columns(self, sheet, at, count):
        self.sheets[sheet].Columns.insertByIndex(at, count)

    def widths(self, sheet, columns, to):
        """Make the first columns one width."""
        for column in range(columns):
            self.sheets[sheet].Columns[column].Width = to

    def shown_columns(self, sheet, count):
        columns = self.sheets[sheet].Columns
        return [columns[number].IsVisible for number in range(count)]

    def copy_sheet(self, path, sheet, *, replace):
        """Copy a sheet of another workbook into this one, in place of its own or behind it."""
        source = self.load(path)
        position = self.sheets.ElementNames.index(sheet)
        if replace:
            self.sheets[sheet].Name = "old"
        place = self.sheets.importSheet(source, sheet, position + 1)
        if replace:
            self.sheets.removeByName("old")
            return sheet
        return self.sheets.getByIndex(place).Name

    def quit(self):
        try:
            self.desktop.terminate()
        except DisposedException:  # it was quicker than its answer
            return

    def close(self):
        for book in self.books:
            book.close(True)


def _property(name, value):
    return PropertyValue(Name=name, Value=value)


def main():
    job = json.load(sys.stdin)
    work = Job(connect(job["address"], job["seconds"]))
    try:
        results = []
        for step in job["steps"]:
            name = step.pop("do")
            results.append(getattr(work, name)(**step))
    finally:
        work.close()
    json.dump(results, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # the bridge sometimes crashes while Python takes it down


if __name__ == "__main__":
    main()
