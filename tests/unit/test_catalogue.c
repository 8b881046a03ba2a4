/* test_catalogue.c - a set's answers, without files and without HTTP: each transform of a manifest,
 * the names, the routes and their errors, and who is ended for being slow. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "fs/service/clients.h"
#include "fs/service/exchange.h"
#include "fs/service/route.h"
#include "fs/service/shelf.h"
#include "gitcache/base/clock.h"

/* Every file holds its name; "bad" is not UTF-8, "none" is not there. */
static int read_file(void *data, const char *name, char **bytes, size_t *size, struct error *e)
{
    (void)data;
    if (strcmp(name, "none") == 0)
        return error_set(e, ENOENT, "names the file none, which does not exist");
    *bytes = strdup(strcmp(name, "bad") == 0 ? "a\n\xff" : name);
    *size = strlen(*bytes);
    return 0;
}

static const struct manifest_neighbours neighbours = {.read = read_file};

static int make(struct manifest_text *out, const char *text, struct error *e)
{
    return manifest_text_make(out, text, strlen(text), &neighbours, e);
}

static void assert_served(const char *text, const char *expected)
{
    struct manifest_text manifest;
    struct error error = {0};
    char *written = NULL;
    size_t size;

    if (make(&manifest, text, &error) < 0)
        fail_msg("%s: %s", text, error.text);
    FILE *out = open_memstream(&written, &size);
    assert_non_null(out);
    manifest_text_write(&manifest, "N", out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(written, expected);
    free(written);
    manifest_text_release(&manifest);
}

static void each_transform(void **state)
{
    (void)state;
    assert_served("{\"display_name\":\"n\",\"visible_filenames\":[]}",
                  "{\"display_name\":\"N\",\"visible_files\":{}}");
    assert_served(
        "{\"visible_filenames\":[\"b\",\"a/c\"],\"z\":1,\"display_name\":\"n\",\"a\":[2]}",
        "{\"z\":1,\"display_name\":\"N\",\"a\":[2],\"visible_files\":"
        "{\"b\":{\"content\":\"b\"},\"a/c\":{\"content\":\"a/c\"}}}");
    assert_served("{\"display_name\":\"n\",\"visible_filenames\":[\"b\",\"a\",\"\\u0062\"]}",
                  "{\"display_name\":\"N\",\"visible_files\":"
                  "{\"b\":{\"content\":\"b\"},\"a\":{\"content\":\"a\"}}}");
    assert_served("{\"display_name\":\"n\",\"visible_filenames\":[\"ab\",\"a\"]}",
                  "{\"display_name\":\"N\",\"visible_files\":"
                  "{\"ab\":{\"content\":\"ab\"},\"a\":{\"content\":\"a\"}}}");
    assert_served("{\"filename_extension\":\".c\",\"display_name\":\"n\",\"visible_filenames\":[]}",
                  "{\"filename_extension\":[\".c\"],\"display_name\":\"N\",\"visible_files\":{}}");
    assert_served(
        "{\"filename_extension\":[\".c\"],\"display_name\":\"\",\"visible_filenames\":[]}",
        "{\"filename_extension\":[\".c\"],\"display_name\":\"N\",\"visible_files\":{}}");
    assert_served("{\"filename_extension\":null,\"display_name\":\"\",\"visible_filenames\":[]}",
                  "{\"filename_extension\":null,\"display_name\":\"N\",\"visible_files\":{}}");
    assert_served(
        "{\"rag_lambda\":\"r\",\"display_name\":\"n\",\"visible_filenames\":[],\"t\":1.0}",
        "{\"rag_lambda\":\"r\",\"display_name\":\"N\",\"t\":1.0,\"visible_files\":{}}");
    assert_served("{\"visible_files\":7,\"display_name\":\"n\",\"visible_filenames\":[\"a\"]}",
                  "{\"visible_files\":{\"a\":{\"content\":\"a\"}},\"display_name\":\"N\"}");
    assert_served("\xef\xbb\xbf{\"display_name\":\"n\",\"visible_filenames\":[]}\n",
                  "{\"display_name\":\"N\",\"visible_files\":{}}");
}

static void what_cannot_be_served(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", "is not JSON, line 1"},
        {"{\n\"a\":\n}", "is not JSON, line 3"},
        {"[]", "is not a JSON object"},
        {"{\"visible_filenames\":[]}", "has no display_name"},
        {"{\"display_name\":null,\"visible_filenames\":[]}", "display_name is not a string"},
        {"{\"display_name\":\"a\\u0000\",\"visible_filenames\":[]}", "display_name contains a NUL"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[],\"image_name\":\"\\u0000\"}",
         "image_name contains a NUL"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[],\"language\":[\"\\u0000\"]}",
         "language contains a NUL"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[],\"test_framework\":[\"\\u0000\"]}",
         "test_framework contains a NUL"},
        {"{\"display_name\":\"a\"}", "has no list visible_filenames"},
        {"{\"display_name\":\"a\",\"visible_filenames\":{}}", "has no list visible_filenames"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[1]}",
         "a name in visible_filenames is not a string"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[\"none\"]}",
         "names the file none, which does not exist"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[\"bad\"]}",
         "names the file bad, which is not UTF-8: byte 3, line 2; convert it"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[],\"rag_lambda\":null}",
         "rag_lambda is not a string"},
        {"{\"display_name\":\"a\",\"visible_filenames\":[],\"rag_lambda\":\"bad\"}",
         "names the file bad, which is not UTF-8: byte 3, line 2; convert it"},
    };
    struct manifest_text manifest;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = {0};
        assert_true(make(&manifest, rows[i].text, &error) < 0);
        assert_string_equal(error.text, rows[i].said);
    }
}

