/* listing_of_test.h - refs by the hex digits of their ids. Included by the tests that make listings; after cmocka.h. */
#ifndef TESTS_LISTING_OF_TEST_H
#define TESTS_LISTING_OF_TEST_H

#include <string.h>

#include "gitcache/base/listing.h"

static struct oid oid(const char *hex)
{
    struct oid out;

    assert_true(oid_parse(&out, hex, strlen(hex)));
    return out;
}

static void add(struct listing *listing, const char *name, const char *id, const char *peeled)
{
    struct oid a = oid(id), b = oid(peeled);

    assert_int_equal(listing_add(listing, name, &a, &b), 0);
}

#endif
