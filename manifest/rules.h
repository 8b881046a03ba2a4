/* rules.h - the rules that one manifest has to keep, as one table. Pure. */
#ifndef MANIFEST_RULES_H
#define MANIFEST_RULES_H

#include <stdbool.h>

#include "manifest/check.h"

/* Checks one manifest against every rule, in the table's order. Faults go to the check's findings.
 */
void rules_check(struct check *check);

#endif
