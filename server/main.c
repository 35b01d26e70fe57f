/* weir: the command. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/server/cert_dev.h>
#include <weir/server/config.h>
#include <weir/server/house.h>

#include "capabilities.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 3 };
#define SETS_MAX 128
#define LOOK_S 2 /* at files that may have changed */
#define LOOKS_PER_TIDY 5

static const char usage[] =
    "weir - live ingest edge server: RTMP and SRT in, HLS out\n"
    "\n"
    "usage: weir serve [-c weir.yaml] [--set key=value]...   run the server; needs no configuration\n"
    "       weir check -c weir.yaml                          read a configuration and say what is wrong with it\n"
    "       weir capabilities [--json]                       what this build takes in and gives out, and what encodes "
    "here\n"
    "       weir cert dev [--dir DIR] [--name HOST]          make a certificate for trying out HTTPS and RTMPS\n"
    "       weir version\n"
    "\n"
    "Publish from OBS:   server rtmp://HOST/live   stream key NAME            (from another machine: NAME?key=KEY)\n"
    "    or over SRT:    srt://HOST:8890?streamid=#!::r=live/NAME,m=publish     (from another machine: ,s=KEY behind "
    "it)\n"
    "Watch:              http://HOST:8080/live/NAME/   or in a player:  http://HOST:8080/live/NAME/index.m3u8\n"
    "\n"
    "Keys for --set are those of the file, dotted: --set hls.segment=4s --set listen.rtmp=127.0.0.1:0\n"
    "Every key: docs/configuration.md\n";

struct arguments {
    const char *file;
    const char *sets[SETS_MAX];
    size_t set_count;
};

static int complain(const char *text)
{
    fprintf(stderr, "weir: %s\n", text);
    return EXIT_USAGE;
}

static int parse_arguments(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){ .file = NULL };
    for (int i = 2; i < argc; i++) {
        const bool has_value = i + 1 < argc;
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(usage, stdout);
            return -1;
        }
        if ((!strcmp(argv[i], "-c") || !strcmp(argv[i], "--config")) && has_value)
            out->file = argv[++i];
        else if (!strcmp(argv[i], "--set") && has_value && out->set_count < SETS_MAX)
            out->sets[out->set_count++] = argv[++i];
        else {
            fprintf(stderr, "weir: \"%s\" is not understood; try weir --help\n", argv[i]);
            return EXIT_USAGE;
        }
    }
    return 0;
}

static char *read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(CONFIG_FILE_BYTES_MAX + 1) : NULL;
    if (text) {
        *bytes = fread(text, 1, CONFIG_FILE_BYTES_MAX + 1, f);
        if (ferror(f)) {
            free(text);
            text = NULL;
        }
    }
    if (f) fclose(f);
    return text;
}

/* Defaults, then the file, then --set; what a path in the file does not say itself is as all that says. Sets the log's levels.
 * On failure there is nothing to deinit, and `error` has words. */
static enum weir_err load_config(struct config *c, const struct arguments *arguments, struct config_error *error)
{
    enum weir_err err = WEIR_OK;
    size_t bytes = 0;
    char *text = NULL;
    config_init(c);
    if (arguments->file) {
        text = read_file(arguments->file, &bytes);
        if (!text) {
            snprintf(error->text, sizeof error->text, "cannot read %.160s: %s", arguments->file, strerror(errno));
            config_deinit(c);
            return WEIR_IO;
        }
        err = config_load_yaml(c, text, bytes, arguments->file, error);
    }
    for (size_t i = 0; !err && i < arguments->set_count; i++) err = config_set(c, arguments->sets[i], error);
    if (!err && text && arguments->set_count) err = config_load_yaml_paths(c, text, bytes, arguments->file, error);
    if (text) explicit_bzero(text, bytes);
    free(text);
    if (!err) err = config_check(c, error);
    if (!err && !log_set_levels(c->log_level)) {
        snprintf(
            error->text, sizeof error->text,
            "log.level: \"%.80s\" is not right; expected error, warn, info or debug, also per room: info,ingest=debug",
            c->log_level);
        err = WEIR_CONFIG;
    }
    if (!err) return WEIR_OK;
    if (!error->text[0]) snprintf(error->text, sizeof error->text, "%s", err_name(err));
    config_deinit(c);
    return err;
}

