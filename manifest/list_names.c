#include "manifest/list_names.h"

#include <errno.h>
#include <jansson.h>

#define CODE_FALL_BACK 35

static void check_own(struct manifest_list *list, json_t *first)
{
    int code = list->type == TYPE_EXERCISES ? 90 : 40;
    for (size_t i = 0; i < list->count; i++) {
        struct manifest *manifest = &list->items[i];
        const json_t *before =
            manifest->display_name ? json_object_get(first, manifest->display_name) : NULL;
        if (before) {
            const struct where *other = &list->items[json_integer_value(before)].where;
            struct where where = manifest->where;
            where.pointer = "/display_name";
            findings_add(&list->findings, SEVERITY_ERROR, code, &where,
                         "\"%.80s\" is also the display_name of %s: %s; change one of them",
                         manifest->display_name, other->source, other->file);
        } else if (manifest->display_name && json_object_set_new(first, manifest->display_name,
                                                                 json_integer((json_int_t)i)) < 0) {
            findings_fail(&list->findings, -ENOMEM);
        }
    }
}

void list_names_check_own(struct manifest_list *list)
{
    json_t *first = json_object(); /* display name -> index of its first manifest */

    if (first)
        check_own(list, first);
    else
        findings_fail(&list->findings, -ENOMEM);
    json_decref(first);
}

static enum severity fall_back(const struct manifest_list *list)
{
    return list->strict ? SEVERITY_ERROR : SEVERITY_WARNING;
}

/* One that stands for all that have no pairs. */
static void report_lack(struct manifest_list *list, const struct manifest *lacks, size_t lacking)
{
    findings_add(&list->findings, fall_back(list), CODE_FALL_BACK, &lacks->where,
                 "lacks \"language\" or \"test_framework\", which %zu of %zu manifests of this "
                 "list have: the services show \"Language, Framework\" only if all have them, and "
                 "will show every display_name",
                 list->count - lacking, list->count);
}

static void check_repetitions(struct manifest_list *list, json_t *first)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct manifest *manifest = &list->items[i];
        const json_t *before = json_object_get(first, manifest->pair_name);
        if (before) {
            const struct where *other = &list->items[json_integer_value(before)].where;
            struct where where = manifest->where;
            where.pointer = "/language";
            findings_add(&list->findings, fall_back(list), CODE_FALL_BACK, &where,
                         "\"%.80s\" is also the language and framework of %s: %s; the services "
                         "will show every display_name of this list instead",
                         manifest->pair_name, other->source, other->file);
        } else if (json_object_set_new(first, manifest->pair_name, json_integer((json_int_t)i)) <
                   0) {
            findings_fail(&list->findings, -ENOMEM);
        }
    }
}

void list_names_check_pairs(struct manifest_list *list)
{
    const struct manifest *lacks = NULL;
    size_t lacking = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].pair_name)
            continue;
        lacks = lacks ? lacks : &list->items[i];
        lacking++;
    }
    if (lacking == list->count || list->type == TYPE_EXERCISES)
        return;
    if (lacking) {
        report_lack(list, lacks, lacking);
        return;
    }
    json_t *first = json_object(); /* name -> index of its first manifest */
    if (first)
        check_repetitions(list, first);
    else
        findings_fail(&list->findings, -ENOMEM);
    json_decref(first);
}
