#!/usr/bin/env bats
# creel-http against servers that answer wrongly: what is not a whole answer is never a success.

load http.bash

setup() { http_setup; }
teardown() { http_teardown; }

# The options of curl's own test that say how much may come.
size_limit() {
	case $1 in
	0292) echo 1000 ;;
	0293) echo 2 ;;
	0393) echo 2000000 ;;
	0457) echo 143 ;;
	*) echo 10000000 ;;
	esac
}

@test "http: 77 answers of curl's test suite: as expected, and never better than curl" {
	local n
	jq --arg dir "$CORPUS/http/" '[.[] | {key: ("/" + (.file[12:16])), value: {steps: [{file: ($dir + .file)}]}}] | from_entries' \
		"$CORPUS/http/raw_replies/INDEX.json" >"$T/main.rules"
	server
	make_request <<<'{"definition": {"endpoint": {"url": "$URL/NNNN"}, "maxResponseSize": 424242}}'
	mv "$A/request.json" "$T/template.json"
	for n in $(jq -r '.[].file[12:16]' "$CORPUS/http/raw_replies/INDEX.json"); do
		sed "s/NNNN/$n/; s/424242/$(size_limit "$n")/" "$T/template.json" >"$A/request.json"
		run_executor
		if [ "$status" -eq 0 ]; then
			jq -r --arg n "$n" '[$n, "0", (keys | join(",")), (if .body.size? then "\(.body.size) bytes" else "\(tojson | length)" end)] | @tsv' "$A/output"
		else
			[ ! -e "$A/output" ]
			# libcurl's own codes differ from one version to the next.
			jq -r --arg n "$n" --arg s "$status" '[$n, $s, .category, (.code | sub("curl:[0-9]+$"; "curl"))] | @tsv' "$A/error"
		fi
	done >"$T/found.tsv"
	diff -u "$CORPUS/http/raw_replies/EXPECTED.tsv" "$T/found.tsv"
	# Where curl itself, in either version, does not take the answer, neither do we.
	jq -r '.[] | select(.["curl_7.88.1"].exit != 0) | .file[12:16]' "$CORPUS/http/raw_replies/INDEX.json" >"$T/refused"
	[ "$(wc -l <"$T/refused")" -gt 20 ]
	while read -r n; do
		grep -q "^$n	1	" "$T/found.tsv" || { echo "$n passes"; return 1; }
	done <"$T/refused"
}

# breaks METHOD PATH WANT: it fails so, and an unsafe request that was sent is not tried again.
breaks() {
	attempt <<<"{\"definition\": {\"caFile\": \"$T/ca.pem\", \"endpoint\": {\"url\": \"\$URL$2\", \"method\": \"$1\"}}}"
	failed_as "$3" || { echo "$1 $2"; return 1; }
	[ "$(error '"\(.retryable) \(.context.outcome)"')" = "$4" ] || { echo "$1 $2: $(cat "$A/error")"; return 1; }
	[ "$(trace 'length == 1 and (.[0].error != null)')" = true ]
}

@test "http: the connection breaks at each phase of an answer" {
	rules <<'R'
{"/head!": {}, "/nothing": {"steps": []}, "/line": {"steps": [{"send": "HTTP/1.1 200"}, {"reset": true}]},
 "/headers": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Le"}, {"reset": true}]},
 "/body": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"}, {"reset": true}]},
 "/short": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"}]},
 "/chunk": {"steps": [{"send": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n012"}]},
 "/chunks": {"steps": [{"send": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n"}]},
 "/badchunk": {"steps": [{"send": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n01234\r\n0\r\n\r\n"}]},
 "/continue": {"steps": [{"send": "HTTP/1.1 100 Continue\r\n\r\n"}]},
 "/noise": {"steps": [{"send": "SSH-2.0-OpenSSH_9.2\r\n"}]},
 "/long": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n0123456789"}]}}
R
	server
	local gone="network_connection_refused curl:56" wrong="api_response_malformed curl"
	breaks GET '/head!' "$gone" "true null"
	breaks POST '/head!' "$gone" "false unknown"
	breaks GET /nothing "network_connection_refused curl:52" "true null"
	breaks POST /nothing "network_connection_refused curl:52" "false unknown"
	breaks PATCH /line "$gone" "false unknown"
	breaks PUT /headers "$gone" "true null"
	breaks DELETE /body "$gone" "true null"
	breaks POST /body "$gone" "false unknown"
	breaks GET /short "$wrong:18" "true null"
	breaks POST /short "$wrong:18" "false unknown"
	breaks GET /chunk "$wrong:18" "true null"
	breaks GET /chunks "$wrong:18" "true null"
	breaks GET /badchunk "$wrong:56" "true null"
	breaks GET /noise "$wrong:1" "true null"
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/continue"}}}'
	[ "$status" -eq 1 ]
	[ ! -e "$A/output" ]
	# What stands behind a whole answer is not part of it.
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/long"}}}'
	succeeded
	[ "$(output .text)" = 01 ]
}

@test "http: nothing was sent, so anything may be tried again" {
	rules <<'R'
{"@accept": {"steps": [{"reset": true}]}}
R
	server
	local closed=$PORT
	attempt <<<'{"definition": {"endpoint": {"url": "http://127.0.0.1:1/", "method": "POST"}}}'
	failed_as "network_connection_refused curl:7"
	[ "$(error '"\(.retryable) \(.context.outcome) \(.context.curl)"')" = "true null CURLE_COULDNT_CONNECT" ]
	attempt <<<'{"definition": {"endpoint": {"url": "http://no-such-host.invalid/", "method": "POST"}}}'
	failed_as "network_connection_refused curl:6"
	[ "$(error '"\(.retryable) \(.context.outcome)"')" = "true null" ]
	attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"https://127.0.0.1:$closed/\", \"method\": \"POST\"}}}"
	[ "$status" -eq 1 ]
	[ "$(error .category)" = network_connection_refused ]
	[ "$(error '"\(.retryable) \(.context.outcome)"')" = "true null" ]
}

@test "http: over TLS an answer that only the end of the connection bounds needs a proper end" {
	rules <<'R'
{"/proper": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it"}, {"unwrap": true}]},
 "/cut": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of"}]},
 "/reset": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of"}, {"reset": true}]}}
R
	server tls
	attempt <<<'{"definition": {"caFile": "$T/ca.pem", "endpoint": {"url": "$URL/proper"}}}'
	succeeded
	[ "$(output .text)" = "all of it" ]
	breaks GET /cut "api_response_malformed reply_malformed" "true null"
	breaks POST /reset "network_connection_refused curl:56" "false unknown"
}
