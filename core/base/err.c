#include <weir/base/err.h>

const char *err_name(enum weir_err err)
{
    switch (err) {
    case WEIR_OK: return "ok";
    case WEIR_NOMEM: return "out of memory";
    case WEIR_MALFORMED: return "malformed";
    case WEIR_LIMIT: return "over a limit";
    case WEIR_UNSUPPORTED: return "unsupported";
    case WEIR_STATE: return "not now";
    case WEIR_BUSY: return "busy";
    case WEIR_DENIED: return "denied";
    case WEIR_NOT_FOUND: return "not found";
    case WEIR_IO: return "system error";
    case WEIR_CONFIG: return "wrong configuration";
    }
    return "unknown error";
}
