#include "gitcache/net/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/memory_file.h"
#include "gitcache/base/url.h"
#include "gitcache/net/launcher.h"
#include "gitcache/net/stream.h"

/* What `git credential` reads (git-credential(1), "INPUT/OUTPUT FORMAT"). Owned; NULL if the URL
 * has parts that cannot be said in it. */
static char *describe(const char *url, const char *user, const char *password)
{
    struct url_parts parts;
    char *text = NULL;
    size_t length;
    FILE *out;

    if (url_split(&parts, url) < 0) /* refuses newlines, too */
        return NULL;
    out = memory_file_open(&text, &length);
    if (out) {
        bool v6 = strchr(parts.host, ':') != NULL;
        fprintf(out, "protocol=%s\nhost=%s%s%s%s%s\n",
                url_scheme(url) == URL_HTTPS ? "https" : "http", v6 ? "[" : "", parts.host,
                v6 ? "]" : "", parts.port ? ":" : "", parts.port ? parts.port : "");
        if (parts.path[0] == '/' && parts.path[1])
            fprintf(out, "path=%s\n", parts.path + 1);
        if (user)
            fprintf(out, "username=%s\n", user);
        if (password)
            fprintf(out, "password=%s\n", password);
        fputc('\n', out);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    url_parts_release(&parts);
    return text;
}

/* Reads all that the process writes, up to size - 1 bytes. */
static bool read_all(struct stream *stream, char *out, size_t size)
{
    size_t used = 0, got;

    while (used < size - 1) {
        if (stream_read(stream, out + used, size - 1 - used, &got, NULL) < 0)
            return false;
        if (got == 0)
            break;
        used += got;
    }
    out[used] = '\0';
    return true;
}

/* Runs `git credential ACTION`. False if it failed, in whatever way. */
static bool run(struct launcher *launcher, const char *action, const char *input, char *output,
                size_t size, unsigned seconds)
{
    const struct helper helper = {.kind = HELPER_CREDENTIAL, .subject = action};
    struct process process;
    struct stream stream;
    bool done;

    if (launcher_start(launcher, &process, &helper, NULL, NULL) < 0)
        return false;
    stream_init_process(&stream, &process);
    stream.who = "git credential";
    stream.silence = seconds;
    done = stream_write(&stream, input, strlen(input), NULL) == 0;
    process_close(&stream.process.in);
    done = done && read_all(&stream, output, size);
    return stream_close(&stream) == 0 && done;
}

/* The value of the line "name=value"; owned, NULL if there is none or it is empty. */
static char *take_value(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == '=') {
            size_t length = strcspn(line + n + 1, "\n");
            return length ? strndup(line + n + 1, length) : NULL;
        }
    }
    return NULL;
}

static void forget(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

bool credential_fill(struct credential *out, struct launcher *launcher, const char *url,
                     const char *user, unsigned seconds)
{
    char output[4096] = "", *input = describe(url, user, NULL);

    *out = (struct credential){0};
    if (input && run(launcher, "fill", input, output, sizeof output, seconds)) {
        out->user = take_value(output, "username");
        out->password = take_value(output, "password");
    }
    explicit_bzero(output, sizeof output);
    free(input);
    if (out->user && out->password)
        return true;
    credential_release(out);
    return false;
}

void credential_tell(const struct credential *credential, struct launcher *launcher,
                     const char *url, bool worked, unsigned seconds)
{
    char output[64], *input = describe(url, credential->user, credential->password);

    if (input && !strpbrk(credential->user, "\r\n") && !strpbrk(credential->password, "\r\n"))
        run(launcher, worked ? "approve" : "reject", input, output, sizeof output, seconds);
    forget(input);
}

void credential_release(struct credential *credential)
{
    forget(credential->user);
    forget(credential->password);
    *credential = (struct credential){0};
}
