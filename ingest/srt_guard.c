#include "srt_guard.h"

#include <assert.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <weir/base/limits.h>

/* Offsets in what the filter sees: the UDP header, then SRT's (draft-sharabayko-srt, 3.1, 3.2). */
#define SRT 8
#define BODY (SRT + 16)
#define HANDSHAKE_VERSION BODY
#define HANDSHAKE_EXTENSION (BODY + 6)
#define HANDSHAKE_MTU (BODY + 12)
#define HANDSHAKE_FLOW (BODY + 16)
#define HANDSHAKE_TYPE (BODY + 20)
#define HANDSHAKE_END (BODY + 48)

enum {
    CONTROL_HANDSHAKE = 0,
    CONTROL_KEEPALIVE = 1,
    CONTROL_SHUTDOWN = 5,
    CONTROL_ACKACK = 6,
    CONTROL_DROP = 7,
    CONTROL_EXTENSION = 0x7FFF
};
enum { EXTENSION_KM_REQUEST = 3, EXTENSION_KM_RESPONSE = 4 };

#define CONCLUSION 0xFFFFFFFFu
#define CONTROL_BIT 0x80000000u
#define SEQUENCE_MASK 0x7FFFFFFFu
#define RESPONSE_MAGIC 0x4A17 /* in place of the flags, in a listener's first answer */
#define CODE_MAX 250          /* jumps reach 255 */
#define JUMP_UNSET 255

/* A program in the making: jumps go to labels that are set later. */
enum label { ACCEPT = 1, DROP, LABELS };
struct program {
    struct sock_filter code[CODE_MAX];
    uint8_t yes[CODE_MAX], no[CODE_MAX]; /* labels; 0: the next instruction */
    size_t count, at[LABELS];
};

static void put(struct program *p, uint16_t code, uint32_t k)
{
    assert(p->count < CODE_MAX);
    p->code[p->count++] = (struct sock_filter)BPF_STMT(code, k);
}

static void load_word(struct program *p, uint32_t at)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, at);
}

static void load_half(struct program *p, uint32_t at)
{
    put(p, BPF_LD | BPF_H | BPF_ABS, at);
}

/* A conditional jump; 0: go on. */
static void when(struct program *p, uint16_t test, uint32_t k, enum label yes, enum label no)
{
    put(p, BPF_JMP | test, k);
    p->yes[p->count - 1] = (uint8_t)yes;
    p->no[p->count - 1] = (uint8_t)no;
}

/* A forward jump over instructions that are put next: returns where to patch. */
static size_t skip_unless(struct program *p, uint16_t test, uint32_t k)
{
    put(p, BPF_JMP | test, k);
    p->code[p->count - 1].jf = JUMP_UNSET;
    return p->count - 1;
}

static void land(struct program *p, size_t skip)
{
    p->code[skip].jf = (uint8_t)(p->count - skip - 1);
}

static void finish(struct program *p)
{
    p->at[ACCEPT] = p->count;
    put(p, BPF_RET | BPF_K, UINT32_MAX);
    p->at[DROP] = p->count;
    put(p, BPF_RET | BPF_K, 0);
    for (size_t i = 0; i < p->count; i++) {
        if (BPF_CLASS(p->code[i].code) != BPF_JMP) continue;
        if (p->yes[i]) p->code[i].jt = (uint8_t)(p->at[p->yes[i]] - i - 1);
        if (p->no[i]) p->code[i].jf = (uint8_t)(p->at[p->no[i]] - i - 1);
    }
}

/* One block behind a handshake: type, length in words, that many words. X is where it begins. */
static void check_block(struct program *p)
{
    /* at the end of the packet: all was looked at. A load beyond it drops the packet by itself */
    put(p, BPF_LD | BPF_W | BPF_LEN, 0);
    when(p, BPF_JEQ | BPF_X, 0, ACCEPT, 0);
    put(p, BPF_LD | BPF_H | BPF_IND, 0);
    const size_t not_request = skip_unless(p, BPF_JEQ | BPF_K, EXTENSION_KM_REQUEST);
    put(p, BPF_LD | BPF_H | BPF_IND, 2);
    when(p, BPF_JGT | BPF_K, SRT_KEY_MATERIAL_BYTES_MAX / 4, DROP, 0);
    land(p, not_request);
    put(p, BPF_LD | BPF_H | BPF_IND, 0);
    const size_t not_response = skip_unless(p, BPF_JEQ | BPF_K, EXTENSION_KM_RESPONSE);
    put(p, BPF_LD | BPF_H | BPF_IND, 2);
    when(p, BPF_JGT | BPF_K, SRT_KEY_MATERIAL_BYTES_MAX / 4, DROP, 0);
    land(p, not_response);
    put(p, BPF_LD | BPF_H | BPF_IND, 2);
    put(p, BPF_ALU | BPF_LSH | BPF_K, 2);
    put(p, BPF_ALU | BPF_ADD | BPF_K, 4);
    put(p, BPF_ALU | BPF_ADD | BPF_X, 0);
    put(p, BPF_MISC | BPF_TAX, 0);
}

