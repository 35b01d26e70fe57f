#include <weir/server/cert_dev.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALID_SECONDS (365L * 24 * 3600)
#define HOST_BYTES_MAX 128

/* Letters, digits, dots, dashes, a star in front: what can stand in a certificate without being read as something else. */
static bool is_host_name(const char *host)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    const char *rest = !strncmp(host, "*.", 2) ? host + 2 : host;
    return *rest && strlen(host) <= HOST_BYTES_MAX && strspn(rest, plain) == strlen(rest);
}

static bool is_address(const char *host)
{
    uint8_t parsed[16];
    return inet_pton(AF_INET, host, parsed) == 1 || inet_pton(AF_INET6, host, parsed) == 1;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    const bool is_added = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool name_it(X509 *cert, const char *host)
{
    char names[HOST_BYTES_MAX + 64];
    X509_NAME *subject = X509_get_subject_name(cert);
    snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1,IP:::1%s%s",
             !host              ? ""
             : is_address(host) ? ",IP:"
                                : ",DNS:",
             host ? host : "");
    /* a common name holds 64 bytes and nobody reads it any more: the names that count are below */
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"weir development", -1, -1,
                                      0) &&
           X509_set_issuer_name(cert, subject) && add_extension(cert, NID_subject_alt_name, names) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth");
}

static bool number_it(X509 *cert)
{
    uint64_t serial = 0;
    return RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1);
}

static X509 *sign(EVP_PKEY *key, const char *host)
{
    X509 *cert = X509_new();
    if (cert && X509_set_version(cert, X509_VERSION_3) && number_it(cert) &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -3600) && X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SECONDS) &&
        X509_set_pubkey(cert, key) && name_it(cert, host) && X509_sign(cert, key, EVP_sha256()))
        return cert;
    X509_free(cert);
    return NULL;
}

static FILE *create_file(const char *path, mode_t mode, struct config_error *error)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file) return file;
    snprintf(error->text, sizeof error->text, "cannot write %s: %s%s", path, strerror(errno),
             errno == EEXIST ? "; take it away first, or choose another --dir" : "");
    if (fd >= 0) close(fd);
    return NULL;
}

static enum weir_err write_pair(const char *dir, const struct cert_files *files, EVP_PKEY *key, X509 *cert,
                                struct config_error *error)
{
    FILE *key_file = create_file(files->key, 0600, error);
    if (!key_file) return WEIR_IO;
    FILE *cert_file = create_file(files->cert, 0644, error);
    if (!cert_file) {
        fclose(key_file);
        unlink(files->key);
        return WEIR_IO;
    }
    bool is_written = PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) && PEM_write_X509(cert_file, cert);
    is_written = !fclose(key_file) && is_written;
    is_written = !fclose(cert_file) && is_written;
    if (is_written) return WEIR_OK;
    snprintf(error->text, sizeof error->text, "cannot write %.200s: %s", dir, strerror(errno));
    unlink(files->key);
    unlink(files->cert);
    return WEIR_IO;
}

enum weir_err cert_dev_make(const char *dir, const char *host, struct cert_files *files, struct config_error *error)
{
    if (host && !is_address(host) && !is_host_name(host)) {
        snprintf(error->text, sizeof error->text, "--name %.80s: expected a host name or an address", host);
        return WEIR_CONFIG;
    }
    if (strlen(dir) + sizeof "/dev.crt" > CONFIG_TEXT_BYTES) {
        snprintf(error->text, sizeof error->text, "--dir: the path is longer than %d bytes", CONFIG_TEXT_BYTES);
        return WEIR_CONFIG;
    }
    snprintf(files->cert, sizeof files->cert, "%s/dev.crt", dir);
    snprintf(files->key, sizeof files->key, "%s/dev.key", dir);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? sign(key, host) : NULL;
    enum weir_err err = WEIR_NOMEM;
    if (cert)
        err = write_pair(dir, files, key, cert, error);
    else
        snprintf(error->text, sizeof error->text, "no certificate could be made: %s", err_name(err));
    X509_free(cert);
    EVP_PKEY_free(key);
    return err;
}
