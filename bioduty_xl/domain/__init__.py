"""The words and rules of the collection: pure values, no files, no clock."""
