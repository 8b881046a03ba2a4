/* set_pins.h - records in a set which commits a check has found, and says what is new: the end of
 * `create` and `update`. */
#ifndef FS_CLI_SET_PINS_H
#define FS_CLI_SET_PINS_H

#include "fs/sets/checking.h"

/* Pins each source of the set to the commit that was checked (checking->set is this set). Prints a
 * line for each that differs from what it was in `before`, unless quiet; `before` NULL: a line for
 * each. *changed: how many differ. 0, or EINVAL for a source that no set can record (set_pin). */
int set_pins_take(struct set *set, const struct set *before, const struct checking *checking,
                  bool quiet, size_t *changed, struct error *e);

#endif
