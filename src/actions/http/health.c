#include "actions/http/health.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/common/executor.h"
#include "actions/http/client.h"
#include "actions/http/decode.h"
#include "actions/http/url.h"
#include "base/fs.h"
#include "base/mem.h"

enum { REQUEST_MAX = 4 << 20, HEALTHY = 0, UNHEALTHY = 1 };

static int say(bool healthy, int status, const char *message)
{
	json_t *o = json_pack("{s:b, s:s}", "healthy", (int)healthy, "message", message);

	if (status > 0)
		json_object_set_new(o, "statusCode", json_integer(status));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
	return fflush(stdout) == 0 && healthy ? HEALTHY : UNHEALTHY;
}

/* A path stands below the base, whatever slashes the two have. */
static char *health_url(const char *base, const char *endpoint, struct err *e)
{
	AUTO_FREE char *joined = NULL;
	size_t n = strlen(base);

	if (strstr(endpoint, "://"))
		return url_check(endpoint, e);
	while (n > 0 && base[n - 1] == '/')
		n--;
	joined = xasprintf("%.*s/%s", (int)n, base, endpoint + strspn(endpoint, "/"));
	return url_check(joined, e);
}

static int ask(struct job *j, char *url, const struct client_way *way)
{
	const json_t *check = json_object_get(j->api, "healthCheck");
	int expected = (int)json_integer_value(json_object_get(check, "expectedStatus"));
	const char *agent = job_text(j->quirks, "requiresUserAgent");
	struct request r = {.method = "GET", .url = url};
	struct redact none = {0};
	struct client client;
	struct exchange x;
	AUTO_FREE char *message = NULL;
	int result;

	headers_add(&r.headers, "User-Agent", agent ? agent : j->user_agent ? j->user_agent : "creel-http/" CREEL_VERSION);
	headers_add(&r.headers, "Accept-Encoding", DECODE_ACCEPT);
	exchange_init(&x, "health", &r);
	client_open(&client, j, -1, &none, way);
	client_send(&client, &x, false);
	if (!exchange_complete(&x))
		message = xasprintf("%s: %s", x.request.url, x.message);
	else
		message = xasprintf("%s answered %d%s", x.request.url, x.status, x.status == expected ? "" : ", which is not expected");
	result = say(exchange_complete(&x) && x.status == expected, x.status, message);
	exchange_free(&x, false);
	client_close(&client);
	return result;
}

int health_main(const struct client_way *way)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct err e = {0};
	json_t *request = NULL;
	struct job j;
	char *url;
	int result;

	if (fs_read_fd(STDIN_FILENO, "standard input", REQUEST_MAX, &text, &e) < 0)
		return say(false, 0, e.text);
	request = json_loadb(buf_str(&text), text.len, 0, NULL);
	if (!json_is_object(request)) {
		json_decref(request);
		return say(false, 0, "standard input is no JSON object");
	}
	if (job_read_health(&j, request, &e) < 0 ||
	    !(url = health_url(job_text(j.api, "baseUrl"), job_text(json_object_get(j.api, "healthCheck"), "endpoint"), &e))) {
		job_free(&j);
		return say(false, 0, e.text);
	}
	result = ask(&j, url, way);
	job_free(&j);
	return result;
}
