/* json_fault.h - says in one sentence why text is not JSON, and where. */
#ifndef MANIFEST_JSON_FAULT_H
#define MANIFEST_JSON_FAULT_H

#include <jansson.h>
#include <stddef.h>

#define JSON_FAULT_SIZE 320

/* Writes a clause ("is not JSON: ...") about jansson's error in text[0..length), and returns the
 * byte (up to length) to point at. */
size_t json_fault_explain(const char *text, size_t length, const json_error_t *error,
                          char sentence[JSON_FAULT_SIZE]);

#endif
