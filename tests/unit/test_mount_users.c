/* test_mount_users.c - who uses what lies on a file system: seen from the processes alone, so any will do. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/cli/mount_users.h"

#define PLACE "/dev/shm" /* a file system of its own, wherever there is a /dev */

/* A folder there, with a file and a program. */
static char folder[100], file[120], program[120];

static int set_up(void **state)
{
    char command[300];

    (void)state;
    strcpy(folder, PLACE "/startpointfs-unit.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/file", folder);
    snprintf(program, sizeof program, "%s/program", folder);
    snprintf(command, sizeof command, "echo >%s; cp \"$(command -v sleep)\" %s", file, program);
    return system(command);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    unlink(program);
    return rmdir(folder);
}

static bool stand_inside(void)
{
    return chdir(folder) == 0;
}

static bool stand_inside_with_a_file(void)
{
    return chdir(folder) == 0 && open(file, O_RDONLY) >= 0;
}

static bool be_locked_in(void)
{
    return chroot(folder) == 0;
}

static bool run_it(void)
{
    execl(program, "program", "1000", (char *)NULL);
    return false;
}

static bool have_it_open(void)
{
    return open(file, O_RDONLY) >= 0;
}

static bool have_it_mapped(void)
{
    int fd = open(file, O_RDONLY);

    return mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED && close(fd) == 0;
}

static bool have_nothing(void)
{
    return true;
}

/* A process that has done that, and waits. */
static pid_t start(bool (*enter)(void))
{
    int ends[2];
    char byte;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "a (user)");
        if (!enter())
            _exit(1);
        close(ends[0]);
        close(ends[1]);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    return pid;
}

static void each_is_told_how(void **state)
{
    static const struct {
        bool (*enter)(void);
        const char *name, *how; /* NULL: is not named */
    } rows[] = {
        {stand_inside, "a (user)", "its working folder"},
        {stand_inside_with_a_file, "a (user)", "its working folder"},
        {be_locked_in, "a (user)", "its root folder"},
        {run_it, "program", "its program"},
        {have_it_open, "a (user)", "open files"},
        {have_it_mapped, "a (user)", "mapped files"},
        {have_nothing, NULL, NULL},
    };
    struct statvfs place;
    struct stat st;

    (void)state;
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(statvfs(folder, &place), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text, expected[200], whose[50];
        size_t size, lines = 0;
        if ((rows[i].enter == run_it && place.f_flag & ST_NOEXEC) ||
            (rows[i].enter == be_locked_in && geteuid() != 0))
            continue;
        pid_t pid = start(rows[i].enter);
        FILE *out = open_memstream(&text, &size);
        unsigned count = mount_users_print(st.st_dev, out);
        fclose(out);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        snprintf(expected, sizeof expected, "  process %d (%s, user %u): %s\n", (int)pid,
                 rows[i].name, geteuid(), rows[i].how);
        snprintf(whose, sizeof whose, "  process %d (", (int)pid);
        char *line = strstr(text, whose);
        if (!rows[i].how)
            assert_null(line);
        else if (!line || strncmp(line, expected, strlen(expected)) != 0)
            fail_msg("no %s in:\n%s", expected, text);
        else
            assert_null(strstr(line + 1, whose)); /* once */
        for (const char *c = text; *c; c++)
            lines += *c == '\n';
        assert_int_equal(lines, count);
        free(text);
    }
}

static void who_asks_is_not_told(void **state)
{
    struct stat st;
    char *text, whose[50];
    size_t size;
    int fd = open(file, O_RDONLY);
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_int_equal(fstat(fd, &st), 0);
    mount_users_print(st.st_dev, out);
    fclose(out);
    close(fd);
    snprintf(whose, sizeof whose, "  process %d (", (int)getpid());
    assert_null(strstr(text, whose));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_told_how),
        cmocka_unit_test(who_asks_is_not_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
