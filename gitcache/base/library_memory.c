#include "gitcache/base/library_memory.h"

#include <errno.h>
#include <git2/sys/alloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/library.h"

#define RESERVE_SIZE ((size_t)256 << 10)
#define SMALL        (RESERVE_SIZE / 8) /* no larger allocation is helped out */
#define REFILL_AFTER 256                /* allocations */

/* libgit2 has one allocator in a process, so there is one reserve: NULL while it is given up. */
static _Atomic(void *) reserve;
static atomic_uint since_given_up;

/* A block is exchanged for NULL by one thread alone. */
static void give_up(void)
{
    atomic_store(&since_given_up, 0);
    free(atomic_exchange(&reserve, NULL));
}

static void refill(void)
{
    void *nothing = NULL, *block = malloc(RESERVE_SIZE);

    if (block && !atomic_compare_exchange_strong(&reserve, &nothing, block))
        free(block);
}

static void *resize(void *old, size_t size)
{
    void *block = realloc(old, size ? size : 1);

    if (!block && size <= SMALL) {
        give_up();
        block = realloc(old, size ? size : 1);
    }
    if (!atomic_load(&reserve) &&
        atomic_fetch_add(&since_given_up, 1) % REFILL_AFTER == REFILL_AFTER - 1)
        refill();
    if (!block)
        git_error_set_oom();
    return block;
}

static void *resize_array(void *old, size_t count, size_t size)
{
    size_t bytes;

    if (!__builtin_mul_overflow(count, size, &bytes))
        return resize(old, bytes);
    git_error_set_oom();
    return NULL;
}

static void *on_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return resize(old, size);
}

static void *on_malloc(size_t size, const char *file, int line)
{
    return on_realloc(NULL, size, file, line);
}

static void *on_realloc_array(void *old, size_t count, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return resize_array(old, count, size);
}

static void *on_malloc_array(size_t count, size_t size, const char *file, int line)
{
    return on_realloc_array(NULL, count, size, file, line);
}

static void *on_calloc(size_t count, size_t size, const char *file, int line)
{
    void *block = on_realloc_array(NULL, count, size, file, line);
    return block ? memset(block, 0, count * size) : NULL;
}

static char *on_substrdup(const char *text, size_t size, const char *file, int line)
{
    char *copy = size < SIZE_MAX ? on_malloc(size + 1, file, line) : NULL;

    if (copy) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

static char *on_strdup(const char *text, const char *file, int line)
{
    return on_substrdup(text, strlen(text), file, line);
}

static char *on_strndup(const char *text, size_t size, const char *file, int line)
{
    return on_substrdup(text, strnlen(text, size), file, line);
}

static void on_free(void *block)
{
    free(block);
}

/* git_allocator, as it was until libgit2 1.5 and as it became after. */
struct nine_calls {
    void *(*malloc)(size_t size, const char *file, int line);
    void *(*calloc)(size_t count, size_t size, const char *file, int line);
    char *(*strdup)(const char *text, const char *file, int line);
    char *(*strndup)(const char *text, size_t size, const char *file, int line);
    char *(*substrdup)(const char *text, size_t size, const char *file, int line);
    void *(*realloc)(void *old, size_t size, const char *file, int line);
    void *(*realloc_array)(void *old, size_t count, size_t size, const char *file, int line);
    void *(*malloc_array)(size_t count, size_t size, const char *file, int line);
    void (*free)(void *block);
};

struct three_calls {
    void *(*malloc)(size_t size, const char *file, int line);
    void *(*realloc)(void *old, size_t size, const char *file, int line);
    void (*free)(void *block);
};

static struct nine_calls nine = {on_malloc,        on_calloc,       on_strdup,
                                 on_strndup,       on_substrdup,    on_realloc,
                                 on_realloc_array, on_malloc_array, on_free};
static struct three_calls three = {on_malloc, on_realloc, on_free};

/* libgit2 copies it. A third kind would be a libgit2 that we do not know: then its own stays. */
static void set_allocator(void)
{
    if (sizeof(git_allocator) == sizeof nine)
        git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, (git_allocator *)(void *)&nine);
    else if (sizeof(git_allocator) == sizeof three)
        git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, (git_allocator *)(void *)&three);
}

int library_memory_setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_allocator);
    if (!atomic_load(&reserve))
        refill();
    return atomic_load(&reserve) ? 0 : -ENOMEM;
}
