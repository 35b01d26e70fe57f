#include "page_assets.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Placed by the build (.incbin). */
#define EMBEDDED(symbol)                                                                                               \
    extern const uint8_t page_##symbol##_plain[], page_##symbol##_plain_end[], page_##symbol##_packed[],               \
        page_##symbol##_packed_end[];
EMBEDDED(index_html)
EMBEDDED(player_html)
EMBEDDED(index_js)
EMBEDDED(player_js)
EMBEDDED(style_css)
EMBEDDED(hls_min_js)

#define ROW(symbol, name, type)                                                                                        \
    {                                                                                                                  \
        name, type, page_##symbol##_plain, page_##symbol##_plain_end, page_##symbol##_packed,                          \
            page_##symbol##_packed_end                                                                                 \
    }
static const struct {
    const char *name, *content_type;
    const uint8_t *plain, *plain_end, *packed, *packed_end;
} embedded[PAGE_COUNT] = {
    [PAGE_INDEX_HTML] = ROW(index_html, "index.html", "text/html; charset=utf-8"),
    [PAGE_PLAYER_HTML] = ROW(player_html, "player.html", "text/html; charset=utf-8"),
    [PAGE_INDEX_JS] = ROW(index_js, "index.js", "text/javascript; charset=utf-8"),
    [PAGE_PLAYER_JS] = ROW(player_js, "player.js", "text/javascript; charset=utf-8"),
    [PAGE_STYLE_CSS] = ROW(style_css, "style.css", "text/css; charset=utf-8"),
    [PAGE_HLS_JS] = ROW(hls_min_js, "hls.js", "text/javascript; charset=utf-8"),
};

static uint64_t hash(const uint8_t *at, const uint8_t *end)
{
    uint64_t h = 0xCBF29CE484222325u;
    while (at < end) h = (h ^ *at++) * 0x100000001B3u;
    return h;
}

enum weir_err page_assets_init(struct page_assets *assets)
{
    memset(assets, 0, sizeof *assets);
    for (size_t i = 0; i < PAGE_COUNT; i++) {
        struct page *p = &assets->pages[i];
        p->name = embedded[i].name;
        p->content_type = embedded[i].content_type;
        p->plain = frozen_copy(embedded[i].plain, (size_t)(embedded[i].plain_end - embedded[i].plain));
        p->packed = frozen_copy(embedded[i].packed, (size_t)(embedded[i].packed_end - embedded[i].packed));
        snprintf(p->etag, sizeof p->etag, "%016llx",
                 (unsigned long long)hash(embedded[i].plain, embedded[i].plain_end));
        if (p->plain && p->packed) continue;
        page_assets_deinit(assets);
        return WEIR_NOMEM;
    }
    return WEIR_OK;
}

void page_assets_deinit(struct page_assets *assets)
{
    for (size_t i = 0; i < PAGE_COUNT; i++) {
        frozen_unref(assets->pages[i].plain);
        frozen_unref(assets->pages[i].packed);
    }
    memset(assets, 0, sizeof *assets);
}

const struct page *page_assets_find(const struct page_assets *assets, const char *name)
{
    for (size_t i = 0; i < PAGE_COUNT; i++) {
        if (!strcmp(assets->pages[i].name, name)) return &assets->pages[i];
    }
    return NULL;
}
