#include "fs/service/ruby_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/service/json_object.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void put_byte(FILE *out, char c)
{
    static const char meanings[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
    const char *named = c ? strchr(meanings, c) : NULL;

    if (named)
        fprintf(out, "\\%c", names[named - meanings]);
    else if ((unsigned char)c < 0x20)
        fprintf(out, "\\u%04x", (unsigned char)c);
    else
        fputc(c, out);
}

void ruby_json_string(FILE *out, const char *bytes, size_t length)
{
    size_t good;

    fputc('"', out);
    while (length > 0) {
        json_text_is_utf8(bytes, length, &good);
        for (size_t i = 0; i < good; i++)
            put_byte(out, bytes[i]);
        if (good < length) {
            fputs(REPLACEMENT, out);
            good++;
        }
        bytes += good;
        length -= good;
    }
    fputc('"', out);
}

static int put_string(FILE *out, struct json_span value)
{
    size_t length;
    char *text = json_text_string(value, &length);

    if (!text)
        return -ENOMEM;
    ruby_json_string(out, text, length);
    free(text);
    return 0;
}

static int put_object(FILE *out, struct json_span value)
{
    struct json_object object;
    int r = json_object_init(&object, value);

    fputc('{', out);
    for (size_t i = 0; r == 0 && i < object.count; i++) {
        if (i > 0)
            fputc(',', out);
        ruby_json_string(out, object.items[i].key, object.items[i].length);
        fputc(':', out);
        r = ruby_json_value(out, object.items[i].value);
    }
    fputc('}', out);
    json_object_release(&object);
    return r;
}

static int put_array(FILE *out, struct json_span value)
{
    struct json_span rest = json_text_enter(value), element;
    const char *comma = "";
    int r = 0;

    fputc('[', out);
    while (r == 0 && json_text_next_element(&rest, &element)) {
        fputs(comma, out);
        r = ruby_json_value(out, element);
        comma = ",";
    }
    fputc(']', out);
    return r;
}

int ruby_json_value(FILE *out, struct json_span value)
{
    switch (*value.at) {
    case '{':
        return put_object(out, value);
    case '[':
        return put_array(out, value);
    case '"':
        return put_string(out, value);
    default:
        fwrite(value.at, 1, (size_t)(value.end - value.at), out);
        return 0;
    }
}
