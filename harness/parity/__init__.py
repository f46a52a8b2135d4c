"""Compares how a site is set up by the development server and by its script under Apache/mod_wsgi."""
