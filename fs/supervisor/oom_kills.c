#include "fs/supervisor/oom_kills.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t oom_kills(void)
{
    FILE *file = fopen("/proc/vmstat", "re");
    char line[256];
    uint64_t count = 0;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "oom_kill %" SCNu64, &count) == 1)
            break;
    if (file)
        fclose(file);
    return count;
}
