#include <weir/ingest/rtmp_handshake.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <weir/base/bytes.h>

#define DIGEST_BYTES 32
#define SERVER_TEXT_BYTES 36
#define CLIENT_TEXT_BYTES 30

static const uint8_t server_key[68] = "Genuine Adobe Flash Media Server 001"
                                      "\xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57"
                                      "\x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE";
static const uint8_t client_key[] = "Genuine Adobe Flash Player 001";

static bool hmac(const uint8_t *key, size_t key_bytes, const uint8_t *data, size_t bytes, uint8_t out[DIGEST_BYTES])
{
    unsigned out_bytes = DIGEST_BYTES;
    return HMAC(EVP_sha256(), key, (int)key_bytes, data, bytes, out, &out_bytes) != NULL;
}

/* HMAC over a handshake block without the 32 bytes where its digest stands. */
static bool digest_block(const uint8_t block[RTMP_HANDSHAKE_BYTES], size_t at, const uint8_t *key, size_t key_bytes,
                         uint8_t out[DIGEST_BYTES])
{
    uint8_t rest[RTMP_HANDSHAKE_BYTES - DIGEST_BYTES];
    memcpy(rest, block, at);
    memcpy(rest + at, block + at + DIGEST_BYTES, sizeof rest - at);
    return hmac(key, key_bytes, rest, sizeof rest, out);
}

/* Where a block's digest stands: four bytes say it, in one of two places. */
static size_t digest_offset(const uint8_t block[RTMP_HANDSHAKE_BYTES], unsigned scheme)
{
    const size_t base = scheme == 0 ? 8 : 772;
    const unsigned sum = block[base] + block[base + 1] + block[base + 2] + block[base + 3];
    return sum % 728 + base + 4;
}

static bool find_digest(const uint8_t c1[RTMP_HANDSHAKE_BYTES], unsigned *scheme, size_t *at)
{
    for (unsigned s = 0; s < 2; s++) {
        uint8_t expected[DIGEST_BYTES];
        const size_t offset = digest_offset(c1, s);
        if (!digest_block(c1, offset, client_key, CLIENT_TEXT_BYTES, expected) ||
            memcmp(c1 + offset, expected, DIGEST_BYTES))
            continue;
        *scheme = s;
        *at = offset;
        return true;
    }
    return false;
}

static bool answer_digest(const uint8_t *c1, unsigned scheme, size_t digest_at, uint8_t *s1, uint8_t *s2)
{
    static const uint8_t version[4] = { 4, 5, 0, 1 };
    uint8_t digest[DIGEST_BYTES], key[DIGEST_BYTES];
    memcpy(s1 + 4, version, sizeof version);
    const size_t at = digest_offset(s1, scheme);
    if (!digest_block(s1, at, server_key, SERVER_TEXT_BYTES, digest)) return false;
    memcpy(s1 + at, digest, DIGEST_BYTES);
    const size_t filling = RTMP_HANDSHAKE_BYTES - DIGEST_BYTES;
    return hmac(server_key, sizeof server_key, c1 + digest_at, DIGEST_BYTES, key) &&
           hmac(key, sizeof key, s2, filling, s2 + filling);
}

enum weir_err rtmp_handshake_answer(const uint8_t in[RTMP_C0_C1_BYTES], const uint8_t random[2 * RTMP_HANDSHAKE_BYTES],
                                    uint32_t uptime_ms, uint8_t out[RTMP_S0_S1_S2_BYTES], bool *used_digest)
{
    if (in[0] != RTMP_VERSION) return WEIR_MALFORMED;
    const uint8_t *c1 = in + 1;
    uint8_t *s1 = out + 1, *s2 = s1 + RTMP_HANDSHAKE_BYTES;
    unsigned scheme = 0;
    size_t digest_at = 0;
    out[0] = RTMP_VERSION;
    memcpy(s1, random, RTMP_HANDSHAKE_BYTES);
    memcpy(s2, random + RTMP_HANDSHAKE_BYTES, RTMP_HANDSHAKE_BYTES);
    store_u32(s1, uptime_ms);
    /* bytes 4 to 7 are zero in the simple form, a player's version in the other */
    *used_digest = load_u32(c1 + 4) != 0 && find_digest(c1, &scheme, &digest_at) &&
                   answer_digest(c1, scheme, digest_at, s1, s2);
    if (*used_digest) return WEIR_OK;
    store_u32(s1 + 4, 0);
    memcpy(s2, c1, RTMP_HANDSHAKE_BYTES); /* the echo */
    store_u32(s2 + 4, uptime_ms);
    return WEIR_OK;
}
