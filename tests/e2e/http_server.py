#!/usr/bin/env python3
"""A scripted HTTP server for tests: it sends exactly the bytes that it is told to send.

    http_server.py READY LOG RULES [CERT KEY]

It listens on 127.0.0.1 with a free port, which it writes into the file READY, and serves until its standard input
ends.  Each request is a line of JSON in LOG: {method, target, headers, body, port, connection}; names of headers are in
lower case.  RULES is a JSON object: "METHOD /path" or "/path" (without its query) -> a reply, or a list of replies of
which each request takes the next and the last one stays.  A reply is an object

    {"status": 200, "headers": {NAME: VALUE}, "body": TEXT | "json": VALUE, "echo": true}    a proper answer; with
                                                                              "until": FILE once there is such a file
    {"steps": [STEP, ...]}                                                                  anything else

and a step one of {"send": TEXT}, {"hex": DIGITS}, {"file": PATH}, {"repeat": N, "send": TEXT}, {"until": FILE} (wait
until there is such a file), {"pace": SECONDS, "send": TEXT} (byte by byte), {"gzip": TEXT, "times": N, "cut": BYTES},
{"reset": true}, {"unwrap": true} (TLS is ended as it should be); after the last one the connection is closed.  $URL in a text is the server's own
address, $HOST its host and port.  Text is sent as UTF-8.  "/path!" is a rule for connections that are to be reset as
soon as the head of the request has come, without reading the body; "@accept" is one for all connections, before
anything is read.
"""
import gzip
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time


class Server:
    def __init__(self, ready, log, rules, tls):
        self.rules = json.load(open(rules))
        self.taken = {}
        self.lock = threading.Lock()
        self.log = open(log, "a", buffering=1)
        self.tls = tls
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(128)
        self.port = self.socket.getsockname()[1]
        self.host = "127.0.0.1:%d" % self.port
        self.url = ("https://" if tls else "http://") + self.host
        with open(ready + ".tmp", "w") as f:
            f.write(str(self.port))
        os.rename(ready + ".tmp", ready)

    def reply_for(self, method, path):
        with self.lock:
            for key in (method + " " + path, path, "*"):
                if key in self.rules:
                    break
            else:
                return {"status": 404, "body": "no rule for " + path}
            rule = self.rules[key]
            if not isinstance(rule, list):
                return rule
            n = self.taken.get(key, 0)
            self.taken[key] = n + 1
            return rule[min(n, len(rule) - 1)]

    def fill(self, text):
        return text.replace("$URL", self.url).replace("$HOST", self.host).encode()

    def serve(self):
        n = 0
        while True:
            connection, _ = self.socket.accept()
            n += 1
            threading.Thread(target=self.talk, args=(connection, n), daemon=True).start()

    def talk(self, c, number):
        try:
            if "@accept" in self.rules:
                self.steps(c, self.rules["@accept"]["steps"])
                return
            if self.tls:
                c = self.tls.wrap_socket(c, server_side=True)
            while self.one_request(c, number):
                pass
        except (OSError, ssl.SSLError):
            pass
        finally:
            c.close()

    def one_request(self, c, number):
        data = b""
        while b"\r\n\r\n" not in data:
            more = c.recv(65536)
            if not more:
                return False
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        path = target.split("?")[0]
        reply = self.reply_for(method, path)
        if path.endswith("!"):
            return self.steps(c, [{"reset": True}])
        while len(body) < int(headers.get("content-length", 0)):
            body += c.recv(65536)
        said = {"method": method, "target": target, "headers": headers, "body": body.decode("utf-8", "replace"),
                "port": self.port, "connection": number}
        self.log.write(json.dumps(said) + "\n")
        if "steps" in reply:
            return self.steps(c, reply["steps"])
        return self.answer(c, method, reply, said)

    def answer(self, c, method, reply, said):
        while "until" in reply and not os.path.exists(reply["until"]):
            time.sleep(0.01)
        headers = dict(reply.get("headers", {}))
        if reply.get("echo"):
            content = json.dumps({"echo": said}).encode()
            headers.setdefault("Content-Type", "application/json")
        elif "json" in reply:
            content = self.fill(json.dumps(reply["json"]))
            headers.setdefault("Content-Type", "application/json")
        else:
            content = self.fill(reply.get("body", ""))
        status = reply.get("status", 200)
        out = b"HTTP/1.1 %d Reply\r\n" % status
        for name, value in headers.items():
            out += self.fill("%s: %s\r\n" % (name, value))
        if status != 204:
            out += b"Content-Length: %d\r\n" % len(content)
        c.sendall(out + b"\r\n" + (content if status != 204 and method != "HEAD" else b""))
        return True

    def steps(self, c, steps):
        for step in steps:
            text = self.fill(step.get("send", "")) * step.get("repeat", 1)
            if "hex" in step:
                text = bytes.fromhex(step["hex"])
            if "file" in step:
                text = open(step["file"], "rb").read()
            if "gzip" in step:
                text = gzip.compress(step["gzip"].encode() * step.get("times", 1))
                text = text[:len(text) - step.get("cut", 0)]
                text = b"Content-Length: %d\r\n\r\n" % len(text) + text
            while "until" in step and not os.path.exists(step["until"]):
                time.sleep(0.01)
            if "pace" in step:
                for i in range(len(text)):
                    c.sendall(text[i:i + 1])
                    time.sleep(step["pace"])
            elif text:
                c.sendall(text)
            if step.get("reset"):
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            if step.get("unwrap"):
                c.unwrap()
                return False
        c.shutdown(socket.SHUT_WR)
        # Whoever still sends must not lose what we sent to a reset.
        c.settimeout(5)
        while c.recv(65536):
            pass
        return False


def main():
    tls = None
    if len(sys.argv) > 4:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[4], sys.argv[5])
    server = Server(sys.argv[1], sys.argv[2], sys.argv[3], tls)
    threading.Thread(target=server.serve, daemon=True).start()
    sys.stdin.read()


main()
