#include "gitcache/net/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"

char *site_base_of(const char *url)
{
    size_t size = strlen(url) + 1;
    char *base = malloc(size);

    if (!base)
        return NULL;
    url_display(url, base, size);
    for (size_t n = strlen(base); n && base[n - 1] == '/'; n--)
        base[n - 1] = '\0';
    return base;
}

static void release(struct site *site)
{
    if (site->url)
        explicit_bzero(site->url, strlen(site->url));
    free(site->url);
    free(site->base);
    *site = (struct site){0};
}

int site_forget(struct site *site)
{
    free(site->base);
    site->base = site_base_of(site->url);
    site->can = (struct capabilities){0};
    site->version_2 = false;
    return site->base ? 0 : -ENOMEM;
}

struct site *site_get(struct sites *sites, const char *url)
{
    struct site *site;

    for (size_t i = 0; i < SITE_COUNT; i++)
        if (sites->sites[i].url && strcmp(sites->sites[i].url, url) == 0)
            return &sites->sites[i];
    site = &sites->sites[sites->next++ % SITE_COUNT];
    release(site);
    site->url = strdup(url);
    if (site->url && site_forget(site) == 0)
        return site;
    release(site);
    return NULL;
}

void site_release_all(struct sites *sites)
{
    for (size_t i = 0; i < SITE_COUNT; i++)
        release(&sites->sites[i]);
}

/* VERSION BASE WORD...; the words are version 0's. */
char *site_format(const struct site *site)
{
    char words[CAPABILITIES_TEXT] = "", *text;
    bool version_0 = site->can.known && site->can.version_0;

    if ((!version_0 && !site->version_2) || strpbrk(site->base, " \n"))
        return NULL;
    if (version_0)
        capabilities_format(&site->can, words);
    if (asprintf(&text, "%d %s%s%s", version_0 ? 0 : 2, site->base, *words ? " " : "", words) < 0)
        return NULL;
    return text;
}

/* A base from the disk may not lead from https to something weaker. */
static bool may_be_base(const char *url, const char *base)
{
    enum url_scheme from = url_scheme(url), to = url_scheme(base);

    return to == from || (from == URL_HTTP && to == URL_HTTPS);
}

void site_parse(struct site *site, const char *text)
{
    size_t length = strlen(text) > 2 ? strcspn(text + 2, " ") : 0;
    const char *words = text + 2 + length;
    char *base;

    if (length == 0 || (*text != '0' && *text != '2') || text[1] != ' ')
        return;
    base = strndup(text + 2, length);
    if (!base || !may_be_base(site->url, base)) {
        free(base);
        return;
    }
    free(site->base);
    site->base = base;
    site->version_2 = *text == '2';
    if (*text == '0') {
        site->can = (struct capabilities){.known = true, .version_0 = true};
        capabilities_note_all(&site->can, *words ? words + 1 : words,
                              strlen(*words ? words + 1 : words));
    }
}
