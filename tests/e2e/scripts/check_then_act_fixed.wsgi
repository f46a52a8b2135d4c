"""The same table, built while the script is imported."""
_table = {number: str(number) for number in range(20000)}


def application(environ, start_response):
    sum(number * number for number in range(800000))  # long enough in the process to be met by others
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [_table[19999].encode()]
