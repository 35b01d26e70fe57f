/* The one error type. Zero is success; everything else says why not, never just "-1".
 * Thread: any. */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

enum weir_err {
    WEIR_OK = 0,
    WEIR_NOMEM,       /* an allocation failed; nothing was changed */
    WEIR_MALFORMED,   /* the peer's bytes break the format */
    WEIR_LIMIT,       /* a named ceiling (base/limits.h) was reached */
    WEIR_UNSUPPORTED, /* well formed, but not something weir does */
    WEIR_STATE,       /* well formed, but not at this moment */
    WEIR_BUSY,        /* someone else holds it */
    WEIR_DENIED,      /* not allowed */
    WEIR_NOT_FOUND,
    WEIR_IO,     /* a system call failed; errno was logged where it happened */
    WEIR_CONFIG, /* the operator's configuration is wrong */
};

#define WEIR_MUST_CHECK __attribute__((warn_unused_result))
#define WEIR_PRINTF(fmt_index, first_index) __attribute__((format(printf, fmt_index, first_index)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Short static text, for example "malformed". Never NULL. */
const char *err_name(enum weir_err err);

#endif
