"""Its place puts tests/ on sys.path, so that every test can `from build import ...`."""
