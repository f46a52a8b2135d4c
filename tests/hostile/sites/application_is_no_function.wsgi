#: The application is a number.
#: verdict = "broken"
#: class = "error"
application = 42
