"""Cold-restart stress tests for Django on Apache/mod_wsgi."""

__version__ = "0.2.0"
