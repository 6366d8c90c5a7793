#!/usr/bin/env bats
# Secrets planted in every place that an HTTP action can take them from, with a service that says them all aloud: they are
# in no file of the spool and in no process's arguments, in no spelling.

load helpers
load http_engine

setup() {
	spool_setup
	export CREEL_SPOOL=$S
	W=$T/echo
	mkdir "$W"
	mkdir -m 700 "$T/secrets"
}
teardown() {
	http_teardown
	spool_teardown
}

# secret NAME: a new one, in the list, and as a file for the daemon.  With all that has
# another spelling somewhere.
secret() {
	local value
	value="$1+/=&\"\\%'$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')"
	printf '%s\n' "$value" >>"$W/secrets"
	printf '%s' "$value" >"$T/secrets/$1"
	chmod 600 "$T/secrets/$1"
}

# A definition of the echo: ID AUTHENTICATION [MORE].
echoing() {
	definition "$1" "$(printf '{"endpoint": {"method": "POST", "url": "%s"}, "authentication": %s}' "${3:-$URL/echo/$1}" "$2")"
}

# Is every secret of these names in a request that came?
was_told() {
	local name
	for name in "$@"; do
		# not as an argument: those are looked through
		jq -Rn --rawfile s "$T/secrets/$name" '$s' >"$T/wanted"
		grep -qFf "$T/wanted" "$W/requests" ||
			{ echo "$name did not reach the server"; return 1; }
	done
}

clean() {
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../http/leaks.py" "$W/secrets" "$1"
}

finds() {
	! clean "$1" >"$T/findings" && grep -q ": $2 of " "$T/findings"
}

asked_for_input() {
	[ -n "$(ls "$S"/confirm/*.typed.request.json)" ]
}

is_over() {
	[ -z "$(ls "$S/active")" ]
}

@test "SEC: the search finds what it looks for, in each spelling" {
	local name
	secret one
	/usr/bin/python3 - "$W/secrets" "$T" <<-'E'
	import base64, json, os, sys, urllib.parse
	s = open(sys.argv[1]).read().strip()
	for name, text in {"raw": s, "percent": urllib.parse.quote(s, safe=""), "JSON": json.dumps({"a": s}),
	                   "base64": base64.b64encode(("user:" + s + "z").encode()).decode()}.items():
	    os.mkdir(os.path.join(sys.argv[2], "in-" + name))
	    open(os.path.join(sys.argv[2], "in-" + name, "f"), "w").write("before " + text + " after")
	E
	for name in raw percent JSON base64; do
		finds "$T/in-$name" $name || { cat "$T/findings"; false; }
	done
	mkdir "$T/in-none"
	echo harmless >"$T/in-none/f"
	clean "$T/in-none"
}

