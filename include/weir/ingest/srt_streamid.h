/* What an SRT caller says in its stream id, in any of the dialects that encoders are set up with. Pure; thread: any.
 *
 *   #!::r=live/cam,m=publish,u=name,s=KEY,...   the standard's form (access-control, "SRT Access Control"), also with one colon, also
 *                                               with key=, token=, secret= or password= beside it (SRS, ZLMediaKit), with a query
 *                                               behind r, or with host and path together in h
 *   publish:live/cam[:user:KEY[:query]]         MediaMTX
 *   live/cam,mode:publish,token:KEY             datarhei
 *   srt://host:port/live/cam?key=KEY            OvenMediaEngine, percent-encoded as a whole
 *   live/cam?key=KEY                            a plain name, as an RTMP stream key would be written
 *   (empty)                                     the port's own stream, where it has one
 *
 * Percent escapes are decoded once: of the whole id when it begins with an escaped # or srt:// (some tools do not decode their
 * URLs), else of the name alone, as on the RTMP side. The nested form `#!:{` is refused. Names follow publish_name_make. */
#ifndef WEIR_INGEST_SRT_STREAMID_H
#define WEIR_INGEST_SRT_STREAMID_H

#include <weir/stream/publish_gate.h>

#define SRT_STREAMID_BYTES_MAX 512 /* as libsrt: refuse */

/* Rejection codes as they go over the wire (access-control, "Rejection codes"): callers see them by srt_getrejectreason. */
enum srt_reject {
    SRT_ACCEPT = 0,
    SRT_REJECT_BAD_REQUEST = 1400,
    SRT_REJECT_UNAUTHORIZED = 1401,
    SRT_REJECT_OVERLOAD = 1402,
    SRT_REJECT_FORBIDDEN = 1403,
    SRT_REJECT_NOT_FOUND = 1404,
    SRT_REJECT_BAD_MODE = 1405,
    SRT_REJECT_CONFLICT = 1409,
    SRT_REJECT_MEDIA_TYPE = 1415,
    SRT_REJECT_INTERNAL = 1500,
    SRT_REJECT_UNIMPLEMENTED = 1501,
    SRT_REJECT_DOWN = 1503,
    SRT_REJECT_VERSION = 1505,
};
enum srt_reject srt_reject_for(enum publish_verdict verdict);
const char *srt_reject_name(enum srt_reject code); /* for logs: "bad_request" */

/* What an id without a mode asks for. The standard says request, which is to play. Plain names always publish. */
enum srt_mode { SRT_MODE_REQUEST = 1, SRT_MODE_PUBLISH };

struct srt_streamid_rules {
    const char *stream; /* for callers that name none; "": refuse them */
    enum srt_mode default_mode;
};

/* Fills in name and key of *request and leaves the rest alone. id need not be text: any bytes, no 0 inside.
 * Other than SRT_ACCEPT: *request is as it was, *why says what was wrong and what to do (static text, nothing of the peer's). */
enum srt_reject srt_streamid_parse(const char *id, const struct srt_streamid_rules *rules,
                                   struct publish_request *request, const char **why);

#endif
