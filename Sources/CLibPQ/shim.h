// libpq as Swift sees it. Character macros are not imported into Swift, so the fields of an error are named here again.
#ifndef SKEIN_CLIBPQ_SHIM_H
#define SKEIN_CLIBPQ_SHIM_H

#include <libpq-fe.h>

static const int SKEIN_PG_DIAG_SEVERITY = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int SKEIN_PG_DIAG_SQLSTATE = PG_DIAG_SQLSTATE;
static const int SKEIN_PG_DIAG_MESSAGE_PRIMARY = PG_DIAG_MESSAGE_PRIMARY;
static const int SKEIN_PG_DIAG_MESSAGE_DETAIL = PG_DIAG_MESSAGE_DETAIL;
static const int SKEIN_PG_DIAG_MESSAGE_HINT = PG_DIAG_MESSAGE_HINT;
static const int SKEIN_PG_DIAG_CONTEXT = PG_DIAG_CONTEXT;
static const int SKEIN_PG_DIAG_SOURCE_FUNCTION = PG_DIAG_SOURCE_FUNCTION;
static const int SKEIN_PG_DIAG_CONSTRAINT_NAME = PG_DIAG_CONSTRAINT_NAME;

#endif
