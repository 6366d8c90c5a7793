#include "actions/http/exchange.h"

#include <stdlib.h>

void exchange_init(struct exchange *x, const char *kind, struct request *request)
{
	*x = (struct exchange){.kind = kind, .request = *request, .body = {.fd = -1}};
	*request = (struct request){0};
}

void exchange_free(struct exchange *x, bool keep)
{
	request_free(&x->request);
	free(x->shown_url);
	headers_free(&x->sent_headers);
	headers_free(&x->reply);
	if (keep)
		body_free(&x->body);
	else
		body_discard(&x->body);
}
