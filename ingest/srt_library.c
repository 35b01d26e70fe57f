#include "srt_library.h"

#include <stdatomic.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/net.h>
#include <weir/ingest/srt_server.h>

#define SYSLOG_CRITICAL 2
#define SYSLOG_ERROR 3
#define SYSLOG_WARNING 4
#define SYSLOG_NOTICE 5
#define LINKS_MAX 16        /* of one bond */
#define LINES_PER_SECOND 10 /* of libsrt's own: under loss it has one for each packet */

/* -- its log -- */

/* Process-wide as libsrt is, and the log. */
static _Atomic int64_t log_second;
static _Atomic unsigned log_lines;

static bool may_log(void)
{
    const int64_t second = clock_now_us() / 1000000;
    if (atomic_exchange_explicit(&log_second, second, memory_order_relaxed) != second)
        atomic_store_explicit(&log_lines, 0, memory_order_relaxed);
    return atomic_fetch_add_explicit(&log_lines, 1, memory_order_relaxed) < LINES_PER_SECOND;
}

/* On threads of libsrt. What it calls an error is mostly a peer's: what matters to us, we say ourselves, with names. */
static void on_log(void *context, int level, const char *file, int line, const char *area, const char *message)
{
    const enum log_level ours = level <= SYSLOG_CRITICAL ? LOG_ERROR : level == SYSLOG_ERROR ? LOG_WARN : LOG_DEBUG;
    if (!log_wants(LOG_INGEST, ours) || (ours != LOG_ERROR && !may_log())) return;
    size_t bytes = strlen(message);
    while (bytes && (message[bytes - 1] == '\n' || message[bytes - 1] == ' ')) bytes--;
    log_event(LOG_INGEST, ours, "-", "libsrt", "area=%s text=%s", area ? area : "", log_quote(message, bytes).text);
}

static void set_log_level(void)
{
    srt_setloglevel(log_wants(LOG_INGEST, LOG_DEBUG) ? SYSLOG_NOTICE : SYSLOG_ERROR);
}

enum weir_err srt_library_start(void)
{
    if (srt_startup() < 0) return WEIR_NOMEM;
    srt_setlogflags(SRT_LOGF_DISABLE_TIME | SRT_LOGF_DISABLE_THREADNAME | SRT_LOGF_DISABLE_SEVERITY |
                    SRT_LOGF_DISABLE_EOL);
    srt_setloghandler(NULL, on_log);
    set_log_level();
    return WEIR_OK;
}

void srt_library_stop(void)
{
    srt_cleanup();
}

/* -- options -- */

static bool set_number(SRTSOCKET socket, SRT_SOCKOPT option, int64_t value)
{
    const int number = (int)value;
    return srt_setsockflag(socket, option, &number, sizeof number) == 0;
}

static bool set_flag(SRTSOCKET socket, SRT_SOCKOPT option, bool value)
{
    return srt_setsockflag(socket, option, &value, sizeof value) == 0;
}

static bool set_text(SRTSOCKET socket, SRT_SOCKOPT option, const char *text)
{
    return srt_setsockflag(socket, option, text, (int)strlen(text)) == 0;
}

static bool set_bandwidth(SRTSOCKET socket, int64_t bps)
{
    const int64_t bytes_per_second = bps ? bps / 8 : -1; /* -1: as much as there is */
    return srt_setsockflag(socket, SRTO_MAXBW, &bytes_per_second, sizeof bytes_per_second) == 0;
}

const char *srt_library_apply(SRTSOCKET socket, const struct srt_options *o, enum srt_role role)
{
    /* the order matters: a receive buffer larger than the flight is cut to it without a word */
    if (!set_number(socket, SRTO_FC, o->flight_packets)) return "flight";
    if (!set_number(socket, SRTO_RCVBUF, o->receive_buffer_bytes)) return "rcvbuf";
    if (!set_number(socket, SRTO_RCVLATENCY, o->latency_us / 1000)) return "latency";
    if (!set_flag(socket, SRTO_TLPKTDROP, o->drops_late != 0)) return "tlpktdrop";
    if (!set_number(socket, SRTO_LOSSMAXTTL, o->reorder_packets)) return "lossmaxttl";
    if (!set_bandwidth(socket, o->bandwidth_bps)) return "maxbw";
    if (!set_number(socket, SRTO_PAYLOADSIZE, o->payload_bytes)) return "payload_size";
    if (o->filter[0] && !set_text(socket, SRTO_PACKETFILTER, o->filter)) return "filter";
    if (!set_number(socket, SRTO_PEERIDLETIMEO, o->idle_us / 1000)) return "idle";
    if (role == SRT_ROLE_LISTENER) {
        /* a path's passphrase is set on the caller's own socket: nobody is refused for having one before that is known */
        if (!set_number(socket, SRTO_UDP_RCVBUF, o->udp_buffer_bytes)) return "udp_rcvbuf";
        /* told to callers before they say which path they want: those that have not set one take it */
        if (o->key_bytes && !set_number(socket, SRTO_PBKEYLEN, o->key_bytes)) return "pbkeylen";
        return set_flag(socket, SRTO_RCVSYN, false) ? NULL : "non-blocking mode";
    }
    if (role == SRT_ROLE_CALLER && !set_flag(socket, SRTO_RCVSYN, false)) return "non-blocking mode";
    if (o->key_bytes && !set_number(socket, SRTO_PBKEYLEN, o->key_bytes)) return "pbkeylen";
    if (o->passphrase[0] && !set_text(socket, SRTO_PASSPHRASE, o->passphrase)) return "passphrase";
    return NULL;
}

