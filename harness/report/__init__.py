"""Results for people: on a terminal, as a page, as Markdown, as a trace."""
