/*
 * spellings.h - how a secret may look when it comes back; redact.h says which ways are known.
 */
#ifndef CREEL_HTTP_SPELLINGS_H
#define CREEL_HTTP_SPELLINGS_H

#include "actions/http/redact.h"

/* One more text to hide, if it is not known and long enough; redact.c has it, redact_add() calls it. */
void redact_add_spelling(struct redact *r, const char *p, size_t n);

#endif
