/* fuzz_source.c - any text as a source: what is accepted is spelled anew so that it means the same. */
#include "gitcache/base/source.h"
#include "tests/fuzz/pieces.h"

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void check_spelling(const struct source *source)
{
    char *line = source_format(source);
    struct source again;
    struct error e = {0};

    if (!line)
        abort();
    if (source_parse(&again, line, "/elsewhere", &e) < 0)
        abort();
    if (again.kind != source->kind || !same(again.url, source->url) ||
        !same(again.name, source->name) || !same(again.version, source->version) ||
        !same(again.commit, source->commit))
        abort();
    source_release(&again);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    struct source source;
    struct error e = {0};
    int r;

    if (!text)
        abort();
    r = source_parse(&source, text, "/here/and/there", &e);
    check_error(r, &e);
    if (r == 0) {
        if (*source.url == '-' || !*source.name || *source.name == '.' || strchr(source.name, '/'))
            abort();
        check_spelling(&source);
        source_release(&source);
    }
    free(text);
    return 0;
}
