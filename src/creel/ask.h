/*
 * ask.h - a value that is typed in: without an echo on a terminal, else the text on standard input.
 */
#ifndef CREEL_CREEL_ASK_H
#define CREEL_CREEL_ASK_H

#include "base/buf.h"

/* Ask for it with this prompt.  The newlines at its end do not count.  0, or -1 after complaining.  Whoever used it
 * wipes it (ask_wipe). */
int ask_value(const char *prompt, struct buf *out);
void ask_wipe(struct buf *value);

#endif
