/* scan.c - see scan.h. */
#include "manifest/scan.h"

#include <string.h>

static bool at_any(const struct scanner *scanner, const char *characters)
{
    char c = scanner->at < scanner->end ? scanner->text[scanner->at] : '\0';
    return c != '\0' && strchr(characters, c) != NULL;
}

static void skip_space(struct scanner *scanner)
{
    while (at_any(scanner, " \t\r\n"))
        scanner->at++;
}

bool scan_take(struct scanner *scanner, char c)
{
    skip_space(scanner);
    if (scanner->at == scanner->end || scanner->text[scanner->at] != c)
        return false;
    scanner->at++;
    return true;
}

static void skip_string(struct scanner *scanner)
{
    scanner->at++; /* the opening quote */
    while (scanner->at < scanner->end && scanner->text[scanner->at] != '"') {
        bool escape = scanner->text[scanner->at] == '\\' && scanner->at + 1 < scanner->end;
        scanner->at += escape ? 2 : 1;
    }
    if (scanner->at < scanner->end)
        scanner->at++;
}

/* An object or an array, with everything in it. */
static void skip_nested(struct scanner *scanner)
{
    size_t depth = 0;
    while (scanner->at < scanner->end) {
        if (at_any(scanner, "\"")) {
            skip_string(scanner);
            continue;
        }
        if (at_any(scanner, "{["))
            depth++;
        else if (at_any(scanner, "}]"))
            depth--;
        scanner->at++;
        if (depth == 0)
            return;
    }
}

size_t scan_value(struct scanner *scanner)
{
    skip_space(scanner);
    size_t start = scanner->at;
    if (at_any(scanner, "\"")) {
        skip_string(scanner);
    } else if (at_any(scanner, "{[")) {
        skip_nested(scanner);
    } else {
        while (scanner->at < scanner->end && !at_any(scanner, ",:]} \t\r\n"))
            scanner->at++;
    }
    return start;
}
