#include <stdlib.h>
#include <weir/base/limits.h>
#include <weir/ingest/amf0.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct amf0_reader r;
    struct amf0_value v;
    unsigned values = 0;
    amf0_reader_init(&r, data, bytes, NULL);
    while (amf0_read(&r, &v) == AMF0_VALUE) {
        if (v.depth > AMF_DEPTH_MAX || ++values > AMF_VALUES_MAX) abort();
        if (v.text.bytes && (v.text.data < data || v.text.data + v.text.bytes > data + bytes)) abort();
        if (v.name.bytes && (v.name.data < data || v.name.data + v.name.bytes > data + bytes)) abort();
    }
    /* skipping ends too, and leaves nothing open */
    amf0_reader_init(&r, data, bytes, NULL);
    while (amf0_read(&r, &v) == AMF0_VALUE) {
        if (amf0_skip(&r, &v) == AMF0_VALUE && r.depth != v.depth) abort();
    }
    return 0;
}
