#include "rtmp_line.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <librtmp/log.h>
#include <librtmp/rtmp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/limits.h>

#include "dial.h"

#define PORT_RTMP 1935
#define PORT_RTMPS 443

bool rtmp_address_parse(const char *url, struct rtmp_address *out)
{
    memset(out, 0, sizeof *out);
    out->is_tls = !strncmp(url, "rtmps://", 8);
    if (!out->is_tls && strncmp(url, "rtmp://", 7) != 0) return false;
    const char *host = url + (out->is_tls ? 8 : 7), *slash = strchr(host, '/');
    if (!slash || slash == host || !slash[1]) return false;
    const char *end = slash, *port = NULL;
    if (*host == '[') {
        const char *bracket = memchr(host, ']', (size_t)(slash - host));
        if (!bracket) return false;
        host++;
        end = bracket;
        if (bracket[1] == ':') port = bracket + 2;
    } else if ((port = memchr(host, ':', (size_t)(slash - host))) != NULL) {
        end = port++;
    }
    char *rest = NULL;
    const long number = port ? strtol(port, &rest, 10) : out->is_tls ? PORT_RTMPS : PORT_RTMP;
    if ((port && rest != slash) || number < 1 || number > 65535) return false;
    out->port = (uint16_t)number;
    size_t app_bytes = strlen(slash + 1);
    while (app_bytes && slash[app_bytes] == '/') app_bytes--;
    if (end == host || (size_t)(end - host) >= sizeof out->host || !app_bytes || app_bytes >= sizeof out->app)
        return false;
    memcpy(out->host, host, (size_t)(end - host));
    memcpy(out->app, slash + 1, app_bytes);
    return true;
}

/* -- what librtmp has to say: it tells nobody why a server refused but its log -- */

static _Thread_local char last_said[DIAL_WHY_BYTES]; /* by librtmp on this thread, which dials one line at a time */

static void on_log(int level, const char *format, va_list values)
{
    if (level > RTMP_LOGERROR && !strstr(format, "onStatus")) return;
    if (strstr(last_said, "onStatus")) return; /* what fails afterwards is only how it ends */
    vsnprintf(last_said, sizeof last_said, format, values);
}

static gnutls_certificate_credentials_t credentials; /* none: a server of ours is not asked who it is */

static void begin(void)
{
    RTMP_LogSetCallback(on_log);
    RTMP_LogSetLevel(RTMP_LOGDEBUG);
    if (gnutls_certificate_allocate_credentials(&credentials)) credentials = NULL;
    RTMP *r = RTMP_Alloc(); /* the first one makes its TLS context, with no lock */
    if (!r) return;
    RTMP_Init(r);
    RTMP_Free(r);
}

/* "HandleInvoke, onStatus: NetStream.Publish.BadName" */
static const char *said(void)
{
    const char *status = strstr(last_said, "onStatus: ");
    return status ? status + 10 : last_said;
}

/* -- dialling -- */

static AVal value_of(char *text)
{
    return (AVal){ text, (int)strlen(text) };
}

/* librtmp's own TLS takes a session ticket of TLS 1.3 for a broken connection. NULL: no TLS. */
static gnutls_session_t secure(int fd, const char *host)
{
    gnutls_session_t s = NULL;
    if (gnutls_init(&s, GNUTLS_CLIENT)) return NULL;
    gnutls_transport_set_int(s, fd);
    int result = gnutls_priority_set_direct(s, "NORMAL:-VERS-TLS1.3", NULL);
    if (!result) result = gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, credentials);
    if (!result) gnutls_server_name_set(s, GNUTLS_NAME_DNS, host, strlen(host));
    while (!result && (result = gnutls_handshake(s)) == GNUTLS_E_INTERRUPTED) result = 0;
    if (!result) return s;
    snprintf(last_said, sizeof last_said, "%s", gnutls_strerror(result));
    gnutls_deinit(s);
    return NULL;
}

static bool converse(RTMP *r, int fd, const struct rtmp_address *to, const char *play, char why[DIAL_WHY_BYTES])
{
    char host[sizeof to->host], app[sizeof to->app], name[1024], url[1024];
    snprintf(host, sizeof host, "%s", to->host);
    snprintf(app, sizeof app, "%s", to->app);
    snprintf(name, sizeof name, "%s", play);
    snprintf(url, sizeof url, "%s://%s%s%s:%u/%s", to->is_tls ? "rtmps" : "rtmp", strchr(host, ':') ? "[" : "", host,
             strchr(host, ':') ? "]" : "", to->port, app);
    AVal host_value = value_of(host), app_value = value_of(app), name_value = value_of(name), url_value = value_of(url),
         none = { NULL, 0 };
    /* not RTMPS: TLS is there when it begins */
    RTMP_SetupStream(r, RTMP_PROTOCOL_RTMP, &host_value, to->port, &none, &name_value, &url_value, NULL, NULL,
                     &app_value, NULL, NULL, 0, NULL, NULL, NULL, 0, 0, 1, LOADGEN_DIAL_US / 1000000);
    RTMP_EnableWrite(r);
    r->m_sb.sb_socket = fd;
    last_said[0] = 0;
    const char *step = "no TLS";
    bool is_good = !to->is_tls || (r->m_sb.sb_ssl = secure(fd, host)) != NULL;
    if (is_good) {
        step = "the handshake failed";
        is_good = RTMP_Connect1(r, NULL);
    }
    if (is_good) {
        step = "no answer to publish";
        is_good = RTMP_ConnectStream(r, 0) && RTMP_IsConnected(r);
    }
    if (!is_good) snprintf(why, DIAL_WHY_BYTES, "%.60s%s%.90s", step, *said() ? ": " : "", said());
    /* it keeps pointers to our texts */
    r->Link.hostname = r->Link.app = r->Link.tcUrl = r->Link.playpath = r->Link.playpath0 = none;
    return is_good;
}

