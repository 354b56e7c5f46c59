"""Bad HTTP over raw sockets: answered in words or cut off, nothing smuggled, the next one served.

The names H1 ... H54 are kinds of input; each is a row of a table or a test of its own.
"""

import concurrent.futures
import json
import re
import shutil
import socket
import time
import unittest

import daemon
from daemon import Daemon, receive_all, statuses

MODELS = None
SERVER = None


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models()
    SERVER = Daemon(models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b'{"n":1,"steps":1,"seed":1}'


def get(target=b"/livez", *lines, version=b"HTTP/1.1", host=b"Host: localhost"):
    """A GET; the answer to a good one leaves the connection open."""
    head = [b"GET " + target + b" " + version] + ([host] if host else []) + list(lines)
    return b"\r\n".join(head) + b"\r\n\r\n"


def post(*lines, body=BODY, length=True, kind=b"application/json", target=b"/sample"):
    head = [b"POST " + target + b" HTTP/1.1", b"Host: localhost"] + list(lines)
    if kind:
        head.append(b"Content-Type: " + kind)
    if length:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


# name, bytes, statuses of which one must come first, must the connection be closed after it?
CLOSE, OPEN = True, False
ROWS = [
    ("H1 two framings", post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), {400},
     CLOSE),
    ("H2 two lengths", post(b"Content-Length: 26", b"Content-Length: 5", length=False), {400}, CLOSE),
    ("H2 two equal lengths", post(b"Content-Length: 26"), {400}, CLOSE),
    ("H3 negative length", post(b"Content-Length: -1", length=False), {400}, CLOSE),
    ("H4 signed length", post(b"Content-Length: +5", length=False), {400}, CLOSE),
    ("H5 hexadecimal length", post(b"Content-Length: 0x5", length=False), {400}, CLOSE),
    ("H6 empty length", post(b"Content-Length: ", length=False), {400}, CLOSE),
    ("H7 length beyond all", post(b"Content-Length: 1" + b"0" * 22, length=False), {413}, CLOSE),
    ("H7 length beyond ours", post(b"Content-Length: 16777217", length=False), {413}, CLOSE),
    ("H8 folded length", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n 46\r\n\r\n"
     + SMUGGLED, {400}, CLOSE),
    ("H10 coding xchunked", post(b"Transfer-Encoding: xchunked", length=False), {400}, CLOSE),
    ("H11 coding gzip", post(b"Transfer-Encoding: gzip", length=False), {400, 501}, CLOSE),
    ("H11 two codings", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked",
                             length=False), {400}, CLOSE),
    ("H14 chunk size 0x5", post(b"Transfer-Encoding: chunked", length=False,
                                body=b"0x5\r\nabcde\r\n0\r\n\r\n"), {400}, CLOSE),
    ("H16 no Host", get(host=None), {400}, CLOSE),
    ("H17 two Hosts", get(b"/livez", b"Host: localhost"), {400}, CLOSE),
    ("H18 foreign Host", get(host=b"Host: evil.com"), {403}, OPEN),
    ("H19 Host that looks alike", get(host=b"Host: localhost.evil.com"), {403}, OPEN),
    ("H18 Host with a letter port", get(host=b"Host: localhost:a"), {403}, OPEN),
    ("H18 empty Host", get(host=b"Host: "), {403}, OPEN),
    ("H20 header without colon", get(b"/livez", b"nonsense"), {400}, CLOSE),
    ("H24 control in a value", get(b"/livez", b"X-A: a\x01b"), {400}, CLOSE),
    ("H24 name that is no token", get(b"/livez", b"X(A): b"), {400}, CLOSE),
    ("H26 %00", get(b"/livez%00x"), {400}, OPEN),
    ("H27 %zz", get(b"/%zz"), {400}, OPEN),
    ("H27 half an escape", get(b"/livez%2"), {400}, OPEN),
    ("H28 traversal", get(b"/static/%2e%2e%2fetc/passwd"), {400, 404}, OPEN),
    ("H28 plain traversal", get(b"/../../etc/passwd"), {404}, OPEN),
    ("H28 model traversal", get(b"/models/..%5cx"), {400, 404}, OPEN),
    ("H29 line end in the path", get(b"/%0d%0aX:y"), {400}, OPEN),
    ("H30 long target", get(b"/" + b"a" * 65536), {414}, CLOSE),
    ("H30 target over our limit", get(b"/" + b"a" * 4096), {414}, OPEN),
    ("H31 100 headers of 1 KiB", get(b"/livez", *[b"X-%d: " % i + b"a" * 1024 for i in range(100)]),
     {431}, CLOSE),
    ("H31 headers over our limit", get(b"/livez", *[b"X-%d: " % i + b"a" * 1024 for i in range(17)]),
     {431}, CLOSE),
    ("H32 absolute target", get(b"http://localhost/livez"), {400}, OPEN),
    ("H32 asterisk", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}, OPEN),
    ("H33 HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}, CLOSE),
    ("H33 HTTP/1.2", get(version=b"HTTP/1.2"), {505}, CLOSE),
    ("H34 HTTP/0.9", b"GET /\r\n\r\n", {400}, CLOSE),
    ("H36 TRACE", b"TRACE /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}, OPEN),
    ("H36 CONNECT", b"CONNECT /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}, OPEN),
    ("H37 get", b"get /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, 405}, OPEN),
    ("H38 text/plain", post(kind=b"text/plain"), {415}, CLOSE),
    ("H39 multipart", post(kind=b"multipart/form-data; boundary=x"), {415}, CLOSE),
    ("H40 form from a page", post(b"Sec-Fetch-Site: same-origin",
                                  kind=b"application/x-www-form-urlencoded"), {415}, CLOSE),
    ("H41 form with our Origin", post(b"Origin: http://localhost",
                                      kind=b"application/x-www-form-urlencoded"), {415}, CLOSE),
    ("H41 no type with our Origin", post(b"Origin: http://localhost", kind=None), {415}, CLOSE),
    ("H42 form, no page", post(kind=b"application/x-www-form-urlencoded"), {200}, OPEN),
    ("H42 no type", post(kind=None), {200}, OPEN),
    ("H42 JSON with our Origin", post(b"Origin: http://localhost"), {200}, OPEN),
    ("H42 JSON with a charset", post(kind=b"application/json; charset=utf-8"), {200}, OPEN),
    ("H43 coded body", post(b"Content-Encoding: gzip"), {415}, CLOSE),
    ("H44 Origin null", post(b"Origin: null"), {403}, CLOSE),
    ("H45 Origin that looks alike", post(b"Origin: http://localhost.evil"), {403}, CLOSE),
    ("H45 Origin of another port", post(b"Origin: http://localhost:1"), {403}, CLOSE),
    ("H46 cross-site", post(b"Sec-Fetch-Site: cross-site"), {403}, CLOSE),
    ("H46 cross-site GET", get(b"/models", b"Sec-Fetch-Site: cross-site"), {403}, OPEN),
    ("H48 two Authorization", get(b"/livez", b"Authorization: a", b"Authorization: b"), {400},
     CLOSE),
    ("H48 two Content-Type", post(b"Content-Type: text/plain"), {400}, CLOSE),
    ("H48 two Origins", post(b"Origin: http://localhost", b"Origin: http://localhost"), {400},
     CLOSE),
    ("H49 Expect: bogus", post(b"Expect: bogus"), {417}, CLOSE),
    ("H50 Accept: text/xml", post(b"Accept: text/xml"), {406}, OPEN),
    ("GET with a body", get(b"/livez", b"Content-Length: 1") + b"x", {400}, CLOSE),
    ("unknown query", get(b"/livez?x=1"), {422}, OPEN),
    ("unknown path", get(b"/jobs"), {404}, OPEN),
    ("OPTIONS", b"OPTIONS /sample HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}, OPEN),
]

# HTTP/1.0: Host is not needed, chunks do not exist.
ROWS += [
    ("HTTP/1.0 without Host", get(version=b"HTTP/1.0", host=None), {200}, CLOSE),
    ("HTTP/1.0 chunked", b"POST /sample HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     {400}, CLOSE),
]


def exchange(data):
    """Sends, then asks for /livez on the same connection; (statuses, bytes, closed)."""
    with SERVER.connect() as connection:
        try:
            connection.sendall(data)
            first = connection.recv(65536)
            connection.settimeout(0.3 * max(1.0, daemon.PATIENCE / 30))
            rest, closed = receive_all(connection)
            if not closed:
                connection.settimeout(daemon.PATIENCE)
                connection.sendall(GET)
                rest += connection.recv(65536)
        except OSError:
            return [], b"", True
        return statuses(first + rest), first + rest, closed


class Table(unittest.TestCase):
    def test_every_row_is_answered_in_words_and_the_next_request_is_served(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = list(pool.map(lambda row: exchange(row[1]), ROWS))
        for (name, data, expected, must_close), (codes, received, closed) in zip(ROWS, results):
            with self.subTest(name):
                self.assertTrue(codes, "no answer: %r" % received[:200])
                self.assertIn(codes[0], expected)
                self.assertEqual(closed, must_close)
                if not closed:
                    self.assertEqual(codes[1:], [200], "the connection goes on")
                if must_close and codes[0] not in (200,) and b"problem+json" in received:
                    self.assertIn(b"Connection: close", received)
        self.assertEqual(SERVER.get("/livez").status, 200)
        self.assertEqual([line for line in SERVER.log if "/smuggled" in line], [])

    def test_several_lines_of_accept_are_one_list(self):
        for lines, kind in (((b"text/html", b"application/x-npy"), b"application/x-npy"),
                            ((b"image/png;q=0.1", b"", b"application/json"), b"application/json"),
                            ((b"text/html", b"text/plain"), b"application/problem+json")):
            asked = post(*[b"accept: " + line for line in lines], b"Connection: close")
            received, _ = SERVER.raw(asked)
            self.assertIn(b"Content-Type: " + kind + b"\r\n", received, lines)

    def test_a_length_that_is_none_is_one_problem(self):
        """The library's own page came with two heads."""
        for length, status in ((b"-1", 400), (b"1,1", 400), (b"0x5", 400), (b"9" * 25, 413)):
            for piece in (1, 1000):
                request = post(b"Content-Length: " + length, length=False)
                with SERVER.connect() as connection, SERVER.connect() as other:
                    other.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
                    for at in range(0, len(request), piece):
                        try:
                            connection.sendall(request[at:at + piece])
                        except OSError:
                            break  # what it says of the head does not wait for the body
                    received, closed = receive_all(connection)
                    other.sendall(b"Connection: close\r\n\r\n")
                    self.assertEqual(statuses(receive_all(other)[0]), [200])
                head, body = received.split(b"\r\n\r\n")
                self.assertTrue(closed)
                self.assertIn(b"Content-Type: application/problem+json", head)
                self.assertEqual(json.loads(body)["status"], status)
        daemon.wait_for(lambda: SERVER.metric("denoised_requests_total", code="413") > 0, "counted")

    def test_each_problem_has_its_id_in_header_and_body(self):
        for method, path in (("GET", "/nowhere"), ("PUT", "/sample"), ("GET", "/models/none")):
            answer = SERVER.request(method, path)
            self.assertEqual(answer.header("content-type"), "application/problem+json")
            body = answer.json()
            self.assertEqual(body["request_id"], answer.header("x-request-id"))
            self.assertRegex(body["request_id"], r"^r_[0-9A-HJKMNP-TV-Z]{26}$")
            self.assertEqual(body["status"], answer.status)

    def test_405_names_what_the_path_answers(self):
        self.assertEqual(SERVER.request("GET", "/sample").header("allow"), "POST")
        self.assertEqual(SERVER.request("DELETE", "/models").header("allow"), "GET, HEAD")

    def test_406_names_the_choices(self):
        answer = SERVER.sample({"steps": 1}, {"Accept": "text/xml"})
        self.assertEqual(answer.status, 406)
        self.assertIn("json, npy", answer.json()["detail"])

    def test_accepted_kinds_of_loopback_hosts(self):
        for host in (b"127.0.0.1", b"127.0.0.1:80", b"[::1]", b"[::1]:8080", b"LOCALHOST:1",
                     b"10.1.2.3:8080"):
            codes, _, _ = exchange(get(host=b"Host: " + host))
            self.assertEqual(codes[0], 200, host)


class Bodies(unittest.TestCase):
    def test_H9_body_cut_short_leaves_nothing_behind(self):
        with SERVER.connect() as connection:
            connection.sendall(post(b"Content-Length: 100", length=False, body=b"0123456789"))
            connection.shutdown(socket.SHUT_WR)
            received, closed = receive_all(connection)
        self.assertTrue(closed)
        self.assertNotIn(200, statuses(received))

    def test_H15_eighteen_megabytes_in_small_chunks_are_413_or_cut(self):
        chunk = (b"40\r\n" + b"0" * 64 + b"\r\n") * 8192
        with SERVER.connect() as connection:
            connection.sendall(post(b"Transfer-Encoding: chunked", length=False, body=b""))
            try:
                for _ in range(18 * 1024 * 1024 // (64 * 8192)):
                    connection.sendall(chunk)
                connection.sendall(b"0\r\n\r\n")
            except OSError:
                pass
            received, closed = receive_all(connection)
        self.assertTrue(closed)
        self.assertIn(statuses(received), ([413], []))

    def test_chunked_body_a_little_over_the_limit_reads_its_413(self):
        size = 16 * 1024 * 1024 + 1
        body = b"%x\r\n" % size + b" " * size + b"\r\n0\r\n\r\n"
        received, closed = SERVER.raw(post(b"Transfer-Encoding: chunked", length=False, body=body))
        self.assertEqual((statuses(received), closed), ([413], True))

    def test_client_in_mid_send_of_20_megabytes_reads_its_413(self):
        with SERVER.connect() as connection:
            try:
                connection.sendall(post(body=b" " * 20_000_000))
            except OSError:
                pass
            received, _ = receive_all(connection)
        self.assertIn(statuses(received), ([413], []))

    def test_body_in_chunks_is_read(self):
        body = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
        codes, _, _ = exchange(post(b"Transfer-Encoding: chunked", length=False, body=body))
        self.assertEqual(codes[0], 200)

    def test_expect_100_continue_is_told_to_go_on(self):
        with SERVER.connect() as connection:
            connection.sendall(post(b"Expect: 100-continue", b"Content-Length: %d" % len(BODY),
                                    length=False, body=b""))
            self.assertIn(b"100 Continue", connection.recv(4096))
            connection.sendall(BODY)
            self.assertEqual(statuses(connection.recv(65536)), [200])

    def test_expect_100_continue_for_a_large_body_is_told_413_at_once(self):
        with SERVER.connect() as connection:
            connection.sendall(post(b"Expect: 100-continue", b"Content-Length: 99999999",
                                    length=False, body=b""))
            self.assertEqual(statuses(connection.recv(65536)), [413])


class ManyParameters(unittest.TestCase):
    """A query of more parameters than the library has memory for: it gives up without a word."""

    QUERIES = [b"&" * 3000, b"a&" * 1500, b"a=b&" * 1000]

    def test_more_than_256_are_told_414_and_the_connection_is_closed(self):
        for count in (257, 500, 3000):
            received, closed = SERVER.raw(get(b"/livez?" + b"&".join([b"a"] * count)))
            self.assertEqual((statuses(received), closed), ([414], True))
            head, body = received.split(b"\r\n\r\n")
            self.assertIn(b"Content-Type: application/problem+json", head)
            self.assertIn(b"Content-Length: %d" % len(body), head)
            self.assertIn(b"the query has %d parameters, more than 256" % count, body)
        answer = SERVER.get("/livez?" + "&".join(["a"] * 256))
        self.assertEqual((answer.status, len(answer.json()["errors"])), (422, 32))

    def test_behind_another_request_it_is_told_after_that_ones_answer(self):
        received, closed = SERVER.raw(GET + get(b"/livez?" + b"a&" * 1000))
        self.assertEqual((statuses(received), closed), ([200, 414], True))

    def test_connection_is_closed_at_once_and_the_request_is_logged_once(self):
        def lines():
            return len([line for line in SERVER.lines("request") if "/once?" in line])

        for query in self.QUERIES:
            received, closed = SERVER.raw(get(b"/once?" + query), daemon.PATIENCE)
            self.assertTrue(closed)
            self.assertEqual(statuses(received), [414])
        daemon.wait_for(lambda: lines() >= len(self.QUERIES), "a line for each")
        self.assertEqual(SERVER.get("/livez").status, 200)
        self.assertEqual(lines(), len(self.QUERIES))

    @unittest.skipIf(daemon.SANITIZED, "a sanitizer tells of the leak itself, and keeps what is freed")
    def test_memory_does_not_grow_on_either_listener(self):
        with Daemon("--admin-listen", "127.0.0.1:0", models=MODELS) as server:
            def resident_kib():
                with open("/proc/%d/status" % server.process.pid) as status:
                    return next(int(line.split()[1]) for line in status if "VmRSS" in line)

            def flood(address, count):
                for _ in range(count):
                    with socket.create_connection(address, daemon.PATIENCE) as connection:
                        connection.sendall(get(b"/livez?" + b"&" * 3000))
                server.request("GET", "/livez", address=address)

            for address in (server.address, server.admin()):
                flood(address, 100)
                before = resident_kib()
                flood(address, 1000)
                self.assertLess(resident_kib() - before, 2000)  # the leak was 13 MB and more


class Connections(unittest.TestCase):
    def test_H51_1000_pipelined_gets_are_answered_in_order(self):
        paths = [b"/livez", b"/nowhere"]
        data = b"".join(get(paths[i % 2]) for i in range(1000))
        data += get(b"/livez", b"Connection: close")
        with SERVER.connect() as connection:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                sent = pool.submit(connection.sendall, data)
                received, closed = receive_all(connection)
                sent.result()
        self.assertTrue(closed)
        self.assertEqual(statuses(received), [200, 404] * 500 + [200])

    def test_H54_health_answers_beside_900_idle_connections(self):
        connections = [SERVER.connect() for _ in range(900)]
        try:
            began = time.monotonic()
            self.assertEqual(SERVER.get("/livez").status, 200)
            self.assertLess(time.monotonic() - began, 1)
        finally:
            for connection in connections:
                connection.close()

    def test_clients_that_leave_in_mid_head_are_forgotten_soon(self):
        began = time.monotonic()
        for _ in range(20):
            with SERVER.connect() as connection:
                connection.sendall(GET[:-10])
        daemon.wait_for(lambda: SERVER.metric("denoised_connections") <= 1, "all to be closed")
        self.assertLess(time.monotonic() - began, 5 * max(1, daemon.PATIENCE / 30))

    def test_client_is_served_after_the_limit_was_hit_and_others_left(self):
        with Daemon("--connections", "4", models=MODELS) as server:
            held = [server.connect() for _ in range(4)]
            waiting = [server.connect() for _ in range(4)]
            for connection in held + waiting:
                connection.sendall(GET)
            for connection in held:
                self.assertEqual(statuses(connection.recv(4096)), [200])
            for connection in held:
                connection.close()
            for connection in waiting:
                self.assertEqual(statuses(connection.recv(4096)), [200])
            for connection in waiting:
                connection.close()

    def test_slow_clients_are_cut_off(self):
        """H12, H13, H35, H52, H53 side by side, since each takes seconds."""

        def drip(start, piece, limit):
            received, end = b"", time.monotonic() + limit
            with SERVER.connect(limit) as connection:
                connection.sendall(start)
                connection.settimeout(0.5)
                while time.monotonic() < end:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        pass  # it has closed already; what it said is still to be read
                    data, closed = receive_all(connection)
                    received += data
                    if closed:
                        return received
                raise AssertionError("still open after %d s: %r" % (limit, start[:60]))

        chunked = post(b"Transfer-Encoding: chunked", length=False, body=b"")
        rows = [
            ("H12 chunk of 2^64-1", chunked + b"ffffffffffffffff\r\n", b"x", 35, None),
            ("H13 chunk extension", chunked + b"5;" + b"a" * 1_000_000, b"a", 35, None),
            ("H35 TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"", 20,
             None),
            ("H52 slow headers", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n", 20,
             "request_timeout"),
            ("H53 slow body", post(b"Content-Length: 1000", length=False, body=b"{"), b" ", 35,
             "request_timeout"),
            ("body of a refused request", post(b"Content-Length: 1000", target=b"/none",
                                               length=False, body=b"{"), b"", 35, "not_found"),
        ]
        with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
            results = [(row[0], row[4], pool.submit(drip, *row[1:4])) for row in rows]
        for name, code, result in results:
            with self.subTest(name):
                data = result.result()
                self.assertNotIn(200, statuses(data))
                if code is not None:
                    head, body = data.split(b"\r\n\r\n")
                    self.assertIn(b"Content-Type: application/problem+json", head)
                    self.assertEqual(json.loads(body)["code"], code)
        self.assertEqual(SERVER.get("/livez").status, 200)


class Log(unittest.TestCase):
    def test_one_line_a_request_whatever_the_client_sent(self):
        for target in (b"/L%0ab", b"/L%22quoted%22", b"/L" + b"x" * 1000, b"/L=?a=b"):
            with SERVER.connect() as connection:
                connection.sendall(get(target))
                connection.recv(65536)
        ours = re.compile(r' path="?/L')

        def lines():
            return [line for line in SERVER.log if ours.search(line)]

        daemon.wait_for(lambda: len(lines()) >= 4, "four log lines")
        self.assertEqual(len(lines()), 4)
        for line in lines():
            self.assertRegex(line, r"^time=\S+Z level=info event=request method=GET path=")
            self.assertLess(len(line), 600)
            self.assertEqual(len(re.findall(r" id=r_", line)), 1)


if __name__ == "__main__":
    unittest.main()
