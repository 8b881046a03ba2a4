/* left_behind.h - what a test, or what it calls, has not given back: allocations, and mappings. Included by the tests that look
 * for it; those of one thread, as others come and go with theirs. A sanitizer's own malloc says that there is never any. */
#ifndef TESTS_LEFT_BEHIND_H
#define TESTS_LEFT_BEHIND_H

#include <malloc.h>
#include <stdio.h>
#include <string.h>

__attribute__((unused)) static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* How often memory files of that name are mapped. */
__attribute__((unused)) static unsigned mapped(const char *name)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned count = 0;
    char line[5000];

    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, name) != NULL;
    if (maps)
        fclose(maps);
    return count;
}

#endif