/* What a manifest says with `begin`, the part so many times, and `end`. */
static void assert_repeated(const char *begin, const char *part, size_t count, const char *end,
                            const char *said)
{
    struct manifest_text manifest;
    struct error error = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    fputs(begin, out);
    while (count-- > 0)
        fputs(part, out);
    fputs(end, out);
    assert_int_equal(fclose(out), 0);
    if (make(&manifest, text, &error) == 0)
        manifest_text_release(&manifest);
    assert_string_equal(error.text, said);
    free(text);
}

static void how_much_a_manifest_may_hold(void **state)
{
    static const char named[] = "{\"display_name\":\"a\",\"visible_filenames\":[\"f\"";
    static const char nested[] = "{\"display_name\":\"a\",\"visible_filenames\":[],\n\"x\":";

    (void)state;
    assert_repeated(named, ",\"f\"", 999, "]}", "");
    assert_repeated(named, ",\"f\"", 1000, "]}", "names more than 1000 files");
    /* The object itself is one of 98. */
    assert_repeated(nested, "[", 97, "1", "is not JSON, line 2");
    assert_repeated(nested, "[", 98, "1", "is nested deeper than 98, line 2");
}

/* A catalogue of manifests that are given as texts, up to a NULL. */
static struct catalogue *catalogue_of(const char *const *texts)
{
    struct manifest_text manifests[8] = {0};
    struct catalogue *catalogue;
    struct error error = {0};
    size_t count = 0;

    for (; texts[count]; count++)
        assert_int_equal(make(&manifests[count], texts[count], &error), 0);
    assert_int_equal(catalogue_new(&catalogue, manifests, count, &error), 0);
    for (size_t i = 0; i < count; i++)
        manifest_text_release(&manifests[i]);
    return catalogue;
}

#define PAIRS(name, language, framework)                                                \
    "{\"display_name\":\"" name "\",\"visible_filenames\":[],\"language\":[\"" language \
    "\",\"1\"],\"test_framework\":[\"" framework "\",\"2\"],\"image_name\":\"i/" name "\"}"
#define PLAIN(name) "{\"display_name\":\"" name "\",\"visible_filenames\":[]}"

static void assert_names(const char *const *texts, const char *expected)
{
    struct catalogue *catalogue = catalogue_of(texts);

    assert_string_equal(catalogue->names.text, expected);
    catalogue_put(catalogue);
}

static void names(void **state)
{
    (void)state;
    assert_names((const char *[]){NULL}, "{\"names\":[]}");
    assert_names((const char *[]){PAIRS("x", "C", "z"), PAIRS("y", "B", "z"), NULL},
                 "{\"names\":[\"B, z\",\"C, z\"]}");
    assert_names((const char *[]){PAIRS("x", "C", "z"), PAIRS("y", "C", "z"), NULL},
                 "{\"names\":[\"x\",\"y\"]}");
    assert_names((const char *[]){PAIRS("x", "C", "z"), PLAIN("a"), NULL},
                 "{\"names\":[\"a\",\"x\"]}");
    assert_names((const char *[]){PLAIN("b"), PLAIN("a"), PLAIN("b"), NULL},
                 "{\"names\":[\"a\",\"b\",\"b\"]}");
}

