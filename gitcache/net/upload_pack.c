#include "gitcache/net/upload_pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"
#include "gitcache/net/answer.h"
#include "gitcache/net/protocol.h"

/* Set for git, or taken from it: what is for another repository than this one, as git does it. A
 * partial clone may not fetch what it lacks, with a command that its configuration names. */
#define VARIABLES                                                                      \
    "LC_ALL=C", "GIT_NO_LAZY_FETCH=1", "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR",   \
        "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",  \
        "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", \
        "GIT_PREFIX"

int upload_pack_open(struct stream *out, const char *url, const char *who,
                     const struct gitconfig *config, struct error *e)
{
    const char *const variables[] = {protocol_variable(config), VARIABLES, NULL};
    char *path = url_local_path(url);
    /* A search of the history asks for commits alone, whatever the repository is set to. */
    const char *argv[] = {"git", "-c", "uploadpack.allowFilter=true", "upload-pack", "--",
                          path,  NULL};
    struct process process;
    struct error why = {0};
    int r;

    if (!path)
        return error_set(e, ENOMEM, "%s: out of memory", who);
    r = process_start(&process, argv, variables, &why);
    if (r < 0)
        error_set(e, EIO, "%s: a local repository is read with git, and %s; is git installed?", who,
                  why.text);
    else
        stream_init_process(out, &process);
    free(path);
    return r < 0 ? -EIO : 0;
}

int upload_pack_failed(struct stream *stream, struct error *e)
{
    const char *words = stream_last_words(stream), *all = stream->messages;
    int errnum = answer_errno_of_message(all, strlen(all));

    stream_close(stream);
    if (strstr(all, "dubious ownership"))
        return error_set(e, EACCES,
                         "%s: belongs to another user, so git does not read it; `git config "
                         "--global --add safe.directory PATH`, as the user that mounts, allows it",
                         stream->who);
    if (strstr(all, "not appear to be a git repository"))
        return error_set(e, EHOSTUNREACH, "%s is not a git repository; look for a spelling mistake",
                         stream->who);
    if (!*words)
        return 0;
    return error_set(e, errnum, "%s: git: %s", stream->who, words);
}
