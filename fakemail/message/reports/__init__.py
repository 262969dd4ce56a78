"""Reports by mail, each format written and read in one module."""