/* A pair is a list whose first is a string. */
static void what_is_no_pair_is_no_name(void **state)
{
    static const char *const languages[] = {"\"C\"", "[]", "[1]", "null", "{\"C\":1}"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        snprintf(text, sizeof text,
                 "{\"display_name\":\"own\",\"visible_filenames\":[],\"language\":%s,"
                 "\"test_framework\":[\"z\"]}",
                 languages[i]);
        assert_names((const char *[]){text, NULL}, "{\"names\":[\"own\"]}");
    }
}

/* As in a Ruby Hash: at the first one's place. */
static void the_last_of_one_name_is_served(void **state)
{
#define NUMBERED(name, n) \
    "{\"display_name\":\"" name "\",\"visible_filenames\":[],\"image_name\":\"i" n "\"}"
#define SERVED(name, n) \
    "{\"display_name\":\"" name "\",\"image_name\":\"i" n "\",\"visible_files\":{}}"
    struct catalogue *catalogue = catalogue_of(
        (const char *[]){NUMBERED("b", "1"), NUMBERED("a", "2"), NUMBERED("b", "3"), NULL});

    (void)state;
    assert_int_equal(catalogue->count, 2);
    assert_string_equal(catalogue->manifests.text,
                        "{\"manifests\":{\"b\":" SERVED("b", "3") ",\"a\":" SERVED("a", "2") "}}");
    assert_string_equal(catalogue_find(catalogue, "b", 1)->text,
                        "{\"manifest\":" SERVED("b", "3") "}");
    assert_string_equal(catalogue->image_names.text, "{\"image_names\":[\"i2\",\"i3\"]}");
    catalogue_put(catalogue);
}

static void image_names(void **state)
{
    struct catalogue *catalogue = catalogue_of((const char *[]){
        "{\"display_name\":\"a\",\"visible_filenames\":[],\"image_name\":\"z\"}",
        "{\"display_name\":\"b\",\"visible_filenames\":[],\"image_name\":\"a\"}",
        "{\"display_name\":\"c\",\"visible_filenames\":[],\"image_name\":\"z\"}",
        "{\"display_name\":\"d\",\"visible_filenames\":[],\"image_name\":null}", PLAIN("e"), NULL});

    (void)state;
    assert_string_equal(catalogue->image_names.text, "{\"image_names\":[\"a\",\"z\"]}");
    catalogue_put(catalogue);
}

static void assert_answer(const struct route_facts *facts, const char *path, const char *body,
                          unsigned status, const char *said)
{
    struct route_answer answer;

    assert_int_equal(route_answer(&answer, facts, path, body, strlen(body)), 0);
    const char *text = answer.reply ? answer.reply->text : answer.text;
    if (answer.status != status || !strstr(text, said))
        fail_msg("%s %s: %u %s", path, body, answer.status, text);
    free(answer.text);
}

static void routes(void **state)
{
    struct catalogue *catalogue = catalogue_of((const char *[]){PAIRS("own", "C", "z"), NULL});
    struct route_facts facts = {catalogue, true, NULL};

    (void)state;
    assert_answer(&facts, "alive", "", 200, "{\"alive?\":true}");
    assert_answer(&facts, "ready", "{}", 200, "{\"ready?\":true}");
    assert_answer(&facts, "sha", "", 200, "{\"sha\":null}");
    assert_answer(&facts, "manifest", "{\"name\":\"C, z\"}", 200,
                  "{\"manifest\":{\"display_name\":\"C, z\"");
    assert_answer(&facts, "manifest", "{\"name\":\"own\"}", 200,
                  "{\"manifest\":{\"display_name\":\"C, z\"");
    assert_answer(&facts, "manifest", "{\"name\":\"own\\u0000\"}", 500, "name:own\\u0000:unknown");
    assert_answer(&facts, "manifest", "{\"name\":[]}", 500, "name:!string");
    assert_answer(&facts, "manifest", "{\"Name\":1}", 500, "name:missing");
    assert_answer(&facts, "alive?", "", 400, "json:malformed");
    assert_answer(&facts, "alive", "[]", 400, "json:malformed");
    facts.sha = "a\"b";
    assert_answer(&facts, "sha", "", 200, "{\"sha\":\"a\\\"b\"}");
    facts.catalogue = NULL;
    assert_answer(&facts, "ready", "", 503, "{\"ready?\":false}");
    assert_answer(&facts, "names", "", 503,
                  "\"class\": \"RuntimeError\",\n    \"message\": \"start-points:not loaded yet\"");
    facts.has_set = false;
    assert_answer(&facts, "ready", "", 200, "{\"ready?\":true}");
    assert_answer(&facts, "names", "", 400, "json:malformed");
    catalogue_put(catalogue);
}