@test "SEC: secrets from every place, echoed by every means, are in no file of the spool and in no arguments (S0-DEF, S0-TRACE)" {
	local name
	for name in envtoken filekey queryvalue client refresh failing signing typed input path body; do secret $name; done
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../http/echo.py" "$W" "$S" 2>"$T/server.log" 3>&- &
	SERVER=$!
	wait_until test -s "$W/port"
	URL=http://127.0.0.1:$(cat "$W/port")
	CONFIG=$T/config.yaml
	EXECUTOR=$BIN/creel-http
	http_config '{}'

	echoing env '{"type": "bearer", "token": "ENV_TOKEN", "tokenFrom": "env"}'
	echoing file '{"type": "api_key", "header": "X-Key", "value": "filekey", "valueFrom": "secret"}'
	echoing query '{"type": "api_key", "header": "access", "value": "queryvalue", "valueFrom": "secret", "location": "query"}'
	echoing oauth '{"type": "oauth2", "clientId": "me", "clientSecret": "env:ENV_CLIENT", "tokenUrl": "'"$URL/token"'",
		"scope": ["a"], "refreshToken": "secret:refresh"}'
	echoing oauth-body '{"type": "oauth2", "clientId": "me", "clientSecret": "env:ENV_CLIENT", "tokenUrl": "'"$URL/token"'",
		"scope": ["b"], "clientAuth": "body"}'
	echoing oauth-fail '{"type": "oauth2", "clientId": "me", "clientSecret": "secret:failing", "tokenUrl": "'"$URL/token-fail"'", "scope": []}'
	echoing typed '{"type": "bearer", "token": "the token, please", "tokenFrom": "user_input"}'
	echoing redirect '{"type": "bearer", "token": "ENV_TOKEN", "tokenFrom": "env"}' "$URL/redirect"
	echoing fail '{"type": "bearer", "token": "ENV_TOKEN", "tokenFrom": "env"}' "$URL/echo/fail"
	echoing custom '{"type": "custom", "handler": "sign", "secrets": {"key": "secret:signing"}}'
	# What a signing program makes is a secret too.
	printf 'signed+/%s' "$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')" >"$T/secrets/signature"
	{ cat "$T/secrets/signature" && echo; } >>"$W/secrets"
	cat >"$S/catalog/handlers/sign" <<-E
	#!/usr/bin/python3
	import json, sys
	given = json.load(sys.stdin)
	assert given["secrets"]["key"] == open("$T/secrets/signing").read()
	print("signing with", given["secrets"]["key"], file=sys.stderr)
	print(json.dumps({"headers": {"X-Signature": open("$T/secrets/signature").read(), "X-Signed-With": given["secrets"]["key"]}}))
	E
	chmod 755 "$S/catalog/handlers/sign"
	definition inputs '{"endpoint": {"method": "POST", "url": "'"$URL"'/echo/{p}?q={q}", "headers": {"X-In": "Key {q}"}},
		"inputSchema": {"p": "string", "q": "string", "b": "string", "more": "object"}}'
	drop p.yaml <<-'E'
	name: p
	actions:
	- {id: bearer, actionDefinitionId: env}
	- {id: file, actionDefinitionId: file}
	- {id: query, actionDefinitionId: query}
	- {id: oauth, actionDefinitionId: oauth}
	- {id: oauth-body, actionDefinitionId: oauth-body}
	- {id: oauth-fail, actionDefinitionId: oauth-fail, errorHandling: {continueOnFailure: true}}
	- {id: typed, actionDefinitionId: typed}
	- {id: redirect, actionDefinitionId: redirect}
	- {id: fail, actionDefinitionId: fail, errorHandling: {continueOnFailure: true}}
	- {id: custom, actionDefinitionId: custom}
	- {id: given, actionDefinitionId: inputs, inputs: {p: "${secrets.path}", q: "${secrets.input}", b: "say ${secrets.body}", more: {deep: ["${secrets.body}"]}}}
	- {id: hands-on, actionDefinitionId: inputs, inputs: {p: x, q: "${bearer.output.text}", b: "${given.output.text}", more: {}}, dependencies: [bearer, given]}
	E
	ENV_TOKEN=$(cat "$T/secrets/envtoken") ENV_CLIENT=$(cat "$T/secrets/client") daemon_start --config "$CONFIG"
	wait_until asked_for_input
	# as a person would write it, into the decision
	jq -Rn --rawfile s "$T/secrets/typed" '{input: $s}' >"$T/decision"
	request=$(basename "$S"/confirm/*.typed.request.json .request.json)
	mv "$T/decision" "$S/confirm/$request.approve"
	wait_until is_over
	state '.actionStates | map_values(.status) | to_entries | map("\(.key) \(.value)") | join(", ")'
	[ "$(state '[.actionStates[] | select(.status == "failed") | .actionId] | sort | join(" ")')" = "fail oauth-fail" ]
	# the secrets were sent, and so the test could have found them
	was_told envtoken filekey queryvalue client refresh failing signing signature typed input path body
	[ "$(cat "$W/looks")" -gt 10 ]
	[ ! -e "$W/seen" ] || { sort -u "$W/seen"; false; }
	clean "$S"
	for name in bearer oauth custom given redirect fail; do
		mkdir "$T/shown-$name"
		"$BIN/creel" trace -v last $name >"$T/shown-$name/text"
		"$BIN/creel" trace --har last $name >"$T/shown-$name/har"
		"$BIN/creel" trace --curl last $name >"$T/shown-$name/curl"
		"$BIN/creel" log last $name >"$T/shown-$name/out" 2>&1
		clean "$T/shown-$name"
	done
	daemon_stop
	clean "$S"
}