static int load_or_complain(struct config *c, const struct arguments *arguments)
{
    struct config_error error = { "" };
    if (load_config(c, arguments, &error) == WEIR_OK) return 0;
    fprintf(stderr, "weir: %s\n", error.text);
    return EXIT_CONFIG;
}

/* The one key that changes while streams run: to look closer at what goes wrong must not need a restart, which ends it. */
static void reread_log_level(const struct arguments *arguments)
{
    struct config config;
    struct config_error error = { "" };
    if (!arguments->file) {
        log_event(LOG_SERVER, LOG_INFO, "-", "nothing_to_read",
                  "text=\"there is no configuration file to read again\"");
        return;
    }
    if (load_config(&config, arguments, &error)) {
        log_event(LOG_SERVER, LOG_ERROR, "-", "configuration_refused", "text=%s", log_quote_text(error.text).text);
        return;
    }
    log_event(LOG_SERVER, LOG_INFO, "-", "log_level", "level=%s text=\"other keys need a restart\"", config.log_level);
    config_deinit(&config);
}

/* Many connections are the job: take as many descriptors as the system gives. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_event(LOG_SERVER, LOG_WARN, "-", "descriptor_limit", "reason=%s", strerror(errno));
}

/* A core holds the keys that publishers sent and those that the server knows. */
static void keep_keys_out_of_cores(void)
{
    const struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &none)) log_event(LOG_SERVER, LOG_WARN, "-", "core_limit", "reason=%s", strerror(errno));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they look at this process from another one */
    /* the limit alone does not hold back a program that the kernel pipes cores to */
    if (prctl(PR_SET_DUMPABLE, 0)) log_event(LOG_SERVER, LOG_WARN, "-", "core_limit", "reason=%s", strerror(errno));
#endif
}

/* Media buffers live for a window and go: give their memory back instead of keeping heaps per thread. */
static void tune_allocator(void)
{
    mallopt(M_ARENA_MAX, 4);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}

static uint16_t port_of(const struct house *h, const char *protocol)
{
    const struct house_listener *listeners;
    const size_t count = house_listeners(h, &listeners);
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(listeners[i].protocol, protocol)) return listeners[i].port;
    }
    return 0;
}

/* What to paste into OBS. The key goes to a terminal only: what a service manager collects is a log. */
static void print_welcome(const struct house *h)
{
    const unsigned rtmp = port_of(h, "rtmp"), srt = port_of(h, "srt"), http = port_of(h, "http");
    printf("weir " WEIR_VERSION " is ready.\n\n"
           "  In OBS, Settings, Stream, Service \"Custom...\":\n");
    if (rtmp)
        printf("    Server       rtmp://localhost:%u/live\n"
               "    Stream Key   studio\n",
               rtmp);
    if (srt)
        printf("  %s   srt://localhost:%u?streamid=publish:live/studio\n", rtmp ? "or, over SRT" : "  Server    ", srt);
    if (http) printf("  Watch          http://localhost:%u/live/studio/\n", http);
    const unsigned rtmps = port_of(h, "rtmps"), https = port_of(h, "https");
    if (rtmps) printf("  Encrypted:     Server rtmps://HOST:%u/live\n", rtmps);
    if (https) printf("                 https://HOST:%u/live/studio/\n", https);
    putchar('\n');
    if (isatty(STDOUT_FILENO))
        printf("  From another machine: its name instead of localhost, and the stream key  studio?key=%s\n",
               house_key(h));
    else
        printf("  From another machine: its name instead of localhost, and the stream key  studio?key=KEY, where KEY "
               "is in\n"
               "  %s%s\n",
               house_key_file(h), house_is_key_new(h) ? " (made just now)" : "");
    fflush(stdout);
}

