#include "gitcache/net/answer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "gitcache/net/pktline.h"

/* How git, ssh and the big hosts put it. The first that fits decides: git daemon says "access
 * denied or repository not exported" of a repository that does not exist. */
static const struct {
    const char *words;
    int errnum;
} messages[] = {
    {"not our ref", ENOENT},
    {"unadvertised object", ENOENT},
    {" not valid", ENOENT}, /* JGit: "want 1234... not valid" */
    {"repository not exported", EHOSTUNREACH},
    {"not appear to be a git repository", EHOSTUNREACH},
    {"repository not found", EHOSTUNREACH},
    {"project you were looking for could not be found", EHOSTUNREACH},
    {"no such project", EHOSTUNREACH},
    {"permission denied", EACCES},
    {"host key verification failed", EACCES},
    {"access denied", EACCES},
    {"unauthorized", EACCES},
    {"not authorized", EACCES},
    {"authentication fail", EACCES},
    {"too many authentication failures", EACCES},
    {"could not resolve hostname", EHOSTUNREACH},
    {"connection refused", EHOSTUNREACH},
    {"no route to host", EHOSTUNREACH},
    {"network is unreachable", EHOSTUNREACH},
    {"connection timed out", ETIMEDOUT},
    {"connection reset by", ECONNRESET},
    {"connection closed by", ECONNRESET},
    {"kex_exchange_identification", ECONNRESET}, /* sshd has as many as it takes */
};

static bool contains(const char *text, size_t length, const char *words)
{
    size_t n = strlen(words);

    for (size_t i = 0; i + n <= length; i++)
        if (strncasecmp(text + i, words, n) == 0)
            return true;
    return false;
}

int answer_errno_of_message(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        if (contains(text, length, messages[i].words))
            return messages[i].errnum;
    return EIO;
}

int answer_refused(struct error *e, const char *who, const char *packet, size_t length)
{
    const char *text = packet + strlen("ERR ");

    length = pktline_text_length(packet, length) - strlen("ERR ");
    if (length > 400)
        length = 400;
    return error_set(e, answer_errno_of_message(text, length), "%s: the server refused: %.*s", who,
                     (int)length, text);
}

int answer_too_slow(struct error *e, const char *who, unsigned seconds)
{
    return error_set(e, ETIMEDOUT,
                     "%s: the server sent messages, or single bytes, but little of what it was "
                     "asked for, for %u seconds",
                     who, seconds);
}

int answer_cut_off(struct error *e, const char *who)
{
    return error_set(e, EIO, "%s: the server's answer was cut off; try again", who);
}

bool answer_is_whole_at_end(const struct answer *answer)
{
    return answer->is_whole(answer->parser) || (answer->may_end && answer->may_end(answer->parser));
}
