/* fuzz_list.c - any bytes as a list of sources: none of a faulty one's is kept, and each says where it
 * stands. */
#include "gitcache/base/source_list.h"
#include "tests/fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source_list list = {0};
    struct error e = {0};
    int r = source_list_add_list(&list, fuzz_file("x.list", data, size), &e);

    check_error(r, &e);
    for (size_t i = 0; i < list.count; i++)
        if (!list.items[i].file || !list.items[i].line || !list.items[i].url)
            abort();
    if (r == 0) {
        if (list.count == 0)
            abort();
        r = source_list_check(&list, &e);
        check_error(r, &e);
    }
    source_list_release(&list);
    return 0;
}
