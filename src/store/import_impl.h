/*
 * import_impl.h - shared by the files of the import; nobody else includes it.
 */
#ifndef CREEL_STORE_IMPORT_IMPL_H
#define CREEL_STORE_IMPORT_IMPL_H

#include "store/import.h"

/* Unpack what is wanted below tmp/ID.import, and name each in *out.  -1: *e, and what was unpacked still lies there. */
int import_unpack(const struct spool *s, const struct import_order *o, struct imports *out, struct err *e);

/* Does what lies in tmp/ID.import add up? Fills in what it is, and writes its state.json. */
int import_check(const struct spool *s, struct imported *one, struct err *e);

#endif
