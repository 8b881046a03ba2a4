/* fuzz_raw_tree.c - any bytes as a tree: what is read lies within them, and the walk ends. */
#include "gitcache/store/raw_tree.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *block = malloc(size + 1);
    struct raw_tree tree;
    struct raw_entry entry;
    size_t count = 0;

    if (!block)
        abort();
    char *bytes = block + 1; /* so that it ends where the block does */
    memcpy(bytes, data, size);
    tree = (struct raw_tree){bytes, bytes + size};
    while (raw_tree_next(&tree, &entry) > 0) {
        if (entry.name < bytes || entry.name + entry.name_length >= bytes + size ||
            entry.name[entry.name_length] || strlen(entry.name) != entry.name_length ||
            ++count > size / 22 ||
            raw_tree_mode_is_file(entry.mode) + raw_tree_mode_is_tree(entry.mode) +
                    raw_tree_mode_is_symlink(entry.mode) >
                1)
            abort();
    }
    free(block);
    return 0;
}
