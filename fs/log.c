#include "fs/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum destination { TO_SYSLOG, TO_JOURNAL, TO_FILE };

struct log {
    enum log_level level;
    enum destination destination;
    int fd;
};

static const struct {
    const char *name;
    int priority; /* syslog's, and sd-daemon(3)'s */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

int log_open(struct log **out, enum log_level level, const char *file, int foreground)
{
    struct log *log = calloc(1, sizeof *log);

    if (!log)
        return -ENOMEM;
    log->level = level;
    if (file) {
        log->destination = TO_FILE;
        log->fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log->fd < 0) {
            int r = -errno;
            free(log);
            return r;
        }
    } else if (foreground) {
        log->destination = getenv("JOURNAL_STREAM") ? TO_JOURNAL : TO_FILE;
        log->fd = STDERR_FILENO;
    } else {
        log->destination = TO_SYSLOG;
        openlog("startpointfs", LOG_PID | LOG_NDELAY, LOG_DAEMON);
    }
    *out = log;
    return 0;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    if (log->destination == TO_SYSLOG)
        closelog();
    else if (log->fd > STDERR_FILENO)
        close(log->fd);
    free(log);
}

static void write_line(struct log *log, enum log_level level, const char *text)
{
    char line[2048];
    int length;

    if (log->destination == TO_JOURNAL) {
        length = snprintf(line, sizeof line, "<%d>%s\n", levels[level].priority, text);
    } else {
        char when[32];
        struct timespec now;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &tm);
        strftime(when, sizeof when, "%F %T", &tm);
        length = snprintf(line, sizeof line, "%s.%03ld %-7s %s\n", when, now.tv_nsec / 1000000,
                          levels[level].name, text);
    }
    if (length >= (int)sizeof line) {
        length = sizeof line - 1;
        line[length - 1] = '\n';
    }
    /* A log that can't be written must not stop the mount. */
    if (write(log->fd, line, (size_t)length) < 0)
        return;
}

static void log_line(struct log *log, enum log_level level, const char *format, va_list args)
{
    char text[1600];

    if (!log || level > log->level)
        return;
    vsnprintf(text, sizeof text, format, args);
    if (log->destination == TO_SYSLOG)
        syslog(levels[level].priority, "%s", text);
    else
        write_line(log, level, text);
}

#define LOG_FUNCTION(name, level)                       \
    void name(struct log *log, const char *format, ...) \
    {                                                   \
        va_list args;                                   \
        va_start(args, format);                         \
        log_line(log, level, format, args);             \
        va_end(args);                                   \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void log_leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}
