#include "fs/worker/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

static uint64_t capabilities_needed(const char *cache_folder, bool lists_are_beyond)
{
    uint64_t needed = lists_are_beyond ? BIT(CAP_DAC_READ_SEARCH) : 0;
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

/* What is permitted and not effective can be had back. */
static int set_capabilities(uint64_t permitted, uint64_t effective)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(permitted >> 32 * i);
        data[i].effective = data[i].permitted & (uint32_t)(effective >> 32 * i);
        data[i].inheritable = 0; /* takes the ambient ones away, too */
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int fail(int r, struct error *e)
{
    return r < 0 ? error_set(e, -r, "cannot give up privileges: %s", strerror(-r)) : 0;
}

static int keep(uint64_t capabilities, struct error *e)
{
    int r = 0;

    lower_bounding_set(capabilities);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0)
        r = set_capabilities(capabilities, capabilities);
    return fail(r, e);
}

int privileges_begin(struct error *e)
{
    return fail(set_capabilities(~UINT64_C(0), ~(BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_DAC_OVERRIDE))),
                e);
}

int privileges_find_beyond(void *data, const char *path, bool is_folder)
{
    if (faccessat(AT_FDCWD, path, is_folder ? R_OK | X_OK : R_OK, AT_EACCESS) < 0 &&
        errno == EACCES)
        *(bool *)data = true;
    return 0;
}

int privileges_drop(const char *cache_folder, bool lists_are_beyond, struct error *e)
{
    return keep(capabilities_needed(cache_folder, lists_are_beyond), e);
}

int privileges_drop_launcher(struct error *e)
{
    return keep(BIT(CAP_DAC_READ_SEARCH), e);
}
