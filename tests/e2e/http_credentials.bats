#!/usr/bin/env bats
# What HTTP actions prove who they are with: where it comes from, that it reaches the server, and that it stands in no file
# of the spool and on no command line (S0-DEF authentication, SEC).  And what may not be done twice.

load helpers
load http_engine

VALUE='Hunter2/"quoted"=x'

setup() {
	spool_setup
	http_setup
	secret token "$VALUE"
}
teardown() {
	http_teardown
	spool_teardown
}

secret() {
	(umask 077 && printf '%s\n' "$2" >"$T/secrets/$1")
}

# A GET with this authentication.
auth() {
	definition "$1" "{\"authentication\": $2}"
}

plan() {
	drop "$1.json" <<-E
	{"name": "$1", "actions": [$2]}
	E
}

nowhere() {
	not grep -rlF -e "$1" "$S"
}

sent() {
	[ "$(requests "map(.headers[\"$1\"] // \"-\") | join(\" \")")" = "$2" ] || { requests; return 1; }
}

asks() {
	[ -e "$S/confirm/$(id_of "$1").$2.request.json" ]
}

asked_again() {
	[ "$(jq .number "$S/confirm/$(id_of "$1").$2.request.json")" -eq "$3" ]
}

@test "S0-DEF authentication: bearer and api_key from the daemon's environment and from secrets" {
	auth b1 '{"type": "bearer", "token": "SHOP_TOKEN", "tokenFrom": "env"}'
	auth b2 '{"type": "bearer", "token": "token", "tokenFrom": "secret"}'
	auth k1 '{"type": "api_key", "header": "X-Key", "value": "SHOP_KEY", "valueFrom": "env"}'
	auth k2 '{"type": "api_key", "header": "X-Key", "value": "token", "valueFrom": "secret"}'
	plan p '{"id": "a", "actionDefinitionId": "b1"}, {"id": "b", "actionDefinitionId": "b2", "dependencies": ["a"]},
		{"id": "c", "actionDefinitionId": "k1", "dependencies": ["b"]}, {"id": "d", "actionDefinitionId": "k2", "dependencies": ["c"]}'
	SHOP_TOKEN=tok-from-env SHOP_KEY=key-from-env drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	sent Authorization "Bearer tok-from-env Bearer $VALUE - -"
	sent X-Key "- - key-from-env $VALUE"
	nowhere tok-from-env
	nowhere key-from-env
	nowhere Hunter2
}

@test "S0-DEF authentication: one that is missing fails the attempt as auth_invalid, with what to set" {
	auth b1 '{"type": "bearer", "token": "SHOP_TOKEN", "tokenFrom": "env"}'
	auth b2 '{"type": "bearer", "token": "none", "tokenFrom": "secret"}'
	plan p '{"id": "a", "actionDefinitionId": "b1", "onFailure": "continue"}, {"id": "b", "actionDefinitionId": "b2"}'
	drain --config "$CONFIG"
	[ "$status" -eq 1 ]
	[ "$(state '.actionStates | [.a, .b] | map(.result.error | "\(.category) \(.code) \(.retryable)") | unique | tojson')" = '["auth_invalid credentials false"]' ]
	[[ $(state .actionStates.a.result.error.message) == *'"SHOP_TOKEN" is not set in creeld'"'"'s environment' ]]
	[[ $(state .actionStates.b.result.error.message) == *'there is no secret "none" in'* ]]
	[ "$(requests length)" -eq 0 ]
}

@test "SEC: a secret in the inputs of an HTTP action reaches the server and no file" {
	definition post '{"endpoint": {"url": "'"$URL"'/{id}", "method": "POST", "headers": {"X-Sign": "{sign}"}}}'
	plan p '{"id": "a", "actionDefinitionId": "post", "inputs": {"id": "x", "sign": "v1 ${secrets.token}", "deep": {"list": ["${secrets.token}"]}}}'
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	sent X-Sign "v1 $VALUE"
	[ "$(jq -r .inputs.sign "$(where)/actions/a/1/request.json")" = "v1 ***" ]
	nowhere Hunter2
	# but not where it would be seen
	plan q '{"id": "a", "actionDefinitionId": "post", "inputs": {"id": "x", "sign": "y"}, "when": "secrets.token == 1"}'
	drain --config "$CONFIG"
	ls "$S"/rejected/*q.json.error.json
}

@test "SEC: while a request is under way neither the spool nor any command line or environment holds the secret" {
	auth b '{"type": "bearer", "token": "token", "tokenFrom": "secret"}'
	touch "$W/hold"
	plan p '{"id": "a", "actionDefinitionId": "b", "inputs": {"x": "${secrets.token}"}}'
	daemon_start --config "$CONFIG"
	asked() { [ "$(requests length)" -ge 1 ]; }
	wait_until asked
	nowhere Hunter2
	cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' >"$T/commands"
	not grep -F Hunter2 "$T/commands"
	for lock in "$S"/executions/*/*/actions/*/*/lock; do
		read -r pid sid _ <"$lock"
		tr '\0' '\n' <"/proc/${pid#pid=}/environ" >"$T/environ"
		! grep -F Hunter2 "$T/environ"
		# a clean one: nothing but what is creel's
		! grep -v '^CREEL_' "$T/environ"
	done
	rm "$W/hold"
	wait_until ended_all
	is_state .status completed
	nowhere Hunter2
}

@test "SEC: a server that echoes a secret gets it into no record" {
	auth b '{"type": "bearer", "token": "token", "tokenFrom": "secret"}'
	jq -n --arg v "$VALUE" '{text: "you sent \($v)"}' >"$W/body"
	plan p '{"id": "a", "actionDefinitionId": "b"}, {"id": "b", "actionDefinitionId": "command", "dependencies": ["a"], "inputs": {"command": "echo", "args": ["${a.output.text}"]}}'
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(stdout_of b)" = "you sent ***" ]
	nowhere Hunter2
}

@test "S0-DEF authentication: user_input is asked for once for all actions of a definition, held in memory, and asked for again after a restart" {
	auth b '{"type": "bearer", "token": "the token of the shop", "tokenFrom": "user_input"}'
	plan p '{"id": "a", "actionDefinitionId": "b"}, {"id": "b", "actionDefinitionId": "b"}, {"id": "c", "actionDefinitionId": "b", "dependencies": ["d"]},
		{"id": "d", "actionDefinitionId": "command", "inputs": {"command": "true"}, "dependencies": ["a", "b"],
		 "userConfirmation": {"required": true, "title": "go on", "message": "go on"}}'
	daemon_start --config "$CONFIG"
	wait_until asks p a
	id=$(id_of p)
	[ "$(jq -r '"\(.kind) \(.choices | join(","))"' "$S/confirm/$id.a.request.json")" = "input approve,reject" ]
	[[ $(jq -r .message "$S/confirm/$id.a.request.json") == *"the token of the shop" ]]
	[ ! -e "$S/confirm/$id.b.request.json" ]
	is_state .status paused_for_confirmation
	printf '%s\n' "$VALUE" | "$BIN/creel" --spool "$S" approve "$id" a --input >"$T/out" 2>&1
	wait_until asks p d
	sent Authorization "Bearer $VALUE Bearer $VALUE"
	nowhere Hunter2
	[ "$(cat "$(where)/actions/a/confirm-1/approve")" = '{"input":"***"}' ]
	not grep -F Hunter2 "$T/serving"
	daemon_stop
	daemon_start --config "$CONFIG"
	say "confirm/$id.d.approve"
	wait_until asks p c
	jq -n --arg v "$VALUE" '{input: $v, comment: "by hand"}' | say "confirm/$id.c.approve" -
	wait_until ended_all
	is_state .status completed
	sent Authorization "Bearer $VALUE Bearer $VALUE Bearer $VALUE"
	[ "$(state '[.confirmations[] | "\(.actionId) \(.kind) \(.decision)"] | join(", ")')" = "a input approve, d confirm approve, c input approve" ]
	nowhere Hunter2
}

@test "S0-DEF authentication: creel approve asks for the value without showing it; --drain says who is waited for" {
	auth b '{"type": "bearer", "token": "the token of the shop", "tokenFrom": "user_input"}'
	plan p '{"id": "a", "actionDefinitionId": "b"}, {"id": "b", "actionDefinitionId": "b"}'
	drain --config "$CONFIG"
	[ "$status" -eq 2 ]
	id=$(id_of p)
	grep -F "waits for a decision: creel approve $id a" "$T/log"
	not "$BIN/creel" --spool "$S" approve "$id" a </dev/null
	run "$BIN/creel" --spool "$S" approve "$id" a --input x=1 <<<"$VALUE"
	[ "$status" -eq 0 ]
	rm "$S/confirm/$id.a.approve"
	mkfifo "$T/keys"
	script -qefc "$BIN/creel --spool $S approve $id a --input" "$T/screen" <"$T/keys" >/dev/null 3>&- &
	exec 8>"$T/keys"
	wait_until grep -F 'type in: the token of the shop' "$T/screen"
	printf '%s\n' "$VALUE" >&8
	wait $!
	exec 8>&-
	[ "$(jq -r .input "$S/confirm/$id.a.approve")" = "$VALUE" ]
	[ "$(stat -c %a "$S/confirm/$id.a.approve")" = 640 ]
	not grep -F Hunter2 "$T/screen"
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	sent Authorization "Bearer $VALUE Bearer $VALUE"
	nowhere Hunter2
	run "$BIN/creel" --spool "$S" approve "$id" --input
	[ "$status" -eq 1 ] # it is over: nothing is asked for
}

@test "S0-DEF authentication: a value that the server refuses is asked for again; reject ends the execution" {
	auth k '{"type": "api_key", "header": "X-Key", "value": "the key", "valueFrom": "user_input"}'
	jq '.retryPolicy.maxAttempts = 5 | .retryPolicy.retryableErrors = ["auth_invalid"] | .knownErrors = [{pattern: ".", category: "auth_invalid", suggestion: "another key"}]' \
		"$S/catalog/actions/k.json" >"$T/k" && mv "$T/k" "$S/catalog/actions/k.json"
	api shop '{"errorMappings": [{"status": 401, "category": "auth_invalid", "retryable": true}]}'
	echo 401 >"$W/status"
	plan p '{"id": "a", "actionDefinitionId": "k"}'
	daemon_start --config "$CONFIG"
	wait_until asks p a
	id=$(id_of p)
	echo '{"input": "wrong-one"}' | say "confirm/$id.a.approve" -
	wait_until asked_again p a 2
	rm "$W/status"
	echo '{"input": "right-one"}' | say "confirm/$id.a.approve" -
	wait_until ended_all
	is_state .status completed
	sent X-Key "wrong-one right-one"
	nowhere wrong-one
	nowhere right-one
	plan q '{"id": "a", "actionDefinitionId": "k"}'
	wait_until asks q a
	"$BIN/creel" --spool "$S" reject "$(id_of q)" a
	wait_until ended_all
	[ "$(jq -r .status "$(where q)/state.json")" = cancelled ]
	[ "$(requests length)" -eq 2 ]
}

@test "SEC: a decision that is no answer to a request for a value keeps nothing of what was typed in" {
	auth b '{"type": "bearer", "token": "the token", "tokenFrom": "user_input"}'
	plan p '{"id": "a", "actionDefinitionId": "b"}'
	daemon_start --config "$CONFIG"
	wait_until asks p a
	id=$(id_of p)
	refused() { [ "$(ls "$S"/rejected/*.error.json 2>/dev/null | wc -l)" -eq "$1" ]; }
	say "confirm/$id.a.approve"
	wait_until refused 1
	echo '{"input": "Hunt' | say "confirm/$id.a.approve" -
	wait_until refused 2
	echo '{"input": {"token": "Hunter2"}}' | say "confirm/$id.a.approve" -
	wait_until refused 3
	echo '{"input": "Hu2"}' | say "confirm/$id.a.approve" -
	wait_until refused 4
	echo '{"input": "Hunter2", "number": 7}' | say "confirm/$id.a.approve" -
	wait_until refused 5
	echo '{"input": "Hunter2"}' | say "confirm/$id.zz.approve" -
	wait_until refused 6
	nowhere Hunt
	nowhere Hu2
	[[ $(jq -rs 'map(.message) | join("; ")' "$S"/rejected/*.error.json) == *"less than 4 bytes"* ]]
	# none of them counted
	asked_again p a 1
	"$BIN/creel" --spool "$S" cancel "$id" >/dev/null
	wait_until ended_all
}

@test "S0-DEF authentication: an oauth2 token is fetched once by many waiters of several executions" {
	auth o '{"type": "oauth2", "clientId": "creel", "clientSecret": "secret:token", "tokenUrl": "'"$URL"'/token", "scope": ["all"]}'
	one='{"id": "a", "actionDefinitionId": "o"}, {"id": "b", "actionDefinitionId": "o"}, {"id": "c", "actionDefinitionId": "o"}, {"id": "d", "actionDefinitionId": "o"}'
	plan p "$one"
	plan q "$one"
	daemon_start --config "$CONFIG" --max-concurrency 8
	wait_until ended_all
	[ "$(requests '[.[] | select(.path == "/token")] | length')" -eq 1 ]
	[ "$(requests '[.[] | select(.path == "/o" and (.headers.Authorization | startswith("Bearer granted-")))] | length')" -eq 8 ]
	# the token is in no file either
	nowhere granted-
	nowhere Hunter2
	# it is the daemon's memory: the next one fetches its own
	daemon_stop
	plan r '{"id": "a", "actionDefinitionId": "o"}'
	drain --config "$CONFIG"
	[ "$(requests '[.[] | select(.path == "/token")] | length')" -eq 2 ]
}

# ---- what may not be done twice ----

# The executor and its supervisor are killed in the middle of the request.
kill_attempt() {
	local lock pid
	lock=$(where)/actions/a/$1/lock
	read -r pid _ <"$lock"
	pid=${pid#pid=}
	kill -9 "$(awk '{print $4}' "/proc/$pid/stat")" "$pid"
}

post() {
	definition "$1" "$(jq -n --argjson more "${2:-null}" '{endpoint: {method: "POST"}} * ($more // {})')"
	touch "$W/hold"
	plan p '{"id": "a", "actionDefinitionId": "'"$1"'"}'
	daemon_start --config "$CONFIG"
	wait_until asked_n 1
}

asked_n() {
	[ "$(requests length)" -ge "$1" ]
}

@test "S0-DEF: a lost POST is not repeated unawares: a person is asked" {
	post post
	kill_attempt 1
	wait_until asks p a
	[ "$(jq -r .kind "$S/confirm/$(id_of p).a.request.json")" = lost ]
	[ "$(requests length)" -eq 1 ]
	rm "$W/hold"
	"$BIN/creel" --spool "$S" retry "$(id_of p)" a >/dev/null
	wait_until ended_all
	is_state .status completed
	[ "$(requests length)" -eq 2 ]
}

@test "S0-DEF: a lost POST is repeated with the same key where its definition names the key's header, or says retryUnsafe" {
	post post '{"idempotencyKeyHeader": "X-Once"}'
	kill_attempt 1
	wait_until asked_n 2
	rm "$W/hold"
	wait_until ended_all
	[ "$(events '[.[] | select(.type == "action.lost") | .then] | join(" ")')" = rerun ]
	[ "$(requests length)" -eq 2 ]
	daemon_stop
	mv "$S/executions" "$T/before" && mkdir "$S/executions"
	rm "$W/requests"
	post again '{"retryUnsafe": true}'
	kill_attempt 1
	wait_until asked_n 2
	rm "$W/hold"
	wait_until ended_all
	[ "$(events '[.[] | select(.type == "action.lost") | .then] | join(" ")')" = rerun ]
}

@test "S0-DEF: a lost GET is simply made again; a plan's own onLost goes before" {
	definition get
	touch "$W/hold"
	plan p '{"id": "a", "actionDefinitionId": "get"}'
	daemon_start --config "$CONFIG"
	wait_until asked_n 1
	kill_attempt 1
	wait_until asked_n 2
	rm "$W/hold"
	wait_until ended_all
	is_state .status completed
	daemon_stop
	EX=$(id_of p)
	definition post '{"endpoint": {"method": "POST"}}'
	touch "$W/hold"
	plan q '{"id": "a", "actionDefinitionId": "post", "onLost": "fail"}'
	daemon_start --config "$CONFIG"
	wait_until asked_n 3
	EX=$(EX= id_of q)
	kill_attempt 1
	wait_until ended_all
	is_state .status failed
	[ "$(requests length)" -eq 3 ]
}

@test "S0-DEF: a POST that was killed or timed out has an unknown outcome and is not retried, whatever the policy" {
	definition post "$(jq -n --argjson r "$(retries 3 1)" '{endpoint: {method: "POST", timeout: 0}} * $r')"
	printf '#!/bin/sh\n[ ! -e %s ] || exec sleep 600\nexec %s\n' "$T/stall" "$EXECUTOR" >"$T/executor"
	chmod +x "$T/executor"
	EXECUTOR=$T/executor http_config '{}'
	touch "$T/stall"
	plan p '{"id": "a", "actionDefinitionId": "post", "timeoutMs": 300}'
	drain --config "$CONFIG"
	[ "$status" -eq 1 ]
	[ "$(state '.actionStates.a | "\(.attempts) \(.result.error.category) \(.result.error.retryable) \(.result.error.context.outcome)"')" = "1 network_timeout false unknown" ]
	# a GET is
	definition get "$(jq -n --argjson r "$(retries 3 1)" '{endpoint: {timeout: 0}} * $r')"
	plan q '{"id": "a", "actionDefinitionId": "get", "timeoutMs": 300}'
	drain --config "$CONFIG"
	EX=$(id_of q)
	is_state .actionStates.a.attempts 3
}
