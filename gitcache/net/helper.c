#include "gitcache/net/helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"
#include "gitcache/net/protocol.h"
#include "gitcache/net/ssh_start.h"

/* Set for git, or taken from it: what is for another repository than this one, as git does it. A
 * partial clone may not fetch what it lacks, with a command that its configuration names. */
#define UPLOAD_PACK_VARIABLES                                                          \
    "LC_ALL=C", "GIT_NO_LAZY_FETCH=1", "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR",   \
        "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",  \
        "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", \
        "GIT_PREFIX"

static int start_upload_pack(struct process *out, const char *url, const struct gitconfig *config,
                             struct error *e)
{
    const char *const variables[] = {protocol_variable(config), UPLOAD_PACK_VARIABLES, NULL};
    char *path = url_local_path(url);
    /* A search of the history asks for commits alone, whatever the repository is set to. */
    const char *argv[] = {"git", "-c", "uploadpack.allowFilter=true", "upload-pack", "--",
                          path,  NULL};
    struct error why = {0};

    if (!path)
        return error_no_memory(e);
    int r = process_start(out, argv, variables, &why);
    free(path);
    if (r == -ENOMEM)
        return error_no_memory(e);
    return r < 0
               ? error_set(e, EIO, "a local repository is read with git, and %s; is git installed?",
                           why.text)
               : 0;
}

static int start_credential(struct process *out, const char *action, struct error *e)
{
    const char *argv[] = {"git", "credential", action, NULL};
    /* GIT_ASKPASS and core.askPass are git's to know; nothing asks on a terminal. */
    const char *variables[] = {"GIT_TERMINAL_PROMPT=0", "SSH_ASKPASS=", "GCM_INTERACTIVE=never",
                               NULL};

    if (strcmp(action, "fill") != 0 && strcmp(action, "approve") != 0 &&
        strcmp(action, "reject") != 0)
        return error_set(e, EINVAL, "git credential has no action '%s'", action);
    return process_start(out, argv, variables, e);
}

/* It has been checked before. Here it counts if a launcher is asked by a worker that is not itself
 * any more. */
static int check_scheme(const struct helper *helper, enum url_scheme scheme,
                        const struct gitconfig *config, struct error *e)
{
    if (url_scheme(helper->subject) != scheme)
        return error_set(e, EINVAL, "not a URL of that kind");
    return protocol_check(config, scheme, "this URL", e);
}

int helper_start(struct process *out, const struct helper *helper, const struct gitconfig *config,
                 struct error *e)
{
    int r = -EINVAL;

    switch (helper->kind) {
    case HELPER_SSH:
        r = check_scheme(helper, URL_SSH, config, e);
        return r < 0 ? r : ssh_start(out, helper->subject, helper->connect_timeout, config, e);
    case HELPER_UPLOAD_PACK:
        r = check_scheme(helper, URL_LOCAL, config, e);
        return r < 0 ? r : start_upload_pack(out, helper->subject, config, e);
    case HELPER_CREDENTIAL:
        return start_credential(out, helper->subject, e);
    }
    return error_set(e, EINVAL, "no such helper");
}
