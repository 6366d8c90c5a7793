#!/usr/bin/python3
"""What it costs an HTTP action to make a connection of its own: make bench-http.

    http.py BINARIES [REQUESTS]

nginx on loopback with TLS (a certificate authority of its own) and HTTP/2 answers a few bytes.  Measured: creel-http alone,
one attempt after the other, with a process of its own for the connection (creel-http-wire) and with a shared one; the same
through a relay that adds 25 ms each way; and whole executions of creel, a chain and a fan, with share_connections false
and true.  Wall time is what a request took; processor time is that of creel-http and of what it starts, and of the shared
process beside it.
"""
import asyncio
import json
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.path.abspath(sys.argv[1])
REQUESTS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
DIR = tempfile.mkdtemp(prefix="creel-bench-http.")
PLAIN, FAR = 0, 0.025


def sh(command):
    subprocess.run(command, shell=True, check=True, cwd=DIR, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_server(port):
    ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    sh("openssl req -x509 %s -keyout ca.key -out ca.pem -days 2 -subj /CN=bench" % ec)
    sh("openssl req %s -keyout key.pem -out csr.pem -subj /CN=localhost" % ec)
    sh("printf subjectAltName=DNS:localhost >ext; openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial"
       " -out cert.pem -days 2 -extfile ext")
    with open(DIR + "/nginx.conf", "w") as f:
        f.write("""worker_processes 1; daemon off; pid %(d)s/pid; error_log %(d)s/error.log;
events { worker_connections 512; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path %(d)s/1; proxy_temp_path %(d)s/2;
fastcgi_temp_path %(d)s/3; uwsgi_temp_path %(d)s/4; scgi_temp_path %(d)s/5;
server { listen 127.0.0.1:%(p)d ssl http2; ssl_certificate %(d)s/cert.pem; ssl_certificate_key %(d)s/key.pem;
location / { default_type application/json; return 200 '{"ok":true}'; } } }
""" % {"d": DIR, "p": port})
    server = subprocess.Popen(["nginx", "-c", DIR + "/nginx.conf", "-p", DIR], stderr=subprocess.DEVNULL)
    while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
        time.sleep(0.02)
    return server


def relay(listen, to, delay):
    """Every byte arrives so much later, and a connection takes as long as its handshake would."""

    async def pump(reader, writer):
        loop, queue = asyncio.get_event_loop(), asyncio.Queue()

        async def out():
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0, due - loop.time()))
                if not data:
                    return writer.close()
                writer.write(data)

        writing = asyncio.ensure_future(out())
        data = b"-"
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            queue.put_nowait((loop.time() + delay, data))
        await writing

    async def connection(reader, writer):
        await asyncio.sleep(2 * delay)
        r, w = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(pump(reader, w), pump(r, writer), return_exceptions=True)

    async def serve():
        server = await asyncio.start_server(connection, "127.0.0.1", listen)
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()


def definition(url):
    return {"id": "get", "name": "get", "description": "", "version": "1.0.0", "caFile": DIR + "/ca.pem",
            "endpoint": {"url": url, "method": "GET", "headers": {}, "timeout": 30000}, "inputSchema": {}, "outputSchema": {},
            "retryPolicy": {"maxAttempts": 1, "initialDelay": 1, "maxDelay": 1, "backoffMultiplier": 1, "jitter": False,
                            "retryableErrors": []}, "knownErrors": [], "examples": []}


def cpu_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(p) for p in f.read().split()]


def alone(url, shared):
    """The executor by itself: wall and processor ms a request."""
    request = {"attempt": 1, "inputs": {}, "http": {"definition": definition(url), "api": None, "allowPrivate": ["127.0.0.0/8"]}}
    with open(DIR + "/request.json", "w") as f:
        json.dump(request, f)
    env = {"CREEL_INPUT": DIR + "/request.json", "CREEL_OUTPUT": DIR + "/output", "CREEL_ERROR": DIR + "/error", "CREEL_DIR": DIR}
    pool = None
    if shared:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env["CREEL_POOL"] = "creel-bench-" + secrets.token_hex(16)
        listening.bind("\0" + env["CREEL_POOL"])
        listening.listen(64)
        pool = subprocess.Popen([BIN + "/creel-http-wire", "--pool", str(os.getpid())], stdin=listening, env={})

    def run():
        if subprocess.run([BIN + "/creel-http"], env=env, close_fds=False).returncode != 0:
            sys.exit(open(DIR + "/error").read())

    def shared_cpu():
        return sum(map(cpu_of, children_of(pool.pid) + [pool.pid])) if pool else 0

    run()
    n = REQUESTS if url.split(":")[-1].strip("/") == str(PORT) else max(10, REQUESTS // 10)
    before, kept, start = resource.getrusage(resource.RUSAGE_CHILDREN), shared_cpu(), time.monotonic()
    for _ in range(n):
        run()
    wall = time.monotonic() - start
    after, kept = resource.getrusage(resource.RUSAGE_CHILDREN), shared_cpu() - kept
    if pool:
        pool.terminate()
        pool.wait()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return "%8.1f %8.1f" % (wall * 1000 / n, (used + kept) * 1000 / n)


def engine(url, shared, shape, n):
    """Whole executions: wall and processor ms an action."""
    spool = DIR + "/spool"
    shutil.rmtree(spool, ignore_errors=True)
    sh("%s/creel init %s" % (BIN, spool))
    with open(spool + "/catalog/actions/get.json", "w") as f:
        json.dump(definition(url), f)
    with open(DIR + "/config.json", "w") as f:
        json.dump({"max_concurrency": 16, "http": {"allow_private": ["127.0.0.0/8"], "share_connections": shared}}, f)
    actions = [{"id": "a%d" % i, "actionDefinitionId": "get", "inputs": {},
                "dependencies": ["a%d" % (i - 1)] if shape == "chain" and i else []} for i in range(n)]
    with open(spool + "/inbox/plan.json", "w") as f:
        json.dump({"name": "bench", "actions": actions}, f)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([BIN + "/creeld", "--spool", spool, "--config", DIR + "/config.json", "--drain"], check=True,
                   stderr=subprocess.DEVNULL)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return "%8.1f %8.1f" % (wall * 1000 / n, used * 1000 / n)


def main():
    global PORT
    PORT, far = free_port(), free_port()
    server = start_server(PORT)
    try:
        relay(far, PORT, FAR)
        near_url, far_url = "https://localhost:%d/" % PORT, "https://localhost:%d/" % far
        print("ms a request: wall, processor time   own connection     shared")
        for what, url in (("creel-http, loopback", near_url), ("creel-http, 50 ms there and back", far_url)):
            print("%-36s %s  %s" % (what, alone(url, False), alone(url, True)), flush=True)
        for what, url, shape, n in (("creel, chain, loopback", near_url, "chain", REQUESTS // 2),
                                    ("creel, chain, 50 ms", far_url, "chain", REQUESTS // 10),
                                    ("creel, fan, loopback", near_url, "fan", REQUESTS),
                                    ("creel, fan, 50 ms", far_url, "fan", REQUESTS // 2)):
            print("%-36s %s  %s" % (what, engine(url, False, shape, n), engine(url, True, shape, n)), flush=True)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
        shutil.rmtree(DIR, ignore_errors=True)


main()
