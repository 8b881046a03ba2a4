#include "gitcache/net/upload_pack.h"

#include <errno.h>
#include <string.h>

#include "gitcache/net/answer.h"
#include "gitcache/net/launcher.h"

int upload_pack_open(struct stream *out, const char *url, const char *who,
                     const struct net_settings *settings, const struct gitconfig *config,
                     struct error *e)
{
    const struct helper helper = {.kind = HELPER_UPLOAD_PACK, .subject = url};
    struct process process;
    struct error why = {0};
    int r = launcher_start(settings->launcher, &process, &helper, config, &why);

    if (r < 0)
        return error_set(e, -r, "%s: %s", who, why.text);
    stream_init_process(out, &process);
    return 0;
}

int upload_pack_failed(struct stream *stream, struct error *e)
{
    const char *words = stream_last_words(stream), *all = stream->messages;
    int errnum = answer_errno_of_message(all, strlen(all));

    stream_close(stream);
    if (strstr(all, "dubious ownership"))
        return error_set(
            e, EACCES,
            "%s: belongs to another user, so git refuses to read it; `git config --global --add "
            "safe.directory PATH`, run as the user that mounts, allows it",
            stream->who);
    if (strstr(all, "not appear to be a git repository"))
        return error_set(e, EHOSTUNREACH, "%s is not a git repository; check the spelling",
                         stream->who);
    if (!*words)
        return 0;
    return error_set(e, errnum, "%s: git: %s", stream->who, words);
}
