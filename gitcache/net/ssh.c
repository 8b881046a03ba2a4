#include "gitcache/net/ssh.h"

#include <errno.h>
#include <string.h>

#include "gitcache/net/answer.h"
#include "gitcache/net/launcher.h"

int ssh_open(struct stream *out, const char *url, const char *who,
             const struct net_settings *settings, const struct gitconfig *config, struct error *e)
{
    const struct helper helper = {HELPER_SSH, url, settings->connect_timeout};
    struct process process;
    struct error why = {0};
    int r = launcher_start(settings->launcher, &process, &helper, config, &why);

    if (r < 0)
        return error_set(e, -r, "%s: %s", who, why.text);
    stream_init_process(out, &process);
    return 0;
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
