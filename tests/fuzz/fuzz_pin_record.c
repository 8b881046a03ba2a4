/* fuzz_pin_record.c - any bytes as the record of pins, with a right checksum, and as a ref. */
#include "gitcache/base/summed.h"
#include "gitcache/store/pin_record.h"
#include "gitcache/store/refs.h"
#include "tests/fuzz/file.h"

static int visit(void *data, const char *ref, const struct oid *target)
{
    (void)data;
    (void)target;
    return *ref ? 0 : -1;
}

static void check_record(const uint8_t *data, size_t size)
{
    char line[SUMMED_LINE_SIZE + 1], *text = malloc(size + sizeof line);
    struct pin_record record;
    struct error e = {0};
    int r;

    if (!text)
        abort();
    memcpy(text, data, size);
    summed_line(text, size, line);
    memcpy(text + size, line, strlen(line));
    fuzz_file(PIN_RECORD_FILE, (const uint8_t *)text, size + strlen(line));
    r = pin_record_load(&record, fuzz_folder(), &e);
    check_error(r, &e);
    for (size_t i = 0; r == 0 && i < record.count; i++)
        if ((i > 0 && strcmp(record.items[i - 1].ref, record.items[i].ref) >= 0) ||
            !pin_record_find(&record, record.items[i].ref))
            abort();
    if (r == 0)
        pin_record_release(&record);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    struct oid oid;

    check_record(data, size);
    fuzz_file("packed-refs", data, size);
    refs_each(fuzz_folder(), visit, NULL, &e);
    e = (struct error){0};
    refs_read(fuzz_folder(), "refs/tags/1", &oid, &e);
    return 0;
}
