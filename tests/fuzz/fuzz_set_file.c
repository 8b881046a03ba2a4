/* fuzz_set_file.c - any bytes as a set's file. */
#include "fs/sets/set_file.h"
#include "tests/fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("set", data, size);
    enum start_point_type type = TYPE_LANGUAGES;
    struct set set = {0};
    struct error e = {0};
    int64_t made_at = 0;
    int r = set_file_read(&set, path, &type, &made_at, &e);

    check_error(r, &e);
    if (r == 0 && set.sources.count > 0 && !set.sources.items[0].url)
        abort();
    set_release(&set);
    return 0;
}