static void check_handshake(struct program *p)
{
    load_word(p, HANDSHAKE_MTU);
    when(p, BPF_JGE | BPF_K, SRT_PEER_MTU_MIN, 0, DROP);
    when(p, BPF_JGT | BPF_K, SRT_PEER_MTU_MAX, DROP, 0);
    load_word(p, HANDSHAKE_FLOW);
    when(p, BPF_JGE | BPF_K, SRT_PEER_FLIGHT_MIN, 0, DROP);
    when(p, BPF_JGT | BPF_K, SRT_PEER_FLIGHT_MAX, DROP, 0);
    load_word(p, HANDSHAKE_END - 4); /* is it whole? */
    load_word(p, HANDSHAKE_TYPE);
    when(p, BPF_JEQ | BPF_K, CONCLUSION, 0, ACCEPT);
    load_word(p, HANDSHAKE_VERSION);
    when(p, BPF_JEQ | BPF_K, 5, 0, ACCEPT);
    load_half(p, HANDSHAKE_EXTENSION);
    when(p, BPF_JEQ | BPF_K, 0, ACCEPT, 0);
    when(p, BPF_JEQ | BPF_K, RESPONSE_MAGIC, ACCEPT, 0);
    put(p, BPF_LDX | BPF_W | BPF_IMM, HANDSHAKE_END);
    for (int block = 0; block < SRT_HANDSHAKE_BLOCKS_MAX; block++) check_block(p);
    put(p, BPF_LD | BPF_W | BPF_LEN, 0);
    when(p, BPF_JEQ | BPF_X, 0, ACCEPT, DROP);
}

static void check_drop_request(struct program *p)
{
    load_word(p, BODY);
    put(p, BPF_MISC | BPF_TAX, 0);
    load_word(p, BODY + 4);
    put(p, BPF_ALU | BPF_SUB | BPF_X, 0);
    put(p, BPF_ALU | BPF_AND | BPF_K, SEQUENCE_MASK);
    when(p, BPF_JGT | BPF_K, SRT_DROP_REQUEST_PACKETS_MAX, DROP, ACCEPT);
}

static void build(struct program *p)
{
    load_word(p, BODY - 4); /* a whole header */
    load_word(p, SRT);
    when(p, BPF_JSET | BPF_K, CONTROL_BIT, 0, ACCEPT);
    put(p, BPF_ALU | BPF_RSH | BPF_K, 16);
    put(p, BPF_ALU | BPF_AND | BPF_K, 0x7FFF);
    when(p, BPF_JEQ | BPF_K, CONTROL_KEEPALIVE, ACCEPT, 0);
    when(p, BPF_JEQ | BPF_K, CONTROL_SHUTDOWN, ACCEPT, 0);
    when(p, BPF_JEQ | BPF_K, CONTROL_ACKACK, ACCEPT, 0);
    const size_t no_drop_request = skip_unless(p, BPF_JEQ | BPF_K, CONTROL_DROP);
    check_drop_request(p);
    land(p, no_drop_request);
    const size_t no_extension = skip_unless(p, BPF_JEQ | BPF_K, CONTROL_EXTENSION);
    put(p, BPF_LD | BPF_W | BPF_LEN, 0);
    when(p, BPF_JGT | BPF_K, BODY + SRT_EXTENSION_BYTES_MAX, DROP, ACCEPT);
    land(p, no_extension);
    when(p, BPF_JEQ | BPF_K, CONTROL_HANDSHAKE, 0, DROP);
    check_handshake(p);
    finish(p);
}

enum weir_err srt_guard_attach(int fd)
{
    struct program *p = calloc(1, sizeof *p);
    if (!p) return WEIR_NOMEM;
    build(p);
    const struct sock_fprog program = { .len = (unsigned short)p->count, .filter = p->code };
    const int failed = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    free(p);
    return failed ? WEIR_IO : WEIR_OK;
}
