#include "folder_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HASH_TEXT_BYTES 17 /* "~" and 16 digits */

uint64_t folder_name_hash(const char *stream)
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a: it outlives the process, so no salt */
    for (; *stream; stream++) hash = (hash ^ (uint8_t)*stream) * 0x100000001B3u;
    return hash ? hash : 1;
}

static size_t escape(const char *at, const char *start, char out[4])
{
    const unsigned char c = (unsigned char)*at;
    const bool is_itself = c < 0x80 && (isalnum(c) || c == '-' || c == '_' || (c == '.' && at != start));
    if (is_itself || c == '/') {
        out[0] = c == '/' ? '+' : (char)c;
        return 1;
    }
    snprintf(out, 4, "%%%02X", c);
    return 3;
}

void folder_name_make(const char *stream, char out[FOLDER_NAME_BYTES])
{
    size_t bytes = 0, short_bytes = 0; /* short: as much as leaves room for the hash */
    for (const char *at = stream; *at; at++) {
        char text[4];
        const size_t more = escape(at, stream, text);
        if (bytes + more >= FOLDER_NAME_BYTES) {
            snprintf(out + short_bytes, FOLDER_NAME_BYTES - short_bytes, "~%016llx",
                     (unsigned long long)folder_name_hash(stream));
            return;
        }
        memcpy(out + bytes, text, more);
        bytes += more;
        if (bytes + HASH_TEXT_BYTES < FOLDER_NAME_BYTES) short_bytes = bytes;
    }
    out[bytes] = 0;
}