static void an_error_byte_for_byte(void **state)
{
    struct route_facts facts = {0};
    struct route_answer answer;

    (void)state;
    assert_int_equal(route_answer(&answer, &facts, "a/\"\xff", "{\"x\":\n1}", 8), 0);
    assert_string_equal(answer.text,
                        "{\n  \"exception\": {\n    \"path\": \"a/\\\"\xef\xbf\xbd\",\n"
                        "    \"body\": \"{\\\"x\\\":\\n1}\",\n"
                        "    \"class\": \"ClientError\",\n"
                        "    \"message\": \"json:malformed\",\n"
                        "    \"backtrace\": []\n  }\n}");
    free(answer.text);
}

static void assert_body_said(const char *body, const char *said)
{
    assert_answer(&(struct route_facts){0}, "names", body, 500, said);
}

static void what_is_said_of_a_body_that_is_no_json(void **state)
{
    char deep[300] = "";

    (void)state;
    assert_body_said("{} x", "\"class\": \"JSON::ParserError\",\n"
                             "    \"message\": \"unexpected token at 'x'\"");
    assert_body_said("{1234567890123456789012345678901",
                     "token at '1234567890123456789012345678901'\"");
    assert_body_said("{12345678901234567890123456789012",
                     "token at '12345678901234567890123456789012'\"");
    assert_body_said("{123456789012345678901234567890123",
                     "token at '12345678901234567890123456789012'\"");
    assert_body_said("{1234567890123456789012345678901\xc3\xa9",
                     "token at '1234567890123456789012345678901'\"");
    memset(deep, '[', 101);
    assert_body_said(deep, "\"class\": \"JSON::NestingError\",\n"
                           "    \"message\": \"nesting of 101 is too deep\"");
    memset(deep + 100, ']', 100);
    assert_answer(&(struct route_facts){0}, "names", deep, 400, "json:malformed");
}

static void a_shelf_says_how_loading_went(void **state)
{
    struct catalogue *one = catalogue_of((const char *[]){PLAIN("a"), PLAIN("b"), NULL});
    struct catalogue *two = catalogue_of((const char *[]){PLAIN("c"), NULL});
    const struct error bad = {EIO, "bad"}, worse = {EIO, "worse"};
    struct shelf shelf;

    (void)state;
    shelf_init(&shelf);
    assert_null(shelf_take(&shelf));
    assert_true(shelf_fail(&shelf, &bad));
    assert_false(shelf_fail(&shelf, &bad));
    assert_true(shelf_fail(&shelf, &worse));
    struct shelf_report report = shelf_report(&shelf);
    assert_string_equal(report.why, "worse");
    assert_true(report.is_failing && report.failures == 3 && report.loads == 0);
    assert_int_equal(report.loaded_at, 0);
    int64_t before = clock_wall() / 1000;
    shelf_replace(&shelf, one);
    report = shelf_report(&shelf);
    assert_true(!report.is_failing && report.loads == 1 && report.manifests == 2);
    assert_in_range(report.loaded_at, before, before + 100);
    assert_string_equal(report.why, "");
    assert_true(shelf_fail(&shelf, &worse)); /* again, so that is news */
    /* Who has taken one keeps it. */
    struct catalogue *taken = shelf_take(&shelf);
    assert_ptr_equal(taken, one);
    shelf_replace(&shelf, two);
    assert_string_equal(taken->names.text, "{\"names\":[\"a\",\"b\"]}");
    catalogue_put(taken);
    assert_int_equal(shelf_report(&shelf).manifests, 1);
    shelf_release(&shelf);
}

static void small_answers_are_not_compressed_and_each_has_its_tag(void **state)
{
    struct reply least, small, other;

    (void)state;
    assert_int_equal(reply_init(&least, calloc(1, 256), 256), 0);
    assert_int_equal(reply_init(&small, calloc(1, 255), 255), 0);
    assert_int_equal(reply_init(&other, strdup("another text of the same length"), 31), 0);
    assert_non_null(least.gzip);
    assert_null(small.gzip);
    assert_string_not_equal(least.tag, least.gzip_tag);
    reply_release(&small);
    assert_int_equal(reply_init(&small, strdup("another text, of the same lengt"), 31), 0);
    assert_string_not_equal(small.tag, other.tag);
    assert_false(reply_matches(&small, other.tag));
    reply_release(&least);
    reply_release(&small);
    reply_release(&other);
}

