#!/usr/bin/python3
"""A stand-in for creel-http: speaks what creeld says to an executor of HTTP actions, and as little HTTP as the tests
of the engine need.  It reads $CREEL_INPUT and descriptors 3 and 4, and leaves $CREEL_OUTPUT, $CREEL_ERROR and
http-trace.json; with --health it reads {"api": ...} from standard input."""
import datetime
import fcntl
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.parse


def stamp(seconds):
    t = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return t.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (t.microsecond // 1000)


def expand(template, inputs, quote=lambda s: s):
    whole = re.fullmatch(r"\{([A-Za-z_][\w.-]*)\}", template)
    if whole and quote is None:
        return inputs.get(whole.group(1))
    q = quote or (lambda s: s)
    return re.sub(r"\{([A-Za-z_][\w.-]*)\}", lambda m: q(str(inputs[m.group(1)])), template)


def send(method, url, headers, body, timeout):
    u = urllib.parse.urlsplit(url)
    c = http.client.HTTPConnection(u.hostname, u.port, timeout=timeout)
    path = u.path or "/"
    c.request(method, path + ("?" + u.query if u.query else ""), body, headers)
    r = c.getresponse()
    return r.status, dict(r.getheaders()), r.read().decode()


def trace_entry(method, url, headers, start, status=None, reply=None, text="", kind="request", limit=None):
    entry = {"timestamp": stamp(start), "kind": kind, "attempt": int(os.environ["CREEL_ATTEMPT"]),
             "request": {"method": method, "url": url, "headers": {k: "***" if k == "Authorization" else v for k, v in headers.items()}},
             "timings": {"firstByte": (time.time() - start) * 1000}}
    if status is not None:
        entry["response"] = {"status": status, "headers": reply, "body": text, "duration": int((time.time() - start) * 1000)}
    if limit:
        entry["rateLimit"] = limit
    return entry


def shared_token(auth, secrets, trace):
    fd = os.open("/proc/self/fd/%s" % os.environ["CREEL_TOKENS_FD"], os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    text = os.pread(fd, 1 << 20, 0)
    cache = json.loads(text) if text else {}
    key = hashlib.sha256(("%s %s" % (auth["tokenUrl"], auth["clientId"])).encode()).hexdigest()
    if key not in cache:
        start = time.time()
        status, headers, reply = send("POST", auth["tokenUrl"], {"Authorization": secrets["clientSecret"]}, "", 10)
        trace.append(trace_entry("POST", auth["tokenUrl"], {"Authorization": "***"}, start, status, headers, "***", "token"))
        cache[key] = json.loads(reply)["access_token"]
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(cache).encode(), 0)
    os.close(fd)
    return cache[key]


def health():
    api = json.load(sys.stdin)["api"]
    check = api["healthCheck"]
    try:
        status, _, _ = send("GET", api["baseUrl"] + check["endpoint"], {}, None, check["timeout"] / 1000 or 30)
    except OSError as e:
        print(json.dumps({"healthy": False, "message": str(e)}))
        return 1
    print(json.dumps({"healthy": status == check["expectedStatus"], "statusCode": status, "message": "status %d" % status}))
    return 0 if status == check["expectedStatus"] else 1


def limits_of(api, status, headers):
    """What the reply says about the limit, and when to come back (seconds, or None)."""
    rules = (api or {}).get("rateLimiting")
    reset = remaining = None
    if "Retry-After" in headers:
        reset = time.time() + float(headers["Retry-After"])
    if rules:
        name = rules["extraction"].get("resetHeader")
        if name in headers:
            reset = float(headers[name]) / (1000 if rules["extraction"].get("resetFormat") == "unix_ms" else 1)
        name = rules["extraction"].get("remainingHeader")
        if name in headers:
            remaining = int(headers[name])
    limited = status == 429 or bool(rules and status in rules["detection"]["statusCodes"])
    out = {"limited": limited}
    if remaining is not None:
        out["remaining"] = remaining
    if reset is not None:
        out["resetAt"] = stamp(reset)
    return out, limited, reset


def run():
    env = os.environ
    request = json.load(open(env["CREEL_INPUT"]))
    hidden = json.load(os.fdopen(int(env["CREEL_SECRETS_FD"])))
    definition, api = request["http"]["definition"], request["http"]["api"]
    inputs = dict(request["inputs"], **hidden["input"])
    endpoint, trace = definition["endpoint"], []
    url = expand(endpoint["url"], inputs, lambda s: urllib.parse.quote(s, safe=""))
    query = {k: expand(v, inputs) for k, v in endpoint.get("query", {}).items()}
    if query:
        url += "?" + urllib.parse.urlencode(query)
    headers = {k: expand(v, inputs) for k, v in endpoint["headers"].items()}
    headers["Idempotency-Key"] = request["idempotencyKey"]
    body = None
    if "body" in endpoint:
        value = expand(endpoint["body"], inputs, None)
        body = value if isinstance(value, str) else json.dumps(value)
    elif endpoint["method"] in ("POST", "PUT", "PATCH"):
        body = json.dumps(request["inputs"])
    auth = definition.get("authentication")
    if auth:
        if auth["type"] == "oauth2":
            headers["Authorization"] = "Bearer " + shared_token(auth, hidden["secrets"], trace)
        elif auth["type"] == "bearer":
            headers["Authorization"] = "Bearer " + hidden["secrets"]["token"]
        elif auth["type"] == "api_key":
            headers[auth["header"]] = hidden["secrets"]["value"]
    start, error, limit, text = time.time(), None, None, ""
    try:
        status, reply, text = send(endpoint["method"], url, headers, body, endpoint["timeout"] / 1000 or 30)
    except OSError as e:
        error = {"category": "network_connection_refused", "message": str(e), "retryable": True, "context": {}}
        trace.append(trace_entry(endpoint["method"], url, headers, start))
    else:
        limit, limited, reset = limits_of(api, status, reply)
        trace.append(trace_entry(endpoint["method"], url, headers, start, status, reply, text, limit=limit))
        if limited or status >= 400:
            category = "rate_limit_burst" if limited else "auth_invalid" if status == 401 else "api_unexpected_status"
            error = {"category": category, "message": "status %d: %s" % (status, text), "statusCode": status,
                     "retryable": status != 401, "context": {}}
            if reset is not None:
                error["retryAfter"] = stamp(reset)
            for m in (api or {}).get("errorMappings", []):
                if m.get("status") == status and m.get("backoffStrategy"):
                    error["context"]["backoffStrategy"] = m["backoffStrategy"]
    with open("http-trace.json.new", "w") as f:
        json.dump(trace, f)
    os.rename("http-trace.json.new", "http-trace.json")
    if error:
        with open(env["CREEL_ERROR"], "w") as f:
            json.dump(error, f)
        return 1
    try:
        out = json.loads(text)
    except ValueError:
        out = {"text": text}
    with open(env["CREEL_OUTPUT"], "w") as f:
        json.dump(out if isinstance(out, dict) else {"body": out}, f)
    return 0


sys.exit(health() if sys.argv[1:] == ["--health"] else run())
