#include "gitcache/net/command.h"

#include <errno.h>

int command_check(const struct command *command, const struct capabilities *capabilities,
                  const char *who, struct error *e)
{
    if (command->by_id && capabilities->known && capabilities->version_0 &&
        !capabilities->tip_ids && !capabilities->reachable_ids)
        return error_set(
            e, ENOENT,
            "%s: the server does not give commits by their ids (uploadpack.allowAnySHA1InWant)",
            who);
    if (!command->needs_filter || (capabilities->known && capabilities->filter))
        return 0;
    return error_set(
        e, EOPNOTSUPP,
        "%s: the server does not send commits without their files (uploadpack.allowFilter)", who);
}
