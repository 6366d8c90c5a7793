#!/usr/bin/env bats
# Each field of a definition and of an API's entry that the engine and the tools obey, with two values: what comes of
# them differs.  Fields that other tests show are not here; tests/http/fields.txt says which test is whose.

load helpers
load http_engine

setup() {
	spool_setup
	http_setup
	export CREEL_SPOOL=$S
}
teardown() {
	http_teardown
	spool_teardown
}

# A plan with an action for each definition that is named, with the inputs $IN; it need not succeed.
go() {
	jq -n --argjson in "${IN:-{\}}" '{name: "p", actions: [$ARGS.positional[] | {id: ., actionDefinitionId: ., inputs: $in,
		errorHandling: {continueOnFailure: true}}]}' --args "$@" | drop p.json
	drain --config "$CONFIG"
}

of() {
	requests "[.[] | select(.path | startswith(\"/$1\"))] | $2"
}

secret_file() {
	printf '%s' "$2" >"$T/secrets/$1"
	chmod 600 "$T/secrets/$1"
}

@test "fields for people and plans: id, name, description, version, apiId, notes, the API's name, version and baseUrl (S0-DEF, S0-API)" {
	definition one '{"id": "other", "name": "Name A", "description": "Says A", "version": "1.2.3"}'
	definition two '{"name": "Name B", "description": "Says B", "version": "1.2.4", "apiId": "far"}'
	api near '{"name": "Near by", "version": "v7", "notes": "ask at night"}'
	api far '{"name": "Far off", "version": "v8", "baseUrl": "'"$URL"'/elsewhere", "notes": "ask by day"}'
	# a plan names the id, not the file
	go one
	[ -n "$(ls "$S"/rejected)" ]
	rm "$S"/rejected/*
	go other two
	plan=$(where)/plan.json
	[ "$(jq -r '.definitions | .other.version, .two.version' "$plan" | tr '\n' ' ')" = "1.2.3 1.2.4 " ]
	[ "$(jq -r '.apis | keys | join(" ")' "$plan")" = "far near" ]
	[ "$(jq -r .http.api.apiId "$(where)/actions/other/1/request.json")" = near ]
	[ "$(jq -r .http.api.apiId "$(where)/actions/two/1/request.json")" = far ]
	run "$BIN/creel" action show other
	[[ $output == "other 1.2.3: Name A"$'\n'*"Says A"*"API         near: Near by, version v7, $URL"*"ask at night"* ]]
	run "$BIN/creel" action show two
	[[ $output == "two 1.2.4: Name B"$'\n'*"Says B"*"API         far: Far off, version v8, $URL/elsewhere"*"ask by day"* ]]
	# without apiId the URL decides
	api near '{"baseUrl": "'"$URL"'/nowhere"}'
	[ "$("$BIN/creel" action show --json other | jq .api)" = null ]
}

@test "fields of authentication that the daemon reads: type, token, tokenFrom, header, value, valueFrom, clientSecret, refreshToken, secrets, handler (S0-DEF)" {
	local k
	secret_file A file-secret-A
	secret_file B file-secret-B
	export ENV_A=env-secret-A ENV_B=env-secret-B
	auth() { definition "$1" "{\"authentication\": $2}"; }
	auth b1 '{"type": "bearer", "token": "ENV_A", "tokenFrom": "env"}'
	auth b2 '{"type": "bearer", "token": "ENV_B", "tokenFrom": "env"}'
	auth b3 '{"type": "bearer", "token": "A", "tokenFrom": "secret"}'
	auth k1 '{"type": "api_key", "header": "X-One", "value": "ENV_A", "valueFrom": "env"}'
	auth k2 '{"type": "api_key", "header": "X-Two", "value": "ENV_B", "valueFrom": "env"}'
	auth k3 '{"type": "api_key", "header": "X-Two", "value": "B", "valueFrom": "secret"}'
	oauth='"type": "oauth2", "clientId": "me", "tokenUrl": "'"$URL"'/token"'
	auth o1 "{$oauth, \"scope\": [\"1\"], \"clientSecret\": \"env:ENV_A\"}"
	auth o2 "{$oauth, \"scope\": [\"2\"], \"clientSecret\": \"secret:B\"}"
	auth o3 "{$oauth, \"scope\": [\"3\"], \"clientSecret\": \"env:ENV_A\", \"refreshToken\": \"secret:A\"}"
	auth o4 "{$oauth, \"scope\": [\"4\"], \"clientSecret\": \"env:ENV_A\", \"refreshToken\": \"env:ENV_B\"}"
	for k in h1 h2; do
		printf '#!/bin/sh\njq -c "{headers: {(\\"X-%s\\"): (.secrets.key + \\"-signed\\")}}"\n' $k >"$S/catalog/handlers/$k"
		chmod 755 "$S/catalog/handlers/$k"
	done
	auth c1 '{"type": "custom", "handler": "h1", "secrets": {"key": "env:ENV_A"}}'
	auth c2 '{"type": "custom", "handler": "h2", "secrets": {"key": "secret:B"}}'
	go b1 b2 b3 k1 k2 k3 o1 o2 o3 o4 c1 c2
	[ "$(state '[.actionStates[] | select(.status != "completed") | .actionId] | join(" ")')" = "" ]
	[ "$(for k in b1 b2 b3; do of $k '.[0].headers.Authorization'; done | tr '\n' ,)" = "Bearer env-secret-A,Bearer env-secret-B,Bearer file-secret-A," ]
	[ "$(for k in k1 k2 k3; do of $k '.[0].headers | .["X-One"] // .["X-Two"]'; done | tr '\n' ,)" = "env-secret-A,env-secret-B,file-secret-B," ]
	[ "$(of k1 '.[0].headers | has("X-One"), has("X-Two")' | tr '\n' ' ')" = "true false " ]
	of token 'map({body: (.body | gsub("%20"; "+")), auth: (.headers.Authorization[6:] | @base64d)}) | sort_by(.body) | .[] | "\(.auth) \(.body)"' >"$T/tokens"
	cat "$T/tokens"
	grep -qx 'me:env-secret-A grant_type=client_credentials&scope=1' "$T/tokens"
	grep -qx 'me:file-secret-B grant_type=client_credentials&scope=2' "$T/tokens"
	grep -q 'grant_type=refresh_token.*refresh_token=file-secret-A' "$T/tokens"
	grep -q 'grant_type=refresh_token.*refresh_token=env-secret-B' "$T/tokens"
	[ "$(of c1 '.[0].headers["X-h1"]')" = env-secret-A-signed ]
	[ "$(of c2 '.[0].headers["X-h2"]')" = file-secret-B-signed ]
}

@test "fields of retryPolicy: maxAttempts, initialDelay, maxDelay, backoffMultiplier, retryableErrors, jitter (S0-DEF)" {
	policy() {
		definition "$1" "$(jq -nc --argjson p "$2" '{retryPolicy: ({maxAttempts: 4, initialDelay: 20, maxDelay: 1000, backoffMultiplier: 1,
			jitter: false, retryableErrors: ["api_unexpected_status"]} + $p)}')"
	}
	echo 503 >"$W/status"
	policy p4 '{}'
	policy p2 '{"maxAttempts": 2}'
	policy none '{"retryableErrors": ["network_timeout"]}'
	policy later '{"initialDelay": 60}'
	policy grows '{"backoffMultiplier": 3}'
	policy capped '{"backoffMultiplier": 5, "maxDelay": 50}'
	policy spread '{"maxAttempts": 8, "initialDelay": 200, "maxDelay": 200, "jitter": true}'
	go p4 p2 none later grows capped spread
	[ "$(state '.actionStates | [.p4, .p2, .none] | map(.attempts) | tostring')" = "[4,2,1]" ]
	# how long it was to wait each time, in ms, from the times in the journal
	waits() {
		events 'def ms: (.[:19] + "Z" | fromdateiso8601) * 1000 + (.[20:23] | tonumber);
			[.[] | select(.type == "action.retry.scheduled" and .action == "'"$1"'") | (.notBefore | ms) - (.at | ms)] | map(tostring) | join(" ")'
	}
	[ "$(waits p4)" = "20 20 20" ]
	[ "$(waits later)" = "60 60 60" ]
	[ "$(waits grows)" = "20 60 180" ]
	[ "$(waits capped)" = "20 50 50" ]
	# seven waits that were all of the full length would be no jitter
	[ "$(waits spread | wc -w)" -eq 7 ]
	[ "$(waits spread)" != "200 200 200 200 200 200 200" ]
	[ "$(waits spread | tr ' ' '\n' | sort -n | tail -1)" -le 200 ]
}

@test "fields of examples: name, input, output (S0-DEF)" {
	definition one '{"endpoint": {"url": "'"$URL"'/one/{n}"}, "examples": [{"name": "first", "input": {"n": "1"}, "output": {"path": "/one/1"}},
		{"name": "second", "input": {"n": "2"}, "output": {"path": "/one/1"}}, {"name": "third", "input": {"n": "1"}, "output": {"path": "/one/2"}}]}'
	run "$BIN/creel" action test --config "$CONFIG" one
	[ "$status" -eq 1 ]
	[ "$output" = "first: as expected
second: differs
    path: expected /one/1, came /one/2
third: differs
    path: expected /one/2, came /one/1" ]
}
