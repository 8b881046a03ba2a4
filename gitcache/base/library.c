#include "gitcache/base/library.h"

#include <string.h>

int library_open(struct error *e)
{
    int r = git_libgit2_init();

    if (r < 0)
        return error_git(e, r, "can't start libgit2");
    /*
     * Owner validation protects from a repository whose configuration names commands to run
     * (hooks, filters, pagers, fsmonitor). libgit2 runs none of them, and of a repository's
     * configuration we use nothing but its format. So a cache that was filled by root, or a local
     * repository of a colleague, may be read as any other folder with the right permissions.
     */
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    /* A ref that is there is complete, also after a power failure. */
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    return 0;
}

void library_close(void)
{
    git_libgit2_shutdown();
}

void oid_to_git(git_oid *out, const struct oid *oid)
{
    git_oid_fromraw(out, oid->id);
}

void oid_from_git(struct oid *out, const git_oid *oid)
{
    memcpy(out->id, oid->id, OID_SIZE);
}
