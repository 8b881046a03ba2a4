/* fuzz_http.c - any status, type and page in place of git's answer, and any place that it leads to. */
#include <stdio.h>

#include "gitcache/net/http_login.h"
#include "gitcache/net/http_message.h"
#include "tests/fuzz/pieces.h"

/* Cuts a line off the text. */
static const char *take_line(char **text)
{
    char *line = strsep(text, "\n");

    return line ? line : "";
}

static void check_login(const char *asked, const char *url)
{
    struct http_login login = {0};
    struct http_request request = {.url = url, .who = "it"};

    http_login_prepare(&login, asked, &request);
    if (request.password && strstr(asked, request.password) == NULL && !strchr(asked, '%'))
        abort();
    http_login_release(&login);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = strndup((const char *)data, size), *text = copy;
    struct http_response response = {0};
    struct error e = {0};

    if (!copy)
        abort();
    response.status = strtol(take_line(&text), NULL, 10) % 1000;
    response.retry_after = labs(strtol(take_line(&text), NULL, 10) / 2);
    snprintf(response.type, sizeof response.type, "%s", take_line(&text));
    const char *asked = take_line(&text), *url = take_line(&text);
    snprintf(response.text, sizeof response.text, "%s", text ? text : "");
    check_error(http_message_error(&e, "it", &response), &e);
    if (e.errnum == 0 || http_message_pause(&response) < 0)
        abort();
    http_message_wants_discovery(&response);
    http_message_is_dumb(&response);
    check_login(asked, url);
    free(copy);
    return 0;
}
