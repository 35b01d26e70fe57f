/* floor FOLDER [GATHER_MS]: the least that a server can do: receives and writes what came to FOLDER (a tmpfs), a new file every
 * 2 MiB. Wakes for every send, or looks at all sockets every GATHER_MS. Prints its port. Tests only. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES (2 << 20)
#define CONNECTIONS_MAX 4096

static struct {
    int file;
    size_t written;
    unsigned number;
} outputs[CONNECTIONS_MAX];

static void store(const char *folder, int fd, const uint8_t *data, size_t bytes)
{
    if (fd >= CONNECTIONS_MAX) return;
    if (outputs[fd].file <= 0 || outputs[fd].written > FILE_BYTES) {
        char path[512];
        if (outputs[fd].file > 0) close(outputs[fd].file);
        snprintf(path, sizeof path, "%s/%d-%u", folder, fd, outputs[fd].number++ % 4);
        outputs[fd].file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        outputs[fd].written = 0;
    }
    if (write(outputs[fd].file, data, bytes) > 0) outputs[fd].written += bytes;
}

int main(int argc, char **argv)
{
    static uint8_t buffer[256 * 1024];
    const int gather_ms = argc > 2 ? atoi(argv[2]) : 0;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    if (argc < 2 || bind(listener, (struct sockaddr *)&address, bytes) || listen(listener, 512) ||
        getsockname(listener, (struct sockaddr *)&address, &bytes))
        return 1;
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        const int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;
            if (fd == listener) {
                event.data.fd = accept(listener, NULL, NULL);
                epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
                continue;
            }
            const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0)
                close(fd);
            else
                store(argv[1], fd, buffer, (size_t)got);
        }
        const struct timespec pause = { .tv_nsec = gather_ms * 1000000L };
        if (gather_ms) clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
}