/* Until SIGINT or SIGTERM. SIGHUP reads the certificate and log.level again; a change of its files the certificate. */
static int wait_for_end(struct house *house, const struct arguments *arguments, const sigset_t *signals)
{
    static const struct timespec interval = { .tv_sec = LOOK_S };
    for (unsigned looks = 0;;) {
        const int caught = sigtimedwait(signals, NULL, &interval);
        if (caught == SIGINT || caught == SIGTERM) return caught;
        if (caught == SIGHUP) {
            reread_log_level(arguments);
            house_reload(house);
            continue;
        }
        house_look_at_files(house);
        if (++looks % LOOKS_PER_TIDY == 0) house_tidy(house);
    }
}

static int serve(const struct arguments *arguments)
{
    struct config config;
    const int failed = load_or_complain(&config, arguments);
    if (failed) return failed;
    log_set_format(!strcmp(config.log_format, "json") ? LOG_JSON : LOG_TEXT);
    tune_allocator();
    raise_descriptor_limit();
    if (!config.may_dump_core) keep_keys_out_of_cores();
    signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    /* before any thread starts, so that all inherit it and this one alone waits */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct house *house = NULL;
    struct config_error error = { "" };
    if (house_create(&house, &config, &error)) {
        fprintf(stderr, "weir: %s\n", error.text);
        config_deinit(&config);
        return EXIT_FAILURE;
    }
    print_welcome(house);
    const int caught = wait_for_end(house, arguments, &signals);
    log_event(LOG_SERVER, LOG_INFO, "-", "stopping", "signal=%s", caught == SIGINT ? "SIGINT" : "SIGTERM");
    house_drain(house);
    house_destroy(house);
    config_deinit(&config);
    return EXIT_SUCCESS;
}

static int check(const struct arguments *arguments)
{
    struct config config;
    if (!arguments->file) return complain("check needs -c FILE");
    const int failed = load_or_complain(&config, arguments);
    if (failed) return failed;
    printf("%s is right: %zu path rules\n", arguments->file, config.path_count);
    config_deinit(&config);
    return EXIT_SUCCESS;
}

static int cert(int argc, char **argv)
{
    const char *dir = ".", *host = NULL;
    struct cert_files files;
    struct config_error error = { "" };
    if (argc < 3 || strcmp(argv[2], "dev")) return complain("expected `weir cert dev`");
    for (int i = 3; i < argc; i += 2) {
        if (i + 1 < argc && !strcmp(argv[i], "--dir"))
            dir = argv[i + 1];
        else if (i + 1 < argc && !strcmp(argv[i], "--name"))
            host = argv[i + 1];
        else
            return complain("cert dev takes --dir DIR and --name HOST");
    }
    if (cert_dev_make(dir, host, &files, &error)) return fprintf(stderr, "weir: %s\n", error.text), EXIT_FAILURE;
    printf("Made %s and %s, good for a year on this machine%s%s.\n"
           "Use them with  weir serve --set tls.cert=%s --set tls.key=%s\n"
           "Browsers and encoders will ask whether to trust it, or have to be told to: it is signed by itself.\n",
           files.cert, files.key, host ? " and as " : "", host ? host : "", files.cert, files.key);
    return EXIT_SUCCESS;
}

static int capabilities(int argc, char **argv)
{
    const bool as_json = argc == 3 && !strcmp(argv[2], "--json");
    if (argc > 2 && !as_json) return complain("capabilities takes --json or nothing");
    const enum weir_err err = capabilities_print(as_json);
    if (err) fprintf(stderr, "weir: %s\n", err_name(err));
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (argc < 2) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    const char *command = argv[1];
    if (!strcmp(command, "--help") || !strcmp(command, "-h") || !strcmp(command, "help")) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (!strcmp(command, "version") || !strcmp(command, "--version")) {
        puts("weir " WEIR_VERSION);
        return EXIT_SUCCESS;
    }
    if (!strcmp(command, "capabilities")) return capabilities(argc, argv);
    if (!strcmp(command, "cert")) return cert(argc, argv);
    const int failed = parse_arguments(argc, argv, &arguments);
    if (failed) return failed < 0 ? EXIT_SUCCESS : failed;
    if (!strcmp(command, "serve")) return serve(&arguments);
    if (!strcmp(command, "check")) return check(&arguments);
    fprintf(stderr, "weir: \"%s\" is no command; try weir --help\n", command);
    return EXIT_USAGE;
}
