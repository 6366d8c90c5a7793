#!/usr/bin/python3
"""A service that says aloud whatever it is told in confidence: echo.py DIR SPOOL.

The port goes to DIR/port, a line of JSON for each request to DIR/requests.  DIR/secrets has the secrets, one a line; the
access and refresh tokens that it hands out are added to it.  Whatever secret it finds in a request stands in the reply,
in every spelling, in fields and body.  Each time it is asked, and all the time between, it looks for secrets in the
arguments of all processes, and each time it is asked in all files of the spool: DIR/seen has what it found, DIR/looks
how often it looked.

/redirect leads to /landed with the secret in the query; /fail is an error with it in its message; /token gives tokens;
/token-fail refuses with the client's secret in the message.
"""
import base64
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import leaks  # noqa: E402

DIR, SPOOL = sys.argv[1:3]
SECRETS = os.path.join(DIR, "secrets")
lock = threading.Lock()
looks = 0
minted = 0


def look(tree):
    global looks
    wanted = leaks.all_spellings(SECRETS)
    seen = list(leaks.in_arguments(wanted))
    if tree:
        # what a person typed stands in the decision until it is obeyed
        seen += leaks.in_tree(SPOOL, wanted, but=(".approve",))
    with lock:
        looks += 1
        with open(os.path.join(DIR, "looks.tmp"), "w") as f:
            f.write(str(looks))
        os.replace(os.path.join(DIR, "looks.tmp"), os.path.join(DIR, "looks"))
        if seen:
            with open(os.path.join(DIR, "seen"), "a") as f:
                f.write("\n".join(seen) + "\n")


def keep_looking():
    while True:
        look(False)
        time.sleep(0.005)


def mint():
    global minted
    with lock:
        minted += 1
        tokens = ["access+%d/%s" % (minted, os.urandom(9).hex()), "rotated+%d/%s" % (minted, os.urandom(9).hex())]
        with open(SECRETS, "a") as f:
            f.write("".join(t + "\n" for t in tokens))
    return tokens


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def told(self, body):
        """The secrets in this request."""
        text = "\n".join([self.path, urllib.parse.unquote(self.path), urllib.parse.unquote_plus(self.path),
                          *self.headers.values(), body, urllib.parse.unquote_plus(body)])
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            text += urllib.parse.unquote_plus(base64.b64decode(basic[6:]).decode())
        try:
            text += "\n" + "\n".join(str(v) for v in json.loads(body).values())
        except (ValueError, AttributeError):
            pass
        return [s.decode() for s in leaks.load(SECRETS) if s.decode() in text]

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = self.path.split("?")[0]
        told = self.told(body)
        with lock:
            with open(os.path.join(DIR, "requests"), "a") as f:
                f.write(json.dumps({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body,
                                    "told": told}) + "\n")
        look(True)
        reply = {"told": {s: [p.decode() for p in leaks.spellings(s.encode())] for s in told},
                 "text": "you said " + " and ".join(told), "path": self.path, "headers": dict(self.headers), "body": body,
                 "basic": base64.b64encode(("me:" + "".join(told)).encode()).decode()}
        status, fields = 200, [("X-Echo-%d" % n, s) for n, s in enumerate(told)]
        fields += [("Set-Cookie", "session=" + urllib.parse.quote(s, safe="")) for s in told]
        if path.endswith("/redirect"):
            status = 302
            fields.append(("Location", "/landed?" + urllib.parse.urlencode({"copy": "".join(told), "plain": "x"})))
        elif path.endswith("/fail"):
            status, reply = 400, {"error": {"code": "".join(told), "message": "I do not like " + " or ".join(told)}, "all": reply}
        elif path == "/token":
            access, refresh = mint()
            reply = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600}
        elif path == "/token-fail":
            status, reply = 401, {"error": "invalid_client", "error_description": "no: " + " ".join(told)}
        data = json.dumps(reply).encode()
        try:
            self.send_response(status)
            for name, value in fields + [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=keep_looking, daemon=True).start()
with open(os.path.join(DIR, "port.new"), "w") as f:
    f.write(str(server.server_address[1]))
os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
server.serve_forever()
