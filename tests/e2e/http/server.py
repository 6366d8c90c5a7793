#!/usr/bin/python3
"""A server for the tests of HTTP actions: server.py DIR.

Writes its port to DIR/port when it listens and a line of JSON to DIR/requests for each request: {at, method, path,
headers, body, status}.  What it answers is asked of files in DIR, so that a test can change it at any time:

  limit    {"requests": N, "window": SECONDS}: more than that in any such stretch of time get 429
  flaky    "N": every Nth request that was let in gets 503
  status   a status for everything
  headers  JSON object: headers of every reply
  health   a status for /health (200)
  body     the reply's body; else {"ok": true, "path": ..., "n": ...}
  hold     while it is there, requests wait
  limited  while it is there, everything but /health gets 429
"""
import http.server
import json
import os
import sys
import threading
import time

DIR = sys.argv[1]
lock = threading.Lock()
accepted = []
count = 0


def setting(name):
    try:
        with open(os.path.join(DIR, name)) as f:
            return f.read().strip()
    except FileNotFoundError:
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def judge(self):
        global count
        if self.path.startswith("/health"):
            return int(setting("health") or 200)
        if self.path.startswith("/token"):
            return 200
        limit = setting("limit")
        now = time.time()
        if setting("limited") is not None:
            return 429
        if limit:
            rule = json.loads(limit)
            recent = [t for t in accepted if t > now - rule["window"]]
            if len(recent) >= rule["requests"]:
                return 429
        accepted.append(now)
        count += 1
        if setting("status"):
            return int(setting("status"))
        if setting("flaky") and count % int(setting("flaky")) == 0:
            return 503
        return 200

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with lock:
            status = self.judge()
            with open(os.path.join(DIR, "requests"), "a") as f:
                f.write(json.dumps({"at": time.time(), "method": self.command, "path": self.path, "body": body,
                                    "headers": dict(self.headers), "status": status}) + "\n")
        while setting("hold") is not None and not self.path.startswith("/health"):
            time.sleep(0.01)
        text = setting("body") or json.dumps({"ok": status < 400, "path": self.path, "n": count})
        if self.path.startswith("/token"):
            text = json.dumps({"access_token": "granted-" + str(os.getpid()), "token_type": "Bearer", "expires_in": 3600})
        data = text.encode()
        try:
            self.send_response(status)
            for k, v in json.loads(setting("headers") or "{}").items():
                self.send_header(k, v)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
with open(os.path.join(DIR, "port.new"), "w") as f:
    f.write(str(server.server_address[1]))
os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
server.serve_forever()
