"""The response headers that are kept. The locustfile imports it too, so it imports nothing itself."""

PROOF_HEADERS = ("x-harness-process", "x-harness-count")
# What a client acts upon. The rest (Date, Server, cookies with tokens) is volatile or belongs to the server.
COMPARED_HEADERS = ("content-type", "location", "content-language", "vary", "www-authenticate")
KEPT_HEADERS = COMPARED_HEADERS + PROOF_HEADERS
