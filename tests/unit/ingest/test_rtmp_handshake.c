/* The handshake as clients check it: the echo, the digest in both places it may stand, and what is no RTMP at all. */
#include "hex.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <weir/ingest/rtmp_handshake.h>

#define DIGEST 32
#define SERVER_NAME "Genuine Adobe Flash Media Server 001"
#define CLIENT_NAME "Genuine Adobe Flash Player 001"

static uint8_t in[RTMP_C0_C1_BYTES], filling[2 * RTMP_HANDSHAKE_BYTES], out[RTMP_S0_S1_S2_BYTES];
static const uint8_t *const s1 = out + 1, *const s2 = out + 1 + RTMP_HANDSHAKE_BYTES;

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)(i * 7 + 3);
    for (size_t i = 0; i < sizeof filling; i++) filling[i] = (uint8_t)(i * 13 + 1);
    in[0] = RTMP_VERSION;
    memset(out, 0xEE, sizeof out);
    return 0;
}

/* Where the digest stands, from the specification of the form, not from the code under test. */
static size_t place(const uint8_t *block, unsigned scheme)
{
    const uint8_t *at = block + (scheme ? 772 : 8);
    return (at[0] + at[1] + at[2] + at[3]) % 728u + (scheme ? 776u : 12u);
}

static void digest_around(const uint8_t *block, size_t at, const char *key, size_t key_bytes, uint8_t digest[DIGEST])
{
    uint8_t rest[RTMP_HANDSHAKE_BYTES - DIGEST];
    unsigned bytes = DIGEST;
    memcpy(rest, block, at);
    memcpy(rest + at, block + at + DIGEST, sizeof rest - at);
    assert_non_null(HMAC(EVP_sha256(), key, (int)key_bytes, rest, sizeof rest, digest, &bytes));
}

static void simple_form_echoes(void **state)
{
    bool used_digest = true;
    memset(in + 1 + 4, 0, 4);
    assert_int_equal(rtmp_handshake_answer(in, filling, 0x01020304, out, &used_digest), WEIR_OK);
    assert_false(used_digest);
    assert_int_equal(out[0], RTMP_VERSION);
    assert_bytes(s1, 8, "01020304 00000000");
    assert_memory_equal(s1 + 8, filling + 8, RTMP_HANDSHAKE_BYTES - 8);
    /* C1's time, ours, and C1's bytes (RTMP 5.2.4) */
    assert_memory_equal(s2, in + 1, 4);
    assert_bytes(s2 + 4, 4, "01020304");
    assert_memory_equal(s2 + 8, in + 1 + 8, RTMP_HANDSHAKE_BYTES - 8);
}

static void digest_form_is_proved(void **state)
{
    for (unsigned scheme = 0; scheme < 2; scheme++) {
        uint8_t digest[DIGEST], key[DIGEST];
        unsigned bytes = DIGEST;
        bool used_digest = false;
        setup(NULL);
        memcpy(in + 1 + 4, "\x80\x00\x07\x02", 4);
        const size_t at = place(in + 1, scheme);
        digest_around(in + 1, at, CLIENT_NAME, strlen(CLIENT_NAME), digest);
        memcpy(in + 1 + at, digest, DIGEST);
        assert_int_equal(rtmp_handshake_answer(in, filling, 5, out, &used_digest), WEIR_OK);
        assert_true(used_digest);
        uint8_t expected[DIGEST];
        digest_around(s1, place(s1, scheme), SERVER_NAME, strlen(SERVER_NAME), expected);
        assert_memory_equal(s1 + place(s1, scheme), expected, DIGEST);
        /* S2's last 32 bytes prove that the server knows the long key and saw C1's digest */
        const struct hex tail = hex("F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE");
        uint8_t long_key[sizeof SERVER_NAME - 1 + 32];
        memcpy(long_key, SERVER_NAME, sizeof SERVER_NAME - 1);
        memcpy(long_key + sizeof SERVER_NAME - 1, tail.data, 32);
        HMAC(EVP_sha256(), long_key, sizeof long_key, digest, DIGEST, key, &bytes);
        HMAC(EVP_sha256(), key, DIGEST, s2, RTMP_HANDSHAKE_BYTES - DIGEST, expected, &bytes);
        assert_memory_equal(s2 + RTMP_HANDSHAKE_BYTES - DIGEST, expected, DIGEST);
    }
}

static void wrong_digest_gets_the_echo(void **state)
{
    bool used_digest = true;
    memcpy(in + 1 + 4, "\x80\x00\x07\x02", 4);
    assert_int_equal(rtmp_handshake_answer(in, filling, 5, out, &used_digest), WEIR_OK);
    assert_false(used_digest);
    assert_memory_equal(s2 + 8, in + 1 + 8, RTMP_HANDSHAKE_BYTES - 8);
}

static void other_versions_are_refused(void **state)
{
    static const uint8_t versions[] = { 0, 2, 6 /* RTMPE */, 'G' /* ET / HTTP */, 0x16 /* TLS */, 255 };
    for (size_t i = 0; i < sizeof versions; i++) {
        bool used_digest;
        in[0] = versions[i];
        assert_int_equal(rtmp_handshake_answer(in, filling, 5, out, &used_digest), WEIR_MALFORMED);
        assert_int_equal(out[0], 0xEE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(simple_form_echoes, setup),
        cmocka_unit_test_setup(digest_form_is_proved, setup),
        cmocka_unit_test_setup(wrong_digest_gets_the_echo, setup),
        cmocka_unit_test_setup(other_versions_are_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