static void gzip_and_tags(void **state)
{
    struct reply reply;
    char *text = malloc(4001), unzipped[4001];
    uLongf size = sizeof unzipped;
    z_stream stream = {0};

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 4000);
    text[4000] = '\0';
    assert_int_equal(reply_init(&reply, text, 4000), 0);
    assert_non_null(reply.gzip);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = (Bytef *)reply.gzip;
    stream.avail_in = (uInt)reply.gzip_size;
    stream.next_out = (Bytef *)unzipped;
    stream.avail_out = (uInt)size;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    assert_memory_equal(unzipped, text, 4000);
    assert_true(reply_matches(&reply, reply.gzip_tag));
    assert_false(reply_matches(&reply, "\"x\""));
    assert_false(reply_matches(&reply, NULL));
    assert_true(reply_accepts_gzip("br;q=1, gzip"));
    assert_true(reply_accepts_gzip("x-gzip"));
    assert_true(reply_accepts_gzip("gzip;q=0.001"));
    assert_true(reply_accepts_gzip("identity;q=0,\t*"));
    assert_false(reply_accepts_gzip("gzip;\tQ=0"));
    assert_false(reply_accepts_gzip("gzip ; q=0.000"));
    assert_false(reply_accepts_gzip("gzipped"));
    assert_false(reply_accepts_gzip("*, gzip;q=0"));
    assert_false(reply_accepts_gzip("br, *;q=0"));
    assert_false(reply_accepts_gzip(",,;,"));
    assert_false(reply_accepts_gzip(NULL));
    reply_release(&reply);
}

static void bodies_are_bounded(void **state)
{
    struct exchange *exchange = exchange_new("/manifest?x=1");
    static char piece[1 << 19];

    (void)state;
    assert_string_equal(exchange->path, "manifest");
    assert_int_equal(exchange->route, ROUTE_MANIFEST);
    assert_int_equal(exchange_feed(exchange, "{", 1, 4), 0);
    assert_int_equal(exchange_feed(exchange, "abc", 3, 4), 0);
    assert_string_equal(exchange->body, "{abc");
    assert_int_equal(exchange_feed(exchange, "d", 1, 4), 0);
    assert_true(exchange->is_too_large);
    assert_int_equal(exchange_feed(exchange, piece, sizeof piece, 4), 0);
    assert_int_equal(exchange_feed(exchange, piece, sizeof piece, 4), -EFBIG);
    assert_int_equal(exchange->size, 4);
    exchange_free(exchange);
    exchange = exchange_new("http://h:1/names");
    assert_string_equal(exchange->path, "names");
    exchange_free(exchange);
    exchange = exchange_new("HTTP://h?x");
    assert_string_equal(exchange->path, "");
    exchange_free(exchange);
    exchange = exchange_new("*");
    assert_int_equal(exchange->route, ROUTE_OTHER);
    exchange_free(exchange);
}