const char *srt_options_refused(const struct srt_options *options)
{
    const SRTSOCKET probe = srt_create_socket();
    const char *key = probe == SRT_INVALID_SOCK ? "everything" : srt_library_apply(probe, options, SRT_ROLE_CALLER);
    if (probe != SRT_INVALID_SOCK) srt_close(probe);
    return key;
}

int64_t srt_library_get_number(SRTSOCKET socket, SRT_SOCKOPT option)
{
    int32_t number = 0;
    int bytes = sizeof number;
    return srt_getsockflag(socket, option, &number, &bytes) == 0 && bytes == sizeof number ? number : -1;
}

/* -- bonding -- */

bool srt_library_allow_groups(SRTSOCKET listener)
{
    srt_setloglevel(SYSLOG_CRITICAL); /* to try is no error */
    const bool is_allowed = set_number(listener, SRTO_GROUPCONNECT, 1);
    set_log_level();
    return is_allowed;
}

bool srt_library_is_group(SRTSOCKET socket)
{
    return ((uint32_t)socket & (uint32_t)SRTGROUP_MASK) != 0;
}

SRTSOCKET srt_library_member(SRTSOCKET socket)
{
    SRT_SOCKGROUPDATA members[LINKS_MAX];
    size_t count = LINKS_MAX;
    if (!srt_library_is_group(socket) || srt_group_data(socket, members, &count) < 0) return socket;
    for (size_t i = 0; i < count && i < LINKS_MAX; i++) {
        if (members[i].sockstate == SRTS_CONNECTED) return members[i].id;
    }
    return socket;
}

void srt_library_describe(struct srt_library_facts *facts)
{
    const uint32_t version = srt_getversion();
    facts->version_major = version >> 16 & 0xFF;
    facts->version_minor = version >> 8 & 0xFF;
    facts->version_patch = version & 0xFF;
    facts->has_groups = facts->has_encryption = false;
    srt_startup();
    const SRTSOCKET probe = srt_create_socket();
    if (probe != SRT_INVALID_SOCK) {
        facts->has_groups = srt_library_allow_groups(probe);
        facts->has_encryption = set_text(probe, SRTO_PASSPHRASE, "a passphrase to try");
        srt_close(probe);
    }
    srt_cleanup();
}

/* -- words -- */

const char *srt_library_reject_text(int reason)
{
    switch (reason) {
    case SRT_REJ_BADSECRET: return "the passphrase is wrong";
    case SRT_REJ_UNSECURE: return "one side has a passphrase and the other has none";
    case SRT_REJ_TIMEOUT: return "nobody answered";
    case SRT_REJ_PEER: return "the other side refused";
    case SRT_REJ_BACKLOG: return "the other side has too many waiting";
    case SRT_REJ_RESOURCE: return "the other side is out of resources";
    case SRT_REJ_VERSION: return "the other side wants another version of SRT";
    case SRT_REJ_FILTER: return "the packet filters do not go together";
    case SRT_REJ_CLOSE: return "the other side is closing";
    case SRT_REJECT_BAD_REQUEST: return "the other side does not understand the stream id (1400)";
    case SRT_REJECT_UNAUTHORIZED: return "the other side wants credentials (1401)";
    case SRT_REJECT_OVERLOAD: return "the other side is overloaded (1402)";
    case SRT_REJECT_FORBIDDEN: return "the other side does not allow it (1403)";
    case SRT_REJECT_NOT_FOUND: return "the other side has no such stream (1404)";
    case SRT_REJECT_BAD_MODE: return "the other side does not give streams in this mode (1405)";
    case SRT_REJECT_CONFLICT: return "the other side says that the stream is in use (1409)";
    default: return srt_rejectreason_str(reason);
    }
}
