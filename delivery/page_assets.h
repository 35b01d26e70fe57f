/* The pages inside the binary. Owner: the server; immutable, so any loop may use them. */
#ifndef WEIR_DELIVERY_PAGE_ASSETS_H
#define WEIR_DELIVERY_PAGE_ASSETS_H

#include <stddef.h>
#include <weir/base/blob.h>

enum page_asset {
    PAGE_INDEX_HTML,
    PAGE_PLAYER_HTML,
    PAGE_INDEX_JS,
    PAGE_PLAYER_JS,
    PAGE_STYLE_CSS,
    PAGE_HLS_JS,
    PAGE_COUNT
};

struct page {
    const char *name; /* under /assets/ */
    const char *content_type;
    struct frozen *plain, *packed;
    char etag[24];
};

struct page_assets {
    struct page pages[PAGE_COUNT];
};

WEIR_MUST_CHECK enum weir_err page_assets_init(struct page_assets *assets);
void page_assets_deinit(struct page_assets *assets);
/* NULL: no such asset. */
const struct page *page_assets_find(const struct page_assets *assets, const char *name);

#endif
