/* Languages as streams name them, made into what HLS wants: BCP 47 with the shortest code (RFC 5646, 2.2.1). Pure. */
#ifndef WEIR_MEDIA_LANGUAGE_H
#define WEIR_MEDIA_LANGUAGE_H

#include <stdbool.h>

#define LANGUAGE_TAG_BYTES 36

/* BCP 47, or ISO 639-2 as MPEG-TS carries it: "eng", "ger", "deu", "pt_BR", "qad" give "en", "de", "de", "pt-BR", "qad".
 * false, and out is "": no language was said ("und", "mis", "mul", "zxx", nothing, something else). Subtags that are malformed are cut. */
bool language_tag(const char *text, char out[LANGUAGE_TAG_BYTES]);
/* English name of the tag's language ("English"); NULL: one without a two-letter code. */
const char *language_name(const char *tag);

#endif
