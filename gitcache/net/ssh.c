#include "gitcache/net/ssh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"
#include "gitcache/net/answer.h"
#include "gitcache/net/protocol.h"

#define MAX_ARGUMENTS 16

struct ssh_arguments {
    const char *argv[MAX_ARGUMENTS];
    size_t count;
};

static void add(struct ssh_arguments *arguments, const char *argument)
{
    arguments->argv[arguments->count++] = argument;
}

/* What to run. GIT_SSH_COMMAND and core.sshCommand are a shell's words, GIT_SSH is one program.
 * `script` keeps the text that is built. */
static int add_program(struct ssh_arguments *arguments, const struct gitconfig *config,
                       char **script)
{
    const char *command = getenv("GIT_SSH_COMMAND"), *program = getenv("GIT_SSH");

    if (!command || !*command)
        command = gitconfig_get(config, "core.sshcommand");
    if (!command || !*command) {
        add(arguments, program && *program ? program : "ssh");
        return 0;
    }
    if (asprintf(script, "%s \"$@\"", command) < 0) {
        *script = NULL;
        return -ENOMEM;
    }
    add(arguments, "sh");
    add(arguments, "-c");
    add(arguments, *script);
    add(arguments, command); /* $0 */
    return 0;
}

/* git-upload-pack 'PATH', for the shell at the other end. Owned; NULL if out of memory. */
static char *remote_command(const char *path)
{
    static const char program[] = "git-upload-pack '";
    char *out = malloc(sizeof program + 4 * strlen(path) + 2), *to = out;

    if (!out)
        return NULL;
    to = stpcpy(to, program);
    for (; *path; path++) {
        if (*path == '\'' || *path == '!')
            to += sprintf(to, "'\\%c'", *path);
        else
            *to++ = *path;
    }
    strcpy(to, "'");
    return out;
}

static int run(struct stream *out, const struct url_parts *parts, const char *who,
               const struct net_settings *settings, const struct gitconfig *config, struct error *e)
{
    const char *const variables[] = {protocol_variable(config), "LC_ALL=C", NULL};
    struct ssh_arguments arguments = {0};
    struct process process;
    char *script = NULL, *host = NULL, *command = remote_command(parts->path);
    char timeout[40];
    struct error why = {0};
    int r = add_program(&arguments, config, &script);

    if (asprintf(&host, "%s%s%s", parts->user ? parts->user : "", parts->user ? "@" : "",
                 parts->host) < 0)
        host = NULL;
    if (r < 0 || !host || !command) {
        r = error_set(e, ENOMEM, "%s: out of memory", who);
        goto out;
    }
    snprintf(timeout, sizeof timeout, "ConnectTimeout=%u", settings->connect_timeout);
    add(&arguments, "-o");
    add(&arguments, "BatchMode=yes");
    add(&arguments, "-o");
    add(&arguments, "SendEnv=GIT_PROTOCOL");
    add(&arguments, "-o");
    add(&arguments, timeout);
    if (parts->port) {
        add(&arguments, "-p");
        add(&arguments, parts->port);
    }
    add(&arguments, host);
    add(&arguments, command);
    r = process_start(&process, arguments.argv, variables, &why);
    if (r < 0)
        error_set(e, EIO, "%s: %s; is openssh-client installed?", who, why.text);
    else
        stream_init_process(out, &process);
    r = r < 0 ? -EIO : 0;
out:
    free(script);
    free(host);
    free(command);
    return r;
}

int ssh_open(struct stream *out, const char *url, const char *who,
             const struct net_settings *settings, const struct gitconfig *config, struct error *e)
{
    struct url_parts parts;
    int r = url_split(&parts, url);

    if (r < 0)
        return error_set(e, -r, "%s: not a URL that ssh can be given", who);
    r = run(out, &parts, who, settings, config, e);
    url_parts_release(&parts);
    return r;
}

int ssh_failed(struct stream *stream, struct error *e)
{
    const char *words = stream_last_words(stream);
    int errnum = answer_errno_of_message(stream->messages, strlen(stream->messages));

    stream_close(stream);
    if (strncmp(words, "ssh: ", 5) == 0)
        words += 5;
    if (!*words)
        return 0;
    return error_set(e, errnum, "%s: ssh: %s%s", stream->who, words,
                     errnum == EACCES ? "; `ssh -T` to that host must work without a question"
                                      : "");
}
