#include "gitcache/net/ssh_start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gitcache/base/url.h"
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

/* What the program understands: git-config(1), ssh.variant. */
enum ssh_variant { SSH_OPENSSH, SSH_SIMPLE, SSH_PLINK, SSH_TORTOISE };

static enum ssh_variant variant_of(const char *name, size_t length)
{
    static const struct {
        const char *name;
        enum ssh_variant variant;
    } variants[] = {
        {"simple", SSH_SIMPLE},
        {"plink", SSH_PLINK},
        {"putty", SSH_PLINK},
        {"tortoiseplink", SSH_TORTOISE},
    };

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (length == strlen(variants[i].name) && strncasecmp(name, variants[i].name, length) == 0)
            return variants[i].variant;
    return SSH_OPENSSH;
}

/* Where nothing is said ("auto"), the program's name tells. */
static enum ssh_variant find_variant(const struct gitconfig *config)
{
    const char *variant = getenv("GIT_SSH_VARIANT"), *command = getenv("GIT_SSH_COMMAND"), *end;

    if (!variant || !*variant)
        variant = gitconfig_get(config, "ssh.variant");
    if (variant && strcasecmp(variant, "auto") != 0)
        return variant_of(variant, strlen(variant));
    if (!command || !*command)
        command = gitconfig_get(config, "core.sshcommand");
    if (!command || !*command)
        command = getenv("GIT_SSH");
    if (!command)
        return SSH_OPENSSH;
    end = command + strcspn(command, " ");
    for (const char *c = command; c < end; c++)
        if (*c == '/')
            command = c + 1;
    return variant_of(command, (size_t)(end - command));
}

/* -EINVAL for a port where none can be said. */
static int add_options(struct ssh_arguments *arguments, enum ssh_variant variant,
                       const char *timeout, const char *port)
{
    if (variant == SSH_OPENSSH) {
        add(arguments, "-o");
        add(arguments, "BatchMode=yes");
        add(arguments, "-o");
        add(arguments, "SendEnv=GIT_PROTOCOL");
        add(arguments, "-o");
        add(arguments, timeout);
    } else if (variant == SSH_TORTOISE) {
        add(arguments, "-batch");
    }
    if (!port)
        return 0;
    if (variant == SSH_SIMPLE)
        return -EINVAL;
    add(arguments, variant == SSH_OPENSSH ? "-p" : "-P");
    add(arguments, port);
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

static int start(struct process *out, struct ssh_arguments *arguments,
                 const struct gitconfig *config, struct error *e)
{
    const char *const variables[] = {protocol_variable(config), "LC_ALL=C", NULL};
    struct error why = {0};
    int r = process_start(out, arguments->argv, variables, &why);

    return r < 0 ? error_set(e, EIO, "%s; is openssh-client installed?", why.text) : 0;
}

static int run(struct process *out, const struct url_parts *parts, unsigned connect_timeout,
               const struct gitconfig *config, struct error *e)
{
    struct ssh_arguments arguments = {0};
    char *script = NULL, *host = NULL, *command = remote_command(parts->path);
    char timeout[40];
    int r = add_program(&arguments, config, &script);

    if (asprintf(&host, "%s%s%s", parts->user ? parts->user : "", parts->user ? "@" : "",
                 parts->host) < 0)
        host = NULL;
    if (r < 0 || !host || !command) {
        r = error_no_memory(e);
        goto out;
    }
    snprintf(timeout, sizeof timeout, "ConnectTimeout=%u", connect_timeout);
    r = add_options(&arguments, find_variant(config), timeout, parts->port);
    if (r < 0) {
        r = error_set(e, EINVAL, "the ssh that is configured (ssh.variant simple) takes no port");
        goto out;
    }
    add(&arguments, host);
    add(&arguments, command);
    r = start(out, &arguments, config, e);
out:
    free(script);
    free(host);
    free(command);
    return r;
}

int ssh_start(struct process *out, const char *url, unsigned connect_timeout,
              const struct gitconfig *config, struct error *e)
{
    struct url_parts parts;
    int r = url_scheme(url) == URL_SSH ? url_split(&parts, url) : -EINVAL;

    if (r < 0)
        return error_set(e, -r, "not a URL that ssh can be given");
    r = run(out, &parts, connect_timeout, config, e);
    url_parts_release(&parts);
    return r;
}
