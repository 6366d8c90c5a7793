#!/usr/bin/env bats
# Each field of a definition and of an API's entry that the executor obeys, with two values: what comes of them differs.
# Fields that other tests show are not here; tests/http/fields.txt says which test is whose.

load http

setup() { http_setup; }
teardown() { http_teardown; }

# try JSON: an attempt with that, and nothing else, in the definition beside a GET of $URL/x; with $1 the API's part.
with() {
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/x"}}, '"$1"'}'
}

@test "fields of the endpoint: url, method, headers, query, body, timeout (S0-DEF)" {
	rules <<R
{"*": {"echo": true}, "/slow": {"steps": [{"until": "$T/never"}]}}
R
	server
	with '"definition": {"endpoint": {"url": "$URL/one"}}'
	[ "$(asked '.[-1].target')" = /one ]
	with '"definition": {"endpoint": {"url": "$URL/two"}}'
	[ "$(asked '.[-1].target')" = /two ]
	with '"definition": {"endpoint": {"method": "DELETE"}}'
	[ "$(asked '.[-1].method')" = DELETE ]
	with '"definition": {"endpoint": {"method": "PATCH"}}'
	[ "$(asked '.[-1].method')" = PATCH ]
	with '"definition": {"endpoint": {"headers": {"X-One": "1"}}}'
	[ "$(asked '.[-1].headers | .["x-one"], .["x-two"] | tostring' | tr '\n' ' ')" = "1 null " ]
	with '"definition": {"endpoint": {"headers": {"X-Two": "2"}}}'
	[ "$(asked '.[-1].headers | .["x-one"], .["x-two"] | tostring' | tr '\n' ' ')" = "null 2 " ]
	with '"definition": {"endpoint": {"url": "$URL/x", "query": {"a": "1"}}}'
	[ "$(asked '.[-1].target')" = "/x?a=1" ]
	with '"definition": {"endpoint": {"url": "$URL/x", "query": {"b": "{in}"}}}, "inputs": {"in": "v"}'
	[ "$(asked '.[-1].target')" = "/x?b=v" ]
	with '"definition": {"endpoint": {"method": "POST"}}, "inputs": {"in": 5}'
	[ "$(asked '.[-1].body')" = '{"in":5}' ]
	with '"definition": {"endpoint": {"method": "POST", "body": {"deep": ["{in}"]}}}, "inputs": {"in": 5}'
	[ "$(asked '.[-1].body')" = '{"deep":[5]}' ]
	with '"definition": {"endpoint": {"url": "$URL/slow", "timeout": 200}}'
	failed_as "network_timeout $(error .code)"
	touch "$T/never"
	with '"definition": {"endpoint": {"url": "$URL/slow", "timeout": 20000}}'
	[ "$(error .category)" != network_timeout ]
}

@test "fields of the definition: idempotencyKeyHeader, retryUnsafe, maxResponseSize, followRedirects (S0-DEF)" {
	rules <<'R'
{"*": {"echo": true}, "/cut": {"steps": [{"reset": true}]}, "/ten": {"body": "0123456789"},
 "/1": {"status": 302, "headers": {"Location": "/2"}}, "/2": {"status": 302, "headers": {"Location": "/ten"}}}
R
	server
	with '"definition": {"endpoint": {"method": "POST"}}'
	[ "$(asked '.[-1].headers["idempotency-key"]')" = '0190-x.a' ] || [ "$(asked '.[-1].headers["idempotency-key"]')" = '"0190-x.a"' ]
	with '"definition": {"endpoint": {"method": "POST"}, "idempotencyKeyHeader": "X-Once"}'
	[ "$(asked '.[-1].headers | has("idempotency-key"), has("x-once")' | tr '\n' ' ')" = "false true " ]
	with '"definition": {"endpoint": {"method": "POST"}, "idempotencyKeyHeader": false}'
	[ "$(asked '.[-1].headers | has("idempotency-key")')" = false ]
	with '"definition": {"endpoint": {"url": "$URL/cut", "method": "POST"}}'
	[ "$(error '"\(.retryable) \(.context.outcome)"')" = "false unknown" ]
	with '"definition": {"endpoint": {"url": "$URL/cut", "method": "POST"}, "retryUnsafe": true}'
	[ "$(error .retryable)" = true ]
	with '"definition": {"endpoint": {"url": "$URL/ten"}, "maxResponseSize": 10}'
	succeeded
	with '"definition": {"endpoint": {"url": "$URL/ten"}, "maxResponseSize": 9}'
	failed_as "api_response_malformed body_too_large"
	with '"definition": {"endpoint": {"url": "$URL/1"}, "followRedirects": 2}'
	succeeded
	with '"definition": {"endpoint": {"url": "$URL/1"}, "followRedirects": 1}'
	[ "$status" -eq 1 ]
}

@test "fields of oauth2: clientId, clientAuth, tokenUrl, scope (S0-DEF)" {
	local auth
	rules <<'R'
{"*": {"echo": true}, "/t1": {"json": {"access_token": "token-one-1", "token_type": "Bearer"}},
 "/t2": {"json": {"access_token": "token-two-2", "token_type": "Bearer"}}}
R
	server
	oauth() {
		rm -f "$T/tokens"
		auth=$(jq -nc --argjson more "$1" '{type: "oauth2", clientId: "me", clientSecret: "env:X", tokenUrl: "$URL/t1", scope: ["a"]} + $more')
		with "\"definition\": {\"authentication\": $auth}, \"secrets\": {\"clientSecret\": \"s3cr3t-client\"}"
		succeeded
	}
	oauth '{}'
	[ "$(asked '.[-1].headers.authorization')" = "Bearer token-one-1" ]
	[ "$(asked '.[-2].headers.authorization' | cut -d' ' -f2 | base64 -d)" = me:s3cr3t-client ]
	[[ "$(asked '.[-2].body')" == *scope=a ]]
	oauth '{"clientId": "you"}'
	[ "$(asked '.[-2].headers.authorization' | cut -d' ' -f2 | base64 -d)" = you:s3cr3t-client ]
	oauth '{"clientAuth": "body"}'
	[ "$(asked '.[-2].headers.authorization')" = null ]
	[[ "$(asked '.[-2].body')" == *client_secret=s3cr3t-client* ]]
	oauth '{"tokenUrl": "$URL/t2"}'
	[ "$(asked '.[-1].headers.authorization')" = "Bearer token-two-2" ]
	oauth '{"scope": ["b", "c"]}'
	[[ "$(asked '.[-2].body')" == *scope=b[+%]*c ]]
}

