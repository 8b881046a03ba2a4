/* remote_calls.h - what tests ask remotes for: a listing, or one commit that is not looked at. Included by the tests that need it. */
#ifndef TESTS_REMOTE_CALLS_H
#define TESTS_REMOTE_CALLS_H

#include "gitcache/net/remote.h"

#define WANTED_COMMIT "1111111111111111111111111111111111111111"

static int take_nothing(void *data, const void *bytes, size_t size)
{
    (void)data;
    (void)bytes;
    (void)size;
    return 0;
}

static int fetch(struct remote *remote, const char *url, bool commits_only, struct error *e)
{
    struct oid want;
    const struct fetch_command_request request = {
        .wants = &want, .count = 1, .depth = 1, .commits_only = commits_only};

    assert_true(oid_parse(&want, WANTED_COMMIT, OID_HEX));
    return remote_fetch(remote, url, &request, take_nothing, NULL, NULL, e);
}

/* And how many refs it has; count may be NULL. */
static int list(struct remote *remote, const char *url, size_t *count, struct error *e)
{
    struct listing listing = {0};
    int r = remote_list(remote, url, NULL, 0, NULL, &listing, e);

    if (count)
        *count = listing.count;
    listing_release(&listing);
    return r;
}

#endif
