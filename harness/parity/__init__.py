"""A site under the development server and under Apache/mod_wsgi, compared: what each does before the first request."""
