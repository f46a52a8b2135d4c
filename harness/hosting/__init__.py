"""Where and how a site is hosted. Nothing outside this package may know that the server is Apache."""
