#include "fs/worker/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

static uint64_t capabilities_needed(const char *cache_folder)
{
    uint64_t needed = BIT(CAP_DAC_READ_SEARCH);
    struct stat st;

    if (stat(cache_folder, &st) == 0 && st.st_uid != geteuid())
        needed |= BIT(CAP_DAC_OVERRIDE);
    return needed;
}

/* None that is not had already can come back through exec; so the bounding set is only for those
 * who look. Only a process that may change it does. */
static void lower_bounding_set(uint64_t keep)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (capability >= 64 || !(keep & BIT(capability)))
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int keep_capabilities(uint64_t keep)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(keep >> 32 * i);
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0; /* takes the ambient ones away, too */
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int privileges_drop(const char *cache_folder, struct error *e)
{
    uint64_t keep = capabilities_needed(cache_folder);
    int r = 0;

    lower_bounding_set(keep);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0)
        r = keep_capabilities(keep);
    return r < 0 ? error_set(e, -r, "cannot give up privileges: %s", strerror(-r)) : 0;
}
