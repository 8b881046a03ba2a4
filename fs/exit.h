/* exit.h - the program's exit codes, and the sentence that goes with a failure. */
#ifndef FS_EXIT_H
#define FS_EXIT_H

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,     /* and "no such tag" of `versions` */
    EXIT_UNFETCHED = 3, /* a source cannot be fetched */
    EXIT_REPLACE = 75,  /* of a worker: it has been drained, the mount goes on */
};

/* Prints "startpointfs: SENTENCE" on stderr, in lines that fit a terminal, and returns code. */
int exit_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