@test "fields of knownErrors and errorMappings: pattern, status, header, category, retryable, suggestion (S0-DEF, S0-API, S0-ERR)" {
	rules <<'R'
{"*": {"status": 418, "headers": {"X-Why": "locked by me"}, "json": {"error": {"message": "it is busy"}}}}
R
	server
	verdict() { error '"\(.category) \(.retryable) \(.suggestion // "")"'; }
	with '"definition": {}'
	[ "$(error .category)" = api_unexpected_status ]
	with '"definition": {"knownErrors": [{"pattern": "no such", "category": "auth_invalid", "suggestion": "s1"}, {"pattern": "is bus[ry]", "category": "state_inconsistent", "suggestion": "s2"}]}'
	[[ "$(verdict)" == "state_inconsistent "*" s2" ]]
	with '"definition": {"knownErrors": [{"pattern": "busy", "category": "auth_invalid", "suggestion": "s1"}]}'
	[[ "$(verdict)" == "auth_invalid "*" s1" ]]
	mapped() {
		with "\"api\": {\"apiId\": \"x\", \"quirks\": {}, \"errorMappings\": [{$1, \"category\": \"state_inconsistent\", \"retryable\": ${2:-true}}]}"
		error '"\(.category) \(.retryable)"'
	}
	[ "$(mapped '"status": 418')" = "state_inconsistent true" ]
	[ "$(mapped '"status": 418' false)" = "state_inconsistent false" ]
	[[ "$(mapped '"status": 419')" == "api_unexpected_status "* ]]
	[ "$(mapped '"pattern": "is busy"')" = "state_inconsistent true" ]
	[[ "$(mapped '"pattern": "is free"')" == "api_unexpected_status "* ]]
	[ "$(mapped '"header": {"name": "X-Why", "pattern": "^locked"}')" = "state_inconsistent true" ]
	[[ "$(mapped '"header": {"name": "X-Because", "pattern": "^locked"}')" == "api_unexpected_status "* ]]
	[[ "$(mapped '"header": {"name": "X-Why", "pattern": "^me"}')" == "api_unexpected_status "* ]]
	# all that a rule names must fit
	[[ "$(mapped '"status": 418, "pattern": "is free"')" == "api_unexpected_status "* ]]
}

@test "fields of rateLimiting: detection and extraction (S0-API)" {
	local reset iso
	reset=$(($(date +%s) + 300))
	iso=$(date -u -d "@$reset" +%Y-%m-%dT%H:%M:%SZ)
	rules <<R
{"*": {"status": 420, "headers": {"X-Throttled": "yes", "L": "60", "M": "61", "N": "3", "O": "4", "S": "$reset", "MS": "${reset}000", "ISO": "$iso"},
	"json": {"error": {"message": "slow down"}}}}
R
	server
	limited() { # DETECTION [EXTRACTION]
		with "\"api\": $(jq -nc --argjson d "$1" --argjson e "${2:-null}" '{apiId: "x", quirks: {}, errorMappings: [], rateLimiting: {
			detection: ({statusCodes: [], headers: []} + $d), extraction: ($e // {}), backoffStrategy: {type: "respect_reset"}}}')"
		[ "$status" -eq 1 ]
		trace '.[0].rateLimit | "\(.limited) \(.limit) \(.remaining) \((.resetAt // "-")[:19])"'
	}
	[ "$(limited '{}')" = "false null null -" ]
	[ "$(limited '{"statusCodes": [420]}')" = "true null null -" ] || [[ "$(limited '{"statusCodes": [420]}')" == "true null null "* ]]
	[[ "$(limited '{"statusCodes": [421]}')" == "false "* ]]
	[[ "$(limited '{"headers": ["x-throttled"]}')" == "true "* ]]
	[[ "$(limited '{"headers": ["x-other"]}')" == "false "* ]]
	[[ "$(limited '{"bodyPatterns": ["slow +down"]}')" == "true "* ]]
	[[ "$(limited '{"bodyPatterns": ["hurry"]}')" == "false "* ]]
	[[ "$(limited '{}' '{"limitHeader": "L", "remainingHeader": "N"}')" == "false 60 3 "* ]]
	[[ "$(limited '{}' '{"limitHeader": "M", "remainingHeader": "O"}')" == "false 61 4 "* ]]
	[[ "$(limited '{}' '{"resetHeader": "S", "resetFormat": "unix_seconds"}')" == *" ${iso%Z}" ]]
	[[ "$(limited '{}' '{"resetHeader": "MS", "resetFormat": "unix_ms"}')" == *" ${iso%Z}" ]]
	[[ "$(limited '{}' '{"resetHeader": "ISO", "resetFormat": "iso8601"}')" == *" ${iso%Z}" ]]
	[[ "$(limited '{}' '{"resetHeader": "ISO", "resetFormat": "unix_ms"}')" != *" ${iso%Z}" ]]
}