static void take_over(RTMP *r, struct rtmp_line *out)
{
    out->fd = RTMP_Socket(r);
    out->stream_id = (uint32_t)r->m_stream_id;
    rtmp_reader_init(&out->reader, (uint32_t)r->m_inChunkSize);
    for (int i = 0; i < r->m_channelsAllocatedIn; i++) {
        const RTMPPacket *p = r->m_vecChannelsIn[i];
        if (p) rtmp_reader_seed(&out->reader, (unsigned)i, p->m_nBodySize, p->m_packetType);
    }
    out->early_bytes = (size_t)r->m_sb.sb_size < sizeof out->early ? (size_t)r->m_sb.sb_size : sizeof out->early;
    if (out->early_bytes) memcpy(out->early, r->m_sb.sb_start, out->early_bytes);
    fcntl(out->fd, F_SETFL, fcntl(out->fd, F_GETFL) | O_NONBLOCK);
    if (r->m_sb.sb_ssl) {
        out->tls = r;
        return;
    }
    out->tls = NULL;
    r->m_sb.sb_socket = -1; /* ours now */
    RTMP_Close(r);
    RTMP_Free(r);
}

enum weir_err rtmp_line_dial(const struct rtmp_address *to, const char *play, bool is_any_host, struct rtmp_line *out,
                             char why[DIAL_WHY_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sockaddr_storage address;
    socklen_t address_bytes = 0;
    int fd = -1;
    pthread_once(&once, begin);
    memset(out, 0, sizeof *out);
    enum weir_err err = dial_find(to->host, to->port, is_any_host, &address, &address_bytes);
    if (err == WEIR_DENIED) snprintf(why, DIAL_WHY_BYTES, "%.100s is not on this machine", to->host);
    if (err == WEIR_NOT_FOUND) snprintf(why, DIAL_WHY_BYTES, "%.100s has no address", to->host);
    if (err) return err;
    if (dial_tcp(&address, address_bytes, LOADGEN_DIAL_US, &fd)) {
        snprintf(why, DIAL_WHY_BYTES, "no connection: %s", strerror(errno));
        return WEIR_IO;
    }
    RTMP *r = RTMP_Alloc();
    if (!r) {
        close(fd);
        snprintf(why, DIAL_WHY_BYTES, "no memory");
        return WEIR_NOMEM;
    }
    RTMP_Init(r);
    if (!converse(r, fd, to, play, why)) {
        RTMP_Close(r); /* and the socket, unless it did so itself */
        RTMP_Free(r);
        return WEIR_IO;
    }
    take_over(r, out);
    return WEIR_OK;
}

/* -- afterwards -- */

static ssize_t tls_result(ssize_t result)
{
    if (result >= 0) return result;
    errno = result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED ? EAGAIN : EPROTO;
    return -1;
}

ssize_t rtmp_line_send(struct rtmp_line *l, const void *data, size_t bytes)
{
    if (!l->tls) return send(l->fd, data, bytes, MSG_NOSIGNAL);
    return tls_result(gnutls_record_send(l->tls->m_sb.sb_ssl, data, bytes));
}

ssize_t rtmp_line_receive(struct rtmp_line *l, void *data, size_t bytes)
{
    if (l->early_bytes) {
        const size_t given = l->early_bytes < bytes ? l->early_bytes : bytes;
        memcpy(data, l->early, given);
        l->early_bytes -= given;
        memmove(l->early, l->early + given, l->early_bytes);
        return (ssize_t)given;
    }
    if (!l->tls) return recv(l->fd, data, bytes, 0);
    return tls_result(gnutls_record_recv(l->tls->m_sb.sb_ssl, data, bytes));
}

void rtmp_line_close(struct rtmp_line *l, bool is_reset)
{
    if (l->fd < 0) return;
    const struct linger hard = { 1, 0 };
    if (is_reset) setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    if (l->tls) {
        gnutls_deinit(l->tls->m_sb.sb_ssl);
        l->tls->m_sb.sb_ssl = NULL;
        l->tls->m_sb.sb_socket = -1;
        RTMP_Close(l->tls);
        RTMP_Free(l->tls);
    }
    close(l->fd);
    l->fd = -1;
    l->tls = NULL;
}
