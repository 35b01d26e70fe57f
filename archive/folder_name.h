/* The folder of a stream: its name, escaped. Pure. "live/studio" is live+studio; letters, digits, "-", "_" and "." (not first) stand for
 * themselves, other bytes are %XX. What would be too long for a file system is cut and told apart by a hash behind "~". */
#ifndef WEIR_ARCHIVE_FOLDER_NAME_H
#define WEIR_ARCHIVE_FOLDER_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define FOLDER_NAME_BYTES 208

void folder_name_make(const char *stream, char out[FOLDER_NAME_BYTES]);
/* A stable hash of a stream's name: in folder names, and for marks. Never 0. */
uint64_t folder_name_hash(const char *stream);

#endif
