/* cache_folder.h - where in a cache a URL's repository lies. Pure. Private to gitcache/. */
#ifndef GITCACHE_STORE_CACHE_FOLDER_H
#define GITCACHE_STORE_CACHE_FOLDER_H

/*
 * CACHE/https/github.com/owner/name.git for https://github.com/owner/name, CACHE/file/srv/name.git
 * for /srv/name. Two URLs have one folder only if git would ask the same server for the same
 * repository with either. So .git is always appended (/srv/x and /srv/x.git may both exist), and
 * what is no plain part of a path is written %XX: "." and "..", a dot at the front, a .git at the
 * end of a folder on the way (a repository would lie within another), and % itself. Of user
 * information only the user of ssh counts, whose home a path may be relative to.
 *
 * Owned, or NULL if out of memory.
 */
char *cache_folder_of_url(const char *cache, const char *url);

/* A URL whose repository lies there, without a user's name and password. Owned; NULL if that cannot be
 * told (a part was too long for a folder), or out of memory. */
char *cache_folder_to_url(const char *cache, const char *folder);

#endif
