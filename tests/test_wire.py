"""The bytes of a request, and the responses of servers that do as they please."""

import gzip
import itertools
import socket
import threading
import time
import zlib

import pytest

from harness.load.exchange import exchange, headers_of
from harness.load.wire import request_bytes
from harness.records import Request

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def answer():
    """Sends a request to a server that answers it with these pieces, and returns what was recorded and received."""
    threads = []

    def answer(*pieces, request=Request(path="/"), timeout=5.0, max_body=10_000, stay=False):  # noqa: B008
        server = socket.create_server(("127.0.0.1", 0))
        received = []
        over = threading.Event()

        def serve():
            with server, server.accept()[0] as connection:
                received.append(connection.recv(1 << 20))
                try:
                    for piece in itertools.chain(*(one if hasattr(one, "__next__") else [one] for one in pieces)):
                        connection.sendall(piece)
                except OSError:
                    pass
                if stay:
                    over.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        threads.append((thread, over))
        result = exchange(server.getsockname(), request, headers_of(request, {}), timeout, max_body)
        over.set()
        thread.join(5)
        result.headers["received"] = received[0].decode("latin-1") if received else ""
        return result

    return answer


def test_bytes():
    """What is sent: Host first, the given headers, the length of a body; the path as it is."""
    headers = {"X-A": "1"}
    assert b'GET /a//../%zz?b[]=|{}" HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-A: 1\r\n\r\n' == request_bytes(
        ("127.0.0.1", 80), "GET", '/a//../%zz?b[]=|{}"', headers
    )
    assert b"PUT / HTTP/1.1\r\nhost: b\r\nContent-Length: 2\r\n\r\n\r\n" == request_bytes(
        ("127.0.0.1", 80), "PUT", "/", {"host": "b"}, b"\r\n"
    )
    assert request_bytes(("127.0.0.1", 80), "POST", "/", {}).endswith(b"Content-Length: 0\r\n\r\n")
    assert b"Content-Length" not in request_bytes(("127.0.0.1", 80), "DELETE", "/", {})


def test_own_headers_replace_common_ones():
    """However they are spelt, so that none is sent twice."""
    request = Request(path="/", headers={"accept-encoding": "gzip", "content-type": "a/b"}, body="x")
    headers = headers_of(request, {})
    assert ["User-Agent", "Accept", "accept-encoding", "content-type"] == list(headers)


def test_announced_length(answer):
    """The body is as long as was announced, whatever follows it; the connection may stay open."""
    result = answer(OK + b"Content-Length: 5\r\nContent-Type: a/b\r\n\r\nhello and more", stay=True)
    assert (200, None, "hello", "a/b") == (result.status, result.failure, result.body, result.headers["content-type"])
    assert result.sent <= result.first_byte <= result.last_byte


def test_chunks_in_pieces(answer):
    """The chunked coding is undone, wherever the pieces begin and end; extensions and trailers are passed over."""
    whole = OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
    result = answer(*(bytes([byte]) for byte in whole), stay=True)
    assert (200, None, "abcde") == (result.status, result.failure, result.body)


def test_until_close(answer):
    """Without a length the body ends with the connection."""
    assert "hello" == answer(OK + b"\r\nhel", b"lo").body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [b"204 No", b"304 Not", b"200 OK"])
def test_without_body(answer, method, status):
    """HEAD, 204 and 304 have no body, though a length is announced; GET and 200 have one."""
    head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    result = answer(head + b"hello", request=Request(path="/", method=method), stay=True)
    assert ("hello" if (method, status) == ("GET", b"200 OK") else "") == result.body
    assert result.failure is None


def test_interim_responses(answer):
    """100 and 103 are passed over; what follows is the answer."""
    result = answer(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK + b"\r\nhi")
    assert (200, "hi") == (result.status, result.body)


def test_several_headers_of_one_name(answer):
    """Their values are joined; of the probe's headers the last one counts, which the site cannot write."""
    result = answer(
        OK + b"WWW-Authenticate: Basic\r\nX-Harness-Process: 1:2\r\nwww-authenticate: Digest\r\n"
        b"X-Harness-Process: 3:4\r\n\r\n"
    )
    assert ("Basic, Digest", "3:4") == (result.headers["www-authenticate"], result.headers["x-harness-process"])


