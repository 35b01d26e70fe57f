#include <weir/server/auth.h>

#include <string.h>

/* Takes as long for a near miss as for a far one: every byte of the longest legal key is looked at. */
static bool is_equal_key(const char *expected, const char *given)
{
    unsigned differences = 0;
    size_t expected_bytes = strnlen(expected, RTMP_NAME_BYTES_MAX), given_bytes = strnlen(given, RTMP_NAME_BYTES_MAX);
    char a[RTMP_NAME_BYTES_MAX] = { 0 }, b[RTMP_NAME_BYTES_MAX] = { 0 };
    memcpy(a, expected, expected_bytes);
    memcpy(b, given, given_bytes);
    for (size_t i = 0; i < RTMP_NAME_BYTES_MAX; i++) differences |= (unsigned)(a[i] ^ b[i]);
    differences |= (unsigned)(expected_bytes ^ given_bytes);
    explicit_bzero(a, sizeof a);
    explicit_bzero(b, sizeof b);
    return differences == 0 && expected_bytes > 0;
}

static bool is_loopback(const uint8_t address[16])
{
    static const uint8_t v6[16] = { [15] = 1 }, mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    return !memcmp(address, v6, 16) || (!memcmp(address, mapped, 12) && address[12] == 127);
}

enum publish_verdict auth_decide(const struct config_path *path, const char *server_key,
                                 const struct publish_request *request)
{
    const bool has_key = is_equal_key(path->key[0] ? path->key : server_key, request->key);
    switch (path->access) {
    case ACCESS_OPEN: return PUBLISH_ALLOWED;
    case ACCESS_DENY: return PUBLISH_NOT_ALLOWED;
    case ACCESS_KEY: return has_key ? PUBLISH_ALLOWED : PUBLISH_BAD_KEY;
    case ACCESS_LOCAL_OR_KEY:
        /* a wrong key from loopback is a mistake that its user wants to hear about */
        if (has_key || (is_loopback(request->address) && !request->key[0])) return PUBLISH_ALLOWED;
        return PUBLISH_BAD_KEY;
    }
    return PUBLISH_NOT_ALLOWED;
}
