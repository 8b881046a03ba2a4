#include "gitcache/net/capabilities.h"

#include <string.h>

/* The words of a server that change what is asked for. */
static const struct {
    const char *word;
    size_t offset;
    bool version_0;
} words[] = {
    {"agent", offsetof(struct capabilities, agent), true},
    {"shallow", offsetof(struct capabilities, shallow), true},
    {"filter", offsetof(struct capabilities, filter), true},
    {"multi_ack", offsetof(struct capabilities, multi_ack), true},
    {"multi_ack_detailed", offsetof(struct capabilities, multi_ack_detailed), true},
    {"side-band", offsetof(struct capabilities, side_band), true},
    {"side-band-64k", offsetof(struct capabilities, side_band_64k), true},
    {"ofs-delta", offsetof(struct capabilities, ofs_delta), true},
    {"no-progress", offsetof(struct capabilities, no_progress), true},
    {"thin-pack", offsetof(struct capabilities, thin_pack), true},
    {"allow-tip-sha1-in-want", offsetof(struct capabilities, tip_ids), true},
    {"allow-reachable-sha1-in-want", offsetof(struct capabilities, reachable_ids), true},
    {"agent", offsetof(struct capabilities, agent), false},
    {"ls-refs", offsetof(struct capabilities, ls_refs), false},
    {"fetch", offsetof(struct capabilities, fetch), false},
};

void capabilities_add_agent(struct pktline_buffer *out, const struct capabilities *capabilities)
{
    if (!capabilities->known || capabilities->agent)
        pktline_add(out, CAPABILITIES_AGENT);
}

/* True if the space-separated features contain this one. */
static bool has_feature(const char *features, size_t length, const char *feature)
{
    size_t n = strlen(feature);

    for (size_t i = 0; i + n <= length; i++)
        if (memcmp(features + i, feature, n) == 0 && (i == 0 || features[i - 1] == ' ') &&
            (i + n == length || features[i + n] == ' '))
            return true;
    return false;
}

void capabilities_note(struct capabilities *capabilities, const char *word, size_t length)
{
    const char *equals = memchr(word, '=', length);
    size_t key = equals ? (size_t)(equals - word) : length;
    const char *value = equals ? equals + 1 : word + length;
    size_t value_length = (size_t)(word + length - value);

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].version_0 == capabilities->version_0 && pktline_is(word, key, words[i].word))
            *(bool *)((char *)capabilities + words[i].offset) = true;
    if (pktline_is(word, key, "object-format"))
        capabilities->other_format = !pktline_is(value, value_length, "sha1");
    if (!capabilities->version_0 && pktline_is(word, key, "fetch")) {
        capabilities->shallow = has_feature(value, value_length, "shallow");
        capabilities->filter = has_feature(value, value_length, "filter");
    }
}

void capabilities_note_all(struct capabilities *capabilities, const char *text, size_t length)
{
    while (length > 0) {
        const char *space = memchr(text, ' ', length);
        size_t word = space ? (size_t)(space - text) : length;

        capabilities_note(capabilities, text, word);
        text += word + (space != NULL);
        length -= word + (space != NULL);
    }
}

void capabilities_format(const struct capabilities *capabilities, char out[CAPABILITIES_TEXT])
{
    char *to = out;

    *to = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].version_0 && *(const bool *)((const char *)capabilities + words[i].offset))
            to = stpcpy(stpcpy(to, to == out ? "" : " "), words[i].word);
}