def deflated(body, bits):
    compress = zlib.compressobj(wbits=bits)
    return compress.compress(body) + compress.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello", mtime=1)),
        ("x-gzip", gzip.compress(b"hello", mtime=2)),
        ("gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0) + b"\0\0"),
        ("deflate", deflated(b"hello", 15)),
        ("deflate", deflated(b"hello", -15)),
        ("deflate, gzip", gzip.compress(deflated(b"hello", 15), mtime=0)),
        ("br", b"hello"),
        ("identity", b"hello"),
    ],
)
def test_coding(answer, coding, body):
    """gzip and deflate are undone; one that is not known stays."""
    assert "hello" == answer(OK + f"Content-Encoding: {coding}\r\n\r\n".encode() + body).body


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"<html>hello</html>\r\n\r\n",
        b"SSH-2.0-x",
        OK + b"no colon\r\n\r\n",
        OK + b"X : y\r\n\r\n",
        OK + b"Content-Length: -3\r\n\r\nabc",
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 9000,
        OK + b"Content-Encoding: gzip\r\n\r\nabc",
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello", mtime=0)[:-3],
    ],
)
def test_malformed(answer, response):
    """What no client can read is told as that, in a few words, and never raises."""
    result = answer(response)
    assert "malformed" == result.failure
    assert 0 < len(result.body) < 200


@pytest.mark.parametrize(
    "response",
    [
        OK + b"Content-Length: 5\r\n\r\nabc",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    ],
)
def test_truncated(answer, response):
    """An answer that ends before it is whole is not an answer; its status is known all the same."""
    result = answer(response)
    assert ("truncated", 200) == (result.failure, result.status)


@pytest.mark.parametrize("response", [b"", OK, OK + b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_lost(answer, response):
    """Without a status the connection was lost."""
    result = answer(response)
    assert ("reset", None) == (result.failure, result.status)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    assert "refused" == exchange(address, Request(path="/"), {}, 1.0).failure


def repeated(piece, pause=0.0):
    while True:
        yield piece
        time.sleep(pause)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "pieces",
    [
        (OK + b"\r\n", repeated(b"x" * 1000)),
        (OK + b"Content-Length: 99999999999\r\n\r\n", repeated(b"x")),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", repeated(b"5\r\nhello\r\n")),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", repeated(b"hello")),
        (OK, repeated(b"X: " + b"y" * 1000 + b"\r\n")),
        (OK + b"X: ", repeated(b"y" * 1000)),
        (repeated(b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 1000 + b"\r\n\r\n"),),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", repeated(b"X: " + b"y" * 1000 + b"\r\n")),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"\0" * 10_000_000, mtime=0),),
    ],
    ids=["body", "length", "chunks", "chunk", "headers", "header", "interim", "trailers", "bomb"],
)
def test_without_end(answer, pieces):
    """What has no end is cut at the limit, and told as cut: no memory and no time is spent on the rest."""
    result = answer(*pieces, timeout=60.0)
    assert "cut" == result.failure
    assert " more than " in result.body
    assert len(result.body) < 200


@pytest.mark.hostile
def test_drop_by_drop(answer):
    """A response that is still coming when the time is over is cut; the deadline is one of the whole exchange."""
    result = answer(OK + b"\r\n", repeated(b"x", 0.02), timeout=0.5)
    assert "cut" == result.failure
    assert "still coming" in result.body


@pytest.mark.hostile
@pytest.mark.parametrize("begin", [b"", OK + b"\r\nhello", OK + b"Content-Length: 50\r\n\r\nhello"])
def test_nothing_more(answer, begin):
    """The near-twin that says nothing more is open, which may be a hang."""
    result = answer(begin, timeout=0.5, stay=True)
    assert ("open", None) == (result.failure, result.status)


def test_within_limit(answer):
    """A body of just the limit is whole."""
    assert 10_000 == len(answer(OK + b"\r\n" + b"x" * 10_000).body)
    assert "cut" == answer(OK + b"\r\n" + b"x" * 10_001).failure


def test_any_bytes(answer):
    """Bytes beyond any encoding in headers and bodies are kept as something that can be stored."""
    result = answer(OK + b"Content-Type: \xff\xfe\r\nVary: " + b"v" * 100_000 + b"\r\n\r\n" + bytes(range(256)))
    assert None is result.failure
    assert "\xff\xfe" == result.headers["content-type"]
    assert result.body.encode().startswith(b"\0\1\2")
