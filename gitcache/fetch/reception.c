#include "gitcache/fetch/reception.h"

#include "gitcache/fetch/list_refs.h"

struct reception {
    struct incoming *incoming;
    struct error *e;
};

static int take_bytes(void *data, const void *bytes, size_t size)
{
    struct reception *reception = data;
    return incoming_write(reception->incoming, bytes, size, reception->e);
}

int reception_run(struct incoming *incoming, struct remote *remote,
                  const struct fetch_command_request *request, const struct watch *watch,
                  struct error *e)
{
    struct reception reception = {incoming, e};
    int r = incoming_begin(incoming, e);

    if (r == 0) {
        list_refs_remember(incoming->repository, remote);
        r = remote_fetch(remote, repository_url(incoming->repository), request, take_bytes,
                         &reception, watch, e);
    }
    return r < 0 ? r : incoming_finish(incoming, e);
}