static bool is_ended(int peer)
{
    char byte;
    return recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

/* Milliseconds that a client may be in a state, which it came to a moment ago. */
static void assert_limit(enum client_state state, bool crowded, int64_t limit)
{
    struct clients clients;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    clients_init(&clients, 100);
    struct client *client = clients_add(&clients, pair[0]);
    int64_t now = clock_now();
    client->since -= 1000000;
    clients_set(&clients, client, state);
    assert_true(client->since >= now);
    clients.count = crowded ? 76 : 75;
    clients_expire(&clients, client->since + limit - 1);
    assert_false(is_ended(pair[1]));
    clients_expire(&clients, client->since + limit);
    assert_true(is_ended(pair[1]));
    clients_remove(&clients, client);
    close(pair[0]);
    close(pair[1]);
    clients_release(&clients);
}

static void how_long_each_may_take(void **state)
{
    (void)state;
    assert_limit(CLIENT_IDLE, false, 20000);
    assert_limit(CLIENT_IDLE, true, 1000);
    assert_limit(CLIENT_SENDING, false, 20000);
    assert_limit(CLIENT_SENDING, true, 3000);
    assert_limit(CLIENT_WAITING, false, 30000);
    assert_limit(CLIENT_WAITING, true, 30000);
    assert_limit(CLIENT_TAKING, false, 120000);
    assert_limit(CLIENT_TAKING, true, 20000);
}

static void who_goes_leaves_the_others(void **state)
{
    struct clients clients;
    struct client *all[3];

    (void)state;
    clients_init(&clients, 100);
    for (int i = 0; i < 3; i++)
        all[i] = clients_add(&clients, -1);
    clients_remove(&clients, all[1]);
    assert_ptr_equal(clients.first, all[2]);
    assert_ptr_equal(all[2]->next, all[0]);
    clients_remove(&clients, all[0]);
    assert_null(all[2]->next);
    clients_remove(&clients, all[2]);
    assert_null(clients.first);
    clients_release(&clients);
}

static void who_is_slow_is_ended(void **state)
{
    struct clients clients;
    struct client *all[4];
    int pairs[4][2];

    (void)state;
    clients_init(&clients, 100);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        all[i] = clients_add(&clients, pairs[i][0]);
        clients_set(&clients, all[i], (enum client_state)i);
    }
    int64_t now = clock_now();
    assert_int_equal(clients_count(&clients).busy, 3);
    clients_expire(&clients, now + 15000);
    assert_int_equal(clients_count(&clients).ended, 0);
    clients_expire(&clients, now + 25000); /* idle, and sending */
    assert_true(is_ended(pairs[0][1]));
    assert_true(is_ended(pairs[1][1]));
    assert_false(is_ended(pairs[3][1]));
    clients.most = 4; /* a crowd */
    clients_expire(&clients, now + 25000);
    assert_true(is_ended(pairs[3][1]));
    assert_false(is_ended(pairs[2][1])); /* waits for us */
    assert_int_equal(clients_count(&clients).ended, 3);
    for (int i = 0; i < 4; i++) {
        clients_remove(&clients, all[i]);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    assert_int_equal(clients_count(&clients).open, 0);
    assert_int_equal(clients_count(&clients).busy, 0);
    clients_release(&clients);
}

static void who_has_gone_away_is_ended(void **state)
{
    struct clients clients;
    int sending[2], waiting[2];

    (void)state;
    clients_init(&clients, 100);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sending), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, waiting), 0);
    struct client *first = clients_add(&clients, sending[0]);
    struct client *second = clients_add(&clients, waiting[0]);
    clients_set(&clients, first, CLIENT_SENDING);
    clients_set(&clients, second, CLIENT_WAITING); /* it may have closed its sending side only */
    assert_int_equal(write(sending[1], "x", 1), 1);
    shutdown(sending[1], SHUT_WR);
    shutdown(waiting[1], SHUT_WR);
    for (int looks = 0; looks < 3; looks++)
        clients_expire(&clients, clock_now());
    assert_int_equal(clients_count(&clients).ended, 0); /* something is left to read */
    char byte;
    assert_int_equal(read(sending[0], &byte, 1), 1);
    clients_expire(&clients, clock_now());
    assert_int_equal(clients_count(&clients).ended, 0);
    clients_set(&clients, first, CLIENT_SENDING); /* its next request */
    clients_expire(&clients, clock_now());
    assert_int_equal(clients_count(&clients).ended, 0);
    clients_expire(&clients, clock_now());
    assert_int_equal(clients_count(&clients).ended, 1);
    assert_true(is_ended(sending[1]));
    clients_remove(&clients, first);
    clients_remove(&clients, second);
    for (int i = 0; i < 2; i++) {
        close(sending[i]);
        close(waiting[i]);
    }
    clients_release(&clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_transform),
        cmocka_unit_test(what_cannot_be_served),
        cmocka_unit_test(how_much_a_manifest_may_hold),
        cmocka_unit_test(names),
        cmocka_unit_test(what_is_no_pair_is_no_name),
        cmocka_unit_test(the_last_of_one_name_is_served),
        cmocka_unit_test(image_names),
        cmocka_unit_test(routes),
        cmocka_unit_test(an_error_byte_for_byte),
        cmocka_unit_test(what_is_said_of_a_body_that_is_no_json),
        cmocka_unit_test(a_shelf_says_how_loading_went),
        cmocka_unit_test(gzip_and_tags),
        cmocka_unit_test(small_answers_are_not_compressed_and_each_has_its_tag),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(how_long_each_may_take),
        cmocka_unit_test(who_goes_leaves_the_others),
        cmocka_unit_test(who_is_slow_is_ended),
        cmocka_unit_test(who_has_gone_away_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
