"""Which response headers are kept. Read by the Locust subprocess too, so it imports nothing."""

PROOF_HEADERS = ("x-harness-process", "x-harness-count")
# What a client acts upon. The rest (Date, Server, cookies with tokens) is volatile or belongs to Apache.
COMPARED_HEADERS = ("content-type", "location", "content-language", "vary", "www-authenticate")
KEPT_HEADERS = COMPARED_HEADERS + PROOF_HEADERS
