/* Which packets reach a guarded socket: sent over loopback, each with a marker behind it. */
#include "hex.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/net.h>

#include "ingest/srt_guard.h"

/* control, what follows its type; timestamp, socket id */
#define CONTROL(type) "8" type "0000 00000000 00000001 00000000 "
/* version, encryption and extension, sequence */
#define CONCLUSION5 CONTROL("000") "00000005 00000005 11111111 "
#define BEHIND(type) type " 22222222 33333333 0100007f 00000000 00000000 00000000 "
#define HSREQ "0001 0003 00010501 000000bf 00780078 "
#define SOUND CONCLUSION5 "000005dc 00006400 " BEHIND("ffffffff")
#define WORDS8 "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "

static const struct {
    const char *what, *hex;
    bool passes;
} cases[] = {
    { "data", "11111111 e0000001 00000001 22222222 47", true },
    { "data without a payload", "11111111 e0000001 00000001 22222222", true },
    { "no whole header", "80000000 00000000 00000001", false },
    { "nothing", "47", false },
    { "keepalive", CONTROL("001") "00000000", true },
    { "shutdown", CONTROL("005") "00000000", true },
    { "ACKACK", CONTROL("006") "00000000", true },
    { "ACK: weir sends nothing", CONTROL("002") "00000001", false },
    { "NAK", CONTROL("003") "80000001", false },
    { "congestion warning", CONTROL("004") "00000000", false },
    { "peer error", CONTROL("008") "00000000", false },
    { "a type that is none", CONTROL("123") "00000000", false },
    { "drop request", CONTROL("007") "00000010 00000020", true },
    { "drop request over the end of the numbers", CONTROL("007") "7ffffff0 00000010", true },
    { "drop request cut short", CONTROL("007") "00000010", false },
    { "drop request for 256 packets", CONTROL("007") "00000010 00000110", true },
    { "drop request for more", CONTROL("007") "00000010 00000111", false },
    { "drop request for half of all numbers", CONTROL("007") "00000010 3fffffff", false },
    { "drop request backwards", CONTROL("007") "00000020 00000010", false },
    { "new keys", "ffff0003 00000000 00000001 00000000 " WORDS8, true },
    { "new keys of 128 bytes", "ffff0003 00000000 00000001 00000000 " WORDS8 WORDS8 WORDS8 WORDS8, true },
    { "new keys that are too long", "ffff0003 00000000 00000001 00000000 " WORDS8 WORDS8 WORDS8 WORDS8 "00000000",
      false },
    { "induction", CONTROL("000") "00000004 00000002 11111111 000005dc 00002000 " BEHIND("00000001"), true },
    { "induction's answer", CONTROL("000") "00000005 00004a17 11111111 000005dc 00002000 " BEHIND("00000001"), true },
    { "conclusion with a stream id", SOUND HSREQ "0005 0002 6576696c 6d61632f", true },
    { "conclusion without anything", CONCLUSION5 "000005dc 00006400 " BEHIND("ffffffff"), true },
    { "conclusion of version 4", CONTROL("000") "00000004 00000002 11111111 000005dc 00002000 " BEHIND("ffffffff"),
      true },
    { "handshake cut short", CONTROL("000") "00000005 00000005 11111111 000005dc 00002000 ffffffff", false },
    { "the least MTU", CONCLUSION5 "00000240 00006400 " BEHIND("ffffffff") HSREQ, true },
    { "a smaller MTU", CONCLUSION5 "0000023f 00006400 " BEHIND("ffffffff") HSREQ, false },
    { "an MTU of 60: a response would be written over its buffer",
      CONCLUSION5 "0000003c 00006400 " BEHIND("ffffffff") HSREQ, false },
    { "an MTU below zero", CONCLUSION5 "ffffffff 00006400 " BEHIND("ffffffff") HSREQ, false },
    { "the largest flow window", CONCLUSION5 "000005dc 00019000 " BEHIND("ffffffff") HSREQ, true },
    { "a larger one", CONCLUSION5 "000005dc 00019001 " BEHIND("ffffffff") HSREQ, false },
    { "one of two gigabytes", CONCLUSION5 "000005dc 04000000 " BEHIND("ffffffff") HSREQ, false },
    { "one below zero", CONCLUSION5 "000005dc ffffffff " BEHIND("ffffffff") HSREQ, false },
    { "none", CONCLUSION5 "000005dc 00000000 " BEHIND("ffffffff") HSREQ, false },
    { "key material", SOUND HSREQ "0003 0008 " WORDS8, true },
    { "key material of 104 bytes", SOUND HSREQ "0003 001a " WORDS8 WORDS8 WORDS8 "00000000 00000000", true },
    { "key material that is too long", SOUND HSREQ "0003 001b " WORDS8 WORDS8 WORDS8 "00000000 00000000 00000000",
      false },
    { "key material that is too long, as a response",
      SOUND HSREQ "0004 001b " WORDS8 WORDS8 WORDS8 "00000000 00000000 00000000", false },
    { "key material that says it is long", SOUND HSREQ "0003 ffff " WORDS8, false },
    { "a block that says it is longer than it is", SOUND HSREQ "0005 0003 6576696c 6d61632f", false },
    { "a block of which half is there", SOUND HSREQ "0005", false },
    { "eight blocks", SOUND HSREQ "0006 0000 0006 0000 0006 0000 0006 0000 0006 0000 0006 0000 0006 0000", true },
    { "nine", SOUND HSREQ "0006 0000 0006 0000 0006 0000 0006 0000 0006 0000 0006 0000 0006 0000 0006 0000", false },
};

static void only_sound_packets_pass(void **unused_state)
{
    static const char marker[] = "\x11\x11\x11\x11marker, as data";
    int guarded = -1, sender = -1;
    uint16_t port = 0, other = 0;
    assert_int_equal(net_bind_datagram("127.0.0.1:0", &guarded, &port), WEIR_OK);
    assert_int_equal(net_bind_datagram("127.0.0.1:0", &sender, &other), WEIR_OK);
    assert_int_equal(srt_guard_attach(guarded), WEIR_OK);
    const struct timeval deadline = { .tv_sec = 10 };
    setsockopt(guarded, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr = { htonl(INADDR_LOOPBACK) } };
    assert_int_equal(connect(sender, (const struct sockaddr *)&to, sizeof to), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex packet = hex(cases[i].hex);
        uint8_t got[2048];
        print_message("%s\n", cases[i].what);
        assert_int_equal(send(sender, packet.data, packet.bytes, 0), packet.bytes);
        assert_int_equal(send(sender, marker, sizeof marker, 0), sizeof marker);
        ssize_t bytes = recv(guarded, got, sizeof got, 0);
        if (cases[i].passes) {
            assert_int_equal(bytes, packet.bytes);
            assert_memory_equal(got, packet.data, packet.bytes);
            bytes = recv(guarded, got, sizeof got, 0);
        }
        assert_int_equal(bytes, sizeof marker);
    }
    close(guarded);
    close(sender);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_sound_packets_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
